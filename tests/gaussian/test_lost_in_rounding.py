"""Signs, logarithms and quotients of values that floats round to 0: the truth is that of the real functions."""

import math

import numpy as np
import pytest
from mpmath import erfc, exp, inf, log, mp, mpf, quad, sqrt

from netsor.api import loads
from netsor.expr import evaluate
from netsor.expr.complements import stable_form

ABSOLUTE = math.sqrt(2 / math.pi)
PROGRAM = "program p\nvector x, y ~ N(0, [[1, 0.5], [0.5, 1]])\n"


def limit(integrand: str) -> tuple[float, float]:
    result = loads(f"{PROGRAM}output a := mean({integrand})\n").limit()["a"]
    assert result.value is not None, result
    return result.value, result.error


@pytest.mark.parametrize(
    ("integrand", "truth"),
    [
        ("step(exp(-1000*x^2))", 1.0),
        ("step(exp(-1000*x^2)*exp(-1000*y^2))", 1.0),
        ("step(exp(-1000*x^2) - exp(-1000*y^2))", 0.5),
        ("x*step(exp(1000*x) - 3*exp(2000*x))", -ABSOLUTE / 2 * math.exp(-(math.log(3) ** 2) / 2e6)),
        ("if exp(-1000*x^2) > 0 then 1 else 0", 1.0),
        ("if softplus(900*x) == 0 then 1 else 0", 0.0),
        ("x*sign(gelu(30*x))", ABSOLUTE),
        ("y*sign(gelu(30*x))", ABSOLUTE / 2),
        ("sign(silu(1000*x))", 0.0),
        ("x*sign(silu(1000*x)*sigmoid(3000*x))", ABSOLUTE),
        ("x*sign(1 - tanh(30*x))", 0.0),
        ("step(1 - erf(10*x))", 1.0),
        ("step(1 - erf(10*x)^2)", 1.0),
        ("step(Phi(-50*x))", 1.0),
        ("y*step(Phi(50*x))", 0.0),
        ("x*step(Phi(50*x) - Phi(50*y))", 0.5 / math.sqrt(2 * math.pi)),
        ("step(elu(100*x) + 1)", 1.0),
        ("x*sign(max(exp(-900*x^2), x))", 0.0),
        ("step(-exp(-1000*x^2))", 0.0),
        ("(1 - tanh(20*x)^2)/(1 - tanh(20*x))", 1.0),
        ("x*(1 - erf(9*x)^2)/(1 + erf(9*x))", -math.sqrt(2 / math.pi) * 9 / math.sqrt(81 + 0.5)),
    ],
)
def test_a_value_that_underflows_keeps_its_sign(integrand: str, truth: float) -> None:
    value, error = limit(integrand)
    assert abs(value - truth) <= error + 1e-15
    assert error <= 1e-9


def standard(f: object) -> mpf:
    """E f(x), in the digits that are asked for."""
    density = lambda x: exp(-x * x / 2) / sqrt(2 * mp.pi)  # noqa: E731
    return quad(lambda x: f(x) * density(x), [-inf, -8, -2, -0.5, 0, 0.5, 2, 8, inf])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("integrand", "f"),
    [
        ("log(1 - tanh(20*x))", lambda x: log(2) - log(1 + exp(40 * x)) if x < 20 else log(2) - 40 * x),
        ("log(1 - sigmoid(60*x))", lambda x: -log(1 + exp(60 * x)) if x < 20 else -60 * x),
        ("log(1 - erf(5*x))", lambda x: log(erfc(5 * x))),
        ("log(elu(100*x) + 1)", lambda x: log(1 + 100 * x) if x > 0 else 100 * x),
        ("√(1 - tanh(25*x)^2)", lambda x: 2 / (exp(25 * x) + exp(-25 * x))),
        ("1/(1 + tanh(x))", lambda x: (1 + exp(-2 * x)) / 2),
    ],
)
@mp.workdps(30)
def test_functions_of_complements_against_thirty_digits(integrand: str, f: object) -> None:
    truth = standard(f)
    value, error = limit(integrand)
    assert abs(mpf(value) - truth) <= error
    assert error <= 1e-8 * abs(truth)


@mp.workdps(30)
def test_the_derivative_of_a_kink_of_what_underflows() -> None:
    # E Z^g Z^x = E x² E ∂relu(silu(900 h))/∂h = E h relu(silu(900 h)) by Stein's lemma.
    program = (
        "program p\nmatrix W\nvector x ~ N(0, 1)\nMATMUL: h := W x\nNONLIN: k := relu(silu(900*h))\n"
        "MATMUL: g := Wᵀ k\noutput a := gᵀ x / n\n"
    )
    result = loads(program).limit()["a"]
    truth = standard(lambda h: 900 * h * h / (1 + exp(-900 * h)) if h > 0 else mpf(0))
    assert abs(mpf(result.value) - truth) <= result.error


def test_zero_over_zero_in_floats_is_not_called_divergent() -> None:
    limits = loads(f"{PROGRAM}output a := mean(exp(-1000*x^2)/(exp(-1000*x^2) + exp(-1000*y^2)))\n").limit()
    value = limits["a"]
    assert value.value is None or abs(value.value - 0.5) <= value.error
    assert not any(d.code == "E801" for d in limits.diagnostics)


def test_the_stable_form_has_the_values_of_the_expression() -> None:
    rng = np.random.default_rng(5)
    document = loads(
        f"{PROGRAM}output a := mean(step(gelu(x) - gelu(y)) + sign(exp(x)*y^3) * log(1 + tanh(x)) / (2 - 2*erf(y)^2))\n"
    )
    (moment,) = (i for i in document.program.instructions if type(i).__name__ == "Moment")
    stable = stable_form(moment.psi)
    assert stable is not moment.psi
    names = sorted(moment.psi.free, key=lambda s: str(s.name))
    for _ in range(200):
        at = dict(zip(names, map(float, rng.standard_normal(2)), strict=True))
        assert evaluate(stable, at) == pytest.approx(evaluate(moment.psi, at), rel=1e-11)


@pytest.mark.parametrize(
    ("integrand", "truth"),
    [
        ("exp(500*x)/(exp(500*x) + exp(500*u))", 0.5),
        ("3*exp(700*x)/(3*exp(700*x) + 3*exp(700*u))", 0.5),
        ("exp(-300*u)/(exp(-300*x) + exp(-300*u))", 0.5),
        # By symmetry, since the shares of softmax add up to 1.
        ("exp(500*x)/(exp(500*x) + exp(500*u) + exp(500*w))", 1 / 3),
        ("2/(2 + exp(500*x) + exp(500*u)) + 2*exp(500*x)/(2 + exp(500*x) + exp(500*u))", 1.0),
    ],
)
def test_softmax_of_large_scores(integrand: str, truth: float) -> None:
    text = f"program p\nvector x, u, w ~ N(0, 1)\noutput a := mean({integrand})\n"
    result = loads(text).limit()["a"]
    assert abs(result.value - truth) <= result.error + 1e-15
    assert result.error <= 1e-7


@mp.workdps(30)
def test_the_logarithm_of_a_sum_of_large_exponentials() -> None:
    # E log(e^{au} + e^{av}) = a E max(u, v) + E log(1 + e^{−a|d|}), d ~ N(0, 2).
    text = "program p\nvector u, v ~ N(0, 1)\noutput a := mean(log(exp(500*u) + exp(500*v)))\n"
    result = loads(text).limit()["a"]
    density = lambda d: exp(-d * d / 4) / sqrt(4 * mp.pi)  # noqa: E731
    rest = 2 * quad(lambda d: log(1 + exp(-500 * d)) * density(d), [0, 0.01, 0.1, 1])
    assert abs(mpf(result.value) - (500 / sqrt(mp.pi) + rest)) <= result.error


def test_the_sign_of_a_long_chain() -> None:
    text = "program p\nvector x ~ N(0, 1)\nz[0] := x\nfor l in 1..100:\n    z[l] := tanh(z[l-1])\n"
    result = loads(f"{text}output a := mean(x*step(z[100]))\n").limit()["a"]
    assert abs(result.value - ABSOLUTE / 2) <= result.error

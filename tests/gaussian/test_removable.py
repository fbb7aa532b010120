"""Divisors that vanish where the rest does: terms that diverge alone, and values that lose their digits.

Truths are integrals of derivatives, which have no divisor: f[u, w] = ∫₀¹ f'(su + (1 − s)w) ds, and Taylor remainders.
"""

import math
from collections.abc import Callable

import pytest
from mpmath import cos, exp, inf, log, mp, mpf, pi, quad, sinh, sqrt, tanh

import netsor

PROGRAM = "program p\nvector u, w ~ N(0, 1)\nvector x, y ~ N(0, [[1, 0.5], [0.5, 1]])\n"


def normal(f: object, variance: object = 1) -> mpf:
    """E f(z), z ~ N(0, variance)."""
    s = sqrt(mpf(variance))
    return quad(lambda z: f(s * z) * exp(-z * z / 2) / sqrt(2 * pi), [-inf, -6, -2, 0, 2, 6, inf])  # type: ignore[operator]


def quotient(f: Callable[[mpf], mpf]) -> mpf:
    """E f(z) for a quotient of which both parts vanish at 0, evaluated with the digits that it loses there."""

    def precise(z: mpf) -> mpf:
        with mp.workdps(150):
            return f(z)

    return normal(precise)


def mixed(f: object, covariance: float = 0.0) -> mpf:
    """∫₀¹ E f'(s u + (1 − s) w) ds for the derivative f'."""
    return quad(lambda s: normal(f, s * s + (1 - s) ** 2 + 2 * covariance * s * (1 - s)), [0, 0.5, 1])


def remainder(f: object, order: int) -> mpf:
    """E (f(u) − Taylor polynomial below this order)/u^order = ∫₀¹ (1 − s)^(order−1)/(order−1)! E f^(order)(su) ds."""
    return quad(lambda s: (1 - s) ** (order - 1) / math.factorial(order - 1) * normal(f, s * s), [0, 1])


def half_over_sinh(d: mpf) -> mpf:
    """(x − y)/(eˣ − eʸ) = e^{−(x+y)/2} (d/2)/sinh(d/2) with d = x − y, which is independent of x + y."""
    return d / 2 / sinh(d / 2)


CASES = {
    "(exp(u) - 1)/u": lambda: remainder(exp, 1),
    "(exp(u) - 1 - u)/u^2": lambda: remainder(exp, 2),
    "(sin(u) - u)/u^3": lambda: -remainder(cos, 3),
    "(1 - cos(u))/u^2": lambda: remainder(cos, 2),
    "(erf(u) - 2*u/√pi)/u^3": lambda: remainder(lambda z: 2 / sqrt(pi) * (4 * z * z - 2) * exp(-z * z), 3),
    "(u^2 - 1)/(u - 1)": lambda: mpf(1),
    "(u^3 - 8)/(u - 2)": lambda: mpf(5),
    "1/u - cos(u)/u": lambda: mpf(0),
    "(u^2 - 1)/(abs(u) - 1)": lambda: 1 + sqrt(2 / pi),
    "(exp(u) - exp(w))/(u - w)": lambda: mixed(exp),
    "(exp(x) - exp(y))/(x - y)": lambda: mixed(exp, 0.5),
    "(tanh(u) - tanh(w))/(u - w)": lambda: mixed(lambda z: 1 - tanh(z) ** 2),
    "(x^3 - y^3)/(x - y)": lambda: mpf("2.5"),
    "(relu(u) - relu(w))/(u - w)": lambda: mpf("0.5"),
    "(1 - cos(x - y))/(x - y)^2": lambda: remainder(cos, 2),
    "u^2/log(1 + u^2)": lambda: quotient(lambda z: z * z / log(1 + z * z)),
    "u^3/(tanh(u) - u)": lambda: quotient(lambda z: z**3 / (tanh(z) - z)),
    "u^2/(√(1 + u^2) - 1)": lambda: 1 + normal(lambda z: sqrt(1 + z * z)),
    "u^2/(exp(u) - 1 - u)": lambda: quotient(lambda z: z * z / (exp(z) - 1 - z)),
    "(u - w)/(exp(u) - exp(w))": lambda: exp(mpf(1) / 4) * normal(half_over_sinh, 2),
    "(u^2 - w^2)/(exp(u) - exp(w))": lambda: -exp(mpf(1) / 4) * normal(half_over_sinh, 2),
    "(x + y)/(exp(x) - exp(-y))": lambda: exp(mpf(1) / 8) * normal(half_over_sinh, 3),
}


@pytest.mark.parametrize("integrand", sorted(CASES))
@mp.workdps(25)
def test_what_is_bounded_at_the_zero_of_its_divisor_has_a_limit(integrand: str) -> None:
    result = netsor.loads(f"{PROGRAM}output a := mean({integrand})\n").limit()["a"]
    truth = CASES[integrand]()
    assert result.value is not None, result
    assert abs(mpf(result.value) - truth) <= result.error
    assert result.error <= 1e-11


@pytest.mark.parametrize(
    "integrand",
    ["(u - 1)/(u^2 - 1)", "(exp(u) - 1)/u^2", "(u^2 - 1)/(u - 2)", "(exp(u) - exp(w))/(u - w)^2", "1/u - cos(u)/u^3"],
)
def test_what_is_not_bounded_there_diverges(integrand: str) -> None:
    limits = netsor.loads(f"{PROGRAM}output a := mean({integrand})\n").limit()
    assert limits["a"].value is None
    assert [d.code for d in limits.diagnostics if d.is_error] == ["E801"]

"""Integrands that are singular at a point, on a line, or with exponents that are random: values, bounds and refusals.

The truths are moments of powers of a Gaussian, E|x|^p = 2^{p/2} Γ((p+1)/2)/√π, integrals over one variable that is
left when the others are integrated in closed form (Tricomi's U, erfcx, K₀), and sums over grids in logarithms.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.special import erfcx, gamma, kve

from netsor.api import loads
from netsor.cli.main import main
from netsor.diagnostics import NetsorError


def limit(integrand: str):
    return loads(f"program p\nvector x, y, z ~ N(0, 1)\no := mean({integrand})\noutput o\n").limit(1e-8, 20.0)


def moment(p):
    return 2 ** (p / 2) * gamma((p + 1) / 2) / np.sqrt(np.pi)


def over_scales(g, deepest=700.0, steps=16):
    """E g(|x|) by the trapezoidal rule in log|x|."""
    s = np.arange(-deepest * steps, 3.7 * steps) / steps
    x = np.exp(s)
    with np.errstate(over="ignore", under="ignore"):
        return float(np.nansum(2 * g(x) * x * np.exp(-x * x / 2)) / np.sqrt(2 * np.pi) / steps)


def of_squares_and_fourths(p):
    """E(x² + y⁴)^{−p}: E(x² + a)^{−p} = 2^{−p} U(p, p + 1/2, a/2)."""

    def g(s):
        y = mpmath.exp(s)
        return 2 * mpmath.npdf(y) * y * 2 ** (-mpmath.mpf(p)) * mpmath.hyperu(p, mpmath.mpf(p) + 0.5, y**4 / 2)

    with mpmath.workdps(20):
        return float(mpmath.quad(g, [-400, -200, -100, -50, -20, -10, -5, -2, -1, 0, 1, 2, 2.6]))


def of_products(h):
    """E h(|xy|) over a grid in log|x| and log|y|."""
    s = np.arange(-640, 30) / 8
    x = np.exp(s)
    w = 2 * x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi) / 8
    return float(w @ h(np.outer(x, x)) @ w)


def laplace_of_moduli(p):
    """E(|x| + |y| + |z|)^{−p} = ∫ t^{p−1} (E e^{−t|x|})³ dt/Γ(p), with E e^{−t|x|} = erfcx(t/√2)."""
    s = np.arange(-60 * 16, 90 * 16) / 16
    return float((np.exp(p * s) * erfcx(np.exp(s) / np.sqrt(2)) ** 3).sum() / 16 / gamma(p))


TRUTHS = {
    "abs(x)^(-0.9)": moment(-0.9),
    "abs(x)^(-0.99)": moment(-0.99),
    "abs(x - y)^(-0.9)": 2**-0.45 * moment(-0.9),
    "abs(x*y)^(-0.9)": moment(-0.9) ** 2,
    "abs(x)^(-0.5)*log(abs(x))^2": over_scales(lambda x: x**-0.5 * np.log(x) ** 2, 150),
    "(x^2 + y^4)^(-0.5)": of_squares_and_fourths(0.5),
    "(x^2 + y^4)^(-0.7)": of_squares_and_fourths(0.7),
    # E 1/(|x| + a) has no closed form; E of 1/(a + z²) and of its root over z have one.
    "1/(abs(x*y) + z^2)": of_products(lambda a: np.sqrt(np.pi / (2 * a)) * erfcx(np.sqrt(a / 2))),
    "1/sqrt(abs(x*y) + z^2)": of_products(lambda a: kve(0, a / 4) / np.sqrt(2 * np.pi)),
    "1/(abs(x) + y^2)": over_scales(lambda x: np.sqrt(np.pi / (2 * x)) * erfcx(np.sqrt(x / 2)), 150),
    # P(max > m) + P(max < −m) is that of one variable.
    "abs(max(x, y))^(-0.5)": moment(-0.5),
    "abs(x)^tanh(y)": float(
        sum(
            w * moment(np.tanh(y)) * np.exp(-y * y / 2) / np.sqrt(2 * np.pi)
            for y, w in zip(np.arange(-24, 24.001, 1 / 64), [1 / 64] * 3073, strict=True)
            if y > -17
        )
    ),
    "(abs(x) + abs(y) + abs(z))^(-2.5)": laplace_of_moduli(2.5),
    "1/(abs(x)*log(abs(x)/10)^2 + x^4)": 0.35049753321916,
}


@pytest.mark.parametrize("integrand", TRUTHS)
def test_values_are_within_their_errors(integrand):
    found = limit(integrand).outputs["o"]
    assert abs(found.value - TRUTHS[integrand]) <= found.error + 1e-9 * TRUTHS[integrand]


@pytest.mark.parametrize(
    "integrand", ["abs(x)^(-0.99)", "abs(x - y)^(-0.9)", "abs(x*y)^(-0.9)", "(x^2 + y^4)^(-0.7)", "1/(abs(x) + y^2)"]
)
def test_digits(integrand):
    """On all scales: no warning, ten digits and more."""
    found = limit(integrand)
    assert not found.diagnostics and found.outputs["o"].error < 1e-9 * TRUTHS[integrand]


@pytest.mark.parametrize(
    "integrand",
    [
        "(x^2 + y^4)^(-0.75)", "(x^2 + y^4)^(-0.8)", "1/(relu(x) + abs(y))", "1/(relu(x) + relu(y))", "abs(x)^y",
        "abs(x)^(2*tanh(y))", "abs(x)^(y^2)",
    ],
)  # fmt: skip
def test_what_is_infinite_has_no_number(integrand):
    try:
        found = limit(integrand)
    except NetsorError as fault:
        assert {d.code for d in fault.diagnostics} <= {"E801", "E804"}
        return
    assert found.outputs["o"].value is None and {d.code for d in found.diagnostics} <= {"E801", "E804"}


def random_singular(rng):
    """c (|x|^a + |y|^b)^{−p} |x|^q g(x, y) with an integrable singularity, and its mean over a grid in logarithms."""
    a, b = (float(k) for k in rng.choice([0.5, 1, 1.5, 2, 3, 4], 2))
    q = float(rng.choice([0, 0, -0.3, 0.5]))
    # Power counting: p < (1 + q)/a + 1/b.
    p = round(float(rng.uniform(0.1, 0.85)) * ((1 + q) / a + 1 / b), 2)
    name, g = [("1", lambda x, y: 1.0), ("exp(x/2 - y/3)", lambda x, y: np.exp(x / 2 - y / 3)),
               ("(1 + tanh(x*y))", lambda x, y: 1 + np.tanh(x * y))][rng.integers(3)]  # fmt: skip
    text = f"(abs(x)^{a:g} + abs(y)^{b:g})^(-{p})*abs(x)^({q})*{name}"
    s = np.arange(-1280, 30) / 8
    x = np.exp(s)
    w = x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi) / 8
    total = 0.0
    for sx in (1, -1):
        for sy in (1, -1):
            xx, yy = sx * x[:, None], sy * x[None, :]
            total += w @ ((x[:, None] ** a + x[None, :] ** b) ** -p * x[:, None] ** q * g(xx, yy)) @ w
    return text, float(total)


@pytest.mark.parametrize("seed", range(12))
def test_random_singularities(seed):
    text, truth = random_singular(np.random.default_rng(seed))
    found = limit(text).outputs["o"]
    # The grid of the truth ends where e^{−160} is not yet nothing for the slowest of them.
    assert found.value is not None and abs(found.value - truth) <= found.error + 1e-6 * truth, text


def test_no_run_at_a_width_is_offered_where_the_mean_may_be_infinite(tmp_path, capsys):
    """Means of draws settle nowhere then, and a number with a standard error would be believed."""
    file = tmp_path / "p.netsor"
    offered = {}
    for text in ("(x^2 + y^4)^(-0.8)", "max(1/abs(x)^0.5, 1/abs(y)^0.5, 1/abs(z)^0.5)"):
        file.write_text(f"program p\nvector x, y, z ~ N(0, 1)\no := mean({text})\noutput o\n", encoding="utf-8")
        main(["eval", str(file), "--limit", "--budget", "2", "--tol", "1e-12"])
        offered[text] = "--width" in capsys.readouterr().err
    assert list(offered.values()) == [False, True]

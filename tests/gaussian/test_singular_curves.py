"""Powers of what vanishes on curves and on crossing planes, and zeros that cancel there; the truths are independent.

E |x − c|^−a = 2^{−a/2} Γ((1 − a)/2) ₁F₁(a/2; 1/2; −c²/2)/√π for a standard normal x, and x y of two independent ones
has the density K₀(|p|)/π.
"""

import math

import mpmath
import pytest

from netsor.api import loads
from netsor.limit.result import LimitValue

PROGRAM = "vector x, y, z ~ N(0, 1)\n"


def limit(integrand: str, budget: float = 20) -> LimitValue:
    return loads(f"{PROGRAM}output a := mean({integrand})\n").limit(budget=budget)["a"]


def apart(a: float, c: float) -> float:
    """E |x − c|^−a."""
    p = mpmath.mpf(a)
    front = 2 ** (-p / 2) * mpmath.gamma((1 - p) / 2) / mpmath.sqrt(mpmath.pi)
    return float(front * mpmath.hyp1f1(p / 2, 0.5, -(mpmath.mpf(c) ** 2) / 2))


def mean(f: object, breaks: tuple[float, ...] = ()) -> float:
    """E f(y), y standard normal."""
    ends = sorted({-12.0, -4.0, -1.0, 0.0, 1.0, 4.0, 12.0, *breaks})
    weight = lambda y: mpmath.exp(-y * y / 2) / mpmath.sqrt(2 * mpmath.pi)  # noqa: E731
    return float(mpmath.quad(lambda y: f(y) * weight(y), ends))  # type: ignore[operator]


def of_products(f: object) -> float:
    """E f(x y) of an even function."""
    ends = [0, 1e-6, 1e-3, 0.1, 1, 2, 4, 8, 20, 60]
    return float(2 * mpmath.quad(lambda p: f(p) * mpmath.besselk(0, p) / mpmath.pi, ends))  # type: ignore[operator]


def on_the_circle() -> float:
    """E |x² + y² − 1|^{−1/2}, with (x² + y²)/2 exponential: u = s² on both sides of the circle."""
    inside = mpmath.quad(lambda s: mpmath.exp(s * s / 2), [0, 1])
    outside = mpmath.quad(lambda s: mpmath.exp(-s * s / 2), [0, 1, 5, 15])
    return float(mpmath.exp(-0.5) * (inside + outside))


def on_three_lines() -> float:
    """E |x y (x − y)|^{−1/2}, in polar coordinates."""

    def angle(t: float) -> mpmath.mpf:
        return 1 / mpmath.sqrt(abs(mpmath.cos(t) * mpmath.sin(t) * (mpmath.cos(t) - mpmath.sin(t))))

    ends = [0, mpmath.pi / 8, mpmath.pi / 4, 3 * mpmath.pi / 8, mpmath.pi / 2, 3 * mpmath.pi / 4, mpmath.pi]
    around = sum(mpmath.quad(angle, [a, b]) for a, b in zip(ends, ends[1:], strict=False))
    return float(2 ** mpmath.mpf(-0.75) * mpmath.gamma(0.25) * around / mpmath.pi)


SINGULAR = {
    "abs(x - y^2)^(-1/2)": (lambda: mean(lambda y: apart(0.5, y * y)), 1e-7),
    "abs(x - y^2)^(-0.7)": (lambda: mean(lambda y: apart(0.7, y * y)), 1e-3),
    "abs(x - tanh(y))^(-1/2)": (lambda: mean(lambda y: apart(0.5, mpmath.tanh(y))), 1e-7),
    "abs(exp(x) - y)^(-1/2)": (lambda: mean(lambda x: apart(0.5, mpmath.exp(x))), 1e-7),
    "abs(x^3 - 3*x + y)^(-1/2)": (
        lambda: mean(lambda x: apart(0.5, 3 * x - x**3), (-math.sqrt(3), math.sqrt(3))),
        1e-6,
    ),
    "abs(x*y - y)^(-0.3)": (lambda: apart(0.3, 0) * apart(0.3, 1), 1e-8),
    "abs(x - y*z)^(-0.3)": (lambda: of_products(lambda p: apart(0.3, p)), 1e-7),
    "abs(x^2 + y^2 - 1)^(-1/2)": (on_the_circle, 1e-4),
    "abs(x)^(-1/2)*abs(y)^(-1/2)*abs(x - y)^(-1/2)": (on_three_lines, 1e-3),
    "abs(x^2 - y^2)^(-1/2)": (lambda: (apart(0.5, 0) / 2**0.25) ** 2, 1e-10),
}


@pytest.mark.parametrize("integrand", SINGULAR)
def test_powers_of_what_vanishes_on_curves(integrand: str) -> None:
    truth, within = SINGULAR[integrand]
    found = limit(integrand)
    assert found.value is not None and found.error is not None and found.error <= within
    assert abs(found.value - truth()) <= found.error + 2e-9


# Quotients whose numerator and divisor vanish together on the axes, where floats lose the digits of both.
CANCELLING = {
    "(1 - cos(x*y))/(x*y)^2": (lambda p: 2 * (mpmath.sin(p / 2) / p) ** 2, 1e-12),
    "log(1 + (x*y)^2)/(x*y)^2": (lambda p: mpmath.log1p(p * p) / p**2 if p > 1e-9 else 1 - p * p / 2, 1e-12),
    "(x*y)^2/log(1 + (x*y)^2)": (lambda p: p**2 / mpmath.log1p(p * p) if p > 1e-9 else 1 + p * p / 2, 1e-12),
    "(sqrt(1 + (x*y)^2) - 1)/(x*y)^2": (lambda p: 1 / (mpmath.sqrt(1 + p * p) + 1), 1e-12),
    "x*y/(exp(x*y) - 1)": (lambda p: (p / mpmath.expm1(p) - p / mpmath.expm1(-p)) / 2 if p else 1, 1e-12),
}
# What is left of these is smaller than the rounding errors of their terms: the bound has to say so.
LOST = {
    "(tanh(x*y) - x*y)/(x*y)^3": lambda p: (mpmath.tanh(p) - p) / p**3 if p > 1e-3 else 2 * p * p / 15 - 1 / 3,
    "(sin(x*y) - x*y)/(x*y)^3": lambda p: (mpmath.sin(p) - p) / p**3 if p > 1e-3 else p * p / 120 - 1 / 6,
}


@pytest.mark.parametrize("integrand", CANCELLING)
def test_zeros_that_cancel_on_curves(integrand: str) -> None:
    f, within = CANCELLING[integrand]
    with mpmath.workdps(25):
        truth = of_products(f)
    found = limit(integrand)
    assert found.value is not None and found.error is not None and found.error <= within
    assert abs(found.value - truth) <= found.error + 1e-14


@pytest.mark.parametrize("integrand", LOST)
def test_lost_digits_are_in_the_bound(integrand: str) -> None:
    with mpmath.workdps(25):
        truth = of_products(LOST[integrand])
    found = limit(integrand, 2)
    assert found.value is not None and found.error is not None and found.error < math.inf
    assert 1e-9 < abs(found.value - truth) <= found.error


@pytest.mark.parametrize(
    "integrand", ["1/log(1 + x^2)", "1/sqrt(log(1 + (x - y)^2))", "1/(sqrt(1 + y^2) - sqrt(1 + x^2))", "1/(1 - cos(x))"]
)
def test_what_diverges_still_does(integrand: str) -> None:
    result = loads(f"{PROGRAM}output a := mean({integrand})\n").limit()
    assert [d.code for d in result.diagnostics] == ["E801"]

"""f(u) − f(w) as a product: equal to the difference in forty digits, and in floats without the loss of its digits."""

import random
from collections.abc import Callable

import mpmath
import pytest

from netsor.api import loads
from netsor.core import Nonlin
from netsor.expr import Expr, canonical, evaluate
from netsor.expr.factored_differences import with_differences_factored


def integrand(text: str) -> Expr:
    """The expression of a text in x and y, as it stands in a program."""
    program = loads(f"vector x, y ~ N(0, 1)\nh := {text}\noutput m := mean(h)\n").program
    return canonical(next(i.psi for i in program.instructions if isinstance(i, Nonlin)))


# Each with the same function in mpmath.
DIFFERENCES: dict[str, Callable[[mpmath.mpf, mpmath.mpf], mpmath.mpf]] = {
    "exp(x) - exp(y)": lambda x, y: mpmath.exp(x) - mpmath.exp(y),
    "2*exp(x) - 2": lambda x, y: 2 * mpmath.expm1(x),
    "1 - cos(x)": lambda x, y: 2 * mpmath.sin(x / 2) ** 2,
    "cos(x) - cos(y)": lambda x, y: mpmath.cos(x) - mpmath.cos(y),
    "sin(x) - sin(y)": lambda x, y: mpmath.sin(x) - mpmath.sin(y),
    "3*tanh(x) - 3*tanh(y)": lambda x, y: 3 * (mpmath.tanh(x) - mpmath.tanh(y)),
    "sigmoid(x) - sigmoid(y)": lambda x, y: 1 / (1 + mpmath.exp(-x)) - 1 / (1 + mpmath.exp(-y)),
    "sigmoid(x) - 1/2": lambda x, y: mpmath.tanh(x / 2) / 2,
    "x^2 - y^2": lambda x, y: x**2 - y**2,
    "4*x^2 - 9*y^2": lambda x, y: 4 * x**2 - 9 * y**2,
    "x^3 - y^3": lambda x, y: x**3 - y**3,
    "sqrt(1 + x^2) - 1": lambda x, y: mpmath.sqrt(1 + x**2) - 1,
    "2*sqrt(1 + x^2) - 2*sqrt(1 + y^2)": lambda x, y: 2 * (mpmath.sqrt(1 + x**2) - mpmath.sqrt(1 + y**2)),
    "log(1 + x^2)": lambda x, y: mpmath.log1p(x**2),
    "log(1 + abs(x*y))": lambda x, y: mpmath.log1p(abs(x * y)),
}


def places(seed: int) -> list[tuple[float, float]]:
    """Pairs at all distances, down to neighbouring floats, near 0 and far from it."""
    r = random.Random(seed)
    out = [(r.gauss(0, 2), r.gauss(0, 2)) for _ in range(20)]
    for distance in (1e-3, 1e-6, 1e-9, 1e-12):
        x = r.gauss(0, 2)
        out += [(x, x + distance), (distance, -2 * distance), (distance, r.gauss(0, 2))]
    return out


@pytest.mark.parametrize("text", DIFFERENCES)
def test_a_divisor_keeps_its_digits(text: str) -> None:
    """1/(f(u) − f(w)) has a relative error of a few units, at whatever distance of u and w."""
    made = with_differences_factored(integrand(f"1/({text})"))
    with mpmath.workdps(40):
        for x, y in places(7):
            truth = 1 / DIFFERENCES[text](mpmath.mpf(x), mpmath.mpf(y))
            value = evaluate(made, {s: {"x": x, "y": y}[str(s)] for s in made.free})
            # The arguments of sines and cosines are rounded before the functions are.
            assert abs(value / truth - 1) < 60 * 2.0**-52 * max(1.0, abs(x), abs(y)), (text, x, y)


@pytest.mark.parametrize("text", ["exp(x) + exp(y)", "exp(x) - 2*exp(y)", "exp(x) - 2", "cos(x) - 1/2", "x^2 - 2*y^2"])
def test_what_is_no_such_difference_stays_as_it_is(text: str) -> None:
    e = integrand(f"1/({text})^0.5")
    assert with_differences_factored(e) is e


def test_nothing_changes_where_nothing_is_divided() -> None:
    e = integrand("tanh(exp(x) - 1)/(1 + y^2)")
    assert with_differences_factored(e) is e

"""Nearly degenerate laws: decimals as written, nearly equal products, nearly parallel rows, scalars that cancel.

The truth is in closed form from the exact rational covariance: with d = v − u, E|d| = √(2 Var d/π), and the signs of
two centred Gaussians differ with probability θ/π, cos θ their correlation.
"""

import random
from fractions import Fraction

import mpmath as mp
import pytest

from netsor.api import loads
from netsor.expr.rationals import Rounded, number, rational

mp.mp.dps = 40


def check(text: str, largest: float = 1e-6, **truth) -> None:
    """Each output's true error is within its bound, which is no more than `largest` of the value but for rounding."""
    document = loads(text)
    assert document.report.ok, document.report.diagnostics
    found = document.limit()
    for name, wanted in truth.items():
        value, error = found[name].value, found[name].error
        assert value is not None and error is not None, (name, found.diagnostics)
        assert abs(mp.mpf(value) - wanted) <= error, (name, value, error, mp.nstr(wanted, 20))
        assert error <= largest * abs(wanted) + 2.0**-52, (name, value, error)


def angle(a: Fraction, b: Fraction, c: Fraction):
    """The angle between Gaussians of variances a, b and covariance c: atan2 of √(ab − c²) and c."""
    rest, c = a * b - c * c, mp.mpf(c.numerator) / c.denominator
    return mp.atan2(mp.sqrt(mp.mpf(rest.numerator) / rest.denominator), c)


def real(q: Fraction):
    return mp.mpf(q.numerator) / q.denominator


# --- laws as written ------------------------------------------------------------------------------------------------


def test_decimals_of_a_law_are_the_numbers_meant() -> None:
    check(
        "vector u, v ~ N(0, [[1, 0.999999999999], [0.999999999999, 1]])\n"
        "output a := mean(relu(v - u))\noutput b := mean(step(u) * step(-v))\noutput c := mean((u - v)^2)\n",
        a=mp.sqrt(mp.mpf("2e-12") / (2 * mp.pi)),
        b=angle(Fraction(1), Fraction(1), 1 - Fraction(1, 10**12)) / (2 * mp.pi),
        c=mp.mpf("2e-12"),
    )


def test_decimals_that_no_float_tells_apart() -> None:
    check(
        "vector u, v ~ N(0, [[1, 0.99999999999999999999], [0.99999999999999999999, 1]])\n"
        "output a := mean(relu(v - u))\n",
        a=mp.sqrt(mp.mpf("2e-20") / (2 * mp.pi)),
    )


def test_arithmetic_of_decimals_is_exact() -> None:
    check(
        "param e = 1/10^13\nvector u, v ~ N(0, [[0.3, 0.1 + 0.2 - e], [0.1*3 - e, 0.3]])\n"
        "output a := mean(abs(v - u))\n",
        a=mp.sqrt(2 * mp.mpf("2e-13") / mp.pi),
    )


def test_a_third_is_a_third() -> None:
    # Singular as it is written: v is u/3.
    check(
        "vector u, v ~ N(0, [[1, 1/3], [1/3, 1/9]])\noutput a := mean(abs(3*v - u))\n"
        "output b := mean(step(u) * step(-v))\n",
        a=0,
        b=0,
    )


@pytest.mark.parametrize("seed", range(12))
def test_random_laws_with_correlations_near_one(seed: int) -> None:
    draw = random.Random(seed)
    k = draw.randint(4, 15)
    s, t = draw.choice(["1", "0.3", "2.7"]), draw.choice(["1", "0.3", "2.7"])
    e = Fraction(draw.randint(1, 9), 10 ** (k + 1))
    # z₂ = z₁ + e-part: Var z₁ = s, Cov = s − e, Var z₂ = s − e + t e.
    a, c = Fraction(s), Fraction(s) - e
    b = c + e * Fraction(t)
    text = [[_decimal(x) for x in row] for row in ((a, c), (c, b))]
    gap = a - 2 * c + b
    check(
        f"vector u, v ~ N(0, [[{text[0][0]}, {text[0][1]}], [{text[1][0]}, {text[1][1]}]])\n"
        "output a := mean(abs(u - v))\noutput b := mean(step(u) * step(-v))\noutput c := mean(step(u - v) * step(u))\n"
        "output d := mean(relu(v - u) * step(u))\n",
        a=mp.sqrt(2 * real(gap) / mp.pi),
        b=angle(a, b, c) / (2 * mp.pi),
        c=(mp.pi - angle(gap, a, a - c)) / (2 * mp.pi),
        # E relu(d) step(u) = √Var d (1 + corr)/(2 √(2π)).
        d=mp.sqrt(real(gap)) * (1 + real(c - a) / mp.sqrt(real(gap) * real(a))) / (2 * mp.sqrt(2 * mp.pi)),
    )


def _decimal(q: Fraction) -> str:
    digits = f"{int(q * 10**20):021d}"
    return f"{digits[:-20]}.{digits[-20:]}".rstrip("0").rstrip(".")


def test_three_nearly_dependent_vectors() -> None:
    # w = u + v + r with Var r = 10⁻¹².
    check(
        "vector u, v, w ~ N(0, [[1, 0.5, 1.5], [0.5, 1, 1.5], [1.5, 1.5, 3.000000000001]])\n"
        "output a := mean(abs(w - u - v))\noutput b := mean(step(w - u - v) * step(u))\n"
        "output c := mean((w - u - v)^2 * u^2)\n",
        a=mp.mpf("1e-6") * mp.sqrt(2 / mp.pi),
        b=mp.mpf(1) / 4,
        c=mp.mpf("1e-12"),
    )


def test_rounded_numbers_are_floats_that_know_what_they_are() -> None:
    import pickle

    third = number(Fraction(1, 3))
    assert isinstance(third, Rounded) and third == 1 / 3 and repr(third) == repr(1 / 3)
    assert rational(pickle.loads(pickle.dumps(third))) == Fraction(1, 3)
    assert type(number(Fraction(1, 2))) is float and type(number(Fraction(4, 2))) is int


@pytest.mark.parametrize("c", ["6.1e-17", "-6.1e-17", "1e-17", "1e-30", "2.5e-16", "3e-15", "1e-11"])
def test_a_covariance_that_is_nothing_beside_the_variances(c: str) -> None:
    # E sign sign = 2 asin(c)/π: its rounding is that of a probability, and is in the bound.
    found = loads(
        f"vector u, v ~ N(0, [[1, {c}], [{c}, 1]])\noutput a := mean(sign(u) * sign(v))\n"
        "output b := mean(relu(u) * relu(v))\noutput d := mean(sign(u) * v)\n"
    ).limit()
    ρ = mp.mpf(c)
    wanted = {
        "a": 2 * mp.asin(ρ) / mp.pi,
        "b": (mp.sqrt(1 - ρ**2) + (mp.pi - mp.acos(ρ)) * ρ) / (2 * mp.pi),
        "d": ρ * mp.sqrt(2 / mp.pi),
    }
    for name, truth in wanted.items():
        assert abs(mp.mpf(found[name].value) - truth) <= found[name].error <= 2e-15, name


# --- nearly parallel rows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("e", ["0.00000003", "0.0000000149011611938476562", "1e-11"])
def test_nearly_parallel_rows(e: str) -> None:
    angle = mp.atan(mp.mpf(e))
    check(
        f"data X : (2, 2) = [[1, 0], [1, {e}]]\nmatrix U : (n, 2) ~ N(0, 1)\nu := U X[1]\nw := U X[2]\n"
        "output a := mean(abs(u - w))\noutput b := mean(step(u) * step(-w))\noutput c := mean((u - w)^2)\n",
        a=mp.mpf(e) * mp.sqrt(2 / mp.pi),
        b=angle / (2 * mp.pi),
        c=mp.mpf(e) ** 2,
    )


# --- nearly equal products ------------------------------------------------------------------------------------------


def _gauss(f):
    return mp.quad(lambda x: f(x) * mp.exp(-x * x / 2), mp.linspace(-12, 12, 13)) / mp.sqrt(2 * mp.pi)


def test_nearly_equal_products() -> None:
    square, cross = _gauss(lambda x: mp.tanh(x) ** 2), _gauss(lambda x: x * mp.tanh(x))
    check(
        "matrix W\nvector x ~ N(0, 1)\ny := W (x + 1e-8 * tanh(x))\nz := W x\n"
        "output a := mean(abs(1e8 * (y - z)))\noutput b := mean(step(y - z) * step(z))\noutput d := mean(step(y - z))\n"
        "output e := mean((y - z)^2)\noutput f := mean(step(y) * step(-z))\n",
        a=mp.sqrt(2 / mp.pi * square),
        b=(mp.pi - mp.acos(cross / mp.sqrt(square))) / (2 * mp.pi),
        d=mp.mpf(1) / 2,
        e=square * mp.mpf("1e-16"),
        f=mp.mpf("1e-8") * mp.sqrt(square - cross**2) / (2 * mp.pi),
    )


@pytest.mark.parametrize("e", ["1e-3", "1e-6", "1e-12", "2^(-26)"])
def test_products_of_nearly_equal_vectors(e: str) -> None:
    size = mp.mpf(2) ** -26 if "^" in e else mp.mpf(e)
    check(
        f"matrix W\nvector x, y ~ N(0, 1)\nh := W x\ng := W (x + {e} * y)\n"
        f"output a := mean(relu(g - h) / ({e}))\noutput b := mean(step(g) * step(-h))\noutput c := mean((g - h)^2)\n",
        a=1 / mp.sqrt(2 * mp.pi),
        b=mp.atan(size) / (2 * mp.pi),
        c=size**2,
    )


def test_a_nearly_dependent_product_of_three() -> None:
    square = _gauss(lambda x: mp.tanh(x) ** 2)
    check(
        "matrix W\nvector x, y ~ N(0, 1)\nf := W x\ng := W y\nh := W (x + y + 1e-8 * tanh(x))\n"
        "output a := mean(abs(h - f - g))\noutput b := mean(step(h - f - g))\n",
        a=mp.mpf("1e-8") * mp.sqrt(2 / mp.pi * square),
        b=mp.mpf(1) / 2,
    )


# --- scalars --------------------------------------------------------------------------------------------------------


def test_scalars_are_the_decimals_that_are_written() -> None:
    check(
        "c := 0.1\nd := 0.3\noutput a := 1e10 * (c + c + c - d)\noutput b := 1/c - 10\noutput g := c/3\n",
        a=0,
        b=0,
        g=mp.mpf(1) / 30,
    )


def test_rounding_of_scalars_is_in_the_bound() -> None:
    c = mp.sqrt(mp.mpf("0.7"))
    check(
        "c := 0.7\ns := √c\noutput b := exp(s) * 3 - s\noutput e := √2\n",
        b=mp.exp(c) * 3 - c,
        e=mp.sqrt(2),
    )
    # What is left of a difference is rounding, of numbers of about 10¹⁰.
    found = loads("c := 0.7\ns := √c\noutput a := 1e10 * (s * s - c)\noutput d := 1e8 * (s^3 - 0.7*s)\n").limit()
    assert 0 <= abs(found["a"].value) <= found["a"].error <= 1e-4
    assert 0 <= abs(found["d"].value) <= found["d"].error <= 1e-6

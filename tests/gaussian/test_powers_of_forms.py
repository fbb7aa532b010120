"""Negative powers of quadratic forms, as in batch normalization, by Laplace's integral with a formula at every node."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsor.expr import Const, Expr, add, call, canonical, diff, mul, power, sym
from netsor.expr.arrays import lambdify
from netsor.gaussian import FixedLaw, expect
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.vectorized.laplace import laplace_sum
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.truncated import truncated_moment

U, V, W, X = sym("u"), sym("v"), sym("w"), sym("x")
FUNCTIONS = ("relu", "step", "abs", "sign")


def square(z: list, least: float = 0.0) -> Expr:
    return canonical(add(Const(least), *(power(s, Const(2)) for s in z)))


def normalized(h: list, i: int, least: float = 1e-5) -> Expr:
    mean = mul(Const(1 / len(h)), add(*h))
    variance = mul(Const(1 / len(h)), add(*(power(s - mean, Const(2)) for s in h)))
    return canonical((h[i] - mean) * power(add(variance, Const(least)), Const(-0.5)))


def covariance(rng: np.random.Generator, d: int) -> np.ndarray:
    a = rng.standard_normal((d, d + 2))
    return a @ a.T / d


def sampled(e: Expr, symbols: list, c: np.ndarray, draws: int = 400_000) -> tuple[float, float]:
    """A mean over draws, and its standard error."""
    z = np.linalg.cholesky(c) @ np.random.default_rng(3).standard_normal((len(c), draws))
    v = lambdify((e,), tuple(symbols))(*z)[0]
    return float(v.mean()), float(v.std() / math.sqrt(draws))


def laws(symbols: tuple, c: np.ndarray, slack: float = 0.0) -> Laws:
    one = np.ones((1, 1))
    return Laws(
        (1, 1),
        {(a, b): Bounded(c[i, j] * one, slack * one) for i, a in enumerate(symbols) for j, b in enumerate(symbols)},
        {},
    )


@given(
    st.integers(0, 2**32 - 1), st.sampled_from(FUNCTIONS), st.sampled_from(FUNCTIONS), st.integers(0, 2),
    st.integers(0, 2), st.integers(0, 2),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_polynomials_times_homogeneous_functions(seed: int, f: str, g: str, i: int, j: int, k: int) -> None:
    e = canonical(mul(power(U, Const(i)), power(W, Const(j)), power(X, Const(k)), call(f, U), call(g, V)))
    symbols = (U, V, W, X)
    c = covariance(np.random.default_rng(seed), 4)
    rule = truncated_moment(e, symbols)
    assert rule is not None
    found = rule(laws(symbols, c))
    if not np.isfinite(found.error).all():
        # Three derivatives of jumps: a derivative of a Dirac mass, which this rule leaves to others.
        assert j + k > 1
        return
    truth = expect(e, FixedLaw(symbols, c))
    assert abs(found.value[0, 0] - truth.value) <= found.error[0, 0] + truth.error
    assert found.error[0, 0] <= 1e-12 * max(truth.scale, 1.0)


@pytest.mark.parametrize("rho", [1.0, -1.0])
@pytest.mark.parametrize("a", [0, 1, 2, 3])
@pytest.mark.parametrize("b", [0, 1, 2])
def test_parallel_variables(rho: float, a: int, b: int) -> None:
    # (u)₊ᵃ (±u)₊ᵇ is a power of relu(u), or zero almost everywhere.
    e = canonical(mul(power(U, Const(a)), call("step", U), power(V, Const(b)), call("step", V)))
    rule = truncated_moment(e, (U, V))
    assert rule is not None
    found = rule(laws((U, V), np.array([[4.0, 2 * rho], [2 * rho, 1.0]])))
    k = a + b
    truth = 0.0 if rho < 0 else 2.0**a * 2 ** (k / 2) * math.gamma((k + 1) / 2) / math.sqrt(math.pi) / 2
    assert abs(found.value[0, 0] - truth) <= found.error[0, 0]
    assert found.error[0, 0] <= 1e-13 * 2.0**a * math.gamma(k + 1)


@given(st.integers(0, 2**32 - 1), st.sampled_from(FUNCTIONS), st.sampled_from(FUNCTIONS), st.floats(1e-9, 1e-2))
@settings(max_examples=60, deadline=None)
def test_errors_of_covariances_are_covered(seed: int, f: str, g: str, slack: float) -> None:
    e = canonical(mul(W, U, call(f, U), call(g, V)))
    symbols = (U, V, W)
    rng = np.random.default_rng(seed)
    c = covariance(rng, 3)
    by = rng.uniform(-slack, slack, (3, 3))
    moved = c + (by + by.T) / 2
    rule = truncated_moment(e, symbols)
    assert rule is not None
    wide, there = rule(laws(symbols, c, slack)), rule(laws(symbols, moved))
    assert abs(wide.value - there.value) <= wide.error + there.error


@pytest.mark.parametrize("d", [2, 3, 5])
@pytest.mark.parametrize("p", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("least", [0.0, 1e-3, 1.0])
def test_one_form(d: int, p: float, least: float) -> None:
    # With |z|² = r² and z/r independent, E relu(z₁) relu(z₂) (ε + |z|²)^{−p} = E r² (ε + r²)^{−p}/(2π d).
    z = [sym(f"z{i}") for i in range(d)]
    e = canonical(mul(call("relu", z[0]), call("relu", z[1]), power(square(z, least), Const(-p))))
    rule = laplace_sum(e, z)
    assert rule is not None
    found = rule.at(np.eye(d), np.zeros((d, d)), 1e-10)
    norm = mpmath.mpf(2) ** (1 - mpmath.mpf(d) / 2) / mpmath.gamma(mpmath.mpf(d) / 2)
    radial = mpmath.quad(
        lambda r: norm * r ** (d + 1) * mpmath.exp(-r * r / 2) * (least + r * r) ** -p, [0, 0.1, 1, 4, 12, 40]
    )
    truth = float(radial) / (2 * math.pi * d)
    assert found is not None
    assert abs(found.value - truth) <= found.error <= 1e-8 * truth


@pytest.mark.parametrize("n", [2, 4, 7])
@pytest.mark.parametrize("rho", [0.3, -0.9, 0.999])
def test_the_mean_of_a_correlation_coefficient(n: int, rho: float) -> None:
    # Of n pairs with the correlation ρ (Hotelling 1953): E r = (2ρ/n) (Γ((n+1)/2)/Γ(n/2))² ₂F₁(½, ½; n/2 + 1; ρ²).
    u, v = ([sym(f"{s}{i}") for i in range(n)] for s in "uv")
    forms = mul(power(square(u), Const(-0.5)), power(square(v), Const(-0.5)))
    e = canonical(mul(add(*(a * b for a, b in zip(u, v, strict=True))), forms))
    c = np.kron([[1, rho], [rho, 1]], np.eye(n))
    rule = laplace_sum(e, [*u, *v])
    assert rule is not None
    found = rule.at(c, np.zeros_like(c), 1e-10)
    half = mpmath.mpf(n) / 2
    front = 2 * rho / n * (mpmath.gamma(half + 0.5) / mpmath.gamma(half)) ** 2
    truth = float(front * mpmath.hyp2f1(0.5, 0.5, half + 1, rho**2))
    assert found is not None
    assert abs(found.value - truth) <= found.error <= 1e-9 * abs(truth)


@given(st.integers(0, 2**32 - 1), st.integers(3, 4), st.booleans(), st.sampled_from([1e-5, 1e-2, 1.0]))
@settings(max_examples=12, deadline=None)
def test_two_batches_against_draws(seed: int, batch: int, slopes: bool, least: float) -> None:
    h, k = ([sym(f"{s}{i}") for i in range(batch)] for s in "hk")
    x, y = call("relu", normalized(h, 0, least)), call("relu", normalized(k, 1, least))
    e = canonical(mul(diff(x, h[2]), diff(y, k[1])) if slopes else mul(x, y))
    c = covariance(np.random.default_rng(seed), 2 * batch)
    found = expect(e, FixedLaw([*h, *k], c))
    mean, deviation = sampled(e, [*h, *k], c)
    assert abs(found.value - mean) <= found.error + 5 * deviation
    assert found.error <= 1e-8 * found.scale


@given(st.integers(0, 2**32 - 1), st.floats(1e-12, 1e-6))
@settings(max_examples=12, deadline=None)
def test_errors_of_the_law_of_a_batch_are_covered(seed: int, slack: float) -> None:
    h, k = ([sym(f"{s}{i}") for i in range(3)] for s in "hk")
    e = canonical(mul(call("relu", normalized(h, 0)), call("relu", normalized(k, 1))))
    rng = np.random.default_rng(seed)
    c = covariance(rng, 6)
    by = rng.uniform(-slack, slack, (6, 6))
    rule = laplace_sum(e, [*h, *k])
    assert rule is not None
    here = rule.at(c, np.full_like(c, slack), 1e-10)
    there = rule.at(c + (by + by.T) / 2, np.zeros_like(c), 1e-10)
    assert here is not None and there is not None
    assert abs(here.value - there.value) <= here.error + there.error


def test_equal_variables_in_two_batches() -> None:
    # Both batches are one: the law of the eight variables is degenerate, and the two forms are equal.
    h, k = ([sym(f"{s}{i}") for i in range(4)] for s in "hk")
    c = covariance(np.random.default_rng(8), 4)
    e = mul(call("relu", normalized(h, 0)), call("relu", normalized(k, 1)))
    same = mul(call("relu", normalized(h, 0)), call("relu", normalized(h, 1)))
    rule, alone = laplace_sum(canonical(e), [*h, *k]), laplace_sum(canonical(same), h)
    assert rule is not None and alone is not None
    two = rule.at(np.kron(np.ones((2, 2)), c), np.zeros((8, 8)), 1e-10)
    one = alone.at(c, np.zeros((4, 4)), 1e-10)
    assert two is not None and one is not None
    assert abs(two.value - one.value) <= two.error + one.error <= 1e-8 * one.scale


@pytest.mark.parametrize("p, q", [(0.3, 0.25), (0.5, 0.3), (0.5, 1.0)])
@pytest.mark.parametrize("apart", [1e-3, 0.1])
def test_nearly_dependent_batches_whose_integrals_fall_slowly(p: float, q: float, apart: float) -> None:
    # Where two forms nearly agree, the sum over both t falls more slowly than along lines near the scale of either.
    h, k = ([sym(f"{s}{i}") for i in range(3)] for s in "hk")
    powers = mul(power(square(h, 1e-3), Const(-p)), power(square(k, 1e-3), Const(-q)))
    e = canonical(mul(call("sign", h[0]), call("sign", k[1]), powers))
    rng = np.random.default_rng(11)
    a = rng.standard_normal((3, 4))
    rows = np.concatenate([a, a + apart * rng.standard_normal((3, 4))])
    rule = laplace_sum(e, [*h, *k])
    assert rule is not None
    coarse, fine = (rule.at(rows @ rows.T, np.zeros((6, 6)), tol) for tol in (1e-6, 1e-10))
    assert coarse is not None and fine is not None
    assert abs(coarse.value - fine.value) <= coarse.error + fine.error <= 1e-5 * fine.scale


def test_an_integral_that_diverges_has_no_number() -> None:
    # E 1/|z|² does not exist in the plane.
    z = [sym("z0"), sym("z1")]
    rule = laplace_sum(power(square(z), Const(-1)), z)
    assert rule is not None
    assert rule.at(np.eye(2), np.zeros((2, 2)), 1e-10) is None

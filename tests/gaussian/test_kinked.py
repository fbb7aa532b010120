"""Functions with kinks and jumps at many laws at once, against closed forms and integrals in thirty digits."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from netsor.expr import ONE, ZERO, Const, Expr, call, compare, cond, diff, power, sym
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.vectorized.kinked import kinked
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.panels import panels

U = sym("u")
Truth = Callable[[mpmath.mpf], mpmath.mpf]


def _elu(a: mpmath.mpf) -> mpmath.mpf:
    s = mpmath.sqrt(a)
    return s * mpmath.npdf(0) + mpmath.exp(a / 2) * mpmath.ncdf(-s) - mpmath.mpf(1) / 2


def _hardtanh_squared(a: mpmath.mpf) -> mpmath.mpf:
    # E z² 1[|z| < t] = P(|z| < t) − 2 t φ(t), and the rest is P(|z| > t).
    t = 1 / mpmath.sqrt(a)
    return a * (mpmath.erf(t / mpmath.sqrt(2)) - 2 * t * mpmath.npdf(t)) + mpmath.erfc(t / mpmath.sqrt(2))


def _within(a: mpmath.mpf) -> mpmath.mpf:
    return mpmath.erf(1 / mpmath.sqrt(2 * a))


def _beyond_one(a: mpmath.mpf) -> mpmath.mpf:
    return mpmath.sqrt(a) * mpmath.npdf(1 / mpmath.sqrt(a))


def _late(a: mpmath.mpf) -> mpmath.mpf:
    t = mpmath.mpf("2.5") / mpmath.sqrt(a)
    return mpmath.sqrt(a) * (mpmath.npdf(t) - t * mpmath.ncdf(-t))


CASES: list[tuple[Expr, Truth]] = [
    (call("elu", U), _elu),
    (power(call("hardtanh", U), Const(2)), _hardtanh_squared),
    (diff(call("hardtanh", U), U), _within),
    (U * call("step", U - 1), _beyond_one),
    (call("relu", U - 2.5), _late),
    (cond(compare(">", U, ONE), U, ZERO), _beyond_one),
]
VARIANCES = 10 ** np.linspace(-3, 4, 57)


@pytest.mark.parametrize("off", [0.0, 1e-13, 1e-8, 1e-4])
@pytest.mark.parametrize(("e", "truth"), CASES, ids=lambda x: repr(x) if isinstance(x, Expr) else "")
def test_the_bound_holds_over_the_whole_interval_of_a_variance(e: Expr, truth: Truth, off: float) -> None:
    rule = kinked(e, (U,))
    assert rule is not None
    given = Bounded(VARIANCES[:, None], off * VARIANCES[:, None])
    found = rule(Laws((len(VARIANCES), 1), {(U, U): given}, {}, 1e-12))
    value, error = found.value[:, 0], found.error[:, 0]
    # Where a function is zero but in the far tail, the rule may give way to another one.
    assert np.isfinite(error).sum() >= 0.7 * len(error)
    with mpmath.workdps(30):
        for a, v, r in zip(VARIANCES, value, error, strict=True):
            for sign in (-1, 0, 1):
                right = truth(mpmath.mpf(a) * (1 + sign * mpmath.mpf(off)))
                assert abs(v - right) <= r
            if np.isfinite(r):
                assert r <= (3 * off + 1e-12) * max(abs(v), 1.0) * (1 + 1 / a if off else 1)


def test_a_variance_that_is_hardly_known_is_left_to_others() -> None:
    rule = kinked(call("elu", U), (U,))
    assert rule is not None
    given = Bounded(np.array([[1.0], [1.0], [0.0]]), np.array([[0.5], [0.0], [0.0]]))
    error = rule(Laws((3, 1), {(U, U): given}, {}, 1e-12)).error[:, 0]
    assert np.isinf(error[[0, 2]]).all() and error[1] < 1e-13


def _rectangle(a: float, b: float, c: float) -> mpmath.mpf:
    """P(|u| < 1, |v| < 1), by integrating over u."""
    a, b, c = (mpmath.mpf(x) for x in (a, b, c))
    left, s = mpmath.sqrt(b - c * c / a), mpmath.sqrt(a)

    def inside(u: mpmath.mpf) -> mpmath.mpf:
        m = c / a * u
        return (mpmath.ncdf((1 - m) / left) - mpmath.ncdf((-1 - m) / left)) * mpmath.npdf(u, 0, s)

    # Where the conditional probability turns.
    turns = [x for x in (a / c, -a / c) if abs(x) < 1] if c else []
    cuts = sorted({-1, 1, 0, *(t + k * left * a / abs(c) for t in turns for k in (-6, 0, 6))})
    return mpmath.quad(inside, [x for x in cuts if -1 <= x <= 1])


PAIRS = [
    (1.0, 1.0, 0.5), (2.0, 0.3, -0.4), (25.0, 9.0, 14.9), (1.0, 1.0, 1 - 1e-4), (4.0, 4.0, -4 + 1e-6), (0.1, 50.0, 0.0),
]  # fmt: skip


@pytest.mark.parametrize("off", [0.0, 1e-9])
def test_two_functions_with_jumps(off: float) -> None:
    v = sym("v")
    block = diff(call("hardtanh", U), U) * diff(call("hardtanh", v), v)
    rule = panels(block, (U, v))
    assert rule is not None and rule.jumps
    laws = np.array(PAIRS)
    sizes = np.sqrt(laws[:, 0] * laws[:, 1])
    given = {
        pair: Bounded(laws[:, k, None], off * (sizes if k == 2 else laws[:, k])[:, None])
        for pair, k in (((U, U), 0), ((v, v), 1), ((U, v), 2), ((v, U), 2))
    }
    found = rule(Laws((len(PAIRS), 1), given, {}, 1e-12), ())
    with mpmath.workdps(20):
        for row, (a, b, c) in enumerate(PAIRS):
            error = found.error[row, 0]
            assert error < 1e-12 or off
            for i, j, k in [(0, 0, 0), (1, 1, -1), (-1, -1, 1), (0, 0, 1), (0, 0, -1)] if off else [(0, 0, 0)]:
                truth = _rectangle(a * (1 + i * off), b * (1 + j * off), c + k * off * sizes[row])
                assert abs(found.value[row, 0] - truth) <= error

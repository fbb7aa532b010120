"""Products whose factors live on half-spaces without a common point, against linear programming."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from netsor.expr import ONE, ZERO, Const, Expr, Sym, add, call, compare, cond, mul, neg
from netsor.gaussian import FixedLaw, expect
from netsor.gaussian.symbolic.supports import is_zero_everywhere

SYMBOLS = tuple(Sym(c) for c in "abcd")
A, B, C, _ = SYMBOLS
GAUSSIANS = frozenset(SYMBOLS)


def where(op: str, left: Expr, right: Expr) -> Expr:
    return cond(compare(op, left, right), ONE, ZERO)


@pytest.mark.parametrize(
    ("factors", "zero", "almost"),
    [
        ((where(">", A, B), where(">", B, A)), True, True),
        ((where(">", A, B), where(">=", B, A)), True, True),
        ((where(">=", A, B), where(">=", B, A)), False, True),
        ((where(">", A, B), where(">", B, C), where(">", C, A)), True, True),
        ((call("step", A), call("relu", neg(A))), True, True),
        ((where(">", A, ONE), where("<", A, ONE)), True, True),
        ((call("step", A), call("step", B)), False, False),
        ((where(">", A, B), where(">", B, C)), False, False),
        # 0 ≥ 0 holds everywhere, and 0 > 0 nowhere.
        ((where(">=", A, A), where("<=", B, B)), False, False),
        ((where(">=", A, A), where(">", B, C)), False, False),
        ((where(">=", A, add(A, ONE)), where(">=", B, B)), True, True),
        ((where(">", A, A), where(">=", B, B)), True, True),
    ],
)
def test_half_spaces(factors: tuple[Expr, ...], zero: bool, almost: bool) -> None:
    assert is_zero_everywhere(mul(*factors), GAUSSIANS) is zero
    assert is_zero_everywhere(mul(*factors), GAUSSIANS, almost=True) is almost


@pytest.mark.parametrize("seed", range(150))
def test_linear_programming_agrees(seed: int) -> None:
    """Strict inequalities a·x > b have a common point if and only if max t with a·x ≥ b + t, t ≤ 1, is positive."""
    rng = np.random.default_rng(seed)
    d, rows = int(rng.integers(1, 5)), int(rng.integers(2, 8))
    a = rng.integers(-2, 3, (rows, d))
    b = rng.integers(-2, 3, rows) if seed % 2 else np.zeros(rows, int)
    a = a[a.any(axis=1)]
    b = b[: len(a)]
    factors = {
        where(">", add(*(mul(Const(int(x)), s) for x, s in zip(row, SYMBOLS) if x)), Const(int(c)))
        for row, c in zip(a, b, strict=True)
    }
    product = mul(*factors)
    best = linprog(
        [0.0] * d + [-1.0],
        A_ub=np.column_stack([-a, np.ones(len(a))]),
        b_ub=-b,
        bounds=[(None, None)] * d + [(None, 1.0)],
    )
    feasible = best.status == 3 or -best.fun > 1e-9
    assert is_zero_everywhere(product, GAUSSIANS) is (not feasible and len(factors) > 1)


def test_an_expectation_of_contradictory_conditions_is_zero() -> None:
    e = mul(call("tanh", call("max", A, B)), where(">=", A, B), where(">=", B, A))
    apart = expect(e, FixedLaw((A, B), [[1.0, 0.5], [0.5, 1.0]]))
    assert apart.value == apart.error == 0
    # Where both are one variable the conditions hold everywhere: E tanh(a)² of a standard normal.
    same = expect(mul(call("tanh", A), e), FixedLaw((A, B), [[1.0, 1.0], [1.0, 1.0]]))
    assert abs(same.value - 0.394294490397840) <= same.error + 1e-14


def test_conditions_that_hold_everywhere_change_nothing() -> None:
    e = mul(call("max", mul(A, A), B), where(">=", A, A), where("<=", B, B))
    found = expect(e, FixedLaw((A, B), [[4.0, 1.0], [1.0, 0.5]]))
    # E max(a², b) by 6000² midpoints and by adaptive panels of scipy: no part of netsor.
    # By scipy.integrate.quad of a² + E[(b − a²)₊ | a].
    assert abs(found.value - 4.04145145) <= found.error + 1e-7

"""A law in rational numbers: a basis of its variables, the inverse of their covariance, and rays as series in n."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from netsor.expr import Expr, Sym
from netsor.expr.asymptotics import series_along
from netsor.expr.growth import (
    ZERO_SERIES,
    Coefficient,
    Diverges,
    Rate,
    Series,
    coefficient,
    iterated_log,
    number,
    plus,
)
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.law.rational import NOTHING

STEP = iterated_log(0).raised(Fraction(-1))


class Basis:
    """Variables w in which all others are written; `precision` is the inverse of their covariance."""

    def __init__(self, symbols: Sequence[Sym], rows: Mapping[Sym, Sequence[Fraction]], precision: list[list[Fraction]]):
        self.symbols, self.rows, self.precision = tuple(symbols), rows, precision
        self.rank = len(precision)
        inverse = np.array([[float(x) for x in row] for row in precision])
        # w = root u, with u standard normal.
        self.root = np.linalg.inv(np.linalg.cholesky(inverse)).T

    def square(self, w: Sequence[Fraction]) -> Fraction:
        """w' Σ⁻¹ w."""
        return sum((a * x * b for a, row in zip(w, self.precision) for x, b in zip(row, w)), Fraction(0))

    def along(self, w: Sequence[Fraction], start: Sequence[Fraction] | None = None) -> dict[Sym, Series]:
        """Every variable on the ray n w, or at start + w/n, as a series in n."""
        out = {}
        for s in self.symbols:
            slope = multiple(_product(self.rows[s], w), iterated_log(0) if start is None else STEP)
            out[s] = slope if start is None else plus(number(Coefficient(_product(self.rows[s], start))), slope)
        return out


def _product(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b)), Fraction(0))


def multiple(q: Fraction, rate: Rate) -> Series:
    return Series(((rate, Coefficient(q)),)) if q else ZERO_SERIES


def basis_of(inputs: Inputs) -> Basis | None:
    """A basis for a law with the least variances within the errors; None where that is not positive definite."""
    n = len(inputs.symbols)
    if not n or not np.isfinite(inputs.covariance).all():
        return None
    c = [[Fraction(coefficient(float(x)).value) for x in row] for row in inputs.covariance]
    less = Fraction(float(inputs.errors.sum(axis=1).max()))
    whole = [c[i][i] for i in range(n)]
    left = [row[:] for row in c]
    pivots: list[int] = []
    for _ in range(n):
        p = max((i for i in range(n) if i not in pivots), key=lambda i: left[i][i] / whole[i] if whole[i] else 0)
        if left[p][p] <= Fraction(NOTHING) * whole[p] + n * less:
            break
        row = left[p]
        left = [[x - left[i][p] / row[p] * row[j] for j, x in enumerate(left[i])] for i in range(n)]
        pivots.append(p)
    if not pivots:
        return None
    # A law with less variance in every direction has lighter tails, so that divergence under it is conclusive.
    least = [[c[i][j] - (less if i == j else 0) for j in pivots] for i in pivots]
    precision = inverse_of(least)
    if precision is None:
        return None
    inverse = inverse_of([[c[i][j] for j in pivots] for i in pivots])
    assert inverse is not None
    rows = {
        s: [sum((c[i][p] * inverse[k][j] for k, p in enumerate(pivots)), Fraction(0)) for j in range(len(pivots))]
        if i not in pivots else [Fraction(int(i == p)) for p in pivots]
        for i, s in enumerate(inputs.symbols)
    }  # fmt: skip
    return Basis(inputs.symbols, rows, precision)


def inverse_of(m: list[list[Fraction]]) -> list[list[Fraction]] | None:
    """The inverse of a positive definite matrix; None for other matrices."""
    n = len(m)
    table = [row[:] + [Fraction(int(i == j)) for j in range(n)] for i, row in enumerate(m)]
    for p in range(n):
        d = table[p][p]
        if d <= 0:
            return None
        table[p] = [x / d for x in table[p]]
        for i in range(n):
            if i != p and table[i][p]:
                f = table[i][p]
                table[i] = [x - f * y for x, y in zip(table[i], table[p])]
    return [row[n:] for row in table]


def leading(e: Expr, at: Mapping[Sym, Series]) -> tuple[tuple[Rate, Coefficient], ...]:
    """The terms of the series of an expression, the fastest first; empty where the series is not known."""
    try:
        return series_along(e, at).terms
    except (Diverges, KeyError, OverflowError, RecursionError):
        return ()

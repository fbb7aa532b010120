"""Nearly dependent Ẑ's expressed by others and a residual, so that the law of a difference is computed, not subtracted.

Where y is nearly equal to x, Var(Ẑ^{Wy} − Ẑ^{Wx}) is lost in the rounding of the variances. For every β, however,
Ẑ^{Wy} = β Ẑ^{Wx} + Ẑ^{W(y − βx)}. The residual y − βx is formed as an expression, in which equal terms cancel, and has
a variance of its own. For 𝒱 the same is done with rational covariances. This is a Gram–Schmidt process with rounded
coefficients: the equation holds for any β, and the better β is, the less the residual depends on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from netsor.expr import ZERO, Add, Const, Expr, Sym, add, canonical, mul, split_coefficient
from netsor.expr.build import neg, power
from netsor.expr.differences import multiplied_out
from netsor.expr.nodes import MINUS_ONE
from netsor.expr.rationals import meant
from netsor.limit.initial import InitialLaw

# The share of a variance below which what is left of it, given the other variables, is too small to be subtracted.
_NEAR, _NEAR_INITIAL = 1e-6, 1e-4
# Operands are nearly dependent if the coefficients of a residual are smaller than theirs by this factor.
_SMALL = 1e-4
# Decimal digits tried for a coefficient; as few as suffice, so that a coefficient of the program is reproduced exactly.
_DIGITS = (3, 7, 12, 15, 17)
_ENOUGH = 4
# Operands of more terms than this are compared by their covariances only.
_MOST_TERMS = 40
# The most others of which one is sought to be an exact combination.
_MOST_OTHERS = 6


def residual(e: Expr, parts: Sequence[tuple[float, Expr]]) -> Expr:
    """e − Σ β x, with each coefficient computed in rational arithmetic and rounded once."""
    total: dict[Expr, Fraction] = {}
    for factor, x in ((1.0, e), *((-b, x) for b, x in parts)):
        for c, rest in terms_of(x):
            total[rest] = total.get(rest, Fraction(0)) + meant(factor) * meant(c)
    return canonical(add(*(mul(Const(float(c)), rest) for rest, c in total.items() if c)))


def terms_of(e: Expr) -> list[tuple[int | float, Expr]]:
    """A canonical sum as pairs of a coefficient and the rest of the term."""
    return [split_coefficient(t) for t in (e.children if isinstance(e, Add) else (e,))]


def dependent(c: Sequence[Sequence[float]], near: float) -> tuple[list[int], list[int]]:
    """Pivots, and the indices with less than `near` of their variance left given the pivots (pivoted Cholesky)."""
    n = len(c)
    left = [list(map(float, row)) for row in c]
    whole = [left[i][i] for i in range(n)]
    pivots: list[int] = []
    rest = [i for i in range(n) if whole[i] > 0]
    while rest:
        p = max(rest, key=lambda i: left[i][i] / whole[i])
        if left[p][p] < near * whole[p]:
            break
        pivots.append(p)
        rest.remove(p)
        row = left[p][:]
        for i in rest:
            f = row[i] / row[p]
            left[i] = [x - f * y for x, y in zip(left[i], row, strict=True)]
    return pivots, rest


def solved(m: Sequence[Sequence[Fraction]], b: Sequence[Fraction]) -> list[Fraction]:
    """x with M x = b for a definite matrix, by elimination."""
    rows = [[*row, y] for row, y in zip(m, b, strict=True)]
    n = len(rows)
    for k in range(n):
        for i in range(k + 1, n):
            f = rows[i][k] / rows[k][k]
            if f:
                rows[i] = [x - f * y for x, y in zip(rows[i], rows[k], strict=True)]
    x = [Fraction(0)] * n
    for k in reversed(range(n)):
        x[k] = (rows[k][n] - sum((rows[k][j] * x[j] for j in range(k + 1, n)), Fraction(0))) / rows[k][k]
    return x


def shortened(b: Fraction, digits: int) -> float:
    """The number rounded to so many significant digits."""
    return float(f"{float(b):.{digits}g}")


def of_initial(law: InitialLaw, symbols: Sequence[Sym]) -> dict[Sym, Expr]:
    """The nearly dependent Ẑ's of one family of 𝒱, expressed by the others and residuals."""
    c = [[law.covariance(a, b).value for b in symbols] for a in symbols]
    pivots, rest = dependent(c, _NEAR_INITIAL)
    out: dict[Sym, Expr] = {}
    known = [symbols[p] for p in pivots]
    exact = [[law.exact(a, b)[0] for b in known] for a in known] if rest else []
    for k in rest:
        s = symbols[k]
        cross, own = [law.exact(s, t)[0] for t in known], law.exact(s, s)[0]
        best = solved(exact, cross)
        least = own - sum((b * x for b, x in zip(best, cross, strict=True)), Fraction(0))
        for digits in _DIGITS:
            beta = [meant(shortened(b, digits)) for b in best]
            variance = own - 2 * sum((b * x for b, x in zip(beta, cross, strict=True)), Fraction(0))
            variance += sum((x * exact[i][j] * y for i, x in enumerate(beta) for j, y in enumerate(beta)), Fraction(0))
            if variance <= _ENOUGH * least:
                break
        parts = [mul(Const(float(b)), t) for b, t in zip(beta, known, strict=True)]
        uncertain = law.exact(s, s)[1] > 0 or any(law.exact(s, t)[1] > 0 for t in known)
        if least > 0 or uncertain:
            d = law.combined({s: Fraction(1), **{t: -b for b, t in zip(beta, known, strict=True)}})
            out[s] = canonical(add(*parts, d))
        elif variance == 0 or least == 0:
            # Equal with probability one, up to the rounding of a coefficient such as 1/3.
            out[s] = canonical(add(*parts))
    return out


def combination(e: Expr, others: Sequence[Expr], split: Callable[[Expr], tuple[Expr, Expr]]) -> list[Expr] | None:
    """Coefficients b with e = Σ b x for the others x, for terms whose factors may be limit scalars; None if none is.

    `split` takes the factors without Gaussians from a term. This is Gaussian elimination without divisions, in which
    entries that vanish when they are multiplied out are zero.
    """
    columns = [_coefficients(x, split) for x in (*others, e)]
    rows = [[c.get(t, ZERO) for c in columns] for t in dict.fromkeys(t for c in columns for t in c)]
    if len(rows) > _MOST_TERMS or len(others) > _MOST_OTHERS:
        return None
    done: list[list[Expr]] = []
    for k in range(len(others)):
        pivot = next((row for row in rows if row[k] is not ZERO), None)
        if pivot is None:
            return None
        rows.remove(pivot)
        rows = [_without_entry(row, pivot, k) if row[k] is not ZERO else row for row in rows]
        done.append(pivot)
    if any(row[-1] is not ZERO for row in rows):
        return None
    b: list[Expr] = [ZERO] * len(others)
    for k in reversed(range(len(others))):
        known = add(*(mul(done[k][j], b[j]) for j in range(k + 1, len(others))))
        b[k] = canonical(mul(add(done[k][-1], neg(known)), power(done[k][k], MINUS_ONE)))
    return b


def _coefficients(e: Expr, split: Callable[[Expr], tuple[Expr, Expr]]) -> dict[Expr, Expr]:
    out: dict[Expr, Expr] = {}
    e = multiplied_out(e)
    for t in e.children if isinstance(e, Add) else (e,):
        c, rest = split(t)
        out[rest] = add(out.get(rest, ZERO), c)
    return {rest: made for rest, c in out.items() if (made := multiplied_out(c)) is not ZERO}


def _without_entry(row: list[Expr], pivot: list[Expr], k: int) -> list[Expr]:
    return [
        multiplied_out(add(mul(pivot[k], x), neg(mul(row[k], y)))) if j != k else ZERO
        for j, (x, y) in enumerate(zip(row, pivot, strict=True))
    ]


def of_products(
    symbols: Sequence[Sym],
    operand: Callable[[Sym], Expr],
    product: Callable[[Sym, Expr], Expr | None],
    variance: Callable[[Sym], float],
    c: Sequence[Sequence[float]] | None,
    split: Callable[[Expr], tuple[Expr, Expr]],
) -> dict[Sym, Expr]:
    """The nearly dependent Ẑ's of one matrix, expressed by the others and residuals.

    `product(s, e)` is the Ẑ of the matrix times e, made for s (None where there are enough of them); `variance` is that
    of a Ẑ; `c` are the covariances if they are known; `split` takes the factors without Gaussians from a term. Without
    `c` only dependence visible in the operands is found.
    """
    if c is None:
        return _plainly(symbols, operand, product)
    pivots, rest = dependent(c, _NEAR)
    out: dict[Sym, Expr] = {}
    for k in rest:
        s = symbols[k]
        whole = combination(operand(s), [operand(symbols[i]) for i in pivots], split)
        if whole is not None:
            out[s] = canonical(add(*(mul(b, symbols[i]) for b, i in zip(whole, pivots, strict=True))))
            continue
        exact = [[Fraction(float(c[i][j])) for j in pivots] for i in pivots]
        best = solved(exact, [Fraction(float(c[k][i])) for i in pivots])
        found: tuple[float, Expr] | None = None
        for digits in _DIGITS:
            beta = [shortened(b, digits) for b in best]
            left = residual(operand(s), [(b, operand(symbols[i])) for b, i in zip(beta, pivots, strict=True)])
            d = ZERO if left is ZERO else product(s, left)
            if d is None:
                break
            size = 0.0 if d is ZERO else _variance(d, variance)
            if found is None or size < found[0] / _ENOUGH:
                e = canonical(add(*(mul(Const(b), symbols[i]) for b, i in zip(beta, pivots, strict=True)), d))
                found = size, e
            if size == 0:
                break
        if found is not None:
            out[s] = found[1]
    return out


def _variance(d: Expr, variance: Callable[[Sym], float]) -> float:
    c, s = split_coefficient(d)
    assert isinstance(s, Sym)
    return float(c) ** 2 * variance(s)


def _plainly(
    symbols: Sequence[Sym], operand: Callable[[Sym], Expr], product: Callable[[Sym, Expr], Expr | None]
) -> dict[Sym, Expr]:
    """Gaussian elimination on the coefficients of the operands; a small remainder shows near dependence."""
    rows = {s: {rest: c for c, rest in terms_of(operand(s))} for s in symbols}
    terms = [t for row in rows.values() for t in row]
    if len(set(terms)) == len(terms) or max(map(len, rows.values())) > _MOST_TERMS:
        return {}
    out: dict[Sym, Expr] = {}
    # Reduced rows, each with the term that it eliminates and the combination of symbols that it is.
    basis: list[tuple[Expr, dict[Expr, Fraction], dict[Sym, Fraction]]] = []
    for s in sorted(symbols, key=lambda s: (len(rows[s]), s.digest)):
        left = {t: meant(c) for t, c in rows[s].items()}
        made = {s: Fraction(1)}
        size = max(map(abs, left.values()))
        for pivot, row, combination in basis:
            f = left.get(pivot, Fraction(0)) / row[pivot]
            if f:
                left = {t: c for t in left.keys() | row.keys() if (c := left.get(t, Fraction(0)) - f * row.get(t, 0))}
                for t, b in combination.items():
                    made[t] = made.get(t, Fraction(0)) - f * b
        if len(made) == 1 or left and max(map(abs, left.values())) > _SMALL * size:
            basis.append((max(left, key=lambda t: (abs(left[t]), t.digest)), left, made))
            continue
        parts = [(float(-b), t) for t, b in made.items() if t is not s and b]
        rest = residual(operand(s), [(b, operand(t)) for b, t in parts])
        d = ZERO if rest is ZERO else product(s, rest)
        if d is not None:
            out[s] = canonical(add(*(mul(Const(b), t) for b, t in parts), d))
    return out

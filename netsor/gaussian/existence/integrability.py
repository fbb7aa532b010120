"""Whether E|ψ| is finite, decided from the expression alone; parity and independence imply a zero mean only then.

Near a point |ψ| is compared with products of powers of distances to flats (the zeros of divisors, roots and arguments
of logarithms), and at infinity with exp(C|z|^r). Under a density such a product is integrable if and only if, at every
intersection G of flats, the exponents of the flats containing G add up to more than −codim G (power counting: blow up
the intersections, the smallest first, and integrate over each exceptional divisor).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from netsor.expr import FUNCTIONS, ONE, Add, Call, Cmp, Cond, Const, Expr, Logic, Mul, Pow, Sym, is_singular, postorder
from netsor.expr.functions import SINGULAR, is_exp, is_log
from netsor.expr.intervals import infer_range
from netsor.expr.nodes import is_power_of_two
from netsor.expr.numeric import call_value
from netsor.expr.rationals import rational
from netsor.gaussian.symbolic.expansion import Gaussians, expand, factors_of, integer_power
from netsor.gaussian.symbolic.structure import affine

Interval = tuple[float, float]
# The equations of a flat in reduced row echelon form: coefficients by variable, and the constant.
Row = tuple[tuple[tuple[Sym, Fraction], ...], Fraction]
Flat = tuple[Row, ...]
Coefficients = dict[Sym, Fraction]
# The exponent that stands for a logarithm, which is smaller than every power.
_LOG = 1e-9
_MOST_FLATS = 8
_DEEPEST = 12
# exp of a smaller argument does not overflow.
_EXPONENT = 700.0


class Upper(NamedTuple):
    """|f| ≤ C exp(C|z|^order) Π min(dist to flat, 1)^e; with order 0, |f| ≤ C (1 + |z|)^degree Π …"""

    order: float
    degree: float
    flats: Mapping[Flat, float]


class Lower(NamedTuple):
    """|f| ≥ c exp(−C|z|^order) Π min(dist to flat, 1)^e."""

    order: float
    flats: Mapping[Flat, float]


class Size(NamedTuple):
    """Both bounds, None where none is known; an upper bound also implies that f has a value almost everywhere."""

    upper: Upper | None
    lower: Lower | None


_UNKNOWN = Size(None, None)
_BOUNDED = Upper(0.0, 0.0, {})


@lru_cache(maxsize=50_000)
def integrable(e: Expr, gaussians: Gaussians) -> bool | None:
    """Whether E|e| is finite for canonical `e`: True for all laws, False for all laws with a density, None if unknown.

    Scalars are assumed to have values at which e is defined.
    """
    if is_tame(e, gaussians):
        return True
    terms = expand(e, gaussians)
    if all(_term_converges(t.product, gaussians) for t in terms if t.product is not ONE):
        return None if any(has_no_value(t.scalar) for t in terms) else True
    if len(terms) == 1:
        lower = _size(terms[0].product, gaussians).lower
        if lower is not None and any(s <= 0 for s in _counts(lower.flats)):
            return False
    return None


@lru_cache(maxsize=50_000)
def is_total(e: Expr, gaussians: Gaussians) -> bool:
    """Whether an expression has a finite value everywhere, not only almost everywhere."""
    if is_tame(e, gaussians):
        return True
    for node in postorder(e):
        if not node.free & gaussians or not isinstance(node, (Pow, Call)):
            continue
        if isinstance(node, Pow):
            k = node.exponent.value if isinstance(node.exponent, Const) else None
            low = infer_range(node.base, {})[0] if k is None or k < 0 or not isinstance(k, int) else 0.0
            if k is None or k < 0 and low <= 0 or low < 0:
                return False
        elif not FUNCTIONS[node.fn].has_values_on(infer_range(node.children[0], {})):
            return False
    return True


@lru_cache(maxsize=50_000)
def is_tame(e: Expr, gaussians: Gaussians) -> bool:
    """Whether an expression is clearly bounded by a polynomial and defined everywhere.

    Dirac masses on planes with a density leave such a function integrable.
    """
    masses = is_singular(e)
    done = _TAME_WITH_MASSES if masses else _TAME

    # Which variables of a node are Gaussian is told by the others, of which a long sum has few.
    others = e.free - gaussians

    def known(node: Expr) -> bool:
        return (node, node.free & others) in done

    if len(done) > _MOST_KNOWN:
        done.clear()
    for node in postorder(e, known=known):
        if not _is_tame_node(node, gaussians, masses):
            return False
        # What it contains was examined before it.
        done.add((node, node.free & others))
    return True


# Nodes known to be tame with all that they contain, and those of their variables that are not Gaussian. The sums of a
# residual stream share most of their terms.
_TAME: set[tuple[Expr, frozenset[Sym]]] = set()
_TAME_WITH_MASSES: set[tuple[Expr, frozenset[Sym]]] = set()
_MOST_KNOWN = 100_000


def _is_tame_node(node: Expr, gaussians: Gaussians, masses: bool) -> bool:
    if isinstance(node, (Sym, Const, Add, Mul, Cmp, Logic, Cond)):
        return True
    if not node.free & gaussians:
        return not has_no_value(node)
    if isinstance(node, Pow):
        k = node.exponent.value if isinstance(node.exponent, Const) else None
        if k is None:
            return False
        if not (isinstance(k, int) and k >= 0):
            low = infer_range(node.base, {})[0]
            # A base that keeps away from zero has bounded negative powers.
            if low < 0 or low == 0 and k < 0:
                return False
        return not (masses and is_singular(node.base))
    if isinstance(node, Call):
        if is_exp(node):
            if infer_range(node.children[0], {})[1] > _EXPONENT:
                return False
        elif not FUNCTIONS[node.fn].is_tame:
            return False
        on_a_plane = node.fn in SINGULAR and affine(node.children[0], gaussians) is not None
        return not (masses and is_singular(node) and not on_a_plane)
    return False


def has_no_value(e: Expr) -> bool:
    """Whether a part without symbols could not be folded to a number."""
    return any(isinstance(n, (Pow, Call)) and not n.free and not is_power_of_two(n) for n in postorder(e))


def _term_converges(product: Expr, gaussians: Gaussians) -> bool:
    return is_tame(product, gaussians) or _converges(_size(product, gaussians).upper)


def _converges(upper: Upper | None) -> bool:
    return upper is not None and upper.order < 2 and all(s > 0 for s in _counts(upper.flats))


def flats_of(e: Expr, gaussians: Gaussians) -> tuple[Flat, ...]:
    """The flats on which an expression is known to vanish."""
    lower = _size(e, gaussians).lower
    return tuple(f for f, k in lower.flats.items() if k > 0) if lower is not None else ()


def _counts(flats: Mapping[Flat, float]) -> list[float]:
    """codim G + Σ exponents of the flats that contain G, for all intersections G of flats."""
    if all(e >= 0 for e in flats.values()):
        return []
    if len(flats) > _MOST_FLATS:
        return [math.nan]
    meets: dict[Flat, None] = {}
    for flat in flats:
        for other in [(), *meets]:
            both = _meet((*flat, *other))
            if both is not None:
                meets[both] = None
    return [len(g) + sum(e for f, e in flats.items() if _meet((*f, *g)) == g) for g in meets]


def _without(row: Coefficients, pivot: Sym, other: Coefficients) -> tuple[Coefficients, Fraction]:
    """(row − f · other, f), with f such that the pivot, whose coefficient in `other` is one, is eliminated."""
    f = row.get(pivot, Fraction(0))
    if not f:
        return row, f
    left = {s: row.get(s, Fraction(0)) - f * other.get(s, Fraction(0)) for s in {**row, **other}}
    return {s: x for s, x in left.items() if x}, f


def _meet(rows: Iterable[Row]) -> Flat | None:
    """The intersection of flats, by elimination; None where it is empty."""
    done: list[tuple[Sym, Coefficients, Fraction]] = []
    for coefficients, constant in rows:
        row, c = dict(coefficients), constant
        for pivot, other, d in done:
            row, f = _without(row, pivot, other)
            c -= f * d
        if not row:
            if c:
                return None
            continue
        pivot = min(row, key=lambda s: s.digest)
        lead = row[pivot]
        row, c = {s: x / lead for s, x in row.items()}, c / lead
        for i, (p, other, d) in enumerate(done):
            other, f = _without(other, pivot, row)
            done[i] = (p, other, d - f * c)
        done.append((pivot, row, c))
    done.sort(key=lambda r: r[0].digest)
    return tuple((tuple(sorted(row.items(), key=lambda i: i[0].digest)), c) for _, row, c in done)


def _size(root: Expr, gaussians: Gaussians, ranges: Mapping[Sym, Interval] | None = None, depth: int = 0) -> Size:
    """Bounds of an expression; `ranges` are bounds of variables implied by the tests that it stands under."""
    ranges = ranges or {}
    done: dict[Expr, Size] = {}
    # Branches are analysed under their tests, by a call of their own.
    stack: list[tuple[Expr, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if node in done:
            continue
        if not node.free & gaussians:
            done[node] = _UNKNOWN if has_no_value(node) else _of_a_scalar(node)
        elif ready:
            done[node] = _rule(node, [done[c] for c in node.children], gaussians, ranges)
        elif isinstance(node, Cond):
            done[node] = _of_branches(node, gaussians, ranges, depth) if depth < _DEEPEST else _UNKNOWN
        elif isinstance(node, (Cmp, Logic)):
            done[node] = Size(_BOUNDED, None)
        else:
            stack.append((node, True))
            stack.extend((c, False) for c in node.children)
    return done[root]


def _of_a_scalar(node: Expr) -> Size:
    return Size(_BOUNDED, Lower(0.0, {}) if isinstance(node, Const) and node.value or is_power_of_two(node) else None)


def _of_branches(node: Cond, gaussians: Gaussians, ranges: Mapping[Sym, Interval], depth: int) -> Size:
    sizes = []
    for branch, holds in ((node.then, True), (node.other, False)):
        sizes.append(_size(branch, gaussians, {**ranges, **_known(node.test, holds, ranges)}, depth + 1).upper)
    return Size(_largest(sizes), None)


def _known(test: Expr, holds: bool, ranges: Mapping[Sym, Interval]) -> dict[Sym, Interval]:
    """The ranges that a test of single variables against numbers implies."""
    if isinstance(test, Logic) and test.op == ("and" if holds else "or"):
        out: dict[Sym, Interval] = {}
        for c in test.children:
            out.update(_known(c, holds, {**ranges, **out}))
        return out
    if isinstance(test, Logic) and test.op == "not":
        return _known(test.children[0], not holds, ranges)
    if not isinstance(test, Cmp) or test.op in ("==", "!="):
        return {}
    linear = _affine(Add._make(None, (test.children[0], Mul._make(None, (Const(-1), test.children[1])))))
    if linear is None or len(linear[0]) != 1:
        return {}
    s, slope = linear[0][0]
    bound = float(-linear[1] / slope)
    low, high = ranges.get(s, (-math.inf, math.inf))
    if ((test.op[0] == ">") == holds) == (slope > 0):
        return {s: (max(low, bound), high)}
    return {s: (low, min(high, bound))}


def _affine(e: Expr) -> tuple[tuple[tuple[Sym, Fraction], ...], Fraction] | None:
    """Σ a_s s + c with numbers as coefficients; None where e is not affine."""
    done: dict[Expr, tuple[Coefficients, Fraction] | None] = {}
    for node in postorder(e):
        match node:
            case Const():
                done[node] = ({}, rational(node.value)) if math.isfinite(node.value) else None
            case Sym():
                done[node] = ({node: Fraction(1)}, Fraction(0))
            case Add():
                parts = [done[c] for c in node.children]
                if any(p is None for p in parts):
                    return None
                total: Coefficients = {}
                constant = Fraction(0)
                for p in parts:
                    assert p is not None
                    constant += p[1]
                    for s, a in p[0].items():
                        total[s] = total.get(s, Fraction(0)) + a
                done[node] = (total, constant)
            case Mul():
                out: tuple[Coefficients, Fraction] = ({}, Fraction(1))
                for c in node.children:
                    q = done[c]
                    if q is None or out[0] and q[0]:
                        return None
                    still, moving = (out, q) if q[0] else (q, out)
                    out = ({s: a * still[1] for s, a in moving[0].items()}, still[1] * moving[1])
                done[node] = out
            case _:
                return None
    found = done[e]
    if found is None:
        return None
    return tuple((s, a) for s, a in found[0].items() if a), found[1]


def _rule(node: Expr, parts: list[Size], gaussians: Gaussians, ranges: Mapping[Sym, Interval]) -> Size:
    match node:
        case Sym():
            low, high = ranges.get(node, (-math.inf, math.inf))
            if low > 0 or high < 0:
                return Size(Upper(0.0, 1.0, {}), Lower(0.0, {}))
            flat: Flat = ((((node, Fraction(1)),), Fraction(0)),)
            return Size(Upper(0.0, 1.0, {flat: 1.0}), Lower(0.0, {flat: 1.0}))
        case Add():
            return _of_sum(node, parts, gaussians, ranges)
        case Mul():
            return _of_product(parts)
        case Pow():
            return _of_power(node, parts[0], ranges)
        case Call():
            return _of_call(node, parts, gaussians, ranges)
        case _:
            return _UNKNOWN


def _of_product(parts: list[Size]) -> Size:
    above = [p.upper for p in parts if p.upper is not None]
    below = [p.lower for p in parts if p.lower is not None]
    upper, lower = None, None
    if len(above) == len(parts):
        upper = Upper(max(u.order for u in above), sum(u.degree for u in above), _added(u.flats for u in above))
    if len(below) == len(parts):
        lower = Lower(max(u.order for u in below), _added(u.flats for u in below))
    return Size(upper, lower)


def _added(flats: Iterable[Mapping[Flat, float]]) -> dict[Flat, float]:
    out: dict[Flat, float] = {}
    for f in flats:
        for flat, e in f.items():
            out[flat] = out.get(flat, 0.0) + e
    return out


def _largest(uppers: list[Upper | None]) -> Upper | None:
    """A bound for each of several functions, and for their sum."""
    known = [u for u in uppers if u is not None]
    if len(known) < len(uppers):
        return None
    every = {flat: None for u in known for flat in u.flats}
    flats = {flat: e for flat in every if (e := min(u.flats.get(flat, 0.0) for u in known))}
    return Upper(max(u.order for u in known), max(u.degree for u in known), flats)


def _of_sum(node: Expr, parts: list[Size], gaussians: Gaussians, ranges: Mapping[Sym, Interval]) -> Size:
    upper = _largest([p.upper for p in parts])
    low, high = infer_range(node, ranges)
    if low > 0 or high < 0:
        return Size(upper, Lower(0.0, {}))
    linear = _affine(node)
    if linear is not None and all(s in gaussians for s, _ in linear[0]):
        flat = _meet([linear])
        assert flat is not None
        return Size(Upper(0.0, 1.0, {flat: 1.0}), Lower(0.0, {flat: 1.0}))
    square = _square(node, gaussians)
    if square is not None:
        flats = {square: 2.0}
        return Size(Upper(0.0, 2.0, flats), Lower(0.0, flats))
    if all(infer_range(c, ranges)[0] >= 0 for c in node.children):
        return _of_sum_without_cancellation(parts, upper)
    return Size(upper, None)


def _of_sum_without_cancellation(parts: list[Size], upper: Upper | None) -> Size:
    """Bounds of a sum of nonnegative terms, which vanishes only where all terms do."""
    positive = [p.lower.order for p in parts if p.lower and not p.lower.flats]
    if positive:
        return Size(upper, Lower(min(positive), {}))
    single = [(next(iter(p.lower.flats.items())), p.lower.order) for p in parts if p.lower and len(p.lower.flats) == 1]
    if not single:
        return Size(upper, None)
    flat = _meet(row for (f, _), _ in single for row in f)
    if flat is None:
        return Size(upper, Lower(max(o for _, o in single), {}))
    lower = Lower(max(o for _, o in single), {flat: max(e for (_, e), _ in single)})
    if upper is not None and len(single) == len(parts) and all(p.upper and len(p.upper.flats) == 1 for p in parts):
        least = min(e for p in parts for e in p.upper.flats.values())  # type: ignore[union-attr]
        upper = upper._replace(flats={flat: least})
    return Size(upper, lower)


def _square(node: Expr, gaussians: Gaussians) -> Flat | None:
    """The flat on which a sum of squares of linear forms vanishes; None where e is not such a sum."""
    rows: dict[Sym, Coefficients] = {}
    for t in expand(node, gaussians):
        powers = [integer_power(f) for f in factors_of(t.product)]
        if t.scalar is not ONE or not all(isinstance(b, Sym) for b, _ in powers) or sum(k for _, k in powers) != 2:
            return None
        a, b = (b for b, _ in (powers[0], powers[-1]))
        assert isinstance(a, Sym) and isinstance(b, Sym)
        for s, u in ((a, b), (b, a)):
            row = rows.setdefault(s, {})
            row[u] = row.get(u, Fraction(0)) + rational(t.coefficient) / 2
    if not rows or not _is_nonnegative(rows):
        return None
    return _meet((tuple((s, x) for s, x in row.items() if x), Fraction(0)) for row in rows.values())


def _is_nonnegative(rows: Mapping[Sym, Coefficients]) -> bool:
    """Whether a symmetric rational matrix has no negative eigenvalue, by elimination."""
    left = {s: dict(r) for s, r in rows.items()}
    while left:
        p = max(left, key=lambda s: left[s].get(s, Fraction(0)))
        d = left[p].get(p, Fraction(0))
        row = left.pop(p)
        if d < 0 or d == 0 and any(row.values()):
            return False
        for other in left.values():
            share = other.pop(p, Fraction(0))
            if d and share:
                for u, x in row.items():
                    if u is not p:
                        other[u] = other.get(u, Fraction(0)) - share * x / d
        if d == 0 and any(x for r in left.values() for x in r.values()):
            # The largest diagonal entry is zero, so that the matrix must vanish to be nonnegative.
            return all(not x for r in left.values() for x in r.values())
    return True


def _of_power(node: Pow, base: Size, ranges: Mapping[Sym, Interval]) -> Size:
    k = node.exponent.value if isinstance(node.exponent, Const) else None
    if k is None or not isinstance(k, int) and infer_range(node.base, ranges)[0] < 0:
        return _UNKNOWN
    upper, lower = base.upper, base.lower
    if k > 0:
        return Size(
            None if upper is None else Upper(upper.order, upper.degree * k, _times(upper.flats, k)),
            None if lower is None else Lower(lower.order, _times(lower.flats, k)),
        )
    return Size(
        None if lower is None or upper is None else Upper(lower.order, 0.0, _times(lower.flats, k)),
        None if upper is None else Lower(upper.order, _times(upper.flats, k)),
    )


def _times(flats: Mapping[Flat, float], k: float) -> dict[Flat, float]:
    return {flat: e * k for flat, e in flats.items()}


def _of_call(node: Call, parts: list[Size], gaussians: Gaussians, ranges: Mapping[Sym, Interval]) -> Size:
    entry = FUNCTIONS[node.fn]
    if entry.singular or entry.quotient is not None:
        return _UNKNOWN
    if is_exp(node):
        return _of_exponential(node.children[0], gaussians, ranges)
    low, high = infer_range(node, ranges)
    uppers = [p.upper for p in parts]
    if any(u is None for u in uppers):
        return _UNKNOWN
    if is_log(node):
        lower = parts[0].lower
        if infer_range(node.children[0], ranges)[0] < 0 or lower is None:
            return _UNKNOWN
        u = uppers[0]
        assert u is not None
        # log(e^{C|z|^r}) grows like |z|^r.
        flats = dict.fromkeys([*lower.flats, *(f for f, e in u.flats.items() if e < 0)], -_LOG)
        return Size(Upper(0.0, max(u.order, lower.order, 1.0), flats), None)
    positive = Lower(0.0, {}) if low > 0 or high < 0 else None
    u = uppers[0]
    polynomial = u is not None and u.order == 0 and all(e >= 0 for e in u.flats.values())
    if entry.decays and positive is None and u is not None and polynomial:
        # For very negative arguments such a function is like exp of its argument.
        positive = Lower(u.degree, {})
    if max(abs(low), abs(high)) < math.inf:
        upper: Upper | None = _BOUNDED
    else:
        upper = _largest([Upper(0.0, 0.0, {}), *uppers])
        assert upper is not None
        if len(uppers) > 1 and entry.degree is not None:
            # The second argument is the slope, which multiplies the first.
            upper = upper._replace(degree=sum(u.degree for u in uppers if u))
    if len(parts) == 1 and entry.parity in ("odd", "even") and _vanishes_like_its_argument(node.fn):
        assert u is not None and upper is not None
        upper = upper._replace(flats=u.flats if upper.degree else {f: max(e, 0.0) for f, e in u.flats.items()})
        monotone = entry.wave is None
        return Size(upper, parts[0].lower._replace(order=0.0) if monotone and parts[0].lower else None)
    return Size(upper, positive)


@lru_cache(maxsize=64)
def _vanishes_like_its_argument(fn: str) -> bool:
    """Whether c min(|u|, 1) ≤ |f(u)| ≤ C|u|, or for a wave (sin) at least the upper bound."""
    return FUNCTIONS[fn].lipschitz and call_value(fn, [0.0]) == 0 and call_value(fn, [1e-3]) > 5e-4


def _of_exponential(a: Expr, gaussians: Gaussians, ranges: Mapping[Sym, Interval]) -> Size:
    """exp(a): its growth is bounded by the terms of `a` that can be positive."""
    grows, falls = [], []
    for t in a.children if isinstance(a, Add) else (a,):
        low, high = infer_range(t, ranges)
        if high > 0:
            grows.append(t)
        if low < 0:
            falls.append(t)
    upper, lower = (_order(ts, gaussians, ranges) for ts in (grows, falls))
    square = _square(Mul._make(None, (Const(-1), a)), gaussians) if upper is None or upper >= 2 else None
    return Size(
        Upper(0.0, 0.0, {}) if upper == 0 or square is not None else None if upper is None else Upper(upper, 0.0, {}),
        None if lower is None else Lower(lower, {}),
    )


def _order(terms: list[Expr], gaussians: Gaussians, ranges: Mapping[Sym, Interval]) -> float | None:
    """The r of a sum of order O(|z|^r); 0 where it is bounded, None where it is not known."""
    r = 0.0
    for t in terms:
        u = _size(t, gaussians, ranges).upper
        if u is None or u.order > 0 or any(e < 0 for e in u.flats.values()):
            return None
        r = max(r, u.degree)
    return r

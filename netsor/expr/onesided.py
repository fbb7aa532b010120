"""One-sided expansions in ε = n^(−1/2), for a ψ whose arguments tend to one of its kinks or jumps.

The limit of (F(x + εd) − F(x))/ε is the directional derivative F'(x; d) = lim_{t↓0} (F(x + td) − F(x))/t, which is the
gradient times d only where F is differentiable. Where x lies on a kink with positive probability, F'(x; d) is the limit
of a network of finite width: relu'(0; d) = relu(d), |·|'(0; d) = |d|, and max'(u, u; d, e) = max(d, e). In the same way
step(x + εd) tends to step(d) where x = 0. Composed functions follow the chain rule of directional derivatives (Shapiro,
"On concepts of directional differentiability", 1990, Proposition 3.6), which here becomes arithmetic with the first
terms of expansions in ε.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import lru_cache

from netsor.expr.asymptotics import Diverges, series_in_width
from netsor.expr.build import add, call, compare, cond, mul, neg, power, substitute
from netsor.expr.canonical import canonical
from netsor.expr.cases import (
    Signs,
    decided,
    is_kinked,
    may_be_zero,
    pieces,
    settled_by,
    threshold,
    touches,
    undecided,
)
from netsor.expr.differentiate import diff, vanishes_on
from netsor.expr.expansion import Expansion, Unsettled
from netsor.expr.functions import FUNCTIONS, SINGULAR, exp, log
from netsor.expr.growth import Rate, growth
from netsor.expr.intervals import infer_range
from netsor.expr.layers import Layer, Place
from netsor.expr.nodes import ONE, WIDTH, ZERO, Add, Call, Cmp, Cond, Const, Expr, Mul, Pow, Star, Sym, postorder
from netsor.expr.values import compare_values

_MOST_CASES = 10
_INFINITE = math.inf
_SMALL = 8.0
_MOST_ORDERS = 6
_ALONE = frozenset((WIDTH,))


class Split(Exception):
    """The expansion depends on the sign of this quantity; it is computed again for each sign."""

    def __init__(self, u: Expr):
        self.u = u


# Maps a symbol of the program, and the power of ε up to which its terms are needed, to its expansion.
Source = Callable[["OneSided", Sym, float], Expansion]


class OneSided:
    """Expansions under given signs of inner quantities; `met` says whether an argument met a kink, a jump or a root.

    Within a `layer`, about a place v = t, tests of v − t are tests of ε^thickness τ, see `netsor.expr.layers`.
    """

    def __init__(self, source: Source, signs: Signs, layer: Layer | None = None):
        self.source = source
        self.signs = signs
        self.layer = layer
        self.met = False
        # The places about which branches that differ there are exchanged, in layers as thick as these powers of ε.
        self.exchanged: dict[Place, set[float]] = {}
        # The least power of ε in the thicknesses of the layers about kinks and jumps.
        self.thin = _INFINITE
        # The places of the layers in which an expansion is known to ε^inside alone.
        self._places: set[Place] = set()
        self._bound: dict[Sym, Expansion] = {}
        self._known: dict[tuple[Expr, float], Expansion] = {}

    def settled(self, e: Expr) -> Expr:
        return settled_by(e, self.signs) if self.signs else canonical(e)

    def of(self, node: Expr, upto: float) -> Expansion:
        """The terms of a node up to ε^upto."""
        own = not (node.free & self._bound.keys())
        found = self._known.get((node, upto)) if own else None
        if found is None:
            found = self._rule(node, upto)
            if own:
                self._known[node, upto] = found
        return found

    def _rule(self, node: Expr, upto: float) -> Expansion:
        if node.free == _ALONE:
            return of_constant(node)
        match node:
            case Const():
                return _constant(node)
            case Sym():
                if node in self._bound:
                    return self._bound[node]
                if self.layer is not None and self.layer.pivot is not None and node is self.layer.pivot[0]:
                    return self.layer.pivot[1]
                return self._at_place(self.source(self, node, upto), upto)
            case Add():
                return self._sum([self.of(c, upto) for c in node.children])
            case Mul():
                return self._factors(node, upto)
            case Pow():
                return self._power(node, upto)
            case Star():
                return self._star(node, upto)
            case Cond():
                return self._conditional(node, upto)
            case Call() if is_kinked(node):
                return self._kinked(node, upto)
            case Call() if node.fn not in SINGULAR:
                return self._smooth(node, [self.of(c, upto) for c in node.children], upto)
            case _:
                raise Unsettled

    def _at_place(self, a: Expansion, upto: float) -> Expansion:
        """An expansion with coefficients in limits, in a layer: these are expanded in τ about the place."""
        if self.layer is None or self.layer.pivot is None or not any(self.layer.pivot[0] in c.free for _, c in a.terms):
            return a
        limits = OneSided(as_it_is, self.signs, self.layer)
        parts = [limits.of(c, upto - p).shifted(p) for p, c in a.terms]
        self.met |= limits.met
        self.thin = min(self.thin, limits.thin)
        self._places |= limits._places
        return self._sum([*parts, Expansion((), a.rest, a.inside)])

    # --- arithmetic -------------------------------------------------------------------------------------------

    def _made(self, terms: dict[float, list[Expr]], rest: float, inside: float = _INFINITE) -> Expansion:
        out = []
        for p in sorted(terms):
            if p >= rest:
                continue
            c = self.settled(add(*terms[p]))
            if c is not ZERO:
                out.append((p, c))
        return Expansion(tuple(out), rest, inside)

    def _sum(self, parts: list[Expansion]) -> Expansion:
        gathered: dict[float, list[Expr]] = {}
        for part in parts:
            for p, c in part.terms:
                gathered.setdefault(p, []).append(c)
        return self._made(gathered, min(part.rest for part in parts), min(part.inside for part in parts))

    def _product(self, a: Expansion, b: Expansion, upto: float) -> Expansion:
        rest = min(a.rest + _lead(b), b.rest + _lead(a), a.rest + b.rest)
        gathered: dict[float, list[Expr]] = {}
        for (p, c), (q, d) in itertools.product(a.terms, b.terms):
            if p + q <= upto:
                gathered.setdefault(p + q, []).append(_times(c, d))
            else:
                rest = min(rest, p + q)
        inside = min(a.inside + _lead(b), b.inside + _lead(a), a.inside + b.inside)
        return self._made(gathered, rest, inside)

    def _factors(self, node: Mul, upto: float) -> Expansion:
        lows = [self._lowest(c) for c in node.children]
        out = Expansion(((0.0, ONE),))
        for low, c in zip(lows, node.children, strict=True):
            # A factor of order ε^low with low < 0 requires −low more orders of the other factors.
            reach = upto - (sum(lows) - low)
            out = self._product(out, self.of(c, reach), upto - sum(lows) + low)
        return out

    def _lowest(self, node: Expr) -> float:
        """The lowest power of ε in a factor in n alone, if that is negative; 0 for all other factors."""
        return min(_lead(of_constant(node)), 0.0) if node.free == _ALONE else 0.0

    def _power(self, node: Pow, upto: float) -> Expansion:
        if not isinstance(node.exponent, Const):
            # x^y = exp(y log x), where y may grow as x tends to 1.
            return self.of(exp(mul(node.exponent, log(node.base))), upto)
        r = float(node.exponent.value)
        base = self.of(node.base, upto)
        if not base.terms and math.isfinite(base.rest) and 0 < r < 1:
            base = self.of(node.base, upto / r)
        if not base.terms:
            if r > 0 and base.rest == _INFINITE:
                return base
            if r > 0 and base.rest * r > upto:
                return Expansion((), base.rest * r, base.inside * r)
            raise Unsettled
        lead, c = base.terms[0]
        if base.inside < lead:
            raise Unsettled
        if lead == 0 and r == int(r) > 0 or lead == 0 and not may_be_zero(c, self.signs):
            return self._smooth(node, [base, _constant(node.exponent)], upto)
        self._refuse_mixed(c)
        self.met |= lead > 0 and r != int(r)
        base = self.of(node.base, max(upto, lead + upto - lead * r))
        # (c ε^k (1 + v))^r = c^r ε^{kr} (1 + r v + …)
        relative = self._product(base.shifted(-lead), _constant(power(c, Const(-1))), _INFINITE)
        series = self._taylor(lambda t: power(t, node.exponent), ONE, relative.small(), upto - lead * r)
        return self._product(series, Expansion(((lead * r, self._settled(power(c, node.exponent))),)), upto)

    def _settled(self, e: Expr) -> Expr:
        """√(c²) as c or −c, where the sign of c is known."""
        return settled_by(canonical(e), self.signs)

    def _refuse_mixed(self, c: Expr) -> None:
        if may_be_zero(c, self.signs):
            self._split(c)

    def _split(self, c: Expr) -> None:
        u = undecided(c, self.signs)
        if u is None or len(self.signs) >= _MOST_CASES:
            raise Unsettled
        raise Split(u)

    def _taylor(self, f: Callable[[Expr], Expr], at: Expr, small: Expansion, upto: float) -> Expansion:
        t = Sym(("expansion", 0))
        whole = Expansion(((0.0, at), *small.terms), small.rest, small.inside)
        return self._smooth(f(t), [whole], upto, (t,))

    # --- functions --------------------------------------------------------------------------------------------

    def _smooth(
        self, node: Expr, arguments: list[Expansion], upto: float, slots: tuple[Sym, ...] | None = None
    ) -> Expansion:
        """f(a + h) = f(a) + Σ ∂_i f h_i + ½ Σ ∂_ij f h_i h_j + …, with derivatives almost everywhere."""
        if any(a.terms and a.terms[0][0] < 0 for a in arguments):
            raise Unsettled
        if slots is None:
            slots = tuple(Sym(("expansion", i)) for i in range(len(arguments)))
            node = node._make(node.payload, slots)
        # Constant arguments, such as exponents, are not replaced by symbols.
        values = {s: a.at(0.0) for s, a in zip(slots, arguments, strict=True)}
        fixed = {s: v for s, v in values.items() if isinstance(v, Const)}
        moving = {s: a.small() for s, a in zip(slots, arguments, strict=True)}
        inside = min((a.inside for a in arguments), default=_INFINITE)
        if inside < 0:
            raise Unsettled
        moving = {s: h for s, h in moving.items() if h.terms or math.isfinite(h.rest)}
        body = substitute(node, {s: v for s, v in fixed.items() if s not in moving})
        value = substitute(body, dict(values))
        out = self._made({0.0: [self._settled(value) if isinstance(node, Pow) else value]}, _INFINITE)
        step = min((_lead(h) for h in moving.values()), default=_INFINITE)
        if not moving or step > upto:
            return Expansion(out.terms, step, inside)
        parts = [out]
        order = 1
        while order * step <= upto:
            for chosen in itertools.combinations_with_replacement(moving, order):
                slope, weight = body, 1.0
                for s in chosen:
                    slope = diff(slope, s)
                for s in set(chosen):
                    weight /= math.factorial(chosen.count(s))
                if slope is ZERO:
                    continue
                product = Expansion(((0.0, mul(Const(weight), substitute(slope, dict(values)))),))
                for s in chosen:
                    product = self._product(product, moving[s], upto)
                parts.append(product)
            order += 1
            if order > _MOST_ORDERS:
                raise Unsettled
        whole = self._sum(parts)
        return Expansion(whole.terms, min(whole.rest, order * step), inside)

    def _kinked(self, node: Call, upto: float) -> Expansion:
        arguments = [self.of(c, upto) for c in node.children]
        entry = FUNCTIONS[node.fn]
        if entry.degree == 0:
            arguments = [self._leading(node.children[0], upto)]
        elif entry.degree is not None and not arguments[0].terms:
            # A homogeneous function has the order of its argument, which is beyond the order asked for.
            return arguments[0]
        if entry.degree is not None and arguments[0].terms and arguments[0].terms[0][0] > 0:
            k = arguments[0].terms[0][0]
            self.met = True
            return self._homogeneous(node, [arguments[0].shifted(-k), *arguments[1:]], k * entry.degree, upto)
        if entry.chooses:
            # max(a, b) = a + max(0, b − a).
            apart = [self._sum([a, arguments[0].negated()]) for a in arguments[1:]]
            k = min(map(_lead, apart))
            if 0 < k < _INFINITE and any(a.terms for a in apart):
                self.met = True
                inner = self._homogeneous(node, [Expansion(()), *(a.shifted(-k) for a in apart)], k, upto)
                return self._sum([arguments[0], inner])
        return self._conditional(pieces(node), upto, bool(entry.jumps))

    def _homogeneous(self, node: Call, arguments: list[Expansion], k: float, upto: float) -> Expansion:
        """f(ε^k u) = ε^k f(u), where u may lie on the kink again."""
        slots = tuple(Sym(("expansion", "argument", k, i)) for i in range(len(arguments)))
        self._bound.update(zip(slots, arguments, strict=True))
        try:
            return self.of(call(node.fn, *slots), upto - k).shifted(k)
        finally:
            for s in slots:
                del self._bound[s]

    def _leading(self, node: Expr, upto: float) -> Expansion:
        """The expansion to its first term, whose sign decides a test; at most three further orders are tried."""
        for more in (0.0, 1.0, 2.0, 3.0):
            found = self.of(node, upto + more)
            if found.terms or found.rest == _INFINITE:
                break
        return found

    def _conditional(self, node: Expr, upto: float, jumps: bool = True) -> Expansion:
        if not isinstance(node, Cond):
            return self.of(node, upto)
        tree = pieces(node)
        if tree is not node:
            return self._conditional(tree, upto, jumps)
        test = node.test
        assert isinstance(test, Cmp)
        gap = self._gap(add(test.children[0], neg(test.children[1])), upto)
        lead = next(iter(gap.terms), None)
        if lead is None or isinstance(lead[1], Const):
            # Without a term the two sides are equal to all the orders that were computed, and the test is evaluated as
            # for equal sides.
            k, value = (0.0, 0.0) if lead is None else (lead[0], float(lead[1].value))  # type: ignore[attr-defined]
            self.met |= k > 0
            chosen = self.of(node.then if _holds(test.op, value) else node.other, upto)
            if gap.inside > k if lead is not None else gap.inside == _INFINITE:
                # The layers do not reach the first term of the gap, which decides the test there too.
                return chosen
            # In the layers the other branch may be taken.
            then, other = self.of(node.then, upto), self.of(node.other, upto)
            lowest = min(self._apart(then, other), default=min(then.rest, other.rest))
            return Expansion(chosen.terms, chosen.rest, min(then.inside, other.inside, lowest))
        k, c = lead
        self.met |= k > 0
        self._refuse_mixed(c)
        then, other = (
            self._conditional(branch, upto, jumps) if isinstance(branch, Cond) else self.of(branch, upto)
            for branch in (node.then, node.other)
        )
        side = decided(compare(test.op, c, ZERO), self.signs)
        if side is None:
            here = compare(test.op, c, ZERO)
            powers = {p for p, _ in (*then.terms, *other.terms)}
            parts = {p: [cond(here, then.at(p), other.at(p))] for p in powers}
            out = self._made(parts, min(then.rest, other.rest), min(then.inside, other.inside))
        else:
            out = then if side else other
        if test.op in ("==", "!=") or not touches(c, self.signs):
            return out
        return self._about(c, then, other, gap, jumps, out, upto)

    def _gap(self, node: Expr, upto: float) -> Expansion:
        """The difference of the two sides of a test, with the term after the first if that is known."""
        gap = self._leading(node, upto)
        if gap.terms and not isinstance(gap.terms[0][1], Const):
            for more in (0.5, 1.0, 2.0):
                if len(gap.terms) > 1 or gap.rest == _INFINITE:
                    break
                gap = self.of(node, gap.terms[0][0] + more)
        return gap if self.layer is None else self.layer.within(gap)

    def _about(
        self, c: Expr, then: Expansion, other: Expansion, gap: Expansion, jumps: bool, out: Expansion, upto: float
    ) -> Expansion:
        """The expansion of a conditional, with what it misses in a layer about c = 0, for a gap ε^k (c + …).

        Within a distance of order ε^(q−k) of c = 0, q the order of the next term of the gap, the other branch is taken.
        Branches that meet there are as far apart as the layer is thick; others are left to `exchanged`, unless what the
        layer adds to a mean, in which it has the measure of its thickness, is beyond ε^upto.
        """
        k = gap.terms[0][0]
        q = gap.terms[1][0] if len(gap.terms) > 1 else gap.rest
        inside = out.inside
        place = threshold(c)[:2]
        # Where the gap is not known, in a layer about a parallel plane, it is far from zero.
        reached = gap.inside < _INFINITE and (gap.inside <= k or not all(_are_parallel(place, o) for o in self._places))
        u = undecided(c, self.signs) if reached else None
        if u is not None and len(self.signs) < _MOST_CASES:
            # In each of its cases the place is a plane.
            raise Split(u)
        for p, apart in self._apart(then, other).items():
            meet = not jumps and p == 0 or vanishes_on(apart, c)
            inside = min(inside, p + max(gap.inside - k, 0.0) * meet if reached else _INFINITE)
            if q == _INFINITE:
                continue
            if meet or len(gap.terms) == 1 or p + q - k > upto:
                inside = min(inside, p + (q - k) * meet)
                self._places.add(place)
            else:
                self.exchanged.setdefault(place, set()).add(q - k)
                self.met = True
        if q < _INFINITE:
            self.thin = min(self.thin, q - k)
        return Expansion(out.terms, out.rest, inside)

    def _apart(self, then: Expansion, other: Expansion) -> dict[float, Expr]:
        """The terms in which two expansions differ, by their powers of ε in increasing order."""
        powers = sorted({p for p, _ in (*then.terms, *other.terms)})
        apart = {p: self.settled(add(then.at(p), neg(other.at(p)))) for p in powers}
        return {p: c for p, c in apart.items() if c is not ZERO}

    def _star(self, node: Star, upto: float) -> Expansion:
        if node.theta.free != _ALONE:
            raise Unsettled
        theta, inverse = of_constant(node.theta), of_constant(power(node.theta, Const(-1)))
        k = _lead(theta)
        if not theta.terms or k <= 0:
            raise Unsettled
        ends = []
        outer = self._bound.get(node.bound)
        for value in (theta, Expansion(())):
            self._bound[node.bound] = value
            ends.append(self.of(node.body, upto + k))
        if outer is None:
            del self._bound[node.bound]
        else:
            self._bound[node.bound] = outer
        ahead, here = ends
        change = self._sum([ahead, here.negated()])
        # A quotient that grows is refused by what it stands in: tanh of it is bounded.
        kept = tuple(t for t in change.terms if t[0] >= k or not self._is_nothing(t[1]))
        inside = change.inside
        variables = node.body.free - {node.bound, WIDTH}
        if inside < k and is_lipschitz(node.body) and all(self.of(s, upto).inside >= 0 for s in variables):
            # The two ends are as near to each other as their arguments are, in the layers of these too.
            inside = k
        return self._product(Expansion(kept, change.rest, inside), inverse, upto)

    def refuse_growth(self, c: Expr, order: float) -> None:
        """Raises Diverges for c ε^(−order), unless c has kinks left and may vanish by cases, as |x| − x does.

        What grows in a layer may have a limit in the mean.
        """
        if self.layer is not None:
            return
        u = undecided(c, self.signs)
        if u is not None and len(self.signs) < _MOST_CASES:
            raise Split(u)
        raise Diverges(root_of_width(order), grows=True)

    def _is_nothing(self, e: Expr) -> bool:
        return self.settled(e) is ZERO


def _holds(op: str, value: float) -> bool:
    return compare_values(op, value, 0.0)


def _are_parallel(a: Place, b: Place) -> bool:
    return a[0] is b[0] and a[1] != b[1]


def as_it_is(work: OneSided, s: Sym, upto: float) -> Expansion:
    """The source of variables that do not depend on n."""
    return Expansion(((0.0, s),))


def _constant(e: Expr) -> Expansion:
    return Expansion(((0.0, e),) if e is not ZERO else ())


def _lead(a: Expansion) -> float:
    return a.terms[0][0] if a.terms else a.rest


def _times(a: Expr, b: Expr) -> Expr:
    """The product, expanded where b is a sum, so that differences of expansions cancel."""
    return add(*(mul(a, t) for t in b.children)) if isinstance(b, Add) else mul(a, b)


def of_constant(e: Expr) -> Expansion:
    """The expansion of an expression in n alone; raises `Diverges` where its series is not known."""
    series = series_in_width(e)
    terms = []
    rest = _INFINITE if series.rest is None else _order(series.rest)
    for rate, c in series.terms:
        if rate.exps or len(rate.logs) > 1:
            rest = min(rest, _order(rate))
            break
        terms.append((_order(rate), Const(c.as_number())))
    return Expansion(tuple(t for t in terms if t[0] < rest), rest)


def _order(rate: Rate) -> float:
    """p where the rate is ε^p up to logarithms; exponential decay counts as ε^8, beyond all orders used."""
    if rate.exps:
        if growth(rate) >= 0:
            raise Unsettled
        return _SMALL
    return -2.0 * float(rate.logs[0]) if rate.logs else 0.0


@lru_cache(maxsize=4096)
def is_lipschitz(e: Expr) -> bool:
    """Whether an expression is Lipschitz in its variables where these are bounded, judged by its parts."""
    for node in postorder(e):
        match node:
            case Pow():
                natural = isinstance(node.exponent, Const) and isinstance(k := node.exponent.value, int) and k >= 0
                if not natural and infer_range(node.base, {})[0] <= 0:
                    return False
            case Call():
                entry = FUNCTIONS[node.fn]
                if entry.jumps or not entry.has_values_on(infer_range(node.children[0], {})):
                    return False
            case Cond() | Star():
                return False
    return True


def distances(node: Expr) -> list[Expr]:
    """Expressions that vanish where an argument of the node is at a kink or a jump."""
    if isinstance(node, Pow):
        rough = isinstance(node.exponent, Const) and not isinstance(node.exponent.value, int)
        return [node.base] if rough and node.base is not WIDTH else []
    if isinstance(node, Call) and is_kinked(node):
        first, *rest = node.children
        entry = FUNCTIONS[node.fn]
        if entry.breaks:
            return [add(first, Const(-b)) for b in entry.breaks]
        if entry.chooses:
            return [add(a, neg(b)) for a, b in itertools.combinations(node.children, 2)]
        return [add(first, neg(b)) for b in rest]
    if isinstance(node, Cmp):
        return [add(node.children[0], neg(node.children[1]))]
    return []


def root_of_width(order: float) -> str:
    """ε^(−order) as a power of n."""
    p = order / 2
    return {0.5: "√n", 1.0: "n"}.get(p, f"n^{p:g}")

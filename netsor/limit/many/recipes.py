"""How an expectation is split into simpler ones, derived once for all integrands of one shape.

A recipe is written in stand-ins for the symbols of an integrand. It depends on the shape, on what is known of each
symbol (`Known`), and on which of them are independent, and serves every integrand that agrees in these.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from netsor.expr import ONE, ZERO, Add, Expr, Sym, canonical, mul, split_coefficient, substitute
from netsor.expr.parity import parity
from netsor.gaussian import Estimate
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.reductions.quadratic_powers import needs_company
from netsor.gaussian.symbolic.expansion import factors_of, integer_power, is_polynomial
from netsor.gaussian.symbolic.independence import gaussians_of, vanishing
from netsor.gaussian.symbolic.linear_forms import Form
from netsor.limit.many import pairing
from netsor.limit.many.forms import Forms
from netsor.limit.many.products import Product, how_many_terms, monomials, products, sides, summands
from netsor.limit.shapes import numbered

Gaussians = frozenset[Sym]
# The most terms that a block may be expanded into; smaller where functions of scalars occur, which differ between
# inputs.
_MOST_TERMS, _MOST_WITH_SCALARS = 200, 12

# A symbol of the integrand, or a linear form in such.
Ref = Sym | Form


class Function(NamedTuple):
    """A function of scalars, in stand-ins for `symbols`."""

    e: Expr
    symbols: tuple[Ref, ...]


class Covariance(NamedTuple):
    u: Ref
    v: Ref


class Block(NamedTuple):
    """E of a function that is not expanded, in stand-ins for `symbols`.

    `opened` says that its expansion is used in place of the last method, which takes one law after the other.
    """

    e: Expr
    symbols: tuple[Ref, ...]
    opened: bool


class Integrand(NamedTuple):
    """E of an integrand that has a recipe of its own, in stand-ins for `symbols`; as it is where there are none."""

    e: Expr
    symbols: tuple[Ref, ...]


class TwoSums(NamedTuple):
    """E x y of two sums, most of whose terms may be independent; e = x y."""

    x: Expr
    y: Expr
    e: Expr


class Sum(NamedTuple):
    terms: tuple[Summand, ...]


class Summand(NamedTuple):
    """number · Π factors."""

    number: float
    factors: tuple[Factor, ...]


Factor = Function | Covariance | Block | Integrand | TwoSums | Sum


class Known(Protocol):
    """What is known of the symbols of a limit before there are numbers."""

    def is_gaussian(self, s: Sym) -> bool: ...

    def independent(self, a: Sym, b: Sym) -> bool: ...

    def domain(self, s: Sym) -> str: ...

    def families(self, s: Sym) -> frozenset[Hashable]: ...

    def families_of(self, e: Expr) -> frozenset[Hashable]: ...

    def gaussians_of(self, e: Expr) -> Gaussians: ...

    def place(self, s: Sym) -> int: ...


@dataclass(frozen=True)
class Recipe:
    """The terms of an expectation, and the pairs of symbols whose independence they depend on, with the answers."""

    terms: tuple[Summand, ...]
    asked: Mapping[tuple[Sym, Sym], bool]

    def holds(self, at: Mapping[Sym, Sym], known: Known) -> bool:
        """Whether the recipe serves an integrand with the symbols `at` in place of the stand-ins."""
        return all(known.independent(at[a], at[b]) == answer for (a, b), answer in self.asked.items())


class Planner:
    """Derives one recipe; `at` gives the symbols behind the stand-ins. It is the `Law` of the symbolic analysis."""

    def __init__(self, known: Known, at: Mapping[Sym, Sym]):
        self.known, self.at = known, at
        self._in_stand_ins = all(s is not t for s, t in at.items())
        self.asked: dict[tuple[Sym, Sym], bool] = {}
        self.forms = Forms(self)

    # --- a law ------------------------------------------------------------------------------------------------

    def is_gaussian(self, s: Sym) -> bool:
        return self.known.is_gaussian(self.at[s])

    def independent(self, a: Sym, b: Sym) -> bool:
        key = (a, b) if a.digest <= b.digest else (b, a)
        found = self.asked.get(key)
        if found is None:
            found = self.asked[key] = self.known.independent(self.at[a], self.at[b])
        return found

    def separated(self, symbols: Sequence[Sym], covariance: Sequence[Sequence[float]] | None) -> dict[Sym, Expr]:
        return {}

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        raise NotImplementedError

    def scalar(self, s: Sym) -> Estimate:
        raise NotImplementedError

    def side(self, e: Expr) -> str:
        """The examples of which an expression speaks."""
        members = (t for s in e.free for t, c in self.forms[s] for t in (t, *c.free))
        return "".join(sorted({c for t in members for c in self.known.domain(self.at[t])}))

    # --- recipes ----------------------------------------------------------------------------------------------

    def expectation(self, e: Expr) -> tuple[Summand, ...]:
        """A product of independent factors or of two sums, where families of variables show it; else linear forms.

        Only the families are compared, so that long expressions, such as a residual stream of many layers, are not
        searched.
        """
        number, rest = split_coefficient(e)
        groups: list[tuple[list[Expr], frozenset[Hashable]]] = []
        for f in factors_of(rest):
            mine = self._families(f)
            joined = [g for g in groups if g[1] & mine]
            groups = [g for g in groups if not g[1] & mine]
            groups.append(([*(x for g in joined for x in g[0]), f], mine.union(*(g[1] for g in joined))))
        gaussian = [canonical(mul(*g)) for g, families in groups if families]
        factors: list[Factor]
        if len(gaussian) == 1:
            sums = two_sums(gaussian[0])
            if sums is None or not pairing.is_long(*sums):
                return self.in_forms(e)
            factors = [TwoSums(*sums, gaussian[0])]
        elif len(gaussian) > 1 and all(integrable(g, self._gaussians(g)) is True for g in gaussian):
            factors = [Integrand(*self._numbered(g)) if self._in_stand_ins else Integrand(g, ()) for g in gaussian]
        else:
            return self.in_forms(e)
        scalars = [f for g, families in groups if not families for f in g]
        if scalars:
            factors.append(self._function(canonical(mul(*scalars))))
        return (Summand(float(number), tuple(factors)),)

    def _families(self, e: Expr) -> frozenset[Hashable]:
        """The families of all variables of an expression; those of the terms of a long sum are remembered."""
        if not self._in_stand_ins:
            return self.known.families_of(e)
        return frozenset(x for s in e.free for x in self.known.families(self.at[s]))

    def _gaussians(self, e: Expr) -> Gaussians:
        """The Gaussians of an expression; those of the terms of a long sum are remembered."""
        return gaussians_of(e, self) if self._in_stand_ins else self.known.gaussians_of(e)

    def in_forms(self, e: Expr) -> tuple[Summand, ...]:
        """Terms that are products of independent blocks, after the integrand is written in linear forms."""
        e = self.forms.rewritten(e)
        gaussians = gaussians_of(e, self.forms)
        if e is ZERO or gaussians and parity(e, gaussians) == -1 and integrable(e, gaussians):
            return ()
        return self._sum(summands(e, gaussians, self.forms), gaussians, False)

    def multiplied_out(self, block: Expr) -> tuple[Summand, ...]:
        mine = gaussians_of(block, self.forms)
        return self._sum(products(block, mine, self.forms, self.side), mine)

    def whole(self, block: Expr) -> tuple[Summand, ...]:
        """A block that is not expanded, for one side of a product."""
        return self._block(block, True)

    def _sum(self, pieces: Iterable[Product], gaussians: Gaussians, whole: bool = True) -> tuple[Summand, ...]:
        """The expectations of terms number · scalar · Π blocks; `whole` blocks are not expanded."""
        out = []
        for t in pieces:
            exist = all(integrable(b, gaussians) for b in t.blocks)
            if exist and any(vanishing(b, gaussians, self.forms) for b in t.blocks):
                continue
            factors: list[Factor] = [self._function(t.scalar)] if t.scalar is not ONE else []
            for b in t.blocks:
                terms = self._block(b, whole)
                single = len(terms) == 1 and terms[0].number == 1.0
                factors += terms[0].factors if single else (Sum(terms),)
            out.append(Summand(float(t.number), tuple(factors)))
        return tuple(out)

    def _block(self, block: Expr, whole: bool) -> tuple[Summand, ...]:
        """E of a block: the sum over the terms of its expansion if all of them are easy, else by a grid."""
        block = self.forms.rewritten(block)
        mine = gaussians_of(block, self.forms)
        if needs_company(block, mine):
            # The terms do not have finite expectations one by one.
            return self._as_it_stands(block)
        if whole and not _takes_grid(block, mine):
            return self._as_it_stands(block)
        pieces: list[Product] = []
        # Functions of scalars differ between inputs, and then one grid for all terms is cheaper.
        if not whole and how_many_terms(block, mine) <= (_MOST_TERMS if mine == block.free else _MOST_WITH_SCALARS):
            pieces = products(block, mine, self.forms, self.side)
            if all(self._is_easy(b, mine) for p in pieces for b in p.blocks):
                return self._sum(pieces, mine)
        apart = monomials(block, mine, self.forms) if not whole else []
        if len(apart) > 1 or any(len(p.blocks) > 1 for p in apart):
            return self._sum(apart, mine, False)
        if whole:
            return self._as_it_stands(block)
        if _takes_grid(block, mine) and sides(block, self.side) is not None:
            return self._as_it_stands(block, True)
        return self._sum(pieces or products(block, mine, self.forms, self.side), mine)

    def _is_easy(self, block: Expr, gaussians: Gaussians) -> bool:
        return len(gaussians_of(self.forms.rewritten(block), self.forms)) <= 2 or is_polynomial(block, gaussians)

    # --- factors ----------------------------------------------------------------------------------------------

    def _as_it_stands(self, block: Expr, opened: bool = False) -> tuple[Summand, ...]:
        number, rest = split_coefficient(block)
        powers = [integer_power(f) for f in factors_of(rest)]
        symbols = [s for s, _ in powers if isinstance(s, Sym) and self.forms.is_gaussian(s)]
        if sum(k for _, k in powers) == 2 and len(symbols) == len(powers):
            return (Summand(float(number), (Covariance(self._ref(symbols[0]), self._ref(symbols[-1])),)),)
        return (Summand(1.0, (Block(*self._numbered(block), opened),)),)

    def _function(self, e: Expr) -> Function:
        return Function(*self._numbered(e))

    def _numbered(self, e: Expr) -> tuple[Expr, tuple[Ref, ...]]:
        """The expression in stand-ins for its own symbols, and what these are."""
        symbols = sorted(e.free, key=self._order)
        return canonical(substitute(e, numbered(symbols))), tuple(map(self._ref, symbols))

    def _order(self, s: Sym) -> tuple[int, ...]:
        form = self.forms[s]
        places = sorted(self.known.place(self.at[t]) for t, _ in form)
        return (0 if _is_symbol(form) else 1, *places, s.name[1] if s in self.forms else 0)

    def _ref(self, s: Sym) -> Ref:
        form = self.forms[s]
        return form[0][0] if _is_symbol(form) else form


def _is_symbol(form: Form) -> bool:
    return len(form) == 1 and form[0][1] is ONE


def two_sums(block: Expr) -> tuple[Expr, Expr] | None:
    """X and Y with block = X Y, where it is a product of two sums."""
    powers = [integer_power(f) for f in factors_of(block)]
    if sum(k for _, k in powers) != 2 or not all(isinstance(base, Add) for base, _ in powers):
        return None
    return powers[0][0], powers[-1][0]


def _takes_grid(block: Expr, gaussians: Gaussians) -> bool:
    """Whether a block is neither a function of one variable nor a product that is one call for all pairs."""
    return len(gaussians) > 2 or len(gaussians) == 2 and (block.free != gaussians or isinstance(block, Add))

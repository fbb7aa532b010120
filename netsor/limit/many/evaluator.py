"""The limits of a template program for many inputs: Def. B.3 as steps over inputs and pairs of inputs.

A template runs the network on two examples, L and R. Its Z's and their independence do not depend on the numbers in the
examples, so that the steps are derived once, from the symbols alone, and then computed in frames (see
`netsor.limit.many.frames`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netsor.core import DataRef, Moment
from netsor.expr import WIDTH, Add, Const, Expr, Sym, add, canonical, expansion, is_singular, mul, substitute, to_text
from netsor.expr.arrays import lambdify
from netsor.expr.asymptotics import Diverges
from netsor.expr.complements import stable_form
from netsor.expr.infinite_width import at_infinite_width
from netsor.gaussian import Divergent, NoPointwiseMeaning, Unsettled
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.symbolic.expansion import factors_of, integer_power
from netsor.gaussian.symbolic.linear_forms import Form
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.plan import Part
from netsor.limit import Limit
from netsor.limit.many import blocks, pairing
from netsor.limit.many.angles import Angles
from netsor.limit.many.forms import Forms
from netsor.limit.many.frames import Drawn, Frame, Step
from netsor.limit.many.pairing import Pairing
from netsor.limit.many.recipes import (
    Block,
    Covariance,
    Factor,
    Function,
    Integrand,
    Planner,
    Recipe,
    Ref,
    Sum,
    Summand,
    TwoSums,
    two_sums,
)
from netsor.limit.many.terms import Term, summed
from netsor.limit.shapes import numbered, stand_ins
from netsor.limit.symbols import spell
from netsor.limit.worklist import WorkList, from_below, kept

Array = np.ndarray
_EPS = 2.0**-52
# Sums of more terms, as in residual streams, are hardly ever equal up to names.
_MOST_TERMS = 8


class Evaluator:
    """The steps to the limits of a template program, whose Z's are in `limit`.

    `side` gives the example that a row of the template's data belongs to.
    """

    def __init__(self, limit: Limit, side: Callable[[DataRef], str], tol: float = 1e-12):
        limit.build_all()
        self.limit = limit
        self.side = side
        self.tol = tol
        # Does nested computations without deep recursion, see `WorkList`.
        self.work = WorkList()
        self.forms = Forms(limit)
        self.angles = Angles(self)
        self.pairing = Pairing(self.families_of, self.gaussians_of, self.expect, self.total, self._prepare)
        self._count = 0
        self._domains: dict[Sym, str] = {}
        self._families: dict[Sym, frozenset[Hashable]] = {}
        self._families_of: dict[Expr, frozenset[Hashable]] = {}
        self._gaussians_of: dict[Expr, frozenset[Sym]] = {}
        # What is known of a symbol by itself: whether it is a Gaussian, its domain and its families.
        self._alone: dict[Sym, tuple[bool, str, tuple[Hashable, ...]]] = {}
        self._covariances: dict[tuple[Sym, Sym], Step] = {}
        self._scalars: dict[Sym, Step] = {}
        # Integrands in stand-ins by their shapes; recipes by kind, integrand and what is known of its symbols.
        self._written: dict[Hashable, Expr] = {}
        self._recipes: dict[Hashable, list[Recipe]] = {}
        self._blocks: dict[Hashable, blocks.Block] = {}
        # Steps by kind, integrand and symbols.
        self._expectations: dict[Hashable, Step] = {}
        self._long: dict[Hashable, Step] = {}
        self._functions: dict[Hashable, Step] = {}
        self._sums: dict[tuple[Term, ...], Step] = {}
        self._inner: dict[tuple[DataRef, DataRef], Step] = {}
        self._parts: dict[Hashable, Step] = {}
        self.zero = self.constant(0.0)
        for s in (*limit.initial, *limit.products):
            self.place(s)
            self.domain(s)

    def step(
        self,
        domain: str,
        needs: Sequence[Step],
        compute: Callable[[Frame, Sequence[Any]], Any],
        drawn: Drawn | None = None,
        others: Sequence[Step] = (),
        slow: bool = False,
    ) -> Step:
        self._count += 1
        return Step(self._count, domain, tuple(needs), compute, drawn, tuple(others), slow)

    def constant(self, value: float, error: float = 0.0) -> Step:
        known = Bounded(np.full((1, 1), value), np.full((1, 1), error))
        return self.step("", (), lambda frame, given: known)

    # --- domains ----------------------------------------------------------------------------------------------

    def domain(self, s: Sym) -> str:
        """The examples that a symbol of the limit depends on."""
        found = self._domains.get(s)
        if found is None:
            found = self.work.do(lambda: kept(self._domains, s, self._find_domain(s)))
        return found

    def _find_domain(self, s: Sym) -> str:
        limit = self.limit
        if s in self.forms:
            return self.join(frozenset().union(*({t} | c.free for t, c in self.forms[s])))
        if s in limit.initial:
            e = limit.program.embedding.get(limit.initial[s])
            if e is None:
                return ""
            assert isinstance(e.source, DataRef)
            return self.side(e.source)
        if s in limit.products:
            return self.join(limit.products[s].operand.free)
        if s in limit.derivatives:
            return self.join(limit.derivatives[s][1].free)
        i = limit.program.by_name.get(s.name[1])
        if i is None:
            # The symbol is the mean of a vector of 𝒱.
            return ""
        assert isinstance(i, Moment)
        return self.join(limit.integrand(i).free)

    def join(self, symbols: Iterable[Sym]) -> str:
        return "".join(sorted(set().union(*set(map(self.domain, symbols)))))

    # --- the law ----------------------------------------------------------------------------------------------

    def covariance(self, a: Sym, b: Sym) -> Step:
        key = _ordered(a, b)
        found = self._covariances.get(key)
        if found is None:
            for pair in from_below(key, self._pairs_below, self._covariances):
                self.work.do(lambda pair=pair: kept(self._covariances, pair, self._covariance(*pair)))  # type: ignore[misc]
            found = self._covariances[key]
        return found

    def _pairs_below(self, pair: tuple[Sym, Sym]) -> list[tuple[Sym, Sym]]:
        """The pairs whose covariances that of a pair is made of, if it is not known to be zero."""
        a, b = pair
        if a in self.forms or b in self.forms:
            both = itertools.product(self.forms[a], self.forms[b])
            return [_ordered(s, t) for (s, _), (t, _) in both if self.families(s) & self.families(t)]
        return [] if a is not b and self.limit.independent(a, b) else self.limit.pairs_below(pair)

    def is_zero(self, a: Sym, b: Sym) -> bool:
        """Whether two variables are known to be uncorrelated."""
        return self.covariance(a, b) is self.zero

    def _covariance(self, a: Sym, b: Sym) -> Step:
        if a in self.forms or b in self.forms:
            return self._bilinear(self.forms[a], self.forms[b])
        limit = self.limit
        p, q = limit.products.get(a), limit.products.get(b)
        if p is not None and q is not None and not (a is not b and limit.independent(a, b)):
            return self.expect(p.operand, q.operand, variance=p.variance)
        if p is None and q is None:
            program = limit.program
            e, f = (program.embedding.get(limit.initial[s]) for s in (a, b))
            if e is not None and f is not None and e.matrix == f.matrix:
                return self.inner(e.source, f.source, program.input_matrix[e.matrix].variance)  # type: ignore[arg-type]
            known = limit.covariance(a, b)
            return self.constant(known.value, known.error) if known.value or known.error else self.zero
        return self.zero

    def inner(self, a: DataRef, b: DataRef, scale: float = 1.0) -> Step:
        """scale · ⟨ξ, ξ'⟩ of two rows of the template."""
        found = self._inner.get((a, b))
        if found is None:
            domain = "".join(sorted({self.side(a), self.side(b)} - {""}))
            found = self._inner[a, b] = self.step(domain, (), lambda frame, given: frame.inner(a, b))
        return self.total([Term(scale, (found,))])

    def _bilinear(self, a: Form, b: Form) -> Step:
        """Cov(Σ a z, Σ b z) = Σ Σ a b Cov(z, z)."""
        terms = []
        members: dict[object, list[tuple[Sym, Expr]]] = {}
        for t, y in b:
            for family in self.families(t):
                members.setdefault(family, []).append((t, y))
        for s, x in a:
            for t, y in (pair for family in self.families(s) for pair in members.get(family, ())):
                c = self.covariance(s, t)
                if c is not self.zero:
                    numbers = [float(f.value) for f in (x, y) if isinstance(f, Const)]
                    others = [self._function(f) for f in (x, y) if not isinstance(f, Const)]
                    terms.append(Term(float(np.prod(numbers)), (c, *others)))
        return self.total(terms)

    def scalar(self, s: Sym) -> Step:
        found = self._scalars.get(s)
        if found is None:
            found = self.work.do(lambda: kept(self._scalars, s, self._scalar(s)))
        return found

    def _scalar(self, s: Sym) -> Step:
        limit = self.limit
        if s in limit.derivatives:
            derivative = limit.derivatives[s][1]
            return self._either(derivative, s) if is_singular(derivative) else self.expect(derivative)
        i = limit.program.by_name.get(s.name[1])
        if i is None:
            known = limit.scalar(s)
            return self.constant(known.value, known.error)
        assert isinstance(i, Moment)
        return self.expect(limit.integrand(i))

    def _either(self, derivative: Expr, s: Sym) -> Step:
        """E ∂Z^x/∂Ẑ^{Wᵀy} as an expectation, or by Stein's lemma where the derivative has no pointwise meaning."""
        pointwise, together = self.expect(derivative), self._stein(s)

        def compute(frame: Frame, given: Sequence[Bounded]) -> Bounded:
            try:
                return frame.value(pointwise)
            except NoPointwiseMeaning:
                return frame.value(together)

        return self.step(self.join(derivative.free), (), compute, others=(pointwise, together))

    def _stein(self, s: Sym) -> Step:
        """Remark B.6 for every input or pair: a = C⁺ b, where coefficients that exist as expectations are kept."""
        partners, operand, which = self.limit.stein_system(s)
        columns = [self.expect(canonical(mul(t, operand))) for t in partners]
        table = [self.covariance(t, u) for t in partners for u in partners]
        beside = [self.limit.beside(s, t) for t in partners]
        known = [self.expect(self.limit.derivatives[e][1] if e in self.limit.derivatives else e) for e in beside]
        count = len(partners)
        domain = "".join(sorted({c for x in (*columns, *table) for c in x.domain}))

        def compute(frame: Frame, values: Sequence[Bounded]) -> Bounded:
            pointwise = [None if k == which else _tried(frame, q) for k, q in enumerate(known)]
            given = [q for q in (*values, *pointwise) if q is not None]
            shape = np.broadcast_shapes(*(q.value.shape for q in given))

            def stacked(qs: Sequence[Bounded], kind: str) -> Array:
                return np.stack([np.broadcast_to(getattr(q, kind), shape).ravel() for q in qs], -1)

            b, b_error = (stacked(values[:count], k) for k in ("value", "error"))
            c, slack = (stacked(values[count:], k).reshape(-1, count, count) for k in ("value", "error"))
            a, a_error = np.zeros_like(b), np.zeros_like(b)
            for k, q in enumerate(pointwise):
                if q is not None:
                    a[:, k], a_error[:, k] = stacked([q], "value")[:, 0], stacked([q], "error")[:, 0]
            left = [k for k, q in enumerate(pointwise) if q is None]
            inverse = np.linalg.pinv(c[:, :, left], rcond=1e-11)
            moved = b_error + np.einsum("kij,kj->ki", abs(c), a_error)
            a[:, left] = np.einsum("kij,kj->ki", inverse, b - np.einsum("kij,kj->ki", c, a))
            error = np.einsum("kij,kj->ki", abs(inverse), moved + np.einsum("kij,kj->ki", slack, abs(a)))
            own = a[:, which]
            bound = error[:, left.index(which)] + 1e-15 * abs(own)
            return Bounded(own.reshape(shape), bound.reshape(shape))

        return self.step(domain, (*columns, *table), compute, others=known)

    # --- sums of products -------------------------------------------------------------------------------------

    def total(self, terms: Sequence[Term]) -> Step:
        """Σ number · Π steps, with the error that follows from theirs."""
        terms = tuple(t for t in terms if t.number and self.zero not in t.factors)
        if not terms:
            return self.zero
        if len(terms) == 1 and terms[0].number == 1.0 and len(terms[0].factors) == 1:
            return terms[0].factors[0]
        found = self._sums.get(terms)
        if found is None:
            found = self._sums[terms] = self._total(terms)
        return found

    def _total(self, terms: tuple[Term, ...]) -> Step:
        needs = list(dict.fromkeys(f for t in terms for f in t.factors))
        place = {f: k for k, f in enumerate(needs)}
        # The number is multiplied with the factor that is the same for most entries.
        rows = [(float(t.number), [place[f] for f in sorted(t.factors, key=_reach)]) for t in terms]
        # Half a unit of a term for each of its products, and for each sum that it goes into.
        most = max(len(factors) + (number != 1.0) for number, factors in rows)
        rounding = 0.5 * _EPS * (most + len(rows))

        def compute(frame: Frame, given: Sequence[Bounded]) -> Bounded:
            return summed([(number, [given[k] for k in factors]) for number, factors in rows], rounding)

        return self.step("".join(sorted({c for f in needs for c in f.domain})), needs, compute)

    def _function(self, e: Expr) -> Step:
        """A function of scalars."""
        symbols = tuple(sorted(e.free, key=self.place))
        return self._function_at(canonical(substitute(e, numbered(symbols))), symbols)

    def _function_at(self, e: Expr, symbols: tuple[Sym, ...]) -> Step:
        """A function of scalars in stand-ins for `symbols`."""
        if isinstance(e, Sym):
            return self.scalar(symbols[0])
        found = self._functions.get((e, symbols))
        if found is None:
            found = self._functions[e, symbols] = self._compute_function(e, symbols)
        return found

    def _compute_function(self, e: Expr, symbols: tuple[Sym, ...]) -> Step:
        if is_singular(e):
            raise NoPointwiseMeaning("a Dirac mass stands alone, beside nothing that is averaged")
        f = lambdify((e,), stand_ins(len(symbols)))

        def compute(frame: Frame, at: Sequence[Bounded]) -> Bounded:
            shape = np.broadcast_shapes((1, 1), *(q.value.shape for q in at))
            point = [q.value for q in at]
            value = np.broadcast_to(f(*point)[0], shape)
            error = 4 * _EPS * abs(value)
            for k, q in enumerate(at):
                if np.any(q.error):
                    change = np.zeros(shape)
                    for sign in (-1, 1):
                        moved = [p + sign * q.error if k == m else p for m, p in enumerate(point)]
                        change = np.maximum(change, abs(f(*moved)[0] - value))
                    error = error + 1.01 * change
            return Bounded(value, error)

        needs = [self.scalar(s) for s in symbols]
        return self.step("".join(sorted({c for q in needs for c in q.domain})), needs, compute)

    # --- expectations -----------------------------------------------------------------------------------------

    def moment(self, psi: Expr) -> Step:
        """E ψ of an expression in the variables of the template."""
        vectors, scalars = self.limit.vectors, self.limit.scalars
        if WIDTH in psi.free:  # a backward pass divides by √n what ψ* multiplies with it
            if (there := self._one_sided(psi)) is not None:
                return self.expect(*factors_of(there))
            psi = at_infinite_width(psi)
        z = {s: vectors[s.name] if s.name in vectors else scalars[s.name] for s in psi.free}
        return self.expect(*(substitute(f, z) for f in factors_of(psi)))

    def _one_sided(self, psi: Expr) -> Expr | None:
        """The limit of ψ where its arguments approach a kink or a jump, in Ẑ's; None where they do not."""
        names = {s.name for s in psi.free if s is not WIDTH}
        vectors = names & self.limit.vectors.keys()
        try:
            return self.limit.written.atoms.one_sided(Moment("", psi, tuple(vectors), tuple(names - vectors)))
        except Diverges as fault:
            raise Divergent(f"it grows like {fault.rate} where an argument lies on a jump") from None
        except expansion.Unsettled:
            raise Unsettled("an argument lies on a kink, a jump or a root with positive probability") from None

    def expect(self, *factors: Expr, variance: float = 1.0) -> Step:
        """E of a product of expressions in Ẑ's, over the domain of the examples that it mentions, times a number."""
        factors = tuple(map(stable_form, factors))
        if any(_is_long(f) for g in factors for f in factors_of(g)):
            return self._of_long(factors, variance)
        shape = self.limit.shapes.of(*factors)
        if shape is None:
            return self._of_long(factors, variance)
        key = variance, shape.key
        e = self._written.get(key)
        if e is None:
            product = canonical(mul(Const(variance), canonical(mul(*factors))))
            e = self._written[key] = canonical(substitute(product, numbered(shape.symbols)))
        return self._planned("expectation", e, shape.symbols)

    def _of_long(self, factors: tuple[Expr, ...], variance: float) -> Step:
        """E of a product of a shape that is its own, times a number."""
        key = variance, *sorted(factors, key=lambda f: f.digest)
        found = self._long.get(key)
        if found is None:
            found = self._long[key] = self._compute_long(factors, variance)
        return found

    def _compute_long(self, factors: tuple[Expr, ...], variance: float) -> Step:
        product = canonical(mul(*factors))
        sums = two_sums(product)
        if sums is not None and pairing.is_long(*sums):
            found = self.pairing.expectation(*sums)
            if found is not None:
                return self.total([Term(variance, (found,))])
        e = canonical(mul(Const(variance), product))
        at = {s: s for s in e.free}
        return self._sum(Planner(self, at).expectation(e), at)

    def _planned(self, kind: str, e: Expr, symbols: tuple[Sym, ...]) -> Step:
        """E of an integrand in stand-ins for `symbols`, by a recipe of this kind."""
        key = kind, e, symbols
        found = self._expectations.get(key)
        if found is None:
            at = dict(zip(stand_ins(len(symbols)), symbols, strict=True))
            found = self._expectations[key] = self._sum(self._recipe(kind, e, at), at)
        return found

    def _recipe(self, kind: str, e: Expr, at: Mapping[Sym, Sym]) -> tuple[Summand, ...]:
        recipes = self._recipes.setdefault((kind, e, self._traits(at.values())), [])
        found = next((r for r in recipes if r.holds(at, self)), None)
        if found is None:
            planner = Planner(self, at)
            found = Recipe(getattr(planner, kind)(e), planner.asked)
            recipes.append(found)
        return found.terms

    def _traits(self, symbols: Iterable[Sym]) -> Hashable:
        """What is known of symbols: which are Gaussians, of which examples, and which are of one family."""
        seen: dict[Hashable, int] = {}
        out = []
        for s in symbols:
            known = self._alone.get(s)
            if known is None:
                known = self._alone[s] = self.is_gaussian(s), self.domain(s), tuple(self.families(s))
            is_gaussian, domain, families = known
            out.append((is_gaussian, domain, *[seen.setdefault(f, len(seen)) for f in families]))
        return tuple(out)

    def _sum(self, terms: Iterable[Summand], at: Mapping[Sym, Sym]) -> Step:
        return self.total([Term(t.number, tuple([self._factor(f, at) for f in t.factors])) for t in terms])

    def _factor(self, f: Factor, at: Mapping[Sym, Sym]) -> Step:
        """A factor of a recipe, where its symbols stand for those of `at`."""
        match f:
            case Block():
                return self._block(f, tuple([self._actual(s, at) for s in f.symbols]))
            case Covariance():
                return self.covariance(self._actual(f.u, at), self._actual(f.v, at))
            case Function():
                return self._function_at(f.e, tuple([self._actual(s, at) for s in f.symbols]))
            case Sum():
                return self._sum(f.terms, at)
            case Integrand():
                if not f.symbols:
                    return self.expect(f.e)
                return self._planned("expectation", f.e, tuple([self._actual(s, at) for s in f.symbols]))
            case TwoSums():
                x, y, e = (_renamed(g, at) for g in (f.x, f.y, f.e))
                found = self.pairing.expectation(x, y)
                return self._in_forms(e) if found is None else found

    def _actual(self, s: Ref, at: Mapping[Sym, Sym]) -> Sym:
        """What a symbol of a recipe stands for, or a linear form in such symbols."""
        if isinstance(s, Sym):
            return at[s]
        form = [(at[t], _renamed(c, at)) for t, c in s]
        return self.forms.symbol(tuple(sorted(form, key=lambda part: part[0].digest)))

    def _in_forms(self, e: Expr) -> Step:
        """E of two sums that do not fall into independent parts."""
        shape = self.limit.shapes.of(e)
        if shape is None:
            at = {s: s for s in e.free}
            return self._sum(Planner(self, at).in_forms(e), at)
        return self._planned("in_forms", canonical(substitute(e, numbered(shape.symbols))), shape.symbols)

    def _block(self, f: Block, symbols: tuple[Sym, ...]) -> Step:
        key = f.e, symbols, f.opened
        found = self._expectations.get(key)
        if found is None:
            found = self.work.do(lambda: kept(self._expectations, key, self._compute_block(f, symbols)))
        return found

    def _compute_block(self, f: Block, symbols: tuple[Sym, ...]) -> Step:
        kinds = tuple([self.is_gaussian(s) for s in symbols]), tuple([self.domain(s) for s in symbols])
        block = self._blocks.get((f.e, kinds))
        if block is None:
            block = self._blocks[f.e, kinds] = blocks.Block(f.e, *kinds)
        at = dict(zip(block.symbols, symbols, strict=True))
        at |= {s: self._actual(form, at) for s, form in block.forms.items()}
        instead = (lambda: self._planned("multiplied_out", f.e, symbols)) if f.opened else None
        return blocks.expectation(block, at, self, instead)

    # --- symbols ----------------------------------------------------------------------------------------------

    def is_gaussian(self, s: Sym) -> bool:
        return self.forms.is_gaussian(s)

    def independent(self, a: Sym, b: Sym) -> bool:
        return self.forms.independent(a, b)

    def place(self, s: Sym) -> int:
        """The number of a symbol, in the order of the program's lines."""
        return self.limit.shapes.place(s)

    def families(self, s: Sym) -> frozenset[Hashable]:
        """The matrix, or the vectors, that a variable is made of; none for a scalar."""
        found = self._families.get(s)
        if found is None:
            found = self._families[s] = frozenset(self._find_families(s))
        return found

    def families_of(self, e: Expr) -> frozenset[Hashable]:
        """The families of all variables of an expression, of the terms of a sum one by one."""
        found = self._families_of.get(e)
        if found is None:
            if isinstance(e, Add):
                found = frozenset[Hashable]().union(*map(self.families_of, e.children))
            else:
                found = frozenset[Hashable]().union(*map(self.families, e.free))
            self._families_of[e] = found
        return found

    def gaussians_of(self, e: Expr) -> frozenset[Sym]:
        """The Gaussians of an expression, of the terms of a sum one by one."""
        found = self._gaussians_of.get(e)
        if found is None:
            if isinstance(e, Add):
                found = frozenset[Sym]().union(*map(self.gaussians_of, e.children))
            else:
                found = frozenset(s for s in e.free if self.is_gaussian(s))
            self._gaussians_of[e] = found
        return found

    def _find_families(self, s: Sym) -> Iterator[Hashable]:
        if s in self.forms:
            for t, _ in self.forms[s]:
                yield from self.families(t)
        elif s in self.limit.products:
            p = self.limit.products[s]
            yield p.matrix, p.transposed
        elif self.limit.is_gaussian(s):
            yield self.limit.family(s)

    def _prepare(self, x: Expr, y: Expr) -> None:
        """Find the covariances of the variables of two expressions, in the order of the program."""
        for pair in self.limit.written.below.pairs(x, y):
            self.covariance(*pair)

    def spell(self, s: Sym) -> str:
        """The text of a symbol, and for a linear form the sum that it stands for."""
        if s not in self.forms:
            return spell(s)
        return f"({to_text(add(*(mul(c, t) for t, c in self.forms[s])), spell)})"

    def part(self, part: Part, at: Mapping[Sym, Sym]) -> Step:
        """What a method needs from one side alone: an expectation, or a quantity computed from the law of that side."""
        key, free, make = part
        order = sorted(free, key=lambda s: s.name)
        actual = tuple([at[s] for s in order])
        found = self._parts.get((key, actual))
        if found is None:
            if isinstance(make, Expr):
                found = self._planned("whole", canonical(substitute(make, numbered(order))), actual)
            else:
                symbols = [s for s in order if self.is_gaussian(at[s])]
                scalars = [s for s in order if s not in symbols]
                pairs = [(a, b) for i, a in enumerate(symbols) for b in symbols[i:]]
                needs = [*(self.covariance(at[a], at[b]) for a, b in pairs), *(self.scalar(at[s]) for s in scalars)]

                def compute(frame: Frame, values: Sequence[Bounded]) -> Any:
                    c = dict(zip(pairs, values, strict=False))
                    scaled = dict(zip(scalars, values[len(pairs) :], strict=False))
                    return make(Laws(frame.shape, c, scaled, self.tol, frame.clock))

                found = self.step(self.join(actual), needs, compute)
            self._parts[key, actual] = found
        return found


def _reach(step: Step) -> int:
    return len(step.domain)


def _is_long(factor: Expr) -> bool:
    base = integer_power(factor)[0]
    return isinstance(base, Add) and len(base.children) > _MOST_TERMS


def _ordered(a: Sym, b: Sym) -> tuple[Sym, Sym]:
    return (a, b) if a.digest <= b.digest else (b, a)


def _renamed(e: Expr, at: Mapping[Sym, Sym]) -> Expr:
    """An expression with the symbols `at` in place of its own."""
    others = {s: at[s] for s in e.free if at[s] is not s}
    return canonical(substitute(e, others)) if others else e  # type: ignore[arg-type]


def _tried(frame: Frame, step: Step) -> Bounded | None:
    """The expectation of a derivative; None where the derivative has no pointwise meaning."""
    try:
        return frame.value(step)
    except NoPointwiseMeaning:
        return None

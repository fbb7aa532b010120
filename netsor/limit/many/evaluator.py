"""The limits of a template program for many inputs: Def. B.3 as steps over inputs and pairs of inputs.

A template runs the network on two examples, L and R. Its Z's and their independence do not depend on the numbers in the
examples, so that the steps are derived once, from the symbols alone, and then computed in frames (see
`netsor.limit.many.frames`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from netsor.core import DataRef, Moment
from netsor.expr import (
    ONE,
    ZERO,
    Add,
    Const,
    Expr,
    Sym,
    add,
    canonical,
    is_singular,
    mul,
    split_coefficient,
    substitute,
    to_text,
)
from netsor.expr.arrays import lambdify
from netsor.expr.parity import parity
from netsor.gaussian import NoPointwiseMeaning
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.reductions.quadratic_powers import needs_company
from netsor.gaussian.symbolic.expansion import factors_of, integer_power, is_polynomial
from netsor.gaussian.symbolic.independence import gaussians_of, vanishing
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.plan import Way, ways
from netsor.limit import Limit
from netsor.limit.definition import ZHAT
from netsor.limit.many.angles import Angles
from netsor.limit.many.forms import Form, Forms
from netsor.limit.many.frames import Frame, Step
from netsor.limit.many.pairing import Pairing
from netsor.limit.many.products import Product, how_many_terms, monomials, products, sides, summands
from netsor.limit.many.terms import Taken, Term
from netsor.limit.symbols import spell
from netsor.limit.worklist import WorkList, kept

Array = np.ndarray
_EPS = 2.0**-52
_OVER = ("all", "input", "pair of inputs")
_ONE, _NONE = np.ones((1, 1)), np.zeros((1, 1))
# The most terms that a block may be expanded into; smaller where functions of scalars occur, which differ between
# inputs.
_MOST_TERMS, _MOST_WITH_SCALARS = 200, 12


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
        self.pairing = Pairing(self._families, self.expect, self.total, self._prepare)
        self.taken: list[Taken] = []
        self._count = 0
        self._domains: dict[Sym, str] = {}
        self._covariances: dict[tuple[Sym, Sym], Step] = {}
        self._scalars: dict[Sym, Step] = {}
        self._expectations: dict[Expr, Step] = {}
        self._blocks: dict[tuple[Expr, bool], Step] = {}
        self._sums: dict[tuple[Term, ...], Step] = {}
        self._inner: dict[tuple[DataRef, DataRef], Step] = {}
        self._parts: dict[tuple[object, ...], Step] = {}
        self.zero = self.constant(0.0)

    def step(self, domain: str, needs: Sequence[Step], compute: Callable[[Frame, Sequence[Any]], Any]) -> Step:
        self._count += 1
        return Step(self._count, domain, tuple(needs), compute)

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
        return "".join(sorted({c for s in symbols for c in self.domain(s)}))

    # --- the law ----------------------------------------------------------------------------------------------

    def covariance(self, a: Sym, b: Sym) -> Step:
        key = (a, b) if a.digest <= b.digest else (b, a)
        found = self._covariances.get(key)
        if found is None:
            found = self.work.do(lambda: kept(self._covariances, key, self._covariance(*key)))
        return found

    def is_zero(self, a: Sym, b: Sym) -> bool:
        """Whether two variables are known to be uncorrelated."""
        return self.covariance(a, b) is self.zero

    def _covariance(self, a: Sym, b: Sym) -> Step:
        if a in self.forms or b in self.forms:
            return self._bilinear(self.forms[a], self.forms[b])
        limit = self.limit
        p, q = limit.products.get(a), limit.products.get(b)
        if p is not None and q is not None and not (a is not b and limit.independent(a, b)):
            return self.expect(ZHAT(p.variance, p.operand, q.operand))
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
            for family in self._families(t):
                members.setdefault(family, []).append((t, y))
        for s, x in a:
            for t, y in (pair for family in self._families(s) for pair in members.get(family, ())):
                c = self.covariance(s, t)
                if c is not self.zero:
                    numbers = [float(f.value) for f in (x, y) if isinstance(f, Const)]
                    others = [self._function_of_scalars(f) for f in (x, y) if not isinstance(f, Const)]
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

        return self.step(self.join(derivative.free), (), compute)

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

        return self.step(domain, (*columns, *table), compute)

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
        rows = [(t.number, [place[f] for f in t.factors]) for t in terms]
        # Half a unit of a term for each of its products, and for each sum that it goes into.
        most = max(len(factors) + (number != 1.0) for number, factors in rows)
        rounding = 0.5 * _EPS * (most + len(rows))

        def compute(frame: Frame, given: Sequence[Bounded]) -> Bounded:
            value, error, size = [], [], []
            for number, factors in rows:
                v, r = (given[factors[0]].value, given[factors[0]].error) if factors else (_ONE, _NONE)
                for k in factors[1:]:
                    q = given[k]
                    r = abs(v) * q.error + (abs(q.value) + q.error) * r
                    v = v * q.value
                if number != 1.0:
                    v, r = number * v, abs(number) * r
                value.append(v)
                error.append(r)
                size.append(abs(v))
            return Bounded(_added(value), _added(error) + rounding * _added(size))

        return self.step("".join(sorted({c for f in needs for c in f.domain})), needs, compute)

    def _function_of_scalars(self, e: Expr) -> Step:
        if e.free and isinstance(e, Sym):
            return self.scalar(e)
        symbols = tuple(sorted(e.free, key=lambda s: s.digest))
        f = lambdify((e,), symbols)

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
        z = {**self.limit.scalars, **self.limit.vectors}
        return self.expect(canonical(substitute(psi, {s: z[str(s.name)] for s in psi.free})))

    def expect(self, integrand: Expr) -> Step:
        """E of an expression in Ẑ's, over the domain of the examples that it depends on."""
        e = canonical(integrand)
        found = self._expectations.get(e)
        if found is None:
            found = self._expectations[e] = self._by_families(e) or self._in_forms(e)
        return found

    def _by_families(self, e: Expr) -> Step | None:
        """E of a product of independent factors, or of two sums, where families of variables show it; None for others.

        Only the families are compared, so that long expressions, such as a residual stream of many layers, are not
        searched.
        """
        number, rest = split_coefficient(e)
        factors = [(f, frozenset(x for s in f.free for x in self._families(s))) for f in factors_of(rest)]
        groups: list[tuple[list[Expr], frozenset[object]]] = []
        for f, mine in factors:
            joined = [g for g in groups if g[1] & mine]
            groups = [g for g in groups if not g[1] & mine]
            groups.append(([*(x for g in joined for x in g[0]), f], mine.union(*(g[1] for g in joined))))
        gaussian = [canonical(mul(*g)) for g, families in groups if families]
        variables = gaussians_of(e, self.forms)
        if len(gaussian) == 1:
            sums = self._two_sums(gaussian[0])
            found = self.pairing.expectation(*sums, variables) if sums else None
            if found is None:
                return None
            steps = [found]
        elif len(gaussian) > 1 and all(integrable(g, variables) is True for g in gaussian):
            steps = [self.expect(g) for g in gaussian]
        else:
            return None
        scalars = [f for g, families in groups if not families for f in g]
        if scalars:
            steps.append(self._function_of_scalars(canonical(mul(*scalars))))
        return self.total([Term(float(number), tuple(steps))])

    def _in_forms(self, e: Expr) -> Step:
        e = self.forms.rewritten(e)
        gaussians = gaussians_of(e, self.forms)
        if e is ZERO or gaussians and parity(e, gaussians) == -1 and integrable(e, gaussians):
            return self.zero
        return self.total([self._product(t, gaussians) for t in summands(e, gaussians, self.forms)])

    def _product(self, t: Product, gaussians: frozenset[Sym], whole: bool = False) -> Term:
        """E of number · scalar · Π blocks as a product of expectations; `whole` blocks are not expanded."""
        exist = all(integrable(b, gaussians) for b in t.blocks)
        if exist and any(vanishing(b, gaussians, self.forms) for b in t.blocks):
            return Term(0.0, ())
        factors = [self._function_of_scalars(t.scalar)] if t.scalar is not ONE else []
        return Term(float(t.number), (*factors, *(self._block(b, gaussians, whole) for b in t.blocks)))

    def _block(self, block: Expr, gaussians: frozenset[Sym], whole: bool = False) -> Step:
        key = (block, whole)
        found = self._blocks.get(key)
        if found is None:
            found = self.work.do(lambda: kept(self._blocks, key, self._compute(block, gaussians, whole)))
        return found

    def _compute(self, block: Expr, gaussians: frozenset[Sym], whole: bool) -> Step:
        """E of a block: the sum over the terms of its expansion if all of them are easy, else by a grid."""
        block = self.forms.rewritten(block)
        mine = gaussians_of(block, self.forms)
        if needs_company(block, mine):
            # The terms do not have finite expectations one by one.
            return self._at_once(block, mine)
        if whole and not self._takes_grid(block, mine):
            return self._at_once(block, mine)
        pieces: list[Product] = []
        # Functions of scalars differ between inputs, and then one grid for all terms is cheaper.
        if not whole and how_many_terms(block, mine) <= (_MOST_TERMS if mine == block.free else _MOST_WITH_SCALARS):
            pieces = products(block, mine, self.forms, self._side)
            if all(self._is_easy(b, mine) for p in pieces for b in p.blocks):
                return self._sum(pieces, mine)
        apart = monomials(block, mine, self.forms) if not whole else []
        if len(apart) > 1 or any(len(p.blocks) > 1 for p in apart):
            return self._sum(apart, mine, False)
        if whole:
            return self._at_once(block, mine)

        def multiplied_out() -> Step:
            return self._sum(pieces or products(block, mine, self.forms, self._side), mine)

        if self._takes_grid(block, mine) and sides(block, self._side) is not None:
            return self._at_once(block, mine, multiplied_out)
        return multiplied_out()

    def _two_sums(self, block: Expr) -> tuple[Expr, Expr] | None:
        """X and Y with block = X Y, where it is a product of two sums."""
        bases = []
        for f in factors_of(block):
            base, k = integer_power(f)
            bases += [base] * k
        return (bases[0], bases[1]) if len(bases) == 2 and all(isinstance(b, Add) for b in bases) else None

    def _prepare(self, x: Expr, y: Expr) -> None:
        """Find the covariances of the variables of two expressions, in the order of the program."""
        place = {s: k for k, s in enumerate(self.limit.products)}
        members: dict[object, list[Sym]] = {}
        for s in y.free:
            if s in place:
                members.setdefault(next(self._families(s)), []).append(s)
        for s in sorted((s for s in x.free if s in place), key=place.__getitem__):
            for t in sorted(members.get(next(self._families(s)), ()), key=place.__getitem__):
                self.covariance(s, t)

    def _families(self, s: Sym) -> Iterator[object]:
        """The matrix, or the vectors, that a variable is made of; none for a scalar."""
        if s in self.forms:
            for t, _ in self.forms[s]:
                yield from self._families(t)
        elif s in self.limit.products:
            p = self.limit.products[s]
            yield p.matrix, p.transposed
        elif self.limit.is_gaussian(s):
            yield self.limit.family(s)

    def _takes_grid(self, block: Expr, gaussians: frozenset[Sym]) -> bool:
        """Whether a block is neither a function of one variable nor a product that one call computes for all pairs."""
        return len(gaussians) > 2 or len(gaussians) == 2 and (block.free != gaussians or isinstance(block, Add))

    def _sum(self, pieces: Sequence[Product], gaussians: frozenset[Sym], whole: bool = True) -> Step:
        return self.total([self._product(p, gaussians, whole) for p in pieces])

    def _side(self, f: Expr) -> str:
        return self.join(f.free)

    def _is_easy(self, block: Expr, gaussians: frozenset[Sym]) -> bool:
        return len(gaussians_of(self.forms.rewritten(block), self.forms)) <= 2 or is_polynomial(block, gaussians)

    def _at_once(self, block: Expr, gaussians: frozenset[Sym], instead: Callable[[], Step] | None = None) -> Step:
        """E of a block by the first method of the plan that succeeds, decided for each pair.

        `instead` is used in place of the last method, which takes the block as it stands for one law after the other.
        """
        symbols = _sorted(gaussians)
        both = sides(block, self._side) if len(symbols) > 1 else None
        split = None
        if both is not None:
            # One side alone may depend on fewer variables than both sides together.
            f, g = (self.forms.rewritten(e) for e in both)
            x, y = (_sorted(gaussians_of(e, self.forms)) for e in (f, g))
            split = ((f, x), (g, y))
            symbols = _sorted(gaussians | {*x, *y})
        laws = [(a, b) for i, a in enumerate(symbols) for b in symbols[i:]]
        scalars = _sorted(block.free - gaussians)
        following = ways(block, _sorted(gaussians), split)
        known: list[Way] = []
        covariances = [self.covariance(*p) for p in laws]
        given = [self.scalar(s) for s in scalars]
        domain = self.join(block.free)
        careful = self.angles.careful(block, symbols) if domain else None

        def way(k: int) -> Way | None:
            """The k-th method, which is set up only where the methods before it failed for some pairs."""
            while len(known) <= k:
                new = next(following, None)
                if new is None:
                    return None
                known.append(new)
            return known[k]

        record = Taken(to_text(block, self.spell), _OVER[len(domain)])

        def noted(name: str, part: Bounded) -> Bounded:
            if not record.ways:
                self.taken.append(record)
            sound = np.isfinite(part.error)
            record.ways[name] = record.ways.get(name, 0) + int(np.count_nonzero(sound))
            record.error = max(record.error, float(part.error.max(initial=0.0, where=sound)))
            return part

        def taken(w: Way, frame: Frame, values: Sequence[Bounded]) -> Bounded:
            c = dict(zip(laws, values, strict=False))
            at = dict(zip(scalars, values[len(laws) :], strict=False))
            shape = frame.shape if domain else (1, 1)
            here = Laws(shape, c, at, self.tol, frame.clock, frame.shared)
            found = w.run(here, [frame.value(self._part(key, make, s)) for key, s, make in w.parts])
            return noted(w.name, _full(found, shape))

        def again(k: int, frame: Frame) -> Bounded | None:
            w = way(k)
            if w is None:
                return None
            if instead is not None and way(k + 1) is None:
                return frame.value(instead())
            return taken(w, frame, [frame.value(s) for s in (*covariances, *given)])

        def compute(frame: Frame, values: Sequence[Bounded]) -> Bounded:
            first = way(0)
            assert first is not None
            out = taken(first, frame, values)
            for k in itertools.count(0 if careful is not None else 1):
                bad = ~np.isfinite(out.error)
                if not bad.any():
                    break
                part = frame.part(bad) if domain else frame
                if k == 0:
                    step, run = careful  # type: ignore[misc]
                    more: Bounded | None = noted("angle from its sine", run(part, part.value(step)))
                else:
                    more = again(k, part)
                if more is None:
                    break
                more = _full(more, part.shape if domain else (1, 1))
                out.value[bad], out.error[bad] = more.value.ravel(), more.error.ravel()
            return out

        return self.step(domain, (*covariances, *given), compute)

    def spell(self, s: Sym) -> str:
        """The text of a symbol, and for a linear form the sum that it stands for."""
        if s not in self.forms:
            return spell(s)
        return f"({to_text(add(*(mul(c, t) for t, c in self.forms[s])), spell)})"

    def _part(self, key: tuple[object, ...], make: Callable[[Laws], Any] | Expr, free: frozenset[Sym]) -> Step:
        """What a method needs from one side alone: an expectation, or a quantity computed from the law of that side."""
        found = self._parts.get(key)
        if found is None:
            if isinstance(make, Expr):
                found = self._block(make, frozenset(s for s in make.free if self.forms.is_gaussian(s)), True)
            else:
                symbols = _sorted(s for s in free if self.forms.is_gaussian(s))
                scalars = _sorted(free - frozenset(symbols))
                pairs = [(a, b) for i, a in enumerate(symbols) for b in symbols[i:]]
                needs = [*(self.covariance(*p) for p in pairs), *(self.scalar(s) for s in scalars)]

                def compute(frame: Frame, values: Sequence[Bounded]) -> Any:
                    c = dict(zip(pairs, values, strict=False))
                    at = dict(zip(scalars, values[len(pairs) :], strict=False))
                    return make(Laws(frame.shape, c, at, self.tol, frame.clock))

                found = self.step(self.join(free), needs, compute)
            self._parts[key] = found
        return found


def _added(terms: list[Array]) -> Array:
    total = terms[0]
    for t in terms[1:]:
        total = total + t
    return total


def _tried(frame: Frame, step: Step) -> Bounded | None:
    """The expectation of a derivative; None where the derivative has no pointwise meaning."""
    try:
        return frame.value(step)
    except NoPointwiseMeaning:
        return None


def _full(q: Bounded, shape: tuple[int, ...]) -> Bounded:
    """A result over its whole domain, in arrays that may be written to."""
    value, error = q.value, q.error
    if value.shape != shape or not value.flags.writeable:
        value = np.broadcast_to(value, shape).copy()
    if error.shape != shape or not error.flags.writeable:
        error = np.broadcast_to(error, shape).copy()
    return Bounded(value, error)


def _sorted(symbols: Iterable[Sym]) -> tuple[Sym, ...]:
    return tuple(sorted(symbols, key=lambda s: s.digest))

"""Many limits of one shape at once: the Z's are written once, the numbers are arrays over inputs and pairs of inputs.

A template program runs the network on two examples, L and R. Its Z's and its independence do not depend on the
numbers of the examples, so every expectation is one vectorised call: over the inputs, where it speaks of one example,
and over the pairs where it speaks of both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from netsor.core import DataRef, Moment
from netsor.expr import ONE, ZERO, Add, Const, Expr, Sym, canonical, mul, substitute
from netsor.expr.arrays import lambdify
from netsor.expr.parity import parity
from netsor.gaussian import NoPointwiseMeaning
from netsor.gaussian.blocks import gaussians_of, vanishing
from netsor.gaussian.engine import expectation
from netsor.gaussian.integrability import integrable
from netsor.gaussian.many import expect_many
from netsor.gaussian.outcome import Task
from netsor.gaussian.result import Clock
from netsor.gaussian.squares import needs_company
from netsor.gaussian.state import State
from netsor.gaussian.terms import is_polynomial
from netsor.kernels.angles import Angles
from netsor.kernels.closed import closed_form
from netsor.kernels.contraction import MOST_DIMENSIONS, contract, is_smooth
from netsor.kernels.forms import Form, Forms
from netsor.kernels.homogeneous import homogeneous_degrees
from netsor.kernels.products import Product, how_many_terms, monomials, products, sides, summands
from netsor.kernels.slack import carried_smoothly, sampled
from netsor.limit import Limit
from netsor.limit.definition import ZHAT
from netsor.limit.worklist import WorkList, kept

Array = np.ndarray
_ROUNDING = 4e-16
_SAMPLE = 64
# A block that multiplies out to more terms is not multiplied out where a grid takes it as it is.
_MOST_TERMS, _MOST_WITH_SCALARS = 200, 12
# What is still asked of a grid where the time is over.
_HASTY = 1e-5


@dataclass(frozen=True)
class Quantity:
    """Values with error bounds over a domain: "" for one number, "L" or "R" over inputs, "LR" over pairs."""

    domain: str
    value: Array
    error: Array


@dataclass
class Inputs:
    """The rows that L and R range over, and the pairs (left[k], right[k]) of them.

    `rows[side]` maps a row of the template's data to an array (N, d); `own` are rows of the network's own data, which
    belong to no example.
    """

    rows: dict[str, dict[DataRef, Array]]
    left: Array
    right: Array
    own: dict[DataRef, Array] = field(default_factory=dict)

    def side(self, ref: DataRef) -> str:
        """The example that a row belongs to: L, R, or "" where it belongs to none."""
        return next((s for s in self.rows if ref in self.rows[s]), "")

    def both(self, a: DataRef, b: DataRef) -> tuple[Array, Array, str]:
        """Two rows of the template, each for all inputs or pairs, and which of these."""
        sides = [self.side(ref) for ref in (a, b)]
        if sides[0] == sides[1] or "" in sides:
            x, y = (self.rows[s][ref] if s else self.own[ref][None] for s, ref in zip(sides, (a, b), strict=True))
            x, y = np.broadcast_arrays(x, y)
            return x, y, max(sides)
        picked = {"L": self.left, "R": self.right}
        x, y = (self.rows[s][ref][picked[s]] for s, ref in zip(sides, (a, b), strict=True))
        return x, y, "LR"

    def inner(self, a: DataRef, b: DataRef) -> Quantity:
        """⟨ξ, ξ'⟩ of two rows of the template, for all inputs or pairs."""
        x, y, domain = self.both(a, b)
        value = np.einsum("ij,ij->i", x, y)
        return Quantity(domain, value, _ROUNDING * np.einsum("ij,ij->i", abs(x), abs(y)))


class Batch:
    """The limits of a template program at many inputs; `limit` writes its Z's."""

    def __init__(self, limit: Limit, inputs: Inputs, tol: float = 1e-12, clock: Clock | None = None):
        limit.build_all()
        self.limit = limit
        self.inputs = inputs
        self.tol = tol
        self.clock = clock or Clock(None)
        # Layers stand inside layers: see `WorkList`.
        self.work = WorkList()
        self._domains: dict[Sym, str] = {}
        self._covariances: dict[tuple[Sym, Sym], Quantity] = {}
        self._scalars: dict[Sym, Quantity] = {}
        self.forms = Forms(limit)
        self.angles = Angles(self)
        self._blocks: dict[tuple[Expr, bool], Quantity] = {}

    # --- domains ----------------------------------------------------------------------------------------------

    def domain(self, s: Sym) -> str:
        """Which examples a symbol of the limit depends on."""
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
            return self.inputs.side(e.source)
        if s in limit.products:
            return self.join(limit.products[s].operand.free)
        if s in limit.derivatives:
            return self.join(limit.derivatives[s][1].free)
        i = limit.program.by_name.get(s.name[1])
        if i is None:
            # The mean of a vector of 𝒱.
            return ""
        assert isinstance(i, Moment)
        return self.join(limit.integrand(i).free)

    def join(self, symbols: Sequence[Sym] | frozenset[Sym]) -> str:
        sides = {c for s in symbols for c in self.domain(s)}
        return "".join(sorted(sides))

    def size(self, domain: str) -> int:
        if domain == "LR":
            return len(self.inputs.left)
        return len(next(iter(self.inputs.rows[domain].values()))) if domain else 1

    def lifted(self, x: Array, domain: str, target: str) -> Array:
        """An array over one domain as an array over a larger one."""
        if domain == target:
            return x
        if domain == "":
            return np.broadcast_to(x, (self.size(target),))
        return x[self.inputs.left if domain == "L" else self.inputs.right]

    # --- the law ----------------------------------------------------------------------------------------------

    def covariance(self, a: Sym, b: Sym) -> Quantity:
        key = (a, b) if a.digest <= b.digest else (b, a)
        found = self._covariances.get(key)
        if found is None:
            found = self.work.do(lambda: kept(self._covariances, key, self._covariance(*key)))
        return found

    def _covariance(self, a: Sym, b: Sym) -> Quantity:
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
                inner = self.inputs.inner(e.source, f.source)  # type: ignore[arg-type]
                square = program.input_matrix[e.matrix].variance
                return Quantity(inner.domain, square * inner.value, square * inner.error)
            return _number(limit.covariance(a, b).value)
        return _number(0.0)

    def _bilinear(self, a: Form, b: Form) -> Quantity:
        """Cov(Σ a z, Σ b z) = Σ Σ a b Cov(z, z)."""
        parts = []
        for s, x in a:
            for t, y in b:
                c = self.covariance(s, t)
                if c.value.any() or c.error.any():
                    number = math.prod(float(f.value) for f in (x, y) if isinstance(f, Const))
                    others = [self._function_of_scalars(f) for f in (x, y) if not isinstance(f, Const)]
                    parts.append((number, [c, *others]))
        domain = "".join(sorted({c for _, factors in parts for q in factors for c in q.domain}))
        value, error = np.zeros(self.size(domain)), np.zeros(self.size(domain))
        for number, factors in parts:
            v, r = product(self, factors, domain)
            value, error = value + number * v, error + abs(number) * (r + _ROUNDING * abs(v))
        return Quantity(domain, value, error)

    def scalar(self, s: Sym) -> Quantity:
        found = self._scalars.get(s)
        if found is None:
            found = self.work.do(lambda: kept(self._scalars, s, self._scalar(s)))
        return found

    def _scalar(self, s: Sym) -> Quantity:
        limit = self.limit
        if s in limit.derivatives:
            found = self._pointwise(s)
            return self._stein(s) if found is None else found
        i = limit.program.by_name.get(s.name[1])
        if i is None:
            known = limit.scalar(s)
            return Quantity("", np.array([known.value]), np.array([known.error]))
        assert isinstance(i, Moment)
        return self.expect(limit.integrand(i))

    def _pointwise(self, s: Sym) -> Quantity | None:
        try:
            return self.expect(self.limit.derivatives[s][1])
        except NoPointwiseMeaning:
            return None

    def _stein(self, s: Sym) -> Quantity:
        """Remark B.6 for every input or pair: a = C⁺ b, or what is left of b for it beside derivatives that exist."""
        partners, operand, which = self.limit.stein_system(s)
        columns = [self.expect(canonical(mul(t, operand))) for t in partners]
        table = [[self.covariance(t, u) for u in partners] for t in partners]
        beside = [self.limit.beside(s, t) for t in partners]
        known = [self._pointwise(e) if e in self.limit.derivatives else self.expect(e) for e in beside]
        of = (*columns, *(q for row in table for q in row), *(q for q in known if q is not None))
        domain = "".join(sorted({c for x in of for c in x.domain}))

        def lift(q: Quantity, error: bool = False) -> Array:
            return self.lifted(q.error if error else q.value, q.domain, domain)

        c = np.stack([np.stack([lift(x) for x in row], -1) for row in table], -2)
        slack = np.stack([np.stack([lift(x, True) for x in row], -1) for row in table], -2)
        b, b_error = np.stack([lift(x) for x in columns], -1), np.stack([lift(x, True) for x in columns], -1)
        a, a_error = np.zeros_like(b), np.zeros_like(b)
        for k, q in enumerate(known):
            if q is not None:
                a[:, k], a_error[:, k] = lift(q), lift(q, True)
        left = [k for k, q in enumerate(known) if q is None]
        inverse = np.linalg.pinv(c[:, :, left], rcond=1e-11)
        moved = b_error + np.einsum("kij,kj->ki", abs(c), a_error)
        a[:, left] = np.einsum("kij,kj->ki", inverse, b - np.einsum("kij,kj->ki", c, a))
        error = np.einsum("kij,kj->ki", abs(inverse), moved + np.einsum("kij,kj->ki", slack, abs(a)))
        own = left.index(which)
        return Quantity(domain, a[:, which], error[:, own] + 1e-15 * abs(a[:, which]))

    # --- expectations -----------------------------------------------------------------------------------------

    def moment(self, psi: Expr) -> Quantity:
        """E ψ of an expression in the template's variables."""
        z = {**self.limit.scalars, **self.limit.vectors}
        return self.expect(canonical(substitute(psi, {s: z[str(s.name)] for s in psi.free})))

    def expect(self, integrand: Expr) -> Quantity:
        """E of an expression in Ẑ's, over the domain of the examples that it mentions."""
        e = self.forms.rewritten(canonical(integrand))
        gaussians = gaussians_of(e, self.forms)
        domain = self.join(e.free)
        size = self.size(domain)
        if e is ZERO or gaussians and parity(e, gaussians) == -1 and integrable(e, gaussians):
            return Quantity(domain, np.zeros(size), np.zeros(size))
        value, error = np.zeros(size), np.zeros(size)
        for t in summands(e, gaussians, self.forms):
            v, r = self._product(t, gaussians, domain)
            value, error = value + v, error + r
        return Quantity(domain, value, error + _ROUNDING * abs(value))

    def _function_of_scalars(self, e: Expr) -> Quantity:
        symbols = tuple(sorted(e.free, key=lambda s: s.digest))
        at = [self.scalar(s) for s in symbols]
        domain = "".join(sorted({c for q in at for c in q.domain}))
        point = [self.lifted(q.value, q.domain, domain) for q in at]
        f = lambdify((e,), symbols)
        size = self.size(domain)
        value = np.broadcast_to(f(*point)[0], (size,))
        error = _ROUNDING * abs(value)
        for k, q in enumerate(at):
            step = self.lifted(q.error, q.domain, domain)
            for sign in (-1, 1):
                moved = [p + sign * step if k == m else p for m, p in enumerate(point)]
                error = np.maximum(error, 0) + 0.5 * abs(f(*moved)[0] - value)
        return Quantity(domain, value, error)

    def _product(self, t: Product, gaussians: frozenset[Sym], domain: str, whole: bool = False) -> tuple[Array, Array]:
        """E of number · scalar · Π blocks, the product of expectations; blocks that are `whole` stay together."""
        exist = all(integrable(b, gaussians) for b in t.blocks)
        if exist and any(vanishing(b, gaussians, self.forms) for b in t.blocks):
            return np.zeros(self.size(domain)), np.zeros(self.size(domain))
        factors = [self._function_of_scalars(t.scalar)] if t.scalar is not ONE else []
        factors += [self._block(b, gaussians, whole) for b in t.blocks]
        v, r = product(self, factors, domain)
        return t.number * v, abs(t.number) * r

    def _block(self, block: Expr, gaussians: frozenset[Sym], whole: bool = False) -> Quantity:
        key = (block, whole)
        found = self._blocks.get(key)
        if found is None:
            found = self.work.do(lambda: kept(self._blocks, key, self._compute(block, gaussians, whole)))
        return found

    def _compute(self, block: Expr, gaussians: frozenset[Sym], whole: bool) -> Quantity:
        """E of a block: of the terms that it multiplies out to if these are easy, else on a grid if it is smooth."""
        block = self.forms.rewritten(block)
        mine = gaussians_of(block, self.forms)
        if needs_company(block, mine):
            # Its terms are finite as a sum alone.
            return self._at_once(block, mine)
        if self.clock.left() <= 0 and len(mine) > 2 and not is_polynomial(block, mine):
            return self._at_once(block, mine, hasty=True)
        if whole and not self._takes_grid(block, mine):
            return self._at_once(block, mine)
        pieces: list[Product] = []
        # Functions of scalars differ from input to input, and then a grid for all terms is the cheaper way.
        if not whole and how_many_terms(block, mine) <= (_MOST_TERMS if mine == block.free else _MOST_WITH_SCALARS):
            pieces = products(block, mine, self.forms, self._side)
            if all(self._is_easy(b, mine) for p in pieces for b in p.blocks):
                return self._sum(pieces, block, mine)
        apart = monomials(block, mine, self.forms) if not whole else []
        if len(apart) > 1 or any(len(p.blocks) > 1 for p in apart):
            return self._sum(apart, block, mine, False)
        found = self._smooth(block, mine)
        if found is not None:
            return found
        if whole:
            return self._at_once(block, mine)
        return self._sum(pieces or products(block, mine, self.forms, self._side), block, mine)

    def _takes_grid(self, block: Expr, gaussians: frozenset[Sym]) -> bool:
        """Whether a block is no function of one variable, and no product that is one call for all pairs."""
        return len(gaussians) > 2 or len(gaussians) == 2 and (block.free != gaussians or isinstance(block, Add))

    def _sum(
        self, pieces: Sequence[Product], block: Expr, gaussians: frozenset[Sym], whole: bool = True
    ) -> Quantity:
        domain = self.join(block.free)
        value, error = np.zeros(self.size(domain)), np.zeros(self.size(domain))
        for p in pieces:
            v, r = self._product(p, gaussians, domain, whole)
            value, error = value + v, error + r
        return Quantity(domain, value, error)

    def _side(self, f: Expr) -> str:
        return self.join(f.free)

    def _is_easy(self, block: Expr, gaussians: frozenset[Sym]) -> bool:
        return len(gaussians_of(self.forms.rewritten(block), self.forms)) <= 2 or is_polynomial(block, gaussians)

    def _at_once(self, block: Expr, gaussians: frozenset[Sym], hasty: bool = False) -> Quantity:
        """E of a block by the rules for a function of several Gaussians; a `hasty` one from a sample."""
        domain = self.join(block.free)
        symbols = _sorted(gaussians)
        by_angle = self.angles.expectation(block, symbols, domain)
        if by_angle is not None and by_angle[1].all():
            return Quantity(domain, by_angle[0].value, by_angle[0].error)
        c, slack = self._law(symbols, domain)
        env, env_slack = self._given(block.free - gaussians, domain)

        def drawn(c: Array, env: dict[Sym, Array], _: float) -> tuple[Array, Array]:
            return sampled(block, symbols, c, env)

        def seen(c: Array, env: dict[Sym, Array], _: float) -> tuple[Array, Array]:
            many = len(symbols) <= 2
            return self._many(block, symbols, c, env) if many else self._each(block, symbols, c, env, True)

        if hasty:
            value, error = drawn(c, env, 0.0)
            carried = carried_smoothly(drawn, c, slack, env, env_slack)
            assert carried is not None
            return Quantity(domain, value, error + carried)
        value, error = self._many(block, symbols, c, env)
        if len(symbols) > 1 and is_smooth(block, gaussians) and closed_form(block, symbols, c[:1]) is None:
            carried = carried_smoothly(seen, c, slack, env, env_slack)
            assert carried is not None
        else:
            carried = self._carried(block, symbols, c, slack, env, env_slack, value)
        if by_angle is not None:
            found, holds = by_angle
            return Quantity(domain, np.where(holds, found.value, value), np.where(holds, found.error, error + carried))
        return Quantity(domain, value, error + carried)

    def _smooth(self, block: Expr, gaussians: frozenset[Sym]) -> Quantity | None:
        """E F G of a smooth F of one example and a smooth G of the other; None where that is no way.

        One grid takes all terms of a sum, and two functions of three variables are no integral over six. A block of
        one example is F with G = 1.
        """
        split = sides(block, self._side)
        if split is None or not self._takes_grid(block, gaussians) or not is_smooth(block, gaussians):
            return None
        f, g = (self.forms.rewritten(part) for part in split)
        x, y = (_sorted(gaussians_of(part, self.forms)) for part in (f, g))
        if max(len(x), len(y)) > MOST_DIMENSIONS:
            return None
        domain = self.join(block.free)
        # Both sides may speak of one variable, a bias: it stands twice in the covariance.
        c, slack = self._law((*x, *y), domain)
        env, env_slack = self._given((f.free | g.free) - {*x, *y}, domain)

        def evaluate(c: Array, env: dict[Sym, Array], tol: float) -> tuple[Array, Array] | None:
            value, error = np.zeros(len(c)), np.zeros(len(c))
            for k in range(len(c)):
                sought = tol if self.clock.left() > 0 else max(tol, _HASTY)
                o = contract(f, x, g, y, c[k], {s: float(v[k]) for s, v in env.items()}, sought)
                if o is None:
                    return None
                value[k], error[k] = o.value, o.error
            return value, error

        # Several of these make one entry of a kernel.
        found = evaluate(c, env, 0.1 * self.tol)
        carried = None if found is None else carried_smoothly(evaluate, c, slack, env, env_slack)
        return None if found is None or carried is None else Quantity(domain, found[0], found[1] + carried)

    def _given(self, scalars: Iterable[Sym], domain: str) -> tuple[dict[Sym, Array], dict[Sym, Array]]:
        """The values of scalars over a domain, and their errors."""
        given = {s: self.scalar(s) for s in _sorted(scalars)}
        values = {s: self.lifted(q.value, q.domain, domain) for s, q in given.items()}
        return values, {s: self.lifted(q.error, q.domain, domain) for s, q in given.items()}

    def _law(self, symbols: Sequence[Sym], domain: str) -> tuple[Array, Array]:
        """Covariances (N, d, d) of Gaussians over a domain, and their errors."""
        size, d = self.size(domain), len(symbols)
        c, slack = np.zeros((size, d, d)), np.zeros((size, d, d))
        for i, a in enumerate(symbols):
            for j, b in enumerate(symbols[: i + 1]):
                q = self.covariance(a, b)
                c[:, i, j] = c[:, j, i] = self.lifted(q.value, q.domain, domain)
                slack[:, i, j] = slack[:, j, i] = self.lifted(q.error, q.domain, domain)
        return c, slack

    def _many(self, block: Expr, symbols: tuple[Sym, ...], c: Array, env: dict[Sym, Array]) -> tuple[Array, Array]:
        """`expect_many`, at unit variances where the integrand is homogeneous in each variable."""
        found = closed_form(block, symbols, c)
        if found is not None:
            return found
        if len(symbols) > 2 and self.clock.budget is not None:
            return self._each(block, symbols, c, env)
        degrees = homogeneous_degrees(block, symbols) if len(symbols) <= 2 and not env else None
        if degrees is None:
            return expect_many(block, symbols, c, env, self.tol)
        d = np.einsum("kii->ki", c)
        positive = (d > 0).all(axis=1)
        root = np.sqrt(np.where(positive[:, None], d, 1.0))
        unit = c / (root[:, :, None] * root[:, None, :])
        for i in range(len(symbols)):
            unit[positive, i, i] = 1.0  # exactly, so that all pairs are one family
        scale = np.prod(root ** np.array(degrees), axis=1)
        value, error = expect_many(block, symbols, unit, {}, self.tol)
        return scale * value, scale * error

    def _each(
        self, block: Expr, symbols: tuple[Sym, ...], c: Array, env: dict[Sym, Array], rough: bool = False
    ) -> tuple[Array, Array]:
        """Integrals that may be hard, one by one, each with its share of half the time that is left.

        `rough` ones are for differences alone.
        """
        value, error = np.zeros(len(c)), np.zeros(len(c))
        known: dict[bytes, int] = {}
        for k in range(len(c)):
            given = {s: float(v[k]) for s, v in env.items()}
            same = known.setdefault(np.array([*c[k].ravel(), *given.values()]).tobytes(), k)
            if same != k:
                value[k], error[k] = value[same], error[same]
            else:
                left = self.clock.left()
                seconds = max(0.5 * left / (len(c) - k), 0.01) if math.isfinite(left) else None
                task = Task(frozenset(symbols), given, self.tol, Clock(seconds), math.inf, rough)
                o = expectation(block, State.centred(symbols, c[k]), task)
                value[k], error[k] = o.value, o.error
        return value, error

    def _carried(
        self,
        block: Expr,
        symbols: tuple[Sym, ...],
        c: Array,
        slack: Array,
        env: dict[Sym, Array],
        env_slack: dict[Sym, Array],
        value: Array,
    ) -> Array:
        """What the errors of covariances and scalars do to an expectation, by moving them.

        Variances, covariances and scalars are moved one kind at a time, and the changes added. Where the integrand is
        dear and smooth a sample of the inputs tells the slope for all; near perfect correlation, where a kink's
        derivative has a root's slope, every pair is tried.
        """
        if not slack.any() and not any(s.any() for s in env_slack.values()):
            return np.zeros(len(value))
        eye = np.eye(len(symbols), dtype=bool)
        tried, rest = self._tried(block, symbols, c, bool(env))
        moved = np.zeros(len(tried))
        for step in (eye * 1.0, ~eye * 1.0, None):
            change = np.zeros(len(tried))
            for sign in (1.0, -1.0):
                near, at = c[tried], {s: v[tried] for s, v in env.items()}
                if step is None:
                    at = {s: v + sign * env_slack[s][tried] for s, v in at.items()}
                else:
                    near = near + sign * step * slack[tried]
                    near[:, eye] = np.maximum(near[:, eye], 0)
                if (step is None and not at) or (step is not None and not (step * slack).any()):
                    break
                change = np.maximum(change, abs(self._many(block, symbols, near, at)[0] - value[tried]))
            moved += change
        carried = np.zeros(len(value))
        carried[tried] = moved
        if len(rest):
            size = slack.max(axis=(1, 2), initial=0.0) + sum(env_slack.values(), np.zeros(len(value)))
            sampled = np.isin(tried, rest)
            with np.errstate(divide="ignore", invalid="ignore"):
                slopes = np.where(size[tried] > 0, moved / size[tried], 0.0)[sampled]
            carried[rest] = np.maximum(carried[rest], 2 * slopes.max(initial=0.0) * size[rest])
        return carried

    def _tried(self, block: Expr, symbols: tuple[Sym, ...], c: Array, given: bool) -> tuple[Array, Array]:
        """The inputs or pairs at which errors are moved, and those to which a sample of these speaks."""
        everywhere, none = np.arange(len(c)), np.zeros(0, int)
        cheap = not given and len(symbols) <= 2 and homogeneous_degrees(block, symbols) is not None
        if cheap or len(c) <= _SAMPLE or closed_form(block, symbols, c[:1]) is not None:
            return everywhere, none
        d = np.sqrt(np.maximum(np.einsum("kii->ki", c), 1e-300))
        off = np.abs(c) / (d[:, :, None] * d[:, None, :])
        off[:, range(len(symbols)), range(len(symbols))] = 0
        tight = off.max(axis=(1, 2), initial=0.0) > 1 - 1e-5
        rest = np.flatnonzero(~tight)
        return np.concatenate([np.flatnonzero(tight), rest[:: max(1, len(rest) // _SAMPLE)]]), rest


def product(batch: Batch, factors: Sequence[Quantity], domain: str) -> tuple[Array, Array]:
    """The product of quantities over a domain, with the error that theirs allow."""
    value, error = np.ones(batch.size(domain)), np.zeros(batch.size(domain))
    for q in factors:
        v, r = batch.lifted(q.value, q.domain, domain), batch.lifted(q.error, q.domain, domain)
        error = abs(value) * r + abs(v) * error + error * r
        value = value * v
    return value, error


def _sorted(symbols: Iterable[Sym]) -> tuple[Sym, ...]:
    return tuple(sorted(symbols, key=lambda s: s.digest))


def _number(value: float) -> Quantity:
    return Quantity("", np.array([value]), np.array([0.0]))

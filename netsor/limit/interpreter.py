"""The limit of a program: Def. B.3 applied to each instruction in order; numbers are computed only when needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from netsor.core import Group, MatMul, Moment, Nonlin, Program
from netsor.core.uniform import with_gaussians
from netsor.deadline import TimeOver, now, verify_time
from netsor.diagnostics import Diagnostic, NetsorError, Span
from netsor.expr import (
    ONE,
    WIDTH,
    ZERO,
    Const,
    Expr,
    Sym,
    add,
    as_expr,
    canonical,
    diff,
    mul,
    split_coefficient,
    substitute,
    to_text,
    unfold,
)
from netsor.expr.build import wide
from netsor.expr.entry import REALS
from netsor.expr.functions import is_singular
from netsor.expr.infinite_width import at_infinite_width
from netsor.expr.intervals import infer_range
from netsor.expr.nodes import size_beyond
from netsor.expr.rationals import decimal, in_range, rational, split_number, uncertainty
from netsor.gaussian import (
    Estimate,
    Expectation,
    NoNumber,
    NoPointwiseMeaning,
    NotTaken,
    Part,
    Settings,
    Undefined,
    Unsettled,
    expect,
    vanishes,
)
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.law import Input
from netsor.gaussian.symbolic.independence import gaussians_of
from netsor.gaussian.symbolic.powers_of_two import apart, is_far
from netsor.limit.atoms import Atoms
from netsor.limit.definition import ZDOT, ZHAT, ZINIT, ZMOMENT, ZNONLIN
from netsor.limit.initial import InitialLaw
from netsor.limit.meanings import Meanings
from netsor.limit.noise import NONE, Form, Known, Noises, Origin
from netsor.limit.positive import POSITIVE, is_positive_somewhere
from netsor.limit.scalars import (
    function_of_scalars,
    has_value,
    may_jump,
    of_constant,
    rational_value,
    rounding_error,
    taken_branches,
)
from netsor.limit.scale import Scales, times_power
from netsor.limit.separation import of_initial, of_products
from netsor.limit.shapes import Shapes
from netsor.limit.stein import stein_coefficients
from netsor.limit.symbols import coefficient, hat, scalar, spell
from netsor.limit.uncorrelated import Uncorrelated
from netsor.limit.worklist import WorkList, from_below, kept

# How many times the residual of a nearly dependent variable is itself separated into others and a residual.
_DEEPEST = 2


@dataclass(frozen=True)
class Product:
    """What a base symbol Ẑ^{Wx} stands for: σ_W², Z^x, and the matrix (W or Wᵀ)."""

    name: str
    matrix: str
    transposed: bool
    variance: float
    operand: Expr

    @property
    def family(self) -> tuple[str, bool]:
        """The products whose Ẑ's may be correlated with this one."""
        return self.matrix, self.transposed


@dataclass(frozen=True)
class Taken:
    """One computed expectation: its purpose, its integrand and its result."""

    purpose: str
    span: Span | None
    integrand: Expr
    result: Expectation
    seconds: float


@dataclass
class Limit:
    """The limit of one program, and the `Law` of the Ẑ's under which its expectations are taken.

    Ẑ's of equal operands under one matrix are one symbol (they are equal almost surely), so that the perfect
    correlation of a repeated product is exact.
    """

    program: Program
    settings: Settings = field(default_factory=Settings)
    progress: Callable[[str], None] | None = None
    # Constant vectors (of variance 0) that stay symbols, so that derivatives in them can be taken.
    kept: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.program = with_gaussians(self.program.evaluated)
        self._z: dict[str, Expr] = {}
        self._scalars: dict[str, Expr] = {}
        self._atoms = Atoms(self.program, self._z, self._scalars)
        self._products: dict[Sym, Product] = {}
        self._hats: dict[tuple[str, bool, Expr], Sym] = {}
        self._law = InitialLaw(self.program)
        self._derivatives: dict[Sym, tuple[Sym, Expr, str]] = {}
        self._product_of: dict[Sym, Sym] = {}
        self._estimates: dict[Sym, Known] = {}
        self._covariances: dict[tuple[Sym, Sym], Known] = {}
        self._results: dict[Sym, Expectation] = {}
        self._meanings = Meanings(self.is_gaussian)
        self.shapes = Shapes()
        self._uncorrelated = Uncorrelated(self, self.shapes)
        self._noises = Noises()
        # Keyed by identity, since a part that is computed again has errors of its own.
        self._parts: dict[int, tuple[Part, Form]] = {}
        # Means of vectors that are not floats, where their rounding matters.
        self._means: dict[Sym, Known] = {}
        # Scalars of the program whose rational value is known.
        self._exact: dict[Sym, Fraction] = {}
        self._independence: dict[tuple[Sym, Sym], bool] = {}
        self._members: dict[Expr, dict[tuple[str, bool], list[Sym]]] = {}
        self._separations: dict[frozenset[Sym], dict[Sym, Expr]] = {}
        # How many times the residual behind a Ẑ was separated.
        self._depths: dict[Sym, int] = {}
        self._cache: dict[Any, Any] = {}
        self._scales = Scales()
        # By name of a product its Ẑ^{Wx}, and by scalar the power k of a factor 2^k that is split off (0 if absent).
        self._gaussian_parts: dict[str, Expr] = {}
        self._powers: dict[Sym, int] = {}
        # For vectors of variance 0, a bound on the distance between their number and the number meant.
        self._off: dict[Sym, float] = {}
        self._signs: dict[str, tuple[float, float]] = {}
        # Scalars that may have no value, such as 1/θ with θ → 0; a product with 0 is not zero before their value is
        # known.
        self._doubtful: set[Sym] = set()
        # For each instruction those of them that occur in it as written, even if algebra removes them, as in 0 · 1/θ.
        self._used: dict[str, frozenset[Sym]] = {}
        # For each Ẑ those of them that occur in its operand.
        self._under: dict[Sym, frozenset[Sym]] = {}
        # Does nested computations without deep recursion, for programs of ten thousand layers.
        self._work = WorkList()
        self.taken: list[Taken] = []
        self._deadline: float | None = None
        self._latest = math.inf
        if self.settings.budget is not None:
            self.grant(self.settings.budget, 1.0)
        self._built = 0

    # --- Z's: expressions, no numbers -------------------------------------------------------------------------

    def z(self, name: str) -> Expr:
        """Z^x of a vector, as a function of Ẑ's (Remark B.5)."""
        self._build()
        return self._z[name]

    def moment(self, name: str) -> Expr:
        """θ̊ of a scalar: a number where it is known without an expectation, else a symbol."""
        self._build()
        return self._scalars[name]

    def _build(self) -> None:
        if self._built:
            return
        self._built = 1
        p = self.program
        for c in p.constants:
            self._scalars[c.name] = Const(c.limit)
            exact = decimal(c.limit)
            if exact is not None:
                self._exact[Sym(c.name)] = exact
            self._estimates[scalar(c.name)] = self._given(c.name, c.limit, of_constant(c.limit))
        for group in p.groups:
            self._build_group(group)
        rows: dict[tuple[str, tuple[Fraction, ...]], str] = {}
        for e in p.embeddings:
            # Two embeddings U ξ of equal rows are the same vector, and share one Ẑ.
            first = rows.setdefault((e.matrix, tuple(map(rational, p.row(e)))), e.name)
            self._law.members[hat(first)] = first
            self._z[e.name] = ZINIT(ZERO, hat(first)) if any(p.row(e)) else ZERO
        needed = p.needed()
        try:
            for i in p.instructions:
                if i.name in needed:
                    self._build_instruction(i)
        except TimeOver:
            # What is asked for next is told the same.
            self._built = 0
            raise

    def _build_group(self, group: Group) -> None:
        """ZINIT for jointly Gaussian vectors; vectors that are equal up to their means share one Ẑ."""
        k = [[rational(x) for x in row] for row in group.covariance]
        for i, name in enumerate(group.names):
            twin = next((j for j in range(i) if k[i][j] == k[i][i] == k[j][j] and name not in self.kept), i)
            symbol = hat(group.names[twin])
            self._law.members[symbol] = group.names[twin]
            constant = k[i][i] == 0 and name not in self.kept
            mean = as_expr(group.mean[i]) if constant else self._mean(name, group.mean[i], float(k[i][i]))
            self._z[name] = mean if constant else ZINIT(mean, symbol)
            if constant:
                self._exact[Sym(name)] = rational(group.mean[i])
                self._off[Sym(name)] = uncertainty(group.mean[i])

    def _mean(self, name: str, mean: float, variance: float) -> Expr:
        """The mean of a vector as a number, or as a symbol if its rounding matters beside the standard deviation."""
        near = float(mean)
        exact = rational(mean)
        error = 0.0 if exact == decimal(near) else uncertainty(mean) + abs(float(exact - Fraction(near)))
        if error <= 4e-16 * math.sqrt(variance):
            return as_expr(near)
        s = scalar(f"E {name}")
        self._means[s] = self._given(f"E {name}", near, error)
        return s

    @property
    def vectors(self) -> dict[str, Expr]:
        """Z^x of the vectors built so far, by name."""
        return self._z

    @property
    def scalars(self) -> dict[str, Expr]:
        """θ̊ of the scalars built so far, by name: a number or a symbol."""
        return self._scalars

    @property
    def products(self) -> dict[Sym, Product]:
        """What the Ẑ of each MATMUL stands for."""
        return self._products

    def family(self, s: Sym) -> object:
        """The group of 𝒱 or the n×d matrix of a Ẑ that belongs to no MATMUL."""
        return self._law.family(s)

    @property
    def initial(self) -> dict[Sym, str]:
        """The member of 𝒱 that each of the other Ẑ's stands for."""
        return self._law.members

    @property
    def derivatives(self) -> dict[Sym, tuple[Sym, Expr, str]]:
        """For each coefficient of a Ż: its Ẑ^{Wᵀy}, ∂Z^x/∂Ẑ^{Wᵀy} and the name of Wx."""
        return self._derivatives

    def build_all(self) -> None:
        """Find the Z's of all variables, including those that no output needs."""
        self._build()
        for i in self.program.instructions:
            if i.name not in self._z and i.name not in self._scalars:
                self._build_instruction(i)

    def _build_instruction(self, i: MatMul | Nonlin | Moment) -> None:
        verify_time()
        if isinstance(i, (Nonlin, Moment)) and self._doubtful:
            used = frozenset(t for s in i.scalars for t in self._scalars[s].free & self._doubtful)
            if used:
                self._used[i.name] = used
        match i:
            case MatMul():
                self._z[i.name] = self._zmatmul(i)
            case Nonlin():
                there = self._atoms.limit(i)
                z = ZNONLIN(i, self._z, self._scalars) if there is None else there
                self._z[i.name] = self._constant_vector(i, z) if isinstance(z, Const) and there is None else z
            case Moment():
                self._scalars[i.name] = self._zmoment(i)

    def _zmatmul(self, i: MatMul) -> Expr:
        """Z^{Wx} = Ẑ^{Wx} + Ż^{Wx}."""
        k, z = self._scales.unscaled(self._z[i.vector])
        c, operand = split_coefficient(z)
        if operand is ZERO or c == 0:
            return ZERO
        # The symbol stands for the product divided by 2^k, and by 2^j where σ_W² = 4^j v with v of ordinary size.
        variance = self.program.matrix[i.matrix].variance
        j = math.frexp(float(variance))[1] // 2 if is_far(Const(variance)) else 0
        variance = math.ldexp(float(variance), -2 * j) if j else variance
        key = (i.matrix, i.transposed, operand)
        symbol = self._hats.get(key)
        if symbol is None:
            symbol = self._hats[key] = hat(i.name)
            self._products[symbol] = Product(i.name, i.matrix, i.transposed, variance, operand)
            under = frozenset[Sym]().union(*map(self._doubts, operand.free)) if self._doubtful else None
            if under:
                self._under[symbol] = under
        partners = [(s, self._products[s].operand) for s in self._of_matrix(operand, i.matrix, not i.transposed)]
        # Both symbols are scaled by 2^−j: a derivative by the partner's symbol is 2^j times that by its Ẑ, and Ż is
        # scaled like Ẑ^{Wx}.
        dot = ZDOT(variance, operand, partners, lambda s, d: self._coefficient(symbol, s, d, i.name))
        scale = mul(wide(1, k + j), as_expr(c))
        self._gaussian_parts[i.name] = mul(scale, symbol)
        return canonical(mul(scale, add(symbol, dot)))

    def _of_matrix(self, e: Expr, matrix: str, transposed: bool) -> list[Sym]:
        """The Ẑ's of products with this matrix in an expression, in a fixed order."""
        products = self._products
        found = [s for s in e.free if s in products and products[s].matrix == matrix]
        return sorted((s for s in found if products[s].transposed == transposed), key=lambda s: s.digest)

    def gaussian_part(self, i: MatMul) -> Expr:
        """Ẑ^{Wx} of a product, as a multiple of a symbol of `products`; 0 where its operand is 0."""
        self._build()
        return self._gaussian_parts.get(i.name, ZERO)

    def _coefficient(self, product: Sym, partner: Sym, derivative: Expr, name: str) -> Expr:
        """E ∂Z^x/∂Ẑ^{Wᵀy}: a number where the derivative is one or its expectation vanishes, else a symbol."""
        derivative = canonical(derivative)
        if derivative is ZERO or self.vanishes(derivative):
            return ZERO
        if not any(self.is_gaussian(s) for s in derivative.free):
            return derivative
        own = coefficient(self._products[product].name, self._products[partner].name)
        # Derivatives without a pointwise meaning have expectations only jointly, by Stein's lemma (Remark B.6). They
        # are not identified with other scalars, since the solution may be one of many.
        if not is_singular(derivative):
            c, symbol = self._meanings.named(derivative, own)
            if symbol is not own:
                return mul(Const(c), symbol)
        self._product_of[own] = product
        self._derivatives[own] = (partner, derivative, name)
        return own

    def verify(self, name: str) -> None:
        """Raise NetsorError where an instruction that a scalar depends on has no limit: at a kink or a jump (E801), or
        because a scalar in it has none (E802), even one that is multiplied by 0.
        """
        self._refuse(name, self._atoms.without_limit)
        for line in sorted(self.program.needed([name]) & self._used.keys()) if self._used else ():
            for s in self._scalars_used(line):
                self.scalar(s)
        own = self._scalars.get(name, ZERO).free & self._doubtful
        for s in sorted(own, key=lambda s: s.digest):
            self.scalar(s)

    @property
    def has_doubts(self) -> bool:
        """Whether there are instructions in which a scalar may have no value."""
        return bool(self._used)

    def _scalars_used(self, line: str) -> list[Sym]:
        """The scalars of uncertain value that occur in an instruction as written, outside of branches not taken."""
        i = self.program.by_name[line]
        assert isinstance(i, (Nonlin, Moment))
        doubts = {Sym(s): self._scalars[s].free & self._doubtful for s in i.scalars}
        taken = taken_branches(
            at_infinite_width(i.psi), lambda s: None if doubts.get(s, True) else self._known(scalar(s.name))
        )
        return sorted((t for s in taken.free & doubts.keys() for t in doubts[s]), key=lambda t: t.digest)

    def verify_known(self, name: str) -> None:
        """Raise NetsorError (E801) where the limit of such an instruction is not known."""
        self._refuse(name, self._atoms.not_known)

    def _refuse(self, name: str, faults: Mapping[str, Diagnostic]) -> None:
        needed = self.program.needed([name]) if faults else ()
        for line, fault in faults.items():
            if line in needed:
                raise NetsorError(fault)

    def is_one_sided(self, i: Nonlin | Moment) -> bool:
        """Whether the limit of ψ is one-sided, because its arguments approach a kink or a jump from one side."""
        return self._atoms.limit(i) is not None

    def one_sided(self, i: Nonlin | Moment) -> Expr | None:
        """The one-sided limit of ψ where its arguments approach a kink or a jump; None where they do not."""
        return self._atoms.limit(i)

    def integrand(self, i: Moment) -> Expr:
        """The expression whose expectation is θ̊ (Eq. 63)."""
        there = self._atoms.limit(i)
        return ZMOMENT(i, self._z, self._scalars) if there is None else there

    def _zmoment(self, i: Moment) -> Expr:
        there = self._atoms.limit(i)
        exact = None if there is not None else rational_value(at_infinite_width(i.psi), self._exact)
        if exact is not None:
            self._exact[Sym(i.name)] = exact
            found = _nearest(exact)
            if not in_range(found) or exact and not found:
                return wide(*split_number(exact))
            self._estimates[scalar(i.name)] = self._given(i.name, found, _apart(found, exact))
            return Const(found)
        integrand = self.integrand(i)
        # `plain`: the value certainly exists, because the expectation is finite, or the function is defined at its
        # scalars.
        plain = bool(i.vectors) or not (
            self._used.get(i.name) or not has_value(at_infinite_width(i.psi), self._scalars, self._sign)
        )
        if (
            isinstance(integrand, Const)
            and math.isfinite(integrand.value)
            and (plain or there is not None)
            and not (i.scalars and not i.vectors and may_jump(i.psi))
        ):
            return self._constant(i, integrand, there)
        if size_beyond(integrand) is not None and not integrand.free:
            return integrand
        if i.vectors and self.vanishes(integrand):
            return ZERO
        symbol = scalar(i.name)
        k, integrand = self._scales.unscaled(integrand)
        if k:
            self._powers[symbol] = k
        if i.vectors:
            plain = integrable(integrand, gaussians_of(integrand, self)) is True
        if not plain or not all(map(self.is_plain, integrand.free)):
            self._doubtful.add(symbol)
        c, known = 1.0, symbol
        if WIDTH not in i.psi.free and not may_jump(i.psi):
            c, known = self._meanings.named(integrand, symbol)
        return mul(wide(1, k), known if c == 1 else symbol)

    def vanishes(self, integrand: Expr) -> str | None:
        """Why an expectation is zero without being computed; None where it may not be zero, or where a scalar in it may
        have no value, such as 1/θ with θ → 0.
        """
        e = canonical(integrand)
        why = vanishes(e, self)
        return why if why is None or all(map(self.is_plain, e.free)) else None

    def is_plain(self, s: Sym) -> bool:
        """Whether a symbol depends on no scalar that may have no value."""
        return all(t in self._estimates for t in self._doubts(s))

    def _doubts(self, s: Sym) -> frozenset[Sym]:
        """The scalars that may have no value and on which a symbol depends: itself, or those in the operand of a Ẑ."""
        return frozenset((s,)) if s in self._doubtful else self._under.get(s, frozenset())

    def _constant(self, i: Moment, value: Const, there: Expr | None) -> Expr:
        """The number that a scalar was folded to, or a symbol for it if its rounding error is not negligible."""
        s = scalar(i.name)
        if i.vectors or not i.scalars:
            error = of_constant(value.value) if there is not None else self._folded(i, value.value)
            found = self._estimates[s] = self._given(i.name, float(value.value), error)
        else:
            try:
                found = self._estimates[s] = self._scalar(s)
            except NetsorError:
                # Whatever needs the number is told why there is none.
                return s
        return value if found.error <= 1e-15 * abs(value.value) or value.value == found.error == 0 else s

    def _folded(self, i: Nonlin | Moment, folded: float) -> float:
        """A bound on the rounding error of a folded ψ at numbers, with the errors of its arguments."""
        psi = at_infinite_width(i.psi)
        point: dict[Sym, float] = {}
        errors: dict[Sym, float] = {}
        for s in psi.free:
            value = self._z[s.name] if s.name in self._z else self._scalars[s.name]
            if isinstance(value, Const):
                point[s] = float(value.value)
                known = self._estimates.get(scalar(s.name))
                errors[s] = known.error if known is not None else self._off.get(s, 0.0)
        # Arguments that are not numbers cancelled or were multiplied by 0, and only algebraic steps are left.
        whole = len(point) == len(psi.free)
        error = rounding_error(psi, point, errors) if whole else math.inf
        return error if math.isfinite(error) else of_constant(folded)

    def _constant_vector(self, i: Nonlin, value: Const) -> Expr:
        """The number that a Z^x was folded to, or a symbol for it if its rounding error is not negligible."""
        exact = rational_value(at_infinite_width(i.psi), self._exact)
        if exact is not None:
            self._exact[Sym(i.name)] = exact
            near = _nearest(exact)
            if math.isfinite(near) and in_range(near) and (near or not exact):
                self._off[Sym(i.name)] = _apart(near, exact)
                return Const(near)
            return value
        error = self._off[Sym(i.name)] = self._folded(i, value.value)
        if error <= 1e-15 * abs(value.value) or not math.isfinite(value.value):
            return value
        s = scalar(f"E {i.name}")
        self._means[s] = self._given(f"E {i.name}", float(value.value), error)
        return s

    # --- the law of the Ẑ's: numbers, when asked --------------------------------------------------------------

    def is_gaussian(self, s: Sym) -> bool:
        return s in self._products or s in self._law

    def independent(self, a: Sym, b: Sym) -> bool:
        if a is b:
            return False
        key = _ordered(a, b)
        found = self._independence.get(key)
        if found is None:
            for pair in from_below(key, self.pairs_below, self._independence):
                if pair[0] is not pair[1]:
                    self._independence[pair] = self._are_independent(*pair)
            found = self._independence[key]
        return found

    def pairs_below(self, pair: tuple[Sym, Sym]) -> list[tuple[Sym, Sym]]:
        """The pairs of Ẑ's of one matrix on whose covariances the covariance of a pair may depend."""
        p, q = (self._products.get(s) for s in pair)
        if p is None or q is None or p.matrix != q.matrix or p.transposed != q.transposed:
            return []
        mine, yours = self._members_of(p.operand), self._members_of(q.operand)
        return [_ordered(s, t) for family, ss in mine.items() for s in ss for t in yours.get(family, ())]

    def _members_of(self, operand: Expr) -> dict[tuple[str, bool], list[Sym]]:
        """The Ẑ's of products in an expression, by their families."""
        found = self._members.get(operand)
        if found is None:
            found = self._members[operand] = {}
            for s in sorted(operand.free, key=lambda s: s.digest):
                if s in self._products:
                    found.setdefault(self._products[s].family, []).append(s)
        return found

    def _are_independent(self, a: Sym, b: Sym) -> bool:
        p, q = self._products.get(a), self._products.get(b)
        if p is None and q is None:
            return self._law.covariance(a, b) == (0.0, 0.0)
        if p is None or q is None or p.matrix != q.matrix or p.transposed != q.transposed:
            return True
        # The expectation of the product of the operands may vanish by symmetry or independence.
        return p.variance == 0 or self._uncorrelated.vanishes(p.operand, q.operand)

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        key = _ordered(a, b)
        found = self._covariances.get(key)
        if found is None:
            found = self._work.do(lambda: kept(self._covariances, key, self._covariance(*key)))
        return found.estimate

    def _covariance(self, a: Sym, b: Sym) -> Known:
        p, q = self._products.get(a), self._products.get(b)
        if p is None and q is None:
            e = self._law.covariance(a, b)
            what = Origin(f"Cov({spell(a)}, {spell(b)})", "exact algebra")
            return Known(e.value, e.error, self._noises.fresh(e.error, what))
        if a is not b and self.independent(a, b):
            return Known(0.0, 0.0)
        assert p is not None and q is not None
        purpose = f"Cov({spell(a)}, {spell(b)})" if a is not b else f"Var({spell(a)})"
        found = self._expect(ZHAT(p.variance, p.operand, q.operand), purpose, p.name)
        if a is b and found.value == 0 < found.error < 2.0**-1000:
            i = self.program.by_name.get(p.name)
            fault = Unsettled("its variance is out of the range of floating-point numbers, though it need not be 0")
            raise NetsorError(diverges(p.name, i.span if i else None, purpose, fault))
        return found

    def separated(self, symbols: Sequence[Sym], covariance: Sequence[Sequence[float]] | None) -> dict[Sym, Expr]:
        """Nearly dependent Ẑ's as others of their family plus a residual, see `netsor.limit.separation`."""
        if len(symbols) < 2:
            return {}
        key = frozenset(symbols)
        if covariance is None and key in self._separations:
            return self._separations[key]
        families: dict[object, list[int]] = {}
        for i, s in enumerate(symbols):
            p = self._products.get(s)
            families.setdefault(self._law.family(s) if p is None else (p.matrix, p.transposed), []).append(i)
        out: dict[Sym, Expr] = {}
        for where in families.values():
            if len(where) < 2:
                continue
            mine = [symbols[i] for i in where]
            if mine[0] not in self._products:
                if covariance is None:
                    out.update(of_initial(self._law, mine))
                continue
            c = None if covariance is None else [[covariance[i][j] for j in where] for i in where]
            out.update(of_products(mine, self._operand_of, self._rest_of, self._variance_of, c))
        if covariance is None:
            self._separations[key] = out
        return out

    def _operand_of(self, s: Sym) -> Expr:
        return self._products[s].operand

    def _variance_of(self, s: Sym) -> float:
        return self.covariance(s, s).value

    def _rest_of(self, s: Sym, rest: Expr) -> Expr | None:
        """Ẑ of the matrix of s times the residual of its operand; None beyond `_DEEPEST` separations."""
        depth = self._depths.get(s, 0) + 1
        if depth > _DEEPEST:
            return None
        p = self._products[s]
        c, operand = split_coefficient(rest)
        symbol = self._hats.get((p.matrix, p.transposed, operand))
        if symbol is None:
            symbol = self._hats[p.matrix, p.transposed, operand] = Sym((*hat(p.name).name, operand.digest.hex()))
            self._products[symbol] = Product(p.name, p.matrix, p.transposed, p.variance, operand)
        self._depths.setdefault(symbol, depth)
        return canonical(mul(as_expr(c), symbol))

    def scalar(self, s: Sym) -> Estimate:
        found = self._means.get(s) or self._estimates.get(s)
        if found is None:
            found = self._work.do(lambda: kept(self._estimates, s, self._scalar(s)))
        return found.estimate

    def estimate(self, name: str) -> Estimate:
        """θ̊ of a scalar of the program as a number; raises NetsorError (E804) where no float can hold it."""
        value = self.moment(name)
        if isinstance(value, Const):
            return Estimate(float(value.value), self.rounding(name))
        k, rest = apart(value)
        c, s = split_coefficient(rest)
        c = float(c)
        known = Estimate(1.0, 2.0**-51) if s is ONE else self.scalar(s)  # type: ignore[arg-type]
        try:
            return times_power(c * known.value, abs(c) * known.error, k)
        except Unsettled as fault:
            i = self.program.by_name.get(name)
            raise NetsorError(diverges(name, i.span if i else None, name, fault)) from None

    def found(self, name: str) -> float | None:
        """θ̊ of a scalar of the program if it is already known, else None; nothing is computed."""
        value = self.moment(name)
        if any(s not in self._estimates for s in value.free):
            return None
        try:
            return self.estimate(name).value
        except NetsorError:
            return None

    def _scalar(self, s: Sym) -> Known:
        if s in self._derivatives:
            return self._take_coefficient(s)
        name = s.name[1]
        i = self.program.by_name[name]
        assert isinstance(i, Moment)
        if not i.vectors:
            psi = self._atoms.limit(i)
            if psi is None:
                written = at_infinite_width(i.psi)
                fixed: dict[Sym, Expr] = {
                    Sym(c.name): Const(c.limit)
                    for c in self.program.constants
                    if c.name in i.scalars and not c.value.free
                }
                tagged: dict[Sym, Expr] = {Sym(name): self._tagged(name) for name in i.scalars}
                psi = substitute(substitute(written, fixed), tagged)
                if s in self._powers:
                    psi = self._scales.unscaled(canonical(psi))[1]
            else:
                plain: dict[Sym, Expr] = {t: Sym(t.name[1]) for t in psi.free}
                written = substitute(psi, plain)
            found = function_of_scalars(psi, self._known, self._range, written, self._as_typed(i), i.name, i.span)
            own = self._noises.fresh(found.own, Origin(name, "exact algebra"))
            form = self._noises.combined([(1.0, own), *((c, self._made(k)) for k, c in found.slopes.items())])
            return Known(found.value, min(found.error, form.size), form)
        integrand = self.integrand(i)
        if s in self._powers:
            integrand = self._scales.unscaled(integrand)[1]
        result, form = self._expected(integrand, name, name)
        self._results[s] = result
        return Known(result.value, result.error, form)

    def _as_typed(self, i: Moment) -> Callable[[Sym], str]:
        """How messages show scalars: an intermediate result as the expression that the program has for it."""

        def shown(s: Sym) -> str:
            made = self.program.by_name.get(str(s.name))
            # A name that does not occur in the text was introduced for an intermediate result.
            inside = i.span is not None and str(s.name).split("[")[0] not in i.span.source.text
            if not inside or not isinstance(made, Moment):
                return str(s.name)
            text = to_text(made.psi, shown)
            return f"mean({text})" if made.vectors else f"({text})"

        return shown

    def _tagged(self, name: str) -> Expr:
        """A scalar of the program in a function of scalars: its symbol, with the power of two that was split off."""
        value = self._scalars[name]
        return scalar(name) if isinstance(value, (Const, Sym)) else value

    def _known(self, s: Sym) -> Estimate:
        """A scalar of the program by its symbol, including one that is known without an expectation."""
        if s in self._powers:
            return self.scalar(s)
        value = self._scalars[s.name[1]]
        if not isinstance(value, Const):
            return self.scalar(value)  # type: ignore[arg-type]
        found = self._estimates.get(s)
        return Estimate(float(value.value), 0.0) if found is None else found.estimate

    def _given(self, name: str, value: float, error: float) -> Known:
        """A number that is known without an expectation, with its rounding error."""
        return Known(value, error, self._noises.fresh(error, Origin(name, "exact algebra")))

    def rounding(self, name: str) -> float:
        """A bound on the rounding error of a scalar that is known without an expectation."""
        found = self._estimates.get(scalar(name))
        return found.error if found is not None else 0.0

    def _made(self, i: Input) -> Form:
        """The affine form of the error of a scalar of the program, under whichever symbol it is stored."""
        assert isinstance(i, Sym)
        value = self._scalars[i.name[1]]
        return self._form(value if isinstance(value, Sym) else i)

    def _form(self, i: Input) -> Form:
        """The affine form of the error of a known number."""
        found = self._means.get(i) or self._estimates.get(i) if isinstance(i, Sym) else self._covariances.get(i)
        return NONE if found is None else found.form

    def _range(self, s: Sym) -> tuple[float, float]:
        """The range of a scalar that its own expression implies: a mean of squares is never negative."""
        i = self.program.by_name.get(s.name[1])
        if s in self._powers and isinstance(i, Moment):
            return (0.0, math.inf) if infer_range(unfold(i.psi), {})[0] >= 0 else REALS
        return REALS if not isinstance(i, Moment) or WIDTH in i.psi.free else infer_range(unfold(i.psi), {})

    def _sign(self, s: Sym) -> tuple[float, float]:
        """A range of a scalar, with a positive lower end where it must be positive, as for most means of squares."""
        waiting = [s.name[1]]
        while waiting:
            name = waiting[-1]
            i = self.program.by_name.get(name)
            plain = isinstance(i, Moment) and WIDTH not in i.psi.free
            before = [x for x in i.scalars if x not in self._signs] if plain else []  # type: ignore[union-attr]
            if before and name not in self._signs:
                waiting += before
                continue
            waiting.pop()
            if name not in self._signs:
                self._signs[name] = self._sign_of(i) if plain else REALS  # type: ignore[arg-type]
        return self._signs[s.name[1]]

    def _sign_of(self, i: Moment) -> tuple[float, float]:
        low, high = infer_range(unfold(i.psi), {Sym(x): self._signs[x] for x in i.scalars})
        positive = low == 0 and i.vectors and is_positive_somewhere(self.integrand(i), self.is_gaussian)
        return (POSITIVE[0] if positive else low), high

    def _take_coefficient(self, s: Sym) -> Known:
        found = self._pointwise(s)
        if found is not None:
            return found
        # Remark B.6: Stein's lemma gives the expectations of all partial derivatives together, from the E Ẑ^{Wᵀy} Z^x.
        name = self._derivatives[s][2]
        partners, operand, which = self.stein_system(s)
        b = [self._expect(canonical(mul(t, operand)), f"E {spell(t)} Z^x in Ż^{name}", name) for t in partners]
        c = [[self.covariance(t, u) for u in partners] for t in partners]
        known = [self._beside(s, t) for t in partners]
        given = [None if k is None else k.estimate for k in known]
        a = stein_coefficients(c, [e.estimate for e in b], given)[which]
        parts = [(1.0, self._noises.fresh(a.own, Origin(spell(s), "Stein's lemma")))]
        parts += zip(a.by_b.tolist(), (e.form for e in b), strict=True)
        parts += [(float(x), k.form) for x, k in zip(a.by_known, known, strict=True) if k is not None]
        for t, row in zip(partners, a.by_c.tolist(), strict=True):
            parts += [(x, self._form(_ordered(t, u))) for x, u in zip(row, partners, strict=True)]
        form = self._noises.combined(parts)
        return Known(a.estimate.value, min(a.estimate.error, form.size), form)

    def _pointwise(self, s: Sym) -> Known | None:
        """E ∂Z^x/∂Ẑ^{Wᵀy} as an expectation; None where the derivative has no pointwise meaning."""
        partner, derivative, name = self._derivatives[s]
        try:
            found, form = self._taken(derivative, f"E ∂Z/∂{spell(partner)} in Ż^{name}", name)
        except NoPointwiseMeaning:
            return None
        self._results[s] = found
        return Known(found.value, found.error, form)

    def _beside(self, s: Sym, partner: Sym) -> Known | None:
        """The coefficient of another Ẑ^{Wᵀy} in the same Ż, if it is known without Stein's lemma."""
        other = self.beside(s, partner)
        if other in self._derivatives:
            return self._pointwise(other)
        return self._expect(other, f"E ∂Z/∂{spell(partner)}", self._derivatives[s][2])

    def beside(self, s: Sym, partner: Sym) -> Expr:
        """E ∂Z^x/∂Ẑ^{Wᵀy} for another Ẑ^{Wᵀy} in the Ż of s: a symbol, or a value known without numbers."""
        name = self._derivatives[s][2]
        product = self._product_of[s]
        return self._coefficient(product, partner, diff(self._products[product].operand, partner), name)

    def stein_system(self, s: Sym) -> tuple[list[Sym], Expr, int]:
        """The Ẑ^{Wᵀy^i} on which Z^x depends, Z^x, and the index of the one that s belongs to (Remark B.6)."""
        partner = self._derivatives[s][0]
        operand = self._products[self._product_of[s]].operand
        q = self._products[partner]
        partners = self._of_matrix(operand, q.matrix, q.transposed)
        return partners, operand, partners.index(partner)

    def grant(self, seconds: float, share: float) -> None:
        """Set the seconds for the next computations; one expectation may take this `share` of what is left of them."""
        self._deadline = now() + seconds
        self._latest = self._deadline + 0.5 * max(seconds, 0.0)
        self._share = share

    def forget_numbers(self) -> None:
        """Forget every number, to compute it again with more time; accurate ones are found in the cache."""
        constants = {scalar(name) for name, value in self._scalars.items() if isinstance(value, Const)}
        self._estimates = {s: e for s, e in self._estimates.items() if s in constants}
        self._covariances.clear()
        # Parts that no result refers to are dropped: a later object with the same id would be taken for them.
        self._cache = {k: p for k, p in self._cache.items() if id(p) in self._parts or k[0] == "numbers"}

    # --- expectations -----------------------------------------------------------------------------------------

    def result_of(self, s: Sym) -> Expectation | None:
        """The expectation of a scalar, if it was computed as one."""
        return self._results.get(s)

    def _expect(self, integrand: Expr, purpose: str, name: str) -> Known:
        result, form = self._expected(integrand, purpose, name)
        return Known(result.value, result.error, form)

    def _expected(self, integrand: Expr, purpose: str, name: str) -> tuple[Expectation, Form]:
        try:
            return self._taken(integrand, purpose, name)
        except NoPointwiseMeaning as fault:
            i = self.program.by_name.get(name)
            raise NetsorError(diverges(name, i.span if i else None, purpose, fault)) from None

    def expectation(self, integrand: Expr, purpose: str, name: str) -> Expectation:
        """E of an expression in Ẑ's; `name` is the variable of the program that needs it."""
        return self._taken(integrand, purpose, name)[0]

    def _taken(self, integrand: Expr, purpose: str, name: str) -> tuple[Expectation, Form]:
        """An expectation, and the affine form of its error."""
        i = self.program.by_name.get(name)
        span = i.span if i else None
        if self.progress:
            self.progress(purpose)
        doubts = frozenset[Sym]().union(*map(self._doubts, integrand.free))
        if doubts:
            integrand = taken_branches(
                integrand, lambda s: None if self.is_gaussian(s) or s in self._doubtful else self.scalar(s)
            )
            doubts = frozenset[Sym]().union(*map(self._doubts, integrand.free))
        for s in sorted(doubts, key=lambda s: s.digest):
            # If one of these has no value the integrand is undefined, even where it is multiplied by 0; `scalar` then
            # raises.
            self.scalar(s)
        settings = self.settings
        if self._deadline is not None:
            at = now()
            # After the deadline an expectation still gets a quarter of what is left of an extension by half, and
            # finally no more than the methods that ignore the budget.
            left = max(self._share * (self._deadline - at), 0.25 * (self._latest - at), 0.0)
            settings = replace(settings, budget=left)
        start = now()
        try:
            result = expect(integrand, self, settings, cache=self._cache)
        except NoNumber as fault:
            raise NetsorError(diverges(name, span, purpose, fault)) from None
        own = self._noises.fresh(result.own, Origin(purpose, result.method))
        parts = [(w, self._part(p, purpose)) for w, p in zip(result.weights, result.parts, strict=True)]
        scalars = [(slope, self._form(s)) for s, slope in result.slopes.items()]
        form = self._noises.combined([(1.0, own), *parts, *scalars])
        error = min(result.error, form.size)
        result = replace(result, error=error, converged=error <= settings.tol * result.scale)
        self.taken.append(Taken(purpose, span, integrand, result, now() - start))
        return result, form

    def _part(self, part: Part, purpose: str) -> Form:
        """The affine form of the error of one block, which is the same error wherever the block occurs."""
        found = self._parts.get(id(part))
        if found is None:
            own = self._noises.fresh(part.own, Origin(purpose, part.method))
            inputs = [(slope, self._form(i)) for i, slope in part.slopes.items()]
            found = self._parts[id(part)] = part, self._noises.combined([(1.0, own), *inputs])
        return found[1]

    def methods(self, s: Sym) -> list[str]:
        """The methods of all steps that lead to a scalar."""
        return self._noises.methods(self._form(s))

    def culprit(self, s: Sym) -> tuple[Origin, float] | None:
        """The origin of the errors that contribute most to a scalar, and their part of its bound."""
        return self._noises.largest(self._form(s))


def _ordered(a: Sym, b: Sym) -> tuple[Sym, Sym]:
    return (a, b) if a.digest <= b.digest else (b, a)


def _apart(x: float, q: Fraction) -> float:
    """The distance of a rational number from a float or its shortest decimal, if larger; 0 if that decimal is exact."""
    shown = Fraction(repr(x))
    return 0.0 if shown == q else max(abs(float(shown - q)), abs(float(Fraction(x) - q)))


def _nearest(q: Fraction) -> float:
    try:
        return float(q)
    except OverflowError:
        return math.inf


def diverges(name: str, span: Span | None, purpose: str, why: Exception) -> Diagnostic:
    """The diagnostic for an expectation that is infinite, does not exist, or was not found."""
    if isinstance(why, (Unsettled, NotTaken)):
        return Diagnostic(
            "E804",
            f"the limit of `{name}` could not be computed: {why}",
            span,
            label=f"{purpose} was not found",
            notes=("this does not say that there is no limit",),
        )
    if isinstance(why, Undefined):
        return Diagnostic(
            "E802",
            f"the limit of `{name}` does not exist: {why}",
            span,
            label=f"{purpose} has no value",
            notes=("a function of scalars must be continuous at their limits (Assumption B.8, 1)",),
        )
    return Diagnostic(
        "E801",
        f"the limit of `{name}` does not exist: {why}",
        span,
        label=f"{purpose} has no finite value",
        notes=("a limit is an expectation over Gaussian variables (Def. B.3), and this one diverges",),
    )


# What is shown where there is no value; only E804 leaves it open whether a limit exists.
MISSING = {"none": "does not exist", "unknown": "not computed"}


def method_without_value(fault: NetsorError) -> str:
    """A key of `MISSING`: "unknown" where only the number could not be found (E804), "none" where there is no limit."""
    return "unknown" if all(d.code == "E804" for d in fault.diagnostics) else "none"

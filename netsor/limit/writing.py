"""Def. B.3 in symbols: Z's as functions of Ẑ's and of limit scalars, and what is known of them without numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from netsor.core import Group, MatMul, Moment, Nonlin, Program
from netsor.deadline import TimeOver, verify_time
from netsor.diagnostics import NetsorError
from netsor.expr import (
    WIDTH,
    ZERO,
    Const,
    Expr,
    Mul,
    Sym,
    add,
    as_expr,
    canonical,
    mul,
    split_coefficient,
)
from netsor.expr.build import wide
from netsor.expr.functions import is_singular
from netsor.expr.infinite_width import at_infinite_width
from netsor.expr.nodes import size_beyond
from netsor.expr.rationals import rational
from netsor.gaussian import Unsettled, vanishes
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.symbolic.independence import gaussians_of
from netsor.gaussian.symbolic.powers_of_two import is_far
from netsor.limit.atoms import Atoms
from netsor.limit.below import Below
from netsor.limit.definition import ZDOT, ZINIT, ZMOMENT, ZNONLIN
from netsor.limit.doubts import Doubts
from netsor.limit.folded import Folded
from netsor.limit.initial import InitialLaw
from netsor.limit.meanings import Meanings
from netsor.limit.noise import Known
from netsor.limit.numbers import Numbers, ordered
from netsor.limit.scalars import has_value, may_jump, of_constant
from netsor.limit.scale import Scales
from netsor.limit.shapes import Shapes
from netsor.limit.signs import Signs
from netsor.limit.symbols import coefficient as named
from netsor.limit.symbols import hat, scalar
from netsor.limit.uncorrelated import Limits, Uncorrelated
from netsor.limit.worklist import from_below


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


class Writing:
    """The Z's of one program, each written once.

    Ẑ's of equal operands under one matrix are one symbol (they are equal almost surely), so that the perfect
    correlation of a repeated product is exact. `whole` is the limit that this is a part of, as a law; `number` computes
    a function of scalars.
    """

    def __init__(
        self, program: Program, kept: frozenset[str], numbers: Numbers, whole: Limits, number: Callable[[Sym], Known]
    ):
        self.program, self.numbers = program, numbers
        self._kept, self._whole, self._number = kept, whole, number
        self.z: dict[str, Expr] = {}
        self.scalars: dict[str, Expr] = {}
        self.products: dict[Sym, Product] = {}
        self.law = InitialLaw(program)
        # For each coefficient of a Ż its Ẑ^{Wᵀy}, ∂Z^x/∂Ẑ^{Wᵀy} and the name of Wx; and the Ẑ^{Wx} of that product.
        self.derivatives: dict[Sym, tuple[Sym, Expr, str]] = {}
        self.product_of: dict[Sym, Sym] = {}
        # By name of a product its Ẑ^{Wx}, and by scalar the power k of a factor 2^k that is split off (0 if absent).
        self.gaussian_parts: dict[str, Expr] = {}
        self.powers: dict[Sym, int] = {}
        self.hats: dict[tuple[str, bool, Expr], Sym] = {}
        self.atoms = Atoms(program, self.z, self.scalars)
        self.doubts = Doubts(self.scalars, numbers.scalars)
        self.folded = Folded(self.z, self.scalars, numbers)
        self.scales = Scales()
        self.shapes = Shapes()
        self.below = Below(self.products)
        self.signs = Signs(program, self.powers, self.integrand, self.is_gaussian)
        self._meanings = Meanings(self.is_gaussian)
        self._means: dict[Expr, Expr] = {}
        self._uncorrelated = Uncorrelated(whole, self.shapes)
        self._independence: dict[tuple[Sym, Sym], bool] = {}
        self._built = False

    # --- the rules --------------------------------------------------------------------------------------------

    def build(self) -> None:
        """Find the Z's of what the outputs need; does nothing when called again."""
        if self._built:
            return
        self._built = True
        p = self.program
        for c in p.constants:
            self.scalars[c.name] = self.folded.constant(c.name, c.limit)
        for group in p.groups:
            self._build_group(group)
        rows: dict[tuple[str, tuple[Fraction, ...]], str] = {}
        for e in p.embeddings:
            # Two embeddings U ξ of equal rows are the same vector, and share one Ẑ.
            first = rows.setdefault((e.matrix, tuple(map(rational, p.row(e)))), e.name)
            self.law.members[hat(first)] = first
            self.z[e.name] = ZINIT(ZERO, hat(first)) if any(p.row(e)) else ZERO
        needed = p.needed()
        try:
            for i in p.instructions:
                if i.name in needed:
                    self._build_instruction(i)
        except TimeOver:
            # What is asked for next is told the same.
            self._built = False
            raise

    def _build_group(self, group: Group) -> None:
        """ZINIT for jointly Gaussian vectors; vectors that are equal up to their means share one Ẑ."""
        k = [[rational(x) for x in row] for row in group.covariance]
        for i, name in enumerate(group.names):
            twin = next((j for j in range(i) if k[i][j] == k[i][i] == k[j][j] and name not in self._kept), i)
            symbol = hat(group.names[twin])
            self.law.members[symbol] = group.names[twin]
            constant = k[i][i] == 0 and name not in self._kept
            if constant:
                self.z[name] = self.folded.member(group, i)
            else:
                self.z[name] = ZINIT(self.folded.mean(name, group.mean[i], float(k[i][i])), symbol)

    def build_all(self) -> None:
        """Find the Z's of all variables, including those that no output needs."""
        self.build()
        for i in self.program.instructions:
            if i.name not in self.z and i.name not in self.scalars:
                self._build_instruction(i)

    def _build_instruction(self, i: MatMul | Nonlin | Moment) -> None:
        verify_time()
        if isinstance(i, (Nonlin, Moment)):
            self.doubts.note_line(i)
        match i:
            case MatMul():
                self.atoms.verify_product(i)
                self.z[i.name] = self._zmatmul(i)
            case Nonlin():
                there = self.atoms.limit(i)
                z = ZNONLIN(i, self.z, self.scalars) if there is None else there
                self.z[i.name] = self.folded.vector(i, z) if isinstance(z, Const) and there is None else z
            case Moment():
                self.scalars[i.name] = self._zmoment(i)

    def _zmatmul(self, i: MatMul) -> Expr:
        """Z^{Wx} = Ẑ^{Wx} + Ż^{Wx}."""
        k, z = self.scales.unscaled(self.z[i.vector])
        c, operand = split_coefficient(z)
        if operand is ZERO or c == 0:
            return ZERO
        # The symbol stands for the product divided by 2^k, and by 2^j where σ_W² = 4^j v with v of ordinary size.
        variance = self.program.matrix[i.matrix].variance
        j = math.frexp(float(variance))[1] // 2 if is_far(Const(variance)) else 0
        variance = math.ldexp(float(variance), -2 * j) if j else variance
        key = (i.matrix, i.transposed, operand)
        symbol = self.hats.get(key)
        if symbol is None:
            symbol = self.hats[key] = hat(i.name)
            self.products[symbol] = Product(i.name, i.matrix, i.transposed, variance, operand)
            self.doubts.note_product(symbol, operand)
        partners = [(s, self.products[s].operand) for s in self.of_matrix(operand, i.matrix, not i.transposed)]
        # Both symbols are scaled by 2^−j: a derivative by the partner's symbol is 2^j times that by its Ẑ, and Ż is
        # scaled like Ẑ^{Wx}.
        dot = ZDOT(variance, operand, partners, lambda s, d: self.coefficient(symbol, s, d, i.name))
        scale = mul(wide(1, k + j), as_expr(c))
        self.gaussian_parts[i.name] = mul(scale, symbol)
        return canonical(mul(scale, add(symbol, dot)))

    def coefficient_of(self, z: Expr) -> tuple[Expr, Expr]:
        """(c, u) with Z = c u, where c is the product of all factors without a Gaussian: Ẑ^{W(cu)} = c Ẑ^{Wu}."""
        factors = z.children if isinstance(z, Mul) else (z,)
        of_u = [f for f in factors if any(map(self.is_gaussian, f.free))]
        return mul(*(f for f in factors if f not in of_u)), mul(*of_u)

    def of_matrix(self, e: Expr, matrix: str, transposed: bool) -> list[Sym]:
        """The Ẑ's of products with this matrix in an expression, in a fixed order."""
        return sorted(self.below.of_family((matrix, transposed)) & e.free, key=lambda s: s.digest)

    def gaussian_part(self, i: MatMul) -> Expr:
        """Ẑ^{Wx} of a product, as a multiple of a symbol of `products`; 0 where its operand is 0."""
        self.build()
        return self.gaussian_parts.get(i.name, ZERO)

    def coefficient(self, product: Sym, partner: Sym, derivative: Expr, name: str) -> Expr:
        """E ∂Z^x/∂Ẑ^{Wᵀy}: a number where the derivative is one or its expectation vanishes, else a symbol."""
        derivative = canonical(derivative)
        if derivative is ZERO or self.vanishes(derivative):
            return ZERO
        if not any(self.is_gaussian(s) for s in derivative.free):
            return derivative
        own = named(self.products[product].name, self.products[partner].name)
        # Derivatives without a pointwise meaning have expectations only jointly, by Stein's lemma (Remark B.6). They
        # are not identified with other scalars, since the solution may be one of many.
        if not is_singular(derivative):
            c, symbol = self._meanings.named(derivative, own)
            if symbol is not own:
                return mul(Const(c), symbol)
        self.product_of[own] = product
        self.derivatives[own] = (partner, derivative, name)
        return own

    def integrand(self, i: Moment) -> Expr:
        """The expression whose expectation is θ̊ (Eq. 63)."""
        there = self.atoms.limit(i)
        return ZMOMENT(i, self.z, self.scalars) if there is None else there

    def _zmoment(self, i: Moment) -> Expr:
        there = self.atoms.limit(i)
        exact = None if there is not None else self.folded.exactly(i)
        if exact is not None:
            return exact
        integrand = self.integrand(i)
        # Most numbers of a step of SGD are those of the steps before, since variables move by 1/√n: what a scalar with
        # this integrand was found to be is not looked for again.
        usual = (
            there is None and bool(i.vectors) and i.name not in self.doubts.used and not isinstance(integrand, Const)
        )
        usual = usual and WIDTH not in i.psi.free and not may_jump(i.psi)
        if usual and integrand in self._means:
            return self._means[integrand]
        value = self._mean_of(i, integrand, there)
        if usual:
            self._means[integrand] = value
        return value

    def _mean_of(self, i: Moment, integrand: Expr, there: Expr | None) -> Expr:
        """θ̊ from its integrand: zero, a number, or a symbol whose value is computed where it is needed."""
        # `plain`: the value certainly exists, because the expectation is finite, or the function is defined at its
        # scalars.
        plain = bool(i.vectors) or not (
            self.doubts.used.get(i.name) or not has_value(at_infinite_width(i.psi), self.scalars, self.signs.sign_of)
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
        k, integrand = self.scales.unscaled(integrand)
        if k:
            self.powers[symbol] = k
        if i.vectors:
            plain = integrable(integrand, gaussians_of(integrand, self._whole)) is True
        if not plain or not self.doubts.are_plain(integrand.free):
            self.doubts.scalars.add(symbol)
        c, known = 1.0, symbol
        if WIDTH not in i.psi.free and not may_jump(i.psi):
            c, known = self._meanings.named(integrand, symbol)
        return mul(wide(1, k), known if c == 1 else symbol)

    def _constant(self, i: Moment, value: Const, there: Expr | None) -> Expr:
        """The number that a scalar was folded to, or a symbol for it if its rounding error is not negligible."""
        s = scalar(i.name)
        if i.vectors or not i.scalars:
            error = of_constant(value.value) if there is not None else self.folded.rounding(i, value.value)
            found = self.numbers.scalars[s] = self.numbers.given(i.name, float(value.value), error)
        else:
            try:
                found = self.numbers.scalars[s] = self._number(s)
            except NetsorError:
                # Whatever needs the number is told why there is none.
                return s
        return value if found.error <= 1e-15 * abs(value.value) or value.value == found.error == 0 else s

    # --- what is known without numbers ------------------------------------------------------------------------

    def vanishes(self, integrand: Expr) -> str | None:
        """Why an expectation is zero without being computed; None where it may not be zero, or where a scalar in it may
        have no value, such as 1/θ with θ → 0.
        """
        e = canonical(integrand)
        why = vanishes(e, self._whole)
        return why if why is None or self.doubts.are_plain(e.free) else None

    def is_gaussian(self, s: Sym) -> bool:
        return s in self.products or s in self.law

    def independent(self, a: Sym, b: Sym) -> bool:
        if a is b:
            return False
        if self._products_apart(a, b):
            return True
        key = ordered(a, b)
        found = self._independence.get(key)
        if found is None:
            for pair in from_below(key, self.pairs_below, self._independence):
                self._independence[pair] = pair[0] is not pair[1] and self._are_independent(*pair)
            found = self._independence[key]
        return found

    def _products_apart(self, a: Sym, b: Sym) -> bool:
        """Whether of two Ẑ's one belongs to 𝒱 and the other to a product, or they belong to products with other
        matrices; W and Wᵀ count as two.
        """
        p, q = self.products.get(a), self.products.get(b)
        if p is None or q is None:
            return p is not q
        return p.matrix != q.matrix or p.transposed != q.transposed

    def pairs_below(self, pair: tuple[Sym, Sym]) -> list[tuple[Sym, Sym]]:
        """The pairs of Ẑ's of one matrix on whose covariances the covariance of a pair may depend."""
        p, q = (self.products.get(s) for s in pair)
        if p is None or q is None or self._products_apart(*pair):
            return []
        return self.below.pairs(p.operand, q.operand)

    def _are_independent(self, a: Sym, b: Sym) -> bool:
        p, q = self.products.get(a), self.products.get(b)
        if p is None or q is None:
            try:
                return self.law.covariance(a, b) == (0.0, 0.0)
            except Unsettled:  # too large for a number, and so not zero
                return False
        # The expectation of the product of the operands may vanish by symmetry or independence.
        return p.variance == 0 or self._uncorrelated.vanishes(p.operand, q.operand)

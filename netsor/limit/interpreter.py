"""The limit of a program: Def. B.3 applied to each instruction in order; numbers are computed only when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.core.uniform import with_gaussians
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.expr import ONE, ZERO, Const, Expr, Sym, as_expr, canonical, mul, split_coefficient, substitute, to_text
from netsor.expr.infinite_width import at_infinite_width
from netsor.gaussian import Estimate, Expectation, OutOfRange, Settings, Unsettled
from netsor.gaussian.law import Input
from netsor.gaussian.symbolic.powers_of_two import apart
from netsor.limit.coefficients import Coefficients
from netsor.limit.definition import ZHAT
from netsor.limit.expectations import Expectations, Taken
from netsor.limit.missing import diverges
from netsor.limit.noise import Form, Known, Origin
from netsor.limit.numbers import Numbers, ordered
from netsor.limit.scalars import function_of_scalars, taken_branches
from netsor.limit.scale import times_power
from netsor.limit.separation import of_initial, of_products
from netsor.limit.shapes import Shapes
from netsor.limit.symbols import hat, scalar, spell
from netsor.limit.worklist import WorkList, kept
from netsor.limit.writing import Product, Writing

# How many times the residual of a nearly dependent variable is itself separated into others and a residual.
_DEEPEST = 2


@dataclass
class Limit:
    """The limit of one program, and the `Law` of the Ẑ's under which its expectations are taken.

    `written` has the Z's; here are the numbers: covariances of Ẑ's and limits of scalars, each computed when asked for.
    """

    program: Program
    settings: Settings = field(default_factory=Settings)
    progress: Callable[[str], None] | None = None
    # Constant vectors (of variance 0) that stay symbols, so that derivatives in them can be taken.
    kept: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.program = with_gaussians(self.program.evaluated)
        self._numbers = numbers = Numbers()
        self.written = Writing(self.program, self.kept, numbers, self, self._scalar)
        doubts = self.written.doubts
        self._expectations = Expectations(self, self.program, self.settings, doubts, numbers, self.progress)
        self._results: dict[Sym, Expectation] = {}
        self._coefficients = Coefficients(self, self.written, self._expectations, numbers, self._results)
        self._separations: dict[frozenset[Sym], dict[Sym, Expr]] = {}
        # How many times the residual behind a Ẑ was separated.
        self._depths: dict[Sym, int] = {}
        # Does nested computations without deep recursion, for programs of ten thousand layers.
        self._work = WorkList()

    # --- what is written --------------------------------------------------------------------------------------

    def z(self, name: str) -> Expr:
        """Z^x of a vector, as a function of Ẑ's (Remark B.5)."""
        self.written.build()
        return self.written.z[name]

    def moment(self, name: str) -> Expr:
        """θ̊ of a scalar: a number where it is known without an expectation, else a symbol."""
        self.written.build()
        return self.written.scalars[name]

    @property
    def vectors(self) -> dict[str, Expr]:
        """Z^x of the vectors built so far, by name."""
        return self.written.z

    @property
    def scalars(self) -> dict[str, Expr]:
        """θ̊ of the scalars built so far, by name: a number or a symbol."""
        return self.written.scalars

    @property
    def products(self) -> dict[Sym, Product]:
        """What the Ẑ of each MATMUL stands for."""
        return self.written.products

    def family(self, s: Sym) -> object:
        """The group of 𝒱 or the n×d matrix of a Ẑ that belongs to no MATMUL."""
        return self.written.law.family(s)

    @property
    def initial(self) -> dict[Sym, str]:
        """The member of 𝒱 that each of the other Ẑ's stands for."""
        return self.written.law.members

    @property
    def derivatives(self) -> dict[Sym, tuple[Sym, Expr, str]]:
        """For each coefficient of a Ż: its Ẑ^{Wᵀy}, ∂Z^x/∂Ẑ^{Wᵀy} and the name of Wx."""
        return self.written.derivatives

    @property
    def shapes(self) -> Shapes:
        """The shapes of the expressions of this limit, and the order of its symbols."""
        return self.written.shapes

    def build_all(self) -> None:
        """Find the Z's of all variables, including those that no output needs."""
        self.written.build_all()

    def gaussian_part(self, i: MatMul) -> Expr:
        """Ẑ^{Wx} of a product, as a multiple of a symbol of `products`; 0 where its operand is 0."""
        return self.written.gaussian_part(i)

    def integrand(self, i: Moment) -> Expr:
        """The expression whose expectation is θ̊ (Eq. 63)."""
        return self.written.integrand(i)

    def vanishes(self, integrand: Expr) -> str | None:
        """Why an expectation is zero without being computed, see `Writing.vanishes`."""
        return self.written.vanishes(integrand)

    def beside(self, s: Sym, partner: Sym) -> Expr:
        """The coefficient of another Ẑ^{Wᵀy} in the Ż of s, see `Coefficients.beside`."""
        return self._coefficients.beside(s, partner)

    def stein_system(self, s: Sym) -> tuple[list[Sym], Expr, int]:
        """What Stein's lemma needs for a coefficient, see `Coefficients.stein_system`."""
        return self._coefficients.stein_system(s)

    def verify(self, name: str) -> None:
        """Raise NetsorError where an instruction that a scalar depends on has no limit: at a kink or a jump (E801), or
        because a scalar in it has none (E802), even one that is multiplied by 0.
        """
        self._refuse(name, self.written.atoms.without_limit)
        doubts = self.written.doubts
        for line in sorted(self.program.needed([name]) & doubts.used.keys()) if doubts.used else ():
            for s in self._uncertain_in(line):
                self.scalar(s)
        own = self.written.scalars.get(name, ZERO).free & doubts.scalars
        for s in sorted(own, key=lambda s: s.digest):
            self.scalar(s)

    @property
    def has_doubts(self) -> bool:
        """Whether there are instructions in which a scalar may have no value."""
        return bool(self.written.doubts.used)

    @property
    def meets_jumps(self) -> bool:
        """Whether there are instructions without a limit, or whose limit is not known, at a kink or a jump."""
        return bool(self.written.atoms.without_limit or self.written.atoms.not_known)

    def _uncertain_in(self, line: str) -> list[Sym]:
        """The scalars of uncertain value that occur in an instruction as written, outside of branches not taken."""
        i = self.program.by_name[line]
        assert isinstance(i, (Nonlin, Moment))
        doubts = {Sym(s): self.written.scalars[s].free & self.written.doubts.scalars for s in i.scalars}
        taken = taken_branches(
            at_infinite_width(i.psi), lambda s: None if doubts.get(s, True) else self._known(scalar(s.name))
        )
        return sorted((t for s in taken.free & doubts.keys() for t in doubts[s]), key=lambda t: t.digest)

    def verify_known(self, name: str) -> None:
        """Raise NetsorError (E801) where the limit of such an instruction is not known."""
        self._refuse(name, self.written.atoms.not_known)

    @contextmanager
    def known_first(self, name: str) -> Iterator[None]:
        """A block in which a divergence is told only where the limits of all lines are known: that of what stands in
        the place of an unknown one says nothing.
        """
        try:
            yield
        except NetsorError:
            self.verify_known(name)
            raise

    def _refuse(self, name: str, faults: Mapping[str, Diagnostic]) -> None:
        needed = self.program.needed([name]) if faults else ()
        for line, fault in faults.items():
            if line in needed:
                raise NetsorError(fault)

    def is_one_sided(self, i: Nonlin | Moment) -> bool:
        """Whether the limit of ψ is one-sided, because its arguments approach a kink or a jump from one side."""
        return self.written.atoms.limit(i) is not None

    def one_sided(self, i: Nonlin | Moment) -> Expr | None:
        """The one-sided limit of ψ where its arguments approach a kink or a jump; None where they do not."""
        return self.written.atoms.limit(i)

    def lies_on_kink(self, i: Nonlin | Moment) -> bool:
        """Whether arguments of ψ lie on a kink, a jump or a root in the limit, with positive probability."""
        return self.written.atoms.meets(i)

    # --- the law of the Ẑ's -----------------------------------------------------------------------------------

    def is_gaussian(self, s: Sym) -> bool:
        return self.written.is_gaussian(s)

    def is_plain(self, s: Sym) -> bool:
        """Whether a symbol depends on no scalar that may have no value."""
        return self.written.doubts.is_plain(s)

    def independent(self, a: Sym, b: Sym) -> bool:
        return self.written.independent(a, b)

    def pairs_below(self, pair: tuple[Sym, Sym]) -> list[tuple[Sym, Sym]]:
        """The pairs of Ẑ's on whose covariances the covariance of a pair may depend."""
        return self.written.pairs_below(pair)

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        key = ordered(a, b)
        found = self._numbers.covariances.get(key)
        if found is None:
            found = self._work.do(lambda: kept(self._numbers.covariances, key, self._covariance(*key)))
        return found.estimate

    def _covariance(self, a: Sym, b: Sym) -> Known:
        p, q = self.written.products.get(a), self.written.products.get(b)
        if p is None and q is None:
            e = self.written.law.covariance(a, b)
            what = Origin(f"Cov({spell(a)}, {spell(b)})", "exact algebra")
            return Known(e.value, e.error, self._numbers.noises.fresh(e.error, what))
        if a is not b and self.independent(a, b):
            return Known(0.0, 0.0)
        assert p is not None and q is not None
        purpose = f"Cov({spell(a)}, {spell(b)})" if a is not b else f"Var({spell(a)})"
        found = self._expectations.expect(ZHAT(p.variance, p.operand, q.operand), purpose, p.name)
        if a is b and found.value == 0 < found.error < 2.0**-1000:
            i = self.program.by_name.get(p.name)
            fault = OutOfRange("its variance is out of the range of floating-point numbers, though it need not be 0")
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
            p = self.written.products.get(s)
            families.setdefault(self.written.law.family(s) if p is None else (p.matrix, p.transposed), []).append(i)
        out: dict[Sym, Expr] = {}
        for where in families.values():
            if len(where) < 2:
                continue
            mine = [symbols[i] for i in where]
            if mine[0] not in self.written.products:
                if covariance is None:
                    out.update(of_initial(self.written.law, mine))
                continue
            c = None if covariance is None else [[covariance[i][j] for j in where] for i in where]
            split = self.written.coefficient_of
            out.update(of_products(mine, self._operand_of, self._rest_of, self._variance_of, c, split))
        if covariance is None:
            self._separations[key] = out
        return out

    def _operand_of(self, s: Sym) -> Expr:
        return self.written.products[s].operand

    def _variance_of(self, s: Sym) -> float:
        return self.covariance(s, s).value

    def _rest_of(self, s: Sym, rest: Expr) -> Expr | None:
        """Ẑ of the matrix of s times the residual of its operand; None beyond `_DEEPEST` separations."""
        depth = self._depths.get(s, 0) + 1
        if depth > _DEEPEST:
            return None
        p = self.written.products[s]
        c, operand = split_coefficient(rest)
        symbol = self.written.hats.get((p.matrix, p.transposed, operand))
        if symbol is None:
            symbol = self.written.hats[p.matrix, p.transposed, operand] = Sym((*hat(p.name).name, operand.digest.hex()))
            self.written.products[symbol] = Product(p.name, p.matrix, p.transposed, p.variance, operand)
        self._depths.setdefault(symbol, depth)
        return canonical(mul(as_expr(c), symbol))

    def scalar(self, s: Sym) -> Estimate:
        found = self._numbers.of(s)
        if found is None:
            found = self._work.do(lambda: kept(self._numbers.scalars, s, self._scalar(s)))
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
        if any(s not in self._numbers.scalars for s in value.free):
            return None
        try:
            return self.estimate(name).value
        except NetsorError:
            return None

    def _scalar(self, s: Sym) -> Known:
        if s in self.written.derivatives:
            return self._coefficients.number(s)
        name = s.name[1]
        i = self.program.by_name[name]
        assert isinstance(i, Moment)
        if not i.vectors:
            psi = self.written.atoms.limit(i)
            if psi is None:
                written = at_infinite_width(i.psi)
                fixed: dict[Sym, Expr] = {
                    Sym(c.name): Const(c.limit)
                    for c in self.program.constants
                    if c.name in i.scalars and not c.value.free
                }
                tagged: dict[Sym, Expr] = {Sym(name): self._tagged(name) for name in i.scalars}
                psi = substitute(substitute(written, fixed), tagged)
                if s in self.written.powers:
                    psi = self.written.scales.unscaled(canonical(psi))[1]
            else:
                plain: dict[Sym, Expr] = {t: Sym(t.name[1]) for t in psi.free}
                written = substitute(psi, plain)
            found = function_of_scalars(
                psi, self._known, self.written.signs.range_of, written, self._as_typed(i), i.name, i.span
            )
            own = self._numbers.noises.fresh(found.own, Origin(name, "exact algebra"))
            form = self._numbers.noises.combined([(1.0, own), *((c, self._made(k)) for k, c in found.slopes.items())])
            return Known(found.value, min(found.error, form.size), form)
        integrand = self.integrand(i)
        if s in self.written.powers:
            integrand = self.written.scales.unscaled(integrand)[1]
        result, form = self._expectations.expected(integrand, name, name)
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
        value = self.written.scalars[name]
        return scalar(name) if isinstance(value, (Const, Sym)) else value

    def _known(self, s: Sym) -> Estimate:
        """A scalar of the program by its symbol, including one that is known without an expectation."""
        if s in self.written.powers:
            return self.scalar(s)
        value = self.written.scalars[s.name[1]]
        if not isinstance(value, Const):
            return self.scalar(value)  # type: ignore[arg-type]
        found = self._numbers.scalars.get(s)
        return Estimate(float(value.value), 0.0) if found is None else found.estimate

    def rounding(self, name: str) -> float:
        """A bound on the rounding error of a scalar that is known without an expectation."""
        found = self._numbers.scalars.get(scalar(name))
        return found.error if found is not None else 0.0

    def _made(self, i: Input) -> Form:
        """The affine form of the error of a scalar of the program, under whichever symbol it is stored."""
        assert isinstance(i, Sym)
        value = self.written.scalars[i.name[1]]
        return self._numbers.form(value if isinstance(value, Sym) else i)

    # --- expectations -----------------------------------------------------------------------------------------

    @property
    def taken(self) -> list[Taken]:
        """The expectations that were computed, in their order."""
        return self._expectations.taken

    def expectation(self, integrand: Expr, purpose: str, name: str) -> Expectation:
        """E of an expression in Ẑ's; `name` is the variable of the program that needs it."""
        return self._expectations.take(integrand, purpose, name)[0]

    def result_of(self, s: Sym) -> Expectation | None:
        """The expectation of a scalar, if it was computed as one."""
        return self._results.get(s)

    def grant(self, seconds: float, share: float) -> None:
        """Set the seconds for the next computations; one expectation may take this `share` of what is left of them."""
        self._expectations.grant(seconds, share)

    def forget_numbers(self) -> None:
        """Forget every number, to compute it again with more time; accurate ones are found in the cache."""
        constants = {scalar(name) for name, value in self.written.scalars.items() if isinstance(value, Const)}
        for s in self._numbers.scalars.keys() - constants:
            del self._numbers.scalars[s]
        self._numbers.covariances.clear()
        self._expectations.forget()

    def methods(self, s: Sym) -> list[str]:
        """The methods of all steps that lead to a scalar."""
        return self._numbers.noises.methods(self._numbers.form(s))

    def culprit(self, s: Sym) -> tuple[Origin, float] | None:
        """The origin of the errors that contribute most to a scalar, and their part of its bound."""
        return self._numbers.noises.largest(self._numbers.form(s))

"""ZMATMUL as lines: Ẑ, Ż and its coefficients (Eqs. 64, 65; Remark B.6)."""

from __future__ import annotations

from netsor.core import MatMul, Program
from netsor.expr import ZERO, Const, Expr, Sym, add, diff, is_singular, mul, power
from netsor.show.derivation.algebra import collected, simplified, size
from netsor.show.derivation.expectations import Expectations, Worked
from netsor.show.derivation.finals import Finals
from netsor.show.derivation.lines import Coefficient, Form, Line, Note, PseudoInverse
from netsor.show.derivation.reasons import because, reasons
from netsor.show.derivation.symbols import COEFFICIENT, DOT, HAT, HATTED, SLOPE, VECTOR, is_random, names, symbol

# A Z written out in Ẑ's beyond this many nodes helps nobody; its parts have lines of their own.
LARGEST_Z = 250
Term = tuple[Coefficient, Expr, Worked | None]


class Products:
    """The MATMULs of one derivation: Z^{Wx} goes to `reduced`, its lines to `lines`; `plain` are those with Ż = 0."""

    def __init__(self, program: Program, expect: Expectations, finals: Finals, lines: list[Line]):
        self.program = program
        self.expect = expect
        self.finals = finals
        self.lines = lines
        self.bridge = expect.bridge
        self.reduced = expect.reduced
        self.coefficients: dict[Sym, Coefficient] = {}
        self.plain: set[str] = set()
        self._before: dict[tuple[str, bool], list[Sym]] = {}

    def derive(self, i: MatMul) -> None:
        """Z^{Wx} = Ẑ^{Wx} + Ż^{Wx}."""
        z, hat, hatted = symbol(VECTOR, i.name), symbol(HAT, i.name), symbol(HATTED, i.name)
        x = self.reduced[i.vector]
        if x is ZERO or self.bridge.there(hat) is ZERO:
            self.reduced[i.name] = ZERO
            self.lines.append(Line(i.name, (z,), (ZERO,), "ZMATMUL", (Note((symbol(VECTOR, i.vector), " = 0")),)))
            return
        variance = Const(self.program.matrix[i.matrix].variance)
        before = self._before.get((i.matrix, not i.transposed), [])
        partners = [s for s in before if s in x.free]
        # Where Ẑ's are dependent, C⁺ b is right as a whole only: no part of it goes with a derivative taken otherwise.
        whole = any(is_singular(self.bridge.mapped(diff(x, s))) for s in partners)
        terms: list[Term] = []
        notes: list[Note] = []
        for s in partners:
            made = self._coefficient(i, variance, x, s, partners, whole)
            if isinstance(made, Note):
                notes.append(made)
            else:
                terms.append(made)
        if not terms:
            self.plain.add(i.name)
        dot = add(*(mul(self._standing(c), self.reduced[self._operand(c.partner)]) for c, _, _ in terms))
        self.reduced[i.name] = add(hat, dot)
        self._before.setdefault((i.matrix, i.transposed), []).append(hat)
        if not terms:
            if before and not partners:
                notes.append(
                    Note(
                        (
                            symbol(DOT, i.name),
                            " = 0: ",
                            symbol(VECTOR, i.vector),
                            " depends on no ",
                            _any_hat(self.program, i),
                        )
                    )
                )
            rule = "ZHAT, Eq. 64" if not notes else "ZHAT, Eq. 64; ZDOT, Eq. 65"
            self.lines.append(Line(i.name, (z,), (hatted,), rule, tuple(notes)))
            return
        short = add(
            hatted, add(*(mul(self._standing(c), symbol(VECTOR, self._operand(c.partner))) for c, _, _ in terms))
        )
        forms: tuple[Form, ...] = (add(hatted, symbol(DOT, i.name)), short)
        if size(self.reduced[i.name]) <= LARGEST_Z:
            forms = (*forms, collected(self.reduced[i.name], is_random))
        self.lines.append(Line(i.name, (z,), forms, "ZMATMUL"))
        self._dot_lines(i, variance, terms, notes)

    def _operand(self, partner: Sym) -> str:
        y = self.program.by_name[names(partner)[0]]
        assert isinstance(y, MatMul)
        return y.vector

    def _standing(self, c: Coefficient) -> Expr:
        """A coefficient as it stands in formulas: its number, or its name."""
        return c.formula if isinstance(c.formula, Const) else c.symbol

    def _coefficient(
        self, i: MatMul, variance: Const, x: Expr, partner: Sym, partners: list[Sym], stein: bool
    ) -> Term | Note:
        """σ_W² E ∂Z^x/∂Ẑ^{Wᵀy}, or the note that says why it is zero."""
        slope = diff(x, partner)
        a = symbol(COEFFICIENT, i.name, names(partner)[0])
        shown = symbol(SLOPE, i.vector, names(partner)[0])
        worked = None if stein else self.expect(mul(variance, slope))
        value = worked.value if worked else None
        if value is ZERO or stein and len(partners) == 1 and self.bridge.vanishes(slope):
            only = " = 0: " if len(partners) == 1 else " has no part here: "
            pieces: tuple[str | Expr, ...] = (symbol(DOT, i.name), only, shown, " = 0")
            why = worked.dropped if worked else (self.expect.why_zero(slope),)
            return Note((*pieces, *because(why)))
        if worked is not None:
            made = Coefficient(a, i.name, partner, worked.value)
            self.finals.of[a] = worked.value
        else:
            made = self._by_stein(a, i, x, partner, partners)
        self.coefficients[a] = made
        return made, shown, worked

    def _quotient(self, i: MatMul, c: Coefficient) -> Expr:
        """C⁺ b where both are numbers: E Ẑ^{Wᵀy} Z^x / E (Z^y)²."""
        y = symbol(VECTOR, self._operand(c.partner))
        above = self.expect.whole(mul(c.partner, self.reduced[i.vector]))
        return mul(above, power(self.expect.whole(mul(y, y)), Const(-1)))

    def _by_stein(self, a: Sym, i: MatMul, x: Expr, partner: Sym, partners: list[Sym]) -> Coefficient:
        """Remark B.6: a = C⁺ b with C_ij = E Z^{y^i} Z^{y^j}, b_i = E Ẑ^{Wᵀy^i} Z^x."""
        # Ẑ's that are one in the limit would make C singular without need: the first stands for them.
        distinct = list({self.bridge.there(s): s for s in reversed(partners)}.values())[::-1]
        ys = [self.reduced[self._operand(s)] for s in distinct]
        c = tuple(tuple(self.expect(mul(p, q)).value for q in ys) for p in ys)
        b = tuple(self.expect(mul(s, x)).value for s in distinct)
        if len(distinct) == 1 and partner is distinct[0]:
            formula = simplified(mul(b[0], power(c[0][0], Const(-1)))) if c[0][0] is not ZERO else ZERO
            self.finals.of[a] = formula
            return Coefficient(a, i.name, partner, formula)
        system = PseudoInverse(c, b)
        if partner not in distinct:
            return Coefficient(a, i.name, partner, ZERO)
        return Coefficient(a, i.name, partner, None, system, distinct.index(partner))

    def _dot_lines(self, i: MatMul, variance: Const, terms: list[Term], notes: list[Note]) -> None:
        forms: list[Form] = [
            add(*(mul(variance, symbol(VECTOR, self._operand(c.partner)), shown) for c, shown, _ in terms))
        ]
        forms.append(add(*(mul(self._standing(c), symbol(VECTOR, self._operand(c.partner))) for c, _, _ in terms)))
        self.lines.append(Line(i.name, (symbol(DOT, i.name),), tuple(forms), "ZDOT, Eq. 65", tuple(notes), depth=1))
        done: set[PseudoInverse] = set()
        for c, shown, worked in terms:
            if c.system is not None:
                if c.system not in done:
                    done.add(c.system)
                    members = tuple(d.symbol for d, _, _ in terms if d.system == c.system)
                    self.lines.append(Line(i.name, members, (c.system,), "Remark B.6, Eq. 67", depth=1))
                continue
            if worked is not None and isinstance(worked.split, Const):
                continue
            if worked is None:
                rule, chain = "Remark B.6, Eq. 67", [mul(variance, shown), self._quotient(i, c), c.formula]
            else:
                rule, chain = "", [mul(variance, shown), worked.split, c.formula]
            left = c.symbol if not isinstance(c.formula, Const) else mul(variance, shown)
            if isinstance(c.formula, Const):
                chain = chain[1:]
            else:
                chain.append(self.finals.presented(self.finals.inlined(c.formula)))  # type: ignore[arg-type]
            why = reasons(worked.dropped, self.expect) if worked else ()
            self.lines.append(Line(i.name, (left,), tuple(chain), rule, why, depth=1))  # type: ignore[arg-type]


def _any_hat(program: Program, i: MatMul) -> str:
    return f"Ẑ of {i.matrix}{'' if i.transposed else 'ᵀ'}"

"""Definition B.3 applied to a program in its own names: one line a variable, and what the lines rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.expr import ONE, ZERO, Add, Apply, Const, Expr, Function, Pow, Sym, add, diff, mul, postorder, power, substitute
from netsor.expr import is_singular, split_coefficient
from netsor.limit import Limit
from netsor.show.derivation.algebra import (
    TooMany, arranged, collected, common, count_terms, expanded, factors_of, joined, raised, ratio, simplified, size, written_out,
)
from netsor.show.derivation.bridge import Bridge
from netsor.show.derivation.expectations import Dropped, Expectations, Worked
from netsor.show.derivation.lines import Coefficient, Derivation, Form, Gaussian, Line, Note, PseudoInverse
from netsor.show.derivation.prepare import direct_form, has_star, is_builtin, vanishing_parts
from netsor.show.derivation.symbols import (
    COEFFICIENT, COVARIANCE, DOT, HAT, HATTED, LIMIT, MEAN, SCALAR, SLOPE, VECTOR, atoms, is_random, kind, names, symbol,
)

_MOST_TERMS_INLINE = 4
_MOST_TERMS_FINAL = 8
# A formula of more nodes than this, those of its expectations counted, is shorter with the names it had.
_LARGEST_FINAL = 130
# A Z written out in Ẑ's beyond this many nodes helps nobody; its parts have lines of their own.
_LARGEST_Z = 250


class Deriver:
    """The state of one derivation: each variable's form by its rule (`direct`) and as a function of Ẑ's (`reduced`)."""

    def __init__(self, program: Program, limit: Limit, targets: Iterable[str], every: bool = False):
        self.program = program
        self.bridge = Bridge(program, limit)
        self.reduced: dict[str, Expr] = {}
        self.expect = Expectations(self.bridge, self.reduced)
        self.known: dict[str, Expr] = {}
        self.final: dict[Sym, Expr] = {}
        self.constants: dict[Sym, Expr] = {}
        self.coefficients: dict[Sym, Coefficient] = {}
        self.plain: set[str] = set()
        self.lines: list[Line] = []
        self.functions: dict[Function, None] = {}
        self.targets = list(targets)
        self.needed = set(program.by_name) if every else self._needed()
        self.outputs = {o.scalar for o in program.outputs}
        self.products: dict[tuple[str, bool], list[Sym]] = {}
        vectors = [v for g in program.groups for v in g.names] + [e.name for e in program.embeddings]
        self._order = {x: k for k, x in enumerate([*vectors, *(i.name for i in program.instructions)])}
        self._place_of: dict[Expr, tuple[int, ...]] = {}

    # --- what is needed in the limit ---------------------------------------------------------------------------

    def _needed(self) -> set[str]:
        seen: set[str] = set()
        stack = list(self.targets)
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            i = self.program.by_name.get(name)
            if isinstance(i, MatMul):
                stack.append(i.vector)
            elif i is not None:
                form = direct_form(i, self.program, {})
                stack.extend(names(s)[0] for s in form.free if kind(s) in (VECTOR, LIMIT))
        return seen

    # --- the rules ---------------------------------------------------------------------------------------------

    def derive(self) -> None:
        self._zinit()
        for i in self.program.instructions:
            if i.name in self.needed:
                match i:
                    case MatMul():
                        self._zmatmul(i)
                    case Nonlin():
                        self._znonlin(i)
                    case Moment():
                        self._zmoment(i)

    def _used(self, name: str) -> bool:
        if name in self.needed or name in self.targets:
            return True
        return any(
            name == i.vector if isinstance(i, MatMul) else name in i.vectors or name in i.scalars
            for i in self.program.instructions
            if i.name in self.needed
        )

    def _zinit(self) -> None:
        p = self.program
        for g in p.groups:
            for name, mean, row in zip(g.names, g.mean, range(len(g.names))):
                fixed = g.covariance[row][row] == 0
                self.reduced[name] = Const(mean) if fixed else symbol(VECTOR, name)
            used = [i for i, name in enumerate(g.names) if self._used(name)]
            for i in used:
                if g.covariance[i][i] == 0:
                    self.lines.append(Line(g.names[i], (symbol(VECTOR, g.names[i]),), (Const(g.mean[i]),), "ZINIT"))
            used = [i for i in used if g.covariance[i][i] != 0]
            self._law([g.names[i] for i in used], [g.mean[i] for i in used], [[g.covariance[i][j] for j in used] for i in used])
        by_matrix: dict[str, list[str]] = {}
        for e in p.embeddings:
            self.reduced[e.name] = symbol(VECTOR, e.name) if any(p.row(e)) else ZERO
            if self._used(e.name):
                by_matrix.setdefault(e.matrix, []).append(e.name)
        for matrix, members in by_matrix.items():
            rows = [p.row(p.embedding[m]) for m in members]
            variance = p.input_matrix[matrix].variance
            gram = [[variance * sum(s * t for s, t in zip(a, b)) for b in rows] for a in rows]
            source: list[str | Expr] = []
            for m in members:
                source += [", " if source else "", symbol(SCALAR, m), " = ", symbol(SCALAR, matrix), " "]
                source.append(symbol(SCALAR, str(p.embedding[m].source)))
            self._law(members, [0.0] * len(members), gram, source)
        for c in p.constants:
            if self._used(c.name) and c.limit != 0:
                s = symbol(LIMIT, c.name)
                self.lines.append(Line(c.name, (s,), (Const(c.limit),), "Setup B.2", arrow=True))

    def _law(self, members: list[str], mean: list[float], covariance: list[list[float]], source: list[str | Expr] | None = None) -> None:
        if not members:
            return
        law = Gaussian(tuple(mean), tuple(tuple(float(f"{x:.15g}") for x in row) for row in covariance))
        left = tuple(symbol(VECTOR, m) for m in members)
        self.lines.append(Line(members[0], left, (law,), "ZINIT", (Note(tuple(source)),) if source else ()))

    def _znonlin(self, i: Nonlin) -> None:
        direct = direct_form(i, self.program, self.known)
        self._note_functions(direct)
        values = {s: self.constants.get(s, s) for s in direct.free if kind(s) == LIMIT}
        inner = {s: self.reduced[names(s)[0]] for s in direct.free if kind(s) == VECTOR}
        reduced = collected(substitute(direct, {**values, **inner}), is_random)
        self.reduced[i.name] = reduced
        forms: tuple[Form, ...] = (direct, reduced) if size(reduced) <= _LARGEST_Z else (direct,)
        rule = "ψ*, Eq. 84" if has_star(i) else "ZNONLIN⁺, Eq. 62" if self.program.is_plus(i) else "ZNONLIN, Eq. 62"
        self.lines.append(Line(i.name, (symbol(VECTOR, i.name),), forms, rule, self._small(i)))

    def _small(self, i: Nonlin | Moment) -> tuple[Note, ...]:
        return tuple(Note((part, " → 0")) for part in vanishing_parts(i, self.program))

    def _note_functions(self, e: Expr) -> None:
        for node in postorder(e):
            if isinstance(node, Apply) and not is_builtin(node.function) and node.function not in self.functions:
                self._note_functions(node.function.body)
                self.functions[node.function] = None

    # --- MATMUL ------------------------------------------------------------------------------------------------

    def _zmatmul(self, i: MatMul) -> None:
        z, hat, hatted = symbol(VECTOR, i.name), symbol(HAT, i.name), symbol(HATTED, i.name)
        x = self.reduced[i.vector]
        if x is ZERO or self.bridge.there(hat) is ZERO:
            self.reduced[i.name] = ZERO
            self.lines.append(Line(i.name, (z,), (ZERO,), "ZMATMUL", (Note((symbol(VECTOR, i.vector), " = 0")),)))
            return
        variance = Const(self.program.matrix[i.matrix].variance)
        before = self.products.get((i.matrix, not i.transposed), [])
        partners = [s for s in before if s in x.free]
        terms: list[tuple[Coefficient, Expr, Worked | None]] = []
        notes: list[Note] = []
        for s in partners:
            made = self._coefficient(i, variance, x, s, partners)
            if isinstance(made, Note):
                notes.append(made)
            else:
                terms.append(made)
        if not terms:
            self.plain.add(i.name)
        dot = add(*(mul(self._standing(c), self.reduced[self._operand(c.partner)]) for c, _, _ in terms))
        self.reduced[i.name] = add(hat, dot)
        self.products.setdefault((i.matrix, i.transposed), []).append(hat)
        if not terms:
            if before and not partners:
                notes.append(Note((symbol(DOT, i.name), " = 0: ", symbol(VECTOR, i.vector), " depends on no ", _any_hat(self.program, i))))
            rule = "ZHAT, Eq. 64" if not notes else "ZHAT, Eq. 64; ZDOT, Eq. 65"
            self.lines.append(Line(i.name, (z,), (hatted,), rule, tuple(notes)))
            return
        short = add(hatted, add(*(mul(self._standing(c), symbol(VECTOR, self._operand(c.partner))) for c, _, _ in terms)))
        forms: tuple[Form, ...] = (add(hatted, symbol(DOT, i.name)), short)
        if size(self.reduced[i.name]) <= _LARGEST_Z:
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
        self, i: MatMul, variance: Const, x: Expr, partner: Sym, partners: list[Sym]
    ) -> tuple[Coefficient, Expr, Worked | None] | Note:
        """σ_W² E ∂Z^x/∂Ẑ^{Wᵀy}, or the note that says why it is zero."""
        slope = diff(x, partner)
        there = self.bridge.mapped(slope)
        a = symbol(COEFFICIENT, i.name, names(partner)[0])
        shown = symbol(SLOPE, i.vector, names(partner)[0])
        worked = self._worked(mul(variance, slope)) if not is_singular(there) else None
        value = worked.value if worked else None
        if value is ZERO or worked is None and self.bridge.vanishes(slope):
            only = " = 0: " if len(partners) == 1 else " has no part here: "
            pieces: tuple[str | Expr, ...] = (symbol(DOT, i.name), only, shown, " = 0")
            why = worked.dropped if worked else (Dropped(slope, "the law is symmetric, and this is odd"),)
            return Note((*pieces, *_because(why, naming=not is_singular(slope))))
        if worked is not None:
            made = Coefficient(a, i.name, partner, worked.value)
            self._keep(a, worked.value)
        else:
            made = self._by_stein(a, i, x, partner, partners)
        self.coefficients[a] = made
        return made, shown, worked

    def _by_stein(self, a: Sym, i: MatMul, x: Expr, partner: Sym, partners: list[Sym]) -> Coefficient:
        """Remark B.6: a = C⁺ b with C_ij = E Z^{y^i} Z^{y^j}, b_i = E Ẑ^{Wᵀy^i} Z^x."""
        # Ẑ's that are one in the limit would make C singular without need: the first stands for them.
        distinct = list({self.bridge.there(s): s for s in reversed(partners)}.values())[::-1]
        ys = [self.reduced[self._operand(s)] for s in distinct]
        c = tuple(tuple(self._worked(mul(p, q)).value for q in ys) for p in ys)
        b = tuple(self._worked(mul(s, x)).value for s in distinct)
        if len(distinct) == 1 and partner is distinct[0]:
            formula = simplified(mul(b[0], power(c[0][0], Const(-1)))) if c[0][0] is not ZERO else ZERO
            self._keep(a, formula)
            return Coefficient(a, i.name, partner, formula)
        system = PseudoInverse(c, b)
        if partner not in distinct:
            return Coefficient(a, i.name, partner, ZERO)
        return Coefficient(a, i.name, partner, None, system, distinct.index(partner))

    def _dot_lines(
        self, i: MatMul, variance: Const, terms: list[tuple[Coefficient, Expr, Worked | None]], notes: list[Note]
    ) -> None:
        forms: list[Form] = [add(*(mul(variance, symbol(VECTOR, self._operand(c.partner)), shown) for c, shown, _ in terms))]
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
                rule, chain = "Remark B.6, Eq. 67", [mul(variance, shown), c.formula]
            else:
                rule, chain = "", [mul(variance, shown), worked.split, c.formula]
            left = c.symbol if not isinstance(c.formula, Const) else mul(variance, shown)
            if isinstance(c.formula, Const):
                chain = chain[1:]
            else:
                chain.append(self.presented(self.inlined(c.formula)))  # type: ignore[arg-type]
            reasons = self._reasons(worked.dropped) if worked else ()
            self.lines.append(Line(i.name, (left,), tuple(chain), rule, reasons, depth=1))  # type: ignore[arg-type]

    # --- MOMENT ------------------------------------------------------------------------------------------------

    def _zmoment(self, i: Moment) -> None:
        raw = direct_form(i, self.program, {})
        direct = direct_form(i, self.program, self.known)
        self._note_functions(raw)
        s = symbol(LIMIT, i.name)
        values = {t: self.constants.get(t, t) for t in direct.free if kind(t) == LIMIT}
        if i.vectors:
            inner = {t: self.reduced[names(t)[0]] for t in direct.free if kind(t) == VECTOR}
            worked = self._worked(substitute(direct, {**values, **inner}))
            whole = self.expect.whole(direct)
            forms: list[Form] = [whole, worked.split, worked.value]
            notes = (*self._small(i), *self._reasons(worked.dropped))
            value = worked.value
        else:
            value = simplified(substitute(direct, values))
            forms, notes = [direct, value], self._small(i)
        final = self.inlined(value)
        forms.append(self.presented(final))
        self._keep(s, final)
        if isinstance(final, Const):
            self.constants[s] = final
        if not i.vectors and (kind(value) == LIMIT or isinstance(value, Pow) and kind(value.base) == LIMIT):
            # Another name for a scalar, or its inverse: formulas use the scalar itself.
            self.known[i.name] = value
        self.lines.append(
            Line(i.name, (s,), tuple(forms), "ZMOMENT, Eq. 63", notes, arrow=True, output=i.name in self.outputs)
        )

    def _reasons(self, dropped: tuple[Dropped, ...]) -> tuple[Note, ...]:
        """Why terms are gone; terms that are gone for one reason share a note."""
        groups: dict[tuple[str, tuple[Sym, ...]], list[Expr]] = {}
        for d in dropped:
            groups.setdefault((d.reason, d.about), []).append(d.part)
        out = []
        for (reason, about), parts in groups.items():
            shown: list[str | Expr] = []
            for part in parts[:2]:
                integrand = split_coefficient(part)[1]
                shown += [", " if shown else "", self.expect.whole(integrand)]
            if len(parts) > 2:
                shown.append(f" and {len(parts) - 2} more")
            if reason == "odd":
                why: tuple[str | Expr, ...] = ("odd in ", *_listed(about), ", whose law is symmetric")
            else:
                why = (*_listed(about), f" {reason}") if about else (reason,)
            out.append(Note((*shown, " = 0: ", *why)))
        return tuple(out)

    def _worked(self, e: Expr) -> Worked:
        return self.expect(e)

    # --- putting formulas into formulas --------------------------------------------------------------------------

    def _keep(self, s: Sym, formula: Expr) -> None:
        self.final[s] = formula

    def _may_inline(self, s: Expr) -> bool:
        """Whether a scalar's formula is short and made of expectations: χ̊ = ℓ'(f̊) keeps its name, θ̊ = E z z̃ does not."""
        f = self.final.get(s) if isinstance(s, Sym) else None
        if f is None or count_terms(f) > _MOST_TERMS_INLINE:
            return False
        return all(
            kind(g) in (MEAN, COVARIANCE, LIMIT, COEFFICIENT)
            or isinstance(g, Pow) and kind(g.base) in (MEAN, COVARIANCE, LIMIT, COEFFICIENT)
            for t in (f.children if isinstance(f, Add) else (f,))
            for g in factors_of(t)
        )

    def inlined(self, e: Expr) -> Expr:
        """The formula with short formulas of scalars in the place of their names, unless it gets long."""
        try:
            terms = []
            for c, factors in expanded(e):
                terms.append(mul(Const(c), *(self._replaced(f) for f in factors)))
            out = joined(expanded(add(*terms)))
        except TooMany:
            return e
        return out if count_terms(out) <= _MOST_TERMS_FINAL and self._length(out) <= _LARGEST_FINAL else e

    def _length(self, e: Expr) -> int:
        """The size of a formula with its expectations written out."""
        return size(e) + sum(size(self.expect.means[s]) for s in written_out(e) if kind(s) == MEAN)

    def _replaced(self, f: Expr) -> Expr:
        if kind(f) in (LIMIT, COEFFICIENT) and self._may_inline(f):
            return self.final[f]  # type: ignore[index]
        if isinstance(f, Pow) and isinstance(f.exponent, Const) and self._may_inline(f.base):
            inside = self.final[f.base]  # type: ignore[index]
            if isinstance(f.exponent.value, int) and f.exponent.value > 0 or count_terms(inside) == 1:
                return raised(inside, f.exponent.value)
        return f

    def presented(self, e: Expr) -> Expr:
        """A sum with the scalars in front that all its terms have."""
        front, rest = common(e, lambda f: kind(f) in (LIMIT, COEFFICIENT))
        return e if front is ONE else mul(front, rest)

    def arrange(self, e: Expr) -> Expr:
        """Factors as one writes them: names of scalars, expectations, functions of Z's, bare Z's; each in program order."""
        return arranged(e, self._rank)

    def _rank(self, f: Expr) -> tuple[int, ...]:
        base = f.base if isinstance(f, Pow) else f
        match kind(base):
            case "θ̊" | "a":
                group = 0
            case "E" | "Cov":
                group = 2
            case "Z" | "Ẑ":
                group = 4
            case _:
                group = 1 if not is_random(f) else 5 if isinstance(base, Add) else 3
        return (group, *self._places(f))

    def _places(self, f: Expr) -> tuple[int, ...]:
        """Where the variables of a factor stand in the program."""
        out = self._place_of.get(f)
        if out is None:
            found: set[int] = set()
            for s in f.free:
                if kind(s) == MEAN:
                    found.update(self._places(self.expect.means[s]))
                elif kind(s) == COVARIANCE:
                    found.update(p for t in names(s) for p in self._places(t))
                else:
                    found.add(self._order.get(names(s)[0], -1) if kind(s) else -1)
            out = self._place_of[f] = tuple(sorted(found))
        return out

    # --- covariances ---------------------------------------------------------------------------------------------

    def multiples(self) -> None:
        """Say of an output that it is a multiple of another scalar, as Δf̃ → −χ̊ K̊ (Claim 3.1)."""
        for k, line in enumerate(self.lines):
            if not line.output or kind(line.left[0]) != LIMIT:
                continue
            front, rest = common(self.final[line.left[0]], lambda f: kind(f) in (LIMIT, COEFFICIENT))
            if front is ONE:
                continue
            for s, other in self.final.items():
                if s is not line.left[0] and kind(s) == LIMIT and count_terms(other) == count_terms(rest) and atoms(other):
                    c = ratio(rest, other)
                    if c is not None:
                        self.lines[k] = replace(line, forms=(*line.forms, mul(Const(c), front, s)))
                        break

    def tidy(self) -> None:
        """Put the factors in order in every form but the first, which stands as the program has it."""
        for s, integrand in list(self.expect.means.items()):
            if names(s)[0] != "of":
                self.expect.means[s] = self.arrange(integrand)
        self.lines = [
            replace(line, forms=tuple(self.arrange(f) if k and isinstance(f, Expr) else f for k, f in enumerate(line.forms)))
            for line in self.lines
        ]

    def add_covariances(self, wanted: list[Expr]) -> dict[tuple[Sym, Sym], Expr]:
        """Lines Cov(Ẑ, Ẑ) = … for all that the wanted formulas rest on, each below the later of its MATMULs."""
        order = {i.name: k for k, i in enumerate(self.program.instructions)}
        found: dict[tuple[Sym, Sym], tuple[Worked, Expr]] = {}
        seen: set[Sym] = set()
        stack = [s for e in wanted for s in e.free]
        while stack:
            s = stack.pop()
            if s in seen:
                continue
            seen.add(s)
            pairs: list[tuple[Sym, Sym]] = []
            match kind(s):
                case "E":
                    integrand = self.expect.means[s]
                    pairs = list(self.expect.pairs_in(integrand))
                    stack.extend(t for t in integrand.free if kind(t) not in (VECTOR, HAT))
                case "Cov":
                    pairs = [self.expect.covariances[s]]
                case "Ẑ":
                    pairs = [(s, t) for t in seen if kind(t) == HAT and (s is t or not self.bridge.independent(s, t))]
                case "θ̊" | "a":
                    if s in self.final:
                        stack.extend(self.final[s].free)
                    c = self.coefficients.get(s)
                    if c is not None and c.system is not None:
                        stack.extend(t for e in (*c.system.b, *(e for r in c.system.c for e in r)) for t in e.free)
            for a, b in pairs:
                if kind(a) == kind(b) == VECTOR:
                    continue
                key = (a, b) if order[names(a)[0]] <= order[names(b)[0]] else (b, a)
                if key not in found:
                    worked = self.expect.of_covariance(*key)
                    final = self.inlined(worked.value)
                    found[key] = (worked, final)
                    stack.extend(final.free)
        self._place(found, order)
        return {key: final for key, (_, final) in found.items()}

    def _place(self, found: dict[tuple[Sym, Sym], tuple[Worked, Expr]], order: dict[str, int]) -> None:
        below: dict[str, list[Line]] = {}
        for a, b in sorted(found, key=lambda k: (order[names(k[1])[0]], k[0] is not k[1], order[names(k[0])[0]])):
            worked, final = found[a, b]
            left = symbol(COVARIANCE, a, b)
            x, y = (self.program.by_name[names(s)[0]] for s in (a, b))
            assert isinstance(x, MatMul) and isinstance(y, MatMul)
            direct = mul(symbol(VECTOR, x.vector), symbol(VECTOR, y.vector))
            whole = self.expect.whole(direct)
            variance = Const(self.program.matrix[x.matrix].variance)
            chain = (mul(variance, whole), worked.split, worked.value, self.presented(final))
            line = Line(names(b)[0], (left,), chain, "Eq. 64", self._reasons(worked.dropped), depth=1)
            below.setdefault(names(b)[0], []).append(line)
        out: list[Line] = []
        for k, line in enumerate(self.lines):
            out.append(line)
            last = k + 1 == len(self.lines) or self.lines[k + 1].about != line.about
            if last:
                out.extend(below.get(line.about, ()))
        self.lines = out


def _any_hat(program: Program, i: MatMul) -> str:
    return f"Ẑ of {i.matrix}{'' if i.transposed else 'ᵀ'}"


def _because(dropped: tuple[Dropped, ...], naming: bool) -> tuple[str | Expr, ...]:
    for d in dropped:
        if naming and d.about and d.reason != "odd":
            return (", for ", *_listed(d.about), f" {d.reason}")
        if d.reason == "odd":
            return (", for it is odd in ", *_listed(d.about), ", whose law is symmetric")
    return (", for the integrand is odd, and the law symmetric",)


def _listed(about: tuple[Sym, ...]) -> tuple[str | Expr, ...]:
    out: list[str | Expr] = []
    for s in about:
        out += [", " if out else "", s]
    return tuple(out)


def targets_of(program: Program, of: str | None) -> list[str]:
    """The variables that a derivation is for: the outputs' scalars, or the one that is asked for."""
    if of is None:
        return list(dict.fromkeys(o.scalar for o in program.outputs))
    for o in program.outputs:
        if o.name == of:
            return [o.scalar]
    return [of]


def derive(
    program: Program, of: str | None = None, every: bool = False, limit: Limit | None = None
) -> Derivation:
    """The limit of a program, line by line, of what its outputs (or the variable `of`) need; of everything with `every`."""
    targets = targets_of(program, of)
    state = Deriver(program, limit or Limit(program), targets, every)
    state.derive()
    wanted: list[Expr] = []
    for name in state.needed if every else targets:
        if name in state.reduced:
            wanted.append(state.reduced[name])
        s = symbol(LIMIT, name)
        if s in state.final:
            wanted.append(state.final[s])
    formulas = state.add_covariances(wanted)
    state.multiples()
    state.tidy()
    return Derivation(
        program, state.lines, list(state.functions), state.expect.means, state.expect.covariances, formulas,
        state.coefficients, {names(s)[0]: e for s, e in state.final.items() if kind(s) == LIMIT}, state.reduced,
        frozenset(state.plain),
    )

"""Definition B.3 applied to a program in its own names: one line a variable, and what the lines rest on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.core.uniform import with_gaussians
from netsor.diagnostics import NetsorError
from netsor.expr import ONE, ZERO, Apply, Const, Expr, Function, Pow, Sym, mul, postorder, substitute
from netsor.expr.printing import is_builtin
from netsor.gaussian import NoNumber, NoPointwiseMeaning, Settings
from netsor.limit import Limit
from netsor.limit.jumps import Jumps
from netsor.show.derivation.algebra import collected, common, count_terms, ratio, simplified, size, written_out
from netsor.show.derivation.bridge import Bridge
from netsor.show.derivation.covariances import Covariances
from netsor.show.derivation.data import of_embeddings, ref_text, with_symbols
from netsor.show.derivation.expectations import Expectations
from netsor.show.derivation.finals import Finals
from netsor.show.derivation.lines import Derivation, Form, Gaussian, Line, Note
from netsor.show.derivation.order import Order
from netsor.show.derivation.prepare import direct_form, has_star, vanishing_parts, with_named_functions
from netsor.show.derivation.products import LARGEST_Z, Products
from netsor.show.derivation.reasons import reasons
from netsor.show.derivation.symbols import (
    COEFFICIENT,
    DATA,
    HAT,
    LIMIT,
    MEAN,
    SCALAR,
    SHORT,
    VECTOR,
    atoms,
    is_random,
    kind,
    names,
    symbol,
)

# A formula of more nodes than this, its expectations written out, has names for what it repeats.
_LONG = 50
# Seconds in which it is found whether the scalars of a derivation without numbers have values.
TO_KNOW_OF_FAULTS = 5.0


class Deriver:
    """The state of one derivation: each variable's form by its rule (`direct`) and as a function of Ẑ's (`reduced`)."""

    def __init__(self, program: Program, limit: Limit, targets: Iterable[str], every: bool = False):
        self.program = program
        self.limit = limit
        self.reduced: dict[str, Expr] = {}
        self.expect = Expectations(Bridge(program, limit), self.reduced)
        self.finals = Finals(self.expect)
        # Scalars that are another scalar, or a number, and stand as that.
        self.known: dict[str, Expr] = {}
        self.constants: dict[Sym, Expr] = {}
        self.lines: list[Line] = []
        self.products = Products(program, self.expect, self.finals, self.lines)
        self.functions: dict[Function, None] = {}
        self.short: dict[Sym, Sym] = {}
        self.targets = list(targets)
        self.needed = set(program.by_name) if every else self._needed()
        self.outputs = {o.scalar for o in program.outputs}

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
                form = self._direct(i, {})
                stack.extend(names(s)[0] for s in form.free if kind(s) in (VECTOR, LIMIT, HAT))
        return seen

    # --- the rules ---------------------------------------------------------------------------------------------

    def derive(self) -> None:
        self._zinit()
        for i in self.program.instructions:
            if i.name in self.needed:
                match i:
                    case MatMul():
                        self.products.derive(i)
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
            self._law(
                [g.names[i] for i in used],
                [g.mean[i] for i in used],
                [[Const(float(f"{g.covariance[i][j]:.15g}")) for j in used] for i in used],
            )
        by_matrix: dict[str, list[str]] = {}
        for e in p.embeddings:
            self.reduced[e.name] = symbol(VECTOR, e.name) if any(p.row(e)) else ZERO
            if self._used(e.name):
                by_matrix.setdefault(e.matrix, []).append(e.name)
        for matrix, members in by_matrix.items():
            variance = Const(p.input_matrix[matrix].variance)
            gram = [[of_embeddings(p, a, b) for b in members] for a in members]
            source: list[str | Expr] = []
            for m in members:
                source += [", " if source else "", symbol(SCALAR, m), " = ", symbol(SCALAR, matrix), " "]
                source.append(symbol(SCALAR, ref_text(p.embedding[m].source)))
            self._law(members, [0.0] * len(members), gram, source, variance)
        for c in p.constants:
            if self._used(c.name) and c.limit != 0:
                s = symbol(LIMIT, c.name)
                self.lines.append(Line(c.name, (s,), (Const(c.limit),), "Setup B.2", arrow=True))

    def _law(
        self,
        members: list[str],
        mean: list[float],
        covariance: Sequence[Sequence[Expr]],
        source: list[str | Expr] | None = None,
        scale: Expr = ONE,
    ) -> None:
        if not members:
            return
        law = Gaussian(tuple(mean), tuple(map(tuple, covariance)), scale)
        left = tuple(symbol(VECTOR, m) for m in members)
        self.lines.append(Line(members[0], left, (law,), "ZINIT", (Note(tuple(source)),) if source else ()))

    def _direct(self, i: Nonlin | Moment, known: Mapping[str, Expr]) -> Expr:
        """What an instruction says in the limit: one-sided derivatives where an argument comes to lie on a kink."""
        there = self.expect.bridge.one_sided(i)
        if there is None:
            return direct_form(i, self.program, known)
        return substitute(with_named_functions(there), {symbol(LIMIT, s): e for s, e in known.items()})

    def _at_a_kink(self, i: Nonlin | Moment) -> tuple[Note, ...]:
        if self.limit.one_sided(i) is None:
            return ()
        said = "an argument lies on a kink or a jump with positive probability"
        if self.expect.bridge.one_sided(i) is None:
            return (Note((f"{said}, where the limit is the one-sided derivative: `netsor eval` has its number",)),)
        return (Note((f"the one-sided limit: {said}",)),)

    def _znonlin(self, i: Nonlin) -> None:
        direct = self._direct(i, self.known)
        self._note_functions(direct)
        values = {s: self.constants.get(s, s) for s in direct.free if kind(s) == LIMIT}
        inner = {s: self.reduced[names(s)[0]] for s in direct.free if kind(s) == VECTOR}
        reduced = collected(substitute(direct, {**values, **inner}), is_random)
        self.reduced[i.name] = reduced
        forms: tuple[Form, ...] = (direct, reduced) if size(reduced) <= LARGEST_Z else (direct,)
        rule = "ψ*, Eq. 84" if has_star(i) else "ZNONLIN⁺, Eq. 62" if self.program.is_plus(i) else "ZNONLIN, Eq. 62"
        self.lines.append(Line(i.name, (symbol(VECTOR, i.name),), forms, rule, self._small(i)))

    def _small(self, i: Nonlin | Moment) -> tuple[Note, ...]:
        return (*(Note((part, " → 0")) for part in vanishing_parts(i, self.program)), *self._at_a_kink(i))

    def _note_functions(self, e: Expr) -> None:
        for node in postorder(e):
            if isinstance(node, Apply) and not is_builtin(node.function) and node.function not in self.functions:
                self._note_functions(node.function.body)
                self.functions[node.function] = None

    # --- MOMENT ------------------------------------------------------------------------------------------------

    def _zmoment(self, i: Moment) -> None:
        raw = self._direct(i, {})
        direct = self._direct(i, self.known)
        self._note_functions(raw)
        s = symbol(LIMIT, i.name)
        values = {t: self.constants.get(t, t) for t in direct.free if kind(t) == LIMIT}
        if i.vectors:
            inner = {t: self.reduced[names(t)[0]] for t in direct.free if kind(t) == VECTOR}
            worked = self.expect(substitute(direct, {**values, **inner}))
            whole = self.expect.whole(direct)
            forms: list[Form] = [whole, worked.split, worked.value]
            notes = (*self._small(i), *reasons(worked.dropped, self.expect))
            value = worked.value
            self.expect.spell(value, ONE, direct)
        else:
            value = simplified(substitute(direct, values))
            forms, notes = [direct, value], self._small(i)
        final = self.finals.inlined(value)
        forms.append(self.finals.presented(final))
        self.finals.of[s] = final
        if isinstance(final, Const):
            self.constants[s] = final
        if not i.vectors and (kind(value) == LIMIT or isinstance(value, Pow) and kind(value.base) == LIMIT):
            # Another name for a scalar, or its inverse: formulas use the scalar itself.
            self.known[i.name] = value
        self.lines.append(
            Line(i.name, (s,), tuple(forms), "ZMOMENT, Eq. 63", notes, arrow=True, output=i.name in self.outputs)
        )

    def multiples(self) -> None:
        """Say of an output that it is a multiple of another scalar, as Δf̃ → −χ̊ K̊ (Claim 3.1)."""
        for k, line in enumerate(self.lines):
            if not line.output or kind(line.left[0]) != LIMIT:
                continue
            front, rest = common(self.finals.of[line.left[0]], lambda f: kind(f) in (LIMIT, COEFFICIENT, DATA))
            if front is ONE:
                continue
            for s, other in self.finals.of.items():
                if (
                    s is not line.left[0]
                    and kind(s) == LIMIT
                    and count_terms(other) == count_terms(rest)
                    and atoms(other)
                ):
                    c = ratio(rest, other)
                    if c is not None:
                        self.lines[k] = replace(line, forms=(*line.forms, mul(Const(c), front, s)))
                        break

    def name_repeated(self) -> None:
        """κ₁, κ₂, … for expectations that a long formula of an output mentions more than once."""
        out: list[Line] = []
        places = Order(self.program, self.expect.means).places
        for line in self.lines:
            last = line.forms[-1]
            repeated: list[Sym] = []
            if line.output and isinstance(last, Expr) and self.finals.length(last) > _LONG:
                count = Counter(s for s in written_out(last) if kind(s) == MEAN)
                repeated = sorted((s for s, k in count.items() if k > 1), key=places)
            if not repeated:
                out.append(line)
                continue
            fresh = [s for s in repeated if s not in self.short]
            for s in fresh:
                self.short[s] = symbol(SHORT, len(self.short) + 1)
            assert isinstance(last, Expr)
            spelled = substitute(last, {s: self.short[s] for s in repeated})
            out.append(replace(line, forms=(*line.forms[:-1], spelled)))
            out += [Line(line.about, (self.short[s],), (s,), "", depth=1) for s in fresh]
        self.lines = out

    def tidy(self) -> None:
        """Put the factors in order in every form but the first, which stands as the program has it."""
        arrange = Order(self.program, self.expect.means, {k: s for s, k in self.short.items()}).arrange
        for s, integrand in list(self.expect.means.items()):
            if names(s)[0] != "of":
                self.expect.means[s] = arrange(integrand)

        # Ẑ is spelled Z where Ż is zero.
        plain: dict[Sym, Expr] = {symbol(HAT, name): symbol(VECTOR, name) for name in self.products.plain}

        def spelled(f: Form) -> Form:
            """The form with its integrands in order: what two forms that differ by nothing else have in common."""
            if not isinstance(f, Expr):
                return f
            alike = dict(plain)
            for s in f.free:
                if kind(s) == MEAN:
                    alike[s] = symbol("integrand", arrange(substitute(self.expect.means[s], plain)))
            return arrange(substitute(f, alike))

        lines = []
        for line in self.lines:
            forms = [arrange(f) if k and isinstance(f, Expr) else f for k, f in enumerate(line.forms)]
            # The first form stands as the program has it: one in another order is no step.
            while len(forms) > 1 and spelled(forms[0]) == spelled(forms[1]):
                del forms[1]
            lines.append(replace(line, forms=tuple(forms)))
        self.lines = lines


def targets_of(program: Program, of: str | None) -> list[str]:
    """The variables that a derivation is for: the outputs' scalars, or the one that is asked for."""
    if of is None:
        return list(dict.fromkeys(o.scalar for o in program.outputs))
    for o in program.outputs:
        if o.name == of:
            return [o.scalar]
    return [of]


def derive(program: Program, of: str | None = None, every: bool = False, limit: Limit | None = None) -> Derivation:
    """The limit line by line, of what the outputs (or the variable `of`) need; of everything with `every`.

    Products and entries of data stand by name.
    """
    program = with_gaussians(program)
    named, program = with_symbols(program), program.evaluated
    targets = targets_of(program, of)
    # A program that asks for nothing, as a backward pass does, is derived as a whole.
    every = every or not targets
    limit = limit or Limit(program, Settings(budget=TO_KNOW_OF_FAULTS))
    state = Deriver(named, limit, targets, every)
    state.derive()
    wanted: list[Expr] = []
    for name in state.needed if every else targets:
        if name in state.reduced:
            wanted.append(state.reduced[name])
        s = symbol(LIMIT, name)
        if s in state.finals.of:
            wanted.append(state.finals.of[s])
    covariances = Covariances(program, state.expect, state.finals, state.products.coefficients)
    formulas, state.lines = covariances.add(wanted, state.lines)
    state.name_repeated()
    state.multiples()
    state.tidy()
    state.lines = _with_faults(program, limit, state.lines)
    return Derivation(
        program,
        state.lines,
        list(state.functions),
        state.expect.means,
        state.expect.covariances,
        formulas,
        state.products.coefficients,
        {names(s)[0]: e for s, e in state.finals.of.items() if kind(s) == LIMIT},
        state.reduced,
        frozenset(state.products.plain),
        {k: s for s, k in state.short.items()},
        state.expect.in_vectors,
    )


def _with_faults(program: Program, limit: Limit, lines: list[Line]) -> list[Line]:
    """The lines with notes: where ψ jumps in a parameter at its limit, and where a scalar in it has no value."""
    jumps = Jumps(limit)
    out = []
    told: set[str] = set()
    for line in lines:
        i = program.by_name.get(line.about)
        said = None if i is None or isinstance(i, MatMul) else jumps.told(i)
        messages = [] if said is None else [said.message]
        if i is not None:
            faults = _without_value(limit, line.about)
            messages += [m for m in faults if m not in told]
            told.update(messages)
            while faults and len(line.forms) > 1 and isinstance(line.forms[-1], Const):
                line = replace(line, forms=line.forms[:-1])  # the algebra has made a number of 0/0
        out.append(replace(line, notes=(*line.notes, *(Note((m,)) for m in messages))) if messages else line)
    return out


def _without_value(limit: Limit, name: str) -> list[str]:
    """Why a line has no limit, for a scalar that it depends on has none."""
    try:
        limit.verify(name)
    except NetsorError as fault:
        return [d.message for d in fault.diagnostics if d.code != "E804"]  # what takes long is no fault
    except (NoNumber, NoPointwiseMeaning):
        return []
    return []

"""Lowering: expressions become MATMUL, NONLIN⁺ and MOMENT instructions, one a line of the core."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from netsor.core import Group, Instruction, MatMul, Moment, Nonlin
from netsor.deadline import verify_time
from netsor.diagnostics import Span
from netsor.expr import (
    WIDTH,
    Add,
    Apply,
    Cmp,
    Const,
    Expr,
    Logic,
    Mul,
    Sym,
    add,
    mul,
    numbers,
    postorder,
    split_coefficient,
)
from netsor.expr.build import with_children
from netsor.expr.infinite_width import has_limit
from netsor.expr.quotients import find_quotients, settled

_INDEXED = re.compile(r"^(.*?)(\[[^\]]*\])?$", re.S)


@dataclass
class Emitter:
    """The instructions made so far, and the names that they and the declarations took."""

    instructions: list[Instruction] = field(default_factory=list)
    # Members of 𝒱; constant vectors join them where an expression in vectors turns out to be a number.
    groups: list[Group] = field(default_factory=list)
    vectors: set[str] = field(default_factory=set)
    # Those constant vectors, which are not parameters.
    undeclared: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    # Names that the text mentions, which no intermediate result may bear.
    reserved: set[str] = field(default_factory=set)
    # Names of intermediate results, which a line may replace by its own.
    temporary: set[str] = field(default_factory=set)
    # Unnamed intermediate results by what they compute, so that the same one is made once.
    _made: dict[tuple[str, Expr], str] = field(default_factory=dict)
    _key_of: dict[str, tuple[str, Expr]] = field(default_factory=dict)
    _counters: dict[str, int] = field(default_factory=dict)
    # How many indices the members of each name made here have: a name is a variable or a family of one depth.
    _depths: dict[str, int] = field(default_factory=dict)

    def fresh(self, stem: str, inner: str = "") -> str:
        """An unused name made from the name that the line defines.

        An intermediate result of h is h_1, of x[2] it is x_1[2]; the variable `inner` of a definition used in the line
        of h is h_inner.
        """
        base, index = _split(stem)
        if inner:
            name, inner_index = _split(inner)
            base = f"{base}_{name}"
            index = _joined_index(index, inner_index)
            if self._is_free(base, index):
                return self._take(base, index)
        key = base + index
        while True:
            self._counters[key] = self._counters.get(key, 0) + 1
            candidate = f"{base}_{self._counters[key]}"
            if self._is_free(candidate, index):
                if not inner:
                    self.temporary.add(candidate + index)
                return self._take(candidate, index)

    def _is_free(self, base: str, index: str) -> bool:
        depth = index.count(",") + 1 if index else 0
        return base not in self.reserved and base + index not in self.taken and self._depths.get(base, depth) == depth

    def _take(self, base: str, index: str) -> str:
        self._depths[base] = index.count(",") + 1 if index else 0
        self.taken.add(base + index)
        return base + index

    # --- instructions -----------------------------------------------------------------------------------------

    def matmul(self, stem: str, matrix: str, transposed: bool, vector: Expr, span: Span, inner: Span) -> Expr:
        """An unnamed W x, its operand (at `inner`) first made a vector of the program."""
        operand = self.vector_name(stem, vector, inner)
        name = self.fresh(stem)
        self.vectors.add(name)
        verify_time()
        self.instructions.append(MatMul(name, matrix, transposed, operand, span))
        return Sym(name)

    def vector_name(self, stem: str, e: Expr, span: Span) -> str:
        """The variable that holds a coordinatewise expression, made by NONLIN⁺ where it is not one already."""
        if isinstance(e, Sym) and e.name in self.vectors:
            return str(e.name)
        return self._unnamed("nonlin", stem, find_quotients(e), span)

    def moment(self, stem: str, e: Expr, span: Span) -> Expr:
        """An unnamed MOMENT of an expression."""
        return Sym(self._unnamed("moment", stem, find_quotients(e), span))

    def _unnamed(self, kind: str, stem: str, e: Expr, span: Span) -> str:
        e = settled(self.hoist(stem, e, span) if self.vectors_of(e) else e)
        key = (kind, numbers(e))
        if key not in self._made:
            name = self.fresh(stem)
            self._append(kind, name, e, span)
            self._made[key] = name
            self._key_of[name] = key
        return self._made[key]

    def nonlin(self, name: str, e: Expr, span: Span, order: tuple[str, ...] = ()) -> None:
        """name := ψ(…), ψ's vectors in the order promised or, without a promise, of first use."""
        self._append("nonlin", name, self.hoist(name, e, span), span, order)

    def named_moment(self, name: str, e: Expr, span: Span, order: tuple[str, ...] = ()) -> None:
        """name := (1/n) Σ ψ(…)."""
        self._append("moment", name, self.hoist(name, e, span) if self.vectors_of(e) else e, span, order)

    def _append(self, kind: str, name: str, e: Expr, span: Span, order: tuple[str, ...] = ()) -> None:
        verify_time()
        e = settled(e)
        if kind == "nonlin" and not any(s.name in self.vectors for s in e.free):
            if isinstance(e, Const):
                self.vectors.add(name)
                self.undeclared.add(name)
                self.groups.append(Group((name,), (float(e.value),), ((0.0,),), span))
                return
            e = settled(mul(e, self._ones(name, span)))
        names = [str(s.name) for s in self.symbols(e)]
        ranked = [x for x in order if x in names] + [x for x in names if x not in order]
        vectors = tuple(x for x in ranked if x in self.vectors)
        scalars = tuple(x for x in ranked if x not in self.vectors)
        if kind == "nonlin":
            self.vectors.add(name)
            self.instructions.append(Nonlin(name, e, vectors, scalars, span))
        else:
            self.instructions.append(Moment(name, e, vectors, scalars, span))

    def _ones(self, stem: str, span: Span) -> Expr:
        """The vector (1, …, 1): a NONLIN⁺ that depends on scalars only has it for its vector.

        A vector that the program declares so is another one, for it may be trained.
        """
        made = (g for g in self.groups if g.mean == (1.0,) and g.covariance == ((0.0,),))
        one = next((g.names[0] for g in made if g.names[0] in self.undeclared), None)
        if one is None:
            one = self.fresh(stem)
            self.vectors.add(one)
            self.undeclared.add(one)
            self.groups.append(Group((one,), (1.0,), ((0.0,),), span))
        return Sym(one)

    @staticmethod
    def symbols(e: Expr) -> list[Sym]:
        """The variables of an expression in the order of their first use."""
        if len(e.free) == 1 and WIDTH not in e.free:
            return list(e.free)
        return [s for s in postorder(e) if isinstance(s, Sym) and s is not WIDTH and s in e.free]

    def vectors_of(self, e: Expr) -> list[str]:
        return [str(s.name) for s in self.symbols(e) if s.name in self.vectors]

    # --- scalars ----------------------------------------------------------------------------------------------

    def hoist(self, stem: str, e: Expr, span: Span) -> Expr:
        """ψ with its largest subexpressions of scalars only made MOMENTs of no vector.

        In (x − μ)/σ it is then 1/σ that enters the NONLIN⁺, linearly, which is what Assumption B.8 asks about.
        """
        if all(s.name in self.vectors for s in e.free if s is not WIDTH):
            return e
        bound = {node.bound for node in postorder(e) if hasattr(node, "bound")}

        def of_scalars(node: Expr) -> bool:
            free = node.free - {WIDTH}
            return (
                bool(free)
                and not isinstance(node, (Sym, Cmp, Logic))
                and not any(s.name in self.vectors or s in bound for s in free)
            )

        def liftable(node: Expr) -> bool:
            # A part that grows stays where it has a limit, as √n − k in min(x, √n − k).
            if not of_scalars(node) or not has_limit(node):
                return False
            # A number times one scalar is a coefficient, not a computation.
            factors = node.children if isinstance(node, Mul) else ()
            plain = all(isinstance(f, Sym) or f.free <= {WIDTH} for f in factors)
            return not factors or not plain or len(node.free - {WIDTH}) > 1

        done: dict[Expr, Expr] = {}
        lifted: set[Expr] = set()
        # Parents first decide, so that the largest subexpressions are taken.
        for node in reversed(postorder(e)):
            if liftable(node) and not isinstance(node, Const):
                lifted.add(node)
        for node in postorder(e):
            if node in lifted:
                done[node] = node
                continue
            children = []
            for child in node.children:
                made = done[child]
                if child in lifted:
                    made = Sym(self._unnamed("moment", stem, child, span))
                children.append(made)
            done[node] = with_children(node, tuple(children))
        return Sym(self._unnamed("moment", stem, e, span)) if e in lifted else done[e]

    # --- naming what a line computed --------------------------------------------------------------------------

    def rename(self, old: str, new: str, span: Span, mark: int) -> bool:
        """Give the unnamed result of the line's last instruction (the line's begin at `mark`) the line's name."""
        if len(self.instructions) <= mark or self.instructions[-1].name != old:
            return False
        self.instructions[-1] = replace(self.instructions[-1], name=new, span=span)
        is_vector = old in self.vectors
        self.forget((old,))
        if is_vector:
            self.vectors.add(new)
        base, index = _split(old)
        key = re.sub(r"_\d+$", "", base) + index
        if key in self._counters:
            self._counters[key] -= 1
        return True

    def inputs(self, names: Iterable[str], mark: int) -> list[str]:
        """The named variables that these are made of, seen through unnamed results and this line's instructions."""
        made = {i.name: i for i in self.instructions[mark:]}
        out: dict[str, None] = {}
        stack = list(reversed(list(names)))
        seen: set[str] = set()
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            i = made.get(name)
            if i is None and name in self.temporary:
                i = next((j for j in reversed(self.instructions) if j.name == name), None)
                if i is None:  # an unnamed U ξ
                    continue
            if i is None:
                out[name] = None
            else:
                stack.extend(reversed([i.vector] if isinstance(i, MatMul) else [*i.vectors, *i.scalars]))
        return list(out)

    def undo(self, mark: int) -> None:
        """Take back the instructions of a faulty line."""
        self.forget(i.name for i in self.instructions[mark:])
        del self.instructions[mark:]

    def forget(self, names: Iterable[str]) -> None:
        """Unnamed results that are no longer there."""
        for name in names:
            key = self._key_of.pop(name, None)
            if key is not None:
                del self._made[key]
            self.taken.discard(name)
            self.temporary.discard(name)
            self.vectors.discard(name)

    def as_one_moment(self, e: Expr, mark: int) -> Expr | None:
        """ψ with e = (1/n) Σ ψ, where e is linear in MOMENTs that this line just made, which it then replaces.

        θ xᵀ y / n is one MOMENT of ψ(x, y; θ) = θ x y. None where e is not of that kind.
        """
        psi, used = self.preview_moment(e, mark)
        if psi is not None:
            self.instructions[mark:] = [i for i in self.instructions[mark:] if i.name not in used]
            self.forget(used)
        return psi

    def preview_moment(self, e: Expr, mark: int) -> tuple[Expr | None, set[str]]:
        """What `as_one_moment` would make, and the instructions that it would replace."""
        made = {i.name: i for i in self.instructions[mark:] if isinstance(i, Moment) and i.vectors}
        if not made:
            return None, set()
        out: list[Expr] = []
        used: set[str] = set()
        for term in e.children if isinstance(e, Add) else (e,):
            c, rest = split_coefficient(term)
            factors = rest.children if isinstance(rest, Mul) else (rest,)
            mine = [f for f in factors if isinstance(f, Sym) and f.name in made]
            others = [f for f in factors if f not in mine]
            if len(mine) > 1 or any(s.name in made for f in others for s in f.free):
                return None, set()
            if mine:
                used.add(str(mine[0].name))
                out.append(mul(Const(c), *others, made[str(mine[0].name)].psi))
            else:
                out.append(term)
        consumers = {x for i in self.instructions[mark:] if not isinstance(i, MatMul) for x in (*i.vectors, *i.scalars)}
        if not used or used & consumers:
            return None, set()
        return add(*out), used


def _split(name: str) -> tuple[str, str]:
    match = _INDEXED.match(name)
    assert match is not None
    return match.group(1), match.group(2) or ""


def _joined_index(a: str, b: str) -> str:
    return a + b if not a or not b else f"{a[:-1]},{b[1:]}"


def inlined_functions(e: Expr) -> Expr:
    """The expression with definitions that mention variables of the program replaced by their bodies."""
    from netsor.expr import rewrite
    from netsor.expr.differentiate import unfold_apply

    def rule(node: Expr) -> Expr:
        if isinstance(node, Apply) and not node.function.body.free <= set(node.function.params):
            return unfold_apply(node)
        return node

    return rewrite(e, rule)

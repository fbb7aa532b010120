"""Kinks that arguments lie on with positive probability: ψ is not differentiable there, and Assumption B.8 fails.

ψ*(x, d; 1/√n) tends to the gradient times d where ψ is differentiable at x (Eq. 84). Where x lies on a kink it tends to
F'(x; d), which is not linear in d (see `netsor.expr.onesided`). Rank stability keeps Z's off the kinks of ψ where it is
assumed; it does not hold for the Z's of which a kink sees an atom: relu(relu(h) + b) with b = 0, zero rows of data.

Variables are written out as functions of Gaussians, of which none is a function of the others, and of scalars; no
number is computed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netsor.core import Embedding, InputRef, MatMul, Moment, Nonlin, Program
from netsor.core.expansions import Expansions, distances_of_nodes
from netsor.core.uniform import uniform_of
from netsor.expr import (
    FUNCTIONS,
    HALF,
    WIDTH,
    ZERO,
    Call,
    Const,
    Expr,
    Pow,
    Star,
    Sym,
    add,
    as_expr,
    canonical,
    diff,
    evaluate,
    mul,
    neg,
    postorder,
    power,
    split_coefficient,
    substitute,
    to_text,
    unfold,
)
from netsor.expr.asymptotics import Diverges
from netsor.expr.cases import may_be_zero
from netsor.expr.expanded_limit import one_sided_limit
from netsor.expr.expansion import Expansion, Unsettled
from netsor.expr.functions import TooSingular, is_singular
from netsor.expr.infinite_width import at_infinite_width
from netsor.expr.onesided import OneSided, distances

Row = tuple[float, ...]
# The numbers of an example, by the names of its inputs: ξ or ξ[2]. Inputs that it lacks are any numbers.
Example = Mapping[str, Row]
_DRAWS = 24
_OFTEN = "with positive probability in the limit, so that ψ* is not differentiable there"


def kinks_of_program(p: Program, needed: Iterable[str]) -> dict[str, str]:
    """The lines of a program whose limit is not that of Definition B.3, since an argument lies on a kink, and why."""
    written = _Written(p, {})
    expansions = Expansions(p, written.z, written.scalars)
    out: dict[str, str] = {}
    if not expansions.has_width:
        return out
    asked = set(needed)
    for i in p.instructions:
        if i.name in asked and not isinstance(i, MatMul):
            try:
                there = expansions.one_sided(i)
            except (Diverges, Unsettled):
                out[i.name] = _meeting(i.psi, written.values(i))
            else:
                here = None if there is None else written.limit_of(i)
                if there is not None and (here is None or not _agree(there, here)):
                    out[i.name] = _meeting(i.psi, written.values(i))
                written.put(i, there)
                continue
        written.put(i)
    return out


def kinks_of_network(p: Program, trained: Iterable[str], example: Example) -> tuple[str, str] | None:
    """A line whose one-sided derivative in what SGD moves is not its gradient times the direction, and why.

    A trained bias of variance zero moves off its value, U ξ does unless ξ = 0, and so does what is made of these.
    """
    written = _Written(p, example)
    moving = _moving(p, set(trained), written)
    composed: dict[Sym, Expr] = {}
    # What the lines so far are made of, where no argument lies on a kink.
    clear: set[Expr] = set()
    needed = p.needed()
    for i in p.instructions:
        written.put(i)
        if i.name not in needed or isinstance(i, MatMul):
            continue
        whole = substitute(unfold(i.psi), composed)
        # A mean of vectors is a symbol to the lines below it.
        if isinstance(i, Nonlin) or not i.vectors:
            composed[Sym(i.name)] = whole
        if i.name in moving and _is_met(whole, moving, written, clear):
            values = written.bases(whole)
            return i.name, _meeting(i.psi, written.values(i), whole, values)
    return None


def patterns(p: Program, examples: Iterable[Example]) -> list[Example]:
    """Examples that differ in which U ξ are zero and which of them are equal, one of each kind."""
    found: dict[tuple[object, ...], Example] = {}
    embeddings = [(e.matrix, str(e.source)) for e in p.embeddings]
    for example in examples:
        seen: dict[tuple[str, Row], int] = {}
        kind = []
        for matrix, source in embeddings:
            row = example.get(source, ())
            kind.append(-1 if row and not any(row) else seen.setdefault((matrix, row), len(seen)))
        found.setdefault(tuple(kind), example)
    return list(found.values())


def zero_rows(p: Program) -> Example:
    """An example of which every row is zero."""
    return {str(e.source): (0.0,) for e in p.embeddings if isinstance(e.source, InputRef)}


def equal_rows(p: Program) -> Example:
    """An example of which all rows are equal."""
    return {str(e.source): (1.0,) for e in p.embeddings if isinstance(e.source, InputRef)}


@dataclass
class _Written:
    """Z's and limits of scalars, without numbers: a product with a matrix is a Gaussian of its own."""

    program: Program
    example: Example
    z: dict[str, Expr] = field(default_factory=dict)
    scalars: dict[str, Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        p = self.program
        for c in p.constants:
            self.scalars[c.name] = as_expr(c.limit)
        for g in p.groups:
            k = g.covariance
            for j, name in enumerate(g.names):
                twin = next(t for t in range(j + 1) if k[j][t] == k[j][j] == k[t][t])
                mean = as_expr(g.mean[j])
                if g.bounds is not None:
                    self.z[name] = uniform_of(g.bounds, _gaussian(name))
                    continue
                self.z[name] = mean if k[j][j] == 0 else add(mean, _gaussian(g.names[twin]))
        rows: dict[tuple[str, object], str] = {}
        for e in p.embeddings:
            row = self.row(e)
            first = rows.setdefault((e.matrix, str(e.source) if row is None else row), e.name)
            self.z[e.name] = _gaussian(first) if row is None or any(row) else ZERO
        self._products: dict[tuple[str, bool, Expr], Sym] = {}

    def row(self, e: Embedding) -> Row | None:
        return self.example.get(str(e.source)) if isinstance(e.source, InputRef) else self.program.row(e)

    def values(self, i: Nonlin | Moment) -> dict[Sym, Expr]:
        return {Sym(x): self.z[x] for x in i.vectors} | {Sym(s): self.scalars[s] for s in i.scalars}

    def base(self, s: Sym) -> Expr:
        name = str(s.name)
        return self.z[name] if name in self.z else self.scalars[name]

    def bases(self, e: Expr) -> dict[Sym, Expr]:
        """What the variables of an expression are in the limit."""
        return {s: self.base(s) for s in e.free if s is not WIDTH}

    def limit_of(self, i: Nonlin | Moment) -> Expr | None:
        """What Definition B.3 makes of a line; None where it makes nothing of it."""
        try:
            return canonical(substitute(at_infinite_width(i.psi), self.values(i)))
        except (Diverges, TooSingular):
            return None

    def put(self, i: MatMul | Nonlin | Moment, known: Expr | None = None) -> None:
        if isinstance(i, MatMul):
            c, operand = split_coefficient(self.z[i.vector])
            s = self._products.setdefault((i.matrix, i.transposed, operand), _gaussian(i.name))
            self.z[i.name] = ZERO if operand is ZERO or c == 0 else mul(as_expr(c), s)
            return
        found = self.limit_of(i) if known is None else known
        if isinstance(i, Nonlin):
            self.z[i.name] = _gaussian(i.name) if found is None else found
        elif found is None or i.vectors and not isinstance(found, Const):
            self.scalars[i.name] = Sym(("mean", i.name))
        else:
            self.scalars[i.name] = found


def _gaussian(name: str) -> Sym:
    return Sym(("Gaussian", name))


def _moving(p: Program, trained: set[str], written: _Written) -> set[str]:
    """What SGD moves at this example: U ξ of a trained U does not move where ξ = 0."""
    found = trained & p.group_of.keys()
    for e in p.embeddings:
        row = written.row(e)
        if e.matrix in trained and (row is None or any(row)):
            found.add(e.name)
    still = {e.name for e in p.embeddings if written.z[e.name] is ZERO}
    for i in p.instructions:
        if isinstance(i, MatMul):
            # W 0 stays 0 however W moves.
            if i.vector in found or i.matrix in trained and i.vector not in still:
                found.add(i.name)
            elif i.vector in still:
                still.add(i.name)
            continue
        if not found.isdisjoint((*i.vectors, *i.scalars)):
            found.add(i.name)
        elif (
            isinstance(i, Nonlin)
            and not i.scalars
            and still.issuperset(i.vectors)
            and canonical(substitute(i.psi, {Sym(x): ZERO for x in i.vectors})) is ZERO
        ):
            still.add(i.name)
    return found


def _is_met(whole: Expr, moving: set[str], written: _Written, clear: set[Expr]) -> bool:
    """Whether lim √n (F(x + d/√n) − F(x)) is not Σ ∂F/∂x_i d_i, with the derivatives that the backward pass takes.

    Nodes that are `clear` are not examined again, and those of which no argument lies on a kink become so.
    """
    nodes = postorder(whole, known=clear.__contains__)
    asked = distances_of_nodes(nodes)
    if not any(may_be_zero(substitute(d, written.bases(d)), {}) for d in asked):
        clear.update(nodes)
        return False
    values = written.bases(whole)
    directions = {s: Sym(("moved", str(s.name))) for s in whole.free if str(s.name) in moving}
    ahead = {s: add(s, mul(d, power(WIDTH, Const(-0.5)))) for s, d in directions.items()}
    quotient = mul(power(WIDTH, HALF), add(substitute(whole, ahead), neg(whole)))

    def source(work: OneSided, s: Sym, upto: float) -> Expansion:
        limit = work.settled(values.get(s, s))
        return Expansion(((0.0, limit),) if limit is not ZERO else ())

    try:
        there = one_sided_limit(quotient, source)
        if there is None:
            return False
        slopes = [mul(diff(whole, s), d) for s, d in directions.items()]
    except (Diverges, TooSingular):
        return True
    except Unsettled:
        return False
    here = canonical(substitute(add(*slopes), values))
    return is_singular(here) or not _agree(there, here)


def _agree(a: Expr, b: Expr) -> bool:
    """Whether two functions are one, at draws of their variables."""
    if a is b:
        return True
    rng = random.Random(20210721)
    symbols = sorted(a.free | b.free, key=lambda s: s.digest)
    for k in range(_DRAWS):
        values = {s: (1.0, 0.3, 3.0)[k % 3] * rng.gauss(0, 1) for s in symbols}
        try:
            x, y = (evaluate(e, {s: values[s] for s in e.free}) for e in (a, b))
        except (ValueError, OverflowError, ZeroDivisionError):
            continue
        if math.isnan(x) != math.isnan(y) or abs(x - y) > 1e-9 * (1 + abs(x) + abs(y)):
            return False
    return True


def _meeting(
    psi: Expr, values: Mapping[Sym, Expr], whole: Expr | None = None, inner: Mapping[Sym, Expr] | None = None
) -> str:
    """Which argument lies on its kink: in the line itself if one does, else in what the line is made of."""
    for e, known in ((psi, values), (whole, inner)):
        if e is None or known is None:
            continue
        e = unfold(e)
        bound: dict[Sym, Expr] = {node.bound: ZERO for node in postorder(e) if isinstance(node, Star)}
        for node in postorder(e):
            if any(_lies_on(substitute(d, bound), known) for d in distances(node)):
                return _told(node)
    return f"an argument lies on a kink {_OFTEN}"


def _lies_on(d: Expr, values: Mapping[Sym, Expr]) -> bool:
    try:
        return may_be_zero(substitute(at_infinite_width(d), dict(values)), {})
    except Diverges:
        return False


def _told(node: Expr) -> str:
    if isinstance(node, Call) and FUNCTIONS[node.fn].chooses:
        return f"two arguments of `{node.fn}` are equal {_OFTEN}"
    if isinstance(node, Call) and FUNCTIONS[node.fn].jumps:
        return f"the argument of `{node.fn}` lies on its jump with positive probability in the limit"
    if isinstance(node, Call):
        return f"the argument of `{node.fn}` lies on its kink {_OFTEN}"
    if isinstance(node, Pow):
        return f"a root is taken of 0 {_OFTEN}"
    return f"the two sides of `{to_text(node)}` are equal {_OFTEN}"

"""The outputs at initialization, f = Σ c vᵀx/√n: which covariances are known, and which outputs grow like √n.

With y_α = v_α x_α a term is (1/√n) Σ_α y_α, and the covariance of two terms is (1/n) Σ_{α,β} Cov(y_α, y'_β).

1. What is drawn for the coordinate α alone (its v_α, its row of an input matrix, its row of a matrix whose products
   enter no other coordinate) may change its sign, and y_α with it: all terms with α ≠ β are zero, and the limit is
   E Z^y Z^{y'}. The standard readout is of this kind: v is centred, independent of all else, and used nowhere else.
2. The coordinates are iid, as those are that are made of members of 𝒱 alone: it is E Z^y Z^{y'} − E Z^y E Z^{y'}.
3. In other networks the fluctuations of the layers below count as well, and no number is given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.networks import growing_output, unknown_covariance
from netsor.expr import Expr, Sym, canonical, mul, substitute, sym, unfold
from netsor.expr.parity import parity
from netsor.expr.rationals import rational

# Subsets of more sources than these are not all tried.
_MOST_SOURCES = 8


@dataclass(frozen=True)
class Term:
    """A term c vᵀx/√n of a readout.

    `kind` is "standard", "centred" (a sign of its own, see above), "iid", or "" where the covariance is not known;
    `centred` says that E Z^v Z^x is zero by a symmetry.
    """

    v: str
    x: str
    kind: str
    centred: bool


def readout_terms(p: Program) -> list[list[Term]]:
    """The terms of every readout, in the order in which they stand."""
    if not p.readouts:
        return []
    sources = _Sources(p)
    known: dict[tuple[str, str], Term] = {}
    for r in p.readouts:
        for _, v, x in r.terms:
            if (v, x) not in known:
                known[v, x] = sources.term(v, x)
    return [[known[v, x] for _, v, x in r.terms] for r in p.readouts]


def verify_covariance(p: Program) -> list[list[Term]]:
    """The terms of all readouts; raises NetsorError (E617) where the covariance of the outputs is not known."""
    terms = readout_terms(p)
    for r, found in zip(p.readouts, terms, strict=True):
        for t in found:
            if not t.kind:
                raise NetsorError(unknown_covariance(r.span, r.name, t.v, t.x, _cause(p, t.v)))
    return terms


def growing(p: Program) -> list[Diagnostic]:
    """W618 for every readout whose outputs grow like √n: E Z^v Z^x is not zero by a symmetry."""
    out, p = [], p.evaluated
    for r, terms in zip(p.readouts, readout_terms(p), strict=True):
        t = next((t for t in terms if not t.centred), None)
        if t is not None:
            out.append(growing_output(r.span, r.name, t.v, t.x, _cause(p, t.v)))
    return out


def _cause(p: Program, v: str) -> str:
    """In what way a readout vector is not the paper's."""
    group, i = p.group_of[v]
    if group.mean[i] != 0:
        return f"`{v}` has mean {group.mean[i]:g}"
    component = _component(p, v)
    for instruction in p.instructions:
        used = (instruction.vector,) if isinstance(instruction, MatMul) else instruction.vectors
        for name in sorted(component.intersection(used), key=lambda name: name != v):
            relation = "" if name == v else f"correlated with `{name}`, which is "
            return f"`{v}` is {relation}used in `{instruction.name}`"
    return f"`{v}` is an embedding too"


def _component(p: Program, v: str) -> frozenset[str]:
    """The members of 𝒱 that are correlated with v, directly or through others, v itself among them."""
    group, i = p.group_of[v]
    found, stack = {i}, [i]
    while stack:
        k = stack.pop()
        more = {j for j, c in enumerate(group.covariance[k]) if c != 0} - found
        found |= more
        stack += more
    return frozenset(group.names[k] for k in found)


@dataclass
class _Sources:
    """Where the coordinates of a network's vectors come from: members of 𝒱, and products with matrices."""

    program: Program
    _written: dict[str, Expr] = field(default_factory=dict)

    def __post_init__(self) -> None:
        p = self.program
        needed = p.needed()
        self.instructions = [i for i in p.instructions if i.name in needed]
        self.uses: dict[str, set[bool]] = {}
        for i in self.instructions:
            if isinstance(i, MatMul):
                self.uses.setdefault(i.matrix, set()).add(i.transposed)
        # Vectors that any line uses.
        self.used = {x for i in self.instructions for x in ((i.vector,) if isinstance(i, MatMul) else i.vectors)}

    @cached_property
    def inside(self) -> set[str]:
        """The members of 𝒱 and the products that enter coordinates other than their own."""
        inside: set[str] = set()
        for i in self.instructions:
            if isinstance(i, MatMul):
                inside.add(i.vector)
            elif isinstance(i, Moment):
                inside.update(i.vectors)
        return {str(s.name) for x in inside for s in self.written(x).free}

    def written(self, x: str) -> Expr:
        """A vector in members of 𝒱, products with matrices, and scalars."""
        # Those that it is made of come first, on a list: networks are deeper than Python's own stack.
        waiting = [x]
        while waiting:
            top = waiting[-1]
            i = self.program.by_name.get(top)
            vectors = i.vectors if isinstance(i, Nonlin) else ()
            missing = [y for y in vectors if y not in self._written]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            made = {sym(y): self._written[y] for y in vectors}
            self._written[top] = substitute(i.psi, made) if isinstance(i, Nonlin) else sym(top)
        return self._written[x]

    def term(self, v: str, x: str) -> Term:
        p = self.program
        group, i = p.group_of[v]
        embeddings = {x for r in p.readouts for _, _, x in r.terms}
        if group.mean[i] == 0 and not _component(p, v) & (self.used | embeddings):
            return Term(v, x, "standard", True)
        y = canonical(unfold(mul(self.written(v), self.written(x))))
        names = {str(s.name) for s in y.free}
        symmetric = [s for s in {self.source(name) for name in names if self.is_vector(name)} if self.is_symmetric(s)]
        entering = {self.source(name) for name in self.inside if self.is_vector(name)}
        private = [s for s in symmetric if s not in entering]
        if self.changes_sign(y, private):
            return Term(v, x, "centred", True)
        iid = all(
            name in p.group_of or name in p.embedding or not self.is_vector(name) and self.is_sure(name)
            for name in names
        )
        return Term(v, x, "iid" if iid else "", self.changes_sign(y, symmetric))

    def is_vector(self, name: str) -> bool:
        p = self.program
        return name in p.group_of or name in p.embedding or isinstance(p.by_name.get(name), MatMul)

    def is_sure(self, name: str) -> bool:
        """Whether a scalar is a number at every width, as n itself is."""
        i = self.program.by_name.get(name)
        return i is None or isinstance(i, Moment) and not i.vectors and all(map(self.is_sure, i.scalars))

    def source(self, name: str) -> tuple[str, object]:
        """What a vector is drawn with: the members of 𝒱 correlated with it, or its matrix."""
        p = self.program
        if name in p.embedding:
            return "matrix", p.embedding[name].matrix
        i = p.by_name.get(name)
        if isinstance(i, MatMul):
            return "matrix", i.matrix
        return "vectors", _component(p, name)

    def is_symmetric(self, source: tuple[str, object]) -> bool:
        """Whether all that comes from a source may change its sign: Gaussians with mean zero, and no Ż among them."""
        kind, what = source
        if kind == "matrix":
            u = self.program.input_matrix.get(str(what))
            if u is not None and u.bounds is not None and rational(u.bounds[0]) != -rational(u.bounds[1]):
                return False
            return len(self.uses.get(str(what), ())) < 2
        assert isinstance(what, frozenset)
        return all(self.program.group_of[name][0].mean[self.program.group_of[name][1]] == 0 for name in what)

    def changes_sign(self, y: Expr, sources: list[tuple[str, object]]) -> bool:
        """Whether y is odd in what comes from some of these sources."""
        count = len(sources)
        sizes = range(1, count + 1) if count <= _MOST_SOURCES else (1, count)
        for k in sizes:
            for some in combinations(sources, k):
                flipped = frozenset(s for s in y.free if self._is_from(s, some))
                if flipped and parity(y, flipped) == -1:
                    return True
        return False

    def _is_from(self, s: Sym, sources: tuple[tuple[str, object], ...]) -> bool:
        name = str(s.name)
        return self.is_vector(name) and self.source(name) in sources

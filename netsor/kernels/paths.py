"""The NTK as a sum over isomorphic paths (Prop. D.3), by dynamic programming over pairs of G-vars.

For G-vars g and g' of the two examples, S(g, g') is the sum of ⟨p, q⟩ over all isomorphic paths that end in them:

    S(W h, W h') = [W trained] σ_W² E Z^h Z^{h'} + σ_W² Σ_{a, b} E[∂Z^h/∂Z^a ∂Z^{h'}/∂Z^b] S(a, b)     (Eqs. 95, 96)

over the G-vars a on which h depends, and b on which h' depends. It uses the forward pass alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netsor.core import DataRef
from netsor.expr import Expr, Sym, canonical, diff, mul
from netsor.kernels.pairs import Template
from netsor.limit.many.frames import Step
from netsor.limit.many.terms import Term
from netsor.limit.worklist import kept
from netsor.transform.forward import covariance_of
from netsor.transform.parameters import Trainable, trainable

# Contributions by (parameter at the start of the path, matrices along the path).
Shares = dict[tuple[str, str], Step]
Terms = dict[tuple[str, str], list[Term]]
_MOST_CLASSES = 5000


def path_contributions(t: Template, a: int, b: int) -> dict[str, Step]:
    """The NTK of readouts a and b by trained parameter, and under `paths …` by isomorphism class of paths."""
    solver = _Solver(t, trainable(t.made.network))
    out: dict[str, list[Term]] = {}
    for (parameter, path), terms in solver.readouts(a, b).items():
        for key in (parameter, f"paths {path}"):
            out.setdefault(key, []).extend(terms)
    return {key: t.evaluator.total(terms) for key, terms in out.items()}


@dataclass
class _Solver:
    t: Template
    trained: Trainable
    _shares: dict[tuple[Sym, Sym], Shares] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.evaluator = self.t.evaluator
        self.limit = self.evaluator.limit

    def readouts(self, a: int, b: int) -> Terms:
        """The paths that end in the embeddings, and the gradient of the readout itself (Eqs. 96, 125, 133)."""
        p, q = self.t.examples
        made = self.t.made
        out: Terms = {}
        for c, v, x in made.network.readouts[a].terms:
            for d, w, y in made.network.readouts[b].terms:
                zx, zy = self.z(made.values[p][x]), self.z(made.values[q][y])
                square = c * d * covariance_of(made.network, v, w)
                if square:
                    self.collect(out, self.through(zx, zy), square, w)
                partner = dict(self.trained.vectors.get(v, ())).get(w, 0.0)
                if partner:
                    self.put(out, (v, v), c * d * partner, self.evaluator.expect(canonical(mul(zx, zy))))
        return out

    def z(self, variable: Expr) -> Expr:
        assert isinstance(variable, Sym)
        return self.limit.vectors[variable.name]

    def through(self, h: Expr, k: Expr) -> Terms:
        """Σ_{a, b} E[∂Z^h/∂Z^a ∂Z^{k}/∂Z^b] S(a, b)."""
        out: Terms = {}
        for s in sorted(h.free, key=lambda s: s.digest):
            for u in sorted(k.free, key=lambda s: s.digest):
                if not (self.limit.is_gaussian(s) and self.limit.is_gaussian(u)):
                    continue
                shares = self.shares(s, u)
                if not shares:
                    continue
                slope = self.evaluator.expect(canonical(mul(diff(h, s), diff(k, u))))
                for key, share in shares.items():
                    self.put(out, key, 1.0, slope, share)
        return out

    def shares(self, s: Sym, u: Sym) -> Shares:
        """S(g, g') of the G-vars that the symbols s and u stand for."""
        key = (s, u)
        found = self._shares.get(key)
        if found is None:
            found = self.evaluator.work.do(lambda: kept(self._shares, key, self._compute(s, u)))
        return found

    def _compute(self, s: Sym, u: Sym) -> Shares:
        return {key: self.evaluator.total(terms) for key, terms in self._terms(s, u).items()}

    def _terms(self, s: Sym, u: Sym) -> Terms:
        p, q = self.limit.products.get(s), self.limit.products.get(u)
        out: Terms = {}
        if p is not None and q is not None:
            if p.matrix != q.matrix or p.transposed != q.transposed:
                return out
            square = self.trained.matrices.get(p.matrix)
            if square is not None:
                self.put(out, (p.matrix, p.matrix), square, self.evaluator.expect(canonical(mul(p.operand, q.operand))))
            self.collect(out, self.through(p.operand, q.operand), p.variance, p.matrix)
            return out
        if p is not None or q is not None:
            return out
        program = self.limit.program
        x, y = self.limit.initial[s], self.limit.initial[u]
        e, f = program.embedding.get(x), program.embedding.get(y)
        if e is not None and f is not None:
            square = self.trained.input_matrices.get(e.matrix) if e.matrix == f.matrix else None
            if square is not None:
                assert isinstance(e.source, DataRef) and isinstance(f.source, DataRef)
                self.put(out, (e.matrix, e.matrix), square, self.evaluator.inner(e.source, f.source))
            return out
        partner = dict(self.trained.vectors.get(x, ())).get(y, 0.0)
        if partner:
            self.put(out, (x, x), partner)
        return out

    @staticmethod
    def put(out: Terms, key: tuple[str, str], number: float, *factors: Step) -> None:
        out.setdefault(key, []).append(Term(number, factors))

    def collect(self, out: Terms, shares: Terms, scale: float, step: str) -> None:
        """Add the paths extended by one matrix; beyond `_MOST_CLASSES` classes they are summed as "all others"."""
        for (parameter, path), terms in shares.items():
            longer = f"{path} → {step}" if len(shares) < _MOST_CLASSES else "all others"
            out.setdefault((parameter, longer), []).extend(t._replace(number=scale * t.number) for t in terms)

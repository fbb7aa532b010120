"""The NTK as a sum over isomorphic paths (Prop. D.3), by dynamic programming over pairs of G-vars.

For G-vars g and g' of the two examples, S(g, g') is the sum of ⟨p, q⟩ over all isomorphic paths that end in them:

    S(W h, W h') = [W trained] σ_W² E Z^h Z^{h'} + σ_W² Σ_{a, b} E[∂Z^h/∂Z^a ∂Z^{h'}/∂Z^b] S(a, b)     (Eqs. 95, 96)

over the G-vars a on which h, and b on which h' depends. It uses the forward pass alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from netsor.core import DataRef
from netsor.expr import Expr, Sym, canonical, diff, mul
from netsor.kernels.batch import Quantity, product
from netsor.kernels.pairs import Template
from netsor.limit.worklist import kept
from netsor.transform.forward import covariance_of
from netsor.transform.parameters import Trainable, trainable

Array = np.ndarray
# Contributions by (parameter that the path starts from, matrices along it).
Shares = dict[tuple[str, str], tuple[Array, Array]]
_MOST_CLASSES = 5000


def path_contributions(t: Template, a: int, b: int) -> dict[str, tuple[Array, Array]]:
    """The NTK of readouts a and b by trained parameter, and under `paths …` by isomorphism class of paths."""
    solver = _Solver(t, trainable(t.made.network))
    out: dict[str, tuple[Array, Array]] = {}
    for (parameter, path), (value, error) in solver.readouts(a, b).items():
        for key in (parameter, f"paths {path}"):
            before = out.get(key, (0.0, 0.0))
            out[key] = (before[0] + value, before[1] + error)
    return out


@dataclass
class _Solver:
    t: Template
    trained: Trainable
    _shares: dict[tuple[Sym, Sym], Shares] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.batch = self.t.batch
        self.limit = self.t.batch.limit
        self.domain = "LR" if self.t.examples[0] != self.t.examples[1] else "L"

    def readouts(self, a: int, b: int) -> Shares:
        """Paths that end in the embeddings, and the readout's own gradient (Eqs. 96, 125, 133)."""
        p, q = self.t.examples
        made = self.t.made
        out: Shares = {}
        for c, v, x in made.network.readouts[a].terms:
            for d, w, y in made.network.readouts[b].terms:
                zx, zy = self.z(made.values[p][x]), self.z(made.values[q][y])
                square = c * d * covariance_of(made.network, v, w)
                if square:
                    self.collect(out, self.through(zx, zy), square, w)
                partner = dict(self.trained.vectors.get(v, ())).get(w, 0.0)
                if partner:
                    self.put(out, (v, v), [self.batch.expect(canonical(mul(zx, zy)))], c * d * partner)
        return out

    def z(self, variable: Expr) -> Expr:
        assert isinstance(variable, Sym)
        return self.limit.vectors[variable.name]

    def through(self, h: Expr, k: Expr) -> Shares:
        """Σ_{a, b} E[∂Z^h/∂Z^a ∂Z^{k}/∂Z^b] S(a, b)."""
        out: Shares = {}
        for s in sorted(h.free, key=lambda s: s.digest):
            for u in sorted(k.free, key=lambda s: s.digest):
                if not (self.limit.is_gaussian(s) and self.limit.is_gaussian(u)):
                    continue
                shares = self.shares(s, u)
                if not shares:
                    continue
                slope = self.batch.expect(canonical(mul(diff(h, s), diff(k, u))))
                for key, (value, error) in shares.items():
                    v, e = product(self.batch, [slope], self.domain)
                    self.add(out, key, v * value, abs(v) * error + abs(value) * e + e * error)
        return out

    def shares(self, s: Sym, u: Sym) -> Shares:
        """S(g, g') of the G-vars that two Ẑ's stand for."""
        key = (s, u)
        found = self._shares.get(key)
        if found is None:
            found = self.batch.work.do(lambda: kept(self._shares, key, self._compute(s, u)))
        return found

    def _compute(self, s: Sym, u: Sym) -> Shares:
        p, q = self.limit.products.get(s), self.limit.products.get(u)
        out: Shares = {}
        if p is not None and q is not None:
            if p.matrix != q.matrix or p.transposed != q.transposed:
                return out
            square = self.trained.matrices.get(p.matrix)
            if square is not None:
                self.put(out, (p.matrix, p.matrix), [self.batch.expect(canonical(mul(p.operand, q.operand)))], square)
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
                self.put(out, (e.matrix, e.matrix), [self.batch.inputs.inner(e.source, f.source)], square)
            return out
        partner = dict(self.trained.vectors.get(x, ())).get(y, 0.0)
        if partner:
            self.put(out, (x, x), [], partner)
        return out

    def put(self, out: Shares, key: tuple[str, str], factors: list[Quantity], scale: float) -> None:
        value, error = product(self.batch, factors, self.domain)
        self.add(out, key, scale * value, abs(scale) * error)

    def collect(self, out: Shares, shares: Shares, scale: float, step: str) -> None:
        """Paths one matrix longer."""
        for (parameter, path), (value, error) in shares.items():
            longer = f"{path} → {step}" if len(shares) < _MOST_CLASSES else "all others"
            self.add(out, (parameter, longer), scale * value, abs(scale) * error)

    @staticmethod
    def add(out: Shares, key: tuple[str, str], value: Array, error: Array) -> None:
        before = out.get(key)
        out[key] = (value, error) if before is None else (before[0] + value, before[1] + error)

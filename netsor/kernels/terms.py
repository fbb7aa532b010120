"""The kernels of a network as MOMENTs of its forward and backward passes on two examples (Eqs. 97–100, D.4.1–D.4.3).

Every term is a number times a product of MOMENTs, times an inner product of two rows of data where an input matrix is
trained. The same terms serve for a limit, for many limits at once, and for runs at finite width.
"""

from __future__ import annotations

from dataclasses import dataclass

from netsor.check.outputs import Term
from netsor.core import DataRef
from netsor.expr import ZERO, Expr, mul
from netsor.transform.backward import Passes
from netsor.transform.forward import Instances, readout_covariance
from netsor.transform.parameters import Trainable, trainable

Source = tuple[int, DataRef]


@dataclass(frozen=True)
class KernelTerm:
    """scale · Π mean(ψ) over `moments` · ⟨ξ, ξ'⟩ over `rows`, a contribution of `parameter`."""

    parameter: str
    scale: float
    moments: tuple[Expr, ...]
    rows: tuple[DataRef, DataRef] | None = None


def nngp_terms(kinds: list[list[Term]], made: Instances, p: int, q: int, a: int, b: int) -> list[KernelTerm]:
    """The covariance of readout a on example p and readout b on example q at initialization.

    It is σ_v² xᵀx'/n where the readouts are standard, else the mean of v x v' x', minus the product of the means of v x
    and v' x' where coordinates are iid; `kinds` is the result of `netsor.check.outputs.verify_covariance` for the
    terms.
    """
    if all(t.kind == "standard" for t in (*kinds[a], *kinds[b])):
        psi = gram_psi(made, p, q, a, b)
        return [] if psi is ZERO else [KernelTerm("", 1.0, (psi,))]
    readouts, here, there = made.network.readouts, made.values[p], made.values[q]
    out = []
    for (c, v, x), t in zip(readouts[a].terms, kinds[a], strict=True):
        for (d, w, y), u in zip(readouts[b].terms, kinds[b], strict=True):
            one, two = mul(here[v], here[x]), mul(there[w], there[y])
            out.append(KernelTerm("", c * d, (mul(one, two),)))
            if t.kind == u.kind == "iid" and not (t.centred or u.centred):
                out.append(KernelTerm("", -c * d, (one, two)))
    return [t for t in out if t.scale and ZERO not in t.moments]


def gram_terms(made: Instances, p: int, q: int, a: int, b: int) -> list[KernelTerm]:
    """Σ c c' Cov(v, v') xᵀx'/n: the covariance of two readouts given their embeddings, the Σ of Eq. 71."""
    psi = gram_psi(made, p, q, a, b)
    return [] if psi is ZERO else [KernelTerm("", 1.0, (psi,))]


def gram_psi(made: Instances, p: int, q: int, a: int, b: int) -> Expr:
    readouts = made.network.readouts
    return readout_covariance(made.network, readouts[a].terms, readouts[b].terms, made.values[p], made.values[q])


def ntk_terms(made: Passes, p: int, q: int, a: int, b: int) -> list[KernelTerm]:
    """⟨∇f_a(ξ_p), ∇f_b(ξ_q)⟩ over the trained unit parameters (Eq. 98), as terms of each parameter."""
    network = made.network
    trained = trainable(network)
    out: list[KernelTerm] = []
    for name, square in trained.matrices.items():
        out += _matrix_terms(made, name, square, p, q, a, b)
    for name, square in trained.input_matrices.items():
        out += _input_terms(made, name, square, p, q, a, b)
    out += _vector_terms(made, trained, p, q, a, b)
    return out


def _matrix_terms(made: Passes, name: str, square: float, p: int, q: int, a: int, b: int) -> list[KernelTerm]:
    """σ_W² Σ_{g=Wh, 𝐠=W𝐡} (dgᵀd𝐠/n)(hᵀ𝐡/n), the sum of Eq. 99; for products with Wᵀ, dg and h exchange their roles in
    ∇_W f (Eq. 126).
    """
    out = []
    here, there = made.errors[p][a], made.errors[q][b]
    products = made.network.products[name]
    for i in products:
        for j in products:
            if i.name not in here or j.name not in there:
                continue
            dg, h = here[i.name], made.values[p][i.vector]
            dg2, h2 = there[j.name], made.values[q][j.vector]
            left, right = (h, dg) if i.transposed else (dg, h)
            left2, right2 = (h2, dg2) if j.transposed else (dg2, h2)
            if ZERO not in (left, right, left2, right2):
                out.append(KernelTerm(name, square, (mul(left, left2), mul(right, right2))))
    return out


def _input_terms(made: Passes, name: str, square: float, p: int, q: int, a: int, b: int) -> list[KernelTerm]:
    """σ_U² Σ ⟨ξ, ξ'⟩ dgᵀdg'/n over g = U ξ, g' = U ξ' (D.4.1)."""
    out = []
    mine = [e for e in made.network.embeddings if e.matrix == name]
    for e in mine:
        for f in mine:
            d, d2 = made.errors[p][a].get(e.name), made.errors[q][b].get(f.name)
            if d is None or d2 is None:
                continue
            rows = (made.examples[p].sources[e.source][0], made.examples[q].sources[f.source][0])
            out.append(KernelTerm(name, square, (mul(d, d2),), rows))
    return out


def _vector_terms(made: Passes, trained: Trainable, p: int, q: int, a: int, b: int) -> list[KernelTerm]:
    """Σ C(b, b') dbᵀdb'/n over trained vectors: biases, and the readout, whose db is the embedding (Eq. 125)."""
    out = []
    for name, partners in trained.vectors.items():
        for other, covariance in partners:
            d, d2 = made.errors[p][a].get(name), made.errors[q][b].get(other)
            if d is not None and d2 is not None and covariance:
                out.append(KernelTerm(name, covariance, (mul(d, d2),)))
    return out

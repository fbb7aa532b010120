"""The eigendecomposition of a symmetric matrix, with what rounding makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netsor.predict.rounding import Array, defect_of_gram, growth


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues, none negative, and eigenvectors V near an orthogonal Q.

    ‖A − Q Λ Qᵀ‖_F ≤ `backward` and ‖Q − V‖_F ≤ `skew`: the decomposition is exact for a matrix at that distance.
    """

    values: Array
    vectors: Array
    backward: float
    skew: float


def decompose(a: Array) -> Spectrum:
    """The eigendecomposition of a matrix whose exact counterpart is positive semidefinite.

    The distance to it is the residual A − V Λ Vᵀ as it is computed, with the rounding of its computation, and Q is the
    orthogonal factor of V, at most ‖VᵀV − 1‖ from it (Higham 2008, Lemma 8.17).
    """
    from scipy.linalg import eigh

    n = len(a)
    if not n:
        return Spectrum(np.zeros(0), np.zeros((0, 0)), 0.0, 0.0)
    values, vectors = eigh(a, check_finite=False)
    values = np.maximum(values, 0.0)
    skew = defect_of_gram(vectors)
    scaled = vectors * values
    # |V||Λ||Vᵀ| ≤ s sᵀ for s_i = √Σ_k v_ik² λ_k.
    size = float(np.einsum("ij,ij->", scaled, vectors) + np.abs(a).trace())
    residual = float(np.linalg.norm(a - scaled @ vectors.T)) * (1 + growth(n * n))
    backward = residual + growth(n + 4) * size + 2 * skew * (1 + skew) * float(values[-1])
    return Spectrum(values, vectors, backward, skew)

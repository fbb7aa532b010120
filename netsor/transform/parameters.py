"""The NTK parametrization (Setup D.1): which parameters are trained, and their scale.

A matrix is W = σ_W w/√n, with w trained, and likewise for the others. A step along the gradient in w moves W by σ_W²
times a step along the gradient in W/√n, so that these squares are all that a derived program needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from netsor.core import DataRef, MatMul, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived


@dataclass(frozen=True)
class Trainable:
    """The parameters that `train` names: σ² of every n×n matrix and input matrix, and the covariances of vectors.

    `vectors[b]` lists (b', C) with C = Cov(b, b') over the trained b': jointly Gaussian vectors are b = L b₀, and a
    gradient in b₀ moves b along L Lᵀ = C.
    """

    matrices: dict[str, float]
    input_matrices: dict[str, float]
    vectors: dict[str, tuple[tuple[str, float], ...]]

    def __contains__(self, name: object) -> bool:
        return name in self.matrices or name in self.input_matrices or name in self.vectors


def trainable(network: Program) -> Trainable:
    """The trained parameters of a network, without a `train` line its n×n matrices (Assumption A1); raises E661."""
    if network.train is None:
        return Trainable({m.name: m.variance for m in network.matrices}, {}, {})
    matrices: dict[str, float] = {}
    inputs: dict[str, float] = {}
    multipliers: dict[str, float | None] = {}
    for t in network.train:
        square = None if t.multiplier is None else t.multiplier**2
        if t.name in network.matrix:
            matrices[t.name] = network.matrix[t.name].variance if square is None else square
        elif t.name in network.input_matrix:
            inputs[t.name] = network.input_matrix[t.name].variance if square is None else square
        elif t.name in network.group_of:
            multipliers[t.name] = square
        else:
            raise NetsorError(derived.not_trainable(t.name))
    vectors: dict[str, tuple[tuple[str, float], ...]] = {}
    for name, given in multipliers.items():
        if given is not None:
            vectors[name] = ((name, given),)
            continue
        group, i = network.group_of[name]
        pairs = [(other, group.covariance[i][j]) for j, other in enumerate(group.names)]
        vectors[name] = tuple((o, c) for o, c in pairs if c != 0 and o in multipliers and multipliers[o] is None)
    return Trainable(matrices, inputs, vectors)


def moving(network: Program, trained: Trainable) -> frozenset[str]:
    """The variables that depend on a trained parameter, the trained vectors included."""
    found = set(trained.vectors) | {e.name for e in network.embeddings if e.matrix in trained.input_matrices}
    for i in network.instructions:
        if isinstance(i, MatMul):
            depends = i.matrix in trained.matrices or i.vector in found
        else:
            depends = not found.isdisjoint((*i.vectors, *i.scalars))
        if depends:
            found.add(i.name)
    return frozenset(found)


def shared(network: Program) -> frozenset[str]:
    """The variables that do not depend on the example: parameters, 𝒞, U times the network's own data, and functions of
    these.
    """
    found = {*network.matrix, *network.input_matrix, *network.constant, *network.datum, *network.group_of}
    found |= {e.name for e in network.embeddings if isinstance(e.source, DataRef)}
    for i in network.instructions:
        arguments = (i.vector,) if isinstance(i, MatMul) else (*i.vectors, *i.scalars)
        if found.issuperset(arguments):
            found.add(i.name)
    return frozenset(found)

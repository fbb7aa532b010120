"""Networks for the tests of kernels and training: the gallery, and rows for each of its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import netsor

FOLDER = Path(__file__).parents[2] / "programs" / "networks"
GALLERY = sorted(p.stem for p in FOLDER.glob("*.netsor"))
# W and Wᵀ are both forward, which the path formula does not cover.
TIED = ("tied_decoder", "tied_first_layer")

MLP = """
param L = 2
param s = 1
network mlp(ξ : 3)
matrix U : (n, 3) ~ N(0, 1.3/3)
matrix W[2..L] ~ N(0, 1.7/n)
vector b[1..L] ~ N(0, 0.2)
vector v ~ N(0, 0.9)
train U, W[2..L], b[1..L], v
x[1] := PHI(U ξ + b[1])
for l in 2..L:
    x[l] := PHI(W[l] x[l-1] + b[l])
output f := vᵀ x[L] / √n
"""


def load(name: str, **settings) -> netsor.Document:
    return netsor.load(FOLDER / f"{name}.netsor", set=settings)


def rows(document, count: int, seed: int = 0) -> np.ndarray:
    """Rows of standard normal numbers in the shape that the network takes."""
    spec = document.program.inputs[0]
    shape = (spec.dimension,) if spec.indices is None else (len(spec.indices), spec.dimension)
    return np.random.default_rng(seed).standard_normal((count, *shape))

"""Networks written by hand in a few lines, for tests of the transformations."""

from __future__ import annotations

from netsor.core import (
    Constant,
    Embedding,
    Group,
    InputMatrix,
    InputRef,
    MatMul,
    Matrix,
    Moment,
    NetworkInput,
    Nonlin,
    Program,
    Readout,
    Trained,
)
from netsor.expr import Expr, as_expr, sym


class Net:
    """Collects the parts of a network; every method returns symbols to write the next line with."""

    def __init__(self, name: str, dimension: int, tokens: tuple[int, ...] | None = None):
        self.parts: dict[str, list] = {
            k: []
            for k in ("matrices", "input_matrices", "groups", "embeddings", "constants", "instructions", "readouts")
        }
        self.name, self.inputs = name, (NetworkInput("ξ", dimension, tokens),)
        self.dimension = dimension
        self.vectors: set[str] = set()
        self.scalars: set[str] = set()

    def matrix(self, name: str, variance: float = 1.0) -> str:
        self.parts["matrices"].append(Matrix(name, variance))
        return name

    def vector(self, name: str, variance: float = 1.0, mean: float = 0.0) -> Expr:
        self.group((name,), ((variance,),), (mean,))
        return sym(name)

    def group(self, names, covariance, mean=None) -> None:
        self.parts["groups"].append(Group(tuple(names), tuple(mean or (0.0,) * len(names)), covariance))
        self.vectors.update(names)

    def constant(self, name: str, value, limit: float) -> Expr:
        self.parts["constants"].append(Constant(name, as_expr(value), limit))
        self.scalars.add(name)
        return sym(name)

    def embed(self, name: str, matrix: str, token: int | None = None, variance: float = 1.0) -> Expr:
        if all(u.name != matrix for u in self.parts["input_matrices"]):
            self.parts["input_matrices"].append(InputMatrix(matrix, self.dimension, variance))
        self.parts["embeddings"].append(Embedding(name, matrix, InputRef("ξ", token)))
        self.vectors.add(name)
        return sym(name)

    def mm(self, name: str, matrix: str, x: Expr) -> Expr:
        self.parts["instructions"].append(MatMul(name, matrix.rstrip("ᵀ"), matrix.endswith("ᵀ"), x.name))
        self.vectors.add(name)
        return sym(name)

    def _split(self, psi: Expr):
        names = sorted(s.name for s in psi.free if s.name != "n")
        return tuple(x for x in names if x in self.vectors), tuple(x for x in names if x in self.scalars)

    def nl(self, name: str, psi: Expr) -> Expr:
        self.parts["instructions"].append(Nonlin(name, psi, *self._split(psi)))
        self.vectors.add(name)
        return sym(name)

    def mean(self, name: str, psi: Expr) -> Expr:
        self.parts["instructions"].append(Moment(name, psi, *self._split(psi)))
        self.scalars.add(name)
        return sym(name)

    def readout(self, name: str, *terms: tuple[float, str, str]) -> None:
        self.parts["readouts"].append(Readout(name, terms))

    def done(self, *train: str | tuple[str, float]) -> Program:
        trained = tuple(Trained(t) if isinstance(t, str) else Trained(*t) for t in train) or None
        return Program(
            self.name, "network", inputs=self.inputs, train=trained, **{k: tuple(v) for k, v in self.parts.items()}
        )

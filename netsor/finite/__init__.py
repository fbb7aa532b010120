"""Programs at a finite width n (Setup B.2): with the matrices, or without them and exact in distribution."""

from netsor.finite.result import FiniteResult
from netsor.finite.run import run, run_vectors

__all__ = ["FiniteResult", "run", "run_vectors"]

"""Training: the limit of the unrolled program, kernel gradient descent, and real runs at a width (Theorem D.2)."""

from netsor.train.start import first_outputs
from netsor.train.training import Training, train

__all__ = ["Training", "first_outputs", "train"]

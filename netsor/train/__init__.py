"""Training: the limit of the unrolled program, kernel gradient descent (Theorem D.2), and runs at finite width."""

from netsor.train.start import first_outputs
from netsor.train.training import Training, TrainingRequest, train

__all__ = ["Training", "TrainingRequest", "first_outputs", "train"]

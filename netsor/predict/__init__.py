"""Predictions from kernels: Gaussian process posteriors and ensembles of trained networks, with errors."""

from netsor.predict.predict import Request, predict, standardized
from netsor.predict.result import Prediction, Scores

__all__ = ["Prediction", "Request", "Scores", "predict", "standardized"]

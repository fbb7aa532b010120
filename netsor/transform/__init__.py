"""Transformations of core programs: forward and backward passes on data, and SGD as a program (Appendix D)."""

from netsor.transform.backward import Passes, backward, passes
from netsor.transform.forward import Instances, instances, instantiate
from netsor.transform.legend import backward_legend, sgd_legend
from netsor.transform.parameters import Trainable, trainable
from netsor.transform.sgd import sgd

__all__ = [
    "Instances", "Passes", "Trainable", "backward", "backward_legend", "instances", "instantiate", "passes", "sgd",
    "sgd_legend", "trainable",
]  # fmt: skip

"""Kernels of networks: NNGP and NTK at infinite width by two routes, and empirically at a width."""

from netsor.kernels.empirical import EmpiricalKernel, EmpiricalKernels, infer_empirical_kernels
from netsor.kernels.kernel import Kernel, Kernels, infer_kernels, infer_nngp

__all__ = [
    "EmpiricalKernel",
    "EmpiricalKernels",
    "Kernel",
    "Kernels",
    "infer_empirical_kernels",
    "infer_kernels",
    "infer_nngp",
]

"""Kernels of networks: NNGP and NTK at infinite width in two ways, and empirical ones at finite width."""

from netsor.kernels.conditioned import infer_conditioned_ntk
from netsor.kernels.empirical import (
    EmpiricalCovariances,
    EmpiricalKernel,
    EmpiricalKernels,
    infer_empirical_kernels,
    infer_empirical_nngp,
)
from netsor.kernels.kernel import (
    Covariances,
    Kernel,
    Kernels,
    infer_diagonal,
    infer_gram,
    infer_kernels,
    infer_nngp,
    infer_ntk,
)

__all__ = [
    "Covariances",
    "EmpiricalCovariances",
    "EmpiricalKernel",
    "EmpiricalKernels",
    "Kernel",
    "Kernels",
    "infer_conditioned_ntk",
    "infer_diagonal",
    "infer_empirical_kernels",
    "infer_empirical_nngp",
    "infer_gram",
    "infer_kernels",
    "infer_nngp",
    "infer_ntk",
]

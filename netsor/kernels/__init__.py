"""Kernels of networks: NNGP and NTK at infinite width by two routes, and empirically at a width."""

from netsor.kernels.kernel import Kernel, Kernels, infer_kernels

__all__ = ["Kernel", "Kernels", "infer_kernels"]

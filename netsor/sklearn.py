"""Kernels of networks for scikit-learn (the extra `sklearn`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from netsor.api import Document, load, loads
from netsor.kernels import infer_diagonal, infer_nngp, infer_ntk
from netsor.kernels.pairs import as_inputs, flat_rows
from netsor.predict.hyperparameters import Family

Array = np.ndarray
_OWN = ("network", "kernel", "bounds", "tol")


class NetworkKernel(Kernel):  # type: ignore[misc]
    """The NNGP or the NTK of a network as a kernel of scikit-learn, whose hyperparameters are the `param` lines.

    `network` is a file, a text, or what `load` returns; `kernel` is "nngp" or "ntk", and `params` are values of `param`
    lines. Those by which the kernel has a derivative, and which are positive, are hyperparameters in logarithmic scale,
    within `bounds`: one pair for all, or a mapping by name of pairs or "fixed". A `param` that decides about the
    structure, such as a depth, is none. `tol` is the error wanted of the kernel.

    Rows are 2-d arrays; those of a network on families ξ[1..T] hold T·d numbers. Gradients are exact derivatives of the
    limit (`netsor.kernels.gradient`). Raises NetsorError for networks and rows that do not fit, ValueError for a
    network with several outputs.
    """

    def __init__(
        self,
        network: str | Path | Document,
        kernel: str = "nngp",
        bounds: Any = (1e-5, 1e5),
        tol: float = 1e-10,
        **params: float,
    ) -> None:
        self.network = network
        self.kernel = kernel
        self.bounds_of_params = bounds
        self.tol = tol
        self.params = params

    # --- the network --------------------------------------------------------------------------------------------------

    def _document(self) -> Document:
        key = tuple(sorted(self.params.items()))
        known: tuple[Any, Document] | None = self.__dict__.get("_known")
        if known is None or known[0] != key:
            given = self.network
            if isinstance(given, Document):
                document = given.at(self.params)
            elif isinstance(given, str) and "\n" in given:
                document = loads(given, set=self.params)
            else:
                document = load(given, set=self.params)
            if len(document.program.readouts) != 1:
                raise ValueError("a kernel of scikit-learn is of one output; this network has several")
            known = self.__dict__["_known"] = (key, document)
        return known[1]

    def _family(self) -> Family:
        document = self._document()
        return Family(document.report.source, document.settings, document.data)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if not k.startswith("_known")}

    # --- hyperparameters ----------------------------------------------------------------------------------------------

    def _positive(self) -> dict[str, float]:
        known = self.__dict__.get("_known_values")
        key = tuple(sorted(self.params.items()))
        if known is None or known[0] != key:
            values = {name: v for name, v in self._family().values.items() if v > 0}
            known = self.__dict__["_known_values"] = (key, values)
        found: dict[str, float] = known[1]
        return found

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """The parameters with derivatives, in the order of their lines."""
        return [Hyperparameter(name, "numeric", self._bounds(name)) for name in self._positive()]

    def _bounds(self, name: str) -> Any:
        given = self.bounds_of_params
        return given.get(name, (1e-5, 1e5)) if isinstance(given, Mapping) else given

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """What `NetworkKernel` takes, with the values of all hyperparameters."""
        own = {"network": self.network, "kernel": self.kernel, "bounds": self.bounds_of_params, "tol": self.tol}
        return {**own, **self._positive(), **self.params}

    def set_params(self, **params: Any) -> NetworkKernel:
        """Other values of `param` lines, or another network; raises ValueError for names that are neither."""
        known = self._family().names
        for name in params:
            if name not in _OWN and name not in known:
                raise ValueError(f"Invalid parameter {name} for kernel {type(self).__name__}: it has no such `param`")
        changed = {name: value for name, value in params.items() if name not in _OWN}
        self.params = {**self.params, **changed}
        self.network = params.get("network", self.network)
        self.kernel = params.get("kernel", self.kernel)
        self.bounds_of_params = params.get("bounds", self.bounds_of_params)
        self.tol = params.get("tol", self.tol)
        if "network" in params:
            self.__dict__.pop("_known", None)
            self.__dict__.pop("_known_values", None)
        return self

    # --- the kernel ---------------------------------------------------------------------------------------------------

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """K(X, Y), with `eval_gradient` also ∂K(X, X)/∂ log θ of shape (N, N, hyperparameters that are not fixed)."""
        document = self._document()
        x = self._rows(X)
        if eval_gradient and Y is not None:
            raise ValueError("Gradient can only be evaluated when Y is None.")
        names = [h.name for h in self.hyperparameters if not h.fixed]
        if eval_gradient and names:
            found, moved = self._family().gradient(names, x, self.kernel, self.tol)
            values = self._positive()
            return found.value, np.stack([values[name] * moved[name].value for name in names], axis=-1)
        y = None if Y is None else self._rows(Y)
        k = self._infer(document, x, y)
        return (k, np.zeros((*k.shape, 0))) if eval_gradient else k

    def _infer(self, document: Document, x: Any, y: Any) -> Array:
        if self.kernel == "nngp":
            return infer_nngp(document.program, x, y, self.tol).value
        return infer_ntk(document.program, x, y, self.tol)[0].value

    def diag(self, X: Any) -> Array:
        """K(x, x) of every row."""
        return infer_diagonal(self._document().program, self._rows(X), self.kernel, self.tol).value

    def is_stationary(self) -> bool:
        """No: kernels of networks depend on more than differences."""
        return False

    def _rows(self, X: Any) -> Any:
        network = self._document().program
        if self.kernel not in ("nngp", "ntk"):
            raise ValueError(f"kernel should be nngp or ntk, not {self.kernel!r}")
        x = np.atleast_1d(np.asarray(X, float))
        width = sum(i.dimension * len(i.indices or (0,)) for i in network.inputs)
        if x.ndim == 2 and x.shape[1] == width:
            return as_inputs(network, x)
        return as_inputs(network, flat_rows(network, x))

    def __repr__(self) -> str:
        name = self._document().program.name
        values = "".join(f", {k}={v:.3g}" for k, v in self._positive().items())
        return f"NetworkKernel({name}, {self.kernel}{values})"


__all__ = ["NetworkKernel"]

"""Runs on arrays other than numpy's: torch, CuPy, or any module that follows the Python array API standard.

Normals are drawn by numpy from the streams of the run and copied to the device, so that a seed means the same on every
device. Everything else (ψ, products, projections) happens on the device, on whole vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from netsor.core import Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import finite
from netsor.expr import WIDTH, sym
from netsor.expr.arrays import lambdify
from netsor.finite.dense import drawn_or_given
from netsor.finite.plan import Product, Stage
from netsor.finite.scales import exponent, times_power
from netsor.finite.streams import CHUNK, Array, Streams, spans
from netsor.finite.sweep import ONE, Hook, Many, Sweep
from netsor.finite.workers import Workers

# How many columns of an inner product are summed on the device, in its precision, before the sums are added in float64.
STRIPE = 1 << 20


@dataclass(frozen=True)
class Device:
    """An array module and one of its devices."""

    xp: Any
    place: Any
    name: str

    def dtype(self, dtype: Any) -> Any:
        """The module's name for a numpy dtype."""
        return getattr(self.xp, np.dtype(dtype).name)

    def send(self, x: Array, dtype: Any) -> Any:
        """A numpy array on the device."""
        return self.xp.asarray(np.ascontiguousarray(x, dtype), device=self.place)

    def free_bytes(self) -> int:
        """The bytes that a GPU has free; 2^62 where the module cannot tell, or where the memory is the host's."""
        try:
            if getattr(self.place, "type", "") == "cuda":
                return int(import_module("torch").cuda.mem_get_info(self.place)[0])
            if self.name.startswith("cupy"):
                with self.place:
                    return int(import_module("cupy").cuda.runtime.memGetInfo()[0])
        except (AttributeError, RuntimeError, ImportError):
            pass
        return 1 << 62

    def fetch(self, x: Any) -> Array:
        """An array of the device as numpy's."""
        for step in ("detach", "cpu", "get"):
            x = getattr(x, step)() if hasattr(x, step) else x
        return np.asarray(x)


def device_of(name: str | None) -> Device | None:
    """The device with this name: None or `cpu` for numpy; `cuda`, `cuda:1`, `mps`; `MODULE` or `MODULE:DEVICE`.

    Raises NetsorError (E709) where the module is not installed or has no such device.
    """
    if name is None or name in ("cpu", "numpy"):
        return None
    module, _, place = name.partition(":") if name.split(":")[0] not in ("cuda", "mps") else ("torch", ":", name)
    if not all(map(str.isidentifier, module.split("."))):
        raise NetsorError(
            finite.no_device(name, "a device is `cpu`, `cuda`, `mps`, or MODULE:DEVICE as in `torch:cpu`")
        )
    try:
        xp = _namespace(module)
    except ImportError:
        raise NetsorError(finite.needs_module(name, module)) from None
    try:
        where: Any = place or None
        if module == "torch":
            where = import_module("torch").device(place or "cpu")
        elif module == "cupy":
            where = import_module("cupy").cuda.Device(int(place.removeprefix("cuda").lstrip(":") or 0))
        xp.asarray(np.zeros(1), device=where)
    except (RuntimeError, ValueError, AssertionError, AttributeError, TypeError) as e:
        raise NetsorError(finite.no_device(name, str(e).splitlines()[0])) from e
    return Device(xp, where, name)


def _namespace(module: str) -> Any:
    if module in ("torch", "cupy", "dask"):
        return import_module(f"array_api_compat.{module}")
    return import_module(module)


class DeviceKernels:
    """The operations of `netsor.finite.kernels.Kernels` on a device."""

    def __init__(self, device: Device, dtype: Any):
        self._device = device
        self._xp = device.xp
        self.dtype = np.dtype(dtype)
        self.eps = float(np.finfo(dtype).eps)

    def empty(self, rows: int, n: int) -> Any:
        """Rows to be written."""
        return self._xp.empty((rows, n), dtype=self._device.dtype(self.dtype), device=self._device.place)

    def constant(self, n: int, value: float) -> Any:
        """A vector of one number."""
        return self._xp.full((n,), value, dtype=self._device.dtype(self.dtype), device=self._device.place)

    def stacked(self, xs: Sequence[Any]) -> Any:
        """The vectors as the rows of a new array."""
        return self._xp.stack(list(xs))

    def largest(self, x: Any) -> float:
        """max |x_α|, or NaN where a coordinate is NaN."""
        return float(self._xp.max(self._xp.abs(x)))

    def products(self, xs: Sequence[Any], powers: Sequence[int], basis: Any) -> tuple[Array, Array]:
        """⟨y_i, basis_j⟩ and ‖y_i‖² in float64, where y_i = 2^-power_i x_i."""
        rows = self._stacked(xs, powers)
        return self.inner(rows, basis), self._squares(rows)

    def project(
        self, xs: Sequence[Any], powers: Sequence[int], out: Any, basis: Any, c: Array, others: Any
    ) -> tuple[Array, Array, Array]:
        """out_i := 2^-power_i x_i − Σ_j c_ij basis_j; returns ⟨out_i, basis_j⟩, ‖out_i‖² and ⟨out_i, others_j⟩."""
        out[:, :] = self._stacked(xs, powers)
        squares = self.remove(out, basis, c)
        return self.inner(out, basis), squares, self.inner(out, others)

    def inner(self, x: Any, basis: Any) -> Array:
        """All inner products ⟨x_i, basis_j⟩ as float64 on the host; shape (q, t)."""
        total = np.zeros((x.shape[0], basis.shape[0]))
        for lo, hi in spans(x.shape[1] if basis.shape[0] else 0, STRIPE):
            total += self._device.fetch(x[:, lo:hi] @ basis[:, lo:hi].T)
        return total

    def remove(self, x: Any, basis: Any, c: Array) -> Array:
        """x_i := x_i − Σ_j c_ij basis_j; returns ‖x_i‖² of what is left."""
        self.add(x, basis, -c)
        return self._squares(x)

    def fresh(self, streams: Streams, names: Sequence[str], g: Any, basis: Any) -> Array:
        """Standard normals into the rows of `g`, from their substreams; returns ⟨g_i, basis_j⟩."""
        for i, name in enumerate(names):
            for k, (lo, hi) in enumerate(spans(streams.width, CHUNK)):
                g[i, lo:hi] = self._device.send(streams.normals(name, k, hi - lo), self.dtype)
        return self.inner(g, basis)

    def add(self, x: Any, basis: Any, c: Array, scale: float = 1.0) -> None:
        """x_i := scale x_i + Σ_j c_ij basis_j."""
        if scale != 1.0:
            x *= float(scale)
        if basis.shape[0]:
            x += self._device.send(c, self.dtype) @ basis

    def combine(self, c: Array, basis: Any, more: Array, others: Any) -> list[Any]:
        """Σ_j c_ij basis_j + Σ_j more_ij others_j as a list of vectors."""
        out = self._device.send(c, self.dtype) @ basis
        self.add(out, others, more)
        return [out[i, :] for i in range(c.shape[0])]

    def _stacked(self, xs: Sequence[Any], powers: Sequence[int]) -> Any:
        return self._xp.stack([times_power(x, -e) for x, e in zip(xs, powers, strict=True)])

    def _squares(self, x: Any) -> Array:
        """‖x_i‖² of the rows as float64 on the host; shape (q,)."""
        total = np.zeros(x.shape[0])
        for lo, hi in spans(x.shape[1], STRIPE):
            total += self._device.fetch(self._xp.sum(x[:, lo:hi] ** 2, axis=1))
        return total


class DeviceDense:
    """The matrices of one seed on a device; see `netsor.finite.dense.Dense`."""

    name = "dense"

    def __init__(
        self,
        program: Program,
        streams: Streams,
        dtype: Any,
        workers: Workers,
        given: Mapping[str, Array],
        device: Device,
    ):
        self._program, self._streams, self._dtype, self._workers = program, streams, dtype, workers
        self._given, self._device = given, device
        self._matrix: dict[str, tuple[Any, int]] = {}

    def multiply(self, p: Product, xs: list[Any]) -> list[Any]:
        """W x for each x, or Wᵀ x for each x, computed as one product of matrices; shapes (n,)."""
        self._workers.check()
        w, s = self._matrix.get(p.matrix) or self._draw(p.matrix)
        xp = self._device.xp
        powers = [exponent(float(xp.max(xp.abs(x))), self._dtype) for x in xs]
        rows = xp.stack([times_power(x, -e) for x, e in zip(xs, powers, strict=True)])
        out = rows @ (w if p.transposed else w.T)
        return [times_power(out[i, :], e + s) for i, e in enumerate(powers)]

    def add(self, name: str, scale: float, a: Any, b: Any) -> None:
        """W := W + scale Σ_i a_i b_iᵀ over the rows of a and b."""
        w, s = self._matrix.get(name) or self._draw(name)
        w += scale * 2.0**-s * (a.T @ b)

    def _draw(self, name: str) -> tuple[Any, int]:
        host, s = drawn_or_given(self._program, self._streams, name, self._dtype, self._workers, self._given)
        self._matrix[name] = self._device.send(host, self._dtype), s
        return self._matrix[name]

    def release(self, name: str) -> None:
        """Drop a matrix that no later product needs."""
        self._matrix.pop(name, None)


def run_device_sweep(
    stage: Stage,
    sweep: Sweep,
    store: dict[str, Any],
    scalars: Mapping[str, float],
    streams: Streams,
    dtype: Any,
    device: Device,
    hook: Hook | None = None,
    many: Many = ONE,
) -> dict[str, Any]:
    """`netsor.finite.sweep.run_sweep` on a device, over whole vectors."""
    xp, n = device.xp, streams.width
    block: dict[str, Any] = {name: store[name] for name in sweep.reads}
    if sweep.draws:
        host = {name: np.empty(n, dtype) for name in sweep.draws}
        for chunk, (lo, hi) in enumerate(spans(n, CHUNK)):
            for name, x in sweep.initial.draw(streams, chunk, lo, hi, dtype).items():
                host[name][lo:hi] = x
        block |= {name: device.send(x, dtype) for name, x in host.items()}
    out: dict[str, Any] = {}
    for instruction, s in zip(stage.body, sweep.steps, strict=True):
        kind = np.dtype(np.float64) if s.wide and "mps" not in device.name else np.dtype(dtype)
        names = (*instruction.vectors, *s.scalars)
        f = lambdify((instruction.psi,), (*map(sym, names), WIDTH), xp)
        xs = [xp.astype(block[v], device.dtype(kind)) for v in s.vectors]
        numbers = [np.asarray(x) for x in (*(scalars[y] for y in s.scalars), float(n))]
        values = [device.send(x[:, None] if x.ndim else x, kind) for x in numbers]
        y = f(*xs, *values)[0]
        if isinstance(y, (int, float)):
            y = device.send(np.asarray(y), kind)
        y = xp.broadcast_to(y, many.shape(s.name, n))
        if s.is_moment:
            wide = "mps" not in device.name
            total = xp.sum(y, dtype=device.dtype(np.float64), axis=-1) if wide else xp.sum(y, axis=-1)
            out[s.name] = device.fetch(total) / n if s.name in many.names else float(total) / n
        else:
            block[s.name] = xp.astype(y, device.dtype(dtype))
        if hook:
            hook(s.name, device.fetch(y), 0)
    store.update({name: block[name] for name in sweep.kept})
    return out

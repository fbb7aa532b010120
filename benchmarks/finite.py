"""Finite width against what it must cost, side by side in one run: `python benchmarks/finite.py [--device cuda]`.

The first table has the lazy engine. Its floor is the time to draw the normals of every product, in place, and to read
every base once for each product: the directions and normals of both sides so far; both are measured here, on all
threads, the reading on as many bytes as the run keeps (up to 400 MB), so that it is from the same cache or memory.
`engine` is the time of the products, `run` includes ψ on every coordinate, and `dense` is a run with the matrices.
`over floor` is `engine` against the floor. The first draw of a run writes its bases into memory that the system has to
find and clear first, which takes the time `clear`; `next` is the time of the products of a second draw, which uses that
memory again.

The second table has T steps of SGD on four rows, all rows a batch, with two test rows, for a network with two hidden
layers: plain numpy backpropagation, torch on the CPU where it is installed, and `train --width` of netsor, which
includes the drawing of the weights in all three.

With `--device cuda` (or `torch:cpu`, to see that it works) the first table is that of the device, and its floor is the
time of reading the bases at the device's own rate, which is measured; the normals are drawn on the host and copied.

The smallest of several repetitions counts. `--clock cpu` counts the seconds of all cores, for machines with other work.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import netsor
from netsor.core import Program
from netsor.finite import lazy, memory, run
from netsor.finite.device import Device, device_of
from netsor.finite.kernels import STRIPE, Kernels
from netsor.finite.prepare import prepare
from netsor.finite.streams import CHUNK, Streams, fill, spans
from netsor.finite.workers import Workers, cores

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
# The most bytes of the array on which the rate of reading is measured.
SAMPLE = 400_000_000


def unrolled(products: int) -> Program:
    """SGD in outline: products with W and Wᵀ in turn, each at a point a small step from the one before."""
    return netsor.loads(
        f"""
param T = {products // 2}
matrix W
vector v ~ N(0, 1)
x[0] := v
for t in 1..T:
    y[t] := tanh(W x[t-1])
    x[t] := x[t-1] + 0.1 tanh(Wᵀ y[t])
output m := mean(x[T] * v)
"""
    ).program


class Stopwatch:
    """Times by one clock; the smallest of some repetitions counts."""

    def __init__(self, clock: Callable[[], float], patience: float):
        self.clock, self.patience = clock, patience

    def once(self, work: Callable[[], Any]) -> float:
        start = self.clock()
        work()
        return self.clock() - start

    def best(self, work: Callable[[], Any]) -> float:
        """The smallest time, of at least two repetitions, and of as many more as the patience allows."""
        begun, found = time.perf_counter(), self.once(work)
        for k in range(20):
            if k and time.perf_counter() - begun > self.patience:
                break
            found = min(found, self.once(work))
        return found


@contextmanager
def products_timed(watch: Stopwatch):  # type: ignore[no-untyped-def]
    """A list to which every product of the lazy engine adds its seconds."""
    original, spent = lazy.Lazy.multiply, []

    def multiply(self: lazy.Lazy, *args: Any) -> Any:
        out: list[Any] = []
        spent.append(watch.once(lambda: out.append(original(self, *args))))
        return out[0]

    lazy.Lazy.multiply = multiply  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        lazy.Lazy.multiply = original  # type: ignore[method-assign]


def normals(n: int, dtype: str, watch: Stopwatch, workers: Workers) -> float:
    """Seconds to draw n normals in place on all threads."""
    row, streams = np.empty(n, dtype), Streams(0, 0, n)
    stretches = list(spans(n, CHUNK))

    def draw(k: int) -> None:
        lo, hi = stretches[k]
        fill(streams.generator("floor", k), row[lo:hi])

    return watch.best(lambda: workers.each(len(stretches), draw))


def reading(n: int, most: int, dtype: str, watch: Stopwatch, workers: Workers) -> float:
    """Seconds to read one of at most `most` rows of n numbers, in a product with a vector, on all threads."""
    rows = max(2, min(most, SAMPLE // (n * np.dtype(dtype).itemsize)))
    basis, x = np.ones((rows, n), dtype), np.ones((1, n), dtype)
    kernels = Kernels(workers, dtype)
    assert CHUNK % STRIPE == 0
    return watch.best(lambda: kernels.inner(x, basis)) / rows


def clearing(n: int, rows: int, dtype: str, watch: Stopwatch, workers: Workers) -> float:
    """Seconds to write rows of n numbers into memory that the system has to find and clear, on all threads."""
    few = max(2, min(rows, SAMPLE // (n * np.dtype(dtype).itemsize)))
    stretches = list(spans(n, CHUNK))

    def write() -> None:
        fresh = np.empty((few, n), dtype)

        def fill_part(k: int) -> None:
            lo, hi = stretches[k]
            fresh[:, lo:hi] = 1

        workers.each(len(stretches), fill_part)

    return watch.best(write) * rows / few


def rows_read(program: Program, n: int) -> int:
    """How many directions and images there are when each product is asked, summed over the products."""
    job, _ = prepare(program, n, [o.name for o in program.outputs], (), "float64", "lazy", 1 << 62, None, None, 1)
    known: dict[str, int] = {}
    total = 0
    for p in job.plan.products():
        total += 2 * known.get(p.matrix, 0)
        known[p.matrix] = known.get(p.matrix, 0) + len(p.names)
    return total


def lazy_row(products: int, n: int, dtype: str, watch: Stopwatch, limit: int) -> dict[str, Any]:
    """The lazy engine, its floor, and the dense engine where it fits."""
    program = unrolled(products)
    with Workers() as workers:
        drawn = products * normals(n, dtype, watch, workers)
        read = rows_read(program, n) * reading(n, 2 * products, dtype, watch, workers)
        clear = clearing(n, 2 * products, dtype, watch, workers)
    run(program, 64, 1, dtype=dtype, engine="lazy")
    with products_timed(watch) as spent:
        inside: list[tuple[float, float]] = []

        def whole_run() -> None:
            spent.clear()
            run(program, n, 2, dtype=dtype, engine="lazy")
            inside.append((sum(spent[:products]), sum(spent[products:])))

        total = watch.best(whole_run) / 2
    first, second = (min(times) for times in zip(*inside, strict=True))
    dense = None
    if n * n * np.dtype(dtype).itemsize <= min(limit, 1_000_000_000):
        dense = watch.best(lambda: run(program, n, 1, dtype=dtype, engine="dense"))
    return {
        "products": products, "width": n, "normals": drawn, "reads": read, "clear": clear, "engine": first,
        "over floor": first / (drawn + read), "next": second, "next over": second / (drawn + read),
        "run": total, "dense": dense,
    }  # fmt: skip


NETWORK = """
network mlp(ξ : 10)
matrix U : (n, 10) ~ N(0, 0.1)
matrix W ~ N(0, 1/n)
vector v ~ N(0, 1)
train U, W, v
h := W tanh(U ξ)
output f := vᵀ tanh(h) / √n
"""
ROWS, TESTS, RATE = 4, 2, 0.5


def backpropagation(n: int, steps: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """f after the last step, by plain numpy."""
    rng = np.random.default_rng(0)
    u, w, v = rng.standard_normal((n, 10)) * 0.1**0.5, rng.standard_normal((n, n)) / n**0.5, rng.standard_normal(n)
    for t in range(steps + 1):
        a = np.tanh(x @ u.T)
        b = np.tanh(a @ w.T)
        f = b @ v / n**0.5
        if t < steps:
            pull = (f[:ROWS] - y) * RATE / ROWS / n**0.5
            dh = pull[:, None] * v * (1 - b[:ROWS] ** 2)
            dg = (dh @ w) * (1 - a[:ROWS] ** 2)
            v = v - pull @ b[:ROWS]
            w -= dh.T @ a[:ROWS] / n
            u -= 0.1 * dg.T @ x[:ROWS]
    return f


def torch_training(n: int, steps: int, x: np.ndarray, y: np.ndarray) -> Callable[[], Any] | None:
    """The same by torch on the CPU, with its optimizer; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None

    def descend() -> Any:
        u, w, v = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((n, 10), (n, n), (n,)))
        rows, targets = torch.tensor(x), torch.tensor(y)
        optimizer = torch.optim.SGD([u, w, v], lr=RATE)
        for _ in range(steps):
            f = torch.tanh(torch.tanh(rows @ u.T * 0.1**0.5) @ w.T / n**0.5) @ v / n**0.5
            loss = ((f[:ROWS] - targets) ** 2 / 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            return torch.tanh(torch.tanh(rows @ u.T * 0.1**0.5) @ w.T / n**0.5) @ v / n**0.5

    return descend


def training_row(n: int, steps: int, watch: Stopwatch) -> dict[str, Any]:
    """Plain numpy, torch and netsor."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((ROWS + TESTS, 10)), rng.standard_normal(ROWS)
    document = netsor.loads(NETWORK)
    settings = {"steps": steps, "batch": ROWS, "lr": RATE, "limit": False}
    descend = torch_training(n, steps, x, y)
    return {
        "width": n,
        "steps": steps,
        "numpy": watch.best(lambda: backpropagation(n, steps, x, y)),
        "torch": watch.best(descend) if descend else None,
        "netsor": watch.best(lambda: document.train(x[:ROWS], y, x[ROWS:], width=n, **settings)),
    }


def device_row(products: int, n: int, dtype: str, device: Device, watch: Stopwatch) -> dict[str, Any]:
    """The lazy engine on a device, against the device's rate of reading."""
    program, xp = unrolled(products), device.xp
    wait = getattr(getattr(xp, "cuda", None), "synchronize", None)
    synchronize: Callable[[], Any] = wait if wait is not None and "cuda" in device.name else lambda: None
    rows = max(2, min(40, SAMPLE // (n * np.dtype(dtype).itemsize)))
    basis = device.send(np.ones((rows, n)), dtype)
    x = device.send(np.ones(n), dtype)

    def read() -> None:
        product = basis @ x
        synchronize()
        device.fetch(product)

    read()
    rate = rows * n * np.dtype(dtype).itemsize / watch.best(read)
    streams = Streams(0, 0, n)

    def send() -> None:
        for k, (lo, hi) in enumerate(spans(n, CHUNK)):
            device.send(streams.normals("floor", k, hi - lo), dtype)
        synchronize()

    drawn = products * watch.best(send)
    run(program, 64, 1, dtype=dtype, engine="lazy", device=device.name)
    total = watch.best(lambda: run(program, n, 1, dtype=dtype, engine="lazy", device=device.name))
    size = rows_read(program, n) * n * np.dtype(dtype).itemsize
    return {
        "products": products, "width": n, "GB/s": rate / 1e9, "normals": drawn, "reads": size / rate, "run": total,
        "over floor": total / (drawn + size / rate),
    }  # fmt: skip


def shown(row: dict[str, Any]) -> str:
    """One line of a table, times in seconds with three digits."""
    cells = []
    for name, value in row.items():
        text = "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
        cells.append(f"{text:>{max(10, len(name) + 2)}}")
    return "".join(cells)


def table(title: str, rows: list[Callable[[], dict[str, Any]]]) -> list[dict[str, Any]]:
    """Measure and print the rows one at a time."""
    print(title)
    found: list[dict[str, Any]] = []
    for measure in rows:
        try:
            row = measure()
        except netsor.NetsorError as e:
            print(f"  left out: {e.diagnostics[0].message}")
            continue
        if not found:
            print("".join(f"{name:>{max(10, len(name) + 2)}}" for name in row))
        found.append(row)
        print(shown(row), flush=True)
    return found


def pairs(text: str) -> list[tuple[int, int]]:
    """`10x1e6,300x1e5` as pairs of whole numbers."""
    return [(int(float(a)), int(float(b))) for a, b in (part.split("x") for part in text.split(","))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--products", default="10x1e4,50x1e4,10x1e6,50x1e6,100x1e6,300x1e5,10x1e7", help="COUNTxWIDTH,…"
    )
    parser.add_argument("--training", default="1000x30,4000x30", help="WIDTHxSTEPS,…; nothing for no training")
    parser.add_argument("--device", help="the lazy engine on other arrays: cuda, torch:cpu")
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    parser.add_argument("--memory", type=float, default=4e9, help="bytes that a dense run may take")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds to spend on repetitions of a time")
    parser.add_argument("--clock", default="wall", choices=list(CLOCKS))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    watch, limit = Stopwatch(CLOCKS[args.clock], args.patience), int(min(args.memory, memory.available()))
    asked = pairs(args.products)
    out: dict[str, Any] = {"clock": args.clock, "dtype": args.dtype, "threads": cores()}
    if args.device:
        device = device_of(args.device)
        if device is None:
            parser.error(f"{args.device} is this machine's own arrays, which the other tables measure")
        rows = [lambda p=p, n=n: device_row(p, n, args.dtype, device, watch) for p, n in asked]
        out["device"] = table(f"lazy engine on {args.device}, {args.dtype}, {args.clock} seconds", rows)
    else:
        title = f"lazy engine, {args.dtype}, {args.clock} seconds, {cores()} threads"
        out["lazy"] = table(title, [lambda p=p, n=n: lazy_row(p, n, args.dtype, watch, limit) for p, n in asked])
        if args.training:
            rows = [lambda n=n, t=t: training_row(n, t, watch) for n, t in pairs(args.training)]
            out["training"] = table(f"training, {args.clock} seconds", rows)
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()

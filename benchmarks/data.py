"""On data: predictions against numpy's Cholesky, kernels in tiles against kernels in memory, and fits.

    python benchmarks/data.py [predict] [tiles] [fit] [--rows N]

Each ratio is of two times taken in this process, one after the other, the best of a few.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import netsor
from netsor.finite.executors import processes
from netsor.finite.workers import cores
from netsor.kernels.tiled import write_kernels
from netsor.predict.kernels import compute_kernels
from netsor.predict.merging import merge
from netsor.predict.predict import Request, _predicted
from netsor.predict.scaling import infer_scaling

NETWORK = """
network relu_mlp(ξ : 10)
param s = 2
param sb = 0.1
matrix U : (n, 10) ~ N(0, s/10)
matrix W, W2 ~ N(0, s/n)
vector b, b1, b2 ~ N(0, sb)
vector v ~ N(0, 1)
train U, W, W2, b, b1, b2, v
output f := vᵀ relu(W2 relu(W relu(U ξ + b) + b1) + b2) / √n
"""


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).standard_normal((rows, 10))
    return x, np.sin(x[:, 0]) + 0.1 * x[:, 1]


def seconds(work: Callable[[], Any], runs: int = 3) -> float:
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def predictions(rows: int) -> None:
    """From given kernels of `rows` training rows and 100 test rows: the posterior and the trained ensemble."""
    network = netsor.loads(NETWORK).program
    (x, y), (test, _) = data(rows), data(100)
    kernels = compute_kernels(network, x, test + 1e-3, True, False, 1e-10, None)
    posteriors = type(kernels)(kernels.nngp, None, kernels.own, kernels.diagnostics)
    a = np.array(kernels.nngp.train.value[:, :, 0, 0]) + 0.1 * np.eye(rows)
    factor = seconds(lambda: np.linalg.cholesky(a))
    print(f"numpy's Cholesky of {rows:,} rows: {factor:.2f} s; predictions from given kernels, as multiples of it:")
    for kernel, given in (("nngp", posteriors), ("ntk", kernels)):
        for noise in (0.1, 0.0):
            asked = Request(kernel, np.inf, noise, False, 0, 0)
            merged = merge(x, test + 1e-3, infer_scaling(network))
            table = (x, test + 1e-3, y[:, None], None)
            spent = seconds(partial(_predicted, network, asked, given, merged, table, None, None))
            print(f"    {kernel}, noise {noise:g}: {spent / factor:.2f}")


def tiles(rows: int) -> None:
    """Time for each pair of rows in tiles, and the same in memory on 2,000 rows; memory of the largest process."""
    network = netsor.loads(NETWORK)
    x, _ = data(rows)
    here = seconds(lambda: network.ntk(x[:2000])) / 2000**2
    with tempfile.TemporaryDirectory() as folder, processes() as executor:
        start = time.perf_counter()
        write_kernels(network.program, x, out=Path(folder) / "k", executor=executor)
        spent = (time.perf_counter() - start) / rows**2
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = max(peak, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024
    print(
        f"NNGP and NTK of {rows:,} rows in tiles on {cores()} cores: {spent * rows**2:.1f} s, {spent / here:.2f} × the "
        f"time for a pair of 2,000 rows in memory ({here * 2000**2:.2f} s); at most {peak:.0f} MiB a process"
    )


def fits(rows: int) -> None:
    x, y = data(rows)
    network = netsor.loads(NETWORK)
    found: list[Any] = []
    spent = seconds(lambda: found.append(network.fit(x, y, params=["s", "sb"], noise=0.01)), 1)
    print(f"fit of two parameters on {rows:,} rows: {spent:.1f} s ({found[0]!r})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=("predict", "tiles", "fit"), default=["predict", "tiles", "fit"])
    parser.add_argument("--rows", type=int, help="rows of data (5,000 to predict, 20,000 in tiles, 500 to fit)")
    args = parser.parse_args()
    known = {"predict": (predictions, 5000), "tiles": (tiles, 20000), "fit": (fits, 500)}
    for what in args.what:
        work, rows = known[what]
        work(args.rows or rows)


if __name__ == "__main__":
    main()

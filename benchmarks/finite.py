"""Dense against lazy, side by side in one run: `python benchmarks/finite.py [--widths 1e3,1e4] [--dtype float32]`.

Each case is run by both engines in turn, several times, and the smallest time of each is kept. A case that would take
more memory than `--memory` is left out, which is said. Growth is the slope of log time over log width between
neighbouring rows of the lazy engine, 1 in the long run; `max GB` is the largest memory of the process so far.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from pathlib import Path

import numpy as np

import netsor
from netsor.core import Program
from netsor.finite import cost, memory, run
from netsor.finite.prepare import prepare
from netsor.finite.workers import cores
from netsor.resources import folder


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


def algorithm1() -> Program:
    return netsor.load(folder("programs") / "algorithm1.netsor").program


CASES = {
    "algorithm1": algorithm1,
    "unrolled-10": lambda: unrolled(10),
    "unrolled-50": lambda: unrolled(50),
}


def floor(program: Program, n: int, itemsize: int, engine: str) -> float:
    """The time that drawing the normals and reading the memory must take at the rates of `netsor.finite.cost`."""
    names = [o.name for o in program.outputs]
    job, _ = prepare(program, n, names, (), "float64", engine, 1 << 62, None, None, cores())
    seconds = cost.dense_seconds if engine == "dense" else cost.lazy_seconds
    return seconds(job.plan, n, itemsize, cores())


def timed(program: Program, n: int, dtype: str, engine: str) -> float:
    start = time.perf_counter()
    run(program, n, 1, dtype=dtype, engine=engine)
    return time.perf_counter() - start


def measure(name: str, n: int, dtype: str, limit: int, patience: float) -> dict[str, float | str | None]:
    """One row: both engines in turn until `patience` seconds are used, at least once each."""
    program = CASES[name]()
    best: dict[str, float] = {}
    engines = []
    for engine in ("lazy", "dense"):
        itemsize = np.dtype(dtype).itemsize
        if engine == "dense" and n * n * itemsize > limit:
            continue
        engines.append(engine)
        timed(program, 64, dtype, engine)
    start, rounds = time.perf_counter(), 0
    while not rounds or (time.perf_counter() - start < patience and rounds < 7):
        for engine in engines:
            for _ in range(5 if engine == "lazy" and n <= 100_000 else 1):
                best[engine] = min(best.get(engine, math.inf), timed(program, n, dtype, engine))
            # The BLAS keeps its threads spinning for a while after a product, at the cost of whoever comes next.
            time.sleep(0.2 if engine == "dense" else 0)
        rounds += 1
    return {
        "case": name,
        "width": n,
        "dtype": dtype,
        "lazy": best["lazy"],
        "dense": best.get("dense"),
        "ratio": best["dense"] / best["lazy"] if "dense" in best else None,
        "lazy over floor": best["lazy"] / floor(program, n, np.dtype(dtype).itemsize, "lazy"),
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", default="1e3,1e4,1e5,1e6")
    parser.add_argument("--dtype", default="float64", choices=["float64", "float32"])
    parser.add_argument("--memory", type=float, default=4e9, help="bytes that a run may take")
    parser.add_argument("--patience", type=float, default=3.0, help="seconds to spend on repetitions of a row")
    parser.add_argument("--cases", default=",".join(CASES), help="names, commas between them")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    limit = int(min(args.memory, memory.available()))
    rows = []
    print(f"{'case':24}{'width':>10}{'lazy':>12}{'dense':>12}{'ratio':>9}{'growth':>8}{'of floor':>10}{'max GB':>9}")
    for name in args.cases.split(","):
        before = None
        for n in (int(float(w)) for w in args.widths.split(",")):
            try:
                prepare(CASES[name](), n, [], (), args.dtype, "lazy", limit, None, None, cores())
                row = measure(name, n, args.dtype, limit, args.patience)
            except netsor.NetsorError as e:
                print(f"{name:24}{n:>10,}  left out: {e.diagnostics[0].message}")
                continue
            growth = ""
            if before:
                growth = f"{math.log(row['lazy'] / before['lazy']) / math.log(n / before['width']):.2f}"
            dense = f"{row['dense']:.4g} s" if row["dense"] else "-"
            ratio = f"{row['ratio']:.0f}" if row["ratio"] else "-"
            print(
                f"{name:24}{n:>10,}{row['lazy']:>10.4g} s{dense:>12}{ratio:>9}{growth:>8}"
                f"{row['lazy over floor']:>10.2f}{row['peak GB']:>9.2f}",
                flush=True,
            )
            rows.append(row)
            before = row
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()

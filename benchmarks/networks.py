"""Kernels and training of networks: time, memory, and how they grow as inputs, depth and steps double.

    python benchmarks/networks.py [--markdown] [--quick]

Each row runs in a process of its own, so that its peak memory is its own; times are of one run after the imports.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[1] / "programs" / "networks"
TITLES = {
    "kernels": "NNGP and NTK of a fully trained MLP with L = 3 hidden layers on N inputs in three dimensions",
    "depth": "NNGP and NTK of an MLP with L hidden layers on 100 inputs",
    "paths": "the same NTK by the sum over paths",
    "branches": "the NTK of two residual branches about a layer normalization, φ = tanh + 0.1 u², on N inputs",
    "training": "T steps of SGD on a fully trained erf MLP with L hidden layers, 4 training and 2 test inputs: "
    "the limit of the unrolled program, and kernel gradient descent",
    "finite": "the same training at width n, one seed",
}

BRANCHES = """
network branches(ξ : 3)
φ(u) = tanh(u) + 0.1 u^2
def layernorm(x):
    μ := mean(x)
    σ := sqrt(mean((x - μ)^2) + 1e-5)
    return (x - μ) / σ
matrix U : (n, 3) ~ N(0, 1/3)
matrix V, W
vector v ~ N(0, 1)
k := layernorm(φ(W φ(U ξ)))
y := V φ(k) + W φ(k) + k
output f := vᵀ φ(y) / √n
"""


def rows(quick: bool) -> list[tuple[str, dict]]:
    """(kind, settings) of every row."""
    out: list[tuple[str, dict]] = []
    for name in ("mlp_relu", "mlp_erf"):
        out += [("kernels", {"network": name, "N": n}) for n in ((125, 250) if quick else (125, 250, 500, 1000))]
    for name in ("mlp_relu", "mlp_erf"):
        out += [("depth", {"network": name, "L": depth}) for depth in ((2, 4) if quick else (2, 4, 8, 16))]
    out += [("paths", {"network": "mlp_relu", "L": depth}) for depth in ((2, 4) if quick else (2, 4, 8, 16))]
    out += [("branches", {"N": n}) for n in ((2, 4) if quick else (2, 4, 8, 16))]
    out += [("training", {"T": t, "L": 3}) for t in ((5,) if quick else (5, 10, 20))]
    out += [("training", {"T": 5, "L": depth}) for depth in (() if quick else (1, 2, 4, 8))]
    out += [("finite", {"T": 5, "L": 3, "n": n}) for n in ((512,) if quick else (512, 1024, 2048))]
    return out


def measure(kind: str, given: dict) -> dict:
    """Seconds, peak memory in MiB, and the error or difference of one row."""
    import netsor

    rng = np.random.default_rng(0)
    settings = {"L": given["L"]} if "L" in given else {}
    document = netsor.load(FOLDER / f"{given.get('network', 'mlp_erf')}.netsor", set=settings)
    if kind == "branches":
        document = netsor.loads(BRANCHES)
    document.ntk(np.eye(3)[:2])  # imports and compiled functions
    start = time.perf_counter()
    if kind in ("training", "finite"):
        x, y = rng.standard_normal((6, 3)), rng.standard_normal(4)
        width = given.get("n")
        found = document.train(
            x[:4], y, x[4:], steps=given["T"], lr=0.5, f0="gaussian", limit=width is None, width=width
        )
        quality = found.difference() if width is None else None
    else:
        x = rng.standard_normal((given.get("N", 100), 3))
        kernels = document.ntk(x, method="paths" if kind == "paths" else "backward")
        quality = float((kernels.ntk.error / np.abs(kernels.ntk.value).max()).max())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "MiB": peak, "quality": quality}


def table(found: list[tuple[str, dict, dict]], markdown: bool) -> str:
    """One table a kind; growth is the time against that of the row above."""
    lines: list[str] = []
    for kind, title in TITLES.items():
        mine = [(g, m) for k, g, m in found if k == kind]
        if not mine:
            continue
        cells = [["case", "seconds", "growth", "peak MiB", "error"]]
        before: tuple[str | None, float] = (None, 0.0)
        for given, m in mine:
            group = str(given.get("network", "")) + ("T" if given.get("L") == 3 else "L" if kind == "training" else "")
            growth = f"×{m['seconds'] / before[1]:.1f}" if before[0] == group else ""
            before = (group, m["seconds"])
            case = ", ".join(f"{k} = {v}" if k != "network" else str(v) for k, v in given.items())
            quality = "" if m["quality"] is None else f"{m['quality']:.1e}"
            cells.append([case, f"{m['seconds']:.2f}", growth, f"{m['MiB']:.0f}", quality])
        lines.append(f"\n**{title}**\n" if markdown else f"\n{title}")
        if markdown:
            lines.append("| " + " | ".join(cells[0]) + " |")
            lines.append("| --- | ---: | ---: | ---: | ---: |")
            lines += ["| " + " | ".join(row) + " |" for row in cells[1:]]
        else:
            widths = [max(len(row[i]) for row in cells) for i in range(5)]
            lines += ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--quick", action="store_true", help="the small cases only")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        kind, given = json.loads(args.one)
        print(json.dumps(measure(kind, given)))
        return
    found = []
    for kind, given in rows(args.quick):
        command = [sys.executable, __file__, "--one", json.dumps([kind, given])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append((kind, given, json.loads(done.stdout.splitlines()[-1])))
        print(f"{kind} {given}: {found[-1][2]['seconds']:.2f} s", file=sys.stderr)
    print(table(found, args.markdown))


if __name__ == "__main__":
    main()

"""Kernels and training of networks: time, memory, and how they grow as inputs, depth and steps double.

    python benchmarks/networks.py [--markdown] [--quick]
    python benchmarks/networks.py --against CHECKOUT [--only KIND]   # both checkouts in turns: ratios of time

Each row runs in a process of its own, so that its peak memory is its own; times are of one run after the imports, of
the processor, and for runs at a width, which use all cores, on the wall.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "programs" / "networks"
TITLES = {
    "kernels": "NNGP and NTK of a fully trained MLP with L = 3 hidden layers on N inputs in three dimensions",
    "large": "NNGP and NTK of an MLP with 3 hidden layers on N inputs in ten dimensions, and times that of numpy's "
    "closed form of relu on half of the pairs, in the same process",
    "residual": "NNGP and NTK of L residual blocks with branches 1/√L on two inputs",
    "deep": "NNGP and NTK of a relu MLP with L layers on two inputs",
    "convolution": "NNGP and NTK of the gallery's convolution over 8 positions, on N inputs",
    "blocks": "NNGP and NTK of L residual blocks of two convolutions over 2×2 pixels, on two inputs",
    "recurrent": "covariances of the last states of a tanh recurrent network over T tokens, of one sequence and two",
    "depth": "NNGP and NTK of an MLP with L hidden layers on 100 inputs",
    "paths": "the same NTK by the sum over paths",
    "branches": "the NTK of two residual branches about a layer normalization, φ = tanh + 0.1 u², on N inputs",
    "training": "T steps of SGD on a fully trained erf MLP with L hidden layers, N (4) training and 2 test inputs: "
    "the limit of the unrolled program, and kernel gradient descent",
    "finite": "the same training at width n, one seed",
}

LARGE = """
network large(ξ : 10)
φ(u) = PHI(u)
matrix U : (n, 10) ~ N(0, 1/10)
matrix V, W ~ N(0, 2/n)
vector a, b, c ~ N(0, 0.1)
vector v ~ N(0, 1)
train U, V, W, a, b, c, v
output f := vᵀ φ(W φ(V φ(U ξ + a) + b) + c) / √n
"""

RESIDUAL = """
network residual(ξ : 10)
param L = DEPTH
matrix U : (n, 10) ~ N(0, 1/10)
matrix W[1..L] ~ N(0, 2/n)
vector v ~ N(0, 1)
x[0] := U ξ
for l in 1..L:
    x[l] := x[l-1] + relu(W[l] x[l-1])/√L
output f := vᵀ x[L] / √n
"""

DEEP = """
network deep(ξ : 10)
param L = DEPTH
matrix U : (n, 10) ~ N(0, 1/10)
matrix W[2..L] ~ N(0, 2/n)
vector v ~ N(0, 1)
x[1] := U ξ
for l in 2..L:
    x[l] := W[l] relu(x[l-1])
output f := vᵀ relu(x[L]) / √n
"""

BLOCKS = """
param P = 2
param L = DEPTH
network blocks(ξ[1..P*P] : 3)
include std
matrix U : (n, 3) ~ N(0, 1/3)
matrix A[1..L, -1..1, -1..1], B[1..L, -1..1, -1..1] ~ N(0, 2/9/n)
vector v ~ N(0, 1)
for p in 1..P:
    for q in 1..P:
        x[0, p, q] := U ξ[P*(p-1)+q]
for l in 1..L:
    for p in 1..P:
        for q in 1..P:
            a[l, p, q] := relu(x[l-1, p, q])
    for p in 1..P:
        for q in 1..P:
            b[l, p, q] := relu(conv2d(a[l], A[l]; p, q, P, P, 1))
    for p in 1..P:
        for q in 1..P:
            x[l, p, q] := x[l-1, p, q] + conv2d(b[l], B[l]; p, q, P, P, 1)
output f := vᵀ relu(global_average_pool2d(x[L]; P, P)) / √n
"""

RECURRENT = """
program recurrent
param T = TOKENS
data X : (ROWS, 2) = NUMBERS
matrix W ~ N(0, 1.2/n)
matrix U : (n, 2) ~ N(0, 1/2)
vector b ~ N(0, 0.1)
for a in 1..2:
    vector s[0, a] ~ N(0, 0)
    for t in 1..T:
        s[t, a] := tanh(W s[t-1, a] + U X[T*(a-1) + t] + b)
output own := mean(s[T, 1] * s[T, 1])
output pair := mean(s[T, 1] * s[T, 2])
"""

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
    for phi in ("relu", "erf", "gelu", "tanh", "softplus"):
        most = 2000 if phi in ("relu", "erf") and not quick else 500
        out += [("large", {"network": phi, "N": n}) for n in (500, 2000) if n <= most]
    out += [("residual", {"L": depth}) for depth in ((25, 50) if quick else (50, 100, 200, 400))]
    out += [("deep", {"L": depth}) for depth in ((50, 100) if quick else (100, 300, 1000))]
    out += [("convolution", {"N": n}) for n in ((10,) if quick else (10, 100))]
    out += [("blocks", {"L": depth}) for depth in ((1, 2) if quick else (2, 4, 8))]
    out += [("recurrent", {"T": t}) for t in ((5, 10) if quick else (10, 20, 50))]
    for name in ("mlp_relu", "mlp_erf"):
        out += [("depth", {"network": name, "L": depth}) for depth in ((2, 4) if quick else (2, 4, 8, 16))]
    out += [("paths", {"network": "mlp_relu", "L": depth}) for depth in ((2, 4) if quick else (2, 4, 8, 16))]
    out += [("branches", {"N": n}) for n in ((2, 4) if quick else (2, 4, 8, 16))]
    out += [("training", {"T": t, "L": 3}) for t in ((5,) if quick else (10, 100, 1000))]
    out += [("training", {"T": 100, "N": n}) for n in (() if quick else (4, 8, 16))]
    out += [("training", {"T": 5, "L": depth}) for depth in (() if quick else (1, 2, 4, 8))]
    out += [("finite", {"T": 5, "L": 3, "n": n}) for n in ((512,) if quick else (512, 1024, 2048))]
    return out


def measure(kind: str, given: dict) -> dict:
    """Seconds, peak memory in MiB, and the error or difference of one row."""
    import netsor

    rng = np.random.default_rng(0)
    settings = {"L": given["L"]} if "L" in given else {}
    if kind == "recurrent":
        return _recurrent(given["T"])
    if kind == "convolution":
        return _convolution(given["N"])
    named = kind not in ("large", "residual", "branches", "deep", "blocks")
    document = netsor.load(FOLDER / f"{given.get('network', 'mlp_erf')}.netsor", set=settings) if named else None
    if kind == "branches":
        document = netsor.loads(BRANCHES)
    if kind == "large":
        document = netsor.loads(LARGE.replace("PHI", given["network"]))
    if kind == "residual":
        document = netsor.loads(RESIDUAL.replace("DEPTH", str(given["L"])))
    if kind == "deep":
        document = netsor.loads(DEEP.replace("DEPTH", str(given["L"])))
    if kind == "blocks":
        document = netsor.loads(BLOCKS.replace("DEPTH", str(given["L"])))
    size = 10 if kind in ("large", "residual", "deep") else 3
    if kind in ("deep", "blocks"):
        # Imports alone: the steps to the limits of a deep network are written once and kept nowhere.
        netsor.loads(DEEP.replace("DEPTH", "2")).ntk(np.eye(10)[:2])
    else:
        document.ntk(np.eye(size)[:2] if kind != "residual" else np.eye(size)[:1])  # imports and compiled functions
    clock = time.perf_counter if kind == "finite" else time.process_time
    start = clock()
    if kind in ("training", "finite"):
        size = given.get("N", 4)
        x, y = rng.standard_normal((size + 2, 3)), rng.standard_normal(size)
        width = given.get("n")
        found = document.train(
            x[:size], y, x[size:], steps=given["T"], lr=0.5, f0="gaussian", limit=width is None, width=width
        )
        quality = found.difference() if width is None else None
    else:
        rows = 2 if kind in ("residual", "deep", "blocks") else given.get("N", 100)
        x = rng.standard_normal((rows, 4, size) if kind == "blocks" else (rows, size))
        kernels = document.ntk(x, method="paths" if kind == "paths" else "backward")
        quality = float((kernels.ntk.error / np.abs(kernels.ntk.value).max()).max())
    seconds = clock() - start
    found = {"seconds": seconds}
    if kind == "large":
        start = clock()
        closed_form(x)
        found["times the closed form"] = seconds / (clock() - start)
    return {**found, "MiB": _peak(), "quality": quality}


def _recurrent(tokens: int) -> dict:
    import netsor

    def document(count: int) -> netsor.Document:
        x = np.random.default_rng(0).standard_normal((2 * count, 2)).round(3)
        text = RECURRENT.replace("TOKENS", str(count)).replace("ROWS", str(2 * count))
        return netsor.loads(text.replace("NUMBERS", str(x.tolist())))

    document(2).limit()
    asked = document(tokens)
    start = time.process_time()
    found = asked.limit().outputs.values()
    seconds = time.process_time() - start
    return {"seconds": seconds, "MiB": _peak(), "quality": max(v.error for v in found)}


def _convolution(count: int) -> dict:
    import netsor

    x = np.random.default_rng(0).standard_normal((count, 8, 2))
    document = netsor.load(FOLDER / "convolution.netsor", set={"P": 8})
    document.ntk(x[:2])
    start = time.process_time()
    kernels = document.ntk(x)
    seconds = time.process_time() - start
    return {"seconds": seconds, "MiB": _peak(), "quality": float(kernels.ntk.error.max() / kernels.ntk.value.max())}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def closed_form(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The kernels of `LARGE` with relu (Cho & Saul 2009), in blocks on and above the diagonal."""
    size, block = len(x), 128
    nngp, ntk = np.empty((size, size)), np.empty((size, size))
    start = (x * x).sum(axis=1) / 10 + 0.1
    for i in range(0, size, block):
        for j in range(i, size, block):
            rows, columns = slice(i, i + block), slice(j, j + block)
            c = x[rows] @ x[columns].T / 10 + 0.1
            a, b, t = start[rows, None], start[None, columns], c
            for layer in range(3):
                root = np.sqrt(a) * np.sqrt(b)
                cosine = np.clip(c / root, -1, 1)
                slope = 1 - np.arccos(cosine) / np.pi
                value = root * (np.sqrt(1 - cosine * cosine) / np.pi + slope * cosine)
                # The readout has variance 1 where a hidden layer has 2, and no bias.
                scale, bias = (0.5, 0.0) if layer == 2 else (1.0, 0.1)
                c = scale * value + bias
                t = c + scale * t * slope
                a, b = a + bias, b + bias
            nngp[rows, columns], nngp[columns, rows] = c, c.T
            ntk[rows, columns], ntk[columns, rows] = t, t.T
    return nngp, ntk


def table(found: list[tuple[str, dict, dict]], markdown: bool) -> str:
    """One table a kind; growth is the time against that of the row above."""
    lines: list[str] = []
    for kind, title in TITLES.items():
        mine = [(g, m) for k, g, m in found if k == kind]
        if not mine:
            continue
        cells = [["case", "seconds", "growth", "peak MiB", "error"]]
        if kind == "large":
            cells[0][2] = "closed form"
        before: tuple[str | None, float] = (None, 0.0)
        for given, m in mine:
            group = str(given.get("network", "")) + (
                "T" if given.get("L") == 3 else "N" if "N" in given else "L" if kind == "training" else ""
            )
            growth = f"×{m['seconds'] / before[1]:.1f}" if before[0] == group else ""
            before = (group, m["seconds"])
            if kind == "large":
                growth = f"×{m['times the closed form']:.1f}"
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


def run(row: tuple[str, dict], root: Path) -> dict:
    """A row in a process of its own, with the netsor of a checkout."""
    command = [sys.executable, __file__, "--one", json.dumps(row)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def against(checkout: Path, chosen: list[tuple[str, dict]]) -> None:
    """Each row with that checkout and with this one, in turns."""
    for kind, given in chosen:
        old, new = (run((kind, given), root) for root in (checkout.resolve(), ROOT))
        case = ", ".join(f"{k} = {v}" for k, v in given.items())
        quality = "" if new["quality"] is None else f", error {old['quality']:.1e} became {new['quality']:.1e}"
        print(
            f"{kind}, {case}: {old['seconds']:.2f} s, times {new['seconds'] / old['seconds']:.2f}{quality}", flush=True
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--quick", action="store_true", help="the small cases only")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--only", action="append", choices=list(TITLES), help="the rows of this kind alone")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="compare with the netsor of this folder")
    args = parser.parse_args()
    if args.one:
        kind, given = json.loads(args.one)
        print(json.dumps(measure(kind, given)))
        return
    chosen = [row for row in rows(args.quick) if not args.only or row[0] in args.only]
    if args.against:
        against(args.against, chosen)
        return
    found = []
    for kind, given in chosen:
        found.append((kind, given, run((kind, given), ROOT)))
        print(f"{kind} {given}: {found[-1][2]['seconds']:.2f} s", file=sys.stderr)
    print(table(found, args.markdown))


if __name__ == "__main__":
    main()

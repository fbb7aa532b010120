"""A frozen corpus of integrands, programs and kernels: what each gave, how surely, by which method, in what time.

    python benchmarks/corpus.py freeze FILE [--quick]     # every entry with this checkout, as JSON
    python benchmarks/corpus.py compare OLD NEW           # what moved beyond its bound, grew, or took longer
    python benchmarks/corpus.py against CHECKOUT          # both checkouts in turns, entry by entry: ratios of time

A change of the numerical parts is held to it: a value may move within the sum of both bounds, a bound may shrink, and
a method may not get slower by more than a tenth without a reason. Times are of one process's processor, after a first
call; those of two checkouts mean something only where they were taken in turns (`against`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
FUNCTIONS = ("relu", "step", "tanh", "erf", "gelu", "silu", "Phi", "hardtanh", "abs", "elu", "softplus", "sin", "atan")
Entry = tuple[str, Callable[[], tuple[list[float | None], list[float | None], str]]]
# A bound that is this many times larger, or a time that is, is listed.
GROWN, SLOWER = 1.5, 1.1


def integrands(count: int) -> Iterator[Entry]:
    """Products of one to four functions under random laws, and compositions of one or two variables."""
    from netsor.expr import call, sym
    from netsor.gaussian import FixedLaw, Settings, expect

    rng = random.Random(20)
    for k in range(count):
        d = (1, 2, 2, 3, 4)[k % 5]
        symbols = [sym(f"x{i}") for i in range(d)]
        a = np.array([[rng.gauss(0, 1) for _ in range(d + 1)] for _ in range(d)])
        law = FixedLaw(symbols, a @ a.T)
        e: Any = 1
        names = []
        for s in symbols:
            f = rng.choice(FUNCTIONS)
            slope, shift = rng.choice((0.5, 1, 3)), rng.choice((0, 0, 0.7, -2))
            e = e * call(f, slope * s + shift)
            names.append(f"{f}({slope} x + {shift})")
        if k % 7 == 0:
            e = call("tanh", e)
            names = ["tanh of", *names]

        def run(e: Any = e, law: Any = law) -> tuple[list[float | None], list[float | None], str]:
            r = expect(e, law, Settings(1e-8, 10.0))
            return [r.value], [r.error], r.method

        yield f"integrand {k}: {' · '.join(names)}", run


def programs() -> Iterator[Entry]:
    """The limits of the gallery's programs."""
    import netsor

    for path in sorted((ROOT / "programs").glob("*.netsor")):

        def run(path: Path = path) -> tuple[list[float | None], list[float | None], str]:
            out = netsor.load(path).limit().outputs.values()
            methods = dict.fromkeys(m for v in out for m in v.method.split(" + "))
            return [v.value for v in out], [v.error for v in out], " + ".join(methods)

        yield f"program {path.stem}", run


def kernels() -> Iterator[Entry]:
    """NNGP and NTK of the gallery's networks on three inputs, by both methods."""
    import netsor

    for path in sorted((ROOT / "programs" / "networks").glob("*.netsor")):
        for method in ("backward", "paths"):

            def run(path: Path = path, method: str = method) -> tuple[list[float | None], list[float | None], str]:
                document = netsor.load(path)
                (node,) = document.program.inputs
                tokens = () if node.indices is None else (len(node.indices),)
                x = np.random.default_rng(3).standard_normal((3, *tokens, node.dimension))
                try:
                    k = document.ntk(x, method=method)
                except netsor.NetsorError as fault:
                    return [None], [None], fault.diagnostics[0].code
                values = [*np.ravel(k.nngp.value).tolist(), *np.ravel(k.ntk.value).tolist()]
                return values, [float(np.max(k.nngp.error)), float(np.max(k.ntk.error))], method

            yield f"kernels {path.stem} {method}", run


def entries(quick: bool) -> Iterator[Entry]:
    yield from integrands(40 if quick else 200)
    yield from programs()
    yield from kernels()


def measured(entry: Entry) -> dict[str, Any]:
    name, run = entry
    times = []
    for _ in range(3):
        start = time.process_time()
        value, error, method = run()
        times.append(time.process_time() - start)
        if sum(times) > 2:
            break
    return {"name": name, "value": value, "error": error, "method": method, "seconds": min(times)}


def freeze(path: Path, quick: bool) -> None:
    rows = []
    for entry in entries(quick):
        rows.append(measured(entry))
        print(f"{rows[-1]['seconds']:9.4f} s  {rows[-1]['name']}", file=sys.stderr)
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What there is to say of one entry."""
    out = []
    most = max([e for e in old["error"] + new["error"] if e is not None], default=0.0)
    for a, b in zip(old["value"], new["value"]):
        if (a is None) != (b is None):
            out.append(f"{a} became {b}")
        elif a is not None and abs(a - b) > 2 * most:
            out.append(f"{a!r} became {b!r}, bounds {old['error']} and {new['error']}")
    for a, b in zip(old["error"], new["error"]):
        if a is not None and b is not None and b > GROWN * a + 1e-15 * max(abs(v or 0.0) for v in new["value"]):
            out.append(f"bound {a:.1e} became {b:.1e}")
    if old["method"] != new["method"]:
        out.append(f"method {old['method']} became {new['method']}")
    return out


def compare(old_path: Path, new_path: Path) -> None:
    old = {r["name"]: r for r in json.loads(old_path.read_text(encoding="utf-8"))}
    for row in json.loads(new_path.read_text(encoding="utf-8")):
        before = old.get(row["name"])
        for text in ["is new"] if before is None else differences(before, row):
            print(f"{row['name']}: {text}")


def served() -> None:
    """Runs the entries that standard input asks for, one number a line."""
    known = list(entries(False))
    print(len(known), flush=True)
    for line in sys.stdin:
        print(json.dumps(measured(known[int(line)]), ensure_ascii=False), flush=True)


def against(checkout: Path) -> None:
    """The entries with that checkout and with this one in turns; lists what differs and what is slower."""
    workers = []
    for root in (checkout.resolve(), ROOT):
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(Path(__file__).resolve()), "serve"]
        workers.append(
            subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
    counts = [int(w.stdout.readline()) for w in workers]  # type: ignore[union-attr]
    logs = []
    for k in range(min(counts)):
        rows = []
        for w in workers:
            w.stdin.write(f"{k}\n")  # type: ignore[union-attr]
            w.stdin.flush()  # type: ignore[union-attr]
            rows.append(json.loads(w.stdout.readline()))  # type: ignore[union-attr]
        ratio = rows[1]["seconds"] / max(rows[0]["seconds"], 1e-9)
        logs.append(math.log(ratio))
        notes = differences(*rows)
        if ratio > SLOWER:
            notes.append(f"{rows[0]['seconds'] * 1e3:.2f} ms became {rows[1]['seconds'] * 1e3:.2f} ms")
        for text in notes:
            print(f"{rows[1]['name']}: {text}", flush=True)
    print(f"{len(logs)} entries; time new/old: geometric mean {math.exp(sum(logs) / len(logs)):.2f}")
    for w in workers:
        w.stdin.close()  # type: ignore[union-attr]
        w.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("freeze")
    one.add_argument("file", type=Path)
    one.add_argument("--quick", action="store_true")
    two = commands.add_parser("compare")
    two.add_argument("old", type=Path)
    two.add_argument("new", type=Path)
    commands.add_parser("against").add_argument("checkout", type=Path)
    commands.add_parser("serve")
    args = parser.parse_args()
    match args.command:
        case "freeze":
            freeze(args.file, args.quick)
        case "compare":
            compare(args.old, args.new)
        case "against":
            against(args.checkout)
        case _:
            served()


if __name__ == "__main__":
    main()

"""Hostile calls: mutated programs of the gallery, random programs, data files, and combinations of options.

`python tests/robustness/attack.py FIRST LAST` runs the calls of these numbers and prints what is wrong with any.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netsor.cli.main import main
from netsor.resources import gallery

# The seconds that a call may take beyond its budget, on a machine that is busy with other things.
PATIENCE = 30.0
BUDGET = 0.05

NUMBERS = [
    "0",
    "1",
    "-1",
    "0.5",
    "1e-300",
    "1e300",
    "1e-8",
    "2^31",
    "n",
    "1/√n",
    "√n",
    "1/n",
    "π",
    "10^400",
    "1/3",
    "-0.0",
    "k",
]
FUNCTIONS = ["tanh", "relu", "step", "sign", "abs", "exp", "log", "sqrt", "erf", "Phi", "sin", "tan", "gelu", "step'",
             "relu'", "erf''", "leaky_relu", "sigmoid", "softplus", "atan", "hardtanh", "step''", "cbrt"]  # fmt: skip
TOKENS = [
    *NUMBERS, *FUNCTIONS, *"+-*/^()[],;=~<⟨⟩xhξ#'∑é{}W", "\n", "    ", "\t", "\u200b", ":=", "..", "N(0, 1)", "mean",
    "Wᵀ", "ᵀ", "if", "then", "else", "for", "in", "output", "vector", "matrix", "scalar", "data", "param", "def",
    "return",
    "sum", "train", "network",
]  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A command line, and the files that it finds in its folder."""

    arguments: tuple[str, ...]
    files: dict[str, bytes]


def call_of(number: int) -> Call:
    """The call of this number, always the same."""
    rng = random.Random(number)
    kind = rng.random()
    if kind < 0.35:
        text, network = _mutated_gallery(rng)
    elif kind < 0.75:
        text, network = _program(rng), False
    else:
        text, network = _network(rng), True
    files = {"p.netsor": text.encode("utf-8", "surrogatepass")}
    files |= {f"{name}.{rng.choice(['npy', 'csv', 'json'])}": b"" for name in ("X", "y")}
    files = {name: content or _numbers(rng, name) for name, content in files.items()}
    return Call(tuple(_arguments(rng, network, list(files))), files)


# --- programs --------------------------------------------------------------------------------------------------


def _mutated_gallery(rng: random.Random) -> tuple[str, bool]:
    text = rng.choice(gallery()).read_text(encoding="utf-8")
    lines = text.split("\n")
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        i = rng.randrange(len(lines))
        words = re.findall(r"\w+|\s+|[^\w\s]", lines[i])
        at = rng.randrange(len(words) + 1)
        match rng.randrange(6):
            case 0:
                del lines[i]
            case 1:
                lines.insert(i, lines[rng.randrange(len(lines))])
            case 2:
                words[at : at + 1] = [rng.choice(TOKENS)]
                lines[i] = "".join(words)
            case 3:
                del words[at : at + rng.choice([1, 2])]
                lines[i] = "".join(words)
            case 4:
                lines[i] = re.sub(r"\d+(\.\d+)?", lambda m: rng.choice([*NUMBERS, m[0]]), lines[i], count=1)
            case _:
                known = [f for f in FUNCTIONS if f in lines[i]]
                if known:
                    lines[i] = lines[i].replace(rng.choice(known), rng.choice(FUNCTIONS))
        lines = lines or [""]
    return "\n".join(lines), "network" in text.split("\n")[0] or "\nnetwork" in text


def _expression(rng: random.Random, names: list[str], depth: int) -> str:
    if depth == 0:
        return rng.choice(names) if rng.random() < 0.8 else rng.choice(NUMBERS)
    inner = _expression(rng, names, depth - 1)
    other = _expression(rng, names, rng.randrange(depth))
    match rng.randrange(9):
        case 0 | 1 | 2:
            return f"{rng.choice(FUNCTIONS)}({inner})"
        case 3 | 4:
            return f"({inner} {rng.choice('+-*/')} {other})"
        case 5:
            return f"({inner})^{rng.choice(['2', '3', '-1', '0.5', '-2', '1/3', '0'])}"
        case 6:
            sign, side = rng.choice(["<", ">", "<=", ">="]), rng.choice(["0", "1", other])
            return f"(if {inner} {sign} {side} then {other} else {inner})"
        case 7:
            return f"{rng.choice(['max', 'min'])}({inner}, {other})"
        case _:
            return f"({rng.choice(NUMBERS)} * {inner})"


def _program(rng: random.Random) -> str:
    lines = ["param k = 2"] if rng.random() < 0.3 else []
    if not lines:
        lines.append("scalar k = 0.5")
    lines.append(f"matrix W{rng.choice(['', '', ' ~ N(0, 2/n)', ' ~ N(0, 1e-200/n)'])}")
    mean, variance = rng.choice(["0", "0", "0", "1", "1e8"]), rng.choice(["1", "1", "1", "0", "1e-12", "4"])
    lines.append(f"vector x ~ N({mean}, {variance})")
    vectors, scalars = ["x"], ["k"]
    if rng.random() < 0.4:
        lines.append(
            "vector u, v ~ N(0, [[1, 1], [1, 1]])" if rng.random() < 0.3 else "vector u, v ~ N(0, [[1, 0.5], [0.5, 1]])"
        )
        vectors += ["u", "v"]
    if rng.random() < 0.2:
        lines += ["data X : (2, 2)", "matrix U : (n, 2)", "g := U X[1]"]
        vectors.append("g")
    for i in range(rng.randrange(5)):
        match rng.randrange(4):
            case 0 | 1:
                lines.append(f"h{i} := {rng.choice(['W', 'W', 'Wᵀ'])} {rng.choice(vectors)}")
                vectors.append(f"h{i}")
            case 2:
                lines.append(f"z{i} := {_expression(rng, vectors + scalars, rng.randrange(1, 4))}")
                vectors.append(f"z{i}")
            case _:
                lines.append(f"s{i} := mean({_expression(rng, vectors + scalars, rng.randrange(1, 3))})")
                scalars.append(f"s{i}")
    for i in range(rng.randrange(1, 3)):
        made = _expression(rng, vectors + scalars, rng.randrange(1, 4))
        lines.append(f"output o{i} := " + (f"mean({made})" if rng.random() < 0.85 else _expression(rng, scalars, 2)))
    return "\n".join(lines) + "\n"


def _network(rng: random.Random) -> str:
    f, g = rng.choice(FUNCTIONS[:-2]), rng.choice(FUNCTIONS)
    lines = [
        "network m(ξ : 2)",
        "matrix U : (n, 2) ~ N(0, 1)",
        f"matrix W{rng.choice(['', ' ~ N(0, 2/n)'])}",
        "vector v ~ N(0, 1)",
    ]
    lines.append(rng.choice(["train U, W, v", "train v", "train W"]))
    made = _expression(rng, ["g", "g", "g"], rng.randrange(1, 3))
    lines += ["g := U ξ", f"x := {f}(g)" if rng.random() < 0.5 else f"x := {made}"]
    lines.append(f"h := {rng.choice(['W', 'W', 'Wᵀ'])} x")
    lines += [f"z := {g}(h){rng.choice(['', ' + x', ' * x', ' + 1/√n'])}", f"output f := vᵀ {rng.choice('zzzh')} / √n"]
    return "\n".join(lines) + "\n"


# --- data and options ------------------------------------------------------------------------------------------


def _numbers(rng: random.Random, name: str) -> bytes:
    array = np.array([[1.0, 0.5], [-0.5, 1.0]]) if name[0] == "X" else np.array([1.0, -1.0])
    if rng.random() < 0.15:
        array = array * rng.choice([0.0, 1e200, 1e-200, math.nan, math.inf])
    suffix = name.rpartition(".")[2]
    if suffix == "npy":
        out = io.BytesIO()
        np.save(out, array)
        content = out.getvalue()
    elif suffix == "json":
        content = json.dumps(array.tolist()).encode()
    else:
        rows = array if array.ndim == 2 else array[:, None]
        content = "\n".join(",".join(map(repr, map(float, r))) for r in rows).encode()
    if rng.random() < 0.15:
        at = rng.randrange(len(content))
        content = rng.choice([content[:at], content[:at] + b"_" + content[at:], content + content, b""])
    return content


def _some(rng: random.Random, options: list[list[str]], share: float) -> list[str]:
    return [word for option in options if rng.random() < share for word in option]


def _arguments(rng: random.Random, network: bool, files: list[str]) -> list[str]:
    rows = ["--inputs", next(f for f in files if f[0] == "X")]
    targets = ["--targets", next(f for f in files if f[0] == "y")]
    width = ["--width", rng.choice(["1", "2", "7", "30", "0", "1e15", "abc", "-3"])]
    budget = ["--budget", str(BUDGET)]
    runs = [["--seeds", rng.choice(["1", "2", "3", "0"])], ["--seed", rng.choice(["0", "7", "-1", str(2**64)])]]
    small = ["--json"] if rng.random() < 0.35 else []
    tol = ["--tol", rng.choice(["1e-3", "1e-300", "0", "1", "nan"])]
    general = [["check"], ["show"], ["eval"], ["derive"], ["draw"], ["report"], ["converge"], ["fmt"], ["explain"]]
    of_networks = [["backward"], ["ntk"], ["ntk"], ["sgd"], ["train"], ["check"], ["report"]]
    (command,) = rng.choice(
        of_networks * 3 + general if network else general + [["eval"]] * 6 + [["derive"]] + of_networks[:1]
    )
    data = [f"--data=X={rows[1]}"] if rng.random() < 0.3 else []
    data += _some(rng, [["--set", "k=3"], ["--set", f"k={rng.choice(NUMBERS)}"], ["--set", "zz=1"]], 0.04)
    match command:
        case "check":
            return [
                command,
                "p.netsor",
                *data,
                *small,
                *_some(rng, [["--exact"], rows, ["--require", rng.choice(["B8", "", "A1,GIA"])]], 0.3),
            ]
        case "show":
            return [command, "p.netsor", *data]
        case "eval":
            kind = rng.random()
            if kind < 0.5:
                chosen = [*budget, *_some(rng, [["--explain"], tol], 0.2)]
            elif kind < 0.85:
                chosen = [
                    *width,
                    *_some(rng, [*runs, ["--engine", rng.choice(["dense", "lazy"])], ["--dtype", "float32"]], 0.3),
                ]
            else:
                chosen = ["--law", rng.choice(["x", "x,h1", "h0", "zz", ""]), *budget]
                chosen += _some(
                    rng, [width, ["--samples", "5"], ["--samples-to", rng.choice(["s.npy", "s.csv", "s"])], *runs], 0.4
                )
            return [command, "p.netsor", *chosen, *data, *small]
        case "derive":
            return [
                command,
                "p.netsor",
                *data,
                *_some(rng, [["--numbers", *budget], ["--all"], ["--full"], ["--format", "latex"], ["--of", "x"]], 0.3),
            ]
        case "draw":
            return [
                command,
                "p.netsor",
                *data,
                *_some(
                    rng,
                    [
                        ["-o", rng.choice(["o.svg", "o.dot", "o.xyz", "no/o.svg"])],
                        ["--of", "x"],
                        ["--fold"],
                        ["--no-key"],
                    ],
                    0.3,
                ),
            ]
        case "report":
            return [
                command,
                "p.netsor",
                *data,
                "--budget",
                str(BUDGET),
                "--width",
                "16",
                "--seeds",
                "2",
                *_some(rng, [["-o", "o.html"], ["--vectors", "x"]], 0.4),
            ]
        case "converge":
            return [
                command,
                "p.netsor",
                *data,
                "--widths",
                rng.choice(["4,8", "4..30", "8..4", "0"]),
                "--seeds",
                "2",
                "--jobs",
                "1",
                *budget,
                *small,
                *_some(
                    rng,
                    [["--store", rng.choice(["s.jsonl", "p.netsor", "no/s.jsonl"])], ["--resume"], ["--overwrite"]],
                    0.2,
                ),
            ]
        case "fmt":
            return [command, "p.netsor", *_some(rng, [["--check"], ["--stdout"]], 0.4)]
        case "explain":
            return [command, *_some(rng, [[rng.choice(["E301", "W901", "x", "e22"])]], 0.9)]
        case "backward":
            return [command, "p.netsor", *data, *_some(rng, [rows], 0.6)]
        case "ntk":
            return [
                command,
                "p.netsor",
                *rows,
                *data,
                *small,
                *(
                    _some(rng, [width, *runs], 0.7)
                    if rng.random() < 0.3
                    else [
                        *budget,
                        *_some(rng, [["--nngp"], ["--by-parameter"], ["--explain"], ["--method", "paths"], tol], 0.2),
                    ]
                ),
            ]
    training = [*rows, *targets, "--steps", rng.choice(["0", "1", "2", "-1"])]
    training += _some(
        rng,
        [
            ["--lr", rng.choice(["0.1", "0", "nan", "1e308"])],
            ["--batch", "2"],
            ["--order", rng.choice(["1", "2,1", "9", "x"])],
            ["--loss", rng.choice(["(f - y)^2", "f*y", "abs(f - y)", "(", "z", "exp(f)"])],
            ["--f0", rng.choice(["gaussian", "network", "0.1,0.2", "x", "nan,1"])],
        ],
        0.2,
    )
    if command == "train":
        training += [*budget, *(width if rng.random() < 0.2 else []), *small]
    return [command, "p.netsor", *training, *data]


# --- what is wrong with an answer ------------------------------------------------------------------------------


class TooLong(BaseException):
    """Raised by the watchdog."""


@contextlib.contextmanager
def watchdog(seconds: float) -> Iterator[None]:
    """Raise TooLong in this thread after so many seconds."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "SIGALRM"):
        yield
        return

    def bark(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


_NAN = re.compile(r"(?<![\w.])(nan|NaN|Infinity)(?![\w])")


def answer(call: Call) -> tuple[object, str, str]:
    """Exit status, standard output and standard error of a call, in the current folder."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status: object = main(call.arguments)
        except SystemExit as stop:
            status = stop.code or 0
        except TooLong:
            return "too long", out.getvalue(), traceback.format_exc()
        except BaseException:
            return "exception", out.getvalue(), traceback.format_exc()
    return status, out.getvalue(), err.getvalue()


def faults(call: Call, patience: float = PATIENCE) -> list[str]:
    """What is wrong with the answer to a call, made in a new folder."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name, content in call.files.items():
                Path(name).write_bytes(content)
            start = time.monotonic()
            with watchdog(patience + BUDGET):
                status, out, err = answer(call)
            seconds = time.monotonic() - start
            changed = [n for n, c in call.files.items() if not Path(n).exists() or Path(n).read_bytes() != c]
        finally:
            os.chdir(before)
    found = []
    if status not in (0, 1, 2):
        found.append(f"status {status} after {seconds:.1f} s: {err[-2500:]}")
    if "E012" in err or "Traceback" in err:
        found.append(f"unhandled: {err[-2500:]}")
    if status == 0 and "error[" in err:
        found.append(f"status 0 after an error: {err[-500:]}")
    if status in (1, 2) and "error[" not in err and not (call.arguments[0] in ("fmt", "derive") and status == 1):
        found.append(f"status {status} without an error: {err[-500:]}")
    if "RuntimeWarning" in err or "DeprecationWarning" in err:
        found.append(f"a warning of Python: {err[-800:]}")
    if (
        call.arguments[0] in ("eval", "ntk", "train", "converge", "derive")
        and "--json" not in call.arguments
        and _NAN.search(out)
    ):
        found.append(f"NaN: {out[:800]}")
    if "--json" in call.arguments and status in (0, 1, 2):
        try:
            value = json.loads(out, parse_constant=lambda c: found.append(f"{c} in JSON"))
            if not isinstance(value, dict) or (status != 0) != (value.get("ok") is False):
                found.append(f"status {status}, and JSON says {value.get('ok') if isinstance(value, dict) else value}")
        except ValueError as error:
            found.append(f"no JSON ({error}): {out[:300]!r}")
    if changed and call.arguments[0] != "fmt":
        found.append(f"changed {changed}")
    return found


def survey(first: int, last: int) -> Iterator[tuple[int, list[str]]]:
    """The calls from `first` to `last` that are answered wrongly, and how."""
    for number in range(first, last):
        found = faults(call_of(number))
        if found:
            yield number, found


if __name__ == "__main__":
    first, last = int(sys.argv[1]), int(sys.argv[2])
    for number, found in survey(first, last):
        call = call_of(number)
        print(f"=== {number}: {' '.join(call.arguments)}\n{call.files['p.netsor'].decode(errors='replace')}")
        print("\n".join(found), flush=True)

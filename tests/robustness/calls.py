"""Calls of every command, and each of its options with a value: those are read off the parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from netsor.cli.main import COMMANDS, build_parser

PROGRAM = """\
param k = 2
data D : (1, 1) = [[1]]
matrix W
vector x ~ N(0, 1)
y[0] := W x
for t in 1..2:
    y[t] := tanh(W y[t-1] + k * D[1, 1])
s := mean(x^2)
output a := mean(max(x, y[0], 0.3))
output c := mean(y[2]^2)
"""
NETWORK = """\
param k = 1
network m(ξ : 2)
data D : (1, 1) = [[1]]
matrix U : (n, 2) ~ N(0, 1/2)
matrix W
vector v ~ N(0, 1)
train U, W, v
h := U ξ
g := W relu(h)
output f := vᵀ tanh(k * D[1, 1] * g) / √n
"""
FILES = {
    "p.netsor": PROGRAM, "m.netsor": NETWORK,
    "untidy.netsor": "vector x~N(0,1)\noutput a:=mean(x^2)\n",
    "slip.netsor": "vector x ~ N(0, 1)\noutput a := mean(x**2)\n",
    "X.csv": "1,0.5\n-0.5,1\n", "X2.csv": "0.2,0.4\n", "y.csv": "1\n-1\n", "yt.csv": "0.5\n", "D.csv": "0.5\n",
    "T.csv": "a,b,y\n1,0.5,1\n-0.5,1,-1\n",
}  # fmt: skip
ROWS, TRAINING = "--inputs X.csv", "--inputs X.csv --targets y.csv --steps 2"
# Calls beside which each option is tried.
CALLS = {
    "check": ["p.netsor", "m.netsor --exact"],
    "show": ["p.netsor"],
    "eval": ["p.netsor --json", "p.netsor --json --width 20", "p.netsor --json --law y[2] --width 20",
             f"m.netsor --json {ROWS} --width 20"],
    "converge": ["p.netsor --json --widths 4,8 --seeds 2 --jobs 1"],
    "derive": ["p.netsor", "p.netsor --numbers"],
    "draw": ["p.netsor", "m.netsor -o o.dot"],
    "report": ["p.netsor --width 20"],
    "fmt": ["untidy.netsor"],
    "explain": ["E301"],
    "backward": ["m.netsor"],
    "ntk": [f"m.netsor --json {ROWS}", f"m.netsor --json {ROWS} --width 20"],
    "sgd": [f"m.netsor {TRAINING}"],
    "train": [f"m.netsor --json {TRAINING}", f"m.netsor --json {TRAINING} --width 20"],
    "predict": ["m.netsor --json --inputs X.csv --targets y.csv --test X2.csv",
                "m.netsor --json --inputs T.csv --target-column y --test X2.csv --kernel ntk"],
    "new": ["mlp folder"],
    "import": [],  # runs PyTorch; tests/importer has its options
    "completion": ["bash"],
}  # fmt: skip
# A value for each option that takes one.
VALUES = {
    "--stdin-filename": "q.netsor", "--set": "k=3", "--data": "D=D.csv", "--format": {"check": "json", "derive": "md"},
    "--require": "A1", "--inputs": "X2.csv", "--inputs2": "X2.csv", "--width": "10", "--seeds": "3", "--seed": "5",
    "--dtype": "float32", "--engine": "lazy", "--device": "nobody", "--tol": "0.1", "--budget": "0.001",
    "--law": "y[0]", "--samples": "4", "--samples-to": "s.csv", "--plot": "o.png", "--widths": "4,16",
    "--store": "st.jsonl", "--jobs": "2", "--dask": "tcp://127.0.0.1:9", "--of": "y[2]", "--theme": "dark",
    "--output": "oo.svg", "--vectors": "y[1]", "--method": "paths", "--out": "K", "--tile": "1", "--test": "X2.csv",
    "--targets": "yt.csv", "--steps": "1", "--order": "2,1", "--batch": "2", "--lr": "0.1", "--loss": "(f - y)^4",
    "--f0": "0.1,0.2", "--target-column": "y", "--kernel": "ntk", "--time": "1", "--noise": "0.3",
    "--test-targets": "yt.csv", "--fit": "k", "--example": "2", "--init": "0.weight=N(0,1)",
}  # fmt: skip


def options(command: str) -> list[argparse.Action]:
    """The options that the parser has for a command."""
    parser = build_parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    assert set(commands.choices) == set(COMMANDS)
    return [a for a in commands.choices[command]._actions if a.option_strings and a.dest != "help"]


def with_option(call: list[str], option: argparse.Action) -> list[str]:
    """A call with one more option."""
    name = option.option_strings[-1]
    value = VALUES[name] if option.nargs != 0 else None
    value = value[call[0]] if isinstance(value, dict) else value
    return [*call, name, *([value] if value is not None else [])]


def pairs() -> Iterator[list[str]]:
    """Every call alone, and with each option that it does not have yet."""
    for command, calls in CALLS.items():
        for call in calls:
            given = [command, *call.split()]
            yield given
            yield from (with_option(given, o) for o in options(command) if not set(o.option_strings) & set(given))

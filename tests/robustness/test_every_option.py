"""Every option of every command does something or is refused: the parser is read, so that a new one is missed here."""

from __future__ import annotations

import argparse
import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import pytest

from netsor.cli.main import COMMANDS, build_parser, main

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
# What may change nothing here, and why.
NOTHING_TO_DO = {
    "check p.netsor": {"--set", "--data", "--fix"},  # the report has no numbers, and nothing is to be mended
    "check m.netsor --exact": {"--set", "--data", "--fix", "--require"},
    "eval p.netsor --json": {"--limit"},  # the default
    "derive p.netsor": {"--all", "--full", "--data"},  # all is listed already, and D has its name
    "derive p.netsor --numbers": {"--all", "--full"},
    "draw p.netsor": {"--unfold", "--fold-lanes"},  # small drawings are not folded, and have one lane
    "draw m.netsor -o o.dot": {"--fold", "--unfold", "--fold-lanes"},
    "ntk": {"--limit", "--tol", "--budget"},  # the default; closed forms, known at once
    "converge": {"--resume", "--overwrite"},  # there is no store yet
    "train": {"--limit", "--tol"},
    "predict": {"--tol", "--budget"},
    "eval": {"--tol", "--budget"},
}


class Answer(NamedTuple):
    status: object
    out: str
    err: str
    files: dict[str, bytes]


def options(command: str) -> list[argparse.Action]:
    parser = build_parser()
    (commands,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    assert set(commands.choices) == set(COMMANDS)
    return [a for a in commands.choices[command]._actions if a.option_strings and a.dest != "help"]


def answer(arguments: list[str], folder: Path) -> Answer:
    for old in folder.iterdir():
        old.unlink()
    for name, content in FILES.items():
        (folder / name).write_text(content, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status: object = main(arguments)
        except SystemExit as stop:
            status = stop.code
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}
    for made in folder.iterdir():
        if made.is_dir():
            files |= {p.name: p.read_bytes() for p in made.iterdir()}
            for p in made.iterdir():
                p.unlink()
            made.rmdir()
    return Answer(status, out.getvalue(), err.getvalue(), files)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_value_here(command: str) -> None:
    assert command in CALLS
    missing = [
        o
        for a in options(command)
        if a.nargs != 0 and not set(a.option_strings) & VALUES.keys()
        for o in a.option_strings
    ]
    assert not missing


@pytest.mark.parametrize(
    ("command", "call"),
    [
        # Predictions fit hyperparameters and integrate flows: a minute for their options.
        pytest.param(c, call, marks=[pytest.mark.slow] if c == "predict" else [])
        for c, calls in CALLS.items()
        for call in calls
    ],
)
def test_an_option_does_something_or_is_refused(
    command: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [command, *call.split()]
    plain = answer(given, tmp_path)
    assert plain.status in (0, 1) and "error" not in plain.err, plain.err
    idle = NOTHING_TO_DO.get(command, set()) | NOTHING_TO_DO.get(f"{command} {call}", set())
    for option in options(command):
        name = option.option_strings[-1]
        if set(option.option_strings) & set(given):
            continue
        value = VALUES.get(name) if option.nargs != 0 else None
        value = value[command] if isinstance(value, dict) else value
        found = answer([*given, name, *([value] if value is not None else [])], tmp_path)
        assert "E012" not in found.err and "Traceback" not in found.err, (name, found.err)
        assert found != plain or name in idle, f"{command} {call} {name} is ignored in silence"


@pytest.mark.parametrize(
    "arguments",
    [
        "check p.netsor --stdin-filename q.netsor",
        "fmt p.netsor --stdin-filename q.netsor",
        "show p.netsor --stdin-filename q.netsor",
        "eval p.netsor --stdin-filename q.netsor",
        "check slip.netsor --fix --diff",
        "check m.netsor --diff --exact",
        "check m.netsor --format sarif --exact",
        "check - --fix --exact",
    ],
)
def test_an_option_beside_which_another_does_nothing_is_refused(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = answer(arguments.split(), tmp_path)
    assert (found.status, found.out) == (2, "") and "E010" in found.err

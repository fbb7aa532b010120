"""Every option of every command does something or is refused: the parser is read, so that a new one is missed here."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import NamedTuple

import pytest
from calls import CALLS, FILES, VALUES, options, with_option

from netsor.cli.main import COMMANDS, main

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
    "train": {"--limit", "--tol", "--budget"},
    "predict": {"--tol", "--budget"},
    "eval": {"--tol", "--budget"},
}


class Answer(NamedTuple):
    status: object
    out: str
    err: str
    files: dict[str, bytes]


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
        found = answer(with_option(given, option), tmp_path)
        assert "E012" not in found.err and "Traceback" not in found.err, (name, found.err)
        assert found != plain or name in idle, f"{command} {call} {name} is ignored in silence"


# Pairs of which the second changes nothing beside the first, and why.
PAIRS = {
    ("derive", "--of", "--tol"), ("derive", "--budget", "--tol"),  # those numbers are exact
    ("eval", "--law", "--set"), ("eval", "--law", "--data"),  # that law does not depend on them
    ("train", "--batch", "--order"),  # a batch of all rows
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "call"), [(c, call) for c, calls in CALLS.items() for call in calls if c != "predict"]
)
def test_options_in_pairs(command: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside any other option, too, an option does something or is refused."""
    monkeypatch.chdir(tmp_path)
    given = [command, *call.split()]
    idle = NOTHING_TO_DO.get(command, set()) | NOTHING_TO_DO.get(f"{command} {call}", set())
    there = [o for o in options(command) if not set(o.option_strings) & set(given)]
    alone = {o.option_strings[-1]: answer(with_option(given, o), tmp_path) for o in there}
    accepted = [o for o in there if alone[o.option_strings[-1]].status in (0, 1)]
    for first in accepted:
        for second in accepted:
            a, b = first.option_strings[-1], second.option_strings[-1]
            if a == b or b in idle or (command, a, b) in PAIRS:
                continue
            found = answer(with_option(with_option(given, first), second), tmp_path)
            assert "E012" not in found.err and "Traceback" not in found.err, (a, b, found.err)
            assert found != alone[a], f"{command} {call}: {b} is ignored in silence beside {a}"


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
        "check p.netsor --json --format sarif",
        "check p.netsor --json --format text",
        "fmt untidy.netsor --check --stdout",
        "derive p.netsor --all --of y[2]",
    ],
)
def test_an_option_beside_which_another_does_nothing_is_refused(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = answer(arguments.split(), tmp_path)
    assert found.status == 2 and "E010" in found.err and bool(found.out) == ("--json" in arguments)

"""A budget bounds the whole of a command, whatever it is doing when the time is over.

The clock of most tests stands for itself: it moves on by one second each time that it is looked at. What they say does
not depend on the machine.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attack import Call, answer

import netsor.deadline
import netsor.predict.fit
import netsor.train.limit
from netsor import load
from netsor.core import Moment
from netsor.independence.exact import example_rows

PROGRAMS = sorted(p for p in Path(__file__).parents[2].glob("programs/*.netsor"))
NETWORKS = sorted(p for p in Path(__file__).parents[2].glob("programs/networks/*.netsor"))
# Looks at the clock after the end: one for each layer of what is left, which tells the next and stops.
AFTER = 40


class Clock:
    """Stands for the module `time` in `netsor.deadline`, and counts how often it is looked at."""

    def __init__(self, end: float):
        self.looks, self.after, self.end = 0, 0, end

    def monotonic(self) -> float:
        self.looks += 1
        self.after += self.looks > self.end
        return float(self.looks)

    def thread_time(self) -> float:
        return float(self.looks)


def commands(path: Path) -> list[list[str]]:
    runs = ["--widths", "4,8", "--seeds", "2", "--jobs", "1"]
    if path in PROGRAMS:
        return [
            ["eval"], ["derive", "--numbers"], ["eval", "--law", law_of(path)], ["report", "--width", "16"],
            ["converge", *runs],
        ]  # fmt: skip
    rows = ["--inputs", "X.json"]
    targets = [*rows, "--targets", "y.json"]
    return [
        ["ntk", *rows], ["ntk", *rows, "--nngp"], ["train", *targets, "--steps", "1"],
        ["train", *targets, "--steps", "40"], ["train", *targets, "--steps", "3", "--f0", "gaussian"],
        ["predict", *targets, "--test", "X.json"], ["predict", *targets, "--test", "X.json", "--kernel", "ntk"],
        ["eval", *rows], ["derive", "--numbers", *rows], ["report", *rows, "--width", "16"], ["converge", *rows, *runs],
    ]  # fmt: skip


def law_of(path: Path) -> str:
    program = load(path).program
    return next(i.name for i in reversed(program.instructions) if not isinstance(i, Moment))


def data_of(path: Path, rows: int = 3) -> dict[str, bytes]:
    """Inputs of the right shape, and targets."""
    network = load(path).program
    examples = [example_rows(network) for _ in range(rows)]
    parts = [np.concatenate([np.ravel(e[i.name]) for i in network.inputs]) + 0.3 * k for k, e in enumerate(examples)]
    shape = (rows, -1) if all(i.indices is None for i in network.inputs) else (rows, len(network.inputs[0].indices), -1)
    targets = np.ones((rows, len(network.readouts))).squeeze(1) if len(network.readouts) == 1 else np.ones((rows, 2))
    return {"X.json": _json(np.reshape(parts, shape)), "y.json": _json(targets)}


def _json(x: np.ndarray) -> bytes:
    return str(x.tolist()).encode()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", [*PROGRAMS, *NETWORKS], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_what_is_cut_short_ends_at_once_and_says_so(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path in NETWORKS:
        for name, content in data_of(path).items():
            Path(name).write_bytes(content)
    kind = [*PROGRAMS, *NETWORKS].index(path)
    chosen = commands(path)
    # Another command and another moment for each.
    command, *options = chosen[kind % len(chosen)]
    budget = (2, 12, 60, 250)[kind // len(chosen) % 4]
    clock = Clock(1.5 * budget + netsor.deadline.GRACE + 2)
    monkeypatch.setattr(netsor.deadline, "time", clock)
    status, out, err = answer(Call((command, str(path), *options, "--budget", str(budget)), {}))
    said = set(re.findall(r"\[([EW]\d+)\]", err))
    assert not said & {"E801", "E802", "E803", "E012"} and "Traceback" not in err, err
    assert status in (0, 1), err
    assert clock.after <= AFTER, (command, clock.looks, clock.after)
    # There is a result with a bound, or one that says what there was no time for.
    assert (status == 0) == ("E804" not in said and "the time was over" not in out), err + out


@pytest.mark.slow
@pytest.mark.parametrize("path", [*PROGRAMS, *NETWORKS], ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_command_ends_in_its_time(path: Path, folder: Path) -> None:
    """One and a half times the budget and a second, and half of one for pages and runs at a width; imports not."""
    if path in NETWORKS:
        for name, content in data_of(path).items():
            Path(name).write_bytes(content)
    for command, *options in commands(path):
        answer(Call((command, str(path), *options, "--budget", "0.01"), {}))  # imports
        for budget in (0.01, 1.0):
            start = time.thread_time()
            answer(Call((command, str(path), *options, "--budget", str(budget)), {}))
            assert time.thread_time() - start <= 1.5 * budget + 1.5, command


def test_a_kernel_without_time_is_not_told_to_diverge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where v̂ is not v the kernel is the limit of a program, whose entries may be cut short."""
    text = (
        "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W\nvector v ~ N(1, 1)\ntrain U, W, v\n"
        "x := relu(U ξ)\nz := tanh(W x) + x\noutput f := vᵀ z / √n\n"
    )
    files = {"m.netsor": text, "X.json": "[[1, 0.5], [-0.5, 1]]", "y.json": "[1, -1]"}
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")
    arguments = ("train", "m.netsor", "--inputs", "X.json", "--targets", "y.json", "--steps", "1", "--limit")
    for budget in (2, 30):
        clock = Clock(1.5 * budget + netsor.deadline.GRACE + 2)
        monkeypatch.setattr(netsor.deadline, "time", clock)
        status, _, err = answer(Call((*arguments, "--budget", str(budget)), {}))
        assert status == 1 and "E804" in err and "E612" not in err, err


@pytest.mark.parametrize("late", [1, 3], ids=["no evaluation", "two evaluations"])
def test_the_likeliest_parameters_when_the_time_is_over(
    late: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "param a = 1\nnetwork m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, a)\nvector v ~ N(0, 1)\ntrain U, v\n"
    files = {
        "m.netsor": text + "x := relu(U ξ)\noutput f := vᵀ x / √n\n",
        "X.json": "[[1, 0.5], [-0.5, 1]]",
        "y.json": "[1, -1]",
    }
    for name, content in files.items():
        Path(name).write_text(content, encoding="utf-8")
    whole, found = netsor.predict.fit.log_likelihood, []
    clock = Clock(math.inf)
    monkeypatch.setattr(netsor.deadline, "time", clock)

    def noted(*arguments: Any) -> Any:
        if len(found) + 1 == late:
            clock.looks += 10**7
            netsor.deadline.verify_time()
        found.append(whole(*arguments))
        return found[-1]

    monkeypatch.setattr(netsor.predict.fit, "log_likelihood", noted)
    data = ("--inputs", "X.json", "--targets", "y.json", "--test", "X.json")
    call = ("predict", "m.netsor", *data, "--fit", "a,noise", "--budget", "1000000")
    status, out, err = answer(Call((*call, "--json"), {}))
    assert status == 1 and "E804" in err
    said = json.loads(out)
    assert said["ok"] is False and "mean" not in said
    assert said["diagnostics"][0]["code"] == "E804"
    if late == 1:
        assert "fit" not in said
        return
    best = max(found)
    assert said["fit"]["finished"] is False and said["fit"]["log_likelihood"] == best[0]
    # By a and the noise the options lead back to the value.
    again = load("m.netsor", set=said["fit"]["values"]).nngp([[1, 0.5], [-0.5, 1]]).value
    noise = said["fit"]["noise"] * np.eye(2)
    assert whole(again + noise, np.array([1.0, -1.0]), [], False, "m")[0] == pytest.approx(best[0], rel=1e-12)
    found.clear()
    clock.looks = 0
    status, out, err = answer(Call(tuple(call), {}))
    assert status == 1 and "E804" in err and "not finished" in out and "its gradient" in out
    assert f"--set a={said['fit']['values']['a']!r} --noise {said['fit']['noise']!r}" in out


def test_a_limit_without_time_is_not_told_to_agree_with_a_width(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "network m(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\ntrain U, v\nx := tanh(U ξ)\noutput f := vᵀ x / √n\n"
    )
    for name, content in {"m.netsor": text, "X.json": "[[1, 0.5], [-0.5, 1]]", "y.json": "[1, -1]"}.items():
        Path(name).write_text(content, encoding="utf-8")
    arguments = ("train", "m.netsor", "--inputs", "X.json", "--targets", "y.json", "--steps", "40", "--limit")
    runs = ("--width", "10", "--seeds", "2")
    status, out, _ = answer(Call((*arguments, *runs), {}))
    assert status == 0 and "largest |width − limit|" in out

    def late(*_: object, **__: object) -> None:
        raise netsor.deadline.TimeOver

    monkeypatch.setattr(netsor.train.limit, "changes_of_pairs", late)
    status, out, err = answer(Call((*arguments, *runs, "--budget", "100"), {}))
    # Kernel gradient descent and the networks are there; how far these are from what is not known is not told.
    assert status == 1 and "E804" in err and "width 10 (2 seeds" in out and "kernel gradient descent" in out
    assert "largest |width − limit|" not in out

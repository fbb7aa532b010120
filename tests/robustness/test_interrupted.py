"""Ctrl-C in a long limit: what is known is told, with status 130."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netsor.finite.execute
import netsor.kernels.tables
import netsor.limit.expectations
import netsor.predict.fit
import netsor.train.width
from netsor import deadline
from netsor.cli import streams
from netsor.cli.main import main
from netsor.cli.progress import Progress
from netsor.progress import Counts

NETWORK = """network m(ξ : 2)
param a = 1
matrix U : (n, 2) ~ N(0, a)
matrix W
vector v ~ N(0, 1)
train U, W, v
x := relu(W relu(U ξ))
output f := vᵀ x / √n
"""
# E max(x, y, z) = 3/(2√π) of three standard normals, E max(x, y) = 1/√π (Bose & Gupta 1959).
PROGRAM = """vector x, y, z ~ N(0, 1)
output two := mean(max(x, y))
output three := mean(max(x, y, z))
output four := mean(sin(x * y) * max(x, y, z))
"""
TRUTHS = {"two": np.pi**-0.5, "three": 1.5 * np.pi**-0.5}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # A slow machine has time for what is still to be told, and a quick one does not wait for more digits.
    monkeypatch.setattr(streams, "_PATIENCE", 600.0)
    monkeypatch.setattr(deadline, "_LAST", 0.5)
    rows = np.random.default_rng(1).standard_normal((300, 2))
    np.save("many.npy", rows)
    np.save("few.npy", rows[:6])
    np.save("y.npy", np.sin(rows[:6, 0]))
    for name, text in {"m.netsor": NETWORK, "p.netsor": PROGRAM}.items():
        Path(name).write_text(text, encoding="utf-8")
    return tmp_path


def interrupt(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, at: int, times: int = 1) -> None:
    """Have SIGINT arrive in the call of this number."""
    whole: Callable[..., Any] = getattr(place, name)
    calls = 0

    def instead(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return whole(*arguments, **options)

    monkeypatch.setattr(place, name, instead)


def spoken(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    """Status, JSON and messages of a command."""
    status = main([*arguments, "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out), err


@pytest.mark.parametrize("at", [1, 2, 3])
def test_limits_are_told_with_the_bounds_of_that_moment(
    at: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(monkeypatch, netsor.limit.expectations, "expect", at)
    status, said, err = spoken(["eval", "p.netsor", "--tol", "1e-12"], capsys)
    assert status == 130 and said["interrupted"] is True and "of 3 limits" in err
    for name, truth in TRUTHS.items():
        limit = said["outputs"][name]["limit"]
        assert abs(limit["value"] - truth) <= limit["error"]


def test_no_run_at_a_width_begins(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    interrupt(monkeypatch, netsor.limit.expectations, "expect", 1)
    status, said, _ = spoken(["eval", "p.netsor", "--limit", "--width", "100"], capsys)
    assert status == 130 and all("finite" not in entry for entry in said["outputs"].values())


def test_a_second_interrupt_ends_at_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    interrupt(monkeypatch, netsor.limit.expectations, "expect", 1, times=2)
    status, said, _ = spoken(["eval", "p.netsor"], capsys)
    assert status == 130 and "outputs" not in said
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and not deadline.is_stopped()


def test_tiles_of_a_kernel_that_are_known_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two of three tiles are not computed; the entries of the first are those of the whole kernel, to the last bit."""
    whole = spoken(["ntk", "m.netsor", "--inputs", "many.npy"], capsys)[1]
    monkeypatch.setattr(deadline, "_LAST", -1.0)
    interrupt(monkeypatch, netsor.kernels.tables._Tile, "entries", 3)
    status, said, err = spoken(["ntk", "m.netsor", "--inputs", "many.npy"], capsys)
    assert status == 130 and said["interrupted"] is True and "entries of the NNGP and" in err
    for name in ("nngp", "ntk"):
        part, all_of_it = (np.array(s[name]["value"], float) for s in (said, whole))
        known = np.isfinite(part)
        assert np.array_equal(part[known], all_of_it[known])
        assert known.sum() == 192**2 and np.array_equal(known, known.T) and np.isfinite(all_of_it).all()


def test_a_kernel_of_which_nothing_is_known_is_interrupted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deadline, "_LAST", -1.0)
    interrupt(monkeypatch, netsor.kernels.tables._Tile, "entries", 1)
    status, said, _ = spoken(["ntk", "m.netsor", "--inputs", "few.npy"], capsys)
    assert status == 130 and "ntk" not in said


@pytest.mark.parametrize("command", ["predict", "train"])
def test_what_needs_a_whole_kernel_does_not_use_a_part_of_it(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("y.npy", np.ones(300))
    more = {"predict": ["--test", "few.npy", "--kernel", "ntk"], "train": ["--steps", "1"]}[command]
    monkeypatch.setattr(deadline, "_LAST", -1.0)
    interrupt(monkeypatch, netsor.kernels.tables._Tile, "entries", 3)
    status, said, _ = spoken([command, "m.netsor", "--inputs", "many.npy", "--targets", "y.npy", *more], capsys)
    assert status == 130 and set(said) == {"ok", "interrupted", "diagnostics"}


def test_the_likeliest_parameters_so_far(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found: list[float] = []
    whole = netsor.predict.fit.log_likelihood

    def noted(*arguments: Any) -> tuple[float, Any]:
        found.append(whole(*arguments)[0])
        return whole(*arguments)

    monkeypatch.setattr(netsor.predict.fit, "log_likelihood", noted)
    interrupt(monkeypatch, netsor.predict.fit, "log_likelihood", 3)
    rows = ["--inputs", "few.npy", "--targets", "y.npy", "--test", "few.npy"]
    status, said, err = spoken(["predict", "m.netsor", *rows, "--fit", "a,noise"], capsys)
    assert status == 130 and said["interrupted"] is True and "mean" not in said and "of 4 evaluations" in err
    assert len(found) == 3 and said["fit"]["log_likelihood"] == max(found)


def test_networks_of_a_width_that_were_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "m.netsor", "--inputs", "few.npy", "--targets", "y.npy", "--steps", "2", "--width", "50"]
    whole = spoken([*arguments, "--seeds", "2"], capsys)[1]["train"]["finite"]["values"]
    interrupt(monkeypatch, netsor.train.width.Network, "descend", 3)
    status, said, _ = spoken([*arguments, "--seeds", "9"], capsys)
    assert status == 130 and said["interrupted"] is True
    assert said["train"]["finite"]["values"] == whole


def test_progress_says_how_far_and_how_long() -> None:
    said: list[tuple[Any, ...]] = []
    counts = Counts(lambda *told: said.append(told))
    for _ in counts.count("part", [0, 1]):
        for _ in counts.count("step", [0, 1, 2]):
            for _ in counts.count("step", [0, 1, 2, 3]):
                pass
            time.sleep(0.11)
    assert said[0] == ("part 1 of 2",)
    assert ("part 1 of 2", "step 3 of 3") in said
    assert (0.5, "part 2 of 2", "step 3 of 3") in said, "the share that is done, where parts are alike"
    progress = Progress("kernels", 20.0)
    progress(0.5, "part 2 of 2")
    assert progress.text() == "kernels: part 2 of 2, 50% (0 s, about 0 s left)"
    progress("step 3 of 9")
    assert progress.text() == "kernels: step 3 of 9 (0 s, at most 31 s left)"

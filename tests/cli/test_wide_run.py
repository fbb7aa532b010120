"""Where integrals do not reach the tolerance, the command of a wide run is offered, and it is the right one."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from netsor.api import Document, load
from netsor.cli.main import main
from netsor.deadline import TimeOver
from netsor.diagnostics.catalogue.warnings import Bound, kernels_not_reached

PROGRAM = """param s = 2
vector x[1..5] ~ N(0, s)
output a := mean(max(x[1] * x[2], sin(x[3] * x[4]), x[5] * x[1], x[2] * x[4]))
"""
NETWORK = """network m(ξ[1..4] : 2)
include std
matrix U : (n, 2) ~ N(0, 1)
matrix W
vector v ~ N(0, 1)
train U, W, v
for i in 1..4:
    h[i] := U ξ[i]
for i in 1..4:
    g[i] := W relu(batchnorm(h; i, 4))
output f := vᵀ tanh(max(g[1] * g[2], sin(g[3] * g[4]), g[1] * g[3])) / √n
"""
CALLS = {
    "a program": ["eval", "a file.netsor", "--set", "s=3", "--budget", "0.1"],
    "a network": ["eval", "m.netsor", "--inputs", "x y.json", "--budget", "0.1"],
    "kernels": ["ntk", "m.netsor", "--inputs", "x y.json", "--budget", "2", "--nngp"],
    "kernels out of time": ["ntk", "m.netsor", "--inputs", "x y.json", "--budget", "0.01"],
}


@pytest.mark.parametrize("call", CALLS)
def test_the_offered_command_runs_the_same_thing(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a file.netsor").write_text(PROGRAM, encoding="utf-8")
    Path("m.netsor").write_text(NETWORK, encoding="utf-8")
    Path("x y.json").write_text("[[[1, 0.5], [0.2, -1], [0.3, 1.5], [-0.7, 0.1]]]")
    main([*CALLS[call], "--json"])
    out, err = capsys.readouterr()
    limits = _numbers(json.loads(out), "value", "error")
    offered = re.search(r"`(netsor[^`]*)`", err)
    assert offered is not None, err
    command = shlex.split(offered[1])[1:]
    assert command[command.index("--width") + 1] in ("1000000", "300000", "100000", "30000", "10000")
    # A smaller width tells the same command from a wrong one.
    command[command.index("--width") + 1] = "2000"
    assert main([*command, "--json"]) == 0
    means = _numbers(json.loads(capsys.readouterr().out), "mean", "stderr")
    assert means and set(limits) <= set(means)
    for name, (value, error) in limits.items():
        mean, spread = means[name]
        assert abs(value - mean) <= error + 8 * spread + 0.1 * abs(value)


def _numbers(found: dict[str, Any], value: str, error: str) -> dict[str, tuple[float, float]]:
    """The first number of each output or kernel, with its error."""
    if "outputs" in found:
        parts = {k: v.get("limit", v.get("finite")) for k, v in found["outputs"].items()}
    else:
        parts = {k: found[k] for k in ("nngp", "ntk") if k in found}
    out = {}
    for name, part in parts.items():
        # Kernels at a width alone are told by their means as values.
        numbers = [part.get(value, part.get("value")), part[error]]
        while any(isinstance(x, list) for x in numbers):
            numbers = [x[0] if isinstance(x, list) else x for x in numbers]
        if None not in numbers:
            out[name] = (float(numbers[0]), float(numbers[1]))
    return out


def test_training_offers_wide_networks_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W\nvector v ~ N(0, 1)\ntrain W, v\n"
    Path("m.netsor").write_text(text + "output f := vᵀ tanh(W relu(U ξ)) / √n\n", encoding="utf-8")
    Path("x y.json").write_text("[[1, 0.5], [-0.3, 0.8]]")
    Path("y.json").write_text("[1, -1]")
    given = ["m.netsor", "--inputs", "x y.json", "--targets", "y.json", "--test", "x y.json", "--steps", "2"]
    given += ["--lr", "0.5", "--order", "2,1", "--loss", "mse"]
    assert main(["train", *given, "--json"]) == 0
    limit = json.loads(capsys.readouterr().out)["train"]["program"]
    rows = json.loads(Path("x y.json").read_text())
    plain = load("m.netsor").train(rows, [1, -1], rows, steps=2, lr=0.5, order=[2, 1], loss="mse")
    said = kernels_not_reached("m", [Bound("NTK", 0.1, 1e-9, (1, 1))], 1e-9, more=True)
    with monkeypatch.context() as patch:
        # As where integrals took longer than there was time, of two things.
        patch.setattr(Document, "train", lambda *_, **__: replace(plain, diagnostics=(said, replace(said))))
        main(["train", *given])
    (offered,) = re.findall(r"`(netsor[^`]*)`", capsys.readouterr().err)
    command = shlex.split(offered)[1:]
    assert int(command[command.index("--width") + 1]) >= 10_000
    command[command.index("--width") + 1] = "2000"
    assert main([*command, "--json"]) == 0
    finite = json.loads(capsys.readouterr().out)["train"]["finite"]
    for step in (1, 2):
        for value, mean, spread in zip(limit[step], finite["mean"][step], finite["stderr"][step], strict=True):
            assert abs(value - mean) <= 8 * spread + 0.05
    # Out of time before anything is known, too.
    with monkeypatch.context() as patch:
        patch.setattr(Document, "train", _late)
        assert main(["train", *given, "--budget", "100"]) == 1
    assert "--width" in capsys.readouterr().err


def _late(*_: object, **__: object) -> None:
    raise TimeOver


def test_predictions_without_digits_offer_the_kernels_of_a_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.netsor").write_text(NETWORK, encoding="utf-8")
    Path("x.json").write_text("[[[1, 0.5], [0.2, -1], [0.3, 1.5], [-0.7, 0.1]]]")
    Path("y.json").write_text("[1]")
    main(["predict", "m.netsor", "--inputs", "x.json", "--targets", "y.json", "--test", "x.json", "--budget", "0.1"])
    offered = re.search(r"`(netsor ntk[^`]*)`", capsys.readouterr().err.replace("\n", " "))
    assert offered is not None
    command = shlex.split(offered[1])[1:]
    command[command.index("--width") + 1] = "20"
    assert main([*command, "--json"]) == 0 and "--nngp" in command
    assert len(json.loads(capsys.readouterr().out)["nngp"]["value"]) == 1


@pytest.mark.parametrize("command", ["ntk", "ntk --nngp", "predict --targets y.csv --test X.csv", "eval"])
def test_numbers_beyond_the_doubles_are_in_no_wide_run_either(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1e307)\nmatrix W ~ N(0, 1e10/n)\nvector v ~ N(0, 1)\n"
    Path("m.netsor").write_text(f"{text}x := W (U ξ)\noutput f := vᵀ x / √n\n", encoding="utf-8")
    Path("X.csv").write_text("3,3\n")
    Path("y.csv").write_text("1\n")
    name, *options = command.split()
    assert main([name, "m.netsor", "--inputs", "X.csv", *options]) == 1
    err = capsys.readouterr().err
    assert "E804" in err and "--width" not in err

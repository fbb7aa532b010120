"""The catalogue's command lines on networks: the bad ones yield their code, the good ones run."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import numpy as np
import pytest

from netsor.cli.main import main
from netsor.diagnostics.catalogue import all_entries

ROOT = Path(__file__).parents[2]
# E652 and E661 are for programs made in Python; a text is refused as E602 and E603. E669 and E670 ask for two
# processes and for a disk that is full, and E690 for PyTorch.
NOT_HERE = ("E652", "E661", "E669", "E670", "E690")
ENTRIES = [e for e in all_entries() if e.code[1] == "6" and e.stage == "run" and e.code not in NOT_HERE]
HEAD = "network made(ξ : 3)\nmatrix U : (n, 3) ~ N(0, 1/3)\nmatrix W\n"
NETWORKS = {
    "mlp": "vector v ~ N(0, 1)\nx := tanh(W tanh(U ξ))\noutput f := vᵀ x / √n\n",
    "autoencoder": "vector v ~ N(0, 1)\nx := Wᵀ tanh(W tanh(U ξ))\noutput f := vᵀ x / √n\n",
    "body": "x := tanh(W tanh(U ξ))\n",
    "step_network": "vector v ~ N(0, 1)\ntrain U\nx := W step(U ξ)\noutput f := vᵀ x / √n\n",
    "relu_network": "vector v ~ N(0, 1)\ntrain U\nx := W relu(U ξ)\noutput f := vᵀ x / √n\n",
    "tied": "vector v ~ N(0, 1)\nx := tanh(W tanh(U ξ) + v)\noutput f := vᵀ x / √n\n",
    "linear": "vector v ~ N(0, 1)\nx := W U ξ\noutput f := vᵀ x / √n\n",
    "scaled": "param L = 1\nparam s = 2\nvector v[1..L] ~ N(0, s)\nx := relu(U ξ)\noutput f := v[1]ᵀ x / √n\n",
    "steep": "vector v ~ N(0, 1)\nx := exp((W tanh(U ξ))^2 / 10)\noutput f := vᵀ x / √n\n",
}
UNIFORM = """network made(ξ : 3)
param s = 1
matrix U : (n, 3) ~ U(-1, 1)
vector v ~ N(0, s)
x := U ξ
output f := vᵀ x / √n
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "uniform.netsor").write_text(UNIFORM, encoding="utf-8")
    for name, text in NETWORKS.items():
        (tmp_path / f"{name}.netsor").write_text(HEAD + text, encoding="utf-8")
    os.symlink(ROOT / "programs", tmp_path / "programs")
    rows = np.random.default_rng(0).standard_normal((2, 4))
    for name in ("X", "three_columns", "cleaned"):
        np.save(tmp_path / f"{name}.npy", rows[:, :3])
    np.save(tmp_path / "thousand_rows.npy", np.random.default_rng(1).standard_normal((1000, 3)))
    np.save(tmp_path / "Z.npy", rows[:1, :3] + 1)
    np.save(tmp_path / "four_columns.npy", rows)
    np.save(tmp_path / "with_nan.npy", rows[:, :3] * np.nan)
    np.save(tmp_path / "twins.npy", rows[[0, 0], :3])
    np.save(tmp_path / "four_rows.npy", np.vstack([rows, rows * 2 - 1])[:, :3])
    np.save(tmp_path / "four_targets.npy", np.array([1.0, -1.0, 2.0, 0.5]))
    np.save(tmp_path / "y.npy", np.array([1.0, -1.0]))
    np.save(tmp_path / "taken.nngp.npy", np.zeros((2, 2)))
    (tmp_path / "table.csv").write_text("size,age,rooms,price\n1,0.5,2,3\n0.7,1.5,1,2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(capsys, line: str) -> tuple[int, str]:
    command, *arguments = shlex.split(line)
    assert command == "netsor"
    status = main(arguments)
    return status, capsys.readouterr().err


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.code)
def test_commands(capsys, folder, entry):
    status, err = call(capsys, entry.bad)
    assert f"[{entry.code}]" in err
    assert (status == 0) == (entry.severity == "warning")
    status, err = call(capsys, entry.good)
    assert status == 0 and f"[{entry.code}]" not in err

"""Commands on programs, given a network and rows of inputs: they work on its kernels."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

import netsor
from netsor.cli.main import main

FOLDER = Path(__file__).parents[2] / "programs" / "networks"
SHALLOW = "network shallow(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\noutput f := vᵀ relu(U ξ) / √n\n"
STEPS = (
    "network steps(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W\nvector v ~ N(0, 1)\n"
    "output f := vᵀ step(W step(U ξ)) / √n\n"
)
X = [[1.0, 0.0], [1.0, 1.0]]
# E relu(u)² = |ξ|²/2, and of rows at 45° E relu(u) relu(u') = |ξ||ξ'| (sin t + (π − t) cos t)/(2π) (Cho & Saul 2009).
T = math.pi / 4
NNGP = {"nngp[1,1]": 0.5, "nngp[1,2]": (1 + (math.pi - T)) / (2 * math.pi), "nngp[2,2]": 1.0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("shallow.netsor").write_text(SHALLOW)
    Path("steps.netsor").write_text(STEPS)
    Path("X.json").write_text(json.dumps(X))
    return tmp_path


def call(capsys, *arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        status = main([str(a) for a in arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_eval_gives_the_kernels(capsys, folder):
    arguments = ["eval", "shallow.netsor", "--inputs", "X.json", "--limit", "--width", 200, "--seeds", 40]
    status, out, _ = call(capsys, *arguments, "--json")
    outputs = json.loads(out)["outputs"]
    assert status == 0 and [*outputs][:3] == [*NNGP]
    for name, value in NNGP.items():
        assert outputs[name]["limit"]["value"] == pytest.approx(value, abs=1e-12)
        finite = outputs[name]["finite"]
        assert abs(finite["mean"] - value) < 5 * finite["stderr"]
    status, out, _ = call(capsys, *arguments)
    assert status == 0 and "covariance of the outputs" in out and "ntk[1,2]" in out


@pytest.mark.parametrize("name", ["mlp_erf", "residual", "tied_decoder", "product_embedding", "two_outputs"])
def test_the_program_has_the_kernels_of_ntk(name):
    document = netsor.load(FOLDER / f"{name}.netsor", set={"L": 2} if name in ("mlp_erf", "residual") else {})
    rows = np.random.default_rng(3).standard_normal((2, 3))
    kernels, program = document.ntk(rows), document.on(rows)
    found = program.limit(tol=1e-10)
    empirical, drawn = document.ntk(rows, width=30, seeds=2), program.run(30, 2)
    assert {o.name.partition("[")[0] for o in program.program.outputs} == {"nngp", "ntk"}
    for output in program.program.outputs:
        kernel, _, indices = output.name.partition("[")
        at = tuple(int(k) - 1 for k in indices.rstrip("]").split(","))
        exact = getattr(kernels, kernel)
        value = found[output.name]
        assert abs(value.value - exact.value[at]) <= value.error + exact.error[at] + 1e-15
        # At a width too: the outputs are the kernels of the same draws.
        np.testing.assert_allclose(drawn.values[output.name], getattr(empirical, kernel).values[(..., *at)], rtol=1e-9)
    assert netsor.loads(program.listing()).check().ok


def test_a_network_of_steps_has_its_nngp_alone(capsys, folder):
    status, out, err = call(capsys, "eval", "steps.netsor", "--inputs", "X.json", "--json")
    outputs = json.loads(out)["outputs"]
    assert status == 0 and [*outputs] == [*NNGP] and "warning[E653]" in err
    # The first layer has the correlation (π − t)/π, and so has the second of the angle of that.
    angle = math.acos((math.pi - T) / math.pi)
    assert outputs["nngp[1,2]"]["limit"]["value"] == pytest.approx((math.pi - angle) / (2 * math.pi), abs=1e-12)


def test_laws_rates_formulas_pictures_and_pages(capsys, folder):
    with_rows = ["shallow.netsor", "--inputs", "X.json"]
    law = json.loads(call(capsys, "eval", *with_rows, "--law", "f_1[2]", "--json")[1])["law"]
    assert law["vectors"]["f_1[2]"]["variance"]["value"] == pytest.approx(2, abs=1e-12)
    study = call(capsys, "converge", *with_rows, "--widths", "50,100", "--seeds", 4, "--jobs", 1, "--json")
    outputs = json.loads(study[1])["outputs"]
    assert outputs["nngp[1,2]"]["limit"]["value"] == pytest.approx(NNGP["nngp[1,2]"], abs=1e-12)
    assert "nngp[1,2] → " in call(capsys, "derive", *with_rows)[1]
    assert call(capsys, "draw", *with_rows, "-o", "on.svg")[0] == 0 and "<svg" in Path("on.svg").read_text()
    assert "<svg" in call(capsys, "draw", "shallow.netsor")[1]
    page = call(capsys, "report", *with_rows, "--width", 32, "--seeds", 2)
    assert page[0] == 0 and "Finite width against the limit" in page[1] and "--inputs X.json" in page[1]


@pytest.mark.parametrize(
    "command", [["eval"], ["eval", "--law", "v"], ["converge", "--widths", "10"], ["derive"], ["eval", "--width", "9"]]
)
def test_a_network_without_rows_is_told_to_take_some(capsys, folder, command):
    status, out, err = call(capsys, command[0], "shallow.netsor", *command[1:])
    assert (status, out) == (1, "") and "error[E610]" in err and "--inputs X.npy" in err


@pytest.mark.parametrize("command", [["eval"], ["converge", "--widths", "10"], ["derive"], ["draw"], ["report"]])
def test_a_program_takes_no_rows(capsys, folder, command):
    Path("p.netsor").write_text("vector x ~ N(0, 1)\noutput a := mean(x^2)\n")
    status, out, err = call(capsys, command[0], "p.netsor", "--inputs", "X.json", *command[1:])
    assert (status, out) == (2, "") and "`--inputs` does nothing for a program" in err


def test_too_many_rows_are_for_ntk(capsys, folder):
    Path("many.json").write_text(json.dumps([[float(k), 1.0] for k in range(30)]))
    status, out, err = call(capsys, "eval", "shallow.netsor", "--inputs", "many.json")
    assert (status, out) == (2, "") and "error[E619]" in err and "netsor ntk" in err


def test_the_page_of_a_network_shows_its_kernels(capsys, folder):
    page = call(capsys, "report", "shallow.netsor", "--inputs", "X.json", "--width", 0)[1]
    assert page.count('class="heatmap"') == 1 and ">NNGP</text>" in page and ">NTK</text>" in page
    assert page.count(">0.534</text>") == 2  # the entry above the diagonal, and the one below
    assert "heatmap" not in call(capsys, "report", "shallow.netsor")[1]

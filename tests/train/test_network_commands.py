"""`netsor backward`, `ntk`, `sgd`, `train`, `check --exact` as called: files, JSON, statuses, printed programs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from training_networks import FOLDER, task

import netsor
from netsor.cli.main import main
from netsor.expr import as_expr, evaluate, unfold
from netsor.transform.loss import Loss
from netsor.transform.read_loss import read_loss

MLP = str(FOLDER / "mlp_erf.netsor")
X = np.random.default_rng(0).standard_normal((3, 3)).round(2)
Y = np.array([1.0, -0.5, 0.25])


@pytest.fixture
def files(tmp_path):
    """Files of inputs, targets and test inputs, each in another format."""
    np.save(tmp_path / "X.npy", X)
    (tmp_path / "y.json").write_text(json.dumps(Y.tolist()))
    (tmp_path / "T.csv").write_text("0.5,0.5,-1\n0.1,-0.3,2\n")
    return tmp_path


def call(capsys, *arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        status = main([str(a) for a in arguments])
    except SystemExit as stop:
        status = int(stop.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def parsed(text: str):
    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


def training(files, *more):
    return ["--inputs", files / "X.npy", "--targets", files / "y.json", "--test", files / "T.csv", *more]


def test_ntk_as_json(capsys, files):
    status, out, err = call(capsys, "ntk", MLP, "--inputs", files / "X.npy", "--json")
    found = parsed(out)
    assert (status, err) == (0, "") and list(found) == ["inputs", "nngp", "ntk"]
    assert found["inputs"] == 3 and set(found["ntk"]) == {"value", "error"}
    expected = netsor.load(MLP).ntk(X)
    np.testing.assert_allclose(found["ntk"]["value"], expected.ntk.value, rtol=1e-15)
    assert 0 <= found["ntk"]["error"] < 1e-9
    status, out, _ = call(capsys, "ntk", MLP, "--inputs", files / "X.npy", "--method", "paths", "--json")
    np.testing.assert_allclose(parsed(out)["ntk"]["value"], expected.ntk.value, rtol=1e-10)


def test_ntk_against_other_rows_by_parameter_and_class(capsys, files):
    arguments = ["ntk", MLP, "--inputs", files / "X.npy", "--inputs2", files / "T.csv", "--set", "L=2"]
    status, out, _ = call(capsys, *arguments, "--by-parameter", "--paths", "--json")
    found = parsed(out)
    assert status == 0 and np.shape(found["ntk"]["value"]) == (3, 2)
    assert set(found["by_parameter"]) == {"U", "W[2]", "b[1]", "b[2]", "v"}
    assert "U → W[2] → v" in found["paths"]
    status, out, _ = call(capsys, *arguments, "--by-parameter", "--paths")
    assert status == 0 and "NTK of W[2]" in out and "U → W[2] → v" in out


def test_ntk_at_a_width(capsys, files):
    arguments = ["ntk", MLP, "--inputs", files / "X.npy", "--width", "2e2"]
    status, out, _ = call(capsys, *arguments, "--seeds", 4, "--json")
    found = parsed(out)
    assert status == 0 and (found["width"], found["seeds"]) == (200, 4)
    expected = netsor.load(MLP).ntk(X, width=200, seeds=4).ntk.mean
    np.testing.assert_allclose(found["ntk"]["value"], expected, rtol=1e-12)
    assert parsed(call(capsys, *arguments, "--json")[1])["ntk"]["error"] is None
    assert "200" in call(capsys, *arguments)[1]
    status, out, err = call(capsys, *arguments, "--paths")
    assert (status, out) == (2, "") and "limit" in err


def test_several_outputs_as_json(capsys, files):
    two = FOLDER / "two_outputs.netsor"
    found = parsed(call(capsys, "ntk", two, "--inputs", files / "X.npy", "--json")[1])
    assert np.shape(found["nngp"]["value"]) == (3, 3, 2, 2)
    np.save(files / "Y2.npy", np.ones((3, 2)))
    arguments = ["--inputs", files / "X.npy", "--targets", files / "Y2.npy", "--steps", 2, "--limit", "--json"]
    found = parsed(call(capsys, "train", two, *arguments)[1])
    assert np.shape(found["train"]["program"]) == (3, 3, 2)


def test_train_as_json(capsys, files):
    more = ["--steps", 2, "--lr", "0.5", "--order", "3,1", "--limit", "--width", 64, "--seeds", 3, "--json"]
    status, out, err = call(capsys, "train", MLP, *training(files, *more))
    found = parsed(out)
    assert (status, err) == (0, "")
    assert found["steps"] == 2
    assert set(found["train"]) == set(found["test"]) == {"program", "kernel", "finite"}
    for part, rows in (("train", 3), ("test", 2)):
        assert np.shape(found[part]["program"]) == np.shape(found[part]["kernel"]) == (3, rows)
        assert np.shape(found[part]["finite"]["mean"]) == np.shape(found[part]["finite"]["stderr"]) == (3, rows)
        np.testing.assert_allclose(found[part]["program"], found[part]["kernel"], atol=1e-8)
    assert found["train"]["program"][0] == [0, 0, 0]


def test_train_as_a_table(capsys, files, monkeypatch):
    monkeypatch.setenv("COLUMNS", "140")
    status, out, _ = call(
        capsys, "train", MLP, *training(files, "--steps", 1, "--lr", 0.5, "--width", 32, "--seeds", 2, "--limit")
    )
    assert status == 0
    lines = out.splitlines()
    assert any("kernel descent" in line for line in lines) and any("width 32 (2 seeds" in line for line in lines)
    # The limit and the width: steps downwards, three training rows, two test rows and the loss across.
    headings = [line.split() for line in lines if line.split()[:1] == ["step"]]
    assert headings == [["step", "train", "1", "train", "2", "train", "3", "test", "1", "test", "2", "loss"]] * 2
    start = np.mean(Y**2) / 2
    assert all(float(line.split()[-1]) == pytest.approx(start, rel=1e-5) for line in lines if line.split()[0] == "0")
    # Neither flag means the limit; a width alone means the width alone.
    assert "kernel descent" in call(capsys, "train", MLP, *training(files, "--steps", 1, "--lr", 0.5))[1]
    assert "limit" not in call(capsys, "train", MLP, *training(files, "--steps", 1, "--width", 32))[1]


@pytest.mark.parametrize("f0", ["zero", "gaussian", "0.1,-0.2,0.3,0.4,0.5"])
def test_the_printed_program_of_sgd_is_a_program(capsys, files, f0):
    more = ["--steps", 2, "--lr", 0.5, "--batch", 2, "--f0", f0]
    status, text, err = call(capsys, "sgd", MLP, "--set", "L=2", *training(files, *more))
    assert (status, err) == (0, "") and text.startswith("# SGD on the network mlp_erf")
    (files / "p.netsor").write_text(text, encoding="utf-8")
    assert call(capsys, "check", files / "p.netsor")[0] == 0
    status, out, err = call(capsys, "eval", files / "p.netsor", "--limit", "--json")
    assert (status, err) == (0, "")
    outputs = parsed(out)["outputs"]
    run = parsed(call(capsys, "train", MLP, "--set", "L=2", *training(files, *more, "--json"))[1])
    for t in range(3):
        for i in range(3):
            assert outputs[f"f[{t},{i + 1}]"]["limit"]["value"] == pytest.approx(
                run["train"]["program"][t][i], abs=1e-9
            )
        assert outputs[f"f̃[{t},1]"]["limit"]["value"] == pytest.approx(run["test"]["program"][t][0], abs=1e-9)


def test_f0_network_is_for_finite_runs(capsys, files):
    more = ["--steps", 1, "--lr", 0.5, "--f0", "network"]
    status, out, err = call(capsys, "train", MLP, *training(files, *more))
    assert (status, out) == (1, "") and "E615" in err
    status, out, err = call(capsys, "train", MLP, *training(files, *more, "--width", 40, "--seeds", 2, "--json"))
    assert status == 0 and set(parsed(out)["train"]) == {"finite"}
    status, text, _ = call(capsys, "sgd", MLP, *training(files, *more))
    (files / "p.netsor").write_text(text, encoding="utf-8")
    assert status == 0 and "for finite widths only" in text


@pytest.mark.parametrize("name", ["mlp_erf", "convolution", "layernorm", "two_outputs", "tied_decoder"])
def test_the_printed_backward_pass_is_a_program(capsys, tmp_path, name):
    document, x, _, _ = task(name)
    path = FOLDER / f"{name}.netsor"
    np.save(tmp_path / "X.npy", x)
    np.save(tmp_path / "one.npy", x[:1])
    status, text, _ = call(capsys, "backward", path, "--inputs", tmp_path / "X.npy")
    (tmp_path / "b.netsor").write_text(text, encoding="utf-8")
    assert status == 0 and call(capsys, "check", tmp_path / "b.netsor")[0] == 0
    # Without inputs the numbers come when the program is run.
    status, text, _ = call(capsys, "backward", path)
    (tmp_path / "b.netsor").write_text(text, encoding="utf-8")
    assert status == 0 and call(capsys, "check", tmp_path / "b.netsor", "--data", f"ξ={tmp_path / 'one.npy'}")[0] == 0
    assert "data ξ : (1, " in text and "= []" not in text


def test_exact_as_text_and_json(capsys):
    tied = FOLDER / "tied_decoder.netsor"
    status, out, _ = call(capsys, "check", "--exact", tied)
    assert status == 0
    out = " ".join(out.split())
    assert "no failure of gradient independence" in out and "gradient independence, exactly: holds" in out
    found = parsed(call(capsys, "check", "--exact", tied, "--json")[1])["files"][0]["exact"]
    assert found["gia"] is True and {c["kind"] for c in found["couplings"]} >= {"backward with backward"}


@pytest.mark.parametrize(
    ("code", "status", "more"),
    [
        ("E656", 2, ["--steps", 1, "--order", "1,4"]), ("E656", 2, ["--steps", 1, "--order", "0"]),
        ("E657", 2, ["--steps", 1, "--lr", "nan"]), ("E657", 2, ["--steps", 1, "--lr", "-1"]),
        ("E657", 2, ["--steps", "-1"]), ("E657", 2, ["--steps", 1, "--f0", "guess"]),
        ("E654", 2, ["--steps", 1, "--f0", "1,2"]), ("E658", 2, ["--steps", 1, "--loss", "step(f - y)"]),
        ("E658", 2, ["--steps", 1, "--loss", "y^2"]), ("E201", 1, ["--steps", 1, "--loss", "(f - z)^2"]),
        ("E612", 1, ["--steps", 400, "--lr", "1e6"]), ("E701", 2, ["--steps", 1, "--width", 0]),
    ],
)  # fmt: skip
def test_bad_arguments(capsys, files, code, status, more):
    found, out, err = call(capsys, "train", MLP, *training(files, *more))
    assert (found, out) == (status, "")
    assert f"[{code}]" in err and "Traceback" not in err
    found, out, err = call(capsys, "train", MLP, *training(files, *more), "--json")
    assert found == status and parsed(out)["ok"] is False and parsed(out)["diagnostics"][0]["code"] == code


def test_a_rate_that_overshoots_is_told(capsys, files):
    status, out, err = call(capsys, "train", MLP, *training(files, "--steps", 3, "--lr", 20))
    assert status == 0 and "[W613]" in err and "--lr" in err and out


def test_bad_files(capsys, files):
    np.save(files / "nan.npy", np.array([[1, np.nan, 2]]))
    np.save(files / "wide.npy", np.zeros((2, 4)))
    for name, code, status in (("nan.npy", "E655", 2), ("wide.npy", "E654", 2), ("missing.npy", "E0", 2)):
        for command in (["ntk", MLP], ["backward", MLP]):
            found, out, err = call(capsys, *command, "--inputs", files / name)
            assert (found, out) == (status, "") and f"[{code}" in err
    found, out, err = call(
        capsys, "train", MLP, "--inputs", files / "X.npy", "--targets", files / "T.csv", "--steps", 1
    )
    assert (found, out) == (2, "") and "E654" in err


def test_a_program_is_no_network(capsys, files):
    program = FOLDER.parent / "rnn.netsor"
    for command, code in (("ntk", "E609"), ("backward", "E651")):
        found, out, err = call(capsys, command, program, "--inputs", files / "X.npy")
        assert (found, out) == (1, "") and code in err
    for command, code in (("train", "E609"), ("sgd", "E651")):
        found, out, err = call(capsys, command, program, *training(files, "--steps", 1))
        assert (found, out) == (1, "") and code in err


def test_what_a_network_cannot_be(capsys, tmp_path):
    bad = {
        "E601": "network a(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nx := U ξ\noutput f := mean(x)\n",
        "E602": "network a(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nx := U ξ\n",
        "E603": "network a(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\nx := U ξ\ntrain x\n"
        "output f := vᵀ x / √n\n",
        "E608": "network a(ξ : 2, ζ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\nx := U ξ\ny := U ζ\n"
        "output f := vᵀ x / √n\noutput g := vᵀ y / √n\n",
    }
    for code, text in bad.items():
        (tmp_path / "a.netsor").write_text(text, encoding="utf-8")
        status, _, err = call(capsys, "check", tmp_path / "a.netsor")
        assert status == 1 and f"[{code}]" in err


def test_a_backward_pass_without_inputs_waits_for_them(capsys, files):
    status, text, _ = call(capsys, "backward", MLP)
    assert status == 0 and "--data ξ=X.npy" in text
    path = files / "waits.netsor"
    dx = "dh" if "dh :=" in text else text.rsplit(" :=", 1)[0].split()[-1]
    path.write_text(f"{text}output size := mean({dx}^2)\n", encoding="utf-8")
    for command in (["check"], ["show"], ["eval"]):
        status, _, err = call(capsys, *command, path)
        assert status == 1 and "E404" in err and "--data ξ=FILE.npy" in err
        status, out, _ = call(capsys, *command, path, "--data", f"ξ={_one_row(files)}")
        assert status == 0 and out
    # The same number from the pass with its inputs.
    made = netsor.load(MLP).backward(X[:1]).listing() + f"output size := mean({dx}[1]^2)\n"
    limits = [d.limit()["size"].value for d in (netsor.load(path, data={"ξ": X[:1]}), netsor.loads(made))]
    assert limits[0] == pytest.approx(limits[1], rel=1e-12)


def _one_row(files):
    np.save(files / "one.npy", X[:1])
    return files / "one.npy"


def test_the_program_of_f0_network_says_that_it_has_no_limit(capsys, files):
    _, text, _ = call(capsys, "sgd", MLP, *training(files, "--steps", 1, "--f0", "network"))
    assert "refuse it with E501" in text
    (files / "own.netsor").write_text(text, encoding="utf-8")
    for command in ("check", "eval"):
        status, _, err = call(capsys, command, files / "own.netsor")
        assert status == 1 and "E501" in err and "random in the limit" in err


GATES = """
network gates(ξ : 3)
matrix U : (n, 3) ~ N(0, 1/3)
matrix W, V
vector v ~ N(0, 1)
x[0] := U ξ
for l in 1..3:
    a[l] := W gelu(x[l-1])
    c[l] := V gelu(x[l-1])
    x[l] := x[l-1] + sigmoid(c[l]) * a[l]
output f := vᵀ x[3] / √n
"""


def test_a_budget_is_kept_about_and_what_it_misses_is_said(capsys, files):
    (files / "gates.netsor").write_text(GATES, encoding="utf-8")
    call_ = ["ntk", files / "gates.netsor", "--inputs", files / "T.csv"]
    status, out, err = call(capsys, *call_, "--budget", 6, "--json")
    found = parsed(out)
    assert status == 0 and "W901" in err and "--budget" in err
    # What is given in haste is within the bound that comes with it: of a run at a width, more or less.
    _, out, _ = call(capsys, *call_, "--width", 400, "--seeds", 8, "--json")
    finite = parsed(out)
    for name in ("nngp", "ntk"):
        gap = np.abs(np.array(found[name]["value"]) - finite[name]["value"]).max()
        assert gap <= found[name]["error"] + 5 * finite[name]["error"] + 0.1 * np.abs(finite[name]["value"]).max()
    status, _, err = call(capsys, "ntk", MLP, "--inputs", files / "T.csv", "--budget", 60)
    assert (status, err) == (0, "")


def _named(name: str, f: np.ndarray, y: np.ndarray) -> float:
    """The losses of that name for one row of outputs, as torch defines them (cross entropy by softmax)."""
    match name:
        case "mse":
            return float(np.mean((f - y) ** 2))
        case "logistic":
            return float(np.sum(np.log1p(np.exp(-y * f))))
        case "hinge":
            return float(np.sum(np.maximum(0, 1 - y * f)))
        case _:
            if len(f) == 1:
                return float(np.log1p(np.exp(f[0])) - y[0] * f[0])
            return float(-np.sum(y * (f - np.log(np.exp(f).sum()))))


@pytest.mark.parametrize("name", ["mse", "logistic", "hinge", "cross_entropy"])
@pytest.mark.parametrize("outputs", [1, 2, 3])
def test_losses_by_name(name, outputs):
    rng = np.random.default_rng(outputs)
    f = rng.standard_normal(outputs)
    y = np.eye(outputs)[0] if name == "cross_entropy" else np.where(rng.random(outputs) < 0.5, -1.0, 1.0)
    loss = Loss(read_loss(name, outputs), outputs)
    assert loss.value(f, y) == pytest.approx(_named(name, f, y), rel=1e-12)
    # Its slopes are those that SGD takes.
    for j in range(outputs):
        step = 1e-6 * np.eye(outputs)[j]
        slope = (_named(name, f + step, y) - _named(name, f - step, y)) / 2e-6
        made = loss.derivative(j, [as_expr(float(x)) for x in f], lambda m: as_expr(float(y[m])))
        assert evaluate(unfold(made), {}) == pytest.approx(slope, abs=1e-6)


def test_the_losses_of_a_training_run_are_those_of_its_outputs():
    two = netsor.load(FOLDER / "two_outputs.netsor")
    targets = np.eye(2)[[0, 1, 0]]
    run = two.train(X, targets, steps=1, lr=0.5, batch=3, loss="cross_entropy", width=20, seeds=2)
    for t in range(2):
        mine = np.mean([_named("cross_entropy", f, y) for f, y in zip(run.program[t], targets, strict=True)])
        assert run.losses["program"][t] == pytest.approx(mine, rel=1e-12)
    assert run.losses["program"][1] < run.losses["program"][0] == pytest.approx(np.log(2))
    assert run.as_dict()["loss"]["program"] == run.losses["program"].tolist()

"""Predictions of networks: against their kernels, against training in small steps, and on data at the edges."""

from __future__ import annotations

import json
import math
import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from netsor.api import Document, loads
from netsor.cli.main import main
from netsor.diagnostics import NetsorError
from netsor.predict import predict
from netsor.predict.fit import log_likelihood
from netsor.predict.scaling import Scaling, infer_scaling

ERF = "network mlp(ξ : 2)\nmatrix U : (n, 2)\nvector b ~ N(0, 0.1)\nvector v ~ N(0, 1)\ntrain U, b, v\n"
ERF += "x := erf(U ξ + b)\noutput f := vᵀ x / √n\n"
RELU = "network r(ξ : 2)\nmatrix U : (n, 2)\nmatrix W ~ N(0, 2/n)\nvector v ~ N(0, 1)\ntrain U, W, v\n"
RELU += "x := relu(W relu(U ξ))\noutput f := vᵀ x / √n\n"
TWO = "network two(ξ : 2)\nmatrix U : (n, 2)\nvector v[1..2] ~ N(0, 1)\ntrain U, v[1..2]\nx := erf(U ξ)\n"
TWO += "output f[1] := v[1]ᵀ x / √n\noutput f[2] := v[2]ᵀ x / √n\n"
LINEAR = "network l(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\nx := U ξ\noutput f := vᵀ x / √n\n"
ROWS = np.array([[1.0, 0.5], [-0.3, 2.0], [0.4, -1.0]])
Y = np.array([1.0, -1.0, 0.5])
NEW = np.array([[0.2, 0.1], [2.0, 1.0]])


@pytest.fixture(scope="module")
def mlp() -> Document:
    return loads(ERF)


@pytest.mark.parametrize("kernel, noise, time", [("nngp", 0.2, math.inf), ("ntk", 0.2, math.inf), ("ntk", 0.0, 4.0)])
def test_formulas_with_kernels(mlp, kernel, noise, time):
    """The formulas as they are printed, on the kernels that `ntk` gives."""
    found = mlp.predict(ROWS, Y, NEW, kernel=kernel, noise=noise, time=time, cov=True)
    both = np.concatenate([ROWS, NEW])
    k, theta = mlp.ntk(both).nngp.value, mlp.ntk(both).ntk.value
    n = len(ROWS)
    values, vectors = np.linalg.eigh((k if kernel == "nngp" else theta)[:n, :n])
    rates = values + noise
    g = vectors @ np.diag((1 - np.exp(-rates * time / n)) / rates) @ vectors.T
    a = (k if kernel == "nngp" else theta)[n:, :n] @ g
    if kernel == "nngp":
        cov = k[n:, n:] - a @ k[:n, n:]
    else:
        cov = k[n:, n:] + a @ k[:n, :n] @ a.T - a @ k[:n, n:] - k[n:, :n] @ a.T
    assert found.mean[:, 0] == pytest.approx(a @ Y, abs=1e-12)
    assert found.cov == pytest.approx(cov, abs=1e-12)
    assert found.std[:, 0] == pytest.approx(np.sqrt(cov.diagonal()), abs=1e-12)
    assert found.error.max() < 1e-9 and found.std_error.max() < 1e-9


def test_small_steps_of_training_tend_to_the_flow():
    """`train` in full batches: halving the learning rate halves the distance to the flow (Euler's method)."""
    network = loads(ERF.replace("train U, b, v", "train v"))
    rows, y, new, time = ROWS[:2], Y[:2], NEW[:1], 1.0
    flow = network.predict(rows, y, new, kernel="ntk", time=time)
    distance = []
    for steps in (2, 4):
        run = network.train(rows, y, new, steps=steps, batch=2, lr=time / steps)
        distance.append(float(run.program[-1, -1, 0] - flow.mean[0, 0]))
    assert abs(distance[0]) > 1e-5
    assert distance[1] / distance[0] == pytest.approx(0.5, abs=0.06)
    # Richardson's extrapolation to steps of length zero, without its next order.
    assert 2 * distance[1] - distance[0] == pytest.approx(0, abs=0.15 * abs(distance[0]))


def test_the_ends_of_the_flow(mlp):
    start = mlp.predict(ROWS, Y, NEW, kernel="ntk", time=0.0)
    assert (start.mean == 0).all()
    assert start.std[:, 0] == pytest.approx(np.sqrt(mlp.nngp(NEW).value.diagonal()), abs=1e-12)
    end = mlp.predict(ROWS, Y, NEW, kernel="ntk")
    for time in (1e6, 1e300):
        late = mlp.predict(ROWS, Y, NEW, kernel="ntk", time=time)
        assert np.abs(late.mean - end.mean).max() <= late.error.max() + end.error.max() < 1e-9


def test_equal_rows_are_one_row(mlp):
    """Rows with different targets have their mean, and a noise that is the less the more they are."""
    rows, y = np.concatenate([ROWS, ROWS[:1]]), np.array([*Y, 3.0])
    for settings in ({}, {"kernel": "ntk"}):
        twice = mlp.predict(rows, y, NEW, **settings)
        once = mlp.predict(ROWS, [2.0, *Y[1:]], NEW, **settings)
        assert twice.diagnostics == once.diagnostics
        assert twice.mean == pytest.approx(once.mean, abs=1e-12)
        assert twice.std == pytest.approx(once.std, abs=1e-12)
        assert twice.error.max() < 1e-10
    noisy = mlp.predict(rows, y, NEW, noise=0.3)
    k = mlp.nngp(np.concatenate([rows, NEW])).value
    inverse = np.linalg.inv(k[:4, :4] + 0.3 * np.eye(4))
    assert noisy.mean[:, 0] == pytest.approx(k[4:, :4] @ inverse @ y, abs=1e-12)
    slow = mlp.predict(rows, y, NEW, kernel="ntk", time=2.0)
    theta = mlp.ntk(np.concatenate([rows, NEW])).ntk.value
    values, vectors = np.linalg.eigh(theta[:4, :4])
    rates = np.maximum(values, 1e-300)
    g = vectors @ np.diag(-np.expm1(-rates * 2.0 / 4) / rates) @ vectors.T
    assert slow.mean[:, 0] == pytest.approx(theta[4:, :4] @ g @ y, abs=1e-12)


@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
def test_a_training_row_among_the_test_rows(mlp, kernel):
    found = mlp.predict(ROWS, Y, [ROWS[1], NEW[0]], kernel=kernel, cov=True)
    assert found.mean[0, 0] == Y[1] and found.std[0, 0] == 0.0
    assert found.error[0, 0] == 0.0 and found.std_error[0, 0] == 0.0
    assert (found.cov[0] == 0).all() and found.std[1, 0] > 0.01


def test_rows_that_are_multiples_of_each_other():
    """relu without biases: f(cξ) = c f(ξ). K is singular and known to be so: the answer of least norm, by hand."""
    network = loads(RELU)
    assert infer_scaling(network.program) == Scaling(1, None)
    # f(1, 2) = 1 and f(2, 4) = 2 f(1, 2): the best fit to 1 and 5 is (1·1 + 2·5)/(1 + 4) = 2.2. A row of zeros says 0.
    for settings in ({}, {"kernel": "ntk"}):
        found = network.predict([[1, 2], [2, 4], [0, 0]], [1, 5, 7], [[1, 2], [3, 6], [0, 0]], **settings)
        assert found.diagnostics == ()
        assert found.mean[:, 0] == pytest.approx([2.2, 6.6, 0.0], abs=1e-14)
        assert (found.std == 0).all() and found.error.max() < 1e-13
    # 0.1 · 3 is no multiple of 0.1 in floats.
    near = network.predict([[0.1, 1], [0.1 * 3, 3]], [1, 5], [[1, 2]])
    assert [d.code for d in near.diagnostics] == ["W664"]
    assert np.isinf(near.error).all() and np.isfinite(near.mean).all()


def test_odd_networks():
    network = loads(TWO)
    assert infer_scaling(network.program) is None
    linear = loads(LINEAR)
    assert infer_scaling(linear.program) == Scaling(1, -1)
    found = linear.predict([[1, 2], [-2, -4]], [1, -2], [[-1, -2], [2, 1]])
    assert found.diagnostics == () and found.mean[0, 0] == pytest.approx(-1, abs=1e-14)


def test_more_rows_than_a_linear_network_tells_apart():
    """f = ⟨w, ξ⟩: least squares where K has rank 2, with a warning that no error is known."""
    linear = loads(LINEAR)
    found = linear.predict(ROWS, Y, NEW)
    assert [d.code for d in found.diagnostics] == ["W664"]
    assert found.mean[:, 0] == pytest.approx(NEW @ np.linalg.lstsq(ROWS, Y)[0], abs=1e-12)
    assert np.isinf(found.error).all() and found.std.max() <= found.std_error.max() < 1e-6
    ridge = linear.predict(ROWS, Y, NEW, noise=0.5)
    weights = np.linalg.solve(ROWS.T @ ROWS + 0.5 * np.eye(2), ROWS.T @ Y)
    assert np.abs(ridge.mean[:, 0] - NEW @ weights).max() <= ridge.error.max() < 1e-13


def test_several_outputs():
    """Outputs that no kernel relates are predicted apart, with one solution; those that share a readout together."""
    network = loads(TWO)
    y = np.stack([Y, 1 - Y], axis=1)
    found = network.predict(ROWS, y, NEW, kernel="ntk", cov=True, samples=2, seed=3)
    assert found.mean.shape == (2, 2) and found.cov.shape == (4, 4) and found.samples.shape == (2, 2, 2)
    assert found.cov[0, 1] == 0.0 and found.cov[0, 2] != 0.0
    again = network.predict(ROWS, y, NEW, kernel="ntk", samples=2, seed=3)
    assert (again.samples == found.samples).all() and again.cov is None
    mixed = loads(TWO.replace("output f[2] := v[2]ᵀ x / √n", "output f[2] := v[2]ᵀ x / √n + v[1]ᵀ x / √n"))
    k = mixed.nngp(np.concatenate([ROWS, NEW])).value
    full = k.transpose(0, 2, 1, 3).reshape(10, 10)
    solution = full[6:, :6] @ np.linalg.solve(full[:6, :6] + 0.1 * np.eye(6), y.ravel())
    assert mixed.predict(ROWS, y, NEW, noise=0.1).mean.ravel() == pytest.approx(solution, abs=1e-12)


def test_no_rows_and_one(mlp):
    prior = mlp.predict(np.zeros((0, 2)), [], NEW)
    assert (prior.mean == 0).all() and prior.std[:, 0] == pytest.approx(np.sqrt(mlp.nngp(NEW).value.diagonal()))
    assert mlp.predict(ROWS, Y, np.zeros((0, 2)), kernel="ntk", cov=True).mean.shape == (0, 1)
    one = mlp.predict(ROWS[:1], Y[:1], NEW)
    k = mlp.nngp(np.concatenate([ROWS[:1], NEW])).value
    assert one.mean[:, 0] == pytest.approx(k[1:, 0] / k[0, 0] * Y[0], abs=1e-13)


def test_targets_near_the_largest_float(mlp):
    plain = mlp.predict(ROWS, Y, NEW)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = mlp.predict(ROWS, 1e300 * Y, NEW)
    assert huge.mean / 1e300 == pytest.approx(plain.mean, rel=1e-12)
    # The squares of residuals are beyond all floats, and so is a bound.
    assert (huge.error >= 1e300 * plain.error).all()


@pytest.mark.parametrize(
    "code, arguments",
    [
        ("E663", {"noise": -1.0}), ("E663", {"noise": math.inf}), ("E663", {"noise": math.nan}),
        ("E663", {"kernel": "ntk", "time": -1.0}), ("E663", {"kernel": "ntk", "time": math.nan}),
        ("E663", {"time": 3.0}), ("E663", {"kernel": "rbf"}), ("E663", {"samples": -1}),
        ("E654", {"targets": [1.0]}), ("E655", {"targets": [1.0, math.nan, 0.0]}),
        ("E654", {"test": [[1.0]]}), ("E655", {"test": [[1.0, math.inf]]}), ("E654", {"test_targets": [1.0]}),
    ],
)  # fmt: skip
def test_bad_input(mlp, code, arguments):
    given = {"inputs": ROWS, "targets": Y, "test": NEW, **arguments}
    with pytest.raises(NetsorError) as caught:
        predict(mlp.program, given.pop("inputs"), given.pop("targets"), given.pop("test"), **given)
    assert [d.code for d in caught.value.diagnostics] == [code]


def test_scores():
    network = loads(TWO)
    y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = network.predict(ROWS, y, NEW, noise=0.1, test_targets=[[1, 0], [0, 1]])
    truth = np.eye(2)
    variance = found.std**2 + 0.1
    assert found.scores.mse == pytest.approx(((found.mean - truth) ** 2).mean())
    assert found.scores.accuracy == (found.mean.argmax(axis=1) == [0, 1]).mean()
    nll = 0.5 * ((found.mean - truth) ** 2 / variance + np.log(2 * np.pi * variance))
    assert found.scores.nll == pytest.approx(nll.mean())
    known = network.predict(ROWS, y, ROWS[:1], test_targets=[[0.5, 0]])
    assert known.scores.nll == math.inf and known.scores.accuracy is None or known.scores.accuracy == 1.0


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "mlp.netsor").write_text(ERF, encoding="utf-8")
    for name, array in (("X", ROWS), ("y", Y), ("Xt", NEW), ("yt", Y[:2])):
        np.save(tmp_path / f"{name}.npy", array)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command(folder, capsys, mlp):
    line = ["predict", "mlp.netsor", "--inputs", "X.npy", "--targets", "y.npy", "--test", "Xt.npy"]
    assert main([*line, "--kernel", "ntk", "--time", "5", "--cov", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    found = mlp.predict(ROWS, Y, NEW, kernel="ntk", time=5.0, cov=True)
    assert result["time"] == 5.0 and result["mean"] == found.mean.tolist() and result["cov"] == found.cov.tolist()
    assert result["error"] == found.error.max() and result["std_error"] == found.std_error.max()
    assert main([*line, "--noise", "0.1", "--test-targets", "yt.npy", "--samples", "1", "--plot", "p.svg"]) == 0
    text = capsys.readouterr().out
    assert "noise 0.1, 3 training rows" in text and "mean squared error" in text and "draw 1" in text
    assert (folder / "p.svg").read_text().startswith("<?xml")
    assert main([*line, "--noise", "-1"]) == 2
    assert "[E663]" in capsys.readouterr().err


def test_columns_of_targets_are_independent_outputs() -> None:
    rng = np.random.default_rng(8)
    x, y, test = rng.standard_normal((7, 2)), rng.standard_normal((7, 3)), rng.standard_normal((4, 2))
    network = loads(ERF)
    together = network.predict(x, y, test, noise=0.1, test_targets=rng.standard_normal((4, 3)))
    assert together.mean.shape == together.std.shape == (4, 3)
    for k in range(3):
        alone = network.predict(x, y[:, k], test, noise=0.1)
        np.testing.assert_allclose(together.mean[:, k], alone.mean[:, 0], rtol=0, atol=1e-13)
        np.testing.assert_allclose(together.std[:, k], alone.std[:, 0], rtol=0, atol=1e-13)


def test_the_likelihood_of_several_columns_is_the_product_of_theirs() -> None:
    rng = np.random.default_rng(9)
    root = rng.standard_normal((6, 6))
    a, y, slope = root @ root.T + np.eye(6), rng.standard_normal((6, 3)), np.diag(rng.uniform(1, 2, 6))
    value, gradient = log_likelihood(a, y, [slope], True, "t")
    truth = sum(multivariate_normal(np.zeros(6), a).logpdf(y[:, k]) for k in range(3))
    assert value == pytest.approx(truth, rel=1e-12)
    ahead, behind = (log_likelihood(a + h * slope, y, [], False, "t")[0] for h in (1e-5, -1e-5))
    assert gradient[0] == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)

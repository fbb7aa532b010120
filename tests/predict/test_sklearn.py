"""NetworkKernel as scikit-learn uses kernels, with the tests that scikit-learn has for its own."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor  # noqa: E402
from sklearn.gaussian_process.kernels import WhiteKernel  # noqa: E402
from sklearn.gaussian_process.tests import test_kernels as theirs  # noqa: E402
from sklearn.kernel_ridge import KernelRidge  # noqa: E402
from sklearn.svm import SVC  # noqa: E402

from netsor.api import loads  # noqa: E402
from netsor.sklearn import NetworkKernel  # noqa: E402

TEXT = "param L = 2\nparam s = 2\nparam sb = 0.1\nnetwork r(ξ : 2)\nmatrix U : (n, 2) ~ N(0, s/2)\n"
TEXT += "matrix W[2..L] ~ N(0, s/n)\nvector b[1..L] ~ N(0, sb)\nvector v ~ N(0, 1)\ntrain U, W[2..L], b[1..L], v\n"
TEXT += "x[1] := relu(U ξ + b[1])\nfor l in 2..L:\n    x[l] := relu(W[l] x[l-1] + b[l])\noutput f := vᵀ x[L] / √n\n"
X = np.random.default_rng(0).standard_normal((12, 2))
Y = np.sin(X[:, 0])


@pytest.mark.parametrize(
    "name",
    [
        "test_auto_vs_cross", "test_kernel_clone", "test_kernel_clone_after_set_params", "test_kernel_diag",
        "test_kernel_gradient", "test_kernel_input_type", "test_kernel_versus_pairwise", "test_repr_kernels",
        "test_set_get_params",
    ],
)  # fmt: skip
def test_as_their_kernels(name, monkeypatch):
    monkeypatch.setattr(theirs, "X", X[:4])
    monkeypatch.setattr(theirs, "Y", X[4:6])
    getattr(theirs, name)(NetworkKernel(TEXT))


def test_hyperparameters():
    kernel = NetworkKernel(TEXT, bounds={"s": (0.5, 8.0), "sb": "fixed"}, sb=0.25)
    assert [h.name for h in kernel.hyperparameters] == ["s", "sb"] and kernel.n_dims == 1
    assert kernel.theta == pytest.approx(np.log([2.0])) and kernel.bounds == pytest.approx(np.log([[0.5, 8.0]]))
    other = kernel.clone_with_theta(np.log([3.0]))
    assert other.get_params()["s"] == pytest.approx(3.0) and other.get_params()["sb"] == 0.25
    assert kernel.get_params()["s"] == 2.0 and clone(kernel) == kernel != other
    expected = loads(TEXT, set={"s": 3, "sb": 0.25}).nngp(X).value
    assert other(X) == pytest.approx(expected, rel=1e-13)
    k, slope = other(X, eval_gradient=True)
    assert slope.shape == (12, 12, 1) and k == pytest.approx(expected, rel=1e-13)
    assert pickle.loads(pickle.dumps(other))(X) == pytest.approx(expected, rel=1e-13)
    deep = NetworkKernel(TEXT).set_params(L=3)
    assert deep(X) == pytest.approx(loads(TEXT, set={"L": 3}).nngp(X).value, rel=1e-13)
    with pytest.raises(ValueError, match="Invalid parameter nobody"):
        kernel.set_params(nobody=1.0)


def test_a_document_is_a_network_too():
    """Its `param` and `data` lines keep what they were given."""
    lines = TEXT.replace("relu(W[l] x[l-1] + b[l])", "A[1, 2] * relu(W[l] x[l-1] + b[l])").splitlines()
    text = "\n".join([lines[3], "data A : (1, 2)", *lines[:3], *lines[4:]])
    document = loads(text, set={"sb": 0.3}, data={"A": [[0.0, 2.0]]})
    kernel = pickle.loads(pickle.dumps(clone(NetworkKernel(document, s=3.0))))
    expected = 4 * loads(TEXT, set={"s": 3, "sb": 0.3}).nngp(X).value
    assert kernel(X) == pytest.approx(expected, rel=1e-12)


def test_the_ntk():
    kernel = NetworkKernel(TEXT, kernel="ntk")
    found = loads(TEXT).ntk(X)
    assert kernel(X) == pytest.approx(found.ntk.value, rel=1e-13)
    assert kernel.diag(X) == pytest.approx(found.ntk.value.diagonal(), rel=1e-13)
    assert kernel(X, X[:2]) == pytest.approx(found.ntk.value[:, :2], rel=1e-13)


def test_in_estimators():
    fixed = NetworkKernel(TEXT, bounds="fixed")
    process = GaussianProcessRegressor(fixed, alpha=0.1).fit(X, Y)
    mean, std = process.predict(X[:3] + 0.1, return_std=True)
    ours = loads(TEXT).predict(X, Y, X[:3] + 0.1, noise=0.1)
    assert mean == pytest.approx(ours.mean[:, 0], abs=1e-10) and std == pytest.approx(ours.std[:, 0], abs=1e-7)
    assert KernelRidge(kernel=fixed, alpha=0.1).fit(X, Y).predict(X[:3] + 0.1) == pytest.approx(mean, abs=1e-10)
    assert SVC(kernel=fixed).fit(X, Y > 0).score(X, Y > 0) > 0.8
    assert GaussianProcessClassifier(fixed).fit(X, Y > 0).score(X, Y > 0) > 0.8
    small = NetworkKernel(TEXT, bounds={"sb": "fixed", "s": (0.1, 10.0)}) + WhiteKernel(0.1, "fixed")
    fitted = GaussianProcessRegressor(small).fit(X, Y)
    assert fitted.log_marginal_likelihood_value_ >= GaussianProcessRegressor(
        small, optimizer=None
    ).fit(X, Y).log_marginal_likelihood_value_  # fmt: skip

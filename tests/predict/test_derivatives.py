"""Derivatives of kernels by `param` lines: against closed forms and differences, and the likelihood that they serve."""

from __future__ import annotations

import math

import numpy as np
import pytest

from netsor.api import loads
from netsor.diagnostics import NetsorError, Source
from netsor.predict import fit
from netsor.predict.fit import log_likelihood
from netsor.predict.hyperparameters import Family

ROWS = np.array([[1.0, 0.5], [-0.3, 2.0], [0.4, -1.0]])
# Laws, means, factors, powers and a multiplier that depend on parameters; T decides about the structure.
HEAD = "param T = 2\nparam s = 2\nparam c = 0.3\nnetwork made(ξ : 2)\nmatrix U : (n, 2) ~ N(0, s/2)\n"
HEAD += "matrix W[2..T] ~ N(0, s^2/n)\nvector b ~ N(c, 2*c)\nvector v ~ N(0, s)\ntrain U, W[2..T] * c, b, v\n"
SHALLOW = "output f := c vᵀ PHI(U ξ + b) / √n\n"
DEEP = "h := W[2] PHI(U ξ)\nx := PHI(c h + b)\noutput f := c vᵀ x / √n\n"


def differences(text: str, name: str, at: float, which: str) -> np.ndarray:
    """The derivative by a central difference, right to about 1e-8."""

    def k(value: float) -> np.ndarray:
        network = loads(text, set={name: value})
        return network.nngp(ROWS).value if which == "nngp" else network.ntk(ROWS).ntk.value

    h = 1e-5
    return (k(at + h) - k(at - h)) / (2 * h)


@pytest.mark.parametrize("phi, body, which", [("relu", DEEP, "nngp"), ("erf", DEEP, "nngp"), ("erf", SHALLOW, "ntk")])
def test_derivatives_against_differences(phi, body, which):
    text = HEAD + body.replace("PHI", phi)
    family = Family(Source("t", text))
    assert family.values == {"s": 2.0, "c": 0.3}
    k, moved = family.gradient(("s", "c"), ROWS, which)
    network = loads(text)
    assert k.value == pytest.approx((network.nngp(ROWS) if which == "nngp" else network.ntk(ROWS).ntk).value, abs=1e-13)
    for name, at in family.values.items():
        assert np.abs(moved[name].value - differences(text, name, at, which)).max() < 1e-7
        assert moved[name].error.max() < 1e-9


def test_a_derivative_in_closed_form():
    """relu without biases: K = s₁ s₂ κ, so ∂K/∂s₁ = K/s₁, to rounding; and E relu(u)² = (a² + 1)/2 along a mean."""
    text = "param s = 3\nnetwork r(ξ : 2)\nmatrix U : (n, 2) ~ N(0, s)\nmatrix W ~ N(0, 2/n)\nvector v ~ N(0, 1)\n"
    text += "x := relu(W relu(U ξ))\noutput f := vᵀ x / √n\n"
    k, moved = Family(Source("t", text)).gradient(("s",), ROWS)
    assert moved["s"].value == pytest.approx(k.value / 3, rel=1e-13)
    assert (np.abs(moved["s"].value - k.value / 3) <= moved["s"].error + k.error / 3).all()
    mean = "param a = 0.5\nnetwork m(ξ : 1)\nmatrix U : (n, 1) ~ N(0, 1)\nvector b ~ N(a, 1)\nvector v ~ N(0, 1)\n"
    mean += "output f := vᵀ (U ξ + b) / √n\n"
    assert Family(Source("t", mean)).gradient(("a",), [[1.0]])[1]["a"].value == pytest.approx(np.array([[1.0]]))


def test_what_has_no_derivative():
    family = Family(Source("t", HEAD + DEEP.replace("PHI", "relu")))
    for names in (("T",), ("nobody",)):
        with pytest.raises(NetsorError, match="E666"):
            family.gradient(names, ROWS)
    with pytest.raises(NetsorError, match="E666"):
        Family(family.source, {"c": 0.0}).gradient(("c",), ROWS)


def test_the_likelihood():
    rng = np.random.default_rng(0)
    a = np.cov(rng.standard_normal((4, 9))) + np.eye(4)
    slope = np.cov(rng.standard_normal((4, 9)))
    y = rng.standard_normal(4)
    value, gradient = log_likelihood(a, y, [slope], True, "t")
    direct = -0.5 * y @ np.linalg.solve(a, y) - 0.5 * np.linalg.slogdet(a)[1] - 2 * math.log(2 * math.pi)
    assert value == pytest.approx(direct, rel=1e-13)
    for step, found in ((slope, gradient[0]), (np.eye(4), gradient[1])):
        ahead, behind = (log_likelihood(a + h * step, y, [], False, "t")[0] for h in (1e-5, -1e-5))
        assert found == pytest.approx((ahead - behind) / 2e-5, rel=1e-7)


def test_a_fit_finds_the_noise_and_the_scale():
    """f ~ GP(0, s κ) with noise S: the derivatives vanish, and the likelihood is above its neighbours."""
    text = "param s = 1\nnetwork r(ξ : 2)\nmatrix U : (n, 2)\nvector b ~ N(0, 1)\nvector v ~ N(0, s)\n"
    text += "output f := vᵀ erf(U ξ + b) / √n\n"
    rng = np.random.default_rng(1)
    x = rng.standard_normal((25, 2))
    y = np.sin(2 * x[:, 0]) + 0.2 * rng.standard_normal(25)
    document, found = loads(text).fit(x, y, ("s", "noise"), noise=0.1)
    assert found.gradient_norm < 1e-3 and found.values["s"] > 0 and found.noise > 0
    assert f"--set s={found.values['s']!r}" in found.options
    assert document.settings["s"] == found.values["s"]

    def likelihood(s: float, noise: float) -> float:
        k = loads(text, set={"s": s}).nngp(x).value
        return log_likelihood(k + noise * np.eye(25), y, [], False, "t")[0]

    best = likelihood(found.values["s"], found.noise)
    assert best == pytest.approx(found.log_likelihood, rel=1e-12)
    for s, noise in ((1.05, 1), (0.95, 1), (1, 1.05), (1, 0.95)):
        assert likelihood(found.values["s"] * s, found.noise * noise) < best


def test_a_fit_steps_back_from_where_targets_have_no_likelihood():
    """Equal rows with equal targets: the likelihood grows until the noise is lost in rounding, where it is none."""
    text = "param a = 1\nnetwork m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, a)\nvector v ~ N(0, 1)\n"
    text += "output f := vᵀ relu(U ξ) / √n\n"
    x = [[1.0, 0.5], [1.0, 0.5], [-0.5, 1.0]]
    for start in (1e-7, 1e-12):
        _, found = loads(text).fit(x, [1.0, 1.0, -1.0], ("a", "noise"), noise=start)
        assert not found.finished and found.noise < 1e-14
        k = loads(text, set={"a": found.values["a"]}).nngp(x).value + found.noise * np.eye(3)
        assert log_likelihood(k, np.array([1.0, 1.0, -1.0]), [], False, "m")[0] == pytest.approx(found.log_likelihood)
    with pytest.raises(NetsorError) as said:
        loads(text).fit(x, [1.0, 1.0, -1.0], ("a",))
    assert said.value.diagnostics[0].code == "E667"
    with pytest.raises(NetsorError) as said:
        loads(text).fit(x, [1.0, 1.0, -1.0], ())
    assert said.value.diagnostics[0].code == "E666"


def test_a_fit_in_a_box_that_goes_along_finds_the_maximum():
    """−log p is (x − 3)² + (y + 1)², and there is none where x + y is above 4 or x below −0.5."""
    known = {}

    def cost(at):
        if at.sum() > 4 or at[0] < -0.5:
            raise fit._WithoutLikelihood(at)
        known[at.tobytes()] = float((at[0] - 3) ** 2 + (at[1] + 1) ** 2), np.array([2 * at[0] - 6, 2 * at[1] + 2])
        return known[at.tobytes()]

    for start in ([0.0, 0.0], [-0.4, 4.0], [3.9, -9.0]):
        known.clear()
        assert fit._search(cost, known, np.array(start))
        best = np.frombuffer(min(known, key=lambda key: known[key][0]))
        assert best == pytest.approx([3, -1], abs=1e-5)

"""Training in the limit: the unrolled program is kernel gradient descent (Theorem D.2), here once more by hand."""

from __future__ import annotations

import numpy as np
import pytest
from training_networks import GALLERY, descend, task

import netsor

# Networks of which unrolled steps take a second.
SMALL = ("mlp_erf", "tied_first_layer", "two_outputs")
SMALLER = {"residual": {"L": 2}, "convolution": {"P": 3}}


@pytest.mark.parametrize("name", GALLERY)
def test_the_limit_of_sgd_is_kernel_gradient_descent(name):
    document, x, y, test = task(name, **SMALLER.get(name, {}))
    found = document.train(x, y, test, steps=3, batch=2, lr=0.2, f0="gaussian")
    assert not found.diagnostics
    assert np.all(np.isfinite(found.program))
    np.testing.assert_allclose(found.program, found.kernel, rtol=0, atol=1e-8)
    assert found.difference() <= 1e-8
    assert found.error.max() < 1e-8
    # Something was learned, and the start is what it was said to be.
    assert np.abs(found.program[-1] - found.program[0]).max() > 0.01
    assert np.abs(found.program[0]).max() > 0.01
    # Rows of the batch have their own kernel at hand, so the descent can be done by another.
    if len(document.program.readouts) == 1:
        kernel = document.ntk(np.concatenate([x, test])).ntk.value
        expected = descend(kernel, found.program[0, :, 0], y, [[0, 1]] * 3, 0.2)
        np.testing.assert_allclose(found.program[..., 0], expected, atol=1e-8)


@pytest.mark.parametrize("name", [n if n in SMALL else pytest.param(n, marks=pytest.mark.slow) for n in GALLERY])
def test_all_steps_are_those_of_the_unrolled_program(name):
    """Steps from the start, combined, against Definition B.3 applied to each line of all steps."""
    document, x, y, test = task(name, **SMALLER.get(name, {}))
    outputs = len(document.program.readouts)
    f0 = np.linspace(-0.3, 0.4, 3 * outputs).reshape((3, outputs) if outputs > 1 else 3).tolist()
    loss = "softplus(f) - y f" if outputs == 1 else None
    settings = {"steps": 2, "order": [1, 2], "lr": 0.3, "loss": loss, "f0": f0}
    found = document.train(x, y, test, **settings)
    values = document.sgd(x, y, test, **settings).limit(budget=None).outputs.values()
    expected = np.array([v.value for v in values]).reshape(found.program.shape)
    error = np.array([v.error for v in values]).reshape(found.program.shape)
    assert np.all(np.abs(found.program - expected) <= found.error + error + 1e-15)
    assert found.error.max() <= 10 * max(error.max(), 1e-14)


def test_a_slope_that_jumps_where_the_outputs_are():
    """The output comes to the kink of the loss in the limit: on which side it lies is a matter of the width."""
    text = "network line(ξ : 1)\nmatrix U : (n, 1) ~ N(0, 1)\nvector v ~ N(0, 1)\ntrain v\noutput f := vᵀ (U ξ) / √n\n"
    document = netsor.loads(text)
    # K = ξ²: a step moves f by 0.5 · sign(y − f), from 0.5 to 1 and from 0 to 0.5.
    found = document.train([[1]], [1], steps=1, lr=0.5, loss="abs(f - y)", f0=[0.5])
    np.testing.assert_allclose(found.program[:, 0, 0], [0.5, 1.0], atol=1e-12)
    found = document.train([[1]], [1], steps=3, lr=0.5, loss="abs(f - y)", f0=[0.5])
    assert [d.code for d in found.diagnostics if d.is_error] == ["E803"]
    assert "f[1,1]" in found.diagnostics[-1].message + "".join(found.diagnostics[-1].notes)
    np.testing.assert_array_equal(np.isnan(found.program[:, 0, 0]), [False, False, True, True])
    assert set(found.missing.values()) == {"does not exist"}


def test_ten_steps_of_a_deep_mlp():
    document, x, y, test = task("mlp_erf", 4, 2)
    found = document.train(x, y, test, steps=10, lr=0.5)
    assert found.program.shape == (11, 6, 1)
    kernel = document.ntk(np.concatenate([x, test])).ntk.value
    expected = descend(kernel, np.zeros(6), y, [[t % 4] for t in range(10)], 0.5)
    np.testing.assert_allclose(found.program[..., 0], expected, atol=1e-9)
    # Errors are carried with their signs, and do not grow from step to step.
    assert found.error.max() <= 1e-12
    assert found.difference() <= found.error.max()


def test_a_loss_an_order_and_f0():
    document, x, y, test = task("mlp_relu", 3, 1)
    order = [3, 1, 1, 2]
    f0 = [0.1, -0.2, 0.3, 0.5]
    found = document.train(x, np.sign(y), test, steps=4, order=order, lr=0.8, f0=f0, loss="softplus(-y f)")
    kernel = document.ntk(np.concatenate([x, test])).ntk.value
    expected = descend(kernel, f0, np.sign(y), [[r - 1] for r in order], 0.8, lambda f, y: -y / (1 + np.exp(y * f)))
    np.testing.assert_allclose(found.program[..., 0], expected, atol=1e-9)
    np.testing.assert_allclose(found.kernel[..., 0], expected, atol=1e-9)


def test_two_outputs_under_a_joint_loss():
    document, x, _, test = task("two_outputs", 2, 1)
    y = np.array([[1.0, 0.0], [0.0, 1.0]])
    loss = "log(exp(f1) + exp(f2)) - y1 f1 - y2 f2"
    found = document.train(x, y, test, steps=3, batch=2, lr=0.5, loss=loss, f0="gaussian")
    kernel = document.ntk(np.concatenate([x, test]), x).ntk.value
    f = found.program[0]
    for t in range(3):
        p = np.exp(f[:2]) / np.exp(f[:2]).sum(axis=1, keepdims=True)
        f = f - 0.25 * np.einsum("xrab,rb->xa", kernel, p - y)
        np.testing.assert_allclose(found.program[t + 1], f, atol=1e-9)
    assert found.as_dict()["train"]["program"][1][0][1] == found.program[1, 0, 1]


def test_the_loss_of_several_outputs_is_the_sum():
    document, x, y, test = task("two_outputs", 2, 1)
    one = document.train(x, y, test, steps=2, lr=0.5, loss="(f - y)^2/2")
    two = document.train(x, y, test, steps=2, lr=0.5, loss="(f1 - y1)^2/2 + (f2 - y2)^2/2")
    np.testing.assert_allclose(one.program, two.program, atol=1e-13)


def test_gaussian_f0_is_the_process():
    document, x, y, test = task("two_outputs", 3, 2)
    rows = np.concatenate([x, x[:1]])
    draws = np.array(
        [document.train(rows, [[0, 0]] * 4, test, steps=0, f0="gaussian", seed=s).program[0] for s in range(300)]
    )
    np.testing.assert_array_equal(draws[:, 0], draws[:, 3])
    again = document.train(rows, [[0, 0]] * 4, test, steps=0, f0="gaussian", seed=7).program[0]
    np.testing.assert_array_equal(draws[7], again)
    kernel = document.ntk(np.concatenate([x, test])).nngp.value.transpose(0, 2, 1, 3).reshape(10, 10)
    distinct = draws[:, [0, 1, 2, 4, 5]].reshape(300, 10)
    covariance = distinct.T @ distinct / 300
    spread = np.sqrt((np.outer(kernel.diagonal(), kernel.diagonal()) + kernel**2) / 300)
    assert np.all(np.abs(covariance - kernel) <= 4.5 * spread)


def test_a_readout_of_mean_one_moves_program_and_kernel_alike():
    """Where gradient independence fails both are computed with all Żs at v̂, and nothing says that they differ."""
    text = """
network tilted(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W ~ N(0, 1/n)
vector v ~ N(1, 1)
train W, U
x := gelu(W gelu(U ξ))
output f := vᵀ x / √n
"""
    document = netsor.loads(text)
    x, y = np.array([[1.0, 0.4], [-0.3, 0.8]]), np.array([1.0, -1.0])
    found = document.train(x, y, steps=1, lr=0.5)
    assert found.diagnostics == ()
    np.testing.assert_allclose(found.program, found.kernel, atol=1e-9)


@pytest.mark.parametrize("steps", [30, 100, 1000])
def test_bounds_do_not_grow_with_the_steps(steps):
    """The unrolled program and the descent by the kernel are two computations of one number, each within its bound."""
    document, x, y, _ = task("mlp_erf", 4, 0)
    found = document.train(x, y, steps=steps, lr=0.5)
    assert found.error.max() <= 1e-8
    assert found.difference() <= found.error.max()
    expected = descend(document.ntk(x).ntk.value, np.zeros(4), y, [[t % 4] for t in range(steps)], 0.5)
    np.testing.assert_allclose(found.program[..., 0], expected, atol=1e-9)


def test_rows_that_are_equal_or_never_pulled():
    """Pairs of rows are found once, whichever of them is pulled, and a row may be a test row too."""
    document, (a, b), y, (c,) = task("two_outputs")
    x, test = np.array([b, a, b]), np.array([a, c])
    found = document.train(x, [y[1], y[0], y[1]], test, steps=2, order=[3, 2], lr=0.3)
    np.testing.assert_allclose(found.program, found.kernel, rtol=0, atol=1e-12)
    assert np.abs(found.program[-1]).min() > 1e-3
    assert np.array_equal(found.program[:, 0], found.program[:, 2])

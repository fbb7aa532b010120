"""The predicted ensemble against networks of finite width that are trained, one after the other.

The steps are those of gradient descent in full batches; two lengths of step for the same networks, extrapolated to
steps of length zero, stand for the flow. At these widths the corrections of order 1/n are below the standard errors.
"""

from __future__ import annotations

import numpy as np
import pytest

from netsor.api import loads

ROWS = np.array([[1.0, 0.5], [-0.3, 2.0], [0.4, -1.0]])
Y = np.array([1.0, -1.0, 0.5])
NEW = np.array([[0.2, 0.1], [2.0, 1.0], [1.0, 0.5]])
ERF = """
network mlp(ξ : 2)
matrix U : (n, 2)
vector b ~ N(0, 0.1)
vector v ~ N(0, 1)
train U, b, v
output f := vᵀ erf(U ξ + b) / √n
"""
DEEP = """
network deep(ξ : 2)
matrix U : (n, 2)
matrix W ~ N(0, 2/n)
vector v ~ N(0, 1)
train U, W, v
output f := vᵀ relu(W relu(U ξ)) / √n
"""


def trained(network, time, steps, width, seeds, engine):
    run = network.train(
        ROWS, Y, NEW, steps=steps, batch=len(ROWS), lr=time / steps, f0="network", limit=False,
        width=width, seeds=seeds, engine=engine,
    )  # fmt: skip
    return run.finite.values[:, -1, len(ROWS) :, 0]


def compare(text: str, time: float, steps: int, width: int, seeds: int, engine: str) -> np.ndarray:
    """How far mean and variance of the trained networks are from what is predicted, in standard errors."""
    network = loads(text)
    expected = network.predict(ROWS, Y, NEW, kernel="ntk", time=time)
    f = 2 * trained(network, time, 2 * steps, width, seeds, engine) - trained(
        network, time, steps, width, seeds, engine
    )
    mean, deviations = f.mean(axis=0), f - f.mean(axis=0)
    variance = f.var(axis=0, ddof=1)
    off_mean = (mean - expected.mean[:, 0]) / np.sqrt(variance / seeds)
    # The standard error of a variance from the fourth moment, since networks of finite width are not quite Gaussian.
    off_variance = (variance - expected.std[:, 0] ** 2) / np.sqrt((deviations**2).var(axis=0) / seeds)
    return np.concatenate([off_mean, off_variance])


def test_one_layer():
    # Six numbers: beyond 4.5 with probability 1e-4.
    assert np.abs(compare(ERF, 4.0, 12, 600, 100, "dense")).max() < 4.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "time", "steps", "engine"),
    [(ERF, 4.0, 32, "dense"), (ERF, 40.0, 100, "dense"), (DEEP, 2.0, 40, "dense"), (DEEP, 2.0, 40, "lazy")],
)
def test_many_networks(text, time, steps, engine):
    assert np.abs(compare(text, time, steps, 800, 200, engine)).max() < 4.5


def test_the_comparison_can_fail():
    """The posterior of the Gaussian process is another law than the ensemble's at this time, and is told from it."""
    network = loads(ERF)
    wrong = network.predict(ROWS, Y, NEW, kernel="nngp").std[:, 0] ** 2
    right = network.predict(ROWS, Y, NEW, kernel="ntk", time=4.0).std[:, 0] ** 2
    assert (np.abs(wrong - right) > 4.5 * right * np.sqrt(2 / 100)).any()

"""What a budget cuts short is a larger bound, and a right one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate

import netsor
from netsor.expr import Sym, call, mul
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.sensitivity.distance import by_distance
from netsor.gaussian.sensitivity.perturbations import moves_of
from netsor.gaussian.symbolic.structure import shape_of

THREE = "vector x, y, z ~ N(0, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])\n"


def _chi(f, d: int) -> float:
    """E f(|x|²) of d standard normals."""
    density = lambda s: s ** (d / 2 - 1) * math.exp(-s / 2) / (2 ** (d / 2) * math.gamma(d / 2))  # noqa: E731
    panels = ((0, 0.98), (0.98, 1.02), (1.02, 60))
    return sum(integrate.quad(lambda s: f(s) * density(s), a, b, limit=400)[0] for a, b in panels)


@pytest.mark.parametrize("budget", [0.0, 0.2])
@pytest.mark.parametrize(
    ("text", "truth"),
    [
        # A shell so thin that looking for it takes minutes.
        ("exp(-1e6 * (x^2 + y^2 + z^2 - 1)^2)", _chi(lambda s: math.exp(-1e6 * (s - 1) ** 2), 3)),
        ("relu(x^2 + y^2 + z^2 - 1)", _chi(lambda s: max(s - 1, 0), 3)),
        ("tanh(x^2 + y^2)", _chi(math.tanh, 2)),
        ("sqrt(x^2 + y^2)", math.sqrt(math.pi / 2)),
    ],
)
def test_little_time_is_a_large_bound(text, truth, budget):
    found = netsor.loads(f"{THREE}output a := mean({text})\n").limit(budget=budget)["a"]
    assert found.value is not None and abs(found.value - truth) <= found.error + 1e-11


def test_a_program_that_has_no_time_is_right_within_its_bounds():
    text = (
        "matrix W, V\nvector x, y ~ N(0, [[1, 0.4], [0.4, 1]])\nh := W tanh(x) + x\nk := W tanh(y) + y\n"
        "g := V (tanh(h) + relu(h))\nl := V (tanh(k) + relu(k))\noutput a := mean(tanh(g) * sigmoid(l) * exp(-h^2))\n"
    )
    document = netsor.loads(text)
    exact, hasty = document.limit(), document.limit(budget=0.0)
    assert abs(exact["a"].value - hasty["a"].value) <= exact["a"].error + hasty["a"].error


def test_laws_that_are_near_each_other_give_near_expectations():
    """E relu(u) tanh(v) by panels at moved covariances, against the bound from the distance of the laws."""
    rng = np.random.default_rng(5)
    u, v = Sym("u"), Sym("v")
    e = mul(call("relu", u), call("tanh", v))
    t, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()

    def truth(c: np.ndarray) -> float:
        root = np.linalg.cholesky(c)
        p, q = (root @ np.stack([np.repeat(t, 60), np.tile(t, 60)]))[:, :]
        return float(np.outer(w, w).ravel() @ (np.maximum(p, 0) * np.tanh(q)))

    for _ in range(40):
        rho, size = rng.uniform(-0.9, 0.9), 10 ** rng.uniform(-4, -1.5)
        a, b = np.exp(rng.uniform(-1, 1, 2))
        c = np.array([[a * a, rho * a * b], [rho * a * b, b * b]])
        errors = size * (1 - abs(rho)) * np.outer([a, b], [a, b])
        inputs = Inputs((u, v), c, errors, {}, {})
        bound = by_distance(e, inputs, moves_of(inputs, shape_of(e, frozenset((u, v)))))
        signs = rng.choice([-1, 1], (2, 2))
        moved = c + np.triu(signs * errors) + np.triu(signs * errors, 1).T
        # Hermite's rule is off by its kink, alike for both.
        assert bound is not None and abs(truth(moved) - truth(c)) <= bound + 3e-3 * size

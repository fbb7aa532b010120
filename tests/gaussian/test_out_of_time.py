"""What a budget cuts short is a larger bound, and a right one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special
from scipy.stats import chi2

import netsor
from netsor import deadline
from netsor.deadline import TimeOver
from netsor.expr import Sym, call, mul
from netsor.gaussian import FixedLaw, Settings, expect
from netsor.gaussian.arithmetic.normal_quantile import normal_quantile
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


MANY_JUMPS = 0.082157


@pytest.mark.parametrize("budget", [0.0, 0.2])
@pytest.mark.parametrize(
    ("text", "truth"),
    [
        # A shell so thin that looking for it takes minutes.
        ("exp(-1e6 * (x^2 + y^2 + z^2 - 1)^2)", _chi(lambda s: math.exp(-1e6 * (s - 1) ** 2), 3)),
        ("relu(x^2 + y^2 + z^2 - 1)", 3 * chi2.sf(1, 5) - chi2.sf(1, 3)),
        ("tanh(x^2 + y^2)", _chi(math.tanh, 2)),
        ("sqrt(x^2 + y^2)", math.sqrt(math.pi / 2)),
        # So many jumps and turns that the places where panels end take seconds; by 6000² midpoints.
        ("abs(max(softplus(x), erf(x)))^0.3 / (10 + max(step(cos(x)), sin(y * (x + 0.1 * y)))^2)", MANY_JUMPS),
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


def test_what_there_is_no_time_to_take_apart_is_a_mean_over_draws():
    """E z tanh(x) relu(y) tanh(x y), in which the law of z alone does not matter, without time and with it."""
    x, y, z = Sym("x"), Sym("y"), Sym("z")
    e = mul(z, call("tanh", x), call("relu", y), call("tanh", mul(x, y)))
    law = FixedLaw((x, y, z), np.array([[1, 0.3, 0.5], [0.3, 1, -0.4], [0.5, -0.4, 1]]))
    exact, hasty = expect(e, law), expect(e, law, Settings(budget=0.0))
    assert hasty.method == "quasi-Monte Carlo"
    assert abs(exact.value - hasty.value) <= exact.error + hasty.error < 0.1


def test_draws_see_what_errors_of_the_law_do():
    """Errors of all covariances, against laws that are moved by them."""
    rng = np.random.default_rng(3)
    x, y, z = Sym("x"), Sym("y"), Sym("z")
    e = mul(call("tanh", x), call("sigmoid", y), call("relu", z))
    for size in (1e-3, 3e-2):
        c = np.array([[1, 0.3, 0.5], [0.3, 1, -0.4], [0.5, -0.4, 1]])
        hasty = expect(e, FixedLaw((x, y, z), c, np.full((3, 3), size)), Settings(budget=0.0))
        for _ in range(5):
            by = np.triu(rng.choice([-size, size], (3, 3)))
            true = expect(e, FixedLaw((x, y, z), c + by + np.triu(by, 1).T), Settings(1e-4))
            assert abs(true.value - hasty.value) <= true.error + hasty.error
        assert hasty.error < 0.05 + 10 * size


def test_after_the_end_a_bounded_integrand_has_its_range(monkeypatch):
    x, y = Sym("x"), Sym("y")
    law = FixedLaw((x, y), np.eye(2))
    monkeypatch.setattr(deadline, "GRACE", -1.0)
    with deadline.limited(0.0):
        found = expect(mul(call("tanh", x), call("sigmoid", y)), law)
        with pytest.raises(TimeOver):
            expect(mul(call("relu", x), call("sigmoid", y)), law)
    assert (found.value, found.error, found.method) == (0.0, 1.0, "range of values")


def test_the_quantile_function_of_the_normal_law():
    tails = 10.0 ** -np.arange(1, 16)
    u = np.concatenate([np.random.default_rng(0).random(10_000), tails, 1 - tails])
    assert np.abs(normal_quantile(u) / special.ndtri(u) - 1).max() < 4e-15

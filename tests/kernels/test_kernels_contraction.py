"""Smooth integrands on grids: against closed forms, and in networks whose error signals are sums of many products."""

from __future__ import annotations

import math

import numpy as np
import pytest

import netsor
from netsor.expr import Const, Sym, add, call, canonical, mul
from netsor.gaussian.vectorized import contraction, each
from netsor.gaussian.vectorized.contraction import contract, is_smooth

X, Y = [Sym(f"x{i}") for i in range(3)], [Sym(f"y{i}") for i in range(3)]


def _linear(weights, symbols):
    return add(*(mul(Const(float(w)), s) for w, s in zip(weights, symbols, strict=False)))


def _covariance(d, closeness, rng):
    m = rng.standard_normal((d, d + 1))
    z = np.concatenate([m, m + closeness * rng.standard_normal(m.shape)]) / 2
    return z @ z.T


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("closeness", [1.0, 0.1, 1e-4, 1e-9, 0.0])
def test_cosines(d, closeness):
    """E cos(a·x) cos(b·y) = (e^{−Var(a·x − b·y)/2} + e^{−Var(a·x + b·y)/2}) / 2, also where x and y are nearly one."""
    rng = np.random.default_rng(d)
    c = _covariance(d, closeness, rng)
    a, b = rng.standard_normal((2, d))
    f, g = call("cos", _linear(a, X)), call("cos", _linear(b, Y))
    found = contract(f, X[:d], g, Y[:d], c, {}, 1e-10)
    both = [np.concatenate([a, s * b]) for s in (1, -1)]
    truth = sum(math.exp(-0.5 * w @ c @ w) for w in both) / 2
    assert abs(found.value - truth) <= found.error + 1e-15
    assert found.error <= 1e-10 * found.size


@pytest.mark.parametrize("closeness", [1.0, 1e-3, 0.0])
def test_arcsine(closeness):
    """E erf(a·x) erf(b·y) is an arcsine (Williams 1997)."""
    rng = np.random.default_rng(7)
    c = _covariance(2, closeness, rng)
    a, b = rng.standard_normal((2, 2))
    found = contract(call("erf", _linear(a, X)), X[:2], call("erf", _linear(b, Y)), Y[:2], c, {}, 1e-11)
    aa, bb, ab = a @ c[:2, :2] @ a, b @ c[2:, 2:] @ b, a @ c[:2, 2:] @ b
    truth = 2 / math.pi * math.asin(2 * ab / math.sqrt((1 + 2 * aa) * (1 + 2 * bb)))
    assert abs(found.value - truth) <= found.error + 1e-15


def test_polynomials_of_three_variables():
    """Isserlis: E x₀x₁x₂ · y₀y₁y₂ over all pairings."""
    rng = np.random.default_rng(3)
    c = _covariance(3, 0.5, rng)
    found = contract(mul(*X), X, mul(*Y), Y, c, {}, 1e-10)

    def pairings(rest):
        if not rest:
            return 1.0
        first, *others = rest
        return sum(c[first, k] * pairings([o for o in others if o != k]) for k in others)

    truth = pairings(list(range(6)))
    assert abs(found.value - truth) <= found.error + 1e-14 * found.size


def test_kinks_are_not_for_grids():
    assert is_smooth(canonical(call("tanh", mul(X[0], X[1]))), X)
    assert not is_smooth(canonical(call("relu", add(X[0], X[1]))), X)


NETWORK = """
network several(ξ : 3)
φ(u) = tanh(u) + 0.1 u^2
def layernorm(x):
    μ := mean(x)
    σ := sqrt(mean((x - μ)^2) + 1e-5)
    return (x - μ) / σ
matrix U : (n, 3) ~ N(0, 1/3)
matrix V, W ~ N(0, 1/n)
vector b ~ N(0, 0.3)
vector v ~ N(0, 1)
train U, V, W, b, v
BODY
"""
BODIES = {
    "residual branches about a layer normalization": """
k := layernorm(φ(W φ(U ξ)))
y := V φ(k) + W φ(k) + k
output f := vᵀ φ(y) / √n
""",
    "two of them": """
k := layernorm(W φ(U ξ) + b)
y := V φ(k) + W φ(k) + k
z := layernorm(y)
y2 := V φ(z) + W φ(z) + z
output f := vᵀ φ(y2) / √n
""",
    "gates and an attention-like scalar": """
x := U ξ
a := W φ(x)
c := V φ(x) + b
s := mean(a * c + φ(x)^2)
y := x + s a + sigmoid(c) * a
output f := vᵀ y / √n
""",
}


@pytest.mark.parametrize("name", BODIES)
def test_both_routes_agree_and_take_few_expectations(name, monkeypatch):
    document = netsor.loads(NETWORK.replace("BODY", BODIES[name]))
    x = np.random.default_rng(0).standard_normal((2, 3))
    taken = []

    def counted(f):
        return lambda *a, **k: (taken.append(f), f(*a, **k))[1]

    for module, f in ((each, "expect"), (contraction, "contract")):
        monkeypatch.setattr(module, f, counted(getattr(module, f)))
    one, two = document.ntk(x), document.ntk(x, method="paths")
    scale = np.abs(one.ntk.value).max()
    assert np.abs(one.ntk.value - two.ntk.value).max() <= 1e-9 * scale
    assert one.ntk.error.max() <= 1e-9 * scale
    # Multiplied out, one of them took thousands.
    assert len(taken) < 2500


def test_the_law_of_a_layer_normalization_in_closed_form():
    """With φ = erf and k = h / √(Var + ε): the NNGP is the arcsine of h's correlation, scaled."""
    text = """
network plain(ξ : 3)
def layernorm(x):
    μ := mean(x)
    σ := sqrt(mean((x - μ)^2) + 1e-5)
    return (x - μ) / σ
matrix U : (n, 3) ~ N(0, 1/3)
matrix W, V ~ N(0, 1/n)
vector v ~ N(0, 1)
k := layernorm(U ξ)
y := W erf(k) + V erf(k)
output f := vᵀ erf(y) / √n
"""
    x = np.random.default_rng(5).standard_normal((3, 3))
    h = x @ x.T / 3
    s = 1 / np.sqrt(np.diag(h) + 1e-5)
    k = h * s[:, None] * s

    def arcsine(c):
        d = 1 + 2 * np.diag(c)
        return 2 / np.pi * np.arcsin(2 * c / np.sqrt(d[:, None] * d))

    np.testing.assert_allclose(netsor.loads(text).ntk(x).nngp.value, arcsine(2 * arcsine(k)), rtol=1e-12)

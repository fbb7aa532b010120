"""Training at a width by the finite engine: the program is SGD, draw by draw, and tends to its limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import erf
from training_networks import task

import netsor
from netsor.finite import run, run_vectors
from netsor.transform import sgd

N = 40


def drawn(program, names, seed):
    """The parameters that the engine draws for a seed."""
    return {k: np.asarray(v) for k, v in run_vectors(program, N, seed, names).items()}


def erf_slope(x):
    return 2 / np.sqrt(np.pi) * np.exp(-x * x)


class Mlp:
    """h = W erf(Uξ + b) + c, f = vᵀerf(h)/√n with every parameter trained; gradients by hand, in unit parameters."""

    text = """
network mlp(ξ : 2)
matrix U : (n, 2) ~ N(0, 0.6)
matrix W ~ N(0, 1.7/n)
vector b ~ N(0, 0.3)
vector c ~ N(0, 0)
vector v ~ N(0, 1.4)
train U, W, b, v
train c * 0.5
x := erf(W erf(U ξ + b) + c)
output f := vᵀ x / √n
"""
    names = ("U", "W", "b", "c", "v")
    scale = {"U": 0.6, "W": 1.7 / N, "b": 0.3, "c": 0.25, "v": 1.4}

    @staticmethod
    def forward(p, ξ):
        g = p["U"] @ ξ + p["b"]
        h = p["W"] @ erf(g) + p["c"]
        return g, h, p["v"] @ erf(h) / np.sqrt(N)

    def gradient(self, p, ξ):
        g, h, _ = self.forward(p, ξ)
        dh = p["v"] * erf_slope(h) / np.sqrt(N)
        dg = p["W"].T @ dh * erf_slope(g)
        return {"U": np.outer(dg, ξ), "W": np.outer(dh, erf(g)), "b": dg, "c": dh, "v": erf(h) / np.sqrt(N)}


class Rnn:
    """s_t = erf(W s_{t−1} + U ξ_t), f = vᵀs_T/√n, with W, U and v trained."""

    text = """
network rnn(ξ[1..3] : 2)
matrix W ~ N(0, 1.2/n)
matrix U : (n, 2) ~ N(0, 0.5)
vector v ~ N(0, 1)
train W, U, v
s[1] := erf(U ξ[1])
for t in 2..3:
    s[t] := erf(W s[t-1] + U ξ[t])
output f := vᵀ s[3] / √n
"""
    names = ("U", "W", "v")
    scale = {"U": 0.5, "W": 1.2 / N, "v": 1.0}

    @staticmethod
    def states(p, ξ):
        s, h = [np.zeros(N)], []
        for token in ξ:
            h.append(p["W"] @ s[-1] + p["U"] @ token)
            s.append(erf(h[-1]))
        return s, h

    def forward(self, p, ξ):
        return (p["v"] @ self.states(p, ξ)[0][-1] / np.sqrt(N),)

    def gradient(self, p, ξ):
        s, h = self.states(p, ξ)
        out = {"U": 0.0, "W": 0.0, "v": s[-1] / np.sqrt(N)}
        ds = p["v"] / np.sqrt(N)
        for t in (2, 1, 0):
            dh = ds * erf_slope(h[t])
            out["U"] = out["U"] + np.outer(dh, ξ[t])
            out["W"] = out["W"] + np.outer(dh, s[t])
            ds = p["W"].T @ dh
        return out


class Tied:
    """f = vᵀWᵀerf(W tanh(Uξ))/√n, with W and U trained."""

    text = """
network tied(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W ~ N(0, 1.2/n)
vector v ~ N(0, 1)
train W, U
y := Wᵀ erf(W tanh(U ξ))
output f := vᵀ y / √n
"""
    names = ("U", "W", "v")
    scale = {"U": 1.0, "W": 1.2 / N}

    @staticmethod
    def forward(p, ξ):
        return (p["v"] @ p["W"].T @ erf(p["W"] @ np.tanh(p["U"] @ ξ)) / np.sqrt(N),)

    @staticmethod
    def gradient(p, ξ):
        x = np.tanh(p["U"] @ ξ)
        h = p["W"] @ x
        a = p["W"] @ p["v"] / np.sqrt(N)
        dh = a * erf_slope(h)
        dW = np.outer(erf(h), p["v"] / np.sqrt(N)) + np.outer(dh, x)
        return {"W": dW, "U": np.outer(p["W"].T @ dh * (1 - x**2), ξ)}


@pytest.mark.parametrize("make", [Mlp, Rnn, Tied])
@pytest.mark.parametrize("batch", [1, 2])
def test_the_program_is_backpropagation(make, batch):
    """Five steps with the same initial weights, to a relative 1e-9."""
    model = make()
    document = netsor.loads(model.text)
    rng = np.random.default_rng(1)
    tokens = () if document.program.inputs[0].indices is None else (3,)
    x, test = rng.standard_normal((3, *tokens, 2)), rng.standard_normal((2, *tokens, 2))
    y, lr, steps, seed = rng.standard_normal(3), 0.6, 5, 4
    found = document.train(
        x, y, test, steps=steps, batch=batch, lr=lr, f0="network", limit=False, width=N, seeds=1, seed=seed
    ).finite.values[0, :, :, 0]
    program = sgd(document.program, x, y, test, steps=steps, batch=batch, lr=lr, f0="network")
    p = drawn(program, model.names, seed)
    for t in range(steps + 1):
        expected = [model.forward(p, ξ)[-1] for ξ in [*x, *test]]
        np.testing.assert_allclose(found[t], expected, rtol=1e-9, atol=1e-11)
        rows = [(t * batch + k) % 3 for k in range(batch)]
        steps_taken = [(model.forward(p, x[r])[-1] - y[r], model.gradient(p, x[r])) for r in rows]
        # A step of rate η in the unit parameters is one of rate η σ²/n in W, and so on.
        p = p | {k: p[k] - lr / batch * s * sum(χ * g[k] for χ, g in steps_taken) for k, s in model.scale.items()}
    assert np.abs(found[-1] - found[0]).max() > 0.05


@pytest.mark.parametrize("name", ["mlp_erf", "rnn", "tied_decoder", "two_outputs", "layernorm"])
def test_conditioned_runs_start_where_they_are_told(name):
    document, x, y, test = task(name, 2, 1)
    found = document.train(x, y, test, steps=2, batch=2, lr=0.3, f0="gaussian", width=400, seeds=6, seed=2)
    np.testing.assert_allclose(
        found.finite.values[:, 0], np.broadcast_to(found.program[0], found.finite.values[:, 0].shape), atol=1e-9
    )
    assert np.all(np.abs(found.finite.mean - found.program) <= 6 * found.finite.stderr + 0.02)


def test_width_alone_and_one_seed():
    document, x, y, test = task("mlp_erf", 2, 1)
    found = document.train(x, y, test, steps=1, limit=False, width=50)
    assert found.program is None and found.kernel is None and found.finite.stderr is None
    made = found.as_dict()
    assert set(made) == {"steps", "train", "test", "loss"}
    assert made["train"]["finite"]["stderr"] is None
    assert np.shape(made["train"]["finite"]["values"]) == (1, 2, 2)


def test_the_finite_runs_are_those_of_the_printed_program():
    document, x, y, test = task("mlp_erf", 2, 1)
    arguments = {"steps": 2, "lr": 0.5, "f0": [0.1, 0.2, 0.3]}
    direct = document.train(x, y, test, limit=False, width=60, seeds=2, seed=1, **arguments).finite.values
    read = netsor.loads(document.sgd(x, y, test, **arguments).listing())
    result = run(read.program, 60, 2, seed=1)
    again = np.stack([result.values[o.name] for o in read.program.outputs], axis=1).reshape(2, 3, 3)
    np.testing.assert_allclose(direct[..., 0], again, rtol=1e-9)

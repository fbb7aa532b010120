"""v̂ of Eq. 71: the network that starts with it has the outputs asked for, and is then trained as any network."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
import tape
from core_interpreter import draw, outputs, run
from test_sgd_identity import ROWS, TARGETS, TEST, mlp, mlp_model, n, squared
from writing import Net

from netsor.core import Program
from netsor.diagnostics import NetsorError
from netsor.expr import Function, apply, call, mul, sym
from netsor.transform.sgd import sgd

φ = Function("φ", (sym("u"),), call("tanh", sym("u")))
F0 = [0.3, -1.0, 0.7, 2.0, -0.4]


def test_a_conditioned_run_is_sgd_from_the_conditioned_start():
    network = mlp(1, "U", "W", "v", "b", ("c", 0.5))
    parameters = draw(network, n, 3)
    program = sgd(network, ROWS, TARGETS, TEST, steps=4, lr=0.7, f0=F0)
    at = run(program, parameters, n)
    model, unit = mlp_model(1)
    history = tape.sgd(
        model, unit({**parameters, "v": at["v̂"]}), [[t % 3] for t in range(4)],
        lambda out, r: squared(out, TARGETS[r]), 0.7, 4, ROWS, [*ROWS, *TEST],
    )  # fmt: skip
    found = outputs(program, parameters, n)
    for t in range(5):
        names = [f"f[{t},{i}]" for i in (1, 2, 3)] + [f"f̃[{t},{i}]" for i in (1, 2)]
        np.testing.assert_allclose([found[x] for x in names], np.ravel(history[t]), rtol=1e-9, atol=1e-11)


def first_outputs(network: Program, rows, f0, n: int = 40, seed: int = 0):
    """The readouts at step 0 with v̂ for v, from the values of the program, by row and readout."""
    program = sgd(network, rows, np.zeros_like(f0), steps=1, f0=f0)
    parameters = draw(network, n, seed)
    at = run(program, parameters, n)
    out = []
    for i in range(1, len(rows) + 1):
        value = lambda x, i=i: at[f"{x}[{i}]"]  # noqa: E731
        out.append([sum(c * at[hat(v)] @ value(x) for c, v, x in r.terms) / np.sqrt(n) for r in network.readouts])
    return np.array(out), at, parameters


def hat(v: str) -> str:
    return unicodedata.normalize("NFC", v[0] + "\u0302" + v[1:])


def test_v_hat_is_that_of_equation_71():
    network = mlp(1, "W")
    found, at, parameters = first_outputs(network, ROWS, np.array([0.3, -1.0, 0.7]))
    x = np.stack([at[f"x[{i}]"] for i in (1, 2, 3)], axis=1)
    f, v, m = np.array([0.3, -1.0, 0.7]), parameters["v"], 40
    plus = np.linalg.pinv(x.T @ x / m)
    np.testing.assert_allclose(at["v̂"], x @ (plus @ f / np.sqrt(m)) + v - x @ (plus @ (x.T @ v / m)), atol=1e-11)
    np.testing.assert_allclose(found[:, 0], f, atol=1e-11)


def test_readouts_that_are_correlated_and_have_several_terms():
    m = Net("heads", 2)
    g = m.embed("g", "U")
    m.nl("x", apply(φ, [g]))
    m.nl("y", call("relu", g))
    m.group(("v", "w"), ((1.0, 0.8), (0.8, 2.0)))
    m.readout("f", (1.0, "v", "x"), (-0.5, "w", "y"))
    m.readout("f2", (2.0, "w", "x"))
    f0 = np.array([[0.1, 0.2], [-1.0, 3.0], [0.5, 0.5]])
    found, at, p = first_outputs(m.done("U"), ROWS, f0)
    np.testing.assert_allclose(found, f0, atol=1e-10)
    # v̂ − v is σ² Aᵀ(A σ² Aᵀ)⁺ of what is missing (Matheron): the smallest change in the metric of the covariance.
    size = 40
    c = np.array([[1.0, 0.8], [0.8, 2.0]])
    rows = []
    for i in (1, 2, 3):
        rows.append(np.concatenate([at[f"x[{i}]"], -0.5 * at[f"y[{i}]"]]))
        rows.append(np.concatenate([np.zeros(size), 2 * at[f"x[{i}]"]]))
    a = np.array(rows) / np.sqrt(size)
    k = np.kron(c, np.eye(size))
    z = np.concatenate([p["v"], p["w"]])
    expected = z + k @ a.T @ np.linalg.pinv(a @ k @ a.T) @ (f0.ravel() - a @ z)
    np.testing.assert_allclose(np.concatenate([at[hat("v")], at[hat("w")]]), expected, atol=1e-9)


def test_dependent_embeddings_are_met_where_they_can_be():
    m = Net("linear", 2)
    m.vector("v")
    m.nl("x", 2 * m.embed("g", "U"))
    m.readout("f", (1.0, "v", "x"))
    rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    f0 = np.array([0.5, -0.5, 1.0, 1.5, 0.0])
    found, at, _ = first_outputs(m.done("U"), rows, f0)
    np.testing.assert_allclose(found[:, 0], f0, atol=1e-10)
    assert all(np.all(np.isfinite(np.asarray(value))) for value in at.values())
    # What no v can give is met on the rows that come first, and harms nothing else.
    found, _, _ = first_outputs(m.done("U"), rows, np.array([0.5, 7.0, 1.0, 9.0, 3.0]))
    np.testing.assert_allclose(found[:, 0], f0, atol=1e-6)


def test_equal_rows_are_one_constraint():
    network = mlp(1, "W")
    rows = np.concatenate([ROWS, ROWS[:1]])
    program = sgd(network, rows, np.zeros(4), ROWS[1:2], steps=1, f0=[1, 2, 3, 1, 2])
    assert "μ[3]" in program.by_name and "μ[4]" not in program.by_name
    assert [o.scalar for o in program.outputs if o.name in ("f[0,4]", "f̃[0,1]")] == ["f[0,1]", "f[0,2]"]
    with pytest.raises(NetsorError, match="E659"):
        sgd(network, rows, np.zeros(4), steps=1, f0=[1, 2, 3, 4])


def test_a_readout_vector_that_the_body_knows_cannot_be_conditioned():
    m = Net("gia_fails", 2)
    m.group(("v", "b"), ((1.0, 0.5), (0.5, 1.0)))
    g = m.embed("g", "U")
    m.nl("x", apply(φ, [g + sym("b")]))
    m.readout("f", (1.0, "v", "x"))
    with pytest.raises(NetsorError, match="E660.*correlated with `b`"):
        sgd(m.done("U"), ROWS, TARGETS, steps=1)
    assert sgd(m.done("U"), ROWS, TARGETS, steps=1, f0="network").outputs
    again = Net("uses_v", 2)
    v = again.vector("v")
    again.nl("x", mul(v, again.embed("g", "U")))
    again.readout("f", (1.0, "v", "x"))
    with pytest.raises(NetsorError, match="E660.*used in `x`"):
        sgd(again.done("U"), ROWS, TARGETS, steps=1)


def test_without_conditioning_v_itself_stands_in_the_program():
    program = sgd(mlp(1, "W"), ROWS, TARGETS, steps=1, condition=False)
    assert "v" in program.by_name["dh[1]"].vectors

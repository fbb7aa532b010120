"""The unrolled program is SGD at every width: against backpropagation on the unit parameters, written here by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tape
from core_interpreter import draw, outputs
from writing import Net

from netsor.core import Program
from netsor.expr import Function, add, apply, call, mul, power, sqrt, sym
from netsor.expr.nodes import Const
from netsor.transform.sgd import sgd

n, T = 23, 5
u = sym("u")
φ = Function("φ", (u,), call("tanh", u))
f, y = sym("f"), sym("y")
LOGISTIC = call("softplus", mul(Const(-1), f, y))


def squared(found, target):
    total = tape.var(0.0)
    for a, b in zip(found, np.atleast_1d(target), strict=True):
        total = total + (a - float(b)) ** 2 * 0.5
    return total


def logistic(found, target):
    return tape.log(1 + tape.exp(-found[0] * float(np.atleast_1d(target)[0])))


def compare(
    network: Program, model, unit, rows, targets, test, *, batch=1, order=None, lr=0.7, loss=None, plain_loss=squared,
    seed=0,
) -> Program:  # fmt: skip
    """Both runs agree to 1e-9 relative to the outputs after T steps."""
    parameters = draw(network, n, seed)
    program = sgd(network, rows, targets, test, steps=T, batch=batch, order=order, lr=lr, loss=loss, f0="network")
    found = outputs(program, parameters, n)
    taken = order or list(range(1, len(rows) + 1))
    batches = [[taken[(t * batch + k) % len(taken)] - 1 for k in range(batch)] for t in range(T)]
    history = tape.sgd(
        model, unit(parameters), batches, lambda out, r: plain_loss(out, targets[r]), lr, T, rows, [*rows, *test]
    )
    moved = 0.0
    for t in range(T + 1):
        for k in range(len(rows) + len(test)):
            name, i = ("f", k + 1) if k < len(rows) else ("f̃", k + 1 - len(rows))
            for j, r in enumerate(network.readouts):
                value, expected = found[f"{name}{r.name[1:]}[{t},{i}]"], history[t][k][j]
                assert value == pytest.approx(expected, rel=1e-9, abs=1e-11), (t, k, j)
                moved = max(moved, abs(expected - history[0][k][j]))
    assert moved > 0.05
    return program


rng = np.random.default_rng(7)
ROWS, TEST = rng.standard_normal((3, 2)), rng.standard_normal((2, 2))
TARGETS = np.array([1.0, -0.5, 0.8])


def root_n(x):
    return x / np.sqrt(n)


def mlp(outs: int, *train) -> Program:
    m = Net("mlp", 2)
    m.matrix("W", 1.7)
    m.vector("b", 0.3)
    m.vector("c", 0.0)
    g = m.embed("g", "U", variance=0.6)
    z = m.nl("z", apply(φ, [g + sym("b")]))
    h = m.mm("h", "W", z)
    m.nl("x", call("erf", h + sym("c")))
    for j in range(1, outs + 1):
        name = "v" if outs == 1 else f"v{j}"
        m.vector(name, 1.4)
        m.readout("f" if outs == 1 else f"f{j}", (1.0, name, "x"))
    return m.done(*train)


def mlp_model(outs: int):
    def model(p, row):
        z = tape.tanh(p["u"] @ row * np.sqrt(0.6) + p["b"] * np.sqrt(0.3))
        x = tape.erf(root_n(np.sqrt(1.7)) * p["w"] @ z + p["c"] * 0.5)
        return [p[f"v{j}"] @ x * root_n(np.sqrt(1.4)) for j in range(1, outs + 1)]

    def unit(drawn):
        found = {
            "u": drawn["U"] / np.sqrt(0.6), "b": drawn["b"] / np.sqrt(0.3), "c": drawn["c"] / 0.5,
            "w": drawn["W"] * np.sqrt(n) / np.sqrt(1.7),
        }  # fmt: skip
        for j in range(1, outs + 1):
            found[f"v{j}"] = drawn["v" if outs == 1 else f"v{j}"] / np.sqrt(1.4)
        return found

    return model, unit


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_an_mlp_with_every_layer_trained(batch):
    network = mlp(1, "U", "W", "v", "b", ("c", 0.5))
    compare(network, *mlp_model(1), ROWS, TARGETS, TEST, batch=batch)


@pytest.mark.parametrize("batch", [1, 2])
def test_an_mlp_with_two_outputs(batch):
    network = mlp(2, "U", "W", "v1", "v2", "b", ("c", 0.5))
    targets = np.stack([TARGETS, TARGETS[::-1] * 2], axis=1)
    program = compare(network, *mlp_model(2), ROWS, targets, TEST, batch=batch, order=[3, 1, 1, 2])
    assert "dh[3,1]" in program.by_name and "χ[0,3,2]" in program.by_name


def test_a_loss_that_is_not_a_square_and_an_order_that_repeats():
    network = mlp(1, "W", "v", "b", ("c", 0.5), "U")
    compare(
        network, *mlp_model(1), ROWS, np.sign(TARGETS), TEST, order=[2, 2, 3, 1], loss=LOGISTIC, plain_loss=logistic
    )


def test_one_row_with_two_targets():
    network = mlp(1, "U", "W", "v", "b", ("c", 0.5))
    rows = np.concatenate([ROWS, ROWS[:1]])
    compare(network, *mlp_model(1), rows, np.append(TARGETS, -1.0), TEST, batch=2)


def test_a_loss_of_two_outputs_together():
    network = mlp(2, "U", "W", "v1", "v2", "b", ("c", 0.5))
    f1, f2, y1 = sym("f1"), sym("f2"), sym("y1")
    loss = add(call("log", add(call("exp", f1), call("exp", f2))), mul(Const(-1), y1, f1))
    entropy = lambda o, t: tape.log(tape.exp(o[0]) + tape.exp(o[1])) - o[0] * float(t[0])  # noqa: E731
    targets = np.stack([np.array([1.0, 0, 1]), np.zeros(3)], axis=1)
    compare(network, *mlp_model(2), ROWS, targets, TEST, batch=3, loss=loss, plain_loss=entropy, lr=1.5)


def rnn(tokens: int) -> Program:
    m = Net("rnn", 2, tuple(range(1, tokens + 1)))
    m.matrix("W", 1.2)
    m.vector("v")
    b = m.vector("b", 0.0)
    s = None
    for k in range(1, tokens + 1):
        g = m.embed(f"g[{k}]", "U", k, 0.5)
        total = g + b if s is None else m.mm(f"k[{k}]", "W", s) + g + b
        s = m.nl(f"s[{k}]", apply(φ, [total]))
    m.nl("x", sym(f"s[{tokens}]") + 0.5 * sym("s[1]"))
    m.readout("f", (1.0, "v", "x"))
    return m.done("U", "W", "v", ("b", 1.0))


@pytest.mark.parametrize("batch", [1, 2])
def test_an_rnn_with_tied_weights(batch):
    def model(p, row):
        s, first = None, None
        for token in row:
            total = p["u"] @ token * np.sqrt(0.5) + p["b"]
            s = tape.tanh(total if s is None else total + root_n(np.sqrt(1.2)) * p["w"] @ s)
            first = first or s
        return [p["v"] @ (s + first * 0.5) * root_n(1)]

    def unit(d):
        return {"u": d["U"] / np.sqrt(0.5), "w": d["W"] * np.sqrt(n / 1.2), "b": d["b"], "v": d["v"]}

    r = np.random.default_rng(3)
    rows, test = r.standard_normal((3, 4, 2)), r.standard_normal((1, 4, 2))
    test[0, 0] = rows[0, 0]  # an example that begins as another shares its first steps
    compare(rnn(4), model, unit, rows, TARGETS, test, batch=batch)


def test_w_and_its_transpose_forward():
    m = Net("tied", 2)
    m.matrix("W", 1.3)
    m.matrix("V", 0.8)
    m.vector("v")
    x0 = m.nl("x0", apply(φ, [m.embed("g", "U")]))
    h1 = m.mm("h1", "W", m.nl("y0", apply(φ, [m.mm("k", "V", x0)])))
    h2 = m.mm("h2", "Wᵀ", m.nl("x1", apply(φ, [h1])))
    m.nl("x2", h2 + x0 * h1)
    m.mm("x", "Vᵀ", sym("x2"))
    m.readout("f", (1.0, "v", "x"))
    network = m.done("W", "V", "U")

    def model(p, row):
        w, k = root_n(np.sqrt(1.3)) * p["w"], root_n(np.sqrt(0.8)) * p["k"]
        x0 = tape.tanh(p["u"] @ row)
        h1 = w @ tape.tanh(k @ x0)
        x = k.T @ (w.T @ tape.tanh(h1) + x0 * h1)
        return [tape.var(np.asarray(p["v"].value)) @ x * root_n(1)]

    def unit(d):
        return {"u": d["U"], "w": d["W"] * np.sqrt(n / 1.3), "k": d["V"] * np.sqrt(n / 0.8), "v": d["v"]}

    compare(network, model, unit, ROWS, TARGETS, TEST, batch=2, lr=0.5)


def test_an_embedding_that_is_an_x_var():
    m = Net("product", 2)
    m.matrix("W")
    m.vector("v")
    z1 = m.nl("z1", apply(φ, [m.embed("g1", "A")]))
    z2 = m.nl("z2", call("relu", m.embed("g2", "B")))
    m.nl("x", mul(m.mm("h1", "W", z1), m.mm("h2", "W", z2)))
    m.readout("f", (1.0, "v", "x"))

    def model(p, row):
        w = root_n(1) * p["w"]
        return [p["v"] @ ((w @ tape.tanh(p["a"] @ row)) * (w @ tape.relu(p["b"] @ row))) * root_n(1)]

    def unit(d):
        return {"w": d["W"] * np.sqrt(n), "a": d["A"], "b": d["B"], "v": d["v"]}

    def frozen(p, row):
        return model({**p, "v": tape.var(p["v"].value), "b": tape.var(p["b"].value)}, row)

    compare(m.done("W", "A", "B", "v"), model, unit, ROWS, TARGETS, TEST, lr=0.4)
    compare(m.done("W", "A"), frozen, unit, ROWS, TARGETS, TEST, lr=0.4)


def test_layernorm_by_moments():
    m = Net("normed", 2)
    m.matrix("W", 1.5)
    m.vector("v")
    h = m.mm("h", "W", m.nl("z", apply(φ, [m.embed("g", "U")])))
    mean = m.mean("μ", h)
    inverse = m.mean("s", power(sqrt(m.mean("q", power(h - mean, Const(2))) + 0.01), Const(-1)))
    x = m.nl("x", apply(φ, [mul(h - mean, inverse)]))
    scale = m.mean("r", mul(x, sym("z")))
    m.nl("o", mul(x, scale + 1))
    m.readout("f", (1.0, "v", "o"), (0.5, "v", "x"))

    def model(p, row):
        z = tape.tanh(p["u"] @ row)
        h = root_n(np.sqrt(1.5)) * p["w"] @ z
        centred = h - h.mean()
        x = tape.tanh(centred * ((centred**2).mean() + 0.01) ** -0.5)
        return [p["v"] @ (x * ((x * z).mean() + 1.5)) * root_n(1)]

    def unit(d):
        return {"u": d["U"], "w": d["W"] * np.sqrt(n / 1.5), "v": d["v"]}

    compare(m.done("U", "W", "v"), model, unit, ROWS, TARGETS, TEST, batch=2)


def test_jointly_gaussian_biases_are_whitened_and_a_bias_may_read_out():
    m = Net("joint", 2)
    m.matrix("W")
    m.group(("b", "c"), ((1.0, 0.6), (0.6, 2.0)), (0.0, 0.5))
    m.vector("v")
    z = m.nl("z", apply(φ, [m.embed("g", "U") + sym("b")]))
    m.nl("x", apply(φ, [m.mm("h", "W", z) + sym("c")]))
    m.readout("f", (1.0, "v", "x"), (-2.0, "b", "z"))
    root = np.linalg.cholesky([[1.0, 0.6], [0.6, 2.0]])

    def model(p, row):
        b = p["b0"] * root[0, 0]
        c = p["b0"] * root[1, 0] + p["c0"] * root[1, 1] + 0.5
        z = tape.tanh(p["u"] @ row + b)
        x = tape.tanh(root_n(1) * p["w"] @ z + c)
        return [(p["v"] @ x - b @ z * 2.0) * root_n(1)]

    def unit(d):
        b0, c0 = np.linalg.solve(root, np.stack([d["b"], d["c"] - 0.5]))
        return {"u": d["U"], "w": d["W"] * np.sqrt(n), "v": d["v"], "b0": b0, "c0": c0}

    compare(m.done("U", "W", "v", "b", "c"), model, unit, ROWS, TARGETS, TEST, lr=0.2)

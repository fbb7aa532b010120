"""The limit of the unrolled program is kernel gradient descent with the tangent kernel (Theorem D.2, Eq. 68)."""

from __future__ import annotations

import numpy as np
import pytest
from kernel import limiting_kernel
from test_sgd_identity import ROWS, TARGETS, TEST, mlp, rnn
from writing import Net

from netsor.core import Program
from netsor.expr import Function, apply, call, mul, sym
from netsor.limit import infer_limit
from netsor.transform import sgd

φ = Function("φ", (sym("u"),), call("erf", sym("u")))
F0 = np.array([0.3, -0.2, 0.1, 0.5, 0.0])


def tied() -> Program:
    """The paper's README: f = vᵀWᵀφ(Wx)/√n, whose backward pass has Żs with itself."""
    m = Net("tied", 2)
    m.matrix("W", 1.2)
    m.vector("v")
    h = m.mm("h", "W", m.nl("x0", apply(φ, [m.embed("g", "U")])))
    m.mm("x", "Wᵀ", m.nl("x1", apply(φ, [h])))
    m.readout("f", (1.0, "v", "x"))
    return m.done("W", "U")


def product() -> Program:
    """An X-var embedding x = ψ(Wz¹, Wz²) (D.4.4)."""
    m = Net("product", 2)
    m.matrix("W")
    m.vector("v")
    z1 = m.nl("z1", apply(φ, [m.embed("g1", "A")]))
    z2 = m.nl("z2", call("relu", m.embed("g2", "B")))
    m.nl("x", mul(m.mm("h1", "W", z1), m.mm("h2", "W", z2)))
    m.readout("f", (1.0, "v", "x"))
    return m.done("W", "A")


def normed() -> Program:
    """A layer norm, whose scalars move with time but do not count in the limit (D.4.5)."""
    m = Net("normed", 2)
    m.matrix("W")
    m.vector("v")
    h = m.mm("h", "W", m.nl("z", apply(φ, [m.embed("g", "U")])))
    q = m.mean("q", h**2)
    m.nl("x", apply(φ, [mul(h, m.mean("s", (q + 0.1) ** -0.5))]))
    m.readout("f", (1.0, "v", "x"))
    return m.done("W", "U", "v")


def descend(kernel: np.ndarray, f, targets, batches, lr: float) -> list[np.ndarray]:
    out = [np.array(f, dtype=float)]
    for batch in batches:
        pull = sum(kernel[:, r] * (out[-1][r] - targets[r]) for r in batch) / len(batch)
        out.append(out[-1] - lr * pull)
    return out


def whole_mlp() -> Program:
    return mlp(1, "U", "W", "v", "b", ("c", 0.5))


def tied_rnn() -> Program:
    return rnn(2)


@pytest.mark.parametrize(
    ("make", "batch"),
    [
        # The longest of them, more than a minute.
        pytest.param(make, batch, marks=[pytest.mark.slow] * (make is tied and batch == 2))
        for batch in (1, 2) for make in (tied, product, normed, whole_mlp, tied_rnn)
    ],
)  # fmt: skip
def test_the_limit_is_kernel_gradient_descent(make, batch):
    network, lr, steps = make(), 0.4, 3
    rows, test, targets, f0 = ROWS, TEST, TARGETS, F0
    if network.inputs[0].indices is not None:
        rows, test, targets, f0 = np.stack([ROWS[:2], TEST]), TEST[None, ::-1], TARGETS[:2], F0[:3]
    kernel = limiting_kernel(network, [*rows, *test])
    batches = [[(t * batch + k) % len(rows) for k in range(batch)] for t in range(steps)]
    expected = descend(kernel, f0, targets, batches, lr)
    program = sgd(network, rows, targets, test, steps=steps, batch=batch, lr=lr, f0=f0)
    limit = infer_limit(program, tol=1e-9, budget=None)
    for t in range(steps + 1):
        names = [f"f[{t},{i + 1}]" for i in range(len(rows))] + [f"f̃[{t},{i + 1}]" for i in range(len(test))]
        np.testing.assert_allclose([limit[x].value for x in names], expected[t], atol=1e-8)

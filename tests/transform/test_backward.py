"""`dx` is √n ∂f/∂x exactly, at any width: against finite differences, on networks made at random."""

from __future__ import annotations

import numpy as np
import pytest
from core_interpreter import draw, run
from hypothesis import given, settings
from hypothesis import strategies as st
from writing import Net

from netsor.core import MatMul, Nonlin, Program
from netsor.diagnostics import NetsorError
from netsor.expr import WIDTH, Function, add, apply, call, mul, sqrt, sym, to_text
from netsor.transform.backward import backward, everything, passes

φ = Function("φ", (sym("u"),), call("tanh", sym("u")))


def listing(p: Program) -> list[str]:
    def one(i) -> str:
        if isinstance(i, MatMul):
            return f"{i.name} := {i.matrix}{'ᵀ' if i.transposed else ''} {i.vector}"
        text = to_text(i.psi)
        return f"{i.name} := {text if isinstance(i, Nonlin) or not i.vectors else f'mean({text})'}"

    return [one(i) for i in p.instructions]


def mlp() -> Program:
    m = Net("mlp", 3)
    m.matrix("W")
    m.vector("v")
    z = m.nl("z", apply(φ, [m.embed("g", "U", variance=1 / 3)]))
    m.nl("x", apply(φ, [m.mm("h", "W", z)]))
    m.readout("f", (1.0, "v", "x"))
    return m.done()


def test_the_backward_pass_of_an_mlp_reads_as_in_the_paper():
    assert listing(backward(mlp())) == [
        "z := φ(g)", "h := W z", "x := φ(h)", "dh := φ'(h) * v", "dz := Wᵀ dh", "dg := φ'(g) * dz",
    ]  # fmt: skip


def test_rows_are_copies_that_share_parameters_and_equal_rows_are_one():
    p = backward(mlp(), [[1, 2, 3], [4, 5, 6], [1, 2, 3]])
    assert [e.name for e in p.embeddings] == ["g[1]", "g[2]"]
    assert listing(p)[:3] == ["z[1] := φ(g[1])", "h[1] := W z[1]", "x[1] := φ(h[1])"]
    assert listing(p)[-1] == "dg[2] := φ'(g[2]) * dz[2]"


def test_a_moment_sends_its_gradient_back():
    m = Net("centred", 2)
    m.vector("v")
    g = m.embed("g", "U")
    a = m.mean("a", g**2)
    s = m.mean("s", sqrt(a + 1))
    m.nl("x", mul(g, s))
    m.readout("f", (1.0, "v", "x"))
    assert listing(backward(m.done()))[3:] == [
        "ds := mean(g * v)", "da := 0.5 * ds / √(a + 1)", "dg := s * v + 2 * g * da",
    ]  # fmt: skip


def test_a_gradient_that_is_a_mean_alone_is_a_constant_vector():
    m = Net("odd", 2)
    v = m.vector("v")
    g = m.embed("g", "U")
    a = m.mean("a", g)
    m.nl("x", mul(a, v))
    m.readout("f", (1.0, "v", "x"))
    p = backward(m.done("U"))
    check_gradient(m.done("U"), seed=3)
    assert listing(p)[-1] == "dg := da * one"


def test_a_jump_has_no_derivative():
    m = Net("jump", 2)
    m.vector("v")
    m.nl("x", call("step", m.embed("g", "U")))
    m.readout("f", (1.0, "v", "x"))
    with pytest.raises(NetsorError, match="E653"):
        backward(m.done())


@st.composite
def networks(draw_) -> Program:
    """Random graphs of MATMULs by two matrices and their transposes, NONLINs and MOMENTs."""
    m = Net("random", 2)
    m.matrix("W", 1.3)
    m.matrix("V", 0.7)
    m.vector("v")
    b = m.vector("b", 0.5)
    vectors = [m.embed("g", "U"), m.embed("k", "U2"), b]
    scalars = [m.constant("ε", 1 / sqrt(WIDTH), 0.0)]
    pick = lambda xs: draw_(st.sampled_from(xs))  # noqa: E731
    for k in range(draw_(st.integers(3, 9))):
        kind = pick(["matmul", "matmul", "nonlin", "nonlin", "nonlin2", "moment", "scalar"])
        x, y, a = pick(vectors), pick(vectors), pick(scalars)
        if kind == "matmul":
            vectors.append(m.mm(f"h[{k}]", pick(["W", "Wᵀ", "V", "Vᵀ"]), x))
        elif kind == "nonlin":
            vectors.append(m.nl(f"x[{k}]", pick([apply(φ, [x]), call("erf", x + a), mul(a, x), call("gelu", x)])))
        elif kind == "nonlin2":
            vectors.append(m.nl(f"x[{k}]", pick([add(x, mul(-2 * y, a)), mul(x, call("sigmoid", y)), x + y])))
        elif kind == "moment":
            scalars.append(m.mean(f"a[{k}]", pick([mul(x, y), mul(a, x**2), call("softplus", x + a)])))
        else:
            scalars.append(m.mean(f"a[{k}]", pick([sqrt(a**2 + 1), mul(a, pick(scalars)), call("sin", a)])))
    m.readout("f", (1.0, "v", pick(vectors).name), (-0.5, "v", vectors[-1].name))
    if draw_(st.booleans()):
        m.readout("f2", (2.0, "b", vectors[-1].name))
    return m.done("W")


def check_gradient(network: Program, seed: int, n: int = 7) -> None:
    rng = np.random.default_rng(seed)
    row = rng.standard_normal(network.inputs[0].dimension)
    program = backward(network, [row])
    made = passes(network, [row], only_trained=False)
    parameters = draw(network, n, seed)
    at = run(program, parameters, n)
    plain = Forward(made.network, row, parameters, n)
    several = len(network.readouts) > 1
    for j, r in enumerate(network.readouts):
        for x in everything(made.network):
            expected = plain.gradient(r, x)
            found = made.errors[0][j].get(x)
            value = 0.0 if found is None else np.asarray(eval_symbol(found, at))
            scale = 1 + np.abs(expected).max()
            np.testing.assert_allclose(value * np.ones_like(expected), expected, atol=3e-6 * scale, err_msg=f"{x}")
            if found is not None and hasattr(found, "name") and "d" in found.name:
                assert not several or found.name.endswith(f",{j + 1}]") or found.name in parameters


def eval_symbol(e, at):
    from netsor.expr.arrays import lambdify

    names = list(e.free)
    return lambdify((e,), tuple(names))(*(at[s.name] for s in names))[0]


class Forward:
    """The readouts of a network when one variable is pushed, by plain evaluation."""

    def __init__(self, network: Program, row, parameters, n: int):
        self.network, self.row, self.parameters, self.n = network, row, parameters, n

    def readout(self, r, name: str, shift) -> float:
        from netsor.expr.arrays import lambdify

        at = dict(self.parameters)
        at.update({c.name: np.float64(1 / np.sqrt(self.n)) for c in self.network.constants})
        for e in self.network.embeddings:
            at[e.name] = at[e.matrix] @ self.row
        if name in at:
            at[name] = at[name] + shift
        for i in self.network.instructions:
            if isinstance(i, MatMul):
                w = at[i.matrix]
                at[i.name] = (w.T if i.transposed else w) @ at[i.vector]
            else:
                names = (*i.vectors, *i.scalars)
                value = lambdify((i.psi,), tuple(sym(x) for x in names))(*(at[x] for x in names))[0]
                at[i.name] = value if isinstance(i, Nonlin) else np.mean(value)
            if i.name == name:
                at[name] = at[name] + shift
        return sum(c * (at[v] @ at[x]) for c, v, x in r.terms) / np.sqrt(self.n)

    def gradient(self, r, name: str):
        """√n ∂f/∂x of a vector, (1/√n) ∂f/∂a of a scalar, by central differences."""
        step = 1e-5
        if self.network.kind_of(name) == "scalar":
            return (self.readout(r, name, step) - self.readout(r, name, -step)) / (2 * step) / np.sqrt(self.n)
        pushes = np.eye(self.n) * step
        return np.sqrt(self.n) * np.array(
            [(self.readout(r, name, p) - self.readout(r, name, -p)) / (2 * step) for p in pushes]
        )


@settings(max_examples=60, deadline=None)
@given(networks(), st.integers(0, 2**31))
def test_error_signals_are_gradients(network, seed):
    check_gradient(network, seed)

"""The dense engine and the sweeps against numpy written out here."""

from __future__ import annotations

import numpy as np
import pytest
from finite_programs import FEEDBACK, program
from scipy.special import erf

from netsor import load
from netsor.core import Constant, Group, MatMul, Matrix, Moment, Nonlin, Output, Program
from netsor.expr import ONE, WIDTH, call, mul, sym
from netsor.finite import run, run_vectors
from netsor.resources import folder


@pytest.mark.parametrize("width", [1, 7, 300, 9000])
def test_algorithm_1(width: int) -> None:
    p = load(folder("programs") / "algorithm1.netsor").program
    d = run_vectors(p, width, 3, ["W", "v", "g", "g̃"], engine="dense") if width < 9000 else None
    given = {}
    if d is None:
        # The lazy engine at a width of several blocks, its products taken as they are.
        d = run_vectors(p, width, 3, ["v", "g", "g̃", "h", "h̃"], engine="lazy")
    n, v, g, gt = width, d["v"], d["g"], d["g̃"]
    z, zt = erf(g), erf(gt)
    h, ht = (d["W"] @ z, d["W"] @ zt) if "W" in d else (d["h"], d["h̃"])
    chi = 0.3 - 1
    theta = z @ zt / n
    dh = 2 / np.sqrt(np.pi) * np.exp(-(h**2)) * v
    delta = -chi * theta * dh
    expected = v @ (np.sqrt(n) * (erf(ht + delta / np.sqrt(n)) - erf(ht))) / n
    result = run(p, n, 1, seed=3, engine="dense" if "W" in d else "lazy", given=given)
    assert result.values["Δf̃"][0] == pytest.approx(expected, rel=1e-10)
    assert result.stderr()["Δf̃"] is None and result.as_dict()["Δf̃"]["stderr"] is None


def test_feedback_uses_the_transpose_of_that_very_matrix() -> None:
    p = program(FEEDBACK)
    d = run_vectors(p, 50, 1, ["W", "x", "c", "y", "u", "z", "r", "s", "t"])
    w, x = d["W"], d["x"]
    y = w @ x
    u = w.T @ (np.tanh(y) + 0.3 * d["c"])
    z = w @ (np.maximum(u, 0) - 0.2 * x)
    for name, expected in {"y": y, "u": u, "z": z, "r": w.T @ (y * z), "t": w.T @ (z - y)}.items():
        assert np.allclose(d[name], expected, rtol=1e-10, atol=1e-10), name


def test_the_law_of_matrices_and_vectors() -> None:
    law = "matrix W ~ N(0, 2/n)\nvector a, b ~ N([0, 1], [[1, 0.5], [0.5, 2]])\n"
    p = program(law + "x := W a + b\noutput m := mean(x)\n")
    n = 700
    d = run_vectors(p, n, 0, ["W", "a", "b"])
    w = d["W"] * np.sqrt(n)
    assert w.var() == pytest.approx(2, abs=6 * 2 * np.sqrt(2) / n)
    assert (w**4).mean() == pytest.approx(12, abs=6 * np.sqrt(1680 * 4 - 144) / n)
    a = run_vectors(p, 200_000, 0, ["a", "b"])
    cov = np.cov(a["a"], a["b"])
    assert np.allclose(cov, [[1, 0.5], [0.5, 2]], atol=0.03)
    assert a["b"].mean() == pytest.approx(1, abs=0.02)


def test_constants_take_their_value_at_n_and_psi_sees_n() -> None:
    x, eps = sym("x"), sym("ε")
    p = Program(
        "constants",
        groups=(Group(("x",), (1.0,), ((0.0,),)),),
        constants=(Constant("ε", WIDTH**-0.5, 0.0),),
        instructions=(
            Nonlin("y", mul(eps, x), ("x",), ("ε",)),
            Moment("m", sym("y"), ("y",)),
            Nonlin("w", x / WIDTH, ("x",)),
            Moment("k", sym("w"), ("w",)),
            Moment("both", sym("m") + sym("k"), (), ("m", "k")),
        ),
        outputs=(Output("m", "m"), Output("both", "both")),
    )
    r = run(p, 25)
    assert r.values["m"][0] == pytest.approx(0.2) and r.values["both"][0] == pytest.approx(0.24)


def test_embeddings_come_from_one_input_matrix() -> None:
    text = """
data X : (3, 2) = [[1, 2], [0, 0], [1, 2]]
matrix U : (n, 2) ~ N(0, 3)
a := tanh(U X[1])
b := U X[2] + a
c := U X[3] - U X[1] + b
output m := mean(a * b)
output k := mean(c)
"""
    p = program(text)
    e = {str(x.source): x.name for x in p.embeddings}
    for n in (40, 70_000):
        d = run_vectors(p, n, 5, ["U", *e.values()])
        assert d["U"].shape == (n, 2)
        assert np.allclose(d[e["X[1]"]], d["U"] @ [1, 2], atol=1e-13)
        assert not np.any(d[e["X[2]"]]) and np.array_equal(d[e["X[1]"]], d[e["X[3]"]])
    assert d["U"].var() == pytest.approx(3, rel=0.03)


def test_networks_take_their_inputs_and_read_out_with_the_root_of_n() -> None:
    text = """
network net(ξ[1..2] : 3)
matrix U : (n, 3) ~ N(0, 1)
matrix W ~ N(0, 1/n)
vector v ~ N(0, 1)
x := tanh(W tanh(U ξ[1]) + U ξ[2])
output f := vᵀ x / √n
"""
    p = program(text)
    xi = np.array([[1.0, 2, 3], [-1, 0, 0.5]])
    d = run_vectors(p, 60, 2, ["U", "W", "v"], inputs={"ξ": xi})
    expected = d["v"] @ np.tanh(d["W"] @ np.tanh(d["U"] @ xi[0]) + d["U"] @ xi[1]) / np.sqrt(60)
    r = run(p, 60, 1, seed=2, engine="dense", inputs={"ξ": xi})
    assert r.values["f"][0] == pytest.approx(expected, rel=1e-12)
    # Weights may be given instead of drawn.
    r = run(p, 60, 1, seed=77, inputs={"ξ": xi}, given=d)
    assert r.engine == "dense" and r.values["f"][0] == pytest.approx(expected, rel=1e-12)


def test_moments_without_vectors_and_constant_psi() -> None:
    x = sym("x")
    p = Program(
        "scalars",
        matrices=(Matrix("W"),),
        groups=(Group(("x",), (2.0,), ((0.0,),)),),
        instructions=(
            MatMul("y", "W", False, "x"),
            Moment("one", ONE, ("x",)),
            Moment("m", call("tanh", x), ("x",)),
            Moment("s", call("exp", sym("m")), (), ("m",)),
        ),
        outputs=(Output("one", "one"), Output("s", "s")),
    )
    r = run(p, 10)
    assert r.values["one"][0] == 1 and r.values["s"][0] == pytest.approx(np.exp(np.tanh(2)))

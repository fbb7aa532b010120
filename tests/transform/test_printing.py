"""Derived programs are programs of the language: they print, and read back as what they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_sgd_identity import ROWS, TARGETS, TEST, mlp, rnn

from netsor.check import check_source
from netsor.core import MatMul, Program
from netsor.diagnostics import Source
from netsor.expr import ZERO, Expr, Star, add, neg, rewrite, star, substitute
from netsor.show.listing import listing
from netsor.syntax.names import is_name, normalise
from netsor.transform.backward import backward
from netsor.transform.forward import instantiate
from netsor.transform.names import split
from netsor.transform.sgd import sgd

ALGORITHM_1 = """
network net(ξ : 2)
φ(u) = erf(u)
matrix U : (n, 2) ~ N(0, 1/2)
matrix W
vector v ~ N(0, 1)
g := U ξ
z := φ(g)
h := W z
x := φ(h)
output f := vᵀ x / √n
"""

CONVOLUTION = """
network conv(ξ[1..4] : 2)
matrix U : (n, 2) ~ N(0, 1/2)
matrix K[-1..1] ~ N(0, 1/3/n)
vector b ~ N(0, 0)
vector v ~ N(0, 1)
train K[-1..1], U, b * 1, v
for p in 1..4:
    x[0, p] := tanh(U ξ[p])
x[0, 0] := 0 * x[0, 1]
x[0, 5] := 0 * x[0, 1]
for p in 1..4:
    h[p] := K[-1] x[0, p-1] + K[0] x[0, p] + K[1] x[0, p+1] + b
    y[p] := relu(h[p])
m := (y[1] + y[2] + y[3] + y[4]) / 4
output f := vᵀ m / √n
"""


def read(text: str) -> Program:
    report = check_source(Source("test", text))
    assert report.program is not None, report.diagnostics
    return report.program


def plain(p: Program) -> Program:
    """Without what is a matter of form: the constant term inside a ψ*, aliases among outputs."""

    def shifted(e: Expr) -> Expr:
        if not isinstance(e, Star):
            return e
        return star(e.bound, add(e.body, neg(substitute(e.body, {e.bound: ZERO}))), e.theta)

    made = (i if isinstance(i, MatMul) else replace(i, psi=rewrite(i.psi, shifted)) for i in p.instructions)
    return replace(p, instructions=tuple(made))


@pytest.mark.parametrize(
    "program",
    [
        backward(mlp(2, "U"), ROWS), instantiate(mlp(1), ROWS), backward(rnn(3), [ROWS]),
        sgd(mlp(2, "U", "W", "v1", "v2", "b", ("c", 0.5)), ROWS, [[1, 2]] * 3, TEST, steps=2, batch=2, lr=0.3),
        sgd(rnn(3), [ROWS, ROWS + 1], TARGETS[:2], [TEST[[0, 1, 1]]], steps=2, f0=[0.5, 1, 2]),
        sgd(read(CONVOLUTION), [[*ROWS, ROWS[0]]], [1.0], steps=2, lr=0.5),
    ],
)  # fmt: skip
def test_a_derived_program_reads_back(program):
    again = read(listing(program))
    assert plain(again.as_listed) == plain(program.as_listed)
    for name in [i.name for i in program.instructions] + [c.name for c in program.constants]:
        base = split(name)[0]
        assert is_name(base) and normalise(base) == base


def test_the_first_step_is_algorithm_1():
    text = listing(sgd(read(ALGORITHM_1), [[1, 2]], [1], [[2, 1]], steps=1, f0=[0.3, 0.1], condition=False))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert [line for line in lines if line.partition(":")[0] in ("MOMENT", "NONLIN", "NONLIN+", "MATMUL")] == [
        "NONLIN: z[1] := φ(g[1])",
        "MATMUL: h[1] := W z[1]",
        "NONLIN: z̃[1] := φ(g̃[1])",
        "MATMUL: h̃[1] := W z̃[1]",
        "MOMENT: χ[0,1] := ψ(; f[0,1], y[1]) = f[0,1] - y[1]",
        "NONLIN: dh[1] := ψ(h[1], v) = φ'(h[1]) * v",
        "MOMENT: θ[1] := ψ(z[1]) = mean(z[1]^2)",
        "NONLIN+: δh_1[1] := ψ(dh[1]; χ[0,1], θ[1]) = -χ[0,1] * θ[1] * dh[1]",
        "NONLIN+: δx_1[1] := ψ(h[1], δh_1[1]; 1/√n) = √n * (φ(h[1] + δh_1[1] / √n) - φ(h[1]))",
        "MOMENT: Δf[1,1] := ψ(v, δx_1[1]) = vᵀ δx_1[1] / n",
        "MOMENT: f[1,1] := ψ(; f[0,1], Δf[1,1]) = f[0,1] + Δf[1,1]",
        "MOMENT: θ[2] := ψ(z[1], z̃[1]) = z[1]ᵀ z̃[1] / n",
        "NONLIN+: δh̃_1[1] := ψ(dh[1]; χ[0,1], θ[2]) = -χ[0,1] * θ[2] * dh[1]",
        "NONLIN+: δx̃_1[1] := ψ(h̃[1], δh̃_1[1]; 1/√n) = √n * (φ(h̃[1] + δh̃_1[1] / √n) - φ(h̃[1]))",
        "MOMENT: Δf̃[1,1] := ψ(v, δx̃_1[1]) = vᵀ δx̃_1[1] / n",
        "MOMENT: f̃[1,1] := ψ(; f̃[0,1], Δf̃[1,1]) = f̃[0,1] + Δf̃[1,1]",
    ]


def test_names_of_the_network_stay_and_derived_names_make_way():
    network = read("""
network clash(x : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W
vector v ~ N(0, 1)
vector θ ~ N(0, 1)
train W, U, v, θ
h := U x
dh := tanh(h + θ)
δh := W dh
h̃ := tanh(δh)
h_1 := h̃ * dh
output y := vᵀ h_1 / √n
""")
    program = sgd(network, ROWS, TARGETS, TEST, steps=2, f0="network")
    assert {"θ", "v"} <= {g.names[0] for g in program.groups}
    names = [i.name for i in program.instructions]
    assert len(set(names)) == len(names)
    assert {"dh[1]", "h̃[1]", "h_1[1]", "θ_t1"} <= set(names)
    assert backward(network, ROWS).by_name["dh_[1]"].psi.free != program.by_name["dh[1]"].psi.free


def test_names_that_differ_only_in_how_they_are_put_together():
    network = read("""
network clash(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W, WT, W1, K[1..1]
matrix K1
vector v ~ N(0, 1)
train W, WT, W1, K[1..1], K1, U
h := U ξ
a := Wᵀ h
b := WT h
c := K[1] h
d := K1 h
x := tanh(a) + b + c + d + tanh(W (a * b))
output f := vᵀ x / √n
output Δf := vᵀ a / √n
""")
    program = sgd(network, ROWS, [[1, 2]] * 3, TEST, steps=2)
    assert plain(read(listing(program)).as_listed) == plain(program.as_listed)

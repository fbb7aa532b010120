"""ψ's that jump in a parameter where it tends to: Definition B.3 has a number, and finite widths tend to another."""

import numpy as np
import pytest

import netsor
from netsor.check import check_source
from netsor.diagnostics import NetsorError, Source
from netsor.kernels.kernel import infer_kernels, infer_nngp
from netsor.limit import infer_limit
from netsor.show.derivation.derive import derive
from netsor.show.derivation.values import with_numbers

HEAD = """matrix W
vector x, d ~ N(0, 1)
vector zero ~ N(0, 0)
m := mean(x)
q := mean(x^2)
scalar ε = 1/√n
scalar κ = 2 + 1/n
scalar three = 3
"""


def limit_of(lines: str):
    program = check_source(Source("text", HEAD + lines + "\n")).program
    assert program is not None
    return infer_limit(program)


@pytest.mark.parametrize(
    "lines",
    [
        "z := step(m*x)\noutput a := mean(z)",  # 0 by the definition, 1/2 at every width
        "output a := mean(sign(m*x)*d^2)",
        "z := if m*x > 0 then x else d\noutput a := mean(z^2)",
        "y := m*x\nz := step(y)\noutput a := mean(z)",
        "y := W (m*x)\nz := step(y)\noutput a := mean(z)",
        "output a := mean(step(x/√n))",
        "output a := mean(step(ε*x))",
        "output a := mean(step(relu(x) - m))",  # relu(x) is 0 with probability 1/2
        "output a := mean(step((q - 1)*x))",
        "output a := mean(step(clip(x, -1, 1) - 1 - m))",
        "y := W x\nw := relu(y)*m\noutput a := mean(step(w)*x^2)",
        "output a := mean(step(relu(x) + 1/n))",
        "ψ(u; t) = if u*t > 0 then 1 else 0\noutput a := mean(ψ(x; m))",
        "output a := mean(if κ*x > 2*x then 1 else 0)",
        "output a := mean(step(clip(x, -1, 4) - 4 - m))",  # x > 4 with probability 3e-5
        "output a := mean(step((q^2 - mean(x^4)/3)*x))",
    ],
)
def test_a_jump_at_the_limit_of_a_parameter_is_refused(lines: str) -> None:
    found = limit_of(lines)
    assert found["a"].value is None
    assert [d.code for d in found.diagnostics] == ["E803"] and "jumps" in found.diagnostics[0].message


@pytest.mark.parametrize(
    ("lines", "limit"),
    [
        ("z := step(x - m)\noutput a := mean(z)", 0.5),
        ("output a := mean(step(x + ε))", 0.5),
        ("output a := mean(step(q*x))", 0.5),
        ("y := W x\nz := step(y)*m\noutput a := mean(z)", 0),
        ("z := step(zero)\noutput a := mean(z)", 0),  # zero at every width
        ("y := W zero\noutput a := mean(step(y))", 0),
        ("output a := mean(relu(m*x))", 0),
        ("output a := mean(m*x*step(m*x))", 0),  # continuous in m
        ("output a := mean(step(three*x))", 0.5),
        ("output a := mean(step(relu(x) - 1/n))", 0.5),  # relu(x) − 1/n comes from the side of step(0)
        ("output a := mean(step(clip(x, -1, 4) - 3 - m))", 0.0013498980316300933),  # 1 − Φ(3)
        ("output a := mean(step(relu(x) - 0.5 - m))", 0.3085375387259869),  # 1 − Φ(1/2)
    ],
)
def test_a_jump_elsewhere_is_none(lines: str, limit: float) -> None:
    found = limit_of(lines)
    assert not found.diagnostics and found["a"].value == pytest.approx(limit, abs=1e-12)


def test_a_derivation_says_it_and_has_no_number() -> None:
    program = netsor.loads(HEAD + "z := step((q - 1)*x)\noutput a := mean(z)\noutput b := mean(x^2)\n").program
    d = with_numbers(derive(program))
    notes = {line.about: str(line.notes) for line in d.lines}
    assert "jumps in" in notes["z"] and "jumps in" not in notes["b"]
    assert "a" in d.missing and "b" not in d.missing


NETWORK = """network f(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W ~ N(0, 2/n)
vector v ~ N(0, 1)
train U, W, v
h := U ξ
m := mean(h)
g := W relu(h)
y := relu({}*g) + g
output f := vᵀ y / √n
"""


@pytest.mark.parametrize("method", ["backward", "paths"])
def test_a_kernel_whose_backward_pass_jumps_is_refused(method: str) -> None:
    # relu(m g) is continuous in m → 0, and its derivative step(m g) is not.
    network = netsor.loads(NETWORK.format("m")).program
    rows = np.array([[1, 0.5], [0.3, -1]])
    with pytest.raises(NetsorError) as fault:
        infer_kernels(network, rows, method=method)
    assert [d.code for d in fault.value.diagnostics] == ["E803"] and "NTK of `f`" in fault.value.diagnostics[0].message
    assert infer_nngp(network, rows).value[0, 0] == pytest.approx(1.25)
    assert infer_kernels(netsor.loads(NETWORK.format("(1 + m)")).program, rows, method="backward").ntk.value[0, 0] > 1


def test_a_row_of_zeros_under_a_normalization_moves_nothing() -> None:
    # The mean of U 0 is 0 at every width, and so relu' has one value there.
    rule = NETWORK.replace("g := W relu(h)", "g := W relu((h - m) / sqrt(mean((h - m)^2) + 0.1))").format("1")
    kernels = infer_kernels(netsor.loads(rule).program, np.array([[0.0, 0.0], [1.0, 0.5]]), method="backward")
    alone = infer_kernels(netsor.loads(rule).program, np.array([[1.0, 0.5]]), method="backward")
    assert np.array_equal(kernels.ntk.value[0], [0.0, 0.0])
    assert kernels.ntk.value[1, 1] == alone.ntk.value[0, 0] > 1

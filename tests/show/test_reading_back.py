"""What `show`, `backward` and `sgd` print is read back, and `derive` has formulas for it."""

import re

import pytest

from netsor.api import Document, loads
from netsor.show.derivation import as_latex, as_text

LINES = [
    "Phi'(0) v", "leaky_relu'(v, 0.2)", "leaky_relu''(v + u, -0.5) * v", "relu''(v)", "tanh'(tanh'(0.3)) v",
    "step'(v) * u",
    "sign(v) * clip(v, -1, 2)", "v^(-2)", "v^(1/3)", "-(-v)^2", "√n * (tanh(v + u / √n) - tanh(v))", "v * pi",
    "1e-320 * v", "3e-310 * v^2 + tanh(1.25e-309 * v)", "1e-400 * v", "relu'(0) * v + v", "gelu''(v)", "silu'(1e3) v",
    "exp(-1000) v", "(2/3)^0.5 v", "if not (v > 0 and u < 1 or v == u) then v else -u", "max(v, u, -0.3)",
    "-0.0 * u + v",
    "(v + 1e-17) * 123456789012345678", "v / (1 + u^2) / 3", "(if v > -1 then v else -v^2)^3", "φ'(v) * ψ'[t](u; 0.3)",
    "ψ''[x, t](v; 2)", "φ(φ'(φ(v)))", "y[1] * v - ⟨X[1], X[2]⟩ * u", "v * y[2]^2 / (y[1] + s)",
]  # fmt: skip
HEAD = """program p
φ(u) = leaky_relu(u, 0.25) + softplus(u)
ψ(x; t) = tanh(t * x) * exp(-x^2)
data X : (2, 2) = [[1, 0.5], [0.3, -1]]
data y : (2) = [0.5, -1]
param s = 0.1
matrix W ~ N(0, 1/n)
vector v, u ~ N(0, [[1, 0.5], [0.5, 2]])
"""


@pytest.mark.parametrize("line", LINES)
def test_a_line_is_read_back_as_the_same_core(line: str) -> None:
    document = loads(f"{HEAD}a := {line}\nb := W a\noutput o := mean(b^2) + mean(a * v)\n")
    assert document.check().ok
    assert loads(document.listing()).program.as_listed == document.program.as_listed
    derivation = document.derive()
    assert as_text(derivation, width=60) and as_latex(derivation).isascii()


@pytest.mark.parametrize(
    "number", ["√2", "(2/3)^0.5", "pi", "2 pi/3", "1/3", "0.1", "1e308", "-0.0", "1/√n", "1 + √2/n"]
)
def test_a_constant_is_read_back_as_the_same(number: str) -> None:
    document = loads(f"scalar c = {number}\nvector x ~ N(0, 1)\noutput o := mean(x + c)\n")
    assert document.check().ok
    again = loads(document.listing())
    assert again.program.as_listed == document.program.as_listed
    assert again.limit()["o"].value == pytest.approx(document.limit()["o"].value, rel=1e-15)


FUNCTIONS = [
    "Phi(0 * h) + h", "softplus(-h)", "leaky_relu(h, 0.2)", "max(h, 0.3)", "if h > 0 then h else 0.1 h",
    "relu(h)^2 / (1 + relu(h))", "hardtanh(h)", "√(h^2 + 1)", "elu(h)", "clip(h, -1, 2)", "abs(h)^1.5",
    "gelu(h) * Phi'(h)", "sin(h) / (1 + h^2)", "max(h, -h, 0.2)", "log(1 + h^2)", "1e-310 * h + tanh(h)",
]  # fmt: skip


def network(function: str) -> Document:
    second = re.sub(r"\bh\b", "g", function)
    text = f"""network net(ξ : 2)
matrix U : (n, 2) ~ N(0, 1)
matrix W ~ N(0, 2/n)
vector v ~ N(0, 1)
train U, W, v
h := U ξ
z := {function}
g := W z
q := {second}
output f := vᵀ q / √n
"""
    return loads(text)


@pytest.mark.parametrize(
    "function", [f if k < 2 else pytest.param(f, marks=pytest.mark.slow) for k, f in enumerate(FUNCTIONS)]
)
def test_passes_and_training_are_read_back(function: str) -> None:
    document = network(function)
    assert document.check().ok, document.check().diagnostics
    assert loads(document.listing()).program.as_listed == document.program.as_listed
    rows = [[1, 0.5], [0.3, -1]]
    for derived in (document.backward(rows), document.sgd(rows[:1], [0.5], steps=1, lr=0.3)):
        again = loads(derived.listing())
        assert again.check().ok, again.check().diagnostics
        assert [i.name for i in again.program.instructions] == [i.name for i in derived.program.instructions]
        assert loads(again.listing()).program.as_listed == again.program.as_listed
    waiting = document.backward().listing()
    assert loads(waiting, data={"ξ": [[1, 0.5]]}).check().ok

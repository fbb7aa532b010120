"""√n (F(x + d/√n) − F(x)) where x lies on a kink of F with positive probability: F'(x; d), not the gradient times d."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

import netsor

PHI0 = 1 / math.sqrt(2 * math.pi)


def limits(text: str) -> dict[str, float | None]:
    result = netsor.loads(text).limit()
    assert not result.diagnostics, [d.message for d in result.diagnostics]
    return {name: v.value for name, v in result.outputs.items()}


@pytest.mark.parametrize(
    ("lines", "right"),
    [
        # relu'(0; d) = relu(d), |·|'(0; d) = |d|, and E relu(d) = 1/√(2π), E |d| = 2/√(2π).
        ("z := √n * relu(d/√n)", PHI0),
        ("z := √n (abs(zero + d/√n) - abs(zero))", 2 * PHI0),
        ("z := √n (leaky_relu(zero + d/√n, 0.5) - leaky_relu(zero, 0.5))", 0.5 * PHI0),
        ("z := √n (elu(zero + d/√n) - elu(zero))", 0.0),
        # max'(u, u; d, e) = max(d, e): E max(d, 0) and E max(d, e) = 1/√π.
        ("z := √n (max(x, x + d/√n) - max(x, x))", PHI0),
        ("z := √n (max(x + d/√n, x + e/√n) - max(x, x))", 1 / math.sqrt(math.pi)),
        # E max(0, d, e) = ∫₀^∞ (1 − Φ(t)²) dt.
        ("z := √n (min(x, x + d/√n, x + e/√n) - min(x, x, x))", -quad(lambda t: 1 - norm.cdf(t) ** 2, 0, 40)[0]),
        # A dead unit, with probability 1/2.
        ("u := relu(x)\nz := √n (relu(u + d/√n) - relu(u))", 0.5 * PHI0),
        ("u := relu(x)\nz := d * √n (relu(u + d/√n) - relu(u))", 0.75),
        # At the ends of a clip: d below −0.5 where it is positive, above 1 where it is negative.
        (
            "u := clip(x, -0.5, 1)\nz := √n (clip(u + d/√n, -0.5, 1) - clip(u, -0.5, 1))",
            PHI0 * (norm.cdf(-0.5) - norm.sf(1)),
        ),
        ("u := hardtanh(x)\nz := d * √n (hardtanh(u + d/√n) - hardtanh(u))", 1 - 0.5 * 2 * norm.sf(1)),
        # A conditional that is continuous at its test.
        ("φ(u) = if u > 1 then 3*u - 2 else u\nz := √n (φ(one + d/√n) - φ(one))", 2 * PHI0),
        # Kinks inside kinks: relu(|u| − v) at u = v = 0 in the directions d and e.
        (
            "z := √n (relu(abs(zero + d/√n) - zero - e/√n) - relu(abs(zero) - zero))",
            # E relu(c − e) = c Φ(c) + φ(c) at c = |d|.
            quad(lambda c: 2 * norm.pdf(c) * (c * norm.cdf(c) + norm.pdf(c)), 0, 40)[0],
        ),
        # A smooth function around a kink, and a difference of several lines.
        ("z := √n (exp(relu(zero + d/√n)) - exp(relu(zero)))", PHI0),
        ("y := zero + d/√n\nz := √n (relu(y + e/√n) - relu(y))", PHI0 * (math.sqrt(2) - 1)),
        # step(0 + d/√n) is step(d) at every width.
        ("y := zero + d/√n\nz := step(y) * d", PHI0),
        # Differences whose other side is written in another way: by its value, or as what it is equal to.
        ("z := √n * elu(zero + d/√n) * relu(d)", 0.5),
        ("z := √n (hardtanh(one + d/√n) - 1)", -PHI0),
        ("z := n * relu(zero + d/√n)^2", 0.5),
        ("z := √n (min(x, x + d/√n) - x)", -PHI0),
        ("z := √n (relu(relu(x) + d/√n) - relu(x))", 0.5 * PHI0),
        ("z := √n (max(x + e/√n, x + d/√n) - x)", 1 / math.sqrt(math.pi)),
        ("u := relu(x)\nz := √n (max(u, x + d/√n) - u)", 0.5 * PHI0),
        ("z := d * √n (abs(abs(x) + d/√n) - abs(x))", 1.0),
        ("u := zero * x\nz := relu(u + d/√n) * √n", PHI0),
        # At −1 and 1 the direction counts on one side: E d² (1 − P(|x| > 1)/2).
        ("z := d * √n (clip(hardtanh(x) + d/√n, -1, 1) - hardtanh(x))", 1 - norm.sf(1)),
        # A power whose base tends to 1.
        ("scalar ε = 1/√n\nz := (1 + ε x)^(1/ε)", math.exp(0.5)),
        # Roots of what is small.
        ("z := √n * √(d^2/n)", 2 * PHI0),
    ],
)
def test_directional_derivative(lines: str, right: float) -> None:
    text = (
        "vector x, d, e ~ N(0, [[1, 0, 0], [0, 1, 0], [0, 0, 1]])\nvector zero ~ N(0, 0)\nvector one ~ N(1, 0)\n"
        f"{lines}\noutput a := mean(z)\n"
    )
    assert limits(text)["a"] == pytest.approx(right, rel=1e-9, abs=1e-12)


def test_scalars_at_a_kink() -> None:
    text = (
        "vector d ~ N(0, 1)\nm := mean(d^2)\nk := mean(d^4)\n"
        "output a := √n * √(m/n)\noutput b := √n * abs((m - 2*k)/√n)\noutput c := √n * (max(m, m + k/√n) - max(m, m))\n"
    )
    found = limits(text)
    assert found["a"] == pytest.approx(1, rel=1e-12)
    assert found["b"] == pytest.approx(5, rel=1e-9)
    assert found["c"] == pytest.approx(3, rel=1e-9)


def test_a_jump_at_an_atom_grows() -> None:
    text = "vector d ~ N(0, 1)\nvector zero ~ N(0, 0)\nz := √n (step(zero + d/√n) - step(zero))\noutput a := mean(z)\n"
    result = netsor.loads(text).limit()
    assert result["a"].value is None
    assert result.diagnostics


# --- random programs -----------------------------------------------------------------------------------------------

KINKED = {
    "relu({0})": lambda a, b: np.maximum(a, 0),
    "abs({0})": lambda a, b: np.abs(a),
    "leaky_relu({0}, 0.3)": lambda a, b: np.where(a > 0, a, 0.3 * a),
    "hardtanh({0})": lambda a, b: np.clip(a, -1, 1),
    "clip({0}, 0, 1)": lambda a, b: np.clip(a, 0, 1),
    "max({0}, {1})": np.maximum,
    "min({0}, {1})": np.minimum,
    "max({0}, {1}, 0)": lambda a, b: np.maximum(np.maximum(a, b), 0),
    "elu({0})": lambda a, b: np.where(a > 0, a, np.expm1(np.minimum(a, 0))),
    "(if {0} > {1} then 2*{0} - {1} else {0})": lambda a, b: np.where(a > b, 2 * a - b, a),
    "tanh({0})": lambda a, b: np.tanh(a),
    "({0} + {1})": lambda a, b: a + b,
    "({0} - {1})": lambda a, b: a - b,
}
# Vectors with atoms at the kinks of these.
PLACES = {
    "zero": lambda g: 0 * g[0],
    "one": lambda g: 0 * g[0] + 1,
    "relu(g)": lambda g: np.maximum(g[0], 0),
    "hardtanh(g)": lambda g: np.clip(g[0], -1, 1),
    "clip(2*g, 0, 1)": lambda g: np.clip(2 * g[0], 0, 1),
    "relu(-g)": lambda g: np.maximum(-g[0], 0),
    "g": lambda g: g[0],
}


def random_function(rng: random.Random, depth: int):
    """A composition of kinked functions of u and w, as text and as a function of arrays."""
    if depth == 0:
        return ("{u}", lambda u, w: u) if rng.random() < 0.6 else ("{w}", lambda u, w: w)
    text, f = rng.choice(list(KINKED.items()))
    (s, p), (t, q) = random_function(rng, depth - 1), random_function(rng, depth - 1)
    return text.format(s, t), lambda u, w: f(p(u, w), q(u, w))


def disagreement(seed: int, draws: int) -> float:
    """How many standard errors a random quotient's limit is off a sample mean at a width of 10¹²."""
    rng = random.Random(seed)
    text, f = random_function(rng, rng.choice([1, 2]))
    (s, p), (t, q) = rng.choice(list(PLACES.items())), rng.choice(list(PLACES.items()))
    weight, k = rng.choice([("1", lambda g: 1 + 0 * g[0]), ("g", lambda g: g[0]), ("d", lambda g: g[1])])
    lines = (
        "vector g, d, e ~ N(0, [[1, 0, 0], [0, 1, 0.5], [0, 0.5, 1]])\nvector zero ~ N(0, 0)\nvector one ~ N(1, 0)\n"
        f"u := 1*{s}\nw := 1*{t}\n"
        f"z := √n * ({text.format(u='(u + d/√n)', w='(w + e/√n)')} - {text.format(u='u', w='w')})\n"
        f"output a := mean(z * {weight})\n"
    )
    result = netsor.loads(lines).limit()
    value = result["a"].value
    assert value is not None, (lines, [d.message for d in result.diagnostics])
    noise = np.random.default_rng(seed)
    g, d, e = noise.standard_normal((3, draws))
    e = 0.5 * d + math.sqrt(0.75) * e
    small = 1e-6
    u, w = p((g,)), q((g,))
    z = (f(u + small * d, w + small * e) - f(u, w)) / small * k((g, d))
    return float(abs(z.mean() - value) / (z.std() / math.sqrt(draws) + 1e-5))


@pytest.mark.parametrize("seed", [*range(1, 7), *range(8, 12), 1122, 1133, 1175, 1193, 1212, 1231, 1244, 1303])
def test_random_quotients_at_atoms(seed: int) -> None:
    """Right limits are five standard errors off in one of two million comparisons."""
    assert disagreement(seed, 200_000) < 5


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_many_random_quotients_at_atoms(block: int) -> None:
    for seed in range(1000 + 25 * block, 1025 + 25 * block):
        assert disagreement(seed, 100_000) < 5.5, seed


@pytest.mark.parametrize(
    "line",
    [
        # Coordinates tend to 0, and their mean to E δ(x) d²/2.
        "z := n (relu(x + d/√n) - relu(x) - step(x) * d/√n)",
        "z := √n (abs(x) - x)",
        "z := n (max(x, x + d/√n) - x)",
    ],
)
def test_no_limit_by_coordinates(line: str) -> None:
    report = netsor.loads(f"vector x, d ~ N(0, 1)\n{line}\noutput a := mean(z)\n").check()
    assert [d.code for d in report.diagnostics] == ["E501"]

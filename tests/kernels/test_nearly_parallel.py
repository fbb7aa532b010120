"""Kernels on rows that are nearly parallel, opposite, or nearly in a plane, against the recursion at 400 digits.

Cho & Saul 2009 (arc-cosine kernels), Williams 1997 (erf), Jacot, Gabriel & Hongler 2018 (the recursion of the NTK).
The correlation of two such rows is 1 up to less than a float tells, and the derivative of a kink's kernel goes like
√(1 − ρ²).
"""

import math
import random
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

import netsor
from netsor.kernels.kernel import infer_kernels, infer_nngp

# Rows that are copies are so to half as many digits, a quarter after a layer of step, and so on.
mp.mp.dps = 400
REAL = type(mp.mpf(1))
Variances = tuple[str, str, str, str]


def network(phi: str, depth: int, dimension: int, variances: Variances) -> netsor.Document:
    su, sw, sb, sv = variances
    lines = [f"network mlp(ξ : {dimension})", f"matrix U : (n, {dimension}) ~ N(0, {su})", f"vector v ~ N(0, {sv})"]
    trained = ["U", "v"]
    lines += [f"matrix W{k} ~ N(0, {sw}/n)" for k in range(2, depth + 1)]
    trained += [f"W{k}" for k in range(2, depth + 1)]
    bias = float(sb) > 0
    if bias:
        lines += [f"vector b{k} ~ N(0, {sb})" for k in range(1, depth + 1)]
        trained += [f"b{k}" for k in range(1, depth + 1)]
    lines.append("train " + ", ".join(trained))
    for k in range(1, depth + 1):
        inside = "U ξ" if k == 1 else f"W{k} x{k - 1}"
        lines.append(f"x{k} := {phi}({inside}{f' + b{k}' * bias})")
    return netsor.loads("\n".join([*lines, f"output f := vᵀ x{depth} / √n"]) + "\n")


def pair(phi: str, a: REAL, b: REAL, c: REAL) -> tuple[REAL, REAL | None]:
    """E φ(u) φ(v) and E φ'(u) φ'(v) for centred u, v with variances a, b and covariance c."""
    root = mp.sqrt(a * b)
    spread = mp.sqrt(max(a * b - c * c, mp.mpf(0)))
    if phi == "erf":
        inside = mp.sqrt((1 + 2 * a) * (1 + 2 * b) - 4 * c * c)
        return 2 / mp.pi * mp.atan2(2 * c, inside), 4 / mp.pi / inside
    if phi == "tanh":
        return _smooth(a, b, c, spread)
    θ = mp.atan2(spread, c)
    both = (mp.pi - θ) / (2 * mp.pi)
    if phi == "step":
        return both, None
    value = (root * mp.sin(θ) + (mp.pi - θ) * c) / (2 * mp.pi)
    if phi == "relu":
        return value, both
    other = (root * mp.sin(θ) - θ * c) / (2 * mp.pi)
    return 2 * (value + other), 2 * (both - θ / (2 * mp.pi))


def _smooth(a: REAL, b: REAL, c: REAL, spread: REAL) -> tuple[REAL, REAL]:
    """The trapezoid rule in both variables; its error e^{−2π·(π/2)/(h σ)} is below 10⁻¹⁶ of the value."""
    h = 0.2 / max(1.0, float(mp.sqrt(max(a, b))))
    x = h * np.arange(-math.ceil(9 / h), math.ceil(9 / h) + 1)
    w = np.exp(-x * x / 2) * h / np.sqrt(2 * np.pi)
    u = float(mp.sqrt(a)) * x
    v = float(c / mp.sqrt(a)) * x[:, None] + float(spread / mp.sqrt(a)) * x
    t, s = np.tanh(u), np.tanh(v)
    return (mp.mpf(float((w * t) @ s @ w)), mp.mpf(float((w * (1 - t * t)) @ (1 - s * s) @ w)))


def truth(
    phi: str, rows: list[list[Fraction]], i: int, j: int, depth: int, variances: Variances
) -> tuple[REAL, REAL | None]:
    """(NNGP, NTK) of rows i and j; the NTK is None where φ has no derivative."""
    su, sw, sb, sv = (mp.mpf(s) for s in variances)

    def inner(p: int, q: int) -> REAL:
        total = sum(x * y for x, y in zip(rows[p], rows[q], strict=True))
        return su * mp.mpf(total.numerator) / total.denominator + sb

    a, b, c = inner(i, i), inner(j, j), inner(i, j)
    θ: REAL | None = c
    for _ in range(depth - 1):
        value, slope = pair(phi, a, b, c)
        a, b, c = sw * pair(phi, a, a, a)[0] + sb, sw * pair(phi, b, b, b)[0] + sb, sw * value + sb
        θ = None if slope is None or θ is None else c + sw * θ * slope
    value, slope = pair(phi, a, b, c)
    return sv * value, None if slope is None or θ is None else sv * (value + θ * slope)


def drawn(seed: int) -> tuple[str, int, list[list[Fraction]], Variances, str, int]:
    draw = random.Random(seed)
    k = draw.randint(5, 50)
    phi = draw.choice(["relu", "erf", "step", "abs", "tanh"])
    depth = draw.randint(1, 4)
    near = Fraction(draw.choice([-1, 1]) * draw.randint(1, 7), 2**k)
    d = draw.choice([2, 3])
    base = [Fraction(draw.randint(-30, 30), draw.choice([10, 8])) or Fraction(1) for _ in range(d)]
    base = [Fraction(float(x)) for x in base]
    kind = draw.choice(["near", "near", "copy", "opposite", "plane"])
    other = list(base)
    if kind == "copy":
        factor = Fraction(draw.choice([2, 3, 0.1, -1, 1.7]))
        other = [Fraction(float(factor * x)) for x in base]
    elif kind == "opposite":
        other = [-x for x in base]
    if kind != "copy":
        other[-1] += near
    rows = [base, [Fraction(float(x)) for x in other]]
    if kind == "plane":
        rows[1] = [Fraction(float(x)) for x in (draw.uniform(-1, 1) for _ in range(d))]
        rows.append([Fraction(float(x + y + near * z)) for x, y, z in zip(*rows, range(d), strict=True)])
    sb = draw.choice(["0", "0", "0.3", "1"])
    variances = (draw.choice(["1", "0.7", "0.5"]), draw.choice(["2", "1", "1.3"]), sb, draw.choice(["1", "0.9"]))
    return phi, depth, rows, variances, kind, k


def violations(seed: int) -> tuple[list[str], float]:
    """What is wrong for a seed, and the largest bound relative to its kernel."""
    phi, depth, rows, variances, kind, k = drawn(seed)
    document = network(phi, depth, len(rows[0]), variances)
    x = np.array([[float(t) for t in row] for row in rows])
    found: dict[str, object] = {}
    if phi == "step":
        found["nngp"] = infer_nngp(document.program, x).nngp
    else:
        both = infer_kernels(document.program, x)
        found = {"nngp": both.nngp, "ntk": both.ntk}
    wrong, largest = [], 0.0
    for name, kernel in found.items():
        for i in range(len(rows)):
            for j in range(i, len(rows)):
                t = truth(phi, rows, i, j, depth, variances)[name == "ntk"]
                value, error = float(kernel.value[i, j]), float(kernel.error[i, j])
                off = abs(mp.mpf(value) - t)
                # The trapezoid rule of tanh is in floating point.
                if off > error + (1e-15 * abs(t) if phi == "tanh" else 0):
                    case = f"{seed}: {kind} rows, 2^-{k}, {phi}, depth {depth}, {variances}"
                    wrong.append(f"{case}: {name}[{i},{j}] = {value} ± {error:.1e}, truth {mp.nstr(t, 20)}")
                largest = max(largest, error / float(abs(t)) if t else 0.0)
    return wrong, largest


@pytest.mark.parametrize("seed", range(30))
def test_random_rows(seed: int) -> None:
    wrong, largest = violations(seed)
    assert not wrong, wrong
    assert largest < 1e-11


@pytest.mark.slow
def test_many_random_rows() -> None:
    for seed in range(1000, 2000):
        wrong, largest = violations(seed)
        assert not wrong, wrong
        assert largest < 1e-10, seed


def test_the_derivative_of_a_kink_at_nearly_parallel_rows() -> None:
    # E step(u) step(v) = (π − θ)/(2π), tan θ = 2⁻²⁶: the NTK of x = relu(U ξ) is E relu relu' + ξ·ξ' E step step.
    document = network("relu", 1, 2, ("1", "1", "0", "1"))
    kernel = infer_kernels(document.program, np.array([[1.0, 0.0], [1.0, 2.0**-26]])).ntk
    θ = mp.atan(mp.mpf(2) ** -26)
    wanted = (mp.sin(θ) / mp.cos(θ) + 2 * (mp.pi - θ)) / (2 * mp.pi)
    assert abs(mp.mpf(float(kernel.value[0, 1])) - wanted) <= kernel.error[0, 1] <= 1e-14


def test_nodes_with_the_same_neighbours_are_the_same_variable() -> None:
    """In D^(-1/2) (A + I) D^(-1/2) 1/√(3·3) is 1/3, so that two preactivations are equal and not nearly so."""
    text = (
        "network g(ξ[1..3] : 2)\ninclude std\ndata A : (3, 3) = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]\n"
        "matrix U : (n, 2) ~ N(0, 1/2)\nmatrix W ~ N(0, 2/n)\nvector v ~ N(0, 1)\ntrain U, W, v\n"
        "for i in 1..3:\n    x[i] := U ξ[i]\nfor i in 1..3:\n    y[i] := relu(graph_convolution(x, A; i, 3))\n"
        "for i in 1..3:\n    z[i] := relu(W graph_convolution(y, A; i, 3))\n"
        "output f := vᵀ global_average_pool(z; 3) / √n\n"
    )
    # All nodes are alike: this is an MLP of two layers on the average of the tokens.
    plain = (
        "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1/2)\nmatrix W ~ N(0, 2/n)\nvector v ~ N(0, 1)\ntrain U, W, v\n"
        "output f := vᵀ relu(W relu(U ξ)) / √n\n"
    )
    tokens = np.random.default_rng(3).standard_normal((2, 3, 2))
    kernels = netsor.loads(text).ntk(tokens)
    same = netsor.loads(plain).ntk(tokens.mean(axis=1))
    for one, other in ((kernels.nngp, same.nngp), (kernels.ntk, same.ntk)):
        assert (np.abs(one.value - other.value) <= one.error + other.error + 1e-15).all()
        assert one.error.max() < 1e-13

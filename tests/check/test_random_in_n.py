"""Random expressions in n against their values at n = 10³⁰, 10⁶⁰ and 10¹²⁰ in four hundred digits."""

from __future__ import annotations

import random
import re

import mpmath
import pytest

import netsor

LEAVES = ["n", "n", "√n", "1/n", "1/√n", "2", "3", "0.5", "pi", "log(n)"]
FUNCTIONS = [
    "exp(-({}))", "log(1 + ({})^2)", "sqrt(1 + ({})^2)", "tanh({})", "erf({})", "atan({})", "sqrt(({})^2 + ({})^2)",
    "exp(1/(1 + ({})^2))", "abs({})", "relu({})", "max({}, {})", "({})^2", "log(2 + tanh({}))", "sigmoid({})",
]  # fmt: skip
WIDTHS = (30, 60, 120)


def expression(rng: random.Random, depth: int) -> str:
    if depth == 0:
        return rng.choice(LEAVES)
    if rng.random() < 0.5:
        return f"({expression(rng, depth - 1)} {rng.choice('+-*/')} {expression(rng, depth - 1)})"
    function = rng.choice(FUNCTIONS)
    return function.format(*(expression(rng, depth - 1) for _ in range(function.count("{}"))))


def value(text: str, n: mpmath.mpf) -> mpmath.mpf:
    m = mpmath.mp
    known = {
        "n": n, "pi": m.pi, "exp": m.exp, "log": m.log, "sqrt": m.sqrt, "tanh": m.tanh, "erf": m.erf, "atan": m.atan,
        "abs": abs, "relu": lambda u: max(u, mpmath.mpf(0)), "max": max, "mpf": mpmath.mpf,
        "sigmoid": lambda u: 1 / (1 + m.exp(-u)),
    }  # fmt: skip
    text = re.sub(r"(?<![\w.])(\d+\.?\d*)(?![\w.])", r"mpf('\1')", text.replace("√n", "sqrt(n)").replace("^", "**"))
    return eval(text, known)


def compare(seed: int) -> str:
    """ "" where netsor agrees with the values: a limit within its error, no number for what grows."""
    rng = random.Random(seed)
    text = expression(rng, rng.choice([2, 3, 3, 4]))
    with mpmath.workdps(400):
        try:
            values = [value(text, mpmath.mpf(10) ** k) for k in WIDTHS]
        except (ZeroDivisionError, ValueError, OverflowError, TypeError):
            return ""
        if any(isinstance(v, mpmath.mpc) or not mpmath.isfinite(v) for v in values):
            return ""
        settled = abs(values[2] - values[1]) <= mpmath.mpf(10) ** -14 * max(1, abs(values[2]))
        grows = abs(values[2]) > 10**6 and abs(values[2]) > 2 * abs(values[1]) > 4 * abs(values[0])
        truth = values[2]
    try:
        found = netsor.loads(f"program p\nc := {text}\noutput c\n").limit(1e-9, 20.0).outputs["c"]
    except netsor.NetsorError as fault:
        return f"{text}: {fault.diagnostics[0].message}, but it tends to {float(truth)!r}" if settled else ""
    if found.value is None:
        return f"{text}: {found.missing}, but it tends to {float(truth)!r}" if settled else ""
    if grows:
        return f"{text} grows, and not {found.value}"
    if settled and abs(found.value - float(truth)) > found.error + 1e-13 * max(1.0, abs(float(truth))):
        return f"{text}: {found.value} ± {found.error}, and not {float(truth)!r}"
    return ""


@pytest.mark.parametrize("block", range(4))
def test_expressions(block: int) -> None:
    assert [said for seed in range(25 * block, 25 * block + 25) if (said := compare(seed))] == []


@pytest.mark.slow
@pytest.mark.parametrize("block", range(4, 120))
def test_more_expressions(block: int) -> None:
    assert [said for seed in range(25 * block, 25 * block + 25) if (said := compare(seed))] == []


@pytest.mark.parametrize("text", ["sqrt(1 + n^2)/sqrt(1 + (1/√n)^2)/n", "tanh(sqrt(1 + n^2)/sqrt(1 + (1/√n)^2))"])
def test_a_root_that_is_not_folded_has_a_series(text: str) -> None:
    found = netsor.loads(f"program p\nc := {text}\noutput c\n").limit()["c"]
    assert abs(found.value - 1) <= found.error + 1e-15

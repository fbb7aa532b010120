"""Differences of second and higher order tend to derivatives; what grows, or meets a kink, has no such limit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

import netsor
from netsor.check import check_source
from netsor.diagnostics import Source
from netsor.expr import Sym, evaluate
from netsor.expr.differences import limit_of_differences
from netsor.limit import infer_limit

HEAD = "vector x, d ~ N(0, 1)\nphi(u) = tanh(u)\n"


def mean(f) -> float:
    return quad(lambda x: f(x) * np.exp(-x * x / 2) / np.sqrt(2 * np.pi), -12, 12, epsabs=1e-13)[0]


def second(x: float) -> float:
    return -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)


def third(x: float) -> float:
    return -2 * (1 - np.tanh(x) ** 2) * (1 - 3 * np.tanh(x) ** 2)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("mean(n*(phi(x + d/√n) + phi(x - d/√n) - 2*phi(x))*x)", mean(lambda x: second(x) * x)),
        ("mean(n*(phi(x + d/√n) - phi(x) - phi'(x)*d/√n)*x)", mean(lambda x: second(x) * x) / 2),
        ("mean(2*√n*(phi(x + d/(2*√n)) - phi(x))*d)", mean(lambda x: 1 - np.tanh(x) ** 2)),
        ("mean(n*(phi(x + d/n) - phi(x))*d)", mean(lambda x: 1 - np.tanh(x) ** 2)),
        ("mean(√n*(phi(x + d/√n) - phi(x - d/√n))*d)", 2 * mean(lambda x: 1 - np.tanh(x) ** 2)),
        (
            "mean(n*√n*(phi(x + d/√n) - 3*phi(x) + 3*phi(x - d/√n) - phi(x - 2*d/√n))*d^3)",
            15 * mean(third),
        ),
        ("mean(n*(cos(d/√n) - 1))", -0.5),
        ("mean(n^2*(exp(d/n) - 1 - d/n))", 0.5),
        ("mean(n*((x + d/√n)^2 - (x - d/√n)^2) - 4*√n*x*d)", 0.0),
    ],
)
def test_the_limit_of_a_difference(line: str, value: float) -> None:
    found = infer_limit(netsor.loads(HEAD + f"output a := {line}\n").program)["a"]
    assert found.value == pytest.approx(value, abs=1e-10) and found.error < 1e-10


@pytest.mark.parametrize(
    "line",
    [
        "mean(n*(phi(x + d/√n) - phi(x))*d)",  # grows like √n
        "mean(n*(relu(x + d/√n) + relu(x - d/√n) - 2*relu(x)))",  # a mass at the kink, and no function
    ],
)
def test_what_has_no_such_limit_is_refused(line: str) -> None:
    assert [d.code for d in check_source(Source("text", HEAD + f"output a := {line}\n")).diagnostics] == ["E501"]


def test_the_limit_is_a_function() -> None:
    text = HEAD + "output a := mean(n*(phi(x + d/√n) + phi(x - d/√n) - 2*phi(x)))\n"
    limit = limit_of_differences(netsor.loads(text).program.by_name["a"].psi)
    assert limit is not None
    assert evaluate(limit, {Sym("x"): 0.3, Sym("d"): 1.7}) == pytest.approx(second(0.3) * 1.7**2)

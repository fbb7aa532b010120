"""Numbers that no float holds: limits that do not depend on them are found, the others are bounded or refused."""

from __future__ import annotations

import math
import random

import pytest

import netsor
from netsor.check import check_source
from netsor.diagnostics import Source
from netsor.limit import infer_limit

SCALED = "vector x, y ~ N(0, 1)\nmatrix A ~ N(0, 1/n)\ntiny(u) = 1e-200*u\nhuge(u) = 1e200*u\n"


def limits(text: str) -> dict:
    document = netsor.loads(text)
    return infer_limit(document.program).outputs


def test_a_variance_below_every_float() -> None:
    # Var g = 1e-600; step and sign² do not depend on it.
    text = "matrix W ~ N(0, 1e-300/n)\nvector x ~ N(0, 1)\nh := W x\ng := W h\n"
    found = limits(text + "output d := mean(step(g))\noutput e := mean(sign(g)^2)\noutput f := mean(g^2)\n")
    assert abs(found["d"].value - 0.5) <= found["d"].error < 1e-14
    assert abs(found["e"].value - 1) <= found["e"].error < 1e-14
    assert found["f"].value == 0 < found["f"].error < 1e-307


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("mean(step(huge(huge(x))))", 0.5),
        ("mean(step(tiny(tiny(x))))", 0.5),
        ("mean(tiny(tiny(x))/abs(tiny(tiny(x)))*sign(x))", 1.0),
        ("mean((A tiny(tiny(x)))/abs(A tiny(tiny(x)))*sign(A x))", 1.0),
        ("mean((tiny(tiny(x))/sqrt(mean(tiny(tiny(x))^2)))^4)", 3.0),
        ("mean((huge(huge(x))/sqrt(mean(huge(huge(x))^2)))^4)", 3.0),
        ("mean(if A tiny(tiny(x)) > tiny(tiny(y)) then 1 else 0)", 0.5),
        ("mean(max(tiny(tiny(x)), 0)/abs(tiny(tiny(x))))", 0.5),
        ("mean(tiny(huge(tiny(huge(x))))^2)", 1.0),
        ("mean(1/(1 + tiny(tiny(x))^2))", 1.0),
        ("mean(exp(tiny(tiny(x))))", 1.0),
        ("mean(log(abs(tiny(tiny(x)))))", -400 * math.log(10) - (math.log(2) + 0.5772156649015329) / 2),
        ("mean((x + tiny(tiny(y)))^2)", 1.0),
        ("mean((A (relu(tiny(tiny(x))) + tiny(tiny(y))))^2)/mean(tiny(tiny(x))^2)", 1.5),
    ],
)
def test_what_does_not_depend_on_the_size(line: str, value: float) -> None:
    found = limits(SCALED + f"output a := {line}\n")["a"]
    assert found.value is not None and abs(found.value - value) <= max(found.error, 1e-15) < 1e-11


@pytest.mark.parametrize(
    "line",
    [
        "mean(tiny(tiny(x))^2)",
        "mean(tiny(x)^2)",
        "mean(log(1 + tiny(x)^2))",
        "mean(tanh(tiny(x))^2)",
        "mean(tiny(x)^2)*mean(tiny(x)^2)",
        "1/mean(huge(x)^2)",
    ],
)
def test_what_is_smaller_than_every_float_is_not_said_to_be_zero(line: str) -> None:
    found = limits(SCALED + f"output a := {line}\n")["a"]
    assert found.value is not None and found.error is not None
    assert abs(found.value) <= found.error and 0 < found.error < 1e-300


@pytest.mark.parametrize("line", ["mean(huge(x)^2)", "mean(huge(huge(abs(x))))", "mean(step(A tanh(tiny(x))))"])
def test_what_no_float_holds_is_refused(line: str) -> None:
    result = infer_limit(netsor.loads(SCALED + f"output a := {line}\n").program)
    assert result.outputs["a"].value is None
    assert [d.code for d in result.diagnostics] == ["E804"]


@pytest.mark.parametrize("line", ["mean(step(x/1e-320))", "mean(x*1e200*1e200)"])
def test_a_coefficient_that_is_written_too_large_is_told(line: str) -> None:
    found = check_source(Source("text", SCALED + f"output a := {line}\n"))
    assert [d.code for d in found.diagnostics] == ["E506"]


@pytest.mark.parametrize("seed", range(8))
def test_chains_of_scalings(seed: int) -> None:
    """Scalings by 1e±200 that end where they began, through every kind of instruction, are not there."""
    rng = random.Random(seed)
    lines, name, power = ["v0 := x"], "v0", 0
    for k in range(1, 7):
        up = rng.random() < 0.5
        power += 1 if up else -1
        scaled = f"{'huge' if up else 'tiny'}({name})"
        lines.append(f"v{k} := " + rng.choice([scaled, f"A {scaled}", f"A relu({scaled})*sqrt(2)", f"abs({scaled})"]))
        name = f"v{k}"
    for k in range(abs(power)):
        lines.append(f"w{k} := {'tiny' if power > 0 else 'huge'}({name})")
        name = f"w{k}"
    text = SCALED + "\n".join(lines)
    plain = text.replace("tiny(u) = 1e-200*u", "tiny(u) = u").replace("huge(u) = 1e200*u", "huge(u) = u")
    outputs = f"\noutput a := mean({name}^2)\noutput b := mean(step({name}))\noutput c := mean(v6^2)/mean(v6^2)\n"
    found, truth = limits(text + outputs), limits(plain + outputs)
    for o in "abc":
        assert abs(found[o].value - truth[o].value) <= found[o].error + truth[o].error < 1e-12

"""Derivations where an argument lies on a kink with positive probability show the limit that is computed."""

from __future__ import annotations

import random

import pytest

import netsor
from netsor.expr import Const
from netsor.limit import infer_limit
from netsor.show.derivation.derive import derive
from netsor.show.derivation.values import with_numbers

HEAD = """vector x, y, d, e ~ N(0, 1)
vector p ~ N(0.5, 2)
vector zero ~ N(0, 0)
vector one ~ N(1, 0)
matrix W ~ N(0, 1/n)
"""


def random_program(seed: int) -> str:
    """Difference quotients at dead units, zero padding, ends of clips, equal arguments of max, and products of them."""
    rng = random.Random(seed)
    lines, vectors = [], ["x", "y", "d", "e", "p"]
    for k in range(rng.randint(1, 3)):
        u = rng.choice(vectors)
        inner = rng.choice(["relu({})", "zero", "abs(relu({}))", "clip({}, -1, 1)", "min({}, 0)", "relu({}) + 1 - one"])
        lines.append(f"u{k} := " + inner.format(u))
        step = rng.choice(["d", "e", "y*d", "p", "W x"])
        f = rng.choice(
            ["relu({})", "abs({})", "clip({}, -1, 1)", "max({}, 0)", f"max({{}}, u{k})", "leaky_relu({}, 0.1)",
             "tanh(relu({}))", "relu({})*p", "(if {} > 0 then tanh({}) else 0)"]
        )  # fmt: skip
        moved = f.replace("{}", f"(u{k} + ({step})/√n)")
        lines.append(f"z{k} := √n ({moved} - {f.replace('{}', f'u{k}')})")
        vectors.append(f"z{k}")
        if rng.random() < 0.4:
            lines.append(f"w{k} := W z{k}")
            vectors.append(f"w{k}")
    a, b = vectors[-1], rng.choice(vectors)
    outputs = [f"mean({a})", f"mean({a}*{b})", f"mean(tanh({a})^2)"]
    return HEAD + "\n".join(lines) + "".join(f"\noutput o{k} := {o}" for k, o in enumerate(outputs)) + "\n"


def disagreements(seeds: range) -> tuple[int, list[str]]:
    """(numbers compared, those of a derivation that are not those of the limit)."""
    compared, wrong = 0, []
    for seed in seeds:
        program = netsor.loads(random_program(seed)).program
        limit = infer_limit(program, tol=1e-6, budget=5.0)
        lines = {line.about: line for line in with_numbers(derive(program), tol=1e-6, budget=5.0).lines}
        for o in program.outputs:
            found, shown = limit[o.name], lines[o.scalar]
            if found.value is None:
                continue
            value = shown.value
            if value is None and hasattr(shown.forms[-1], "value"):
                compared += 1
                if abs(shown.forms[-1].value - found.value) > found.error + 1e-12:
                    wrong.append(f"seed {seed}, {o.name}: {shown.forms[-1].value}, not {found.value}")
            elif value is not None:
                compared += 1
                if abs(value.value - found.value) > value.error + found.error:
                    wrong.append(f"seed {seed}, {o.name}: {value}, not {found.value} ± {found.error}")
    return compared, wrong


def test_what_is_derived_is_what_is_computed() -> None:
    compared, wrong = disagreements(range(12))
    assert compared > 20 and not wrong, wrong


@pytest.mark.slow
def test_many_that_are_derived_are_what_is_computed() -> None:
    compared, wrong = disagreements(range(100, 400))
    assert compared > 500 and not wrong, wrong


def test_the_one_sided_derivative_is_shown() -> None:
    text = HEAD + "u := relu(x)\nz := √n (relu(u + d/√n) - relu(u))\noutput a := mean(z)\noutput c := mean(z*d)\n"
    d = with_numbers(derive(netsor.loads(text).program))
    lines = {line.about: line for line in d.lines}
    assert "one-sided" in str(lines["z"].notes)
    # relu'(0; d) = relu(d) with probability 1/2: E = 1/(2√(2π)), and 1/2 + 1/4 with d.
    assert lines["a"].value is not None and abs(lines["a"].value.value - 0.19947114020071635) < 1e-14
    assert lines["c"].value is not None and abs(lines["c"].value.value - 0.75) < 1e-14


def test_no_number_is_made_of_zero_by_zero():
    text = "vector x, y ~ N(0, 1)\nr := mean(x) / mean(y)\noutput a := mean(r * x^2)\noutput c := 2 r + 1\n"
    d = derive(netsor.loads(text).program)
    for lines in (d.lines, with_numbers(d).lines):
        forms = {line.about: line.forms for line in lines}
        assert all(not isinstance(f, Const) for name in ("r", "a", "c") for f in forms[name])
        assert any("does not exist" in str(n.pieces) for line in lines for n in line.notes)

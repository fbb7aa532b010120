"""Programs that are long, deep, or faulty all over: one run, each fault once, and nothing of Python's own limits."""

import sys

import pytest

from netsor.check import check_source
from netsor.diagnostics import Source

V = "vector x ~ N(0, 1)\n"


def codes(text: str) -> list[str]:
    return [d.code for d in check_source(Source("p", text)).diagnostics]


@pytest.mark.parametrize(
    "text",
    [
        f"{V}output mean({'tanh(' * 180}x{')' * 180})\n",
        f"{V}output mean(({'1 + ' * 450}x)^2)\n",
        f"{V}matrix W\noutput mean(({'W ' * 450}x)^2)\n",
        f"{V}output mean(({'-' * 450}x)^2)\n",
        f"{V}y := {'if x > 0 then x else ' * 200}x\noutput mean(y)\n",
        f"{V}y := if {' and '.join(['x > 0'] * 200)} then x else 1\noutput mean(y)\n",
        f"{V}f0(u) = mean(u) + u\n"
        + "".join(f"f{i}(u) = f{i - 1}(u) + 1\n" for i in range(1, 299))
        + "output mean(f298(x))\n",
    ],
    ids=["calls", "sum", "product", "minus", "conditionals", "conditions", "definitions"],
)
def test_deep_programs_need_no_deep_stack(text: str) -> None:
    assert sys.getrecursionlimit() <= 1000
    assert codes(text) == []


def test_a_deep_network_is_written_out_without_recursion() -> None:
    layers = "".join(f"h[{i}] := tanh(W h[{i - 1}])\n" for i in range(1, 700))
    text = f"network f(ξ : 2)\nmatrix U : (n, 2)\nmatrix W\nvector v ~ N(0, 1)\nh[0] := tanh(U ξ) + v\n{layers}"
    assert codes(f"{text}output f := vᵀ h[699] / √n\n") in ([], ["W618"])


def test_many_faults_are_told_once_each() -> None:
    count = 600
    faulty = "".join(f"a{i} := x x\nb{i} := foo{i} + a{i}\nc{i} := b{i}\nd{i} := g[{i + 2}]\n" for i in range(count))
    found = codes(f"{V}vector g[1..1] ~ N(0, 1)\n{faulty}")
    assert [found.count(code) for code in ("E301", "E201", "E406")] == [count, count, count]
    assert len(found) == 3 * count


def test_a_fault_is_not_told_of_what_uses_it() -> None:
    assert codes("x0 := foo\n" + "".join(f"x{i + 1} := tanh(x{i})\n" for i in range(1000))) == ["E201"]

"""The table of ways in the documentation is that of the code."""

from pathlib import Path

import pytest

from netsor.expr import Sym, call, mul
from netsor.gaussian.vectorized.plan import ORDER, ways

U, V = Sym("u"), Sym("v")
NETWORKS = Path(__file__).resolve().parents[2] / "docs" / "networks.md"


def test_the_documentation_lists_the_ways_in_their_order():
    lines = NETWORKS.read_text(encoding="utf-8").splitlines()
    start = lines.index("| way | for | by |") + 2
    listed = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        listed.append(line.split("|")[1].strip())
    assert tuple(listed) == ORDER


@pytest.mark.parametrize(
    ("block", "symbols", "first"),
    [
        (mul(call("erf", U), call("erf", V)), (U, V), "closed form"),
        (mul(call("relu", U), call("relu", V)), (U, V), "angle"),
        (mul(call("relu", U), call("relu", U)), (U,), "homogeneity"),
        (mul(call("gelu", U), call("gelu", V)), (U, V), "Mehler's series"),
        (call("tanh", U), (U,), "grid"),
        (mul(call("elu", U), call("elu", V)), (U, V), "panels"),
        (call("exp", mul(U, V)), (U, V), "law by law"),
    ],
)
def test_which_way_an_integrand_gets(block, symbols, first):
    names = [w.name for w in ways(block, symbols)]
    assert names[0] == first and names[-1] == "law by law"
    assert [ORDER.index(n) for n in names] == sorted(ORDER.index(n) for n in names)

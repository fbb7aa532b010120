"""Families of constants, `rows(X)` and `train all`."""

import pytest
from language import check, codes, core

import netsor
from netsor.core import Trained
from netsor.diagnostics import apply_edits
from netsor.show.listing import listing

GRAPH = "data A : (3, 3) = [[1, 1, 0], [1, 1, 1], [0, 1, 1]]\nparam N = rows(A)\n"
NET = "network f(ξ : 2)\nmatrix U : (n, 2)\nmatrix W[1..2] ~ N(0, 2/n)\nvector b ~ N(0, 0)\nvector v ~ N(0, 3)\n"
END = "x := tanh(W[1] tanh(W[2] tanh(U ξ) + b))\noutput vᵀ x / √n\n"


def test_degrees_of_a_graph() -> None:
    text = GRAPH + (
        "param deg[i in 1..N] = sum(j in 1..N: A[i, j])\n"
        "param a[i in 1..N, j in 1..N] = A[i, j] / √(deg[i] * deg[j])\n"
        "vector h[1..N] ~ N(0, 1)\n"
        "output s := mean(sum(j in 1..N: a[2, j] * h[j])^2)\noutput d := deg[2]\n"
    )
    found = netsor.loads(text).limit()
    # 1/(3·2) + 1/(3·3) + 1/(3·2)
    assert abs(found["s"].value - 4 / 9) <= found["s"].error + 1e-15
    assert found["d"].value == 3


def test_members_may_use_earlier_ones() -> None:
    text = "param c[0] = 1\nparam c[k in 1..4] = c[k-1]/2\nvector x[1..8*c[3]] ~ N(0, c[4])\noutput mean(x[1])\n"
    program = core(text)
    assert len(program.groups) == 1 and program.groups[0].covariance == ((1 / 16,),)


def test_normalization_over_the_rows() -> None:
    text = (
        "data X : (2, 2) = [[1, 0], [1, 1]]\nmatrix U : (n, 2) ~ N(0, 1)\nparam N = rows(X)\n"
        "for i in 1..N:\n    h[i] := U X[i]\n"
        "m := sum(i in 1..N: h[i]) / N\noutput mean(m^2)\n"
    )
    # |(1, 1/2)|²
    assert abs(netsor.loads(text).limit()["out"].value - 1.25) < 1e-15


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("param a[i in 1..3] = a[i-1]\n", "E206"),
        ("param a[i in 1..3] = i\nparam a[2] = 3\n", "E202"),
        ("param a = rows(3)\n", "E316"),
        ("vector x ~ N(0, 1)\nparam a = rows(x)\n", "E316"),
        ("param a = rows\n", "E408"),
        ("data X : (2) = [1, 2]\nparam a = rows(X, X)\n", "E306"),
        ("param a[i in 1..3] = i\nvector x ~ N(0, a[4])\n", "E406"),
        ("param a[i in 1..3] = i\nvector x ~ N(0, a)\n", "E408"),
        ("param a[1..3] = 2\n", "E117"),
        ("param a[i in 1..3, i in 1..2] = i\n", ""),
    ],
)
def test_what_is_told(text: str, code: str) -> None:
    assert codes(text + "vector z ~ N(0, 1)\noutput mean(z^2)\n") == ([code] if code else [])


def test_edits_and_settings() -> None:
    text = "param a[1..3] = 2\nvector z ~ N(0, a[2])\noutput mean(z^2)\n"
    (fault,) = check(text).diagnostics
    assert core(apply_edits(text, fault.edits)).groups[0].covariance == ((2.0,),)
    family = "param a[i in 1..3] = i\nvector z ~ N(0, a[2])\noutput mean(z^2)\n"
    assert codes(family, settings={"a": 1}) == ["E205"]


WHOLE = {
    # 0.1 · 30 is 3, though the product of the floats lies above it, and 0.7 · 10 is 7.
    "7/2": 3, "-7/2": -4, "6/2": 3, "0.1*30": 3, "-0.1*30": -3, "0.7*10": 7, "pi": 3, "-pi": -4, "1e17": 10**17,
    "1/3 + 1/3 + 1/3": 1,
}  # fmt: skip


@pytest.mark.parametrize(("typed", "truth"), WHOLE.items())
def test_floor_of_what_a_constant_means(typed: str, truth: int) -> None:
    found = netsor.loads(f"param k = floor({typed})\noutput k + 0\n").limit()["out"].value
    assert found == truth


def test_floor_is_of_constants() -> None:
    assert codes("vector z ~ N(0, 1)\noutput mean(floor(z))\n") == ["E408"]
    assert codes("vector z ~ N(0, 1)\noutput floor(mean(z))\n") == ["E408"]
    assert codes("output floor(1, 2)\n") == ["E306"]
    assert codes("vector z ~ N(0, 1)\nfloor(u) = u^2\noutput mean(floor(z))\n") == []


def test_floor_inside_a_definition() -> None:
    text = "def f(x; k):\n    return x[floor(k/2)] * floor(k/3)\nvector x[1..3] ~ N(0, 2)\noutput mean(f(x; 7)^2)\n"
    assert netsor.loads(text).limit()["out"].value == 8
    text = "f(u; k) = floor(k/2) * u\nvector x ~ N(0, 1)\noutput mean(f(x; 5)^2)\n"
    assert netsor.loads(text).limit()["out"].value == 4


def test_rows_is_a_name_that_a_program_may_take() -> None:
    assert codes("rows(x) = x^2\nvector z ~ N(0, 1)\noutput mean(rows(z))\n") == []


def test_train_all() -> None:
    program = core(NET + "train all, b * 0.5\n" + END)
    assert program.train is not None
    names = {t.name: t.multiplier for t in program.train}
    assert names == {"U": None, "W[1]": None, "W[2]": None, "v": None, "b": 0.5}
    assert core(listing(program)).train == program.train
    above = NET.replace("matrix U", "train all\nmatrix U").replace("b ~ N(0, 0)", "b ~ N(0, 1)")
    assert set(core(above + END).train or ()) == {Trained(t.name) for t in program.train}


def test_faults_of_train_all() -> None:
    text = NET + "train all\n" + END
    (fault,) = check(text).diagnostics
    assert fault.code == "E605"
    repaired = core(apply_edits(text, fault.edits)).train
    assert repaired is not None and Trained("b", 1.0) in repaired and len(repaired) == 5
    assert codes(NET + "train all, b * 1, all\n" + END) == ["E607"]
    scaled = NET + "train all * 2, b * 1\n" + END
    (fault,) = check(scaled).diagnostics
    assert fault.code == "E606" and codes(apply_edits(scaled, fault.edits)) == []
    named = "network f(ξ : 2)\nmatrix U : (n, 2)\nvector all ~ N(0, 1)\ntrain all\noutput allᵀ tanh(U ξ) / √n\n"
    assert core(named).train == (Trained("all"),)


def test_rows_of_data_without_numbers_are_counted_too():
    text = "data X : (2, 3)\nmatrix U : (n, 3)\ng := U X[{}]\noutput mean(g^2)\noutput k := X[1, {}]\n"
    assert codes(text.format(1, 3)) == ["E404"]
    assert codes(text.format(0, 3)) == ["E404", "E406"]
    assert codes(text.format(3, 4)) == ["E404", "E406", "E406"]
    assert codes(text.format("1, 2, 3", 1)) == ["E404", "E406"]

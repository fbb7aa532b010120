"""An entry of a kernel is the same number, to the last bit of its bound, whichever other inputs are asked for."""

import json

import numpy as np
import pytest

import netsor
from netsor.cli.main import main
from netsor.kernels.pairs import forget_templates

TWO_LAYERS = """
network two(ξ : 3)
φ(u) = PHI
matrix U : (n, 3) ~ N(0, 1/3)
matrix W ~ N(0, 1.5/n)
vector b ~ N(0, 0.1)
vector v ~ N(0, 1)
train U, W, v, b
output f := vᵀ φ(W φ(U ξ + b)) / √n
"""
FUNCTIONS = ["relu(u)", "erf(u)", "gelu(u)", "tanh(2*u)", "elu(u)", "abs(u) + 0.3*u", "u*sigmoid(u)"]


def network(phi):
    return netsor.loads(TWO_LAYERS.replace("PHI", phi))


@pytest.mark.parametrize("phi", FUNCTIONS)
def test_an_entry_does_not_depend_on_the_others(phi):
    document = network(phi)
    count = 7 if phi == "elu(u)" else 130
    x = np.random.default_rng(5).standard_normal((count, 3))
    x[3] = x[1] * (1 + 1e-9)
    x[5] = -2 * x[4]
    everything = document.ntk(x)
    rng = np.random.default_rng(6)
    for i, j in [(1, 3), (4, 5), (0, count - 1), *(rng.integers(count, size=2) for _ in range(3))]:
        pair, across = document.ntk(x[[i, j]]), document.ntk(x[[i]], x[[j]])
        back = document.ntk(x[[j]], x[[i]])
        for name in ("nngp", "ntk"):
            whole, two, one, other = (getattr(k, name) for k in (everything, pair, across, back))
            for of in ("value", "error"):
                want = getattr(whole, of)[i, j]
                assert want == getattr(two, of)[0, 1] == getattr(two, of)[1, 0]
                assert want == getattr(one, of)[0, 0] == getattr(other, of)[0, 0]


@pytest.mark.parametrize("phi", FUNCTIONS)
def test_steps_that_were_written_before_give_the_same_numbers(phi):
    """The second call for a network has the steps of the first; other inputs may have needed more of them."""
    document = network(phi)
    x = np.random.default_rng(9).standard_normal((6, 3))
    x[3], x[5] = x[1] * (1 + 1e-9), -2 * x[4]
    forget_templates()
    first = document.ntk(x[[0, 2]])
    forget_templates()
    document.ntk(x)
    again = document.ntk(x[[0, 2]])
    for name in ("nngp", "ntk"):
        for of in ("value", "error"):
            assert np.array_equal(getattr(getattr(first, name), of), getattr(getattr(again, name), of))
    assert [t.as_dict() for t in first.expectations] == [t.as_dict() for t in again.expectations]


def test_a_network_that_differs_in_a_number_has_its_own_steps():
    for variance in (1.5, 0.5):
        document = netsor.loads(TWO_LAYERS.replace("PHI", "erf(u)").replace("1.5/n", f"{variance}/n"))
        kept = document.ntk(np.eye(3))
        forget_templates()
        assert np.array_equal(kept.ntk.value, document.ntk(np.eye(3)).ntk.value)


def test_a_fault_leaves_nothing_behind():
    """What was interrupted is not kept: the next call gives what the first would have given."""
    document = network("exp(u)")
    x = np.array([[1.0, 0.2, 0.0], [0.3, 1.0, 0.1]])
    with pytest.raises(netsor.NetsorError):
        document.ntk(np.array([[1e200, 0, 0], [0, 1e200, 0]]))
    found = document.ntk(x)
    forget_templates()
    assert np.array_equal(found.ntk.value, document.ntk(x).ntk.value)


def test_rectangular_kernels_are_parts_of_square_ones():
    document = network("relu(u)")
    x = np.random.default_rng(7).standard_normal((150, 3))
    x[120] = x[7]
    whole = document.ntk(x)
    part = document.ntk(x[100:], x[:110])
    for name in ("nngp", "ntk"):
        for of in ("value", "error"):
            assert np.array_equal(getattr(getattr(part, name), of), getattr(getattr(whole, name), of)[100:, :110])


def test_what_was_taken_is_recorded():
    x = np.random.default_rng(8).standard_normal((4, 3))
    found = network("gelu(u)").ntk(x).expectations
    pairs = [t for t in found if t.over == "pair of inputs"]
    # φ(u) φ(v) of both layers, and φ'(u) φ'(v) of both.
    assert sum("Mehler's series" in t.ways for t in pairs) == 4
    assert all(sum(t.ways.values()) == 6 for t in pairs)
    assert {t.over for t in found} == {"input", "pair of inputs"}
    relu = [t for t in network("relu(u)").ntk(x).expectations if "relu" in t.integrand and t.over == "pair of inputs"]
    assert [t.ways for t in relu] == [{"angle": 6}] * 2


def test_the_expectations_of_a_kernel_are_shown(tmp_path, capsys):
    (tmp_path / "a.netsor").write_text(TWO_LAYERS.replace("PHI", "gelu(u)"), encoding="utf-8")
    (tmp_path / "x.csv").write_text("1,0,1\n0.5,1,-1\n")
    arguments = ["ntk", str(tmp_path / "a.netsor"), "--inputs", str(tmp_path / "x.csv"), "--explain"]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "expectations taken" in text and "Mehler's series (1)" in text and "for each pair of inputs" in text
    assert main([*arguments, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["expectations"]
    assert {"integrand", "over", "ways", "error"} == set(shown[0])


def test_no_warnings_where_numbers_leave_the_range(tmp_path, capsys, recwarn):
    """E804 says it; numpy's warnings would be a second message, and name lines of this package."""
    text = (
        "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W ~ N(0, 2/n)\nvector v ~ N(0, 1)\ntrain v\n"
        "g := U ξ\nx := g / 1e-300\nh := W x\nz := leaky_relu(h) * x\noutput f := vᵀ h / √n\n"
    )
    (tmp_path / "p.netsor").write_text(text)
    np.savetxt(tmp_path / "X.csv", [[1.0, 2.0], [0.5, -1.0]], delimiter=",")
    main(["ntk", str(tmp_path / "p.netsor"), "--inputs", str(tmp_path / "X.csv")])
    assert "E804" in capsys.readouterr().err
    assert not recwarn.list

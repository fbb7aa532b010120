"""What results print as in a session: tables for people, and arrays for numpy."""

from __future__ import annotations

import numpy as np
import pytest

import netsor

NETWORK = (
    "network shallow(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\ntrain v\noutput f := vᵀ relu(U ξ) / √n\n"
)
PROGRAM = "vector x ~ N(0, 1)\noutput a := mean(x^2)\n"
X = [[1.0, 0.0], [1.0, 1.0]]


@pytest.fixture(scope="module")
def network():
    return netsor.loads(NETWORK, "net.netsor")


@pytest.fixture(scope="module")
def program():
    return netsor.loads(PROGRAM, "p.netsor")


def test_documents_and_programs(network, program):
    assert repr(network) == "Document net.netsor: the network `shallow` in NETSOR"
    assert "program" in repr(program) and repr(program).startswith("Document p.netsor: ")
    assert repr(network.on(X)).startswith("Derived program `shallow`: ") and "nngp[1,2]" in repr(network.on(X))
    assert "A3: holds" in repr(network.check())
    wrong = netsor.loads("output a := mean(y)\n", "w.netsor")
    assert "error[E201]" in repr(wrong) and "^ not found" in repr(wrong)
    with pytest.raises(netsor.NetsorError) as raised:
        wrong.limit()
    shown = repr(raised.value)
    assert shown.startswith("NetsorError\nerror[E201]") and "1 | output a := mean(y)" in shown and "^" in shown


def test_limits_runs_and_studies(program):
    limit, runs = repr(program.limit()), repr(program.run(100, 4))
    assert [line.split()[:2] for line in limit.splitlines()[1:]] == [["output", "limit"], ["a", "1"]]
    assert "width 100 (4 seeds" in runs and "± stderr" in runs
    study = program.converge([50, 100], 4)
    assert "verdict" in repr(study) and "limit 1" in repr(study)
    assert "E" in repr(program.derive()) and repr(program.law("x")) == "joint law of Z^x"
    assert program.law("x").variance("x").value == pytest.approx(1)


def test_kernels(network):
    kernels, nngp = network.ntk(X), network.nngp(X)
    assert np.asarray(kernels).shape == (2, 2) and np.array_equal(np.asarray(nngp), nngp.value)
    assert np.array_equal(np.asarray(kernels.nngp), kernels.nngp.value)
    assert np.asarray(kernels.ntk, dtype="float32").dtype == np.float32
    assert repr(kernels).count("NNGP") == 1 and "0.50000000" in repr(kernels) and "0.50000000" in repr(kernels.nngp)
    drawn = network.ntk(X, width=20, seeds=3)
    assert np.array_equal(np.asarray(drawn), drawn.ntk.mean) and "stderr" in repr(drawn)
    training = network.train(X, [1.0, -1.0], steps=1)
    assert repr(training).splitlines()[2].split()[-1] == "loss"
    predicted = network.predict(X, [1.0, -1.0], [[0.0, 1.0]])
    assert "std" in repr(predicted) and "Ż" in repr(network.exact(X[:1]))


def test_drawings(program, tmp_path):
    assert "<svg" in program.draw() and "<svg" in program.draw(tmp_path / "p.svg")
    assert "<svg" in (tmp_path / "p.svg").read_text()

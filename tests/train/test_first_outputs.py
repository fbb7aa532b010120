"""Outputs at step 0: those that no network has, and readouts that v̂ of Eq. 71 changes in the limit."""

from __future__ import annotations

import numpy as np
import pytest

import netsor
from netsor.diagnostics import NetsorError

ODD = """network odd(ξ : 1)
matrix U : (n, 1) ~ N(0, 1)
vector v ~ N(0, 1)
train v
x := erf(U ξ)
output f := vᵀ x / √n
"""
LINEAR = ODD.replace("erf(U ξ)", "2 * U ξ + 0 * abs(U ξ)").replace("ξ : 1", "ξ : 2").replace("(n, 1)", "(n, 2)")
TILTED = """network tilted(ξ : 2)
matrix U : (n, 2) ~ N(0, 1/2)
matrix W ~ N(0, 1/n)
vector v ~ N(0.5, 1)
train W
x := gelu(W tanh(U ξ))
output f := vᵀ x / √n
"""


@pytest.mark.parametrize("width", [None, 300])
@pytest.mark.parametrize(
    ("text", "rows", "right", "wrong", "place"),
    [
        (ODD, [[1], [-1]], [0.2, -0.2], [0.2, 0.3], "training row 2"),
        (ODD, [[1], [0], [-1]], [0.2, 0.0, -0.2], [0.2, 0.1, -0.2], "training row 2"),
        (LINEAR, [[1, 0], [0, 1], [1, 1], [2, -1]], [0.5, 1, 1.5, 0], [0.5, 1, 1.4, 0], "training row 3"),
        (ODD.replace("erf", "relu"), [[1], [3], [-1]], [0.1, 0.3, 2.0], [0.1, 0.4, 2.0], "training row 2"),
    ],
)
def test_outputs_out_of_the_range_are_refused(text, rows, right, wrong, place, width):
    document = netsor.loads(text)
    arguments = {"steps": 1, "limit": width is None, "width": width}
    found = document.train(rows, [0.0] * len(rows), f0=right, **arguments)
    values = found.program if width is None else found.finite.mean
    np.testing.assert_allclose(values[0, :, 0], right, atol=1e-9)
    with pytest.raises(NetsorError, match=f"E659.*{place}"):
        document.train(rows, [0.0] * len(rows), f0=wrong, **arguments)
    with pytest.raises(NetsorError, match="E659"):
        document.sgd(rows, [0.0] * len(rows), steps=1, f0=wrong)


def test_rows_that_are_merely_alike_are_not_refused():
    document = netsor.loads(ODD)
    rows = [[1.0], [1.0 + 1e-3], [-2.0]]
    found = document.train(rows, [0, 0, 0], f0=[0.2, 0.3, 1.0], steps=1)
    assert found.program[0, :, 0].tolist() == [0.2, 0.3, 1.0]
    # Those of a draw are in the range of a nearly singular Σ.
    many = np.linspace(0.1, 3, 20)[:, None]
    start = document.train(many, np.zeros(20), f0="gaussian", steps=0).program[0, :, 0]
    assert document.train(many, np.zeros(20), f0=start, steps=1).program.shape == (2, 20, 1)


def test_narrow_networks_lack_what_they_cannot_have():
    document = netsor.loads(ODD)
    with pytest.raises(NetsorError, match="E659.*width 2"):
        document.train([[1], [2], [3]], [0, 0, 0], f0=[0.2, 0.5, 0.8], steps=1, limit=False, width=2)


def test_the_limit_the_descent_and_the_printed_program_agree_where_v_hat_is_not_v():
    document = netsor.loads(TILTED)
    x, y = [[1, 0], [0.6, 0.8]], [1, -1]
    found = document.train(x, y, steps=2, lr=0.5, f0="zero", limit=True, width=800, seeds=8)
    np.testing.assert_allclose(found.program, found.kernel, atol=1e-10)
    printed = netsor.loads(document.sgd(x, y, steps=2, lr=0.5).listing()).limit()
    np.testing.assert_allclose([v.value for v in printed.outputs.values()], found.program.ravel(), atol=1e-10)
    assert np.all(np.abs(found.finite.mean - found.program) <= 5 * found.finite.stderr + 2e-3)
    assert [d.code for d in document.check().diagnostics] == ["W618"]


def test_readouts_that_drift_draw_no_outputs_and_constant_ones_take_none():
    with pytest.raises(NetsorError, match="E615.*grow like √n"):
        netsor.loads(TILTED).train([[1, 0]], [1], steps=1, f0="gaussian")
    with pytest.raises(NetsorError, match="E660.*variance 0"):
        netsor.loads(TILTED.replace("N(0.5, 1)", "N(0.5, 0)")).train([[1, 0]], [1], steps=1)

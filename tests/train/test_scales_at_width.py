"""Kernels and training at a width of inputs of any size: right to their digits, or refused, and never a false zero."""

from __future__ import annotations

import numpy as np
import pytest

import netsor
from netsor import NetsorError

# The outputs are homogeneous of degree 1 and 3 in the inputs, and the kernels of twice these.
NETWORKS = [
    (1, "x := relu(W relu(U ξ))"),
    (3, "x := (W (U ξ))^3"),
    (3, "h := U ξ\nx := W (h * h * h)"),
]
HEAD = "network made(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W\nvector v ~ N(0, 1)\n"
ROWS = np.array([[1.0, 0.5], [-0.25, 2.0]])


@pytest.mark.parametrize(("degree", "line"), NETWORKS)
def test_right_or_refused(degree: int, line: str) -> None:
    document = netsor.loads(HEAD + line + "\noutput f := vᵀ x / √n\n")
    drawn = {"width": 8, "seeds": 2}
    kernel = document.ntk(ROWS, **drawn).ntk.mean
    start = document.train(ROWS, [1, 2], steps=0, f0="network", limit=False, **drawn).runs[0].values
    told = [0, 0]
    for exponent in range(-8, -640, -90):
        s = 2.0**exponent
        try:
            found = document.ntk(s * ROWS, **drawn).ntk.mean
        except NetsorError as error:
            assert error.diagnostics[0].code == "E703"
            told[0] += 1
        else:
            np.testing.assert_allclose(found / s**degree / s**degree, kernel, rtol=1e-9)
        try:
            outputs = document.train(s * ROWS, [1, 2], steps=0, f0="network", limit=False, **drawn).runs[0].values
        except NetsorError as error:
            assert error.diagnostics[0].code == "E703"
            told[1] += 1
        else:
            np.testing.assert_allclose(outputs / s**degree, start, rtol=1e-9)
    assert told[0] >= 1 and (told[1] >= 1) == (degree == 3)


def test_a_row_of_zeros_is_not_refused() -> None:
    document = netsor.loads(HEAD + NETWORKS[0][1] + "\noutput f := vᵀ x / √n\n")
    rows = np.array([[0.0, 0.0], [1.0, 0.0]])
    assert not document.ntk(rows, width=8, seeds=2).ntk.mean[0].any()
    assert not document.train(rows, [1, 2], steps=2, f0="network", limit=False, width=8).runs[0].values[..., 0, :].any()


@pytest.mark.parametrize("engine", ["dense", "lazy"])
@pytest.mark.parametrize(("module", "device"), [("torch", "torch:cpu"), ("array_api_strict", "array_api_strict")])
def test_zeros_on_a_device(module: str, device: str, engine: str) -> None:
    """f is of degree 3 in the inputs: at 2⁻⁴⁰⁰ it is below all floats, and on a row of zeros it is zero."""
    pytest.importorskip("array_api_compat")
    pytest.importorskip(module)
    document = netsor.loads(HEAD + NETWORKS[1][1] + "\noutput f := vᵀ x / √n\n")
    settings = {"steps": 1, "lr": 0.1, "f0": "network", "limit": False, "width": 8, "engine": engine, "device": device}
    with pytest.raises(NetsorError) as caught:
        document.train(2.0**-400 * ROWS, [1, 2], **settings)
    assert caught.value.diagnostics[0].code == "E703"
    # So it is on a test row.
    with pytest.raises(NetsorError) as caught:
        document.train(ROWS, [1, 2], 2.0**-400 * ROWS[:1], **settings)
    assert caught.value.diagnostics[0].code == "E703"
    found = document.train(np.array([[0.0, 0.0], [1.0, 0.0]]), [1, 2], **settings).runs[0].values
    assert not found[..., 0, :].any() and found[..., 1, :].all()

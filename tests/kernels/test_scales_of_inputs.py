"""Inputs of all scales that have squares in the range of floats, against closed forms in 40 digits."""

import mpmath as mp
import numpy as np
import pytest

import netsor
from netsor.diagnostics import NetsorError

ONE_LAYER = """
network one(ξ : 2)
φ(u) = PHI(u)
matrix U : (n, 2) ~ N(0, 1)
vector v ~ N(0, 1)
train U
output f := vᵀ φ(U ξ) / √n
"""
SCALES = [1e-150, 1e-30, 1e-8, 1.0, 1e8, 1e30, 1e150]


def rows(s):
    return np.array([[s, 0.0], [0.6 * s, 0.8 * s], [0.0, 0.0]])


def truth(phi, x, y):
    """(NNGP, NTK) of one hidden layer whose input matrix is trained."""
    x, y = ([mp.mpf(float(t)) for t in z] for z in (x, y))
    a, b, c = (sum(p * q for p, q in zip(*r, strict=True)) for r in ((x, x), (y, y), (x, y)))
    if phi == "erf":
        p, q = 1 + 2 * a, 1 + 2 * b
        return 2 / mp.pi * mp.asin(2 * c / mp.sqrt(p * q)), c * 4 / mp.pi / mp.sqrt(p * q - 4 * c * c)
    angle = mp.acos(c / mp.sqrt(a * b))
    slope = (mp.pi - angle) / (2 * mp.pi)
    return mp.sqrt(a * b) * mp.sin(angle) / (2 * mp.pi) + slope * c, slope * c


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("phi", ["erf", "relu"])
def test_a_hidden_layer_at_every_scale(phi, scale):
    if phi == "relu" and scale > 1e100:
        pytest.skip("the kernel is a product of squares, and out of range; see below")
    x = rows(scale)
    found = netsor.loads(ONE_LAYER.replace("PHI", phi)).ntk(x)
    with mp.workdps(40):
        for kernel, want in zip((found.nngp, found.ntk), truth(phi, x[0], x[1]), strict=True):
            assert abs(kernel.value[0, 1] - want) <= kernel.error[0, 1] <= 1e-13 * want
    assert not found.ntk.value[2].any() and not found.nngp.value[2].any()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("phi", ["erf", "relu", "tanh", "step", "sin", "softplus"])
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_squares_that_are_no_floats_are_refused(phi, scale):
    with pytest.raises(NetsorError) as fault:
        netsor.loads(ONE_LAYER.replace("PHI", phi)).nngp(rows(scale))
    assert [d.code for d in fault.value.diagnostics] == ["E804"]

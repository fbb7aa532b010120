"""The nested rule at loose tolerances: two runs that agree before anything is resolved agree by luck."""

from __future__ import annotations

import numpy as np
import pytest

from netsor.expr import Const, call, canonical, sym
from netsor.gaussian.integrand.integrand import build
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import Clock
from netsor.gaussian.rules import nested
from netsor.gaussian.symbolic.structure import shape_of

U, V, W = sym("u0"), sym("u1"), sym("u2")
LAW = [
    [0.0295590902819158, -0.008205237333246598, 0.02236310662420728],
    [-0.008205237333246598, 0.13849551998089404, 0.0005891032668465633],
    [0.02236310662420728, 0.0005891032668465633, 0.16139218634560779],
]
# By the adaptive rule too, to nine digits, and by nested panels of 25 nodes.
TRUTH = 0.000620051281


@pytest.mark.parametrize("tol", [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-6])
def test_a_loose_tolerance(tol: float) -> None:
    e = call("erf", W + 1) * call("hardtanh", Const(0.5) * V + U) * call("abs", V - W)
    f = build(shape_of(canonical(e), frozenset((U, V, W))), State.centred((U, V, W), np.array(LAW)), {})
    found = nested.integrate(f, tol, Clock(10.0))
    assert abs(found.value - TRUTH) <= found.error

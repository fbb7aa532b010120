"""Where every node of a rule sees zeros, and tails that begin near the end of its reach."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from netsor.expr import Const, add, call, compare, cond, mul, sym
from netsor.gaussian import FixedLaw, Settings, expect
from netsor.gaussian.existence.vanishing import bound_of_modulus
from netsor.gaussian.law.gaussian_law import State

U, V = sym("u"), sym("v")
NORMAL = 2.3e-308


def bound(e, covariance=((1.0,),)):
    symbols = (U, V)[: len(covariance)]
    return bound_of_modulus(e, State.centred(symbols, np.array(covariance)), {})


@pytest.mark.parametrize("deviations", [12.0, 30.0, 34.0, 34.8, 36.5])
def test_a_tail_that_begins_near_the_reach_is_no_growth(deviations):
    s = 1.3 / deviations
    found = expect(call("step", add(U, Const(-1.3))) * call("abs", V + 0.7), FixedLaw([U, V], [[s * s, 0], [0, 1]]))
    with mpmath.workdps(30):
        # E |v + m| = 2 φ(m) + m (1 − 2 Φ(−m)) of a standard normal v.
        m = mpmath.mpf(0.7)
        truth = mpmath.ncdf(-mpmath.mpf(1.3) / mpmath.sqrt(mpmath.mpf(s * s)))
        truth *= 2 * mpmath.npdf(m) + m * (1 - 2 * mpmath.ncdf(-m))
        assert abs(found.value - truth) <= found.error <= 1e-9 * truth


def test_what_is_zero_everywhere_is_proved_to_be():
    assert bound(call("relu", U) * call("relu", -U)) == 0
    assert bound(call("relu", call("tanh", U) * call("tanh", V) - 1.5), ((1.0, 0.5), (0.5, 1.0))) == 0
    # Of one and the same variable a test is false whatever the interval.
    assert bound(cond(compare(">", U, V), call("exp", U), Const(0)), ((1.0, 1.0), (1.0, 1.0))) == 0
    assert bound(cond(compare(">", call("cos", U), Const(1.5)), call("exp", U), Const(0))) == 0


def test_a_bump_between_the_nodes_is_in_the_bound():
    for width in (1e-6, 1e-20):
        bump = call("relu", add(Const(width), mul(Const(-1), call("abs", U - 0.3))))
        truth = width**2 * 0.3813878
        assert truth <= bound(bump) <= 20 * max(truth, 1e-33)


def test_what_lies_beyond_every_node_is_bounded_by_its_tail():
    far = call("step", U - 50.0)
    assert 0 < bound(far) < NORMAL
    large = mul(Const(1e300), call("relu", U - 39.0))
    with mpmath.workdps(30):
        truth = 1e300 * (mpmath.npdf(39) - 39 * mpmath.ncdf(-39))
        assert truth <= bound(large) <= 1e4 * truth
    # Along a combination of two variables, each of which stays near its mean.
    c = ((1.0, 1 - 1e-8), (1 - 1e-8, 1.0))
    assert bound(call("step", add(U, mul(Const(-1), V), Const(-0.01))), c) < NORMAL


def test_a_value_without_nodes_is_given_with_its_bound():
    e = call("relu", call("tanh", U) * call("tanh", V) - 0.9999999999)
    found = expect(e, FixedLaw([U, V], [[1e-4, 0], [0, 1e-4]]), Settings(1e-8, 5.0))
    assert found.value == 0 and 0 < found.error < NORMAL


# A factor that is linear in its variable needs no variance of it, and the law has none.
@pytest.mark.parametrize("e", [U * call("step", V - 1), U * (U - V) * call("step", V - 1), V * U * call("relu", V - 2)])
def test_a_linear_factor_beside_an_event_that_no_node_sees(e):
    found = expect(e, FixedLaw([U, V], [[9.99999857135168, 0.012344470742888913], [0.012344470742888913, 0.000152386]]))
    # The events are 81 and 162 standard deviations away.
    assert abs(found.value) <= found.error < 1e-300

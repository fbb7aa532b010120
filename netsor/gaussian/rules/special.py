"""Rules for special integrands: constants, rough results, late results, and singularities at the origin."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.problem import EPS, Divergent, Method
from netsor.gaussian.rules import lattice, nested, qmc
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.rules.rule import Goal, Rule


class Constant(Rule):
    """The value of F where no variable is left."""

    integrands = "no variable, or one without variance"
    does = "the integrand's value"
    method = Method.EXACT
    final = True

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return 1.0 if probe.rank == 0 else None

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        with np.errstate(all="ignore"):
            value = float(probe.f(np.zeros((0, 1)))[0])
        if not math.isfinite(value):
            raise Divergent("the integrand has no value where its argument is constant")
        return Quadrature(value, 4 * EPS * abs(value), abs(value))


class Rough(Rule):
    """One lattice or one scrambling, always with the same nodes."""

    integrands = "three or more variables (two when the time is over), where only a difference of integrals is wanted"
    does = "one lattice, or one scrambling of Sobol points"
    method = Method.ROUGH
    final = True

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return 2e4 if goal.rough and probe.rank >= (2 if goal.late else 3) else None

    def is_on_all_scales(self, probe: Probe) -> bool:
        return True  # rough results are used for differences alone

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        return lattice.rough(probe.f, probe.rank) if probe.rank <= 6 else qmc.rough(probe.f)


class Glance(Rule):
    """A few shifted points, once the time is over."""

    integrands = "two or more variables, when the time is over"
    does = "a few points of shifted Kronecker sequences (Niederreiter 1992)"
    method = Method.QMC
    final = True

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return 3e3 if goal.late and probe.rank >= 2 else None

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        return qmc.glance(probe.f, goal.clock)


class Radial(Rule):
    """x = y e^{κ/|y|²} spreads a singularity at the origin over all scales, like an exponential map (Mori 1978)."""

    integrands = "two to six variables, singular at the origin, such as x/√(x² + y²)"
    does = "nested panels or a lattice, after a radial map that spreads the surroundings of the origin (Mori 1978)"
    method = Method.RADIAL
    final = True

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        if not 2 <= probe.rank <= 6 or not probe.singular_at_origin or not probe.about_origin:
            return None
        if self._breaks(probe) and probe.rank > 4:
            return None
        return 10.0 ** (probe.rank + 1)

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature | None:
        g = replace(probe.f, radial=True)
        if self._breaks(probe):
            return nested.integrate(replace(g, surfaces=[]), max(goal.aim, 0.2 * goal.tol), goal.clock)
        q = lattice.integrate(g, g.rank, max(goal.aim, 0.1 * goal.tol), goal.clock)
        return q if math.isfinite(q.error) and (q.error <= goal.tol * q.scale or g.rank > 3) else None

    def called(self, probe: Probe) -> Method:
        return Method.RADIAL if self._breaks(probe) else Method.RADIAL_LATTICE

    @staticmethod
    def _breaks(probe: Probe) -> bool:
        return any(p.kind in ("jump", "kink") for p in probe.f.planes)

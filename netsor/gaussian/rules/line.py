"""E F(x) of one standard normal x: panels cut at all breaks, features and singular points, with their rounding."""

from __future__ import annotations

import math

import numpy as np

from netsor.gaussian.integrand.breakpoints import roots_along, roots_of_degree
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.levels import Band, curve_in
from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.integrand.projection import coordinate
from netsor.gaussian.integrand.rounding import noise
from netsor.gaussian.integrand.transitions import features_along
from netsor.gaussian.problem import EPS, Method
from netsor.gaussian.rules import panels
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.rules.rule import Goal, Rule
from netsor.gaussian.symbolic.structure import degree_in

Array = np.ndarray
# The number of grid points for a search for roots on the line, and the most roots that are kept.
_FINE, _MOST_ROOTS = 12001, 2000
# Ends of panels around a smooth transition and around a Gaussian edge, in widths. Beyond 54 widths the former has
# decayed, or only the tail of a pole is left.
_SOFT, _EDGE = (-54.0, -18.0, -6.0, -2.0, 0.0, 2.0, 6.0, 18.0, 54.0), (-8.5, -3, -1, 1, 3, 8.5)
# Panels in which features are sought; they reach far, since a tail may carry more mass than the middle.
_TABLE = np.array([-16.0, -12.0, *np.linspace(-panels.REACH, panels.REACH, 13), 12.0, 16.0])
# Between two roots closer than this the integrand may be a narrow island.
_ISLAND = 0.1
# A rise between ends farther apart than this is not steep.
_STEEP = 0.5


class Line(Rule):
    """Gauss–Legendre panels (Davis & Rabinowitz 1984, 2.7), halved where their Legendre coefficients do not decay."""

    integrands = "one variable"
    does = "Gauss–Legendre panels, cut at kinks, jumps and steep transitions at every depth of composition"
    method = Method.PANELS
    final = True

    def cost(self, probe: Probe, goal: Goal) -> float | None:
        return 1e3 if probe.rank == 1 else None

    def integrate(self, probe: Probe, goal: Goal) -> Quadrature:
        return integrate(probe.f)


def integrate(f: Integrand) -> Quadrature:
    """E F(x) on panels; Divergent where F has no value, Unsettled where the sums do not converge."""
    cuts: list[float] = []
    singular: list[float] = []
    tips: list[float] = []
    gaps: list[float] = []
    moved = 0.0
    for p in f.planes:
        a = float(p.a[0])
        if a == 0:
            continue
        at = -p.b / a
        if p.soft:
            width = p.soft / abs(a)
            if width < 1.0:
                cuts += [at + w * width for w in (_SOFT if p.kind == "soft" else _EDGE)]
        else:
            (singular if p.kind == "singular" else gaps if p.kind == "removable" else cuts).append(at)
    features = features_along(f, 0)
    if features is not None:
        known = [c for c in (*cuts, *singular) if abs(c) < _TABLE[-1]]
        found = features.cuts(np.zeros((0, 1)), _TABLE[-1], np.concatenate([_TABLE, known])[None])[0]
        cuts += np.unique(found[np.abs(found) < _TABLE[-1]]).tolist()
    also = np.array([[c for c in cuts if abs(c) < panels.REACH]])
    for s in f.surfaces:
        degree = degree_in(s.at, frozenset(f.forms))
        if degree is None:
            found = roots_along(f.on_surface(s), np.zeros((0, 1)), panels.REACH, _FINE, _MOST_ROOTS, also)
        else:
            found = roots_of_degree(degree, f.on_surface(s), np.zeros((0, 1)), panels.REACH)
        roots = sorted({float(r) for r in found[0] if r < panels.REACH})
        (singular if s.kind == "singular" else cuts).extend(roots)
        for low, high in zip(roots, roots[1:]):
            if high - low < _ISLAND:
                # The argument of the island is rounded like its place, which changes its width.
                middle = (low + high) / 2
                with np.errstate(all="ignore"):
                    height = float(np.nan_to_num(np.abs(f(np.array([[middle]])))[0], posinf=0.0))
                moved += 2 * EPS * (1 + abs(middle)) * math.exp(-0.5 * middle * middle) * height
        if s.kind == "jump" and roots:
            # A root has a rounding error, which shifts the jump there.
            r = np.array(roots)
            with np.errstate(all="ignore"):
                step = np.nan_to_num(np.abs(f((r + 1e-9)[None]) - f((r - 1e-9)[None])), posinf=0.0)
            moved += 8 * EPS * float(((1 + np.abs(r)) * np.exp(-0.5 * r * r) * step).sum())
    for h in f.given:
        for members in h.bands(f)[0]:
            band = Band(tuple(curve_in(e, (coordinate(0),)) for e in members))
            cuts.extend(float(r) for r in band.cuts(np.zeros((0, 1)), panels.REACH)[0] if r < panels.REACH)
        # Where two ends of an interval integrated in closed form meet, the result has a square-root singularity.
        for e in h.tips(f)[0]:
            found = curve_in(e, (coordinate(0),)).cuts(np.zeros((0, 1)), panels.REACH, _FINE)
            tips.extend(float(r) for r in found[0] if r < panels.REACH)
    if len(cuts) > 1:
        # An argument is rounded like its place, which shifts a rise or fall of the integrand there.
        r = np.unique(cuts)
        with np.errstate(all="ignore"):
            rise = np.nan_to_num(np.abs(np.diff(f(r[None]))), posinf=0.0) * (np.diff(r) < _STEEP)
            place = np.minimum(np.abs(r[1:]), np.abs(r[:-1]))
            moved += EPS * float(((1 + place) * np.exp(-0.5 * place * place) * rise).sum()) / math.sqrt(2 * math.pi)
    off = noise(f)
    rounded = None if off is None else lambda x: off(x[None])
    q = panels.integrate(lambda x: f(x[None]), cuts, singular, tips, noise=rounded, gaps=gaps)
    return q._replace(error=q.error + moved)

"""What is known of an integrand before a rule is chosen, and draws to which the chosen rule's answer is held."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from netsor.expr import Const, Pow, evaluate, postorder
from netsor.gaussian.constants import LATTICE_STEEP, SOFT_ENOUGH
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.transitions import steepest
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.symbolic.structure import affine

_DRAWS, _WIDER, _FEW = 2**15, 2.0, 0.05


class Probe:
    """An integrand and its properties, each found when it is first asked for."""

    def __init__(self, f: Integrand):
        self.f = f

    @property
    def rank(self) -> int:
        return self.f.rank

    @cached_property
    def sharp(self) -> bool:
        return is_sharp(self.f)

    @cached_property
    def slope(self) -> float:
        """How many times steeper than tanh(x₁) the smooth factors of affine arguments are at most."""
        return max((float(np.linalg.norm(p.a)) / p.soft for p in self.f.planes if p.soft), default=1.0)

    @cached_property
    def steep(self) -> bool:
        """Whether a smooth function of a curved argument turns within a small part of a standard deviation."""
        return not self.f.radial and steepest(self.f) >= LATTICE_STEEP

    @cached_property
    def curved(self) -> bool:
        """Whether it breaks at curves, or a variable was integrated between them."""
        return bool(self.f.surfaces) or bool(self.f.given)

    @cached_property
    def singular_at_origin(self) -> bool:
        return is_radial(self.f)

    @cached_property
    def about_origin(self) -> bool:
        """Whether the mean is the origin, and every break a plane through it, which the radial map leaves in place."""
        return not self.f.given and not np.abs(self.f.shift).max(initial=0.0) and _through_origin(self.f)

    @cached_property
    def wary(self) -> bool:
        """Whether it breaks, or turns steeply, in places that a rule with fixed nodes may not know."""
        return self.curved or self.steep or self.singular_at_origin


def is_sharp(f: Integrand) -> bool:
    """Whether something happens within less than `SOFT_ENOUGH` standard deviations that a lattice would not see."""
    return (
        bool(f.surfaces)
        or any(h.is_sharp(f) for h in f.given)
        or any(
            p.kind != "soft"
            and p.soft < SOFT_ENOUGH * float(np.linalg.norm(p.a))
            and float(np.abs(p.a).max(initial=0.0)) > 0
            for p in f.planes
        )
    )


def is_radial(f: Integrand) -> bool:
    """Whether a fractional or negative power of something that vanishes at the origin occurs, as in x/|x|."""
    known = frozenset(f.forms)
    origin = {**dict.fromkeys(f.forms, 0.0), **dict(zip(f.scalars, f.values))}
    for g in f.factors:
        for node in postorder(g):
            if isinstance(node, Pow) and isinstance(node.exponent, Const) and len(node.base.free & known) > 1:
                k = node.exponent.value
                if (k < 0 or not isinstance(k, int)) and affine(node.base, known) is None:
                    at = evaluate(node.base, origin)
                    if not math.isfinite(at) or abs(at) < 1e-6:
                        return True
    return False


def _through_origin(f: Integrand) -> bool:
    """Whether every break is a plane through the origin, which the radial map leaves where it is."""
    straight = all(abs(p.b) <= 1e-12 for p in f.planes if p.kind in ("jump", "kink", "edge"))
    return straight and all(s.kind == "singular" for s in f.surfaces)


def held_to_draws(q: Quadrature, f: Integrand) -> Quadrature:
    """The rule's error, or the gap to sample means that contradict it: a small curved region may be missed.

    Draws of the law see islands, but not what is far out, of which their spread says nothing; draws that are spread
    twice as wide and weighted see both, less sharply. Both must contradict, neither by a few draws alone.
    """
    z = np.random.default_rng(20210721).standard_normal((f.rank, _DRAWS))
    gaps = []
    size = 0.0
    for wide in (1.0, _WIDER):
        with np.errstate(all="ignore"):
            v = f(wide * z) * (wide**f.rank * np.exp(-0.5 * (wide * wide - 1) * (z * z).sum(axis=0)))
        if not np.isfinite(v).all():
            continue
        mean, spread = float(v.mean()), float(v.std()) / math.sqrt(_DRAWS)
        gap = abs(mean - q.value)
        few = float(np.abs(v).max()) > _FEW * float(np.abs(v).sum())
        if q.scale > 0 and (few or spread == 0 or gap <= q.error + 6 * spread):
            return q
        if spread == 0:
            # Neither saw anything: the wider draws have to decide.
            continue
        gaps.append(gap + 6 * spread)
        size = max(size, float(np.abs(v).mean()))
    return q._replace(error=max(q.error, min(gaps)), scale=max(q.scale, size)) if gaps else q

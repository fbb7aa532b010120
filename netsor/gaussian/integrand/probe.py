"""Properties of an integrand on which the choice of a rule depends, and draws that check the result of the rule."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from netsor.expr import Call, Const, Expr, Pow, Sym, canonical, evaluate, postorder
from netsor.expr.build import neg
from netsor.expr.functions import is_log
from netsor.expr.intervals import infer_range
from netsor.gaussian.constants import LATTICE_STEEP, SOFT_ENOUGH
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.transitions import steepest
from netsor.gaussian.problem import SingularSums
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.symbolic.structure import affine, has_positive_bound
from netsor.gaussian.symbolic.zero_sets import zeros_of

_DRAWS, _WIDER, _FEW = 2**15, 2.0, 0.05
# Draws by which it is seen that a function has both signs.
_FEW_DRAWS = 512
# A smaller index of the tail is not told from 1, at which the mean is infinite.
_HEAVIEST = 1.05


class Probe:
    """An integrand and its properties, each computed when first needed."""

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
        """The steepest slope of the smooth factors of affine arguments, relative to tanh(x₁)."""
        return max((float(np.linalg.norm(p.a)) / p.soft for p in self.f.planes if p.soft), default=1.0)

    @cached_property
    def steep(self) -> bool:
        """Whether a smooth function of a curved argument varies within a small part of a standard deviation."""
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
        """Whether the mean is the origin and all breaks are planes through it, invariant under the radial map."""
        return not self.f.given and not np.abs(self.f.shift).max(initial=0.0) and _through_origin(self.f)

    @cached_property
    def has_crossed_poles(self) -> bool:
        """Whether all that is singular are planes, and surfaces on which a function changes its sign."""
        z = np.random.default_rng(20030509).standard_normal((self.rank, _FEW_DRAWS))
        surfaces = [self.f.on_surface(s)(z) for s in self.f.surfaces if s.kind == "singular"]
        return not self.f.radial and not self.f.given and all((v > 0).any() and (v < 0).any() for v in surfaces)

    @cached_property
    def wary(self) -> bool:
        """Whether it has breaks or steep features in places that fixed nodes may miss."""
        return self.curved or self.steep or self.singular_at_origin


def is_sharp(f: Integrand) -> bool:
    """Whether it has a break narrower than `SOFT_ENOUGH` standard deviations, which a lattice would not resolve."""
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
    """Whether a fractional or negative power of an expression that vanishes at the origin occurs, as in x/|x|."""
    known = frozenset(f.forms)
    origin = {**dict.fromkeys(f.forms, 0.0), **dict(zip(f.scalars, f.values))}
    for g in f.factors:
        for node in postorder(g):
            if isinstance(node, Pow) and isinstance(node.exponent, Const) and len(node.base.free & known) > 1:
                k = node.exponent.value
                if (k < 0 or not isinstance(k, int)) and not _vanishes_on_a_plane(node.base, known):
                    at = evaluate(node.base, origin)
                    if not math.isfinite(at) or abs(at) < 1e-6:
                        return True
    return False


def _vanishes_on_a_plane(e: Expr, forms: frozenset[Sym]) -> bool:
    """Whether all zeros of an expression are on one plane, as those of tanh x − tanh y are."""
    zeros = zeros_of(canonical(e), forms)
    if not zeros or affine(zeros[0], forms) is None:
        return False
    opposite = canonical(neg(zeros[0]))
    return all(other is opposite for other in zeros[1:])


def _through_origin(f: Integrand) -> bool:
    """Whether every break is a plane through the origin, which the radial map leaves invariant."""
    straight = all(abs(p.b) <= 1e-12 for p in f.planes if p.kind in ("jump", "kink", "edge"))
    return straight and all(s.kind == "singular" for s in f.surfaces)


def divisors_of(f: Integrand) -> list[Expr]:
    """Bases of powers and arguments of logarithms that may vanish."""
    known = frozenset(f.forms)
    found: dict[Expr, None] = {}
    for g in f.factors:
        for node in postorder(g):
            match node:
                case Pow(base=base, exponent=Const(value=int(k))) if k >= 0:
                    continue
                case Pow(base=base):
                    pass
                case Call() if is_log(node):
                    base = node.children[0]
                case _:
                    continue
            if base.free & known and not has_positive_bound(base):
                found[base] = None
    return list(found)


def held_to_draws(q: Quadrature, f: Integrand) -> Quadrature:
    """The result of a rule, with its error enlarged to the gap from sample means that contradict it.

    A rule may miss a small curved region. Draws of the law find such regions, but not large values far from the mean,
    which their spread does not reveal; draws of twice the width, reweighted, find both less accurately. The error grows
    only if both contradict the rule, and neither by a few draws alone.
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
            # All draws of this width are zero or equal and decide nothing.
            continue
        gaps.append(gap + 6 * spread)
        size = max(size, float(np.abs(v).mean()))
    return q._replace(error=max(q.error, min(gaps)), scale=max(q.scale, size)) if gaps else q


def held_to_tail(q: Quadrature, f: Integrand) -> Quadrature:
    """The result of a rule that did not converge, with an error for values too large and rare for it to see.

    Near a singularity the values have a tail P(|F| > u) ~ u^{−α}, whose α is estimated from the largest draws (Hill
    1975); what the values beyond the largest draw contribute is the error. SingularSums where that may be infinite.
    """
    if not divisors_of(f) or all(math.isfinite(x) for g in f.factors for x in infer_range(g, {})):
        return q
    z = np.random.default_rng(19750301).standard_normal((f.rank, 2 * _DRAWS))
    with np.errstate(all="ignore"):
        v = np.sort(np.abs(f(z)))
    if not np.isfinite(v).all():
        return q._replace(error=math.inf)
    k = math.isqrt(len(v))
    least = float(v[-k])
    if least == 0:
        return q
    alpha = k / float(np.log(v[-k:] / least).sum()) if v[-1] > least else math.inf
    if alpha < _HEAVIEST:
        raise SingularSums("the integrand is so singular that its mean may be infinite")
    largest = least * k ** (1 / alpha)
    return q._replace(error=max(q.error, 3 * largest / len(v) / (1 - 1 / alpha)))

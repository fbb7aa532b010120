"""The integrand left after elimination: F(x) of standard normals x₁ … x_r, with the planes where it breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

import numpy as np

from netsor.expr import ONE, Const, Expr, Sym, evaluate, mul
from netsor.expr.arrays import lambdify
from netsor.gaussian.arithmetic import extended_range
from netsor.gaussian.existence.removable import is_removable
from netsor.gaussian.law import rational
from netsor.gaussian.law.gaussian_law import RANK, State, moments, pivoted_root
from netsor.gaussian.problem import Trust
from netsor.gaussian.reductions.chebyshev import Table
from netsor.gaussian.reductions.truncated_moments import Smoothing
from netsor.gaussian.symbolic.structure import Break, Shape, affine

Array = np.ndarray
Values = Mapping[Sym, float]
_KAPPA = 1.5
# Forms with less than this share of the sum of the variances of their terms are computed in rational arithmetic.
_CANCELLED = 0.1


@dataclass(frozen=True)
class Plane:
    """{x : a·x + b = 0}, a break of this `kind`; `soft` is the width of a transition region (0: a sharp break)."""

    kind: str
    a: Array
    b: float
    soft: float = 0.0


@dataclass(frozen=True)
class Surface:
    """{x : f(x) = 0} for an argument f that is not affine."""

    kind: str
    at: Expr


@dataclass(frozen=True)
class Closed:
    """A factor E g(a·x + b + s z), whose variable z is integrated in closed form."""

    g: Smoothing | Table
    a: Array
    b: float
    s: float


class Conditional(Protocol):
    """A factor whose variable is integrated in closed form given all others; over its `tips` an interval of it ends."""

    def value(self, f: Integrand, x: Array) -> Array: ...

    def is_sharp(self, f: Integrand) -> bool: ...

    def last_variable(self, f: Integrand) -> int: ...

    def tips(self, f: Integrand) -> list[list[Expr]]: ...

    def bands(self, f: Integrand) -> list[list[tuple[Expr, ...]]]: ...


@dataclass
class Integrand:
    """F(x) = poly(x) Π factors(shift + A x) Π closed(x) Π given(x) with x ~ N(0, 1_r)."""

    rank: int
    factors: tuple[Expr, ...]
    forms: tuple[Sym, ...]
    root: Array
    shift: Array
    scalars: tuple[Sym, ...]
    values: tuple[float, ...]
    planes: list[Plane]
    surfaces: list[Surface]
    # Polynomial factors: their conditional means are mean + gain·x, and their conditional covariance is `spread`.
    powers: tuple[int, ...] = ()
    mean: Array = field(default_factory=lambda: np.zeros(0))
    gain: Array = field(default_factory=lambda: np.zeros((0, 0)))
    spread: Array = field(default_factory=lambda: np.zeros((0, 0)))
    closed: tuple[Closed, ...] = ()
    given: tuple[Conditional, ...] = ()
    # A bound on the errors of the correlations that A represents.
    defect: float = 0.0
    # Under the radial map s ↦ s e^{−κ/s²}, which spreads the surroundings of the origin over all scales.
    radial: bool = False

    def __call__(self, x: Array) -> Array:
        """F at the columns of x (r, N); under the radial map times its Jacobian and the ratio of the densities."""
        if self.radial:
            y, factor = drawn_in(x)
            # This close to the origin the weight is negligible, and quotients by a norm would be 0/0.
            dead = factor < 1e-60
            value = replace(self, radial=False)(np.where(dead, 1.0, y))
            return np.where(dead, 0.0, value * factor)
        return self.of_forms(self.root @ x + self.shift[:, None] if len(self.forms) else np.zeros((0, x.shape[1])), x)

    def of_forms(self, forms: Array, x: Array) -> Array:
        """F from the values of its forms at x, which may be more accurate than those computed from x."""
        value = _compiled(self.factors, self.forms, self.scalars)(*forms, *self.values)
        out = np.broadcast_to(np.asarray(value, float), x.shape[1:])
        if self.powers:
            out = out * self.polynomial(x)
        for c in self.closed:
            out = out * c.g(c.a @ x + c.b, c.s)
        for h in self.given:
            out = out * h.value(self, x)
        return out

    def sizes(self, x: Array) -> Array:
        """The size that the rounding of F at x is relative to; factors in closed form may be sums that cancel."""
        with np.errstate(all="ignore"):
            out = np.abs(replace(self, radial=False, closed=())(x))
            for c in self.closed:
                at = c.a @ x + c.b
                out = out * np.abs(c.g.size(at, c.s) if isinstance(c.g, Smoothing) else c.g(at, c.s))
        return np.nan_to_num(out, posinf=0.0)

    def on_surface(self, surface: Surface) -> Callable[[Array], Array]:
        """The function whose zeros are the surface."""
        f = lambdify((surface.at,), (*self.forms, *self.scalars))
        return lambda x: np.asarray(f(*(self.root @ x + self.shift[:, None]), *self.values)[0]) + np.zeros(x.shape[1:])

    def polynomial(self, x: Array, known: int | None = None) -> Array:
        """E of the polynomial factors given x, in closed form, if only the first `known` coordinates matter."""
        if not self.powers:
            return np.ones(())
        means = self.mean[:, None] + self.gain[:, :known] @ x
        return moments(self.powers, self.spread)(list(means))


@lru_cache(maxsize=4096)
def _compiled(factors: tuple[Expr, ...], forms: tuple[Sym, ...], scalars: tuple[Sym, ...]) -> Callable[..., Array]:
    return extended_range.compiled(mul(*factors) if factors else ONE, (*forms, *scalars))


def drawn_in(x: Array) -> tuple[Array, Array]:
    """(y, φ(y)/φ(x) · |dy/dx|) for y = x e^{−κ/|x|²}, whose Jacobian is shrinkᵈ (1 + 2κ/|x|²)."""
    length2 = np.maximum((x * x).sum(axis=0), 1e-12)
    shrink = np.exp(-_KAPPA / length2)
    factor = np.exp(0.5 * length2 * (1 - shrink * shrink)) * shrink ** len(x) * (1 + 2 * _KAPPA / length2)
    return x * shrink, factor


def value_of(e: Expr, env: Values) -> float:
    return float(e.value) if isinstance(e, Const) else evaluate(e, env)


def build(shape: Shape, state: State, env: Values, last: Sym | None = None, trust: Trust = Trust.EXACT) -> Integrand:
    """The integrand of a shape under a law, in as many variables as its affine arguments have rank.

    The form `last` gets its variable after all others.
    """
    forms = shape.form_symbols
    rows = np.zeros((len(forms), len(state.symbols)))
    for i, (_, items) in enumerate(shape.forms):
        rows[i] = state.vector([(s, value_of(c, env)) for s, c in items])
    c = rows @ state.covariance @ rows.T
    final = None if last is None else forms.index(last)
    sizes = rows**2 @ state.variances
    if max(len(forms), len(state.symbols)) <= rational.MOST and _cancels(c, sizes):
        # The law is rounded, but relative to it the forms are computed exactly, so that even tiny variances are kept.
        used = np.flatnonzero(rows.any(axis=0))
        root, pivots = rational.root_of_forms(rows[:, used], _root_of_law(state, used, trust), final)
    else:
        root, pivots = pivoted_root((c + c.T) / 2, RANK * len(state.symbols) * sizes, final, trust)
        terms = np.abs(state.covariance)
        if not np.array_equal(np.diag(state.covariance), state.variances):
            # A conditional covariance has the rounding errors of the law before conditioning.
            terms = terms + np.sqrt(np.outer(state.variances, state.variances))
        root = _without_rounding(root, pivots, np.abs(rows) @ terms @ np.abs(rows).T)
    shift = rows @ state.mean
    rank = root.shape[1]
    scalars = shape.scalars
    values = tuple(float(env[s]) for s in scalars)
    out = Integrand(rank, shape.factors, forms, root, shift, scalars, values, [], [])
    if shape.polynomial:
        index = [state.symbols.index(s) for s, _ in shape.polynomial]
        out.powers = tuple(k for _, k in shape.polynomial)
        out.mean = state.mean[index]
        cross = state.covariance[index] @ rows[pivots].T if rank else np.zeros((len(index), 0))
        triangle = root[pivots]
        gain = np.linalg.solve(triangle, cross.T).T if rank else cross
        # A coefficient at rounding level would assign the polynomial to a later level than it belongs to.
        out.gain = np.where(np.abs(gain) <= 1e-14 * np.abs(gain).max(axis=1, keepdims=True, initial=0.0), 0.0, gain)
        out.spread = state.covariance[np.ix_(index, index)] - out.gain @ out.gain.T
    for b in shape.breaks:
        removable = b.kind == "singular" and is_removable(shape.factors, shape.forms, b.at)
        note_break(out, replace(b, kind="removable") if removable else b, env)
    return out


def _without_rounding(root: Array, pivots: list[int], sizes: Array) -> Array:
    """The root without entries at rounding level, which would make one level depend on another.

    An entry is (c − the part of c explained by earlier columns)/(a diagonal entry), where c is a sum of terms whose
    absolute values add up to `sizes`. It is set to zero where these terms cancel to their rounding error, and kept
    otherwise, however small it is.
    """
    explained = np.zeros_like(sizes)
    out = root.copy()
    for k, p in enumerate(pivots):
        terms = sizes[:, p] + explained[:, p]
        out[:, k] = np.where(np.abs(root[:, k]) * abs(root[p, k]) <= 2e-16 * terms, 0.0, root[:, k])
        explained += np.abs(np.outer(root[:, k], root[:, k]))
    return out


def _root_of_law(state: State, used: Array, trust: Trust) -> Array:
    """A with A A' the covariance of the variables used, accurate relative to the variance of each.

    Conditional variances are kept, however small they are, unless the numbers are rounded.
    """
    c, variances = state.covariance[np.ix_(used, used)], state.variances[used]
    if trust is Trust.ROUNDED:
        return pivoted_root((c + c.T) / 2, RANK * len(c) * variances, None, trust)[0]
    uncertain = trust is Trust.UNCERTAIN
    return rational.root_of(rational.fractions(c), rational.NOTHING * variances, None, uncertain)[0]


def _cancels(c: Array, sizes: Array) -> bool:
    """Whether a form, or one form given the others, has a much smaller variance than its terms."""
    return bool((np.diag(c) < _CANCELLED * sizes).any()) or len(c) > 1 and rational.is_degenerate(c)


def without_form(f: Integrand, shape: Shape, s: Sym, env: Values, given: Conditional) -> Integrand:
    """The integrand without its last variable, on which only the form s depends; `given` replaces its factors."""
    keep = [j for j, form in enumerate(f.forms) if form is not s]
    out = replace(
        f,
        rank=f.rank - 1,
        factors=tuple(g for g in f.factors if s not in g.free),
        forms=tuple(f.forms[j] for j in keep),
        root=f.root[keep, :-1],
        shift=f.shift[keep],
        planes=[],
        surfaces=[],
        gain=f.gain[:, :-1],
        given=(given,),
    )
    for b in shape.breaks:
        if s not in b.at.free:
            note_break(out, b, env)
    return out


def note_break(out: Integrand, b: Break, env: Values) -> None:
    """Add a break to the integrand: a plane where it is affine in the forms, otherwise a surface."""
    if isinstance(b.at, Sym):
        i = out.forms.index(b.at)
        out.planes.append(Plane(b.kind, out.root[i], float(out.shift[i]), 1.0 if b.kind == "soft" else 0.0))
        return
    parts = affine(b.at, frozenset(out.forms))
    if parts is None:
        # Soft breaks that are not affine are treated as features instead.
        if b.kind != "soft":
            out.surfaces.append(Surface(b.kind, b.at))
        return
    linear, constant = parts
    weights = np.array([value_of(linear[s], env) if s in linear else 0.0 for s in out.forms])
    out.planes.append(
        Plane(
            b.kind,
            weights @ out.root,
            float(weights @ out.shift) + value_of(constant, env),
            1.0 if b.kind == "soft" else 0.0,
        )
    )

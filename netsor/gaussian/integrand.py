"""The integrand that is left after elimination: F(x) of standard normals x₁ … x_r, with the planes where it breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from netsor.expr import ONE, Const, Expr, Sym, evaluate, mul
from netsor.expr.arrays import lambdify
from netsor.gaussian.shape import Break, Shape, affine
from netsor.gaussian.state import RANK, State, moments, pivoted_root

Array = np.ndarray


@dataclass(frozen=True)
class Plane:
    """{x : a·x + b = 0}, where something of `kind` happens over the width `soft` (0: at once)."""

    kind: str
    a: Array
    b: float
    soft: float = 0.0


@dataclass(frozen=True)
class Surface:
    """{x : f(x) = 0} for an argument that is not affine."""

    kind: str
    f: Callable[[Array], Array]


@dataclass
class Integrand:
    """F(x) = poly(x) Π factors(shift + A x) with x ~ N(0, 1_r)."""

    rank: int
    factors: tuple[Expr, ...]
    forms: tuple[Sym, ...]
    root: Array
    shift: Array
    scalars: tuple[Sym, ...]
    values: tuple[float, ...]
    planes: list[Plane]
    surfaces: list[Surface]
    # Polynomial factors: their conditional means are mean + gain·x, their conditional covariance is `spread`.
    powers: tuple[int, ...] = ()
    mean: Array = field(default_factory=lambda: np.zeros(0))
    gain: Array = field(default_factory=lambda: np.zeros((0, 0)))
    spread: Array = field(default_factory=lambda: np.zeros((0, 0)))

    def compiled(self, factors: tuple[Expr, ...]) -> Callable[..., tuple]:
        return lambdify((mul(*factors) if factors else ONE,), (*self.forms, *self.scalars))

    def __call__(self, x: Array) -> Array:
        """F at the columns of x (r, N)."""
        forms = self.root @ x + self.shift[:, None] if len(self.forms) else np.zeros((0, x.shape[1]))
        (value,) = self.compiled(self.factors)(*forms, *self.values)
        out = np.broadcast_to(np.asarray(value, float), x.shape[1:])
        if self.powers:
            out = out * self.polynomial(x)
        return out

    def polynomial(self, x: Array) -> Array:
        """E of the polynomial factors given x, in closed form."""
        if not self.powers:
            return np.ones(())
        means = self.mean[:, None] + self.gain @ x
        return moments(self.powers, self.spread)(list(means))


def value_of(e: Expr, env: Mapping[Sym, float]) -> float:
    return float(e.value) if isinstance(e, Const) else evaluate(e, env)


def build(
    shape: Shape, state: State, env: Mapping[Sym, float], first: tuple[Sym, ...] = (), slack: float = 0.0
) -> Integrand:
    """The integrand of a shape under a law, over as many variables as its affine arguments have rank.

    `first` are the forms to be eliminated last (their variables come first).
    """
    forms = shape.form_symbols
    rows = np.zeros((len(forms), len(state.symbols)))
    for i, (_, items) in enumerate(shape.forms):
        rows[i] = state.vector([(s, value_of(c, env)) for s, c in items])
    c = rows @ state.covariance @ rows.T
    floor = RANK * len(state.symbols) * (rows**2 @ state.variances)
    order = [forms.index(s) for s in first]
    root, pivots = pivoted_root((c + c.T) / 2, floor, order, slack)
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
        out.gain = np.linalg.solve(triangle, cross.T).T if rank else cross
        out.spread = state.covariance[np.ix_(index, index)] - out.gain @ out.gain.T
    for b in shape.breaks:
        _note(out, b, env)
    return out


def _note(out: Integrand, b: Break, env: Mapping[Sym, float]) -> None:
    if isinstance(b.at, Sym):
        i = out.forms.index(b.at)
        out.planes.append(Plane(b.kind, out.root[i], float(out.shift[i]), 1.0 if b.kind == "soft" else 0.0))
        return
    parts = affine(b.at, frozenset(out.forms))
    if parts is None:
        if b.kind != "soft":
            f = lambdify((b.at,), (*out.forms, *out.scalars))

            def at(x: Array) -> Array:
                x = np.atleast_2d(x)
                return np.asarray(f(*(out.root @ x + out.shift[:, None]), *out.values)[0])

            out.surfaces.append(Surface(b.kind, at))
        return
    linear, constant = parts
    weights = np.array([value_of(linear[s], env) if s in linear else 0.0 for s in out.forms])
    out.planes.append(
        Plane(
            b.kind, weights @ out.root, float(weights @ out.shift) + value_of(constant, env),
            1.0 if b.kind == "soft" else 0.0,
        )
    )

"""Where smooth functions turn within less than a standard deviation, off the planes: ridges, edges and wells.

tanh(30 sin u) turns where its argument vanishes, within 1/|slope|; exp(−1000 (x − y²)²) has its ridge where the
exponent has no slope, within 1/√|its second derivative|; 1/(ε + b²) its well where the base has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from netsor.expr import Call, Const, Expr, Pow, Sym, diff, is_singular, postorder
from netsor.expr.arrays import lambdify
from netsor.gaussian.integrand import Integrand
from netsor.gaussian.roots import roots_along, roots_of_degree
from netsor.gaussian.shape import affine, degree_in, is_positive

Array = np.ndarray
_STEP = 1e-5
_STEEP, _STEEPEST = 1.5, 1e9
# An exponential has died away at 54 widths (at 18 it has 1e-8 left, over a width that no panel beyond would see).
EDGES = (-54.0, -18.0, -6.0, -2.0, 0.0, 2.0, 6.0, 18.0, 54.0)
_EPS = 2.0**-52


@dataclass(frozen=True)
class Turn:
    """`edge`: of a function of `at` around its zeros; `peak` of exp(at), `well` of a negative power of `at`."""

    kind: str
    at: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    # The degree of `at` in the newest coordinate, where it is a polynomial of degree ≤ 2.
    degree: int | None = None

    def places(self, x: Array, reach: float, points: int = 64, most: int = 200) -> tuple[Array, Array, Array]:
        """(where, width, whether it is narrow), each (N, J), along the next coordinate for each column of x."""
        f = self.at if self.kind == "edge" else self.slope
        if self.degree is None:
            root = roots_along(f, x, reach, points, most)
        else:
            root = roots_of_degree(self.degree - (self.kind != "edge"), f, x, reach)
        n, m = root.shape
        there = np.concatenate([np.repeat(x, m, axis=1), root.reshape(1, -1)])
        with np.errstate(all="ignore"):
            steepness = self.steepness(there).reshape(n, m)
            width = 1 / steepness
        return root, width, (root < reach) & (steepness > _STEEP) & (steepness < _STEEPEST)

    def cuts(self, x: Array, reach: float) -> Array:
        """Panel ends (N, J) along the next coordinate that resolve the turn, for each column of x."""
        root, width, narrow = self.places(x, reach)
        shape = (len(root), root.shape[1] * len(EDGES))
        ends = root[:, :, None] + np.where(narrow, width, 0.0)[:, :, None] * np.array(EDGES)
        return np.clip(np.where(narrow[:, :, None], ends, reach), -reach, reach).reshape(shape)

    def steepness(self, x: Array) -> Array:
        """One over the width of the turn, at places x where there is one; elsewhere the same with the slopes there."""
        step = np.zeros((len(x), 1))
        step[-1] = _STEP
        if self.kind == "edge":
            return np.abs(self.slope(x))
        bend = np.abs(self.slope(x + step) - self.slope(x - step)) / (2 * _STEP)
        return np.sqrt(bend if self.kind == "peak" else bend / np.abs(self.at(x)))

    def on_the_line(self, f: Callable[[Array], Array], reach: float, points: int, most: int) -> tuple[Array, float]:
        """Of one variable: (panel ends, what the rounding of the argument of f moves there).

        The argument of a narrow turn is rounded like its place, which moves exponentials and poles by as much as they
        are high.
        """
        root, width, narrow = (v[0] for v in self.places(np.zeros((0, 1)), reach, points, most))
        at, width = root[narrow], width[narrow]
        with np.errstate(all="ignore"):
            height = np.max([np.abs(f((at + w * width)[None])) for w in (-1, 0, 1)], axis=0)
            moved = _EPS * (1 + np.abs(at)) * np.nan_to_num(height, posinf=0.0) * np.exp(-0.5 * at * at)
        return (at[:, None] + width[:, None] * np.array(EDGES)).ravel(), float(moved.sum())


def steepest(f: Integrand) -> float:
    """How steep the turns of an integrand are at most, from a few places: what is far above 1 may be overlooked."""
    worst = 0.0
    places = np.random.default_rng(11).standard_normal((f.rank, 256))
    for k in range(f.rank):
        for turn in turns_of(f, k):
            with np.errstate(all="ignore"):
                found = turn.steepness(places[: k + 1])
            worst = max(worst, float(np.nan_to_num(found, posinf=0.0).max(initial=0.0)))
    return worst


@lru_cache(maxsize=4096)
def peaks_of(factor: Expr, forms: frozenset[Sym]) -> tuple[tuple[str, Expr], ...]:
    """(kind, argument) of the exponentials and negative powers in a factor whose arguments are not affine."""
    out: dict[tuple[str, Expr], None] = {}
    for node in postorder(factor):
        if not node.free & forms:
            continue
        if isinstance(node, Call) and node.fn == "exp" and affine(node.children[0], forms) is None:
            out["peak", node.children[0]] = None
        elif (
            isinstance(node, Pow)
            and isinstance(node.exponent, Const)
            and node.exponent.value < 0
            and is_positive(node.base)
            and affine(node.base, forms) is None
        ):
            out["well", node.base] = None
    return tuple(out)


def turns_of(f: Integrand, k: int) -> list[Turn]:
    """The turns of an integrand whose newest coordinate is the k-th."""
    known = frozenset(f.forms)
    found = [("edge", s.at) for s in f.bends]
    for g in f.factors:
        found += peaks_of(g, known)
    out = []
    for kind, at in dict.fromkeys(found):
        if not at.free <= {*f.forms, *f.scalars}:
            # A turn in a variable that is integrated in closed form needs no panels.
            continue
        used = tuple(i for i, s in enumerate(f.forms) if s in at.free)
        rows = f.root[list(used)]
        nothing = 1e-15 * np.abs(rows).max(initial=0.0)
        if not used or np.abs(rows[:, k]).max() <= nothing or np.abs(rows[:, k + 1 :]).max(initial=0.0) > nothing:
            continue
        slopes = _slopes(at, tuple(f.forms[i] for i in used))
        if slopes is None:
            continue
        newest = frozenset(f.forms[i] for i, row in zip(used, rows) if abs(row[k]) > nothing)
        degree = degree_in(at, newest)
        out.append(Turn(kind, _function(f, (at,), np.ones(1)), _function(f, slopes, rows[:, k]), degree))
    return out


@lru_cache(maxsize=4096)
def _slopes(at: Expr, forms: tuple[Sym, ...]) -> tuple[Expr, ...] | None:
    out = tuple(diff(at, s) for s in forms)
    return None if any(map(is_singular, out)) else out


def _function(f: Integrand, parts: tuple[Expr, ...], weights: Array) -> Callable[[Array], Array]:
    """x ↦ Σ weight · part, of as many coordinates as there are."""
    run = lambdify(parts, (*f.forms, *f.scalars))

    def at(x: Array) -> Array:
        values = run(*(f.root[:, : len(x)] @ x + f.shift[:, None]), *f.values)
        return sum((w * v for w, v in zip(weights, values, strict=True)), np.zeros(x.shape[1]))

    return at

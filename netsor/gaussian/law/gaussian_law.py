"""A Gaussian law in numbers, and how exponential factors and Dirac masses change it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from netsor.expr import Sym
from netsor.gaussian.law import rational
from netsor.gaussian.problem import NoPointwiseMeaning, NotDefinite, Trust, Unsettled

Array = np.ndarray
# A conditional variance below this share of the variance counts as rounding error.
RANK = 4e-15
# Binary exponents of coefficients whose squares, times a variance, are in range.
_SQUARABLE = 300


class Narrowed(NamedTuple):
    """Σ', Q(1 + ΣQ)⁻¹, the eigenvalues of 1 + L'QL, and x ↦ (1 + ΣQ)⁻¹x."""

    covariance: Array
    gain: Array
    spectrum: Array
    moved: Callable[[Array], Array]


@dataclass(frozen=True)
class State:
    """z ~ N(mean, covariance) over `symbols`; rounding is relative to the `variances` before conditioning."""

    symbols: tuple[Sym, ...]
    mean: Array
    covariance: Array
    variances: Array

    @classmethod
    def centred(cls, symbols: Sequence[Sym], covariance: Array) -> State:
        return cls(tuple(symbols), np.zeros(len(symbols)), covariance, np.diag(covariance).copy())

    def independent(self, a: Sym, b: Sym) -> bool:
        """Whether two different variables have the covariance 0."""
        return bool(self.covariance[self.symbols.index(a), self.symbols.index(b)] == 0)

    def vector(self, linear: Sequence[tuple[Sym, float]]) -> Array:
        a = np.zeros(len(self.symbols))
        for s, c in linear:
            a[self.symbols.index(s)] += c
        return a

    def tilted(self, b: Array, constant: float = 0.0) -> tuple[float, State]:
        """(log c, law') with E e^{b·z + constant} F(z) = c E' F(z): the mean moves by Σ b."""
        move = self.covariance @ b
        log = constant + float(b @ self.mean) + 0.5 * float(b @ move)
        return log, replace(self, mean=self.mean + move)

    def tilted_by_quadratic(self, q: Array, b: Array, constant: float) -> tuple[float, State, float]:
        """(log c, law', loss) with E e^{−z'Qz/2 + b·z + constant} F = c E' F; NotDefinite unless 1 + L'QL is positive.

        Where 1 + L'QL has small eigenvalues, the rounding errors of L'QL are magnified, by `loss` in units of EPS.
        """
        used = np.flatnonzero(np.abs(q).sum(axis=0))
        if not len(used):
            return *self.tilted(b, constant), 0.0
        reduced, _, spectrum, _ = self._narrowed(q, used)
        log = (
            constant
            + float(b @ self.mean)
            - 0.5 * float(self.mean @ q @ self.mean)
            - 0.5 * float(np.log(spectrum).sum())
        )
        slope = b - q @ self.mean
        more, state = replace(self, covariance=reduced).tilted(slope)
        # The exponent about the mean contains b·mean once, and `tilted` added it a second time.
        spread = float((np.abs(spectrum - 1) / spectrum).sum())
        # The law that is left has rounding errors like the factor in front of it, and its mean has them too.
        loss = 4 * spread * (1 + float(slope @ state.covariance @ slope))
        return log + more - float(slope @ self.mean), state, loss if spectrum.min() < 1 else 0.0

    def _narrowed(self, q: Array, used: Array) -> Narrowed:
        """The law under e^{−z'Qz/2}, with Q acting on `used`.

        There is no cancellation, however large a positive Q is: with Q = K'K and the singular values s of KL, the
        variance along each singular direction is multiplied by 1/(1 + s²).
        """
        inner = q[np.ix_(used, used)]
        part = self.covariance[np.ix_(used, used)]
        values, vectors = np.linalg.eigh(part)
        root = vectors * np.sqrt(np.maximum(values, 0))
        weights, axes = np.linalg.eigh(inner)
        top = float(np.abs(weights).max())
        if weights[0] < -1e-12 * top:
            return self._narrowed_by_an_indefinite_form(inner, used, root)
        keep = weights > 1e-14 * top
        k = np.sqrt(weights[keep])[:, None] * axes[:, keep].T
        u, s, w = np.linalg.svd(k @ root)
        left = np.ones(len(used))
        left[: len(s)] = 1 / (1 + s * s)
        # Σ_{·,used} = C L' relates the other variables of the law to those used.
        rows = self.covariance[:, used]
        solid = values > 1e-14 * max(float(values[-1]), 0.0)
        c = (rows @ (vectors * np.where(solid, 1 / np.sqrt(np.where(solid, values, 1.0)), 0.0))) @ w.T
        narrow = root @ w.T
        reduced = self.covariance - (c * (1 - left)) @ c.T
        across = (c * left) @ narrow.T
        reduced[:, used] = across
        reduced[used, :] = across.T
        reduced[np.ix_(used, used)] = (narrow * left) @ narrow.T
        shrink = np.ones(len(k))
        shrink[: len(s)] = left[: len(s)]
        gain = k.T @ ((u * shrink) @ u.T) @ k
        m = min(len(s), len(k))
        pull = (narrow[:, :m] * (s[:m] * left[:m])) @ u[:, :m].T
        return Narrowed(reduced, (gain + gain.T) / 2, 1 / left, lambda off: off - pull @ (k @ off))

    def _narrowed_by_an_indefinite_form(self, q: Array, used: Array, root: Array) -> Narrowed:
        part = self.covariance[np.ix_(used, used)]
        inner = np.eye(len(used)) + root.T @ q @ root
        spectrum = np.linalg.eigvalsh(inner)
        if spectrum.min() <= 1e-12:
            raise NotDefinite("an exponential of a square grows about as fast as the Gaussian density falls")
        # Σ' = Σ (1 + QΣ)⁻¹ where Q acts, without cancellation, and Σ − Σ Q (1 + ΣQ)⁻¹ Σ elsewhere.
        gain = q @ np.linalg.inv(np.eye(len(used)) + part @ q)
        rows = self.covariance[:, used]
        reduced = self.covariance - rows @ ((gain + gain.T) / 2) @ rows.T
        across = rows @ np.linalg.inv(np.eye(len(used)) + q @ part)
        reduced[:, used] = across
        reduced[used, :] = across.T
        reduced[np.ix_(used, used)] = root @ np.linalg.solve(inner, root.T)
        shrink = np.eye(len(used)) + part @ q
        return Narrowed(reduced, (gain + gain.T) / 2, spectrum, lambda off: np.linalg.solve(shrink, off))

    def tilted_about(self, q: Array, centre: Array, constant: float) -> tuple[float, State]:
        """(log c, law') with E e^{−(z−m)'Q(z−m)/2 + constant} F = c E' F, where m is the centre.

        There is no cancellation however large Q is, as there would be in an expansion in powers of z about another
        point.
        """
        used = np.flatnonzero(np.abs(q).sum(axis=0))
        reduced, gain, spectrum, moved = self._narrowed(q, used)
        off = (self.mean - centre)[used]
        log = constant - 0.5 * float(off @ gain @ off) - 0.5 * float(np.log(spectrum).sum())
        mean = self.mean - self.covariance[:, used] @ gain @ off
        mean[used] = centre[used] + moved(off)
        return log, replace(self, mean=mean, covariance=reduced)

    def on(self, a: Array, c: float) -> tuple[float, float, Array, State]:
        """(density of u = a·z + c at 0, −E[u]/Var u, Σa/Var u, the law given u = 0)."""
        _, exponent = math.frexp(float(np.abs(a).max(initial=0.0)))
        if abs(exponent) > _SQUARABLE:
            # u/2^k has the same zeros, and its variance is in range.
            density, shift, gain, state = self.on(np.ldexp(a, -exponent), math.ldexp(c, -exponent))
            return math.ldexp(density, -exponent), math.ldexp(shift, -exponent), np.ldexp(gain, -exponent), state
        cross = self.covariance @ a
        variance = float(a @ cross)
        sizes = float(np.abs(a) @ np.abs(self.covariance) @ np.abs(a))
        small = len(a) <= rational.MOST
        if small and (variance < 1e-2 * sizes or rational.is_degenerate(self.covariance)):
            variance, cross, left = rational.conditioned(self.covariance, a)
        else:
            left = self.covariance - np.outer(cross / variance, cross) if variance > 0 else self.covariance
        at = float(a @ self.mean) + c
        if variance <= (rational.NOTHING if small else RANK) * float(np.abs(a) ** 2 @ self.variances) * len(a):
            if abs(at) > 1e-12 * (abs(c) + math.sqrt(float(np.abs(a) ** 2 @ self.variances)) + 1e-300):
                return 0.0, 0.0, cross, self
            raise NoPointwiseMeaning("a Dirac mass at a variable that is constant")
        s = math.sqrt(variance)
        density = math.exp(-0.5 * (at / s) ** 2) / (s * math.sqrt(2 * math.pi))
        gain = cross / variance
        return density, -at / variance, gain, replace(self, mean=self.mean - gain * at, covariance=left)


def pivoted_root(
    c: Array, floor: Array, last: int | None = None, trust: Trust = Trust.EXACT
) -> tuple[Array, list[int]]:
    """(A, pivots) with A A' = C up to rounding, by pivoted Cholesky with the largest remaining variance first.

    Variables with a remaining variance below `floor` are taken as functions of the pivots; `last` becomes a pivot only
    when no other variable is left.
    """
    n = len(c)
    if n == 1:
        if c[0, 0] > floor[0]:
            return np.sqrt(c), [0]
        return np.zeros((1, 0)), []
    left = c.astype(float).copy()
    columns: list[Array] = []
    pivots: list[int] = []
    for _ in range(n):
        diagonal = np.diag(left).copy()
        diagonal[pivots] = 0.0
        alive = diagonal > floor
        if trust is Trust.EXACT and (diagonal < -8 * floor).any():
            raise Unsettled("the covariance is indefinite beyond rounding")
        if not alive.any():
            break
        part = np.where(alive, diagonal / np.maximum(np.diag(c), 1e-300), -1.0)
        if last is not None and alive.sum() > 1:
            part[last] = -1.0
        p = int(np.argmax(part))
        column = left[:, p] / math.sqrt(diagonal[p])
        column[pivots] = 0.0
        columns.append(column)
        pivots.append(p)
        left -= np.outer(column, column)
        if n == 2 and len(pivots) == 1 and left[1 - p, 1 - p] < 0.5 * c[1 - p, 1 - p]:
            left[1 - p, 1 - p] = _conditional_variance(float(c[p, p]), float(c[1 - p, 1 - p]), float(c[0, 1]))
    return (np.stack(columns, axis=1) if columns else np.zeros((n, 0))), pivots


def _conditional_variance(a: float, b: float, c: float) -> float:
    """b − c²/a without cancellation, in rational arithmetic."""
    (p, q, r), *_ = rational.fractions(np.array([a, b, c]))
    return rational.rounded(q - r * r / p)


def moments(powers: Sequence[int], covariance: Array) -> Callable[[Sequence[Any]], Array]:
    """μ ↦ E Π (μ_i + e_i)^{k_i} for centred Gaussian e, by E[e_i F] = Σ_j S_ij E ∂_j F."""

    def at(mean: Sequence[Any]) -> Array:
        known: dict[tuple[int, ...], Array] = {}

        def moment(k: tuple[int, ...]) -> Array:
            if k in known:
                return known[k]
            i = next((i for i, x in enumerate(k) if x), None)
            if i is None:
                return 1.0  # type: ignore[return-value]
            rest = tuple(x - (j == i) for j, x in enumerate(k))
            out = mean[i] * moment(rest)
            for j, x in enumerate(rest):
                if x and covariance[i, j] != 0:
                    out = out + covariance[i, j] * x * moment(tuple(y - (m == j) for m, y in enumerate(rest)))
            known[k] = out
            return out

        # Overflow gives infinities and NaN, which the caller recognises.
        with np.errstate(over="ignore", invalid="ignore"):
            return moment(tuple(powers))

    return at

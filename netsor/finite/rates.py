"""Rates at which finite widths approach a limit, for bias and spread, and a verdict (cf. the Master Theorem, Theorem
B.4).

The spread of a MOMENT over draws is of order n^{-1/2}; its bias is of order 1/n, or n^{-1/2} once a scalar 1/√n enters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from netsor.averages import mean as mean_of
from netsor.finite.streams import Array

Verdict = Literal["agrees", "disagrees", "not enough seeds", "widths too small", "no limit known"]

# The deviation, in standard errors, beyond which a limit is rejected. Gaussian means exceed four with probability 6e-5,
# so that a study with a few dozen outputs raises no false alarm; `_threshold` converts it to Student's t.
THRESHOLD = 4.0
# The largest total error, relative to the size of what is measured, with which agreement means something.
RESOLUTION = 0.05
# A limit below this share of the spread counts as zero, and the spread serves as its scale.
NEGLIGIBLE = 1e-6


# Draws may all be alike because each of them met the same event, as where every unit of a narrow layer is dead. An
# event of probability one half meets so many with the probability that `THRESHOLD` stands for.
_ALIKE = 15


@dataclass(frozen=True)
class Rate:
    """A fitted exponent of n and its standard error (None where there is no fit), and the exponent of the theory."""

    value: float | None
    error: float | None
    expected: float


@dataclass(frozen=True)
class Convergence:
    """One output: for each width the number of draws, their mean, standard error and spread, and the limit with its
    error.

    `extrapolated` is the value at n = ∞ fitted to the means, with its standard error; `deviation` is its distance from
    the limit in standard errors.
    """

    output: str
    limit: float | None
    limit_error: float | None
    widths: tuple[int, ...]
    seeds: tuple[int, ...]
    mean: tuple[float, ...]
    stderr: tuple[float | None, ...]
    spread: tuple[float | None, ...]
    bias_rate: Rate
    spread_rate: Rate
    extrapolated: float | None
    extrapolated_error: float | None
    deviation: float | None
    verdict: Verdict
    values: dict[int, Array] = field(default_factory=dict, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain numbers for JSON, None for those that do not exist."""
        rows = zip(self.widths, self.seeds, self.mean, self.stderr, self.spread, strict=True)
        return {
            "limit": {"value": self.limit, "error": self.limit_error},
            "finite": [dict(zip(("width", "seeds", "mean", "stderr", "spread"), row, strict=True)) for row in rows],
            "bias": vars(self.bias_rate),
            "spread": vars(self.spread_rate),
            "extrapolated": {"value": self.extrapolated, "error": self.extrapolated_error},
            "deviation": self.deviation,
            "verdict": self.verdict,
        }

    def times_power(
        self, k: int, values: dict[int, Array], limit: float | None, limit_error: float | None
    ) -> Convergence:
        """The same study of 2^k times the values."""

        def scaled(x: float | None) -> float | None:
            with np.errstate(over="ignore"):
                found = math.nan if x is None else float(np.ldexp(x, k))
            return found if math.isfinite(found) else None

        return replace(
            self, limit=limit, limit_error=limit_error, values=values,
            mean=tuple(float(mean_of(values[w])) for w in self.widths),
            stderr=tuple(map(scaled, self.stderr)), spread=tuple(map(scaled, self.spread)),
            extrapolated=scaled(self.extrapolated), extrapolated_error=scaled(self.extrapolated_error),
        )  # fmt: skip


# Numbers of which sums and products of four are in range, by the power of two.
_IN_RANGE = 240


def _power(several: Sequence[Array | Sequence[float]]) -> int:
    """A power of two near the largest of these, if sums and powers of them may leave the floats; else 0."""
    size = max((float(np.max(np.abs(v))) for v in several if len(v)), default=0.0)
    k = math.frexp(size)[1] if math.isfinite(size) else 0
    return k if abs(k) > _IN_RANGE else 0


def study_output(
    output: str,
    values: dict[int, Array],
    limit: float | None,
    limit_error: float | None,
    expected_bias: float,
    decay: Mapping[int, float] | None = None,
) -> Convergence:
    """Rates and verdict of one output from its values (K,) at each width.

    `decay` gives, at each width, the distance from its limit of the slowest function of n in the program, such as 1/log
    n.
    """
    k = _power([*values.values(), [limit or 0.0, limit_error or 0.0]])
    if k:
        scaled = {w: np.ldexp(v, -k) for w, v in values.items()}
        value, error = (None if x is None else math.ldexp(x, -k) for x in (limit, limit_error))
        study = study_output(output, scaled, value, error, expected_bias, decay)
        return study.times_power(k, values, limit, limit_error)
    widths = tuple(sorted(w for w, v in values.items() if len(v)))
    seeds = tuple(len(values[w]) for w in widths)
    mean = np.array([float(np.mean(values[w])) for w in widths])
    # `_spread` is zero where the values differ by rounding only.
    spread = np.array([_spread(values[w]) for w in widths])
    stderr = spread / np.sqrt(np.maximum(seeds, 1))
    n = np.array(widths, float)
    counts = np.array(seeds)
    spread_rate = _spread_rate(n, spread, counts)
    bias_rate = Rate(None, None, expected_bias)
    extrapolated = error = deviation = None
    usable = counts > 1
    verdict: Verdict = "not enough seeds"
    freedom = 1.0
    falling = n**expected_bias
    if decay and len(widths) > 1:
        found = np.array([decay[w] for w in widths])
        if found[-1] / found[0] > falling[-1] / falling[0]:
            falling = found
    if usable.any():
        extrapolated, error, freedom = _extrapolate(falling[usable], mean[usable], stderr[usable], counts[usable])
    if limit is None:
        verdict = "no limit known"
    elif extrapolated is not None and error is not None:
        bias_rate = _bias_rate(n[usable], mean[usable] - limit, stderr[usable], limit_error or 0.0, expected_bias)
        size, widest_spread = max(abs(limit), abs(extrapolated)), float(np.max(spread[usable]))
        total = float(np.hypot(error, limit_error or 0.0)) + 1e-12 * max(size, widest_spread)
        # The error must be small relative to the limit itself unless the limit is zero: relative to a heavy-tailed
        # spread, any limit would agree.
        is_zero = abs(limit) <= max(limit_error or 0.0, NEGLIGIBLE * widest_spread)
        scale = max(size, widest_spread) if is_zero else size
        deviation = (extrapolated - limit) / total if total else 0.0
        if abs(deviation) > _threshold(freedom):
            moving = _is_moving_to(limit, mean[usable], stderr[usable])
            alike = widest_spread == 0 and int(counts.sum()) < _ALIKE
            verdict = "not enough seeds" if alike else "widths too small" if moving else "disagrees"
        elif total <= RESOLUTION * scale or scale == 0.0:
            verdict = "agrees"
    return Convergence(
        output, limit, limit_error, widths, seeds, tuple(mean.tolist()), tuple(_or_none(stderr, counts)),
        tuple(_or_none(spread, counts)), bias_rate, spread_rate, extrapolated, error, deviation, verdict, values,
    )  # fmt: skip


def _spread(values: Array) -> float:
    if len(values) < 2:
        return 0.0
    size = float(np.max(np.abs(values)))
    # Divided by the largest value, since squares may overflow or underflow.
    s = float(np.std(values / size, ddof=1)) if size else 0.0
    return 0.0 if s <= 1e-13 else s * size


def _or_none(values: Array, counts: Array) -> list[float | None]:
    return [float(x) if k > 1 else None for x, k in zip(values, counts, strict=True)]


def _line(x: Array, y: Array, error: Array) -> tuple[float, float]:
    """The slope of a weighted least-squares line, and its standard error."""
    w = 1 / error**2
    center = np.sum(w * x) / np.sum(w)
    sxx = float(np.sum(w * (x - center) ** 2))
    slope = float(np.sum(w * (x - center) * y)) / sxx
    left = y - np.sum(w * y) / np.sum(w) - slope * (x - center)
    # Where the points scatter by more than their errors, the error of the slope is increased accordingly.
    excess = float(np.sum(w * left**2)) / (len(x) - 2) if len(x) > 2 else 1.0
    return slope, float(np.sqrt(max(1.0, excess) / sxx))


def _spread_rate(n: Array, spread: Array, counts: Array) -> Rate:
    use = (spread > 0) & (counts > 2)
    if use.sum() < 2 or len(set(n[use])) < 2:
        return Rate(None, None, -0.5)
    # The standard deviation of K Gaussian values has a relative error of 1/√(2(K − 1)).
    value, error = _line(np.log(n[use]), np.log(spread[use]), 1 / np.sqrt(2.0 * (counts[use] - 1)))
    return Rate(value, error, -0.5)


def _bias_rate(n: Array, bias: Array, stderr: Array, limit_error: float, expected: float) -> Rate:
    noise = np.hypot(stderr, limit_error)
    seen = np.abs(bias) > 2.5 * noise
    # Only the widths before the bias first disappears in the noise: a later bias that stands out does so by chance.
    for i in range(len(seen)):
        if not seen[i]:
            seen[i:] = False
            break
    if seen.sum() < 2 or len(set(np.sign(bias[seen]))) > 1 or np.any(noise[seen] == 0):
        return Rate(None, None, expected)
    value, error = _line(np.log(n[seen]), np.log(np.abs(bias[seen])), noise[seen] / np.abs(bias[seen]))
    return Rate(value, error, expected)


def _threshold(freedom: float) -> float:
    """The quantile of Student's t with the same tail probability as `THRESHOLD` has under the Gaussian."""
    from scipy.special import ndtr, stdtrit

    return float(stdtrit(max(1.0, freedom), ndtr(THRESHOLD)))


def _is_moving_to(limit: float, mean: Array, stderr: Array) -> bool:
    """Whether the last step of the means is significant, towards the limit, and no shorter than what is left."""
    if len(mean) < 2:
        return False
    step, left = float(mean[-1] - mean[-2]), float(limit - mean[-1])
    seen = abs(step) > THRESHOLD * float(np.hypot(stderr[-1], stderr[-2]))
    return seen and step * left > 0 and abs(left) <= abs(step)


def _extrapolate(falling: Array, mean: Array, stderr: Array, counts: Array) -> tuple[float, float, float]:
    """The value at n = ∞, its standard error, and the degrees of freedom of that error (Welch–Satterthwaite).

    Fitted by least squares on 1 and the decay g(n) of the bias, and on g(n)² from four widths on.
    """
    n = falling
    positive = stderr > 0
    if not positive.any():
        return float(mean[-1]), 0.0, float(np.max(counts) - 1)
    # A width at which all values are equal has no standard error of its own and is given the smallest of the others.
    sigma = np.where(positive, stderr, np.min(stderr[positive]))
    terms = 1 if len(n) < 2 else 2 if len(n) < 4 else 3
    design = np.stack([n**k for k in range(terms)], axis=1)
    a, y = design / sigma[:, None], mean / sigma
    scale = np.max(np.abs(a), axis=0)
    inverse = np.linalg.pinv((a / scale).T @ (a / scale))
    solution = inverse @ ((a / scale).T @ y)
    left = y - (a / scale) @ solution
    spare = len(n) - terms
    excess = float(left @ left) / spare if spare > 0 else 1.0
    # The share of each width in the variance of the value at n = ∞.
    shares = (inverse[0] @ (a / scale).T) ** 2
    freedom = float(np.sum(shares) ** 2 / np.sum(shares**2 / np.maximum(counts - 1, 1)))
    return float(solution[0] / scale[0]), float(np.sqrt(inverse[0, 0] * max(1.0, excess)) / scale[0]), freedom

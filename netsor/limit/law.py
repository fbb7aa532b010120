"""The law of a vector's coordinates in the limit: moments of Z^x, its parts Ẑ and Ż, quantiles, draws.

>>> from netsor.api import load
>>> from netsor.limit.law import CoordinateLaw
from netsor.shown import Shown
>>> law = CoordinateLaw(load("programs/remark_b5.netsor").program, ["x", "v"])
>>> law.variance("x").value, law.covariance("x", "v").value
(2.0, 1.0)
>>> law.draw(1000, seed=0)["x"].shape
(1000,)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from netsor.core import MatMul, Program
from netsor.core.uniform import with_gaussians
from netsor.diagnostics import NetsorError, Span
from netsor.diagnostics.catalogue import limits
from netsor.expr import Const, Expr, Sym, add, canonical, is_singular, mul, neg
from netsor.expr.arrays import lambdify
from netsor.gaussian import Estimate, NoPointwiseMeaning, Settings
from netsor.limit.interpreter import Limit
from netsor.limit.missing import diverges
from netsor.shown import Shown

Array = np.ndarray
PROBABILITIES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Quantiles are averaged over this many scrambled Sobol sequences, of 2^this many points each.
_SEQUENCES, _POINTS = 8, 14
# A gap between neighbouring draws, in standard deviations, that is taken for a jump of the quantile function.
_JUMP = 0.05


@dataclass(frozen=True)
class Parts:
    """Z^{Wx} = Ẑ^{Wx} + Ż^{Wx}: the variances of both, the mean of Ż, and their covariance."""

    hat: Estimate
    dot_mean: Estimate
    dot: Estimate
    between: Estimate


class CoordinateLaw(Shown):
    """The joint law of Z^x for some vectors x of a program (Def. B.3), with the error bounds of the limit.

    `names` are variables of the program. The methods raise NetsorError where a moment does not exist.
    """

    def __init__(
        self,
        program: Program,
        names: Sequence[str],
        tol: float = 1e-8,
        budget: float | None = 60.0,
        progress: Callable[[str], None] | None = None,
    ):
        self.program = with_gaussians(program.evaluated)
        self.names = list(names)
        self.limit = Limit(program, Settings(tol=tol, budget=budget), progress)
        self.limit.build_all()
        self._root: tuple[list[Sym], Array] | None = None

    def z(self, name: str) -> Expr:
        """Z^x as a function of Ẑ's (Remark B.5)."""
        return self.limit.z(name)

    # --- moments -----------------------------------------------------------------------------------------------

    def expectation(self, e: Expr, what: str, name: str, settings: Settings | None = None) -> Estimate:
        """E of an expression in the limit's symbols, for the variable `name`; `settings` apply to this one alone."""
        self.limit.verify(name)
        e = canonical(e)
        if isinstance(e, Const):
            return Estimate(float(e.value))
        if self.limit.vanishes(e):
            return Estimate(0.0)
        usual = self.limit.settings
        self.limit.settings = settings or usual
        try:
            found = self.limit.expectation(e, what, name)
        except NoPointwiseMeaning as fault:
            raise NetsorError(diverges(name, self._span(name), what, fault)) from None
        finally:
            self.limit.settings = usual
        return Estimate(found.value, found.error)

    def mean(self, name: str) -> Estimate:
        """E Z^x."""
        return self.expectation(self.z(name), f"E Z^{name}", name)

    def covariance(self, x: str, y: str) -> Estimate:
        """Cov(Z^x, Z^y)."""
        return self._covariance(self.z(x), self.z(y), f"Cov(Z^{x}, Z^{y})", y)

    def variance(self, name: str) -> Estimate:
        """Var Z^x."""
        return self.covariance(name, name)

    def _covariance(self, p: Expr, q: Expr, what: str, name: str) -> Estimate:
        a, b = (self.expectation(e, f"the mean in {what}", name) for e in (p, q))
        # Centred first, because E pq − E p E q would lose digits where the means are much larger than the deviations.
        c = self.expectation(mul(add(p, Const(-a.value)), add(q, Const(-b.value))), what, name)
        return Estimate(max(c.value, 0.0) if p is q else c.value, c.error + a.error * b.error)

    def parts(self, name: str) -> Parts | None:
        """The parts Ẑ and Ż of a G-var; None for an X-var, which has no such parts."""
        if self.program.is_initial_vector(name):
            return Parts(self.variance(name), Estimate(0.0), Estimate(0.0), Estimate(0.0))
        i = self.program.by_name[name]
        if not isinstance(i, MatMul):
            return None
        hat = self.limit.gaussian_part(i)
        dot = canonical(add(self.z(name), neg(hat)))
        return Parts(
            self._covariance(hat, hat, f"Var Ẑ^{name}", name),
            self.expectation(dot, f"E Ż^{name}", name),
            self._covariance(dot, dot, f"Var Ż^{name}", name),
            self._covariance(hat, dot, f"Cov(Ẑ^{name}, Ż^{name})", name),
        )

    def _span(self, name: str) -> Span | None:
        i = self.program.by_name.get(name)
        return i.span if i is not None else None

    # --- draws -------------------------------------------------------------------------------------------------

    def draw(self, count: int, seed: int = 0) -> dict[str, Array]:
        """`count` independent draws of (Z^x for x in names), jointly."""
        symbols, root = self._base()
        normals = np.random.default_rng(seed).standard_normal((root.shape[1], count))
        return self._at(dict(zip(symbols, root @ normals, strict=True)), count)

    def _base(self) -> tuple[list[Sym], Array]:
        """The Ẑ's that the vectors depend on, and a square root of their covariance matrix."""
        if self._root is None:
            for x in self.names:
                if is_singular(self.z(x)):
                    raise NetsorError(limits.no_draws(x, self._span(x)))
            free = {s for x in self.names for s in self.z(x).free}
            symbols = sorted((s for s in free if self.limit.is_gaussian(s)), key=lambda s: s.digest)
            c = np.array([[self.limit.covariance(a, b).value for b in symbols] for a in symbols])
            values, vectors = np.linalg.eigh(c.reshape(len(symbols), len(symbols)))
            keep = values > 1e-14 * max(values.max(initial=0.0), 1e-300)
            self._root = symbols, vectors[:, keep] * np.sqrt(values[keep])
        return self._root

    def _at(self, point: dict[Sym, Array], count: int) -> dict[str, Array]:
        out = {}
        for x in self.names:
            z = self.z(x)
            free = sorted(z.free, key=lambda s: s.digest)
            given = [point[s] if s in point else self.limit.scalar(s).value for s in free]
            (value,) = lambdify((z,), tuple(free))(*given)
            out[x] = np.broadcast_to(np.asarray(value, float), (count,)).copy()
        return out

    def quantiles(self, name: str, probabilities: Sequence[float] = PROBABILITIES) -> list[Estimate]:
        """Quantiles of Z^x, each with its standard error over independent Sobol sequences (0 where it is exact)."""
        z = self.z(name)
        exact = self._gaussian_quantiles(z, name, probabilities)
        if exact is not None:
            return exact
        found = self._over_sequences(lambda values: _quantiles(values[name], probabilities))
        return [self._atom_at(name, p) or q for p, q in zip(probabilities, found, strict=True)]

    def _atom_at(self, name: str, p: float) -> Estimate | None:
        """The quantile where p falls on an atom of the law, within the accuracy of the draws; otherwise None.

        The median of relu(g) is 0: half of the mass is there, but in some sequences the share of zeros is a point below
        ½.
        """
        together = np.sort(np.concatenate([values[name] for values in self._sequences]))
        least = len(together) // 1000
        at = min(int(p * len(together)), len(together) - 1)
        for value in (together[max(0, at - least)], together[at]):
            if np.count_nonzero(together == value) < least:
                continue
            shares = np.array([np.mean(values[name] <= value) for values in self._sequences])
            if shares.mean() >= p - 3 * shares.std(ddof=1) / np.sqrt(_SEQUENCES) - 2.0**-_POINTS:
                return Estimate(float(value))
        return None

    def average(self, f: Callable[..., Any], names: Sequence[str]) -> Estimate:
        """E f(Z^{x¹}, …) over quasi-random draws, with four standard errors as its bound; f takes arrays."""
        (found,) = self._over_sequences(lambda values: np.atleast_1d(np.mean(f(*(values[x] for x in names)))))
        return Estimate(found.value, 4 * found.error)

    def _over_sequences(self, of: Callable[[dict[str, Array]], Array]) -> list[Estimate]:
        """Averages of statistics over independently scrambled Sobol sequences, each with its standard error."""
        found = np.array([of(values) for values in self._sequences])
        spread = found.std(axis=0, ddof=1) / np.sqrt(_SEQUENCES)
        return [Estimate(float(m), float(e)) for m, e in zip(found.mean(axis=0), spread, strict=True)]

    @cached_property
    def _sequences(self) -> list[dict[str, Array]]:
        from scipy.special import ndtri
        from scipy.stats import qmc

        symbols, root = self._base()
        out = []
        for k in range(_SEQUENCES):
            u = qmc.Sobol(max(1, root.shape[1]), rng=k).random_base2(_POINTS).T
            normals = ndtri(np.clip(u, 1e-15, 1 - 1e-15))[: root.shape[1]]
            out.append(self._at(dict(zip(symbols, root @ normals, strict=True)), 2**_POINTS))
        return out

    def _gaussian_quantiles(self, z: Expr, name: str, probabilities: Sequence[float]) -> list[Estimate] | None:
        """The exact quantiles of a Gaussian Z^x; None where it is not Gaussian."""
        from netsor.expr import diff

        gaussians = [s for s in z.free if self.limit.is_gaussian(s)]
        if any(diff(z, s).free & set(gaussians) for s in gaussians):
            return None
        from scipy.special import ndtri

        mean, variance = self.mean(name), self.variance(name)
        sd = float(np.sqrt(variance.value))
        return [Estimate(mean.value + sd * float(ndtri(p))) for p in probabilities]

    def as_dict(self, probabilities: Sequence[float] = PROBABILITIES) -> dict[str, Any]:
        """Moments, parts and quantiles of each vector and the covariances of pairs, as plain numbers."""
        out: dict[str, Any] = {"vectors": {}, "covariances": []}
        for x in self.names:
            entry: dict[str, Any] = {
                "kind": self.program.kind_of(x),
                "mean": _estimate(self.mean(x)),
                "variance": _estimate(self.variance(x)),
            }
            parts = self.parts(x)
            if parts is not None:
                entry["hat"] = {"mean": {"value": 0.0, "error": 0.0}, "variance": _estimate(parts.hat)}
                entry["dot"] = {"mean": _estimate(parts.dot_mean), "variance": _estimate(parts.dot)}
                entry["covariance of hat and dot"] = _estimate(parts.between)
                if self.program.is_initial_vector(x):
                    entry["hat"]["mean"] = entry["mean"]
            entry["quantiles"] = [
                {"probability": p, "value": q.value, "stderr": q.error}
                for p, q in zip(probabilities, self.quantiles(x, probabilities), strict=True)
            ]
            out["vectors"][x] = entry
        for k, x in enumerate(self.names):
            for y in self.names[k + 1 :]:
                c = self.covariance(x, y)
                scale = np.sqrt(out["vectors"][x]["variance"]["value"] * out["vectors"][y]["variance"]["value"])
                correlation = float(c.value / scale) if scale > 0 else None
                out["covariances"].append({"of": [x, y], **_estimate(c), "correlation": correlation})
        return out


def _quantiles(values: Array, probabilities: Sequence[float]) -> Array:
    """Quantiles of draws; where the quantile function jumps, the lower end of the jump, which is a value of the law."""
    lower, upper = (np.quantile(values, probabilities, method=m) for m in ("lower", "higher"))
    jumps = upper - lower > _JUMP * values.std()
    least = np.quantile(values, probabilities, method="inverted_cdf")
    # The points of a sequence represent strata of equal mass, so that the k-th of N is the quantile at (k − ½)/N.
    return np.where(jumps, least, np.quantile(values, probabilities, method="hazen"))


def _estimate(e: Estimate) -> dict[str, float]:
    return {"value": e.value, "error": e.error}

"""Gaussian expectations side by side: netsor, Gauss–Hermite, adaptive cubature, Monte Carlo.

    python benchmarks/expectations.py [--markdown] [--slow] [--plot FILE]

Truths are closed forms, mpmath at 30 digits, or dense trapezoidal sums over the m factors of a covariance (all but one
of the variables, where it is full) of functions smoothed in closed form. Gauss–Hermite and Monte Carlo get as much time
as netsor took, warm.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mpmath
import numpy as np
from scipy import integrate, special
from scipy.stats import chi2

from netsor.expr import ONE, Const, Expr, Sym, add, call, diff, sym
from netsor.gaussian import FixedLaw, Settings, expect, expect_many

mpmath.mp.dps = 30
Array = np.ndarray

PLAIN: dict[str, Callable[[Array], Array]] = {
    "relu": lambda x: np.maximum(x, 0),
    "step": lambda x: (x > 0) * 1.0,
    "tanh": np.tanh,
    "erf": special.erf,
    "gelu": lambda x: x * special.ndtr(x),
    "Phi": special.ndtr,
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "tanh'": lambda x: 1 / np.cosh(np.minimum(np.abs(x), 350)) ** 2,
    "silu": lambda x: x * special.expit(x),
}
EXACT: dict[str, Callable] = {
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "hardtanh": lambda x: max(min(x, 1), -1),
    "gelu": lambda x: x * mpmath.ncdf(x),
    "tanh'": lambda x: mpmath.sech(x) ** 2,
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
}


def smoothed(name: str, c: Array, s: float) -> Array:
    """E f(c + s z) in closed form."""
    if name == "relu":
        return c * special.ndtr(c / s) + s * np.exp(-0.5 * (c / s) ** 2) / math.sqrt(2 * math.pi)
    if name == "step":
        return special.ndtr(c / s)
    if name == "erf":
        return special.erf(c / math.sqrt(1 + 2 * s * s))
    if name == "gelu":
        t = math.sqrt(1 + s * s)
        return c * special.ndtr(c / t) + s * s / t * np.exp(-0.5 * (c / t) ** 2) / math.sqrt(2 * math.pi)
    assert name == "Phi"
    return special.ndtr(c / math.sqrt(1 + s * s))


@dataclass
class Case:
    """E Π f_i(u_i), or E f(u) of a `joint` function of all, u ~ N(0, covariance)."""

    group: str
    names: tuple[str, ...]
    covariance: Array
    truth: float
    size: float
    label: str
    tol: float = 1e-10
    joint: tuple[Callable[[list[Sym]], Expr], Callable[[Array], Array]] | None = None

    def plain(self, u: Array) -> Array:
        if self.joint:
            return self.joint[1](u)
        out = np.ones(u.shape[1:])
        for name, x in zip(self.names, u, strict=True):
            out = out * PLAIN[name](x)
        return out

    def expression(self) -> tuple[Expr, list[Sym]]:
        symbols = [sym(f"u{i}") for i in range(len(self.covariance))]
        if self.joint:
            return self.joint[0](symbols), symbols
        e: Expr = ONE
        for name, u in zip(self.names, symbols, strict=True):
            e = e * (diff(call(name[:-1], u), u) if name.endswith("'") else call(name, u))
        return e, symbols


def one_variable(names: tuple[str, ...], variance: float) -> Case:
    sd = mpmath.sqrt(variance)

    def f(x):  # noqa: ANN001, ANN202
        return mpmath.fprod(EXACT[n](sd * x) for n in names) * mpmath.npdf(x)

    edges = sorted({s * e for e in (0, *(w / sd for w in (1, 4, 16, 60)), 1, 4, 12) for s in (-1, 1) if e <= 12})
    truth = float(mpmath.quad(f, edges))
    size = float(mpmath.quad(lambda x: abs(f(x)), edges))
    d = len(names)
    return Case(
        "one variable",
        names,
        variance * np.ones((d, d)),
        truth,
        size,
        f"{'·'.join(names)}, variance {variance:g}",
        1e-12,
    )


def pair(names: tuple[str, str], p: float, q: float, rho: float, truth: float, size: float) -> Case:
    c = rho * math.sqrt(p * q)
    label = f"{names[0]}·{names[1]}, variances {p:g}, {q:g}, 1−ρ = {1 - rho:.3g}"
    return Case("a pair", names, np.array([[p, c], [c, q]]), truth, size, label)


def pair_by_quadrature(names: tuple[str, str], p: float, q: float, rho: float) -> Case:
    """The second function must have a closed smoothing: one integral at 30 digits."""
    su, sv = mpmath.sqrt(p), mpmath.sqrt(q)
    s = sv * mpmath.sqrt(1 - mpmath.mpf(rho) ** 2)

    def inner(c):  # noqa: ANN001, ANN202
        if names[1] == "erf":
            return mpmath.erf(c / mpmath.sqrt(1 + 2 * s * s))
        return c * mpmath.ncdf(c / s) + s * mpmath.npdf(c / s)

    edges = [-14, -6, -3, -1, -0.3, -0.05, 0, 0.05, 0.3, 1, 3, 6, 14]
    truth = mpmath.quad(lambda x: EXACT[names[0]](su * x) * inner(rho * sv * x) * mpmath.npdf(x), edges)
    square = [
        mpmath.quad(lambda x, n=n, t=t: EXACT[n](t * x) ** 2 * mpmath.npdf(x), edges) for n, t in zip(names, (su, sv))
    ]
    return pair(names, p, q, rho, float(truth), float(mpmath.sqrt(square[0] * square[1])))


GROUPS = {2: "a pair", 3: "three", 4: "four", 5: "five and six", 6: "five and six", 8: "eight"}


def over_factors(names: tuple[str, ...], b: Array, noise: Array, h: float) -> tuple[float, float]:
    """(E Π f_i(u_i), E |…|) for covariance BB' + diag(noise): a dense sum over the factors."""
    m = b.shape[1]
    grid = np.arange(-8.8, 8.8, h)
    rest = np.stack([g.ravel() for g in np.meshgrid(*[grid] * (m - 1), indexing="ij")]) if m > 1 else np.zeros((0, 1))
    rest = rest[:, (rest * rest).sum(axis=0) < 78]
    total = size = 0.0
    for x in grid:
        y = np.concatenate([np.full((1, rest.shape[1]), x), rest])
        v = np.exp(-0.5 * (y * y).sum(axis=0)) * (h / math.sqrt(2 * math.pi)) ** m
        for i, name in enumerate(names):
            v = v * smoothed(name, b[i] @ y, math.sqrt(noise[i]))
        total += float(v.sum())
        size += float(np.abs(v).sum())
    return total, size


def several(names: tuple[str, ...], m: int, seed: int, tol: float) -> Case:
    """A random covariance of m factors and own noise."""
    rng = np.random.default_rng(seed)
    d = len(names)
    b = rng.standard_normal((d, m)) / math.sqrt(m)
    noise = rng.uniform(0.3, 0.9, d)
    total, size = over_factors(names, b, noise, {1: 0.02, 2: 0.08, 3: 0.14}[m])
    label = f"{'·'.join(names)}, covariance of {m} factor{'s' * (m > 1)} and noise"
    return Case(GROUPS[d], names, b @ b.T + np.diag(noise), total, size, label, tol)


def full(names: tuple[str, ...], seed: int, tol: float) -> Case:
    """A random covariance of full rank, all eigenvalues apart: no few factors behind it."""
    d = len(names)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    values = np.linspace(0.5, 1.7, d)
    b = turn[:, 1:] * np.sqrt(values[1:] - values[0])
    h = {3: 0.1, 4: 0.2, 5: 0.36, 6: 0.5}[d]
    total, size = over_factors(names, b, np.full(d, values[0]), h)
    return Case(GROUPS[d], names, (turn * values) @ turn.T, total, size, f"{'·'.join(names)}, full covariance", tol)


def largest(d: int, rho: float) -> Case:
    """E max of equally correlated variables: √(1−ρ) times that of independent ones, whose law is Φ^d."""
    points = [-12, -3, 0, 1, 3, 12]
    truth = mpmath.sqrt(1 - mpmath.mpf(rho)) * mpmath.quad(
        lambda x: d * x * mpmath.npdf(x) * mpmath.ncdf(x) ** (d - 1), points
    )
    c = np.full((d, d), rho) + (1 - rho) * np.eye(d)
    joint = (lambda u: call("max", *u), lambda u: u.max(axis=0))
    return Case(GROUPS[d], (), c, float(truth), float(truth), f"max of {d}, correlations {rho}", 1e-8, joint)


def curved() -> Iterator[Case]:
    """Kinks and jumps off the planes, with values in closed form."""
    for d in (2, 3, 4, 5):
        ball = (
            lambda u: call("step", Const(1) - add(*(x ** Const(2) for x in u))),
            lambda u: ((u * u).sum(axis=0) < 1) * 1.0,
        )
        inside = float(chi2.cdf(1, d))
        yield Case("curved", (), np.eye(d), inside, inside, f"step(1 − |x|²) of {d}", 1e-10 if d == 2 else 1e-8, ball)
    # Of independent variables xy + zw has the law of Laplace.
    sums = (
        lambda u: call("relu", u[0] * u[1] + u[2] * u[3]),
        lambda u: np.maximum(u[0] * u[1] + u[2] * u[3], 0),
    )
    yield Case("curved", (), np.eye(4), 0.5, 0.5, "relu(xy + zw)", 1e-8, sums)
    ridge = (
        lambda u: call("exp", Const(-1000) * (u[0] - u[1] ** Const(2)) ** Const(2)),
        lambda u: np.exp(-1000 * (u[0] - u[1] ** 2) ** 2),
    )
    truth = float(
        mpmath.quad(lambda y: mpmath.exp(-1000 * y**4 / mpmath.mpf(2001)) * mpmath.npdf(y), [-9, -3, -1, 0, 1, 3, 9])
        / mpmath.sqrt(2001)
    )
    yield Case("curved", (), np.eye(2), truth, truth, "exp(−1000 (x − y²)²)", 1e-10, ridge)


def cases(slow: bool) -> Iterator[Case]:
    yield one_variable(("tanh", "tanh"), 9.0)
    yield one_variable(("relu",), 1e4)
    yield one_variable(("gelu", "gelu"), 1e-6)
    yield one_variable(("hardtanh", "hardtanh"), 1e4)
    yield one_variable(("tanh'",), 100.0)
    yield one_variable(("silu", "tanh"), 1.0)
    for gap in (0.5, 1e-6, 1e-12, 0.0):
        rho = 1 - gap
        t = mpmath.acos(mpmath.mpf(rho))
        yield pair(
            ("relu", "relu"), 1.0, 1.0, rho, float((mpmath.sin(t) + (mpmath.pi - t) * rho) / (2 * mpmath.pi)), 0.5
        )
        yield pair(("step", "step"), 1.0, 1.0, rho, float((mpmath.pi - t) / (2 * mpmath.pi)), 0.5)
    p, q, rho = 0.01, 1000.0, 0.9
    truth = 2 / math.pi * math.asin(2 * rho * math.sqrt(p * q) / math.sqrt((1 + 2 * p) * (1 + 2 * q)))
    size = 2 / math.pi * math.sqrt(math.asin(2 * p / (1 + 2 * p)) * math.asin(2 * q / (1 + 2 * q)))
    yield pair(("erf", "erf"), p, q, rho, truth, size)
    yield pair_by_quadrature(("tanh", "relu"), 9.0, 1.0, 0.7)
    yield pair_by_quadrature(("silu", "erf"), 2.0, 100.0, -0.95)
    yield pair_by_quadrature(("tanh'", "relu"), 30.0, 0.2, 0.99)
    yield several(("erf", "Phi", "gelu"), 2, 1, 1e-8)
    yield several(("relu", "relu", "step"), 2, 2, 1e-8)
    yield full(("relu", "step", "gelu"), 11, 1e-8)
    yield several(("erf", "gelu", "Phi", "erf"), 2, 3, 1e-8)
    yield several(("relu", "relu", "step", "relu"), 3, 4, 1e-8)
    yield full(("relu", "step", "relu", "erf"), 12, 1e-8)
    yield largest(4, 0.3)
    yield from curved()
    if slow:
        yield several(("erf", "gelu", "Phi", "erf", "gelu"), 3, 5, 1e-6)
        yield several(("relu", "step", "relu", "step", "relu", "relu"), 3, 6, 1e-6)
        yield full(("relu", "step", "relu", "step", "relu"), 13, 1e-6)
        yield full(("step",) * 6, 14, 1e-6)
        yield full(("relu", "erf", "step", "gelu", "relu", "Phi"), 15, 1e-6)
        yield largest(6, 0.5)
        yield several(("erf", "gelu", "Phi", "erf", "gelu", "Phi", "gelu", "gelu"), 3, 7, 1e-4)


def root(c: Array) -> Array:
    values, vectors = np.linalg.eigh(c)
    return vectors * np.sqrt(np.maximum(values, 0))


def gauss_hermite(case: Case, seconds: float) -> float:
    """The error of the tensor rule with as many nodes as fit into the time."""
    best = math.nan
    d = 1 if case.group == "one variable" else len(case.covariance)
    a = np.sqrt(case.covariance[:, :1]) if d == 1 else root(case.covariance)
    for n in (3, 5, 8, 12, 20, 32, 48, 64, 100, 150):
        if n**d > 4e6:
            break
        x, w = np.polynomial.hermite_e.hermegauss(n)
        start = time.perf_counter()
        grid = np.stack([g.ravel() for g in np.meshgrid(*[x] * d, indexing="ij")])
        weight = np.prod(np.stack([g.ravel() for g in np.meshgrid(*[w / w.sum()] * d, indexing="ij")]), axis=0)
        value = float(weight @ case.plain(a @ grid))
        if time.perf_counter() - start > seconds and math.isfinite(best):
            break
        best = abs(value - case.truth) / case.size
    return best


def monte_carlo(case: Case, seconds: float) -> float:
    """The root mean square error of a plain mean over as many samples as fit into the time."""
    rng = np.random.default_rng(0)
    a = root(case.covariance)
    errors = []
    for _ in range(5):
        total, count, start = 0.0, 0, time.perf_counter()
        while count == 0 or time.perf_counter() - start < seconds:
            n = 4000
            total += float(case.plain(a @ rng.standard_normal((len(a), n))).sum())
            count += n
        errors.append(total / count - case.truth)
    return math.sqrt(float(np.mean(np.square(errors)))) / case.size


def cubature(case: Case) -> tuple[float, float] | None:
    """(error, seconds) of scipy's nested adaptive quadrature, to three variables."""
    d = 1 if case.group == "one variable" else len(case.covariance)
    if d > 2:
        return None
    a = np.sqrt(case.covariance[:, :1]) if d == 1 else root(case.covariance)

    def f(*x: float) -> float:
        u = a @ np.array(x)[:, None]
        return float(case.plain(u)[0]) * math.exp(-0.5 * sum(t * t for t in x)) / (2 * math.pi) ** (d / 2)

    start = time.perf_counter()
    value, _ = integrate.nquad(f, [(-9, 9)] * d, opts={"epsabs": 1e-10 * case.size, "epsrel": 0, "limit": 30})
    return abs(value - case.truth) / case.size, time.perf_counter() - start


def ours(case: Case) -> tuple[float, float, float, str]:
    e, symbols = case.expression()
    if case.group == "one variable":
        u = symbols[0]
        from netsor.expr import substitute

        e, symbols = substitute(e, dict.fromkeys(symbols, u)), [u]
    law = FixedLaw(symbols, case.covariance[: len(symbols), : len(symbols)])
    expect(e, law, Settings(case.tol, 60.0))
    repeats, spent = 0, 0.0
    start = time.perf_counter()
    while repeats == 0 or spent < 0.05:
        r = expect(e, law, Settings(case.tol, 60.0))
        repeats += 1
        spent = time.perf_counter() - start
    return abs(r.value - case.truth) / case.size, r.error / case.size, spent / repeats, r.method


def million() -> str:
    rho = np.random.default_rng(0).uniform(-1, 1, 1_000_000)
    c = np.empty((len(rho), 2, 2))
    c[:, 0, 0] = c[:, 1, 1] = 1.0
    c[:, 0, 1] = c[:, 1, 0] = rho
    u, v = sym("u"), sym("v")
    start = time.perf_counter()
    values, errors = expect_many(call("relu", u) * call("relu", v), [u, v], c)
    took = time.perf_counter() - start
    t = np.arccos(rho)
    truth = (np.sin(t) + (math.pi - t) * rho) / (2 * math.pi)
    error = np.abs(values - truth).max() / 0.5
    return f"relu·relu at a million correlations: error {error:.1e} (said {errors.max():.1e}), {took:.2f} s"


# Shape and filling tell the methods apart without colour.
MARKS = {
    "netsor": {"marker": "o", "color": "#08306b"},
    "Gauss–Hermite": {"marker": "s", "color": "#d95f0e", "facecolor": "none"},
    "adaptive cubature": {"marker": "^", "color": "#6a51a3", "facecolor": "none"},
    "Monte Carlo": {"marker": "x", "color": "#636363"},
}
# Errors below this are rounding, and drawn on it.
FLOOR = 1e-17


def plot(points: dict[str, list[tuple[float, float]]], file: str) -> None:
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams["svg.hashsalt"] = "netsor"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 4.6), layout="constrained")
    for name, style in MARKS.items():
        own = [(t, max(e, FLOOR)) for t, e in points[name] if math.isfinite(e)]
        style = dict(style)
        color = style.pop("color")
        face = style.pop("facecolor", color)
        paint = {"color": color} if style["marker"] == "x" else {"edgecolors": color, "facecolors": face}
        axes.scatter(*zip(*own, strict=True), s=34, linewidths=1.2, label=name, **style, **paint)
    axes.set(xscale="log", yscale="log", xlabel="seconds, one thread", ylabel="true error / size of the integrand")
    axes.grid(True, which="major", linewidth=0.4, color="#cccccc")
    axes.set_axisbelow(True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=4, frameon=False)
    figure.savefig(file, metadata={"Date": None} if file.endswith(".svg") else None, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print a table in Markdown")
    parser.add_argument("--slow", action="store_true", help="five, six and eight variables too")
    parser.add_argument("--plot", metavar="FILE", help="draw error against time, of every method and integrand")
    options = parser.parse_args()
    head = [
        "integrand",
        "netsor error",
        "said",
        "time",
        "Gauss–Hermite",
        "cubature",
        "its time",
        "Monte Carlo",
        "method",
    ]
    bar = "|".join("---" for _ in head)
    print("| " + " | ".join(head) + " |" + (f"\n|{bar}|" if options.markdown else ""))
    group = ""
    points: dict[str, list[tuple[float, float]]] = {name: [] for name in MARKS}
    for case in cases(options.slow):
        if case.group != group:
            group = case.group
            print(f"| **{group}** |" + " |" * (len(head) - 1))
        error, said, seconds, method = ours(case)
        other = cubature(case)
        spent = min(seconds, 2.0)
        hermite, sampling = gauss_hermite(case, seconds), monte_carlo(case, spent)
        points["netsor"].append((seconds, error))
        points["Gauss–Hermite"].append((seconds, hermite))
        points["Monte Carlo"].append((spent, sampling))
        if other:
            points["adaptive cubature"].append((other[1], other[0]))
        row = [
            case.label,
            f"{error:.0e}",
            f"{said:.0e}",
            _seconds(seconds),
            f"{hermite:.0e}",
            f"{other[0]:.0e}" if other else "–",
            _seconds(other[1]) if other else "–",
            f"{sampling:.0e}",
            method,
        ]
        print("| " + " | ".join(row) + " |", flush=True)
    print()
    print(million())
    if options.plot:
        plot(points, options.plot)


def _seconds(t: float) -> str:
    return f"{t * 1e3:.2f} ms" if t < 1 else f"{t:.1f} s"


if __name__ == "__main__":
    main()

"""E of a block under a law in numbers: exponentials, masses and trigonometric factors exactly, then a quadrature."""

from __future__ import annotations

import cmath
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from netsor.expr import ONE, ZERO, Call, Const, Expr, Pow, Sym, add, canonical, diff, mul, neg, postorder
from netsor.gaussian import laplace, lattice, nested, oned, poles, qmc
from netsor.gaussian.integrand import Integrand, build, common_factors, form_to_smooth, value_of, without_last
from netsor.gaussian.oned import Quadrature
from netsor.gaussian.result import Clock, Divergent, NoPointwiseMeaning
from netsor.gaussian.shape import Shape, affine, is_quadratic, shape_of
from netsor.gaussian.state import RANK, State, moments
from netsor.gaussian.terms import Gaussians, expand, factors_of, is_polynomial

EPS = 2.0**-52
Array = np.ndarray
_OVERFLOW = 700.0


@dataclass(frozen=True)
class Outcome:
    """A value, a bound on the error made here, the size E|F|, the dimension integrated over, and the way."""

    value: float
    error: float
    scale: float
    dimension: int
    method: str


@dataclass(frozen=True)
class Task:
    """What stays the same while one block is worked on; `slack` is how far its covariance may be from definite."""

    gaussians: Gaussians
    env: Mapping[Sym, float]
    tol: float
    clock: Clock
    slack: float = 0.0
    rough: bool = False


def expectation(e: Expr, state: State, task: Task) -> Outcome:
    """E e for any canonical expression: term by term."""
    parts = []
    for t in expand(e, task.gaussians):
        c = t.coefficient * value_of(t.scalar, task.env)
        if t.product is ONE:
            parts.append(Outcome(c, 0.0, abs(c), 0, "exact algebra"))
            continue
        o = product(t.product, state, task)
        parts.append(Outcome(c * o.value, abs(c) * o.error, abs(c) * o.scale, o.dimension, o.method))
    return total(parts)


def total(parts: list[Outcome]) -> Outcome:
    if len(parts) == 1:
        return parts[0]
    methods = list(dict.fromkeys(p.method for p in parts if p.scale > 0)) or ["exact algebra"]
    scale = math.fsum(p.scale for p in parts)
    return Outcome(
        math.fsum(p.value for p in parts), math.fsum(p.error for p in parts) + EPS * scale, scale,
        max((p.dimension for p in parts), default=0), " + ".join(methods),
    )


def scaled(o: Outcome, log: float, factor: float = 1.0, how: str = "exact algebra") -> Outcome:
    if log > _OVERFLOW:
        raise Divergent(f"the expectation overflows: its size is about exp({log:.0f})")
    c = math.exp(log) * factor
    method = o.method if o.method.startswith(how) else f"{how} + {o.method}"
    # The exponent carries a rounding error of its own size.
    error = abs(c) * o.error + EPS * (2 + abs(log)) * abs(c * o.value)
    return Outcome(c * o.value, error, abs(c) * o.scale, o.dimension, method)


def product(e: Expr, state: State, task: Task) -> Outcome:
    """E of a product of factors."""
    shape = shape_of(e, task.gaussians)
    if shape.masses:
        return _mass(e, state, task)
    if shape.exponent is not ZERO:
        log, moved = _tilt(shape.exponent, state, task)
        kept = [f for f in factors_of(e) if not _in_exponent(f, shape, task)]
        rest = canonical(mul(*kept))
        if rest is ONE:
            return scaled(Outcome(1.0, 0.0, 1.0, 0, "exact algebra"), log)
        return scaled(product(rest, moved, task), log)
    if not shape.trigonometric:
        for f in factors_of(e):
            if _is_power_of_square(f, task.gaussians):
                o = _power_of_square(f, e, state, task)
                if o is not None:
                    return o
    if shape.trigonometric or not shape.factors:
        return _exact(shape, state, task)
    return quadrature(reduced(shape, state, task), task)


def reduced(shape: Shape, state: State, task: Task) -> Integrand:
    """The integrand, with one variable smoothed away in closed form where there is one to smooth."""
    if len(shape.forms) + len(shape.polynomial) > 2 and len(shape.forms) > 1 and not task.rough:
        factored = common_factors(shape, state, task.env)
        if factored is not None and (
            factored.rank <= len(shape.forms) + len(shape.polynomial) - 2 or not is_sharp(factored) or factored.rank > 4
        ):
            return factored
    if len(shape.forms) > 1:
        last = _straightening(shape)
        if last is not None:
            return build(shape, state, task.env, last=last, slack=task.slack)
        last = form_to_smooth(shape, task.env)
        if last is not None:
            f = build(shape, state, task.env, last=last, slack=task.slack)
            return (without_last(f, last, task.env) or f) if f.rank > 1 else f
    return build(shape, state, task.env, slack=task.slack)


def _in_exponent(f: Expr, shape: Shape, task: Task) -> bool:
    from netsor.gaussian.shape import is_quadratic
    from netsor.gaussian.terms import exponent_of

    q = exponent_of(f)
    return q is not None and is_quadratic(q, task.gaussians)


def _straightening(shape: Shape) -> Sym | None:
    """A form in which every curved break is affine: integrated first, it meets each of them once."""
    forms = frozenset(shape.form_symbols)
    curved = [b.at for b in shape.breaks if b.kind != "soft" and affine(b.at, forms) is None]
    if not curved:
        return None
    for s in shape.form_symbols:
        if all(s in at.free and affine(at, frozenset((s,))) is not None for at in curved):
            return s
    return None


def quadrature(f: Integrand, task: Task) -> Outcome:
    """E F by the rule that suits its dimension."""
    o = _by_dimension(f, task)
    if f.closed:
        # Interpolated factors are good to some 1e-14, and the split of the covariance to its defect.
        slack = (3e-15 + 20 * f.defect) * len(f.closed) * o.scale
        o = replace(o, error=o.error + slack)
    return o


def _by_dimension(f: Integrand, task: Task) -> Outcome:
    # In few dimensions ten more digits are cheap, and what is built on this one will want them.
    spare = {2: 1e-4, 3: 1e-2}.get(f.rank, 0.5)
    tol = max(spare * min(task.tol, 1e-6), 1e-13)
    if f.rank == 0:
        value = float(f(np.zeros((0, 1)))[0])
        if not math.isfinite(value):
            raise Divergent("the integrand has no value at a point where its argument is constant")
        return Outcome(value, 4 * EPS * abs(value), abs(value), 0, "exact algebra")
    if f.rank == 1:
        return _outcome(_one_variable(f), 1, "closed form + quadrature 1-D" if f.closed else "quadrature 1-D")
    poles.refuse(f)
    how = " + closed form" if f.closed else ""
    if task.rough and f.rank >= 3:
        return _outcome(lattice.rough(f, f.rank) if f.rank <= 6 else qmc.rough(f), f.rank, "rough")
    sharp = is_sharp(f)
    slope = max((float(np.linalg.norm(p.a)) / p.soft for p in f.planes if p.soft), default=1.0)
    polar = 2 <= f.rank <= 6 and not np.abs(f.shift).max(initial=0.0) and _is_radial(f)
    if polar:
        smooth = all(s.kind == "singular" for s in f.surfaces) and not any(p.kind in ("jump", "kink", "pole") for p in f.planes)
        if smooth:
            o = _outcome(
                lattice.integrate(f, f.rank, tol, task.clock, polar=True), f.rank, f"lattice {f.rank}-D, radial{how}"
            )
            if o.error <= task.tol * o.scale or f.rank > 3:
                return o
    if not sharp and f.rank <= 6 and (slope < 4 or f.rank > 4):
        q = lattice.integrate(f, f.rank, tol, task.clock, slope)
        if math.isfinite(q.error) and (q.error <= task.tol * q.scale or f.rank > 4 and q.error < 1e-4 * q.scale):
            return _outcome(q, f.rank, f"lattice {f.rank}-D{how}")
    if f.rank <= 4:
        return _outcome(nested.integrate(f, tol, task.clock, bool(f.surfaces) or _is_radial(f)), f.rank, f"quadrature {f.rank}-D{how}")
    return _outcome(qmc.integrate(f, tol, task.clock), f.rank, f"quasi-Monte Carlo{how}")


def _is_radial(f: Integrand) -> bool:
    """Whether a fractional or negative power of something that is not affine occurs, as in x/|x|."""
    known = frozenset(f.forms)
    for g in f.factors:
        for node in postorder(g):
            if isinstance(node, Pow) and isinstance(node.exponent, Const) and len(node.base.free & known) > 1:
                k = node.exponent.value
                if (k < 0 or not isinstance(k, int)) and affine(node.base, known) is None:
                    return True
    return False


def is_sharp(f: Integrand) -> bool:
    """Whether something happens within less than 0.4 standard deviations that a lattice would not see."""
    return bool(f.surfaces) or any(
        p.kind != "soft" and p.soft < 0.4 * float(np.linalg.norm(p.a)) and float(np.abs(p.a).max(initial=0.0)) > 0
        for p in f.planes
    )


def _outcome(q: Quadrature, dimension: int, method: str) -> Outcome:
    if not math.isfinite(q.value):
        raise Divergent("the integrand overflows")
    return Outcome(q.value, q.error, q.scale, dimension, method)


def _one_variable(f: Integrand) -> Quadrature:
    cuts: list[float] = []
    singular: list[float] = []
    for p in f.planes:
        a = float(p.a[0])
        if a == 0:
            continue
        at = -p.b / a
        if p.kind == "pole":
            raise Divergent("tan has poles where its argument has a density")
        if p.soft:
            width = p.soft / abs(a)
            if width < 1.0:
                ends = (-18, -6, -2, 0, 2, 6, 18) if p.kind == "soft" else (-8.5, -3, -1, 1, 3, 8.5)
                cuts += [at + w * width for w in ends]
        else:
            (singular if p.kind == "singular" else cuts).append(at)
    for s in f.surfaces:
        (singular if s.kind in ("singular", "pole") else cuts).extend(
            oned.roots_of(lambda x, at=f.on_surface(s): at(x[None]))  # type: ignore[misc]
        )
    return oned.integrate(lambda x: f(x[None]), cuts, singular)


# --- factors that go exactly -----------------------------------------------------------------------------------


def _tilt(exponent: Expr, state: State, task: Task) -> tuple[float, State]:
    """The law after a factor exp(q), q a polynomial of degree ≤ 2 in the Gaussians."""
    q, b, constant = _quadratic(exponent, state, task)
    return state.tilted_by_quadratic(q, b, constant)


def _quadratic(exponent: Expr, state: State, task: Task) -> tuple[Array, Array, float]:
    """(Q, b, c) with exponent = −z'Qz/2 + b·z + c."""
    n = len(state.symbols)
    q, b, constant = np.zeros((n, n)), np.zeros(n), 0.0
    place = {s: i for i, s in enumerate(state.symbols)}
    for t in expand(exponent, task.gaussians):
        c = t.coefficient * value_of(t.scalar, task.env)
        powers = [(place[s], k) for s, k in (_power(f) for f in factors_of(t.product))]
        match powers:
            case []:
                constant += c
            case [(i, 1)]:
                b[i] += c
            case [(i, 2)]:
                q[i, i] -= 2 * c
            case [(i, 1), (j, 1)]:
                q[i, j] -= c
                q[j, i] -= c
    return q, b, constant


def _is_power_of_square(f: Expr, gaussians: Gaussians) -> bool:
    if not isinstance(f, Pow) or not isinstance(f.exponent, Const) or not f.base.free & gaussians:
        return False
    k = f.exponent.value
    # A power of a function of one variable, or of an affine function, is an ordinary function.
    return len(f.base.free & gaussians) > 1 and (k < 0 or not isinstance(k, int)) and affine(f.base, gaussians) is None and is_quadratic(f.base, gaussians)


def _power_of_square(f: Expr, e: Expr, state: State, task: Task) -> Outcome | None:
    """E of a product with b^k, b a nonnegative quadratic form (see laplace); None where b is not one."""
    assert isinstance(f, Pow) and isinstance(f.exponent, Const)
    q, b, c = _quadratic(f.base, state, task)
    square = -q / 2
    values, vectors = np.linalg.eigh(square)
    size = float(np.abs(values).max(initial=0.0))
    if size == 0 or values[0] < -1e-12 * size:
        return None
    keep = values > 1e-12 * size
    centre = -0.5 * (vectors[:, keep] / values[keep]) @ (vectors[:, keep].T @ b)
    least = c + 0.5 * float(b @ centre)
    if np.abs(b + 2 * square @ centre).max(initial=0.0) > 1e-10 * (1 + np.abs(b).max(initial=0.0)) or least < -1e-13 * size:
        return None
    k = float(f.exponent.value)
    raised = max(0, math.ceil(k))
    p = raised - k
    if p == 0:
        return None
    others = list(factors_of(e))
    others.remove(f)
    rest = canonical(mul(*others, *[f.base] * raised))
    if int(keep.sum()) == 1:
        return None
    typical = abs(least) + float(np.trace(square @ state.covariance)) + float((state.mean - centre) @ square @ (state.mean - centre))
    if not typical > 0:
        return None
    methods: dict[str, int] = {}
    tol = 1e-4 if task.rough else max(0.1 * task.tol, 1e-13)
    inside = replace(task, tol=max(0.1 * task.tol, 1e-13))

    def inner(t: float) -> tuple[float, float, float]:
        log, moved = state.tilted_by_quadratic(2 * t * square, -t * b, -t * c)
        if log < -_OVERFLOW:
            return 0.0, 0.0, 0.0
        o = scaled(expectation(rest, moved, inside), log)
        methods[o.method] = max(methods.get(o.method, 0), o.dimension)
        return o.value, o.error, o.scale

    value, error, scale = laplace.integrate(inner, p, typical, tol)
    names = [m for m in dict.fromkeys(x for name in methods for x in name.split(" + ")) if m != "exact algebra"]
    return Outcome(value, error, scale, 1 + max(methods.values()), " + ".join(["Laplace transform", *names]))


def _power(f: Expr) -> tuple[Sym, int]:
    from netsor.gaussian.terms import integer_power

    base, k = integer_power(f)
    return base, k  # type: ignore[return-value]


def _exact(shape: Shape, state: State, task: Task) -> Outcome:
    """E of a polynomial times sines and cosines: e^{iκ·z} moves the mean by iΣκ."""
    index = [state.symbols.index(s) for s, _ in shape.polynomial]
    powers = [k for _, k in shape.polynomial]
    moment = moments(powers, state.covariance[np.ix_(index, index)])
    if not shape.trigonometric:
        value = complex(moment(list(state.mean[index])))
        size = float(np.real(moment(list(np.abs(state.mean[index])))))
        return Outcome(value.real, 8 * EPS * max(abs(value), size), max(abs(value), size), 0, "exact algebra")
    waves: list[list[tuple[complex, np.ndarray, float]]] = []
    for fn, argument, k in shape.trigonometric:
        linear, constant = affine(argument, task.gaussians)  # type: ignore[misc]
        a = state.vector([(s, value_of(c, task.env)) for s, c in linear.items()])
        c = value_of(constant, task.env)
        unit = 1.0 if fn == "cos" else -1.0
        lead = 0.5**k if fn == "cos" else (1 / 2j) ** k
        waves.append([(lead * math.comb(k, j) * unit**j, (k - 2 * j) * a, (k - 2 * j) * c) for j in range(k + 1)])
    value, size = 0j, 0.0
    for combination in itertools.product(*waves):
        weight = math.prod((w[0] for w in combination), start=1 + 0j)
        kappa = sum((w[1] for w in combination), np.zeros(len(state.symbols)))
        phase = sum(w[2] for w in combination) + float(kappa @ state.mean)
        damping = 0.5 * float(kappa @ state.covariance @ kappa)
        mean = state.mean[index] + 1j * (state.covariance[index] @ kappa)
        term = weight * cmath.exp(1j * phase - damping) * complex(moment(list(mean)))
        value += term
        size += abs(term) * (1 + abs(phase) + damping)
    return Outcome(value.real, 8 * EPS * size, max(abs(value), size), 0, "exact algebra")


# --- Dirac masses ----------------------------------------------------------------------------------------------


def _mass(e: Expr, state: State, task: Task) -> Outcome:
    """E δ(u) F = density(u = 0) E[F | u = 0]; E δ'(u) F = E δ(u) ((u − E u) F / Var u − ∂F along Σa/Var u)."""
    factors = list(factors_of(e))
    at = next(i for i, f in enumerate(factors) if isinstance(f, Call) and f.fn.startswith("dirac"))
    mass = factors.pop(at)
    rest = canonical(mul(*factors))
    u = mass.children[0]
    order = mass.payload.count("'")
    parts = affine(u, task.gaussians)
    if parts is None:
        return _mass_on_curve(u, order, rest, state, task)
    linear, constant = parts
    a = state.vector([(s, value_of(c, task.env)) for s, c in linear.items()])
    c = value_of(constant, task.env)
    density, _slope, gain, given = state.on(a, c)
    if density == 0.0:
        return Outcome(0.0, 0.0, 0.0, 0, "exact algebra")
    _refuse_jumps(rest, given, task)
    if order == 0:
        return scaled(expectation(rest, given, task), 0.0, density, "Dirac mass")
    variance = float(a @ state.covariance @ a)
    mean = float(a @ state.mean) + c
    lower = Call._make("dirac" + "'" * (order - 1), (u,))
    weighted = mul(add(u, Const(-mean)), Const(1 / variance), rest)
    slopes = [
        mul(Const(-float(g)), diff(rest, s)) for s, g in zip(state.symbols, gain, strict=True) if s in rest.free and g != 0
    ]
    inner = canonical(add(weighted, *slopes))
    terms = expand(inner, task.gaussians)
    moved = [mul(Const(t.coefficient), t.scalar, t.product, lower) for t in terms]
    return total([expectation(canonical(m), state, task) for m in moved] or [Outcome(0.0, 0.0, 0.0, 0, "exact algebra")])


def _refuse_jumps(rest: Expr, given: State, task: Task) -> None:
    shape = shape_of(rest, task.gaussians) if rest.free & task.gaussians else None
    if shape is None:
        return
    try:
        f = build(shape, given, task.env, slack=math.inf)
    except KeyError:
        return
    size = float(np.sqrt(np.abs(given.variances)).max(initial=0.0))
    for p in f.planes:
        flat = float(np.abs(p.a).max(initial=0.0)) <= 1e-7 * max(size, 1e-300)
        if p.kind == "jump" and flat and abs(p.b) <= 1e-12 * (1 + size):
            raise NoPointwiseMeaning("a Dirac mass meets a jump at the same point")
    for m in shape.masses:
        parts = affine(m[1], task.gaussians)
        if parts:
            a = given.vector([(s, value_of(c, task.env)) for s, c in parts[0].items()])
            if float(a @ given.covariance @ a) <= RANK * 10 * float(a**2 @ given.variances):
                raise NoPointwiseMeaning("two Dirac masses at the same point")


def _mass_on_curve(u: Expr, order: int, rest: Expr, state: State, task: Task) -> Outcome:
    """E δ(u(x)) F = Σ over the roots of u of F φ / |u'|, for one variable."""
    from netsor.expr.arrays import lambdify

    if order:
        raise NoPointwiseMeaning("the derivative of a Dirac mass on a curve")
    symbols = tuple(sorted((u.free | rest.free) & task.gaussians, key=lambda s: s.digest))
    index = [state.symbols.index(s) for s in symbols]
    c = state.covariance[np.ix_(index, index)]
    from netsor.gaussian.state import pivoted_root

    root, _ = pivoted_root(c, RANK * len(c) * state.variances[index], slack=task.slack)
    if root.shape[1] != 1:
        raise NoPointwiseMeaning("a Dirac mass on a surface")
    line = Sym(("line", 0))
    along = {s: add(mul(Const(float(root[i, 0])), line), Const(float(state.mean[j]))) for i, (s, j) in enumerate(zip(symbols, index))}
    from netsor.expr import substitute

    there = canonical(substitute(u, along))
    weight = canonical(substitute(rest, along))
    scalars = tuple(sorted((there.free | weight.free) - {line}, key=lambda s: s.digest))
    values = tuple(float(task.env[s]) for s in scalars)
    f = lambdify((there,), (line, *scalars))
    found = np.array(oned.roots_of(lambda x: np.asarray(f(x, *values)[0])))
    if not len(found):
        return Outcome(0.0, 0.0, 0.0, 1, "Dirac mass")
    g = lambdify((weight, diff(there, line)), (line, *scalars))
    top, slope = (np.broadcast_to(np.asarray(v, float), found.shape) for v in g(found, *values))
    terms = top * np.exp(-0.5 * found**2) / math.sqrt(2 * math.pi) / np.abs(slope)
    if not np.isfinite(terms).all():
        raise Divergent("a Dirac mass where its argument touches zero")
    return Outcome(float(terms.sum()), 1e-14 * float(np.abs(terms).sum()), float(np.abs(terms).sum()), 1, "Dirac mass")


__all__ = ["Outcome", "Task", "expectation", "is_polynomial", "neg", "product", "quadrature"]

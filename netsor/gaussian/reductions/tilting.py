"""Exponentials of polynomials of degree ≤ 2, and waves, as exact changes of the law."""

from __future__ import annotations

import cmath
import itertools
import math
from dataclasses import replace

import numpy as np

from netsor.expr import ONE, ZERO, Expr, Sym, canonical, mul
from netsor.expr.functions import FUNCTIONS
from netsor.gaussian.integrand.integrand import value_of
from netsor.gaussian.law.gaussian_law import State, moments
from netsor.gaussian.problem import EPS, OVERFLOW, Method, NotDefinite, Outcome, Problem, Stage, Task, scaled
from netsor.gaussian.reductions.reduction import Reduction, Sum, Weighted
from netsor.gaussian.symbolic.expansion import expand, exponent_of, factors_of, integer_power
from netsor.gaussian.symbolic.structure import Shape, affine, is_quadratic

Array = np.ndarray


class Tilting(Reduction):
    """exp of a polynomial of degree ≤ 2 changes a Gaussian law to another one (Rasmussen & Williams 2006, A.3)."""

    integrands = "exp of a quadratic polynomial as a factor"
    becomes = "the other factors under another Gaussian law (Rasmussen & Williams 2006, A.3)"

    def reduce(self, problem: Problem) -> Sum | None:
        shape, task = problem.shape, problem.task
        if shape.exponent is ZERO:
            return None
        # Exponentials are treated as ordinary factors where no Gaussian law is left, or where the other factors
        # compensate a large e^x, as 1/(1 + e^x) does, and would underflow under a law that is moved this far.
        as_it_is = Sum((Weighted(replace(problem, stage=Stage.AS_IT_IS)),))
        try:
            log, size, law = tilt(shape.exponent, problem.law, task)
        except NotDefinite:
            return as_it_is
        task = replace(task, floor=task.floor * math.exp(min(-log, 500.0)))
        rest = canonical(mul(*(f for f in factors_of(problem.integrand) if not _is_tilt(f, task))))
        if log > OVERFLOW and rest is not ONE:
            return as_it_is
        if rest is ONE:
            return Sum((scaled(Outcome(1.0, 0.0, 1.0), log, size=size),))
        left = Problem(rest, law, task, Stage.PRODUCT)
        return Sum((Weighted(left, log=log, method=Method.EXACT, size=size),))


class Characteristic(Reduction):
    """Polynomials, sines and cosines: e^{iκ·z} moves the mean by iΣκ, and the rest is Isserlis' theorem (1918)."""

    integrands = "a polynomial, alone or times sines and cosines of affine functions"
    becomes = "its moments (Isserlis 1918), about a mean moved by iΣκ (characteristic functions)"

    def reduce(self, problem: Problem) -> Sum | None:
        shape = problem.shape
        if problem.stage >= Stage.AS_IT_IS or shape.factors and not shape.trigonometric:
            return None
        return Sum((exact(shape, problem.law, problem.task),))


def _is_tilt(f: Expr, task: Task) -> bool:
    q = exponent_of(f)
    return q is not None and is_quadratic(q, task.gaussians)


def tilt(exponent: Expr, state: State, task: Task) -> tuple[float, float, State]:
    """(log c, size, law') after a factor exp(q), with q a polynomial of degree ≤ 2 in the Gaussians.

    `size` is the size of the terms whose sum is log c, to which rounding is relative.
    """
    q, b, constant = quadratic(exponent, state, task)
    values, vectors = np.linalg.eigh(q)
    top = float(np.abs(values).max(initial=0.0))
    if top == 0 or values[0] < -1e-14 * top:
        log, moved, loss = state.tilted_by_quadratic(q, b, constant)
        return log, abs(log) + 2 * abs(constant) + loss, moved
    # About the centre m of −z'Qz/2 + b·z only two constants cancel; the part of b in the kernel of Q is left.
    keep = values > 1e-14 * top
    along = vectors[:, keep].T @ b
    centre = vectors[:, keep] @ (along / values[keep])
    peak = 0.5 * float(along @ (along / values[keep]))
    log, moved = state.tilted_about(q, centre, constant + peak)
    free = b - vectors[:, keep] @ along
    size = abs(log) + abs(constant) + peak
    if np.abs(free).max() > 1e-13 * np.abs(b).max():
        more, moved = moved.tilted(free)
        log, size = log + more, size + abs(more)
    return log, size, moved


def quadratic(exponent: Expr, state: State, task: Task) -> tuple[Array, Array, float]:
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


def _power(f: Expr) -> tuple[Sym, int]:
    base, k = integer_power(f)
    return base, k  # type: ignore[return-value]


def exact(shape: Shape, state: State, task: Task) -> Outcome:
    """E of a polynomial times sines and cosines: e^{iκ·z} moves the mean by iΣκ."""
    index = [state.symbols.index(s) for s, _ in shape.polynomial]
    powers = [k for _, k in shape.polynomial]
    moment = moments(powers, state.covariance[np.ix_(index, index)])
    if not shape.trigonometric:
        value = complex(moment(list(state.mean[index])))
        size = float(np.real(moment(list(np.abs(state.mean[index])))))
        return Outcome(value.real, 8 * EPS * max(abs(value), size), max(abs(value), size))
    waves: list[list[tuple[complex, np.ndarray, float]]] = []
    for fn, argument, k in shape.trigonometric:
        linear, constant = affine(argument, task.gaussians)  # type: ignore[misc]
        a = state.vector([(s, value_of(c, task.env)) for s, c in linear.items()])
        c = value_of(constant, task.env)
        wave = FUNCTIONS[fn].wave
        assert wave is not None
        unit, lead = wave.s, wave.c**k
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
    return Outcome(value.real, 8 * EPS * size, max(abs(value), size))

"""What the numbers in netsor/gaussian/constants.py were measured by: the methods on both sides of each, side by side.

    python benchmarks/constants.py [NAME ...]     # all of them, or some

Each line has the time in milliseconds and the error of the methods between which the number decides; it should stand
where the better one changes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from netsor.expr import Expr, Sym, call, canonical, mul, sym
from netsor.gaussian import constants
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.probe import Probe
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.plan import ELIMINATIONS, integrand_of, integrated, solve
from netsor.gaussian.problem import Clock, Outcome, Problem, Stage, Task
from netsor.gaussian.reductions.common_factors import common_factors
from netsor.gaussian.reductions.stein import SteinsLemma
from netsor.gaussian.rules.adaptive import Adaptive
from netsor.gaussian.rules.lattice import Lattice
from netsor.gaussian.rules.nested import Nested
from netsor.gaussian.rules.qmc import QuasiMonteCarlo
from netsor.gaussian.rules.rule import Goal, Rule

TOL, BUDGET = 1e-10, 10.0


def problem(e: Expr, symbols: list[Sym], covariance: np.ndarray) -> Problem:
    task = Task(frozenset(symbols), {}, TOL, Clock(BUDGET), exists=True)
    return Problem(canonical(e), State.centred(symbols, covariance), task, Stage.PRODUCT)


def correlated(d: int, rho: float = 0.5) -> np.ndarray:
    return rho + (1 - rho) * np.eye(d)


def variables(d: int) -> list[Sym]:
    return [sym(f"x{i}") for i in range(d)]


def timed(run: Callable[[], tuple[float, float]]) -> str:
    start = time.perf_counter()
    error, size = run()
    return f"{1e3 * (time.perf_counter() - start):9.1f} ms ± {error / size if size else error:7.0e}"


def by(rule: Rule, f: Integrand) -> str:
    def run() -> tuple[float, float]:
        q = rule.integrate(Probe(f), Goal(TOL, 1e-13, Clock(BUDGET)))
        assert q is not None
        return q.error, q.scale

    return f"{type(rule).__name__} {timed(run)}"


def lattice_slope() -> None:
    for d in (2, 3, 5):
        for slope in (1.0, 2.0, 3.0, 4.0, 5.0, 7.0):
            x = variables(d)
            f = ELIMINATIONS[-1].eliminate(problem(mul(*(call("sigmoid", 2 * slope * u) for u in x)), x, correlated(d)))
            assert f is not None
            print(f"  {d} variables, slope {slope:g}: {by(Lattice(), f)} | {by(Adaptive() if d < 4 else Nested(), f)}")


def lattice_enough() -> None:
    for d in range(2, 7):
        x = variables(d)
        p = problem(mul(*(call("sigmoid", 2 * u) for u in x)), x, correlated(d, 0.3))
        f = ELIMINATIONS[-1].eliminate(p)
        assert f is not None
        others: list[Rule] = [Adaptive()] if d == 2 else [Nested(), QuasiMonteCarlo()]
        print(f"  {d} variables: {by(Lattice(), f)} | " + " | ".join(by(r, f) for r in others))


def fewest_forms() -> None:
    for d in (2, 3, 4):
        x = variables(d)
        winner = mul(*(call("step", x[0] - u) for u in x[1:]))
        p = problem(mul(x[0], winner), x, correlated(d))
        reduced = SteinsLemma().reduce(p)
        left = "is not asked" if reduced is None else timed(lambda r=reduced: measured(r.evaluate(solve)))
        print(f"  {d - 1} forms: Stein's lemma {left} | directly {whole(integrand_of(p), p)}")


def measured(o: Outcome) -> tuple[float, float]:
    return o.error, o.scale


def factors() -> None:
    rng = np.random.default_rng(1)
    for d in (4, 5, 6, 7):
        for m in (1, 2, 3):
            b = np.abs(rng.standard_normal((d, m))) / np.sqrt(m)
            x = variables(d)
            p = problem(mul(*(call("relu", u) for u in x)), x, b @ b.T + 1e-3 * np.eye(d))
            f = common_factors(p.shape, p.law, p.task.env)
            g = next(h for h in (e.eliminate(p) for e in ELIMINATIONS[1:]) if h is not None)
            if f is not None:
                left, right = whole(f, p), whole(g, p)
                print(f"  {d} variables: {f.rank} factors {left} | {g.rank} variables {right}")


def whole(f: Integrand, p: Problem) -> str:
    def run() -> tuple[float, float]:
        return measured(integrated(f, replace(p.task, clock=Clock(BUDGET))))

    return timed(run)


MEASURED: dict[str, tuple[Callable[[], None], object]] = {
    "LATTICE_SLOPE": (lattice_slope, constants.LATTICE_SLOPE),
    "LATTICE_ENOUGH": (lattice_enough, constants.LATTICE_ENOUGH),
    "FEWEST_FORMS": (fewest_forms, constants.FEWEST_FORMS),
    "FEW_FACTORS": (factors, (constants.FEW_FACTORS, constants.MANY_VARIABLES)),
}


def main() -> None:
    for name in sys.argv[1:] or MEASURED:
        measure, value = MEASURED[name]
        print(f"{name} = {value}")
        measure()


if __name__ == "__main__":
    main()

"""Which method an expectation gets: three tables, read from top to bottom.

E of an integrand under a numerical law is replaced by other expectations by the first of the `REDUCTIONS` that applies,
until none does. What is left becomes an integrand F of independent standard normals, by the first of the `ELIMINATIONS`
that applies. The `RULES` compute E F in turn, until one of them has an error within the tolerance; of the rules that
were used, the one with the smallest error gives the result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from netsor.deadline import verify_time
from netsor.gaussian import constants
from netsor.gaussian.existence.vanishing import bound_of_modulus
from netsor.gaussian.integrand import missing, poles
from netsor.gaussian.integrand.integrand import Integrand
from netsor.gaussian.integrand.probe import Probe, held_to_draws, held_to_tail
from netsor.gaussian.integrand.rounding import averaged, rounding
from netsor.gaussian.problem import Method, Outcome, Problem, Step, Task, Unsettled
from netsor.gaussian.reductions.arcsine import ArcSine
from netsor.gaussian.reductions.change_of_measure import Branches, WiderLaw
from netsor.gaussian.reductions.chebyshev import Table
from netsor.gaussian.reductions.closed_form import AllVariables, ClosedForm, Straightening
from netsor.gaussian.reductions.common_factors import CommonFactors
from netsor.gaussian.reductions.conditional import GivenTheRest
from netsor.gaussian.reductions.dirac import DiracMass
from netsor.gaussian.reductions.independent import Independence
from netsor.gaussian.reductions.laplace_sum import LaplaceInArrays
from netsor.gaussian.reductions.piecewise_polynomial import PiecewisePolynomial, moved
from netsor.gaussian.reductions.quadratic_powers import QuadraticPower, Terms
from netsor.gaussian.reductions.reduction import Elimination, Reduction
from netsor.gaussian.reductions.stein import SteinsLemma
from netsor.gaussian.reductions.tilting import Characteristic, Tilting
from netsor.gaussian.rules import adaptive, line
from netsor.gaussian.rules.adaptive import Adaptive
from netsor.gaussian.rules.lattice import Lattice
from netsor.gaussian.rules.line import Line
from netsor.gaussian.rules.logarithmic import LogTrapezoid
from netsor.gaussian.rules.nested import Nested
from netsor.gaussian.rules.panels import Quadrature
from netsor.gaussian.rules.qmc import QuasiMonteCarlo
from netsor.gaussian.rules.rule import Goal, Rule
from netsor.gaussian.rules.special import Constant, Glance, Radial, Rough
from netsor.gaussian.symbolic.powers_of_two import NORMAL

_WIDER_LAW, _GLANCE = WiderLaw(), Glance()
REDUCTIONS: tuple[Reduction, ...] = (
    LaplaceInArrays(),
    Terms(),
    Independence(),
    DiracMass(),
    ArcSine(),
    Branches(),
    Tilting(),
    QuadraticPower(),
    Characteristic(),
    SteinsLemma(),
    _WIDER_LAW,
)

_ONE_BY_ONE: tuple[Elimination, ...] = (
    GivenTheRest(),
    PiecewisePolynomial(),
    Straightening(),
    ClosedForm(),
    AllVariables(),
)
ELIMINATIONS: tuple[Elimination, ...] = (CommonFactors(_ONE_BY_ONE), *_ONE_BY_ONE)

RULES: tuple[Rule, ...] = (
    Constant(),
    Line(),
    Rough(),
    _GLANCE,
    LogTrapezoid(),
    Radial(),
    Lattice(),
    Nested(),
    Adaptive(),
    QuasiMonteCarlo(),
)


def solve(problem: Problem) -> Outcome:
    """E of the integrand: by the first reduction that applies, else by a rule."""
    verify_time()
    for reduction in REDUCTIONS:
        reduced = reduction.reduce(problem)
        if reduced is not None:
            try:
                return reduced.evaluate(solve)
            except reduced.unless:
                continue
    try:
        return _certain(integrated(integrand_of(problem), problem.task), problem)
    except Unsettled:
        wider = _WIDER_LAW.after_all(problem)
        if wider is None:
            raise
    return wider.evaluate(solve)


def _certain(o: Outcome, problem: Problem) -> Outcome:
    """The outcome, with a bound on E|integrand| added to the error where it was zero or subnormal at all nodes."""
    if o.scale >= NORMAL:
        return o
    missed = bound_of_modulus(problem.integrand, problem.law, problem.task.env, problem.task.trust)
    if missed == math.inf:
        raise Unsettled("it is 0 at every point where it was evaluated, and may be unbounded elsewhere")
    return replace(o, error=o.error + missed)


def integrand_of(problem: Problem) -> Integrand:
    """The integrand that is left for quadrature, by the first elimination that applies."""
    return next(f for f in (e.eliminate(problem) for e in ELIMINATIONS) if f is not None)


def rules_for(probe: Probe, goal: Goal) -> Iterator[Rule]:
    """The rules that may be used for an integrand, in order."""
    return (r for r in RULES if r.cost(probe, goal) is not None)


def integrated(f: Integrand, task: Task) -> Outcome:
    """E F, with the rounding errors of the values of F and of the parts integrated in closed form added."""
    try:
        o = _by_rules(f, task)
    except missing.NoRealValue:
        if any(map(missing.may_lack_values, f.factors)):
            raise
        raise Unsettled(missing.LOST) from None
    if f.closed:
        # Interpolated factors have relative errors of about 1e-14, and the split covariance an error of `defect`.
        tables = sum(isinstance(c.g, Table) for c in f.closed)
        more = ((3e-15 + 20 * f.defect) * len(f.closed) + 7e-15 * tables) * o.scale
        # Where terms cancel in closed form, as in 1 − 2Φ, rounding is relative to the terms.
        o = replace(o, error=o.error + more, scale=max(o.scale, averaged(f)))
    ends = moved(f)
    if ends is not None and f.rank <= 3:
        if f.rank == 1:
            rough = line.integrate(ends)
        else:
            rough = adaptive.integrate(ends, 0.1, task.clock, _goal(f, task).share(0.1))
        o = replace(o, error=o.error + 2 * rough.scale)
    return replace(o, error=o.error + rounding(f)) if f.rank > 1 else o


def _goal(f: Integrand, task: Task) -> Goal:
    spare = constants.SPARE.get(f.rank, constants.SPARE_ELSE)
    aim = max(spare * min(task.tol, constants.COARSEST), constants.FINEST)
    return Goal(task.tol, aim, task.clock, task.floor, task.rough)


def _by_rules(f: Integrand, task: Task) -> Outcome:
    task.verify_few(f.rank)
    probe, goal = Probe(f), _goal(f, task)
    if f.rank > 1 and not task.exists:
        poles.refuse(f)
    found: list[tuple[Quadrature, Rule]] = []
    for rule in rules_for(probe, goal):
        if rule.method is Method.QMC and any(p.error < constants.BEYOND_DRAWS * p.scale for p, _ in found):
            break
        q = rule.integrate(probe, goal)
        if q is None:
            continue
        if rule.final:
            return _outcome(_with_tail(q, rule, probe, goal), rule.called(probe), f)
        found.append((q, rule))
        if math.isfinite(q.error) and q.error <= max(rule.enough(probe, goal) * q.scale, task.floor):
            break
    if not any(math.isfinite(q.error) for q, _ in found):
        # The time ended before any rule had a result.
        found.append((_GLANCE.integrate(probe, goal), _GLANCE))
    q, rule = _best(found)
    q = _with_tail(q, rule, probe, goal)
    return _outcome(held_to_draws(q, f) if probe.curved else q, rule.called(probe), f)


def _with_tail(q: Quadrature, rule: Rule, probe: Probe, goal: Goal) -> Quadrature:
    """The result of a rule for several variables, with what singularities may add where it did not converge."""
    done = q.error <= max(goal.tol * q.scale, goal.floor)
    return q if done or probe.rank < 2 or rule.is_on_all_scales(probe) else held_to_tail(q, probe.f)


def _best(found: list[tuple[Quadrature, Rule]]) -> tuple[Quadrature, Rule]:
    """The result with the smallest error, which is enlarged to the distance of any result that contradicts it."""
    known = [x for x in found if math.isfinite(x[0].error)]
    if not known:
        return found[-1]
    q, rule = min(known, key=lambda x: x[0].error)
    apart = max((abs(q.value - p.value) for p, _ in known if abs(q.value - p.value) > q.error + p.error), default=0.0)
    return q._replace(error=max(q.error, apart)), rule


def _outcome(q: Quadrature, method: Method, f: Integrand) -> Outcome:
    if not math.isfinite(q.value):
        raise Unsettled("the integrand overflows")
    step = Step(method, 0 if method in _WITHOUT_DIMENSION else f.rank)
    closed = (Step(Method.CLOSED),) if (f.closed or f.given) and f.rank and method is not Method.ROUGH else ()
    # In one variable the closed form is the first step and is printed first; otherwise it is printed last.
    return Outcome(q.value, q.error, q.scale, f.rank, (*closed, step) if f.rank == 1 else (step, *closed))


# These methods are printed without the dimension in which they were used.
_WITHOUT_DIMENSION = (Method.EXACT, Method.ROUGH, Method.QMC)


def tables() -> str:
    """The three tables as the documentation prints them."""
    reductions = [(r.integrands, r.becomes, r.method.value) for r in REDUCTIONS]
    eliminations = [(e.integrands, e.becomes) for e in ELIMINATIONS]
    rules = [(r.integrands, r.does, r.method.value) for r in RULES]
    return "\n\n".join(
        (
            _table(("an integrand with", "becomes", "printed as"), reductions),
            _table(("an integrand with", "is left as"), eliminations),
            _table(("F of", "is integrated by", "printed as"), rules),
        )
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))

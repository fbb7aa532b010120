"""From an integrand and a law to a number: expand, drop terms that vanish, split into blocks, compute the blocks."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from netsor.deadline import elapsed, is_over, verify_time
from netsor.expr import (
    ONE,
    ZERO,
    Const,
    Expr,
    Pow,
    Sym,
    add,
    canonical,
    diff,
    evaluate,
    mul,
    postorder,
    substitute,
    to_text,
)
from netsor.expr.cancelling_terms import with_terms_cancelled
from netsor.expr.complements import stable_form
from netsor.expr.differentiate import unfold
from netsor.expr.intervals import infer_range
from netsor.expr.parity import parity
from netsor.gaussian.existence.divergence import TOO_SINGULAR, why_infinite
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.integrand.magnitude import averaged
from netsor.gaussian.law import Input, Law
from netsor.gaussian.law.inputs import Inputs, anonymous, gather
from netsor.gaussian.out_of_time import by_range, whole_by_draws
from netsor.gaussian.plan import solve
from netsor.gaussian.problem import (
    EPS,
    Clock,
    Divergent,
    Expectation,
    NoNumber,
    Outcome,
    OutOfRange,
    Part,
    Problem,
    Settings,
    Task,
    Trust,
    Undefined,
    Unsettled,
    printed,
)
from netsor.gaussian.reductions import quadratic_powers
from netsor.gaussian.reductions.arcsine import closed_form
from netsor.gaussian.reductions.mehler import smooth_pair
from netsor.gaussian.sensitivity.first_order import FirstOrder, combined
from netsor.gaussian.sensitivity.lost_arguments import lost_at_jumps
from netsor.gaussian.sensitivity.response import response
from netsor.gaussian.symbolic.conditions import expanded
from netsor.gaussian.symbolic.expansion import Gaussians, Term
from netsor.gaussian.symbolic.homogeneity import pulled
from netsor.gaussian.symbolic.independence import blocks, gaussians_of, vanishing
from netsor.gaussian.symbolic.linear_forms import Form, linear_forms
from netsor.gaussian.symbolic.powers_of_two import (
    NORMAL,
    apart,
    gathered,
    has_powers,
    raised,
    refuse,
    without_negligible,
)
from netsor.gaussian.symbolic.structure import is_curved, shape_of
from netsor.gaussian.symbolic.supports import is_zero_everywhere
from netsor.gaussian.vectorized.laplace import laplace_sum

DEFAULT = Settings()
# Scalars with relative errors above _LARGE are varied jointly, at this many random points within their errors.
_LARGE, _PLACES = 1e-5, 64
_SHARE, _FEW = 0.3, 4
# A block whose error is less than this part of the largest one is not computed again.
_OF_WORST = 0.1


def expect(
    integrand: Expr,
    law: Law,
    settings: Settings = DEFAULT,
    cache: dict[Any, Any] | None = None,
    trace: list[Any] | None = None,
) -> Expectation:
    """E integrand over the Gaussians of `law`, with |value − truth| ≤ error.

    `cache` keeps blocks between calls and belongs to one law; `trace`, a list, receives every block as a `Part`. Raises
    Divergent where the expectation is infinite or does not exist, Unsettled where it may exist but no number was found,
    and NoPointwiseMeaning where a Dirac mass meets a jump.
    """
    if is_over():
        return by_range(integrand, gaussians_of(integrand, law), settings.tol)
    e = gathered(pulled(stable_form(integrand)))
    clock = Clock(settings.budget)
    cache = {} if cache is None else cache
    gaussians = gaussians_of(e, law)
    if len(gaussians) > 1:
        e = _in_others(e, law.separated(_sorted(gaussians), None))
        gaussians = gaussians_of(e, law)
    by_draws_alone = whole_by_draws(e, gaussians, law, settings.tol) if clock.left() <= 0 else None
    if by_draws_alone is not None:
        return by_draws_alone
    if e is ZERO or gaussians and parity(e, gaussians) == -1 and integrable(e, gaussians):
        return Expectation(0.0, 0.0, "exact algebra")
    # The symbolic steps come first: the terms, their blocks, and which of them vanish.
    terms = []
    # One integral over Laplace transforms takes all terms, which would be many if its linear forms were multiplied out.
    in_arrays = e.free == gaussians and laplace_sum(e, _sorted(gaussians)) is not None
    groups = [[Term(1, ONE, e)]] if in_arrays else quadratic_powers.grouped(expanded(e, gaussians), gaussians)
    for group in groups:
        verify_time()
        t = group[0] if len(group) == 1 else _together(group)
        split = [e] if in_arrays else blocks(t.product, gaussians, law) if t.product is not ONE else []
        # A factor with mean zero makes a product vanish only if the means of the other factors exist.
        if not (_is_zero(t.product, split, gaussians, law) and integrable(t.product, gaussians)):
            terms.append((t, split))
    terms = _existing(_joined(terms, e, gaussians), e, gaussians, law)
    # Cheap blocks are computed first, since a product ends at a block that is zero.
    found: list[FirstOrder] = []
    scales: list[float] = []
    parts: list[Part] = []
    weights: list[float] = []
    hard = sum(len(b.free & gaussians) > 2 for _, split in terms for b in split)
    methods: dict[str, None] = {}
    # Terms that are small beside the others need less relative accuracy. E|integrand| is estimated from draws, which
    # need every covariance, whereas blocks of many variables may not.
    few = len(terms) > 1 and hard > 1 and len(e.free & gaussians) <= _FEW
    floor = _SHARE * settings.tol * averaged(e, gaussians, law) / hard if few else 0.0
    enough = _known_well_enough(terms, law, cache)
    for t, split in terms:
        power, scalar = apart(t.scalar)
        total = FirstOrder(float(t.coefficient)).times(_scalar_value(scalar, law))
        scale = abs(total.value)
        first = len(parts)
        split = sorted(split, key=lambda b: len(b.free & gaussians))
        if total.value == 0 and total.error == 0:
            split = []
        for block in split:
            verify_time()
            if total.value == 0 and total.error == 0 and integrable(block, gaussians):
                continue
            own = clock
            if len(block.free & gaussians) > 2:
                own = clock.among(hard)
                hard -= 1
            spare = floor / abs(total.value) if total.value and block is split[-1] and not power else 0.0
            part = enough.get(block) or _block(block, gaussians, law, settings, own, cache, spare)
            if vanishing(block, gaussians, law):
                # The expectation exists and vanishes by symmetry.
                part = replace(part, value=0.0, error=0.0, slopes={})
            # The error of a part is treated like that of an input, with the product of the other factors as its weight.
            weights[first:] = [w * part.value for w in weights[first:]]
            weights.append(total.value)
            parts.append(part)
            if trace is not None:
                trace.append(part)
            methods.update(dict.fromkeys(part.method.split(" + ")))
            total = total.times(FirstOrder(part.value, 0.0, part.error))
            scale *= max(part.scale, abs(part.value))
        if power:
            total = raised(total, power)
            weights[first:] = [raised(FirstOrder(w), power).value for w in weights[first:]]
            scale = raised(FirstOrder(scale), power).value
        found.append(total)
        scales.append(scale)
    scale = math.fsum(scales)
    value = _within_range(math.fsum(o.value for o in found), e)
    rounding = EPS * (scale if len(found) > 1 else abs(value)) * (len(found) > 0)
    error = math.fsum(o.error for o in found) + rounding
    if not math.isfinite(value) or not math.isfinite(error):
        for why in (_why_divergent(b, gaussians, law) for _, split in terms for b in split):
            if why is not None:
                raise Divergent(why)
        raise OutOfRange("it is out of the range of floating-point numbers")
    size = _size(value, error, scale, settings.tol, e, gaussians, law)
    if len(methods) > 1:
        methods.pop("exact algebra", None)
        names = ["exact algebra", *methods] if len(parts) > 1 or parts else list(methods)
    else:
        names = list(methods) or ["exact algebra"]
    return Expectation(
        value, error, " + ".join(names), error <= settings.tol * size, tuple(parts), size, tuple(weights),
        combined((1.0, o.slopes) for o in found), math.fsum(o.own for o in found) + rounding,
    )  # fmt: skip


def _known_well_enough(terms: Sequence[tuple[Term, list[Expr]]], law: Law, cache: dict[Any, Any]) -> dict[Expr, Part]:
    """Blocks whose errors, known from an earlier call, are small beside the largest of all."""
    added: dict[Expr, float] = {}
    found: dict[Expr, Part] = {}
    for t, split in terms:
        power, scalar = apart(t.scalar)
        parts: list[Part] = [p for b in split if (p := cache.get(("block", b))) is not None]
        if power or len(parts) < len(split):
            return {}
        weight = abs(float(t.coefficient) * _scalar_value(scalar, law).value)
        for k, (block, part) in enumerate(zip(split, parts, strict=True)):
            others = math.prod(abs(p.value) for p in parts[:k] + parts[k + 1 :])
            found[block] = part
            added[block] = added.get(block, 0.0) + weight * others * part.error
    worst = max(added.values(), default=0.0)
    return {b: found[b] for b, error in added.items() if error < _OF_WORST * worst}


def _is_zero(product: Expr, split: list[Expr], gaussians: Gaussians, law: Law) -> bool:
    """Whether the product of the blocks has the expectation 0, provided that it has one."""
    if is_zero_everywhere(product, gaussians) or any(vanishing(b, gaussians, law) for b in split):
        return True
    return is_zero_everywhere(product, gaussians, almost=True) and _has_density(product.free & gaussians, law)


def _within_range(value: float, e: Expr) -> float:
    """The value, moved into the range of e if it lies outside, where no expectation of e can lie."""
    low, high = _range(e)
    return min(max(value, low), high) if low <= high else value


@lru_cache(maxsize=20_000)
def _range(e: Expr) -> tuple[float, float]:
    return infer_range(unfold(e), {})


def _size(value: float, error: float, terms: float, tol: float, e: Expr, gaussians: Gaussians, law: Law) -> float:
    """The scale of the tolerance: E|e|, computed only where the tolerance is not reached relative to the value."""
    if error <= tol * abs(value):
        return terms
    try:
        found = averaged(e, gaussians, law)
    except NoNumber:
        return terms
    return min(terms, max(found, abs(value))) if found else terms


def _joined(terms: list[tuple[Term, list[Expr]]], e: Expr, gaussians: Gaussians) -> list[tuple[Term, list[Expr]]]:
    """Terms of `e` over the same variables with curved breaks joined into one, since none of them is easier alone."""
    groups: dict[frozenset[Sym], list[int]] = {}
    for i, (_, split) in enumerate(terms):
        if len(split) == 1 and is_curved(split[0], gaussians):
            groups.setdefault(frozenset(split[0].free & gaussians), []).append(i)
    out = list(terms)
    for places in groups.values():
        if len(places) > 1:
            whole = Term(1, ONE, e) if len(places) == len(terms) else _together([terms[i][0] for i in places])
            out[places[0]] = (whole, [whole.product])
            for i in places[1:]:
                out[i] = (Term(0, ONE, ONE), [])
    return out


def _existing(
    terms: list[tuple[Term, list[Expr]]], e: Expr, gaussians: Gaussians, law: Law
) -> list[tuple[Term, list[Expr]]]:
    """Terms without an expectation of their own joined into one, which may have one, as 1/u − cos(u)/u has."""
    if len(terms) < 2:
        return terms
    places = [i for i, (_, split) in enumerate(terms) if any(_why_divergent(b, gaussians, law) for b in split)]
    if len(places) < 2:
        return terms
    whole = Term(1, ONE, e) if len(places) == len(terms) else _together([terms[i][0] for i in places])
    return [(whole, [whole.product]), *(t for i, t in enumerate(terms) if i not in places)]


def _why_divergent(block: Expr, gaussians: Gaussians, law: Law) -> str | None:
    """Why E|block| is infinite; None where it is finite, or that is not known."""
    mine = frozenset(block.free & gaussians)
    exists = integrable(block, gaussians)
    if exists is True or has_powers(block):
        return None
    if exists is False and _has_density(mine, law):
        return TOO_SINGULAR
    given = gather(block, mine, law)
    if len(mine) > 1 and law.separated(given.symbols, given.covariance):  # type: ignore[arg-type]
        return None
    nameless, inputs, _ = anonymous(block, given)
    return why_infinite(nameless, frozenset(inputs.symbols), inputs)


def _together(group: list[Term]) -> Term:
    """Terms that have a finite expectation only as a sum."""
    return Term(1, ONE, canonical(add(*(mul(Const(t.coefficient), t.scalar, t.product) for t in group))))


def _block(
    block: Expr, gaussians: Gaussians, law: Law, settings: Settings, clock: Clock, cache: dict[Any, Any], floor: float
) -> Part:
    key = ("block", block)
    negligible = 0.0
    if has_powers(block):
        whole, block, negligible = block, without_negligible(block, gaussians), NORMAL
        refuse(block)
        if not block.free & gaussians:
            o = _scalar_value(block, law)
            error, own = o.error + NORMAL, o.own + NORMAL
            return Part(whole, 0, 0, "exact algebra", o.value, error, abs(o.value), 0.0, own, o.slopes)
    found = cache.get(key)
    if found is not None and (found.error <= max(settings.tol * found.scale, floor) or clock.left() <= 0):
        return found
    mine = frozenset(block.free & gaussians)
    part = _by_formula(block, mine, law)
    if part is not None:
        cache[key] = part
        return part
    given = gather(block, mine, law)
    better = law.separated(given.symbols, given.covariance) if len(mine) > 1 else {}  # type: ignore[arg-type]
    if better:
        # Differences of nearly dependent variables have laws of their own.
        start = elapsed()
        mine_alone = settings if clock.budget is None else replace(settings, budget=max(clock.left(), clock.reserve()))
        found = _as_part(block, len(mine), expect(_in_others(block, better), law, mine_alone, cache), start)
        cache[key] = found
        return found
    nameless, inputs, meant = anonymous(block, given)
    same = ("numbers", nameless, inputs.key())
    found = cache.get(same)
    if found is not None and found.error <= max(settings.tol * found.scale, floor):
        cache[key] = found = replace(found, integrand=block, seconds=0.0, slopes=_named(found.slopes, meant))
        return found
    variables = frozenset(inputs.symbols)
    # Computing the inputs may have used up the time; the block then gets a quarter of an extension by half of the
    # budget.
    clock = Clock(None if clock.budget is None else max(clock.left(), clock.reserve()))
    start = elapsed()

    exists = integrable(block, gaussians)
    why = _why_divergent(block, gaussians, law)
    if why is not None:
        raise Divergent(why)

    def run(at: Inputs, tol: float, trust: Trust, rough: bool = False) -> Outcome:
        task = Task(variables, at.scalars, tol, clock, trust, rough, floor, exists is True, settings.most)
        return solve(Problem(nameless, at.state(), task))

    outcome = run(inputs, settings.tol, inputs.trust())
    carried = response(nameless, run, inputs, outcome, shape_of(nameless, variables), settings.tol, clock)
    own = outcome.error + carried.rest + negligible + lost_at_jumps(nameless, inputs)
    part = Part(
        block,
        len(mine),
        outcome.dimension,
        printed(outcome.steps),
        _within_range(outcome.value, nameless),
        own + math.fsum(abs(slope) * inputs.error(i) for i, slope in carried.slopes.items()),
        outcome.scale,
        elapsed() - start,
        own,
        carried.slopes,
    )
    cache[same] = part
    cache[key] = part = replace(part, slopes=_named(carried.slopes, meant))
    return part


def _by_formula(block: Expr, mine: Gaussians, law: Law) -> Part | None:
    """A block with a formula in the covariances of two linear forms, with exact derivatives; None for other blocks."""
    if block.free != mine:
        return None
    pair, forms = _in_forms(block, mine)
    formula = closed_form(pair, frozenset(forms)) or smooth_pair(pair, frozenset(forms))
    if formula is None:
        return None
    start = elapsed()
    s = formula.symbols
    pairs = [(u, u) for u in s] + [(s[0], u) for u in s[1:]]
    known = [_covariance(forms[u], forms[v], law) for u, v in pairs]
    if any(k.error and k.value <= k.error for k, (u, v) in zip(known, pairs, strict=True) if u is v):
        return None
    found = formula.at([e.value for e in known], [e.error for e in known])
    if found is None:
        return None
    lost = math.fsum(abs(slope) * e.own for slope, e in zip(found.slopes, known, strict=True))
    own = found.rounding + found.rest + lost
    error = own + math.fsum(abs(slope) * (e.error - e.own) for slope, e in zip(found.slopes, known, strict=True))
    slopes: dict[Input, float] = {}
    for slope, e in zip(found.slopes, known, strict=True):
        for key, x in e.slopes.items():
            slopes[key] = slopes.get(key, 0.0) + slope * x
    way = printed(formula.steps)
    took = elapsed() - start
    return Part(block, len(mine), 0, way, found.value, error, found.scale, took, own, slopes)


@lru_cache(maxsize=20_000)
def _in_forms(block: Expr, mine: Gaussians) -> tuple[Expr, dict[Sym, tuple[tuple[Sym, float], ...]]]:
    """A function of Gaussians alone in linear forms, and what these are."""
    names: dict[Form, Sym] = {}

    def name(form: Form) -> Sym:
        if len(form) == 1 and form[0][1] is ONE:
            return form[0][0]
        return names.setdefault(form, Sym(("form", len(names))))

    made = linear_forms(block, mine, name) if len(mine) > 2 else block
    forms = {u: tuple((s, float(c.value)) for s, c in form) for form, u in names.items()}  # type: ignore[attr-defined]
    return made, {u: forms.get(u, ((u, 1.0),)) for u in made.free}


def _covariance(u: Sequence[tuple[Sym, float]], v: Sequence[tuple[Sym, float]], law: Law) -> FirstOrder:
    """Cov(Σ α s, Σ β t), where `error` is all and `own` the rounding alone; its slopes are by pairs with an error."""
    terms: list[float] = []
    slopes: dict[Input, float] = {}
    error = 0.0
    for s, x in u:
        for t, y in v:
            if s is not t and law.independent(s, t):
                continue
            e = law.covariance(s, t)
            terms.append(x * y * e.value)
            if e.error:
                key = (s, t) if s.digest <= t.digest else (t, s)
                slopes[key] = slopes.get(key, 0.0) + x * y
                error += abs(x * y) * abs(e.error)
    single = len(terms) == 1 and u[0][1] == v[0][1] == 1.0
    own = 0.0 if single else 2 * EPS * math.fsum(map(abs, terms))
    return FirstOrder(math.fsum(terms), own, error + own, slopes)


def _named(slopes: Mapping[Input, float], meant: Mapping[Sym, Sym]) -> dict[Input, float]:
    """The slopes of a block with numbered symbols, by the symbols of the law."""
    out: dict[Input, float] = {}
    for i, slope in slopes.items():
        if isinstance(i, Sym):
            out[meant[i]] = slope
        else:
            a, b = meant[i[0]], meant[i[1]]
            out[(a, b) if a.digest <= b.digest else (b, a)] = slope
    return out


def _in_others(e: Expr, better: dict[Sym, Expr]) -> Expr:
    """An integrand with some of its variables replaced by combinations of others."""
    return pulled(with_terms_cancelled(canonical(substitute(e, better)))) if better else e


def _as_part(block: Expr, before: int, e: Expectation, start: float) -> Part:
    after = max((p.after for p in e.parts), default=0)
    return Part(block, before, after, e.method, e.value, e.error, e.scale, elapsed() - start, e.error)


def _sorted(symbols: Gaussians) -> list[Sym]:
    return sorted(symbols, key=lambda s: s.digest)


def _has_density(mine: Gaussians, law: Law) -> bool:
    """Whether the law of some variables is clearly nondegenerate."""
    place = {s: i for i, s in enumerate(sorted(mine, key=lambda s: s.digest))}
    c = np.zeros((len(mine), len(mine)))
    for a, i in place.items():
        for b, j in place.items():
            if i <= j and (a is b or not law.independent(a, b)):
                c[i, j] = c[j, i] = law.covariance(a, b).value
    d = np.sqrt(np.maximum(np.diag(c), 0.0))
    return bool((d > 0).all()) and float(np.linalg.eigvalsh(c / np.outer(d, d))[0]) > 1e-9


def _shown(s: Sym) -> str:
    return str(s.name[1]) if isinstance(s.name, tuple) else str(s.name)


def _where(point: dict[Sym, float]) -> str:
    return ", ".join(f"`{_shown(s)}` = {v:.6g}" for s, v in point.items()) or "its limit"


def _overflows(e: Expr, point: dict[Sym, float]) -> bool:
    """Whether a power of a number other than 0 is too large for a float."""
    powers = [node for node in postorder(e) if isinstance(node, Pow)]
    return any(
        evaluate(p.base, point) not in (0, math.inf, -math.inf) and math.isinf(evaluate(p, point)) for p in powers
    )


def _scalar_value(e: Expr, law: Law) -> FirstOrder:
    """A function of scalars, with the error due to theirs."""
    if e is ONE:
        return FirstOrder(1.0)
    at = {s: law.scalar(s) for s in sorted(e.free, key=lambda s: s.digest)}
    point = {s: v.value for s, v in at.items()}
    value = evaluate(e, point)
    refuse(e)
    if not math.isfinite(value):
        if _overflows(e, point):
            raise OutOfRange("numbers beyond 1.8e308, the largest number, arose on the way")
        raise Undefined(f"`{to_text(e, _shown)}` has no finite value at {_where(point)}")
    own = error = 2 * EPS * abs(value)
    slopes: dict[Input, float] = {}
    for s, v in at.items():
        if v.error > 0:
            sides = [evaluate(e, {**point, s: v.value + d}) - value for d in (-v.error, v.error)]
            if not all(map(math.isfinite, sides)):
                raise Unsettled("a coefficient has no finite value within the error of its scalars")
            worst = max(map(abs, sides))
            error += worst
            slope = evaluate(diff(e, s), point)
            bend = abs(sides[0] + sides[1]) + 2 * EPS * abs(value)
            if math.isfinite(slope) and abs(abs(slope) * v.error - worst) <= 2 * bend:
                slopes[s] = slope
                own += bend
            else:
                own += worst
    if any(v.error > _LARGE * abs(v.value) for v in at.values()):
        # Large errors interact, and the function need not be extreme at their ends.
        rng = random.Random(29)
        for _ in range(_PLACES):
            there = evaluate(e, {s: v.value + v.error * rng.choice((-1, 1, rng.uniform(-1, 1))) for s, v in at.items()})
            if not math.isfinite(there):
                raise Unsettled("a coefficient has no finite value within the error of its scalars")
            error = max(error, 1.1 * abs(there - value))
        own, slopes = error, {}
    return FirstOrder(value, own, error, slopes)

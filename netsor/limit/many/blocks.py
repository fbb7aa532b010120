"""E of a block by the first method of the plan that succeeds, decided for each pair.

What follows from the expression alone is derived once for all blocks of one shape.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netsor.expr import ONE, Call, Expr, Sym, canonical, is_singular, substitute, to_text
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.constants import FEW
from netsor.gaussian.existence.integrability import is_tame
from netsor.gaussian.symbolic.expansion import factors_of, integer_power
from netsor.gaussian.symbolic.linear_forms import Form, linear_forms
from netsor.gaussian.symbolic.structure import affine
from netsor.gaussian.vectorized.arccosine import homogeneous_pair
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.plan import Way, ways
from netsor.gaussian.vectorized.replicates import averaged
from netsor.gaussian.vectorized.steepness import is_smooth
from netsor.limit.many.drawn import Draw
from netsor.limit.many.frames import Frame, Step
from netsor.limit.many.products import sides
from netsor.limit.many.terms import Taken
from netsor.limit.shapes import stand_ins

if TYPE_CHECKING:
    from netsor.limit.many.evaluator import Evaluator

Array = np.ndarray
# The share of the tolerance above which an error of an expectation is worth the way by the angle.
_ROUGH = 0.01
_OVER = ("all", "input", "pair of inputs")
# In no more variables there are other methods than a mean over points also where covariances are such means.
_PAIR = 2


class Block:
    """A block in stand-ins; `gaussian` and `domains` describe the symbols behind them."""

    def __init__(self, e: Expr, gaussian: Sequence[bool], domains: Sequence[str]):
        self.e = e
        self.symbols = stand_ins(len(gaussian))
        self._domain = dict(zip(self.symbols, domains, strict=True))
        self.gaussians = [s for s, is_gaussian in zip(self.symbols, gaussian, strict=True) if is_gaussian]
        self.scalars = [s for s, is_gaussian in zip(self.symbols, gaussian, strict=True) if not is_gaussian]
        # Linear forms; one side alone may depend on fewer variables than both sides together.
        self.forms: dict[Sym, Form] = {}
        both = sides(e, self._side) if len(self.gaussians) > 1 else None
        split = None
        if both is not None:
            f, g = (linear_forms(side, frozenset(self.gaussians), self._name) for side in both)
            split = ((f, self._variables(f)), (g, self._variables(g)))
        variables = [*self.gaussians, *self.forms]
        self.laws = [(a, b) for i, a in enumerate(variables) for b in variables[i:]]
        self.homogeneous = homogeneous_pair(e, self.gaussians)
        # Whether the expectation may be taken as a mean over points.
        tame = is_tame(e, frozenset(self.gaussians)) and not is_singular(e)
        self.can_be_drawn = len(self.gaussians) > _PAIR and tame
        self.is_smooth = is_smooth(e, self.gaussians)
        self.has_formula = not self.is_smooth and all(_is_simple(f, frozenset(self.gaussians)) for f in factors_of(e))
        self._following = ways(e, self.gaussians, split)
        self._ways: list[Way] = []

    def way(self, k: int) -> Way | None:
        """The k-th method, which is set up only where the methods before it failed for some pairs."""
        while len(self._ways) <= k:
            new = next(self._following, None)
            if new is None:
                return None
            self._ways.append(new)
        return self._ways[k]

    def _side(self, e: Expr) -> str:
        return "".join(sorted({c for s in e.free for c in self._domain[s]}))

    def _name(self, form: Form) -> Sym:
        if len(form) == 1 and form[0][1] is ONE:
            return form[0][0]
        found = next((s for s, known in self.forms.items() if known == form), None)
        if found is None:
            found = Sym(("form", len(self.forms)))
            self.forms[found] = form
        return found

    def _variables(self, e: Expr) -> list[Sym]:
        return [s for s in (*self.gaussians, *self.forms) if s in e.free]


def expectation(
    block: Block, at: dict[Sym, Sym], evaluator: Evaluator, instead: Callable[[], Step] | None = None
) -> Step:
    """E of a block with the symbols `at` in place of its stand-ins.

    `instead` is used in place of the last method, which takes the block as it stands for one law after the other.
    """
    variables = tuple(at[s] for s in (*block.gaussians, *block.forms))
    covariances = [evaluator.covariance(at[a], at[b]) for a, b in block.laws]
    given = [evaluator.scalar(at[s]) for s in block.scalars]
    domain = evaluator.join(at[s] for s in block.symbols)
    key = block.e, tuple(at[s] for s in block.symbols)

    def noted(name: str, frame: Frame, part: Bounded) -> Bounded:
        record = frame.records.get(key)
        if record is None:
            record = Taken(lambda: to_text(block.e, lambda s: evaluator.spell(at[s])), _OVER[len(domain)])
            frame.records[key] = record
        error = part.error
        if frame.is_replicated and error.shape == frame.shape:
            error = averaged(part.value, error)[1]
        sound = np.isfinite(error)
        record.ways[name] = record.ways.get(name, 0) + int(np.count_nonzero(sound))
        record.error = max(record.error, float(error.max(initial=0.0, where=sound)))
        return part

    def run(w: Way, frame: Frame, values: Sequence[Bounded]) -> Bounded:
        c = dict(zip(block.laws, values, strict=False))
        scalars = dict(zip(block.scalars, values[len(block.laws) :], strict=False))
        shape = frame.shape if domain else (1, 1)
        shared = frame.shared.setdefault(variables, {})
        waiting = max(len(frame.waiting), 1)
        here = Laws(shape, c, scalars, evaluator.tol, frame.clock, shared, waiting, drawn is not None)
        return full(w.run(here, [frame.value(evaluator.part(p, at)) for p in w.parts]), shape)

    def again(k: int, frame: Frame) -> Bounded | None:
        w = block.way(k)
        if w is None or is_left_to_points(k):
            return None
        if instead is not None and block.way(k + 1) is None:
            return frame.value(instead())
        return noted(w.name, frame, run(w, frame, [frame.value(s) for s in (*covariances, *given)]))

    def by_angle(out: Bounded, frame: Frame) -> Array:
        """Takes what the angle gives where that is better, and returns where it is.

        That is so for nearly parallel inputs, whose angle the covariances lose to cancellation, and after hundreds of
        layers, where the errors of the covariances matter though the angle is not small.
        """
        assert block.homogeneous is not None
        u, v = (at[s] for s in block.gaussians)
        rough = ~(out.error <= _ROUGH * evaluator.tol * abs(out.value))
        if not rough.any() or not (np.isinf(out.error).any() or evaluator.angles.knows(u, v)):
            return np.zeros(out.error.shape, bool)
        part = frame.part(rough)
        found = full(evaluator.angles.expectation(block.homogeneous, u, v, part), part.shape)
        better = rough.copy()
        better[rough] = found.error.ravel() < out.error[rough]
        chosen = better[rough]
        out.value[better], out.error[better] = found.value.ravel()[chosen], found.error.ravel()[chosen]
        noted("angle from its sine", part, Bounded(out.value[better], out.error[better]))
        return better

    def compute(frame: Frame, values: Sequence[Bounded]) -> Bounded:
        first = block.way(0)
        assert first is not None
        if is_left_to_points(0):
            return Bounded(np.zeros(frame.shape), np.full(frame.shape, np.inf))
        out = run(first, frame, values)
        better = by_angle(out, frame) if domain and block.homogeneous is not None else np.zeros((1, 1), bool)
        if not better.all():
            noted(first.name, frame, Bounded(out.value[~better], out.error[~better]) if better.any() else out)
        for k in itertools.count(1):
            bad = ~np.isfinite(out.error)
            if not bad.any():
                break
            part = frame.part(bad) if domain else frame
            more = again(k, part)
            if more is None:
                break
            more = full(more, part.shape if domain else (1, 1))
            out.value[bad], out.error[bad] = more.value.ravel(), more.error.ravel()
        return out

    def is_left_to_points(k: int) -> bool:
        """Whether no method is left but the last one, in place of which means over points are taken."""
        many = len(block.gaussians) > FEW and not block.has_formula
        return drawn is not None and many and block.way(k + 1) is None

    drawn = None
    needs = (*covariances, *given)
    if domain and block.can_be_drawn:
        pairs = {(at[a], at[b]): c for (a, b), c in zip(block.laws, covariances, strict=True) if b in block.gaussians}
        drawn = Draw(
            canonical(substitute(block.e, dict(at))),
            tuple(at[s] for s in block.gaussians),
            {pair: c for pair, c in pairs.items() if c is not evaluator.zero},
            {at[s]: step for s, step in zip(block.scalars, given, strict=True)},
            noted,
            block.is_smooth,
        )
    return evaluator.step(domain, needs, compute, drawn, slow=block.way(1) is None and not is_left_to_points(0))


def _is_simple(factor: Expr, gaussians: frozenset[Sym]) -> bool:
    """Whether products with such factors may have formulas in many variables, as Π step(u_i) of linear forms has."""
    base = integer_power(factor)[0]
    if isinstance(base, Call) and len(base.children) == 1:
        return affine(base.children[0], gaussians) is not None
    return isinstance(base, Sym)


def full(q: Bounded, shape: tuple[int, ...]) -> Bounded:
    """A result over its whole domain, in arrays that may be written to."""
    value, error = q.value, q.error
    if value.shape != shape or not value.flags.writeable:
        value = np.broadcast_to(value, shape).copy()
    if error.shape != shape or not error.flags.writeable:
        error = np.broadcast_to(error, shape).copy()
    return Bounded(value, error)

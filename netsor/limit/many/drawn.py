"""Expectations of many variables as means over points, computed in replicates whose spread is the error of the result.

The whole computation is done for twelve scramblings of the points: covariances that are such means have another value
in each of them, and so has all that depends on these. All means of one level have their points in common, so that a
hundred expectations of one network take little longer than one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from netsor.deadline import TimeOver
from netsor.expr import Expr, Sym
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.problem import Method
from netsor.gaussian.vectorized.laws import Laws
from netsor.gaussian.vectorized.replicates import means
from netsor.limit.many.frames import Frame, Step, closure

# The points of each scrambling: the first to be tried, how many times more at once, those without a limit of time, and
# the most. The relative error of n points is about 1/n where they are many.
_FIRST, _MORE, _UNLIMITED, _MOST = 2**6, 2**3, 2**19, 2**26
# The share of the time for other methods, which give more digits.
_EXACT = 0.5
_NOTHING = Bounded.exact(np.zeros((1, 1)))


@dataclass(frozen=True)
class Draw:
    """E e of Gaussians with these covariances, of which those that are zero are left out, and scalars.

    `noted` records the expectation when it is taken; `is_smooth` says that e has no kinks or jumps.
    """

    e: Expr
    variables: tuple[Sym, ...]
    covariances: Mapping[tuple[Sym, Sym], Step]
    scalars: Mapping[Sym, Step]
    noted: Callable[[str, Frame, Bounded], Bounded]
    is_smooth: bool

    def take(self, frame: Frame, steps: Sequence[Step]) -> Iterator[tuple[Step, Bounded]]:
        """The values of drawn steps of one level; those whose variables are among those of another come with it."""
        groups: list[list[tuple[Step, Draw]]] = []
        drawn = [(s, s.drawn) for s in steps if isinstance(s.drawn, Draw)]
        for s, draw in sorted(drawn, key=lambda x: -len(x[1].variables)):
            group = next((g for g in groups if set(draw.variables) <= set(g[0][1].variables)), None)
            if group is None:
                groups.append(group := [])
            group.append((s, draw))
        for group in groups:
            yield from _together(frame, group)

    def families(self) -> list[list[Sym]]:
        """The variables, apart where they are independent."""
        out: list[list[Sym]] = []
        for s in self.variables:
            near = [f for f in out if any((s, t) in self.covariances or (t, s) in self.covariances for t in f)]
            out = [f for f in out if f not in near] + [[*(t for f in near for t in f), s]]
        return out


def _together(frame: Frame, group: Sequence[tuple[Step, Draw]]) -> Iterator[tuple[Step, Bounded]]:
    first = group[0][1]
    given = {s: step for _, draw in group for s, step in draw.scalars.items()}
    frame.ensure((*first.covariances.values(), *given.values()))
    covariances = {(a, b): _NOTHING for i, a in enumerate(first.variables) for b in first.variables[i:]}
    covariances |= {key: frame.value(step) for key, step in first.covariances.items()}
    laws = Laws(frame.shape, covariances, {s: frame.value(step) for s, step in given.items()}, clock=frame.clock)
    integrands = {draw.e: draw.is_smooth for _, draw in group}
    assert frame.replicates is not None
    value, error = means(
        tuple(integrands),
        tuple(integrands.values()),
        first.families(),
        laws,
        frame.replicates,
        frame.level(group[0][0]),
    )
    place = {e: k for k, e in enumerate(integrands)}
    for s, draw in group:
        found = Bounded(value[place[draw.e]][:, None], error[place[draw.e]][:, None])
        yield s, draw.noted(Method.QMC.value, frame, found)


def needs_points(steps: Iterable[Step]) -> bool:
    return any(s.points for s in steps)


def of_one_example(steps: Iterable[Step]) -> list[Step]:
    """The steps of one example alone that steps are computed from."""
    return [s for s in closure(steps, lambda s: True) if len(s.domain) == 1]


def replicate(
    frame: Frame, asked: Sequence[Step], tol: float, known: int | None = None, others: Sequence[Step] = ()
) -> int:
    """Compute steps of a list of pairs in replicates, with as many points as `tol` asks for and the time allows.

    The values of those that are asked for are then means with bounds in the frame. Returns the number of points; one
    that is `known` to fit saves smaller ones. Without a limit of time it is always the same, so that an entry does not
    depend on other entries.
    """
    steps = [*asked, *others]
    clock, frame.clock = frame.clock, frame.clock.share(_EXACT)
    frame.ensure(s for s in closure(steps, lambda s: True) if not s.points)
    drawn = [s for s in steps if frame.level(s)]
    frame.ensure(s for s in closure(steps, lambda s: True) if not frame.level(s))
    frame.clock = clock
    asked = [s for s in asked if frame.level(s)]
    if not drawn:
        return known or 0
    last = max(map(frame.level, drawn))
    left, first = clock.left(), True
    points = _UNLIMITED if math.isinf(left) else max((known or 0) // _MORE, _FIRST)
    while True:
        before, start = frame.replicated, clock.left()
        try:
            frame.repeated(points, last).ensure(drawn)
        except TimeOver:
            if before is None:
                raise
            frame.replicated = before
            break
        if math.isinf(left) or asked and all(_is_reached(q, tol) for _, q in frame.averages(asked)):
            break
        took = start - clock.left()
        left -= took
        # The first time formulas are compiled, which takes longer than a few points.
        more = min(_MORE, _MOST // points, int(left / max(took, 1e-9)) if not first else _MORE * (left > 0))
        if more < 2:
            break
        points, first = points * 2 ** int(math.log2(more)), False
    frame.settle(asked)
    return points


def _is_reached(q: Bounded, tol: float) -> bool:
    return bool(q.error.max() <= tol * q.size.max())

"""Steps of a computation whose numbers are arrays over inputs or pairs of inputs, and the frames that compute them.

A template program runs a network on two examples, L and R. A step computes one number (domain ""), or a number for each
of the inputs that L or R ranges over, or for each of their pairs ("LR"). A frame is a tile of all pairs of some inputs
for L with some for R, or a list of pairs; its arrays have shape (rows, columns), or broadcast to it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from netsor.core import DataRef
from netsor.deadline import verify_time
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.problem import Clock, OutOfRange
from netsor.gaussian.rules.qmc import SCRAMBLINGS
from netsor.gaussian.vectorized.replicates import Replicates, averaged

Array = np.ndarray
# Inner products are always taken in blocks of this many rows, so that one does not depend on the number of others.
BLOCK = 96
_LEAST = 1e-305


class Drawn(Protocol):
    """An expectation that a frame of replicates takes as a mean over points, together with others of its level."""

    def take(self, frame: Frame, steps: Sequence[Step]) -> Iterable[tuple[Step, Bounded]]:
        """The values of steps of this kind in a frame of replicates."""
        ...


@dataclass(eq=False)
class Step:
    """One step: its domain, the steps that it always needs, and the function that computes it in a frame.

    Where that leaves an infinite error, a step that can be `drawn` is; `points` says that it may depend on such steps.
    `others` are steps that it may need; one that is `slow` takes what time there is.
    """

    number: int
    domain: str
    needs: tuple[Step, ...]
    compute: Callable[[Frame, Sequence[Any]], Any]
    drawn: Drawn | None = None
    others: tuple[Step, ...] = ()
    slow: bool = False
    points: bool = field(init=False)

    def __post_init__(self) -> None:
        self.points = self.drawn is not None or any(n.points for n in (*self.needs, *self.others))


@dataclass
class Inputs:
    """The rows that L and R range over, by the data of the template: arrays (N, d) of all inputs.

    `own` are rows of the network's own data, which belong to no example.
    """

    rows: dict[str, dict[DataRef, Array]]
    own: dict[DataRef, Array] = field(default_factory=dict)
    count: int = 1
    # The expectations that were taken over them, by integrand and symbols.
    records: dict[Hashable, Any] = field(default_factory=dict)
    # Rows whose squares were already verified.
    _sound: set[DataRef] = field(default_factory=set)

    def verify_squares(self, ref: DataRef) -> None:
        """Raise Unsettled where the square of a row is out of the range of floats."""
        if ref in self._sound:
            return
        x = self.of(ref)
        with np.errstate(all="ignore"):
            squares = np.einsum("ij,ij->i", x, x)
        if not np.isfinite(squares).all() or ((squares < _LEAST) & x.any(axis=1)).any():
            raise OutOfRange("the square of an input is out of the range of floating-point numbers")
        self._sound.add(ref)

    def some(self, which: Array) -> Inputs:
        """The inputs with these numbers alone."""
        rows = {side: {ref: x[which] for ref, x in of.items()} for side, of in self.rows.items()}
        return Inputs(rows, self.own, len(which), self.records)

    def side(self, ref: DataRef) -> str:
        """The example that a row belongs to: L, R, or "" where it belongs to none."""
        return next((s for s in self.rows if ref in self.rows[s]), "")

    def of(self, ref: DataRef) -> Array:
        """The row for every input, or the one row (1, d) that belongs to no example."""
        side = self.side(ref)
        return self.rows[side][ref] if side else self.own[ref][None]


def closure(steps: Iterable[Step], wanted: Callable[[Step], bool], others: bool = False) -> list[Step]:
    """The wanted steps among these and those that they (may) need, as far as all between are wanted, in order."""
    seen: dict[int, Step] = {}
    stack = list(steps)
    while stack:
        s = stack.pop()
        if s.number not in seen and wanted(s):
            seen[s.number] = s
            stack.extend((*s.needs, *s.others) if others else s.needs)
    return [seen[k] for k in sorted(seen)]


class Frame:
    """Some inputs or pairs of inputs, and the values of steps for them.

    `left` and `right` are indices of inputs: those of the rows and columns of a tile, or if `paired` those of each
    pair.
    """

    def __init__(
        self, inputs: Inputs, left: Array, right: Array, paired: bool, clock: Clock, single: Frame | None = None
    ):
        self.inputs, self.left, self.right, self.paired = inputs, left, right, paired
        self.clock = clock
        self.shape = (len(left), 1) if paired else (len(left), len(right))
        # The frame of all inputs, in which steps of one example are computed once.
        self._single = single
        self._values: dict[int, Any] = {}
        self._within: Frame | None = None
        self._chosen: tuple[Array, Array] = (np.zeros(0), np.zeros(0))
        # For steps that may depend on points, how many that are drawn, one needing the other, lead to them.
        self._levels: dict[int, int] = {}
        # In a frame of replicates, the one that each row belongs to.
        self.replicates: Replicates | None = None
        self.replicated: Frame | None = None
        self._parts: dict[bytes, Frame] = {}
        # The slow steps that are yet to be computed, among which the time that is left is divided.
        self.waiting: set[int] = set()
        # The expectations that were taken, by integrand and symbols.
        self.records = inputs.records
        # Results that several expectations under the same laws share.
        self.shared: dict[Any, Any] = {}

    @classmethod
    def whole(cls, inputs: Inputs, clock: Clock) -> Frame:
        """A frame of all inputs, each as L and as R, in which no pairs are computed."""
        everyone = np.arange(inputs.count)
        return cls(inputs, everyone, everyone, True, clock)

    def ensure(self, steps: Iterable[Step]) -> None:
        """Compute these steps, and first those that they need, however long the chain of needs is."""
        missing: dict[int, Step] = {}
        stack = list(steps)
        while stack:
            s = stack.pop()
            if s.number not in missing and s.number not in self._values and not self._taken_over(s):
                missing[s.number] = s
                stack.extend(s.needs)
        # A step needs steps of lower numbers alone, and what is drawn needs lower levels.
        order = sorted(missing.values(), key=lambda s: s.number)
        if self.replicates is not None:
            order.sort(key=lambda s: (self.level(s), not self.is_drawn(s)))
        self.waiting.update(s.number for s in order if s.slow)
        # Numbers beyond the floats become infinite or NaN, and the entries of the kernel that need them say so.
        with np.errstate(over="ignore", invalid="ignore"):
            for s in self.clock.counts.count("stage", order):
                verify_time()
                if s.number in self._values:
                    continue
                if self.replicates is not None and s.drawn is not None and self.is_drawn(s):
                    together = [t for t in order if self.level(t) == self.level(s) and self.is_drawn(t)]
                    self._values.update((t.number, self._completed(t, q)) for t, q in s.drawn.take(self, together))
                else:
                    self._values[s.number] = s.compute(self, [self._values[n.number] for n in s.needs])
                self.waiting.discard(s.number)

    def level(self, step: Step) -> int:
        """How many steps that are drawn, one needing the other, lead to a step and include it."""
        if not step.points:
            return 0
        if self.replicates is not None:
            assert self._within is not None
            return self._within.level(step)
        if self._single is not None and len(step.domain) < 2:
            return self._single.level(step)
        if step.number not in self._levels:
            for s in closure((step,), lambda s: s.points and s.number not in self._levels, True):
                before = self._level_before(s)
                drawn = s.drawn is not None and (before > 0 or not np.isfinite(self.value(s).error).all())
                self._levels[s.number] = before + drawn
        return self._levels[step.number]

    def is_drawn(self, step: Step) -> bool:
        """Whether a step is a mean over points, of all entries or of some."""
        return step.drawn is not None and self.level(step) > self._level_before(step)

    def _level_before(self, step: Step) -> int:
        return max(map(self.level, (*step.needs, *step.others)), default=0)

    def _completed(self, step: Step, q: Bounded) -> Bounded:
        """A mean over points, with the entries that are known without points."""
        if self.level(step) > 1:
            return q
        assert self._within is not None
        known = self._picked(self._within.value(step))
        sound = np.isfinite(known.error)
        return Bounded(np.where(sound, known.value, q.value), np.where(sound, known.error, q.error))

    def value(self, step: Step) -> Any:
        if step.number not in self._values:
            self.ensure((step,))
        return self._values[step.number]

    def _taken_over(self, s: Step) -> bool:
        """Take a step's value from the frame of all inputs or from the larger frame, where it is known there."""
        if self._single is not None and len(s.domain) < 2:
            self._values[s.number] = self._sliced(self._single.value(s), s.domain)
            return True
        around = self._within
        if around is None:
            return False
        if self.replicates is not None and around.replicates is None:
            # What does not depend on points is the same in every replicate.
            taken = self.level(s) == 0
        else:
            # Points are those of all replicates together.
            taken = s.number in around._values or self.replicates is not None and self.is_drawn(s)
        if taken:
            value = around.value(s)
            self._values[s.number] = self._picked(value) if s.domain else value
        return taken

    def _sliced(self, value: Any, domain: str) -> Any:
        if not domain:
            return value
        rows = self.left if domain == "L" else self.right
        if self.replicates is not None:
            rows = rows + self.inputs.count * self.replicates.of
        if isinstance(value, Bounded) and value.value.shape[0] == 1 < self.inputs.count:
            return value
        found = value.at(rows)
        if isinstance(found, Bounded) and domain == "R" and not self.paired:
            return Bounded(found.value.T, found.error.T)
        return found

    def _picked(self, value: Any) -> Any:
        """The part of a value of the larger frame that belongs to the entries of this one."""
        if isinstance(value, Bounded):
            assert self._within is not None
            v, e = (np.broadcast_to(x, self._within.shape)[self._chosen][:, None] for x in (value.value, value.error))
            return Bounded(v, e)
        assert self._within is not None
        return value.at(self._chosen[0] * self._within.shape[1] + self._chosen[1])

    def part(self, chosen: Array) -> Frame:
        """The list of pairs of this frame that a mask (rows, columns) selects."""
        if self.paired and chosen.all():
            return self
        key = np.packbits(chosen).tobytes()
        found = self._parts.get(key)
        if found is None:
            i, j = np.nonzero(chosen)
            left, right = (self.left[i], self.right[i]) if self.paired else (self.left[i], self.right[j])
            found = self._parts[key] = Frame(self.inputs, left, right, True, self.clock, self._single)
            found._within, found._chosen = self, (i, j)
            found.replicates = None if self.replicates is None else self.replicates.at(i)
            found.records, found.waiting = self.records, self.waiting
        return found

    def repeated(self, points: int, last: int) -> Frame:
        """This list of pairs once for each replicate, for steps up to the `last` level.

        Numbers of one input are those of the replicates of all inputs. It takes the place of the frame before it.
        """
        assert self.paired
        single = None if self._single is None else self._single.replicated
        i = np.tile(np.arange(len(self.left)), SCRAMBLINGS)
        found = Frame(self.inputs, self.left[i], self.right[i], True, self.clock, single)
        found._within, found._chosen = self, (i, np.zeros_like(i))
        found.replicates = Replicates.repeated(len(self.left), points, last)
        found.records = {}
        self.replicated = found
        return found

    @property
    def is_replicated(self) -> bool:
        """Whether this frame has all replicates of other pairs."""
        return self._within is not None and self._within.replicated is self

    def averages(self, steps: Iterable[Step]) -> Iterator[tuple[Step, Bounded]]:
        """The means of steps over the frame of replicates, with their bounds."""
        assert self.replicated is not None
        for s in steps:
            q = self.replicated.value(s)
            value, error = (np.broadcast_to(x, self.replicated.shape) for x in (q.value, q.error))
            yield s, Bounded(*averaged(value, error))

    def settle(self, steps: Iterable[Step]) -> None:
        """Take the means over the frame of replicates as the values of steps, and its records."""
        self._values.update((s.number, q) for s, q in self.averages(steps))
        assert self.replicated is not None
        for key, record in self.replicated.records.items():
            known = self.records.get(key)
            self.records[key] = record if known is None else known.joined(record)

    def inner(self, a: DataRef, b: DataRef) -> Bounded:
        """⟨ξ, ξ'⟩ of two rows of the template; raises Unsettled where a square is out of the range of floats."""
        self.inputs.verify_squares(a)
        self.inputs.verify_squares(b)
        x, y = self.inputs.of(a), self.inputs.of(b)
        sides = (self.inputs.side(a), self.inputs.side(b))
        if set(sides) == {"L", "R"} and not self.paired:
            if sides[0] == "R":
                x, y = y, x
            return _table(x[self.left], y[self.right])
        if set(sides) == {"L", "R"}:
            # Computed as in a tile, so that an entry has the same value there.
            (one, i), (other, j) = self._distinct
            x, y = (x[one], y[other]) if sides[0] == "L" else (y[one], x[other])
            found = _table(x, y)
            return Bounded(found.value[i, j][:, None], found.error[i, j][:, None])
        x, y = (self._rows(z, s) for z, s in ((x, sides[0]), (y, sides[1])))
        x, y = np.broadcast_arrays(x, y)
        value = np.einsum("ij,ij->i", x, y)
        return Bounded(value[:, None], (_unit(x) * np.einsum("ij,ij->i", abs(x), abs(y)))[:, None])

    @cached_property
    def _distinct(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """The inputs of a list of pairs on each side, each once, and which of them each pair has."""
        left, right = (np.unique(k, return_inverse=True) for k in (self.left, self.right))
        return left, right

    def both(self, a: DataRef, b: DataRef) -> tuple[Array, Array]:
        """Two rows of the template (k, d) for every pair of a list of pairs."""
        x, y = (self._rows(self.inputs.of(ref), self.inputs.side(ref)) for ref in (a, b))
        shape = (self.shape[0], x.shape[1])
        return np.broadcast_to(x, shape), np.broadcast_to(y, shape)

    def _rows(self, x: Array, side: str) -> Array:
        if not side:
            return x
        return x[self.left if side == "L" else self.right]


def _unit(x: Array) -> float:
    """The relative rounding error allowed for a sum of products of so many terms."""
    return float(4e-16 * max(1.0, np.sqrt(x.shape[1]) / 4))


def _table(x: Array, y: Array) -> Bounded:
    """All inner products of rows of x and of y, in blocks of one size."""
    n, m = len(x), len(y)
    x, y = (np.pad(z, ((0, -len(z) % BLOCK), (0, 0))) if len(z) % BLOCK else z for z in (x, y))
    value = np.empty((len(x), len(y)))
    for i in range(0, len(x), BLOCK):
        for j in range(0, len(y), BLOCK):
            np.matmul(x[i : i + BLOCK], y[j : j + BLOCK].T, out=value[i : i + BLOCK, j : j + BLOCK])
    # By Cauchy–Schwarz, Σ |x_k y_k| ≤ |x| |y|.
    long, wide = (np.sqrt(np.einsum("ij,ij->i", z, z)) for z in (x[:n], y[:m]))
    return Bounded(value[:n, :m], _unit(x) * (long[:, None] * wide))

"""The order in which a program is run: stages of scalars, one sweep over the coordinates, and products.

A sweep evaluates NONLINs and MOMENTs together in blocks of coordinates, so that a vector which only that sweep uses is
never stored as a whole. Products with one matrix that can be computed at the same time form one `Product`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from netsor.core import Instruction, MatMul, Moment, Nonlin, Program, Readout


@dataclass
class Product:
    """names[i] := W vectors[i], or Wᵀ vectors[i], for all i at once."""

    matrix: str
    transposed: bool
    names: list[str]
    vectors: list[str]


@dataclass
class Stage:
    """One stage: scalars, then a sweep, then products.

    `scalars` are the MOMENTs of no vector; `draws` the initial vectors first used here; `body` the NONLINs and MOMENTs
    of the sweep in order; `kept` the vectors of the sweep that are used after it; `reads` the vectors that exist before
    it. `free_sweep` and `free` are the vectors not needed after the sweep and after the products, `free_matrices` the
    matrices not needed after the products.
    """

    scalars: list[Moment] = field(default_factory=list)
    draws: list[str] = field(default_factory=list)
    body: list[Nonlin | Moment] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    products: list[Product] = field(default_factory=list)
    free_sweep: list[str] = field(default_factory=list)
    free: list[str] = field(default_factory=list)
    free_matrices: list[str] = field(default_factory=list)


@dataclass
class Plan:
    """The stages of a run; `alias` maps a product that repeats an earlier one to the name of that one."""

    stages: list[Stage]
    alias: dict[str, str]

    def products(self) -> Iterator[Product]:
        for s in self.stages:
            yield from s.products

    def queries(self) -> dict[tuple[str, bool], int]:
        """How many vectors each matrix and each transpose is applied to."""
        count: dict[tuple[str, bool], int] = defaultdict(int)
        for p in self.products():
            count[p.matrix, p.transposed] += len(p.names)
        return dict(count)

    def matrices(self) -> list[str]:
        return list(dict.fromkeys(p.matrix for p in self.products()))


def readout_moments(readout: Readout) -> list[Moment]:
    """The MOMENTs vᵀx/n of a network's readout; multiplied by √n they are its terms (Setup D.1)."""
    from netsor.expr import mul, sym

    return [
        Moment(f"{readout.name}·{i}", mul(sym(v), sym(x)), tuple(dict.fromkeys((v, x))))
        for i, (_, v, x) in enumerate(readout.terms)
    ]


def make_plan(
    program: Program, scalars: Iterable[str], vectors: Iterable[str], readouts: Iterable[Readout] = ()
) -> Plan:
    """The plan that computes these scalars, vectors and readouts of a program, and only what they depend on."""
    extra = [m for r in readouts for m in readout_moments(r)]
    targets = list(vectors)
    needed = program.needed([*scalars, *targets, *(v for m in extra for v in m.vectors)]) | {m.name for m in extra}
    todo = [i for i in [*program.instructions, *extra] if i.name in needed]
    alias: dict[str, str] = {}
    first: dict[tuple[str, bool, str], str] = {}
    for i in todo:
        if isinstance(i, MatMul):
            source = alias.get(i.vector, i.vector)
            original = first.setdefault((i.matrix, i.transposed, source), i.name)
            if original != i.name:
                alias[i.name] = original
    todo = [i for i in todo if i.name not in alias]
    return _Scheduler(todo, alias, targets).plan()


def _scalars(i: Instruction) -> tuple[str, ...]:
    return () if isinstance(i, MatMul) else i.scalars


class _Scheduler:
    """Assigns each instruction of `todo` to a stage; a stage runs its scalars, then its sweep, then its products."""

    def __init__(self, todo: list[Instruction], alias: dict[str, str], targets: list[str]):
        self.todo, self.alias = todo, alias
        self.targets = {alias.get(t, t) for t in targets}
        self.make = {i.name: i for i in todo}
        self.at: dict[str, int] = {}

    def inputs(self, i: Instruction) -> list[str]:
        names = (i.vector,) if isinstance(i, MatMul) else i.vectors
        return [self.alias.get(v, v) for v in names]

    def _schedule(self, latest: dict[str, int] | None) -> None:
        """Place each instruction as early as possible; products with one matrix wait together until one is due."""
        depends = {i.name: {v for v in [*self.inputs(i), *_scalars(i)] if v in self.make} for i in self.todo}
        users: dict[str, list[str]] = defaultdict(list)
        for name, names in depends.items():
            for v in names:
                users[v].append(name)
        missing = {name: len(names) for name, names in depends.items()}
        ready = dict.fromkeys(missing, 0)
        buckets: dict[int, list[str]] = defaultdict(list, {0: [name for name, m in missing.items() if not m]})
        pending: dict[tuple[str, bool], list[str]] = defaultdict(list)
        self.at.clear()

        def place(name: str, stage: int) -> None:
            self.at[name] = stage
            i = self.make[name]
            same = isinstance(i, Nonlin) or (isinstance(i, Moment) and not i.vectors)
            for user in users[name]:
                ready[user] = max(ready[user], stage if same else stage + 1)
                missing[user] -= 1
                if not missing[user]:
                    buckets[ready[user]].append(user)

        stage = 0
        while len(self.at) < len(self.todo):
            queue = buckets[stage]
            for name in queue:
                i = self.make[name]
                if isinstance(i, MatMul):
                    pending[i.matrix, i.transposed].append(name)
                else:
                    place(name, stage)
            for group in pending.values():
                if group and (latest is None or min(latest[name] for name in group) <= stage):
                    for name in group:
                        place(name, stage)
                    group.clear()
            del buckets[stage]
            stage += 1

    def _latest(self) -> dict[str, int]:
        """The last stage at which each NONLIN and MATMUL delays no MOMENT; MOMENTs stay where they are."""
        end = max(self.at.values(), default=0)
        latest: dict[str, int] = {}
        for i in reversed(self.todo):
            if isinstance(i, Moment):
                latest[i.name] = self.at[i.name]
            else:
                latest[i.name] = latest.get(i.name, end)
            for v in self.inputs(i):
                made = self.make.get(v)
                if made is not None:
                    bound = latest[i.name] - (1 if isinstance(made, MatMul) else 0)
                    latest[v] = min(latest.get(v, end), bound)
        return latest

    def plan(self) -> Plan:
        self._schedule(None)
        self._schedule(self._latest())
        self._delay_nonlins()
        return self._build()

    def _uses(self) -> dict[str, list[int]]:
        uses: dict[str, list[int]] = defaultdict(list)
        for i in self.todo:
            for v in self.inputs(i):
                uses[v].append(self.at[i.name])
        return uses

    def _delay_nonlins(self) -> None:
        """Move a NONLIN to its first use, unless more than one of its arguments would be kept longer for that."""
        uses = self._uses()
        end = max(self.at.values(), default=0)
        for i in reversed(self.todo):
            if not isinstance(i, Nonlin) or not uses[i.name] or i.name in self.targets:
                continue
            before, to = self.at[i.name], min(uses[i.name])
            if to <= before:
                continue
            kept_for_this = 0
            for v in self.inputs(i):
                last = end + 1 if v in self.targets else max((u for u in self._others(uses[v], before)), default=-1)
                kept_for_this += last < to
            if kept_for_this <= 1:
                for v in self.inputs(i):
                    uses[v].remove(before)
                    uses[v].append(to)
                self.at[i.name] = to

    @staticmethod
    def _others(uses: list[int], one: int) -> list[int]:
        rest = list(uses)
        rest.remove(one)
        return rest

    def _build(self) -> Plan:
        stages = [Stage() for _ in range(max(self.at.values(), default=0) + 1)]
        groups: dict[tuple[int, str, bool], Product] = {}
        # A time (k, 0) is the sweep of stage k, and (k, 1) its products.
        born: dict[str, tuple[int, int]] = {}
        last: dict[str, tuple[int, int]] = {}
        matrix_last: dict[str, int] = {}
        for i in self.todo:
            k = self.at[i.name]
            stage = stages[k]
            when = (k, 0)
            match i:
                case MatMul():
                    p = groups.get((k, i.matrix, i.transposed))
                    if p is None:
                        p = groups[k, i.matrix, i.transposed] = Product(i.matrix, i.transposed, [], [])
                        stage.products.append(p)
                    p.names.append(i.name)
                    p.vectors.append(self.alias.get(i.vector, i.vector))
                    when = (k, 1)
                    matrix_last[i.matrix] = max(matrix_last.get(i.matrix, 0), k)
                case Moment() if not i.vectors:
                    stage.scalars.append(i)
                case _:
                    stage.body.append(i)
            if not isinstance(i, Moment):
                born[i.name] = last[i.name] = when
            for v in self.inputs(i):
                if v not in self.make:
                    born[v] = min(born.get(v, (k, 0)), (k, 0))
                last[v] = max(last.get(v, when), when)
                if when[1] == 0:
                    stage.reads.add(v)
        forever = (len(stages), 0)
        for t in self.targets:
            born.setdefault(t, (0, 0))
            last[t] = forever
        for v, (k, what) in born.items():
            if what == 0:
                if v not in self.make:
                    stages[k].draws.append(v)
                if last[v] > (k, 0):
                    stages[k].kept.add(v)
            if last[v] != forever and last[v] > born[v] or (what == 1 and last[v] != forever):
                end = stages[last[v][0]]
                (end.free if last[v][1] else end.free_sweep).append(v)
        for m, k in matrix_last.items():
            stages[k].free_matrices.append(m)
        # Vectors that a sweep makes itself do not exist before it.
        for stage in stages:
            stage.reads -= {i.name for i in stage.body} | set(stage.draws)
        return Plan(stages, self.alias)

"""Memory that is used again: never that of an array which something else can still see."""

from __future__ import annotations

import numpy as np
import pytest
from finite_programs import FEEDBACK, program

from netsor.finite import run
from netsor.finite.execute import execute
from netsor.finite.prepare import prepare
from netsor.finite.spare import Spare
from netsor.finite.streams import Streams
from netsor.finite.workers import Workers


def test_only_what_nothing_refers_to_is_used_again() -> None:
    spare = Spare()
    held, part, gone = (spare.empty((5,), "float64") for _ in range(3))
    view = part[1:]
    places = {"held": held, "part": part, "gone": gone}
    address = gone.ctypes.data
    del part, gone
    for name in list(places):
        spare.keep(places.pop(name))
    assert spare.empty((5,), "float32").ctypes.data != address
    assert spare.empty((5,), "float64").ctypes.data == address
    new = spare.empty((5,), "float64")
    assert not np.shares_memory(new, held) and not np.shares_memory(new, view)


def test_no_more_is_kept_than_was_asked_for() -> None:
    spare = Spare()
    spare.empty((3,), "float64")
    several = {k: np.ones(3) for k in range(4)}
    addresses = [x.ctypes.data for x in several.values()]
    for k in range(4):
        spare.keep(several.pop(k))
    spare.keep(None)
    assert spare.empty((3,), "float64").ctypes.data == addresses[0]
    assert not any(spare._free.values())


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_a_draw_does_not_depend_on_those_before_it(engine: str) -> None:
    p = program(FEEDBACK)
    together = run(p, 300, 3, engine=engine).values
    for k in range(3):
        alone = run(p, 300, [k], engine=engine).values
        assert all(alone[name][0] == together[name][k] for name in together)


def test_arrays_of_the_caller_are_left_alone() -> None:
    p = program("matrix W\nvector x ~ N(0, 1)\ny := W tanh(x)\noutput m := mean(tanh(Wᵀ y) * x)\n")
    w, x = np.random.default_rng(0).standard_normal((2, 50, 50))
    before = w.copy(), x[0].copy()
    run(p, 50, 3, given={"W": w, "x": x[0]})
    assert np.array_equal(w, before[0]) and np.array_equal(x[0], before[1])


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_vectors_that_a_hook_keeps_stay_as_they_were(engine: str) -> None:
    p = program(FEEDBACK)
    job, _ = prepare(p, 300, [o.name for o in p.outputs], (), "float64", engine, None, None, None, 1)
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    with Workers(1) as workers:
        for k in range(3):
            execute(job, Streams(0, k, 300), workers, hook=lambda name, x, lo: kept.append((x, np.array(x))))
    assert kept and all(np.array_equal(x, then) for x, then in kept)

"""What a run refuses, and in which words."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from finite_programs import FEEDBACK, program
from processes import default_signals

from netsor import NetsorError
from netsor.diagnostics.catalogue import lookup
from netsor.finite import memory, run, run_vectors
from netsor.finite.memory import available, text

SIMPLE = "matrix W\nvector v ~ N(0, 1)\nx := W v\ny := Wᵀ tanh(x)\noutput m := mean(y * v)\n"


def refused(code: str, *args, **kwargs):  # type: ignore[no-untyped-def]
    with pytest.raises(NetsorError) as e:
        run(*args, **kwargs)
    (d,) = e.value.diagnostics
    assert d.code == code and lookup(code) is not None
    return d


@pytest.mark.parametrize("width", [0, -3, 2.5, "10", None, True])
def test_widths_that_are_none(width: object) -> None:
    assert repr(width) in refused("E701", program(SIMPLE), width).message


@pytest.mark.parametrize("engine", ["auto", "dense", "lazy"])
@pytest.mark.parametrize("width", [10**12, 10**18, 10**30, 10**400])
def test_what_cannot_fit_is_refused_before_anything_is_allocated(engine: str, width: int) -> None:
    d = refused("E702", program(SIMPLE), width, engine=engine)
    assert "nothing was allocated" in d.notes[0] and "fits" in d.hint


def size_of(text: str) -> Decimal:
    """The number of bytes in `3.2 GB` or `8e60 bytes`."""
    number, unit = text.split()
    return Decimal(number) * {"bytes": 1, "TB": 10**12, "PB": 10**15, "EB": 10**18}[unit]


@pytest.mark.parametrize("width", [10**12, 10**30, 10**400])
def test_the_figure_of_the_memory_is_that_of_the_vectors_and_matrices(width: int) -> None:
    # The last product needs x, its argument, the result and five of its scratch rows at most, and 2·2 rows of bases.
    d = refused("E702", program(SIMPLE), width)
    found = {w: size_of(re.search(rf"the {w} engine needs ([\d.e]+ \w+)", d.notes[0])[1]) for w in ("dense", "lazy")}
    assert 8 * Decimal(width) ** 2 <= found["dense"] <= 8 * Decimal(width) ** 2 * Decimal("1.01")
    assert 8 * 4 * Decimal(width) < found["lazy"] < 8 * 12 * Decimal(width)


def test_a_program_that_needs_no_memory_is_refused_for_its_time_or_its_sums() -> None:
    p = program("vector v ~ N(0, 1)\noutput m := mean(v^2)\n")
    for width in (10**18, 4 * 10**18, 10**30):
        d = refused("E702", p, width)
        # One float for each block of 2¹³ coordinates is all that such a sweep keeps.
        size = size_of(re.search(r"needs ([\d.e]+ \w+)", d.message)[1])
        assert size == pytest.approx(Decimal(width) / 1024, rel=Decimal("0.01"))
    d = refused("E700", p, 10**17, memory_limit=10**18)
    # 10 ns for each of two passes over the coordinates on one core.
    assert 1 < float(re.search(r"about ([\d,]+) years", d.message)[1].replace(",", "")) < 100
    day = int(d.hint.split()[1])
    assert 10**12 < day < 10**14


@pytest.mark.parametrize("seeds", [0, -1, 1.5, "3", [0, -1], []])
def test_draws_that_are_none(seeds: object) -> None:
    assert repr(seeds) in refused("E705", program(SIMPLE), 10, seeds).message


def test_more_draws_than_anyone_waits_for() -> None:
    assert "1e30 draws" in refused("E700", program(SIMPLE), 10, 10**30).message


def test_the_limit_is_kept_and_the_hint_is_right() -> None:
    p = program(SIMPLE)
    d = refused("E702", p, 5000, engine="dense", memory_limit=100_000_000)
    width = int(d.hint.split()[1])
    assert 2500 < width < 3600
    r = run(p, width, 1, engine="dense", memory_limit=100_000_000)
    assert r.width == width
    # A run that only the other engine can do is done by that one.
    r = run(p, 5000, 1, memory_limit=100_000_000)
    assert r.engine == "lazy" and "dense would need" in r.reason


def test_measured_memory_is_within_the_estimate() -> None:
    import tracemalloc

    from netsor.finite import prepare

    p = program(FEEDBACK)
    for engine, n in (("dense", 1500), ("lazy", 300_000)):
        plan = prepare._plan(p, tuple(o.name for o in p.outputs), (), ())
        from netsor.finite.initial import Initial
        from netsor.finite.memory import estimate

        initial = {k: Initial(p, s.draws, {}, {}) for k, s in enumerate(plan.stages)}
        bound = estimate(plan, initial, n, 8, engine, 2)
        run(p, 50, 1, engine=engine)
        tracemalloc.start()
        run(p, n, 1, engine=engine, threads=2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0.5 * bound < peak <= bound, (engine, peak, bound)


def test_numbers_that_are_none_name_their_line() -> None:
    p = program("vector v ~ N(0, 1)\nx := v + 1\ny := log(x)\nz := y^2\noutput m := mean(z)\noutput k := mean(x)\n")
    d = refused("E703", p, 200_000)
    assert "`y`" in d.message and d.span is not None and d.span.line == 3 and "coordinate" in d.label
    assert np.isfinite(run(p, 100, outputs=["k"]).values["k"][0])
    p = program("vector v ~ N(0, 1)\ns := mean(v^2)\nt := 1 / (relu(s) - s)\ny := t * v\noutput m := mean(y * v)\n")
    d = refused("E703", p, 100)
    assert d.span is not None and d.span.line == 3
    p = program("matrix W\nvector v ~ N(0, 1)\nx := exp(100 * v + 300)\ny := W x\noutput m := mean(y)\n")
    assert refused("E703", p, 100, dtype="float32").span.line == 3


def test_a_constant_without_a_value_at_n() -> None:
    p = program("scalar c = 1/(n - 1)\nvector v ~ N(0, 1)\nx := v + c\noutput m := mean(x)\n")
    assert "`c`" in refused("E703", p, 1).message
    assert run(p, 2).width == 2


def test_dirac_masses_have_no_values() -> None:
    entry = lookup("E704")
    assert entry is not None
    d = refused("E704", program(entry.bad), 64)
    assert "`y`" in d.message and d.span is not None and d.span.line == 2
    run(program(entry.good), 64)
    both = program("matrix W\n" + entry.bad + "z := W x\noutput k := mean(z^2)\n")
    assert all(np.isfinite(run(both, 64, engine=e, outputs=["k"]).values["k"][0]) for e in ("dense", "lazy"))
    entry = lookup("E703")
    assert entry is not None
    refused("E703", program(entry.bad), 64)
    run(program(entry.good), 64)


def test_names_that_are_not_known() -> None:
    p = program(FEEDBACK)
    assert "did you mean" in refused("E705", p, 10, outputs=["yyy"]).hint
    refused("E705", p, 10, engine="sparse")
    refused("E705", p, 10, dtype="float16")
    refused("E705", p, 10, seeds=0)
    with pytest.raises(NetsorError, match="E705"):
        run_vectors(p, 10, 0, ["nope"])


def test_arrays_that_do_not_fit() -> None:
    p = program(SIMPLE)
    refused("E706", p, 10, given={"W": np.eye(9)})
    refused("E706", p, 10, given={"W": np.eye(10)}, engine="lazy")
    refused("E705", p, 10, given={"x": np.zeros(10)})
    declared = "network f(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nvector v ~ N(0, 1)\n"
    net = program(declared + "x := tanh(U ξ)\noutput f := vᵀ x / √n\n")
    refused("E706", net, 10)
    refused("E706", net, 10, inputs={"ξ": [1, 2, 3]})
    refused("E706", net, 10, inputs={"ξ": [1, float("nan")]})
    refused("E705", net, 10, inputs={"ξ": [1, 2], "η": [1]})


@pytest.fixture
def interruptible() -> Iterator[None]:
    with default_signals():
        yield


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_ctrl_c_keeps_the_finished_draws(engine: str, interruptible: None) -> None:
    p = program(FEEDBACK)
    seen: list[float] = []

    def progress(fraction: float, message: str) -> None:
        seen.append(fraction)
        if message.startswith("draw 4 "):
            signal.raise_signal(signal.SIGINT)

    r = run(p, 200, 50, engine=engine, progress=progress)
    assert r.interrupted and r.seeds == 3
    whole = run(p, 200, 3, engine=engine)
    assert all(np.array_equal(r.values[k], whole.values[k]) for k in r.values)
    assert seen == sorted(seen) and seen[0] > 0 and seen[-1] <= 4 / 50


def test_ctrl_c_before_anything_is_finished(interruptible: None) -> None:
    p = program(SIMPLE)
    run(p, 10)
    # While the first matrix is being drawn by other threads.
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    try:
        timer.start()
        r = run(p, 9000, 20, engine="dense")
    finally:
        timer.cancel()
    assert r.interrupted
    if not r.seeds:
        assert r.mean() == {"m": None} and r.as_dict()["m"]["values"] == []


def test_sizes_as_people_say_them() -> None:
    assert text(8e12) == "8 TB" and text(999) == "999 bytes" and text(1.9e6) == "1.9 MB"
    assert available() > 0


def test_what_a_container_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 300000\ninactive_file 500000\nactive_file 1\n")
    # A file that was read fills the cache, which costs nobody anything.
    assert available() == 600_000
    (tmp_path / "memory.max").write_text("max\n")
    assert available() > 1_000_000

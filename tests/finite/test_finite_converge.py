"""Studies of convergence: verdicts, rates, and that no finished result is lost."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from finite_programs import program
from processes import default_signals

from netsor import NetsorError
from netsor.diagnostics.catalogue import lookup
from netsor.finite import converge as module
from netsor.finite.converge import converge, expected_bias_rate, fingerprint
from netsor.finite.executors import cluster, processes
from netsor.finite.prepare import prepare
from netsor.finite.rates import study_output
from netsor.finite.workers import cores

REMARK = """
matrix A
vector v ~ N(0, 1)
y := A v
x := Aᵀ y
output xv := mean(x * v)
output xx := mean(x^2)
"""
LIMITS = {"xv": (1.0, 0.0), "xx": (2.0, 1e-12)}


def test_a_right_limit_agrees_and_a_wrong_one_does_not() -> None:
    p = program(REMARK)
    study = converge(p, LIMITS, [30, 100, 300, 1000, 10_000], 300)
    assert {k: c.verdict for k, c in study.outputs.items()} == {"xv": "agrees", "xx": "agrees"}
    for c in study.outputs.values():
        assert c.spread_rate.value == pytest.approx(-0.5, abs=0.06)
    # E x² at width n is 2 + 1/n + …: an independent Aᵀ would have the limit 1.
    wrong = converge(p, {"xv": (0.0, 0.0), "xx": (2.02, 0.0)}, [100, 1000, 10_000], 300)
    assert wrong.outputs["xv"].verdict == "disagrees" and wrong.outputs["xx"].verdict == "disagrees"
    unknown = converge(p, {"xv": (None, None)}, [100, 200], 3)
    assert unknown.outputs["xv"].verdict == "no limit known"
    one = converge(p, LIMITS, [100, 200], 1)
    assert one.outputs["xv"].verdict == "not enough seeds" and one.outputs["xv"].stderr == (None, None)
    few = converge(p, {"xx": (2.1, 0.0)}, [20], 3, outputs=["xx"])
    assert few.outputs["xx"].verdict == "not enough seeds"
    assert json.loads(json.dumps(study.as_dict()))["xx"]["finite"][0]["width"] == 30


@pytest.mark.parametrize("rate", [-1.0, -0.5])
def test_rates_and_verdicts_of_made_up_values(rate: float) -> None:
    rng = np.random.default_rng(0)
    widths = [100, 300, 1000, 3000, 10_000, 30_000]
    alarms = 0
    for _ in range(200):
        values = {n: 3 + 2 * n**rate - 5 * n ** (2 * rate) + rng.standard_normal(400) / np.sqrt(n) for n in widths}
        c = study_output("m", values, 3.0, 0.0, rate)
        alarms += c.verdict != "agrees"
        assert c.spread_rate.value == pytest.approx(-0.5, abs=5 * c.spread_rate.error)
        if rate == -0.5:
            assert c.bias_rate.value == pytest.approx(-0.5, abs=0.25)
        off = study_output("m", values, 3.05, 0.0, rate)
        assert off.verdict == "disagrees"
    assert alarms <= 2


def test_a_limit_is_not_agreed_with_beside_noise_that_hides_it() -> None:
    rng = np.random.default_rng(3)
    widths = [30, 100, 300, 1000, 3000]
    # The spread at n = 30 is fifty times the limit: five per cent of the spread would be more than the limit itself.
    values = {n: 2 + 550 * rng.standard_normal(60) / np.sqrt(n) for n in widths}
    assert study_output("m", values, 2.0, 0.0, -1.0).verdict == "not enough seeds"
    assert study_output("m", values, 2.5, 0.0, -1.0).verdict == "not enough seeds"
    # A limit of zero has no size but that of what is averaged.
    zero = {n: rng.standard_normal(60) / np.sqrt(n) for n in widths}
    assert study_output("m", zero, 0.0, 0.0, -1.0).verdict == "agrees"
    assert study_output("m", zero, 1e-17, 1e-16, -1.0).verdict == "agrees"


def test_a_limit_that_is_neared_like_the_inverse_of_a_logarithm() -> None:
    """1/(1 + c²) with c = 1/log n: extrapolated by powers of n it would point far from its limit 1."""
    p = program("vector v ~ N(0, 1)\nscalar c = 1/log(n)\noutput m := mean((v + c)^2)\n")
    study = converge(p, {"m": (1.0, 0.0)}, [100, 1000, 10_000, 100_000], 200).outputs["m"]
    assert study.verdict == "agrees" or study.verdict == "not enough seeds"
    assert study.deviation is not None and abs(study.deviation) < 4.0
    wrong = converge(p, {"m": (1.1, 0.0)}, [100, 1000, 10_000, 100_000], 200).outputs["m"]
    assert wrong.verdict == "disagrees"


def test_means_that_still_move_contradict_nothing() -> None:
    """A rare event that small widths do not see: 25 and 48 on the way to 63."""
    rng = np.random.default_rng(5)
    values = {n: m + rng.standard_normal(20) for n, m in ((400, 25.0), (1600, 48.0))}
    assert study_output("m", values, 63.0, 0.0, -1.0).verdict == "widths too small"
    # Away from the limit, or with little left to go, it is another number.
    assert study_output("m", values, 2.0, 0.0, -1.0).verdict == "disagrees"
    assert study_output("m", values, 90.0, 0.0, -1.0).verdict == "disagrees"


def test_few_draws_of_a_right_limit_raise_no_alarm() -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(2000):
        values = {n: 1 + rng.standard_normal(3) / np.sqrt(n) for n in (100, 400, 1600)}
        alarms += study_output("m", values, 1.0, 0.0, -1.0).verdict == "disagrees"
    assert alarms <= 6


def test_values_without_any_spread() -> None:
    exact = {n: np.full(5, 0.25) for n in (10, 100, 1000)}
    assert study_output("m", exact, 0.25, 0.0, -1.0).verdict == "agrees"
    assert study_output("m", exact, 0.26, 1e-9, -1.0).verdict == "disagrees"
    assert study_output("m", {10: np.zeros(5), 20: np.zeros(5)}, 0.0, 0.0, -1.0).verdict == "agrees"


def test_few_draws_that_are_all_alike_contradict_nothing() -> None:
    """Every unit of a layer of width 2 is dead in a quarter of the draws of a right program."""
    p = program("matrix W\nvector x ~ N(0, 1)\nh := W x\noutput m := mean(relu(h))\n")
    right = 1 / np.sqrt(2 * np.pi)
    for seed in range(60):
        study = converge(p, {"m": (right, 0.0)}, [1, 2], 2, seed=seed).outputs["m"]
        assert study.verdict != "disagrees", (seed, study)


def test_what_bias_is_expected() -> None:
    assert expected_bias_rate(program(REMARK), "xx") == -1.0
    text = "vector v ~ N(0, 1)\nx := tanh(v + 1/√n)\ny := v^2\noutput a := mean(x)\noutput b := mean(y)\n"
    p = program(text)
    assert expected_bias_rate(p, "a") == -0.5 and expected_bias_rate(p, "b") == -1.0


def test_an_interrupted_study_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    p = program(REMARK)
    store = tmp_path / "study.jsonl"
    monkeypatch.setattr(module, "TASK_SECONDS", 0.002)
    whole = converge(p, LIMITS, [40, 400], 30)
    count = 0

    def stop(fraction: float, text: str) -> None:
        nonlocal count
        count += 1
        if count == 6:
            signal.raise_signal(signal.SIGINT)

    with default_signals():
        part = converge(p, LIMITS, [40, 400], 30, store=store, progress=stop)
    assert part.interrupted and 0 < sum(part.outputs["xv"].seeds) < 60
    lines = store.read_text().splitlines()
    assert len(lines) == 6
    # A kill leaves half a line; another study's lines are none of ours.
    store.write_text("\n".join([*lines[:5], json.dumps({**json.loads(lines[0]), "study": "other"}), lines[5][:30]]))
    computed = []
    original = module.run_task
    monkeypatch.setattr(module, "run_task", lambda t: computed.append(t) or original(t))
    again = converge(p, LIMITS, [40, 400], 30, store=store, resume=True)
    for name, c in whole.outputs.items():
        for n in (40, 400):
            assert np.array_equal(c.values[n], again.outputs[name].values[n])
    done = sum(len(json.loads(line)["draws"]) for line in lines[:5])
    assert sum(len(t.draws) for t in computed) == 60 - done
    computed.clear()
    converge(p, LIMITS, [40, 400], 30, store=store, resume=True)
    more = converge(p, LIMITS, [40, 400], 31, store=store, resume=True)
    assert sum(len(t.draws) for t in computed) == 2 and more.outputs["xx"].seeds == (31, 31)


def test_the_numbers_are_the_same_in_other_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    p = program(REMARK)
    here = converge(p, LIMITS, [40, 3000], 6, engine="lazy")
    with processes(2) as pool:
        there = converge(p, LIMITS, [40, 3000], 6, executor=pool, engine="lazy")
    # Where memory is short, tasks run one after the other.
    need = prepare(p, 3000, ["xv", "xx"], (), "float64", "lazy", None, None, None, cores())[0].need
    monkeypatch.setattr(module.memory, "available", lambda: int(1.4 * need))
    ran = []
    original = module.run_task
    monkeypatch.setattr(module, "run_task", lambda t: ran.append(t.width) or original(t))
    with processes(2) as pool:
        short = converge(p, LIMITS, [3000], 6, executor=pool, engine="lazy")
    assert ran or cores() == 1
    for name, c in here.outputs.items():
        assert all(np.array_equal(c.values[n], there.outputs[name].values[n]) for n in (40, 3000))
        assert np.array_equal(short.outputs[name].values[3000], c.values[3000])


def test_a_killed_process_loses_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # Each draw is a task of its own, so that most are not even handed out when the first is done.
    monkeypatch.setattr(module, "TASK_SECONDS", 1e-6)
    p = program(REMARK)
    here = converge(p, LIMITS, [60, 600], 60)
    killed: list[int] = []

    def kill_one(fraction: float, text: str) -> None:
        if not killed:
            killed.append(next(iter(pool._processes)))
            os.kill(killed[0], signal.SIGKILL)

    with processes(2) as pool:
        there = converge(p, LIMITS, [60, 600], 60, executor=pool, progress=kill_one, store=tmp_path / "kept.jsonl")
    assert killed and not there.interrupted
    (warning,) = there.warnings
    assert warning.code == "W710" and not warning.is_error and lookup("W710") is not None
    for name, c in here.outputs.items():
        assert all(np.array_equal(c.values[n], there.outputs[name].values[n]) for n in (60, 600))
    draws = [d for line in (tmp_path / "kept.jsonl").read_text().splitlines() for d in json.loads(line)["draws"]]
    assert sorted(draws) == sorted([*range(60), *range(60)])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_ends_the_keeping_but_not_the_study() -> None:
    study = converge(program(REMARK), LIMITS, [40], 5, store="/dev/full")
    assert study.fault is not None and study.fault.code == "E707" and "space" in study.fault.message
    assert study.outputs["xx"].seeds == (5,)


def test_a_store_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(NetsorError, match="E707"):
        converge(program(REMARK), LIMITS, [40], 5, store=tmp_path / "no" / "where.jsonl")
    with pytest.raises(NetsorError, match="E701"):
        converge(program(REMARK), LIMITS, [0], 5)


def test_fingerprints_tell_programs_apart() -> None:
    base = program(REMARK)
    assert fingerprint(base, 0, "float64") == fingerprint(program(REMARK), 0, "float64")
    others = [
        fingerprint(program(REMARK.replace("x^2", "x^4")), 0, "float64"),
        fingerprint(program(REMARK.replace("N(0, 1)", "N(0, 2)")), 0, "float64"),
        fingerprint(base, 1, "float64"),
        fingerprint(base, 0, "float32"),
    ]
    assert len({*others, fingerprint(base, 0, "float64")}) == 5


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tcp://127.0.0.1:9", "refused"),
        ("127.0.0.1:9", "refused"),
        ("nowhere", "a host and a port"),
        ("tcp://127.0.0.1:99999999", "refused"),
        ("", "a host and a port"),
    ],
)
def test_a_cluster_that_is_not_there(address: str, why: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(NetsorError, match="E708") as e, cluster(address):
        pass
    assert why in e.value.diagnostics[0].notes[0]


def test_a_cluster_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NetsorError, match="E708") as e, cluster("tcp://127.0.0.1:9"):
        pass
    assert e.value.diagnostics[0].hint == "pip install 'netsor[dask]'"


def test_a_real_cluster_one_of_whose_workers_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(module, "TASK_SECONDS", 0.02)
    p = program(REMARK)
    here = converge(p, LIMITS, [60, 600], 60)
    local = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**local) as servers:
        stopped = []

        def stop_one(fraction: float, text: str) -> None:
            if not stopped:
                stopped.append(servers.workers[0])
                # As hard as the system can: the worker has no time to hand anything over.
                servers.workers[0].process.process._process.kill()

        with cluster(servers.scheduler_address) as executor:
            there = converge(p, LIMITS, [60, 600], 60, executor=executor, progress=stop_one)
    assert stopped and not there.interrupted
    for name, c in here.outputs.items():
        assert all(np.array_equal(c.values[n], there.outputs[name].values[n]) for n in (60, 600))

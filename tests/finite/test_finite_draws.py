"""One seed, one set of draws: whatever the threads, the subset of outputs, the batching, the precision."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from finite_programs import FEEDBACK, program

from netsor.core import Group
from netsor.finite import run, run_vectors
from netsor.finite.initial import root


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_threads_do_not_matter(engine: str) -> None:
    p = program(FEEDBACK)
    n = 700 if engine == "dense" else 150_000
    one, three = (run(p, n, 1, engine=engine, threads=t).values for t in (1, 3))
    assert all(one[k][0] == three[k][0] for k in one)


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_blas_threads_do_not_matter(engine: str) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/finite')\n"
        "from finite_programs import FEEDBACK, program\n"
        "from netsor.finite import run\n"
        f"r = run(program(FEEDBACK), {600 if engine == 'dense' else 100_000}, 1, engine={engine!r})\n"
        "print({k: float(v[0]) for k, v in r.values.items()})\n"
    )
    found = []
    for threads in ("1", "2"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        out = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        found.append(eval(out.stdout))  # noqa: S307
    # Sums may be rounded in another order by another number of BLAS threads; the draws are the same.
    assert all(found[0][k] == pytest.approx(found[1][k], rel=1e-11, abs=1e-13) for k in found[0])


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_seeds_and_subsets(engine: str) -> None:
    p = program(FEEDBACK)
    every = run(p, 90, 4, seed=9, engine=engine)
    again = run(p, 90, [3, 1], seed=9, engine=engine)
    assert again.draws == (3, 1)
    few = run(p, 90, 4, seed=9, engine=engine, outputs=["uu", "xu"])
    assert list(few.values) == ["uu", "xu"]
    for k, v in every.values.items():
        assert np.array_equal(again.values[k], v[[3, 1]])
        assert len(set(v)) == 4
        if k in few.values:
            assert np.allclose(few.values[k], v, rtol=1e-12)
    other = run(p, 90, 4, seed=10, engine=engine)
    assert not np.any(other.values["uu"] == every.values["uu"])


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_single_precision_sees_the_same_draws(engine: str) -> None:
    p = program(FEEDBACK)
    for n in (40, 900):
        a, b = (run(p, n, 2, engine=engine, dtype=d).values for d in ("float64", "float32"))
        for k in a:
            assert np.allclose(a[k], b[k], rtol=2e-4, atol=2e-4), k
            assert not np.array_equal(a[k], b[k])


def test_both_engines_see_the_same_initial_vectors() -> None:
    p = program(FEEDBACK)
    a, b = (run_vectors(p, 100_000 if e == "lazy" else 100, 4, ["x", "c"], engine=e) for e in ("lazy", "dense"))
    c = run_vectors(p, 100, 4, ["x", "y"], engine="lazy")
    assert np.array_equal(b["x"], c["x"]) and not np.array_equal(a["x"][:100], b["x"])


def test_singular_covariances() -> None:
    names = ("a", "b", "c", "d", "e")
    # b = a, c = −a, d = 0, e = (a + fresh)/…; variances that are no squares of dyadic numbers.
    s = 0.3
    cov = (
        (s, s, -s, 0, 0.1), (s, s, -s, 0, 0.1), (-s, -s, s, 0, -0.1), (0, 0, 0, 0, 0), (0.1, 0.1, -0.1, 0, 0.7),
    )  # fmt: skip
    g = Group(names, (0.0, 0.0, 0.0, 0.0, 0.0), tuple(tuple(float(x) for x in row) for row in cov))
    r = root(g)
    assert len(r.latent) == 2 and r.row[0] == r.row[1] and r.row[3] == ()
    from netsor.core import Moment, Output, Program
    from netsor.expr import sym

    p = Program("p", groups=(g,), instructions=(Moment("m", sym("a"), ("a",)),), outputs=(Output("m", "m"),))
    d = run_vectors(p, 100_000, 0, names)
    assert np.array_equal(d["a"], d["b"]) and np.array_equal(d["a"], -d["c"]) and not np.any(d["d"])
    assert np.allclose(np.cov(d["a"], d["e"]), [[0.3, 0.1], [0.1, 0.7]], atol=0.02)
    # Alone, a member of a group is what it is among the others.
    assert np.array_equal(run_vectors(p, 100_000, 0, ["e"])["e"], d["e"])


def test_random_covariances() -> None:
    rng = np.random.default_rng(0)
    for k, rank in [(1, 1), (4, 4), (6, 2), (9, 5), (5, 0)]:
        f = rng.standard_normal((k, rank))
        c = f @ f.T
        r = root(Group(tuple("abcdefghi"[:k]), (0.0,) * k, tuple(map(tuple, c.tolist()))))
        lower = np.zeros((k, max(1, len(r.latent))))
        for i, row in enumerate(r.row):
            for j, factor in row:
                lower[i, j] = factor
        assert len(r.latent) == rank
        assert np.allclose(lower @ lower.T, c, rtol=0, atol=1e-12 * max(1, abs(c).max()))

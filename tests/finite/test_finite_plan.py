"""The plan: what is batched, what is never made, and that on random programs it changes no number."""

from __future__ import annotations

import numpy as np
import pytest
from finite_programs import program

from netsor.core import Group, MatMul, Matrix, Moment, Nonlin, Output, Program
from netsor.expr import call, sym
from netsor.finite import run, run_vectors
from netsor.finite.plan import make_plan
from netsor.finite.prepare import _seconds


def plan_of(p: Program, *vectors: str):  # type: ignore[no-untyped-def]
    return make_plan(p, [o.scalar for o in p.outputs], vectors)


def test_products_that_can_wait_for_company_do() -> None:
    text = """
param T = 5
matrix W ~ N(0, 1/n)
vector g[1..T] ~ N(0, 1)
for t in 1..T:
    a[t] := W g[t]
    l[t] := (a[t] - mean(a[t])) / (1 + mean(a[t]^2))
    b[t] := W l[t]
x := W g[1]
output m := sum(t in 1..T: mean(b[t]^2)) + mean(x * a[1])
"""
    p = program(text)
    plan = plan_of(p)
    assert [len(q.names) for q in plan.products()] == [5, 5]
    assert len(plan.alias) == 1
    r = run(p, 30, 2)
    assert np.all(np.isfinite(r.values["m"]))


def test_only_what_is_needed_is_computed() -> None:
    p = program("matrix W, V\nvector v ~ N(0, 1)\nx := W v\ny := V x\noutput a := mean(x^2)\noutput b := mean(y^2)\n")
    plan = make_plan(p, [p.outputs[0].scalar], [])
    assert plan.matrices() == ["W"]


def test_vectors_of_one_sweep_are_never_made() -> None:
    p = program("vector v ~ N(0, 1)\nx := tanh(v)\ny := x^2 + v\noutput a := mean(y)\noutput b := mean(x * y)\n")
    plan = plan_of(p)
    assert len(plan.stages) == 1 and not plan.stages[0].kept
    assert run(p, 3_000_000, 1, memory_limit=200_000_000).values["a"][0] == pytest.approx(0.394, abs=0.01)


def test_matrices_and_vectors_are_dropped_after_their_last_use() -> None:
    lines = ["vector v ~ N(0, 1)", "x[0] := tanh(v)"]
    lines = ["param L = 12", "matrix W[1..L] ~ N(0, 1/n)", "vector v ~ N(0, 1)", "h[1] := W[1] v"]
    lines += ["for l in 2..L:", "    h[l] := W[l] tanh(h[l-1])", "output m := mean(h[L]^2)"]
    from netsor.finite.memory import peak_vectors

    plan = plan_of(program("\n".join(lines) + "\n"))
    vectors, matrices = peak_vectors(plan, True)
    assert matrices == 1 and vectors <= 4


def random_program(seed: int) -> Program:
    """Some thirty instructions of every kind over two matrices, in any order that is one."""
    rng = np.random.default_rng(seed)
    vectors, scalars = ["v0", "v1"], []
    body: list = []
    for k in range(30):
        kind = rng.integers(4)
        if kind == 0:
            body.append(MatMul(f"i{k}", "WV"[rng.integers(2)], bool(rng.integers(2)), str(rng.choice(vectors))))
            vectors.append(f"i{k}")
        elif kind == 3 and scalars and rng.integers(2):
            s = [str(x) for x in dict.fromkeys(rng.choice(scalars, 2).tolist())]
            psi = call("tanh", sum((sym(x) for x in s[1:]), sym(s[0])))
            body.append(Moment(f"i{k}", psi, (), tuple(s)))
            scalars.append(f"i{k}")
        else:
            xs = [str(x) for x in dict.fromkeys(rng.choice(vectors, 2).tolist())]
            s = [str(rng.choice(scalars))] if scalars and rng.integers(2) else []
            start = 0.3 * sym(s[0]) if s else 0 * sym("v0")
            psi = sum((call(str(rng.choice(["tanh", "sin", "relu"])), sym(x)) for x in xs), start)
            if kind == 1:
                body.append(Moment(f"i{k}", psi, tuple(xs), tuple(s)))
                scalars.append(f"i{k}")
            else:
                body.append(Nonlin(f"i{k}", psi, tuple(xs), tuple(s)))
                vectors.append(f"i{k}")
    outputs = tuple(Output(s, s) for s in scalars[-4:])
    group = Group(("v0", "v1"), (0.0, 0.5), ((1.0, 0.5), (0.5, 1.0)))
    matrices = Matrix("W"), Matrix("V", 2.0)
    return Program(f"random{seed}", matrices=matrices, groups=(group,), instructions=tuple(body), outputs=outputs)


@pytest.mark.parametrize("seed", range(25))
def test_random_programs_line_by_line(seed: int) -> None:
    p = random_program(seed)
    n = 37
    env: dict = dict(run_vectors(p, n, 0, ["W", "V", "v0", "v1"]))
    from netsor.expr.arrays import lambdify

    for i in p.instructions:
        if isinstance(i, MatMul):
            w = env[i.matrix]
            env[i.name] = (w.T if i.transposed else w) @ env[i.vector]
            continue
        names = (*i.vectors, *i.scalars)
        value = lambdify((i.psi,), tuple(map(sym, names)))(*(env[x] for x in names))[0]
        env[i.name] = float(np.mean(value)) if isinstance(i, Moment) else np.broadcast_to(value, n)
    r = run(p, n, 1, engine="dense")
    for o in p.outputs:
        assert r.values[o.name][0] == pytest.approx(env[o.scalar], rel=1e-9, abs=1e-11)
    all_vectors = [i.name for i in p.instructions if not isinstance(i, Moment)]
    for name, x in run_vectors(p, n, 0, all_vectors, engine="dense").items():
        assert np.allclose(x, env[name], rtol=1e-9, atol=1e-9), name
    # The other engine knows another matrix, but one that says the same of itself.
    d = run_vectors(p, n, 0, ["v0", "v1", *all_vectors], engine="lazy")
    said = [(i.matrix, i.transposed, d[i.vector], d[i.name]) for i in p.instructions if isinstance(i, MatMul)]
    for m, t, x, y in said:
        for m2, t2, x2, y2 in said:
            if m == m2 and not t and t2:
                assert y @ x2 == pytest.approx(x @ y2, rel=1e-10, abs=1e-10 * np.linalg.norm(x) * np.linalg.norm(x2))


@pytest.mark.parametrize(("t", "said"), [(7.1e-4, "710 µs"), (1.64e-3, "1.6 ms"), (12.3, "12 s"), (250.0, "250 s")])
def test_times_are_said_without_exponents(t: float, said: str) -> None:
    assert _seconds(t) == said


def test_a_sweep_plans_and_compiles_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from netsor.finite import execute, prepare

    counted = {"plans": 0, "steps": 0}
    plan, step = prepare.make_plan, execute.compile_step

    def counting_plan(*args, **kwargs):  # type: ignore[no-untyped-def]
        counted["plans"] += 1
        return plan(*args, **kwargs)

    def counting_step(*args, **kwargs):  # type: ignore[no-untyped-def]
        counted["steps"] += 1
        return step(*args, **kwargs)

    monkeypatch.setattr(prepare, "make_plan", counting_plan)
    monkeypatch.setattr(execute, "compile_step", counting_step)
    text = "matrix W\nvector v ~ N(0, 1)\nx := tanh(W v)\noutput m := mean(x^2)\noutput k := mean(x)\n"
    p = program(text)
    swept = [run(p, n, [draw]).values for n in (5, 50, 500) for draw in (0, 1)]
    assert counted == {"plans": 1, "steps": 3}
    for found, (n, draw) in zip(swept, [(n, d) for n in (5, 50, 500) for d in (0, 1)], strict=True):
        single = run(program(text), n, [draw]).values
        assert all(np.array_equal(found[k], single[k]) for k in found)

"""Other arrays than numpy's give the same numbers: torch where it is installed, and the standard's strict model."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest
from finite_programs import FEEDBACK, program

from netsor import NetsorError
from netsor.diagnostics.catalogue import lookup
from netsor.expr import as_expr, call, compare, cond, logic, power, sym
from netsor.expr.arrays import ARRAY_FUNCTIONS, lambdify
from netsor.finite import run
from netsor.finite.prepare import prepare

MODULES = [("torch", "torch:cpu"), ("array_api_strict", "array_api_strict")]


@pytest.mark.parametrize(("module", "device"), MODULES)
@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_one_seed_means_the_same_on_every_device(module: str, device: str, engine: str) -> None:
    pytest.importorskip("array_api_compat")
    pytest.importorskip(module)
    p = program(FEEDBACK)
    for n in (5, 400):
        here = run(p, n, 2, engine=engine).values
        there = run(p, n, 2, engine=engine, device=device).values
        single = run(p, n, 2, engine=engine, device=device, dtype="float32").values
        for k in here:
            assert np.allclose(here[k], there[k], rtol=1e-9, atol=1e-11)
            assert np.allclose(here[k], single[k], rtol=3e-4, atol=3e-4)


@pytest.mark.parametrize(("module", "device"), MODULES)
def test_every_function_of_the_language(module: str, device: str) -> None:
    pytest.importorskip("array_api_compat")
    pytest.importorskip(module)
    from netsor.finite.device import device_of

    d = device_of(device)
    assert d is not None
    x, y = sym("x"), sym("y")
    a = np.linspace(-3, 3, 41)
    b = np.cos(7 * a) + 1.5
    es = [call(f, x) for f in ARRAY_FUNCTIONS if f not in ("clip", "max", "min", "log")]
    es += [call("log", y), power(y, as_expr(0.5)), power(y, as_expr(-0.5)), power(y, x), power(x, as_expr(3)), x / y]
    es += [call("clip", x, as_expr(-1), y), call("max", x, y, as_expr(0)), call("min", as_expr(0), x)]
    es += [call("leaky_relu", x, y)]
    es += [cond(compare("<", x, as_expr(0)), as_expr(1), y), cond(compare(">=", x, y), as_expr(1), as_expr(0))]
    es += [cond(logic("and", compare("<", x, y), logic("not", compare("<", x, as_expr(0)))), x * y, as_expr(2))]
    for e in es:
        (expected,) = lambdify((e,), (x, y))(a, b)
        (found,) = lambdify((e,), (x, y), d.xp)(d.send(a, "float64"), d.send(b, "float64"))
        assert np.allclose(d.fetch(found), expected, rtol=1e-12, atol=1e-14), e


def test_devices_that_are_not_there() -> None:
    for name in ("no_such_module", "cuda:99"):
        with pytest.raises(NetsorError, match="E709"):
            run(program(FEEDBACK), 5, device=name)
    assert lookup("E709") is not None


def test_the_host_is_a_device_too() -> None:
    p = program(FEEDBACK)
    assert run(p, 5, device="cpu").values["yy"][0] == run(p, 5).values["yy"][0]


def test_whole_vectors_of_a_device_are_in_the_estimate() -> None:
    pytest.importorskip("array_api_compat")
    pytest.importorskip("array_api_strict")
    # Twenty vectors that the host's sweep never holds as a whole.
    lines = "".join(f"x{k + 1} := tanh(x{k} + {k})\n" for k in range(20))
    p = program(f"vector x0 ~ N(0, 1)\n{lines}output m := mean(x20^2)\n")
    limit = 100_000_000
    assert run(p, 1_000_000, memory_limit=limit).width == 1_000_000
    with pytest.raises(NetsorError, match="E702"):
        run(p, 1_000_000, memory_limit=limit, device="array_api_strict")
    n = 200_000
    run(p, 10, device="array_api_strict")
    tracemalloc.start()
    run(p, n, device="array_api_strict")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    need = prepare(p, n, ["m"], (), "float64", "auto", None, None, None, 1, device="array_api_strict")[0].need
    assert 0.5 * need < peak <= need


@pytest.mark.parametrize(("device", "module"), [("cuda", "torch"), ("torch:cpu", "torch"), ("cupy", "cupy")])
def test_a_device_without_its_extra(monkeypatch: pytest.MonkeyPatch, device: str, module: str) -> None:
    for name in ("array_api_compat", "array_api_compat.torch", "array_api_compat.cupy", module):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NetsorError, match="E709") as e:
        run(program(FEEDBACK), 5, device=device)
    assert e.value.diagnostics[0].hint == f"pip install 'netsor[arrays]' {module}"

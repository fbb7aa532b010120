"""Vectors and matrices of any scale: a product is that of the scaled numbers, times the scale."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from finite_programs import program

from netsor.diagnostics import NetsorError
from netsor.finite import run, run_vectors
from netsor.finite.execute import execute

ENGINES = ("dense", "lazy")
# Exponents of the scale by precision: its squares leave the numbers, it is near their ends, it is subnormal.
SCALES = {"float64": (300, -300, 530, -530, 1015, -1015, -1060), "float32": (40, -40, 120, -110, -140)}


def feedback(scale: float, variance: float = 1.0) -> str:
    """W, Wᵀ and W again, with a repeated and a nearly parallel argument, each argument `scale` times one near 1."""
    return f"""
matrix W ~ N(0, {variance!r}/n)
vector x, c ~ N(0, 1)
z := {scale!r} * x
h := W z
y := {scale!r} * (x + 0.001 * c)
g := W y
u := h + {scale!r} * tanh(x)
k := Wᵀ u
again := W z
zero := 0 * x
none := W zero
"""


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", list(SCALES))
def test_a_scale_comes_out_of_the_products(engine: str, dtype: str) -> None:
    names = ["x", "h", "g", "k", "again", "none"]
    plain = run_vectors(program(feedback(1.0)), 300, 5, names, dtype=dtype, engine=engine)
    for e in SCALES[dtype]:
        scale = 2.0**e
        found = run_vectors(program(feedback(scale)), 300, 5, names, dtype=dtype, engine=engine)
        assert np.array_equal(found["x"], plain["x"])
        for v in ("h", "g", "k", "again"):
            expected = np.asarray(plain[v], float) * scale
            # Where the scaled numbers are subnormal, their arguments were rounded to a few digits.
            units = {"float64": (2.0**-40, 2.0**-1074), "float32": (2.0**-16, 2.0**-149)}[dtype]
            unit = max(units[0], 64 * units[1] / scale)
            assert np.max(np.abs(np.asarray(found[v], float) - expected)) <= unit * np.max(np.abs(expected)), (v, e)
        assert np.array_equal(found["h"], found["again"]) and not np.any(found["none"])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_scale_of_the_matrix_comes_out_too(engine: str) -> None:
    names = ["h", "k"]
    text = "matrix W ~ N(0, {0!r}/n)\nvector x ~ N(0, 1)\nz := {1!r} * x\nh := W z\nu := {1!r} * tanh(h)\nk := Wᵀ u\n"
    plain = run_vectors(program(text.format(1.0, 1.0)), 200, 3, names, dtype="float32", engine=engine)
    # √variance = 2⁹⁰ and 2⁻⁹⁰ beside arguments of the opposite scale: entries and squares are no numbers of float32.
    for e in (90, -90):
        scaled = program(text.format(4.0**e, 2.0**-e))
        found = run_vectors(scaled, 200, 3, names, dtype="float32", engine=engine)
        assert np.allclose(found["h"], plain["h"], rtol=1e-4, atol=1e-4)
        assert np.allclose(found["k"], plain["k"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("scale", "dtype"),
    [("1e200", "float64"), ("1e-200", "float64"), ("1e-320", "float64"), ("1e30", "float32"), ("1e-30", "float32")],
)
def test_means_of_huge_and_tiny_products(engine: str, scale: str, dtype: str) -> None:
    text = f"matrix W\nvector x ~ N(0, 1)\nz := {scale} * x\nh := W z\n"
    p = program(text + "output a := mean(step(h))\noutput b := mean(tanh(h)^2)\n")
    found = run(p, 1000, 40, dtype=dtype, engine=engine, outputs=["a"])
    # 40,000 signs: a standard error of 0.0025.
    assert found.mean()["a"] == pytest.approx(0.5, abs=0.0125)
    if float(scale) > 1:
        assert run(p, 1000, 40, dtype=dtype, engine=engine).mean()["b"] == pytest.approx(1, abs=1e-6)
        return
    # The squares are near 1e-400, or 1e-60 in single precision.
    with pytest.raises(NetsorError, match="`b` has no value in " + dtype):
        run(p, 1000, dtype=dtype, engine=engine)


def test_single_precision_of_small_and_large_arguments() -> None:
    text = "matrix W\nvector x ~ N(0, 1)\nz := 1e-23 x\nh := W z\ny := 1e20 tanh(x)\ng := W y\n"
    p = program(text + "output a := mean(tanh(h / 1e-23)^2)\noutput b := mean(step(g))\n")
    lazy, dense = (run(p, 1000, 40, dtype="float32", engine=e) for e in ("lazy", "dense"))
    for found in (lazy, dense):
        # E tanh(Z)² = 0.394294490397 (30 digits by mpmath), and a half.
        assert found.mean()["a"] == pytest.approx(0.394294490397, abs=5 * found.stderr()["a"])
        assert found.mean()["b"] == pytest.approx(0.5, abs=5 * found.stderr()["b"])
        assert 0 < found.stderr()["a"] < 0.01


@pytest.mark.parametrize("engine", ENGINES)
def test_a_number_that_is_zero_in_single_precision_is_refused(engine: str) -> None:
    p = program("matrix W\nvector x ~ N(0, 1)\nz := 1e-200 x\noutput a := mean(step(W z))\n")
    assert run(p, 1000, 20, engine=engine).mean()["a"] == pytest.approx(0.5, abs=0.02)
    with pytest.raises(NetsorError) as caught:
        run(p, 1000, dtype="float32", engine=engine)
    found = caught.value.diagnostics[0]
    assert found.code == "E703" and "1e-200 is zero there" in found.message and "float64" in found.hint


# How an output of size E[x²] s^2 can come about; the means of these are s² for x ~ N(0, 1).
SQUARES = [
    "z := {s!r} x\noutput a := mean(z^2)\n",
    "z := {s!r} x\nh := W z\noutput a := mean(h * z)^2 / mean(z * x)^2 + mean(h^2)\n",
    "m := {s!r} mean(x^2)\noutput a := m^2\n",
    "z := {s!r} x\nm := mean(z * x)\noutput a := m * m\n",
    "matrix V ~ N(0, {s!r}/n)\nh := V x\noutput a := mean(h^2)^2\n",
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("text", SQUARES)
def test_a_square_is_right_or_refused(text: str, dtype: str, engine: str) -> None:
    told = 0
    for e in range(-18, -560, -29):
        s = 2.0**e
        try:
            p = program("matrix W\nvector x ~ N(0, 1)\n" + text.format(s=s))
            found = run(p, 400, 3, dtype=dtype, engine=engine).mean()["a"]
        except NetsorError as error:
            assert error.diagnostics[0].code in ("E703", "E305", "E317"), error
            told += 1
            continue
        # Three draws of 400 numbers, whose mean square is within a third of 1, and the fourth power of that.
        assert 0.2 * s * s < found < 4 * s * s, (e, found)
    assert told >= 1


def test_zero_itself_is_not_refused() -> None:
    p = program(
        "matrix W\nvector x ~ N(0, 1)\nh := W x\noutput a := mean(relu(tanh(h) - 2))\n"
        "output b := mean((h - W x)^2)\noutput c := mean(0 * x)\noutput d := mean(step(h - 50))\n"
    )
    for engine in ENGINES:
        found = run(p, 300, 2, dtype="float32", engine=engine)
        assert all(np.array_equal(v, [0.0, 0.0]) for v in found.values.values())


def test_a_true_zero_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw with an output that is zero is run again, and those after it are watched while they run."""
    modules = (importlib.import_module("netsor.finite.run"), importlib.import_module("netsor.finite.trace"))
    watched: list[bool] = []

    def counted(*args: Any, **kwargs: Any) -> Any:
        watched.append(kwargs.get("underflow") is not None)
        return execute(*args, **kwargs)

    for module in modules:
        monkeypatch.setattr(module, "execute", counted)
    zero = program("vector x ~ N(0, 1)\noutput m := mean(relu(x) * relu(-x))\n")
    assert not run(zero, 100, 3).values["m"].any()
    assert watched == [False, True, True, True]

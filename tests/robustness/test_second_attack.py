"""What another attack found, each of its kind; the numbers are closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import mpmath
import numpy as np
import pytest

from netsor.api import loads
from netsor.cli.main import main
from netsor.diagnostics import NetsorError
from netsor.expr import Const, Sym, power
from netsor.expr.balls import erf, image
from netsor.show.derivation import as_text
from netsor.show.drawing.gates import math_text
from netsor.show.drawing.names import styled


@pytest.mark.parametrize(
    "line",
    [
        "output a := mean(min(x, {}))",
        "scalar s = {}\noutput a := mean(s * x)",
        "output a := mean(max(√n (tanh(x + y/√n) - tanh(x)), {}))",
    ],
)
def test_a_limit_beyond_the_doubles_is_told(line: str) -> None:
    """(10^160 + 1/n)^(7/3) tends to a number that no double holds, though each of its factors is one."""
    with pytest.raises(NetsorError, match="too large to compute with"):
        loads("vector x, y ~ N(0, 1)\n" + line.format("(1e160 + 1/n)^(1/3) * (1e160 + 1/n)^2")).limit()


@pytest.mark.filterwarnings("error")
def test_forms_whose_variance_is_no_double() -> None:
    text = (
        "matrix W\nvector x ~ N(0, 1)\nz := 1e200 x\nh := W z\noutput a := mean(tanh(h)^2)\noutput b := mean(step(h))\n"
    )
    found = loads(text).limit()
    assert abs(found["a"].value - 1) <= found["a"].error <= 1e-12
    assert abs(found["b"].value - 0.5) <= found["b"].error <= 1e-12


@pytest.mark.filterwarnings("error")
def test_nearly_equal_variables_whose_squared_variance_is_no_double() -> None:
    """P(x > 0, y > 0) = 1/4 + asin(ρ)/2π, whatever the variance is (Sheppard 1899)."""
    rho = 0.9999
    for scale in ("1", "1e200", "1e-200"):
        law = f"N(0, [[{scale}, {rho}*{scale}], [{rho}*{scale}, {scale}]])"
        text = f"matrix W\nvector x, y ~ {law}\nu := W x\nv := W y\noutput a := mean(step(u) * step(v))\n"
        found = loads(text).limit()["a"]
        assert abs(found.value - (0.25 + np.arcsin(rho) / (2 * np.pi))) <= found.error + 1e-16 and found.error < 1e-9


@pytest.mark.parametrize("x", ["0.5", "-3", "12.5", "13.7", "-14", "40", "1e12", "-1e300"])
def test_erf_far_out_has_few_terms(x: str) -> None:
    """The series has x² terms; where erfc is below all digits that are asked for, none is needed."""
    from fractions import Fraction

    with mpmath.workdps(120):
        expected = mpmath.erf(mpmath.mpf(x))
        found = image(erf, Fraction(x), Fraction(0), 80)
        assert found is not None
        value = mpmath.mpf(found.value.numerator) / found.value.denominator
        assert abs(value - expected) <= mpmath.mpf(found.error.numerator) / found.error.denominator
        assert found.error < Fraction(1, 10**76)


def test_what_the_bounds_of_clip_leave_no_choice() -> None:
    """clip(u, −1, −2) is −2 for every u: its breaks go with the variable that is integrated in closed form."""
    text = "matrix W\nvector x, y ~ N(0, 1)\nk := mean(x^2)\na := clip(k * atan(x), -1, -2)\n"
    text += "b := clip(k * atan(y + 0.5*x), -1, -2)\noutput o := mean(a * b)\n"
    network = "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1e-8)\nvector v ~ N(0, 1)\ng := U ξ\nx := atan(g)\n"
    network += "s := mean(x * x)\noutput f := vᵀ clip(s * x, -1, -2) / √n\n"
    found = loads(text).limit()["o"]
    kernel = loads(network).nngp([[1, 0.5], [-0.5, 1], [0.3, 0.3]])
    assert abs(found.value - 4) <= found.error
    assert np.all(abs(kernel.value - 4) <= kernel.error)


ROWS = "data X : (3, 2) = [[3e299, 3e299], [-5e299, 1e300], [3e299, -3e299]]\nmatrix U : (n, 2) ~ N(0, 1)\n"


def test_products_of_data_beyond_the_doubles_have_names_in_a_derivation() -> None:
    """Rows 1 and 3 are orthogonal, and rows 1 and 2 are not."""
    text = ROWS + "g := U X[1]\nh := U X[2]\nk := U X[3]\noutput a := mean(g * h * k * g)\n"
    shown = as_text(loads(text).derive())
    assert "X[1]ᵀX[2]" in shown and "X[1]ᵀX[3]" not in shown
    small = text.replace("3e299", "1e-200").replace("5e299", "3e-200").replace("1e300", "2e-200")
    assert "X[1]ᵀX[2]" in as_text(loads(small).derive())


@pytest.mark.parametrize("command", ["eval", "derive", "report", "converge"])
def test_numbers_of_a_derived_program_beyond_the_doubles_are_told(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variance of 10^160 v/g has the factor 10^320, which stood as inf in formulas."""
    monkeypatch.chdir(tmp_path)
    Path("m.netsor").write_text(
        "network m(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\ng := U ξ\noutput f := vᵀ (1e160 / g) / √n\n"
    )
    Path("X.csv").write_text("1,0.5\n")
    widths = ["--widths", "4"] if command == "converge" else []
    assert main([command, "m.netsor", "--inputs", "X.csv", *widths]) == 1
    out, err = capsys.readouterr()
    assert "E506" in err and "inf" not in out


@pytest.mark.parametrize("arguments", ["eval p.netsor --seed 0", "eval p.netsor --samples 0 --samples-to s.csv"])
def test_a_zero_is_a_value_too(
    arguments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.netsor").write_text("vector x ~ N(0, 1)\noutput a := mean(x^2)\n")
    assert main([*arguments.split(), "--json"]) == 2
    assert [d["code"] for d in json.loads(capsys.readouterr().out)["diagnostics"]] == ["E010"]


@pytest.mark.parametrize(
    "lines",
    [
        "z := step'(-0.0 * (1e-8 * x))\noutput a := mean(z)",
        "z := (x - x)^-1\noutput a := mean(z)",
    ],
)
def test_a_coordinate_that_is_a_constant_without_a_value_is_refused(lines: str) -> None:
    """It was listed as `dirac(0)` or `1 / 0`, which do not read back."""
    with pytest.raises(NetsorError, match="no finite value|division by zero"):
        loads(f"scalar k = 0.5\nvector x ~ N(0, 1)\n{lines}\n").limit()


def test_a_long_whole_number_is_listed_in_one_way() -> None:
    shown = loads("vector x ~ N(0, 1)\noutput a := mean((2^31)^3)\n").listing()
    assert loads(shown).listing() == shown
    assert float(shown.split("a := ")[1].split()[0]) == 2.0**93


@pytest.mark.parametrize("prefix", [".", "", "K/", ".."])
def test_a_folder_is_no_beginning_of_names(
    prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.netsor").write_text("network m(ξ : 1)\nmatrix U : (n, 1)\nvector v ~ N(0, 1)\noutput f := vᵀ (U ξ) / √n\n")
    Path("X.csv").write_text("1\n")
    with pytest.raises(SystemExit, match="2"):
        main(["ntk", "m.netsor", "--inputs", "X.csv", "--out", prefix])
    assert "names no file" in capsys.readouterr().err and len(list(tmp_path.iterdir())) == 2


def test_steps_are_counted_before_kernels_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsor.train.first_outputs", lambda *_: pytest.fail("kernels were asked for"))
    network = loads("network m(ξ : 1)\nmatrix U : (n, 1)\nvector v ~ N(0, 1)\noutput f := vᵀ tanh(U ξ) / √n\n")
    with pytest.raises(NetsorError, match="a million is the most"):
        network.sgd([[1.0]], [1.0], steps=10**9, f0=[0.1])


def test_powers_in_drawings_have_all_their_digits() -> None:
    """x^30 was ³ followed by 0, which no picture could hold, and x^2.5 was x² followed by .5."""
    x = Sym("x")
    shown = [math_text(power(x, Const(k))) for k in (2, 3, 12, 30, 205, 2.5, 3.25)]
    assert shown == ["x²", "x³", "x¹²", "x³⁰", "x²⁰⁵", "x^2.5", "x^3.25"]
    assert all("".join(piece.text for piece in styled(text)) for text in shown)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kernel", ["nngp", "ntk"])
@pytest.mark.parametrize("k", [-1000, 1000])
def test_predictions_of_huge_and_tiny_targets_are_those_of_targets_in_between(kernel: str, k: int) -> None:
    text = "network m(ξ : 2)\nmatrix U : (n, 2)\nvector v ~ N(0, 1)\ntrain U, v\noutput f := vᵀ tanh(U ξ) / √n\n"
    rows, test, y = [[1.0, 0.5], [-0.5, 1.0]], [[0.3, 0.2]], np.array([1.0, -0.75])
    one, two = (loads(text).predict(rows, z, test, kernel=kernel) for z in (y, np.ldexp(y, k)))
    assert np.array_equal(two.mean, np.ldexp(one.mean, k)) and np.array_equal(two.std, one.std)
    assert np.all(two.error <= np.ldexp(one.error, k) * (1 + 1e-12))


@pytest.mark.filterwarnings("error")
def test_errors_of_covariances_that_are_much_larger_than_the_law() -> None:
    """The sine of a Gaussian of mean 1 and variance 1e-200 is sin 1, and noise of 1e-30 adds nothing."""
    text = "def f(x):\n    m := mean(x)\n    return (x - m) / sqrt(mean((x - m)^2) + 1e-5)\n"
    text += "matrix V ~ N(0, 1e-30/n)\nvector x, y ~ N(1, 1e-200)\nb := V f(y)\nz := f(x)\n"
    text += "output a := mean(sin(relu((if y > 0 or not (z < 0.3) then y else if z > 1 then 0 else z) + b)))\n"
    # Without time for slopes a distance between laws bounds what their errors do.
    found = loads(text).limit(budget=1e-9)["a"]
    assert abs(found.value - np.sin(1)) <= found.error


def test_zeros_of_what_has_no_more_derivatives() -> None:
    """step'' of a kinked argument is no function, and none of its values has a sign."""
    text = "vector x ~ N(1, 1)\nz := softplus(relu(x))\noutput a := mean(relu'(step''(max(z, 2))))\n"
    found = loads(text).limit()
    assert found["a"].value is None and [d.code for d in found.diagnostics] == ["E801"]


def test_products_that_no_output_needs() -> None:
    """Whether they are zeros was asked before they were written."""
    text = "scalar k = 0.5\nmatrix W\nvector x ~ N(0, 0)\nh := Wᵀ x\ng := Wᵀ h\nu := W x\n"
    document = loads(f"{text}output a := mean(step(u - k))\n")
    assert document.limit()["a"].value == 0 and document.derive() is not None


def test_masses_beside_their_places_are_zero_and_read_back() -> None:
    """step' of a scalar was 0, and of the same number E506: a listing of the program shows the number."""
    for k in ("k", "0.5", "if 1/9 <= 0 then x * x else 1/9"):
        text = f"scalar k = 0.5\nvector x ~ N(0, 1)\nz := x*step'({k}) + x\noutput a := mean(z*x)\n"
        assert loads(text).limit()["a"].value == 1
    at_its_place = loads("vector x ~ N(0, 1)\noutput a := mean(x*step'(0.1 + 0.2 - 0.3))\n").check()
    assert [d.code for d in at_its_place.diagnostics] == ["E506"]

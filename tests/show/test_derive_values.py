"""Formulas are evaluated, under the covariances that the derivation itself gives, and compared with the limit."""

import math
import re
from pathlib import Path

import pytest
from evaluator import Evaluator
from random_programs import random_program

import netsor
from netsor.api import load, loads
from netsor.show.derivation import as_latex, as_text, derive, with_numbers
from netsor.show.derivation.values import Values

PROGRAMS = Path(netsor.__file__).parent.parent / "programs"
# Minutes of quadrature: run with the slow tests.
LONG = {"gru", "batchnorm", "amp"}
GALLERY = [pytest.param(p, marks=pytest.mark.slow) if p.stem in LONG else p for p in sorted(PROGRAMS.glob("*.netsor"))]


def compare(document, tol):
    d = document.derive()
    evaluator = Evaluator(d)
    limit = document.limit(tol, budget=60)
    for o in document.program.outputs:
        value, bound = limit[o.name].value, limit[o.name].error
        assert value is not None
        assert evaluator.scalar(o.scalar) == pytest.approx(value, rel=1e-7, abs=1e-8 + 2 * bound), o.name


@pytest.mark.parametrize("path", GALLERY, ids=lambda p: p.stem)
def test_the_gallery(path):
    compare(load(path), 1e-9)


@pytest.mark.parametrize("seed", range(16))
def test_random_programs(seed):
    compare(loads(random_program(seed)), 1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(16, 120))
def test_more_random_programs(seed):
    compare(loads(random_program(seed)), 1e-8)


@pytest.mark.parametrize("name", ["heaviside", "sgd_two_hidden", "tied_decoder", "layernorm", "semicircle"])
def test_numbers_beside_symbols_are_those_of_eval(name):
    document = load(PROGRAMS / f"{name}.netsor")
    d = with_numbers(document.derive())
    limit = document.limit()
    shown = {line.about: line.value for line in d.lines if line.output and line.value is not None}
    for o in document.program.outputs:
        if o.scalar in shown:
            assert shown[o.scalar].value == limit[o.name].value


def test_numbers_of_coefficients_and_covariances_are_those_of_the_formulas():
    document = load(PROGRAMS / "heaviside.netsor")
    d = derive(document.program)
    evaluator = Evaluator(d)
    from netsor.limit import Limit

    values = Values(d, Limit(document.program))
    assert d.coefficients
    for s in d.coefficients:
        assert values.scalar(s).value == pytest.approx(evaluator.value(s), abs=1e-10)
    for a, b in d.covariance_formula:
        assert values.hats(a, b).value == pytest.approx(evaluator.covariance(a, b), abs=1e-10)


def test_a_chain_of_products_names_its_covariances():
    text = "program p\nmatrix W[1..40] ~ N(0, 1.1/n)\nvector x[0] ~ N(0, 1)\nvector b[1..40] ~ N(0, 0.3)\n"
    text += "for l in 1..40:\n    x[l] := W[l] x[l-1] + b[l]\noutput q := mean(x[40]^2)\n"
    document = loads(text)
    d = derive(document.program)
    q = 1.0
    for _ in range(40):
        q = 1.1 * q + 0.3
    assert Evaluator(d).scalar("q") == pytest.approx(q, rel=1e-12)


def test_coefficients_that_are_found_together_have_their_numbers():
    text = "program p\nmatrix W ~ N(0, 2/n)\nvector x, y ~ N(0, [[1, 0.5], [0.5, 2]])\n"
    text += "s := sign(W x + 0.5 W y)\nu := Wᵀ s\noutput ux := mean(u * x)\n"
    d = with_numbers(loads(text).derive())
    shown = as_text(d)
    # σ_W² E sign'(g) = 2 √(2/π) / σ_g for g = Wx + Wy/2, times the weight of each product in it.
    found = [float(v) for v in re.findall(r"a[₁₂] = (\d\.\d+) ± \d\.\de−?-?\d+", shown)]
    variance = 2 * (1 + 2 * 0.5 * 0.5 + 0.25 * 2)
    slope = 2 * (2 / (math.pi * variance)) ** 0.5
    assert found == pytest.approx([slope, 0.5 * slope], rel=1e-10)
    assert "$a_{1}$ = " in as_latex(d) and "$\\pm$" in as_latex(d)


def test_derivatives_found_together_take_in_those_that_exist():
    """c is a - b: any a = C⁺ b for the two Heavisides alone would miss E Z^k Z^u = 1/√(2π) + 1, E a (step(a) + c)."""
    document = loads(
        "matrix W\nvector u, w ~ N(0, 1)\na := W u\nb := W w\nc := W (u - w)\nd := W (u + w)\n"
        "k := Wᵀ (step(a) * step(d - b) + c)\noutput m := mean(k * u)\n"
    )
    evaluator = Evaluator(document.derive())
    assert evaluator.scalar("m") == pytest.approx(1 / math.sqrt(2 * math.pi) + 1, rel=1e-7)


def test_numbers_beyond_the_doubles_are_told():
    text = "matrix W\nvector v ~ N(1e308, 0)\nh := W v\noutput a := mean(tanh(h / 1e300))\n"
    d = with_numbers(loads(text).derive(of="h"))
    shown = as_text(d)
    assert "inf" not in shown and "beyond 1.8e308" in shown and d.missing

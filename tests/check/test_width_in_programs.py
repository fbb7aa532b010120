"""n in programs: difference quotients in any spelling, what has no limit, and numbers that overflow."""

import pytest

import netsor
from netsor.check import check_source
from netsor.diagnostics import Source
from netsor.limit import infer_limit

HEAD = "vector x, d, y ~ N(0, [[1, 0.5, 0], [0.5, 1, 0.2], [0, 0.2, 1]])\nm := mean(x)\nscalar ε = 3/√n\n"
# E tanh'(x) d² with Cov(x, d) = 1/2, by Gauss–Hermite in two variables with 200 nodes each.
SLOPE = 0.5148066655319153


def report(line: str):
    return check_source(Source("text", HEAD + line + "\n"))


@pytest.mark.parametrize(
    ("quotient", "limit"),
    [
        ("2*√n*(tanh(x + d/(2*√n)) - tanh(x)) * d", SLOPE),
        ("n (tanh(x + d/n) - tanh(x)) * d", SLOPE),
        ("√n/3*(tanh(x + 3*d/√n) - tanh(x)) * d", SLOPE),
        ("√(n + 1)*(tanh(x + d/√(n + 1)) - tanh(x)) * d", SLOPE),
        ("√n*(tanh(x + d/√(n + 1)) - tanh(x)) * d", SLOPE),
        ("(tanh(x + ε*d) - tanh(x))/ε * d", SLOPE),
        ("n*tanh(x + d/n)*d - n*tanh(x)*d", SLOPE),
        ("n^0.3*(tanh(x + d/n^0.3) - tanh(x)) * d", SLOPE),
        ("√n*(tanh(x + d/√n + y/n) - tanh(x)) * d", SLOPE),
        ("2*√n*(tanh(x + d/(2*√n)) - tanh(x))*d + n (tanh(x + d/n) - tanh(x))*d", 2 * SLOPE),
        ("√n*(tanh(x + d/n) - tanh(x))", 0),
        ("√n*((x + d/√n)*(y - d/√n) - x*y)", -0.3),
        ("√n*(exp(-(x*(1 + 1/√n))^2/2) - exp(-x^2/2))", -(2**-1.5)),
        ("(n + 1) x^2 - n x^2", 1),
        ("√(n^2 + n) x^2 - n x^2", 0.5),
    ],
)
def test_quotients_have_limits(quotient: str, limit: float) -> None:
    checked = report(f"output a := mean({quotient})")
    assert checked.program is not None, [d.message for d in checked.diagnostics]
    assert infer_limit(checked.program)["a"].value == pytest.approx(limit, abs=1e-10)


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("√n*mean(x)", "E501", "`mean(x)` is multiplied by √n"),
        ("√n*m", "E501", "`m` is multiplied by √n"),
        ("mean(√n*x)", "E501", "`mean(x)` is multiplied by √n"),
        ("xᵀ y / √n", "E502", "`mean(x * y)` is multiplied by √n"),
        ("mean(n*(relu(x + d/√n) + relu(x - d/√n) - 2*relu(x))*x)", "E501", "is not known"),
        ("mean(tanh(√n*x))", "E501", "`√n * x` grows like √n"),
    ],
)
def test_growth_is_not_claimed_of_what_may_stay(value: str, code: str, words: str) -> None:
    (found,) = report(f"output a := {value}").diagnostics
    assert found.code == code and words in found.message
    if "multiplied" in words:
        assert any("random in the limit" in note for note in found.notes) and "D.1.1" in (found.hint or "")


@pytest.mark.parametrize(
    "line",
    [
        "output a := mean(x * (1e300*1e300 - 1e300*1e300))",
        "output a := mean(x * (1e300*1e300))",
        "output a := mean(1e300*(x*1e300))",
        "output a := mean(x + 1e308 + 1e308)",
        "output a := ⟨[1e200, 1], [1e200, 1]⟩",
        "output a := sum(i in 1..2: 1e308)",
        "vector s[1] ~ N(0, 1)\noutput a := mean(s[1e300*1e300])",
        f"output a := mean({'1' + '0' * 200} * {'1' + '0' * 200} * x)",
    ],
)
def test_numbers_that_overflow_are_told(line: str) -> None:
    assert "E506" in [d.code for d in report(line).diagnostics]


@pytest.mark.parametrize(
    ("value", "number"),
    [("tanh'(0)", 1), ("Phi'(0)", 0.3989422804014327), ("relu'(2)", 1), ("gelu'(0)", 0.5), ("tanh''(0)", 0)],
)
def test_derivatives_at_numbers_are_numbers(value: str, number: float) -> None:
    checked = report(f"scalar c = {value}\noutput a := mean(c*x^2)")
    assert checked.program is not None
    assert infer_limit(checked.program)["a"].value == pytest.approx(number)
    assert [d.code for d in report(f"scalar c = step'(0)\noutput a := mean({value}*x^2)").diagnostics] == ["E506"]


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("output o := √n * step(-k)", 0.0),
        ("output o := if k <= 0 then √n else k", 0.5),
        ("output o := mean(x^2) + √n * step''(k)", 1.0),
        ("output o := mean(if k <= 0 then √n * x^2 else x^2)", 1.0),
        ("z := if k <= 0 then √n * x else x\noutput o := mean(z^2)", 1.0),
        ("z0 := √n * step''(k)\noutput o := mean(x^2 + z0)", 1.0),
    ],
)
def test_what_grows_is_absent_by_the_value_of_a_constant(line, right):
    """With k = 1/2 the part in √n is 0 at every width, and E x² = 1."""
    document = netsor.loads("scalar k = 0.5\nvector x ~ N(0, 1)\n" + line + "\n")
    assert document.report.ok
    found = document.limit()["o"]
    assert abs(found.value - right) <= found.error <= 1e-13
    document.derive()


def test_what_grows_by_the_value_of_a_constant():
    found = netsor.loads("scalar k = -0.5\noutput o := √n * step(-k)\n").report
    assert not found.ok

"""The attack of `attack.py`: no call ends in a traceback, a NaN, a hang, or what the documentation does not say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from attack import call_of, faults, survey

from netsor.api import load, loads
from netsor.averages import mean, standard_error
from netsor.cli.main import main
from netsor.diagnostics import NetsorError
from netsor.finite.rates import study_output
from netsor.gaussian import Settings
from netsor.limit.expectations import Expectations
from netsor.limit.law import CoordinateLaw
from netsor.show.derivation.derive import TO_KNOW_OF_FAULTS


def wrong(first: int, last: int) -> str:
    return "\n".join(f"{n}: {' '.join(call_of(n).arguments)}\n{found}" for n, found in survey(first, last))


@pytest.mark.parametrize("part", range(4))
def test_no_call_is_answered_wrongly(part: int) -> None:
    assert not wrong(100 * part, 100 * part + 100)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(200))
def test_no_call_of_many_is_answered_wrongly(part: int) -> None:
    assert not wrong(1000 + 100 * part, 1100 + 100 * part)


def test_the_attack_sees_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    import attack

    call = attack.Call(("eval", "p.netsor", "--json"), {"p.netsor": b"vector x ~ N(0, 1)\noutput mean(x^2)\n"})
    assert faults(call) == []
    for outcome, said in (
        ((0, '{"a": NaN}', ""), "NaN in JSON"),
        ((1, "{}", "error[E801]"), "JSON says None"),
        ((0, "{}{}", ""), "no JSON"),
        ((0, "{}", "error[E801]: x"), "status 0 after an error"),
        ((1, '{"ok": false}', ""), "without an error"),
        ((1, '{"ok": false}', "error[E012]"), "unhandled"),
        (("too long", "", ""), "status too long"),
    ):
        monkeypatch.setattr(attack, "answer", lambda call, outcome=outcome: outcome)
        assert any(said in f for f in faults(call)), said


# What the attack found, each of its kind; the numbers are closed forms.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("output mean(if 1/n <= 1 then x^2 else 1/n)", 1.0),
        ("output mean(if n > 3 and x > 1/n then 1 else 0)", 0.5),
        # P(x > 1) = Φ(−1); E x 1{x > 1} = φ(1); E x² 1{x ≤ 1} = Φ(1) − φ(1).
        ("output mean(if not (n > 3) or x > 1 then x else 2*x^2)",
         0.24197072451914337 + 2 * (0.8413447460685429 - 0.24197072451914337)),
        ("output mean(max(1/√n, abs(x)))", 0.7978845608028654),
    ],
)  # fmt: skip
def test_conditions_on_n_are_decided_in_the_limit(text: str, expected: float) -> None:
    found = loads(f"vector x ~ N(0, 1)\n{text}\n").limit()
    (value,) = found.outputs.values()
    assert value.value == pytest.approx(expected, abs=1e-10) and abs(value.value - expected) <= value.error + 1e-15


NETWORK = "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W\nvector v ~ N(0, 1)\ntrain U, W, v\ng := U ξ\n"


@pytest.mark.parametrize(
    "lines",
    ["x := erf(g)\nh := W x\nz := sin(h) + 1/√n", "x := min(1/√n, g)\nh := W x\nz := softplus(h) * x",
     "x := if √n >= 0 then g else √n\nh := W x\nz := tanh(h)"],
)  # fmt: skip
def test_networks_with_functions_of_n(lines: str) -> None:
    plain = lines.replace(" + 1/√n", "").replace("1/√n", "0").replace("if √n >= 0 then g else √n", "g")
    rows = [[1.0, 0.5], [-0.5, 1.0]]
    end = "\noutput f := vᵀ z / √n\n"
    found, expected = (loads(NETWORK + text + end).ntk(rows, tol=1e-8) for text in (lines, plain))
    assert abs(found.ntk.value - expected.ntk.value).max() < 1e-6


def test_a_kernel_of_a_squared_dirac_mass_does_not_exist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.netsor").write_text(NETWORK + "x := step'(g)\nh := W x\nz := atan(h) + x\noutput f := vᵀ z / √n\n")
    Path("X.json").write_text("[[1, 0.5]]")
    assert main(["ntk", "m.netsor", "--inputs", "X.json", "--nngp", "--json"]) == 1
    assert [d["code"] for d in json.loads(capsys.readouterr().out)["diagnostics"]] == ["E801"]


@pytest.mark.parametrize(
    ("lines", "options", "code"),
    [
        ("x := tanh(g)\nh := W x\nz := log(h)", ["--width", "3"], "E703"),
        ("x := g / 1e-300\nh := W x\nz := leaky_relu(h) * x", [], "E804"),
        # W 0 is 0, where the Dirac mass stands.
        ("x := g - g\nh := W x\nz := step'(h)", ["--nngp"], "E801"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_kernel_without_a_number_is_told(
    lines: str, options: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("m.netsor").write_text(f"{NETWORK}{lines}\noutput f := vᵀ z / √n\n")
    Path("X.json").write_text("[[1, 0.5], [-0.5, 1]]")
    assert main(["ntk", "m.netsor", "--inputs", "X.json", "--json", *options]) == 1
    assert [d["code"] for d in json.loads(capsys.readouterr().out)["diagnostics"]] == [code]


def test_parts_that_grow_stay_where_they_have_a_limit() -> None:
    # min(v/n, √n − 1/2) → 0 in every coordinate, and E min(0, 1/2 − x) = −φ(1/2) + Φ(−1/2)/2 beside it.
    text = "scalar k = 0.5\nvector v, x ~ N(0, 1)\noutput a := mean(min(v/n, √n - k) + min(0, k - x))\n"
    expected = 0.5 * 0.3085375387259869 - 0.3520653267642995
    found = loads(text).limit()["a"]
    assert found.value == pytest.approx(expected, abs=1e-12) and abs(found.value - expected) <= found.error + 1e-15


def test_a_comparison_is_no_inner_product(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.netsor").write_text("vector u ~ N(0, 1)\noutput mean((if 1/n < 1 then u else 1/n) * √n)\n")
    assert main(["eval", str(tmp_path / "p.netsor")]) == 1
    err = capsys.readouterr().err
    assert "E012" not in err and "inner product" not in err and "grows like √n" in err


def test_products_of_inputs_beyond_the_doubles_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.netsor").write_text(NETWORK + "x := tanh(g)\nh := W x\noutput f := vᵀ h / √n\n")
    Path("X.json").write_text("[[1e200, 5e199], [-5e199, 1e200]]")
    Path("y.json").write_text("[1, -1]")
    assert main(["sgd", "m.netsor", "--inputs", "X.json", "--targets", "y.json", "--steps", "1"]) == 2
    assert "E655" in capsys.readouterr().err


def test_training_without_time_compares_what_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.netsor").write_text(NETWORK + "x := relu(g)\nh := W x\nz := relu(h)\noutput f := vᵀ z / √n\n")
    Path("X.json").write_text("[[1, 0.5], [-0.5, 1]]")
    Path("y.json").write_text("[1, -1]")
    training = loads(Path("m.netsor").read_text()).train([[1, 0.5], [-0.5, 1]], [1, -1], steps=2, budget=100)
    for missing in ({(2, 1, 0): "not computed"}, dict.fromkeys(np.ndindex(3, 2, 1), "not computed")):
        values = training.program.copy()
        for at in missing:
            values[at] = np.nan
        cut = replace(training, program=values, error=np.where(np.isnan(values), np.nan, 1e-15), missing=missing)
        monkeypatch.setattr("netsor.api.Document.train", lambda *_, cut=cut, **__: cut)
        assert main(["train", "m.netsor", "--inputs", "X.json", "--targets", "y.json", "--steps", "2"]) == 0
        out = capsys.readouterr().out
        assert "nan" not in out and "not computed" in out and ("|limit − kernel" in out) == (len(missing) == 1)
        assert main(["train", "m.netsor", "--inputs", "X.json", "--targets", "y.json", "--steps", "2", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["error"] is None and ("difference" in found) == (len(missing) == 1)


def test_covariances_beyond_the_doubles_are_told() -> None:
    text = "data X : (1, 2) = [[1e200, 1e200]]\nmatrix U : (n, 2) ~ N(0, 1)\ng := U X[1]\noutput mean(tanh(g)^2)\n"
    found = loads(text).limit()
    assert [d.code for d in found.diagnostics] == ["E804"]


def test_averages_of_numbers_whose_squares_overflow() -> None:
    values = np.array([1.0, 2.0, 4.0])
    for scale in (1.0, 2.0**1000, 2.0**-1000):
        assert mean(scale * values) == scale * np.mean(values)
        assert standard_error(scale * values) == scale * (np.std(values, ddof=1) / np.sqrt(3))


@pytest.mark.parametrize("text", ["(tanh(g) * v)", "(g * v)", "(g + v)", "(tanh(g) * erf(v) + 1)"])
def test_huge_powers_end_in_their_time(text: str) -> None:
    """Moments by recursion, lists of factors and sums of terms all had as many steps as the exponent."""
    program = f"vector g, v ~ N(0, [[1, 0.5], [0.5, 1]])\noutput a := mean({text}^(2^31))\noutput b := mean(g^298)\n"
    found = loads(program).limit(budget=1.0)
    assert [d.code for d in found.diagnostics] == ["E804"]
    # 297!! by 40 digits.
    assert found["b"].value == pytest.approx(1.25527562259930633890922678431e304, rel=1e-12)


@pytest.mark.parametrize(
    ("law", "quotient", "limit", "trained"),
    [
        ("N(0, 1)", "atan(b + g/√n) - atan(b)", "g / (1 + b^2)", "U, v, b"),
        ("N(0, 1)", "sin(b + g/√n) - sin(b)", "g * cos(b)", "b"),
        ("N(0, 1)", "relu(b + g/√n) - relu(b)", "g * step(b)", "U, v"),
        ("N(0, 0)", "relu(b + g/√n) - relu(b)", "relu(g)", "U, v"),
        ("N(0, 0)", "leaky_relu(g/√n + b, 0.2) - leaky_relu(b, 0.2)", "leaky_relu(g, 0.2)", "U"),
        ("N(0, 0)", "abs(b + tanh(g)/√n) - abs(b)", "abs(tanh(g))", "U, v"),
    ],
)
def test_kernels_of_difference_quotients_are_those_of_their_limits(
    law: str, quotient: str, limit: str, trained: str
) -> None:
    head = f"network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1/3)\nvector v ~ N(0, 1)\nvector b ~ {law}\ntrain {trained}\n"
    rows = [[1.0, 0.5], [-0.2, 1.0], [-1.0, -0.5]]
    one, two = (loads(f"{head}g := U ξ\noutput f := vᵀ ({z}) / √n\n").ntk(rows) for z in (f"√n ({quotient})", limit))
    for a, b in ((one.nngp, two.nngp), (one.ntk, two.ntk)):
        assert np.all(abs(a.value - b.value) <= a.error + b.error + 1e-15) and np.all(a.error < 1e-9)


def test_kernels_of_quotients_that_grow_are_refused() -> None:
    head = "network m(ξ : 2)\nmatrix U : (n, 2) ~ N(0, 1/3)\nvector v ~ N(0, 1)\nvector b ~ N(0, 0)\ntrain U, b * 1\n"
    for body, why in (
        ("√n (step(b + U ξ/√n) - step(b))", "grows like √n"),
        ("tanh(√n (step(b + U ξ/√n) - step(b)))", "is not known"),
    ):
        with pytest.raises(NetsorError, match=why):
            loads(f"{head}output f := vᵀ ({body}) / √n\n").nngp([[1.0, 0.5]])
    # ∂f/∂b of a relu that starts on its kink is √n times a jump, and the NTK has its square.
    with pytest.raises(NetsorError, match="grows like n where"):
        loads(f"{head}output f := vᵀ (√n (relu(b + U ξ/√n) - relu(b))) / √n\n").ntk([[1.0, 0.5]])


def test_a_bounded_function_of_what_grows_is_not_told_to_diverge() -> None:
    """tanh(√n step(d)) tends to step(d); what is not found is told to be unknown."""
    text = "vector d ~ N(0, 1)\nvector zero ~ N(0, 0)\nz := tanh(√n (step(zero + d/√n) - step(zero)))\noutput mean(z)\n"
    (said,) = loads(text).limit().diagnostics
    assert "is not known" in said.message


def test_covariances_of_data_beyond_the_doubles_are_not_zero() -> None:
    """Products of rows that overflow, with either sign, are no independence."""
    text = "data X : (2, 2) = [[1e200, 1e200], [1e200, -2e200]]\nmatrix U : (n, 2) ~ N(0, 1)\nmatrix W\n"
    text += "g := U X[1]\nh := U X[2]\noutput a := mean(step(g) * step(h))\noutput b := mean(tanh(W g) * (W h))\n"
    assert {d.code for d in loads(text).limit().diagnostics} == {"E804"}


def test_a_branch_that_is_not_taken_may_be_beyond_the_doubles() -> None:
    text = "vector x ~ N(1e200, 1)\noutput a := if mean(x) > 3 then 0.5 else exp(-mean(x^2))\n"
    assert loads(text).limit()["a"].value == 0.5


def test_formulas_of_what_takes_long_end_in_their_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a scalar of a derivation has a value is asked of a limit that has the budget of the command."""
    (tmp_path / "p.netsor").write_text("vector x ~ N(0, 1)\nθ := mean(exp(tanh(x)))\noutput a := 1 / θ\n")
    budgets = []
    plain = Expectations.__init__

    def noted(self: Expectations, law: object, program: object, settings: Settings, *others: object) -> None:
        budgets.append(settings.budget)
        plain(self, law, program, settings, *others)

    monkeypatch.setattr(Expectations, "__init__", noted)
    assert main(["derive", str(tmp_path / "p.netsor"), "--numbers", "--budget", "7"]) == 0
    assert main(["derive", str(tmp_path / "p.netsor")]) == 0
    assert budgets == [7.0, TO_KNOW_OF_FAULTS]
    capsys.readouterr()


def test_laws_with_dirac_masses_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Means exist, squares and draws do not."""
    (tmp_path / "p.netsor").write_text(
        "vector x, y ~ N(0, 1)\nh := y + √n (sign(x + y/√n) - sign(x))\noutput mean(h)\n"
    )
    law = CoordinateLaw(load(tmp_path / "p.netsor").program, ["h"])
    assert abs(law.mean("h").value) <= law.mean("h").error + 1e-15
    for ask in (lambda: law.variance("h"), lambda: law.draw(3)):
        with pytest.raises(NetsorError, match="Dirac mass"):
            ask()
    for options in ([], ["--samples", "3"], ["--width", "16"]):
        assert main(["eval", str(tmp_path / "p.netsor"), "--law", "h", "--json", *options]) == 1
        assert [d["code"] for d in json.loads(capsys.readouterr().out)["diagnostics"]] == ["E801"]
    page = str(tmp_path / "page.html")
    assert (
        main(["report", str(tmp_path / "p.netsor"), "--vectors", "h", "--width", "8", "--seeds", "2", "-o", page]) == 1
    )
    assert "E801" in capsys.readouterr().err and Path(page).exists()


def test_variances_beyond_the_doubles_in_every_rule() -> None:
    """The variance of a residual stream is that of its input, which no double holds; what is bounded is found."""
    text = "network m(ξ : 3)\nmatrix U : (n, 3) ~ N(0, 1e307)\nmatrix W[1..2]\nvector v ~ N(0, 1)\nx[0] := U ξ\n"
    text += "for l in 1..2:\n    x[l] := x[l-1] + 0.5 W[l] tanh(x[l-1])\noutput f := vᵀ x[2] / √n\n"
    for budget in (None, 1e-6):
        with pytest.raises(NetsorError) as said:
            loads(text).ntk([[3, 3, 3], [5, -3, 1]], budget=budget)
        assert {d.code for d in said.value.diagnostics} == {"E804"}


@pytest.mark.parametrize("device", ["", ".", ":", "..x", "a b", "cuda :0"])
def test_a_device_is_a_name(device: str) -> None:
    with pytest.raises(NetsorError, match="there is no device"):
        loads("matrix W\nvector x ~ N(0, 1)\noutput mean(W x)\n").run(8, device=device)


@pytest.mark.parametrize("c", ["1e308", "-1.7e308", "1e17", "5e-324"])
@pytest.mark.filterwarnings("error")
def test_numbers_at_both_ends_of_the_doubles_are_shown(
    c: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Means, standard errors, histograms and rates of fit, of numbers whose sums or squares are no doubles."""
    monkeypatch.chdir(tmp_path)
    text = f"vector x ~ N({c}, 1)\nvector g ~ N(0, 1)\nz := {c} * tanh(g)\n"
    Path("p.netsor").write_text(f"{text}output a := mean(x)\noutput b := mean(z)\noutput h := {c} * mean(tanh(g)^2)\n")
    runs = ["--widths", "8,16,32", "--seeds", "3", "--jobs", "1"]
    for arguments in (
        ["report", "--width", "8", "--seeds", "3", "--vectors", "x,z", "-o", "page.html"],
        ["converge", *runs],
        ["converge", *runs, "--json", "--overwrite", "--store", "runs.jsonl"],
        ["eval", "--law", "x,z", "--width", "16"],
        ["eval", "--law", "z", "--width", "16", "--json"],
    ):
        status = main([arguments[0], "p.netsor", *arguments[1:]])
        out, err = capsys.readouterr()
        assert status in (0, 1) and "E012" not in err, err
        assert status or not re.search(r"\b(nan|inf|Infinity)\b", out, re.IGNORECASE)
        if arguments[0] == "report" and status == 0:
            assert not re.search(r'="[^"]*\b(nan|inf)\b', Path("page.html").read_text())


@pytest.mark.filterwarnings("error")
def test_single_precision_beside_numbers_that_it_has_not() -> None:
    found = loads("matrix W\nvector x ~ N(0, 1)\noutput a := 1e200 + 0 * mean(W x)\n").run(8, dtype="float32")
    assert found.values["a"] == pytest.approx(1e200)


@pytest.mark.parametrize("k", [-900, -300, 300, 1000])
def test_a_study_of_2_to_the_k_times_the_values_is_2_to_the_k_times_the_study(k: int) -> None:
    rng = np.random.default_rng(3)
    values = {n: 1 + 3 / n + rng.standard_normal(5) / np.sqrt(n) for n in (8, 16, 32, 64)}
    one = study_output("a", values, 1.0, 1e-3, -1.0)
    two = study_output("a", {n: np.ldexp(v, k) for n, v in values.items()}, 2.0**k, 1e-3 * 2.0**k, -1.0)
    assert two.verdict == one.verdict and two.deviation == pytest.approx(one.deviation, rel=1e-12)
    assert two.spread_rate.value == pytest.approx(one.spread_rate.value, rel=1e-12)
    for a, b in ((one.mean, two.mean), (one.stderr, two.stderr), (one.spread, two.spread)):
        assert b == pytest.approx(np.ldexp(a, k), rel=1e-14)
    assert two.extrapolated == pytest.approx(np.ldexp(one.extrapolated, k), rel=1e-12) and two.limit == 2.0**k


def test_a_dirac_mass_of_a_number_is_zero_or_told() -> None:
    """sign(W v) of a matrix without variance is 0, where a second difference quotient has its mass."""
    text = "matrix W ~ N(0, 0/n)\nvector v, y ~ N(0, 1)\nh := sign(W v)\nvector z ~ N({}, 0)\n"
    text += "output a := mean(y^2 * √n (sign(tanh(z) + y/√n) - sign(tanh(z))))\n"
    text += "output b := ⟨min(y, h), √n (sign(h + h/√n) - sign(h))⟩ / n\n"
    assert loads(text.format(1)).limit()["a"].value == 0
    for found in loads(text.format(0)).limit().diagnostics:
        assert found.code in ("E801", "E804") and "E012" not in found.message


@pytest.mark.parametrize("law", ["vector x ~ U(-1e300, 1e300)", "matrix U : (n, 2) ~ U(-1.7e308, 1.7e308)"])
def test_uniform_laws_whose_variance_is_no_double(law: str) -> None:
    with pytest.raises(NetsorError, match="is beyond 1.8e308"):
        loads(f"{law}\nvector y ~ N(0, 1)\noutput mean(y)\n").limit()


@pytest.mark.parametrize("arguments", [["check", "--json", "--bogus"], ["eval", "no.netsor", "--json"], ["explain"]])
def test_nobody_listens(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells a fault may meet a closed pipe, as a result may."""

    def closed(*_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("sys.stdout.write", closed)
    monkeypatch.setattr("netsor.cli.main.nowhere", lambda stream: None)
    assert main(arguments) == 0

"""Laws of coordinates: moments against limits of programs, draws and quantiles against closed forms."""

import math
from pathlib import Path

import numpy as np
import pytest

import netsor
from netsor.api import load, loads
from netsor.finite.samples import Samples, sample
from netsor.limit.coordinates import Agreement, agreement, compare, histogram, quantile_pairs
from netsor.limit.law import CoordinateLaw

PROGRAMS = Path(netsor.__file__).parent.parent / "programs"


def law(text: str, *names: str) -> CoordinateLaw:
    return CoordinateLaw(loads(text).program, names)


def test_remark_b5():
    found = CoordinateLaw(load(PROGRAMS / "remark_b5.netsor").program, ["x", "v"])
    parts = found.parts("x")
    assert parts is not None
    assert (parts.hat.value, parts.dot.value, parts.between.value) == pytest.approx((1, 1, 0))
    assert found.variance("x").value == pytest.approx(2) and found.covariance("x", "v").value == pytest.approx(1)


def test_means_of_vectors_and_of_their_dots():
    text = "program p\nmatrix W ~ N(0, 2/n)\nvector m ~ N(3, 0.5)\nh := W m\ny := Wᵀ h\nz := relu(m)\n"
    found = law(text, "m", "h", "y", "z")
    assert found.mean("m").value == pytest.approx(3) and found.variance("m").value == pytest.approx(0.5)
    assert found.variance("h").value == pytest.approx(2 * 9.5)
    parts = found.parts("y")
    assert parts is not None and parts.dot_mean.value == pytest.approx(6) and parts.dot.value == pytest.approx(2)
    assert found.mean("y").value == pytest.approx(6)
    assert found.parts("z") is None
    # relu of N(3, 0.5) is nearly m itself; its mean is Φ(a) 3 + √½ φ(a), a = 3/√½.
    a = 3 / math.sqrt(0.5)
    expected = 3 * 0.5 * math.erfc(-a / math.sqrt(2)) + math.sqrt(0.5) * math.exp(-a * a / 2) / math.sqrt(2 * math.pi)
    assert found.mean("z").value == pytest.approx(expected)


def test_a_scaled_product_has_its_own_hat():
    found = law("program p\nmatrix W\nvector v ~ N(0, 1)\nx := 3 v\ny := W x\nz := W v\n", "y", "z")
    parts = found.parts("y")
    assert parts is not None and parts.hat.value == pytest.approx(9)
    assert found.covariance("y", "z").value == pytest.approx(3)
    draws = found.draw(1000)
    assert np.allclose(draws["y"], 3 * draws["z"])


def test_draws_are_reproducible_and_have_the_law():
    found = CoordinateLaw(load(PROGRAMS / "algorithm1.netsor").program, ["δx̃", "h̃", "v"])
    a, b = found.draw(200_000, seed=1), found.draw(200_000, seed=1)
    for x in found.names:
        assert np.array_equal(a[x], b[x])
        assert a[x].mean() == pytest.approx(found.mean(x).value, abs=5 * a[x].std() / math.sqrt(200_000))
        spread = np.square(a[x]).std() / math.sqrt(200_000)
        assert np.square(a[x]).mean() == pytest.approx(found.variance(x).value, abs=5 * spread)
    assert not np.array_equal(a["v"], found.draw(200_000, seed=2)["v"])


def test_quantiles_of_gaussians_are_exact_and_others_have_a_standard_error():
    text = "program p\nmatrix W\nvector v ~ N(1, 4)\nh := W v\ny := v^2\nk := relu(v)\n"
    found = law(text, "v", "h", "y", "k")
    (median,) = found.quantiles("v", [0.5])
    assert median == (1.0, 0.0)
    (q,) = found.quantiles("h", [0.9])
    assert q.value == pytest.approx(1.2815515655446004 * math.sqrt(5)) and q.error == 0
    # Of v², v ~ N(1, 4): the share below t is Φ((√t − 1)/2) − Φ((−√t − 1)/2).
    for q, p in zip(found.quantiles("y", [0.25, 0.75]), [0.25, 0.75], strict=True):
        root = math.sqrt(q.value)
        share = 0.5 * (math.erf((root - 1) / 2 / math.sqrt(2)) - math.erf((-root - 1) / 2 / math.sqrt(2)))
        assert share == pytest.approx(p, abs=1e-3) and 0 < q.error < 0.02
    (low,) = found.quantiles("k", [0.1])
    assert low.value == 0


def verdict(law: CoordinateLaw, found: Samples) -> Agreement:
    return agreement(compare(law, found.runs, found.narrower, found.ratios), len(found.runs))


@pytest.mark.parametrize(("name", "vectors"), [("remark_b5", ["x", "v"]), ("sgd_two_hidden", ["δh̃", "dz"])])
def test_finite_coordinates_agree_with_their_law(name, vectors):
    program = load(PROGRAMS / f"{name}.netsor").program
    found = sample(program, 1500, 7, vectors, 12)
    compared = compare(CoordinateLaw(program, vectors), found.runs, found.narrower, found.ratios)
    assert len(compared) == 2 * 8 + 5
    judged = agreement(compared, 12)
    assert judged.holds is True and judged.tests > 8


def test_a_wrong_law_is_seen():
    """W_copyᵀ in the place of Wᵀ loses Ż: the coordinates of the tied program contradict that law."""
    program = load(PROGRAMS / "transpose_matters.netsor").program
    found = sample(program, 2000, 1, ["y", "v"], 16)
    assert verdict(CoordinateLaw(program, ["y", "v"]), found).holds is True
    swapped = [[{"y_cut": r["y"], "v": r["v"]} for r in runs] for runs in (found.runs, found.narrower)]
    assert verdict(CoordinateLaw(program, ["y_cut", "v"]), Samples(2000, *swapped, found.ratios)).holds is False


TIED = "program tied\nmatrix W\nvector z ~ N(0, 1)\nh := W z\nx := Wᵀ tanh(h)\ny := tanh(W x) + 0.3 z\n"


@pytest.mark.parametrize(
    ("factor", "shift"), [(math.sqrt(1.05), 0.0), (math.sqrt(0.95), 0.0), (1.0, 0.05), (1.0, -0.05)]
)
def test_a_planted_error_of_five_per_cent_is_seen(factor, shift):
    """A variance that is 5 % off, and a mean that is 5 % of a standard deviation off."""
    law = CoordinateLaw(loads(TIED).program, ["x"])
    sd = math.sqrt(law.variance("x").value)
    found = sample(law.program, 4096, 3, ["x"], 32)
    assert verdict(law, found).holds is True
    wrong = [[{"x": r["x"] * factor + shift * sd} for r in runs] for runs in (found.runs, found.narrower)]
    assert verdict(law, Samples(4096, *wrong, found.ratios)).holds is False


def test_coordinates_of_one_draw_share_its_scalars():
    """E x² is (1 + 4 s)² with s of order 1/√n, shared by all coordinates: as independent ones they would contradict."""
    text = "program p\nvector u, g ~ N(0, 1)\nscalar c = 1\ns := mean(u)\nx := g * (1 + 4 * s)\n"
    law = CoordinateLaw(loads(text).program, ["x"])
    found = [sample(law.program, 256, k, ["x"], 8) for k in range(30)]
    assert all(verdict(law, f).holds is not False for f in found)
    apart = [abs(np.mean(r["x"] ** 2) - 1) / (np.std(r["x"] ** 2) / 16) for f in found for r in f.runs]
    assert np.mean(np.array(apart) > 4.0) > 0.1


def test_few_draws_give_no_verdict():
    law = CoordinateLaw(loads(TIED).program, ["x"])
    for draws in (1, 3):
        found = sample(law.program, 256, 0, ["x"], draws)
        judged = verdict(law, found)
        assert judged.holds is None and judged.tests == 0
    assert len(sample(law.program, 256, 0, ["x"]).runs) >= 8


def test_tails_that_no_draw_has_seen_are_no_contradiction():
    """E x⁴ = e⁸ is made by coordinates of which 30,000 hold none: that mean is no Gaussian number."""
    law = CoordinateLaw(loads("program p\nvector v ~ N(0, 1)\nx := exp(v)\n").program, ["x"])
    for seed in range(5):
        found = sample(law.program, 256, seed, ["x"], 16)
        compared = compare(law, found.runs, found.narrower, found.ratios)
        assert next(c for c in compared if c.test == "x⁴").distance is None
        assert verdict(law, found).holds is not False


@pytest.mark.parametrize("decay", ["1/√n", "1/log(n)", "n^(-1/4)"])
def test_a_bias_that_falls_slowly_is_no_contradiction(decay):
    program = loads(f"program p\nvector v ~ N(0, 1)\nscalar c = {decay}\nx := v + c\n").program
    law = CoordinateLaw(program, ["x"])
    assert law.mean("x").value == 0
    assert verdict(law, sample(program, 1024, 0, ["x"], 32)).holds is not False
    wrong = CoordinateLaw(loads("program p\nvector v ~ N(-1, 1)\nx := v + 0\n").program, ["x"])
    assert verdict(wrong, sample(program, 1024, 0, ["x"], 32)).holds is False


@pytest.mark.slow
def test_false_alarms_over_the_gallery():
    """At most one of a thousand verdicts on right programs may contradict; 1,212 at widths 16 to 128 had none."""
    seen = alarms = 0
    for path in sorted(PROGRAMS.glob("*.netsor")):
        program = load(path).program
        vectors = [i.name for i in program.instructions if program.kind_of(i.name) in ("G-var", "X-var")]
        if not vectors:
            continue
        law = CoordinateLaw(program, [vectors[len(vectors) // 2]], 1e-5, 5.0)
        for k in range(40):
            holds = verdict(law, sample(program, (16, 32, 64, 128)[k % 4], k, law.names, 16)).holds
            seen += holds is not None
            alarms += holds is False
    assert seen > 800 and alarms <= 4


def test_a_moment_that_does_not_exist_is_no_test():
    found = law("program p\nvector v ~ N(0, 1)\ny := exp(v^2 / 5)\n", "y")
    compared = compare(found, [{"y": found.draw(1000)["y"]}], [])
    fourth = next(c for c in compared if c.test == "x⁴")
    assert fourth.limit is None and fourth.missing == "does not exist"
    assert next(c for c in compared if c.test == "x").limit == pytest.approx(1 / math.sqrt(1 - 0.4))


def test_a_moment_that_was_not_computed_is_not_said_not_to_exist():
    """E exp(48 Z) = e^1152 exists and is no floating-point number."""
    found = law("program p\nvector v ~ N(0, 1)\ny := exp(12 * v)\n", "y")
    compared = compare(found, [{"y": found.draw(1000)["y"]}], [])
    fourth = next(c for c in compared if c.test == "x⁴")
    assert fourth.limit is None and fourth.missing == "not computed"


def test_constants_have_a_law_too():
    found = law("program p\nvector c ~ N(2, 0)\ny := c^2 + 1\n", "y")
    assert found.mean("y").value == 5 and found.variance("y").value == 0
    draws = found.draw(10)["y"]
    assert (draws == 5).all()
    h = histogram(draws, draws)
    assert h.finite.sum() == pytest.approx(1)
    assert (quantile_pairs(draws, draws).limit == 5).all()


def test_quantiles_of_a_law_with_jumps_are_values_that_it_takes():
    text = "matrix W\nvector b ~ N(0, 1)\ns := step(b)\nr := if b > 0.5 then b else 0\nw := W b\nq := w^2\n"
    text += "output o := mean(s * r * q)\n"
    law = CoordinateLaw(loads(text).program, ["s", "r", "q"])
    assert [e.value for e in law.quantiles("s", [0.25, 0.5, 0.75])] == [0.0, 0.0, 1.0]
    assert law.quantiles("r", [0.5])[0].value == 0.0
    # Beside no jump the draws are read between.
    from scipy.stats import chi2

    for p, e in zip((0.05, 0.5, 0.95), law.quantiles("q", [0.05, 0.5, 0.95]), strict=True):
        assert e.value == pytest.approx(chi2.ppf(p, 1), abs=5 * e.error + 1e-4)


def test_the_end_of_an_atom_is_its_quantile():
    text = "matrix W\nvector v ~ N(0, 1)\nvector m ~ N(0.01, 1)\nh := W v\nr := relu(h)\nq := relu(m)\n"
    law = CoordinateLaw(loads(text).program, ["r", "q"])
    # Half of relu(h) is 0 and its third quartile that of a Gaussian; of relu(m) a little less than half is 0.
    low, median, high = law.quantiles("r", [0.25, 0.5, 0.75])
    assert low == median == (0.0, 0.0)
    assert high.value == pytest.approx(0.6744897501960817, abs=5 * high.error + 1e-6)
    assert law.quantiles("q", [0.5])[0].value == pytest.approx(0.01, abs=1e-4)

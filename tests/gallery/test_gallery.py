"""Every program of the gallery: checked, held to its truth at the limit, and compared with its own finite width."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from truths import TRUTHS

import netsor

PROGRAMS = {p.stem: p for p in sorted((Path(__file__).parents[2] / "programs").glob("*.netsor"))}

# With t-quantiles at this level a program with m outputs raises a false alarm with probability at most m · 1e-5 when
# its seeds are drawn anew: 0.4 % over the gallery's 172 outputs and two widths. The seeds are fixed, so each bound
# holds always or never.
FALSE_ALARM = 1e-5

each_program = pytest.mark.parametrize("name", PROGRAMS)


def test_every_program_has_a_truth_and_every_truth_a_program() -> None:
    assert set(TRUTHS) == set(PROGRAMS)


@each_program
def test_head_comment(name: str) -> None:
    """Each file opens with a comment that says what it is, where it is from, and what comes out."""
    head = re.match(r"(?:#[^\n]*\n)+", PROGRAMS[name].read_text(encoding="utf-8"))
    assert head, "no head comment"
    assert len(head[0].splitlines()) >= 4
    assert re.search(r"\b(19|20)\d\d\b", head[0]), "the head comment cites nothing"


@each_program
def test_checks_clean(name: str) -> None:
    document = netsor.load(PROGRAMS[name])
    assert [d.message for d in document.check().diagnostics] == []
    assert document.program.name == name
    assert {o.name for o in document.program.outputs} == set(TRUTHS[name].values)


@each_program
def test_listing_has_the_same_core(name: str) -> None:
    document = netsor.load(PROGRAMS[name])
    listing = document.listing()
    again = netsor.loads(listing)
    assert [d.message for d in again.check().diagnostics] == []
    assert again.program.as_listed == document.program.as_listed
    assert again.listing() == listing


@each_program
def test_limit_is_the_truth(name: str) -> None:
    truth = TRUTHS[name]
    result = netsor.load(PROGRAMS[name]).limit(budget=truth.budget)
    wrong = {}
    for output, value in truth.values.items():
        got = result.outputs[output]
        scale = max(1.0, abs(value))
        if got.value is None or not abs(got.value - value) <= truth.tolerance * scale + got.error:
            wrong[output] = (got, value)
        if got.value is not None and not got.error <= truth.loose.get(output, truth.reported) * scale:
            wrong[output] = ("reported error too large", got, value)
    assert not wrong


@pytest.mark.parametrize(
    ("name", "settings", "values"),
    [
        ("marchenko_pastur", {"K": 7}, {"m[6]": 132.0, "m[7]": 429.0}),
        ("semicircle", {"K": 2}, {"even[2]": 2.0, "odd[2]": 0.0}),
        ("mlp", {"L": 1}, {"k[1,1]": 0.55, "q[1]": 0.55}),
        ("mlp", {"L": 6}, {"k[1,1]": 0.8, "q[4]": 0.7}),
    ],
)
def test_parameters_set_from_outside(name: str, settings: dict, values: dict[str, float]) -> None:
    result = netsor.load(PROGRAMS[name], set=settings).limit()
    for output, value in values.items():
        assert result.outputs[output].value == pytest.approx(value, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("engine", "width", "seeds"), [("dense", 640, 32), ("auto", 8000, 32)])
@each_program
def test_finite_width_is_near_the_limit(name: str, engine: str, width: int, seeds: int) -> None:
    """|mean over K seeds − limit| ≤ t(K−1) · standard error + bias allowance, O(1/n), see `Truth.bias`."""
    truth = TRUTHS[name]
    result = netsor.load(PROGRAMS[name]).run(width=width, seeds=seeds, engine=engine)
    quantile = stats.t.isf(FALSE_ALARM / 2, seeds - 1)
    wrong = {}
    for output, value in truth.values.items():
        draws = np.asarray(result.values[output])
        assert draws.shape == (seeds,)
        assert np.isfinite(draws).all()
        allowance = truth.bias * max(1.0, abs(value)) / width
        error = draws.std(ddof=1) / np.sqrt(seeds)
        if not abs(draws.mean() - value) <= quantile * error + allowance + 1e-12:
            wrong[output] = (draws.mean(), error, value, allowance)
    assert not wrong

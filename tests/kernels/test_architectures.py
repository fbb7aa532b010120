"""The architectures of the documents: their kernels against those of networks that are drawn."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from netsor.api import loads

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```netsor (\w+)\.netsor\n(.*?)^```$", flags=re.M | re.S)
PAGES = [(DOCS / page).read_text(encoding="utf-8") for page in ("architectures.md", "more_architectures.md")]
TEXTS = dict(found for page in PAGES for found in _BLOCK.findall(page))
# Their normalizations have limits whose bounds take minutes; at width 2000 they say nothing more.
HARD = ("batchnorm", "siamese", "resnet20")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(TEXTS) - set(HARD)))
def test_limits_are_those_of_wide_networks(name: str) -> None:
    network = loads(TEXTS[name])
    rng = np.random.default_rng(3)
    (given,) = network.program.inputs
    rows = rng.standard_normal((2, *([len(given.indices)] if given.indices else []), given.dimension))
    limit, drawn = network.ntk(rows), network.ntk(rows, width=1000, seeds=12, seed=5)
    for exact, finite in ((limit.nngp, drawn.nngp), (limit.ntk, drawn.ntk)):
        size = np.abs(exact.value).max()
        # Means over networks of a width lie O(1/n) from the limit.
        assert (np.abs(exact.value - finite.mean) <= 5 * finite.stderr + 0.02 * size + exact.error).all()


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_no_architecture_has_more_than_25_lines(name: str) -> None:
    assert TEXTS[name].count("\n") <= 25

"""Of realistic mistakes, nine in ten have an edit that is accepted and makes the program that was meant."""

from __future__ import annotations

import mistakes_corpus as corpus
import pytest

from netsor.api import loads
from netsor.check import check_source
from netsor.diagnostics import Diagnostic, Source, apply_edits

MEMBERS = corpus.members()


def errors(text: str) -> list[Diagnostic]:
    return [d for d in check_source(Source("p", text)).diagnostics if d.is_error]


def mended(text: str) -> str:
    """The text after the first edit of what is told first, again and again; faults that have none are left."""
    for _ in range(8):
        edits = [d.edits[0] for d in errors(text) if d.edits]
        if not edits:
            break
        text = apply_edits(text, edits[:1])
    return text


def same(text: str, meant: str) -> bool:
    """Whether two texts are one core program, or have the same limits."""
    a, b = (check_source(Source("p", t)).program for t in (text, meant))
    assert b is not None, errors(meant)[0].message
    if a is None or a == b:
        return a is not None
    if a.kind == "network" or [o.name for o in a.outputs] != [o.name for o in b.outputs]:
        return False
    limits = [[v.value for v in loads(t).limit().outputs.values()] for t in (text, meant)]
    return limits[0] == pytest.approx(limits[1], abs=1e-9)


def left_out(typed: str) -> bool:
    return any(line in typed.split("\n") for line in corpus.WITHOUT)


@pytest.mark.parametrize(("typed", "meant"), [m for m in MEMBERS if not left_out(m[0])])
def test_an_edit_means_what_was_meant(typed: str, meant: str) -> None:
    assert errors(typed), "accepted as it stands, so it is no mistake"
    text = mended(typed)
    assert same(text, meant), text


def test_nine_in_ten_have_such_an_edit() -> None:
    """Each of the others, too, is refused, and is never made into another program."""
    others = [(a, b) for a, b in MEMBERS if left_out(a)]
    assert len(MEMBERS) >= 150 and len(others) <= len(MEMBERS) / 10
    for typed, meant in others:
        assert errors(typed)
        assert errors(mended(typed)) or same(mended(typed), meant)

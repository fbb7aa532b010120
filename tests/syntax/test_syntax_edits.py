"""The edits that faults of syntax offer: each, applied to the text, leaves that fault no more."""

import random

import pytest

from netsor.diagnostics import Diagnostic, Source, apply_edits
from netsor.diagnostics.catalogue import Entry, all_entries
from netsor.resources import gallery
from netsor.syntax import parse_all

SYNTAX = [e for e in all_entries() if e.code.startswith("E1")]
# What is typed by a slip of the hand or from habit.
SLIPS = (
    *"()[]<>⟨⟩,;:=~+*/^'\"#\\{}|&%!@.½×≔ᵀn",
    *("**", "==", ":=", "//", ".5", "1.", "&&", "sqrt", "if", "then", "for"),
)


def faults(text: str) -> tuple[Diagnostic, ...]:
    return parse_all(Source("t", text)).faults


def remains(fault: Diagnostic, before: str, after: str) -> bool:
    """Whether the fault is still told, at its place or where the edit moved it."""
    assert fault.span is not None
    places = {fault.span.start, fault.span.start + len(after) - len(before)}
    return any(
        (d.code, d.message) == (fault.code, fault.message) and d.span is not None and d.span.start in places
        for d in faults(after)
    )


def mistaken() -> list[str]:
    """Pieces of the gallery, each with a slip or two."""
    rng = random.Random(5)
    texts = [path.read_text(encoding="utf-8").split("\n") for path in gallery()]
    out = []
    for _ in range(300):
        lines = rng.choice(texts)
        start = rng.randrange(max(1, len(lines) - 5))
        text = "\n".join(lines[start : start + 6])
        for _ in range(rng.choice((1, 1, 2))):
            at = rng.randrange(len(text) + 1)
            kind = rng.randrange(4)
            text = text[:at] + ("" if kind == 0 else rng.choice(SLIPS)) + text[at + (kind < 2) :]
        out.append(text)
    return out


def test_every_edit_mends_its_fault() -> None:
    tried = 0
    for text in [*mistaken(), *(e.bad for e in SYNTAX)]:
        for fault in faults(text):
            for edit in fault.edits:
                mended = apply_edits(text, [edit])
                assert mended != text and not remains(fault, text, mended), (text, fault, edit)
                tried += 1
    assert tried > 150


@pytest.mark.parametrize("entry", SYNTAX, ids=lambda e: e.code)
def test_a_help_line_that_spells_a_line_has_its_edit(entry: Entry) -> None:
    (fault,) = faults(entry.bad)
    if fault.hint.startswith("write `") and "…" not in fault.hint:
        assert fault.edits
        assert fault.code not in {d.code for d in faults(apply_edits(entry.bad, fault.edits[:1]))}


def test_what_a_safe_edit_is() -> None:
    for text, safe in (
        ("x = tanh(g)", True), ("x := a ** 2", True), ("x ≔ a", True), ("Output m := mean(x)", True),
        ("for t in 1..T\n    y[t] := x[t]", True), ("x := (a + b", False), ("x := ½ a", False), ("matrx W", False),
    ):  # fmt: skip
        assert [e.safe for f in faults(text) for e in f.edits] == [safe], text


def test_tabs_go_all_at_once() -> None:
    text = "for t in 1..3:\n\tx[t] := tanh(g[t])\n\ty[t] := x[t]\n"
    (fault,) = faults(text)
    mended = apply_edits(text, fault.edits)
    assert mended == text.replace("\t", "    ") and not faults(mended)

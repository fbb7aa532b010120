"""Each entry of the catalogue's first two ranges, and the catalogue as a whole."""

import re
import subprocess
import sys

import pytest

from netsor.diagnostics import NetsorError, Source
from netsor.diagnostics.catalogue import Entry, all_entries, explain, lookup
from netsor.syntax import parse

SYNTAX = [e for e in all_entries() if e.code.startswith("E1")]


@pytest.mark.parametrize("entry", SYNTAX, ids=lambda e: e.code)
def test_bad_program_yields_its_code_alone(entry: Entry) -> None:
    with pytest.raises(NetsorError) as caught:
        parse(Source("bad", entry.bad))
    assert [d.code for d in caught.value.diagnostics] == [entry.code]


@pytest.mark.parametrize("entry", SYNTAX, ids=lambda e: e.code)
def test_good_program_parses(entry: Entry) -> None:
    parse(Source("good", entry.good))


def test_codes_are_unique_and_in_their_range() -> None:
    codes = [e.code for e in all_entries()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[EW]\d{3}", c) for c in codes)
    assert all(lookup(e.code) is e for e in all_entries())
    assert lookup("E199") is None and lookup("") is None and lookup("nonsense") is None


def test_entries_are_complete_sentences_and_differ() -> None:
    for e in all_entries():
        assert e.title and e.rule.endswith(".") and e.bad != e.good, e.code


def test_every_code_of_the_package_has_an_entry() -> None:
    from pathlib import Path

    import netsor.diagnostics.catalogue.syntax as rules
    import netsor.syntax

    root = Path(netsor.syntax.__file__).parent
    used = {c for p in root.rglob("*.py") for c in re.findall(r'"(E1\d\d|E00\d)"', p.read_text(encoding="utf-8"))}
    # Those whose messages stand behind their entries.
    used |= set(re.findall(r"\b(E1\d\d)\(", Path(rules.__file__).read_text(encoding="utf-8")))
    assert used <= {e.code for e in all_entries()}
    assert {e.code for e in SYNTAX} <= used


def test_explain_shows_rule_and_examples() -> None:
    text = explain("E108")
    assert "x = tanh(g)" in text and "x := tanh(g)" in text and "E108" in text
    assert "In the paper: Definition B.1" in explain("E115")
    with pytest.raises(KeyError):
        explain("E199")


def test_a_lookup_imports_one_range() -> None:
    code = (
        "import sys, netsor.diagnostics.catalogue as c; c.lookup('E101');"
        "print([m for m in sys.modules if m.startswith('netsor.diagnostics.catalogue.')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "syntax" in out and "limits" not in out

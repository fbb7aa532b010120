"""Each entry of the checker's ranges yields its code and no other, and its repaired program nothing at all."""

import re
from pathlib import Path

import pytest

import netsor
from netsor.api import loads
from netsor.check import Report, check_source
from netsor.cli.check_command import _required
from netsor.diagnostics import Diagnostic, NetsorError, Source
from netsor.diagnostics.catalogue import Entry, all_entries, lookup
from netsor.inputs import read_data

ENTRIES = [e for e in all_entries() if e.code[1] in "234568" or e.code[1] == "9"]
PROGRAMS = [e for e in ENTRIES if e.stage == "check"]
LIMITS = [e for e in ENTRIES if e.stage == "limit"]


def check(text: str, entry: Entry | None = None) -> Report:
    settings = dict(entry.settings) if entry else {}
    return check_source(Source("text", text), settings, read_data(dict(entry.data)) if entry else {})


def codes(found: tuple[Diagnostic, ...] | list[Diagnostic]) -> list[str]:
    return [d.code for d in found]


@pytest.mark.parametrize("entry", PROGRAMS, ids=lambda e: e.code)
def test_bad_program_yields_its_code_alone(entry: Entry) -> None:
    report = check(entry.bad, entry)
    assert codes(report.diagnostics) == [entry.code]
    assert report.diagnostics[0].severity == entry.severity
    assert report.ok == (entry.severity == "warning")
    assert (report.program is None) == (entry.severity == "error")


@pytest.mark.parametrize("entry", PROGRAMS, ids=lambda e: e.code)
def test_good_program_yields_nothing(entry: Entry) -> None:
    report = check(entry.good)
    assert codes(report.diagnostics) == []
    assert report.program is not None


@pytest.mark.parametrize("entry", LIMITS, ids=lambda e: e.code)
def test_limits(entry: Entry) -> None:
    bad, good = loads(entry.bad), loads(entry.good)
    assert codes(bad.check().diagnostics) == codes(good.check().diagnostics) == []
    found = bad.limit(budget=1.0).diagnostics
    assert codes(found) == [entry.code] and found[0].severity == entry.severity
    assert found[0].span is not None
    assert codes(good.limit(budget=30.0).diagnostics) == []


def test_required_assumption() -> None:
    entry = lookup("E950")
    assert entry is not None and entry.stage == "require"
    assert codes(_required(check(entry.bad), ["B8"])) == ["E950"]
    assert codes(_required(check(entry.good), ["B8"])) == []


@pytest.mark.parametrize("entry", PROGRAMS, ids=lambda e: e.code)
def test_diagnostics_point_into_the_text_and_help(entry: Entry) -> None:
    for d in check(entry.bad, entry).diagnostics:
        assert d.hint, "a diagnostic says what would do"
        if d.code in ("E205", "W904"):  # of the call, and of what is not there
            assert d.span is None
            continue
        assert d.span is not None and 0 <= d.span.start < d.span.end <= len(entry.bad)
        assert "\n" not in d.span.text.strip() or entry.code == "E411"
        for label in d.labels:
            assert 0 <= label.span.start < label.span.end <= len(entry.bad)
        words = " ".join((d.message, d.label, d.hint, *d.notes))
        assert not re.search(r"Sym\(|<[a-z_.]+ object|None|Traceback|[A-Z]{3,}_L\b", words)


def test_every_code_of_the_package_has_an_entry() -> None:
    root = Path(netsor.__file__).parent
    used = {
        code
        for path in root.rglob("*.py")
        if "catalogue" not in path.parts
        for code in re.findall(r'"([EW]\d{3})"', path.read_text(encoding="utf-8"))
    }
    # The checker's messages stand behind the entries, which make them.
    for path in (root / "diagnostics" / "catalogue").glob("*.py"):
        used |= set(re.findall(r'(?<!")\b([EW]\d{3})\b(?! = Entry|")', path.read_text(encoding="utf-8")))
    known = {e.code for e in all_entries()}
    assert used - known == set()
    assert known - used == set(), "an entry that nothing reports"


def test_faults_of_two_lines_are_told_in_their_order() -> None:
    text = "vector x ~ N(0, 1)\nz := x x\ny := tanh(w)\noutput mean(y * z)\n"
    assert codes(check(text).diagnostics) == ["E301", "E201"]


def test_a_document_with_errors_raises_them() -> None:
    with pytest.raises(NetsorError) as caught:
        _ = loads("output mean(x)\n").program
    assert codes(list(caught.value.diagnostics)) == ["E201"]

"""Generated programs: nothing crashes, listings read back to the same core, and texts that are damaged are told so."""

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import programs

from netsor.check import check_source
from netsor.core import MatMul, Moment, Nonlin
from netsor.diagnostics import Source
from netsor.show.listing import listing


def check(text: str):
    return check_source(Source("text", text))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(programs(jumps=True))
def test_generated_programs_are_valid_and_their_listings_read_back(text: str) -> None:
    report = check(text)
    assert report.program is not None, (text, report.diagnostics)
    shown = listing(report.program)
    again = check(shown)
    assert again.program is not None, (text, shown, [d.message for d in again.diagnostics])
    assert again.program.as_listed == report.program.as_listed, (text, shown)
    assert listing(again.program) == shown
    assert again.language == report.language
    assert [v.kind for v in again.variables] == [v.kind for v in report.variables]
    assert again.assumptions["B8"].holds == report.assumptions["B8"].holds


@settings(max_examples=60, deadline=None, derandomize=True)
@given(programs())
def test_a_core_uses_only_what_stands_above(text: str) -> None:
    program = check(text).program
    assert program is not None
    known = {n for g in program.groups for n in g.names} | {e.name for e in program.embeddings}
    scalars = {c.name for c in program.constants}
    for i in program.instructions:
        assert i.name not in known | scalars
        assert i.span is not None
        match i:
            case MatMul():
                assert i.vector in known and i.matrix in program.matrix
                known.add(i.name)
            case Nonlin() | Moment():
                assert set(i.vectors) <= known and set(i.scalars) <= scalars
                assert {s.name for s in i.psi.free} - {"n"} == {*i.vectors, *i.scalars}
                (known if isinstance(i, Nonlin) else scalars).add(i.name)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(programs(most_lines=4), st.data())
def test_damaged_programs_never_crash(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text) - 1))
    how = data.draw(st.sampled_from(["cut", "drop", "insert", "swap"]))
    other = data.draw(st.sampled_from(list("()[]+*/^ᵀ'√n,;:=~|W x1.\n# -")))
    damaged = {
        "cut": text[:at] + "\n",
        "drop": text[:at] + text[at + 1 :],
        "insert": text[:at] + other + text[at:],
        "swap": text[:at] + other + text[at + 1 :],
    }[how]
    report = check(damaged)
    assert (report.program is None) == any(d.is_error for d in report.diagnostics)
    for d in report.diagnostics:
        assert d.span is None or 0 <= d.span.start <= d.span.end <= len(damaged)

"""What `show`, `backward`, `sgd` and `derive` print of any text that checks is read back as the same program."""

from __future__ import annotations

import pytest
from reading_back import text_of, wrong


def failures(first: int, last: int) -> list[str]:
    return [f"{number}\n{text_of(number)}{found}" for number in range(first, last) if (found := wrong(text_of(number)))]


@pytest.mark.parametrize("part", range(2))
def test_what_is_printed_reads_back(part: int) -> None:
    assert not failures(12 * part, 12 * part + 12)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(40))
def test_what_is_printed_of_many_reads_back(part: int) -> None:
    assert not failures(1000 + 100 * part, 1100 + 100 * part)


def test_the_comparison_sees_what_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "vector x ~ N(0, 1)\na := 3 * x\noutput o := mean(a^2)\n"
    assert wrong(text) == []
    from netsor.api import Document

    whole = Document.listing
    monkeypatch.setattr(Document, "listing", lambda self: whole(self).replace("3 * x", "2 * x"))
    assert "another core" in wrong(text)[0]

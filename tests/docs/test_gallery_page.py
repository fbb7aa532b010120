"""The gallery page is what `docs/make_gallery.py` makes of `programs/`."""

import importlib.util
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from docs_blocks import ROOT

_SPEC = importlib.util.spec_from_file_location("make_gallery", ROOT / "docs" / "make_gallery.py")
assert _SPEC is not None and _SPEC.loader is not None
gallery = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(gallery)
PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")


def test_every_program_is_on_the_page_with_a_picture() -> None:
    assert re.findall(r"^`programs/(.+)`$", PAGE, flags=re.M) == [
        p.relative_to(gallery.PROGRAMS).as_posix() for p in gallery.programs()
    ]
    for path in gallery.programs():
        assert ElementTree.parse(gallery.picture_file(path)).getroot().tag.endswith("svg")
        assert f"]({gallery.picture_file(path).relative_to(gallery.DOCS).as_posix()})" in PAGE


@pytest.mark.parametrize("path", gallery.programs(), ids=lambda p: p.stem)
def test_pictures_are_what_is_drawn_now(path: Path) -> None:
    assert gallery.picture_file(path).read_text(encoding="utf-8") == gallery.picture(path)


@pytest.mark.parametrize("name", ["remark_b5", "semicircle", "networks/mlp_erf"])
def test_the_script_makes_the_page(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    made = gallery.section(gallery.PROGRAMS / f"{name}.netsor")
    # The last digit of a limit and its bound may differ from machine to machine.
    numbers = re.compile(r"\| (-?\d[\d.e+-]*) \| \S+ \|$", flags=re.M)
    begin = PAGE.index(f"`programs/{name}.netsor`")
    shown = PAGE[PAGE.rindex("## ", 0, begin) :][: len(made) + 200]
    assert numbers.sub("", shown).startswith(numbers.sub("", made).rstrip())
    found = [float(x) for x in numbers.findall(made)]
    assert [float(x) for x in numbers.findall(shown)][: len(found)] == pytest.approx(found, rel=1e-8, abs=1e-12)
    assert "<svg" in gallery.picture(gallery.PROGRAMS / f"{name}.netsor")

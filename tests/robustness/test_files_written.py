"""Every file that netsor writes is there whole: the old one, or the new one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from netsor.cli.main import main
from netsor.files import replace_file

PROGRAM = "program p\nmatrix W\nvector x ~ N(0, 1)\nh := W tanh(x)\noutput k := mean(h^2)\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p.netsor").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes the name of a file and nothing of its content."""
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))


def test_a_file_is_replaced(folder: Path) -> None:
    path = folder / "a.txt"
    replace_file(path, b"one")
    fresh = stat.S_IMODE(path.stat().st_mode)
    (folder / "plain").write_bytes(b"")
    assert fresh == stat.S_IMODE((folder / "plain").stat().st_mode)
    path.chmod(0o640)
    replace_file(path, b"two")
    assert path.read_bytes() == b"two" and stat.S_IMODE(path.stat().st_mode) == 0o640
    link = folder / "link"
    link.symlink_to(path)
    replace_file(link, b"three")
    assert link.is_symlink() and path.read_bytes() == b"three"
    replace_file(Path(os.devnull), b"four")
    assert not Path(os.devnull).is_file()
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "link", "p.netsor", "plain"]


def test_a_name_as_long_as_names_may_be(folder: Path) -> None:
    path = folder / ("x" * 251 + ".svg")
    replace_file(path, b"<svg/>")
    assert path.read_bytes() == b"<svg/>"


WRITERS = {
    "out.svg": ["draw", "p.netsor", "-o", "out.svg"],
    "out.dot": ["draw", "p.netsor", "-o", "out.dot"],
    "out.html": ["report", "p.netsor", "-o", "out.html", "--width", "0"],
    "out.npy": ["eval", "p.netsor", "--law", "h", "--samples", "5", "--samples-to", "out.npy"],
    "out.csv": ["eval", "p.netsor", "--law", "h", "--samples", "5", "--samples-to", "out.csv"],
    "out.json": ["eval", "p.netsor", "--law", "h", "--samples", "5", "--samples-to", "out.json", "--json"],
    "law.png": ["eval", "p.netsor", "--law", "h", "--width", "20", "--plot", "law.png"],
    "plot.png": ["converge", "p.netsor", "--widths", "10", "--seeds", "2", "--jobs", "1", "--plot", "plot.png"],
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file(
    name: str, folder: Path, full: None, capsys: pytest.CaptureFixture[str]
) -> None:
    if name.endswith(".png"):
        pytest.importorskip("matplotlib")
    (folder / name).write_bytes(b"old")
    assert main(WRITERS[name]) == 2
    out, err = capsys.readouterr()
    assert "no space left on device" in " ".join(err.split()) and "failed at something" not in err
    assert (folder / name).read_bytes() == b"old"
    assert not list(folder.glob(".*"))
    if WRITERS[name][0] in ("eval", "converge"):
        assert "k" in out or "Z^h" in out  # what was computed is told all the same


def test_fmt_leaves_the_file_whole(folder: Path, full: None, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "p.netsor").write_text("vector   x~N(0,1)\n")
    assert main(["fmt", "p.netsor"]) == 2
    assert (folder / "p.netsor").read_text() == "vector   x~N(0,1)\n"
    assert "error[E031]" in capsys.readouterr().err


def test_what_may_not_be_written_is_told_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by permissions: whoever runs the tests may be allowed everything.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    for name, arguments in WRITERS.items():
        if not name.endswith(".png"):
            assert main(arguments) == 2
            out, err = capsys.readouterr()
            assert "permission denied" in err and not (folder / name).exists()
            assert not out or arguments[-1] == "--json"

"""Writes docs/gallery.md and its pictures from `programs/`: run it from a checkout when a program is new or changed.

Each program has its head comment, its drawing, the derivation of its first output, and its limits.
"""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from netsor.api import Document, load
from netsor.cli.main import main as netsor
from netsor.show.drawing import drawing_svg

DOCS = Path(__file__).resolve().parent
PROGRAMS = DOCS.parent / "programs"
PICTURES = DOCS / "pictures" / "gallery"
LONGEST = 14  # lines of a derivation, and rows of a table
HEAD = """# The gallery

The programs and networks of `programs/`, as `docs/make_gallery.py` finds them: what each is, its drawing
(`netsor draw`), the end of the derivation of its first output (`netsor derive`), and its limits (`netsor eval`).
[Drawing](drawing.md) says how a picture is read.
"""


def programs() -> list[Path]:
    """The files of the gallery, programs first."""
    return sorted(PROGRAMS.rglob("*.netsor"), key=lambda p: (p.parent != PROGRAMS, p.parent.name, p.name))


def section(path: Path, budget: float = 20.0) -> str:
    """What the page says of one program."""
    document = load(path)
    name = path.relative_to(PROGRAMS).as_posix()
    parts = [f"## {path.stem.replace('_', ' ')}", f"`programs/{name}`", _about(path), f"![{path.stem}]({_link(path)})"]
    if document.program.kind == "network":
        parts.append("A network: `netsor ntk` gives its kernels on inputs of your own.")
    else:
        parts += [_fenced(_derived(path, document)), _limits(document, budget)]
    return "\n\n".join(parts) + "\n"


def picture(path: Path) -> str:
    """The drawing of a program."""
    return drawing_svg(load(path).program)


def picture_file(path: Path) -> Path:
    return PICTURES / ("_".join(path.relative_to(PROGRAMS).with_suffix("").parts) + ".svg")


def _link(path: Path) -> str:
    return picture_file(path).relative_to(DOCS).as_posix()


def _about(path: Path) -> str:
    """The comment at the head of a file, up to its first blank line or statement."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    return _fenced("\n".join(line.removeprefix("#").removeprefix(" ") for line in lines[:end]))


def _derived(path: Path, document: Document) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        netsor(["derive", str(path), "--of", document.program.outputs[0].name])
    lines = out.getvalue().rstrip().splitlines()
    return "\n".join(["…", *lines[-LONGEST:]] if len(lines) > LONGEST else lines)


def _limits(document: Document, budget: float) -> str:
    found = document.limit(budget=budget)
    rows = ["| output | limit | ± at most |", "| --- | --- | --- |"]
    for output in document.program.outputs[:LONGEST]:
        result = found[output.name]
        error = "" if result.error is None else f"{result.error:.0e}"
        value = "does not exist" if result.value is None else f"{result.value:.10g}"
        rows.append(f"| {output.name} | {value} | {error} |")
    more = len(document.program.outputs) - LONGEST
    return "\n".join(rows) + (f"\n\n… and {more} more outputs." if more > 0 else "")


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def main() -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    sections = [HEAD]
    for path in programs():
        picture_file(path).write_text(picture(path), encoding="utf-8")
        sections.append(section(path))
    (DOCS / "gallery.md").write_text("\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main()

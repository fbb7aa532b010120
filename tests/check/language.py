"""Helpers of the tests of the language."""

from netsor.check import Report, check_source
from netsor.core import Program
from netsor.diagnostics import Source
from netsor.show.listing import listing

HEAD = "vector x, y, v ~ N(0, 1)\nmatrix W, A\nθ := mean(x^2)\nscalar c = 2\n"
END = "output mean(x)\n"


def check(text: str, settings: dict | None = None, data: dict | None = None) -> Report:
    return check_source(Source("text", text), settings, data)


def core(text: str, **outside) -> Program:
    """The core of a valid program; its listing gives it back."""
    report = check(text, **outside)
    assert report.diagnostics == () and report.program is not None, report.diagnostics
    again = check(listing(report.program))
    assert again.program == report.program, listing(report.program)
    return report.program


def made(line: str, before: str = HEAD) -> list[str]:
    """The instructions that a line is lowered to, as the listing has them."""
    first = len(core(before + END).instructions) - 1
    program = core(before + line + END)
    shown = [line for line in listing(program).splitlines() if ":=" in line and ":" in line.split(" ")[0]]
    inits = len(program.embeddings)
    return [" ".join(s.split()) for s in shown[inits + first : -1]]


def codes(text: str, **outside) -> list[str]:
    return [d.code for d in check(text, **outside).diagnostics]

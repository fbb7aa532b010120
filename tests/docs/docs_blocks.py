"""The code blocks of a document, and what it means for them to be right.

The word behind the fence says what a block is, the words after it how it is tried:

    netsor                  a program or network without errors; `<!-- before … -->` above it holds lines that it needs
    netsor NAME.netsor      the same, written to that file for the blocks that follow
    netsor refused CODE     a text with that fault and no other
    netsor canonical        the same as `netsor`, and as `netsor fmt` writes it
    netsor-with-mistakes F  written to the file F, with errors that are shown further down
    netsor-needs-data F     written to the file F, right but for the numbers of its `data` lines
    console                 `$ netsor …` lines and what they print (`$ echo $?`: the exit status of the line before)
    python                  run, all blocks of a document in one namespace; with `>>>`, results are compared
    python-entry FILE, python-append FILE, netsor-of-the-future
                            a change of netsor and a program that it makes possible, tried by tests of their own
    python-torch F          written to the file F, for the console-torch blocks that follow
    console-torch           the same as `console`, where PyTorch is installed
    text                    not tried

In what is printed, blanks count as one, `…` stands for anything (alone on a line: any number of lines), numbers are
compared to the digits shown, and error bounds (two digits, below 1e-6) to a factor of a hundred.
"""

from __future__ import annotations

import ast
import contextlib
import io
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```([\w-]*) ?(.*)$")
_BEFORE = re.compile(r"<!-- before\n(.*?)-->\s*\Z", re.S)
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w.]*\w)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words behind it, its text, and the line on which it begins."""

    language: str
    info: str
    text: str
    before: str
    line: int


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a document in their order."""
    found: list[Block] = []
    lines = path.read_text(encoding="utf-8").splitlines()
    i = 0
    while i < len(lines):
        fence = _FENCE.match(lines[i])
        if fence is None:
            i += 1
            continue
        end = lines.index("```", i + 1)
        above = _BEFORE.search("\n".join(lines[:i]))
        found.append(
            Block(fence[1], fence[2].strip(), "\n".join(lines[i + 1 : end]) + "\n", above[1] if above else "", i + 1)
        )
        i = end + 1
    return found


def prose(path: Path) -> str:
    """A document without its blocks and comments."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    return re.sub(r"<!--.*?-->", "", text, flags=re.S)


# --- consoles -----------------------------------------------------------------------------------------------------


def sessions(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it is shown to print."""
    command: str | None = None
    shown: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command is not None:
                yield command, shown
            command, shown = line[2:], []
        elif command is not None and command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            shown.append(line)
    if command is not None:
        yield command, shown


def run(command: str) -> tuple[int, str]:
    """A netsor command, run here: its exit status and all that it prints, in order."""
    from netsor.cli.main import main

    words = shlex.split(command)
    assert words[0] == "netsor", f"only netsor commands can be tried: {command}"
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            status = main(words[1:])
        except SystemExit as stop:
            status = int(stop.code or 0)
    return status, out.getvalue()


# --- comparing ----------------------------------------------------------------------------------------------------


def difference(shown: list[str], printed: list[str]) -> str | None:
    """Where what is shown and what was printed part, or None."""
    a = [line for line in map(_squeezed, shown) if line]
    b = [line for line in map(_squeezed, printed) if line]
    where = _mismatch(a, b)
    return None if where is None else f"{where}\nprinted was:\n" + "\n".join(printed)


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _mismatch(shown: list[str], printed: list[str]) -> str | None:
    if not shown:
        return None if not printed else f"not shown: {printed[0]}"
    if shown[0] == "…":
        tried = [_mismatch(shown[1:], printed[k:]) for k in range(len(printed) + 1)]
        return None if None in tried else f"nothing fits after `…`: {tried[-1]}"
    if not printed:
        return f"not printed: {shown[0]}"
    if not same_line(shown[0], printed[0]):
        return f"shown: {shown[0]}\nprinted: {printed[0]}"
    return _mismatch(shown[1:], printed[1:])


def same_line(shown: str, printed: str) -> bool:
    """Whether a line was printed as shown; see the head of this module."""
    pattern, numbers = "", []
    at = 0
    for found in _NUMBER.finditer(shown):
        pattern += _literal(shown[at : found.start()]) + r"(-?[\d.]+(?:e[+-]?\d+)?)"
        numbers.append(found[0])
        at = found.end()
    match = re.fullmatch(pattern + _literal(shown[at:]), printed)
    return match is not None and all(map(_same_number, numbers, match.groups()))


def _literal(text: str) -> str:
    return re.escape(text).replace(re.escape("…"), ".*?")


def _same_number(shown: str, printed: str) -> bool:
    try:
        a, b = float(shown), float(printed)
    except ValueError:
        return False
    if abs(a) < 1e-6 and "e" in shown:
        return b == 0 or abs(math.log10(abs(b / a))) <= 2
    return abs(a - b) <= 0.51 * max(_unit(shown), _unit(printed))


def _unit(number: str) -> float:
    """The last place of a number as it is written."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2])) if "." in mantissa or exponent else 1e-9


# --- Python -------------------------------------------------------------------------------------------------------


def run_python(block: Block, scope: dict) -> str | None:
    """Run a block; with prompts, compare what each statement shows. The first difference, or None."""
    if ">>>" not in block.text:
        exec(compile(block.text, f"line {block.line}", "exec"), scope)
        return None
    for source, shown in _statements(block.text):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            tree = ast.parse(source)
            last = tree.body[-1]
            if isinstance(last, ast.Expr):
                exec(compile(ast.Module(tree.body[:-1], []), "<doc>", "exec"), scope)
                value = eval(compile(ast.Expression(last.value), "<doc>", "eval"), scope)
                if value is not None:
                    print(repr(value))
            else:
                exec(compile(tree, "<doc>", "exec"), scope)
        found = difference(shown, out.getvalue().splitlines())
        if found:
            return f"{source}\n{found}"
    return None


def _statements(text: str) -> Iterator[tuple[str, list[str]]]:
    source: list[str] = []
    shown: list[str] = []
    for line in text.splitlines():
        if line.startswith(">>>"):
            if source:
                yield "\n".join(source), shown
            source, shown = [line[4:]], []
        elif line.startswith("...") and not shown:
            source.append(line[4:])
        else:
            shown.append(line)
    yield "\n".join(source), shown

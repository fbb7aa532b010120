"""What commands share: diagnostics to standard error, results to standard output, numbers with their errors."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from netsor.cli.streams import tell
from netsor.diagnostics import Diagnostic
from netsor.show.numbers import error_text as error_text
from netsor.show.numbers import value_text as value_text

if TYPE_CHECKING:
    from netsor.api import Document

# Faults of the call rather than of the program: files, options, widths.
_USAGE_CODES = {
    "E205", "E619", "E654", "E655", "E656", "E657", "E658", "E662", "E663", "E665", "E666", "E668", "E669", "E670",
    "E711",
}  # fmt: skip
_USAGE_RANGES = ("E0", "E70")
# Of the faults of runs, those that the program's text is at fault for: no finite value, a Dirac mass.
_PROGRAM_CODES = {"E703", "E704"}


def exit_status(diagnostics: Iterable[Diagnostic]) -> int:
    """0 without errors, 2 where the call is at fault, else 1."""
    errors = [d for d in diagnostics if d.is_error]
    if not errors:
        return 0
    return 2 if all(_is_usage(d.code) for d in errors) else 1


def _is_usage(code: str) -> bool:
    return code in _USAGE_CODES or (code.startswith(_USAGE_RANGES) and code not in _PROGRAM_CODES)


def wants_colour(stream: Any) -> bool:
    """Colour only on a terminal, and not where NO_COLOR or TERM=dumb asks for none."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width(stream: Any) -> int:
    """Columns of the terminal; 100 where there is none."""
    if not stream.isatty():
        columns = os.environ.get("COLUMNS", "")
        # A message of a word a line helps nobody.
        return max(40, int(columns)) if columns.isdecimal() and 0 < int(columns[:6]) < 10_000 else 100
    try:
        return max(40, os.get_terminal_size(stream.fileno()).columns)
    except OSError:
        return 100


def report_warnings(document: Document) -> None:
    """The warnings of a text on standard error; raises NetsorError with its errors, which are told where that ends."""
    if document.program is not None:
        report(document.report.diagnostics)


def report(diagnostics: Iterable[Diagnostic], json_wanted: bool = False) -> None:
    """Diagnostics as text on standard error and, where JSON was asked for and they hold errors, as an object too."""
    from netsor.diagnostics.render import render, to_json

    found = list(diagnostics)
    if not found:
        return
    text = "\n".join(render(d, colour=wants_colour(sys.stderr), width=terminal_width(sys.stderr)) for d in found)
    tell(text)
    if json_wanted and any(d.is_error for d in found):
        print_json({"ok": False, "diagnostics": [to_json(d) for d in found]})


def print_json(value: Any) -> None:
    """One JSON object on standard output: never NaN or Infinity, null instead."""
    print(json.dumps(finite(value), ensure_ascii=False, allow_nan=False, indent=2))


def finite(value: Any) -> Any:
    """The value with every number that is not finite replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if hasattr(value, "tolist"):
        return finite(value.tolist())
    return value

"""A listing in HTML, in which every name tells its kind when the pointer rests on it."""

from __future__ import annotations

import re
from html import escape

from netsor.check import Variable
from netsor.core import Program
from netsor.show.listing import listing

_LETTER = r"[^\W\d_]"
_NAME = re.compile(rf"(?:{_LETTER}|_)(?:[^\W]|[\u0300-\u036f])*(?:\[[^\[\]]*\])?[\u0300-\u036f]*")
_CLASS = {"G-var": "G", "X-var": "X", "scalar": "S", "matrix": "M"}
_DEFINITION = re.compile(r"^[^\s(]+\([^()]*\) = |^(?:network|program|data) ")
_LABEL = re.compile(r"^(MATMUL|NONLIN\+?|MOMENT|INIT):")


def marked_listing(program: Program, variables: tuple[Variable, ...]) -> str:
    """The core listing with its names marked up."""
    kinds = {v.name: v for v in variables}
    return "\n".join(_line(line, kinds) for line in listing(program).rstrip("\n").split("\n"))


def _line(line: str, kinds: dict[str, Variable]) -> str:
    if _DEFINITION.match(line):
        # A function's parameters are its own, whatever else bears their names.
        return escape(line)
    label = _LABEL.match(line)
    out = ""
    at = 0
    if label:
        out, at = f'<span class="label">{escape(label[0])}</span>', label.end()
    for m in _NAME.finditer(line, at):
        out += escape(line[at : m.start()]) + _name(m[0], kinds)
        at = m.end()
    return out + escape(line[at:])


def _name(text: str, kinds: dict[str, Variable]) -> str:
    v = kinds.get(text.replace(" ", ""))
    if v is None:
        # W[1] x is one name, f[2] after another may be a name and a row.
        base, bracket, rest = text.partition("[")
        if bracket and base in kinds:
            return _name(base, kinds) + escape(bracket + rest)
        return escape(text)
    where = f", line {v.place}" if v.place else ""
    how = f" by {v.instruction}" if v.instruction not in ("𝒲", "𝒱", "𝒞") else f" in {v.instruction}"
    tip = f"{v.name}: {v.kind}{how}{where}"
    return f'<span class="{_CLASS.get(v.kind, "S")}" title="{escape(tip, quote=True)}">{escape(text)}</span>'

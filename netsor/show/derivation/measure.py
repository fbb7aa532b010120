"""How wide a formula of LaTeX comes out, about, and where it can be broken."""

from __future__ import annotations

import re

# Commands that print nothing of their own, or whose argument is what prints.
_SILENT = {"left", "right", "operatorname", "mathit", "mathrm", "mathbb", "mathbf", "mathcal", "tilde", "hat", "dot"}
_SILENT |= {"mathring", "bar", "frac", "tfrac", "sqrt", "text", "begin", "end", "quad", "displaystyle", "bigl", "bigr"}
_SILENT |= {"mathtt"}
_TOKEN = re.compile(r"\\([A-Za-z]+)|\\.|[{}^_]|\s+|.", re.DOTALL)
_STACKED = re.compile(r"\\begin\{(pmatrix|cases)\}(.*?)\\end\{\1\}", re.DOTALL)
# A mark above or below is smaller than one on the line.
_SMALL = 0.68


def width_of(latex: str) -> float:
    """The width in letters: marks above and below count less, braces and spaces nothing, a fraction its wider half,
    a matrix its widest row.
    """
    latex = _STACKED.sub(lambda m: max(m[2].split(r"\\"), key=width_of), latex)
    total, pending, depth = 0.0, False, 0
    sizes = [1.0]
    halves: list[tuple[int, float, float]] = []
    for m in _TOKEN.finditer(latex):
        token = m.group()
        if token in "^_":
            pending = True
            continue
        small = sizes[-1] * (_SMALL if pending else 1.0)
        if token == "{":
            sizes.append(small)
            depth += 1
        elif token == "}":
            sizes.pop()
            depth -= 1
            if halves and depth == halves[-1][0]:
                level, start, above = halves.pop()
                if above < 0:
                    # The upper half ends: the lower one is measured from here.
                    halves.append((level, total, total - start))
                else:
                    total -= min(above, total - start)
        elif m[1] in ("frac", "tfrac"):
            halves.append((depth, total, -1.0))
        elif m[1] not in _SILENT and not token.isspace() and token != "\\,":
            wide = 1.4 if token in "+-=" or m[1] in ("to", "sim", "approx", "pm") else 1.0
            total += small * wide
        pending = False
    return total


def broken(latex: str, room: float) -> list[str]:
    """A formula in rows of about `room` letters: cut before + and −, else between factors, never inside brackets."""
    for mark in (r" (?=[+-] )", r"(?<=\\,) "):
        parts = _outside(latex, mark)
        if width_of(latex) <= room or len(parts) == 1:
            continue
        rows: list[str] = []
        for p in parts:
            if rows and width_of(f"{rows[-1]} {p}") <= room:
                rows[-1] += f" {p}"
            else:
                rows.append(p)
        return [r for row in rows for r in broken(row, room)] if len(rows) > 1 else rows
    return [latex]


def _outside(latex: str, mark: str) -> list[str]:
    """The formula cut at a mark wherever no bracket is open."""
    out: list[str] = []
    depth = start = 0
    for m in re.finditer(rf"\\left.|\\right.|\\begin|\\end|[{{}}()\[\]]|{mark}", latex):
        token = m.group()
        if token == " ":
            if depth == 0:
                out.append(latex[start : m.start()])
                start = m.end()
        elif token.startswith(("\\left", "\\begin")) or token in "{([":
            depth += 1
        else:
            depth -= 1
    out.append(latex[start:])
    return out

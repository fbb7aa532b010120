"""Names as mathematics: `h̃1[2,3]` is an italic h̃ with the subscript 1;2,3, in pieces whose width can be told."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from netsor.show.drawing.metrics import advance

SIZE, SMALL = 15.0, 10.5
_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789−+"))
# Names with their subscripts and indices, raised digits, and single letters.
_WORDS = re.compile(r"[^\W\d_](?:(?![⁰¹²³⁴-⁹])[^\W_]|[\u0300-\u036f])*[₀-₉]*(?:_\w+)?(?:\[[^\[\]]*\])?|[⁰¹²³⁴-⁹⁻⁺]+|.")
_DIGITS = re.compile(r"^(.*?\D)(\d+)$")


class Piece(NamedTuple):
    """A run of text: `italic` or upright, on the line, `sub` or `sup`."""

    text: str
    italic: bool = False
    shift: str = ""


def split(name: str) -> tuple[str, tuple[str, ...]]:
    """A name as its base and its indices: `x[1,2]` is ('x', ('1', '2'))."""
    base, bracket, rest = name.partition("[")
    return base, tuple(i.strip() for i in rest.rstrip("]").split(",")) if bracket else ()


def pieces(name: str) -> tuple[Piece, ...]:
    """The runs of a variable's name: trailing digits and what follows an underscore are subscripts, as are indices."""
    base, indices = split(name)
    base, _, under = base.partition("_") if not base.startswith("_") else (base, "", "")
    match = _DIGITS.match(base)
    digits = ""
    if match:
        base, digits = match.groups()
    below = ";".join(part for part in (digits, under.replace("_", ","), ",".join(indices)) if part)
    out = [Piece(base, True)]
    if below:
        out.append(Piece(below.replace("-", "−"), False, "sub"))
    return tuple(out)


def matrix_pieces(name: str, transposed: bool) -> tuple[Piece, ...]:
    """A matrix's name, with the upright superscript of a transpose."""
    return (*pieces(name), Piece("⊤", False, "sup")) if transposed else pieces(name)


# Marks that fonts set badly, or only upright, are drawn as letters of their own above the letter.
_ACCENTS = {
    "\u0300": "`", "\u0301": "´", "\u0302": "ˆ", "\u0303": "˜", "\u0304": "¯", "\u0305": "¯", "\u0306": "˘",
    "\u0307": "˙",    "\u0308": "¨", "\u030a": "˚", "\u030c": "ˇ",
}  # fmt: skip
_TALL = set("bdfhkltδβθζλξℓψφ′'i")


def accents(text: str) -> list[tuple[str, str, bool]]:
    """The text in parts (letters, accent above the last of them or "", whether that letter is tall)."""
    out: list[tuple[str, str, bool]] = []
    letters = ""
    for c in unicodedata.normalize("NFD", text):
        mark = _ACCENTS.get(c)
        if mark is None or not letters:
            letters += c
            continue
        last = letters[-1]
        out.append((unicodedata.normalize("NFC", letters), mark, last in _TALL or last.isupper()))
        letters = ""
    if letters:
        out.append((unicodedata.normalize("NFC", letters), "", False))
    return out


def styled(text: str) -> tuple[Piece, ...]:
    """A formula in pieces: variables italic, names of functions and numbers upright."""
    from netsor.expr import FUNCTIONS

    out: list[Piece] = []
    for word in _WORDS.findall(text):
        if word[0] in _RAISED:
            # Few fonts have all of these letters; digits that are raised all do.
            out.append(Piece("".join(_RAISED[c] for c in word), False, "sup"))
            continue
        if word.endswith("]") and len(word) > 1 or "_" in word[1:]:
            out += pieces(word)
            continue
        italic = (
            word[0].isalpha()
            and word.rstrip("₀₁₂₃₄₅₆₇₈₉") not in FUNCTIONS
            and word not in ("mean", "if", "then", "else", "and", "or", "id")
        )
        letters = word.rstrip("₀₁₂₃₄₅₆₇₈₉")
        if letters and letters != word and italic:
            out += [Piece(letters, True), Piece(word[len(letters) :].translate(_PLAIN), False, "sub")]
        elif out and out[-1].italic == italic and not out[-1].shift:
            out[-1] = Piece(out[-1].text + word, italic)
        else:
            out.append(Piece(word, italic))
    return tuple(out)


def text_width(text: str, size: float = SIZE, italic: bool = False) -> float:
    """Pixels of a text, a little on the wide side, for fonts differ."""
    return 1.05 * size * advance(text, italic)


def width(runs: tuple[Piece, ...]) -> float:
    """Pixels that the runs take; a superscript after a subscript stands beside it."""
    return sum(text_width(p.text, SMALL if p.shift else SIZE, p.italic) for p in runs)


def plain(runs: tuple[Piece, ...]) -> str:
    """The runs as text on one line."""
    raised = {digit: mark for mark, digit in _RAISED.items()}
    return "".join("".join(raised.get(c, c) for c in p.text) if p.shift == "sup" else p.text for p in runs)

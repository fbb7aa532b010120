"""Names of a program in text and in LaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain, count

_ACCENTS = {
    "\u0303": "tilde",
    "\u0302": "hat",
    "\u0304": "bar",
    "\u0305": "overline",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030a": "mathring",
    "\u0301": "acute",
    "\u0300": "grave",
    "\u030c": "check",
    "\u0306": "breve",
}
_LETTERS = {
    "ℓ": "\\ell",
    "ς": "\\varsigma",
    "ϑ": "\\vartheta",
    "ϕ": "\\phi",
    "ϵ": "\\epsilon",
    "ϖ": "\\varpi",
    "ϱ": "\\varrho",
    "ħ": "\\hbar",
}
# Capitals that LaTeX has no command for look like Latin ones.
_CAPITALS = {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"}
_LATIN = {
    "Alpha": "A",
    "Beta": "B",
    "Epsilon": "E",
    "Zeta": "Z",
    "Eta": "H",
    "Iota": "I",
    "Kappa": "K",
    "Mu": "M",
    "Nu": "N",
    "Omicron": "O",
    "Rho": "P",
    "Tau": "T",
    "Chi": "X",
    "omicron": "o",
}
_NAME = re.compile(r"^(?P<stem>.*?)_?(?P<digits>\d*)(?P<index>\[.*\])?$", re.DOTALL)
_SPELLED = {"lamda": "lambda", "final sigma": "varsigma"}


def graphemes(name: str) -> int:
    """Letters with their accents counted as one."""
    return sum(1 for c in name if not unicodedata.combining(c))


def product_text(matrix: str, transposed: bool, vector: str) -> str:
    """W x as it stands in Ẑ^{Wx}."""
    mark = "ᵀ" if transposed else ""
    word = vector.isascii() and len(vector) > 2 and vector[:3].isalpha()
    joined = (graphemes(matrix) == 1 or transposed or matrix.endswith("]")) and not word
    return f"{matrix}{mark}{'' if joined else ' '}{vector}"


def latex_name(name: str) -> str:
    """A name as LaTeX for mathematics: δh̃₁ → \\delta\\tilde{h}_{1}, x[1,2] → x_{1,2}."""
    found = _NAME.match(unicodedata.normalize("NFC", name))
    assert found is not None
    stem, digits, index = found["stem"], found["digits"], found["index"]
    if not stem:
        stem, digits = digits, ""
    # An accent on an underscore stands on no letter.
    pieces = [w for w in map(_word, stem.split("_")) if w]
    text = pieces[0] if pieces else "\\_"
    below = pieces[1:]
    if digits:
        below.append(digits)
    if index:
        below.append(", ".join(i.strip().replace("-", "{-}") for i in index[1:-1].split(",")))
    return text + (f"_{{{', '.join(below)}}}" if below else "")


class LatexNames:
    """LaTeX for names, two for any two: where names would look the same, all but one are spelled as they are typed.

    `latex_name` sets h_1, h1 and h[1] as one. A member of a family keeps that form, then what comes first; another gets
    the typed name in typewriter letters. `names` are those that are known from the start; any other may be asked for.
    """

    def __init__(self, names: Iterable[str] = ()):
        self._taken = {"n"}
        self._found: dict[str, str] = {}
        for name in sorted(names, key=lambda x: not x.endswith("]")):
            self(name)

    def __call__(self, name: str) -> str:
        if name not in self._found:
            usual = latex_name(name)
            candidates = chain((usual, _typed(name)), (f"{{{usual}^{{({k})}}}}" for k in count(2)))
            self._found[name] = next(c for c in candidates if _look(c) not in self._taken)
            self._taken.add(_look(self._found[name]))
        return self._found[name]


def _look(latex: str) -> str:
    """What is seen of a name, so that upright letters are no other name than slanted ones."""
    return re.sub(r"\\math(it|rm)|[{} ]", "", latex)


def _typed(name: str) -> str:
    """A name letter by letter as it is typed, in typewriter letters where it is ASCII."""
    out = ""
    for run in re.findall(r"[\x00-\x7f]+|[^\x00-\x7f]+", unicodedata.normalize("NFC", name)):
        typed = run.replace("_", "\\_").replace("-", "{-}")
        out += f"\\mathtt{{{typed}}}" if run.isascii() else _word(run)
    return out


def _word(word: str) -> str:
    letters: list[str] = []
    plain = True
    for c in unicodedata.normalize("NFD", word):
        if unicodedata.combining(c):
            accent = _ACCENTS.get(c)
            if accent and letters:
                letters[-1] = f"\\{accent}{{{letters[-1]}}}"
                plain = False
            continue
        letters.append(_letter(c))
        plain = plain and c.isascii()
    if plain and len(letters) > 2:
        return f"\\mathit{{{''.join(letters)}}}"
    out = ""
    for piece in letters:
        # A command ends where a letter follows only if there is a space.
        out += (" " if re.search(r"\\[A-Za-z]+$", out) and piece[0].isalpha() else "") + piece
    return out


def _letter(c: str) -> str:
    if c in _LETTERS:
        return _LETTERS[c]
    if c.isascii():
        return c if c.isalnum() else "\\_"
    name = unicodedata.name(c, "")
    greek = re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (.+)", name)
    if greek:
        word = _SPELLED.get(greek[2].lower(), greek[2].lower())
        if greek[1] == "CAPITAL":
            word = word.capitalize()
            return f"\\{word}" if word in _CAPITALS else f"\\mathrm{{{_LATIN.get(word, word)}}}"
        return "o" if word == "omicron" else f"\\{word}" if word.isalpha() else f"\\mathrm{{{word.replace(' ', '')}}}"
    compatible = unicodedata.normalize("NFKD", c)
    if compatible.isascii() and compatible.isalnum():
        return f"\\mathrm{{{compatible}}}"
    spelled = re.sub(r"[^a-z]", "", name.rsplit(" ", 1)[-1].lower()) or f"u{ord(c):x}"
    return f"\\mathrm{{{spelled}}}"

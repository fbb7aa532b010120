"""Names of a program as formulas have them, and their letters in LaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain, count

from netsor.show.formula.tree import Brackets, Index, Power, Subscript, Tree, Typed, Word, graphemes

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


def product_text(matrix: str, transposed: bool, vector: str) -> str:
    """W x as it stands in Ẑ^{Wx}."""
    mark = "ᵀ" if transposed else ""
    word = vector.isascii() and len(vector) > 2 and vector[:3].isalpha()
    joined = (graphemes(matrix) == 1 or transposed or matrix.endswith("]")) and not word
    return f"{matrix}{mark}{'' if joined else ' '}{vector}"


def usual(name: str) -> Tree:
    """A name as mathematics: δh̃₁ has its number below, and x[1,2] its indices."""
    found = _NAME.match(unicodedata.normalize("NFC", name))
    assert found is not None
    stem, digits, index = found["stem"], found["digits"], found["index"]
    if not stem:
        stem, digits = digits, ""
    # An accent on an underscore stands on no letter.
    words = [w for w in stem.split("_") if latex_word(w)]
    below: list[Tree] = [Word(w) for w in words[1:]]
    if digits:
        below.append(Index(digits))
    if index:
        below.append(Index(", ".join(i.strip() for i in index[1:-1].split(","))))
    base = Word(words[0] if words else "_")
    return Subscript(base, tuple(below)) if below else base


class Names:
    """Trees for names, two for any two: where names would look the same, all but one are spelled as they are typed.

    `usual` makes h_1, h1 and h[1] one. A member of a family keeps that form, then what comes first; another gets
    the typed name in typewriter letters. `names` are those that are known from the start; any other may be asked for.
    """

    def __init__(self, names: Iterable[str] = ()):
        self._taken = {"n"}
        self._found: dict[str, Tree] = {}
        for name in sorted(names, key=lambda x: not x.endswith("]")):
            self(name)

    def __call__(self, name: str) -> Tree:
        if name not in self._found:
            plain = usual(name)
            candidates = chain((plain, Typed(name)), (Power(plain, Brackets(Index(str(k)))) for k in count(2)))
            self._found[name] = next(c for c in candidates if _look(c) not in self._taken)
            self._taken.add(_look(self._found[name]))
        return self._found[name]


def _letters(latex: str) -> str:
    return re.sub(r"\\math(it|rm)|[{} ]", "", latex)


def _look(tree: Tree) -> str:
    """What is seen of a name, so that upright letters are no other name than slanted ones."""
    match tree:
        case Word(letters):
            return _letters(latex_word(letters))
        case Index(text):
            return text.replace(" ", "")
        case Typed(name):
            # Only ASCII has typewriter letters: a capital Alpha that is typed looks like the A that is taken.
            return _letters(latex_typed(name))
        case Subscript(base, below):
            return f"{_look(base)}_{','.join(map(_look, below))}"
        case Power(base, Brackets(inside)):
            return f"{_look(base)}^({_look(inside)})"
        case _:
            raise TypeError(type(tree).__name__)


def latex_typed(name: str) -> str:
    """A name letter by letter as it is typed, in typewriter letters where it is ASCII."""
    out = ""
    for run in re.findall(r"[\x00-\x7f]+|[^\x00-\x7f]+", unicodedata.normalize("NFC", name)):
        typed = run.replace("_", "\\_").replace("-", "{-}")
        out += f"\\mathtt{{{typed}}}" if run.isascii() else latex_word(run)
    return out


def latex_word(word: str) -> str:
    letters: list[str] = []
    plain = True
    for c in unicodedata.normalize("NFD", word):
        if unicodedata.combining(c):
            accent = _ACCENTS.get(c)
            if accent and letters:
                letters[-1] = f"\\{accent}{{{letters[-1]}}}"
                plain = False
            continue
        letters.append(latex_letter(c))
        plain = plain and c.isascii()
    if plain and len(letters) > 2:
        return f"\\mathit{{{''.join(letters)}}}"
    out = ""
    for piece in letters:
        # A command ends where a letter follows only if there is a space.
        out += (" " if re.search(r"\\[A-Za-z]+$", out) and piece[0].isalpha() else "") + piece
    return out


def latex_letter(c: str) -> str:
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

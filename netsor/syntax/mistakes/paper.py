"""Habits of the paper's readers: norms, positive parts, indicators, sums over coordinates, superscripts as indices."""

from __future__ import annotations

import re
from collections.abc import Callable

from netsor.diagnostics.data import Diagnostic, Span, replacement
from netsor.syntax.mistakes.habit import NAME, end_of, habit
from netsor.syntax.tokens import Line

_ONE = r"(?<![|\\])\|(?!\|)([^|‖\n\\]+?)\|(?!\|)"
_TWO = r"\|\|([^|‖\n\\]+?)\|\||‖([^‖\n]+)‖"
_TO_2 = r"(?:_\{?2\}?|₂)?"
_SQUARED = r"\s*(?:\^\s*(?:\{\s*2\s*\}|2)|²)"
_BY_N = r"\s*/\s*n\b"
_NTH = r"(?:\(\s*1\s*/\s*n\s*\)|\b1\s*/\s*n\b)\s*[*·]?\s*"
_ROOT_N = r"\s*/\s*(?:√\s*\(?\s*n\s*\)?|sqrt\(\s*n\s*\)|n\s*\^\s*(?:\{1/2\}|\(1/2\)|0\.5))"
_INSIDE = r"((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)"
_PLUS = r"(?:_\{?\+\}?(?=\s*(?:[)\],*/·⊙^²⟩]|$))|₊)"
_TEST = r"<>=≤≥≠"
_PRODUCT_NOTE = "an inner product is of order n, and is divided by n: `⟨x, x⟩ / n` is `mean(x^2)`"
_RELU = "`{}`: the positive part is the function relu"
_SQUARE = "`{}` is not a norm here; its square is an inner product"


def _first(m: re.Match[str]) -> str:
    return next(g for g in m.groups() if g is not None).strip()


def _inner(m: re.Match[str]) -> str:
    return f"⟨{_first(m)}, {_first(m)}⟩"


def _square(m: re.Match[str]) -> str:
    return f"{_inner(m)}/n"


def _root(m: re.Match[str]) -> str:
    inside = _first(m)
    return f"√(mean({inside if re.fullmatch(NAME, inside) else f'({inside})'}^2))"


def _positive(m: re.Match[str]) -> str:
    name, inside = m.group(1) or "", m.group(2)
    if name.lower() == "relu" or not name:
        return f"relu({inside})"
    return f"relu({name}({inside}))"


_TERM = rf"{NAME}_\{{?(?P<i>α|β|i|j|k|a)\}}?(?![\w])(?:\s*\^\s*\w+|[²³⁴])?"
_TERMS = rf"{_TERM}(?:\s*[*·⊙]?\s*{_TERM.replace('?P<i>', '?:')})*"


def _mean(m: re.Match[str]) -> str:
    """The terms of a sum over coordinates, without their index."""
    terms = re.findall(_TERM.replace("?P<i>", "?:"), m.group("terms"))
    return "mean(" + " * ".join(re.sub(r"_\{?\w\}?(?=\s*\^|[²³⁴]|\s*$)", "", t).strip() for t in terms) + ")"


_SUM = rf"[∑Σ]\s*(?:_\{{?\s*\w+(?:\s*=\s*1)?\s*\}}?)?(?:\^\s*\{{?n\}}?)?\s*(?P<terms>{_TERMS})"
_SUM_SAID = "a sum over all coordinates, divided by n, is a mean"

HABITS = (
    habit(rf"(?:{_TWO}|{_ONE}){_TO_2}{_SQUARED}(?={_BY_N})", _SQUARE, _inner, "E109", note=_PRODUCT_NOTE),
    habit(rf"{_NTH}(?:{_TWO}|{_ONE}){_TO_2}{_SQUARED}", _SQUARE, _square, "E109", note=_PRODUCT_NOTE),
    habit(rf"(?:{_TWO}){_TO_2}{_ROOT_N}", "`{}` is the root of the mean square", _root, "E109", note=_PRODUCT_NOTE),
    habit(r"\^\s*(?:\{\s*[⊤⊺]\s*\}|[⊤⊺])", "a transpose is written `ᵀ` or `^T`", "ᵀ", "E109", safe=True),
    habit(rf"(?:({NAME})\s*)?\({_INSIDE}\)\s*{_PLUS}", _RELU, _positive, "E109"),
    habit(rf"(?<![\w\])])\[([^\[\]]*)\]\s*{_PLUS}", _RELU, r"relu(\1)", "E109"),
    habit(rf"(?<!\w)([^\W\d](?:(?!_\{{?\+)[\w\u0300-\u036f])*){_PLUS}", _RELU,
          r"relu(\1)", "E109"),
    habit(rf"(?:𝟏|𝟙|(?<![\w.)\]])(?:1|I|𝕀))\s*_?(?:\{{([^{{}}]*[{_TEST}][^{{}}]*)\}}|\[([^\[\]]*[{_TEST}][^\[\]]*)\]|"
          rf"\(([^()]*[{_TEST}][^()]*)\))",
          "`{}`: an indicator is a conditional here", lambda m: f"(if {_first(m)} then 1 else 0)", "E124",
          note="a conditional is `if C then A else B`"),
    habit(rf"(?<![\w.])({NAME})\s*\.\s*({NAME}){_BY_N}", "`{}`: an inner product is `⟨x, y⟩`", r"⟨\1, \2⟩/n", "E109"),
    habit(rf"{_NTH}{_SUM}", _SUM_SAID, _mean),
    habit(rf"{_SUM}{_BY_N}", _SUM_SAID, _mean),
)  # fmt: skip

# --- superscripts -------------------------------------------------------------------------------------------------

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_BARE = r"[^\W\d⁰¹²³⁴-⁹](?:[^\W⁰¹²³⁴-⁹]|[\u0300-\u036f])*"
_ABOVE = (
    r"(?:\s*\^\s*(?:\{\s*\(?\s*(?P<a>[\w+\-, ]+?)\s*\)?\s*\}|\(\s*(?P<b>[\w+\-, ]+?)\s*\)|(?P<c>\d+|[a-z](?!\w)))"
    r"|(?P<d>[⁰¹²³⁴-⁹]+))"
)
_RAISED_NAME = re.compile(rf"(?<![\w\u0300-\u036f])(?P<base>{_BARE}){_ABOVE}")
_TARGET = re.compile(rf"^(?:(?:vector|matrix|scalar|output)\s+[^~=:]*?|){_BARE}{_ABOVE}")


def superscripts(line: Line, start: str, accepts: Callable[[str, str], bool]) -> list[Diagnostic]:
    """`W^1`, `x⁰` or `h^{l}` where a name gets its value: the index of a family, in the paper's way.

    In such a line every name with a superscript is taken for one, but for those that the text gives a value without.
    """
    text = line.source.text
    whole = text[line.start : end_of(line)]
    head = _TARGET.match(whole)
    if head is None:
        return []

    def indexed(m: re.Match[str]) -> str:
        index = next(g for g in (m["a"], m["b"], m["c"], m["d"]) if g is not None).translate(_RAISED)
        if index in ("T", "t") or (m.start("base") > head.end() and _is_plain(m["base"], text)):
            return m.group()
        return f"{m['base']}[{index.replace(' ', '')}]"

    edited = _RAISED_NAME.sub(indexed, whole)
    first = next(m for m in _RAISED_NAME.finditer(whole) if m.end() == head.end())
    if edited == whole or indexed(first) == first.group():
        return []
    trial = edited if accepts(edited, start) else re.sub(r"(?<![:=<>!])=(?!=)", ":=", edited, count=1)
    if not accepts(trial, start):
        return []
    number = (first["c"] or first["d"] or "").translate(_RAISED)
    plain = f"`{first['base']}{number}` or " if number.isdigit() else ""
    return [
        Diagnostic(
            "E109",
            f"the paper's superscript is an index here: {plain}`{indexed(first)}`",
            Span(line.source, line.start + first.start(), line.start + first.end()),
            notes=("`x^2` is a power; members of a family are `x[1]`, and `x1` is a name of its own",),
            hint=f"write `{trial.strip()}`",
            edits=(replacement(line.source, line.start, line.start + len(whole), trial),),
        )
    ]


def _is_plain(name: str, text: str) -> bool:
    """Whether a name gets a value without any superscript in the text."""
    declared = rf"(?m)^\s*(?:(?:vector|matrix|scalar|param)\s(?:[^~=\n]*[\s,])?)?{re.escape(name)}\s*(?:[,~=]|:=|$)"
    return re.search(declared, text) is not None

"""Habits of Python, C and their relatives: operators, assignments, loops, comments, statements."""

from __future__ import annotations

import math
import re

from netsor.syntax.mistakes.habit import MEMBER, NAME, REMOVE, habit
from netsor.syntax.mistakes.laws import squared

_ATOM = r"[^|‖<>=\n]+?"
_COMMENT = "a comment begins with `#`"


def _factorial(m: re.Match[str]) -> str:
    return str(math.factorial(int(m.group(1))))


def _square(m: re.Match[str]) -> str:
    inside = (m.group(1) or m.group(2)).strip()
    return f"⟨{inside}, {inside}⟩"


def _counted(m: re.Match[str]) -> str:
    """The range of a loop that counts: C stops before its bound unless that is included."""
    name, low, sign, high = m.groups()
    last = high if sign == "<=" else str(int(high) - 1) if high.isdigit() else f"{high}-1"
    return f"for {name} in {low}..{last}:"


def _range(m: re.Match[str]) -> str:
    return f"for {m.group(1)} in {m.group(2)}..{m.group(3)}:"


def _python_range(m: re.Match[str]) -> str:
    name, inside = m.groups()
    low, comma, high = inside.partition(",")
    return f"for {name} in {low.strip()}..{high.strip()}:" if comma else f"for {name} in 1..{low.strip()}:"


_MOMENT = r"[^\W\d]\w*(?:\s*(?:\^\s*2|²))?"
_VALUE = r"[^,()=]+(?:\([^()]*\)[^,()=]*)?"
_DEVIATIONS = ("std", "sd", "sigma", "σ", "scale", "stddev", "stdev", "dev", "s")


def _as_variance(name: str, value: str) -> str:
    """The variance that a named argument gives, which may be a standard deviation."""
    return squared(value) if name.lower() in _DEVIATIONS else value.strip()


_OPERAND = rf"(?:\([^()]*\)|{MEMBER}|\d+)"
_DIVIDED = re.compile(rf"({_OPERAND})\s*//\s*({_OPERAND})")
_REMAINDER = re.compile(rf"({_OPERAND})\s*(?:%|\bmod\b)\s*({_OPERAND})")


def _whole(m: re.Match[str]) -> str:
    """Quotients and remainders of whole numbers, in an index, a range or a constant."""
    text = _REMAINDER.sub(r"(\1 - \2 * floor(\1 / \2))", m.group())
    return _DIVIDED.sub(r"floor(\1 / \2)", text)


def _trained(m: re.Match[str]) -> str:
    names = re.split(r"\s*,\s*|\s+and\s+|(?<=[\w\]])\s+(?![\[])", m.group(2).strip())
    return f"train {', '.join(names)}"


def _is_known(line: str, source: str) -> bool:
    """Whether the last word of a line is a name that the program has."""
    word = (line.rstrip(".!").split() or [""])[-1]
    return not word or len(re.findall(rf"\b{re.escape(word)}\b", source)) > 1


def _stands_in_brackets(line: str) -> bool:
    """Whether the last semicolon of a line, before parameters, stands in brackets."""
    before = line.rpartition(";")[0]
    return before.count("(") > before.count(")") or before.count("[") > before.count("]")


_IF_NOTE = "a conditional is `if C then A else B`"
_BLOCK_NOTE = "only `for …:` and `def …:` open a block"
_RANGE = "a loop runs over a range `1..T`, with both ends included"

_FLOOR = "whole quotients and remainders are made by `floor`"
_WHOLE = r"(?://|%|\bmod\b)"
COMMENTS = (
    habit(rf"\[[^\[\]]*?(?P<at>{_WHOLE})[^\[\]]*\]", _FLOOR, _whole, "E109"),
    habit(rf"^(?:for\b|.*?\b(?:sum|Σ)\s*\()[^:]*?\.\.[^:]*?(?P<at>{_WHOLE})[^:]*:", _FLOOR, _whole, "E109"),
    habit(rf"^param\s[^=]*=.*?(?P<at>{_WHOLE}).*$", _FLOOR, _whole, "E109"),
    habit(r"⌊([^⌊⌋]+)⌋", "a whole part is `floor(…)`", r"floor(\1)", "E101", safe=True),
    habit(r"⌈([^⌈⌉]+)⌉", "the next whole number is `-floor(-…)`", r"(-floor(-(\1)))", "E101"),
    habit(r"^(?://+|--+|%+|/\*+|;+(?!=))[ \t]*([^\n]*?)(?:\*/)?$", _COMMENT, r"# \1", "E109", safe=True),
    habit(r"^(?:\"{3}|'{3})[^\n]*$", _COMMENT, None, "E109", hint="write `#` instead"),
    # `%` is a remainder between two values and `//` a quotient; what no operator joins are words.
    habit(
        r"(?<=\S)\s+(?P<at>(?://(?=\s|[A-Za-z]{3}|\w+\s+\w)|%+(?=\s+\w+[:,.]?\s+\w))\s*[A-Za-z][^\n]*)$",
        _COMMENT,
        lambda m: "  # " + m.group().strip("/% "),
        "E109",
    ),
    # One word may be a remainder's divisor, which is a name of the program; `!!` is none of its operators.
    habit(
        r"(?<=\S)\s+(?P<at>%+\s+[A-Za-z]{3,}[.!]?)$",
        _COMMENT,
        lambda m: "  # " + m.group().strip("% "),
        "E109",
        unless=_is_known,
    ),
    habit(r"(?<=\S)\s*(?P<at>!{2,})$", "a line ends where its value does", "", "E109"),
    habit(
        r"(?<=\S)\s*(?P<at>;+\s*[A-Za-z][^\n:=]*)$",
        _COMMENT,
        lambda m: "  # " + m.group().strip("; "),
        "E120",
        unless=lambda line, source: _stands_in_brackets(line) or _is_known(line, source),
    ),
    habit(r"(?<=\S)\s+(?P<at>/\*+\s*([^\n]*?)\s*\*+/)$", _COMMENT, r"  # \2", "E109"),
)
# What a line is by its first word, before what it holds.
STATEMENTS = (
    habit(r"^print\s*\((.+)\)\s*$", "what a program tells is an `output`", r"output \1"),
    habit(r"^(?:import|from|using|require|package)\s.*$", "`{}`: nothing is imported", None,
          note="every function of the language is at hand by its name; `include std` brings in the standard library",
          hint=REMOVE),
    habit(rf"^scalar\s+{NAME}(?:\s*,\s*{NAME})*\s*~.*$",
          "`{}`: a scalar is a constant, and only vectors and matrices are drawn",
          None, "E122", hint="write `scalar s = 1`, or draw a vector: `vector s ~ N(0, 1)`"),
    habit(rf"\bwhere\s+{NAME}\s*:?=\s*\S.*$",
          "`{}`: a name gets its value on a line of its own, above its use",
          None, hint="write that line above, as in `x := tanh(g)`"),
    habit(r"^if\b.*\bthen\b.*:?=.*$", "`{}`: a line begins with the name that it gives a value to", None, "E124",
          hint="write `x := if C then A else B`"),
    habit(r"^output\s*\(.*,.*\)\s*$", "an output is one scalar", None, "E125",
          hint="write a line with `output` for each"),
    habit(r"^while\b.*$", "there is no `while`: every loop runs over a range that is known before", None,
          note=_BLOCK_NOTE, hint="write `for t in 1..10:`"),
    habit(r"^(?:if|elif|else\s+if)\b.*:\s*$|^else\s*:\s*$", "`{}`: there are no blocks of conditions", None, "E124",
          note="a conditional is part of an expression", hint="write `x := if C then A else B`"),
    habit(r"^(?:with|class|try|except|finally|async|match|struct)\b.*:\s*$", "`{}` begins no block of the language",
          None, note=_BLOCK_NOTE, hint=REMOVE),
    habit(r"^\}+$", "a block ends where its indentation does", None, note=_BLOCK_NOTE, hint=REMOVE),
)  # fmt: skip
HABITS = (
    # --- operators ---
    habit(r"[<⟨]\s*([^|<>⟨⟩=]+?)\s*\|\s*([^|<>⟨⟩=]+?)\s*[>⟩]",
          "`{}`: the two sides of an inner product are apart by a comma", r"⟨\1, \2⟩", "E109"),
    habit(rf"(?:\|\|({_ATOM})\|\||‖([^‖]+)‖)\s*(?:\^\s*2|²)", "`{}` is not a norm here; its square is an inner product",
          _square, "E109", note="an inner product is of order n, and is divided by n: `⟨x, x⟩ / n` is `mean(x^2)`"),
    habit(rf"\|\|({_ATOM})\|\||‖([^‖]+)‖", "there is no norm `{}`: it grows as √n, and has no limit", None, "E109",
          note="what has one is the norm divided by √n, the root of the mean square",
          hint="of a vector x, write `√(mean(x^2))`"),
    habit(rf"(?<![|\\])\|(?!\|)({_ATOM})(?<![|\\])\|(?!\|)", "an absolute value is `abs(…)`, not `{}`",
          r"abs(\1)", "E109", note="the language has no bars; `or` joins conditions"),
    habit(r"\b(\d{1,2})!(?!=)", "`{}` is a factorial; the language has none", _factorial, "E109"),
    habit(rf"(?:{MEMBER}|\))!(?!=)", "`{}` is a factorial; the language has none", None, "E109",
          note="the functions of a coordinate are listed in the language reference; `not` negates a condition",
          hint="define what you need by the functions there are: `φ(u) = u^2 exp(-u)`"),
    habit(r"(?<=[\w)\]])\s*(?P<at>%)\s*(?=[\w(])", "`%` is a remainder; the language has none", None, "E109",
          note="of the periodic functions there are sin and cos",
          hint="write a periodic function, such as `sin(2 pi x)`"),
    habit(r"\*\*", "a power is written with `^`", "^", "E109", safe=True),
    habit(r"\s*(?P<at>&&)\s*", "`and` joins two conditions", " and ", "E109", safe=True),
    habit(r"\s*(?P<at>\|\|)\s*", "`or` joins two conditions", " or ", "E109", safe=True),
    habit(r"(?<=[\w)])\s*(?P<at>//)\s*(?=[\w(])", "a quotient has one `/`", " / ", "E109", note=_COMMENT),
    # --- conditionals ---
    habit(r"(?<==)(\s*)(?P<at>([^?=\s][^?=]*?(?:[<>]=?|[=!]=)[^?]*?)\s*\?\s*([^?:]+?)\s*:\s*([^?:]+))$",
          "`{}` is a conditional, which is written in words here", r"\1if \3 then \4 else \5", "E124", note=_IF_NOTE),
    habit(r"(?<=\()([^()]+?)\s+if\s+([^()]+?)\s+else\s+([^()]+?)(?=\))", "in a conditional the condition comes first",
          r"if \2 then \1 else \3", "E124", note=_IF_NOTE),
    habit(r"((?::=|(?<![:<>!=])=|\breturn\s|\boutput\s)\s*)(?!\s*if\b)(?P<at>([^=\s][^=]*?)\s+if\s+(.+?)\s+else\s+(.+))$",
          "in a conditional the condition comes first", r"\1if \4 then \3 else \5", "E124", note=_IF_NOTE),
    habit(r"(?<=\S)(\s+)(?P<at>if\s+([^:]+?)\s*:\s*([^:]+?)\s+else\s*:\s*([^:]+))$",
          "`{}` is a conditional, which is written in words here", r"\1if \3 then \4 else \5", "E124", note=_IF_NOTE),
    habit(r"(\bthen\b[^=]*?)\b(?P<at>otherwise)\b", "a conditional is `if C then A else B`", r"\1else", "E124"),
    habit(r"(:?=\s*|[-+*/]\s*)(?P<at>(\d+),(\d+))(?=\s*(?:[-+*/]|$))", "a decimal has a point: `{}` is two numbers",
          r"\1\3.\4", "E120"),
    habit(r"(:?=\s*|[-+*/]\s*)(?P<at>(\d+),(\d+))(?=\s*[^\W\d])", "a decimal has a point: `{}` is two numbers",
          r"\1\3.\4", "E120"),
    # --- giving a name its value ---
    habit(rf"^({NAME})\s*:?=\s*[Mm]atrix\s*\([^()]*\)$", "`{}`: a matrix is declared", r"matrix \1", "E122"),
    habit(rf"^({NAME})\s*:?=\s*[Vv]ector\s*\([^()]*\)$", "`{}`: a vector is declared with its law",
          r"vector \1 ~ N(0, 1)", "E122"),
    habit(r"^(network\s+[^#]*\))\s*(?P<at>(?:->|→)[^#]*)$", "a header has the inputs; the output is a line of its own",
          r"\1", "E109"),
    habit(rf"^({NAME})\s*:?=\s*lambda\s+({NAME}(?:\s*,\s*{NAME})*)\s*:\s*(.+)$",
          "a function is defined by its value at a variable", r"\1(\2) = \3", note="as on paper: `φ(u) = u^2`"),
    habit(rf"^(?:let|var|const|auto|val|float|double|Tensor)\s+({NAME})\s*:?=\s*",
          "`{}`: a line begins with the name itself, and `:=` gives it a value", r"\1 := "),
    habit(rf"^(?:function|func|fn|fun)\s+(?={NAME}\()", "`{}`: a function needs no keyword", "",
          note="as on paper: `φ(u) = u^2`"),
    habit(rf"^({MEMBER})\s*(?P<at><-|=:|;=|:\s+=|:=\s*=|&\s*:?=|←)\s*", "a line is given its value with `:=`",
          r"\1 := ", "E108"),
    habit(rf"^({MEMBER})\s*[+\-*/]=", "`{}`: each name is given its value once", None, "E109",
          hint="give the result a new name: `y := x + …`"),
    # --- blocks ---
    habit(rf"^for\s*\(?\s*(?:int\s+)?({NAME})\s*=\s*(\w+)\s*;\s*\1\s*(<=?)\s*(\w+)\s*;[^){{]*\)?\s*\{{?\s*$",
          _RANGE, _counted, "E117"),
    habit(rf"^(for\s+{NAME}\s+in\s+\S+?\s*\.\.\s*\S+?)\s+(?P<at>do)\s*:?$", "a `for` line ends with a colon", r"\1:",
          "E110"),
    habit(rf"^for\s+({NAME})\s+in\s+range\s*\(([^()]*)\)\s*:?\s*\{{?$", _RANGE, _python_range, "E117",
          note="Python's `range(a, b)` stops before b, `a..b` does not"),
    habit(rf"^for\s+({NAME})\s*(?:=|∈|\bin\b)\s*([^:=\s]+?)\s*(?:\.\.\.|…|:|\bto\b)\s*([^:=\s]+?)\s*(?:\bdo\b|:|\{{)?$",
          _RANGE, _range, "E117"),
    # --- declarations ---
    habit(rf"^((?:param|scalar)\s+{MEMBER})\s*(?P<at>:)\s*(?!=)", "a constant is given its value with `=`", r"\1 = ",
          "E108"),
    habit(rf"^((?:program|network)\s+)(?P<at>{NAME}(?:-\w+)+)", "a name has no hyphen: `{}` would be a difference",
          lambda m: m.group(1) + m.group("at").replace("-", "_"), "E122"),
    habit(rf"^(network\s[^#]*?{MEMBER})\s*(?P<at>(?:∈|\\in\b|\bin\b)\s*(?:(?:ℝ|R|\\mathbb\s*\{{?R\}}?)\s*\^\s*)?"
          r"\{?([^\W_]+)\}?)(?=\s*[,)])",
          "`{}`: an input of a network is declared with its dimension behind a colon", r"\1 : \3", "E122"),
    habit(rf"(~\s*N\s*\(\s*)(?P<at>\w+\s*=\s*([^,=()]+),\s*({_MOMENT})\s*=\s*)({_VALUE})(?=\s*\))",
          "`{}`: mean and variance are known by their places",
          lambda m: f"{m.group(1)}{m.group(3)}, {_as_variance(m.group(4), m.group(5))}", "E121",
          note="the second is the variance, not a standard deviation"),
    habit(rf"(~\s*N\s*\([^,=]+,\s*)(?P<at>({_MOMENT})\s*=)\s*({_VALUE})(?=\s*\))",
          "an argument is known by its place, not by a name, and the second of a law is its variance",
          lambda m: f"{m.group(1)}{_as_variance(m.group(3), m.group(4))}", "E120"),
    habit(rf"^(matrix\s+{NAME})(?P<at>\s*\(\s*(\w+)\s*,\s*(\w+)\s*\))",
          "the shape of a matrix stands behind a colon", r"\1 : (\3, \4)", "E120"),
    habit(rf"^(matrix\s+{MEMBER}\s*:\s*)(?P<at>\(?\s*(\w+)\s*(?:×|\bby\b|\\times)\s*(\w+)\s*\)?)",
          "a shape is `(n, d)`", r"\1(\3, \4)", "E101"),
    habit(rf"^(vector|matrix)\s+({NAME})\[(?P<at>\s*(\w+)\s*:\s*(\w+)\s*)\]",
          "members of a family are declared with a range: `1..3`", r"\1 \2[\4..\5]", "E117"),
    habit(rf"^train\b(?P<at>\s*:?\s*[(\[{{]?)({NAME}(?:\[[^\[\]]*\])?(?:(?:\s*,\s*|\s+and\s+|\s+){NAME}(?:\[[^\[\]]*\])?)*)"
          r"\s*[)\]}]?\s*$", "`train` is followed by names with commas between", _trained, "E122"),
    habit(r"^output\s*(?P<at>:)(?!=)\s*", "what is asked for stands right behind `output`", "output ", "E119"),
    habit(rf"^({NAME})\s*(?P<at>:=|:|=)\s*\(?({NAME})\)?\s*(?:->|→|↦|=>|\|->)\s*(.+)$",
          "a function is defined by its value at a variable", r"\1(\3) = \4", "E109", note="as on paper: `φ(u) = u^2`"),
    habit(r"\[([^\[\];]+(?:;[^\[\];]+)+)\]", "`{}`: the rows of a matrix are lists",
          lambda m: "[" + ", ".join(f"[{row.strip()}]" for row in m.group(1).split(";")) + "]", "E121"),
    habit(r"(?<==)(\s*)(?P<at>return)\s+", "a function is its value, without `return`", r"\1", "E126"),
    habit(r"^((?:vector|matrix)\s[^∈~]*?)\s*(?P<at>∈)\s*(?=N\s*\()", "a law stands behind `~`", r"\1 ~ ", "E121"),
    habit(r"^((?:vector|matrix)\s[^∈~]*?)\s*(?P<at>∈\s*[^~\n]*?)(?=$|\s*~)", "`{}`: no space is named", r"\1", "E122",
          note="a matrix is n×n and a vector has n coordinates; an n×d matrix for data is `matrix U : (n, 3)`"),
    habit(r"^(vector\s[^:~=]*?)\s*(?P<at>:\s*[^~=\n]*?)(?=\s*~|$)", "a vector has n coordinates, and no other shape",
          r"\1", "E122"),
    habit(r"^(vector\s[^=~]*?)\s*(?P<at>:?=)\s*(?=N\s*\()", "a law stands behind `~`", r"\1 ~ ", "E122"),
    habit(r"^(matrix\s[^=~]*?)\s*(?P<at>:?=)\s*(?=N\s*\()", "a law stands behind `~`", r"\1 ~ ", "E122"),
    habit(r"^((?:vector|matrix)\s[^~]*~\s*N\s*\(\s*[^\s,，;()]+)\s*(?:;|\s)\s*(?=[^\s,;()]+\s*\)$)",
          "a law is `N(mean, variance)`", r"\1, ", "E121", note="a comma separates the two"),
    habit(r"[\"“”]([^\"“”\n]*)[\"“”]", "`{}` is a text, and there are none: names stand without quotes", r"\1", "E101"),
    habit(rf"[∑Σ]\s*({MEMBER})\s*/\s*n\b", "a sum over all coordinates, divided by n, is a mean", r"mean(\1)"),
    habit(r"[½¼¾⅓⅔]", "`{}` is one character; a fraction is typed with `/`",
          lambda m: {"½": "(1/2)", "¼": "(1/4)", "¾": "(3/4)", "⅓": "(1/3)", "⅔": "(2/3)"}[m.group()], "E101"),
)  # fmt: skip

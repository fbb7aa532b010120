"""Habits of declarations, headers, loops and `train`: shapes, laws and ranges as they are elsewhere."""

from __future__ import annotations

import re

from netsor.syntax.mistakes.habit import MEMBER, NAME, habit

_KIND = r"(?:vector|matrix)"
_SIZE = r"\(?\s*(?:n|N)\s*,?\s*\)?"
_LAW = r"N\s*\([^()]*(?:\([^()]*\)[^()]*)*\)"
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_LETTERS = r"[^\W\d_]+"
_DOTS = r"(?:\.\.\.|…|\\[lc]?dots)"
# Words of three letters and more, and the letters that papers use for activations.
_FUNCTION = r"[a-z]\w{2,}|[φϕψσ]"
_RANGE = "a loop runs over a range `1..T`, with both ends included"
_FAMILY = "members of a family are declared with a range: `W[1..3]`"
_BEFORE = "what is declared is named behind its kind: `matrix W`, `vector v ~ N(0, 1)`"
_PLACES = rf"({_LETTERS})_?\{{?1\}}?\s*,(?:\s*\3_?\{{?2\}}?\s*,)?\s*(?:{_DOTS}|\.\.)\s*,\s*\3_?\{{?(\w+)\}}?"
_SPACE = r"(?:∈|\bin\b|:)\s*[ℝR]\s*\^?\s*\{?(?P<d>[\d⁰¹²³⁴-⁹]+|\w+)\}?"
_INPUT = rf"{NAME}(?:\[[^\]]*\])?"
_DIMENSION = "an input of a network is declared with its dimension behind a colon"
_ALL = r"(?:\*|everything|every|all\s+(?:parameters|weights)|parameters|params|weights)"


def _listed(m: re.Match[str]) -> str:
    """A loop over a list of numbers that follow each other."""
    numbers = [int(x) for x in m.group(2).split(",")]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return m.group()
    return f"for {m.group(1)} in {numbers[0]}..{numbers[-1]}:"


def _dimension(m: re.Match[str]) -> str:
    return f"{m.group(1)}: {m.group('d').translate(_RAISED)}"


HABITS = (
    # --- laws ---
    habit(rf"^({_KIND}\s[^~]*~\s*{_LAW})\s*(?P<at>\^\s*\{{?{_SIZE}\}}?|⊗\s*{_SIZE}|,\s*(?:size\s*=\s*)?{_SIZE})$",
          "`{}`: every coordinate has the law, and there are n of them", r"\1", "E121"),
    habit(rf"^({_KIND}\s+[^~]*?)\s+(?P<at>i\.?i\.?d\.?|is|are)\s+(?=N\s*\()", "a law stands behind `~`", r"\1 ~ ",
          "E121"),
    habit(rf"^({_KIND}\s[^~]*~\s*U\s*)(?P<at>\[([^\[\]]*)\])$", "a uniform law is `U(low, high)`", r"\1(\3)", "E121"),
    habit(rf"^(vector\s+{NAME})\s*(?P<at>\(\s*[nN]\s*,?\s*\))", "a vector has n coordinates, and no other shape",
          r"\1", "E122"),
    # --- what is declared, and its shape ---
    habit(rf"^({NAME})\s*(?P<at>:\s*(vector|matrix|scalar|param))\b", _BEFORE, r"\3 \1", "E122"),
    habit(rf"^(?:input|weight|hidden|random|gaussian|parameter)\s+(?={_KIND}\s)", f"`{{}}`: {_BEFORE}", "",
          "E125"),
    habit(rf"^vector(?=\s+{NAME}\s*:\s*\(\s*n\s*,\s*\w+\s*\))", "what has a shape is a matrix", "matrix", "E122"),
    habit(rf"^(matrix\s+{NAME})\s*(?P<at>=)\s*(?=\(\s*\w+\s*,)",
          "the shape of a matrix stands behind a colon", r"\1 : ", "E122"),
    habit(rf"^({_KIND})\s*(?P<at>\[\s*(\w+)\s*\])\s*({NAME})", _FAMILY, r"\1 \4[1..\3]", "E117"),
    habit(rf"^({_KIND}\s+{NAME}\[)(?P<at>\s*{NAME}\s+in\s+)(?=[^\]]*\.\.)", _FAMILY, r"\1", "E117"),
    habit(rf"^({_KIND})\s+(?P<at>{_PLACES})",
          _FAMILY, r"\1 \3[1..\4]", "E117"),
    habit(rf"^({_KIND})\s+(?P<at>({_LETTERS})_?\{{?(\d+)\}}?\s*\.\.\s*(\w+))", _FAMILY, r"\1 \3[\4..\5]", "E117"),
    habit(rf"^((?:param|scalar)\s+{MEMBER})(?P<at>\s+)(?=[\d.(])", "a constant is given its value with `=`", r"\1 = ",
          "E122"),
    habit(r"^(?:int|integer|size_t)\s+(?=\w+\s*:?=)", "`{}`: a constant is a `param`", "param ", "E125"),
    # --- definitions ---
    habit(rf"^(?P<at>def\s+)({NAME}\([^()]*\))\s*:?=\s*(?=\S)", "a function by its value needs no keyword", r"\2 = ",
          note="`def f(x):` opens a block of steps"),
    habit(rf"^({NAME}\(\s*{NAME}(?:\s*[,;]\s*{NAME})*\s*\))\s*(?P<at>:)\s*(?=[^=\s])", "a definition has `=`", r"\1 = ",
          "E108"),
    # --- headers ---
    habit(rf"^(?P<at>def|net|nn|model|module|func|function)\s+({NAME}\(\s*{NAME}(?:\[[^\]]*\])?\s*:\s*\w+\s*\))\s*:?$",
          "a network begins with `network`", r"network \2", "E125"),
    habit(rf"^(network\s+{NAME}\(\s*{_INPUT}\s*)(?P<at>{_SPACE})", _DIMENSION, _dimension, "E122"),
    habit(rf"^(network\s+{NAME}\(\s*{NAME}(?:\[[^\]]*\])?\s*:\s*)(?P<at>[(\[]\s*(\w+)\s*,?\s*[)\]])",
          _DIMENSION, r"\1\3", "E122"),
    habit(rf"^(network\s+{NAME}\(\s*{NAME})(?P<at>\s*\[\s*(\d+)\s*\]|\s*,\s*(\d+))\s*\)",
          _DIMENSION,
          lambda m: f"{m.group(1)} : {m.group(3) or m.group(4)})", "E122"),
    # --- loops ---
    habit(rf"^for\s+({NAME})\s*(?:in|∈|=)\s*[{{\[(]\s*(\d+(?:\s*,\s*\d+)+)\s*[}}\])]\s*:?$", _RANGE, _listed, "E117"),
    habit(rf"^for\s+({NAME})\s*(?:=|∈|\bin\b)\s*(\w+)\s*,(?:\s*\w+\s*,)?\s*{_DOTS}\s*,\s*([^:\s]+?)\s*:?$", _RANGE,
          r"for \1 in \2..\3:", "E117"),
    habit(rf"^for\s+({NAME})\s+from\s+(\S+)\s+to\s+([^:\s]+)\s*:?$", _RANGE, r"for \1 in \2..\3:", "E117"),
    habit(r"\.\.=", _RANGE, "..", "E117"),
    habit(rf"^(?:foreach|forall|loop|For|FOR|∀)\s+(?={NAME}\s)", "a loop begins with `for`", "for ", "E125"),
    habit(rf"^(for\s+{NAME}\s+in\s+[^{{}}:]+?)\s*(?P<at>\{{)\s*$", "a `for` line ends with a colon", r"\1:", "E110"),
    habit(r"^(?:\}|end|endfor|end\s+for|done|od)\s*;?$", "`{}`: a block ends where its indentation does", "# ", "E125"),
    # --- train ---
    habit(rf"^(train\s*:?\s*)(?P<at>{_ALL})\s*$", "every parameter is named by `all`", "train all", "E122"),
    habit(rf"^(?:trainable|trained|learn|learnable|optimi[sz]e)(?=\s+{NAME})",
          "`{}`: what SGD updates stands behind `train`", "train", "E125"),
    habit(rf"^(train\s+{MEMBER}(?:\s*[,;]\s*{MEMBER})*?)\s*(?P<at>;)\s*(?={NAME})",
          "names have commas between", r"\1, ",
          "E122"),
    # --- composition and pipes ---
    habit(r"(:?=\s*)(?P<at>([^=|]+?)\s*\|>\s*(\w+))\s*$", "a function is applied with brackets", r"\1\4(\3)", "E109"),
    habit(rf"\(?\s*\b({_FUNCTION})\s*∘\s*([A-Z]\w*(?:\[[^\]]*\])?)\s*\)?\s*\(?\s*({MEMBER})\s*\)?",
          "`{}`: a function is applied to what a matrix gives", r"\1(\2 \3)", "E109"),
    # --- conditionals, before brackets are read otherwise ---
    habit(r"\bif\s*\(([^()]*)\)\s*\{([^{}]*)\}\s*else\s*\{([^{}]*)\}",
          "`{}` is a conditional, which is written in words here",
          lambda m: f"if {m[1].strip()} then {m[2].strip()} else {m[3].strip()}", "E124",
          note="a conditional is `if C then A else B`"),
    # --- ends of lines ---
    habit(r"(?<=[\w)\]²³'ᵀ])\s*(?P<at>,|(?<!\d)\.)\s*$", "a line ends without a sign", "", "E120", safe=True),
)  # fmt: skip

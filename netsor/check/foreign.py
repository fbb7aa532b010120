"""Names that other languages have, and what is written for them here."""

from __future__ import annotations

import re
from collections.abc import Callable

from netsor.diagnostics import Diagnostic, Span
from netsor.diagnostics.catalogue.names import foreign_name as _unknown
from netsor.diagnostics.catalogue.words import bracketed
from netsor.expr.functions import PUBLIC

# One function under another name.
_SAME = {
    "ln": "log", "arctan": "atan", "tan_inv": "atan", "maximum": "max", "minimum": "min", "fabs": "abs",
    "absolute": "abs", "sgn": "sign", "heaviside": "step", "swish": "silu", "logistic": "sigmoid", "expit": "sigmoid",
    "normcdf": "Phi", "clamp": "clip", "hard_tanh": "hardtanh", "leakyrelu": "leaky_relu", "lrelu": "leaky_relu",
    "sig": "sigmoid",
}  # fmt: skip
_MEANS = ("E", "𝔼", "Ex", "expectation", "avg", "average", "mean_")
_SQUARED = re.compile(r"\s*(?:\^\s*2|²)")
_BY_N = re.compile(r"\s*/\s*n\b")
_NTH = re.compile(r"(?:\(\s*1\s*/\s*n\s*\)|\b1\s*/\s*n)\s*[*·]?\s*\Z")
# One factor of a product, with its power, and factors side by side.
_FACTOR = (
    r"[^\W\d](?:[^\W]|[\u0300-\u036f])*(?:\[[^\[\]]*\])?'?(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?"
    r"(?:\s*\^\s*\w+|[²³⁴])?"
)
_FACTORS = re.compile(rf"\s*({_FACTOR}(?:\s*[*·⊙]?\s*{_FACTOR})*)")
_COORDINATE = re.compile(r"_(?:α|β|i|j|k|a)(?=\Z|\s*\^|[²³⁴])")
_BARE = ("Var", "var", "𝕍", "Std")
_EXPONENT = re.compile(r"\s*\^\s*(\w[\w\u0300-\u036f]*|\([^()]*\))|([⁰¹²³⁴-⁹]+)")
_TRANSPOSES = "ᵗᵼₜ"


def foreign_name(span: Span, name: str, is_vector: Callable[[str], bool] = lambda _: False) -> Diagnostic | None:
    """The diagnostic for an unknown name that means something elsewhere, None for any other.

    `is_vector` says of a name whether the program has a vector of that name.
    """
    space = re.match(r"\s*\^\s*\{?\s*(\w+)\s*\}?", span.source.text[span.end :]) if name in ("R", "ℝ") else None
    if space:
        return _unknown(_to(span, span.end + space.end()), "no space is named: a dimension is a number", space[1])
    inside, end = _argument(span)
    by_formula = _FORMULAS.get("layernorm" if name == "LN" else name.lower().replace("_", ""))
    if by_formula is not None and inside:
        message, formula, note = by_formula
        u = bracketed(_parts(inside)[0])
        return _unknown(_to(span, end), f"`{name}` {message}", _applied(formula, u), note)
    if (derivative := _DERIVATIVE.fullmatch(name)) and (of := derivative["a"] or derivative["b"]) in PUBLIC:
        return _unknown(span, "a derivative has a prime", f"{of}'", "as in `φ'(h)`; `φ''(h)` is the second")
    if name in ("grad", "derivative", "deriv", "D", "diff") and inside in PUBLIC:
        return _unknown(
            _to(span, end), "a derivative has a prime", f"{inside}'", "as in `φ'(h)`; `φ''(h)` is the second"
        )
    if name in _WIDTHS and _line_before(span).lstrip().startswith(("matrix", "vector")) and "~" in _line_before(span):
        return _unknown(span, "the width is called `n`", "n")
    if name.lower() in _SAME:
        meant = _SAME[name.lower()]
        return _unknown(span, f"`{name}` is called `{meant}` here", meant, safe=True)
    if not inside and name in (*_MEANS, *_BARE):
        # E z² and Var z, as on paper: what follows, up to the next sign, is averaged.
        found = _FACTORS.match(span.source.text, span.end)
        if found:
            inside, end = found.group(1), found.end()
    if name in _MEANS and inside:
        return _unknown(
            _to(span, end),
            "an expectation is written as the mean over coordinates",
            f"mean({_multiplied(inside, is_vector)})",
            "at width n it is that average, and in the limit the expectation of Z (Theorem B.4)",
        )
    if name[:1] in "Σ∑" and not inside:
        found = _FACTORS.match(span.source.text, span.end)
        if found:
            terms = [_COORDINATE.sub("", f) for f in re.findall(_FACTOR, found.group(1))]
            return _sum(span, " * ".join(terms), found.end())
    if name in ("σ", "sigma") and inside and not _DEFINES_SIGMA.search(span.source.text):
        return _unknown(span, f"`{name}` is called `sigmoid` here", "sigmoid")
    if name == "as" and (asked := _ASKED.fullmatch(_whole_line(span))):
        line = Span(span.source, span.start - len(_line_before(span)), span.end + len(asked[3]))
        return _unknown(line, "an output is named before its value", f"{asked[1]} {asked[4]} := {asked[2]}")
    if (number := _NUMBER_BEFORE.search(_line_before(span))) and (value := _number(number[0] + name)):
        before = Span(span.source, span.start - len(number[0]), span.end)
        return _unknown(before, "a number is typed in digits alone", value)
    make = _CALLS.get(name)
    if make is not None and inside and (made := make(span, inside, end)) is not None:
        parts = _parts(inside)
        matrix = make is _dot and len(parts) == 2 and re.fullmatch(r"[A-Z]\w*'?", parts[0]) and not is_vector(parts[0])
        return _product(span, inside, end) if matrix else made
    if name == "e":
        found = _EXPONENT.match(span.source.text, span.end)
        if found and found.group(1):
            argument = found.group(1).removeprefix("(").removesuffix(")")
            return _unknown(_to(span, found.end()), "Euler's number has no name here", f"exp({argument})", safe=True)
        return _unknown(span, "Euler's number has no name here", "exp(1)", safe=True)
    if name in ("I", "eye", "identity", "Id", "I_n", "Iₙ", "I_d"):
        return _unknown(
            _to(span, end) if inside else span,
            "an identity matrix has no name here",
            "1",
            "vectors of one line with a variance are independent: `vector a, b ~ N(0, 1)`",
        )
    if name[-1:] in _TRANSPOSES and len(name) > 1:
        return _unknown(span, f"`{name[-1]}` is a letter of the name, not a transpose", f"{name[:-1]}ᵀ")
    return None


# dtanh, d_tanh, tanh_prime and so on.
_DERIVATIVE = re.compile(r"(?:d|d_|grad_)(?P<a>\w+)|(?P<b>\w+?)(?:_prime|_deriv(?:ative)?|_grad|Prime|_dash)")
_WIDTHS = ("N", "fan_in", "fan_out", "width", "hidden", "hidden_dim", "d_model", "m")


_DEFINES_SIGMA = re.compile(r"^\s*(?:def\s+)?(?:σ|sigma)\s*\(", re.MULTILINE)
# output mean(x^2) as m; 0x10 and 1.5f, which are read as a number before a name.
_ASKED = re.compile(r"(\s*output)\s+(.+?)\s+as(\s+([^\W\d]\w*)\s*)")
_NUMBER_BEFORE = re.compile(r"(?<![\w.])(?:0|\d+\.\d+)$")


def _number(text: str) -> str:
    """The number that C and its relatives spell so; '' for none."""
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,12}", text):
        return str(int(text, 16))
    return text[:-1] if re.fullmatch(r"\d+\.\d+[fFlL]", text) else ""


def _whole_line(span: Span) -> str:
    """The line of a name, without its comment."""
    return _line_before(span) + span.source.text[span.start :].partition("\n")[0].partition("#")[0]


def _line_before(span: Span) -> str:
    """What stands before a name in its line."""
    return span.source.text[span.source.text.rfind("\n", 0, span.start) + 1 : span.start]


def _dot(span: Span, inside: str, end: int) -> Diagnostic | None:
    parts = _parts(inside)
    if len(parts) != 2:
        return None
    return _unknown(
        _to(span, end), "an inner product has brackets of its own", f"⟨{parts[0]}, {parts[1]}⟩",
        "it is of order n, and is divided by n: `⟨x, y⟩ / n` is `mean(x * y)`",
    )  # fmt: skip


def _product(span: Span, inside: str, end: int) -> Diagnostic | None:
    parts = _parts(inside)
    if len(parts) != 2:
        return None
    text = f"{bracketed(parts[0])} {bracketed(parts[1])}"
    return _unknown(_to(span, end), "a matrix stands before its vector, with nothing between them", text)


def _norm(span: Span, inside: str, end: int) -> Diagnostic:
    squared = _SQUARED.match(span.source.text, end)
    around, found = _divided(span, squared.end() if squared else end)
    found = found and squared is not None
    square = f"mean({bracketed(inside)}^2)"
    return _unknown(
        around if found else _to(span, end),
        "there is no norm, which grows as √n: what has a limit is the mean square",
        square if found else f"√({square})",
    )


def _sum(span: Span, inside: str, end: int) -> Diagnostic:
    return _unknown(
        _divided(span, end)[0],
        "a sum over coordinates grows as n: what has a limit is the mean",
        f"mean({inside})",
        "`sum(t in 1..T: …)` sums over an index",
    )


def _softmax(span: Span, inside: str, end: int) -> Diagnostic:
    inside = _parts(inside)[0]  # without the axis
    return _unknown(
        _to(span, end),
        "a softmax over coordinates is of order 1/n, and has no limit of its own",
        f"(exp({inside}) / mean(exp({inside})))",
        "that is n times the softmax",
    )


def _of_matrix(span: Span, inside: str, end: int) -> Diagnostic:
    return _unknown(
        _to(span, end), "matrices are touched only by their products with vectors",
        None,
        "MATMUL is the one instruction that holds a matrix (Definition B.1)",
        hint="say what you need of it by products, such as `W (Wᵀ x)`",
    )  # fmt: skip


def _covariance(span: Span, inside: str, end: int) -> Diagnostic | None:
    parts = _parts(inside)
    if len(parts) != 2:
        return None
    left, right = (f"({p} - mean({p}))" for p in parts)
    return _unknown(_to(span, end), "a covariance over coordinates is a mean of products", f"mean({left} * {right})")


def _divided(span: Span, end: int) -> tuple[Span, bool]:
    """What stands up to `end` with its division by n, on either side, and whether there is one.

    A mean is divided already: the edit must take that division with it.
    """
    text = span.source.text
    before = _NTH.search(text, max(0, text.rfind("\n", 0, span.start)), span.start)
    behind = _BY_N.match(text, end)
    return Span(span.source, before.start() if before else span.start, behind.end() if behind else end), bool(
        before or behind
    )


def _multiplied(inside: str, is_vector: Callable[[str], bool]) -> str:
    """Factors side by side, of which the program knows no product, with the sign of one between."""
    out, last = "", None
    for m in re.finditer(_FACTOR, inside):
        gap = inside[last.end() if last else 0 : m.start()]
        if last and not gap.strip() and gap and _is_value(last.group(), is_vector) and _is_value(m.group(), is_vector):
            gap = " * "
        out, last = out + gap + m.group(), m
    return out + inside[last.end() if last else 0 :]


def _is_value(factor: str, is_vector: Callable[[str], bool]) -> bool:
    return "(" in factor or is_vector(re.split(r"[\[(^²³⁴\s]", factor)[0])


def _variance(root: bool) -> Callable[[Span, str, int], Diagnostic]:
    def make(span: Span, inside: str, end: int) -> Diagnostic:
        square = f"mean(({inside} - mean({inside}))^2)"
        return _unknown(
            _to(span, end), "a variance over coordinates is a mean of squares",
            f"√({square})" if root else square,
        )  # fmt: skip

    return make


def _power(span: Span, inside: str, end: int) -> Diagnostic:
    base, exponent = (*_parts(inside), "2")[:2]
    power = f"{bracketed(base)}^{bracketed(exponent)}"
    return _unknown(_to(span, end), "a power is written with `^`", power, safe=True)


def _constant(value: int) -> Callable[[Span, str, int], Diagnostic]:
    def make(span: Span, inside: str, end: int) -> Diagnostic:
        return _unknown(
            _to(span, end), f"a vector of {value}s is the number {value}: every coordinate has it",
            str(value), f"a named one is `vector c ~ N({value}, 0)`", safe=True,
        )  # fmt: skip

    return make


def _base(base: int) -> Callable[[Span, str, int], Diagnostic]:
    def make(span: Span, inside: str, end: int) -> Diagnostic:
        return _unknown(
            _to(span, end), "`log` is the natural logarithm, and there is no other",
            f"(log({inside}) / log({base}))", safe=True,
        )  # fmt: skip

    return make


# What other libraries have a name for, by the functions that there are; `{}` is the argument, in brackets where needed.
_NO_NAME = "has no name here, and is written out"
_SCALE_NOTE = "a mean over coordinates tends to an expectation, so that the layer has a limit"
_FORMULAS: dict[str, tuple[str, str, str]] = {
    "layernorm": (_NO_NAME, "(({} - mean({})) / √(mean(({} - mean({}))^2)))", _SCALE_NOTE),
    "rmsnorm": (_NO_NAME, "({} / √(mean({}^2)))", _SCALE_NOTE),
    "normalize": ("grows as √n: what has a limit is the root of the mean square", "({} / √(mean({}^2)))", _SCALE_NOTE),
    "dropout": (
        "draws anew at each run, and a program draws once, so the network is the one without it", "{}",
        "a mask of its own is `vector r ~ N(0, 1)`, `if Phi(r) < p then 0 else 1 / (1 - p)`",
    ),
    "mish": (_NO_NAME, "({} * tanh(softplus({})))", ""), "softsign": (_NO_NAME, "({} / (1 + abs({})))", ""),
    "tanhshrink": (_NO_NAME, "({} - tanh({}))", ""), "logsigmoid": (_NO_NAME, "(-softplus(-{}))", ""),
    "relu6": (_NO_NAME, "clip({}, 0, 6)", ""), "hardsigmoid": (_NO_NAME, "clip({} / 6 + 1/2, 0, 1)", ""),
    "hardswish": (_NO_NAME, "({} * clip({} / 6 + 1/2, 0, 1))", ""), "expm1": (_NO_NAME, "(exp({}) - 1)", ""),
    "log1p": (_NO_NAME, "log(1 + {})", ""), "rsqrt": (_NO_NAME, "(1 / √({}))", ""),
    "reciprocal": (_NO_NAME, "(1 / {})", ""), "cbrt": (_NO_NAME, "(sign({}) * abs({})^(1/3))", ""),
    **dict.fromkeys(("identity", "linear"), ("is the value itself", "{}", "")),
}  # fmt: skip


def _applied(formula: str, argument: str) -> str:
    """The formula of an argument, without brackets twice around it."""
    made = formula.replace("{}", argument)
    return re.sub(r"(?<=[\w√])\((\([^()]*\))\)", r"\1", made)


def _arithmetic(sign: str) -> Callable[[Span, str, int], Diagnostic | None]:
    def make(span: Span, inside: str, end: int) -> Diagnostic | None:
        parts = _parts(inside)
        if len(parts) != 2:
            return None
        text = f"({bracketed(parts[0])} {sign} {bracketed(parts[1])})"
        return _unknown(_to(span, end), f"`{span.text}` is written with its sign, `{sign}`", text, safe=True)

    return make


def _transposed(span: Span, inside: str, end: int) -> Diagnostic:
    return _unknown(_to(span, end), "a transpose is written `ᵀ` or `^T`", f"{bracketed(inside)}ᵀ", safe=True)


def _whole(formula: str, note: str = "") -> Callable[[Span, str, int], Diagnostic | None]:
    """Whole parts; `formula` has the arguments as {0}, {1}."""

    def make(span: Span, inside: str, end: int) -> Diagnostic | None:
        parts = [bracketed(p) for p in _parts(inside)]
        if len(parts) != formula.count("{1}") // 2 + 1:
            return None
        text = re.sub(r"floor\(\((.*)\)\)", r"floor(\1)", formula.format(*parts))
        return _unknown(_to(span, end), "whole numbers are made by `floor`, of constants alone", text)

    return make


_CALLS: dict[str, Callable[[Span, str, int], Diagnostic | None]] = {
    **dict.fromkeys(("matmul", "mm", "mv", "matvec"), _product),
    "dot": _dot, "inner": _dot, "vdot": _dot, "norm": _norm, "softmax": _softmax,
    **dict.fromkeys(("inv", "trace", "tr", "Tr", "det", "eig", "svd", "pinv"), _of_matrix),
    "sum": _sum, "Σ": _sum, "∑": _sum, **dict.fromkeys(("var", "Var", "variance", "𝕍"), _variance(False)),
    **dict.fromkeys(("std", "Std", "sd", "SD"), _variance(True)), **dict.fromkeys(("cov", "Cov"), _covariance),
    "square": _power, "pow": _power, "power": _power, "zeros": _constant(0),
    "ones": _constant(1), "zeros_like": _constant(0), "ones_like": _constant(1), "log10": _base(10),
    "log2": _base(2), "lg": _base(10), "log_2": _base(2), "log_10": _base(10), "transpose": _transposed,
    **dict.fromkeys(("int", "trunc"), _whole("floor({0})")), "ceil": _whole("(-floor(-{0}))"),
    "mod": _whole("({0} - {1} * floor({0} / {1}))"), "round": _whole("floor({0} + 1/2)"),
    **dict.fromkeys(("add", "plus"), _arithmetic("+")), **dict.fromkeys(("sub", "subtract"), _arithmetic("-")),
    **dict.fromkeys(("mul", "multiply", "hadamard"), _arithmetic("*")),
    **dict.fromkeys(("div", "divide", "true_divide"), _arithmetic("/")),
}  # fmt: skip


def _to(span: Span, end: int) -> Span:
    return Span(span.source, span.start, end)


def _argument(span: Span) -> tuple[str, int]:
    """What stands in the bracket behind a name, and where that closes; '' where there is none."""
    text, at = span.source.text, span.end
    while text[at : at + 1] == " ":
        at += 1
    if text[at : at + 1] not in ("(", "["):
        return "", span.end
    depth = 0
    for i in range(at, min(len(text), at + 500)):
        depth += (text[i] in "([⟨") - (text[i] in ")]⟩")
        if not depth:
            return " ".join(text[at + 1 : i].split()), i + 1
    return "", span.end


def _parts(inside: str) -> list[str]:
    """The arguments of a list with commas, or a semicolon before parameters, outside of brackets."""
    parts, depth = [""], 0
    for c in inside:
        depth += (c in "([⟨") - (c in ")]⟩")
        if c in ",;" and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts]

"""Expressions as text that netsor can read back."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction

from netsor.expr.build import add, mul, power, substitute
from netsor.expr.nodes import (
    MINUS_ONE,
    ONE,
    ZERO,
    Add,
    Apply,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Function,
    Logic,
    Mul,
    Named,
    Number,
    Operations,
    Pow,
    Star,
    Sym,
    is_power_of_two,
    postorder,
    size_beyond,
    split_coefficient,
)
from netsor.expr.rationals import Rounded, split_number

# Binding strengths, loosest first, as in the precedence table of the language reference.
IF, OR, AND, NOT, CMP, SUM, PRODUCT, UNARY, JUXT, POWER, POSTFIX = range(11)
# Fractions of longer numbers are shown as floats.
_MOST_DIGITS = 30
NameOf = Callable[[Sym], str]
Rendered = tuple[str, int]


def number_text(value: Number) -> str:
    """A number as text that netsor reads back exactly."""
    if isinstance(value, int):
        return str(value)
    if float(value) == math.pi:
        return "pi"
    if isinstance(value, Rounded) and not value.error:
        return _rational_text(value)
    return repr(value)


def _rational_text(value: Rounded) -> str:
    """A decimal or a fraction with all its digits; the nearest float where these are many."""
    above, below = value.exact.numerator, value.exact.denominator
    if len(str(above)) > _MOST_DIGITS or len(str(below)) > _MOST_DIGITS or Fraction(repr(value)) == value.exact:
        return repr(value)
    rest = below
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest > 1:
        return f"{above}/{below}"
    with localcontext() as context:
        context.prec = 4 * _MOST_DIGITS
        return str(Decimal(above) / below).lower()


def to_text(root: Expr, name: NameOf = lambda s: str(s.name)) -> str:
    """The expression in the syntax of the language; `name` gives the text of its symbols."""
    done: dict[Expr, Rendered] = {}
    for node in postorder(root):
        done[node] = _render(node, done, name)
    return done[root][0]


def is_builtin(f: Function) -> bool:
    """Whether a definition only stands for a function of the language, so that its derivative can be named."""
    return isinstance(f.body, Call) and f.body.fn == f.name and f.body.children == f.params


def _wide_text(c: Number, k: int) -> str:
    """c · 2^k, which no float holds, as a decimal that is read as that."""
    with localcontext() as context:
        for context.prec in (15, 16, 17):  # noqa: B020 - as many digits as are needed
            text = str((Decimal(c) * Decimal(2) ** k).normalize()).lower()
            if split_number(Fraction(text)) == (c, k):
                break
    return text


def _wrap(item: Rendered, least: int) -> str:
    text, strength = item
    return text if strength >= least else f"({text})"


def _render(node: Expr, done: dict[Expr, Rendered], name: NameOf) -> Rendered:
    match node:
        case Const():
            text = number_text(node.value)
            return text, PRODUCT if "/" in text else UNARY if text.startswith("-") else POSTFIX
        case Sym():
            return name(node), POSTFIX
        case Add():
            return _render_sum(node, done, name)
        case Mul():
            return _render_product(node, done)
        case Pow():
            return _render_power(node, done)
        case Call():
            return f"{node.fn}({', '.join(done[c][0] for c in node.children)})", POSTFIX
        case Named():
            return node.text, POSTFIX
        case Apply():
            return _render_apply(node, done), POSTFIX
        case Cmp():
            return f"{_wrap(done[node.children[0]], SUM)} {node.op} {_wrap(done[node.children[1]], SUM)}", CMP
        case Logic():
            if node.op == "not":
                return f"not {_wrap(done[node.children[0]], CMP)}", NOT
            inner = AND if node.op == "and" else OR
            return f" {node.op} ".join(_wrap(done[c], inner + 1) for c in node.children), inner
        case Cond():
            test, then, other = (done[c][0] for c in node.children)
            return f"if {test} then {then} else {other}", IF
        case Star():
            return _render_star(node, name)
        case _:
            raise TypeError(type(node).__name__)


def _render_sum(node: Expr, done: dict[Expr, Rendered], name: NameOf) -> Rendered:
    text = ""
    for term in node.children:
        c, rest = split_coefficient(term)
        if c < 0:
            flipped = _render_scaled(rest, -c, done, name)
            # netsor reads -a * b as (-a) * b, which is the same product.
            text += f" - {_wrap(flipped, PRODUCT)}" if text else f"-{_wrap(flipped, PRODUCT)}"
        else:
            piece = _wrap(done[term], PRODUCT)
            text += f" + {piece}" if text else piece
    return text, SUM


def _render_scaled(rest: Expr, c: Number, done: dict[Expr, Rendered], name: NameOf) -> Rendered:
    if rest is ONE:
        return _render(Const(c), done, name)
    scaled = mul(Const(c), rest)
    if scaled not in done:
        for inner in postorder(scaled):
            if inner not in done:
                done[inner] = _render(inner, done, name)
    return done[scaled]


def _denominator(f: Expr) -> Expr | None:
    if isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value < 0:
        return power(f.base, Const(-f.exponent.value))
    return None


def _render_product(node: Expr, done: dict[Expr, Rendered]) -> Rendered:
    c, rest = split_coefficient(node)
    factors = rest.children if isinstance(rest, Mul) else (rest,)
    beyond = size_beyond(node)
    above: list[str] = [] if beyond is None else [_wide_text(abs(c), beyond)]
    below: list[str] = []
    for f in factors:
        if is_power_of_two(f):
            continue
        inverse = _denominator(f)
        if inverse is None:
            above.append(_wrap(done[f], JUXT))
        else:
            below.append(_wrap(_render_inverse(inverse, done), JUXT))
    sign = "-" if c < 0 else ""
    if beyond is None and (abs(c) != 1 or not above):
        above.insert(0, number_text(abs(c)))
    text = sign + " * ".join(above)
    if below:
        # Divided one factor at a time, because a / (b * c) would be read as the inverse of a product, another
        # expression.
        return " / ".join([text, *below]), PRODUCT
    # netsor reads -a * b as (-a) * b, the same product, but as a whole it binds like a product.
    return text, UNARY if len(above) == 1 and sign and "/" not in text else PRODUCT


def _render_inverse(inverse: Expr, done: dict[Expr, Rendered]) -> Rendered:
    if inverse in done:
        return done[inverse]
    if isinstance(inverse, Pow):
        return _render_power(inverse, done)
    raise TypeError(type(inverse).__name__)


def _render_power(node: Pow, done: dict[Expr, Rendered]) -> Rendered:
    inverse = _denominator(node)
    if inverse is not None:
        return f"1 / {_wrap(_render_inverse(inverse, done), JUXT)}", PRODUCT
    base, exponent = done[node.base], node.exponent
    if isinstance(exponent, Const) and exponent.value == 0.5:
        inner = base[0] if isinstance(node.base, Sym) and base[0].isidentifier() else f"({base[0]})"
        return f"√{inner}", POWER
    if exponent not in done:
        done[exponent] = _render(exponent, done, str)
    return f"{_wrap(base, POSTFIX)}^{_wrap(done[exponent], POSTFIX)}", POWER


def _render_apply(node: Apply, done: dict[Expr, Rendered]) -> str:
    function = node.function
    total = sum(node.orders)
    marks = ""
    if total:
        marks = "'" * total
        # A function of the language with parameters, as leaky_relu, has its derivative in its first argument.
        if len(function.params) > 1 and not (is_builtin(function) and total == node.orders[0]):
            which = [str(p.name) for p, k in zip(function.params, node.orders, strict=True) for _ in range(k)]
            marks += f"[{', '.join(which)}]"
    args = [done[c][0] for c in node.children]
    head, tail = args[: function.vectors], args[function.vectors :]
    inside = ", ".join(head) + (("; " if head else ";") + ", ".join(tail) if tail else "")
    return f"{function.name}{marks}({inside})"


def _render_star(node: Star, name: NameOf) -> Rendered:
    """ψ* as √n (F(x + d/√n) − F(x)), the only form in which a growing factor may multiply a vector."""
    ahead = substitute(node.body, {node.bound: node.theta})
    here = substitute(node.body, {node.bound: ZERO})
    difference = to_text(add(ahead, mul(MINUS_ONE, here)), name)
    inverse = _denominator(node.theta)
    front = to_text(inverse, name) if inverse is not None else f"1 / {to_text(node.theta, name)}"
    return f"{front} * ({difference})", PRODUCT


Operations.text = to_text

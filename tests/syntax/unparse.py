"""An expression as text that parses back to it, with the fewest brackets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from netsor.syntax import ast
from netsor.syntax.names import PATTERN, RESERVED

# Strengths, loosest first; see the precedence table of the language reference.
EXPR, OR, AND, NOT, SUM, PRODUCT, UNARY, JUXT, POWER, ROOT, POSTFIX = range(11)
# `^T` would be read as the transpose.
_FIRST_NAME = re.compile(PATTERN)

# `sqrt x` would be read as a root.
_ENDS_IN_SQRT = re.compile(r"(?<![\w\u0300-\u036f])sqrt$")


@dataclass(frozen=True, slots=True)
class _Text:
    """What a node reads as: its strength, and whether a bracket behind it would be its argument list."""

    text: str
    strength: int = POSTFIX
    open: bool = False

    def at(self, least: int) -> _Text:
        return self if self.strength >= least else _Text(f"({self.text})")


def unparse(root: ast.Expr | ast.Condition) -> str:
    """The expression in canonical spelling; `parse_expression` gives the same tree again."""
    done: dict[int, _Text] = {}
    for node in reversed(list(ast.walk(root))):  # children first, without recursion

        def part(child: ast.Node, least: int = EXPR) -> _Text:
            return done[id(child)].at(least)

        done[id(node)] = _render(node, part)
    return done[id(root)].text


_Part = Callable[..., _Text]


def _render(node: ast.Node, part: _Part) -> _Text:
    match node:
        case ast.Number():
            return _Text(node.text or repr(node.value))
        case ast.Name():
            return _Text(node.name, open=node.name not in RESERVED)
        case ast.Index():
            return _Text(f"{part(node.base, POSTFIX).text}[{_list(node.indices, part)}]", open=True)
        case ast.Negate():
            return _Text(f"-{part(node.operand, UNARY).text}", UNARY, part(node.operand, UNARY).open)
        case ast.Binary():
            return _binary(node, part)
        case ast.Juxtapose():
            return _juxtapose(part(node.left, POWER), part(node.right, JUXT))
        case ast.MatMul():
            right = part(node.right, JUXT)
            return _Text(f"{part(node.left, POWER).text} @ {right.text}", JUXT, right.open)
        case ast.Transpose():
            operand = part(node.operand, POSTFIX)
            return _Text(f"{operand.text}ᵀ", open=operand.open)
        case ast.Derivative():
            by = f"[{', '.join(name.name for name in node.by)}]" if node.by else ""
            return _Text(f"{part(node.function, POSTFIX).text}{chr(39) * node.order}{by}", open=True)
        case ast.Apply():
            slots = _list(node.args, part) + (f"; {_list(node.scalars, part)}" if node.scalars else "")
            return _Text(f"{part(node.callee, POSTFIX).text}({slots})")
        case ast.Sqrt():
            simple = isinstance(node.operand, (ast.Name, ast.Number, ast.Index, ast.Inner))
            operand = part(node.operand) if simple else _Text(f"({part(node.operand).text})")
            return _Text(f"√{operand.text}", ROOT, operand.open)
        case ast.Inner():
            return _Text(f"⟨{part(node.left).text}, {part(node.right).text}⟩")
        case ast.ListLiteral():
            return _Text(f"[{_list(node.items, part)}]", EXPR)
        case ast.Range():
            return _Text(f"{part(node.low, SUM).text}..{part(node.high, SUM).text}")
        case ast.Sum():
            return _Text(f"sum({node.index.name} in {part(node.range).text}: {part(node.body).text})")
        case ast.If():
            test, value, other = (part(p).text for p in (node.test, node.value, node.other))
            return _Text(f"if {test} then {value} else {other}", EXPR)
        case ast.Compare():
            return _Text(f"{part(node.left, SUM).text} {node.op} {part(node.right, SUM).text}", SUM)
        case ast.Logic():
            here, tighter = (AND, NOT) if node.op == "and" else (OR, AND)
            return _Text(f"{part(node.left, here).text} {node.op} {part(node.right, tighter).text}", here)
        case ast.Not():
            return _Text(f"not {part(node.operand, NOT).text}", NOT)
        case _:
            raise TypeError(f"{type(node).__name__} is not an expression")


def _list(nodes: tuple[ast.Expr, ...], part: _Part) -> str:
    return ", ".join(part(node).text for node in nodes)


def _juxtapose(left: _Text, right: _Text) -> _Text:
    first = left.text
    if (left.open and right.text.startswith("(")) or _ENDS_IN_SQRT.search(first):
        first = f"({first})"
    return _Text(f"{first} {right.text}", JUXT, right.open)


def _binary(node: ast.Binary, part: _Part) -> _Text:
    if node.op == "^":
        base = part(node.left, ROOT)
        exponent = _signed(node.right, part, POWER)
        name = _FIRST_NAME.match(exponent.text)
        if name and name.group() == "T":
            exponent = _Text(f"({exponent.text})")
        return _Text(f"{base.text}^{exponent.text}", POWER, exponent.open)
    if node.op in "+-":
        left, right, here = part(node.left, SUM), part(node.right, PRODUCT), SUM
    elif node.op == "*":
        left, right, here = part(node.left, PRODUCT), part(node.right, UNARY), PRODUCT
    else:
        left, right, here = part(node.left, PRODUCT), _signed(node.right, part, POWER), PRODUCT
    op = "⊙" if node.spelling == "⊙" else node.op
    return _Text(f"{left.text} {op} {right.text}", here, right.open)


def _signed(node: ast.Expr, part: _Part, least: int) -> _Text:
    """An exponent or a divisor: it may bear signs, but what they negate must not be looser than `least`."""
    signs = 0
    while isinstance(node, ast.Negate):
        signs += 1
        node = node.operand
    text = part(node, least)
    return _Text("-" * signs + text.text, least, text.open)

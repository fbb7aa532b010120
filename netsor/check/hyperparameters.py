"""How a network depends on its `param` lines: each kept as a symbol, where it does not decide about the structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netsor.check.statements import check_file, new_context
from netsor.core import Program
from netsor.expr import Expr
from netsor.syntax import ast


def with_symbols(
    tree: ast.File, settings: Mapping[str, Any] | None, data: Mapping[str, Any] | None, names: Sequence[str]
) -> tuple[Program, dict[tuple[str, str], Expr]] | None:
    """The program with these parameters as members of 𝒞, and the formulas of laws and factors that depend on them.

    None where it cannot be: a parameter that numbers lines or members, is an index or an entry of data decides about
    the program itself.
    """
    ctx = new_context(tree, settings, data)
    ctx.symbols = frozenset(names)
    program = check_file(ctx)
    return None if program is None else (program, dict(ctx.formulas))

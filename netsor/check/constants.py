"""Arithmetic of numbers outside a program, as in `--set L=2*3`."""

from __future__ import annotations

from netsor.check.context import Context, NeedsInstructions
from netsor.check.fault import Fault
from netsor.check.operands import number
from netsor.check.statements import visit
from netsor.check.steps import run
from netsor.diagnostics import NetsorError, Source
from netsor.diagnostics.catalogue import declarations
from netsor.syntax import ast, parse_expression


def constant_value(source: Source) -> int | float:
    """The value of an expression of numbers; raises NetsorError."""
    node = parse_expression(source)
    ctx = Context(ast.File(None, (), (), span=node.span), pure=True)
    try:
        return run(number(ctx, node, "the value"), lambda inner: visit(ctx, inner))
    except Fault as fault:
        diagnostic = fault.diagnostic
    except NeedsInstructions:
        diagnostic = None
    raise NetsorError(diagnostic or declarations.no_constant(source.text))

"""Arithmetic of numbers outside a program, as in `--set L=2*3`."""

from __future__ import annotations

from netsor.check.emitter import Emitter
from netsor.check.expressions import Expressions
from netsor.check.faults import Fault
from netsor.check.operands import NeedsInstructions
from netsor.diagnostics import Diagnostic, NetsorError, Source
from netsor.syntax import parse_expression


def constant_value(source: Source) -> int | float:
    """The value of an expression of numbers; raises NetsorError."""
    node = parse_expression(source)
    scope = Expressions(Emitter())
    scope.pure = True
    try:
        return scope.number(node, "the value")
    except Fault as fault:
        diagnostic = fault.diagnostic
    except NeedsInstructions:
        diagnostic = None
    raise NetsorError(diagnostic or Diagnostic("E408", f"`{source.text}` is no number"))

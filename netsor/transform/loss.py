"""Loss derivatives χ_t = ℒ'(f_t): a loss is an expression in f and y (D.1.1, Eq. 85)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.expr import (
    HALF,
    MINUS_ONE,
    TWO,
    ZERO,
    Expr,
    add,
    diff,
    evaluate,
    is_singular,
    mul,
    power,
    substitute,
    sym,
    unfold,
)

F, Y = sym("f"), sym("y")
SQUARED = mul(HALF, power(add(F, mul(MINUS_ONE, Y)), TWO))


class Loss:
    """The derivatives of a loss in each of `count` outputs.

    A loss in `f` and `y` alone is summed over several outputs; otherwise it names them `f1`, `y1`, `f2`, …. Raises
    NetsorError (E658) for another variable, and for a loss that is constant or has a jump.
    """

    def __init__(self, expression: Expr | None, count: int):
        loss = SQUARED if expression is None else expression
        self.outputs, self.targets = [F], [Y]
        if count > 1:
            self.outputs = [sym(f"f{j}") for j in range(1, count + 1)]
            self.targets = [sym(f"y{j}") for j in range(1, count + 1)]
            if loss.free <= {F, Y}:
                pairs = zip(self.outputs, self.targets, strict=True)
                loss = add(*(substitute(loss, {F: f, Y: y}) for f, y in pairs))
        unknown = sorted(str(s.name) for s in loss.free - {*self.outputs, *self.targets})
        if unknown:
            known = ", ".join(f"`{s.name}`" for s in (*self.outputs, *self.targets))
            raise NetsorError(derived.bad_loss(f"the loss uses `{unknown[0]}`, which is not one of {known}"))
        self.expression = loss
        self.slopes = [diff(loss, f) for f in self.outputs]
        if all(slope is ZERO for slope in self.slopes):
            raise NetsorError(derived.bad_loss("the loss does not depend on the output, so nothing would be trained"))
        if any(is_singular(unfold(slope)) for slope in self.slopes):
            raise NetsorError(derived.bad_loss("the loss jumps, so it has no derivative in the output"))

    def value(self, outputs: Sequence[float], targets: Sequence[float]) -> float:
        """ℒ of one row."""
        at = dict(zip((*self.outputs, *self.targets), (*outputs, *targets), strict=True))
        return evaluate(unfold(self.expression), at)

    def derivative(self, j: int, outputs: Sequence[Expr], target: Callable[[int], Expr]) -> Expr:
        """∂ℒ/∂f_j at these outputs, with j counted from 0; `target(m)` gives the targets that occur."""
        slope = self.slopes[j]
        at = dict(zip(self.outputs, outputs, strict=True))
        at.update({y: target(m) for m, y in enumerate(self.targets) if y in slope.free})
        return substitute(slope, at)

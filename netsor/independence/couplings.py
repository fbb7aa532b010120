"""The terms of each Ż of a program: Ż^{Wx} = Σ_i a_i Z^{y^i} with a_i = σ_W² E ∂Z^x/∂Ẑ^{Wᵀy^i} (Eq. 65)."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from netsor.core import MatMul, Program
from netsor.deadline import TimeOver
from netsor.diagnostics import NetsorError, Span
from netsor.expr import ZERO, Expr, Sym, canonical, diff, evaluate
from netsor.gaussian import Settings
from netsor.limit import Limit
from netsor.limit.symbols import coefficient

# A coefficient that is zero within its error counts as zero if that error is smaller than this.
_ZERO = 1e-7
_TAGGED = re.compile(r"\('(Ẑ|θ̊|Ż)', '([^']*)'\)")

BACKWARD_FORWARD = "backward with forward"
BACKWARD_BACKWARD = "backward with backward"
FORWARD = "forward with forward"
PROGRAM = "program"


@dataclass(frozen=True)
class Coupling:
    """A term a Z^y of a Ż: `product` = Wx, `partner` = Wᵀy, the coefficient a with its error, or why it is not known.

    `vanishes` is None where the coefficient cannot be computed, or is zero only within a large error.
    """

    product: str
    partner: str
    kind: str
    coefficient: float | None
    error: float | None
    because: str
    span: Span | None = None

    @property
    def vanishes(self) -> bool | None:
        if self.coefficient is None or self.error is None:
            return None
        if self.coefficient == 0 and self.error == 0:
            return True
        if abs(self.coefficient) > self.error:
            return False
        return True if self.error < _ZERO else None

    def as_dict(self) -> dict[str, Any]:
        return {
            "product": self.product, "partner": self.partner, "kind": self.kind, "vanishes": self.vanishes,
            "coefficient": self.coefficient, "error": self.error, "because": self.because,
            "line": self.span.line if self.span else None,
        }  # fmt: skip


def infer_couplings(
    program: Program, forward: Collection[str] | None = None, tol: float = 1e-9, budget: float | None = 60.0
) -> list[Coupling]:
    """One `Coupling` for every pair (Wx, Wᵀy) of MATMULs with the same W where x depends on Wᵀy.

    `forward` names the variables of the forward pass, if the program holds the two passes of a network.
    """
    limit = Limit(program, Settings(tol=tol, budget=budget))
    limit.build_all()
    out: list[Coupling] = []
    for symbol, p in limit.products.items():
        for s in sorted(p.operand.free & limit.products.keys(), key=lambda s: limit.products[s].name):
            q = limit.products[s]
            if q.matrix != p.matrix or q.transposed == p.transposed:
                continue
            slope = canonical(diff(p.operand, s))
            if slope is not ZERO:
                out.append(_coupling(limit, symbol, s, slope, forward))
    return out


def _coupling(limit: Limit, symbol: Sym, partner: Sym, slope: Expr, forward: Collection[str] | None) -> Coupling:
    p, q = limit.products[symbol], limit.products[partner]
    i = limit.program.by_name[p.name]
    kind = PROGRAM
    if forward is not None:
        kind = {(True, True): FORWARD, (False, True): BACKWARD_FORWARD}.get(
            (p.name in forward, q.name in forward), BACKWARD_BACKWARD
        )
    value: float | None
    error: float | None
    why = limit.vanishes(slope)
    if why:
        value, error = 0.0, 0.0
    else:
        try:
            value, error, why = _coefficient(limit, symbol, partner, slope, p.name)
        except NetsorError as fault:
            value, error, why = None, None, fault.diagnostics[0].message
        except TimeOver as fault:
            value, error, why = None, None, str(fault)
    if value is not None:
        # The symbols stand for Ẑ up to a factor; the coefficient is that of Eq. 65, with σ_W² and the derivative in Ẑ
        # itself.
        own = math.sqrt(limit.program.matrix[p.matrix].variance / p.variance)
        scale = p.variance * own * _factor(limit, p.name) / _factor(limit, q.name)
        value, error = scale * value, abs(scale) * (error or 0.0)
    return Coupling(p.name, q.name, kind, value, error, _TAGGED.sub(r"\1^\2", why), i.span)


def _factor(limit: Limit, name: str) -> float:
    """Ẑ^{Wx} as a multiple of the symbol that stands for it."""
    i = limit.program.by_name[name]
    assert isinstance(i, MatMul)
    part = limit.gaussian_part(i)
    return evaluate(part, dict.fromkeys(part.free, 1.0))


def _coefficient(limit: Limit, symbol: Sym, partner: Sym, slope: Expr, name: str) -> tuple[float, float, str]:
    """E ∂Z^x/∂Ẑ^{Wᵀy} with its error, and the method by which it was computed."""
    key = coefficient(limit.products[symbol].name, limit.products[partner].name)
    if key in limit.derivatives:
        before = len(limit.taken)
        found = limit.scalar(key)
        method = limit.taken[-1].result.method if len(limit.taken) > before else "as above"
        return found.value, found.error, method
    result = limit.expectation(slope, f"E ∂Z/∂Ẑ in Ż^{name}", name)
    return result.value, result.error, result.method


def product_text(program: Program, name: str) -> str:
    """A product with its definition, such as `dx = Wᵀ dh`."""
    i = program.by_name[name]
    assert isinstance(i, MatMul)
    return f"{name} = {i.matrix}{'ᵀ' if i.transposed else ''} {i.vector}"

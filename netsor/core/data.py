"""Numbers of the data by name: a ψ says ⟨ξ[1], ξ[2]⟩ and y[1]; `Program.evaluated` has the numbers that they are."""

from __future__ import annotations

from netsor.core.program import DataRef
from netsor.expr import Const, Expr, Named


def data_number(value: float, *refs: DataRef) -> Expr:
    """An entry of the data, or the product of two rows, the same symbol in either order.

    Zero stays a number, for what it multiplies is not in the core.
    """
    if value == 0:
        return Const(value)
    rows = tuple(sorted(refs, key=lambda r: (r.name, r.row)))
    text = str(rows[0]) if len(rows) == 1 else f"⟨{', '.join(map(str, rows))}⟩"
    return Named(rows, text, value)

"""Names for numbers of the data: a ψ contains ⟨ξ[1], ξ[2]⟩ or y[1], and `Program.evaluated` their numbers."""

from __future__ import annotations

from netsor.core.program import DataRef
from netsor.expr import Const, Expr, Named


def data_number(value: float, *refs: DataRef) -> Expr:
    """A name for an entry of the data, or for the product of two rows, in whichever order they are given.

    Zero stays a number, so that what it multiplies drops out of the program.
    """
    if value == 0:
        return Const(value)
    rows = tuple(sorted(refs, key=lambda r: (r.name, r.row)))
    text = str(rows[0]) if len(rows) == 1 else f"⟨{', '.join(map(str, rows))}⟩"
    return Named(rows, text, value)

"""An integrand as a function of few linear forms: φ(h + b) φ(h̃ + b) has three Gaussians and is a pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsor.expr import Add, Const, Expr, Sym, add, mul, postorder, split_coefficient
from netsor.expr.nodes import with_children


def linear_forms(block: Expr, gaussians: frozenset[Sym], symbols: Sequence[Sym]) -> tuple[Expr, list[Sym], np.ndarray]:
    """The integrand in new symbols u = A z, and A, where it takes fewer of them; else the integrand as it is.

    Forms are equal up to a factor; constants stay in the integrand.
    """
    position = {s: i for i, s in enumerate(symbols)}
    found: dict[tuple[float, ...], Sym] = {}

    def form(e: Expr) -> Expr | None:
        """c₀ + c·u for an affine expression with numeric coefficients."""
        row = np.zeros(len(symbols))
        rest: list[Expr] = []
        for term in e.children if isinstance(e, Add) else (e,):
            c, s = split_coefficient(term)
            if isinstance(s, Sym) and s in position:
                row[position[s]] = c
            elif not (s.free & gaussians):
                rest.append(term)
            else:
                return None
        lead = row[np.flatnonzero(row)[0]]
        symbol = found.setdefault(tuple(row / lead), Sym(("form", len(found))))
        return add(mul(Const(float(lead)), symbol), *rest)

    done: dict[Expr, Expr] = {}
    for node in postorder(block):
        if isinstance(node, (Add, Sym)) and node.free & gaussians:
            made = form(node)
            if made is not None:
                done[node] = made
    for node in postorder(block):
        if node not in done:
            done[node] = with_children(node, tuple(done[c] for c in node.children))
    made = done[block]
    used = [s for s in found.values() if s in made.free]
    if len(used) >= len(symbols) or any(s in made.free for s in symbols):
        return block, list(symbols), np.eye(len(symbols))
    rows = [row for row, s in found.items() if s in made.free]
    return made, used, np.array(rows)

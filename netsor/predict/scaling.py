"""Networks that scale with their inputs: f(c ξ) = c^p f(ξ) for c > 0, whatever the weights, and f(−ξ) = ±f(ξ).

Rows that are multiples of each other then have outputs that are, so that kernels on them are singular, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from netsor.core import InputRef, MatMul, Nonlin, Program
from netsor.expr import WIDTH, Const, Expr, Sym, mul, power, substitute, unfold
from netsor.expr.parity import parity
from netsor.gaussian.symbolic.degrees import homogeneous_degrees

_SCALE = Sym("the scale of the inputs")


@dataclass(frozen=True)
class Scaling:
    """The degree p, and the sign that −ξ gives to the outputs; None where that is not known."""

    degree: int
    sign: int | None

    def factor(self, c: float) -> float:
        """f(c ξ)/f(ξ); c is negative only where the sign is known."""
        size = float(abs(c)) ** self.degree
        return size * (self.sign or 1) if c < 0 else size


def infer_scaling(network: Program) -> Scaling | None:
    """How all outputs scale with the inputs together, as far as every line of the program shows it."""
    degrees: dict[str, int | None] = {}
    signs: dict[str, int | None] = {}
    for e in network.embeddings:
        own = isinstance(e.source, InputRef)
        degrees[e.name], signs[e.name] = int(own), -1 if own else 1
    for group in network.groups:
        for name in group.names:
            degrees[name], signs[name] = 0, 1
    for constant in network.constants:
        degrees[constant.name], signs[constant.name] = 0, 1
    for i in network.instructions:
        if isinstance(i, MatMul):
            degrees[i.name], signs[i.name] = degrees[i.vector], signs[i.vector]
        else:
            psi = unfold(i.psi)
            names = [*i.vectors, *i.scalars]
            degrees[i.name] = _degree(psi, names, degrees)
            signs[i.name] = _sign(psi, names, signs)
            if not isinstance(i, Nonlin) and not names:
                degrees[i.name], signs[i.name] = 0, 1
    found = {_sum(degrees[v], degrees[x]) for r in network.readouts for _, v, x in r.terms}
    if len(found) != 1 or (degree := found.pop()) is None:
        return None
    turned = {_product(signs[v], signs[x]) for r in network.readouts for _, v, x in r.terms}
    return Scaling(degree, turned.pop() if len(turned) == 1 else None)


def _degree(psi: Expr, names: list[str], degrees: dict[str, int | None]) -> int | None:
    if WIDTH in psi.free or any(degrees.get(name) is None for name in names):
        return None
    scaled: dict[Sym, Expr] = {}
    for name in names:
        degree = degrees[name]
        if degree:
            scaled[Sym(name)] = mul(power(_SCALE, Const(degree)), Sym(name))
    found = homogeneous_degrees(substitute(psi, scaled), (_SCALE,))
    return None if found is None else found[0]


def _sign(psi: Expr, names: list[str], signs: dict[str, int | None]) -> int | None:
    if WIDTH in psi.free or any(signs.get(name) is None for name in names):
        return None
    return parity(psi, frozenset(Sym(name) for name in names if signs[name] == -1))


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _product(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a * b

"""The limit of a ψ by its expansions: for each case of the signs that they depend on, with the layers about jumps."""

from __future__ import annotations

from netsor.expr.asymptotics import Diverges
from netsor.expr.build import add
from netsor.expr.canonical import canonical
from netsor.expr.cases import Signs, case, split
from netsor.expr.differentiate import unfold
from netsor.expr.expansion import Unsettled
from netsor.expr.functions import TooSingular
from netsor.expr.layers import Layer, Place
from netsor.expr.nodes import ZERO, Expr
from netsor.expr.onesided import OneSided, Source, Split, root_of_width


def one_sided_limit(psi: Expr, source: Source) -> Expr | None:
    """The limit of ψ for n → ∞ where an argument tends to a kink, a jump or a root; None where none does.

    Raises `Unsettled` where the limit depends on terms that `source` does not give, and `Diverges` where ψ grows.
    """
    value, met = limit_by_expansion(psi, source)
    return value if met else None


def limit_by_expansion(psi: Expr, source: Source) -> tuple[Expr, bool]:
    """The limit of ψ for n → ∞, and whether an argument tends to a kink, a jump or a root; raises the same."""
    met = False
    psi = unfold(psi)

    def under(signs: Signs) -> tuple[Expr, dict[Place, set[float]]]:
        """The limit under signs, and the places at their ends about which a layer is still to be added."""
        nonlocal met
        work = OneSided(source, signs)
        try:
            found = work.of(psi, 0.0)
            if found.terms and found.terms[0][0] < 0:
                work.refuse_growth(found.terms[0][1], -found.terms[0][0])
        except Split as at:
            (then, after), (other, before) = (under(split(at.u, signs, positive)) for positive in (True, False))
            value, places = case(at.u, then, other), _joined(after, before)
        except TooSingular as fault:
            raise Unsettled from fault
        else:
            if min(found.rest, found.inside + work.thin) <= 0:
                raise Unsettled
            value, places = found.at(0.0), work.exchanged
        met |= work.met
        ends = {}
        for place, thicknesses in places.items():
            if place[0] in signs:
                low, high = signs[place[0]]
                if low <= place[1] <= high:
                    ends[place] = thicknesses
                continue
            value = add(value, about(place, thicknesses, signs))
        return value, ends

    def about(place: Place, thicknesses: set[float], signs: Signs) -> Expr:
        """What the layers about a place add to the limit under signs."""
        total: list[Expr] = []
        for thickness in thicknesses:
            layer = Layer(place, thickness)
            # The layer itself is of the measure ε^thickness.
            terms = {p + thickness: canonical(c) for p, c in within(layer, signs).items() if p + thickness <= 0}
            for p in sorted(terms):
                mass = layer.mass(terms[p])
                if p < 0 and mass is not ZERO:
                    raise Diverges(root_of_width(-p), grows=True)
                if terms[p] is not ZERO and (p < 0 or len(thicknesses) > 1):
                    raise Unsettled
                total.append(mass)
        return add(*total)

    def within(layer: Layer, signs: Signs) -> dict[float, Expr]:
        """The terms of ψ in a layer."""
        work = OneSided(source, signs, layer)
        try:
            found = work.of(psi, 0.0)
        except Split as at:
            above, below = (within(layer, split(at.u, signs, positive)) for positive in (True, False))
            return {p: case(at.u, above.get(p, ZERO), below.get(p, ZERO)) for p in {**above, **below}}
        except TooSingular as fault:
            raise Unsettled from fault
        if found.rest <= -layer.thickness:
            raise Unsettled
        return dict(found.terms)

    return canonical(under({})[0]), met


def _joined(a: dict[Place, set[float]], b: dict[Place, set[float]]) -> dict[Place, set[float]]:
    return {place: a.get(place, set()) | b.get(place, set()) for place in {**a, **b}}

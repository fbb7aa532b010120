"""The order of methods for an expectation under many laws; the last one applies to everything.

    one variable      closed form · homogeneity · trapezoidal grid · panels · law by law
    f(u) g(v)         closed form · angle of the pair · Mehler's series · panels · law by law
    F(u, …) G(v, …)   closed form · Laplace transforms · contraction of two smooth sides · law by law

A method applies to some laws and gives an infinite error for the others, which go to the next method. In place of the
last one, functions of many variables without a formula are means over points, see
`netsor.gaussian.vectorized.replicates`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from netsor.expr import Expr, Sym
from netsor.gaussian.arithmetic.bounded import Bounded
from netsor.gaussian.existence.integrability import integrable
from netsor.gaussian.problem import Method
from netsor.gaussian.vectorized.arccosine import arc_cosine
from netsor.gaussian.vectorized.closed import closed_form
from netsor.gaussian.vectorized.contraction import contraction
from netsor.gaussian.vectorized.each import each
from netsor.gaussian.vectorized.kinked import kinked
from netsor.gaussian.vectorized.laplace import laplace_sum
from netsor.gaussian.vectorized.laws import Laws, Rule
from netsor.gaussian.vectorized.mehler import MehlerSeries, hermite_coefficients, smooth_sides
from netsor.gaussian.vectorized.panels import panels
from netsor.gaussian.vectorized.single import grid, homogeneous_moment

# What a method needs of one side alone: a key, the symbols, and an integrand or a function of the law of that side.
Part = tuple[tuple[object, ...], frozenset[Sym], Expr | Callable[[Laws], Any]]


@dataclass(frozen=True)
class Way:
    """The name of a method, what it needs of one side alone, and its rule."""

    name: str
    parts: tuple[Part, ...]
    run: Callable[[Laws, Sequence[Any]], Bounded]


# The names of the methods, in the order in which they are tried.
ORDER = (
    "closed form", "homogeneity", "angle", "grid", "Laplace transforms", "Mehler's series", "panels", "contraction",
    Method.QMC.value, "law by law",
)  # fmt: skip
# F and its variables.
Side = tuple[Expr, Sequence[Sym]]


def ways(block: Expr, symbols: Sequence[Sym], split: tuple[Side, Side] | None = None) -> Iterator[Way]:
    """The methods for E block, in order; `split` are F and G of two examples with block = F G, if there are such.

    Array rules are used for expectations that exist under every law; for others `expect` is called for each law.
    """
    if integrable(block, frozenset(symbols)) is not True:
        yield _alone("law by law", each(block, symbols))
        return
    for name, make in (
        ("closed form", closed_form), ("homogeneity", homogeneous_moment), ("angle", arc_cosine), ("grid", grid),
        ("Laplace transforms", laplace_sum),
    ):  # fmt: skip
        rule = make(block, symbols)
        if rule is not None:
            yield _alone(name, rule)
    series = _series(block, symbols)
    yield from series
    yield from _panels(block, symbols)
    if split is not None and not series:
        both = contraction(*split[0], *split[1])
        if both is not None:
            yield _alone("contraction", both)
    yield _alone("law by law", each(block, symbols))


def _alone(name: str, rule: Rule) -> Way:
    return Way(name, (), lambda laws, parts: rule(laws))


def _series(block: Expr, symbols: Sequence[Sym]) -> list[Way]:
    sides = smooth_sides(block, symbols)
    if sides is None:
        return []
    parts = tuple(_coefficients(f, s) for f, s in zip(sides, symbols, strict=True))
    series = MehlerSeries((symbols[0], symbols[1]))
    return [Way("Mehler's series", parts, lambda laws, given: series(laws, *given))]


def _coefficients(f: Expr, u: Sym) -> Part:
    return ("coefficients", f, u), f.free | {u}, lambda laws: hermite_coefficients(f, u, laws)


def _panels(block: Expr, symbols: Sequence[Sym]) -> list[Way]:
    alone = kinked(block, symbols)
    if alone is not None:
        return [_alone("panels", alone)]
    rule = panels(block, symbols)
    if rule is None:
        return []
    parts = tuple((("moment", e, s), frozenset((s,)), e) for e, s in rule.moments)
    return [Way("panels", parts, lambda laws, given: rule(laws, given))]

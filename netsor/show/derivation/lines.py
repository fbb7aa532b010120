"""A derivation as plain data: lines of formulas, each with its rule and its notes; nothing here knows how they look."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from netsor.core import Program
from netsor.expr import ONE, Expr, Function, Sym
from netsor.gaussian import Estimate
from netsor.show.derivation.expectations import Dropped
from netsor.shown import Shown

# The law of more vectors than this is told by its size only, unless all is asked for.
WIDEST_LAW = 4


@dataclass(frozen=True)
class Gaussian:
    """The law N(mean, scale · covariance) of Z's of 𝒱; covariances are numbers or inner products of data."""

    mean: tuple[float, ...]
    covariance: tuple[tuple[Expr, ...], ...]
    scale: Expr = ONE


@dataclass(frozen=True)
class PseudoInverse:
    """C⁺ b of Remark B.6, for several coefficients at once."""

    c: tuple[tuple[Expr, ...], ...]
    b: tuple[Expr, ...]


Form = Expr | Gaussian | PseudoInverse


@dataclass(frozen=True)
class Note:
    """A remark below a line: text with formulas in between."""

    pieces: tuple[str | Expr, ...]


@dataclass(frozen=True)
class Line:
    """left = forms[0] = forms[1] = …, or left → …, or left ~ …; `about` is the variable it is for.

    `depth` 1 is what belongs to the line above; `arrow` writes →; `program` is the scalar as the program names it.
    """

    about: str
    left: tuple[Sym, ...]
    forms: tuple[Form, ...]
    rule: str
    notes: tuple[Note, ...] = ()
    depth: int = 0
    arrow: bool = False
    value: Estimate | None = None
    output: bool = False

    def with_value(self, value: Estimate | None) -> Line:
        return replace(self, value=value)


@dataclass(frozen=True)
class Coefficient:
    """What stands before Z^y in Ż^{Wx}: a formula, or one entry of C⁺ b (Remark B.6)."""

    symbol: Sym
    product: str
    partner: Sym
    formula: Expr | None
    system: PseudoInverse | None = None
    index: int = 0


@dataclass(repr=False)
class Derivation(Shown):
    """The limit of a program line by line; `means`, `covariances` and `coefficients` say what symbols stand for.

    `final` holds the formula of each scalar, `covariance_formula` that of each pair of Ẑ's whose covariance the
    formulas rest on, `reduced` each Z as a function of Ẑ's (Remark B.5), `short` what κ₁, κ₂, … stand for, and
    `in_vectors` integrands in the program's vectors where those of `means`, in Ẑ's, are too long to read;
    `missing` are variables whose lines have no value, since the limit does not exist or, if they are also `unknown`,
    was not computed.
    """

    program: Program
    lines: list[Line]
    functions: list[Function]
    means: dict[Sym, Expr]
    covariances: dict[Sym, tuple[Sym, Sym]]
    covariance_formula: dict[tuple[Sym, Sym], Expr]
    coefficients: dict[Sym, Coefficient]
    final: dict[str, Expr]
    reduced: dict[str, Expr]
    plain: frozenset[str] = frozenset()
    short: dict[Sym, Sym] = field(default_factory=dict)
    in_vectors: dict[Sym, Expr] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()


def names_in(d: Derivation) -> list[str]:
    """The names that a derivation may write, in the program's order: variables, matrices, data, functions, outputs."""
    p = d.program
    named = (*p.matrices, *p.input_matrices, *p.embeddings, *p.constants, *p.data, *p.instructions, *p.outputs)
    found = [*(x for g in p.groups for x in g.names), *(x.name for x in named)]
    for f in d.functions:
        found += [f.name, *(str(s.name) for s in f.params)]
    return list(dict.fromkeys(found))


__all__ = ["Coefficient", "Derivation", "Dropped", "Form", "Gaussian", "Line", "Note", "PseudoInverse", "names_in"]

"""What a block needs from the law: the covariances and scalars that are left after symbolic elimination."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from netsor.expr import ZERO, Expr, Sym, canonical, postorder, substitute
from netsor.gaussian.law import Input, Law
from netsor.gaussian.law.gaussian_law import State
from netsor.gaussian.problem import OutOfRange, Trust, Unsettled
from netsor.gaussian.symbolic.expansion import Gaussians
from netsor.gaussian.symbolic.structure import shape_of

Array = np.ndarray


@dataclass(frozen=True)
class Inputs:
    """Covariances and scalars, with bounds on their errors."""

    symbols: tuple[Sym, ...]
    covariance: Array
    errors: Array
    scalars: dict[Sym, float]
    scalar_errors: dict[Sym, float]

    def state(self) -> State:
        return State.centred(self.symbols, self.covariance)

    def trust(self) -> Trust:
        """How the covariances are meant: exactly, where none has an error."""
        return Trust.ROUNDED if self.errors.any() else Trust.EXACT

    def error(self, i: Input) -> float:
        """The error bound of one input."""
        if isinstance(i, Sym):
            return self.scalar_errors[i]
        return float(self.errors[self.symbols.index(i[0]), self.symbols.index(i[1])])

    def moved(self, i: int, j: int, by: float) -> Inputs:
        c = self.covariance.copy()
        c[i, j] += by
        if i != j:
            c[j, i] += by
        elif c[i, i] < 0:
            c[i, i] = 0.0
        return replace(self, covariance=c)

    def scalar_moved(self, s: Sym, by: float) -> Inputs:
        return replace(self, scalars={**self.scalars, s: self.scalars[s] + by})

    def key(self) -> tuple[Any, ...]:
        """Equal for inputs with equal numbers."""
        return (
            self.covariance.tobytes(),
            self.errors.tobytes(),
            tuple(self.scalars.values()),
            tuple(self.scalar_errors.values()),
        )


@lru_cache(maxsize=50_000)
def _numbered(block: Expr) -> tuple[Expr, dict[Sym, Sym]]:
    """A block with its symbols numbered in order of occurrence, and the new name of each symbol."""
    names: dict[Sym, Sym] = {s: s for s in block.free if isinstance(s, Sym)}
    # Renaming may change the order of terms; a second pass makes the numbering consistent in nearly all cases.
    for _ in range(2):
        seen = [s for s in postorder(block) if isinstance(s, Sym)]
        numbered = {s: Sym(("variable", i)) for i, s in enumerate(seen)}
        renaming: dict[Sym, Expr] = dict(numbered)
        block = canonical(substitute(block, renaming))
        names = {s: numbered[t] for s, t in names.items()}
    return block, names


def anonymous(block: Expr, inputs: Inputs) -> tuple[Expr, Inputs, dict[Sym, Sym]]:
    """A block and its inputs with numbered symbols, and the symbol that each number stands for.

    Layers, steps and pairs need the same expectations of different variables. With numbered symbols they share compiled
    functions, and results where the numbers are equal.
    """
    block, names = _numbered(block)
    order = sorted(range(len(inputs.symbols)), key=lambda i: names[inputs.symbols[i]].name)
    scalars = sorted(inputs.scalars, key=lambda s: names[s].name)
    meant = {names[s]: s for s in (*inputs.symbols, *scalars)}
    numbered = Inputs(
        tuple(names[inputs.symbols[i]] for i in order),
        inputs.covariance[order][:, order],
        inputs.errors[order][:, order],
        {names[s]: inputs.scalars[s] for s in scalars},
        {names[s]: inputs.scalar_errors[s] for s in scalars},
    )
    return block, numbered, meant


def gather(block: Expr, gaussians: Gaussians, law: Law) -> Inputs:
    """The inputs of a block; a factor that is linear in its variable does not need its variance (Stein's lemma)."""
    shape = shape_of(block, gaussians)
    linear = {s for s, k in shape.polynomial if k == 1}
    for _, items in shape.forms:
        linear -= {s for s, _ in items}
    if shape.exponent is not ZERO:
        linear -= shape.exponent.free
    for _, u in shape.masses:
        linear -= u.free
    for _, argument, _k in shape.trigonometric:
        linear -= argument.free
    symbols = tuple(sorted(block.free & gaussians, key=lambda s: s.digest))
    n = len(symbols)
    c, errors = np.zeros((n, n)), np.zeros((n, n))
    for i, a in enumerate(symbols):
        for j, b in enumerate(symbols[: i + 1]):
            if i == j and a in linear or i != j and law.independent(a, b):
                continue
            found = law.covariance(a, b)
            if not math.isfinite(found.value):
                raise OutOfRange("a covariance is not finite")
            c[i, j] = c[j, i] = found.value
            errors[i, j] = errors[j, i] = abs(found.error)
    for i in range(n):
        if c[i, i] < 0:
            if c[i, i] < -4 * errors[i, i] - 1e-13 * np.abs(c[i]).max():
                raise Unsettled("a variance is negative beyond rounding")
            c[i, i] = 0.0
        if c[i, i] == 0 and symbols[i] not in linear:
            c[i, :] = c[:, i] = 0.0
    if n > 1 and not linear:
        least = float(np.linalg.eigvalsh(c)[0])
        if least < -float(errors.sum(axis=1).max()) * 2 - 1e-12 * float(np.diag(c).max()):
            raise Unsettled("the covariance is indefinite beyond rounding")
    scalars, scalar_errors = {}, {}
    for s in shape.scalars:
        found = law.scalar(s)
        if not math.isfinite(found.value):
            raise OutOfRange("a scalar is not finite")
        scalars[s], scalar_errors[s] = float(found.value), abs(float(found.error))
    return Inputs(symbols, c, errors, scalars, scalar_errors)

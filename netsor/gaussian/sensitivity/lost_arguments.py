"""Jumps whose argument cannot be told from a constant: step(z) where the variance of z is within its own errors.

E step(z) is 1/2 for every positive variance and 0 for none, so that no derivative by the variance or by a coefficient
shows what an error of these does.
"""

from __future__ import annotations

import math

import numpy as np

from netsor.expr import Expr, Sym, add, canonical, diff, evaluate, mul
from netsor.expr.rounding import EPS, running_error
from netsor.gaussian.law.inputs import Inputs
from netsor.gaussian.symbolic.structure import Shape, affine

# A jump farther from the mean than this many standard deviations is not crossed.
_FAR = 12.0


def has_lost_jump(shape: Shape, inputs: Inputs) -> bool:
    """Whether a jump is at an affine argument whose variance may be 0, and lies within its errors of the mean."""
    forms = frozenset(shape.form_symbols)
    for b in shape.breaks:
        parts = affine(b.at, forms) if b.kind == "jump" else None
        if parts is None or not parts[0]:
            continue
        row, doubt = _coefficients(parts[0], shape, inputs)
        deviations = np.sqrt(np.maximum(np.diag(inputs.covariance), 0.0))
        variance = float(row @ inputs.covariance @ row)
        lost = float(doubt @ deviations)
        uncertain = lost * lost + float(np.abs(row) @ inputs.errors @ np.abs(row))
        if 0 < uncertain >= variance and abs(_value(parts[1], inputs)) <= _FAR * math.sqrt(2 * uncertain):
            return True
    return False


def _coefficients(linear: dict[Sym, Expr], shape: Shape, inputs: Inputs) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients of an affine argument by variable, and bounds on their errors."""
    written: dict[Sym, Expr] = {}
    rows = dict(shape.forms)
    for form, c in linear.items():
        for s, k in rows[form]:
            written[s] = add(written[s], mul(c, k)) if s in written else mul(c, k)
    place = {s: i for i, s in enumerate(inputs.symbols)}
    row, doubt = np.zeros(len(place)), np.zeros(len(place))
    for s, e in written.items():
        row[place[s]] = _value(e, inputs)
        inherited = (abs(_value(diff(e, t), inputs)) * inputs.scalar_errors.get(t, 0.0) for t in e.free)
        doubt[place[s]] = EPS * abs(_value(canonical(running_error(e)), inputs)) + math.fsum(inherited)
    return row, doubt


def _value(e: Expr, inputs: Inputs) -> float:
    return float(evaluate(e, {s: inputs.scalars[s] for s in e.free}))

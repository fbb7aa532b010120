"""Numbers beside the symbols of a derivation, with bounds, from the limit that `netsor eval` takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from netsor.deadline import TimeOver, limited
from netsor.diagnostics import NetsorError
from netsor.expr import Const, Expr, Sym, evaluate
from netsor.gaussian import Estimate, NoNumber, NoPointwiseMeaning, OutOfRange, Settings, Unsettled, expect
from netsor.gaussian.problem import Clock
from netsor.limit import Limit
from netsor.limit.jumps import Jumps
from netsor.limit.stein import stein_coefficients
from netsor.show.derivation.bridge import Bridge
from netsor.show.derivation.data import data_in, value_of
from netsor.show.derivation.lines import WIDEST_LAW, Derivation, Gaussian, Line, Note
from netsor.show.derivation.symbols import COEFFICIENT, COVARIANCE, HAT, LIMIT, MEAN, SHORT, kind, names

_ROUNDING = 4e-16


class Values:
    """The law of a derivation's symbols: the limit's, and scalars that only the derivation has."""

    def __init__(self, derivation: Derivation, limit: Limit):
        self.derivation = derivation
        self.limit = limit
        self.bridge = Bridge(derivation.program, limit)
        self._known: dict[Sym, Estimate] = {}
        self._clock = Clock(limit.settings.budget)
        self._cache: dict[Any, Any] = {}

    def is_gaussian(self, s: Sym) -> bool:
        return self.limit.is_gaussian(s)

    def independent(self, a: Sym, b: Sym) -> bool:
        return self.limit.independent(a, b)

    def covariance(self, a: Sym, b: Sym) -> Estimate:
        return self.limit.covariance(a, b)

    def separated(self, symbols: Sequence[Sym], covariance: Sequence[Sequence[float]] | None) -> dict[Sym, Expr]:
        return self.limit.separated(symbols, covariance)

    def scalar(self, s: Sym) -> Estimate:
        """The value of a scalar symbol of the limit or the derivation; raises Unsettled where no float holds it."""
        if not kind(s):
            return self.limit.scalar(s)
        if s not in self._known:
            self._known[s] = self._value(s)
        found = self._known[s]
        if not math.isfinite(found.value + found.error):
            raise OutOfRange("the number, or its bound, is beyond 1.8e308")
        return found

    def _value(self, s: Sym) -> Estimate:
        match kind(s):
            case "θ̊":
                value = self.limit.moment(names(s)[0])
                return Estimate(float(value.value)) if isinstance(value, Const) else self.limit.estimate(names(s)[0])
            case "⟨⟩":
                return Estimate(value_of(s, self.derivation.program))
            case "E":
                return self.mean(self.derivation.means[s])
            case "Cov":
                return self.hats(*names(s))
            case "a":
                c = self.derivation.coefficients[s]
                if c.system is None:
                    return self.number(c.formula) if c.formula is not None else Estimate(0.0)
                rows = [[self.number(e) for e in row] for row in c.system.c]
                return stein_coefficients(rows, [self.number(e) for e in c.system.b])[c.index].estimate
        raise LookupError(kind(s))

    def hats(self, a: Sym, b: Sym) -> Estimate:
        """Cov of two Ẑ's of the program."""
        scale, found = 1.0, []
        for s in (a, b):
            there = self.bridge.there(s)
            found += [t for t in there.free if self.limit.is_gaussian(t)]
            scale *= evaluate(there, dict.fromkeys(there.free, 1.0))
        if kind(a) != HAT or len(found) < 2:
            return Estimate(0.0)
        c = self.limit.covariance(*found)
        return Estimate(scale * c.value, abs(scale) * c.error)

    def mean(self, integrand: Expr) -> Estimate:
        """E of an integrand of the derivation."""
        settings = replace(self.limit.settings, budget=self._clock.part(0.5))
        result = expect(self.bridge.mapped(integrand), self, settings, cache=self._cache)
        return Estimate(result.value, result.error)

    def number(self, e: Expr) -> Estimate:
        """A formula's value, with what the errors of its symbols can do to it."""
        at = {s: self.scalar(s) for s in sorted(e.free, key=lambda s: s.digest)}
        point = {s: v.value for s, v in at.items()}
        value = evaluate(e, point)
        error = _ROUNDING * (1 + abs(value))
        for s, v in at.items():
            if v.error:
                error += max(abs(evaluate(e, {**point, s: v.value + t}) - value) for t in (v.error, -v.error))
        return Estimate(value, 0.0 if not at else error)

    def of(self, line: Line) -> Estimate | None:
        """The number that a line ends in; None where it is a Z or a law, or shows its number already."""
        s = line.left[0]
        if len(line.left) > 1 or line.forms and isinstance(line.forms[-1], Const):
            return None
        if kind(s) == SHORT:
            return self.scalar(self.derivation.short[s])
        if kind(s) in (LIMIT, COEFFICIENT, COVARIANCE, MEAN):
            return self.scalar(s)
        return None


def _with_data(line: Line, values: Values, told: set[Sym]) -> Line:
    """The line with a note of what the products and entries of data come to that no line before it had."""
    laws = [f for f in line.forms if isinstance(f, Gaussian) and len(f.mean) <= WIDEST_LAW]
    law = [e for f in laws for row in f.covariance for e in row]
    forms = [f for f in line.forms if isinstance(f, Expr)]
    inside = [values.derivation.means[s] for f in forms for s in f.free if kind(s) == MEAN]
    found = dict.fromkeys(s for e in (*law, *forms, *inside) for s in data_in(e) if s not in told)
    told.update(found)
    pieces: list[str | Expr] = []
    for s in found:
        pieces += [", " if pieces else "", s, " = ", Const(values.scalar(s).value)]
    return replace(line, notes=(*line.notes, Note(tuple(pieces)))) if pieces else line


def _with_several(line: Line, values: Values) -> Line:
    """The line of coefficients that are found together (Remark B.6) with a note of what each is."""
    if len(line.left) < 2 or any(kind(s) != COEFFICIENT for s in line.left):
        return line
    pieces: list[str | Expr] = []
    for s in line.left:
        found = values.scalar(s)
        pieces += [", " if pieces else "", s, f" = {value_text(found.value, found.error)}"]
    return replace(line, notes=(*line.notes, Note(tuple(pieces))))


def value_text(value: float, error: float) -> str:
    """A number with its bound."""
    shown = f"{value:.12g}".replace("-", "−")
    return shown if error == 0 else f"{shown} ± {error:.1e}"


def with_numbers(
    d: Derivation, limit: Limit | None = None, tol: float = 1e-8, budget: float | None = 60.0
) -> Derivation:
    """The derivation with a value and its bound on each line that has one."""
    try:
        with limited(budget):
            return _numbered(d, Values(d, limit or Limit(d.program, Settings(tol=tol, budget=budget))))
    except TimeOver as fault:
        # Not even the Z's that the numbers belong to were written down.
        said = Note((f"no numbers: {fault}",))
        lines = [replace(line, notes=(*line.notes, said)) if line is d.lines[-1] else line for line in d.lines]
        every = frozenset(line.about for line in d.lines)
        return replace(d, lines=lines, missing=every, unknown=every)


def _numbered(d: Derivation, values: Values) -> Derivation:
    jumps = Jumps(values.limit)
    lines = []
    told: set[Sym] = set()
    missing: set[str] = set()
    unknown: set[str] = set()
    for line in d.lines:
        try:
            line = _with_data(line, values, told)
            if line.about in d.program.by_name:
                jumps.refuse(line.about)
                values.limit.verify(line.about)
            lines.append(_with_several(line.with_value(values.of(line)), values))
        except NetsorError as fault:
            missing.add(line.about)
            if all(d.code == "E804" for d in fault.diagnostics):
                unknown.add(line.about)
            said = Note((fault.diagnostics[0].message,))
            lines.append(line if said in line.notes else replace(line, notes=(*line.notes, said)))
        except (NoNumber, NoPointwiseMeaning, TimeOver) as fault:
            missing.add(line.about)
            what = "no finite value"
            if isinstance(fault, (Unsettled, TimeOver)):
                what = "not computed"
                unknown.add(line.about)
            lines.append(replace(line, notes=(*line.notes, Note((f"{what}: {fault}",)))))
    return replace(d, lines=lines, missing=frozenset(missing), unknown=frozenset(unknown))

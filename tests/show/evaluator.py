"""The numbers of a derivation from its formulas alone, each expectation under the covariances of its own lines."""

from __future__ import annotations

import numpy as np

from netsor.core import Program
from netsor.expr import Const, Expr, Sym, add, canonical, evaluate, substitute
from netsor.gaussian import FixedLaw, Settings, expect
from netsor.show.derivation import Derivation
from netsor.show.derivation.data import value_of
from netsor.show.derivation.symbols import kind, names


class Evaluator:
    """Values of scalars and expectations, worked out without the interpreter of limits."""

    def __init__(self, derivation: Derivation, tol: float = 1e-9):
        self.d = derivation
        self.settings = Settings(tol=tol, budget=20)
        self.known: dict[Sym, float] = {}

    def scalar(self, name: str) -> float:
        p = self.d.program
        if name in p.constant:
            return p.constant[name].limit
        return self.number(self.d.final[name])

    def number(self, e: Expr) -> float:
        return evaluate(e, {s: self.value(s) for s in e.free})

    def value(self, s: Sym) -> float:
        if s not in self.known:
            self.known[s] = self._value(s)
        return self.known[s]

    def _value(self, s: Sym) -> float:
        match kind(s):
            case "θ̊":
                return self.scalar(names(s)[0])
            case "a":
                c = self.d.coefficients[s]
                if c.system is None:
                    return self.number(c.formula)
                matrix = np.array([[self.number(e) for e in row] for row in c.system.c])
                return float((np.linalg.pinv(matrix, rcond=1e-10) @ [self.number(e) for e in c.system.b])[c.index])
            case "⟨⟩":
                return value_of(s, self.d.program)
            case "Cov":
                return self.covariance(*self.d.covariances[s])
            case "E":
                return self.mean(self.d.means[s])
        raise AssertionError(s)

    def mean(self, integrand: Expr) -> float:
        base = sorted((s for s in integrand.free if kind(s) in ("Z", "Ẑ")), key=lambda s: s.digest)
        moved: dict[Sym, Expr] = {}
        for s in integrand.free:
            if s not in base:
                moved[s] = Const(self.value(s))
            elif kind(s) == "Z":
                moved[s] = add(Const(initial_mean(self.d.program, names(s)[0])), s)
        c = np.array([[self.covariance(a, b) for b in base] for a in base])
        result = expect(canonical(substitute(integrand, moved)), FixedLaw(base, c), self.settings)
        return result.value

    def covariance(self, a: Sym, b: Sym) -> float:
        if kind(a) != kind(b):
            return 0.0
        if kind(a) == "Z":
            return initial_covariance(self.d.program, names(a)[0], names(b)[0])
        formula = self.d.covariance_formula.get((a, b), self.d.covariance_formula.get((b, a)))
        return 0.0 if formula is None else self.number(formula)


def initial_mean(p: Program, x: str) -> float:
    if x in p.group_of:
        g, i = p.group_of[x]
        return g.mean[i]
    return 0.0


def initial_covariance(p: Program, x: str, y: str) -> float:
    if x in p.group_of and y in p.group_of:
        (g, i), (h, j) = p.group_of[x], p.group_of[y]
        return g.covariance[i][j] if g is h else 0.0
    if x in p.embedding and y in p.embedding:
        a, b = p.embedding[x], p.embedding[y]
        if a.matrix == b.matrix:
            return p.input_matrix[a.matrix].variance * float(np.dot(p.row(a), p.row(b)))
    return 0.0

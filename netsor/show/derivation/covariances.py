"""The lines Cov(Ẑ, Ẑ) = … that formulas rest on, and theirs in turn."""

from __future__ import annotations

from netsor.core import MatMul, Program
from netsor.expr import Const, Expr, Sym, mul
from netsor.show.derivation.expectations import Expectations, Worked
from netsor.show.derivation.finals import Finals
from netsor.show.derivation.lines import Coefficient, Line
from netsor.show.derivation.reasons import reasons
from netsor.show.derivation.symbols import COVARIANCE, HAT, VECTOR, kind, names, symbol


class Covariances:
    """The covariances that the formulas of one derivation need."""

    def __init__(self, program: Program, expect: Expectations, finals: Finals, coefficients: dict[Sym, Coefficient]):
        self.program = program
        self.expect = expect
        self.finals = finals
        self.coefficients = coefficients
        self.order = {i.name: k for k, i in enumerate(program.instructions)}

    def add(self, wanted: list[Expr], lines: list[Line]) -> tuple[dict[tuple[Sym, Sym], Expr], list[Line]]:
        """All covariances that the wanted formulas rest on, and the lines with theirs below their MATMULs."""
        order = self.order
        found: dict[tuple[Sym, Sym], tuple[Worked, Expr]] = {}
        seen: set[Sym] = set()
        stack = [s for e in wanted for s in e.free]
        while stack:
            s = stack.pop()
            if s in seen:
                continue
            seen.add(s)
            pairs: list[tuple[Sym, Sym]] = []
            match kind(s):
                case "E":
                    integrand = self.expect.means[s]
                    pairs = list(self.expect.pairs_in(integrand))
                    stack.extend(t for t in integrand.free if kind(t) not in (VECTOR, HAT))
                case "Cov":
                    pairs = [self.expect.covariances[s]]
                case "Ẑ":
                    pairs = [
                        (s, t) for t in seen if kind(t) == HAT and (s is t or not self.expect.bridge.independent(s, t))
                    ]
                case "θ̊" | "a":
                    if s in self.finals.of:
                        stack.extend(self.finals.of[s].free)
                    c = self.coefficients.get(s)
                    if c is not None and c.system is not None:
                        stack.extend(t for e in (*c.system.b, *(e for r in c.system.c for e in r)) for t in e.free)
            for a, b in pairs:
                if kind(a) == kind(b) == VECTOR:
                    continue
                key = (a, b) if order[names(a)[0]] <= order[names(b)[0]] else (b, a)
                if key not in found:
                    worked = self.expect.of_covariance(*key)
                    final = self.finals.inlined(worked.value)
                    found[key] = (worked, final)
                    stack.extend(final.free)
        return {key: final for key, (_, final) in found.items()}, self._placed(found, lines)

    def _placed(self, found: dict[tuple[Sym, Sym], tuple[Worked, Expr]], lines: list[Line]) -> list[Line]:
        order = self.order
        below: dict[str, list[Line]] = {}
        for a, b in sorted(found, key=lambda k: (order[names(k[1])[0]], k[0] is not k[1], order[names(k[0])[0]])):
            worked, final = found[a, b]
            left = symbol(COVARIANCE, a, b)
            x, y = (self.program.by_name[names(s)[0]] for s in (a, b))
            assert isinstance(x, MatMul) and isinstance(y, MatMul)
            direct = mul(symbol(VECTOR, x.vector), symbol(VECTOR, y.vector))
            whole = self.expect.whole(direct)
            self.expect.spell(worked.value, Const(self.program.matrix[x.matrix].variance), direct)
            variance = Const(self.program.matrix[x.matrix].variance)
            chain = (mul(variance, whole), worked.split, worked.value, self.finals.presented(final))
            line = Line(names(b)[0], (left,), chain, "Eq. 64", reasons(worked.dropped, self.expect), depth=1)
            below.setdefault(names(b)[0], []).append(line)
        out: list[Line] = []
        for k, line in enumerate(lines):
            out.append(line)
            last = k + 1 == len(lines) or lines[k + 1].about != line.about
            if last:
                out.extend(below.get(line.about, ()))
        return out

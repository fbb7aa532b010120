"""Definition B.3 for programs of polynomials and exponentials, in forty digits: independent of netsor's own engine.

Every Z is a sum of c · monomial · exp(linear form) in the base variables Ẑ. Products, derivatives and expectations of
such sums are closed: E[p(z) e^{l(z)}] = e^{Var l/2} E[p(z + Cov(z, l))] (completing the square), and expectations of
monomials follow from Isserlis' theorem (Stein's lemma applied to one factor after the other).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import mpmath as mp

# A monomial and an exponent: ((variable, power), …) and ((variable, coefficient), …), both sorted by variable.
Key = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, Fraction], ...]]
CONSTANT: Key = ((), ())
DIGITS = 40


class TooLarge(Exception):
    """The calculation would take too long for a test."""


@dataclass(frozen=True)
class Sum:
    """Σ c · monomial · exp(linear form)."""

    terms: dict[Key, mp.mpf]

    def __add__(self, other: Sum) -> Sum:
        out = dict(self.terms)
        for key, c in other.terms.items():
            out[key] = out.get(key, mp.mpf(0)) + c
        return Sum(out)

    def scaled(self, c: mp.mpf) -> Sum:
        return Sum({key: c * value for key, value in self.terms.items()})

    def __mul__(self, other: Sum) -> Sum:
        if len(self.terms) * len(other.terms) > 4000:
            raise TooLarge
        out: dict[Key, mp.mpf] = {}
        for (p, l), c in self.terms.items():
            for (q, m), d in other.terms.items():
                key = (_merged(p, q), _merged(l, m))
                out[key] = out.get(key, mp.mpf(0)) + c * d
        return Sum(out)

    def diff(self, v: int) -> Sum:
        out: dict[Key, mp.mpf] = {}
        for (p, l), c in self.terms.items():
            powers, linear = dict(p), dict(l)
            if v in powers:
                lower = tuple((w, k - (w == v)) for w, k in p if k - (w == v))
                out[lower, l] = out.get((lower, l), mp.mpf(0)) + c * powers[v]
            if v in linear:
                out[p, l] = out.get((p, l), mp.mpf(0)) + c * _mpf(linear[v])
        return Sum(out)

    @property
    def variables(self) -> set[int]:
        return {v for (p, l), c in self.terms.items() if c for v, _ in (*p, *l)}

    @property
    def degree(self) -> int:
        return max((sum(k for _, k in p) for p, _ in self.terms), default=0)


def _merged(p: tuple, q: tuple) -> tuple:
    out = dict(p)
    for v, k in q:
        out[v] = out.get(v, 0) + k
    return tuple(sorted((v, k) for v, k in out.items() if k))


def _mpf(x: Fraction | int) -> mp.mpf:
    return mp.mpf(x.numerator) / x.denominator if isinstance(x, Fraction) else mp.mpf(x)


def number(x: Fraction | int | mp.mpf) -> Sum:
    return Sum({CONSTANT: x if isinstance(x, mp.mpf) else _mpf(x)})


@dataclass
class Calculus:
    """The base variables, their covariances, and what MATMULs have been taken so far."""

    covariance: dict[tuple[int, int], mp.mpf] = field(default_factory=dict)
    count: int = 0
    # (variable, matrix, transposed, σ², Z of the operand) for every Ẑ of a MATMUL.
    products: list[tuple[int, str, bool, mp.mpf, Sum]] = field(default_factory=list)

    def initial(self, covariance: list[list[Fraction]], mean: list[Fraction]) -> list[Sum]:
        """ZINIT for one group of jointly Gaussian vectors."""
        first = self.count
        self.count += len(mean)
        for i, row in enumerate(covariance):
            for j, c in enumerate(row):
                self.covariance[first + i, first + j] = _mpf(c)
        return [Sum({(((first + i, 1),), ()): mp.mpf(1)}) + number(m) for i, m in enumerate(mean)]

    def matmul(self, matrix: str, transposed: bool, variance: Fraction, z: Sum) -> Sum:
        """Ẑ + Ż by ZHAT and ZDOT (Eqs. 64 and 65)."""
        v = self.count
        self.count += 1
        s2 = _mpf(variance)
        for w, m, t, _, operand in self.products:
            if m == matrix and t == transposed:
                self.covariance[v, w] = self.covariance[w, v] = s2 * self.mean(z * operand)
        self.covariance[v, v] = s2 * self.mean(z * z)
        out = Sum({(((v, 1),), ()): mp.mpf(1)})
        for w, m, t, _, operand in self.products:
            if m == matrix and t != transposed and w in z.variables:
                out = out + operand.scaled(s2 * self.mean(z.diff(w)))
        self.products.append((v, matrix, transposed, s2, z))
        return out

    def mean(self, z: Sum) -> mp.mpf:
        """E of a sum, term by term."""
        if z.degree > 14 or len(z.terms) > 4000:
            raise TooLarge
        total = mp.mpf(0)
        for (p, l), c in z.terms.items():
            if c == 0:
                continue
            var = mp.fsum(_mpf(a) * _mpf(b) * self._cov(v, w) for v, a in l for w, b in l)
            shift = {v: mp.fsum(_mpf(a) * self._cov(v, w) for w, a in l) for v, _ in p}
            total += c * mp.exp(var / 2) * self._moment(p, shift)
        return total

    def _cov(self, v: int, w: int) -> mp.mpf:
        return self.covariance.get((v, w), mp.mpf(0))

    def _moment(self, p: tuple[tuple[int, int], ...], shift: dict[int, mp.mpf]) -> mp.mpf:
        """E Π (z_v + shift_v)^k."""

        @cache
        def moment(powers: tuple[tuple[int, int], ...]) -> mp.mpf:
            if not powers:
                return mp.mpf(1)
            (v, k), rest = powers[0], powers[1:]
            lower = ((v, k - 1), *rest) if k > 1 else rest
            out = shift[v] * moment(lower)
            for w, m in lower:
                c = self._cov(v, w)
                if c:
                    less = tuple((u, j - (u == w)) for u, j in lower if j - (u == w))
                    out += c * m * moment(less)
            return out

        return moment(p)


@dataclass
class Writer:
    """A random program as text, and beside each of its variables what it tends to."""

    rng: random.Random
    lines: list[str] = field(default_factory=list)
    vectors: dict[str, Sum] = field(default_factory=dict)
    scalars: dict[str, mp.mpf] = field(default_factory=dict)
    calculus: Calculus = field(default_factory=Calculus)
    variances: dict[str, Fraction] = field(default_factory=dict)
    outputs: dict[str, mp.mpf] = field(default_factory=dict)

    def fresh(self, stem: str) -> str:
        return f"{stem}{len(self.lines)}"

    def small(self) -> Fraction:
        return Fraction(self.rng.choice([-3, -2, -1, 1, 2, 3]), self.rng.choice([1, 2, 4]))

    def declare(self) -> None:
        rng = self.rng
        for name in ("W", "V")[: rng.choice([1, 1, 2])]:
            self.variances[name] = Fraction(rng.choice([1, 1, 2, 3]), rng.choice([1, 2]))
            self.lines.append(f"matrix {name} ~ N(0, {self.variances[name]}/n)")
        k = rng.choice([1, 2, 2, 3])
        # A product B Bᵀ is positive semidefinite; fewer columns than rows make it singular.
        columns = rng.choice([1, k, k])
        b = [[Fraction(rng.choice([-2, -1, 0, 1, 2]), 2) for _ in range(columns)] for _ in range(k)]
        c = [[sum((x * y for x, y in zip(r, s)), Fraction(0)) for s in b] for r in b]
        mean = [Fraction(rng.choice([0, 0, 0, 1, -1]), 2) for _ in range(k)]
        names = [f"v{i}" for i in range(k)]
        shown = ", ".join("[" + ", ".join(map(str, row)) + "]" for row in c)
        law = f"N([{', '.join(map(str, mean))}], [{shown}])" if k > 1 else f"N({mean[0]}, {c[0][0]})"
        self.lines.append(f"vector {', '.join(names)} ~ {law}")
        self.vectors.update(zip(names, self.calculus.initial(c, mean)))

    def pick(self) -> tuple[str, Sum]:
        name = self.rng.choice(list(self.vectors)[-4:])
        return name, self.vectors[name]

    def coefficient(self) -> tuple[str, mp.mpf]:
        if self.scalars and self.rng.random() < 0.4:
            name = self.rng.choice(list(self.scalars))
            return name, self.scalars[name]
        x = self.small()
        return (f"({x})", _mpf(x))

    def matmul(self) -> None:
        w = self.rng.choice(list(self.variances))
        transposed = self.rng.random() < 0.5
        x, z = self.pick()
        name = self.fresh("h")
        self.vectors[name] = self.calculus.matmul(w, transposed, self.variances[w], z)
        self.lines.append(f"{name} := {w}{'ᵀ' if transposed else ''} {x}")

    def nonlin(self) -> None:
        (x, z), (y, t) = self.pick(), self.pick()
        (a, p), (b, q) = self.coefficient(), self.coefficient()
        name = self.fresh("z")
        kind = self.rng.randrange(6)
        if kind == 0:
            text, value = f"{a} * {x} + {b} * {y}", z.scaled(p) + t.scaled(q)
        elif kind == 1:
            text, value = f"{a} * {x} * {y} + {b}", (z * t).scaled(p) + number(q)
        elif kind == 2:
            text, value = f"{x}^2 - {b} * {y}", z * z + t.scaled(-q)
        elif kind == 3:
            text, value = f"√n (({x} + {y}/√n)^2 - ({x})^2)", (z * t).scaled(mp.mpf(2))
        elif kind == 4:
            cube = f"√n ({a} * ({x} + {y}/√n)^3 - {a} * {x}^3)"
            text, value = cube, (z * z * t).scaled(3 * p)
        else:
            base = list(self.vectors)[0]
            root = self.vectors[base]
            linear = {key: c for key, c in root.terms.items() if key != CONSTANT}
            ((powers, _),) = linear if len(linear) == 1 else (((), ()),)
            if len(powers) != 1:
                return
            c = Fraction(self.rng.choice([-1, 1]), self.rng.choice([2, 4]))
            shift = root.terms.get(CONSTANT, mp.mpf(0))
            bell = Sum({((), ((powers[0][0], c),)): mp.exp(shift * _mpf(c))})
            text, value = f"{a} * {x} * exp(({c}) * {base})", (z * bell).scaled(p)
        if value.degree > 5:
            raise TooLarge
        self.vectors[name] = value
        self.lines.append(f"{name} := {text}")

    def moment(self) -> None:
        (x, z), (y, t) = self.pick(), self.pick()
        name = self.fresh("s")
        self.scalars[name] = self.calculus.mean(z * t)
        self.lines.append(f"{name} := mean({x} * {y})")
        self.outputs[name] = self.scalars[name]

    def function_of_scalars(self) -> None:
        if not self.scalars:
            return
        a, b = (self.rng.choice(list(self.scalars)) for _ in range(2))
        p, q = self.scalars[a], self.scalars[b]
        name = self.fresh("c")
        if self.rng.random() < 0.5:
            text, value = f"{a} / (1 + {b}^2)", p / (1 + q * q)
        else:
            text, value = f"{a} * {b} - {a}", p * q - p
        self.scalars[name] = self.outputs[name] = value
        self.lines.append(f"{name} := {text}")


def random_program(seed: int, length: int = 9) -> tuple[str, dict[str, mp.mpf]]:
    """A program as text and the limits of its outputs in forty digits; TooLarge where that would take long."""
    with mp.workdps(DIGITS):
        w = Writer(random.Random(seed))
        w.declare()
        for _ in range(length):
            w.rng.choice([w.matmul] * 3 + [w.nonlin] * 3 + [w.moment, w.function_of_scalars])()
        w.moment()
        text = "\n".join(["program generated", *w.lines, *(f"output {name}" for name in w.outputs)]) + "\n"
        return text, dict(w.outputs)

"""E as a person works it out: terms, independent factors, what vanishes, Gaussian moments; the rest is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netsor.core import MatMul
from netsor.expr import ONE, ZERO, Const, Expr, Pow, Sym, add, mul, power, split_coefficient
from netsor.show.derivation.algebra import TooMany, count_terms, expanded, factors_of, joined, simplified, size
from netsor.show.derivation.bridge import Bridge
from netsor.show.derivation.data import of_embeddings
from netsor.show.derivation.symbols import COVARIANCE, HAT, MEAN, VECTOR, atoms, is_random, kind, names, symbol

_MOST_TERMS_INSIDE = 3
_HIGHEST_MOMENT = 12
_MOST_TERMS_OF_FUNCTIONS = 3
# Nodes of an integrand beyond which nobody reads it.
_LONGEST_INTEGRAND = 60
# A covariance inside a covariance inside …: beyond this it is named, and worked out on its own.
_DEEPEST = 12


@dataclass(frozen=True)
class Dropped:
    """A part of an expectation that is zero, and why; `about` are the symbols that the reason speaks of."""

    part: Expr
    reason: str
    about: tuple[Sym, ...] = ()


@dataclass(frozen=True)
class Worked:
    """E of an expression: split into expectations of independent factors, worked out, and what was dropped."""

    split: Expr
    value: Expr
    dropped: tuple[Dropped, ...] = ()


class Expectations:
    """E over the Z's of one derivation; `means` and `covariances` say what its symbols stand for."""

    def __init__(self, bridge: Bridge, reduced: dict[str, Expr]):
        self.bridge = bridge
        self.reduced = reduced
        self.means: dict[Sym, Expr] = {}
        self.covariances: dict[Sym, tuple[Sym, Sym]] = {}
        # Integrands in the program's own vectors, where written out in Ẑ's they are too long to read.
        self.in_vectors: dict[Sym, Expr] = {}
        self._of: dict[Expr, tuple[Sym, float]] = {}
        self._worked: dict[Expr, Worked] = {}
        self._pairs: dict[tuple[Sym, Sym], Expr] = {}
        self._depth = 0

    # --- the whole --------------------------------------------------------------------------------------------

    def __call__(self, e: Expr) -> Worked:
        found = self._worked.get(e)
        if found is None:
            found = self._worked[e] = self._work(e)
        return found

    def _work(self, e: Expr) -> Worked:
        if not is_random(e):
            return Worked(e, e)
        try:
            terms = expanded(e, is_random)
        except TooMany:
            if self.bridge.vanishes(e):
                return Worked(ZERO, ZERO, (Dropped(e, "the law is symmetric, and this is odd"),))
            whole = self.named(e)
            return Worked(whole, whole)
        split: list[Expr] = []
        value: list[Expr] = []
        dropped: list[Dropped] = []
        apart = len(terms) <= _MOST_TERMS_OF_FUNCTIONS
        for c, factors in terms:
            scalars = [Const(c), *(f for f in factors if not is_random(f))]
            random = [f for f in factors if is_random(f)]
            gone = self._vanishing(random)
            if gone is not None:
                dropped.append(Dropped(mul(*random), *gone))
                apart = True
                continue
            blocks = [mul(*b) for b in self._blocks(random)]
            apart = apart or len(blocks) > 1 or any(_is_moment(b) for b in blocks)
            split.append(mul(*scalars, *(self.named(b) for b in blocks)))
            value.append(mul(*scalars, *(self._block(b) for b in blocks)))
        if not apart:
            # Multiplying out would only make it longer: no part of it is simpler than the whole.
            whole = self.named(e)
            return Worked(whole, whole)
        total = self._gathered(add(*value))
        if total is not ZERO and self.bridge.vanishes(e):
            return Worked(ZERO, ZERO, (*dropped, Dropped(add(*split), "the terms cancel")))
        return Worked(add(*split), total, tuple(dropped))

    @staticmethod
    def _gathered(e: Expr) -> Expr:
        """Like terms together; sums of names of scalars stay the factors they are."""
        try:
            return joined(expanded(e, lambda node: bool(atoms(node))))
        except TooMany:
            return e

    def why_zero(self, e: Expr) -> Dropped:
        """Why E of what is known to vanish does, δ's of derivatives included: a factor of it, if there is one."""
        try:
            terms = expanded(e, is_random)
        except TooMany:
            terms = []
        found = [self._vanishing([f for f in factors if is_random(f)]) for _, factors in terms]
        reason, about = found[0] if found and found[0] and None not in found else ("", ())
        return Dropped(e, reason, about)

    def _vanishing(self, random: list[Expr]) -> tuple[str, tuple[Sym, ...]] | None:
        """Why E of a product is zero, and the symbols that the reason is about."""
        # A factor of mean zero by itself is the plainest reason: it goes before oddness.
        products = sorted((mul(*b) for b in self._blocks(random)), key=lambda p: not isinstance(p, Sym))
        for product in products:
            if not self.bridge.gaussians(product):
                if self.bridge.mapped(product) is ZERO:
                    return "it is zero", ()
                continue
            if not self.bridge.vanishes(product):
                continue
            base = tuple(sorted((s for s in product.free if kind(s) in (VECTOR, HAT)), key=lambda s: s.digest))
            if isinstance(product, Sym):
                why = "has mean 0" + (" and is independent of the rest" if len(random) > 1 else "")
                return why, base
            if self.bridge.mapped(product) is ZERO:
                return "it is zero", ()
            return "odd", base
        return None

    def _blocks(self, random: list[Expr]) -> list[list[Expr]]:
        """The factors in groups that are independent of one another, in the order in which they stand."""
        groups: list[list[Expr]] = []
        for f in random:
            touching = [g for g in groups if any(not self.bridge.independent(f, h) for h in g)]
            if not touching:
                groups.append([f])
                continue
            first = touching[0]
            for other in touching[1:]:
                first.extend(other)
                groups.remove(other)
            first.append(f)
        return groups

    # --- one block --------------------------------------------------------------------------------------------

    def _block(self, block: Expr) -> Expr:
        if _is_moment(block):
            return self._moment(tuple(p for p in map(_monomial, factors_of(block)) if p))
        return self.named(block)

    def named(self, block: Expr) -> Expr:
        """E block as a symbol; equal integrands have one symbol, whatever the order of their factors."""
        there = self.bridge.mapped(block)
        if not self.bridge.gaussians(block):
            return block if there.free else there
        c, rest = split_coefficient(there)
        known = self._of.get(rest)
        if known is None:
            s = symbol(MEAN, rest.digest.hex())
            self._of[rest] = (s, c)
            self.means[s] = block
            return s
        s, c0 = known
        return s if c == c0 else mul(Const(c / c0), s)

    def whole(self, integrand: Expr) -> Expr:
        """E of an integrand, scalars in front: to be shown, not to be calculated with."""
        if not is_random(integrand):
            return integrand
        c, rest = split_coefficient(integrand)
        scalars = [f for f in factors_of(rest) if not is_random(f)]
        if c != 1 or scalars:
            return mul(Const(c), *scalars, self.whole(mul(*(f for f in factors_of(rest) if is_random(f)))))
        s = symbol(MEAN, "of", integrand.digest.hex())
        self.means[s] = integrand
        return s

    def spell(self, value: Expr, scale: Expr, direct: Expr) -> None:
        """Of value = scale · E direct: E is spelled in the program's vectors where that is much shorter."""
        s = value if scale is ONE else mul(value, power(scale, Const(-1)))
        if isinstance(s, Sym) and kind(s) == MEAN and size(self.means[s]) > max(_LONGEST_INTEGRAND, 3 * size(direct)):
            self.in_vectors.setdefault(s, direct)

    def _moment(self, powers: tuple[tuple[Sym, int], ...]) -> Expr:
        """E Π X^k for jointly Gaussian X by E[X F] = E X · E F + Σ Cov(X, Y) E ∂F/∂Y (Isserlis)."""
        known: dict[tuple[tuple[Sym, int], ...], Expr] = {}

        def moment(p: tuple[tuple[Sym, int], ...]) -> Expr:
            p = tuple((s, k) for s, k in p if k)
            if not p:
                return ONE
            if p not in known:
                x = p[0][0]
                rest = ((x, p[0][1] - 1), *p[1:])
                out = mul(Const(self.bridge.mean(x)), moment(rest))
                for i, (y, k) in enumerate(rest):
                    if k:
                        less = (*rest[:i], (y, k - 1), *rest[i + 1 :])
                        out = add(out, mul(Const(k), self.covariance(x, y), moment(less)))
                known[p] = simplified(out)
            return known[p]

        return moment(powers)

    # --- covariances ------------------------------------------------------------------------------------------

    def covariance(self, a: Sym, b: Sym) -> Expr:
        """Cov of two base symbols: a number, a short formula, or a symbol for a longer one."""
        key = (a, b) if a.digest <= b.digest else (b, a)
        found = self._pairs.get(key)
        if found is None:
            found = self._pairs[key] = self._covariance(*key)
        return found

    def _covariance(self, a: Sym, b: Sym) -> Expr:
        if a is not b and self.bridge.independent(a, b):
            return ZERO
        if kind(a) == VECTOR and kind(b) == VECTOR:
            embedding = self.bridge.program.embedding
            e, f = (embedding.get(names(s)[0]) for s in (a, b))
            if e is not None and f is not None:
                # One U: independence said so of two.
                variance = self.bridge.program.input_matrix[e.matrix].variance
                return mul(Const(variance), of_embeddings(self.bridge.program, e.name, f.name))
            x, y = self.bridge.gaussians(a), self.bridge.gaussians(b)
            return Const(self.bridge.limit.covariance(x[0], y[0]).value) if x and y else ZERO
        s = symbol(COVARIANCE, a, b)
        self.covariances[s] = (a, b)
        if self._depth >= _DEEPEST:
            return s
        self._depth += 1
        try:
            value = self.of_covariance(a, b).value
        finally:
            self._depth -= 1
        return value if count_terms(value) <= _MOST_TERMS_INSIDE else s

    def of_covariance(self, a: Sym, b: Sym) -> Worked:
        """Cov(Ẑ^{Wx}, Ẑ^{Wy}) = σ_W² E Z^x Z^y (Eq. 64)."""
        x, y = (self.bridge.program.by_name[names(s)[0]] for s in (a, b))
        assert isinstance(x, MatMul) and isinstance(y, MatMul)
        variance = self.bridge.program.matrix[x.matrix].variance
        return self(mul(Const(variance), self.reduced[x.vector], self.reduced[y.vector]))

    def pairs_in(self, e: Expr) -> Iterator[tuple[Sym, Sym]]:
        """The pairs of Ẑ's of one matrix, each with itself too, whose covariances an integrand's law has."""
        hats = sorted((s for s in e.free if kind(s) == HAT), key=lambda s: s.digest)
        for i, a in enumerate(hats):
            for b in hats[: i + 1]:
                if a is b or not self.bridge.independent(a, b):
                    yield (b, a)


def _is_moment(block: Expr) -> bool:
    """Whether a block is a product of Gaussians, few enough for Isserlis' theorem."""
    powers = [_monomial(f) for f in factors_of(block)]
    return all(p is not None for p in powers) and sum(p[1] for p in powers if p) <= _HIGHEST_MOMENT


def _monomial(f: Expr) -> tuple[Sym, int] | None:
    if kind(f) in (VECTOR, HAT):
        return f, 1  # type: ignore[return-value]
    if isinstance(f, Pow) and kind(f.base) in (VECTOR, HAT) and isinstance(f.exponent, Const):
        k = f.exponent.value
        if isinstance(k, int) and k >= 1:
            return f.base, k  # type: ignore[return-value]
    return None

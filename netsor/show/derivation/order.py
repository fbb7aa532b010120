"""The order of factors: names of scalars, expectations, functions of Z's, bare Z's; each as in the program."""

from __future__ import annotations

from netsor.core import Program
from netsor.expr import Add, Expr, Pow, Sym
from netsor.show.derivation.algebra import arranged
from netsor.show.derivation.symbols import COVARIANCE, MEAN, SHORT, is_random, kind, names


class Order:
    """Where the variables of one program stand, for `arrange`."""

    def __init__(self, program: Program, means: dict[Sym, Expr], short: dict[Sym, Sym] | None = None):
        vectors = [v for g in program.groups for v in g.names] + [e.name for e in program.embeddings]
        self.place = {x: k for k, x in enumerate([*vectors, *(i.name for i in program.instructions)])}
        self._means = means
        self._short = short or {}
        self._place_of: dict[Expr, tuple[int, ...]] = {}

    def arrange(self, e: Expr) -> Expr:
        """Factors as one writes them: scalars, expectations, functions of Z's, bare Z's; each in program order."""
        return arranged(e, self._rank)

    def _rank(self, f: Expr) -> tuple[int, ...]:
        base = f.base if isinstance(f, Pow) else f
        match kind(base):
            case "θ̊" | "a":
                group = 0
            case "E" | "Cov" | "κ":
                group = 2
            case "Z" | "Ẑ":
                group = 4
            case _:
                group = 1 if not is_random(f) else 5 if isinstance(base, Add) else 3
        return (group, *self.places(f))

    def places(self, f: Expr) -> tuple[int, ...]:
        """Where the variables of a factor stand in the program."""
        out = self._place_of.get(f)
        if out is None:
            found: set[int] = set()
            for s in f.free:
                if kind(s) == MEAN:
                    found.update(self.places(self._means[s]))
                elif kind(s) == SHORT:
                    found.update(self.places(self._short[s]))
                elif kind(s) == COVARIANCE:
                    found.update(p for t in names(s) for p in self.places(t))
                else:
                    found.add(self.place.get(names(s)[0], -1) if kind(s) else -1)
            out = self._place_of[f] = tuple(sorted(found))
        return out

"""Trained matrices, represented by their products with vectors (Eqs. 73, 79–81, 89, 126).

Each step of SGD adds a few terms of rank one to W, ΔW_s = n^{-3/2} Σ c a bᵀ, so that a program can multiply by W_t
without storing it: each term costs a MOMENT bᵀy/n and a multiple of the vector a.
"""

from __future__ import annotations

from dataclasses import dataclass

from netsor.expr import ZERO, Expr, Sym, add, mul, neg, sym
from netsor.transform.builder import ONE_OVER_ROOT_N, Builder
from netsor.transform.names import member


@dataclass(frozen=True)
class RankOne:
    """The term n^{-3/2} c a bᵀ of a step: c = −η χ σ_W², a = d**g**, b = **h** for **g** = W **h** (Eq. 73)."""

    c: Expr
    a: Expr
    b: Expr


class Weights:
    """W_t for every trained W, represented by W and the steps so far."""

    def __init__(self, builder: Builder):
        self._builder = builder
        self._steps: dict[str, list[tuple[RankOne, ...]]] = {}
        self._theta = builder.names.fresh("θ")
        self._count = 0

    def step(self, updates: dict[str, list[RankOne]]) -> None:
        """W_{t+1} = W_t + ΔW_t, with the terms of ΔW_t for every matrix that changes in this step."""
        for matrix in self._steps.keys() | updates.keys():
            self._steps.setdefault(matrix, []).append(tuple(updates.get(matrix, ())))

    def restart(self) -> None:
        """W_0 again, before any step."""
        self._steps.clear()

    def product(self, matrix: str, transposed: bool, y: Expr, name: str, alone: str | None = None) -> Expr:
        """W_t y = W y + (1/√n) Σ_s Σ c a (bᵀy/n) (Eq. 89), or W_tᵀ y.

        The MATMUL is called `name`, or `alone` where it is the only term.
        """
        return self._sum(matrix, transposed, y, [], self._steps.get(matrix, []), name, alone)

    def difference(
        self, matrix: str, transposed: bool, h: Expr, delta: Expr, name: str, alone: str | None = None
    ) -> Expr:
        """√n (W_{t+1} h_{t+1} − W_t h_t) = W δh_{t+1} + √n ΔW_t h_t + Σ_{s≤t} ΔW_s δh_{t+1} (Eq. 79)."""
        steps = self._steps.get(matrix, [])
        # √n ΔW_t h_t = Σ c a (bᵀh_t/n) (Eq. 80, and 127, 128 where Wᵀ is forward).
        moved = self._terms(steps[-1], transposed, h) if steps else []
        return self._sum(matrix, transposed, delta, moved, steps, name, alone)

    def _sum(
        self, matrix: str, transposed: bool, y: Expr, moved: list[Expr], steps: list[tuple[RankOne, ...]],
        name: str, alone: str | None,
    ) -> Expr:  # fmt: skip
        # Σ_s ΔW_s y = (1/√n) Σ_s Σ c a (bᵀy/n) (Eq. 81).
        since = [term for s in steps for term in self._terms(s, transposed, y)]
        first = self._builder.matmul(name if moved or since else alone or name, matrix, transposed, y)
        # The c are negative in a descent, and a difference with positive terms is easier to read.
        return add(first, *moved, neg(mul(add(*(neg(term) for term in since)), ONE_OVER_ROOT_N)))

    def _terms(self, step: tuple[RankOne, ...], transposed: bool, y: Expr) -> list[Expr]:
        out: list[Expr] = []
        for u in step if y is not ZERO else ():
            a, b = (u.b, u.a) if transposed else (u.a, u.b)
            out.append(mul(u.c, self._theta_of(mul(b, y)), a))
        return [term for term in out if term is not ZERO]

    def _theta_of(self, psi: Expr) -> Expr:
        """The MOMENT bᵀy/n, named `θ[k]` in order of first use."""
        name = member(self._theta, self._count + 1)
        made = self._builder.moment(name, psi)
        if isinstance(made, Sym) and made is sym(name):
            self._count += 1
        return made

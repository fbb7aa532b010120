"""Matrices that training moves, seen through their products with vectors (Eqs. 73, 79–81, 89, 126).

SGD adds to W a few terms of rank one a step, ΔW_s = n^{-3/2} Σ c a bᵀ, so that a program can multiply by W_t without
holding it: each term costs a MOMENT bᵀy/n and a multiple of the vector a.
"""

from __future__ import annotations

from dataclasses import dataclass

from netsor.expr import ZERO, Expr, Sym, add, mul, sym
from netsor.transform.builder import ONE_OVER_ROOT_N, Builder
from netsor.transform.names import member


@dataclass(frozen=True)
class RankOne:
    """The term n^{-3/2} c a bᵀ of a step: c = −η χ σ_W², a = d**g**, b = **h** for **g** = W **h** (Eq. 73)."""

    c: Expr
    a: Expr
    b: Expr


class Weights:
    """W_t for every trained W, as W and the steps taken so far."""

    def __init__(self, builder: Builder):
        self._builder = builder
        self._steps: dict[str, list[tuple[RankOne, ...]]] = {}
        self._theta = builder.names.fresh("θ")
        self._count = 0

    def step(self, updates: dict[str, list[RankOne]]) -> None:
        """W_{t+1} = W_t + ΔW_t, with ΔW_t for every matrix that moves at this step."""
        for matrix in self._steps.keys() | updates.keys():
            self._steps.setdefault(matrix, []).append(tuple(updates.get(matrix, ())))

    def product(self, matrix: str, transposed: bool, y: Expr, name: str, alone: str | None = None) -> Expr:
        """W_t y = W y + (1/√n) Σ_s Σ c a (bᵀy/n) (Eqs. 81, 89), or W_tᵀ y.

        The MATMUL is called `name`, or `alone` where it is all there is.
        """
        if y is ZERO:
            return ZERO
        steps = self._steps.get(matrix, [])
        corrections = [term for s in steps for term in self._terms(s, transposed, y)]
        if not corrections:
            return self._builder.matmul(alone or name, matrix, transposed, y)
        return add(self._builder.matmul(name, matrix, transposed, y), mul(ONE_OVER_ROOT_N, add(*corrections)))

    def moved(self, matrix: str, transposed: bool, h: Expr) -> Expr:
        """√n (W_{t+1} − W_t) h_t = Σ c a (bᵀh_t/n) of the last step (Eq. 80, and 127, 128 where Wᵀ is forward)."""
        steps = self._steps.get(matrix, [])
        return add(*self._terms(steps[-1], transposed, h)) if steps else ZERO

    def _terms(self, step: tuple[RankOne, ...], transposed: bool, y: Expr) -> list[Expr]:
        out = []
        for u in step:
            a, b = (u.b, u.a) if transposed else (u.a, u.b)
            out.append(mul(u.c, self.theta(mul(b, y)), a))
        return [term for term in out if term is not ZERO]

    def theta(self, psi: Expr) -> Expr:
        """The MOMENT bᵀy/n, `θ[k]` in the order in which they are asked for."""
        name = member(self._theta, self._count + 1)
        made = self._builder.moment(name, psi)
        if isinstance(made, Sym) and made is sym(name):
            self._count += 1
        return made

"""Definition B.3, one function for each rule: the limit of each variable of a program.

Every Z is an expression in the base symbols Ẑ (Remark B.5); every limit scalar is a symbol whose value is an
expectation. These functions only write expressions; `netsor.limit.interpreter` computes numbers where they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from netsor.core import MatMul, Moment, Nonlin
from netsor.expr import Expr, Sym, add, as_expr, canonical, diff, mul, substitute
from netsor.expr.infinite_width import at_infinite_width


def ZINIT(mean: Expr, hat: Sym) -> Expr:
    """Z^h of h ∈ 𝒱, as in Setup B.2: its mean plus its centred part Ẑ^h; Ż^h is 0."""
    return add(mean, hat)


def ZNONLIN(i: Nonlin, z: Mapping[str, Expr], scalars: Mapping[str, Expr]) -> Expr:
    """Z^{ψ(x¹,…;θ₁,…)} = ψ(Z^{x¹}, …; θ̊₁, …) (Eq. 62)."""
    return _at_limits(i, z, scalars)


def ZMOMENT(i: Moment, z: Mapping[str, Expr], scalars: Mapping[str, Expr]) -> Expr:
    """The expression whose expectation is θ̊ = E ψ(Z^{x¹}, …; θ̊₁, …) (Eq. 63)."""
    return _at_limits(i, z, scalars)


def ZHAT(variance: float, zx: Expr, zy: Expr) -> Expr:
    """The expression whose expectation is Cov(Ẑ^{Wx}, Ẑ^{Wy}) = σ_W² E Z^x Z^y (Eq. 64)."""
    return mul(as_expr(variance), canonical(mul(zx, zy)))


def ZDOT(
    variance: float, zx: Expr, partners: Sequence[tuple[Sym, Expr]], expectation: Callable[[Sym, Expr], Expr]
) -> Expr:
    """Ż^{Wx} = σ_W² Σ_i Z^{y^i} E ∂Z^x/∂Ẑ^{Wᵀy^i} (Eq. 65).

    `partners` are the (Ẑ^{Wᵀy^i}, Z^{y^i}) on which Z^x depends; `expectation(Ẑ, ∂Z^x/∂Ẑ)` gives the coefficient.
    """
    return add(*(mul(as_expr(variance), expectation(hat, diff(zx, hat)), zy) for hat, zy in partners))


def _at_limits(i: MatMul | Nonlin | Moment, z: Mapping[str, Expr], scalars: Mapping[str, Expr]) -> Expr:
    assert not isinstance(i, MatMul)
    replaced = {Sym(name): z[name] for name in i.vectors} | {Sym(name): scalars[name] for name in i.scalars}
    # 𝒞 is replaced by its limits first: 1/√n is 0 before derivatives are taken, and ψ* is its directional derivative.
    return canonical(substitute(at_infinite_width(i.psi), replaced))

"""The symbols in which a limit is written: Ẑ's, limit scalars θ̊, and the coefficients of Ż's."""

from __future__ import annotations

from netsor.expr import Sym

# Tags first, so that a symbol of a limit never meets a variable of a program.
HAT, SCALAR, COEFFICIENT = "Ẑ", "θ̊", "Ż"


def hat(name: str) -> Sym:
    """Ẑ^h of a member of 𝒱 or of a MATMUL."""
    return Sym((HAT, name))


def scalar(name: str) -> Sym:
    """θ̊ of a scalar of the program."""
    return Sym((SCALAR, name))


def coefficient(product: str, partner: str) -> Sym:
    """σ_W² E ∂Z^x/∂Ẑ^{Wᵀy}, what stands before Z^y in Ż^{Wx} (Eq. 65); `product` names Wx, `partner` names Wᵀy."""
    return Sym((COEFFICIENT, product, partner))


def spell(s: Sym) -> str:
    """A symbol of a limit as a person writes it."""
    tag, *names = s.name if isinstance(s.name, tuple) else ("", s.name)
    if tag == HAT:
        return f"Ẑ^{names[0]}"
    if tag == SCALAR:
        return f"{names[0]}°"
    if tag == COEFFICIENT:
        return f"Ż^{names[0]}_{names[1]}"
    return str(names[0])

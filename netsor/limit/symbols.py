"""The symbols of a limit: Ẑ's, limit scalars θ̊, and the coefficients of Ż's."""

from __future__ import annotations

from netsor.expr import Sym

# Names are tuples with these tags first, so that no symbol of a limit equals a variable of a program.
HAT, SCALAR, COEFFICIENT = "Ẑ", "θ̊", "Ż"


def hat(name: str) -> Sym:
    """Ẑ^h of a member of 𝒱 or of a MATMUL."""
    return Sym((HAT, name))


def scalar(name: str) -> Sym:
    """θ̊ of a scalar of the program."""
    return Sym((SCALAR, name))


def coefficient(product: str, partner: str) -> Sym:
    """E ∂Z^x/∂Ẑ^{Wᵀy}, the coefficient of σ_W² Z^y in Ż^{Wx} (Eq. 65); `product` names Wx, `partner` names Wᵀy."""
    return Sym((COEFFICIENT, product, partner))


def spell(s: Sym) -> str:
    """A symbol of a limit as text for messages."""
    tag, *names = s.name if isinstance(s.name, tuple) else ("", s.name)
    if tag == HAT:
        return f"Ẑ^{names[0]}"
    if tag == SCALAR:
        return f"{names[0]}°"
    if tag == COEFFICIENT:
        return f"Ż^{names[0]}_{names[1]}"
    return str(names[0])

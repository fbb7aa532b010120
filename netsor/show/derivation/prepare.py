"""What an instruction says in the limit, in the program's names: ψ with every θ at its limit, every x as Z^x."""

from __future__ import annotations

from collections.abc import Mapping

from netsor.core import Moment, Nonlin, Program
from netsor.expr import (
    FUNCTIONS,
    WIDTH,
    ZERO,
    Add,
    Apply,
    Call,
    Expr,
    Function,
    Star,
    Sym,
    apply,
    call,
    postorder,
    rewrite,
    substitute,
)
from netsor.expr.asymptotics import Diverges
from netsor.expr.infinite_width import at_infinite_width
from netsor.expr.printing import is_builtin
from netsor.show.derivation.symbols import LIMIT, SCALAR, VECTOR, symbol

_U = Sym("u")


def builtin(name: str) -> Function:
    """A function of the language as a definition, so that its derivatives have names."""
    return Function(name, (_U,), call(name, _U))


def with_named_functions(e: Expr) -> Expr:
    """Functions of the language in one variable as named functions, but for those whose derivatives are as short."""

    def rule(node: Expr) -> Expr:
        if isinstance(node, Call) and len(node.children) == 1 and FUNCTIONS[node.fn].primed != "nowhere":
            return apply(builtin(node.fn), node.children)
        if isinstance(node, Apply) and is_builtin(node.function) and len(node.children) == 1:
            return apply(builtin(node.function.body.payload), node.children, node.orders)
        return node

    return rewrite(e, rule)


def direct_form(i: Nonlin | Moment, program: Program, known: Mapping[str, Expr]) -> Expr:
    """ψ(Z^{x¹}, …; θ̊₁, …); `known` holds scalars that are another scalar or a number, and stand as that."""
    return substitute(with_named_functions(at_infinite_width(i.psi)), _symbols(i, program, known))


def _symbols(i: Nonlin | Moment, program: Program, known: Mapping[str, Expr]) -> dict[Sym, Expr]:
    out: dict[Sym, Expr] = {Sym(x): symbol(VECTOR, x) for x in i.vectors}
    for s in i.scalars:
        c = program.constant.get(s)
        out[Sym(s)] = ZERO if c is not None and c.limit == 0 else known.get(s, symbol(LIMIT, s))
    return out


def vanishing_parts(i: Nonlin | Moment, program: Program) -> list[Expr]:
    """The terms of ψ that a factor such as 1/√n takes to zero, as the program writes them."""
    plain: dict[Sym, Expr] = {Sym(x): symbol(SCALAR, x) for x in (*i.vectors, *i.scalars)}
    gone: dict[Sym, Expr] = {
        Sym(s): ZERO for s in i.scalars if s in program.constant and program.constant[s].limit == 0
    }
    out: list[Expr] = []
    inside = {node for s in postorder(i.psi) if isinstance(s, Star) for node in postorder(s)}
    for node in postorder(i.psi):
        if not isinstance(node, Add) or node in inside:
            continue
        out += [
            substitute(term, plain)
            for term in node.children
            if term.free & {WIDTH, *gone} and _vanishes(term, gone) and _meant(term)
        ]
    return out


def _vanishes(term: Expr, gone: dict[Sym, Expr]) -> bool:
    """Whether a part of an expression tends to zero; it may grow, as n does in n/(n + 1)."""
    try:
        return substitute(at_infinite_width(term), gone) is ZERO
    except Diverges:
        return False


def _meant(term: Expr) -> bool:
    return not any(isinstance(node, Star) for node in postorder(term))


def has_star(i: Nonlin | Moment) -> bool:
    """Whether ψ holds the difference quotient ψ* of Eq. 84."""
    return any(isinstance(node, Star) for node in postorder(i.psi))

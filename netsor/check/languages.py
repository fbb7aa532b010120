"""The smallest of the paper's languages that holds a program."""

from __future__ import annotations

from netsor.core import MatMul, Moment, Nonlin, Program
from netsor.expr import WIDTH

NETSOR, NETSOR_T, NETSOR_T_PLUS = "NETSOR", "NETSOR⊤", "NETSOR⊤⁺"


def infer_language(program: Program) -> str:
    """NETSOR has no transposes and no scalars, NETSOR⊤ no scalars (Def. B.1).

    MOMENTs that only lead to outputs, and readouts, do not count: they ask a question of the program.
    """
    for i in program.instructions:
        if isinstance(i, Nonlin) and (i.scalars or WIDTH in i.psi.free):
            return NETSOR_T_PLUS
        if isinstance(i, Moment) and i.vectors and (i.scalars or WIDTH in i.psi.free):
            return NETSOR_T_PLUS
    asked = {o.scalar for o in program.outputs}
    asked |= {s for i in program.instructions if isinstance(i, Moment) for s in i.scalars}
    if any(isinstance(i, Moment) and i.name not in asked for i in program.instructions):
        return NETSOR_T_PLUS
    if any(isinstance(i, MatMul) and i.transposed for i in program.instructions):
        return NETSOR_T
    return NETSOR

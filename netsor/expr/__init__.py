"""The scalar expressions of the language: immutable shared nodes, exact derivatives, printing and values.

This package imports neither numpy nor scipy, except for `netsor.expr.arrays` and `netsor.expr.array_api`.
"""

from netsor.expr.build import (
    add,
    apply,
    call,
    compare,
    cond,
    logic,
    mul,
    neg,
    numbers,
    power,
    rewrite,
    sqrt,
    star,
    star_quotient,
    substitute,
)
from netsor.expr.canonical import canonical
from netsor.expr.differentiate import diff, star_limit, unfold
from netsor.expr.evaluate import evaluate
from netsor.expr.functions import FUNCTIONS, is_singular
from netsor.expr.nodes import (
    HALF,
    MINUS_ONE,
    ONE,
    TWO,
    WIDTH,
    ZERO,
    Add,
    Apply,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Function,
    Logic,
    Mul,
    Named,
    Pow,
    Star,
    Sym,
    as_expr,
    postorder,
    split_coefficient,
    sym,
)
from netsor.expr.printing import to_text

__all__ = [
    "FUNCTIONS", "HALF", "MINUS_ONE", "ONE", "TWO", "WIDTH", "ZERO", "Add", "Apply", "Call", "Cmp", "Cond", "Const",
    "Expr", "Function", "Logic", "Mul", "Named", "Pow", "Star", "Sym", "add", "apply", "as_expr", "call", "canonical",
    "compare", "cond", "diff", "evaluate", "is_singular", "logic", "mul", "neg", "numbers", "postorder", "power",
    "rewrite", "split_coefficient", "sqrt", "star", "star_limit", "star_quotient", "substitute", "sym", "to_text",
    "unfold",
]

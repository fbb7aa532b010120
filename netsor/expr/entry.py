"""What netsor knows of a function of the language: the type of an entry, and the table that holds them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from netsor.expr.nodes import Expr

Interval = tuple[float, float]
INF = math.inf
REALS: Interval = (-INF, INF)


@dataclass(frozen=True)
class Nonlinearity:
    """What netsor knows of a function of coordinates.

    `partial(args, i)` is the derivative in the i-th argument as an expression (a.e., plus Dirac masses at jumps);
    `breaks` are the arguments at which a function of one variable has a kink or a jump, `jumps` those with a jump;
    `image(*ranges)` bounds the value given bounds of the arguments; `lipschitz` says that it is Lipschitz in all
    arguments on the whole line; `turn` is (s, t) where a smooth function turns within about s of 0 and is straight, to
    rounding, beyond t; `obstacle(*ranges)` says why the function is not pseudo-Lipschitz (Def. B.7) there,
    or is None; `pieces`, where there are any, write the function by `if`, arithmetic and smooth functions;
    `singular` is a Dirac mass or a derivative of one; what does not `folds` stays as it is written at a number;
    `spelled` is another way of writing the function, which takes its place.
    """

    name: str
    value: Callable[..., float]
    partial: Callable[[tuple[Expr, ...], int], Expr]
    arity: tuple[int, int | None] = (1, 1)
    breaks: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()
    parity: Literal["odd", "even", None] = None
    image: Callable[..., Interval] = lambda *ranges: REALS
    lipschitz: bool = False
    turn: tuple[float, float] | None = None
    obstacle: Callable[..., str | None] | None = None
    pieces: Callable[..., Expr] | None = None
    singular: bool = False
    folds: bool = True
    spelled: Callable[..., Expr] | None = None


# By name; `netsor.expr.functions` writes the entries.
FUNCTIONS: dict[str, Nonlinearity] = {}

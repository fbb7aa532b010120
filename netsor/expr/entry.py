"""What netsor knows of a function of the language: the type of an entry, and the table that holds them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from netsor.expr.growth import Series
from netsor.expr.nodes import Add, Cond, Const, Expr, Mul, Sym, postorder

Interval = tuple[float, float]
INF = math.inf
REALS: Interval = (-INF, INF)


class Wave(NamedTuple):
    """f(u) = c (e^{iu} + s e^{−iu})."""

    c: complex
    s: int


class NormalCdf(NamedTuple):
    """f(u) = a Φ(b u) + c, Φ the distribution function of the standard normal law."""

    a: float
    b: float
    c: float


@dataclass(frozen=True)
class Nonlinearity:
    """What netsor knows of a function of coordinates.

    The first four fields are needed; each of the others says more, and its default says that nothing more is known.

    Values: `value` of floats; `array(xp, *args)` of arrays, `xp` being a `netsor.expr.arrays.Library`, or the name of
    the function of `xp` that has the values; `log_array(xp, u)` its logarithm, which does not underflow; `folds` says
    that it is evaluated as soon as its arguments are numbers; `spelled` is another way of writing it, which takes its
    place; `arguments` is how its arguments are called in messages.

    Derivatives: `partial(args, i)` is the derivative in the i-th argument as an expression (a.e., plus Dirac masses at
    jumps); `mass` is k for the k-th derivative of a Dirac mass.

    Kinks: `breaks` are the arguments at which a function of one variable has a kink or a jump, `jumps` those with a
    jump; `pieces`, where there are any, write the function by `if`, arithmetic and smooth functions; `chooses` is the
    comparison by which it takes one of its arguments.

    Sizes: `image(*ranges)` bounds the value given bounds of the arguments; `lipschitz` says that it is Lipschitz in all
    arguments on the whole line, `obstacle(*ranges)` why it is not pseudo-Lipschitz (Def. B.7) there, or None; `growth`
    is a power of the size of its arguments that bounds its own; `over_argument` bounds |f(u)/u| where f(0) = 0 and f is
    smooth and bounded with its derivatives; `keeps_sign` says that it is above 0 where its arguments are.

    Forms: `parity`; `degree` is k with f(t u, …) = t^k f(u, …) for t > 0; `inverse` is the range of a function that
    increases on the whole line and is undone by bisection; `positive_only` says that it has values above 0 alone;
    `quotient(u)` is (above, below) of a function that has its poles where `below` vanishes; `wave` and `normal` write
    it by e^{iu} and by Φ; `times_argument` names g where f(u) = u g(u).

    Far out: `turn` is (s, t) where a smooth function turns within about s of 0 and is straight, to rounding, beyond t;
    `slope` is a where f(u)/u → a for u → ∞ and f(u) tends to a number for u → −∞; `decays` says that it is e^u to first
    order for u → −∞; `series(u, text)` is its asymptotic series.

    Print: `latex` is its command, `fences` stand around the argument in its place; `primed` says where its derivative
    is shown as f': everywhere, in derivations alone, or nowhere since it is well known.
    """

    name: str
    value: Callable[..., float]
    array: str | Callable[..., Any] | None
    partial: Callable[[tuple[Expr, ...], int], Expr]
    arity: tuple[int, int | None] = (1, 1)
    arguments: str = "u"
    log_array: Callable[..., Any] | None = None
    folds: bool = True
    spelled: Callable[..., Expr] | None = None
    mass: int | None = None
    breaks: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()
    pieces: Callable[..., Expr] | None = None
    chooses: Literal[">", "<", None] = None
    image: Callable[..., Interval] = lambda *ranges: REALS
    lipschitz: bool = False
    obstacle: Callable[..., str | None] | None = None
    growth: float = 1.0
    over_argument: float | None = None
    keeps_sign: bool = False
    parity: Literal["odd", "even", None] = None
    degree: int | None = None
    inverse: Interval | None = None
    positive_only: bool = False
    quotient: Callable[[Expr], tuple[Expr, Expr]] | None = None
    wave: Wave | None = None
    normal: NormalCdf | None = None
    times_argument: str | None = None
    turn: tuple[float, float] | None = None
    slope: float | None = None
    decays: bool = False
    series: Callable[[Series, str], Series] | None = None
    latex: str | None = None
    fences: tuple[str, str] | None = None
    primed: Literal["everywhere", "derivations", "nowhere"] = "everywhere"

    @property
    def singular(self) -> bool:
        """Whether it is a Dirac mass or a derivative of one."""
        return self.mass is not None

    @property
    def signature(self) -> str:
        """The function with its arguments, as a person calls it."""
        return f"{self.name}({self.arguments})"

    @property
    def is_piecewise_linear(self) -> bool:
        """Whether it is straight between its kinks and jumps."""
        return self.is_kinked and _has_straight_pieces(self)

    @property
    def is_kinked(self) -> bool:
        """Whether it is written by cases that meet in kinks or jumps."""
        return self.pieces is not None and (bool(self.breaks) or self.arity != (1, 1))

    @property
    def is_periodic(self) -> bool:
        return self.wave is not None or self.quotient is not None

    @property
    def is_tame(self) -> bool:
        """Whether it has a value everywhere, and is bounded there by a power of its argument."""
        return self.growth < INF and not self.positive_only

    @property
    def is_positive(self) -> bool:
        """Whether it is above 0 at every argument."""
        return self.inverse is not None and self.inverse[0] >= 0

    def has_values_on(self, r: Interval) -> bool:
        """Whether it has a value at each argument (its first) between these bounds."""
        return self.quotient is None and (not self.positive_only or r[0] > 0)


@lru_cache(maxsize=256)
def _has_straight_pieces(entry: Nonlinearity) -> bool:
    """Whether the branches of a function are sums and products of its arguments, without powers or other functions."""
    assert entry.pieces is not None
    branches = [entry.pieces(*(Sym(("argument", i)) for i in range(entry.arity[1] or entry.arity[0])))]
    while branches:
        e = branches.pop()
        if isinstance(e, Cond):
            branches += [e.then, e.other]
        elif not all(isinstance(node, (Sym, Const, Add, Mul)) for node in postorder(e)):
            return False
    return True


# By name; `netsor.expr.functions` writes the entries.
FUNCTIONS: dict[str, Nonlinearity] = {}

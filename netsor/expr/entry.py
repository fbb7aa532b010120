"""The type of an entry of the table of functions, which holds all that netsor knows of a function, and the table."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from netsor.expr.balls import Smooth
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
    """f(u) = a Φ(b u) + c, with Φ the standard normal distribution function."""

    a: float
    b: float
    c: float


class Saturation(NamedTuple):
    """f(u) = scale · g(stretch · u) + shift, where g is the function `of`: increasing from 0 to 1, g(−u) = 1 − g(u)."""

    of: str
    scale: float
    stretch: float
    shift: float


@dataclass(frozen=True)
class Nonlinearity:
    """All that netsor knows of a function of coordinates.

    The first four fields are required; the defaults of the others claim nothing.

    Values: `value` is the function on floats; `array(xp, *args)` on arrays, where `xp` is like
    `netsor.expr.arrays.NUMPY`, or the name of the function in `xp`; `log_array(xp, u)` its logarithm, computed without
    underflow; `spelled` is the expression by which it is replaced; `arguments` is the list of its arguments in
    messages.

    Derivatives: `partial(args, i)` is the derivative in the i-th argument as an expression (almost everywhere, plus
    Dirac masses at jumps); `mass` is k for the k-th derivative of a Dirac mass.

    Kinks: `breaks` are the arguments at which a function of one variable has a kink or a jump, `jumps` those of jumps;
    `pieces` writes the function with `if`, arithmetic and smooth functions; `chooses` is the comparison by which the
    function selects one of its arguments.

    Sizes: `image(*ranges)` bounds the value, given bounds of the arguments; `lipschitz` says that it is Lipschitz in
    all arguments on the whole line; `obstacle(*ranges)` is the reason why it is not pseudo-Lipschitz there (Def. B.7),
    or None; `growth` is p where |f(u)| is at most a constant times (1 + |u|)^p; `over_argument` bounds |f(u)/u| where
    f(0) = 0 and f is smooth and bounded together with its derivatives; `keeps_sign` says that f > 0 where its arguments
    are positive.

    Forms: `parity`; `degree` is k where f(t u, …) = t^k f(u, …) for t > 0; `inverse` is the range of a function that is
    increasing on the whole line, and is inverted by bisection; `positive_only` says that it is defined for u > 0 only;
    `quotient(u)` is (numerator, denominator) of a function with poles at the zeros of the denominator; `wave` and
    `normal` express it by e^{iu} and by Φ; `saturation` expresses a function that increases from one number to another
    by the distribution function of a symmetric law; `times_argument` names g where f(u) = u g(u); `difference(u, w)` is
    f(u) − f(w) written without a difference of nearly equal numbers, but for u − w.

    Asymptotics: `turn` is (s, t) where a smooth function varies on the scale s near 0 and is linear, up to rounding,
    for |u| > t; `slope` is a where f(u)/u → a for u → ∞ and f(u) converges for u → −∞; `decays` says that f(u) ~ e^u
    for u → −∞; `series(u, text)` is the asymptotic series.

    Digits: `smooth` is a smooth function in many digits; `reach(|u|)` is −log of the smallest difference between the
    function at ±u and what it tends to.

    Printing: `latex` is its command, and `fences` are delimiters around the argument instead of a command; `primed`
    says where the derivative is written f': everywhere, in derivations only, or nowhere because it is well known.
    """

    name: str
    value: Callable[..., float]
    array: str | Callable[..., Any] | None
    partial: Callable[[tuple[Expr, ...], int], Expr]
    arity: tuple[int, int | None] = (1, 1)
    arguments: str = "u"
    log_array: Callable[..., Any] | None = None
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
    saturation: Saturation | None = None
    times_argument: str | None = None
    difference: Callable[[Expr, Expr], Expr] | None = None
    turn: tuple[float, float] | None = None
    slope: float | None = None
    decays: bool = False
    series: Callable[[Series, str], Series] | None = None
    smooth: Smooth | None = None
    reach: Callable[[float], float] | None = None
    latex: str | None = None
    fences: tuple[str, str] | None = None
    primed: Literal["everywhere", "derivations", "nowhere"] = "everywhere"

    @property
    def singular(self) -> bool:
        """Whether the entry is a Dirac mass or a derivative of one."""
        return self.mass is not None

    @property
    def signature(self) -> str:
        """The function with its arguments, as messages show it."""
        return f"{self.name}({self.arguments})"

    @property
    def is_piecewise_linear(self) -> bool:
        """Whether the function is linear between its kinks and jumps."""
        return self.is_kinked and _has_straight_pieces(self)

    @property
    def is_kinked(self) -> bool:
        """Whether the function is defined by cases, which meet in kinks or jumps."""
        return self.pieces is not None and (bool(self.breaks) or self.arity != (1, 1))

    @property
    def is_periodic(self) -> bool:
        return self.wave is not None or self.quotient is not None

    @property
    def is_tame(self) -> bool:
        """Whether the function has a value everywhere, and is bounded by a power of its argument."""
        return self.growth < INF and not self.positive_only

    @property
    def is_positive(self) -> bool:
        """Whether the function is positive for every argument."""
        return self.inverse is not None and self.inverse[0] >= 0

    def has_values_on(self, r: Interval) -> bool:
        """Whether the function has a value for every (first) argument between these bounds."""
        return self.quotient is None and (not self.positive_only or r[0] > 0)


@lru_cache(maxsize=256)
def _has_straight_pieces(entry: Nonlinearity) -> bool:
    """Whether the pieces of a function are sums and products of its arguments, without powers or other functions."""
    assert entry.pieces is not None
    branches = [entry.pieces(*(Sym(("argument", i)) for i in range(entry.arity[1] or entry.arity[0])))]
    while branches:
        e = branches.pop()
        if isinstance(e, Cond):
            branches += [e.then, e.other]
        elif not all(isinstance(node, (Sym, Const, Add, Mul)) for node in postorder(e)):
            return False
    return True


# Entries by name; filled in by `netsor.expr.functions`.
FUNCTIONS: dict[str, Nonlinearity] = {}

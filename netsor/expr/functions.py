"""The functions of the language, one entry each: value, derivative, kinks, range, growth stand together.

Adding a nonlinearity is adding an entry here; every pass (evaluation, differentiation, Assumption B.8, quadrature)
reads the entry and none knows a function by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from netsor.expr import values
from netsor.expr.build import add, call, compare, cond, mul, neg, power, sqrt
from netsor.expr.entry import FUNCTIONS, INF, REALS, Interval, Nonlinearity
from netsor.expr.nodes import HALF, MINUS_ONE, ONE, TWO, ZERO, Const, Expr
from netsor.expr.values import DEFAULT_LEAK, SELU_ALPHA, SELU_SCALE


def _monotone(f: Callable[[float], float]) -> Callable[[Interval], Interval]:
    def at(x: float) -> float:
        try:
            return f(x)
        except OverflowError:
            return math.copysign(INF, x)
        except ValueError:
            return math.nan

    def image(r: Interval) -> Interval:
        lo, hi = at(r[0]), at(r[1])
        return (-INF if math.isnan(lo) else lo, INF if math.isnan(hi) else hi)

    return image


def density(u: Expr) -> Expr:
    """The standard normal density at u."""
    return mul(Const(1 / math.sqrt(2 * math.pi)), call("exp", mul(Const(-0.5), power(u, TWO))))


def _one(f: Callable[[Expr], Expr]) -> Callable[[tuple[Expr, ...], int], Expr]:
    return lambda args, i: f(args[0])


def _positive(u: Expr, a: Expr, b: Expr) -> Expr:
    return cond(compare(">", u, ZERO), a, b)


def _leak(args: tuple[Expr, ...]) -> Expr:
    return args[1] if len(args) > 1 else Const(DEFAULT_LEAK)


def _leaky_partial(args: tuple[Expr, ...], i: int) -> Expr:
    u = args[0]
    return _positive(u, ONE, _leak(args)) if i == 0 else _positive(u, ZERO, u)


def _leaky_image(r: Interval, slope: Interval = (DEFAULT_LEAK, DEFAULT_LEAK)) -> Interval:
    if slope[0] != slope[1]:
        return REALS
    far = -INF if slope[0] > 0 else INF if slope[0] < 0 else 0.0

    def f(x: float) -> float:
        return x if x > 0 else values.times(x, slope[0]) if x > -INF else far

    ends = [f(r[0]), f(r[1])] + ([0.0] if r[0] < 0 < r[1] else [])
    return min(ends), max(ends)


def _leaky_obstacle(r: Interval, slope: Interval = (DEFAULT_LEAK, DEFAULT_LEAK)) -> str | None:
    return None


def _extreme_partial(op: str) -> Callable[[tuple[Expr, ...], int], Expr]:
    def partial(args: tuple[Expr, ...], i: int) -> Expr:
        others = args[:i] + args[i + 1 :]
        rest = others[0] if len(others) == 1 else call("max" if op == ">" else "min", *others)
        # At a tie the first argument yields, so that max(u, 0) has the derivative of relu, 0 at 0.
        strict = op if i == 0 else op + "="
        return cond(compare(strict, args[i], rest), ONE, ZERO)

    return partial


def _extreme_pieces(op: str) -> Callable[..., Expr]:
    def pieces(first: Expr, *rest: Expr) -> Expr:
        out = first
        for other in rest:
            out = cond(compare(op, out, other), out, other)
        return out

    return pieces


def _clip_partial(args: tuple[Expr, ...], i: int) -> Expr:
    u, lo, hi = args
    below, above = compare("<=", u, lo), compare(">=", u, hi)
    values = ((ZERO, ZERO, ONE), (ONE, ZERO, ZERO), (ZERO, ONE, ZERO))[i]
    return cond(below, values[0], cond(above, values[1], values[2]))


def _gelu_partial(u: Expr) -> Expr:
    return add(call("Phi", u), mul(u, density(u)))


def _silu_partial(u: Expr) -> Expr:
    s = call("sigmoid", u)
    return add(s, mul(u, s, add(ONE, neg(s))))


def _abs_image(r: Interval) -> Interval:
    lo = 0.0 if r[0] <= 0 <= r[1] else min(abs(r[0]), abs(r[1]))
    return lo, max(abs(r[0]), abs(r[1]))


def _wave_image(r: Interval, peak: float) -> Interval:
    """The range of cos(x − peak): its ends, and ±1 where a multiple of π lies between them."""
    if not r[1] - r[0] < 2 * math.pi or max(abs(r[0]), abs(r[1])) > 1e9:
        return -1.0, 1.0
    low, high = ((x - peak) / math.pi for x in r)
    ends = [math.cos(x - peak) for x in r]
    inside = range(math.floor(low), math.ceil(high) + 1)
    ends += [1.0 if k % 2 == 0 else -1.0 for k in inside if low - 1e-9 <= k <= high + 1e-9]
    return max(min(ends) - 1e-9, -1.0), min(max(ends) + 1e-9, 1.0)


def _sqrt_obstacle(r: Interval) -> str | None:
    return None if r[0] > 0 else "the slope of √ is unbounded at 0"


def _exp_obstacle(r: Interval) -> str | None:
    return None if r[1] < INF else "exp is not polynomially bounded"


def _log_obstacle(r: Interval) -> str | None:
    return None if r[0] > 0 else "log has no bound at 0"


def _tan_obstacle(r: Interval) -> str | None:
    return None if -math.pi / 2 < r[0] and r[1] < math.pi / 2 else "tan has poles"


def _jump_obstacle(name: str) -> Callable[[Interval], str | None]:
    def obstacle(r: Interval) -> str | None:
        return None if r[0] > 0 or r[1] < 0 else f"{name} jumps at 0, so it is not pseudo-Lipschitz (Def. B.7)"

    return obstacle


def _entries() -> list[Nonlinearity]:
    smooth_tanh = lambda u: add(ONE, neg(power(call("tanh", u), TWO)))  # noqa: E731
    return [
        Nonlinearity(
            "abs", abs, _one(lambda u: call("sign", u)), breaks=(0.0,), parity="even", image=_abs_image, lipschitz=True,
            pieces=lambda u: _positive(u, u, neg(u)),
        ),
        Nonlinearity(
            "sign", values.sign, _one(lambda u: mul(TWO, call("dirac", u))), breaks=(0.0,), jumps=(0.0,), parity="odd",
            image=_monotone(values.sign), obstacle=_jump_obstacle("sign"),
            pieces=lambda u: _positive(u, ONE, cond(compare("<", u, ZERO), MINUS_ONE, ZERO)),
        ),
        Nonlinearity(
            "step", values.step, _one(lambda u: call("dirac", u)), breaks=(0.0,), jumps=(0.0,),
            image=_monotone(values.step), obstacle=_jump_obstacle("step"), pieces=lambda u: _positive(u, ONE, ZERO),
        ),
        Nonlinearity(
            "relu", values.relu, _one(lambda u: call("step", u)), breaks=(0.0,),
            image=_monotone(values.relu), lipschitz=True, pieces=lambda u: _positive(u, u, ZERO),
        ),
        Nonlinearity(
            "leaky_relu", values.leaky_relu, _leaky_partial, arity=(1, 2),
            breaks=(0.0,), image=_leaky_image, obstacle=_leaky_obstacle,
            pieces=lambda *args: _positive(args[0], args[0], mul(_leak(args), args[0])),
        ),
        Nonlinearity(
            "elu", values.elu, _one(lambda u: _positive(u, ONE, call("exp", u))),
            breaks=(0.0,), image=_monotone(values.elu), lipschitz=True,
            turn=(1.0, 40.0),
            pieces=lambda u: _positive(u, u, add(call("exp", u), MINUS_ONE)),
        ),
        Nonlinearity(
            "selu", values.selu,
            _one(lambda u: _positive(u, Const(SELU_SCALE), mul(Const(SELU_SCALE * SELU_ALPHA), call("exp", u)))),
            breaks=(0.0,), lipschitz=True, turn=(1.0, 40.0),
            image=_monotone(values.selu),
            pieces=lambda u: _positive(
                u, mul(Const(SELU_SCALE), u),
                mul(Const(SELU_SCALE * SELU_ALPHA), add(call("exp", u), MINUS_ONE)),
            ),
        ),
        Nonlinearity(
            "gelu", values.gelu, _one(_gelu_partial), lipschitz=True, turn=(1.0, 9.0),
            image=lambda r: (0.0 if r[0] >= 0 else -0.1701, max(values.gelu(r[1]), 0.0)),
            pieces=lambda u: mul(u, call("Phi", u)),
        ),
        Nonlinearity(
            "silu", values.silu, _one(_silu_partial), lipschitz=True, turn=(2.0, 45.0),
            image=lambda r: (0.0 if r[0] >= 0 else -0.2785, max(values.silu(r[1]), 0.0)),
            pieces=lambda u: mul(u, call("sigmoid", u)),
        ),
        Nonlinearity(
            "softplus", values.softplus, _one(lambda u: call("sigmoid", u)), image=_monotone(values.softplus),
            lipschitz=True, turn=(2.0, 40.0),
        ),
        Nonlinearity(
            "sigmoid", values.sigmoid,
            _one(lambda u: mul(call("sigmoid", u), add(ONE, neg(call("sigmoid", u))))),
            image=_monotone(values.sigmoid), lipschitz=True, turn=(2.0, 40.0),
        ),
        Nonlinearity(
            "tanh", math.tanh, _one(smooth_tanh), parity="odd", image=_monotone(math.tanh), lipschitz=True,
            turn=(1.0, 20.0),
        ),
        Nonlinearity(
            "hardtanh", lambda x: min(max(x, -1.0), 1.0),
            _one(lambda u: cond(compare("<=", u, MINUS_ONE), ZERO, cond(compare(">=", u, ONE), ZERO, ONE))),
            breaks=(-1.0, 1.0), parity="odd", image=_monotone(lambda x: min(max(x, -1.0), 1.0)), lipschitz=True,
            pieces=lambda u: cond(compare("<=", u, MINUS_ONE), MINUS_ONE, cond(compare(">=", u, ONE), ONE, u)),
        ),
        Nonlinearity(
            "clip", values.clip, _clip_partial, arity=(3, 3), lipschitz=True,
            image=lambda r, lo, hi: (min(max(r[0], lo[0]), hi[0]), min(max(r[1], lo[1]), hi[1])),
            pieces=lambda u, lo, hi: cond(compare("<=", u, lo), lo, cond(compare(">=", u, hi), hi, u)),
        ),
        Nonlinearity(
            "erf", math.erf,
            _one(lambda u: mul(Const(2 / math.sqrt(math.pi)), call("exp", neg(power(u, TWO))))),
            parity="odd", image=_monotone(math.erf), lipschitz=True, turn=(1.0, 6.0),
        ),
        Nonlinearity(
            "Phi", values.normal_cdf, _one(density), image=_monotone(values.normal_cdf), lipschitz=True,
            turn=(1.0, 9.0),
        ),
        Nonlinearity(
            "sqrt", math.sqrt, _one(lambda u: mul(HALF, power(u, Const(-0.5)))),
            image=_monotone(lambda x: math.sqrt(max(x, 0.0))), obstacle=_sqrt_obstacle, spelled=sqrt,
        ),
        Nonlinearity(
            "exp", values.exponential, _one(lambda u: call("exp", u)), image=_monotone(values.exponential),
            obstacle=_exp_obstacle,
        ),
        Nonlinearity(
            "log", math.log, _one(lambda u: power(u, MINUS_ONE)), obstacle=_log_obstacle,
            image=lambda r: (math.log(r[0]) if r[0] > 0 else -INF, math.log(r[1]) if 0 < r[1] < INF else INF),
        ),
        Nonlinearity(
            "sin", math.sin, _one(lambda u: call("cos", u)), parity="odd", lipschitz=True, turn=(1.0, INF),
            image=lambda r: _wave_image(r, math.pi / 2),
        ),
        Nonlinearity(
            "cos", math.cos, _one(lambda u: neg(call("sin", u))), parity="even", lipschitz=True, turn=(1.0, INF),
            image=lambda r: _wave_image(r, 0.0),
        ),
        Nonlinearity(
            "tan", math.tan, _one(lambda u: add(ONE, power(call("tan", u), TWO))), parity="odd", obstacle=_tan_obstacle,
        ),
        Nonlinearity(
            "atan", math.atan, _one(lambda u: power(add(ONE, power(u, TWO)), MINUS_ONE)), parity="odd",
            image=_monotone(math.atan), lipschitz=True, turn=(1.0, INF),
        ),
        Nonlinearity(
            "max", max, _extreme_partial(">"), arity=(2, None), lipschitz=True, pieces=_extreme_pieces(">"),
            image=lambda *rs: (max(r[0] for r in rs), max(r[1] for r in rs)),
        ),
        Nonlinearity(
            "min", min, _extreme_partial("<"), arity=(2, None), lipschitz=True, pieces=_extreme_pieces("<"),
            image=lambda *rs: (min(r[0] for r in rs), min(r[1] for r in rs)),
        ),
        # The unit mass at 0: no function of coordinates, only an integrand of a limit.
        Nonlinearity(
            "dirac", lambda x: 0.0 if x != 0 else INF, _one(lambda u: call("dirac'", u)), parity="even",
            singular=True, folds=False, obstacle=lambda r: "it is a Dirac mass, not a function",
        ),
        Nonlinearity(
            "dirac'", lambda x: 0.0 if x != 0 else math.nan, _one(lambda u: call("dirac''", u)), parity="odd",
            singular=True, obstacle=lambda r: "it is the derivative of a Dirac mass, not a function",
        ),
        Nonlinearity(
            "dirac''", lambda x: 0.0 if x != 0 else math.nan, _one(lambda u: _too_singular()), parity="even",
            singular=True, obstacle=lambda r: "it is the second derivative of a Dirac mass, not a function",
        ),
    ]


class TooSingular(ValueError):
    """A derivative was asked of something already too singular to integrate."""


def _too_singular() -> Expr:
    raise TooSingular("a third derivative of a jump")


FUNCTIONS.update((entry.name, entry) for entry in _entries())
JUMPING = frozenset(name for name, entry in FUNCTIONS.items() if entry.jumps)
SINGULAR = frozenset(name for name, entry in FUNCTIONS.items() if entry.singular)
PUBLIC = tuple(name for name in FUNCTIONS if name not in SINGULAR)


def is_singular(e: Expr) -> bool:
    """Whether a Dirac mass occurs in the expression."""
    return not SINGULAR.isdisjoint(e.made_of)

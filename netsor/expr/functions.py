"""The functions of the language, with one entry for each: value, derivative, kinks, range and growth.

A new nonlinearity needs only a new entry here, because all passes (evaluation, differentiation, Assumption B.8,
quadrature) read the entries and know no function by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeGuard

from netsor.expr import balls, series, values
from netsor.expr.build import add, call, compare, cond, mul, neg, power, sqrt
from netsor.expr.entry import FUNCTIONS as FUNCTIONS
from netsor.expr.entry import INF, REALS, Interval, Nonlinearity, NormalCdf, Saturation, Wave
from netsor.expr.growth import ONE_SERIES, Series, exponential, logarithm, plus, raise_to, times
from netsor.expr.nodes import HALF, MINUS_ONE, ONE, TWO, ZERO, Call, Const, Expr
from netsor.expr.values import DEFAULT_LEAK, SELU_ALPHA, SELU_SCALE

ERROR_FUNCTION = NormalCdf(2.0, math.sqrt(2), -1.0)
_DIRAC = "dirac"


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
    return mul(Const(1 / math.sqrt(2 * math.pi)), exp(mul(Const(-0.5), power(u, TWO))))


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
        # At a tie the first argument has derivative 0, so that max(u, 0) has the same derivative at 0 as relu.
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


def _half(u: Expr, w: Expr, sign: int) -> Expr:
    """(u ± w)/2."""
    return mul(HALF, add(u, mul(Const(sign), w)))


def _sigmoid_difference(u: Expr, w: Expr) -> Expr:
    """σ(u) − σ(w) = p − q with p = σ(u) σ(−w) and q = σ(−u) σ(w), where q/p = e^{w−u}."""
    p, q = mul(sigmoid(u), sigmoid(neg(w))), mul(sigmoid(neg(u)), sigmoid(w))
    return mul(add(p, q), call("tanh", _half(u, w, -1)))


def _gelu_partial(u: Expr) -> Expr:
    return add(call("Phi", u), mul(u, density(u)))


def _silu_partial(u: Expr) -> Expr:
    s = sigmoid(u)
    return add(s, mul(u, s, add(ONE, neg(s))))


def _abs_image(r: Interval) -> Interval:
    lo = 0.0 if r[0] <= 0 <= r[1] else min(abs(r[0]), abs(r[1]))
    return lo, max(abs(r[0]), abs(r[1]))


def _wave_image(r: Interval, peak: float) -> Interval:
    """The range of cos(x − peak): its values at the ends, and ±1 where a multiple of π lies between them."""
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


def _sine(u: Series, text: str) -> Series:
    return series.wave(u, text, "sin", 0)


def _cosine(u: Series, text: str) -> Series:
    return series.wave(u, text, "cos", 1)


def _tangent(u: Series, text: str) -> Series:
    return times(_sine(u, text), raise_to(_cosine(u, text), Fraction(-1), text))


def _fold(f: Callable[[Any, Any], Any], xs: tuple[Any, ...]) -> Any:
    out = xs[0]
    for x in xs[1:]:
        out = f(out, x)
    return out


def _entries() -> list[Nonlinearity]:
    smooth_tanh = lambda u: add(ONE, neg(power(call("tanh", u), TWO)))  # noqa: E731
    return [
        Nonlinearity(
            "abs",
            abs,
            "abs",
            _one(lambda u: call("sign", u)),
            breaks=(0.0,),
            parity="even",
            image=_abs_image,
            lipschitz=True,
            keeps_sign=True,
            degree=1,
            pieces=lambda u: _positive(u, u, neg(u)),
            fences=("\\left|", "\\right|"),
            primed="nowhere",
        ),
        Nonlinearity(
            "sign",
            values.sign,
            "sign",
            _one(lambda u: mul(TWO, dirac(u))),
            breaks=(0.0,),
            jumps=(0.0,),
            parity="odd",
            image=_monotone(values.sign),
            obstacle=_jump_obstacle("sign"),
            keeps_sign=True,
            degree=0,
            pieces=lambda u: _positive(u, ONE, cond(compare("<", u, ZERO), MINUS_ONE, ZERO)),
            primed="derivations",
        ),
        Nonlinearity(
            "step",
            values.step,
            lambda xp, x: xp.step(x),
            _one(lambda u: dirac(u)),
            breaks=(0.0,),
            jumps=(0.0,),
            image=_monotone(values.step),
            obstacle=_jump_obstacle("step"),
            keeps_sign=True,
            degree=0,
            pieces=lambda u: _positive(u, ONE, ZERO),
            primed="derivations",
        ),
        Nonlinearity(
            "relu",
            values.relu,
            lambda xp, x: xp.maximum(x, 0),
            _one(lambda u: call("step", u)),
            breaks=(0.0,),
            image=_monotone(values.relu),
            lipschitz=True,
            keeps_sign=True,
            degree=1,
            pieces=lambda u: _positive(u, u, ZERO),
        ),
        Nonlinearity(
            "leaky_relu",
            values.leaky_relu,
            lambda xp, x, slope=DEFAULT_LEAK: xp.where(x > 0, x, slope * x),
            _leaky_partial,
            arity=(1, 2),
            arguments="u, 0.01",
            breaks=(0.0,),
            image=_leaky_image,
            obstacle=_leaky_obstacle,
            degree=1,
            pieces=lambda *args: _positive(args[0], args[0], mul(_leak(args), args[0])),
        ),
        Nonlinearity(
            "elu",
            values.elu,
            lambda xp, x: xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0))),
            _one(lambda u: _positive(u, ONE, exp(u))),
            breaks=(0.0,),
            image=_monotone(values.elu),
            lipschitz=True,
            keeps_sign=True,
            inverse=(-1.0, INF),
            turn=(1.0, 40.0),
            slope=1.0,
            pieces=lambda u: _positive(u, u, add(exp(u), MINUS_ONE)),
            reach=lambda u: u,
        ),
        Nonlinearity(
            "selu",
            values.selu,
            lambda xp, x: SELU_SCALE * xp.where(x > 0, x, SELU_ALPHA * xp.expm1(xp.minimum(x, 0))),
            _one(lambda u: _positive(u, Const(SELU_SCALE), mul(Const(SELU_SCALE * SELU_ALPHA), exp(u)))),
            breaks=(0.0,),
            lipschitz=True,
            keeps_sign=True,
            turn=(1.0, 40.0),
            slope=SELU_SCALE,
            image=_monotone(values.selu),
            pieces=lambda u: _positive(
                u, mul(Const(SELU_SCALE), u), mul(Const(SELU_SCALE * SELU_ALPHA), add(exp(u), MINUS_ONE))
            ),
            reach=lambda u: u,
        ),
        Nonlinearity(
            "gelu",
            values.gelu,
            lambda xp, x: x * xp.ndtr(x),
            _one(_gelu_partial),
            lipschitz=True,
            keeps_sign=True,
            turn=(1.0, 9.0),
            slope=1.0,
            times_argument="Phi",
            image=lambda r: (0.0 if r[0] >= 0 else -0.1701, max(values.gelu(r[1]), 0.0)),
            pieces=lambda u: mul(u, call("Phi", u)),
            reach=lambda u: u * u / 2,
        ),
        Nonlinearity(
            "silu",
            values.silu,
            lambda xp, x: x * xp.expit(x),
            _one(_silu_partial),
            lipschitz=True,
            keeps_sign=True,
            turn=(2.0, 45.0),
            slope=1.0,
            times_argument="sigmoid",
            image=lambda r: (0.0 if r[0] >= 0 else -0.2785, max(values.silu(r[1]), 0.0)),
            pieces=lambda u: mul(u, sigmoid(u)),
            reach=lambda u: u,
        ),
        Nonlinearity(
            "softplus",
            values.softplus,
            "softplus",
            _one(lambda u: sigmoid(u)),
            image=_monotone(values.softplus),
            lipschitz=True,
            inverse=(0.0, INF),
            turn=(2.0, 40.0),
            slope=1.0,
            decays=True,
            series=lambda u, text: logarithm(plus(ONE_SERIES, exponential(u, text)), text),
            smooth=balls.softplus,
            reach=lambda u: u,
        ),
        Nonlinearity(
            "sigmoid",
            values.sigmoid,
            "expit",
            _one(lambda u: mul(sigmoid(u), add(ONE, neg(sigmoid(u))))),
            image=_monotone(values.sigmoid),
            lipschitz=True,
            inverse=(0.0, 1.0),
            saturation=Saturation("sigmoid", 1, 1, 0),
            difference=_sigmoid_difference,
            turn=(2.0, 40.0),
            decays=True,
            log_array=lambda xp, x: -xp.logaddexp(0.0, -x),
            series=series.sigmoid,
            smooth=balls.sigmoid,
            reach=lambda u: u,
        ),
        Nonlinearity(
            "tanh",
            math.tanh,
            "tanh",
            _one(smooth_tanh),
            parity="odd",
            image=_monotone(math.tanh),
            lipschitz=True,
            over_argument=1.0,
            keeps_sign=True,
            inverse=(-1.0, 1.0),
            saturation=Saturation("sigmoid", 2, 2, -1),
            difference=lambda u, w: mul(TWO, _sigmoid_difference(mul(TWO, u), mul(TWO, w))),
            turn=(1.0, 20.0),
            series=series.tanh,
            smooth=balls.tanh,
            reach=lambda u: 2 * u,
        ),
        Nonlinearity(
            "hardtanh",
            lambda x: min(max(x, -1.0), 1.0),
            lambda xp, x: xp.clip(x, -1.0, 1.0),
            _one(lambda u: cond(compare("<=", u, MINUS_ONE), ZERO, cond(compare(">=", u, ONE), ZERO, ONE))),
            breaks=(-1.0, 1.0),
            parity="odd",
            image=_monotone(lambda x: min(max(x, -1.0), 1.0)),
            lipschitz=True,
            keeps_sign=True,
            pieces=lambda u: cond(compare("<=", u, MINUS_ONE), MINUS_ONE, cond(compare(">=", u, ONE), ONE, u)),
        ),
        Nonlinearity(
            "clip",
            values.clip,
            lambda xp, x, lo, hi: xp.minimum(xp.maximum(x, lo), hi),
            _clip_partial,
            arity=(3, 3),
            arguments="u, lo, hi",
            lipschitz=True,
            image=lambda r, lo, hi: (min(max(r[0], lo[0]), hi[0]), min(max(r[1], lo[1]), hi[1])),
            pieces=lambda u, lo, hi: cond(compare("<=", u, lo), lo, cond(compare(">=", u, hi), hi, u)),
        ),
        Nonlinearity(
            "erf",
            math.erf,
            "erf",
            _one(lambda u: mul(Const(2 / math.sqrt(math.pi)), exp(neg(power(u, TWO))))),
            parity="odd",
            image=_monotone(math.erf),
            lipschitz=True,
            over_argument=2.0,
            keeps_sign=True,
            inverse=(-1.0, 1.0),
            normal=ERROR_FUNCTION,
            saturation=Saturation("Phi", 2, math.sqrt(2), -1),
            turn=(1.0, 6.0),
            series=series.erf,
            smooth=balls.erf,
            reach=lambda u: u * u,
        ),
        Nonlinearity(
            "Phi",
            values.normal_cdf,
            "ndtr",
            _one(density),
            image=_monotone(values.normal_cdf),
            lipschitz=True,
            inverse=(0.0, 1.0),
            normal=NormalCdf(1.0, 1.0, 0.0),
            turn=(1.0, 9.0),
            saturation=Saturation("Phi", 1, 1, 0),
            log_array=lambda xp, x: xp.log_ndtr(x),
            series=series.normal,
            smooth=balls.normal,
            reach=lambda u: u * u / 2,
        ),
        # A square root is a power with exponent 1/2, and has a node of its own only where nothing has been folded yet.
        Nonlinearity(
            "sqrt",
            math.sqrt,
            None,
            _one(lambda u: mul(HALF, power(u, Const(-0.5)))),
            spelled=sqrt,
            series=lambda u, text: raise_to(u, Fraction(1, 2), text),
            image=_monotone(lambda x: math.sqrt(max(x, 0.0))),
            obstacle=_sqrt_obstacle,
            primed="nowhere",
        ),
        Nonlinearity(
            "exp",
            values.exponential,
            "exp",
            _one(lambda u: exp(u)),
            image=_monotone(values.exponential),
            obstacle=_exp_obstacle,
            growth=INF,
            inverse=(0.0, INF),
            difference=lambda u, w: mul(add(exp(u), exp(w)), call("tanh", _half(u, w, -1))),
            series=exponential,
            latex="\\exp",
            primed="nowhere",
            smooth=balls.exponential,
            reach=lambda u: u,
        ),
        Nonlinearity(
            "log",
            math.log,
            "log",
            _one(lambda u: power(u, MINUS_ONE)),
            obstacle=_log_obstacle,
            positive_only=True,
            image=lambda r: (math.log(r[0]) if r[0] > 0 else -INF, math.log(r[1]) if 0 < r[1] < INF else INF),
            series=logarithm,
            latex="\\log",
            primed="nowhere",
            smooth=balls.logarithm,
        ),
        Nonlinearity(
            "sin",
            math.sin,
            "sin",
            _one(lambda u: call("cos", u)),
            parity="odd",
            lipschitz=True,
            over_argument=1.0,
            turn=(1.0, INF),
            image=lambda r: _wave_image(r, math.pi / 2),
            wave=Wave(1 / 2j, -1),
            difference=lambda u, w: mul(TWO, cos(_half(u, w, 1)), sin(_half(u, w, -1))),
            series=_sine,
            latex="\\sin",
            primed="nowhere",
            smooth=balls.sine,
        ),
        Nonlinearity(
            "cos",
            math.cos,
            "cos",
            _one(lambda u: neg(call("sin", u))),
            parity="even",
            lipschitz=True,
            turn=(1.0, INF),
            image=lambda r: _wave_image(r, 0.0),
            wave=Wave(0.5, 1),
            difference=lambda u, w: mul(Const(-2), sin(_half(u, w, 1)), sin(_half(u, w, -1))),
            series=_cosine,
            latex="\\cos",
            primed="nowhere",
            smooth=balls.cosine,
        ),
        Nonlinearity(
            "tan",
            math.tan,
            "tan",
            _one(lambda u: add(ONE, power(call("tan", u), TWO))),
            parity="odd",
            obstacle=_tan_obstacle,
            growth=INF,
            quotient=lambda u: (call("sin", u), call("cos", u)),
            series=_tangent,
            latex="\\tan",
            primed="derivations",
            smooth=balls.tangent,
        ),
        Nonlinearity(
            "atan",
            math.atan,
            "atan",
            _one(lambda u: power(add(ONE, power(u, TWO)), MINUS_ONE)),
            parity="odd",
            image=_monotone(math.atan),
            lipschitz=True,
            over_argument=1.0,
            keeps_sign=True,
            inverse=(-math.pi / 2, math.pi / 2),
            turn=(1.0, INF),
            series=series.arctangent,
            primed="derivations",
            smooth=balls.arctangent,
        ),
        Nonlinearity(
            "max",
            max,
            lambda xp, *xs: _fold(xp.maximum, xs),
            _extreme_partial(">"),
            arity=(2, None),
            arguments="x, y",
            lipschitz=True,
            keeps_sign=True,
            pieces=_extreme_pieces(">"),
            chooses=">",
            image=lambda *rs: (max(r[0] for r in rs), max(r[1] for r in rs)),
            latex="\\max",
        ),
        Nonlinearity(
            "min",
            min,
            lambda xp, *xs: _fold(xp.minimum, xs),
            _extreme_partial("<"),
            arity=(2, None),
            arguments="x, y",
            lipschitz=True,
            keeps_sign=True,
            pieces=_extreme_pieces("<"),
            chooses="<",
            image=lambda *rs: (min(r[0] for r in rs), min(r[1] for r in rs)),
            latex="\\min",
        ),
        # The unit mass at 0 is not a function of coordinates; it occurs only under the expectations of a limit.
        Nonlinearity(
            _DIRAC,
            lambda x: 0.0 if x != 0 else INF,
            None,
            _one(lambda u: dirac(u, 1)),
            parity="even",
            mass=0,
            obstacle=lambda r: "it is a Dirac mass, not a function",
        ),
        Nonlinearity(
            _DIRAC + "'",
            lambda x: 0.0 if x != 0 else math.nan,
            None,
            _one(lambda u: dirac(u, 2)),
            parity="odd",
            mass=1,
            obstacle=lambda r: "it is the derivative of a Dirac mass, not a function",
        ),
        Nonlinearity(
            _DIRAC + "''",
            lambda x: 0.0 if x != 0 else math.nan,
            None,
            _one(lambda u: _too_singular()),
            parity="even",
            mass=2,
            obstacle=lambda r: "it is the second derivative of a Dirac mass, not a function",
        ),
    ]


# --- functions that arithmetic itself asks for --------------------------------------------------------------------


def exp(u: Expr) -> Expr:
    return call("exp", u)


def log(u: Expr) -> Expr:
    return call("log", u)


def sin(u: Expr) -> Expr:
    return call("sin", u)


def cos(u: Expr) -> Expr:
    return call("cos", u)


def relu(u: Expr) -> Expr:
    return call("relu", u)


def absolute(u: Expr) -> Expr:
    return call("abs", u)


def sigmoid(u: Expr) -> Expr:
    return call("sigmoid", u)


def dirac(u: Expr, order: int = 0) -> Expr:
    """The unit mass at u = 0, or its derivative of this order."""
    return call(_DIRAC + "'" * order, u)


def is_exp(e: Expr) -> TypeGuard[Call]:
    return isinstance(e, Call) and e.fn == "exp"


def is_log(e: Expr) -> TypeGuard[Call]:
    return isinstance(e, Call) and e.fn == "log"


def is_absolute(e: Expr) -> TypeGuard[Call]:
    return isinstance(e, Call) and e.fn == "abs"


class TooSingular(ValueError):
    """The second derivative of a Dirac mass was to be differentiated, which no expectation here can use."""


def _too_singular() -> Expr:
    raise TooSingular("a third derivative of a jump")


FUNCTIONS.update((entry.name, entry) for entry in _entries())
JUMPING = frozenset(name for name, entry in FUNCTIONS.items() if entry.jumps)
SINGULAR = frozenset(name for name, entry in FUNCTIONS.items() if entry.singular)
PUBLIC = tuple(name for name in FUNCTIONS if name not in SINGULAR)


def mass_order(e: Expr) -> int | None:
    """k where an expression is the k-th derivative of a Dirac mass; None where it is not one."""
    return FUNCTIONS[e.fn].mass if isinstance(e, Call) else None


def is_mass(e: Expr) -> TypeGuard[Call]:
    """Whether an expression is a Dirac mass or a derivative of one."""
    return isinstance(e, Call) and e.fn in SINGULAR


def is_singular(e: Expr) -> bool:
    """Whether a Dirac mass occurs in the expression."""
    return not SINGULAR.isdisjoint(e.made_of)

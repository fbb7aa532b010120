"""Functions of floats that the standard library lacks, powers, and comparisons."""

from __future__ import annotations

import math

NAN = math.nan
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
DEFAULT_LEAK = 0.01


def exponential(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else (e := exponential(x)) / (1 + e)


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2))


def times(x: float, y: float) -> float:
    """x·y with 0·∞ = 0, the limit of x Φ(x) and x σ(x) at −∞."""
    return 0.0 if y == 0 else x * y


def relu(x: float) -> float:
    return max(x, 0.0)


def leaky_relu(x: float, slope: float = DEFAULT_LEAK) -> float:
    return x if x > 0 else slope * x


def elu(x: float) -> float:
    return x if x > 0 else math.expm1(x)


def selu(x: float) -> float:
    return SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x))


def gelu(x: float) -> float:
    return times(x, normal_cdf(x))


def silu(x: float) -> float:
    return times(x, sigmoid(x))


def step(x: float) -> float:
    return 1.0 if x > 0 else 0.0 if x <= 0 else NAN


def sign(x: float) -> float:
    return math.copysign(1.0, x) if x != 0 else 0.0


def clip(x: float, lo: float, hi: float) -> float:
    return min(max(x, lo), hi)


def power_value(base: float, exponent: float) -> float:
    """base^exponent; NaN where it is not a real number, infinite with its sign where it overflows."""
    try:
        value = base**exponent
    except ZeroDivisionError:
        return NAN
    except OverflowError:
        return -math.inf if base < 0 and exponent % 2 == 1 else math.inf
    return NAN if isinstance(value, complex) else float(value)


def compare_values(op: str, a: float, b: float) -> bool:
    """The truth of a comparison of two numbers."""
    match op:
        case "<":
            return a < b
        case "<=":
            return a <= b
        case ">":
            return a > b
        case ">=":
            return a >= b
        case "==":
            return a == b
        case _:
            return a != b

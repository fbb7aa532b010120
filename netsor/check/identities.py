"""A ψ in a form whose parts do not make up for one another: x step(x) is relu(x), 1/(1 + e^{−x}) is σ(x)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netsor.check.quotients import beside_monotone_quotient, is_divisor, is_homogeneous_quotient, slope_of_difference
from netsor.check.removable import filled_in, split_quotient, value_at_zero
from netsor.expr import (
    FUNCTIONS,
    MINUS_ONE,
    ONE,
    ZERO,
    Call,
    Const,
    Expr,
    Mul,
    Pow,
    add,
    call,
    mul,
    neg,
    rewrite,
    substitute,
)
from netsor.expr.build import power
from netsor.expr.nodes import TWO
from netsor.expr.positive import log_of_positive, over_sum

_PHASE = 0.7390851332151607


def _stand_in(u: Expr) -> Expr:
    """Bounded by 1 and Lipschitz in u, for a function of which that is all that is used.

    Its range is [−1, 1] whatever is known of u, and by its odd phase it cancels with nothing that a text has.
    """
    return call("cos", add(u, Const(_PHASE)))


def shows_stand_in(text: str) -> bool:
    """Whether a text quotes a function that stands for another one, which no user has written."""
    return str(_PHASE) in text


def in_plain_form(psi: Expr) -> Expr:
    """ψ, or a function that is pseudo-Lipschitz exactly where ψ is and has its bounds, written without detours."""
    # Whole quotients come first: a power of a sum is not looked at before what stands above it.
    psi = rewrite(rewrite(psi, filled_in), _quotient)
    return rewrite(rewrite(psi, _rule), _rule)


def _quotient(node: Expr) -> Expr:
    if not isinstance(node, Mul):
        return node
    made = over_sum(node.children, _stand_in(ZERO))
    node = node if made is None else made
    if not isinstance(node, Mul) or not any(is_divisor(c) for c in node.children):
        return node
    made = _removable(node.children)
    if made is None:
        made = slope_of_difference(node.children)
    if made is None:
        others = beside_monotone_quotient(node.children)
        if others is None and is_homogeneous_quotient(node.children):
            others = []
        if others is not None:
            # All that is used of it is that it is pseudo-Lipschitz.
            made = mul(*others, Const(1e300), _stand_in(min(node.free, key=lambda s: s.digest)))
    return node if made is None else made


def _rule(node: Expr) -> Expr:
    match node:
        case Mul():
            return _product(node)
        case Pow():
            return _power(node)
        case Call() if node.fn == "log":
            return _logarithm(node)
        case _:
            return node


def _is(e: Expr, fn: str) -> bool:
    return isinstance(e, Call) and e.fn == fn


def _power(node: Pow) -> Expr:
    base, exponent = node.base, node.exponent
    if not isinstance(exponent, Const):
        return node
    e = exponent.value
    if isinstance(base, Pow) and isinstance(base.exponent, Const) and base.exponent.value == 2 and e * 2 % 1 == 0:
        return power(call("abs", base.base), Const(2 * e))  # √(x²) = |x|
    if e < 0 and (made := over_sum([node], _stand_in(ZERO))) is not None:
        return made
    if _is(base, "exp"):
        return call("exp", mul(exponent, base.children[0]))
    if _is(base, "step") and e > 0:
        return base
    return node


def _logarithm(node: Call) -> Expr:
    inner = node.children[0]
    if (v := log_of_positive(inner)) is not None:
        return v
    if _is(inner, "exp"):
        return inner.children[0]
    if _is(inner, "Phi"):
        # |log Φ(u)| is below u² + 3, and its derivative φ/Φ below |u| + 1.
        u = inner.children[0]
        return mul(add(power(u, TWO), Const(3)), _stand_in(u))
    if _is(inner, "sigmoid"):
        return neg(call("softplus", neg(inner.children[0])))
    return node


def _product(node: Mul) -> Expr:
    factors = list(node.children)
    changed = True
    while changed:
        changed = False
        for rule in _PAIRS:
            for i in range(len(factors)):
                for j in range(len(factors)):
                    made = rule(factors[i], factors[j]) if i != j else None
                    if made is not None:
                        factors = [f for k, f in enumerate(factors) if k not in (i, j)]
                        factors += made.children if isinstance(made, Mul) else (made,)
                        changed = True
                        break
                if changed:
                    break
            if changed:
                break
    return mul(*factors)


def _exponentials(a: Expr, b: Expr) -> Expr | None:
    if _is(a, "exp") and _is(b, "exp"):
        return call("exp", add(a.children[0], b.children[0]))
    return None


def _logistic(a: Expr, b: Expr) -> Expr | None:
    """e^v σ(−v) = σ(v)."""
    if _is(a, "exp") and _is(b, "sigmoid") and b.children[0] is neg(a.children[0]):
        return call("sigmoid", a.children[0])
    return None


def _switched(a: Expr, b: Expr) -> Expr | None:
    """u step(u) = relu(u) = relu(u) step(u), u sign(u) = |u|, |u| sign(u) = u, also for powers of u from 1 on."""
    if not (_is(a, "step") or _is(a, "sign")):
        return None
    u = a.children[0]
    base, e = (b.base, b.exponent) if isinstance(b, Pow) else (b, ONE)
    if not isinstance(e, Const) or e.value < 1:
        return None
    if _is(a, "step"):
        even = _is(base, "relu") or _is(base, "abs")
        if (base.children[0] if even else base) is u and (even or isinstance(e.value, int)):
            return power(call("relu", u), e)
        return None
    if base is u and isinstance(e.value, int):
        return mul(power(u, add(e, MINUS_ONE)), call("abs", u))
    if _is(base, "abs") and base.children[0] is u:
        return mul(u, power(base, add(e, MINUS_ONE)))
    return None


def _modulus(a: Expr, b: Expr) -> Expr | None:
    """u^k |u|^e = u^(k mod 2) |u|^(k − k mod 2 + e), relu(u)^k |u|^e = relu(u)^(k + e), and u/|u| = sign(u)."""
    base, k = (a.base, a.exponent) if isinstance(a, Pow) else (a, ONE)
    over = isinstance(b, Pow) and _is(b.base, "abs") and isinstance(b.exponent, Const) and b.exponent.value < 0
    if not over or not isinstance(k, Const) or not isinstance(k.value, int) or k.value < 1:
        return None
    u, e = b.base.children[0], b.exponent.value  # type: ignore[attr-defined]
    if base is u and k.value % 2 and k.value + e == 0:
        return call("sign", u)
    if base is u and k.value - k.value % 2 + e >= 0:
        odd = k.value % 2
        return mul(power(u, Const(odd)), power(call("abs", u), Const(k.value - odd + e)))
    if _is(base, "relu") and base.children[0] is u and k.value + e > 0:
        return power(base, Const(k.value + e))
    return None


def _removable(factors: Sequence[Expr]) -> Expr | None:
    """f(u)/u^k, 0 being removable: at most the size of f and of its first k derivatives, and so are its derivatives.

    Derivatives of smooth functions that are polynomially bounded by their parts are so, too.
    """
    found = split_quotient(factors)
    if found is None or value_at_zero(found[0], found[2]) is None:
        return None
    f, u, k, others = found
    (t,) = f.free
    bound = FUNCTIONS[f.fn].over_argument if isinstance(f, Call) and f.children[0] is t and k == 1 else None
    size: Expr = add(substitute(f, {t: u}), Const(2)) if bound is None else Const(bound)
    return mul(*others, size, _stand_in(u))


_PAIRS: tuple[Callable[[Expr, Expr], Expr | None], ...] = (_exponentials, _logistic, _switched, _modulus)

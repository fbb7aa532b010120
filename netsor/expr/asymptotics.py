"""Expressions in the width n alone: their limit as n → ∞, or the rate at which they diverge."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from netsor.expr.differentiate import diff
from netsor.expr.evaluate import evaluate
from netsor.expr.functions import FUNCTIONS
from netsor.expr.nodes import (
    WIDTH,
    ZERO,
    Add,
    Call,
    Cmp,
    Cond,
    Const,
    Expr,
    Mul,
    Pow,
    Star,
    Sym,
    call,
    mul,
    postorder,
    rewrite,
    substitute,
    with_children,
)
from netsor.expr.unfold import star_limit, unfold

# A term c · n^p · (log n)^q is stored as {(p, q): c}; p first, so that tuples order terms by growth.
Order = tuple[float, float]
Series = dict[Order, float]
_KEPT_TERMS = 10
_ONE: Order = (0.0, 0.0)


class Diverges(Exception):
    """The expression has no finite limit; `rate` says how it behaves, as text such as `√n`.

    `grows` tells a rate of growth from the other ways of having no limit, such as `no real value`.
    """

    def __init__(self, rate: str, grows: bool = False):
        self.rate = rate
        self.grows = grows
        super().__init__(rate)


def rate_text(order: Order) -> str:
    """The growth n^p (log n)^q as a person writes it."""
    p, q = order
    if p == 0:
        power = ""
    elif p == 0.5:
        power = "√n"
    elif p == -0.5:
        power = "1/√n"
    elif p == 1:
        power = "n"
    else:
        power = f"n^{p:g}" if p > 0 else f"n^({p:g})"
    logs = "" if q == 0 else "log n" if q == 1 else f"(log n)^{q:g}"
    return " ".join(t for t in (power, logs) if t) or "1"


@lru_cache(maxsize=4096)
def width_limit(e: Expr) -> float:
    """lim_{n→∞} of an expression in n alone; raises `Diverges` where it is infinite or does not exist."""
    e = unfold(e)
    try:
        series = _series(e)
    except Diverges:
        if _is_squeezed(e):
            return 0.0
        if isinstance(e, Add):
            return math.fsum(width_limit(term) for term in e.children)
        raise
    if not series:
        return 0.0
    lead = max(series)
    if lead > _ONE:
        raise Diverges(rate_text(lead), grows=True)
    return series.get(_ONE, 0.0)


def _is_squeezed(e: Expr) -> bool:
    """Whether a product tends to zero whatever its sines and cosines do, as sin(n)/n does."""
    factors = e.children if isinstance(e, Mul) else ()
    rest = [f for f in factors if not (isinstance(f, Call) and f.fn in ("sin", "cos"))]
    if len(rest) == len(factors):
        return False
    try:
        return width_limit(mul(*rest)) == 0
    except Diverges:
        return False


def _trim(series: Series) -> Series:
    scale = max((abs(c) for c in series.values()), default=0.0)
    kept = {k: c for k, c in series.items() if abs(c) > 1e-13 * scale}
    return {k: kept[k] for k in sorted(kept, reverse=True)[:_KEPT_TERMS]}


def _plus(a: Series, b: Series) -> Series:
    out = dict(a)
    for k, c in b.items():
        total = out.get(k, 0.0) + c
        # Terms that cancel leave rounding behind, which is no term.
        out[k] = 0.0 if abs(total) <= 1e-14 * (abs(c) + abs(out.get(k, 0.0))) else total
    return _trim({k: c for k, c in out.items() if c != 0})


def _times(a: Series, b: Series) -> Series:
    out: Series = {}
    for (p, q), c in a.items():
        for (r, s), d in b.items():
            key = (round(p + r, 12), round(q + s, 12))
            out[key] = out.get(key, 0.0) + c * d
    return _trim({k: c for k, c in out.items() if c != 0})


def _small_part(series: Series) -> tuple[Order, float, Series]:
    """The leading order and coefficient, and u in series = leading · (1 + u)."""
    lead = max(series)
    c = series[lead]
    inverse: Series = {(-lead[0], -lead[1]): 1 / c}
    rest = {k: v for k, v in series.items() if k != lead}
    return lead, c, _times(rest, inverse)


def _taylor(coefficients: Iterator[float], u: Series) -> Series:
    out: Series = {}
    power: Series = {_ONE: 1.0}
    for c in coefficients:
        if c != 0:
            out = _plus(out, {k: c * v for k, v in power.items()})
        if not u:
            break
        power = _times(power, u)
        if not power:
            break
    return out


def _raise_to(series: Series, r: float) -> Series:
    if not series:
        if r > 0:
            return {}
        raise Diverges("division by zero")
    lead, c, u = _small_part(series)
    if c < 0 and not float(r).is_integer():
        raise Diverges("no real value")

    def binomial() -> Iterator[float]:
        value = 1.0
        for k in range(_KEPT_TERMS):
            yield value
            value *= (r - k) / (k + 1)

    head: Series = {(round(lead[0] * r, 12), round(lead[1] * r, 12)): c**r}
    return _times(head, _taylor(binomial(), u))


def _series(root: Expr) -> Series:
    done: dict[Expr, Series] = {}
    for node in postorder(root):
        if isinstance(node, (Cmp,)) or not isinstance(node, Expr):
            continue
        done[node] = _rule(node, done)
    return done[root]


def _rule(node: Expr, done: dict[Expr, Series]) -> Series:
    match node:
        case Const():
            return {_ONE: float(node.value)} if node.value != 0 else {}
        case Sym():
            if node is not WIDTH:
                raise KeyError(node.name)
            return {(1.0, 0.0): 1.0}
        case Add():
            out: Series = {}
            for c in node.children:
                out = _plus(out, done[c])
            return out
        case Mul():
            out = {_ONE: 1.0}
            for c in node.children:
                out = _times(out, done[c])
            return out
        case Pow():
            if isinstance(node.exponent, Const):
                return _raise_to(done[node.base], float(node.exponent.value))
            return _rule_exp(_times(done[node.exponent], _rule_log(done[node.base])))
        case Call() if node.fn == "exp":
            return _rule_exp(done[node.children[0]])
        case Call() if node.fn == "log":
            return _rule_log(done[node.children[0]])
        case Call():
            return _rule_call(node, [done[c] for c in node.children])
        case Cond():
            return done[node.then] if _eventually(node.test, done) else done[node.other]
        case _:
            raise Diverges("an unknown rate")


def _rule_log(s: Series) -> Series:
    if not s:
        raise Diverges("log of zero")
    (p, q), c, u = _small_part(s)
    if c <= 0:
        raise Diverges("no real value")
    if q != 0:
        raise Diverges("log log n")
    head: Series = _plus({(0.0, 1.0): p} if p else {}, {_ONE: math.log(c)} if c != 1 else {})
    return _plus(head, _taylor((0.0 if k == 0 else (-1) ** (k + 1) / k for k in range(_KEPT_TERMS)), u))


def _rule_exp(s: Series) -> Series:
    growing = {k: c for k, c in s.items() if k > _ONE}
    a = growing.pop((0.0, 1.0), 0.0)
    if growing:
        if growing[max(growing)] < 0:
            return {}  # smaller than every power of n
        raise Diverges(f"exp({rate_text(max(growing))})", grows=True)
    small = {k: c for k, c in s.items() if k < _ONE}
    head: Series = {(a, 0.0): math.exp(s.get(_ONE, 0.0))}
    return _times(head, _taylor((1 / math.factorial(k) for k in range(_KEPT_TERMS)), small))


# What functions tend to where their argument grows without bound: (at −∞, at +∞); None stands for the argument itself.
_AT_INFINITY: dict[str, tuple[float | None, float | None]] = {
    "tanh": (-1, 1),
    "erf": (-1, 1),
    "sign": (-1, 1),
    "hardtanh": (-1, 1),
    "sigmoid": (0, 1),
    "Phi": (0, 1),
    "step": (0, 1),
    "atan": (-math.pi / 2, math.pi / 2),
    "relu": (0, None),
    "gelu": (0, None),
    "silu": (0, None),
    "softplus": (0, None),
    "elu": (-1, None),
}


def _rule_call(node: Call, args: list[Series]) -> Series:
    lead = [max(a) if a else _ONE for a in args]
    if node.fn in ("max", "min"):
        best = args[0]
        for a in args[1:]:
            gap = _plus(a, {k: -c for k, c in best.items()})
            ahead = bool(gap) and gap[max(gap)] > 0
            best = a if ahead == (node.fn == "max") and gap else best
        return best
    if all(order <= _ONE for order in lead):
        return _at_finite_point(node, args)
    if len(args) == 1:
        s = args[0]
        up = s[lead[0]] > 0
        if node.fn == "abs":
            return s if up else {k: -c for k, c in s.items()}
        if node.fn in _AT_INFINITY:
            end = _AT_INFINITY[node.fn][int(up)]
            return s if end is None else {_ONE: float(end)} if end else {}
    raise Diverges(f"{node.fn} of {rate_text(max(lead))}")


def _at_finite_point(node: Call, args: list[Series]) -> Series:
    points = [a.get(_ONE, 0.0) for a in args]
    entry = FUNCTIONS[node.fn]
    if entry.pieces is not None and any(abs(points[0] - b) < 1e-12 for b in entry.breaks):
        return _series(entry.pieces(*node.children))  # the side from which the kink is approached matters
    value = evaluate(substitute_children(node, [Const(p) for p in points]))
    if not math.isfinite(value):
        raise Diverges(f"{node.fn} at {points[0]:g}")
    if len(args) != 1:
        return {_ONE: value} if value else {}
    small = {k: c for k, c in args[0].items() if k < _ONE}
    t = Sym(("asymptotics", "t"))

    def coefficients() -> Iterator[float]:
        f: Expr = call(node.fn, t)
        factorial = 1.0
        for k in range(5):
            if k:
                f = diff(f, t)
                factorial *= k
            c = evaluate(f, {t: points[0]})
            if not math.isfinite(c):
                return
            yield c / factorial

    return _taylor(coefficients(), small)


def substitute_children(node: Expr, children: list[Expr]) -> Expr:
    return with_children(node, tuple(children))


def _eventually(test: Expr, done: dict[Expr, Series]) -> bool:
    """Whether a comparison holds for all large n."""
    if not isinstance(test, Cmp):
        raise Diverges("an unknown rate")
    gap = _plus(done[test.children[0]], {k: -c for k, c in done[test.children[1]].items()})
    sign = 0 if not gap else (1 if gap[max(gap)] > 0 else -1)
    return {"<": sign < 0, "<=": sign <= 0, ">": sign > 0, ">=": sign >= 0, "==": sign == 0, "!=": sign != 0}[test.op]


def at_infinite_width(root: Expr) -> Expr:
    """ψ with every member of 𝒞 at its limit and ψ* at θ = 0; raises `Diverges` where a factor has no finite limit.

    1/√n enters as 0 before anything is differentiated, and ψ* (Eq. 84) then is its directional derivative.
    """
    if WIDTH not in root.free:
        return root
    done: dict[Expr, Expr] = {}

    def limit_of(node: Expr) -> Expr:
        return Const(width_limit(node))

    for node in postorder(root):
        if WIDTH not in node.free:
            done[node] = node
        elif node.free == frozenset((WIDTH,)) and not isinstance(node, Star):
            continue  # taken as a whole by what uses it
        elif isinstance(node, Star):
            body = at_infinite_width(node.body)
            done[node] = star_limit(Star._make(node.bound, (body, ZERO), frozenset((node.bound,))))
        elif isinstance(node, (Add, Mul)):
            own = [c for c in node.children if c.free == frozenset((WIDTH,)) and c not in done]
            rest = [done[c] for c in node.children if c not in own]
            if own:
                rest.insert(0, limit_of(with_children(node, tuple(own)) if len(own) > 1 else own[0]))
            done[node] = with_children(node, tuple(rest)) if len(rest) > 1 else rest[0]
        else:
            done[node] = with_children(node, tuple(done[c] if c in done else limit_of(c) for c in node.children))
    return done[root] if root in done else limit_of(root)


_E = Sym(("ψ*", "e"))


def settled(root: Expr) -> Expr:
    """ψ in the form that its text reads back to: divisors after factors, ψ* as its quotient is found."""

    def rule(node: Expr) -> Expr:
        if isinstance(node, Mul):
            below = [f for f in node.children if _is_divisor(f)]
            return mul(*(f for f in node.children if f not in below), *below) if below else node
        if isinstance(node, Star):
            return find_quotients(rewrite(_star_as_written(node), rule))
        return node

    if not any(isinstance(node, Star) or _is_divisor(node) for node in postorder(root)):
        return root
    return rewrite(root, rule)


def _is_divisor(e: Expr) -> bool:
    return isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value < 0


def _star_as_written(node: Star) -> Expr:
    from netsor.expr.nodes import add, neg, power

    ahead = substitute(node.body, {node.bound: node.theta})
    here = substitute(node.body, {node.bound: ZERO})
    return mul(power(node.theta, Const(-1)), add(ahead, neg(here)))


def find_quotients(root: Expr) -> Expr:
    """√n (F(x + d/√n) − F(x)), in any number of variables, rewritten as ψ* of Eq. 84; anything else is left alone."""
    if WIDTH not in root.free:
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        rebuilt = with_children(node, tuple(done[c] for c in node.children))
        if isinstance(rebuilt, Mul):
            rebuilt = _quotient_of_product(rebuilt)
        elif isinstance(rebuilt, Add):
            rebuilt = _quotient_of_sum(rebuilt)
        done[node] = rebuilt
    return done[root]


def _root_n(node: Expr) -> tuple[bool, Expr]:
    """Whether √n is a factor of a product, and the product of the others."""
    if isinstance(node, Mul):
        for i, f in enumerate(node.children):
            if isinstance(f, Pow) and f.base is WIDTH and isinstance(f.exponent, Const) and f.exponent.value == 0.5:
                return True, mul(*node.children[:i], *node.children[i + 1 :])
    return False, node


def _quotient_of_product(node: Expr) -> Expr:
    has, rest = _root_n(node)
    made = _as_star(rest) if has else None
    return node if made is None else made


def _quotient_of_sum(node: Expr) -> Expr:
    from netsor.expr.nodes import add

    split = [_root_n(t) for t in node.children]
    if sum(has for has, _ in split) < 2:
        return node
    made = _as_star(add(*(rest for has, rest in split if has)))
    return node if made is None else add(made, *(rest for has, rest in split if not has))


def _as_star(rest: Expr) -> Expr | None:
    from netsor.expr.canonical import canonical
    from netsor.expr.nodes import power, star

    body = _in_powers_of_e(rest)
    if body is None or _E not in body.free:
        return None
    if canonical(substitute(body, {_E: ZERO})) is not ZERO:
        return None
    return star(_E, body, power(WIDTH, Const(-0.5)))


def _in_powers_of_e(root: Expr) -> Expr | None:
    """The expression with n^(−k/2) written e^k; None where n occurs otherwise."""
    from netsor.expr.nodes import power

    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        if WIDTH not in node.free:
            done[node] = node
        elif node is WIDTH:
            continue
        elif isinstance(node, Pow) and node.base is WIDTH:
            if not isinstance(node.exponent, Const) or node.exponent.value >= 0:
                return None
            done[node] = power(_E, Const(-2 * node.exponent.value))
        elif isinstance(node, Star) or any(c is WIDTH for c in node.children):
            return None
        else:
            done[node] = with_children(node, tuple(done[c] for c in node.children))
    return done.get(root)

"""Difference quotients t (F(x + d/t) − F(x)) with t → ∞, recognised in any spelling and replaced by ψ* of Eq. 84."""

from __future__ import annotations

from fractions import Fraction

from netsor.expr.asymptotics import Diverges, factors_in_width, series_in_width
from netsor.expr.build import add, mul, neg, power, rewrite, star, substitute, with_children
from netsor.expr.canonical import canonical
from netsor.expr.growth import CONSTANT, Series, growth
from netsor.expr.nodes import MINUS_ONE, ONE, WIDTH, ZERO, Add, Cmp, Const, Expr, Logic, Mul, Pow, Star, Sym, postorder
from netsor.expr.rationals import number

_E = Sym(("ψ*", "e"))
_ALONE = frozenset((WIDTH,))


def settled(root: Expr) -> Expr:
    """ψ in the form that its text is read back to: divisors after factors, and ψ* as `find_quotients` writes it."""

    def rule(node: Expr) -> Expr:
        if isinstance(node, Mul):
            below = [f for f in node.children if _is_divisor(f)]
            return mul(*(f for f in node.children if f not in below), *below) if below else node
        if isinstance(node, Star):
            made = find_quotients(rewrite(_star_as_written(node), rule))
            return made if any(isinstance(e, Star) for e in postorder(made)) else node
        return node

    if not any(isinstance(node, Star) or _is_divisor(node) for node in postorder(root)):
        return root
    return rewrite(root, rule)


def _is_divisor(e: Expr) -> bool:
    return isinstance(e, Pow) and isinstance(e.exponent, Const) and e.exponent.value < 0


def _star_as_written(node: Star) -> Expr:
    ahead = substitute(node.body, {node.bound: node.theta})
    here = substitute(node.body, {node.bound: ZERO})
    return mul(power(node.theta, MINUS_ONE), add(ahead, neg(here)))


def find_quotients(root: Expr) -> Expr:
    """The expression with every t (F(x + d/t) − F(x)), t → ∞, in any number of variables, replaced by ψ* of Eq. 84.

    t is any expression in n that grows, such as 2√n, n or √(n + 1).
    """
    if WIDTH not in root.free:
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        rebuilt = with_children(node, tuple(done[c] for c in node.children))
        if WIDTH in rebuilt.free and rebuilt.free != _ALONE:
            if isinstance(rebuilt, Mul):
                rebuilt = _quotient_of_product(rebuilt)
            elif isinstance(rebuilt, Add):
                rebuilt = _quotient_of_sum(rebuilt)
        done[node] = rebuilt
    return done[root]


def _growing(term: Expr) -> tuple[Expr, Expr] | None:
    """t → ∞ and r of a term t r, where t is n^a if it is a multiple of that; None where no factor in n grows."""
    own, rest = factors_in_width(term)
    if own is ONE or WIDTH not in rest.free and not isinstance(term, Mul):
        return None
    s = _series(own)
    if s is None or not s.terms or growth(s.terms[0][0]) <= 0:
        return None
    monomial = _as_monomial(s)
    if monomial is None:
        return own, rest
    c, a = monomial
    return power(WIDTH, _number(a)), mul(_number(c), rest)


def _series(e: Expr) -> Series | None:
    try:
        return series_in_width(e)
    except Diverges:
        return None


def _number(value: Fraction) -> Const:
    return Const(number(value))


def _as_monomial(s: Series) -> tuple[Fraction, Fraction] | None:
    """c and a where the series is exactly c n^a with rational c and a, else None."""
    if len(s.terms) != 1 or s.rest is not None:
        return None
    rate, c = s.terms[0]
    if rate.exps or len(rate.logs) > 1 or not isinstance(c.value, Fraction):
        return None
    a = rate.logs[0] if rate.logs else Fraction(0)
    return (c.value, a) if isinstance(a, Fraction) else None


def _quotient_of_product(node: Expr) -> Expr:
    found = _growing(node)
    made = None if found is None else _as_star(*found)
    return node if made is None else made


def _quotient_of_sum(node: Expr) -> Expr:
    """t F(x + d/t) − t F(x), where the terms with the same t form one quotient."""
    groups: dict[Expr, list[tuple[Expr, Expr]]] = {}
    for term in node.children:
        found = _growing(term)
        if found is not None:
            groups.setdefault(found[0], []).append((term, found[1]))
    out = list(node.children)
    for t, terms in groups.items():
        made = _as_star(t, add(*(rest for _, rest in terms))) if len(terms) > 1 else None
        if made is not None:
            gone = {term for term, _ in terms}
            out[out.index(terms[0][0])] = made
            out = [term for term in out if term not in gone]
    return add(*out) if out != list(node.children) else node


def _as_star(t: Expr, rest: Expr) -> Expr | None:
    """t · rest as ψ* with θ = 1/t; None unless rest vanishes with θ and is an expression in it."""
    if WIDTH not in rest.free or rest.free == _ALONE:
        return None
    body = _in_theta(rest, t)
    if body is None or _E not in body.free or not body.free - {_E, WIDTH}:
        return None
    if canonical(substitute(body, {_E: ZERO})) is not ZERO:
        return None
    return star(_E, body, power(t, MINUS_ONE))


def _in_theta(root: Expr, t: Expr) -> Expr | None:
    """The expression with its parts in n alone written c + e r, with limits c and e = 1/t; None if an r grows."""
    done: dict[Expr, Expr] = {}
    for node in reversed(_tops(root)):
        made = _part_in_theta(node, t)
        if made is None:
            return None
        done[node] = made
    for node in postorder(root, known=lambda e: e in done or WIDTH not in e.free):
        if isinstance(node, Star):
            return None
        done[node] = with_children(node, tuple(done.get(c, c) for c in node.children))
    return done.get(root, root)


def _tops(root: Expr) -> list[Expr]:
    """The largest subexpressions in n alone."""
    out: list[Expr] = []
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if node in seen or WIDTH not in node.free:
            continue
        seen.add(node)
        if node.free == _ALONE:
            out.append(node)
            continue
        stack.extend(node.children)
    return out


def _part_in_theta(s: Expr, t: Expr) -> Expr | None:
    if isinstance(s, (Cmp, Logic)):
        return None
    found, scale = _series(s), _series(t)
    if found is None or scale is None:
        return None
    a = _as_monomial(scale)
    monomial = _as_monomial(found)
    if monomial is not None and a is not None and monomial[1] < 0:
        c, b = monomial
        return mul(_number(c), power(_E, _number(-b / a[1]))) if -b >= a[1] else None
    if found.bound is not None and growth(found.bound) > 0:
        return None
    limit = found.at(CONSTANT).value
    if not isinstance(limit, Fraction) or found.rest is not None and growth(found.rest) >= 0:
        return None
    change = add(s, neg(_number(limit)))
    slope = mul(change, t)
    r = _series(slope) if slope.free else None
    if r is None:
        return add(_number(limit), mul(_E, slope)) if not slope.free else None
    if r.bound is not None and growth(r.bound) > 0:
        return None
    plain = _as_monomial(r)
    if plain is not None and plain[1] == 0:
        return add(_number(limit), mul(_number(plain[0]), _E))
    return add(_number(limit), mul(_E, slope))

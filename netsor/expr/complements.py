"""1 − tanh u, 1 − Φ(u) and their like, written without the difference of nearly equal numbers: 2σ(−2u), Φ(−u)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from netsor.expr.build import add, call, cond, mul, rewrite, with_children
from netsor.expr.cancelling_terms import with_terms_cancelled
from netsor.expr.canonical import canonical
from netsor.expr.entry import Saturation
from netsor.expr.equal_tests import with_tests_joined
from netsor.expr.factored_differences import with_differences_factored
from netsor.expr.functions import FUNCTIONS, is_log, log
from netsor.expr.nodes import Add, Call, Cond, Const, Expr, Mul, Pow, postorder, split_coefficient
from netsor.expr.positive import EXPONENTIALS, exponents, log_of_positive, over_sum
from netsor.expr.signs import is_positive, with_signs_decided

# The functions that occur in the sums of `_complement`.
_TENDING = frozenset(
    name for name, entry in FUNCTIONS.items() if entry.saturation or entry.pieces and entry.inverse is not None
)


@lru_cache(maxsize=20_000)
def without_complements(root: Expr) -> Expr:
    """The canonical expression with these sums replaced, if one of them is divided by, or under a logarithm or a root.

    Elsewhere their rounding error is small beside 1, and nothing is gained.
    """
    if not _occurs(_has_sensitive, root):
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        new = with_children(node, tuple(done[c] for c in node.children))
        if isinstance(new, Add):
            product = _complement(new)
            new = new if product is None else product
        elif isinstance(new, Call) and is_log(new):
            new = _log_of_product(new.children[0])
        done[node] = new
    return canonical(done[root])


def _occurs(test: Callable[[Expr], bool], root: Expr) -> bool:
    """Whether a test holds of an expression; of a sum it is asked term by term, since long sums have common terms."""
    return any(map(test, root.children)) if isinstance(root, Add) else test(root)


@lru_cache(maxsize=20_000)
def _has_sensitive(root: Expr) -> bool:
    return not _TENDING.isdisjoint(root.made_of) and any(map(_is_sensitive, postorder(root)))


def _is_sensitive(node: Expr) -> bool:
    """Whether a node is a logarithm, a quotient or a root of an expression that contains one of these sums."""
    if isinstance(node, Call) and is_log(node):
        inner = node.children[0]
    elif isinstance(node, Pow) and not (isinstance(node.exponent, Const) and _is_natural(node.exponent)):
        inner = node.base
    else:
        return False
    return any(isinstance(part, Add) and _complement(part) is not None for part in postorder(inner))


def _is_natural(k: Const) -> bool:
    return isinstance(k.value, int) and k.value >= 0


def _complement(e: Add) -> Expr | None:
    """k + m f(u), or k + m f(u)², as a product where it tends to 0 at an end of the line; None for another sum."""
    if len(e.children) != 2:
        return None
    constants = [t for t in e.children if isinstance(t, Const)]
    if len(constants) != 1:
        return None
    (other,) = (t for t in e.children if t is not constants[0])
    k = constants[0].value
    m, f = split_coefficient(other)
    if isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value == 2:
        shape = _saturation(f.base)
        if shape is None or shape.scale + 2 * shape.shift or k != -m * shape.shift**2:
            return None
        # f lies between ±c, and c² − f² = (c − f)(c + f).
        u = f.base.children[0]
        return mul(Const(-m * shape.scale**2), _end(shape, u, 1.0), _end(shape, u, -1.0))
    shape = _saturation(f)
    if shape is None:
        return _by_pieces(k, m, f)
    if k + m * shape.shift == 0:
        return mul(Const(m * shape.scale), _end(shape, f.children[0], 1.0))
    if k + m * shape.shift == -m * shape.scale:
        return mul(Const(-m * shape.scale), _end(shape, f.children[0], -1.0))
    return None


def _by_pieces(k: float, m: float, f: Expr) -> Expr | None:
    """k + m f(u) in each piece of a function that tends to −k/m, such as 1 + elu(u), which is e^u for u < 0."""
    entry = FUNCTIONS[f.fn] if isinstance(f, Call) else None
    if entry is None or entry.pieces is None or entry.inverse is None or -k / m not in entry.inverse:
        return None
    whole = entry.pieces(*f.children)
    if not isinstance(whole, Cond):
        return None
    return cond(whole.test, *(add(Const(k), mul(Const(m), branch)) for branch in (whole.then, whole.other)))


def _saturation(f: Expr) -> Saturation | None:
    return FUNCTIONS[f.fn].saturation if isinstance(f, Call) else None


def _end(shape: Saturation, u: Expr, side: float) -> Expr:
    return call(shape.of, mul(Const(side * shape.stretch), u))


def _log_of_product(u: Expr) -> Expr:
    """log Π fᵢ as a sum where all factors are positive, so that none of them is too small to be represented."""
    factors = u.children if isinstance(u, Mul) else (u,)
    if len(factors) > 1 and all(map(is_positive, factors)):
        return add(*map(_log_of_product, factors))
    if isinstance(u, Pow) and is_positive(u.base):
        return mul(u.exponent, _log_of_product(u.base))
    return log(u)


@lru_cache(maxsize=20_000)
def without_overflow(root: Expr) -> Expr:
    """The canonical expression with e^{v} / Σ e^{vᵢ} and log Σ e^{vᵢ} written by differences of the exponents.

    They show where one term takes over from another, and there is nothing that overflows.
    """

    if not _occurs(_has_overflow, root):
        return root
    # Whole quotients come first: a power of a sum is not looked at before what stands above it.
    return canonical(rewrite(rewrite(root, _shares), _logarithms))


@lru_cache(maxsize=20_000)
def _has_overflow(root: Expr) -> bool:
    return not EXPONENTIALS.isdisjoint(root.made_of) and any(map(_may_overflow, postorder(root)))


def _shares(node: Expr) -> Expr:
    made = over_sum(node.children, None) if isinstance(node, Mul) else None
    return node if made is None else made


def _logarithms(node: Expr) -> Expr:
    if isinstance(node, Call) and is_log(node):
        made = log_of_positive(node.children[0])
    else:
        made = over_sum((node,), None) if isinstance(node, Pow) else None
    return node if made is None else made


def _may_overflow(node: Expr) -> bool:
    """Whether a node is a logarithm, or a quotient, of a sum of exponentials."""
    if isinstance(node, Call) and is_log(node):
        inner = node.children[0]
    elif isinstance(node, Pow) and isinstance(node.exponent, Const) and node.exponent.value < 0:
        inner = node.base
    else:
        return False
    return exponents(inner) is not None


def stable_form(e: Expr) -> Expr:
    """The canonical expression written so that no sign, logarithm or quotient rests on a value lost in rounding."""
    decided = with_tests_joined(with_signs_decided(with_terms_cancelled(canonical(e))))
    return without_complements(without_overflow(with_differences_factored(decided)))

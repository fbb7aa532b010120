"""Immutable scalar expressions, the ψ's of a tensor program, shared whenever they are equal.

Two expressions that are built alike are one object, so equality is identity and every pass can remember what it did
with a node. Constructors (`add`, `mul`, `power`, …) fold constants and gather equal terms but keep the order in
which a person wrote them; `netsor.expr.canonical` sorts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any, ClassVar, cast
from weakref import WeakValueDictionary

from netsor.expr.rationals import MOST_BITS, in_range, meant, plus, split_number, times, wide_times

Number = int | float

_TABLE: WeakValueDictionary[tuple[Any, ...], Expr] = WeakValueDictionary()


class Expr:
    """A node; `children` are its subexpressions, `free` its free symbols, `digest` a name that outlives the process."""

    __slots__ = ("__weakref__", "children", "digest", "form", "free", "payload")
    rank: ClassVar[int] = 0

    payload: Any
    children: tuple[Expr, ...]
    # The canonical form once it is known (True: the node itself), so that a pass over a long program, whose expressions
    # contain those before them, looks at each node once.
    form: Expr | bool | None
    free: frozenset[Sym]
    digest: bytes

    @classmethod
    def _make(cls, payload: Any, children: tuple[Expr, ...], bound: frozenset[Sym] = frozenset()) -> Any:
        # 1 and 1.0 are equal as dictionary keys but are different constants to a reader.
        key = (cls, type(payload), payload, children)
        found = _TABLE.get(key)
        if found is not None:
            return found
        node = object.__new__(cls)
        node.payload = payload
        node.children = children
        node.form = None
        h = blake2b(f"{cls.__name__}|{_stable(payload)}|".encode(), digest_size=12)
        free: frozenset[Sym] = frozenset()
        for child in children:
            h.update(child.digest)
            if not child.free <= free:
                free = free | child.free
        node.digest = h.digest()
        node.free = free - bound if bound else free
        if cls is Sym:
            node.free = frozenset((cast("Sym", node),))
        _TABLE[key] = node
        return node

    def __reduce__(self) -> tuple[Callable[..., Expr], tuple[Any, ...]]:
        return _rebuild, (flatten_for_pickle(self),)

    def __repr__(self) -> str:
        from netsor.expr.printing import to_text

        return to_text(self)

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value; compare with `is`")

    def __add__(self, other: Expr | Number) -> Expr:
        return add(self, as_expr(other))

    def __radd__(self, other: Number) -> Expr:
        return add(as_expr(other), self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return add(self, neg(as_expr(other)))

    def __rsub__(self, other: Number) -> Expr:
        return add(as_expr(other), neg(self))

    def __mul__(self, other: Expr | Number) -> Expr:
        return mul(self, as_expr(other))

    def __rmul__(self, other: Number) -> Expr:
        return mul(as_expr(other), self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return mul(self, power(as_expr(other), Const(-1)))

    def __rtruediv__(self, other: Number) -> Expr:
        return mul(as_expr(other), power(self, Const(-1)))

    def __pow__(self, other: Expr | Number) -> Expr:
        return power(self, as_expr(other))

    def __neg__(self) -> Expr:
        return neg(self)


def _stable(payload: Any) -> str:
    if isinstance(payload, Function):
        return f"{payload.name}({','.join(str(p.name) for p in payload.params)})={payload.body.digest.hex()}"
    if isinstance(payload, tuple):
        return "(" + ",".join(_stable(p) for p in payload) + ")"
    return repr(payload)


class Const(Expr):
    """A number; integers are kept apart from floats so that powers stay exact."""

    __slots__ = ()
    rank = 0

    def __new__(cls, value: Number) -> Const:
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        elif isinstance(value, int) and value.bit_length() > 200:
            # No power of it is exact any more, and products of such integers would leave what floats can hold.
            value = float(value) if value.bit_length() <= 1023 else math.copysign(math.inf, value)
        # numpy's float64 is a float, but does not print as one.
        if type(value) is not int and type(value) is not float:
            value = float(value)
        return cls._make(value, ())

    @property
    def value(self) -> Number:
        return self.payload


class Sym(Expr):
    """A variable, named by any hashable thing (a string in programs, a tagged tuple for the base of a limit)."""

    __slots__ = ()
    rank = 1

    def __new__(cls, name: Hashable) -> Sym:
        return cls._make(name, ())

    @property
    def name(self) -> Any:
        return self.payload


class Pow(Expr):
    """`base ^ exponent`."""

    __slots__ = ()
    rank = 2

    @property
    def base(self) -> Expr:
        return self.children[0]

    @property
    def exponent(self) -> Expr:
        return self.children[1]


class Mul(Expr):
    """A product of at least two factors; a numeric coefficient, if any, comes first."""

    __slots__ = ()
    rank = 3


class Add(Expr):
    """A sum of at least two terms."""

    __slots__ = ()
    rank = 4


class Call(Expr):
    """A function of the language (`netsor.expr.functions`) applied to arguments."""

    __slots__ = ()
    rank = 5

    @property
    def fn(self) -> str:
        return self.payload


class Function:
    """A function that the program defines, `name(params) = body`; equal definitions are one object."""

    __slots__ = ("__weakref__", "body", "name", "params", "vectors")
    _table: ClassVar[WeakValueDictionary[tuple[Any, ...], Function]] = WeakValueDictionary()

    name: str
    params: tuple[Sym, ...]
    vectors: int
    body: Expr

    def __new__(cls, name: str, params: Sequence[Sym], body: Expr, vectors: int | None = None) -> Function:
        """`vectors` counts the parameters before the semicolon; all of them by default."""
        count = len(params) if vectors is None else vectors
        key = (name, tuple(params), body, count)
        found = cls._table.get(key)
        if found is not None:
            return found
        self = object.__new__(cls)
        self.name, self.params, self.body, self.vectors = name, tuple(params), body, count
        cls._table[key] = self
        return self

    def __reduce__(self) -> Any:
        return Function, (self.name, self.params, self.body, self.vectors)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(str(p.name) for p in self.params)}) = {self.body!r}"


class Apply(Expr):
    """A user's function, or a partial derivative of it (`orders` counts derivatives in each parameter)."""

    __slots__ = ()
    rank = 6

    @property
    def function(self) -> Function:
        return self.payload[0]

    @property
    def orders(self) -> tuple[int, ...]:
        return self.payload[1]


class Cmp(Expr):
    """A comparison; occurs only in the test of a `Cond`."""

    __slots__ = ()
    rank = 7

    @property
    def op(self) -> str:
        return self.payload


class Logic(Expr):
    """`and`, `or`, `not` of comparisons."""

    __slots__ = ()
    rank = 8

    @property
    def op(self) -> str:
        return self.payload


class Cond(Expr):
    """`if test then a else b`."""

    __slots__ = ()
    rank = 9

    @property
    def test(self) -> Expr:
        return self.children[0]

    @property
    def then(self) -> Expr:
        return self.children[1]

    @property
    def other(self) -> Expr:
        return self.children[2]


class Star(Expr):
    """ψ* of Eq. 84: (body[e→θ] − body[e→0]) / θ for θ > 0, and ∂body/∂e at e = 0 for θ = 0.

    `bound` is e, `body` an expression in it, `theta` is θ. With body = ψ(μ¹ + e ν¹, …) this is the paper's ψ*.
    """

    __slots__ = ()
    rank = 10

    @property
    def bound(self) -> Sym:
        return self.payload

    @property
    def body(self) -> Expr:
        return self.children[0]

    @property
    def theta(self) -> Expr:
        return self.children[1]


ZERO, ONE, MINUS_ONE, TWO, HALF = Const(0), Const(1), Const(-1), Const(2), Const(0.5)
# Kept alive for good: every sum and product meets them.
WIDTH = Sym("n")


def has_infinite_constant(e: Expr) -> bool:
    """Whether folding a sum, a product or a power just gave a number beyond floats, or met inf − inf.

    Only what the last constructor made is looked at; what stands below was looked at when it was made.
    """
    tops = e.children if isinstance(e, Add) else (e,)
    for top in tops:
        inside = top.children if isinstance(top, (Mul, Pow)) else (top,)
        if any(isinstance(c, Const) and not math.isfinite(c.value) for c in inside) or (size_beyond(top) or 0) > 0:
            return True
    return False


def as_expr(value: Expr | Number) -> Expr:
    """The expression of a number, or the expression itself."""
    return value if isinstance(value, Expr) else Const(value)


def sym(name: Hashable) -> Sym:
    return Sym(name)


def neg(e: Expr) -> Expr:
    return mul(MINUS_ONE, e)


def split_coefficient(e: Expr) -> tuple[Number, Expr]:
    """`e` as (numeric coefficient, the rest)."""
    if isinstance(e, Const):
        return e.value, ONE
    if isinstance(e, Mul) and isinstance(e.children[0], Const):
        rest = e.children[1:]
        return e.children[0].value, rest[0] if len(rest) == 1 else Mul._make(None, rest)
    return 1, e


def _flat_terms(terms: Iterable[Expr], scale: Number = 1) -> Iterator[tuple[Number, Expr]]:
    for t in terms:
        if isinstance(t, Add):
            yield from _flat_terms(t.children, scale)
            continue
        c, rest = split_coefficient(t)
        both = times(scale, c)
        if not in_range(both) or both == 0 != c:
            both, k = wide_times(scale, c)
            rest = mul(_power_of_two(k), rest) if k else rest
        if isinstance(rest, Add):
            yield from _flat_terms(rest.children, both)
        else:
            yield both, rest


def add(*terms: Expr) -> Expr:
    """The sum, flattened, with equal terms gathered; the order of first appearance is kept."""
    gathered: dict[Expr, Number] = {}
    for c, rest in _flat_terms(terms):
        before = gathered.get(rest)
        gathered[rest] = c if before is None else plus(before, c)
    return rebuild_sum(gathered.items())


def rebuild_sum(items: Iterable[tuple[Expr, Number]]) -> Expr:
    """The sum of coefficient × rest over distinct rests."""
    out = [_scaled(rest, c) for rest, c in items if c != 0 or _has_no_value(rest)]
    if not out:
        return ZERO
    return out[0] if len(out) == 1 else Add._make(None, tuple(out))


def _scaled(rest: Expr, c: Number) -> Expr:
    if rest is ONE:
        return Const(c)
    if c == 1:
        return rest
    if isinstance(rest, Mul):
        return Mul._make(None, (Const(c), *rest.children))
    return Mul._make(None, (Const(c), rest))


def _has_no_value(e: Expr) -> bool:
    """Whether a factor is like 1/0 or log(0), which are no numbers, so that 0 times them is none either."""
    factors = e.children if isinstance(e, Mul) else (e,)
    return any(
        not f.free
        and isinstance(f, (Pow, Call))
        and not is_power_of_two(f)
        and not (isinstance(f, Call) and f.fn.startswith("dirac"))
        for f in factors
    )


def is_power_of_two(e: Expr) -> bool:
    """Whether a factor is 2^k, which stands where a float does not hold a coefficient: 1e-400 is m · 2^-1536."""
    return isinstance(e, Pow) and e.base is TWO and isinstance(e.exponent, Const) and isinstance(e.exponent.value, int)


def _power_of_two(k: int) -> Expr:
    return Pow._make(None, (TWO, Const(k)))


def size_beyond(e: Expr) -> int | None:
    """k of a factor 2^k that stands for what a float does not hold; None where there is none."""
    factors = e.children if isinstance(e, Mul) else (e,)
    return next((f.exponent.value for f in factors if is_power_of_two(f)), None)  # type: ignore[attr-defined]


def wide(m: Number, k: int) -> Expr:
    """m · 2^k as a number, or as a product where a float does not hold it."""
    if k == 0 or m == 0:
        return Const(m)
    m, k = split_number(meant(m) * Fraction(2) ** k)
    if k == 0:
        return Const(m)
    return _power_of_two(k) if m == 1 else Mul._make(None, (Const(m), _power_of_two(k)))


def split_power(e: Expr) -> tuple[Expr, Expr]:
    """`e` as (base, exponent)."""
    return (e.base, e.exponent) if isinstance(e, Pow) else (e, ONE)


def mul(*factors: Expr) -> Expr:
    """The product, flattened, with numeric powers of equal bases gathered and the coefficient first."""
    coefficient: Number = 1
    # The power of two that is left where a float does not hold the coefficient.
    binary = 0
    powers: dict[Expr, Expr] = {}
    stack = list(reversed(factors))
    while stack:
        f = stack.pop()
        if isinstance(f, Mul):
            stack.extend(reversed(f.children))
        elif isinstance(f, Const):
            coefficient, binary = _scaled_by(coefficient, binary, f.value)
        elif is_power_of_two(f):
            binary += f.exponent.value  # type: ignore[attr-defined]
        else:
            base, exponent = split_power(f)
            before = powers.get(base)
            powers[base] = exponent if before is None else add(before, exponent)
    if coefficient == 0 and not any(_has_no_value(power(b, e)) for b, e in powers.items() if not b.free):
        return ZERO
    out: list[Expr] = []
    for base, exponent in powers.items():
        f = power(base, exponent)
        if isinstance(f, Const):
            coefficient, binary = _scaled_by(coefficient, binary, f.value)
        elif isinstance(f, Mul):
            c, rest = split_coefficient(f)
            coefficient, binary = _scaled_by(coefficient, binary, c)
            for g in rest.children if isinstance(rest, Mul) else (rest,):
                if is_power_of_two(g):
                    binary += g.exponent.value  # type: ignore[attr-defined]
                elif g is not ONE:
                    out.append(g)
        else:
            out.append(f)
    if binary:
        coefficient, binary = split_number(meant(coefficient) * Fraction(2) ** binary)
        if binary:
            out.insert(0, _power_of_two(binary))
    if not out:
        return Const(coefficient)
    if len(out) == 1 and coefficient == 1:
        return out[0]
    head = () if coefficient == 1 else (Const(coefficient),)
    return Mul._make(None, (*head, *out))


def _scaled_by(coefficient: Number, binary: int, c: Number) -> tuple[Number, int]:
    """coefficient · 2^binary times c."""
    both = times(coefficient, c)
    if in_range(both) and both != 0:
        return both, binary
    m, k = wide_times(coefficient, c)
    return m, binary + k


def power(base: Expr, exponent: Expr) -> Expr:
    """`base ^ exponent`; integer powers of powers are merged."""
    if isinstance(exponent, Const):
        e = exponent.value
        if e == 0:
            return ONE
        if e == 1:
            return base
        if isinstance(base, Const):
            folded = _power_of_numbers(base.value, e)
            if folded is not None and in_range(folded) and folded != 0:
                return Const(folded)
            if folded == 0 == base.value:
                return ZERO
            if isinstance(e, int) and base.value != 0 and (made := _wide_power(base.value, e)) is not None:
                return made
            if folded is not None:
                return Const(folded)
        if isinstance(base, Mul) and any(map(is_power_of_two, base.children)):
            # 2^k is positive and leaves any power: (2^k u)^r = 2^(kr) u^r.
            k = sum(f.exponent.value for f in base.children if is_power_of_two(f))  # type: ignore[attr-defined]
            whole = k * meant(e)
            rest = mul(*(f for f in base.children if not is_power_of_two(f)))
            down = whole.numerator // whole.denominator
            return mul(wide(1, down), Const(2.0 ** float(whole - down)), power(rest, exponent))
        if isinstance(base, Pow) and isinstance(base.exponent, Const):
            inner = base.exponent.value
            # (x^a)^b = x^(ab) where b is an integer; (x²)^(1/2) is |x|, so other cases stay.
            if isinstance(e, int):
                return power(base.base, Const(inner * e))
            if base.base is WIDTH:
                return power(WIDTH, Const(inner * e))
    if base is ONE:
        return ONE
    return Pow._make(None, (base, exponent))


def _wide_power(base: Number, exponent: int) -> Expr | None:
    """A whole power that no float holds, as m · 2^k."""
    q = meant(base) if math.isfinite(base) else Fraction(0)
    if q == 0 or abs(exponent) > MOST_BITS:
        return None
    if abs(exponent) * (q.numerator.bit_length() + q.denominator.bit_length()) > 64 * MOST_BITS:
        q = Fraction(float(q))
    m, k = split_number(q**exponent)
    return wide(m, k)


def _power_of_numbers(base: Number, exponent: Number) -> Number | None:
    """None where the power is no finite real number: the checker reports it with its place."""
    if base == 0 and exponent < 0:
        return None
    if base < 0 and not isinstance(exponent, int):
        return None
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0 and exponent * base.bit_length() > 200:
        base = float(base)
    try:
        value = base**exponent
    except (OverflowError, ZeroDivisionError):
        return None
    return value if not isinstance(value, float) or math.isfinite(value) else None


def sqrt(e: Expr) -> Expr:
    return power(e, HALF)


def call(fn: str, *args: Expr) -> Expr:
    """A function of the language applied to arguments; numbers are folded where the value is finite."""
    if args and all(isinstance(a, Const) for a in args) and fn != "dirac":
        from netsor.expr.evaluate import call_value

        value = call_value(fn, [float(a.value) for a in args])  # type: ignore[attr-defined]
        if math.isfinite(value):
            return Const(value)
    if fn == "sqrt":
        return sqrt(args[0])
    return Call._make(fn, tuple(args))


def compare(op: str, lhs: Expr, rhs: Expr) -> Expr:
    """A comparison, `op` one of < <= > >= == !=."""
    return Cmp._make(op, (lhs, rhs))


def logic(op: str, *args: Expr) -> Expr:
    return Logic._make(op, tuple(args))


def cond(test: Expr, then: Expr, other: Expr) -> Expr:
    """`if test then … else …`; equal branches need no test, and a test of numbers is decided."""
    if then is other:
        return then
    if not test.free:
        from netsor.expr.evaluate import truth

        decided = truth(test)
        if decided is not None:
            return then if decided else other
    return Cond._make(None, (test, then, other))


def star(bound: Sym, body: Expr, theta: Expr) -> Expr:
    """ψ* of Eq. 84; see `Star`."""
    if bound not in body.free:
        return ZERO
    return Star._make(bound, (body, theta), frozenset((bound,)))


def apply(function: Function, args: Sequence[Expr], orders: Sequence[int] | None = None) -> Expr:
    """A user's function (or partial derivative) at arguments; raises ValueError on a wrong number of arguments."""
    if len(args) != len(function.params):
        raise ValueError(f"{function.name} takes {len(function.params)} arguments, not {len(args)}")
    counts = tuple(orders) if orders is not None else (0,) * len(args)
    return Apply._make((function, counts), tuple(args))


def with_children(node: Expr, children: tuple[Expr, ...]) -> Expr:
    """The node rebuilt on other children, through its constructor."""
    if children == node.children:
        return node
    match node:
        case Add():
            return add(*children)
        case Mul():
            return mul(*children)
        case Pow():
            return power(*children)
        case Call():
            return call(node.fn, *children)
        case Apply():
            return Apply._make(node.payload, children)
        case Cmp() | Logic():
            return type(node)._make(node.payload, children)
        case Cond():
            return cond(*children)
        case Star():
            return star(node.bound, *children)
        case _:
            return node


def postorder(*roots: Expr, known: Callable[[Expr], bool] | None = None) -> list[Expr]:
    """All nodes below the roots, children first, each once; no recursion, so depth is no limit.

    Nodes that are `known`, and what only they contain, are left out.
    """
    seen: set[Expr] = set()
    out: list[Expr] = []
    stack: list[tuple[Expr, bool]] = [(r, False) for r in reversed(roots)]
    while stack:
        node, done = stack.pop()
        if done:
            out.append(node)
            continue
        if node in seen or (known is not None and known(node)):
            continue
        seen.add(node)
        stack.append((node, True))
        stack.extend((c, False) for c in reversed(node.children) if c not in seen)
    return out


def rewrite(root: Expr, rule: Callable[[Expr], Expr]) -> Expr:
    """Rebuild bottom-up, passing each rebuilt node through `rule`."""
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        done[node] = rule(with_children(node, tuple(done[c] for c in node.children)))
    return done[root]


def substitute(root: Expr, mapping: dict[Sym, Expr]) -> Expr:
    """Replace free symbols; a symbol bound by a `Star` is left alone."""
    keys = frozenset(mapping)
    if not (root.free & keys):
        return root
    done: dict[Expr, Expr] = {}
    for node in postorder(root):
        if not (node.free & keys):
            done[node] = node
        elif isinstance(node, Sym):
            done[node] = mapping[node]
        elif isinstance(node, Star) and node.bound in keys:
            inner = {k: v for k, v in mapping.items() if k is not node.bound}
            done[node] = star(node.bound, substitute(node.body, inner), substitute(node.theta, mapping))
        else:
            done[node] = with_children(node, tuple(done[c] for c in node.children))
    return done[root]


def flatten_for_pickle(root: Expr) -> list[tuple[Any, ...]]:
    """The nodes as a flat list of (class, payload, child positions), so that depth is no limit to pickling either."""
    nodes = postorder(root)
    position = {node: i for i, node in enumerate(nodes)}
    return [(type(node), node.payload, [position[c] for c in node.children]) for node in nodes]


def _rebuild(flat: list[tuple[Any, ...]]) -> Expr:
    built: list[Expr] = []
    for cls, payload, children in flat:
        bound = frozenset((payload,)) if cls is Star else frozenset()
        built.append(cls._make(payload, tuple(built[i] for i in children), bound))
    return built[-1]

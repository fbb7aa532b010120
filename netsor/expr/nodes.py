"""Immutable scalar expressions, the ψ's of a tensor program, shared wherever they are equal.

Two expressions that are built alike are one object, so that equality is identity, and passes can store results for each
node. They are made by the constructors of `netsor.expr.build`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from hashlib import blake2b
from typing import Any, ClassVar, Self, cast
from weakref import WeakValueDictionary

from netsor.expr.rationals import Rounded

Number = int | float


class Operations:
    """The functions behind the operators and the text of expressions, set by modules that import this one."""

    add: ClassVar[Callable[..., Expr]]
    mul: ClassVar[Callable[..., Expr]]
    power: ClassVar[Callable[[Expr, Expr], Expr]]
    text: ClassVar[Callable[[Expr], str]]


# Of more children than these the symbols are united at once.
_MANY = 8
_TABLE: WeakValueDictionary[tuple[Any, ...], Expr] = WeakValueDictionary()


class Expr:
    """A node: `children` are its subexpressions, `free` its free symbols, `digest` a hash that is the same in all runs.

    `made_of` holds the functions of the language that occur in it, and "if", "apply", "named" and "star" for nodes of
    these kinds, so that one need not search a long expression for them.
    """

    __slots__ = ("__weakref__", "children", "digest", "form", "free", "made_of", "payload")
    rank: ClassVar[int] = 0
    kind: ClassVar[str | None] = None

    payload: Any
    children: tuple[Expr, ...]
    # The canonical form once it is computed (True: the node itself). Expressions of a long program contain those before
    # them, and with this field a pass over all of them looks at each node once.
    form: Expr | bool | None
    free: frozenset[Sym]
    digest: bytes
    made_of: frozenset[str]

    @classmethod
    def _make(cls, payload: Any, children: tuple[Expr, ...], bound: frozenset[Sym] = frozenset()) -> Self:
        # 1 and 1.0 are equal as dictionary keys, but differ as constants of an expression.
        key = (cls, type(payload), payload, children)
        found = _TABLE.get(key)
        if found is not None:
            return cast(Self, found)
        node = object.__new__(cls)
        node.payload = payload
        node.children = children
        node.form = None
        h = blake2b(f"{cls.__name__}|{_stable(payload)}|".encode(), digest_size=12)
        h.update(b"".join([child.digest for child in children]))
        free: frozenset[Sym] = frozenset()
        made_of: frozenset[str] = frozenset()
        if len(children) > _MANY:
            free = free.union(*[child.free for child in children])
            made_of = made_of.union(*[child.made_of for child in children])
        else:
            for child in children:
                if not child.free <= free:
                    free = free | child.free
                if not child.made_of <= made_of:
                    made_of = made_of | child.made_of
        node.digest = h.digest()
        own = payload if cls is Call else cls.kind
        node.made_of = made_of if own is None or own in made_of else made_of | {own}
        node.free = free - bound if bound else free
        if cls is Sym:
            node.free = frozenset((cast("Sym", node),))
        _TABLE[key] = node
        return node

    def __reduce__(self) -> tuple[Callable[..., Expr], tuple[Any, ...]]:
        return _rebuild, (flatten_for_pickle(self),)

    def __repr__(self) -> str:
        return Operations.text(self)

    def __bool__(self) -> bool:
        raise TypeError("an expression has no truth value; compare with `is`")

    def __add__(self, other: Expr | Number) -> Expr:
        return Operations.add(self, as_expr(other))

    def __radd__(self, other: Number) -> Expr:
        return Operations.add(as_expr(other), self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return Operations.add(self, -as_expr(other))

    def __rsub__(self, other: Number) -> Expr:
        return Operations.add(as_expr(other), -self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return Operations.mul(self, as_expr(other))

    def __rmul__(self, other: Number) -> Expr:
        return Operations.mul(as_expr(other), self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return Operations.mul(self, Operations.power(as_expr(other), MINUS_ONE))

    def __rtruediv__(self, other: Number) -> Expr:
        return Operations.mul(as_expr(other), Operations.power(self, MINUS_ONE))

    def __pow__(self, other: Expr | Number) -> Expr:
        return Operations.power(self, as_expr(other))

    def __neg__(self) -> Expr:
        return Operations.mul(MINUS_ONE, self)


def _stable(payload: Any) -> str:
    if isinstance(payload, Function):
        return f"{payload.name}({','.join(str(p.name) for p in payload.params)})={payload.body.digest.hex()}"
    if isinstance(payload, tuple):
        return "(" + ",".join(_stable(p) for p in payload) + ")"
    if isinstance(payload, Rounded):
        return f"{payload.exact} ± {payload.error!r}"
    return repr(payload)


class Const(Expr):
    """A number; integers are kept apart from floats so that their powers are exact."""

    __slots__ = ()
    rank = 0

    def __new__(cls, value: Number) -> Const:
        if isinstance(value, Rounded):
            return cls._make(value, ())
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            value = int(value)
        elif isinstance(value, int) and value.bit_length() > 200:
            # Floats beyond 200 bits, because products of longer integers might exceed the range of floats.
            value = float(value) if value.bit_length() <= 1023 else math.copysign(math.inf, value)
        # numpy's float64 is a subclass of float, but its repr is not that of a float.
        if type(value) is not int and type(value) is not float:
            value = float(value)
        return cls._make(value, ())

    @property
    def value(self) -> Number:
        return self.payload


class Sym(Expr):
    """A variable, named by any hashable object (a string in programs, a tagged tuple in limits)."""

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
    """A product of at least two factors; a numeric coefficient, if there is one, comes first."""

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
        """`vectors` counts the parameters before the semicolon, by default all of them."""
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
    """A user's function, or a partial derivative of it (`orders` counts the derivatives in each parameter)."""

    __slots__ = ()
    rank = 6
    kind = "apply"

    @property
    def function(self) -> Function:
        return self.payload[0]

    @property
    def orders(self) -> tuple[int, ...]:
        return self.payload[1]


class Named(Apply):
    """A number by its name, as ⟨ξ[1], ξ[2]⟩ for −0.6: a function of no arguments; `origin` says what it is."""

    __slots__ = ()
    kind = "named"

    def __new__(cls, origin: Hashable, text: str, value: Number) -> Named:
        return cls._make((origin, text, value), ())

    @property
    def origin(self) -> Any:
        return self.payload[0]

    @property
    def text(self) -> str:
        return self.payload[1]

    @property
    def value(self) -> Number:
        return self.payload[2]

    @property
    def function(self) -> Function:
        return Function(self.text, (), Const(self.value))

    @property
    def orders(self) -> tuple[int, ...]:
        return ()


class Cmp(Expr):
    """A comparison, which occurs only in the test of a `Cond`."""

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
    kind = "if"

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

    `bound` is e, `body` an expression in it, and `theta` is θ. With body = ψ(μ¹ + e ν¹, …) this is the ψ* of the paper.
    """

    __slots__ = ()
    rank = 10
    kind = "star"

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
    """Whether folding a sum, a product or a power gave a number beyond the range of floats, or inf − inf.

    Only the topmost operation is examined; its operands were examined when they were made.
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


def split_coefficient(e: Expr) -> tuple[Number, Expr]:
    """`e` as (numeric coefficient, the rest)."""
    if isinstance(e, Const):
        return e.value, ONE
    if isinstance(e, Mul) and isinstance(e.children[0], Const):
        rest = e.children[1:]
        return e.children[0].value, rest[0] if len(rest) == 1 else Mul._make(None, rest)
    return 1, e


def is_power_of_two(e: Expr) -> bool:
    """Whether a factor is 2^k, as in a coefficient that a float cannot hold: 1e-400 is m · 2^-1536."""
    return isinstance(e, Pow) and e.base is TWO and isinstance(e.exponent, Const) and isinstance(e.exponent.value, int)


def size_beyond(e: Expr) -> int | None:
    """k of the factor 2^k in a coefficient that a float cannot hold; None where there is no such factor."""
    factors = e.children if isinstance(e, Mul) else (e,)
    return next((f.exponent.value for f in factors if is_power_of_two(f)), None)  # type: ignore[attr-defined]


def split_power(e: Expr) -> tuple[Expr, Expr]:
    """`e` as (base, exponent)."""
    return (e.base, e.exponent) if isinstance(e, Pow) else (e, ONE)


def postorder(*roots: Expr, known: Callable[[Expr], bool] | None = None) -> list[Expr]:
    """All nodes below the roots, children first, each once; without recursion, so that depth is not limited.

    Nodes that are `known` are left out, and so are their descendants unless another node contains them.
    """
    seen: set[Expr] = set()
    out: list[Expr] = []
    # None stands above a node whose children have been put on the stack.
    stack: list[Expr | None] = list(reversed(roots))
    while stack:
        node = stack.pop()
        if node is None:
            out.append(cast(Expr, stack.pop()))
            continue
        if node in seen or (known is not None and known(node)):
            continue
        seen.add(node)
        if node.children:
            stack += (node, None)
            stack += [c for c in reversed(node.children) if c not in seen]
        else:
            out.append(node)
    return out


def flatten_for_pickle(root: Expr) -> list[tuple[Any, ...]]:
    """The nodes as a flat list of (class, payload, child positions), so that pickling needs no recursion."""
    nodes = postorder(root)
    position = {node: i for i, node in enumerate(nodes)}
    return [(type(node), node.payload, [position[c] for c in node.children]) for node in nodes]


def _rebuild(flat: list[tuple[Any, ...]]) -> Expr:
    built: list[Expr] = []
    for cls, payload, children in flat:
        bound = frozenset((payload,)) if cls is Star else frozenset()
        built.append(cls._make(payload, tuple(built[i] for i in children), bound))
    return built[-1]

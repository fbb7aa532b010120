"""The backward pass (Eqs. 74–78): dx = √n ∂f/∂x for every variable x, by reverse accumulation over the instructions.

The recursion of Eq. 78 with common parts of paths computed once: dx is the sum of the contributions of all uses of x,

    g = W h              dh gets Wᵀ dg
    x = ψ(h, …; a)       dh gets ∂ψ/∂h ⊙ dx,       da gets (dx)ᵀ ∂ψ/∂a / n
    a = mean ψ(x; θ)     dx gets da · ∂ψ/∂x,       dθ gets da · mean ∂ψ/∂θ

with da = (1/√n) ∂f/∂a (D.4.5). With this scaling all powers of n cancel: ∂f/∂a = Σ_α ∂f/∂x_α ∂_aψ = √n mean(dx ⊙ ∂_aψ),
and √n ∂f/∂x_α = √n · √n da · ∂_xψ / n. At finite width this is the exact gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field

from netsor.core import MatMul, Moment, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.expr import (
    ZERO,
    Call,
    Expr,
    Function,
    add,
    apply,
    as_expr,
    call,
    diff,
    is_singular,
    mul,
    rewrite,
    sym,
    unfold,
)
from netsor.expr.functions import FUNCTIONS
from netsor.transform.builder import coefficient_and_symbol
from netsor.transform.examples import Rows
from netsor.transform.forward import Instances, Terms, Values, instances, instantiated
from netsor.transform.names import Stamp
from netsor.transform.parameters import moving, trainable

# Maps (matrix, transposed, vector, name of the MATMUL, its name where it is the whole value) to the product.
Product = Callable[[str, bool, Expr, str, str | None], Expr]


@dataclass(frozen=True)
class _Sent:
    """A contribution Wᵀ dg to the error signal at h, where g = W h; computed when the signal at h is summed."""

    matrix: str
    transposed: bool
    error: Expr
    g: str


@dataclass
class Backward:
    """Backward passes of one network: the derivatives of its ψ's, computed once, and the sums of error signals.

    `wanted` are the variables whose error signals are needed. Derivatives of jumps are faults, or where `singular`
    ones are allowed Dirac masses.
    """

    made: Instances
    wanted: Set[str]
    singular: bool = False
    slopes: dict[str, list[tuple[str, Expr]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = {f.name for f in self.made.network.functions()}
        for i in self.made.network.instructions:
            if isinstance(i, MatMul):
                continue
            self.slopes[i.name] = found = []
            for x in dict.fromkeys((*i.vectors, *i.scalars)):
                if x not in self.wanted:
                    continue
                slope = diff(by_name(i.psi, own), sym(x))
                if not self.singular and is_singular(unfold(slope)):
                    raise NetsorError(derived.no_derivative(i.name, x, i.span))
                if slope is not ZERO:
                    found.append((x, slope))

    def errors(self, terms: Terms, values: Values, stamp: Stamp, product: Product) -> Values:
        """dx = √n ∂f/∂x of the readout f = Σ c vᵀx/√n for all wanted x on which it depends; zeros are left out.

        `values` are the variables of the network, parameters included, at the time of `stamp`.
        """
        sent: dict[str, list[Expr | _Sent]] = {}
        for c, v, x in terms:
            # dx = c v (Eq. 77) and dv = c x (D.4.1).
            self._send(sent, x, mul(as_expr(c), values[v]))
            self._send(sent, v, mul(as_expr(c), values[x]))
        errors: Values = {}
        for i in reversed(self.made.network.instructions):
            d = errors[i.name] = self._gather(i.name, sent, isinstance(i, Moment), stamp, product)
            if d is ZERO:
                continue
            if isinstance(i, MatMul):
                self._send(sent, i.vector, _Sent(i.matrix, not i.transposed, d, i.name))
                continue
            for x, slope in self.slopes[i.name]:
                self._send(sent, x, mul(instantiated(slope, values), d))
        for x in sent:
            if x not in self.made.network.by_name:
                errors[x] = self._gather(x, sent, False, stamp, product)
        return {x: d for x, d in errors.items() if d is not ZERO}

    def _send(self, sent: dict[str, list[Expr | _Sent]], x: str, what: Expr | _Sent) -> None:
        if x in self.wanted and what is not ZERO:
            sent.setdefault(x, []).append(what)

    def _gather(
        self, x: str, sent: dict[str, list[Expr | _Sent]], is_scalar: bool, stamp: Stamp, product: Product
    ) -> Expr:
        """The sum of all contributions to the error signal at x, as one variable dx."""
        builder, names = self.made.builder, self.made.builder.names
        parts = sent.get(x, [])
        if not parts:
            return ZERO
        name = names.of(x, stamp, "d")
        total = add(*(
            product(
                part.matrix, part.transposed, part.error,
                names.product(part.matrix, part.transposed, part.g, stamp, "d"), name if len(parts) == 1 else None,
            )
            if isinstance(part, _Sent) else part
            for part in parts
        ))  # fmt: skip
        if is_scalar:
            return builder.moment(name, total)
        if x in self.made.network.group_of and coefficient_and_symbol(total):
            return total  # a readout's dv = c x is not a line of its own
        return builder.nonlin(name, total)


@dataclass
class Passes(Instances):
    """Forward and backward passes of several examples at initialization; `errors[k][j]` belong to readout j."""

    errors: list[list[Values]] = field(default_factory=list)


def passes(
    network: Program, rows: Rows | None, test: Rows | None = None, only_trained: bool = True, singular: bool = False
) -> Passes:
    """Forward and backward passes on every row, with one backward pass for each readout.

    With `only_trained`, error signals are computed only for variables that depend on a trained parameter.
    """
    made = instances(network, rows, test)
    wanted = moving(made.network, trainable(made.network)) if only_trained else everything(made.network)
    back = Backward(made, wanted, singular)
    out = Passes(**vars(made))
    several = len(made.network.readouts) > 1
    for example, values in zip(made.examples, made.values, strict=True):
        out.errors.append([
            back.errors(r.terms, values, example.stamp.toward(j if several else None), at_start(made))
            for j, r in enumerate(made.network.readouts, start=1)
        ])  # fmt: skip
    return out


_U = sym("u")


def by_name(psi: Expr, own: Set[str]) -> Expr:
    """ψ with functions of the language made definitions, so that derivatives read tanh'(h); names in `own` stay."""

    def named(e: Expr) -> Expr:
        if not isinstance(e, Call) or len(e.children) != 1 or e.fn in own:
            return e
        entry = FUNCTIONS[e.fn]
        if entry.singular or entry.primed != "everywhere":
            return e
        return apply(Function(e.fn, (_U,), call(e.fn, _U)), e.children)

    return rewrite(psi, named)


def at_start(made: Instances) -> Product:
    """The products of a backward pass with the matrices at initialization."""

    def product(matrix: str, transposed: bool, y: Expr, name: str, alone: str | None = None) -> Expr:
        return made.builder.matmul(alone or name, matrix, transposed, y)

    return product


def everything(network: Program) -> Set[str]:
    """All variables that have an error signal, which constants and expressions in constants have not.

    The v of a readout that is used nowhere else is left out too, since its dv is the embedding.
    """
    scalars = set(network.constant)
    used: set[str] = set()
    for i in network.instructions:
        if not isinstance(i, MatMul) and not i.vectors and scalars.issuperset(i.scalars):
            scalars.add(i.name)
        used.update((i.vector,) if isinstance(i, MatMul) else i.vectors)
    heads = {v for r in network.readouts for _, v, _ in r.terms} - used - set(network.by_name)
    return ({*network.group_of, *network.embedding, *network.by_name} - scalars) - heads


def backward(network: Program, inputs: Rows | None = None) -> Program:
    """The forward and the backward pass as a program over data ξ, with `dx` for √n ∂f/∂x (Eqs. 74–78).

    Without inputs it is the pass of one example with the data `ξ : (1, d)`, whose numbers are given later, and
    variables keep the names of the network; with inputs the variable h of row i is `h[i]`. With several readouts the
    last index of an error signal is the number of the readout. Raises NetsorError: not a network (E651), no readout
    (E652), a jump without a derivative (E653), inputs that do not fit (E654, E655).
    """
    return passes(network, inputs, only_trained=False).builder.build(network.name)

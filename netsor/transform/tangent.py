"""Derivatives of a network by its parameters (`param` lines): its outputs f, and beside them ∂f/∂a, as one network.

Forward accumulation over the instructions, with every random matrix and vector written by standard normals:

    W = σ w          ∂W = (∂σ/σ) W                    b = μ + s w       ∂b = ∂μ + (∂s/s)(b − μ)
    g = W h          ∂g = W ∂h + (∂σ/σ) g             y = ψ(x; a)       ∂y = ∂ψ/∂x ⊙ ∂x + ∂ψ/∂a
    f = c vᵀx/√n     ∂f = ((∂c + c ∂s/s) vᵀx + c vᵀ∂x)/√n

The derivative of a kernel E f f' is E ∂f f' + E f ∂f', a kernel of this network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from netsor.core import Instruction, MatMul, Moment, Nonlin, Program, Readout
from netsor.expr import WIDTH, ZERO, Const, Expr, Sym, add, as_expr, diff, evaluate, mul, substitute, sym, unfold
from netsor.transform.forward import reduced
from netsor.transform.names import member, split

# What is a number at every n is evaluated at this one.
_ANY_WIDTH = 1024.0


@dataclass(frozen=True)
class Formulas:
    """How a network depends on some of its parameters, which are members of its 𝒞.

    `laws` are the formulas of numbers that depend on them: ("variance", W), ("mean", b), ("multiplier", W), and
    ("readout", "f 0") for the coefficient of the first term of the readout f.
    """

    network: Program
    values: Mapping[str, float]
    laws: Mapping[tuple[str, str], Expr]

    def rate(self, kind: str, name: str, param: str) -> float:
        """∂ of a number by a parameter."""
        formula = self.laws.get((kind, name))
        return 0.0 if formula is None else self.number(diff(formula, sym(param)))

    def number(self, e: Expr) -> float:
        """An expression in the parameters at their values."""
        at: dict[Sym, Expr] = {sym(a): Const(v) for a, v in self.values.items()}
        return float(evaluate(substitute(e, at), {WIDTH: _ANY_WIDTH}))


class NotDifferentiable(ValueError):
    """Why a network has no derivative by a parameter."""


@dataclass(frozen=True)
class Tangents:
    """A network with the readouts f₁, …, f_q, and for each of `params` ∂f₁, …, ∂f_q.

    `multipliers` are ∂ log(m²/σ²) for what is trained with a multiplier m in the place of √σ²: its share of the NTK is
    that times the share itself, beside what the kernels of this network give.
    """

    network: Program
    params: tuple[str, ...]
    multipliers: Mapping[tuple[str, str], float]


def tangents(known: Formulas, params: Sequence[str]) -> Tangents:
    """The network of outputs and their derivatives; raises NotDifferentiable where a variance is 0 and changes."""
    network = reduced(known.network)
    numbers: dict[Sym, Expr] = {sym(a): Const(v) for a, v in known.values.items()}
    taken = {*network.group_of, *network.embedding, *network.by_name, *network.constant, *network.matrix}
    instructions: list[Instruction] = []
    readouts = list(network.readouts)
    extra: dict[str, list[Instruction]] = {}
    for param in params:
        forward = _Forward(known, network, param, numbers, taken)
        for i in network.instructions:
            extra.setdefault(i.name, []).extend(forward.instruction(i))
        readouts += [forward.readout(r, extra) for r in network.readouts]
    for i in network.instructions:
        instructions += [_with_numbers(i, numbers), *(_with_numbers(j, numbers) for j in extra.get(i.name, ()))]
    made = replace(
        network,
        instructions=(*(_with_numbers(i, numbers) for i in extra.get("", ())), *instructions),
        readouts=tuple(readouts),
        constants=tuple(c for c in network.constants if c.name not in known.values),
    )
    multipliers = {
        (param, t.name): rate
        for param in params
        for t in network.train or ()
        if t.multiplier is not None and (rate := _multiplier_rate(known, network, t.name, t.multiplier, param))
    }
    return Tangents(made, tuple(params), multipliers)


def _multiplier_rate(known: Formulas, network: Program, name: str, multiplier: float, param: str) -> float:
    moved = known.rate("multiplier", name, param)
    if moved and not multiplier:
        raise NotDifferentiable(f"the multiplier of `{name}` is 0")
    return 2 * (moved / multiplier if moved else 0.0) - 2 * _log_rate(known, network, name, param)


def _log_rate(known: Formulas, network: Program, name: str, param: str) -> float:
    """∂σ/σ of a matrix or a vector with the variance σ²."""
    moved = known.rate("variance", name, param)
    if not moved:
        return 0.0
    if name in network.group_of:
        group, i = network.group_of[name]
        variance = group.covariance[i][i]
    else:
        entry = network.matrix.get(name) or network.input_matrix[name]
        variance = entry.variance
    if not variance:
        raise NotDifferentiable(f"the variance of `{name}` is 0")
    return 0.5 * moved / variance


def _with_numbers(i: Instruction, numbers: Mapping[Sym, Expr]) -> Instruction:
    """An instruction with numbers in the place of the parameters."""
    if isinstance(i, MatMul):
        return i
    psi = substitute(i.psi, dict(numbers))
    present = {str(s.name) for s in psi.free}
    vectors = tuple(x for x in i.vectors if x in present) or i.vectors[:1]
    return replace(i, psi=psi, vectors=vectors, scalars=tuple(x for x in i.scalars if x in present))


class _Forward:
    """Forward accumulation for one parameter."""

    def __init__(
        self, known: Formulas, network: Program, param: str, numbers: Mapping[Sym, Expr], taken: set[str]
    ) -> None:
        self.known, self.network, self.param, self.numbers, self.taken = known, network, param, numbers, taken
        self.moved: dict[str, Expr] = {param: as_expr(1)}
        for e in network.embeddings:
            self.moved[e.name] = mul(as_expr(_log_rate(known, network, e.matrix, param)), sym(e.name))
        for group in network.groups:
            for name, mean in zip(group.names, group.mean, strict=True):
                centred = add(sym(name), as_expr(-mean))
                rate = mul(as_expr(_log_rate(known, network, name, param)), centred)
                self.moved[name] = add(as_expr(known.rate("mean", name, param)), rate)
        for constant in network.constants:
            if constant.name != param:
                self.moved[constant.name] = diff(constant.value, sym(param))

    def instruction(self, i: Instruction) -> list[Instruction]:
        """The lines that ∂ of a line needs."""
        if isinstance(i, MatMul):
            rate = _log_rate(self.known, self.network, i.matrix, self.param)
            own = mul(as_expr(rate), sym(i.name))
            made = self._variable(i.vector)
            if not made and self.moved[i.vector] is ZERO:
                self.moved[i.name] = own
                return []
            product = MatMul(self._fresh(i.name), i.matrix, i.transposed, self._name(i.vector), i.span)
            self.moved[i.name] = add(sym(product.name), own)
            return [*made, product]
        psi = unfold(i.psi)
        parts = [mul(diff(psi, sym(x)), self.moved.get(x, ZERO)) for x in (*i.vectors, *i.scalars)]
        total = add(*parts)
        if total is ZERO:
            self.moved[i.name] = ZERO
            return []
        vectors, scalars = self._arguments(total)
        line: Instruction
        if isinstance(i, Nonlin):
            line = Nonlin(self._fresh(i.name), total, vectors or i.vectors[:1], scalars, i.span)
        else:
            line = Moment(self._fresh(i.name), total, vectors, scalars, i.span)
        self.moved[i.name] = sym(line.name)
        return [line]

    def readout(self, r: Readout, extra: dict[str, list[Instruction]]) -> Readout:
        """∂f of a readout f."""
        terms: list[tuple[float, str, str]] = []
        for k, (c, v, x) in enumerate(r.terms):
            moved = self.known.rate("readout", f"{r.name} {k}", self.param)
            rate = moved + c * _log_rate(self.known, self.network, v, self.param)
            if self.known.rate("mean", v, self.param):
                raise NotDifferentiable(f"`{v}` of a readout has a mean that changes")
            if rate:
                terms.append((rate, v, x))
            if self.moved[x] is not ZERO:
                where = x if x in self.network.by_name else ""
                extra.setdefault(where, []).extend(self._variable(x))
                terms.append((c, v, self._name(x)))
        # Of no term at all: a readout that is zero.
        return Readout(self._fresh(r.name), tuple(terms) or ((0.0, *r.terms[0][1:]),), r.span)

    def _variable(self, x: str) -> list[Instruction]:
        """The line that makes ∂x a variable, where it is an expression."""
        e = self.moved[x]
        if e is ZERO or isinstance(e, Sym):
            return []
        vectors, scalars = self._arguments(e)
        line = Nonlin(self._fresh(x), e, vectors or (x,), scalars)
        self.moved[x] = sym(line.name)
        return [line]

    def _name(self, x: str) -> str:
        e = self.moved[x]
        assert isinstance(e, Sym)
        return str(e.name)

    def _arguments(self, e: Expr) -> tuple[tuple[str, ...], tuple[str, ...]]:
        scalars = {i.name for i in self.network.instructions if isinstance(i, Moment)} | set(self.network.constant)
        marked = {str(d.name) for s in scalars if isinstance(d := self.moved.get(s), Sym)}
        names = sorted(str(s.name) for s in e.free if s is not WIDTH)
        return (
            tuple(x for x in names if x not in scalars and x not in marked),
            tuple(x for x in names if x in scalars or x in marked),
        )

    def _fresh(self, name: str) -> str:
        base, indices = split(name)
        k = 1
        while (made := member(f"{base}_d{k}", *indices)) in self.taken:
            k += 1
        self.taken.add(made)
        return made

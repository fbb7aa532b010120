"""What only networks have: inputs, readouts, and the parameters that SGD updates (Setup D.1)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from netsor.check.columns import column, member_of, width_of_line
from netsor.check.context import Context
from netsor.check.fault import Fault
from netsor.check.names import bind, check_free, home, unknown_fault
from netsor.check.operands import MOST_INSTRUCTIONS, integer, integers, law_number, members, numeric, range_of
from netsor.check.scope import Indices, core_name
from netsor.check.values import (
    POISON,
    DecoderValue,
    Family,
    InputMatrixValue,
    InputValue,
    MatrixValue,
    Poison,
    Scalar,
    kind_name,
)
from netsor.core import Group, InputRef, Moment, NetworkInput, Readout, Trained
from netsor.diagnostics import Span
from netsor.diagnostics.catalogue import declarations, networks
from netsor.diagnostics.catalogue.words import whole_line
from netsor.expr import (
    ONE,
    WIDTH,
    Add,
    Const,
    Expr,
    Mul,
    Pow,
    Sym,
    as_expr,
    evaluate,
    mul,
    power,
    split_coefficient,
    substitute,
)
from netsor.syntax import ast


async def network_inputs(ctx: Context, header: ast.NetworkHeader) -> None:
    """The inputs of the example, `ξ : 3`, a family `ξ[1..T] : 3` of them, or a grid `ξ[1..P, 1..Q] : 3`.

    In the core a grid is a family of one index, row by row.
    """
    for item in header.inputs:
        dimension = await integer(ctx, item.dimension, "the dimension of an input")
        if dimension < 1:
            raise Fault(declarations.input_dimension(item.dimension.span, item.name, dimension))
        if not item.ranges:
            ctx.draft.inputs.append(NetworkInput(item.name, dimension, None, item.span))
            bind(ctx, item.name, (), InputValue(InputRef(item.name), dimension), item.span)
            continue
        axes = [await range_of(ctx, r) for r in item.ranges]
        if len(axes) > 2:
            raise Fault(declarations.several_ranges(item.span, item.name, len(axes)))
        empty = next((r for r, axis in zip(item.ranges, axes, strict=True) if not axis), None)
        if empty is not None:
            raise Fault(declarations.no_inputs(item.span, item.name, empty.span))
        places = list(itertools.product(*axes))
        if len(places) > MOST_INSTRUCTIONS:
            raise Fault(declarations.too_long(item.span, len(places), "members in one family"))
        numbers = tuple(axes[0]) if len(axes) == 1 else tuple(range(1, len(places) + 1))
        ctx.draft.inputs.append(NetworkInput(item.name, dimension, numbers, item.span))
        for place, k in zip(places, numbers, strict=True):
            bind(ctx, item.name, place, InputValue(InputRef(item.name, k), dimension), item.span)


# --- readouts -------------------------------------------------------------------------------------------------------


async def readout(ctx: Context, node: ast.Output) -> None:
    """f = Σ c vᵀ x / √n (Setup D.1)."""
    at, emitter = node.value.span, ctx.emitter
    d = await width_of_line(ctx, node.value, True)
    if d is not None:
        stem = f"f{len(ctx.draft.readouts) + 1}" if ctx.draft.readouts else "f"
        target = node.target or ast.Target(stem, (), span=at)
        for k in range(1, d + 1):
            with column(ctx, k, d):
                await readout(ctx, replace(node, target=member_of(target, k)))
        return
    if node.target is not None:
        name = core_name(node.target.name, await integers(ctx, node.target.indices))
    else:
        name = f"f{len(ctx.draft.readouts) + 1}" if ctx.draft.readouts else "f"
    outer, ctx.stem = ctx.stem, name
    ctx.terms_of_readout = frozenset(map(id, _added(node.value)))
    mark = len(emitter.instructions)
    try:
        value = await numeric(ctx, node.value)
    finally:
        ctx.stem = outer
        ctx.terms_of_readout = frozenset()
    if isinstance(value, Poison):
        return
    declared = {n for g in emitter.groups for n in g.names}
    if not isinstance(value, Scalar):
        raise Fault(networks.readout_shape(at, node.span, name, declared))
    if value.expr is Const(0):
        raise Fault(networks.readout_cancels(at))
    moments = {i.name: i for i in emitter.instructions if isinstance(i, Moment) and i.name in emitter.temporary}
    terms, used = [], set()
    for term in value.expr.children if isinstance(value.expr, Add) else (value.expr,):
        found = _term(term, moments, declared, ctx.draft.biases, ctx.draft.constant_values if ctx.symbols else {})
        if found is None:
            raise Fault(networks.readout_shape(at, node.span, name, declared))
        used.add(found[0])
        terms.append(found[2:])
        if found[1].free:
            ctx.formulas["readout", f"{name} {len(terms) - 1}"] = found[1]
    emitter.forget(i.name for i in emitter.instructions[mark:] if i.name in used)
    emitter.instructions[mark:] = [i for i in emitter.instructions[mark:] if i.name not in used]
    made = tuple((c, v, emitter.vector_name(name, x, node.span)) for c, v, x in terms)
    if node.target is not None:
        indices = await integers(ctx, node.target.indices)
        check_free(ctx, node.target.name, indices, node.target.span)
        home(ctx).bind(node.target.name, indices, POISON, node.target.span)
    ctx.draft.readouts.append(Readout(name, made, node.span))


def _added(node: ast.Expr) -> list[ast.Expr]:
    """The names of which an expression adds a multiple: c in `vᵀ x / √n + 2 c / √n`, not in `vᵀ (x + c) / √n`."""
    match node:
        case ast.Name() | ast.Index():
            return [node]
        case ast.Negate():
            return _added(node.operand)
        case ast.Sum():
            return _added(node.body)
        case ast.Binary(op="+" | "-"):
            return [*_added(node.left), *_added(node.right)]
        case ast.Binary(op="/", left=ast.Binary() | ast.Juxtapose() as numerator):
            return _added(numerator)
        case ast.Binary() | ast.Juxtapose():
            return [x for x in (node.left, node.right) if isinstance(x, (ast.Name, ast.Index))]
    return []


def _term(
    term: Expr, moments: Mapping[str, Moment], declared: set[str], biases: set[str], symbols: Mapping[Sym, Expr]
) -> tuple[str, Expr, float, str, Expr] | None:
    """The MOMENT, and c, v and x, of a term c √n mean(v x) with v a declared vector of parameters; None for others.

    c comes as a formula too, in the parameters that stay `symbols`. A bias of the output may be divided by a power of
    n, which then is its embedding x.
    """
    c, rest = split_coefficient(term)
    factors, formula = _apart(rest, symbols, as_expr(c))
    names = [str(f.name) for f in factors if isinstance(f, Sym) and f.name in moments]
    if len(names) != 1:
        return None
    scale, psi = split_coefficient(moments[names[0]].psi)
    smaller = mul(*(f for f in factors if not isinstance(f, Sym) or f.name not in names), power(WIDTH, Const(-0.5)))
    factors, formula = _apart(psi, symbols, mul(formula, as_expr(scale)))
    number = float(evaluate(substitute(formula, dict(symbols)), {})) if formula.free else float(c * float(scale))
    for i, f in enumerate(factors):
        others = factors[:i] + factors[i + 1 :]
        if isinstance(f, Pow) and isinstance(f.exponent, Const) and f.exponent.value in range(2, 100):
            # One of the v's is the readout's, the others belong to the embedding.
            others.append(power(f.base, Const(f.exponent.value - 1)))
            f = f.base
        if isinstance(f, Sym) and f.name in declared:
            if smaller is ONE or f.name in biases and _vanishes(smaller):
                return names[0], formula, number, str(f.name), mul(smaller, *others)
            return None
    return None


def _vanishes(e: Expr) -> bool:
    """Whether an expression is a negative power of n."""
    return isinstance(e, Pow) and e.base is WIDTH and isinstance(e.exponent, Const) and e.exponent.value < 0


def _apart(e: Expr, symbols: Mapping[Sym, Expr], c: Expr) -> tuple[list[Expr], Expr]:
    """The factors of an expression, and c times those of them that are made of `symbols` alone."""
    factors = list(e.children) if isinstance(e, Mul) else [e]
    constant = [f for f in factors if symbols and f.free and f.free <= set(symbols)]
    return [f for f in factors if f not in constant], mul(c, *constant)


# --- training -------------------------------------------------------------------------------------------------------


_EVERYTHING = ("everything", "parameters", "params", "weights", "network", "model")


async def train(ctx: Context, node: ast.Train) -> None:
    """`train W, b * 0.1`: the parameters that SGD updates, and their multipliers."""
    if not ctx.is_network:
        raise Fault(networks.train_in_program(node.span))
    if ctx.draft.train is None:
        ctx.draft.train = []
    groups = {n: g for g in ctx.emitter.groups for n in g.names}
    for item in node.items:
        d = item.declarator
        base = ctx.names.scope.lookup(d.name)
        if base is None and d.name == "all" and not d.indices:
            if ctx.draft.train_all is not None:
                raise Fault(networks.trained_twice(d.span, "all", _item_with_comma(node, item)))
            if item.multiplier is not None:
                raise Fault(networks.multiplier_of_all(item.span, d.span))
            ctx.draft.train_all = d.span
            continue
        if base is None and d.name.lower() in _EVERYTHING and not d.indices:
            raise Fault(networks.trained_everything(d.span))
        if base is None:
            if d.indices and not await members(ctx, d):
                continue  # an empty family, as W[2..L] is where L = 1
            raise unknown_fault(ctx, d.span, d.name)
        found = list(base.sorted) if isinstance(base, Family) and not d.indices else await members(ctx, d)
        multiplier, formula = None, None
        if item.multiplier is not None:
            found_number, formula = await law_number(ctx, item.multiplier, "a multiplier")
            multiplier = float(found_number)
        for indices, column_item in [x for i in found for x in _columns(ctx, item, i)]:
            trained = _trained(ctx, node, column_item, indices, multiplier, groups)
            if trained is not None:
                ctx.draft.train.append(trained)
                if formula is not None:
                    ctx.formulas["multiplier", trained.name] = formula


def _columns(ctx: Context, item: ast.TrainItem, indices: Indices) -> list[tuple[Indices, ast.TrainItem]]:
    """The columns of an n×d matrix that is d vectors, or what is named itself."""
    value = ctx.names.scope.lookup(item.declarator.name)
    if isinstance(value, Family) and indices in value.members:
        value = value.members[indices]
    if not isinstance(value, DecoderValue):
        return [(indices, item)]
    return [((*indices, k), item) for k in range(1, len(value.columns) + 1)]


def train_all(ctx: Context) -> None:
    """`train all`: every parameter of the network, wherever it is declared; those named besides keep their multiplier.

    Faults of single parameters go to `ctx.faults`.
    """
    span = ctx.draft.train_all
    if span is None or ctx.draft.train is None or ctx.faults.has_errors:
        return
    named = {t.name for t in ctx.draft.train} | ctx.emitter.undeclared
    still = [name for g in ctx.emitter.groups if not any(map(any, g.covariance)) for name in g.names]
    fixed = [name for name in still if name not in named]
    if fixed:
        states = {name for name in fixed if _is_initial_state(ctx, name)}
        ctx.faults.add(networks.train_all_zero_variance(span, fixed, states, _names_of_others(ctx, named, fixed)))
        return
    parameters = [m.name for m in ctx.draft.matrices] + [u.name for u in ctx.draft.input_matrices]
    parameters += [name for g in ctx.emitter.groups for name in g.names]
    ctx.draft.train += [Trained(name, None, span) for name in parameters if name not in named]


def _is_initial_state(ctx: Context, name: str) -> bool:
    """Whether a vector is a member of a family of which others are computed, as h[0] of a recurrence."""
    value = ctx.names.scope.lookup(name.partition("[")[0])
    declared = {n for g in ctx.emitter.groups for n in g.names}
    return isinstance(value, Family) and any(core_name(value.name, i) not in declared for i in value.members)


def _names_of_others(ctx: Context, named: set[str], fixed: Sequence[str]) -> list[str]:
    """The parameters that are neither named nor fixed, whole families by their names."""
    parameters = [m.name for m in ctx.draft.matrices] + [u.name for u in ctx.draft.input_matrices]
    parameters += [name for g in ctx.emitter.groups for name in g.names]
    apart = {name.partition("[")[0] for name in (*named, *fixed) if "[" in name}
    others = [name for name in parameters if name not in named and name not in fixed]
    return list(dict.fromkeys(x if (x := name.partition("[")[0]) not in apart else name for name in others))


def _trained(
    ctx: Context,
    node: ast.Train,
    item: ast.TrainItem,
    indices: Indices,
    multiplier: float | None,
    groups: Mapping[str, Group],
) -> Trained | None:
    """One parameter that is trained; None where it is faulty itself."""
    d = item.declarator
    value = ctx.names.scope.lookup(d.name)
    matrix = value.members.get(indices[:-1]) if isinstance(value, Family) and indices else value
    if isinstance(matrix, DecoderValue):
        value = matrix
    elif indices:
        if not isinstance(value, Family) or indices not in value.members:
            raise Fault(
                declarations.index_out_of_range(
                    d.span, d.name, indices, value if isinstance(value, Family) else Family(d.name, {})
                )
            )
        value = value.members[indices]
    name = core_name(d.name, indices)
    if isinstance(value, Poison):
        return None
    if not isinstance(value, (MatrixValue, InputMatrixValue)) and name not in groups:
        raise Fault(networks.train_not_parameter(d.span, name, kind_name(value) if value else "not a variable"))
    if any(t.name == name for t in ctx.draft.train or ()):
        raise Fault(networks.trained_twice(d.span, name, _item_with_comma(node, item)))
    if name in groups:
        g = groups[name]
        if multiplier is not None and len(g.names) > 1:
            raise Fault(networks.train_joint(d.span, name, item.span))
        if multiplier is None and all(x == 0 for row in g.covariance for x in row):
            raise Fault(networks.train_zero_variance(d.span, name))
    return Trained(name, multiplier, d.span)


def _item_with_comma(node: ast.Train, item: ast.TrainItem) -> Span:
    """A parameter of a `train` line with the comma that goes with it; the whole line where it is the only one."""
    k = node.items.index(item)
    if len(node.items) == 1:
        return whole_line(node.span)
    if k:
        return Span(item.span.source, node.items[k - 1].span.end, item.span.end)
    return Span(item.span.source, item.span.start, node.items[1].span.start)

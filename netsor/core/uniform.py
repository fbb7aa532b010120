"""Uniform members of 𝒱 as functions of Gaussians: a program with the same law whose initial vectors are all Gaussian.

The distribution function of a Gaussian is uniform, so that U(a, b) is the law of a + (b − a) Φ(g), which is
m + h erf(g/√2) with m = (a + b)/2, h = (b − a)/2 and g ~ N(0, 1). An n×d matrix with such entries has d such columns,
and U ξ is the sum of ξ_k times the column k.
"""

from __future__ import annotations

from dataclasses import replace

from netsor.core.program import Embedding, Group, InputMatrix, Instruction, Nonlin, Program, Row
from netsor.expr import Const, Expr, Sym, add, as_expr, call, mul, power
from netsor.expr.rationals import as_float, number, rational

Bounds = tuple[float, float]
_ROOT_HALF = power(Const(2), Const(-0.5))


def mean_and_half_width(bounds: Bounds) -> tuple[float, float]:
    """m and h of U(m − h, m + h), each rounded once."""
    low, high = map(rational, bounds)
    return as_float(number((low + high) / 2)), as_float(number((high - low) / 2))


def mean_and_variance(bounds: Bounds) -> tuple[float, float]:
    """(a + b)/2 and (b − a)²/12."""
    low, high = map(rational, bounds)
    return as_float(number((low + high) / 2)), as_float(number((high - low) ** 2 / 12))


def with_gaussians(p: Program) -> Program:
    """The program with a Gaussian vector, and a NONLIN of it, in the place of each uniform one."""
    if not any(g.bounds for g in p.groups) and not any(u.bounds for u in p.input_matrices):
        return p
    taken = {*p.matrix, *p.input_matrix, *p.group_of, *p.embedding, *p.constant, *p.datum, *p.by_name}
    groups: list[Group] = []
    lines: list[Instruction] = []
    for g in p.groups:
        if g.bounds is None:
            groups.append(g)
            continue
        hidden = _fresh(g.names[0], taken)
        groups.append(Group((hidden,), (0.0,), ((1.0,),), g.span))
        lines.append(Nonlin(g.names[0], uniform_of(g.bounds, Sym(hidden)), (hidden,), (), g.span))
    columns: dict[str, list[str]] = {}
    for u in p.input_matrices:
        if u.bounds is not None:
            columns[u.name] = [_fresh(u.name, taken, k) for k in range(1, u.columns + 1)]
    of_uniform = [e for e in p.embeddings if e.matrix in columns]
    used: set[str] = set()
    for e in of_uniform:
        line = _embedded(e, p.input_matrix[e.matrix], columns[e.matrix], p.row(e))
        if isinstance(line, Nonlin):
            used.update(line.vectors)
            lines.append(line)
        else:
            groups.append(line)
    for u in p.input_matrices:
        groups.extend(Group((x,), (0.0,), ((1.0,),), u.span) for x in columns.get(u.name, ()) if x in used)
    return replace(
        p,
        groups=tuple(groups),
        input_matrices=tuple(u for u in p.input_matrices if u.name not in columns),
        embeddings=tuple(e for e in p.embeddings if e.matrix not in columns),
        instructions=(*lines, *p.instructions),
    )


def uniform_of(bounds: Bounds, gaussian: Expr) -> Expr:
    """m + h erf(g/√2) of a standard Gaussian g."""
    mean, half = mean_and_half_width(bounds)
    return add(as_expr(mean), mul(as_expr(half), call("erf", mul(_ROOT_HALF, gaussian))))


def _embedded(e: Embedding, u: InputMatrix, columns: list[str], row: Row) -> Nonlin | Group:
    """U ξ = Σ_k ξ_k u_k; where ξ is zero, the vector of zeros."""
    assert u.bounds is not None
    pairs = [(x, column) for x, column in zip(row, columns, strict=True) if x]
    if not pairs:
        return Group((e.name,), (0.0,), ((0.0,),), e.span)
    psi = add(*(mul(as_expr(float(x)), uniform_of(u.bounds, Sym(column))) for x, column in pairs))
    return Nonlin(e.name, psi, tuple(column for _, column in pairs), (), e.span)


def _fresh(name: str, taken: set[str], column: int | None = None) -> str:
    """A name made from that of a uniform vector, or of a column of a uniform matrix."""
    base, bracket, inside = name.partition("[")
    index = inside.rstrip("]") + ("," if inside and column else "") + (str(column) if column else "")
    k = 0
    while (made := f"{base}_{k}" + (f"[{index}]" if bracket or column else "")) in taken:
        k += 1
    taken.add(made)
    return made

"""Conditioning on the outputs at step 0: v̂ of Eq. 71 in place of v (D.1.1).

With Σ = XᵀX/n and μ = Xᵀv/n over the embeddings of all rows, v̂ = v + X a where a = Σ⁺(f/√n − μ) solves Σ a = f/√n − μ.
The coefficients a are MOMENTs of scalars, with Σ = L P Lᵀ from a Cholesky factorisation without square roots. A pivot
that is zero up to rounding belongs to an embedding that is a combination of earlier ones. It is replaced by 1, which
leaves v̂ as Σ⁺ gives it, since the quotient by it is zero. (If dependent embeddings are given outputs f that no v can
produce, the first rows get their outputs, and the residuals are what is missing on the others.) All coefficients tend
to 0 where E Z^v Z^x is 0, and then Z^{v̂} = Z^v.

In general f^j = Σ c vᵀx/√n with jointly Gaussian v's. There is then one constraint for each row and readout, Σ and μ
are the same inner products weighted with Cov(v, v'), and v̂ = v + Σ a Σ c Cov(v, v') x.
"""

from __future__ import annotations

from collections.abc import Sequence

from netsor.core import MatMul, Output, Program
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import derived
from netsor.expr import ONE, ZERO, Const, Expr, Sym, add, as_expr, compare, cond, mul, neg, power, sym
from netsor.transform.builder import ONE_OVER_ROOT_N, ROOT_N, Builder
from netsor.transform.forward import Instances, Terms, Values, covariance_of, readout_covariance
from netsor.transform.names import HAT, Stamp, decorate, member, split

# A pivot smaller than this share of Σ_ii is the rounding error of zero.
_ROUNDING = Const(1e-12)
# Names in a program contain no space, so this prefix cannot clash with one.
RESIDUAL = "residual "


def conditioned(made: Instances, f: Sequence[Sequence[Expr]]) -> tuple[Values, list[Output]]:
    """Add v̂ for every readout vector v, where `f[k][j]` is readout j on example k at step 0.

    Returns the v̂'s, and for each constraint an output with the residual f − v̂ᵀx/√n. Raises NetsorError: E659 for rows
    with the same embedding and different f, E660 for a readout vector that cannot be conditioned.
    """
    network, builder = made.network, made.builder
    heads = readout_vectors(network)
    constraints: list[tuple[Terms, Values, Expr]] = []
    known: dict[tuple[object, ...], tuple[Expr, str]] = {}
    for k, (values, fk) in enumerate(zip(made.values, f, strict=True)):
        for r, fkj in zip(network.readouts, fk, strict=True):
            what = tuple((c, v, values[x]) for c, v, x in r.terms)
            row = _row_text(made.examples[k].stamp)
            before = known.setdefault(what, (fkj, row))
            if before[0] is fkj:
                if before[1] == row:
                    constraints.append((r.terms, values, fkj))
            elif _number(builder, before[0]) != _number(builder, fkj):
                raise NetsorError(derived.conflicting_readouts(before[1], row))
    coefficients, residuals = _solve(network, builder, constraints)
    lacking = [Output(f"{RESIDUAL}{i}", builder.scalar(f"{RESIDUAL}{i}", r)) for i, r in enumerate(residuals, start=1)]
    hats = {v: builder.nonlin(_hat_name(builder, v), _shifted(network, v, constraints, coefficients)) for v in heads}
    return hats, lacking


def readout_vectors(network: Program) -> list[str]:
    """The v's of the readouts; raises NetsorError (E660) for one that cannot be conditioned as in Eq. 69."""
    heads = list(dict.fromkeys(v for r in network.readouts for _, v, _ in r.terms))
    used: dict[str, str] = {}
    for i in network.instructions:
        for x in (i.vector,) if isinstance(i, MatMul) else i.vectors:
            used.setdefault(x, i.name)
    for v in heads:
        if v not in network.group_of:
            raise NetsorError(derived.cannot_condition(v, "is not a member of 𝒱"))
        if covariance_of(network, v, v) == 0:
            raise NetsorError(derived.cannot_condition(v, "has variance 0"))
        for other in network.group_of[v][0].names:
            if other in used and (other == v or covariance_of(network, v, other) != 0):
                relation = "" if other == v else f"correlated with `{other}`, which is "
                raise NetsorError(derived.cannot_condition(v, f"is {relation}used in `{used[other]}`"))
    for r in network.readouts:
        for _, _, x in r.terms:
            if x in heads:
                raise NetsorError(derived.cannot_condition(x, "stands in the place of an embedding"))
    return heads


def _solve(
    network: Program, builder: Builder, constraints: Sequence[tuple[Terms, Values, Expr]]
) -> tuple[list[Expr], list[Expr]]:
    """The coefficients a = Σ⁺(f/√n − μ) and the residuals f − √n (μ + Σ a), as scalars of the program."""
    count = len(constraints)
    root = {key: builder.names.fresh(key) for key in ("S", "μ", "D", "P", "L", "ζ", "a")}

    def line(key: str, psi: Expr, *indices: int) -> Expr:
        return builder.moment(member(root[key], *(i + 1 for i in indices)), psi)

    gram = [
        [
            line("S", readout_covariance(network, terms, constraints[j][0], values, constraints[j][1]), i, j)
            for j in range(i + 1)
        ]
        for i, (terms, values, _) in enumerate(constraints)
    ]
    mu = [
        line("μ", add(*(mul(as_expr(c), values[x], sym(v)) for c, v, x in terms)), i)
        for i, (terms, values, _) in enumerate(constraints)
    ]
    pivots: list[Expr] = []
    lower: list[list[Expr]] = []
    for i in range(count):
        lower.append([])
        for j in range(i):
            known = (mul(lower[i][k], lower[j][k], pivots[k]) for k in range(j))
            lower[i].append(line("L", mul(add(gram[i][j], neg(add(*known))), power(pivots[j], Const(-1))), i, j))
        squares = (mul(power(lower[i][k], Const(2)), pivots[k]) for k in range(i))
        rest = line("D", add(gram[i][i], neg(add(*squares))), i)
        independent = compare(">", rest, mul(_ROUNDING, gram[i][i]) if i else ZERO)
        pivots.append(line("P", cond(independent, rest, ONE), i))
    ζ: list[Expr] = []
    for i, (_, _, f) in enumerate(constraints):
        known = (mul(lower[i][k], ζ[k]) for k in range(i))
        ζ.append(line("ζ", add(mul(f, ONE_OVER_ROOT_N), neg(mu[i]), neg(add(*known))), i))
    a: list[Expr] = [ZERO] * count
    for i in reversed(range(count)):
        known = (mul(lower[k][i], a[k]) for k in range(i + 1, count))
        a[i] = line("a", add(mul(ζ[i], power(pivots[i], Const(-1))), neg(add(*known))), i)
    residuals = []
    for i, (_, _, f) in enumerate(constraints):
        reached = (mul(gram[max(i, j)][min(i, j)], a[j]) for j in range(count))
        residuals.append(add(f, neg(mul(ROOT_N, add(mu[i], *reached)))))
    return a, residuals


def _shifted(
    network: Program, v: str, constraints: Sequence[tuple[Terms, Values, Expr]], coefficients: Sequence[Expr]
) -> Expr:
    """v + Σ a Σ c Cov(v, v') x (Eq. 71)."""
    return add(
        sym(v),
        *(
            mul(as_expr(c * covariance_of(network, v, w)), a, values[x])
            for a, (terms, values, _) in zip(coefficients, constraints, strict=True)
            for c, w, x in terms
        ),
    )


def _hat_name(builder: Builder, v: str) -> str:
    base, indices = split(v)
    return member(builder.names.fresh(decorate(base, HAT), ("hat", base)), *indices)


def _number(builder: Builder, e: Expr) -> object:
    """The value of a constant, or the expression itself, for comparing two outputs at step 0."""
    if isinstance(e, Sym):
        return next((c.value for c in builder.constants if c.name == e.name), e)
    return e


def _row_text(stamp: Stamp) -> str:
    return f"{'test' if stamp.test else 'training'} row {stamp.row}"

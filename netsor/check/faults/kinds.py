"""E3xx and W903: kinds of values, and what may be done with them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsor.check.faults.words import bracketed, plural, short, superscript
from netsor.diagnostics import Diagnostic, Label, Span
from netsor.expr import Function
from netsor.expr.functions import FUNCTIONS


def vector_by_vector(span: Span, left: str, right: str) -> Diagnostic:
    return Diagnostic(
        "E301",
        f"`{short(left)}` and `{short(right)}` are both vectors, and two vectors side by side are no product",
        span,
        label="vector by vector",
        notes=("side by side means MATMUL or scaling; coordinates are multiplied by ⊙, and xᵀ y / n is a MOMENT",),
        hint=f"write `{short(left)} ⊙ {bracketed(short(right))}` for the coordinatewise product",
    )


def star_of_matrix(span: Span, matrix: str, other: str, matrix_first: bool, spelling: str) -> Diagnostic:
    fixed = f"{matrix} {bracketed(short(other))}"
    return Diagnostic(
        "E302",
        f"`{matrix}` is a matrix, and `{spelling or '*'}` multiplies coordinates",
        span,
        label="a matrix has no coordinates to multiply",
        notes=("MATMUL is written with the matrix before the vector and nothing between them",),
        hint=f"write `{fixed}`" if matrix_first else f"write `{fixed}`, or `{matrix}ᵀ {bracketed(short(other))}`",
    )


def matrix_alone(span: Span) -> Diagnostic:
    return Diagnostic(
        "E303",
        f"`{short(span.text)}` is a product of matrices, which is no vector and no scalar",
        span,
        label="has no value of its own",
        notes=("a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector",),
        hint="apply the matrices to a vector one after the other, as in `W (Wᵀ x)` or `W Wᵀ x`",
    )


def covector_by_matrix(span: Span, x: str, matrix: str) -> Diagnostic:
    plain = x[:-1] if x.endswith(("ᵀ", "⊤")) else "x"
    return Diagnostic(
        "E303",
        f"`{short(span.text)}` is a row times a matrix, which is no instruction",
        span,
        label="MATMUL has the matrix first",
        notes=("in xᵀ W y / n the product W y is taken first",),
        hint=f"write `{matrix}ᵀ {plain}` for the vector, or `{short(x)} {matrix} y / n` for a MOMENT",
    )


def vector_by_matrix(span: Span, x: str, matrix: str) -> Diagnostic:
    return Diagnostic(
        "E303",
        f"`{short(span.text)}` is a vector before a matrix, which is no instruction",
        span,
        label="MATMUL has the matrix first",
        notes=("a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector",),
        hint=f"write `{matrix} {bracketed(short(x))}`",
    )


def row_by_matrix(span: Span, row: str, matrix: str) -> Diagnostic:
    return Diagnostic(
        "E303",
        f"`{short(span.text)}` is a row of data before a matrix, which is no instruction",
        span,
        label="the matrix comes first",
        notes=("an input matrix is applied to a row of data, and gives a member of 𝒱",),
        hint=f"write `{matrix} {short(row)}`",
    )


def scaled_matrix(span: Span, factor: str, matrix: str) -> Diagnostic:
    written = f"-{matrix} x" if factor == "-" else f"{short(factor)} {matrix} x"
    return Diagnostic(
        "E303",
        f"`{short(span.text)}` is a multiple of a matrix, which is no vector and no scalar",
        span,
        label="has no value of its own",
        notes=("a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector",),
        hint=f"scale the product: `{written}`",
    )


def matrix_arithmetic(span: Span, op: str, left: str, right: str) -> Diagnostic:
    hint = (
        f"apply each to the vector: `{left} x {op} {right} x`"
        if op in "+-"
        else f"apply it to a vector first: `({left} x) {op} …`"
    )
    return Diagnostic(
        "E303",
        f"`{short(span.text)}` is arithmetic of matrices, which are no values",
        span,
        label="has no value of its own",
        notes=("a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector",),
        hint=hint,
    )


def matrix_on_scalar(span: Span, matrix: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E304",
        f"`{matrix}` is a matrix and `{short(other)}` is a number, so there is no product",
        span,
        label="MATMUL needs a vector on the right",
        hint=f"scale a vector: `{matrix} ({short(other)} x)` for a vector `x`",
    )


def matrix_on_covector(span: Span, matrix: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E309",
        f"`{short(other)}` is a transposed vector, and `{matrix}` multiplies vectors",
        span,
        label="a row on the right of a matrix",
        hint=f"drop the transpose: `{short(span.text).replace('ᵀ', '', 1)}`",
    )


def square_on_data(span: Span, matrix: str, other: str, name: str) -> Diagnostic:
    return Diagnostic(
        "E304",
        f"`{matrix}` is n×n, and `{short(other)}` is data with a fixed number of entries",
        span,
        label="shapes do not match",
        notes=("data enter through an n×d matrix, whose products with data are members of 𝒱 (Setup B.2)",),
        hint=f"declare an input matrix: `matrix {name} : (n, d) ~ N(0, 1/d)` with d the length of a row",
    )


def vector_applied(span: Span, name: str, argument: str) -> Diagnostic:
    other = f"({short(argument)})" if " " in argument else argument
    return Diagnostic(
        "E305",
        f"`{name}` is a vector, so `{name}(…)` means nothing",
        span,
        label="a vector cannot be applied",
        hint=f"write `{name} ⊙ {bracketed(other)}` for the coordinatewise product",
    )


def not_a_function(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E305",
        f"`{name}` is {kind}, not a function of several arguments",
        span,
        label=kind,
        hint=f"define it first: `{name}(u) = …` under another name, or remove the brackets",
    )


def arity(span: Span, name: str, wanted: str, got: int) -> Diagnostic:
    return Diagnostic(
        "E306",
        f"`{name}` takes {wanted}, and {got} {'was' if got == 1 else 'were'} given",
        span,
        label="here",
        hint=f"call it as `{FUNCTIONS[name].signature if name in FUNCTIONS else f'{name}(u)'}`",
    )


def definition_arity(span: Span, f: Function, vectors: int, scalars: int, place: Span | None) -> Diagnostic:
    names = [str(p.name) for p in f.params]
    head, tail = names[: f.vectors], names[f.vectors :]
    signature = f"{f.name}({', '.join(head)}{'; ' + ', '.join(tail) if tail else ''})"
    given = plural(vectors, "argument") + (
        f" and {plural(scalars, 'parameter')} after the semicolon" if scalars or tail else ""
    )
    wanted = plural(len(head), "argument") + (
        f" and {plural(len(tail), 'parameter')} after the semicolon" if tail or scalars else ""
    )
    return Diagnostic(
        "E306",
        f"`{f.name}` takes {wanted}, and {given} {'was' if vectors + scalars == 1 else 'were'} given",
        span,
        label="here",
        labels=(Label(place, "defined here"),) if place else (),
        hint=f"call it as `{signature}`",
    )


def inlined_arity(
    span: Span, name: str, params: Sequence[str], scalars: Sequence[str], got: int, got_scalars: int, place: Span | None
) -> Diagnostic:
    signature = f"{name}({', '.join(params)}{'; ' + ', '.join(scalars) if scalars else ''})"
    return Diagnostic(
        "E306",
        f"`{name}` takes {plural(len(params) + len(scalars), 'argument')}, and {got + got_scalars} "
        f"{'was' if got + got_scalars == 1 else 'were'} given",
        span,
        label="here",
        labels=(Label(place, "defined here"),) if place else (),
        hint=f"call it as `{signature}`",
    )


def function_as_value(span: Span, name: str) -> Diagnostic:
    text = span.source.text
    start, stop = text.rfind("\n", 0, span.start) + 1, text.find("\n", span.end)
    before, after = text[start : span.start], text[span.end : stop if stop >= 0 else None].partition("#")[0]
    named = re.fullmatch(r"\s*(\w[\w\u0300-\u036f]*)\s*:=\s*", before)
    if named and not after.strip():
        return Diagnostic(
            "E307",
            f"`{named.group(1)}` is given a function, and a function is defined by its value at a variable",
            Span(span.source, start + before.index(named.group(1)), span.end),
            label="as on paper: `φ(u) = tanh(u)`",
            hint=f"write `{named.group(1)}(u) = {short(name)}(u)`",
        )
    return Diagnostic(
        "E307",
        f"`{short(name)}` is a function, and a value was expected",
        span,
        label="not applied to anything",
        hint=f"apply it: `{short(name)}(x)`",
    )


def function_needs_brackets(span: Span, f: str, argument: str) -> Diagnostic:
    return Diagnostic(
        "E307",
        f"`{f}` is a function, and its argument needs brackets",
        span,
        label="side by side is a product",
        hint=f"write `{f}({short(argument)})`",
    )


def output_not_scalar(span: Span, text: str, kind: str, averaged: str = "") -> Diagnostic:
    """`averaged` is what a vector that is divided by n was, before that: its sum over coordinates was meant."""
    mean = f"write `mean({averaged})`, which sums over the coordinates and divides by n" if averaged else ""
    return Diagnostic(
        "E308",
        f"`{short(text)}` is {kind}, and an output is a scalar",
        span,
        label=kind,
        notes=("the Master Theorem speaks of scalars: MOMENTs of vectors (Theorem B.4)",),
        hint=mean or f"take a moment of it, such as `mean({short(text)})` or `mean({short(text)}^2)`",
    )


def transposed_vector_alone(span: Span) -> Diagnostic:
    return Diagnostic(
        "E309",
        f"`{short(span.text)}` is a transposed vector that meets no vector",
        span,
        label="half an inner product",
        notes=("xᵀ occurs only in xᵀ y, which is a MOMENT once it is divided by n",),
        hint="write `xᵀ y / n` for a MOMENT, or drop the transpose",
    )


def star_of_inner(span: Span, left: str, right: str) -> Diagnostic:
    return Diagnostic(
        "E309",
        f"`{short(left)}` is a transposed vector, and `*` multiplies coordinates",
        span,
        label="an inner product is written without `*`",
        hint=f"write `{short(left)} {bracketed(short(right))} / n`",
    )


def output_of_several(span: Span) -> Diagnostic:
    return Diagnostic(
        "E308",
        "an output is one scalar, and this is a list",
        span,
        label="several values",
        hint="write a line with `output` for each",
    )


def square_application(span: Span, name: str, inside: str) -> Diagnostic:
    return Diagnostic(
        "E307",
        f"`{short(name)}` is a function, and functions are applied with round brackets",
        span,
        label="square brackets hold an index",
        hint=f"write `{short(name)}({inside})`",
    )


def outer_product(span: Span) -> Diagnostic:
    return Diagnostic(
        "E309",
        f"`{short(span.text)}` is an outer product, an n×n matrix that is not in 𝒲",
        span,
        label="vector times transposed vector",
        hint="multiply from the right first: `x yᵀ z / n` is the vector x scaled by the MOMENT yᵀ z / n",
    )


def derivative_of_several(span: Span, name: str, params: Sequence[str], builtin: bool = False) -> Diagnostic:
    return Diagnostic(
        "E311",
        f"`{name}` has several arguments, so `{name}'` does not say which derivative is meant",
        span,
        label="in which argument?",
        hint="define a function of one argument first" if builtin else f"name the argument: `{name}'[{params[0]}]`",
    )


def partial_of_builtin(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E311",
        f"`{name}` is built in, and its derivative is in its first argument",
        span,
        label="names no argument",
        hint=f"write `{name}'(u)`",
    )


def partials_count(span: Span, order: int, got: int) -> Diagnostic:
    return Diagnostic(
        "E311",
        f"{plural(order, 'prime')} and {plural(got, 'argument name')} do not go together",
        span,
        label="one name for each prime",
        hint="write as many names as primes: `ψ''[x, y](x, y)`",
    )


def partial_unknown(span: Span, name: str, function: str, params: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E311",
        f"`{function}` has no argument named `{name}`",
        span,
        label="not an argument",
        hint=f"its arguments are {', '.join(f'`{p}`' for p in params)}",
    )


def derivative_of_inlined(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E311",
        f"`{name}` mentions variables of the program, so it is no function of its arguments alone to differentiate",
        span,
        label="expanded where it is used",
        notes=("a definition that holds MATMUL, MOMENT, or a vector or scalar of the program is inlined",),
        hint=f"give scalars as parameters, `{name}(u; c) = …`, and write `{name}'[u](x; c)`",
    )


def derivative_of_value(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E311",
        f"`{short(name)}` is {kind}, and a prime differentiates a function",
        span,
        label=kind,
        hint=f"write `{short(name)}ᵀ` for the transpose"
        if kind in ("a matrix", "a vector")
        else f"a name cannot hold a prime: call the variable `{short(name)}1`"
        if kind.startswith("a ")
        else "",
    )


def too_singular(span: Span, name: str, order: int) -> Diagnostic:
    return Diagnostic(
        "E311",
        f"the derivative of order {order} of `{name}` is more singular than a Dirac mass and its slope",
        span,
        label="has no expectation",
        hint="differentiate fewer times, or use a smoother function",
    )


def input_on_vector(span: Span, matrix: str, other: str, columns: int) -> Diagnostic:
    return Diagnostic(
        "E312",
        f"`{matrix}` is n×{columns} and applies to data, and `{short(other)}` is no row of {plural(columns, 'number')}",
        span,
        label="shapes do not match",
        hint=f"use an n×n matrix for vectors: `matrix W`, then `W {bracketed(short(other))}`; "
        f"or a row of data: `{matrix} X[1]`",
    )


def input_matrix_transposed(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E312",
        f"`{name}` is n×d, and its transpose would make d numbers of a vector",
        span,
        label="not a MATMUL of the language (Def. 4.1)",
        hint="take MOMENTs of the vectors instead, such as `xᵀ g / n`",
    )


def scalar_transposed(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E309",
        f"`{short(name)}` is a number, and only vectors and matrices are transposed",
        span,
        label="a number",
        hint=f"write `{short(name)}`, or a power with brackets: `{short(name)}^(T)`",
    )


def vector_in_scalar_slot(span: Span, text: str, f: Function) -> Diagnostic:
    return Diagnostic(
        "E315",
        f"`{short(text)}` is a vector, and what follows the semicolon of `{f.name}` are scalars",
        span,
        label="a vector",
        hint=f"put it before the semicolon in the definition of `{f.name}`",
    )


def wrong_kind(span: Span, text: str, kind: str, wanted: str) -> Diagnostic:
    hint = {
        "a matrix": f"apply it to a vector: `{short(text)} x`",
        "an n×d matrix": f"apply it to a row of data: `{short(text)} X[1]`",
        "data": f"take an entry, such as `{short(text)}[1]`, or apply an n×d matrix to a row of it",
        "an input of the network": f"apply an n×d matrix to it: `U {short(text)}`",
        "a family": f"take a member: `{short(text)}[1]`",
    }.get(kind, "")
    return Diagnostic("E316", f"`{short(text)}` is {kind}, and {wanted} was expected", span, label=kind, hint=hint)


def not_a_value(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E316", f"{what} is no value", span, label="here")


def family_as_value(span: Span, name: str, members: Sequence[tuple[int, ...]]) -> Diagnostic:
    first = f"{name}[{', '.join(map(str, members[0]))}]" if members else f"{name}[1]"
    whole, index = superscript(span)
    if index and (not index.isdigit() or (int(index),) in members):
        # The paper's W^1 and h^l are members of families here.
        first, span = f"{name}[{index}]", whole
    return Diagnostic(
        "E316",
        f"`{name}` is a family, and one of its members was expected",
        span,
        label="which one?",
        hint=f"write `{first}`",
    )


def not_indexed(span: Span, name: str, kind: str, dimension: int | None = None) -> Diagnostic:
    """`dimension` is that of an input of a network."""
    family = {
        "a matrix": f"declare a family: `matrix {short(name)}[1..3]`",
        "an input of the network": f"make it a family in the header: `{short(name)}[1..3] : {dimension}`",
    }.get(kind, f"declare a family: `vector {short(name)}[1..3] ~ N(0, 1)`")
    return Diagnostic(
        "E317",
        f"`{short(name)}` is {kind} and has no members to index",
        span,
        label="not a family",
        notes=("the coordinates of a vector are never addressed one by one",) if kind == "a vector" else (),
        hint=f"write `{short(name)}`, or {family}",
    )


def data_product(span: Span, left: str, right: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E316",
        f"`{short(left)}` is data, and data side by side with {kind} are no product",
        span,
        label="not a product",
        hint=f"`⟨{short(left)}, {short(right)}⟩` is the inner product of two rows; "
        f"`U {short(left)}` makes a vector of a row",
    )


def at_needs_matrix(span: Span, left: str, kind: str, right: str, of_vectors: bool) -> Diagnostic:
    return Diagnostic(
        "E304",
        f"`@` multiplies a matrix and a vector, and `{short(left)}` is {kind}",
        span,
        label="not a matrix",
        hint=f"write `⟨{short(left)}, {short(right)}⟩` for the inner product, `⊙` for that of coordinates"
        if of_vectors and kind == "a vector"
        else "use `⊙` between vectors and `*` with scalars",
    )


def power_of_product(span: Span, callee: str, argument: str, power: str, matrix: bool) -> Diagnostic:
    whole = f"({callee} ({argument}))^{power}"
    other = f"{callee} (({argument})^{power})" if matrix else f"{callee} * ({argument})^{power}"
    return Diagnostic(
        "W905",
        f"`{short(span.text)}` is the power of the whole product, {whole}",
        span,
        severity="warning",
        label="a bracket behind a name binds before ^",
        hint=f"write `{whole}` to say so, or `{other}` for the power of the bracket alone",
    )


def constant_condition(span: Span, text: str, outcome: str) -> Diagnostic:
    return Diagnostic(
        "W903",
        f"the condition `{short(text)}` is {outcome} everywhere",
        span,
        severity="warning",
        label="it does not depend on any variable",
        hint="write the branch that is taken, without `if`",
    )

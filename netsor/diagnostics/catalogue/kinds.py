"""E3xx: kinds of values, and what may be done with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import (
    bracketed,
    divided_by_n,
    inside,
    plural,
    said,
    short,
    superscript,
    untransposed,
)
from netsor.diagnostics.data import Diagnostic, Edit, Label, Span

# The names of a function's arguments before and after its semicolon.
Params = tuple[Sequence[str], Sequence[str]]

_MATMUL_ONLY = "a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector"


def _transposed(matrix: str) -> str:
    plain = untransposed(matrix)
    return f"{matrix}ᵀ" if plain == matrix else plain


E301 = Entry(
    "E301",
    "two vectors stand side by side",
    "Side by side means MATMUL (a matrix before a vector) or scaling. Coordinates are multiplied "
    "by ⊙ (or *), and xᵀ y / n is a MOMENT.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := x y\noutput mean(z)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\nz := x ⊙ y\noutput mean(z)\n",
    paper="Def. 4.1",
)


def vector_by_vector(span: Span, left: Span, right: Span) -> Diagnostic:
    edit = Edit(inside(span), f"{left.text} ⊙ {bracketed(right.text)}")
    if re.match(r"\s*/\s*(?:n|√\s*n|sqrt[ \t]*\(?\s*n)(?!\w)", span.source.text[span.end :]):
        transposed = f"{left.text}ᵀ {bracketed(right.text)}"
        inner = Edit(inside(span), transposed if left.text.isidentifier() else f"⟨{left.text}, {right.text}⟩")
        return E301(
            f"`{short(left.text)}` and `{short(right.text)}` are both vectors, "
            "and two vectors side by side are not a product",
            span,
            "vector by vector",
            notes=("an inner product is divided by n, or by √n in a readout",),
            hint=f"write {said(inner)} for the inner product, or {said(edit)} for the coordinatewise one",
            edits=(inner, edit),
        )
    return E301(
        f"`{short(left.text)}` and `{short(right.text)}` are both vectors, "
        "and two vectors side by side are not a product",
        span,
        "vector by vector",
        notes=("side by side means MATMUL or scaling; coordinates are multiplied by ⊙, and xᵀ y / n is a MOMENT",),
        hint=f"write {said(edit)} for the coordinatewise product",
        edits=(edit,),
    )


E302 = Entry(
    "E302",
    "a matrix is multiplied coordinatewise",
    "A program touches a matrix only through MATMUL, written with nothing (or @) between matrix and vector.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := W * x\noutput mean(z^2)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\nz := W x\noutput mean(z^2)\n",
    paper="Def. 4.1",
)


def star_of_matrix(span: Span, matrix: Span, other: Span, spelling: str, kind: str) -> Diagnostic:
    """`kind` is that of the other factor."""
    factor = bracketed(other.text)
    plain = Edit(inside(span), f"{matrix.text} {factor}", safe=matrix.start < other.start and kind == "a vector")
    edits: tuple[Edit, ...] = (plain,)
    hint = f"write {said(plain)}"
    if kind not in ("a vector", "an input of the network"):
        edits, hint = (
            (),
            f"scale the product of `{matrix.text}` with a vector, as in `{short(factor)} ({matrix.text} x)`",
        )
    elif matrix.start > other.start and kind == "a vector":
        edits = (plain, Edit(inside(span), f"{_transposed(matrix.text)} {factor}"))
        hint = f"write {said(plain)}, or {said(edits[1])}"
    return E302(
        f"`{matrix.text}` is a matrix, and `{spelling or '*'}` multiplies coordinates",
        span,
        "a matrix has no coordinates to multiply",
        notes=("MATMUL is written with the matrix before the vector and nothing between them",),
        hint=hint,
        edits=edits,
    )


E303 = Entry(
    "E303",
    "a product of matrices has no value",
    "Matrices are applied to vectors, one after the other; a product of matrices alone is not an instruction.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := (W Wᵀ) x\noutput mean(z^2)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\nz := W Wᵀ x\noutput mean(z^2)\n",
    paper="Def. 4.1",
)


def matrix_alone(span: Span) -> Diagnostic:
    edits: tuple[Edit, ...] = ()
    hint = "apply the matrices to a vector one after the other, as in `W (Wᵀ x)` or `W Wᵀ x`"
    if inside(span) != span and re.match(r"[ \t]*[^\W\d]|[ \t]*[(⟨]", span.source.text[span.end :]):
        edits = (Edit(span, inside(span).text),)
        hint = f"leave the brackets out, {said(edits[0])}, so that each matrix multiplies a vector"
    return E303(
        f"`{short(span.text)}` is a product of matrices, which is neither a vector nor a scalar",
        span,
        "has no value of its own",
        notes=(_MATMUL_ONLY,),
        hint=hint,
        edits=edits,
    )


def covector_by_matrix(span: Span, x: Span, matrix: Span) -> Diagnostic:
    edit = Edit(inside(span), f"{_transposed(matrix.text)} {bracketed(untransposed(x.text))}")
    return E303(
        f"`{short(span.text)}` is a row times a matrix, which is not an instruction",
        span,
        "MATMUL has the matrix first",
        notes=("in xᵀ W y / n the product W y is taken first",),
        hint=f"write {said(edit)} for the vector, or multiply by a vector `y` from the right for a MOMENT, "
        f"`{short(x.text)} {matrix.text} y / n`",
        edits=(edit,),
    )


def vector_by_matrix(span: Span, x: Span, matrix: Span) -> Diagnostic:
    edit = Edit(inside(span), f"{matrix.text} {bracketed(x.text)}")
    return E303(
        f"`{short(span.text)}` is a vector before a matrix, which is not an instruction",
        span,
        "MATMUL has the matrix first",
        notes=(_MATMUL_ONLY,),
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def row_by_matrix(span: Span, row: Span, matrix: Span) -> Diagnostic:
    edit = Edit(inside(span), f"{matrix.text} {untransposed(row.text)}")
    return E303(
        f"`{short(span.text)}` is a row of data before a matrix, which is not an instruction",
        span,
        "the matrix comes first",
        notes=("an input matrix is applied to a row of data, and gives a member of 𝒱",),
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def matrix_sum(before: Diagnostic, span: Span, parts: Sequence[tuple[str, str]]) -> Diagnostic:
    """A sum of matrices before a vector, with its signed terms applied to it; `before` is told of the sum alone."""
    total = " ".join(f"{sign} {text}" for sign, text in parts).removeprefix("+ ")
    edit = Edit(span, f"({total})")
    return replace(
        before,
        message=f"`{short(span.text)}` applies a sum of matrices, of which there is none",
        notes=("a sum of matrices has no value of its own; an identity matrix is left out: `I x` is x",),
        hint=f"apply each matrix to the vector, {said(edit)}",
        edits=(edit,),
    )


def scaled_matrix(span: Span, factor: str, matrix: str) -> Diagnostic:
    written = f"-{matrix} x" if factor == "-" else f"{short(factor)} {matrix} x"
    return E303(
        f"`{short(span.text)}` is a multiple of a matrix, which is neither a vector nor a scalar",
        span,
        "has no value of its own",
        notes=(_MATMUL_ONLY,),
        hint=f"scale the product with a vector instead, as in `{written}`",
    )


def matrix_arithmetic(span: Span, op: str, left: str, right: str) -> Diagnostic:
    return E303(
        f"`{short(span.text)}` is arithmetic of matrices, which have no values",
        span,
        "has no value of its own",
        notes=(_MATMUL_ONLY,),
        hint=f"apply each matrix to a vector, as in `{left} x {op} {right} x`"
        if op in "+-"
        else f"apply the matrix to a vector first, as in `({left} x) {op} …`",
    )


E304 = Entry(
    "E304",
    "a matrix is applied to something that is not a vector",
    "MATMUL multiplies an n×n matrix and a vector; data enter through an n×d matrix.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := W 3\noutput mean(z^2)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\nz := 3 W x\noutput mean(z^2)\n",
    paper="Def. 4.1",
)


def matrix_on_scalar(span: Span, matrix: str, other: str) -> Diagnostic:
    return E304(
        f"`{matrix}` is a matrix and `{short(other)}` is a number, so there is no product",
        span,
        "MATMUL needs a vector on the right",
        hint=f"scale a vector, as in `{matrix} ({short(other)} x)`",
    )


def square_on_data(
    span: Span, matrix: Span, other: str, name: str, length: int, place: Span | None, fitting: Sequence[str]
) -> Diagnostic:
    """`name` is the matrix without its transpose, `place` where it is declared; the data have `length` numbers, and
    `fitting` are the input matrices for as many.
    """
    edits: tuple[Edit, ...] = ()
    shape = f"(n, {length})"
    if place is not None and place.source is span.source and place.text == name:
        behind = place.source.text[place.end : place.end + 40]
        given = re.match(r"\s*:\s*\([^()\n]*\)", behind)
        if given or re.match(r"[ \t]*(?:~|#|\n|\Z)", behind):
            end = place.end + (given.end() if given else 0)
            edits = (Edit(Span(place.source, place.end, end), f" : {shape}"),)
    hint = f"declare an input matrix, as in `matrix {name} : {shape} ~ N(0, 1/{length})`"
    if len(fitting) == 1:
        edits = (Edit(matrix, fitting[0]), *edits)
        hint = f"did you mean `{fitting[0]}`? Else {hint}"
    return E304(
        f"`{matrix.text}` is n×n, and `{short(other)}` is data with a fixed number of entries",
        span,
        "shapes do not match",
        notes=("data enter through an n×d matrix, whose products with data are members of 𝒱 (Setup B.2)",),
        hint=hint,
        edits=edits,
    )


def at_needs_matrix(span: Span, left: Span, right: Span, kind: str, of_vectors: bool, of_matrix: bool) -> Diagnostic:
    """`kind` is that of the left factor; `of_vectors` and `of_matrix` tell what the right one is."""
    a, b = left.text, bracketed(right.text)
    if kind == "a vector" and of_vectors:
        by_n = divided_by_n(span)
        product = Edit(inside(span), f"⟨{a}, {right.text}⟩" if by_n else f"⟨{a}, {right.text}⟩ / n")
        edits: tuple[Edit, ...] = (product, Edit(inside(span), f"{a} ⊙ {b}"))
        hint = f"write {said(product)} for the inner product, {said(edits[1])} for that of coordinates"
    elif kind in ("a number", "a scalar"):
        edits = (Edit(inside(span), f"{a} * {b}"),)
        hint = f"write {said(edits[0])}"
    elif kind == "a vector" and of_matrix:
        edits = (Edit(inside(span), f"{_transposed(right.text)} {bracketed(left.text)}"),)
        hint = f"write {said(edits[0])}: a row times a matrix is the transposed matrix times the vector"
    else:
        edits, hint = (), "use `⊙` between vectors and `*` with scalars"
    return E304(
        f"`@` multiplies a matrix and a vector, and `{short(a)}` is {kind}",
        span,
        "not a matrix",
        hint=hint,
        edits=edits,
    )


E305 = Entry(
    "E305",
    "something that is not a function is applied",
    "name(…) applies a function, multiplies with a matrix, or scales with a scalar; a vector cannot be applied.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := x(y)\noutput mean(z)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\nz := x ⊙ y\noutput mean(z)\n",
)


def vector_applied(span: Span, name: Span, argument: Span) -> Diagnostic:
    edit = Edit(inside(span), f"{name.text} ⊙ {bracketed(argument.text)}")
    return E305(
        f"`{name.text}` is a vector, so `{name.text}(…)` means nothing",
        span,
        "a vector cannot be applied",
        hint=f"write {said(edit)} for the coordinatewise product",
        edits=(edit,),
    )


def not_a_function(span: Span, name: str, kind: str) -> Diagnostic:
    return E305(
        f"`{name}` is {kind}, not a function of several arguments",
        span,
        kind,
        hint=f"define a function under another name, as in `f(u, v) = …`, or multiply `{name}` with one factor",
    )


E306 = Entry(
    "E306",
    "wrong number of arguments",
    "A function is called with as many arguments, before and after the semicolon, as it has.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\noutput mean(tanh(x, y))\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\noutput mean(tanh(x) * tanh(y))\n",
)


def arity(span: Span, name: str, wanted: str, got: int, signature: str) -> Diagnostic:
    return E306(
        f"`{name}` takes {wanted}, and {got} {'was' if got == 1 else 'were'} given",
        span,
        "here",
        hint=f"it is called as `{signature}`",
    )


def mean_arity(span: Span, given: Sequence[Span], got: int) -> Diagnostic:
    """A mean of several vectors, by which that of their product is meant, as in E[x, y]."""
    said_so = arity(span, "mean", "one argument", got, "mean(u)")
    if len(given) != got or got < 2:
        return said_so
    product = " * ".join(bracketed(a.text) for a in given)
    edit = Edit(span, f"mean({product})")
    return replace(said_so, hint=f"of the product, write {said(edit)}", edits=(edit,))


def definition_arity(span: Span, name: str, params: Params, got: tuple[int, int], place: Span | None) -> Diagnostic:
    """`params` are the names before and after the semicolon, `got` the numbers of what was given there."""
    head, tail = params
    both = bool(tail or got[1])
    return E306(
        f"`{name}` takes {_counted(len(head), len(tail), both)}, and {_counted(*got, both)} "
        f"{'was' if sum(got) == 1 else 'were'} given",
        span,
        "here",
        labels=(Label(place, "defined here"),) if place else (),
        hint=f"it is called as `{name}({', '.join(head)}{'; ' + ', '.join(tail) if tail else ''})`",
    )


def _counted(vectors: int, scalars: int, both: bool) -> str:
    parameters = plural(scalars, "parameter") if scalars else "no parameter"
    after = f" and {parameters} after the semicolon" if both else ""
    return plural(vectors, "argument") + after


E307 = Entry(
    "E307",
    "a function stands where a value is expected",
    "A function has a value only at an argument.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := tanh * x\noutput mean(z)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\nz := tanh(x)\noutput mean(z)\n",
)


def function_as_value(span: Span) -> Diagnostic:
    name = span.text
    text = span.source.text
    start, stop = text.rfind("\n", 0, span.start) + 1, text.find("\n", span.end)
    before, after = text[start : span.start], text[span.end : stop if stop >= 0 else None].partition("#")[0]
    named = re.fullmatch(r"\s*(\w[\w\u0300-\u036f]*)\s*:=\s*", before)
    if named and not after.strip():
        edit = Edit(Span(span.source, start + named.start(1), span.end), f"{named[1]}(u) = {name}(u)")
        return E307(
            f"`{named[1]}` is given a function, and a function is defined by its value at a variable",
            edit.span,
            "as on paper: `φ(u) = tanh(u)`",
            hint=f"write {said(edit)}",
            edits=(edit,),
        )
    power = r"\s*(?:\^\s*(\d)|([²³⁴]))\s*"
    raised = re.match(power + r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)", after)
    raised = raised or re.match(power + r"(\w[\w\u0300-\u036f]*)\s*(?=[-+)]|$)", after)
    if raised:
        k = raised[1] or str("²³⁴".index(raised[2]) + 2)
        edit = Edit(Span(span.source, span.start, span.end + raised.end()), f"{name}({raised[3]})^{k}")
        return E307(
            f"`{short(edit.span.text)}`: a power of a function's value stands behind its argument",
            edit.span,
            "a power of a function",
            hint=f"write {said(edit)}",
            edits=(edit,),
        )
    return E307(
        f"`{short(name)}` is a function, and a value was expected",
        span,
        "not applied to anything",
        hint=f"apply it to a value, as in `{short(name)}(x)`",
    )


def function_needs_brackets(span: Span, f: Span, argument: Span) -> Diagnostic:
    edit = Edit(inside(span), f"{f.text}({argument.text})", safe=True)
    return E307(
        f"`{f.text}` is a function, and its argument needs brackets",
        span,
        "side by side is a product",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def matrix_in_square_brackets(span: Span, name: str, argument: str) -> Diagnostic:
    edit = Edit(inside(span), f"{name} {bracketed(argument)}")
    return E307(
        f"`{short(name)}` is a matrix, and multiplies what stands behind it",
        span,
        "square brackets hold an index",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def matrix_as_argument(span: Span, name: str, matrix: Span, vector: Span) -> Diagnostic:
    """A function of one argument is given a matrix and a vector."""
    edit = Edit(span, f"{name}({matrix.text} {bracketed(vector.text)})")
    return E306(
        f"`{name}` takes one argument, and `{short(matrix.text)}` with `{short(vector.text)}` are two",
        span,
        "here",
        notes=("a matrix multiplies the vector behind it, with nothing between them",),
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def square_application(span: Span, name: str, argument: str) -> Diagnostic:
    edit = Edit(inside(span), f"{name}({argument})", safe=True)
    return E307(
        f"`{short(name)}` is a function, and functions are applied with round brackets",
        span,
        "square brackets hold an index",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


E308 = Entry(
    "E308",
    "an output is not a scalar",
    "Outputs are scalars: what the Master Theorem gives a limit to. Of a vector, ask for moments.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\noutput tanh(x)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\noutput mean(tanh(x)^2)\n",
    paper="Theorem B.4",
)


def output_not_scalar(span: Span, kind: str, averaged: str = "") -> Diagnostic:
    """`averaged` is what a vector that is divided by n was, before that: its sum over coordinates was meant."""
    edits: tuple[Edit, ...] = ()
    hint = "take a moment of a vector, as in `mean(x^2)`"
    if averaged:
        edits = (Edit(span, f"mean({averaged})"),)
        hint = f"write {said(edits[0])}, which sums over the coordinates and divides by n"
    elif kind == "a vector":
        inner = inside(span).text
        edits = (Edit(span, f"mean({inner})"), Edit(span, f"mean({bracketed(inner)}^2)"))
        hint = f"take a moment of it, such as {said(edits[0])} or {said(edits[1])}"
    return E308(
        f"`{short(span.text)}` is {kind}, and an output is a scalar",
        span,
        kind,
        notes=("the Master Theorem speaks of scalars: MOMENTs of vectors (Theorem B.4)",),
        hint=hint,
        edits=edits,
    )


def output_of_several(span: Span, line: Span, items: Sequence[str], named: bool) -> Diagnostic:
    """`line` is the statement, `items` what the list holds; `named` tells that the list was to get a name."""
    edits = () if named or not items else (Edit(line, "\n".join(f"output {item}" for item in items)),)
    return E308(
        "an output is one scalar, and this is a list",
        span,
        "several values",
        hint="write a line with `output` for each",
        edits=edits,
    )


E309 = Entry(
    "E309",
    "a transposed vector meets no vector",
    "xᵀ occurs only in an inner product xᵀ y, which divided by n is a MOMENT.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := xᵀ\noutput mean(x)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\noutput xᵀ y / n\n",
    paper="Eq. 61",
)


def matrix_on_covector(span: Span, matrix: str, other: Span) -> Diagnostic:
    edit = Edit(other, untransposed(other.text))
    return E309(
        f"`{short(other.text)}` is a transposed vector, and `{matrix}` multiplies vectors",
        span,
        "a row on the right of a matrix",
        hint=f"leave the transpose out: write {said(edit)} for `{short(other.text)}`",
        edits=(edit,) if edit.text != other.text else (),
    )


def transposed_vector_alone(span: Span) -> Diagnostic:
    plain = untransposed(span.text)
    edits = (Edit(span, plain),) if plain != span.text else ()
    hint = "multiply it by a vector, as in `xᵀ y / n`, which is a MOMENT, or leave the transpose out"
    return E309(
        f"`{short(span.text)}` is a transposed vector that meets no vector",
        span,
        "half an inner product",
        notes=("xᵀ occurs only in xᵀ y, which is a MOMENT once it is divided by n",),
        hint=f"{hint}, {said(edits[0])}" if edits else hint,
        edits=edits,
    )


def star_of_inner(span: Span, left: Span, right: Span) -> Diagnostic:
    product = f"{left.text} {bracketed(right.text)}"
    edit = Edit(inside(span), product if divided_by_n(span) else f"{product} / n", safe=divided_by_n(span))
    return E309(
        f"`{short(left.text)}` is a transposed vector, and `*` multiplies coordinates",
        span,
        "an inner product is written without `*`",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def outer_product(span: Span) -> Diagnostic:
    return E309(
        f"`{short(span.text)}` is an outer product, an n×n matrix that is not in 𝒲",
        span,
        "vector times transposed vector",
        hint="multiply from the right first: `x yᵀ z / n` is the vector x scaled by the MOMENT yᵀ z / n",
    )


def scalar_transposed(span: Span, name: str) -> Diagnostic:
    edit = Edit(span, name)
    return E309(
        f"`{short(name)}` is a number, and only vectors and matrices are transposed",
        span,
        "a number",
        hint=f"write {said(edit)}, or a power with brackets, as in `{short(name)}^(T)`",
        edits=(edit,),
    )


E311 = Entry(
    "E311",
    "a derivative that does not say enough, or does not exist",
    "φ' differentiates a function of one variable; ψ'[x] is the partial derivative in the parameter x.",
    bad="ψ(a, b) = a * b\nvector x, y ~ N(0, 1)\noutput mean(ψ'(x, y))\n",
    good="ψ(a, b) = a * b\nvector x, y ~ N(0, 1)\noutput mean(ψ'[a](x, y)^2)\n",
)


def derivative_of_several(span: Span, name: str, primes: int, params: Sequence[str]) -> Diagnostic:
    """`params` is empty for a function of the language, of which no argument can be named."""
    edits = tuple(Edit(span, f"{name}{chr(39) * primes}[{', '.join([p] * primes)}]") for p in params)
    return E311(
        f"`{name}` has several arguments, so `{name}'` does not say which derivative is meant",
        span,
        "in which argument?",
        hint=f"name the argument: {' or '.join(map(said, edits))}"
        if edits
        else "define a function of one argument first",
        edits=edits,
    )


def partial_of_builtin(span: Span, name: str, primes: int) -> Diagnostic:
    edit = Edit(span, name + "'" * primes)
    return E311(
        f"`{name}` is built in, and its derivative is in its first argument",
        span,
        "names no argument",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def partials_count(span: Span, order: int, got: int) -> Diagnostic:
    return E311(
        f"{plural(order, 'prime')} and {plural(got, 'argument name')} do not go together",
        span,
        "one name for each prime",
        hint="as many names as primes stand in the brackets, as in `ψ''[x, y](x, y)`",
    )


def partial_unknown(span: Span, name: str, function: str, params: Sequence[str]) -> Diagnostic:
    edits = tuple(Edit(span, p) for p in params)
    return E311(
        f"`{function}` has no argument named `{name}`",
        span,
        "not an argument",
        hint=f"its arguments are {', '.join(map(said, edits))}",
        edits=edits,
    )


def derivative_of_inlined(span: Span, name: str) -> Diagnostic:
    return E311(
        f"`{name}` cannot be differentiated: it depends on variables of the program, not on its arguments alone",
        span,
        "expanded where it is used",
        notes=("a definition that holds MATMUL, MOMENT, or a vector or scalar of the program is inlined",),
        hint=f"give scalars as parameters, as in `{name}(u; c) = …` and `{name}'[u](x; c)`",
    )


def derivative_of_value(span: Span, name: str, kind: str) -> Diagnostic:
    edits: tuple[Edit, ...] = ()
    hint = ""
    if kind in ("a matrix", "a vector"):
        edits = (Edit(span, f"{name}ᵀ"),)
        hint = f"write {said(edits[0])} for the transpose"
    elif kind.startswith("a "):
        hint = f"a name cannot hold a prime; `{short(name)}1` is a name"
    return E311(f"`{short(name)}` is {kind}, and a prime differentiates a function", span, kind, hint=hint, edits=edits)


def too_singular(span: Span, name: str, order: int) -> Diagnostic:
    return E311(
        f"the derivative of order {order} of `{name}` is more singular than a Dirac mass and its slope",
        span,
        "has no expectation",
        hint="differentiate fewer times, or use a smoother function",
    )


E312 = Entry(
    "E312",
    "an n×d matrix is applied to something that is not a row of data",
    "An n×d matrix takes a row of d numbers to a member of 𝒱; vectors are multiplied by n×n matrices.",
    bad="matrix U : (n, 3)\nvector x ~ N(0, 1)\nz := U x\noutput mean(z^2)\n",
    good="matrix U : (n, 3)\ndata X : (1, 3) = [[1, 0, 2]]\nz := U X[1]\noutput mean(z^2)\n",
    paper="Setup B.2",
)


def input_on_vector(span: Span, matrix: str, other: str, columns: int) -> Diagnostic:
    return E312(
        f"`{matrix}` is n×{columns} and applies to data, "
        f"and `{short(other)}` is not a row of {plural(columns, 'number')}",
        span,
        "shapes do not match",
        hint=f"use an n×n matrix for vectors, as in `W {bracketed(short(other))}` with `matrix W`, "
        f"or a row of data, as in `{matrix} X[1]`",
    )


def input_matrix_transposed(span: Span, name: str) -> Diagnostic:
    return E312(
        f"`{name}` is n×d, and its transpose makes d numbers of a vector: a family",
        span,
        "d numbers",
        hint=f"give them a line of their own, as in `z := {name}ᵀ x / n` with the members z[1], z[2], …",
    )


E315 = Entry(
    "E315",
    "a vector stands in a scalar slot",
    "What follows the semicolon of ψ(x; θ) are scalars, the same for all coordinates.",
    bad="ψ(a; θ) = θ a\nvector x, y ~ N(0, 1)\noutput mean(ψ(x; y))\n",
    good="ψ(a; θ) = θ a\nvector x, y ~ N(0, 1)\noutput mean(ψ(x; mean(y^2)))\n",
    paper="Eq. 60",
)


def vector_in_scalar_slot(span: Span, function: str) -> Diagnostic:
    return E315(
        f"`{short(span.text)}` is a vector, and scalars follow the semicolon of `{function}`",
        span,
        "a vector",
        hint=f"put it before the semicolon in the definition of `{function}`",
    )


E316 = Entry(
    "E316",
    "a value of the wrong kind",
    "Coordinatewise expressions are made of numbers, scalars and vectors.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\nz := tanh(W)\noutput mean(x)\n",
    good="vector x, y ~ N(0, 1)\nmatrix W\nz := tanh(W x)\noutput mean(z^2)\n",
)


def wrong_kind(span: Span, kind: str, wanted: str, shape: Sequence[int] = ()) -> Diagnostic:
    """`shape` is that of data."""
    text = span.text
    edits: tuple[Edit, ...] = ()
    if kind == "data":
        depth = len(shape) - (wanted == "a vector or a matrix")
        indices = ", ".join("1" * depth)
        edits = (Edit(span, f"{text[:-1]}, {indices}]" if text.endswith("]") else f"{text}[{indices}]"),)
        hint = f"take {'an entry' if depth == len(shape) else 'a row'}, such as {said(edits[0])}"
    else:
        behind = span.source.text[span.end : span.end + 60]
        follows = re.match(r"[ \t]+([^\W\d]\w*)(?=[ \t]*(?:[)\n,+\-]|\Z))", behind)
        if kind == "an input of the network" and follows:
            # As in NumPy, where an example is a row: ξ U.
            edits = (Edit(Span(span.source, span.start, span.end + follows.end()), f"{follows[1]} {text}"),)
        raised = re.match(r"\s*(?:\^\s*([2-5])(?!\w)|([²³⁴⁵]))\s*(?=[\w(⟨])", behind)
        if kind == "a matrix" and raised:
            count = int(raised[1] or "²³⁴⁵".index(raised[2]) + 2)
            edits = (Edit(Span(span.source, span.start, span.end + raised.end()), f"{text} " * count),)
            return E316(
                f"`{edits[0].span.text.strip()}` is a power of a matrix, which is applied once for each factor",
                span,
                kind,
                notes=(_MATMUL_ONLY,),
                hint=f"write {said(edits[0])}",
                edits=edits,
            )
        hint = {
            "a matrix": f"apply it to a vector, as in `{short(text)} x`",
            "an n×d matrix": f"apply it to a row of data, as in `{short(text)} X[1]`",
            "an input of the network": f"apply an n×d matrix to it, as in `U {short(text)}`",
        }.get(kind, "")
        if edits:
            hint = f"a matrix stands before what it is applied to: write {said(edits[0])}"
    return E316(f"`{short(text)}` is {kind}, and {wanted} was expected", span, kind, hint=hint, edits=edits)


def not_a_value(span: Span) -> Diagnostic:
    return E316("this is not a value", span, "here")


def family_applied(span: Span, name: str, indices: str) -> Diagnostic:
    """A member of a family in round brackets."""
    edit = Edit(inside(span), f"{name}[{indices}]", safe=False)
    return E316(
        f"`{name}` is a family, whose members are named with square brackets",
        span,
        "round brackets apply a function",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def family_as_value(span: Span, name: str, members: Sequence[tuple[int, ...]]) -> Diagnostic:
    place = inside(span)
    first = ", ".join(map(str, members[0])) if members else "1"
    whole, index = superscript(span)
    edit = Edit(place, f"{place.text}[{first}]")
    if index and (not index.isdigit() or (int(index),) in members):
        # The paper's W^1 and h^l are members of families here.
        span, edit = whole, Edit(whole, f"{place.text}[{index}]")
    return E316(
        f"`{name}` is a family, and one of its members was expected",
        span,
        "which one?",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def data_product(span: Span, left: Span, right: Span, kind: str) -> Diagnostic:
    """`kind` is that of the right factor."""
    edits: tuple[Edit, ...] = ()
    row = f"`U {short(left.text)}` makes a vector of a row"
    hint = f"`⟨{short(left.text)}, y⟩` is the inner product with another row; {row}"
    if kind == "data":
        edits = (Edit(inside(span), f"⟨{left.text}, {right.text}⟩"),)
        hint = f"write {said(edits[0])} for the inner product of two rows; {row}"
    return E316(
        f"`{short(left.text)}` is data, and data side by side with {kind} are not a product",
        span,
        "not a product",
        hint=hint,
        edits=edits,
    )


E317 = Entry(
    "E317",
    "an index on something that has no members",
    "Indices choose members of families and entries of data; coordinates of vectors are not addressed.",
    bad="vector x, y ~ N(0, 1)\nmatrix W\noutput mean(x[1])\n",
    good="vector x[1..2] ~ N(0, 1)\noutput mean(x[1]^2)\n",
)


def not_indexed(span: Span, base: Span, kind: str, dimension: int | None = None) -> Diagnostic:
    """`dimension` is that of an input of a network."""
    name = base.text
    family = {
        "a matrix": f"declare a family, as in `matrix {short(name)}[1..3]`",
        "an input of the network": f"make it a family in the header, as in `{short(name)}[1..3] : {dimension}`",
    }.get(kind, f"declare a family, as in `vector {short(name)}[1..3] ~ N(0, 1)`")
    edit = Edit(span, name)
    return E317(
        f"`{short(name)}` is {kind} and has no members to index",
        span,
        "not a family",
        notes=("the coordinates of a vector are never addressed one by one",) if kind == "a vector" else (),
        hint=f"write {said(edit)}, or {family}",
        edits=(edit,),
    )

"""E4xx: declarations, data, covariances, indices."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Protocol

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.catalogue.words import bracketed, inside, line_above, plural, said, shape_text, short
from netsor.diagnostics.data import Diagnostic, Edit, Label, Span


class Members(Protocol):
    """The members of a family, as messages speak of them."""

    def like(self, index: Sequence[int]) -> Sequence[int]:
        """The indices of a member that may have been meant; empty where there is no member."""

    def described(self, name: str) -> str:
        """`the members 1..3`."""

    def from_the_end(self, index: int) -> Sequence[int]:
        """The member that a negative index means in Python; empty where there is none."""


def _listed(index: Sequence[int]) -> str:
    return ", ".join(map(str, index))


E401 = Entry(
    "E401",
    "a covariance is not symmetric",
    "Cov(x, y) = Cov(y, x).",
    bad="vector a, b ~ N(0, [[1, 0.5], [0.2, 1]])\noutput mean(a * b)\n",
    good="vector a, b ~ N(0, [[1, 0.5], [0.5, 1]])\noutput mean(a * b)\n",
    paper="Setup B.2",
)


def not_symmetric(
    span: Span, names: tuple[str, str], values: tuple[float, float], places: Sequence[Span]
) -> Diagnostic:
    """The two entries of the covariance of two vectors, and where they stand if they are written out."""
    (i, j), (a, b) = names, values
    edits: tuple[Edit, ...] = ()
    if len(places) == 2:
        edits = (Edit(places[1], places[0].text), Edit(places[0], places[1].text))
    return E401(
        f"the covariance is not symmetric: {a:g} for `{i}`, `{j}` and {b:g} for `{j}`, `{i}`",
        span,
        "not symmetric",
        notes=("Cov(x, y) = Cov(y, x)",),
        hint=f"write {' or '.join(map(said, edits)) or f'{a:g}'} in both places",
        edits=edits,
    )


E402 = Entry(
    "E402",
    "a covariance is not positive semidefinite",
    "No combination of vectors has a negative variance. Singular covariances are fine.",
    bad="vector a, b ~ N(0, [[1, 2], [2, 1]])\noutput mean(a * b)\n",
    good="vector a, b ~ N(0, [[1, 1], [1, 1]])\noutput mean(a * b)\n",
    paper="Setup B.2",
)


def not_semidefinite(
    span: Span, eigenvalue: float, pair: tuple[str, str, float, float] | None, negative: str | None
) -> Diagnostic:
    notes = [
        "a covariance is positive semidefinite (singular is fine): no combination of vectors has a negative variance"
    ]
    if negative:
        notes.append(f"the variance of `{negative}` is negative")
        hint = "write a variance that is zero or positive"
    elif pair:
        i, j, c, bound = pair
        notes.append(f"|Cov({i}, {j})| = {abs(c):g} is more than √(Var {i} · Var {j}) = {bound:g}")
        hint = f"write a covariance of `{i}` and `{j}` between {-bound:g} and {bound:g}"
    else:
        notes.append(f"its smallest eigenvalue is {eigenvalue:.3g}")
        hint = f"add at least {-eigenvalue:.3g} to each variance, or make the covariances smaller"
    message = "the covariance is not positive semidefinite"
    return E402(message, span, "not a covariance", notes=tuple(notes), hint=hint)


E403 = Entry(
    "E403",
    "shapes do not match",
    "Data, means and covariances have the shape that their line declares.",
    bad="data X : (2, 2) = [[1, 2, 3], [4, 5, 6]]\nvector x ~ N(0, 1)\noutput X[1, 1] * mean(x^2)\n",
    good="data X : (2, 3) = [[1, 2, 3], [4, 5, 6]]\nvector x ~ N(0, 1)\noutput X[1, 1] * mean(x^2)\n",
)


def rows_of_different_lengths(name: str, line: int | None = None) -> Diagnostic:
    where = f": line {line} differs from those before" if line is not None else ""
    return E403(f"the rows of `{name}` have different lengths{where}", hint="give every row the same number of entries")


def no_entries(name: str, shape: Sequence[int]) -> Diagnostic:
    return E403(f"`{name}` holds no number: its shape is {tuple(shape)}", hint="give every axis at least one entry")


def wrong_shape(
    span: Span, what: str, wanted: Sequence[int], got: Sequence[int], declared: Span | None = None
) -> Diagnostic:
    """`declared` is where the lengths stand."""
    edits: tuple[Edit, ...] = ()
    hint = f"give numbers of shape {shape_text(wanted)}"
    if declared is not None and got:
        edits = (Edit(declared, ", ".join(map(str, got))),)
        hint += f", or write {said(edits[0])} in the declaration"
    return E403(
        f"{what} has shape {shape_text(got)}, and {shape_text(wanted)} was expected",
        span,
        "shape does not match",
        hint=hint,
        edits=edits,
    )


def several_ranges(span: Span, name: str, ranges: int) -> Diagnostic:
    return E403(
        f"`{name}` has {ranges} ranges, and an input has two at most",
        span,
        "shape does not match",
        hint="use one range, as in `ξ[1..T] : d`, or two for a grid, as in `ξ[1..P, 1..Q] : d`",
    )


def without_commas(span: Span) -> Diagnostic:
    """Numbers of a list side by side, which would be multiplied."""
    edit = Edit(span, ", ".join(span.text.split()))
    return E403(
        f"the numbers `{short(span.text)}` stand side by side, which would multiply them",
        span,
        "no comma between them",
        notes=("the entries of a list are separated by commas, and its rows are lists of their own",),
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def ragged(span: Span) -> Diagnostic:
    return E403(
        "the rows of the list have different lengths",
        span,
        "not a full rectangle",
        hint="give every row the same number of entries",
    )


def inner_shapes(span: Span, a: Sequence[int], b: Sequence[int]) -> Diagnostic:
    return E403(
        f"an inner product needs two rows of the same length, not shapes {shape_text(a)} and {shape_text(b)}",
        span,
        "shapes do not match",
        hint="take rows, as in `⟨X[1], X[2]⟩`",
    )


def group_covariance(span: Span, names: int, shape: Sequence[int]) -> Diagnostic:
    return E403(
        f"{plural(names, 'vector')} {'needs' if names == 1 else 'need'} a covariance of shape ({names}, {names}), "
        f"and this one has shape {shape_text(shape)}",
        span,
        "shape does not match",
        hint="give one row and one column for each vector, or one number for independent vectors of that variance",
    )


def group_mean(span: Span, names: int, shape: Sequence[int]) -> Diagnostic:
    return E403(
        f"{plural(names, 'vector')} {'needs' if names == 1 else 'need'} a mean of shape ({names},), "
        f"and this one has shape {shape_text(shape)}",
        span,
        "shape does not match",
        hint="give one number for each vector, or one number for all",
    )


def row_length(span: Span, matrix: str, columns: int, text: str, length: int, declared: Span | None) -> Diagnostic:
    """`declared` is the line that declares the matrix."""
    shape = re.search(r"\(\s*n\s*,\s*(\d+)\s*\)", declared.text) if declared else None
    edits: tuple[Edit, ...] = ()
    hint = f"declare it with {plural(length, 'column')}, as in `matrix {matrix} : (n, {length}) ~ N(0, 1/{length})`"
    if declared is not None and shape is not None:
        place = Span(declared.source, declared.start + shape.start(), declared.start + shape.end())
        edits = (Edit(place, f"(n, {length})"),)
        hint = f"declare `{matrix}` with the shape {said(edits[0])}"
    return E403(
        f"`{matrix}` has {plural(columns, 'column')}, and `{short(text)}` has "
        f"{'one entry' if length == 1 else f'{length} entries'}",
        span,
        "shapes do not match",
        hint=hint,
        edits=edits,
    )


def not_a_row(span: Span, matrix: str, data: Span, shape: Sequence[int]) -> Diagnostic:
    edits = (
        (Edit(inside(span), f"{matrix} {data.text}[{', '.join('1' * (len(shape) - 1))}]"),) if len(shape) > 1 else ()
    )
    return E403(
        f"`{matrix}` applies to a row of data, and `{short(data.text)}` has shape {shape_text(shape)}",
        span,
        "not one row",
        hint=f"take a row: {said(edits[0])}" if edits else "take one row by its indices",
        edits=edits,
    )


E404 = Entry(
    "E404",
    "data without a value",
    "A `data` line without `= …` gets its numbers when the program is used: `--data X=inputs.npy`.",
    bad="data X : (2, 2)\nvector x ~ N(0, 1)\noutput X[1, 1] * mean(x^2)\n",
    good="data X : (2, 2) = [[1, 2], [3, 4]]\nvector x ~ N(0, 1)\noutput X[1, 1] * mean(x^2)\n",
)


def data_missing(span: Span, name: str, shape: Sequence[int]) -> Diagnostic:
    return E404(
        f"`data {name}` has no value",
        span,
        f"shape {shape_text(shape)}, numbers to come from outside",
        hint=f"give it when running: `--data {name}=FILE.npy` (also .csv, .json), or write `= […]` here",
    )


E405 = Entry(
    "E405",
    "data that is not finite",
    "Data are finite numbers.",
    bad="data X : (2,)\nvector x ~ N(0, 1)\noutput X[1] * mean(x^2)\n",
    good="data X : (2,) = [1, 2]\nvector x ~ N(0, 1)\noutput X[1] * mean(x^2)\n",
    data={"X": [1.0, float("inf")]},
)


def not_finite(span: Span, what: str, where: str, value: float) -> Diagnostic:
    return E405(
        f"{what} holds {value!r} at {where}",
        span,
        "not a finite number",
        hint="replace it by a finite number, or leave the row out",
    )


E406 = Entry(
    "E406",
    "an index is out of range",
    "Rows of data count from 1; families have the members that were declared or assigned.",
    bad="vector g[1..3] ~ N(0, 1)\noutput mean(g[4]^2)\n",
    good="vector g[1..3] ~ N(0, 1)\noutput mean(g[3]^2)\n",
)


def index_out_of_range(
    span: Span, name: str, index: Sequence[int], members: Members, declared: Span | None = None
) -> Diagnostic:
    """A member that a family does not have; `name` is the family's, `declared` where its only member is declared."""
    nearest = members.like(index)
    if len(nearest) == 1 == len(index) and index[0] < 0 and (nearest := members.from_the_end(index[0])):
        edit = Edit(span, f"{name}[{_listed(nearest)}]")
        return E406(
            f"`{name}[{_listed(index)}]` does not exist",
            span,
            "out of range",
            notes=(f"`{name}` has {members.described(name)}; nothing is counted from the end",),
            hint=f"write {said(edit)}",
            edits=(edit,),
        )
    if declared is not None and len(nearest) == 1 == len(index) and 0 < index[0] < nearest[0]:
        edit = Edit(declared, f"{name}[1..{nearest[0]}]")
        return E406(
            f"`{name}[{_listed(index)}]` does not exist",
            span,
            "out of range",
            labels=(Label(declared, "declares this one member"),),
            notes=(f"`{name}` has {members.described(name)}",),
            hint=f"declare a range of members, {said(edit)}",
            edits=(edit,),
        )
    edits: tuple[Edit, ...] = (Edit(span, f"{name}[{_listed(nearest)}]"),) if nearest else ()
    if nearest and len(nearest) != len(index):
        return E406(
            f"`{name}` has {plural(len(nearest), 'index', 'indices')}, and {len(index)} were given",
            span,
            "wrong number of indices",
            hint=f"write {said(edits[0])}",
            edits=edits,
        )
    return E406(
        f"`{name}[{_listed(index)}]` does not exist",
        span,
        "out of range",
        notes=(f"`{name}` has {members.described(name)}",),
        hint=f"use an index of `{name}` that exists, such as {said(edits[0])}" if edits else "",
        edits=edits,
    )


def other_depth(span: Span, name: str, index: Sequence[int], depth: int) -> Diagnostic:
    """A member that is given a value with more or fewer indices than the others have."""
    return E406(
        f"`{name}` has {plural(depth, 'index', 'indices')}, and {len(index)} were given",
        span,
        "wrong number of indices",
        hint=f"give every member of `{name}` {plural(depth, 'index', 'indices')}",
    )


def row_out_of_range(
    span: Span, name: str, index: Sequence[int], shape: Sequence[int], axis: int, place: Span
) -> Diagnostic:
    """The row (`axis` 0) or entry of `index` is none; `place` is where the index is written."""
    i, size = index[axis], shape[axis]
    what = "row" if axis == 0 else "entry"
    note = "rows and entries of data count from 1" if i == 0 else f"`{name}` has shape {shape_text(shape)}"
    # What is counted from the end elsewhere has a number here; of an index that is computed only the writer knows.
    meant = size + 1 + i if -size <= i < 0 else min(max(i, 1), size)
    written = span.text
    mended = f"{written[: place.start - span.start]}{meant}{written[place.end - span.start :]}"
    edits = (Edit(span, mended),) if re.fullmatch(r"-?\s*\d+", place.text) and size else ()
    return E406(
        f"`{name}` has no {what} {i}",
        span,
        "out of range",
        notes=(note,),
        hint=f"use an index from 1 to {size}" + (f", such as {said(edits[0])}" if edits else ""),
        edits=edits,
    )


def too_many_indices(span: Span, name: str, shape: Sequence[int], got: int) -> Diagnostic:
    return E406(
        f"`{name}` has shape {shape_text(shape)}, and {got} indices were given",
        span,
        "too many indices",
        hint=f"give at most {len(shape)}",
    )


E407 = Entry(
    "E407",
    "a whole number is expected",
    "Indices, ranges and lengths are whole numbers.",
    bad="vector g[1..3] ~ N(0, 1)\noutput mean(g[1/2]^2)\n",
    good="vector g[1..3] ~ N(0, 1)\noutput mean(g[4/2]^2)\n",
)


def not_an_integer(span: Span, what: str, value: float) -> Diagnostic:
    text = span.text
    edits: tuple[Edit, ...]
    if not re.search(r"[^\W\d]", text):
        edits = (Edit(span, str(math.floor(value + 0.5))),) if abs(value) < 1e15 else ()
    else:
        # Members mostly begin at 1, so that what is below is rounded up: 1, 1, 2, 2, … from halves.
        half = re.fullmatch(r"(.+?)\s*/\s*2", text)
        up = f"floor(({half[1]} + 1) / 2)" if half else f"-floor(-{bracketed(text)})"
        edits = (Edit(span, up), Edit(span, f"floor({text})"))
        edits = edits if 0 < value < 1 else edits[::-1]
    return E407(
        f"{what} is a whole number, and `{short(text)}` is {value:g}",
        span,
        "not a whole number",
        hint=f"write {' or '.join(map(said, edits))}" if edits else "write a whole number",
        edits=edits,
    )


E408 = Entry(
    "E408",
    "a constant is expected",
    "Indices, shapes, variances and members of 𝒞 are known before the program runs.",
    bad="vector x ~ N(0, 1)\nθ := mean(x^2)\nvector y ~ N(0, θ)\noutput mean(y^2)\n",
    good="vector x ~ N(0, 1)\nvector y ~ N(0, 1)\noutput mean(x^2) * mean(y^2)\n",
    paper="Setup B.2",
)


def not_constant(span: Span, what: str, kind: str, number: Span | None = None) -> Diagnostic:
    """`number` is the line `NAME := NUMBER` that gave the name its value, where it is one."""
    edits: tuple[Edit, ...] = ()
    if number is not None:
        name, _, value = number.text.partition(":=")
        edits = (Edit(number, f"param {name.strip()} = {value.strip()}"),)
    return E408(
        f"`{short(span.text)}` is {kind}, and {what} must be known before running",
        span,
        kind,
        notes=("constants are numbers, `param`s, data, loop indices and arithmetic of them",),
        hint=f"write {said(edits[0])} above" if edits else "use a number or a `param`",
        edits=edits,
    )


def constant_not_constant(span: Span, name: str, line: Span) -> Diagnostic:
    """`line` is the declaration."""
    edit = Edit(line, f"{name} := {span.text}")
    return E408(
        f"`{name}` is declared as a member of 𝒞, and `{short(span.text)}` depends on variables of the program",
        span,
        "not a constant or an expression in n",
        hint=f"make it a MOMENT: {said(edit)}",
        edits=(edit,),
    )


def no_constant(text: str) -> Diagnostic:
    """Of arithmetic outside a program."""
    return E408(f"`{text}` is not a number")


E409 = Entry(
    "E409",
    "a matrix variance of the wrong order in n",
    "Entries of an n×n matrix are N(0, σ²/n); of an n×d matrix N(0, σ²).",
    bad="vector x ~ N(0, 1)\nmatrix W ~ N(0, 1)\noutput mean((W x)^2)\n",
    good="vector x ~ N(0, 1)\nmatrix W ~ N(0, 1/n)\noutput mean((W x)^2)\n",
    paper="Setup B.2",
)


def matrix_variance(span: Span, name: str, constant: bool) -> Diagnostic:
    """`constant` tells that the variance is a number, which n must divide."""
    edit = Edit(span, f"{bracketed(span.text)}/n" if constant else "1/n")
    return E409(
        f"the entries of `{name}` have variance `{short(span.text)}`, and σ²/n with a constant σ² was expected",
        span,
        "not of the form c/n",
        notes=("Setup B.2: the entries of an n×n matrix are iid N(0, σ_W²/n)",),
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def input_variance(span: Span, name: str, columns: int) -> Diagnostic:
    edit = Edit(span, f"1/{columns}")
    return E409(
        f"the entries of `{name}` have variance `{short(span.text)}`, and a constant was expected",
        span,
        "depends on n",
        notes=("an n×d matrix applies to fixed data, so its entries do not shrink with n",),
        hint=f"write {said(edit)}, for example: one over the number of columns of `{name}`",
        edits=(edit,),
    )


def uniform_matrix(span: Span, name: str, ends: tuple[str, str]) -> Diagnostic:
    """`ends` are those of the law as they are written."""
    shrinks = any(re.search(r"(?<!\w)n(?!\w)", end) for end in ends)
    edit = Edit(span, f"N(0, {_spread(ends)}{'' if shrinks else '/n'})")
    return E409(
        f"the entries of the n×n matrix `{name}` have a uniform law, and n×n matrices are Gaussian",
        span,
        "not N(0, σ²/n)",
        notes=("Setup B.2: W_αβ ~ N(0, σ_W²/n); n×d matrices and vectors may be uniform",),
        hint=f"write {said(edit)}" + (", which has this variance" if shrinks else ", with the variance divided by n"),
        edits=(edit,),
    )


def _spread(ends: tuple[str, str]) -> str:
    """(b − a)²/12 in the words of the user."""
    low, high = ends
    return f"({high} - {bracketed(low)})^2/12"


E410 = Entry(
    "E410",
    "a matrix with a mean",
    "Entries of a matrix have mean zero.",
    bad="vector x ~ N(0, 1)\nmatrix W ~ N(1, 1/n)\noutput mean((W x)^2)\n",
    good="vector x ~ N(0, 1)\nmatrix W ~ N(0, 1/n)\noutput mean((W x)^2)\n",
    paper="Setup B.2",
)


def matrix_mean(span: Span, name: str) -> Diagnostic:
    edit = Edit(span, "0")
    return E410(
        f"the entries of `{name}` must have mean 0",
        span,
        "mean is not 0",
        notes=("Setup B.2: W_αβ ~ N(0, σ_W²/n)",),
        hint=f"write {said(edit)} for the mean",
        edits=(edit,),
    )


E411 = Entry(
    "E411",
    "the program is too long",
    "A program unrolls to at most a million instructions.",
    bad="vector x ~ N(0, 1)\nfor i in 1..2000000:\n    y[i] := tanh(x)\noutput mean(x^2)\n",
    good="vector x ~ N(0, 1)\nfor i in 1..20:\n    y[i] := tanh(x)\noutput mean(y[20]^2)\n",
)


def too_long(span: Span, count: int, what: str = "instructions") -> Diagnostic:
    return E411(
        f"the program would have {count if count < 10**15 else float(count):,} {what}, and a million is the most",
        span,
        "unrolled here",
        hint="make the range smaller",
    )


E412 = Entry(
    "E412",
    "a vector without a law",
    "Initial vectors have jointly Gaussian coordinates, and their line says which.",
    bad="vector x\noutput mean(x^2)\n",
    good="vector x ~ N(0, 1)\noutput mean(x^2)\n",
    paper="Setup B.2",
)


def law_missing(span: Span, name: str) -> Diagnostic:
    edit = Edit(span, f"{span.text.rstrip()} ~ N(0, 1)")
    return E412(
        f"the law of `{name}` is missing",
        span,
        "how are its coordinates distributed?",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


E413 = Entry(
    "E413",
    "a negative variance",
    "A variance is zero or positive.",
    bad="vector x ~ N(0, -1)\noutput mean(x^2)\n",
    good="vector x ~ N(0, 1)\noutput mean(x^2)\n",
    paper="Setup B.2",
)


def negative_variance(span: Span, name: str, value: float, by_n: bool = False) -> Diagnostic:
    """`by_n` tells that the variance is `value`/n."""
    edit = Edit(span, f"{abs(value):.15g}{'/n' if by_n else ''}")
    return E413(
        f"the variance of `{name}` is {value:g}{'/n' if by_n else ''}, which is negative",
        span,
        "negative",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def uniform_bounds(span: Span, name: str, ends: tuple[str, str]) -> Diagnostic:
    """The ends are not in their order, or are equal."""
    low, high = ends
    edit = Edit(span, f"U({high}, {low})" if low != high else f"N({low}, 0)")
    return E413(
        f"`{name}` has the law U({low}, {high}), and its first end must be less than its second",
        span,
        "no interval",
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def uniform_too_wide(span: Span, name: str) -> Diagnostic:
    return E413(
        f"the variance (b − a)²/12 of `{name}` is beyond 1.8e308, the largest number",
        span,
        "too wide",
        hint="take a narrower law, and scale what it stands in",
    )


E414 = Entry(
    "E414",
    "a matrix of a shape that programs do not have",
    "Matrices are n×n, or n×d with a number d.",
    bad="vector x ~ N(0, 1)\nmatrix W : (3, n)\noutput mean(x^2)\n",
    good="vector x ~ N(0, 1)\nmatrix W : (n, n)\noutput mean((W x)^2)\n",
    paper="Def. B.1",
)


def matrix_shape(span: Span, name: str, lengths: Sequence[str]) -> Diagnostic:
    """`span` and `lengths` are what stands in the brackets of the shape."""
    by = re.fullmatch(r"n\s*(?:[x×X*]|by)\s*(\w+)", lengths[0]) if len(lengths) == 1 else None
    d = by[1] if by else next((x for x in lengths if x.isdigit() and int(x)), "")
    enclosed = span.source.text[span.start - 1 : span.start] == "(" or span.text.startswith("(")
    shape = ("{}" if enclosed and not span.text.startswith("(") else "({})").format
    square, wide = Edit(span, shape("n, n")), Edit(span, shape(f"n, {d}"))
    # Who swaps the two sizes means an n×d matrix.
    edits = (square,) if not d or d == "n" else (wide, square) if by or list(lengths[1:]) == ["n"] else (square, wide)
    d = d or "3"
    return E414(
        f"the shape of `{name}` is not one that a matrix of a program has",
        span,
        "(n, n) or (n, d) with a number d",
        hint=f"write {' or '.join(map(said, edits))}, as in `matrix {name} : (n, {d}) ~ N(0, 1/{d})`",
        edits=edits,
    )


def shape_as_indices(span: Span, name: str, sizes: Sequence[str]) -> Diagnostic:
    """A matrix `U[n, 3]`, with its shape where indices of a family stand."""
    shape = f" : ({', '.join('n' if k == 'N' else k for k in sizes)})" if len(sizes) == 2 else ""
    edit = Edit(span, name + shape)
    return E408(
        "the width `n` is not known before running, and square brackets hold the indices of a family",
        span,
        "a shape?",
        notes=("the shape of a matrix stands behind a colon",),
        hint=f"write {said(edit)}",
        edits=(edit,),
    )


def input_dimension(span: Span, name: str, value: int) -> Diagnostic:
    edit = Edit(span, "3")
    return E414(
        f"an input of a network has at least one number, and `{name}` has {value}",
        span,
        "is not positive",
        hint=f"write the dimension of its rows, such as {said(edit)}",
        edits=(edit,),
    )


def no_inputs(span: Span, name: str, ranges: Span) -> Diagnostic:
    """`ranges` is what stands in the brackets of the family."""
    edit = Edit(ranges, "1..2")
    return E414(
        f"the family `{name}` of inputs is empty",
        span,
        "has no members",
        hint=f"write a range with members, such as {said(edit)}",
        edits=(edit,),
    )


E415 = Entry(
    "E415",
    "a row without a name",
    "An n×d matrix is applied to a row of named data, so that the listing can say which.",
    bad="matrix U : (n, 2)\ng := U([1, 2])\noutput mean(g^2)\n",
    good="matrix U : (n, 2)\ndata X : (1, 2) = [[1, 2]]\ng := U X[1]\noutput mean(g^2)\n",
)


def nameless_row(span: Span, other: str = "", shape: Sequence[int] = ()) -> Diagnostic:
    """A literal row of a `shape`; `other` is a free name for it. Without one what is written is not a row at all."""
    edits: tuple[Edit, ...] = ()
    hint = "declare it, as in `data X : (1, 3) = [[1, 0, 0]]`, and write `U X[1]`"
    if other:
        declaration = line_above(span, f"data {other} : ({shape[0]},) = {inside(span).text}")
        start = declaration.span.start
        edits = (
            Edit(Span(span.source, start, span.end), declaration.text + span.source.text[start : span.start] + other),
        )
        hint = f"declare it above, `{short(declaration.text)}`, and write `{other}` here"
    return E415(
        "a row that an n×d matrix is applied to must be a row of named data",
        span,
        "a literal list",
        hint=hint,
        edits=edits,
    )

"""E4xx: declarations, data, covariances, indices."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.check.faults.words import plural, shape_text, short
from netsor.diagnostics import Diagnostic, Label, Span


def not_symmetric(span: Span, i: str, j: str, a: float, b: float) -> Diagnostic:
    return Diagnostic(
        "E401",
        f"the covariance is not symmetric: {a:g} for `{i}`, `{j}` and {b:g} for `{j}`, `{i}`",
        span,
        label="not symmetric",
        notes=("Cov(x, y) = Cov(y, x)",),
        hint=f"write {a:g} in both places",
    )


def not_semidefinite(
    span: Span, eigenvalue: float, pair: tuple[str, str, float, float] | None, negative: str | None
) -> Diagnostic:
    notes = [
        "a covariance is positive semidefinite (singular is fine): no combination of vectors has a negative variance"
    ]
    hint = ""
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
    return Diagnostic(
        "E402",
        "the covariance is not positive semidefinite",
        span,
        label="not a covariance",
        notes=tuple(notes),
        hint=hint,
    )


def wrong_shape(span: Span | None, what: str, wanted: Sequence[int], got: Sequence[int], hint: str = "") -> Diagnostic:
    return Diagnostic(
        "E403",
        f"{what} has shape {shape_text(got)}, and {shape_text(wanted)} was expected",
        span,
        label="shape does not match",
        hint=hint or f"give numbers of shape {shape_text(wanted)}",
    )


def ragged(span: Span) -> Diagnostic:
    return Diagnostic(
        "E403",
        "the rows of the list have different lengths",
        span,
        label="not a full rectangle",
        hint="give every row the same number of entries",
    )


def inner_shapes(span: Span, a: Sequence[int], b: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E403",
        f"an inner product needs two rows of one length, not shapes {shape_text(a)} and {shape_text(b)}",
        span,
        label="shapes do not match",
        hint="take rows, such as `⟨X[1], X[2]⟩`",
    )


def data_missing(span: Span, name: str, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E404",
        f"`data {name}` has no value",
        span,
        label=f"shape {shape_text(shape)}, numbers to come from outside",
        hint=f"give it when running: `--data {name}=FILE.npy` (also .csv, .json), or write `= […]` here",
    )


def not_finite(span: Span | None, what: str, where: str, value: float) -> Diagnostic:
    return Diagnostic(
        "E405",
        f"{what} holds {value!r} at {where}",
        span,
        label="not a finite number",
        hint="replace it by a finite number, or leave the row out",
    )


def index_out_of_range(
    span: Span, name: str, index: Sequence[int], members: Sequence[tuple[int, ...]], later: Span | None
) -> Diagnostic:
    text = f"{name}[{', '.join(map(str, index))}]"
    if later is not None:
        return Diagnostic(
            "E206",
            f"`{text}` is used before it gets its value",
            span,
            label="used here",
            labels=(Label(later, f"`{text}` gets its value here"),),
            hint=f"move the line that defines `{text}` above this one, or start the loop later",
        )
    depth = len(members[0]) if members else 0
    if members and len(index) != depth:
        return Diagnostic(
            "E406",
            f"`{name}` has {'one index' if depth == 1 else f'{depth} indices'}, and {len(index)} were given",
            span,
            label="wrong number of indices",
            hint=f"write `{name}[{', '.join(map(str, members[0]))}]`",
        )
    known = _members(name, members)
    return Diagnostic(
        "E406",
        f"`{text}` does not exist",
        span,
        label="out of range",
        notes=(f"`{name}` has {known}",) if known else (),
        hint=f"use an index of `{name}` that exists, such as `{name}[{', '.join(map(str, members[-1]))}]`"
        if members
        else "",
    )


def _members(name: str, members: Sequence[tuple[int, ...]]) -> str:
    if not members:
        return "no members yet"
    if len(members[0]) == 1:
        flat = sorted(m[0] for m in members)
        if flat == list(range(flat[0], flat[-1] + 1)) and len(flat) > 1:
            return f"the members {flat[0]}..{flat[-1]}"
    shown = ", ".join(f"{name}[{', '.join(map(str, m))}]" for m in members[:4])
    return f"the members {shown}" + (", …" if len(members) > 4 else "")


def row_out_of_range(span: Span, name: str, i: int, shape: Sequence[int], axis: int) -> Diagnostic:
    what = "row" if axis == 0 else "entry"
    note = "rows and entries of data count from 1" if i == 0 else f"`{name}` has shape {shape_text(shape)}"
    return Diagnostic(
        "E406",
        f"`{name}` has no {what} {i}",
        span,
        label="out of range",
        notes=(note,),
        hint=f"use an index from 1 to {shape[axis]}",
    )


def too_many_indices(span: Span, name: str, shape: Sequence[int], got: int) -> Diagnostic:
    return Diagnostic(
        "E406",
        f"`{name}` has shape {shape_text(shape)}, and {got} indices were given",
        span,
        label="too many indices",
        hint=f"give at most {len(shape)}",
    )


def not_an_integer(span: Span, what: str, value: float) -> Diagnostic:
    return Diagnostic(
        "E407",
        f"{what} is a whole number, and `{short(span.text)}` is {value:g}",
        span,
        label="not a whole number",
        hint=f"write {round(value)}",
    )


def not_constant(span: Span, what: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E408",
        f"`{short(span.text)}` is {kind}, and {what} must be known before running",
        span,
        label=f"{kind}",
        notes=("constants are numbers, `param`s, data, loop indices and arithmetic of them",),
        hint="use a number or a `param`",
    )


def matrix_variance(span: Span, name: str, text: str) -> Diagnostic:
    return Diagnostic(
        "E409",
        f"the entries of `{name}` have variance `{short(text)}`, and σ²/n with a constant σ² was expected",
        span,
        label="not of the form c/n",
        notes=("Setup B.2: the entries of an n×n matrix are iid N(0, σ_W²/n)",),
        hint=f"write `matrix {name} ~ N(0, 1/n)`",
    )


def input_variance(span: Span, name: str, text: str) -> Diagnostic:
    return Diagnostic(
        "E409",
        f"the entries of `{name}` have variance `{short(text)}`, and a constant was expected",
        span,
        label="depends on n",
        notes=("an n×d matrix applies to fixed data, so its entries do not shrink with n",),
        hint=f"write `~ N(0, 1/d)` with the number d of columns of `{name}`",
    )


def input_dimension(span: Span, name: str, value: int) -> Diagnostic:
    return Diagnostic(
        "E414",
        f"an input of a network has at least one number, and `{name}` has {value}",
        span,
        label="is not positive",
        hint=f"write `{name} : 3`",
    )


def no_inputs(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E414",
        f"the family `{name}` of inputs is empty",
        span,
        label="has no members",
        hint=f"write `{name}[1..2] : 3`",
    )


def matrix_mean(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E410",
        f"the entries of `{name}` must have mean 0",
        span,
        label="mean is not 0",
        notes=("Setup B.2: W_αβ ~ N(0, σ_W²/n)",),
        hint="write `N(0, …)`",
    )


def too_long(span: Span, count: int, what: str = "instructions") -> Diagnostic:
    return Diagnostic(
        "E411",
        f"the program would have {count if count < 10**15 else float(count):,} {what}, and a million is the most",
        span,
        label="unrolled here",
        hint="make the range smaller",
    )


def law_missing(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E412",
        f"the law of `{name}` is missing",
        span,
        label="how are its coordinates distributed?",
        hint=f"write `vector {name} ~ N(0, 1)`",
    )


def negative_variance(span: Span, name: str, value: float) -> Diagnostic:
    return Diagnostic(
        "E413",
        f"the variance of `{name}` is {value:g}, which is negative",
        span,
        label="negative",
        hint=f"write `N(0, {abs(value):g}{'/n' if 'n' in span.text else ''})`",
    )


def matrix_shape(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E414",
        f"the shape of `{name}` is not one that a matrix of a program has",
        span,
        label="(n, n) or (n, d) with a number d",
        hint=f"write `matrix {name} : (n, 3) ~ N(0, 1/3)`, or `matrix {name}` for n×n",
    )


def group_covariance(span: Span, names: int, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E403",
        f"{plural(names, 'vector')} {'needs' if names == 1 else 'need'} a covariance of shape ({names}, {names}), "
        f"and this one has shape {shape_text(shape)}",
        span,
        label="shape does not match",
        hint="give one row and one column for each vector, or one number for independent vectors of that variance",
    )


def group_mean(span: Span, names: int, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E403",
        f"{plural(names, 'vector')} {'needs' if names == 1 else 'need'} a mean of shape ({names},), "
        f"and this one has shape {shape_text(shape)}",
        span,
        label="shape does not match",
        hint="give one number for each vector, or one number for all",
    )


def row_length(span: Span, matrix: str, columns: int, text: str, length: int) -> Diagnostic:
    return Diagnostic(
        "E403",
        f"`{matrix}` has {plural(columns, 'column')}, and `{short(text)}` has "
        f"{'one entry' if length == 1 else f'{length} entries'}",
        span,
        label="shapes do not match",
        hint=f"declare `matrix {matrix} : (n, {length}) ~ N(0, 1/{length})`",
    )


def not_a_row(span: Span, matrix: str, text: str, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E403",
        f"`{matrix}` applies to a row of data, and `{short(text)}` has shape {shape_text(shape)}",
        span,
        label="not one row",
        hint=f"take a row: `{matrix} {short(text)}[1]`" if len(shape) == 2 else "take one row by its indices",
    )


def nameless_row(span: Span) -> Diagnostic:
    return Diagnostic(
        "E415",
        "a row that an n×d matrix is applied to must be a row of named data",
        span,
        label="a literal list",
        hint="declare it: `data X : (1, 3) = [[1, 0, 0]]`, then write `U X[1]`",
    )

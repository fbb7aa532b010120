"""The checker's diagnostics, one function each: headline, what was expected and why, an edit that would do."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.diagnostics import Diagnostic, Label, Span
from netsor.expr import Function


class Fault(Exception):
    """Ends the checking of one line; without a diagnostic where the fault was reported before."""

    def __init__(self, diagnostic: Diagnostic | None):
        self.diagnostic = diagnostic


def plural(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 40 else text[:37] + "…"


def _bracketed(text: str) -> str:
    """A piece of text that can follow a matrix or stand in a product as it is."""
    simple = all(c not in text for c in " +-−*/") or (text.startswith("(") and text.endswith(")"))
    return text if simple else f"({text})"


# --- names (E2xx) -------------------------------------------------------------------------------------------------


def unknown_name(span: Span, name: str, like: str | None, later: Span | None) -> Diagnostic:
    if later is not None:
        return Diagnostic(
            "E206", f"`{name}` is used before it gets its value", span, label="used here",
            labels=(Label(later, f"`{name}` gets its value here"),),
            notes=("a program is a list of instructions, and each uses only what stands above it (Def. B.1)",),
            hint=f"move the line that defines `{name}` above this one",
        )
    declared = f"`matrix {name}`" if name[:1].isupper() else f"`vector {name} ~ N(0, 1)`, `scalar {name} = 1`"
    hint = f"did you mean `{like}`?" if like else f"declare it above: {declared} or `{name} := …`"
    return Diagnostic("E201", f"`{name}` is not defined", span, label="not found in this scope", hint=hint)


def assigned_twice(span: Span, name: str, before: Span | None, declared: bool = False) -> Diagnostic:
    labels = (Label(before, f"`{name}` was {'declared' if declared else 'given its value'} here"),) if before else ()
    return Diagnostic(
        "E202", f"`{name}` is assigned twice", span, label="second time", labels=labels,
        notes=("each name of a program stands for one variable, so it gets its value once",),
        hint=f"use a new name here, such as `{_prime(name)}`",
    )


def _prime(name: str) -> str:
    return f"{name}2" if "[" not in name else name.replace("[", "2[", 1)


def recursive(span: Span, name: str, chain: Sequence[str]) -> Diagnostic:
    path = " → ".join(f"`{c}`" for c in (*chain, name))
    return Diagnostic(
        "E204", f"the definition of `{name}` uses itself", span, label="it would never end",
        notes=(f"definitions are expanded where they are used: {path}",) if len(chain) > 1 else
        ("definitions are expanded where they are used",),
        hint="use a `for` loop over an index instead",
    )


def unknown_param(name: str, like: str | None, known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{k}`" for k in known) or "none"
    return Diagnostic(
        "E205", f"the program has no `param {name}`, so it cannot be set", None,
        notes=(f"its parameters are: {listed}",),
        hint=f"did you mean `--set {like}=…`?" if like else f"add a line `param {name} = 1` to the program",
    )


def unknown_data(name: str, known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{k}`" for k in known) or "none"
    return Diagnostic(
        "E205", f"the program has no `data {name}`, so it cannot be given", None, notes=(f"its data are: {listed}",),
        hint=f"add a line `data {name} : (4, 3)` to the program",
    )


def repeated_parameter(span: Span, name: str, function: str) -> Diagnostic:
    return Diagnostic(
        "E207", f"two parameters of `{function}` are named `{name}`", span, label="second time",
        hint=f"rename one of them: `{name}2`",
    )


def name_clash(span: Span, name: str, before: Span | None, what: str) -> Diagnostic:
    labels = (Label(before, f"`{name}` is {what} here"),) if before else ()
    return Diagnostic(
        "E208", f"`{name}` is already {what}", span, label="same name", labels=labels,
        notes=("matrices, vectors, scalars and definitions of a program share one set of names",),
        hint=f"use a new name here, such as `{_prime(name)}`",
    )


def no_place(span: Span, what: str, where: str) -> Diagnostic:
    return Diagnostic(
        "E209", f"`{what}` stands in {where}", span, label="belongs to the program, not to a definition",
        notes=("a definition is expanded wherever it is used, each time anew",),
        hint="move the line to the left margin, out of the `def`",
    )


def too_deep(span: Span) -> Diagnostic:
    return Diagnostic(
        "E210", "definitions are used inside definitions too deep to be expanded", span, label="expanded here",
        hint="give a step in between a line of its own",
    )


# --- kinds (E3xx) -------------------------------------------------------------------------------------------------


def vector_by_vector(span: Span, left: str, right: str) -> Diagnostic:
    return Diagnostic(
        "E301", f"`{_short(left)}` and `{_short(right)}` are both vectors, and two vectors side by side are no product",
        span, label="vector by vector",
        notes=("side by side means MATMUL or scaling; coordinates are multiplied by ⊙, and xᵀ y / n is a MOMENT",),
        hint=f"write `{_short(left)} ⊙ {_bracketed(_short(right))}` for the coordinatewise product",
    )


def star_of_matrix(span: Span, matrix: str, other: str, matrix_first: bool, spelling: str) -> Diagnostic:
    fixed = f"{matrix} {_bracketed(_short(other))}"
    return Diagnostic(
        "E302", f"`{matrix}` is a matrix, and `{spelling or '*'}` multiplies coordinates", span,
        label="a matrix has no coordinates to multiply",
        notes=("MATMUL is written with the matrix before the vector and nothing between them",),
        hint=f"write `{fixed}`" if matrix_first else f"write `{fixed}`, or `{matrix}ᵀ {_bracketed(_short(other))}`",
    )


def matrix_alone(span: Span) -> Diagnostic:
    return Diagnostic(
        "E303", f"`{_short(span.text)}` is a product of matrices, which is no vector and no scalar", span,
        label="has no value of its own",
        notes=("a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector",),
        hint="apply the matrices to a vector one after the other, as in `W (Wᵀ x)` or `W Wᵀ x`",
    )


def covector_by_matrix(span: Span, x: str, matrix: str) -> Diagnostic:
    plain = x[:-1] if x.endswith(("ᵀ", "⊤")) else "x"
    return Diagnostic(
        "E303", f"`{_short(span.text)}` is a row times a matrix, which is no instruction", span, label="MATMUL has the matrix first",
        notes=("in xᵀ W y / n the product W y is taken first",),
        hint=f"write `{matrix}ᵀ {plain}` for the vector, or `{_short(x)} {matrix} y / n` for a MOMENT",
    )


def scaled_matrix(span: Span, factor: str, matrix: str) -> Diagnostic:
    written = f"-{matrix} x" if factor == "-" else f"{_short(factor)} {matrix} x"
    return Diagnostic(
        "E303", f"`{_short(span.text)}` is a multiple of a matrix, which is no vector and no scalar", span,
        label="has no value of its own",
        notes=("a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector",),
        hint=f"scale the product: `{written}`",
    )


def matrix_arithmetic(span: Span, op: str, left: str, right: str) -> Diagnostic:
    hint = f"apply each to the vector: `{left} x {op} {right} x`" if op in "+-" else f"apply it to a vector first: `({left} x) {op} …`"
    return Diagnostic(
        "E303", f"`{_short(span.text)}` is arithmetic of matrices, which are no values", span, label="has no value of its own",
        notes=("a program touches its matrices only through MATMUL: a matrix (or its transpose) times a vector",), hint=hint,
    )


def matrix_on_scalar(span: Span, matrix: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E304", f"`{matrix}` is a matrix and `{_short(other)}` is a number, so there is no product", span,
        label="MATMUL needs a vector on the right",
        hint=f"scale a vector: `{matrix} ({_short(other)} x)` for a vector `x`",
    )


def matrix_on_covector(span: Span, matrix: str, other: str) -> Diagnostic:
    return Diagnostic(
        "E309", f"`{_short(other)}` is a transposed vector, and `{matrix}` multiplies vectors", span,
        label="a row on the right of a matrix", hint=f"drop the transpose: `{_short(span.text).replace('ᵀ', '', 1)}`",
    )


def square_on_data(span: Span, matrix: str, other: str, name: str) -> Diagnostic:
    return Diagnostic(
        "E304", f"`{matrix}` is n×n, and `{_short(other)}` is data with a fixed number of entries", span,
        label="shapes do not match",
        notes=("data enter through an n×d matrix, whose products with data are members of 𝒱 (Setup B.2)",),
        hint=f"declare an input matrix: `matrix {name} : (n, d) ~ N(0, 1/d)` with d the length of a row",
    )


def vector_applied(span: Span, name: str, argument: str) -> Diagnostic:
    return Diagnostic(
        "E305", f"`{name}` is a vector, so `{name}(…)` means nothing", span, label="a vector cannot be applied",
        hint=f"write `{name} ⊙ {_bracketed(f'({_short(argument)})' if ' ' in argument else argument)}` for the coordinatewise product",
    )


def not_a_function(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E305", f"`{name}` is {kind}, not a function of several arguments", span, label=kind,
        hint=f"define it first: `{name}(u) = …` under another name, or remove the brackets",
    )


def arity(span: Span, name: str, wanted: str, got: int) -> Diagnostic:
    return Diagnostic(
        "E306", f"`{name}` takes {wanted}, and {got} {'was' if got == 1 else 'were'} given", span, label="here",
        hint=f"call it as `{_signature(name, wanted)}`",
    )


def _signature(name: str, wanted: str) -> str:
    known = {"clip": "clip(u, lo, hi)", "leaky_relu": "leaky_relu(u, 0.01)", "max": "max(x, y)", "min": "min(x, y)"}
    return known.get(name, f"{name}(u)")


def definition_arity(span: Span, f: Function, vectors: int, scalars: int, place: Span | None) -> Diagnostic:
    names = [str(p.name) for p in f.params]
    head, tail = names[: f.vectors], names[f.vectors :]
    signature = f"{f.name}({', '.join(head)}{'; ' + ', '.join(tail) if tail else ''})"
    given = plural(vectors, "argument") + (f" and {plural(scalars, 'parameter')} after the semicolon" if scalars or tail else "")
    wanted = plural(len(head), "argument") + (f" and {plural(len(tail), 'parameter')} after the semicolon" if tail or scalars else "")
    return Diagnostic(
        "E306", f"`{f.name}` takes {wanted}, and {given} {'was' if vectors + scalars == 1 else 'were'} given", span,
        label="here", labels=(Label(place, "defined here"),) if place else (), hint=f"call it as `{signature}`",
    )


def inlined_arity(span: Span, name: str, params: Sequence[str], scalars: Sequence[str], got: int, got_scalars: int, place: Span | None) -> Diagnostic:
    signature = f"{name}({', '.join(params)}{'; ' + ', '.join(scalars) if scalars else ''})"
    return Diagnostic(
        "E306", f"`{name}` takes {plural(len(params) + len(scalars), 'argument')}, and {got + got_scalars} "
        f"{'was' if got + got_scalars == 1 else 'were'} given", span, label="here",
        labels=(Label(place, "defined here"),) if place else (), hint=f"call it as `{signature}`",
    )


def function_as_value(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E307", f"`{_short(name)}` is a function, and a value was expected", span, label="not applied to anything",
        hint=f"apply it: `{_short(name)}(x)`",
    )


def function_needs_brackets(span: Span, f: str, argument: str) -> Diagnostic:
    return Diagnostic(
        "E307", f"`{f}` is a function, and its argument needs brackets", span, label="side by side is a product",
        hint=f"write `{f}({_short(argument)})`",
    )


def output_not_scalar(span: Span, text: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E308", f"`{_short(text)}` is {kind}, and an output is a scalar", span, label=kind,
        notes=("the Master Theorem speaks of scalars: MOMENTs of vectors (Theorem B.4)",),
        hint=f"take a moment of it, such as `mean({_short(text)})` or `mean({_short(text)}^2)`",
    )


def transposed_vector_alone(span: Span) -> Diagnostic:
    return Diagnostic(
        "E309", f"`{_short(span.text)}` is a transposed vector that meets no vector", span, label="half an inner product",
        notes=("xᵀ occurs only in xᵀ y, which is a MOMENT once it is divided by n",),
        hint="write `xᵀ y / n` for a MOMENT, or drop the transpose",
    )


def star_of_inner(span: Span, left: str, right: str) -> Diagnostic:
    return Diagnostic(
        "E309", f"`{_short(left)}` is a transposed vector, and `*` multiplies coordinates", span,
        label="an inner product is written without `*`", hint=f"write `{_short(left)} {_bracketed(_short(right))} / n`",
    )


def outer_product(span: Span) -> Diagnostic:
    return Diagnostic(
        "E309", f"`{_short(span.text)}` is an outer product, an n×n matrix that is not in 𝒲", span,
        label="vector times transposed vector",
        hint="multiply from the right first: `x yᵀ z / n` is the vector x scaled by the MOMENT yᵀ z / n",
    )


def derivative_of_several(span: Span, name: str, params: Sequence[str], builtin: bool = False) -> Diagnostic:
    return Diagnostic(
        "E311", f"`{name}` has several arguments, so `{name}'` does not say which derivative is meant", span,
        label="in which argument?",
        hint="define a function of one argument first" if builtin else f"name the argument: `{name}'[{params[0]}]`",
    )


def partial_of_builtin(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E311", f"`{name}` is built in, and its derivative is in its first argument", span, label="names no argument",
        hint=f"write `{name}'(u)`",
    )


def partials_count(span: Span, order: int, got: int) -> Diagnostic:
    return Diagnostic(
        "E311", f"{plural(order, 'prime')} and {plural(got, 'argument name')} do not go together", span,
        label="one name for each prime", hint="write as many names as primes: `ψ''[x, y](x, y)`",
    )


def partial_unknown(span: Span, name: str, function: str, params: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E311", f"`{function}` has no argument named `{name}`", span, label="not an argument",
        hint=f"its arguments are {', '.join(f'`{p}`' for p in params)}",
    )


def derivative_of_inlined(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E311", f"`{name}` holds MATMUL or MOMENT, so it is no function of coordinates and has no derivative", span,
        label="not differentiable coordinate by coordinate",
        hint="differentiate the coordinatewise functions inside it",
    )


def derivative_of_value(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E311", f"`{_short(name)}` is {kind}, and a prime differentiates a function", span, label=kind,
        hint=f"a name cannot hold a prime: call the variable `{_short(name)}1`" if kind.startswith("a ") else "",
    )


def too_singular(span: Span, name: str, order: int) -> Diagnostic:
    return Diagnostic(
        "E311", f"the derivative of order {order} of `{name}` is more singular than a Dirac mass and its slope", span,
        label="has no expectation", hint="differentiate fewer times, or use a smoother function",
    )


def input_on_vector(span: Span, matrix: str, other: str, columns: int) -> Diagnostic:
    return Diagnostic(
        "E312", f"`{matrix}` is n×{columns} and applies to data, and `{_short(other)}` is no row of {plural(columns, 'number')}",
        span, label="shapes do not match",
        hint=f"use an n×n matrix for vectors: `matrix W`, then `W {_bracketed(_short(other))}`; or a row of data: `{matrix} X[1]`",
    )


def input_matrix_transposed(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E312", f"`{name}` is n×d, and its transpose would make d numbers of a vector", span,
        label="not a MATMUL of the language (Def. 4.1)",
        hint="take MOMENTs of the vectors instead, such as `xᵀ g / n`",
    )


def scalar_transposed(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E309", f"`{_short(name)}` is a number, and only vectors and matrices are transposed", span, label="a number",
        hint=f"write `{_short(name)}`, or a power with brackets: `{_short(name)}^(T)`",
    )


def vector_in_scalar_slot(span: Span, text: str, f: Function) -> Diagnostic:
    return Diagnostic(
        "E315", f"`{_short(text)}` is a vector, and what follows the semicolon of `{f.name}` are scalars", span,
        label="a vector", hint=f"put it before the semicolon in the definition of `{f.name}`",
    )


def wrong_kind(span: Span, text: str, kind: str, wanted: str) -> Diagnostic:
    hint = {
        "a matrix": f"apply it to a vector: `{_short(text)} x`",
        "an n×d matrix": f"apply it to a row of data: `{_short(text)} X[1]`",
        "data": f"take an entry, such as `{_short(text)}[1]`, or apply an n×d matrix to a row of it",
        "an input of the network": f"apply an n×d matrix to it: `U {_short(text)}`",
        "a family": f"take a member: `{_short(text)}[1]`",
    }.get(kind, "")
    return Diagnostic("E316", f"`{_short(text)}` is {kind}, and {wanted} was expected", span, label=kind, hint=hint)


def not_a_value(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E316", f"{what} is no value", span, label="here")


def family_as_value(span: Span, name: str, members: Sequence[tuple[int, ...]]) -> Diagnostic:
    first = f"{name}[{', '.join(map(str, members[0]))}]" if members else f"{name}[1]"
    return Diagnostic(
        "E316", f"`{name}` is a family, and one of its members was expected", span, label="which one?",
        hint=f"write `{first}`",
    )


def not_indexed(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E317", f"`{_short(name)}` is {kind} and has no members to index", span, label="not a family",
        notes=("the coordinates of a vector are never addressed one by one",) if kind == "a vector" else (),
        hint=f"write `{_short(name)}`, or declare a family: `vector {_short(name)}[1..3] ~ N(0, 1)`",
    )


def data_product(span: Span, left: str, right: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E316", f"`{_short(left)}` is data, and data side by side with {kind} are no product", span, label="not a product",
        hint=f"`⟨{_short(left)}, {_short(right)}⟩` is the inner product of two rows; `U {_short(left)}` makes a vector of a row",
    )


def at_needs_matrix(span: Span, left: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E304", f"`@` multiplies a matrix and a vector, and `{_short(left)}` is {kind}", span, label="not a matrix",
        hint="use `⊙` between vectors and `*` with scalars",
    )


def constant_condition(span: Span, text: str, outcome: str) -> Diagnostic:
    return Diagnostic(
        "W903", f"the condition `{_short(text)}` is {outcome} everywhere", span, severity="warning",
        label="it does not depend on any variable", hint="write the branch that is taken, without `if`",
    )


# --- declarations, data, indices (E4xx) ---------------------------------------------------------------------------


def not_symmetric(span: Span, i: str, j: str, a: float, b: float) -> Diagnostic:
    return Diagnostic(
        "E401", f"the covariance is not symmetric: {a:g} for `{i}`, `{j}` and {b:g} for `{j}`, `{i}`", span,
        label="not symmetric", notes=("Cov(x, y) = Cov(y, x)",), hint=f"write {a:g} in both places",
    )


def not_semidefinite(span: Span, eigenvalue: float, pair: tuple[str, str, float, float] | None, negative: str | None) -> Diagnostic:
    notes = ["a covariance is positive semidefinite (singular is fine): no combination of the vectors has a negative variance"]
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
    return Diagnostic("E402", "the covariance is not positive semidefinite", span, label="not a covariance", notes=tuple(notes), hint=hint)


def wrong_shape(span: Span | None, what: str, wanted: Sequence[int], got: Sequence[int], hint: str = "") -> Diagnostic:
    return Diagnostic("E403", f"{what} has shape {_shape(got)}, and {_shape(wanted)} was expected", span, label="shape does not match", hint=hint or f"give numbers of shape {_shape(wanted)}")


def _shape(shape: Sequence[int]) -> str:
    return "()" if not shape else "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


def ragged(span: Span) -> Diagnostic:
    return Diagnostic("E403", "the rows of the list have different lengths", span, label="not a full rectangle", hint="give every row the same number of entries")


def inner_shapes(span: Span, a: Sequence[int], b: Sequence[int]) -> Diagnostic:
    return Diagnostic("E403", f"an inner product needs two rows of one length, not shapes {_shape(a)} and {_shape(b)}", span, label="shapes do not match", hint="take rows, such as `⟨X[1], X[2]⟩`")


def data_missing(span: Span, name: str, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E404", f"`data {name}` has no value", span, label=f"shape {_shape(shape)}, numbers to come from outside",
        hint=f"give it when running: `--data {name}=FILE.npy` (also .csv, .json), or write `= […]` here",
    )


def not_finite(span: Span | None, what: str, where: str, value: float) -> Diagnostic:
    return Diagnostic("E405", f"{what} holds {value!r} at {where}", span, label="not a finite number", hint="replace it by a finite number, or leave the row out")


def index_out_of_range(span: Span, name: str, index: Sequence[int], members: Sequence[tuple[int, ...]], later: Span | None) -> Diagnostic:
    text = f"{name}[{', '.join(map(str, index))}]"
    if later is not None:
        return Diagnostic(
            "E206", f"`{text}` is used before it gets its value", span, label="used here",
            labels=(Label(later, f"`{text}` gets its value here"),),
            hint=f"move the line that defines `{text}` above this one, or start the loop later",
        )
    depth = len(members[0]) if members else 0
    if members and len(index) != depth:
        return Diagnostic("E406", f"`{name}` has {plural(depth, 'index')[:-1] + 'x' if depth == 1 else f'{depth} indices'}, and {len(index)} were given", span, label="wrong number of indices", hint=f"write `{name}[{', '.join(map(str, members[0]))}]`")
    known = _members(name, members)
    return Diagnostic("E406", f"`{text}` does not exist", span, label="out of range", notes=(f"`{name}` has {known}",) if known else (), hint=f"use an index of `{name}` that exists, such as `{name}[{', '.join(map(str, members[-1]))}]`" if members else "")


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
    note = "rows and entries of data count from 1" if i == 0 else f"`{name}` has shape {_shape(shape)}"
    return Diagnostic("E406", f"`{name}` has no {what} {i}", span, label="out of range", notes=(note,), hint=f"use an index from 1 to {shape[axis]}")


def too_many_indices(span: Span, name: str, shape: Sequence[int], got: int) -> Diagnostic:
    return Diagnostic("E406", f"`{name}` has shape {_shape(shape)}, and {got} indices were given", span, label="too many indices", hint=f"give at most {len(shape)}")


def not_an_integer(span: Span, what: str, value: float) -> Diagnostic:
    return Diagnostic("E407", f"{what} is a whole number, and `{_short(span.text)}` is {value:g}", span, label="not a whole number", hint=f"write {round(value)}")


def not_constant(span: Span, what: str, kind: str) -> Diagnostic:
    return Diagnostic(
        "E408", f"`{_short(span.text)}` is {kind}, and {what} must be known before running", span, label=f"{kind}",
        notes=("constants are numbers, `param`s, data, loop indices and arithmetic of them",),
        hint="use a number or a `param`",
    )


def matrix_variance(span: Span, name: str, text: str) -> Diagnostic:
    return Diagnostic(
        "E409", f"the entries of `{name}` have variance `{_short(text)}`, and σ²/n with a constant σ² was expected", span,
        label="not of the form c/n", notes=("Setup B.2: the entries of an n×n matrix are iid N(0, σ_W²/n)",),
        hint=f"write `matrix {name} ~ N(0, 1/n)`",
    )


def input_variance(span: Span, name: str, text: str) -> Diagnostic:
    return Diagnostic(
        "E409", f"the entries of `{name}` have variance `{_short(text)}`, and a constant was expected", span,
        label="depends on n", notes=("an n×d matrix applies to fixed data, so its entries do not shrink with n",),
        hint=f"write `~ N(0, 1/d)` with the number d of columns of `{name}`",
    )


def input_dimension(span: Span, name: str, value: int) -> Diagnostic:
    return Diagnostic("E414", f"an input of a network has at least one number, and `{name}` has {value}", span, label="is not positive", hint=f"write `{name} : 3`")


def no_inputs(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E414", f"the family `{name}` of inputs is empty", span, label="has no members", hint=f"write `{name}[1..2] : 3`")


def matrix_mean(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E410", f"the entries of `{name}` must have mean 0", span, label="mean is not 0", notes=("Setup B.2: W_αβ ~ N(0, σ_W²/n)",), hint="write `N(0, …)`")


def too_long(span: Span, count: int, what: str = "instructions") -> Diagnostic:
    return Diagnostic(
        "E411", f"the program would have {count:,} {what}, and a million is the most", span, label="unrolled here",
        hint="make the range smaller",
    )


def law_missing(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E412", f"the law of `{name}` is missing", span, label="how are its coordinates distributed?", hint=f"write `vector {name} ~ N(0, 1)`")


def negative_variance(span: Span, name: str, value: float) -> Diagnostic:
    return Diagnostic("E413", f"the variance of `{name}` is {value:g}, which is negative", span, label="negative", hint=f"write `N(0, {abs(value):g}{'/n' if 'n' in span.text else ''})`")


def matrix_shape(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E414", f"the shape of `{name}` is not one that a matrix of a program has", span, label="(n, n) or (n, d) with a number d", hint=f"write `matrix {name} : (n, 3) ~ N(0, 1/3)`, or `matrix {name}` for n×n")


def group_covariance(span: Span, names: int, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic("E403", f"{plural(names, 'vector')} {'needs' if names == 1 else 'need'} a covariance of shape ({names}, {names}), and this one has shape {_shape(shape)}", span, label="shape does not match", hint="give one row and one column for each vector, or one number for independent vectors of that variance")


def group_mean(span: Span, names: int, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic("E403", f"{plural(names, 'vector')} {'needs' if names == 1 else 'need'} a mean of shape ({names},), and this one has shape {_shape(shape)}", span, label="shape does not match", hint="give one number for each vector, or one number for all")


def row_length(span: Span, matrix: str, columns: int, text: str, length: int) -> Diagnostic:
    return Diagnostic("E403", f"`{matrix}` has {plural(columns, 'column')}, and `{_short(text)}` has {plural(length, 'entry').replace('entrys', 'entries')}", span, label="shapes do not match", hint=f"declare `matrix {matrix} : (n, {length}) ~ N(0, 1/{length})`")


def not_a_row(span: Span, matrix: str, text: str, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic("E403", f"`{matrix}` applies to a row of data, and `{_short(text)}` has shape {_shape(shape)}", span, label="not one row", hint=f"take a row: `{matrix} {_short(text)}[1]`" if len(shape) == 2 else "take one row by its indices")


def nameless_row(span: Span) -> Diagnostic:
    return Diagnostic("E415", "a row that an n×d matrix is applied to must be a row of named data", span, label="a literal list", hint="declare it: `data X : (1, 3) = [[1, 0, 0]]`, then write `U X[1]`")


# --- the width, labels, promises (E5xx) ---------------------------------------------------------------------------


def divergent(span: Span, text: str, rate: str, inner: bool) -> Diagnostic:
    if inner:
        return Diagnostic(
            "E502", f"an inner product is of order n, and in `{_short(text)}` nothing divides it by n", span,
            label=f"grows like {rate}",
            notes=("a scalar of a program has a finite limit; (1/n) Σ_α x_α y_α is a MOMENT (Eq. 61)",),
            hint="divide it in its own product, as in `xᵀ y / n` or `θ xᵀ y / n`",
        )
    return Diagnostic(
        "E501", f"`{_short(text)}` grows like {rate} as n → ∞", span, label="no finite limit",
        notes=("n may stand only in scalars with a finite limit; the exception is ψ* of Eq. 84: √n (F(x + d/√n) − F(x))",),
        hint="divide by the same power of n, or write the difference quotient `√n (φ(x + d/√n) - φ(x))`",
    )


def no_limit(span: Span, text: str, rate: str) -> Diagnostic:
    return Diagnostic("E501", f"`{_short(text)}` has no limit as n → ∞: {rate}", span, label="no limit", hint="use an expression in n with a finite limit, such as `1/√n`")


def constant_diverges(span: Span, name: str, text: str, rate: str) -> Diagnostic:
    return Diagnostic(
        "E503", f"the scalar `{name}` grows like {rate} as n → ∞", span, label="no finite limit",
        notes=("a member of 𝒞 converges to a number (Setup B.2)",), hint=f"write `scalar {name} = 1/√n`, or divide by {rate}",
    )


def constant_not_constant(span: Span, name: str, text: str) -> Diagnostic:
    return Diagnostic("E408", f"`{name}` is declared as a member of 𝒞, and `{_short(text)}` depends on variables of the program", span, label="not a constant or an expression in n", hint=f"make it a MOMENT: `{name} := {_short(text)}`")


def label_claim(span: Span, claimed: str, actual: str, hint: str, value: Span | None = None) -> Diagnostic:
    return Diagnostic("E504", f"the line is labelled {claimed}, and it is {actual}", span, label="the label's claim", labels=(Label(value, f"this is {actual}"),) if value else (), hint=hint)


def several_instructions(span: Span, claimed: str, pieces: Sequence[str], hint: str) -> Diagnostic:
    return Diagnostic("E504", f"the line is labelled {claimed}, and it takes several instructions: {', '.join(pieces)}", span, label="a labelled line is a single instruction", hint=hint)


def promise_broken(span: Span, promised: Sequence[str], extra: Sequence[str], what: str) -> Diagnostic:
    listed = ", ".join(f"`{e}`" for e in extra)
    only = f"only {', '.join(f'`{p}`' for p in promised)} among its {what}" if promised else f"no {what}"
    return Diagnostic("E505", f"{listed} {'is' if len(extra) == 1 else 'are'} used, but ψ was promised {only}", span, label=f"not among the {what} of ψ", hint=f"add {listed} to the {what} of ψ({'; ' if what == 'scalars' else ''}…)")


def promise_slot(span: Span, text: str) -> Diagnostic:
    return Diagnostic("E505", f"`{_short(text)}` takes an instruction of its own, and the slots of ψ name variables", span, label="not a variable", hint="give it a name on a line above, and put that name into the slot")


def promise_kind(span: Span, text: str, kind: str, wanted: str) -> Diagnostic:
    return Diagnostic("E505", f"`{_short(text)}` is {kind}, and stands among the {wanted} of ψ", span, label=kind, hint="vectors stand before the semicolon, scalars after it")


def promise_unused(span: Span, text: str) -> Diagnostic:
    return Diagnostic("W902", f"`{_short(text)}` is promised to ψ and not used", span, severity="warning", label="not used", hint=f"remove `{_short(text)}` from the list")


def no_value(span: Span) -> Diagnostic:
    return Diagnostic("E506", f"`{_short(span.text)}` has no finite value", span, label="not a real number", hint="check the signs of roots and powers, and what is divided by")


def division_by_zero(span: Span) -> Diagnostic:
    return Diagnostic("E506", "division by zero" + ("" if span.text == "0" else f": `{_short(span.text)}` is 0"), span, label="is zero", hint="add a small number to it, such as 1e-5")


def width_in_function(span: Span) -> Diagnostic:
    return Diagnostic("E507", "`n` stands in a function of coordinates, which is the same function at every width", span, label="the width", hint="make it a parameter: `ψ(x; ε) = …`, and call it with `1/√n`")


def no_outputs() -> Diagnostic:
    return Diagnostic("W904", "the program has no output", None, severity="warning", hint="name the scalars that you want: `output mean(x^2)`")


# --- networks (E6xx) ----------------------------------------------------------------------------------------------


def readout_shape(span: Span, text: str) -> Diagnostic:
    return Diagnostic(
        "E601", f"`{_short(text)}` is no readout", span, label="a network's output is vᵀ x / √n",
        notes=("Setup D.1: f(ξ) = vᵀ x(ξ) / √n, with v a vector of parameters",), hint="write `output f := vᵀ x / √n`",
    )


def no_readout(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E602", f"the network `{name}` has no readout", span, label="no `output` line", hint="end it with `output f := vᵀ x / √n`")


def train_not_parameter(span: Span, name: str, kind: str) -> Diagnostic:
    return Diagnostic("E603", f"`{name}` is {kind}, and SGD updates parameters", span, label="not a parameter", notes=("parameters are the matrices and vectors that the network declares",), hint="name a declared matrix or vector, as in `train W`")


def train_in_program(span: Span) -> Diagnostic:
    return Diagnostic("E604", "`train` belongs to a network, and this is a program", span, label="nothing is trained here", hint="start the file with `network NAME(ξ : 3)`")


def train_zero_variance(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E605", f"`{name}` has variance 0, so its multiplier √σ² is 0 and training would not move it", span, label="not trained by this", hint=f"give the multiplier: `train {name} * 1`")


def train_joint(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E606", f"`{name}` is trained with a multiplier, and it is correlated with other vectors", span, label="jointly Gaussian vectors are whitened", hint="declare it by itself, or leave the multiplier out")


def trained_twice(span: Span, name: str) -> Diagnostic:
    return Diagnostic("E607", f"`{name}` is named twice in `train`", span, label="second time", hint="name it once")

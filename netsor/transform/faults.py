"""The errors of derived programs (E651–E662): what cannot be differentiated, instantiated or trained, and why."""

from __future__ import annotations

from collections.abc import Sequence

from netsor.diagnostics import Diagnostic, NetsorError, Span


def _error(code: str, message: str, span: Span | None = None, **more: object) -> NetsorError:
    return NetsorError(Diagnostic(code, message, span, **more))  # type: ignore[arg-type]


def not_a_network(name: str) -> NetsorError:
    return _error(
        "E651",
        f"`{name}` is a program, and only a network has a gradient with respect to parameters",
        hint="begin the file with `network NAME(ξ : d)` and end it with a readout `output f := vᵀx / √n`",
    )


def no_readout(name: str) -> NetsorError:
    return _error(
        "E652",
        f"the network `{name}` has no readout, so there is nothing to differentiate",
        hint="add a readout: `output f := vᵀx / √n`",
    )


def no_derivative(variable: str, argument: str, span: Span | None) -> NetsorError:
    return _error(
        "E653",
        f"`{variable}` jumps, so it has no derivative in `{argument}`",
        span,
        notes=("the gradient of a network is made of the derivatives of its nonlinearities (Eq. 78)",),
        hint="use a continuous nonlinearity such as relu or tanh",
    )


def wrong_shape(what: str, wanted: str, got: Sequence[int] | str, hint: str) -> NetsorError:
    shape = got if isinstance(got, str) else f"({', '.join(map(str, got))}{',' if len(got) == 1 else ''})"
    return _error("E654", f"{what} should have the shape {wanted}, not {shape}", hint=hint)


def unknown_input(name: str, known: Sequence[str]) -> NetsorError:
    listed = ", ".join(f"`{k}`" for k in known)
    return _error(
        "E662",
        f"there is no input `{name}`",
        notes=(f"the network's inputs are {listed}",),
        hint=f"give rows for `{known[0]}`",
    )


def not_finite(what: str, place: str) -> NetsorError:
    return _error("E655", f"{what} hold a value at {place} that is not finite", hint="remove or replace that row")


def product_out_of_range() -> NetsorError:
    return _error(
        "E655",
        "the inner product of two inputs is out of the range of floating-point numbers",
        hint="give the inputs in a larger unit",
    )


def not_a_number(value: object) -> NetsorError:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return _error("E655", f"the inputs and targets hold {shown}, which is not a number", hint="give numbers only")


def unknown_row(row: object, rows: int) -> NetsorError:
    return _error(
        "E656",
        f"the order names row {row}, and the inputs have rows 1 to {rows}",
        notes=("rows count from 1",),
        hint=f"name rows from 1 to {rows}, such as {rows}; without an order they come in turn",
    )


def bad_setting(name: str, value: object, wanted: str, hint: str) -> NetsorError:
    return _error("E657", f"{name} should be {wanted}, not {value}", hint=hint)


def too_long(steps: int, batch: int, count: int) -> NetsorError:
    return _error(
        "E657", f"{steps:,} steps on batches of {batch:,} would be a program of some {count:,} instructions, and a "
        "million is the most", hint="take fewer steps, or smaller batches",
    )  # fmt: skip


def bad_loss(message: str, hint: str = "") -> NetsorError:
    return _error("E658", message, hint=hint or "write an expression in `f` and `y`, such as `(f - y)^2/2`")


def conflicting_readouts(first: str, second: str) -> NetsorError:
    return _error(
        "E659",
        f"{first} and {second} have one embedding, so they cannot have different outputs at step 0",
        hint="give them one value of f0",
    )


def dependent_outputs(where: str, given: float, others: str, reached: float) -> NetsorError:
    whose = f"every network with the outputs given for {others}" if others else "every network"
    return _error(
        "E659",
        f"no network has the outputs f0: it is {given:g} on {where}, where {whose} has {reached:.6g}",
        notes=("the embeddings of these rows are linearly dependent, so that Σ of Eq. 71 is singular",),
        hint=f"give {where} the output {reached:.6g}",
    )


def outputs_out_of_reach(width: int, lacking: float) -> NetsorError:
    return _error(
        "E659",
        f"networks of width {width} cannot have the outputs f0 at step 0: {lacking:.2g} are missing in a run",
        notes=("the embeddings of the rows are linearly dependent at this width, so that Σ of Eq. 71 is singular",),
        hint="take a larger width, fewer rows, or `--f0 zero`",
    )


def cannot_condition(variable: str, why: str) -> NetsorError:
    return _error(
        "E660",
        f"the readout vector `{variable}` {why}, so v̂ of Eq. 71 is not its law given the outputs at step 0",
        notes=("Eq. 69 needs a Gaussian v that is independent of the embeddings (the Simple GIA Check)",),
        hint="start from the network's own outputs with `--f0 network`",
    )


def not_trainable(name: str) -> NetsorError:
    return _error(
        "E661",
        f"`{name}` is not a parameter of the network, so it cannot be trained",
        hint="after `train` name a declared matrix or vector",
    )

"""E651 to E670: derived programs, training, predictions and imports."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from netsor.diagnostics.catalogue.entry import Entry
from netsor.diagnostics.data import Diagnostic, Span

# What a text alone does not show: rows, settings and steps make these faults.
_run = partial(Entry, stage="run")

E651 = _run(
    "E651",
    "the gradient of a program",
    "Only a network has parameters, and with them a gradient.",
    bad="netsor backward programs/algorithm1.netsor",
    good="netsor backward mlp.netsor",
    paper="Setup D.1",
)


def not_a_network(name: str) -> Diagnostic:
    return E651(
        f"`{name or 'the file'}` is a program, and only a network has a gradient with respect to parameters",
        hint="begin the file with `network NAME(ξ : d)` and end it with a readout `output f := vᵀx / √n`",
    )


E652 = _run(
    "E652",
    "nothing to differentiate",
    "A network without a readout has no output, so no gradient.",
    bad="netsor backward body.netsor",
    good="netsor backward mlp.netsor",
    paper="Setup D.1",
)


def no_readout(name: str) -> Diagnostic:
    return E652(
        f"the network `{name}` has no readout, so there is nothing to differentiate",
        hint="add a readout: `output f := vᵀx / √n`",
    )


E653 = _run(
    "E653",
    "a nonlinearity without a derivative",
    "The gradient is made of the derivatives of the nonlinearities. A jump has none.",
    bad="netsor backward step_network.netsor",
    good="netsor backward relu_network.netsor",
    paper="Eq. 78",
)


def no_derivative(variable: str, argument: str, span: Span | None) -> Diagnostic:
    return E653(
        f"`{variable}` jumps, so it has no derivative in `{argument}`",
        span,
        notes=("the gradient of a network is made of the derivatives of its nonlinearities (Eq. 78)",),
        hint="use a continuous nonlinearity such as relu or tanh",
    )


E654 = _run(
    "E654",
    "inputs or targets of the wrong shape",
    "Inputs have the shape (N, d), or (N, T, d) for networks of several tokens; targets (N,), or (N, outputs).",
    bad="netsor ntk mlp.netsor --inputs four_columns.npy",
    good="netsor ntk mlp.netsor --inputs three_columns.npy",
)


def wrong_shape(what: str, wanted: str, got: Sequence[int] | str, hint: str) -> Diagnostic:
    shape = got if isinstance(got, str) else f"({', '.join(map(str, got))}{',' if len(got) == 1 else ''})"
    return E654(f"{what} should have the shape {wanted}, not {shape}", hint=hint)


E655 = _run(
    "E655",
    "inputs or targets that are not finite",
    "Rows hold finite numbers.",
    bad="netsor ntk mlp.netsor --inputs with_nan.npy",
    good="netsor ntk mlp.netsor --inputs cleaned.npy",
)


def not_finite(what: str, place: str) -> Diagnostic:
    return E655(f"{what} hold a value at {place} that is not finite", hint="remove or replace that row")


def product_out_of_range() -> Diagnostic:
    return E655(
        "the inner product of two inputs is out of the range of floating-point numbers",
        hint="give the inputs in a larger unit",
    )


def not_a_number(value: object) -> Diagnostic:
    text = repr(value)
    shown = text if len(text) <= 60 else f"{text[:59]}…"
    return E655(f"the inputs and targets hold {shown}, which is not a number", hint="give numbers only")


E656 = _run(
    "E656",
    "a row that the inputs do not have",
    "The order of training names rows of the inputs, which count from 1.",
    bad="netsor sgd mlp.netsor --inputs X.npy --targets y.npy --steps 2 --order 0,1",
    good="netsor sgd mlp.netsor --inputs X.npy --targets y.npy --steps 2 --order 1,2",
)


def unknown_row(row: object, rows: int) -> Diagnostic:
    return E656(
        f"the order names row {row}, and the inputs have rows 1 to {rows}",
        notes=("rows count from 1",),
        hint=f"name rows from 1 to {rows}, such as {rows}; without an order they come in turn",
    )


E657 = _run(
    "E657",
    "a setting of training that makes no sense",
    "Steps, batches and rates are positive, steps and batches are whole numbers.",
    bad="netsor sgd mlp.netsor --inputs X.npy --targets y.npy --steps -1",
    good="netsor sgd mlp.netsor --inputs X.npy --targets y.npy --steps 10",
)


def bad_setting(name: str, value: object, wanted: str, hint: str) -> Diagnostic:
    return E657(f"{name} should be {wanted}, not {value}", hint=hint)


def too_long(steps: int, batch: int, count: int) -> Diagnostic:
    return E657(
        f"{steps:,} steps on batches of {batch:,} would be a program of some {count:,} instructions, and a "
        "million is the most",
        hint="take fewer steps, or smaller batches",
    )


E658 = _run(
    "E658",
    "a loss that is not understood",
    "A loss is an expression in the output `f` and the target `y`, differentiable in `f`; with several outputs "
    "it may name them `f1`, `y1`, `f2`, and so on, and else is the sum over them.",
    bad="netsor sgd mlp.netsor --inputs X.npy --targets y.npy --steps 2 --loss 'step(f - y)'",
    good="netsor sgd mlp.netsor --inputs X.npy --targets y.npy --steps 2 --loss '(f - y)^2'",
)


def bad_loss(message: str, hint: str = "") -> Diagnostic:
    return E658(message, hint=hint or "write an expression in `f` and `y`, such as `(f - y)^2/2`")


E659 = _run(
    "E659",
    "two outputs at step 0 for one embedding",
    "Rows with one embedding have one output, so the outputs that a program is conditioned on must agree there.",
    bad="netsor sgd mlp.netsor --inputs twins.npy --targets y.npy --steps 2 --f0 0,1",
    good="netsor sgd mlp.netsor --inputs twins.npy --targets y.npy --steps 2 --f0 1,1",
    paper="Eq. 71",
)


def conflicting_readouts(first: str, second: str) -> Diagnostic:
    return E659(
        f"{first} and {second} have one embedding, so they cannot have different outputs at step 0",
        hint="give them one value of f0",
    )


def dependent_outputs(where: str, given: float, others: str, reached: float) -> Diagnostic:
    whose = f"every network with the outputs given for {others}" if others else "every network"
    return E659(
        f"no network has the outputs f0: it is {given:g} on {where}, where {whose} has {reached:.6g}",
        notes=("the embeddings of these rows are linearly dependent, so that Σ of Eq. 71 is singular",),
        hint=f"give {where} the output {reached:.6g}",
    )


def outputs_out_of_reach(width: int, lacking: float) -> Diagnostic:
    return E659(
        f"networks of width {width} cannot have the outputs f0 at step 0: {lacking:.2g} are missing in a run",
        notes=("the embeddings of the rows are linearly dependent at this width, so that Σ of Eq. 71 is singular",),
        hint="take a larger width, fewer rows, or `--f0 zero`",
    )


E660 = _run(
    "E660",
    "the outputs at step 0 cannot be prescribed",
    "Conditioning on the first outputs replaces v by v̂, which is its law only where v is Gaussian and "
    "independent of the embeddings.",
    bad="netsor sgd tied.netsor --inputs X.npy --targets y.npy --steps 2",
    good="netsor sgd tied.netsor --inputs X.npy --targets y.npy --steps 2 --f0 network",
    paper="Eqs. 69 to 71",
)


def cannot_condition(variable: str, why: str) -> Diagnostic:
    return E660(
        f"the readout vector `{variable}` {why}, so v̂ of Eq. 71 is not its law given the outputs at step 0",
        notes=("Eq. 69 needs a Gaussian v that is independent of the embeddings (the Simple GIA Check)",),
        hint="start from the network's own outputs with `--f0 network`",
    )


E661 = _run(
    "E661",
    "something is trained that is not a parameter",
    "SGD updates the matrices and vectors that the network declares.",
    bad="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 2  # with `train x`",
    good="netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 2  # with `train W`",
    paper="Setup D.1",
)


def not_trainable(name: str) -> Diagnostic:
    return E661(
        f"`{name}` is not a parameter of the network, so it cannot be trained",
        hint="after `train` name a declared matrix or vector",
    )


E662 = _run(
    "E662",
    "an input that the network does not have",
    "Inputs are given by the names that stand in the header of the network.",
    bad="netsor backward mlp.netsor --inputs η=X.npy",
    good="netsor backward mlp.netsor --inputs X.npy",
    paper="Setup D.1",
)


def unknown_input(name: str, known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{k}`" for k in known)
    return E662(
        f"there is no input `{name}`",
        notes=(f"the network's inputs are {listed}",),
        hint=f"give rows for `{known[0]}`",
    )


E663 = _run(
    "E663",
    "a setting of a prediction that makes no sense",
    "Noise and time are not negative, and a time belongs to the training of networks: to `--kernel ntk`.",
    bad="netsor predict mlp.netsor --inputs X.npy --targets y.npy --test X.npy --noise -1",
    good="netsor predict mlp.netsor --inputs X.npy --targets y.npy --test X.npy --noise 0.1",
)


def bad_prediction(name: str, value: object, wanted: str, hint: str) -> Diagnostic:
    return E663(f"{name} should be {wanted}, not {value}", hint=hint)


def time_without_flow() -> Diagnostic:
    return E663(
        "a time belongs to the training of networks, and the posterior of the Gaussian process has none",
        hint="ask for the ensemble of trained networks with `--kernel ntk`, or leave out `--time`",
    )


W664 = _run(
    "W664",
    "a kernel on the training rows that is singular to within its error",
    "Where eigenvalues of the kernel are not told from zero, directions of the targets may or may not be "
    "reached. They count as zero: the answer is the one of least norm, to which gradient flow tends. Rows that are "
    "equal are one row, and are not meant here. With noise, or at a finite time, the answer has an error.",
    bad="netsor predict linear.netsor --inputs four_rows.npy --targets four_targets.npy --test X.npy",
    good="netsor predict linear.netsor --inputs four_rows.npy --targets four_targets.npy --test X.npy --noise 0.1",
    severity="warning",
)


def singular(network: str, kernel: str, lost: int, size: int, bounded: bool) -> Diagnostic:
    """W664: directions that may or may not be none decide about the answer."""
    name = "NTK" if kernel == "ntk" else "NNGP"
    where = "1 direction" if lost == 1 else f"{lost} directions"
    return W664(
        f"the {name} of `{network}` on the training rows is singular to within its error in {where} of {size}",
        notes=(
            "these directions count as zero, so the answer is the one of least norm, which gradient flow tends to",
            "rows whose outputs depend on each other, or are too close to be told apart, have such directions",
            *(() if bounded else ("if they are small instead, the mean can be anything: its error is not bounded",)),
        ),
        hint="`--noise S` with a small S > 0, or with `--kernel ntk` a finite `--time`, has an answer with an error",
    )


E665 = _run(
    "E665",
    "a column that a table does not have",
    "Columns are named in the first line of a .csv file, or in a .parquet file; targets and test rows go by them.",
    bad="netsor predict mlp.netsor --inputs table.csv --target-column prise --test table.csv",
    good="netsor predict mlp.netsor --inputs table.csv --target-column price --test table.csv",
)


def no_heading(name: str, source: str) -> Diagnostic:
    return E665(
        f"`{name}` should be a column of `{source}`, and the file has no heading",
        hint="name the columns in the first line, or give the targets in a file: `--targets y.npy`",
    )


def no_column(name: str, source: str, known: Sequence[str], near: str) -> Diagnostic:
    listed = ", ".join(f"`{n}`" for n in known[:12]) + (", …" if len(known) > 12 else "")
    return E665(
        f"there is no column `{name}` in `{source}`",
        notes=(f"its columns are {listed}",),
        hint=f"did you mean `{near}`?" if near else "give the name of one of its columns",
    )


E666 = _run(
    "E666",
    "a parameter by which a kernel has no derivative",
    "Parameters are fitted by derivatives of the kernel, along their logarithms. A `param` that decides about the "
    "structure, as a depth does, has none, and one that is not positive has no logarithm.",
    bad="netsor predict scaled.netsor --inputs X.npy --targets y.npy --test X.npy --noise 0.1 --fit L",
    good="netsor predict scaled.netsor --inputs X.npy --targets y.npy --test X.npy --noise 0.1 --fit s",
)


def not_positive(name: str, value: float) -> Diagnostic:
    return E666(
        f"`{name}` is {value:g}, and a parameter is fitted by its logarithm",
        hint=f"give it a positive value to start from: `--set {name}=1`",
    )


def no_gradient(network: str, kernel: str, why: object) -> Diagnostic:
    """The kernel, "ntk" or "nngp", of these nonlinearities or at these variances has no derivative."""
    return E666(
        f"the {kernel.upper()} of `{network}` has no derivative by its parameters that is known: {why}",
        hint="use smooth nonlinearities" if kernel == "ntk" else "give that variance a positive value",
    )


def no_parameter(name: str, is_there: bool, known: Sequence[str]) -> Diagnostic:
    """A name that is no parameter, or one of the structure; `known` are those by which there are derivatives."""
    message = f"no kernel has a derivative by `{name}`: it decides about the structure of the network"
    listed = ", ".join(f"`{n}`" for n in known) or "none"
    return E666(
        message if is_there else f"there is no parameter `{name}`",
        notes=(f"kernels have derivatives by {listed}",),
        hint="name one of these",
    )


def nothing_to_fit(known: Sequence[str]) -> Diagnostic:
    listed = ", ".join(f"`{n}`" for n in known) or "none"
    return E666(
        "there is nothing to fit: no `param` is named, and no noise",
        notes=(f"kernels have derivatives by {listed}",),
        hint="name one of these, or `noise`",
    )


E667 = _run(
    "E667",
    "targets without a likelihood",
    "A Gaussian process whose covariance on the training rows is singular gives the targets no density.",
    bad="netsor predict scaled.netsor --inputs twins.npy --targets y.npy --test X.npy --fit s",
    good="netsor predict scaled.netsor --inputs twins.npy --targets y.npy --test X.npy --noise 0.1 --fit s",
)


def no_likelihood(network: str) -> Diagnostic:
    return E667(
        f"the NNGP of `{network}` on the training rows is singular to rounding, so targets have no likelihood",
        hint="give them noise, `--noise 0.01`, or fit it too: `--fit a,noise`",
    )


E668 = _run(
    "E668",
    "files of kernels that are there already",
    "`--out PREFIX` does not write over files. With `--resume` it goes on with those of the same kernel: of the "
    "same network, rows, tile and tolerance.",
    bad="netsor ntk mlp.netsor --inputs X.npy --out taken",
    good="netsor ntk mlp.netsor --inputs X.npy --out free",
)


def kernel_files(prefix: object, why: str) -> Diagnostic:
    return E668(
        f"the files `{prefix}.*` cannot be written: {why}",
        hint="`--resume` goes on with files of the same kernel; else remove them, or give another `--out`",
    )


E669 = _run(
    "E669",
    "files of kernels that another process is writing",
    "One process at a time writes the files of one `--out PREFIX`.",
    bad="netsor ntk mlp.netsor --inputs X.npy --out K & netsor ntk mlp.netsor --inputs X.npy --out K --resume",
    good="netsor ntk mlp.netsor --inputs X.npy --out K",
)


def kernel_files_in_use(prefix: object) -> Diagnostic:
    return E669(f"another process is writing the files `{prefix}.*`", hint="wait for it, or give another `--out`")


E670 = _run(
    "E670",
    "kernels that the disk has no room for",
    "A kernel of N inputs takes 8 N² bytes, which are taken before the work begins.",
    bad="netsor ntk mlp.netsor --inputs a_million_rows.npy --out K",
    good="netsor ntk mlp.netsor --inputs X.npy --out K",
)


def no_room(prefix: object, needed: int, free: int) -> Diagnostic:
    return E670(
        f"the kernels take {needed / 1e9:.3g} GB, and the disk of `{prefix}` has {free / 1e9:.3g} GB left",
        hint="give another disk with `--out`, fewer rows, or `--nngp` for that kernel alone",
    )

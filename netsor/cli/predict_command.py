"""`netsor predict`: outputs on test rows, with error bars, from the kernels of a network."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsor.cli.budgets import within
from netsor.cli.network_options import add_rows, add_tolerance, number, read_rows
from netsor.cli.options import (
    add_file,
    add_json,
    add_values,
    fill_in,
    positive_whole_number,
    refuse_unused,
    seconds,
    seed_number,
)
from netsor.cli.output import error_text, exit_status, print_json, report, report_warnings, value_text
from netsor.cli.progress import Progress
from netsor.cli.streams import Interruptible, interrupted_status, tell
from netsor.cli.tables import paragraph, table
from netsor.cli.wide_run import repeated, with_wide_run
from netsor.deadline import ends
from netsor.diagnostics import Diagnostic, NetsorError

if TYPE_CHECKING:
    from netsor.finite.affordable import Affordable
    from netsor.predict.fit import Fit

_MOST_ROWS, _MOST_SAMPLES = 40, 5


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="predict outputs on test rows: a Gaussian process's posterior, or the ensemble of trained networks",
        epilog="examples: netsor predict mlp.netsor --inputs X.npy --targets y.npy --test Xt.npy --noise 0.01; "
        "netsor predict mlp.netsor --inputs X.npy --targets y.npy --test Xt.npy --kernel ntk --time 500",
    )
    add_file(parser)
    add_rows(parser, required=True)
    parser.add_argument("--targets", metavar="Y", help="targets of shape (N,) or (N, outputs)")
    parser.add_argument(
        "--target-column", action="append", default=[], metavar="NAME",
        help="instead of --targets: a column of --inputs, a table with a heading (again for each of several outputs)",
    )  # fmt: skip
    parser.add_argument("--test", action="append", required=True, metavar="XT", help="rows to predict, as --inputs")
    parser.add_argument(
        "--standardize", action="store_true", help="inputs less the mean of the training rows, over their deviation"
    )
    parser.add_argument(
        "--kernel", choices=("nngp", "ntk"), default="nngp",
        help="nngp (default): the posterior of the Gaussian process at initialization; ntk: trained networks",
    )  # fmt: skip
    parser.add_argument(
        "--time", type=number, default=math.inf, metavar="T",
        help="with ntk, the time of gradient flow on Σ (f - y)²/(2N): steps times learning rate (inf, its end)",
    )  # fmt: skip
    parser.add_argument(
        "--noise", type=number, default=0.0, metavar="S",
        help="the variance of the targets' noise; with ntk, the ridge of the regression (0)",
    )  # fmt: skip
    parser.add_argument("--cov", action="store_true", help="covariances between test rows, too")
    parser.add_argument("--samples", type=positive_whole_number, metavar="K", help="draws of the outputs (0)")
    parser.add_argument("--seed", type=seed_number, metavar="S", help="the seed of the draws (0)")
    parser.add_argument(
        "--test-targets", metavar="YT", help="targets of the test rows: squared error, accuracy, log likelihood"
    )
    parser.add_argument(
        "--fit", metavar="A,B", help="first set these `param`s (and `noise`) to maximize the likelihood of the targets"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE",
        help="a picture, .svg, .png or .pdf (extra `plot`): mean and band, or predicted against true",
    )  # fmt: skip
    add_tolerance(parser, 1e-10)
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help="time for the kernels (no bound)")
    add_values(parser)
    add_json(parser)
    parser.set_defaults(run=run, refuse=parser.error)


@dataclass(frozen=True)
class _Data:
    """What was given: inputs and test rows, targets of both, and the names of the columns of the inputs."""

    inputs: Any
    targets: Any
    test: Any
    truth: Any
    names: tuple[str, ...] | None


def run(args: argparse.Namespace) -> int:
    from netsor.api import load, load_source
    from netsor.predict import standardized
    from netsor.predict.fit import fit
    from netsor.predict.hyperparameters import Family
    from netsor.show.convergence import verify_plot

    if args.plot is not None:
        verify_plot(args.plot)
    if (args.targets is None) == (not args.target_column):
        args.refuse("give the targets either in a file, `--targets y.npy`, or as a column, `--target-column NAME`")
    if args.samples is None:
        refuse_unused(args, ("seed",), "without `--samples`")
    fill_in(args, samples=0, seed=0, tol=1e-10)
    fitted = None
    try:
        with (
            Interruptible() as block,
            Progress("predict", args.budget) as progress,
            within(ends(args.budget), f"the prediction of `{args.file}`"),
        ):
            document = load(args.file, args.set, args.data)
            report_warnings(document)
            data = _read(args)
            if args.fit is not None:
                names = [name.strip() for name in args.fit.split(",") if name.strip()]
                inputs = standardized(data.inputs) if args.standardize else data.inputs
                family = Family(document.report.source, document.settings, document.data)
                fitted = fit(
                    family, document.program, inputs, data.targets, names, args.noise, args.tol, args.budget, progress
                )
                args.noise = fitted.noise
                if block.interrupted:
                    raise KeyboardInterrupt
                document = load_source(document.report.source, {**document.settings, **fitted.values}, document.data)
            found = document.predict(
                data.inputs, data.targets, data.test, kernel=args.kernel, time=args.time, noise=args.noise,
                cov=args.cov, samples=args.samples, seed=args.seed, test_targets=data.truth,
                standardize=args.standardize, tol=args.tol, budget=args.budget, progress=progress,
            )  # fmt: skip
    except NetsorError as fault:
        told = NetsorError(_offered(args, fault.diagnostics))
        if fitted is None:
            raise told from None
        return _only_fit(fitted, told, args.json)
    except KeyboardInterrupt as stop:
        if fitted is None:
            raise
        return _only_fit(fitted, stop, args.json)
    report(_offered(args, found.diagnostics))
    if args.plot is not None:
        _plot(document.program, data, found, args.plot)
    if args.json:
        partial = {"interrupted": True} if block.interrupted else {}
        print_json(found.as_dict() | ({} if fitted is None else {"fit": fitted.as_dict()}) | partial)
    else:
        if fitted is not None:
            print(_fit(fitted))
        print(_text(found, data.names))
    if block.interrupted:
        tell("interrupted: the bounds are those that were reached by then")
        return interrupted_status()
    return exit_status(found.diagnostics)


def _offered(args: argparse.Namespace, said: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics, with the kernels of a large width where integrals were not enough for those of the limit.

    Predictions themselves are of the limit alone, and a table with targets or in other units holds other rows.
    """
    from netsor.api import load
    from netsor.kernels.empirical import infer_kernel_width

    if args.target_column or args.standardize or args.fit is not None:
        return list(said)
    command = [
        "netsor", "ntk", args.file, *repeated("--inputs", args.test), *repeated("--inputs2", args.inputs),
        *repeated("--set", args.set), *repeated("--data", args.data), *(["--nngp"] if args.kernel == "nngp" else []),
    ]  # fmt: skip

    def infer() -> Affordable | None:
        network = load(args.file, args.set, args.data).program
        rows, others = read_rows(args.test, "--test"), read_rows(args.inputs, "--inputs")
        return infer_kernel_width(network, rows, others, args.kernel == "nngp")

    what = "predictions are of the limit alone, but means over wide networks tell the kernels in a minute or so"
    return with_wide_run(said, command, infer, what)


def _only_fit(fitted: Fit, fault: NetsorError | KeyboardInterrupt, json_wanted: bool) -> int:
    """The parameters that were found, where there are no predictions."""
    from netsor.diagnostics.render import to_json

    diagnostics = fault.diagnostics if isinstance(fault, NetsorError) else ()
    if json_wanted:
        partial = {} if diagnostics else {"interrupted": True}
        print_json({"ok": False, "fit": fitted.as_dict(), "diagnostics": [to_json(d) for d in diagnostics]} | partial)
    else:
        print(_fit(fitted))
    report(diagnostics)
    if diagnostics:
        return exit_status(diagnostics)
    tell(f"interrupted: the likeliest parameters of {fitted.evaluations} evaluations")
    return interrupted_status()


def _read(args: argparse.Namespace) -> _Data:
    """Rows and targets; columns of tables go by their names."""
    from netsor.tables import read_table

    truth = None if args.test_targets is None else read_table(args.test_targets, "--test-targets").values
    if len(args.inputs) > 1 or len(args.test) > 1 or "=" in Path(args.inputs[0]).name:
        if args.target_column:
            args.refuse("--target-column is of one table of inputs; give the targets of several in `--targets`")
        inputs, test = read_rows(args.inputs, "--inputs"), read_rows(args.test, "--test")
        return _Data(inputs, _column(read_table(args.targets, "--targets").values), test, _column(truth), None)
    inputs, test = read_table(args.inputs[0], "--inputs"), read_table(args.test[0], "--test")
    if args.target_column:
        inputs, chosen = inputs.split(args.target_column)
        targets = chosen.values
        there = [name for name in args.target_column if test.has(name)]
        if there:
            test, known = test.split(there)
            truth = known.values if truth is None and len(there) == len(args.target_column) else truth
    else:
        targets = read_table(args.targets, "--targets").values
    return _Data(inputs.values, _column(targets), test.like(inputs).values, _column(truth), inputs.names)


def _column(values: Any) -> Any:
    """A table of one column is a list of numbers."""
    return values[:, 0] if values is not None and values.ndim == 2 and values.shape[1] == 1 else values


def _plot(network: Any, data: _Data, found: Any, path: Path) -> None:
    import numpy as np

    from netsor.kernels.pairs import flat_rows
    from netsor.show.predictions import Picture, plot_predictions

    x, xt = flat_rows(network, data.inputs), flat_rows(network, data.test)
    shape = (-1, found.mean.shape[1])
    y, yt = (None if z is None else np.reshape(z, shape) for z in (data.targets, data.truth))
    plot_predictions(Picture(x, y, xt, found.mean, found.std, yt), path, f"{found.network}: {_what(found)}")


def _what(found: Any) -> str:
    if found.kernel == "nngp":
        return "posterior of the Gaussian process" + (f", noise {found.noise:g}" if found.noise else "")
    when = "at the end of training" if math.isinf(found.time) else f"at time {found.time:g}"
    return f"ensemble of trained networks {when}" + (f", ridge {found.noise:g}" if found.noise else "")


def _text(found: Any, names: tuple[str, ...] | None) -> str:
    rows, outputs = found.mean.shape
    heading = ["test row", *(["output"] if outputs > 1 else []), "mean", "± at most", "std", "± at most"]
    drawn = () if found.samples is None else found.samples[:_MOST_SAMPLES]
    lines = [[*heading, *(f"draw {k + 1}" for k in range(len(drawn)))]]
    for i in range(min(rows, _MOST_ROWS)):
        for a in range(outputs):
            line = [str(i + 1), *([str(a + 1)] if outputs > 1 else [])]
            line += _number(found.mean[i, a], found.error[i, a]) + _number(found.std[i, a], found.std_error[i, a])
            lines.append(line + [f"{sample[i, a]:.6g}" for sample in drawn])
    title = f"{found.network}: {_what(found)}, {found.training} training rows"
    out = [paragraph(title, "", "  "), table(lines, right=(True,) * 20)]
    if rows > _MOST_ROWS or (found.samples is not None and len(found.samples) > _MOST_SAMPLES):
        out.append("  … (`--json` gives them all)")
    if found.standard is not None:
        out.append(_standard(found.standard, names))
    if found.cov is not None:
        out.append(_covariance(found))
    if found.scores is not None:
        out.append(_scores(found.scores))
    return "\n".join(out)


def _fit(fitted: Fit) -> str:
    values = ", ".join(f"{k} = {v:.6g}" for k, v in (*fitted.values.items(), ("noise", fitted.noise)))
    how = "fitted" if fitted.finished else f"not finished, the likeliest of {fitted.evaluations} evaluations"
    reached = f"log likelihood {fitted.log_likelihood:.6g}, its gradient {fitted.gradient_norm:.1e} by logarithms"
    return f"{paragraph(f'{how}: {values}', '', '  ')}\n{paragraph(reached)}\n  {fitted.options}"


def _standard(standard: Any, names: tuple[str, ...] | None) -> str:
    means, deviations = standard
    heads = names or [str(k + 1) for k in range(len(means))]
    lines = [["input", "mean", "std"]]
    lines += [[h, f"{m:.6g}", f"{d:.6g}"] for h, m, d in list(zip(heads, means, deviations, strict=True))[:_MOST_ROWS]]
    more = "\n  … (`--json` gives them all)" if len(means) > _MOST_ROWS else ""
    title = paragraph("inputs less the mean of the training rows, over their standard deviation:", "", "  ")
    return f"{title}\n{table(lines)}{more}"


def _number(value: float, error: float) -> list[str]:
    if not math.isfinite(error):
        return [f"{value:.6g}", "not bounded"]
    return [value_text(float(value), max(error, 1e-12)), error_text(float(error))]


def _covariance(found: Any) -> str:
    count = min(len(found.cov), 12)
    lines = [["", *(str(j + 1) for j in range(count))]]
    lines += [[str(i + 1), *(f"{x:.6g}" for x in found.cov[i, :count])] for i in range(count)]
    worst = float(found.cov_error.max(initial=0.0))
    bound = error_text(worst) if math.isfinite(worst) else "not bounded"
    of = "test rows" if found.mean.shape[1] == 1 else "test rows and outputs, row by row"
    more = "\n  … (`--json` gives them all)" if len(found.cov) > count else ""
    return f"covariance of {of} (± {bound})\n{table(lines, right=(True,) * 20)}{more}"


def _scores(scores: Any) -> str:
    parts = [f"mean squared error {scores.mse:.6g}"]
    if scores.accuracy is not None:
        parts.append(f"accuracy {scores.accuracy:.2%}")
    if math.isfinite(scores.nll):
        parts.append(f"negative log likelihood {scores.nll:.6g} a target")
    else:
        how = "missed" if scores.nll > 0 else "met"
        parts.append(f"negative log likelihood {'∞' if scores.nll > 0 else '−∞'} (a target without variance is {how})")
    return paragraph(f"against the test targets: {', '.join(parts)}", "", "  ")

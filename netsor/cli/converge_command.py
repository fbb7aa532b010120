"""`netsor converge`: finite widths against the limit, with rates and a verdict for each output."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from netsor.cli.budgets import within
from netsor.cli.network_options import add_rows, legend_of, program_of
from netsor.cli.options import (
    add_file,
    add_json,
    add_values,
    add_workers,
    open_workers,
    positive_number,
    positive_whole_number,
    seconds,
    seed_number,
    widths_of,
)
from netsor.cli.output import error_text, exit_status, print_json, report, report_warnings, value_text
from netsor.cli.streams import interrupted_status, tell
from netsor.cli.tables import paragraph, table
from netsor.deadline import ends
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.finite import picture_unwritten


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "converge",
        help="compare finite widths with the limit: rates and a verdict for each output",
        epilog="example: netsor converge programs/algorithm1.netsor --widths 1e2..1e5 --seeds 20",
    )
    add_file(parser)
    add_rows(parser, required=False)
    parser.add_argument(
        "--widths",
        required=True,
        type=widths_of,
        metavar="A..B",
        help="half decades from A to B, or a list 100,400,1600",
    )
    parser.add_argument("--seeds", type=positive_whole_number, default=20, metavar="K", help="runs at each width (20)")
    parser.add_argument("--seed", type=seed_number, default=0, metavar="S", help="the first seed (0)")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64", help="numbers of the finite runs")
    parser.add_argument("--engine", choices=("auto", "dense", "lazy"), default="auto", help="as in `netsor eval`")
    parser.add_argument("--tol", type=positive_number, default=1e-8, metavar="T", help="error wanted of the limits")
    parser.add_argument(
        "--budget", type=seconds, default=60.0, metavar="SECONDS", help="time for the limits (60); inf for no bound"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a log–log picture: .svg, .png, .pdf (extra `plot`)")
    parser.add_argument("--store", type=Path, metavar="FILE", help="keep the result of every run in this file")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on from what an interrupted study kept")
    again.add_argument("--overwrite", action="store_true", help="delete what a store holds, and start anew")
    add_workers(parser)
    add_values(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load
    from netsor.diagnostics.render import to_json
    from netsor.finite.converge import converge, verify_study
    from netsor.show.convergence import plot_convergence, verify_plot

    if args.plot is not None:
        verify_plot(args.plot)
    end = ends(args.budget)
    with within(end, f"the program of `{args.file}`"):
        document = load(args.file, args.set, args.data)
        report_warnings(document)
        subject = program_of(document, args)
    program = subject.program
    # Before the limits, which may take their time.
    verify_study(program, args.widths, args.seeds, dtype=args.dtype, engine=args.engine)
    store, unkept = _store(args)
    with Progress("limit") as progress, within(end, "the limit"):
        limit = subject.limit(args.tol, args.budget, progress=lambda what: progress(0.0, what))
    report(limit.diagnostics)
    limits = {name: (v.value, v.error) for name, v in limit.outputs.items()}
    with contextlib.ExitStack() as stack:
        executor = open_workers(args, stack)
        progress = stack.enter_context(Progress(f"{len(args.widths)} widths, {args.seeds} seeds"))
        study = converge(
            program, limits, args.widths, args.seeds, seed=args.seed, dtype=args.dtype, engine=args.engine,
            store=store, resume=args.resume, overwrite=args.overwrite, keep=args.store is not None, progress=progress,
            executor=executor,
        )  # fmt: skip
    faults = list(limit.diagnostics)
    if study.fault is not None:
        # It is not an error if a file that nobody asked for is already gone.
        unasked = args.store is None and not study.interrupted
        faults.append(_unneeded(study.fault) if unasked else study.fault)
    report([*unkept, *study.warnings, *faults[len(limit.diagnostics) :]])
    if not args.json:
        missing = {name: v.missing for name, v in limit.outputs.items()}
        print(_text(program.name or args.file, legend_of(subject), study, missing))
    # The table is out by then, so that a full disk costs the picture alone.
    faults += _plot(plot_convergence, study.outputs, args.plot, program.name)
    status = exit_status(faults)
    if args.json:
        result = {"program": program.name, "interrupted": study.interrupted, "outputs": study.as_dict()}
        if status:
            result = {"ok": False, **result, "diagnostics": [to_json(d) for d in faults]}
        print_json(result)
    if study.interrupted:
        kept = f"what is finished is in {store}; `--resume` goes on from it" if store else "nothing was kept in a file"
        tell(f"interrupted: {kept}")
        return interrupted_status()
    return status


def _store(args: argparse.Namespace) -> tuple[Path | None, list[Diagnostic]]:
    """The file that keeps what is finished, and what is to be said where there can be none.

    Without `--store` it is kept beside the user while the study runs, so that an interruption loses nothing; a folder
    that cannot be written to does not prevent the study.
    """
    from netsor.finite.store import verify_store

    if args.store is not None:
        verify_store(args.store, args.resume, args.overwrite)
        return args.store, []
    store = Path(f"{Path(args.file).stem}.converge.jsonl")
    try:
        verify_store(store, args.resume, args.overwrite)
    except NetsorError as refused:
        (fault,) = refused.diagnostics
        if fault.code != "E707":
            raise
        return None, [_unneeded(fault)]
    return store, []


def _unneeded(fault: Diagnostic) -> Diagnostic:
    return replace(fault, severity="warning", notes=("the study is complete all the same",), hint="")


def _plot(plot: Callable[..., None], outputs: Any, path: Path | None, title: str) -> list[Diagnostic]:
    """Write the picture, and say why it cannot be written."""
    if path is None:
        return []
    try:
        plot(outputs, path, title)
    except OSError as e:
        found = [picture_unwritten(path, (e.strerror or str(e)).lower())]
        report(found)
        return found
    return []


def _text(title: str, legend: str, study: Any, missing: Mapping[str, str]) -> str:
    blocks = [f"{title}: {', '.join(f'{n} {engine}' for n, engine in study.engines.items())}{legend}"]
    for name, c in study.outputs.items():
        rows = [("width", "seeds", "mean", "± stderr", "mean − limit", "spread")]
        for n, k, mean, stderr, spread in zip(c.widths, c.seeds, c.mean, c.stderr, c.spread, strict=True):
            gap = "" if c.limit is None else f"{mean - c.limit:+.1e}"
            rows.append(
                (str(n), str(k), value_text(mean, (stderr or 0) / 30), _or_blank(stderr), gap, _or_blank(spread))
            )
        limit = (
            missing[name] if c.limit is None else f"{value_text(c.limit, c.limit_error)} ± {error_text(c.limit_error)}"
        )
        blocks.append("\n" + paragraph(f"{name}: limit {limit}", ""))
        blocks.append(table(rows, right=(True,) * 6))
        blocks.append(paragraph(f"bias {_rate(c.bias_rate)}; spread {_rate(c.spread_rate)}"))
        blocks.append(paragraph(_verdict(c)))
    return "\n".join(blocks)


def _or_blank(value: float | None) -> str:
    return "" if value is None else error_text(value)


def _rate(rate: Any) -> str:
    expected = f"n^{rate.expected:g} expected"
    if rate.value is None:
        return f"too small to be told from the noise ({expected})"
    error = "" if rate.error is None else f" ± {rate.error:.2g}"
    return f"n^({rate.value:.2f}{error}), {expected}"


def _verdict(c: Any) -> str:
    if c.deviation is None:
        return f"verdict: {c.verdict}"
    extrapolated = f"{value_text(c.extrapolated, c.extrapolated_error / 30)} ± {error_text(c.extrapolated_error)}"
    return f"verdict: {c.verdict} ({abs(c.deviation):.1f} standard errors; finite widths point to {extrapolated})"


class Progress:
    """A bar with the time left on standard error, where that is a terminal and the work takes long."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.start = time.monotonic()
        self.bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __call__(self, share: float, what: str) -> None:
        if not sys.stderr.isatty() or time.monotonic() - self.start < 0.7:
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                TextColumn(self.title), BarColumn(), TextColumn("{task.percentage:.0f}% {task.fields[what]}"),
                TimeElapsedColumn(), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self.bar.start()
            self.task = self.bar.add_task("", total=1.0, what=what)
        self.bar.update(self.task, completed=share, what=what)

    def __exit__(self, *exc: object) -> None:
        if self.bar is not None:
            self.bar.stop()

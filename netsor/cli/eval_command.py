"""`netsor eval`: the limit, and runs at finite width."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netsor.cli.budgets import within
from netsor.cli.law_option import add_law, run_law
from netsor.cli.network_options import add_rows, legend_of, program_of
from netsor.cli.options import (
    add_file,
    add_json,
    add_values,
    add_width,
    fill_in,
    positive_number,
    positive_whole_number,
    refuse_unused,
    seconds,
    seed_number,
    widths_text,
)
from netsor.cli.output import error_text, exit_status, print_json, report, report_warnings, value_text
from netsor.cli.progress import Progress
from netsor.cli.sources import given
from netsor.cli.streams import Interruptible, interrupted_status, tell
from netsor.cli.tables import paragraph, table
from netsor.cli.wide_run import repeated, with_wide_run
from netsor.deadline import ends
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.finite import several_widths

if TYPE_CHECKING:
    from netsor.core import Program
    from netsor.finite import FiniteResult
    from netsor.runnable import Runnable


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "eval",
        help="evaluate a program, or a network on given inputs, at n → ∞ and at finite width",
        epilog="example: netsor eval programs/algorithm1.netsor --limit --width 4096 --seeds 10",
    )
    add_file(parser, standard_input=True)
    add_rows(parser, required=False)
    parser.add_argument(
        "--limit", action="store_true", help="the limits by Definition B.3 (the default without --width)"
    )
    add_width(parser, "run at width N (1e6 may be written)")
    parser.add_argument(
        "--seeds",
        type=positive_whole_number,
        metavar="K",
        help="how many seeds to run (1; for --law as many as are cheap)",
    )
    parser.add_argument("--seed", type=seed_number, metavar="S", help="the first seed (0)")
    parser.add_argument("--dtype", choices=("float64", "float32"), help="numbers of the finite run (float64)")
    parser.add_argument(
        "--engine",
        choices=("auto", "dense", "lazy"),
        help="with the matrices, or exact in distribution without them",
    )
    parser.add_argument(
        "--device", metavar="NAME", help="run on other arrays: cuda, torch:cpu, … (extra `arrays`, and torch or CuPy)"
    )
    parser.add_argument(
        "--tol",
        type=positive_number,
        metavar="T",
        help="error wanted of a limit, relative to the size E|ψ| of what is averaged (1e-8)",
    )
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help="time for the limits (60); inf for no bound")
    parser.add_argument("--explain", action="store_true", help="show each expectation that was taken for the limit")
    add_law(parser)
    add_values(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load_source

    _refuse_unused(args)
    with_limit = args.limit or args.width is None
    end = ends(args.budget if with_limit or args.law is not None else None)
    file = given(args)
    args.file = file.name
    with within(end, f"the program of `{file.name}`"):
        document = load_source(file.source, args.set, args.data)
        report_warnings(document)
        subject = program_of(document, args)
    program = subject.program
    if args.law is not None:
        with Progress("law") as progress:
            return run_law(args, program, end, progress)
    args.seeds = args.seeds or 1
    limit = None
    finite: list[FiniteResult] = []
    faults: list[Diagnostic] = []
    block = Interruptible()
    if with_limit:
        with block, Progress("limit", args.budget) as progress, within(end, "the limit"):
            limit = subject.limit(args.tol, args.budget, progress=progress)
        offers = args.width is None and not file.is_standard_input and not block.interrupted
        said = _offered(args, program, limit.diagnostics) if offers else limit.diagnostics
        report(said)
        faults += said
    try:
        if not block.interrupted:
            finite.extend(_runs(subject, args))
    except NetsorError as fault:
        if limit is None and not finite:
            raise
        # What is there is told all the same: the limits, and the runs at the widths before.
        report(fault.diagnostics)
        faults += fault.diagnostics
    if finite and not any(r.draws for r in finite):
        raise KeyboardInterrupt
    outputs: dict[str, dict[str, Any]] = {}
    runs = [r.as_dict() for r in finite]
    for output in program.outputs:
        entry: dict[str, Any] = {}
        if limit is not None:
            entry["limit"] = limit[output.name].as_dict()
        if finite:
            entry["finite"] = [r[output.name] for r in runs] if len(args.width) > 1 else runs[0][output.name]
        outputs[output.name] = entry
    status = exit_status(faults)
    if args.json:
        from netsor.diagnostics.render import to_json

        result: dict[str, Any] = {"program": program.name, "outputs": outputs}
        if status:
            result = {"ok": False, **result, "diagnostics": [to_json(d) for d in faults]}
        if block.interrupted or (finite and finite[-1].interrupted):
            result["interrupted"] = True
        if args.explain and limit is not None:
            result["expectations"] = [_explained(t) for t in limit.taken]
        print_json(result)
    else:
        title = (program.name or args.file) + legend_of(subject)
        print(_text(title, outputs, args, finite))
        if args.explain and limit is not None:
            print(_explain(limit.taken))
    if limit is not None and block.interrupted:
        reached = sum(v.converged for v in limit.outputs.values())
        tell(f"interrupted: {reached} of {len(limit.outputs)} limits had reached the tolerance")
        return interrupted_status()
    if finite and finite[-1].interrupted:
        at = f" at width {finite[-1].width}" if len(args.width) > 1 else ""
        tell(f"interrupted after {len(finite[-1].draws)} of {args.seeds} seeds{at}")
        return interrupted_status()
    return status


def _offered(args: argparse.Namespace, program: Program, said: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics of the limit, with a run at a large width where integrals were not enough."""
    from netsor.finite.affordable import infer_width

    command = ["netsor", "eval", args.file, *repeated("--inputs", args.inputs)]
    command += [*repeated("--set", args.set), *repeated("--data", args.data)]
    return with_wide_run(said, command, lambda: infer_width(program, [o.name for o in program.outputs], ()))


def _runs(subject: Runnable, args: argparse.Namespace) -> Iterator[FiniteResult]:
    """The runs at each width, up to one that is interrupted."""
    for n in args.width or ():
        with Progress(f"width {n}") as progress:
            result = subject.run(
                n, args.seeds, seed=args.seed, dtype=args.dtype, engine=args.engine, device=args.device,
                progress=progress,
            )  # fmt: skip
        yield result
        if result.interrupted:
            return


def _refuse_unused(args: argparse.Namespace) -> None:
    """Options that would do nothing beside the others are refused; absent ones then get their defaults."""
    if args.law is None:
        refuse_unused(args, ("samples", "samples_to", "plot"), "without `--law`")
    else:
        refuse_unused(args, ("limit", "explain", "device"), "with `--law`")
        if args.width is not None and len(args.width) > 1:
            raise NetsorError(several_widths(args.width))
    if args.width is None:
        refuse_unused(args, ("seeds", "dtype", "engine", "device"), "without `--width`")
        if args.samples is None:
            refuse_unused(args, ("seed",), "without `--width`")
    elif not args.limit and args.law is None:
        refuse_unused(args, ("tol", "budget", "explain"), "with `--width` and without `--limit`")
    fill_in(args, seed=0, dtype="float64", engine="auto", tol=1e-8, budget=60.0)


def _text(
    title: str, outputs: dict[str, dict[str, Any]], args: argparse.Namespace, finite: Sequence[FiniteResult]
) -> str:
    from netsor.limit.missing import MISSING
    from netsor.limit.result import hardest

    heading = ["output"]
    with_limit = args.limit or args.width is None
    if with_limit:
        heading += ["limit", "± at most"]
    if finite:
        done = finite[-1].seeds
        seeds = "1 seed" if done == 1 else f"{done} seeds"
        name, _, legend = title.partition("\n")
        engines = ", ".join(dict.fromkeys(r.engine for r in finite))
        widths = widths_text([r.width for r in finite])
        title = paragraph(f"{name}: {'limit, and ' if with_limit else ''}{widths} ({seeds}, {engines})", "")
        title += f"\n{legend}" if legend else ""
    for r in finite:
        heading += [f"width {r.width}"] + (["± stderr"] if args.seeds > 1 else [])
    if with_limit:
        heading += ["found by"]
    rows = [heading]
    for name, entry in outputs.items():
        row = [name]
        if with_limit:
            value, error = entry["limit"]["value"], entry["limit"]["error"]
            if value is None:
                row += [MISSING[entry["limit"]["method"]], ""]
            else:
                row += [value_text(value, error), error_text(error)]
        for r in finite:
            row += _finite_cells(r.mean()[name], r.stderr()[name], args.seeds > 1)
        if with_limit:
            row.append("" if entry["limit"]["value"] is None else hardest(entry["limit"]["method"]))
        rows.append(row)
    # How a limit was found is told where there is room for it; --json has it in any case.
    return f"{title}\n" + table(rows, optional=len(heading) - 1 if with_limit else None)


def _finite_cells(mean: float | None, stderr: float | None, with_error: bool) -> list[str]:
    if mean is None:
        text = "no value"
    else:
        text = f"{mean:.6g}" if stderr is None else value_text(mean, stderr / 30 or None)
    return [text, *([] if not with_error else [""] if stderr is None else [error_text(stderr)])]


def _explained(t: Any) -> dict[str, Any]:
    from netsor.expr import to_text
    from netsor.limit.symbols import spell

    return {
        "for": t.purpose,
        "line": t.span.line if t.span else None,
        "integrand": to_text(t.integrand, spell),
        "value": t.result.value,
        "error": t.result.error,
        "method": t.result.method,
        "seconds": t.seconds,
        "parts": [
            {
                "integrand": to_text(p.integrand, spell),
                "dimension": p.before,
                "after elimination": p.after,
                "method": p.method,
                "value": p.value,
                "error": p.error,
                "seconds": p.seconds,
            }
            for p in t.result.parts
        ],
    }


def _explain(taken: Any) -> str:
    lines = ["", "expectations taken"]
    for t in taken:
        e = _explained(t)
        where = f"line {e['line']}, " if e["line"] else ""
        lines.append(paragraph(f"{e['for']} ({where}{_seconds(e['seconds'])})"))
        lines.append(paragraph(f"E[{cut(e['integrand'])}]", "    ", "      "))
        found = f"= {value_text(e['value'], e['error'])} ± {error_text(e['error'])}, by {e['method']}"
        lines.append(paragraph(found, "      ", "        "))
        lines.extend(
            paragraph(
                f"· E[{cut(p['integrand'])}] = {value_text(p['value'], p['error'])} ± {error_text(p['error'])}: "
                f"dimension {p['dimension']} → {p['after elimination']}, {p['method']}, {_seconds(p['seconds'])}",
                "      ", "        ",
            )
            for p in e["parts"]
        )  # fmt: skip
    return "\n".join(lines)


def _seconds(s: float) -> str:
    return f"{s * 1e3:.2g} ms" if s < 1 else f"{s:.2g} s"


def cut(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"

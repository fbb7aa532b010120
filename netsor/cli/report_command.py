"""`netsor report`: a program, its limit and its runs as one page of HTML."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING, Any

from netsor.cli.budgets import within
from netsor.cli.network_options import add_rows, program_of
from netsor.cli.options import (
    add_file,
    add_values,
    fill_in,
    positive_number,
    positive_whole_number,
    refuse_unused,
    seconds,
    seed_number,
    whole_number,
)
from netsor.cli.output import report, report_warnings
from netsor.deadline import ends

if TYPE_CHECKING:
    from netsor.runnable import Runnable

_BUDGET = 60.0


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "report",
        help="write one page of HTML: drawing, checks, derivation, limits, convergence",
        epilog="example: netsor report programs/algorithm1.netsor -o algorithm1.html --width 4096 --vectors h,δx̃",
    )
    add_file(parser)
    add_rows(parser, required=False)
    parser.add_argument("-o", "--output", metavar="OUT.html", help="the page (to standard output if absent)")
    parser.add_argument(
        "--width", type=whole_number, metavar="N", help="run at width N and below (1024; 0 for no runs)"
    )
    parser.add_argument("--seeds", type=positive_whole_number, metavar="K", help="how many draws at each width (8)")
    parser.add_argument("--seed", type=seed_number, metavar="S", help="the stream of draws (0)")
    parser.add_argument(
        "--vectors",
        action="append",
        default=[],
        metavar="x,y",
        help="vectors whose coordinates are shown against their law",
    )
    parser.add_argument(
        "--tol",
        type=positive_number,
        metavar="T",
        help="error wanted of a limit, relative to max(1, |limit|) (1e-8)",
    )
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help="time for the limits (60); inf for no bound")
    parser.add_argument(
        "--theme", choices=("auto", "light", "dark"), default="auto", help="colours; auto follows the reader's screen"
    )
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load
    from netsor.cli.output import exit_status
    from netsor.cli.progress import Progress
    from netsor.networks import Derived
    from netsor.report import collect, page
    from netsor.show.writing import split_names, suffix_of, verify_writable, write

    if args.width == 0:
        refuse_unused(args, ("seeds",), "without runs (`--width 0`)")
    if args.output is not None:
        suffix_of(args.output, ("html", "htm"))
        verify_writable(args.output)
    end = ends(args.budget or _BUDGET)
    on: Runnable | None = None
    with within(end, f"the program of `{args.file}`"):
        document = load(args.file, args.set, args.data)
        report_warnings(document)
        if document.program.kind == "network" and args.inputs is None:
            why = "for a network without rows (`--inputs`), which has no limit of its own"
            refuse_unused(args, ("width", "seeds", "seed", "tol", "budget"), why)
        else:
            on = program_of(document, args)
    fill_in(args, width=1024, seeds=8, seed=0, tol=1e-8, budget=_BUDGET)
    with Progress("report") as progress, within(end, "the report"):
        material = collect(
            document.report,
            args.width or None,
            args.seeds,
            split_names(args.vectors),
            command(args),
            args.seed,
            args.tol,
            args.budget,
            progress,
            on.program if isinstance(on, Derived) else None,
            on.legend if isinstance(on, Derived) else (),
        )
    text = page(material, args.theme)
    report(material.remarks)
    if args.output is None:
        sys.stdout.write(text)
    else:
        write(args.output, text.encode("utf-8", "backslashreplace"))
    return exit_status(material.remarks)


def command(args: argparse.Namespace) -> str:
    """The command that makes this page again, without options at their defaults."""
    words = ["netsor", "report", args.file]
    if args.output is not None:
        words += ["-o", args.output]
    for option, default in (
        ("width", 1024),
        ("seeds", 8),
        ("seed", 0),
        ("tol", 1e-8),
        ("budget", 60.0),
        ("theme", "auto"),
    ):
        value = getattr(args, option)
        if value != default:
            words += [f"--{option}", f"{value:g}" if isinstance(value, float) else str(value)]
    for option in ("inputs", "vectors", "set", "data"):
        for value in getattr(args, option) or ():
            words += [f"--{option}", value]
    return shlex.join(words)

"""`netsor derive`: the limit as formulas, one line a variable."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netsor.cli.budgets import within
from netsor.cli.network_options import add_rows, program_of
from netsor.cli.options import add_file, add_values, fill_in, positive_number, refuse_unused, seconds
from netsor.cli.output import report, report_warnings, terminal_width
from netsor.deadline import ends
from netsor.diagnostics.catalogue.limits import lines_without_value


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "derive",
        help="write the infinite-width limit as formulas, as in Appendix A of the paper",
        epilog="example: netsor derive programs/algorithm1.netsor --numbers",
    )
    add_file(parser)
    add_rows(parser, required=False)
    parser.add_argument("--of", metavar="NAME", help="an output, vector or scalar; only what it needs is shown")
    parser.add_argument("--format", choices=("text", "latex", "md"), default="text", help="how to write it (text)")
    parser.add_argument("--numbers", action="store_true", help="values and error bounds beside the symbols")
    parser.add_argument("--all", action="store_true", help="every variable, not only those that an output needs")
    parser.add_argument("--full", action="store_true", help="long formulas in full")
    parser.add_argument("--tol", type=positive_number, metavar="T", help="error wanted with --numbers (1e-8)")
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help="time for --numbers (60; inf for no bound)")
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load

    if args.all:
        refuse_unused(args, ("of",), "beside `--all`, which shows every variable")
    if not args.numbers:
        refuse_unused(args, ("tol", "budget"), "without `--numbers`")
    from netsor.gaussian import Settings
    from netsor.limit import Limit
    from netsor.show.derivation import as_latex, as_markdown, as_text, derive, with_numbers
    from netsor.show.derivation.derive import TO_KNOW_OF_FAULTS
    from netsor.show.writing import variables_of

    fill_in(args, tol=1e-8, budget=60.0 if args.numbers else TO_KNOW_OF_FAULTS)
    with within(ends(args.budget if args.numbers else None), f"the derivation of `{args.file}`"):
        document = load(args.file, args.set, args.data)
        report_warnings(document)
        subject = program_of(document, args)
        of = variables_of(subject.program, [args.of])[0] if args.of else None
        program = subject.evaluable()
        # What has no value, which the formulas are told with, is asked of the limit that the numbers come from.
        limit = Limit(program, Settings(args.tol, args.budget))
        d = derive(program, of, args.all, limit)
        if args.numbers:
            d = with_numbers(d, limit, budget=args.budget)
    longest = {"longest": None} if args.full else {}
    match args.format:
        case "latex":
            text = as_latex(d, **longest)
        case "md":
            text = as_markdown(d, **longest)
        case _:
            text = as_text(d, width=max(40, min(terminal_width(sys.stdout), 160)), **longest)
    sys.stdout.write(text)
    # As of `netsor eval`: limits that were asked for, and do not exist or were not computed.
    report(lines_without_value(list(dict.fromkeys(line.about for line in d.lines)), d.missing, d.unknown))
    return 1 if d.missing else 0

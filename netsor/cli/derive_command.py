"""`netsor derive`: the limit as formulas, one line a variable."""

from __future__ import annotations

import argparse
import sys
from difflib import get_close_matches
from typing import Any

from netsor.cli.options import add_file, add_values, positive_number
from netsor.cli.output import report, terminal_width
from netsor.core import Program
from netsor.diagnostics import Diagnostic, NetsorError


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "derive", help="write the infinite-width limit as formulas, as in Appendix A of the paper",
        epilog="example: netsor derive programs/algorithm1.netsor --numbers",
    )
    add_file(parser)
    parser.add_argument("--of", metavar="NAME", help="an output, vector or scalar; only what it needs is shown")
    parser.add_argument("--format", choices=("text", "latex", "md"), default="text", help="how to write it (text)")
    parser.add_argument("--numbers", action="store_true", help="values and error bounds beside the symbols")
    parser.add_argument("--all", action="store_true", help="every variable, not only those that an output needs")
    parser.add_argument("--full", action="store_true", help="long formulas in full")
    parser.add_argument("--tol", type=positive_number, default=1e-8, metavar="T", help="error wanted with --numbers (1e-8)")
    parser.add_argument("--budget", type=positive_number, default=60.0, metavar="SECONDS", help="time for --numbers (60)")
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load

    document = load(args.file, args.set, args.data)
    program = document.program
    report(document.report.diagnostics)
    refuse_network(program, args.file)
    refuse_unknown(program, args.of)

    from netsor.show.derivation import as_latex, as_markdown, as_text, derive, with_numbers

    d = derive(program, args.of, args.all)
    if args.numbers:
        d = with_numbers(d, tol=args.tol, budget=args.budget)
    longest = {"longest": None} if args.full else {}
    match args.format:
        case "latex":
            text = as_latex(d, **longest)
        case "md":
            text = as_markdown(d, **longest)
        case _:
            text = as_text(d, width=max(60, min(terminal_width(sys.stdout), 160)), **longest)
    sys.stdout.write(text)
    return 0


def refuse_network(program: Program, file: str) -> None:
    """A network has no limit of its own."""
    if program.kind == "network":
        raise NetsorError(
            Diagnostic(
                "E610", f"`{program.name}` is a network, the program of one example, and only a program has a limit to derive",
                hint=f"`netsor backward {file} --inputs X.npy` writes its passes as a program, which derives",
            )
        )


def refuse_unknown(program: Program, name: str | None) -> None:
    """A name that stands for no output, vector or scalar of the program."""
    if name is None:
        return
    variables = [v for g in program.groups for v in g.names] + [e.name for e in program.embeddings]
    variables += [c.name for c in program.constants] + list(program.by_name)
    known = [o.name for o in program.outputs] + variables
    if name in known:
        return
    if name in program.matrix or name in program.input_matrix:
        raise NetsorError(
            Diagnostic("E705", f"`{name}` is a matrix, and only vectors and scalars have a limit", hint="name a vector `W x` of it")
        )
    close = get_close_matches(name, known, 1)
    raise NetsorError(
        Diagnostic(
            "E705", f"there is no vector, scalar or output `{name}`",
            notes=(f"there is {', '.join(known[:12])}{', …' if len(known) > 12 else ''}",) if known else (),
            hint=f"did you mean `{close[0]}`?" if close else "",
        )
    )

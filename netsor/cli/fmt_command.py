"""`netsor fmt`: canonical text."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netsor.cli.options import add_file, refuse_unused
from netsor.cli.sources import several


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "fmt",
        help="write files in canonical form, comments kept",
        epilog="example: netsor fmt --check programs/*.netsor",
    )
    add_file(parser, several=True, standard_input=True)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if a file is not in canonical form"
    )
    parser.add_argument("--stdout", action="store_true", help="print instead of writing")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.cli.output import exit_status, report
    from netsor.diagnostics import NetsorError
    from netsor.show.writing import write
    from netsor.syntax.format import format_source

    if args.stdout:
        refuse_unused(args, ("check",), "beside `--stdout`, which prints the text itself")
    status = 0
    for file in several(args):
        try:
            source = file.source
            text = format_source(source)
        except NetsorError as fault:
            report(fault.diagnostics)
            status = max(status, exit_status(fault.diagnostics))
            continue
        if args.stdout or (file.is_standard_input and not args.check):
            sys.stdout.write(text)
        elif text != source.text:
            if args.check:
                print(f"{file.name}: would be rewritten")
                status = max(status, 1)
            else:
                write(file.path, text.encode())
                print(f"{file.name}: rewritten")
    return status

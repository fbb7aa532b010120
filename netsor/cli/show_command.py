"""`netsor show`: the core listing."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netsor.cli.options import add_file, add_values
from netsor.cli.output import report
from netsor.cli.sources import given


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "show",
        help="print the core listing, one instruction a line, itself a valid program",
        epilog="example: netsor show programs/algorithm1.netsor",
    )
    add_file(parser, standard_input=True)
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load_source

    document = load_source(given(args).source, args.set, args.data)
    text = document.listing()
    report(document.report.diagnostics)
    sys.stdout.write(text)
    return 0

"""`netsor backward`: forward and backward pass as a program."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netsor.cli.network_options import add_rows, read_rows
from netsor.cli.options import add_file, add_values
from netsor.cli.output import report


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "backward",
        help="print a network's forward and backward pass as a program over data ξ",
        epilog="example: netsor backward programs/networks/mlp_erf.netsor",
    )
    add_file(parser)
    add_rows(parser, required=False)
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load

    document = load(args.file, args.set, args.data)
    derived = document.backward(read_rows(args.inputs, "--inputs"))
    report(document.report.diagnostics)
    sys.stdout.write(derived.listing())
    return 0

"""`netsor explain`: the rule behind a diagnostic."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "explain",
        help="print the rule behind a diagnostic's code, with a bad and a good example",
        epilog="example: netsor explain E301",
    )
    parser.add_argument("code", nargs="?", metavar="CODE", help="such as E301; without it, all codes")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.cli.output import terminal_width
    from netsor.cli.tables import paragraph
    from netsor.diagnostics import NetsorError
    from netsor.diagnostics.catalogue import all_entries, explain, files, lookup

    if args.code is None:
        for entry in all_entries():
            print(paragraph(f"{entry.code}  {entry.title}", "", "      "))
        return 0
    code = args.code.strip().upper()
    if lookup(code) is None:
        from difflib import get_close_matches

        near = get_close_matches(code, [e.code for e in all_entries()], 1)
        raise NetsorError(files.no_diagnostic(args.code, near[0] if near else ""))
    print(explain(code, terminal_width(sys.stdout)))
    return 0

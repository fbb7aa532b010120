"""`netsor draw`: a program in the graphical notation of Appendix C."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netsor.cli.network_options import add_rows, program_of
from netsor.cli.options import add_file, add_values, fill_in, refuse_unused
from netsor.cli.output import report_warnings


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "draw",
        help="draw a program in the graphical notation of the paper's Appendix C",
        epilog="example: netsor draw programs/algorithm1.netsor -o algorithm1.svg",
    )
    add_file(parser)
    add_rows(parser, required=False)
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write OUT.svg, .pdf, .png or .dot (SVG to standard output)"
    )
    parser.add_argument(
        "--of",
        action="append",
        default=[],
        metavar="NAME",
        help="only what this variable depends on (several with commas)",
    )
    fold = parser.add_mutually_exclusive_group()
    fold.add_argument(
        "--fold",
        dest="folding",
        action="store_const",
        const="all",
        help="draw each family as one symbol with its range",
    )
    fold.add_argument(
        "--fold-lanes",
        dest="folding",
        action="store_const",
        const="lanes",
        help="fold inputs, tokens, pixels; keep layers and times",
    )
    fold.add_argument(
        "--unfold",
        dest="folding",
        action="store_const",
        const="none",
        help="draw every member of a family, however many",
    )
    parser.add_argument(
        "--theme",
        choices=("auto", "light", "dark"),
        help="colours; auto follows the reader's screen (SVG only)",
    )
    parser.add_argument("--no-key", action="store_true", help="leave out the key of symbols and functions")
    add_values(parser)
    parser.set_defaults(run=run, folding="auto")


def run(args: argparse.Namespace) -> int:
    from netsor.api import load
    from netsor.show.drawing import FORMATS, draw
    from netsor.show.writing import split_names, suffix_of, variables_of, verify_writable, write

    form = "svg" if args.output is None else suffix_of(args.output, FORMATS)
    if form == "dot":
        refuse_unused(args, ("theme", "no_key"), "in a .dot file, which has neither colours nor a key")
    fill_in(args, theme="auto")
    if args.output is not None:
        verify_writable(args.output)
    document = load(args.file, args.set, args.data)
    report_warnings(document)
    # A network has a drawing of its own.
    alone = args.inputs is None and document.program.kind == "network"
    program = document.program if alone else program_of(document, args).program
    of = variables_of(program, split_names(args.of)) or None
    content = draw(program, form, of, args.folding, args.theme, not args.no_key)
    if args.output is None:
        sys.stdout.write(content.decode())
    else:
        write(args.output, content)
    return 0

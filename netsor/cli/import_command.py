"""`netsor import`: a PyTorch module as a network."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "import",
        help="write a PyTorch module as a network",
        description="Write the nn.Module that FACTORY(n) in FILE.py returns as a network. The file is run.",
        epilog="example: netsor import model.py:make --example 1,4,3 -o net.netsor",
    )
    parser.add_argument("module", metavar="FILE.py:FACTORY", help="a file and the function in it that makes the module")
    parser.add_argument(
        "--example",
        metavar="SHAPE",
        action="append",
        required=True,
        help="the shape of one batch, as in 1,4,3; repeat it for several inputs, begin with `int:` for tokens",
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="the file to write; standard output without it")
    parser.add_argument(
        "--init",
        metavar="NAME=LAW",
        action="append",
        default=[],
        help="the law of a parameter in the place of the recorded one, as in q.weight='N(0, 1/n)'",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.cli.output import exit_status, report
    from netsor.diagnostics import NetsorError
    from netsor.diagnostics.catalogue.files import needs_extra
    from netsor.show.writing import verify_writable, write

    try:
        import torch  # noqa: F401
    except ImportError:
        raise NetsorError(needs_extra("`netsor import`", "PyTorch", "torch")) from None
    from netsor.importer.files import import_file

    if args.output:
        verify_writable(args.output)
    document = import_file(args.module, args.example, args.init)
    errors = [d for d in document.check().diagnostics if d.is_error]
    if args.output:
        write(args.output, document.text.encode())
        print(f"{args.output}: {document.text.count(chr(10))} lines")
    else:
        sys.stdout.write(document.text)
    report(errors)
    return exit_status(errors) if errors else 0

"""`netsor completion`: what a shell completes."""

from __future__ import annotations

import argparse
from typing import Any

SHELLS = ("bash", "zsh", "tcsh")


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "completion",
        help="print the completion of commands and options for a shell (extra `completion`)",
        epilog='example: eval "$(netsor completion bash)"',
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        import shtab
    except ImportError:
        from netsor.diagnostics import NetsorError
        from netsor.diagnostics.catalogue.files import needs_extra

        raise NetsorError(needs_extra("`netsor completion`", "shtab", "completion")) from None
    from netsor.cli.main import build_parser

    print(shtab.complete(build_parser(), shell=args.shell))
    return 0

"""The command line: a thin layer over the library, one module a command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from netsor import __version__
from netsor.diagnostics import NetsorError

COMMANDS = (
    "check",
    "eval",
    "show",
    "backward",
    "ntk",
    "sgd",
    "train",
    "converge",
    "draw",
    "report",
    "derive",
    "fmt",
    "explain",
    "completion",
)

_USAGE = 2
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """argparse, with faults told as all others are."""

    def error(self, message: str) -> NoReturn:
        self.exit(_USAGE, f"error: {message}\n  = help: `{self.prog} --help` shows how it is used\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; importing a command's module needs neither numpy nor scipy."""
    parser = _Parser(
        prog="netsor",
        description="A language for tensor programs: checked, run at any width, and taken to their limit n → ∞.",
        epilog="example: netsor eval programs/algorithm1.netsor --limit --width 4096 --seeds 10",
    )
    parser.add_argument("--version", action="version", version=f"netsor {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name in COMMANDS:
        importlib.import_module(f"netsor.cli.{name}_command").register(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 where the program has errors, 2 for wrong usage."""
    args = build_parser().parse_args(arguments)
    from netsor.cli.output import exit_status, report

    try:
        return args.run(args)
    except NetsorError as fault:
        report(fault.diagnostics, json_wanted=_wants_json(args))
        return exit_status(fault.diagnostics)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has seen enough; nothing is wrong, and nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as fault:
        print(f"error: {fault.strerror or fault}" + (f": {fault.filename}" if fault.filename else ""), file=sys.stderr)
        return _USAGE
    except Exception as fault:
        if os.environ.get("NETSOR_DEBUG"):
            raise
        print(
            f"error: netsor failed at something it should have handled ({type(fault).__name__}: {fault})\n"
            "  = help: please report it with the file; NETSOR_DEBUG=1 shows where it happened",
            file=sys.stderr,
        )
        return 1


def _wants_json(args: argparse.Namespace) -> bool:
    return getattr(args, "json", False) or getattr(args, "format", "") == "json"


def run() -> None:
    """The `netsor` command."""
    # Names are Unicode, whatever the terminal's locale says.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        status = main()
    except KeyboardInterrupt:  # while the command was still being read
        print("interrupted", file=sys.stderr)
        status = _INTERRUPTED
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as fault:
        print(f"error: the output could not be written: {fault.strerror}", file=sys.stderr)
        status = status or _USAGE
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


if __name__ == "__main__":
    run()

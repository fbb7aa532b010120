"""The command line: a thin layer over the library, one module a command."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Sequence

from netsor import __version__
from netsor.cli.libraries import take_memory_for_libraries
from netsor.cli.parser import Misused, Parser
from netsor.cli.streams import finish, handle_signals, interrupted_status, nowhere, open_streams, tell
from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import files

COMMANDS = (
    "check",
    "eval",
    "show",
    "backward",
    "ntk",
    "sgd",
    "train",
    "predict",
    "converge",
    "draw",
    "report",
    "derive",
    "fmt",
    "explain",
    "new",
    "import",
    "completion",
)

_USAGE = 2


def build_parser(only: str = "") -> argparse.ArgumentParser:
    """The parser of all commands, or of one; importing a command's module needs neither numpy nor scipy."""
    parser = Parser(
        prog="netsor",
        description="A language for tensor programs: checked, run at any width, and taken to their limit n → ∞.",
        epilog="example: netsor eval programs/algorithm1.netsor --limit --width 4096 --seeds 10",
    )
    parser.add_argument("--version", action="version", version=f"netsor {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for name in (only,) if only else COMMANDS:
        importlib.import_module(f"netsor.cli.{name}_command").register(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, 1 where the program has errors, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    json_wanted = _wants_json(given)
    from netsor.cli.output import report

    try:
        return _answered(given, json_wanted)
    # Also of what tells a fault, to whoever has stopped listening.
    except BrokenPipeError:
        nowhere(sys.stdout)
        return 0
    except OSError as fault:
        why = (fault.strerror or str(fault)).lower()
        if fault.filename is None:
            # Of all files, standard output alone has no name.
            nowhere(sys.stdout)
            report([files.unwritten_output(why)])
        else:
            report([files.refused(fault.filename, why)], json_wanted)
        return _USAGE


def _answered(given: Sequence[str], json_wanted: bool) -> int:
    """The status of a command whose faults are told; raises OSError."""
    from netsor.cli.output import exit_status, print_json, report

    try:
        args = build_parser(given[0] if given and given[0] in COMMANDS else "").parse_args(given)
        status: int = args.run(args)
        return status
    except NetsorError as fault:
        report(fault.diagnostics, json_wanted)
        return exit_status(fault.diagnostics)
    except Misused as fault:
        message, hint = fault.args
        report([files.misused(message, hint)], json_wanted)
        # As argparse ends where it prints its help.
        raise SystemExit(_USAGE) from None
    except KeyboardInterrupt:
        tell("interrupted")
        if json_wanted:
            print_json({"ok": False, "interrupted": True, "diagnostics": []})
        return interrupted_status()
    except OSError:
        raise
    except Exception as fault:
        if _is_lack_of_memory(fault):
            from netsor.diagnostics.catalogue.finite import no_memory

            fault.__traceback__ = None  # with it goes what the call had allocated
            report([no_memory()], json_wanted)
            return _USAGE
        if os.environ.get("NETSOR_DEBUG"):
            raise
        report([files.unhandled(fault)], json_wanted)
        return 1


def _is_lack_of_memory(fault: Exception) -> bool:
    """Whether memory was refused, to an object or to a library while it was imported."""
    text = str(fault).lower()
    refused = "failed to map segment" in text or "cannot allocate memory" in text
    return isinstance(fault, MemoryError) or isinstance(fault, ImportError) and refused


def _wants_json(given: Sequence[str]) -> bool:
    """Whether the call asks for JSON, which is also to be known of one that the parser does not understand."""
    pairs = zip(given, [*given[1:], ""], strict=False)
    return any(g in ("--json", "--jso", "--js", "--format=json") or (g, x) == ("--format", "json") for g, x in pairs)


def run() -> None:
    """The `netsor` command."""
    gc.set_threshold(50_000, 20, 20)  # what is imported is no garbage: a tenth of the start goes into looking for some
    open_streams()
    handle_signals()
    try:
        take_memory_for_libraries()
        status = main()
    except KeyboardInterrupt:  # while the command was still being read
        tell("interrupted")
        status = interrupted_status()
    except MemoryError:  # not even for what makes a message
        tell("error[E702]: the memory that can be had does not suffice")
        status = _USAGE
    except SystemExit as end:
        status = int(end.code or 0)
    if why := finish():
        from netsor.cli.output import report

        report([files.unwritten_output(why)])
        status = status or _USAGE
    sys.exit(status)


if __name__ == "__main__":
    run()

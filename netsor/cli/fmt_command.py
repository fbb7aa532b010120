"""`netsor fmt`: canonical text."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from netsor.cli.options import add_file


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "fmt",
        help="write files in canonical form, comments kept",
        epilog="example: netsor fmt --check programs/*.netsor",
    )
    add_file(parser, several=True)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if a file is not in canonical form"
    )
    parser.add_argument("--stdout", action="store_true", help="print instead of writing")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.cli.output import exit_status, report
    from netsor.diagnostics import NetsorError
    from netsor.syntax import read_source
    from netsor.syntax.format import format_source

    status = 0
    for path in args.files:
        try:
            source = read_source(path)
            text = format_source(source)
        except NetsorError as fault:
            report(fault.diagnostics)
            status = max(status, exit_status(fault.diagnostics))
            continue
        if args.stdout:
            sys.stdout.write(text)
        elif text != source.text:
            if args.check:
                print(f"{path}: would be rewritten")
                status = max(status, 1)
            else:
                _replace(Path(path), text)
                print(f"{path}: rewritten")
    return status


def _replace(path: Path, text: str) -> None:
    """Write beside the file and move into place, so that a full disk leaves the old text whole."""
    path = path.resolve()
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, path.stat().st_mode & 0o7777)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

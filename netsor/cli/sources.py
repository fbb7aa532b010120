"""The programs that a command is given: files, and standard input as `-`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from netsor.cli.options import refuse_unused

if TYPE_CHECKING:
    from netsor.diagnostics import Source

STANDARD_INPUT = "-"


def given(args: argparse.Namespace) -> Given:
    """The file of a command that takes one."""
    _refuse_idle_name(args, [args.file])
    return Given(args.file, args)


def several(args: argparse.Namespace) -> list[Given]:
    """The files of a command that takes several; standard input is read once, however often it is named."""
    _refuse_idle_name(args, args.files)
    standard_input = Given(STANDARD_INPUT, args)
    return [standard_input if path == STANDARD_INPUT else Given(path, args) for path in args.files]


def _refuse_idle_name(args: argparse.Namespace, paths: Sequence[str]) -> None:
    if STANDARD_INPUT not in paths:
        refuse_unused(args, ("stdin_filename",), "where no file is `-`")


class Given:
    """A program as the command line names it; reading it raises NetsorError."""

    def __init__(self, path: str, args: argparse.Namespace) -> None:
        self.path = path
        self.is_standard_input = path == STANDARD_INPUT
        self.name: str = (args.stdin_filename or "<stdin>") if self.is_standard_input else path

    @cached_property
    def data(self) -> bytes:
        if self.is_standard_input:
            return sys.stdin.buffer.read()
        from netsor.syntax import read_bytes

        return read_bytes(self.path)

    @cached_property
    def source(self) -> Source:
        from netsor.syntax import decode

        return decode(self.name, self.data)

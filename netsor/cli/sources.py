"""The programs that a command is given: files, and standard input as `-`."""

from __future__ import annotations

import argparse
import sys
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsor.diagnostics import Source

STANDARD_INPUT = "-"


class Given:
    """A program as the command line names it; reading it raises NetsorError."""

    def __init__(self, path: str, args: argparse.Namespace) -> None:
        self.path = path
        self.is_standard_input = path == STANDARD_INPUT
        self.name: str = args.stdin_filename if self.is_standard_input else path

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


def given(args: argparse.Namespace) -> list[Given]:
    """The files of a command that takes several; standard input is read once, however often it is named."""
    standard_input = Given(STANDARD_INPUT, args)
    return [standard_input if path == STANDARD_INPUT else Given(path, args) for path in args.files]

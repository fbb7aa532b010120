"""argparse, with faults told as all others are, and with the near word for one that is not known."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


class Misused(Exception):
    """A call that the parser does not understand: what is wrong with it, and what to do."""


class Parser(argparse.ArgumentParser):
    """A parser that raises `Misused` where argparse prints its usage and ends the process."""

    def error(self, message: str) -> NoReturn:
        raise Misused(message, f"`{self.prog} --help` shows how it is used")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self._refuse(rest)
        return found, rest

    def _refuse(self, rest: Sequence[str]) -> NoReturn:
        """Raise Misused for arguments that belong to nothing."""
        word = rest[0].partition("=")[0]
        if not word.startswith("-"):
            self.error(f"`{self.prog}` takes no argument `{rest[0]}` here")
        listed = f"`{self.prog} --help` lists the options"
        raise Misused(
            f"`{self.prog}` has no option `{word}`", _with_near(word, self._option_string_actions, listed)
        ) from None

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # argparse would list all choices, and leave it to the reader to see which one is near.
        if action.choices is None or value in action.choices:
            return
        choices = list(map(str, action.choices))
        if isinstance(action, argparse._SubParsersAction):
            raise Misused(
                f"there is no command `{value}`", _with_near(value, choices, "`netsor --help` lists the commands")
            )
        name = f"`{'/'.join(action.option_strings) or action.dest}`"
        listed = f"the choices are {', '.join(f'`{c}`' for c in choices)}"
        raise Misused(f"{name} cannot be `{value}`", _with_near(str(value), choices, listed))

    def _print_message(self, message: str, file: Any = None) -> None:
        # argparse would keep silent where its help cannot be written, on a full disk, say.
        if message and file is not None:
            file.write(message)


def _with_near(word: str, known: Iterable[str], otherwise: str) -> str:
    """The hint of a word that is not known: the nearest one that is, and where all of them are listed."""
    from difflib import get_close_matches  # a call without faults starts faster

    near = get_close_matches(word, list(known), 1, 0.6)
    return f"did you mean `{near[0]}`? {otherwise}" if near else otherwise

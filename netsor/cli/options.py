"""Options that several commands share."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import ExitStack
from decimal import Decimal, InvalidOperation

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import files

# A number of more digits is a slip, and would take its time to be written out.
_MOST_DIGITS = 400


def add_file(parser: argparse.ArgumentParser, several: bool = False, standard_input: bool = False) -> None:
    """The argument FILE; with `standard_input` it may be `-`, and `--stdin-filename` says what messages call that."""
    parser.add_argument(
        "files" if several else "file",
        nargs="+" if several else None,
        metavar="FILE",
        help="a .netsor file" + (", or - for standard input" if standard_input else ""),
    )
    if standard_input:
        parser.add_argument("--stdin-filename", metavar="NAME", help="the name of standard input in messages")


def add_values(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="give a `param` of the program another value"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="give a `data` line its numbers (.npy, .csv, .json)",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def add_workers(parser: argparse.ArgumentParser, with_: str = "") -> None:
    """Who does the work: processes of this machine, or a cluster."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--jobs", type=positive_whole_number, metavar="N", help=f"{with_}processes on this machine (1: none but this)"
    )
    where.add_argument(
        "--dask", metavar="ADDRESS", help=f"{with_}run on a cluster: tcp://scheduler:8786 (extra `dask`)"
    )


def open_workers(args: argparse.Namespace, stack: ExitStack) -> Executor | None:
    """The executor that `add_workers` lets the user choose; None stands for this process alone."""
    from netsor.finite import executors

    if args.dask:
        return stack.enter_context(executors.cluster(args.dask))
    if args.jobs == 1:
        return None
    return stack.enter_context(executors.processes(args.jobs))


def refuse_unused(args: argparse.Namespace, names: Sequence[str], why: str) -> None:
    """E010 for the options among these (with None, False or nothing for absent) that were given and do nothing."""
    values = {name: getattr(args, name) for name in names}
    given = [f"--{k.replace('_', '-')}" for k, v in values.items() if v is not None and v is not False and v != []]
    if given:
        raise NetsorError(files.does_nothing(given, why))


def fill_in(args: argparse.Namespace, **defaults: object) -> None:
    """Give options that are absent their defaults, once it is known which were given."""
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def seed_number(text: str) -> int:
    """A seed; streams of draws are told apart by 64 bits of it."""
    value = whole_number(text)
    if not 0 <= value < 2**64:
        raise argparse.ArgumentTypeError(f"`{text}` is not a seed: seeds go from 0 to 2^64 − 1")
    return value


def whole_number(text: str) -> int:
    """An integer, also written 1e6 or 10_000."""
    try:
        # Decimal holds 1e30 as it is written; a float would make it 1000000000000000019884624838656.
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number") from None
    if value.is_finite() and value.adjusted() > _MOST_DIGITS:
        raise argparse.ArgumentTypeError(f"`{text}` is far beyond anything that can be run")
    if not value.is_finite() or value != value.to_integral_value():
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number")
    return int(value)


def positive_number(text: str) -> float:
    """A number above zero."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"`{text}` is not a positive number")
    return value


def seconds(text: str) -> float:
    """A time in seconds above zero; `inf` for no end."""
    return float("inf") if text in ("inf", "none") else positive_number(text)


def positive_whole_number(text: str) -> int:
    """An integer of at least 1."""
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not at least 1")
    return value


def widths_of(text: str) -> list[int]:
    """`A..B` as half decades from A to B, both included; or a list with commas."""
    low, dots, high = text.partition("..")
    if not dots:
        return list(dict.fromkeys(whole_number(part) for part in re.split(r"[,\s]+", text.strip())))
    first, last = positive_whole_number(low), positive_whole_number(high)
    if last < first:
        raise argparse.ArgumentTypeError(f"`{text}` ends before it starts")
    try:
        ratio = last / first
        count = max(1, round(2 * math.log10(ratio)))
        return sorted({round(first * ratio ** (k / count)) for k in range(count + 1)})
    except OverflowError:
        raise argparse.ArgumentTypeError(f"`{text}` is far beyond anything that can be run") from None


def widths_text(widths: Sequence[int]) -> str:
    """Widths for a title or a progress line: `width 100`, or `widths 100, 1000`."""
    return f"width{'s' * (len(widths) > 1)} {', '.join(map(str, widths))}"


def add_width(parser: argparse.ArgumentParser, help: str) -> None:
    """The option --width: one width, a list or a range, as a list in `args.width`."""
    parser.add_argument("--width", type=widths_of, metavar="N", help=f"{help}; also 100,400,1600 and 1e2..1e5")

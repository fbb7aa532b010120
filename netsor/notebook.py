"""The cell magic `%%netsor`, loaded by `%load_ext netsor.notebook`, which shows a program with its limits."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from netsor.api import Document, loads
from netsor.diagnostics import NetsorError

PARTS = ("drawing", "listing", "checks", "limits", "convergence", "laws", "derivation")


class UsageError(Exception):
    """Options of the magic that cannot be used."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `%netsor --help` shows how it is used")


def _parser() -> argparse.ArgumentParser:
    from netsor.cli.options import add_values, positive_number, positive_whole_number, whole_number

    p = _Parser(prog="%%netsor", description="Check the program of this cell and show it with its limits.")
    p.add_argument("-r", "--result", metavar="NAME", help="keep the document in this variable")
    p.add_argument("--show", default="", metavar="PARTS", help=f"only some of {', '.join(PARTS)}, with commas")
    p.add_argument("--width", type=whole_number, default=0, metavar="N", help="run at width N and below (no runs)")
    p.add_argument("--seeds", type=positive_whole_number, default=8, metavar="K", help="how many draws (8)")
    p.add_argument("--seed", type=whole_number, default=0, metavar="S", help="the stream of draws (0)")
    p.add_argument("--vectors", action="append", default=[], metavar="x,y", help="vectors whose law is shown")
    p.add_argument("--tol", type=positive_number, default=1e-8, metavar="T", help="error wanted of a limit (1e-8)")
    p.add_argument("--budget", type=positive_number, default=60.0, metavar="SECONDS", help="time for the limits (60)")
    p.add_argument("--theme", choices=("auto", "light", "dark"), default="auto", help="colours")
    add_values(p)
    return p


class Page:
    """What a notebook shows: HTML, or in a terminal the listing and the limits."""

    def __init__(self, html: str, text: str):
        self.html, self.text = html, text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def show(line: str, cell: str) -> tuple[Page, str | None, Document | None]:
    """The page for a cell with the options `line`, the variable to keep the document in, and the document.

    The document is None where the text has errors; the page then holds the diagnostics.
    """
    args = _parser().parse_args(shlex.split(line))
    wanted = tuple(p.strip() for p in args.show.split(",") if p.strip())
    for part in wanted:
        if part not in PARTS:
            raise UsageError(f"there is no part `{part}`; they are {', '.join(PARTS)}")
    from netsor.diagnostics.render import render
    from netsor.report import collect, fragment
    from netsor.report.views import diagnostics_html
    from netsor.show.writing import split_names

    try:
        document = loads(cell, "<cell>", args.set, args.data)
        program = document.program
        material = collect(
            document.report,
            args.width or None,
            args.seeds,
            split_names(args.vectors),
            seed=args.seed,
            tol=args.tol,
            budget=args.budget,
        )
    except NetsorError as fault:
        text = "\n".join(render(d, colour=False, width=96) for d in fault.diagnostics)
        return Page(diagnostics_html(fault.diagnostics), text), None, None
    text = document.listing()
    if material.limit is not None:
        text += "\n" + "\n".join(_limit_text(k, v) for k, v in material.limit.outputs.items())
    return Page(fragment(material, args.theme, wanted), text or program.name), args.result, document


def _limit_text(name: str, limit: Any) -> str:
    from netsor.show.numbers import error_text, value_text

    if limit.value is None:
        return f"the limit of {name} was not computed" if limit.method == "unknown" else f"{name} has no limit"
    return f"{name} → {value_text(limit.value, limit.error)} ± {error_text(limit.error or 0.0)}"


def load_ipython_extension(shell: Any) -> None:
    """Register `%%netsor`; called by `%load_ext netsor.notebook`."""

    def netsor(line: str, cell: str | None = None) -> Page | None:
        """Check the program of this cell and show it with its limits; `%netsor --help` lists the options."""
        try:
            if cell is None:
                # IPython runs a cell magic only with a body, so `--help` has to work as a line magic.
                _parser().parse_args(shlex.split(line))
                raise UsageError("the program stands in the cell, below a first line `%%netsor`")
            page, name, document = show(line, cell)
        except UsageError as fault:
            from IPython.core.error import UsageError as Told

            raise Told(str(fault)) from None
        except SystemExit:
            # argparse exits after it has printed the help.
            return None
        if name:
            shell.push({name: document})
        return page

    shell.register_magic_function(netsor, magic_kind="line_cell", magic_name="netsor")

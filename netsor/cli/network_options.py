"""Options of the commands on networks: rows of inputs, targets, the training run."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from netsor.cli.options import positive_number, positive_whole_number, refuse_unused, seed_number, whole_number
from netsor.cli.output import report

if TYPE_CHECKING:
    from netsor.api import Document
    from netsor.runnable import Runnable


def add_rows(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument(
        "--inputs", action="append", required=required, metavar="X",
        help="rows of inputs of shape (N, d) or (N, T, d), in .npy, .npz, .csv, .parquet or .json; "
        "NAME=X for each of several inputs",
    )  # fmt: skip


def program_of(document: Document, args: argparse.Namespace) -> Runnable:
    """The program that a command works on: the text's own, or that of a network on the rows of `--inputs`.

    Raises NetsorError for a network without rows (E610), and for rows of a program, which has none (E010).
    """
    if document.program.kind != "network":
        refuse_unused(args, ("inputs",), "for a program; its `data` lines are given by `--data`")
        return document
    if args.inputs is None:
        document.evaluable()
    made = document.on(read_rows(args.inputs, "--inputs"))
    report(made.diagnostics)
    return made


def legend_of(subject: Runnable) -> str:
    """What the names in the program of a network mean, as lines below a title; nothing for other programs."""
    from netsor.cli.tables import paragraph
    from netsor.networks import Derived

    return "".join(f"\n{paragraph(line)}" for line in subject.legend) if isinstance(subject, Derived) else ""


def add_training(parser: argparse.ArgumentParser) -> None:
    add_rows(parser, required=True)
    parser.add_argument("--targets", required=True, metavar="Y", help="targets of shape (N,) or (N, outputs)")
    parser.add_argument("--test", action="append", metavar="XT", help="rows to report on beside the training rows")
    parser.add_argument("--steps", type=whole_number, required=True, metavar="T", help="how many steps of SGD")
    parser.add_argument(
        "--order", type=row_list, metavar="1,2,…", help="the rows in the order in which steps take them (in turn)"
    )
    parser.add_argument(
        "--batch", type=positive_whole_number, default=1, metavar="B", help="rows in a step, averaged (1)"
    )
    parser.add_argument("--lr", type=number, default=1.0, metavar="η", help="the learning rate (1)")
    parser.add_argument(
        "--loss", metavar="EXPR",
        help="the loss of a row, an expression in f and y ((f - y)^2/2), or mse, logistic, hinge, cross_entropy",
    )  # fmt: skip
    parser.add_argument(
        "--f0", default="zero", metavar="F0",
        help="outputs at step 0, training rows first: zero (default), numbers 0.1,-0.2,…, a file, gaussian, or network",
    )  # fmt: skip
    parser.add_argument(
        "--seed",
        type=seed_number,
        metavar="S",
        help="the seed of draws, those of `--f0 gaussian` included (0)",
    )


def number(text: str) -> float:
    """Any number; what is not a rate is refused where it is used."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number") from None


def row_list(text: str) -> list[int]:
    """Rows separated by commas."""
    try:
        return [int(x) for x in text.replace(" ", "").split(",") if x]
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not a list of rows such as 1,3,2") from None


def read_rows(items: list[str] | None, option: str) -> Any:
    """The rows of `--inputs X` as an array, or by input where it is given as NAME=X; None if it was not given."""
    from netsor.inputs import normalised
    from netsor.tables import read_table

    if not items:
        return None
    if len(items) == 1 and "=" not in items[0].split("/")[-1]:
        return read_table(items[0], option).values
    out = {}
    for item in items:
        name, equals, path = item.partition("=")
        if not equals:
            from netsor.diagnostics import NetsorError
            from netsor.diagnostics.catalogue import files

            raise NetsorError(files.names_no_input(option, item))
        out[normalised(name)] = read_table(path, f"{option} {name}").values
    return out


def read_start(text: str) -> Any:
    """`--f0`: a word, numbers separated by commas, or a file."""
    from netsor.inputs import read_array

    if text in ("zero", "gaussian", "network"):
        return text
    try:
        return [float(x) for x in text.strip("[]").split(",")]
    except ValueError:
        return read_array(text, "--f0")[0] if text.rpartition(".")[2] in ("npy", "csv", "json") else text


def refuse_unused_seed(args: argparse.Namespace, why: str) -> None:
    """E010 for a seed where nothing is drawn."""
    if args.f0 != "gaussian":
        refuse_unused(args, ("seed",), why)


def training_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """What `sgd` and `train` of a document take."""
    from netsor.inputs import read_array

    return {
        "inputs": read_rows(args.inputs, "--inputs"), "targets": read_array(args.targets, "--targets")[0],
        "test": read_rows(args.test, "--test"), "steps": args.steps, "order": args.order, "batch": args.batch,
        "lr": args.lr, "loss": args.loss, "f0": read_start(args.f0), "seed": args.seed,
    }  # fmt: skip


def add_tolerance(parser: argparse.ArgumentParser, default: float) -> None:
    parser.add_argument("--tol", type=positive_number, metavar="T", help=f"error wanted of a limit ({default:g})")

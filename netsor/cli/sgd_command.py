"""`netsor sgd`: T steps of SGD as a program."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netsor.cli.network_options import add_training, refuse_unused_seed, training_arguments
from netsor.cli.options import add_file, add_values, fill_in
from netsor.cli.output import report


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "sgd",
        help="print T steps of SGD on a network as one program",
        epilog="example: netsor sgd mlp.netsor --inputs X.npy --targets y.npy --steps 2 > steps.netsor",
    )
    add_file(parser)
    add_training(parser)
    add_values(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load

    refuse_unused_seed(args, "without `--f0 gaussian`")
    fill_in(args, seed=0)
    document = load(args.file, args.set, args.data)
    derived = document.sgd(**training_arguments(args))
    report(document.report.diagnostics)
    sys.stdout.write(derived.listing())
    return 0

"""`netsor train`: T steps of SGD in the limit, by kernel gradient descent, and at a width."""

from __future__ import annotations

import argparse
from typing import Any

from netsor.cli.eval_command import Progress
from netsor.cli.network_options import add_tolerance, add_training, refuse_unused_seed, training_arguments
from netsor.cli.options import (
    add_file,
    add_json,
    add_values,
    fill_in,
    positive_number,
    positive_whole_number,
    refuse_unused,
    whole_number,
)
from netsor.cli.output import error_text, exit_status, print_json, report, report_warnings, value_text
from netsor.cli.tables import table

_ROUNDING = 1e-12


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        help="train a network: the limit of its SGD, kernel gradient descent, and networks of a width",
        epilog="example: netsor train mlp.netsor --inputs X.npy --targets y.npy --steps 10 --width 1000",
    )
    add_file(parser)
    add_training(parser)
    parser.add_argument(
        "--limit",
        action="store_true",
        help="the limit of the unrolled program, and kernel gradient descent (the default without --width)",
    )
    parser.add_argument("--width", type=whole_number, metavar="N", help="train networks of width N")
    parser.add_argument("--seeds", type=positive_whole_number, metavar="K", help="how many networks to draw (1)")
    add_tolerance(parser, 1e-9)
    parser.add_argument("--budget", type=positive_number, metavar="SECONDS", help="time for the limits (no bound)")
    add_values(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load

    if args.width is None:
        refuse_unused(args, ("seeds",), "without `--width`")
        refuse_unused_seed(args, "without `--width`")
    elif not args.limit:
        refuse_unused(args, ("tol", "budget"), "with `--width` and without `--limit`")
    fill_in(args, seeds=1, seed=0, tol=1e-9)
    document = load(args.file, args.set, args.data)
    report_warnings(document)
    arguments = training_arguments(args)
    with Progress("training") as progress:
        found = document.train(
            **arguments,
            limit=args.limit or args.width is None,
            width=args.width,
            seeds=args.seeds,
            tol=args.tol,
            budget=args.budget,
            progress=progress,
        )
    report(found.diagnostics)
    status = exit_status(found.diagnostics)
    if args.json:
        from netsor.diagnostics.render import to_json

        result = found.as_dict()
        if status:
            result = {"ok": False, **result, "diagnostics": [to_json(d) for d in found.diagnostics]}
        print_json(result)
    else:
        print(_text(found))
    return status


def _text(found: Any) -> str:
    heading = ["step", "row"]
    if found.outputs > 1:
        heading.append("output")
    if found.program is not None:
        heading += ["limit", "± at most", "kernel descent"]
    if found.finite is not None:
        k = len(found.finite.values)
        heading += [f"width {found.finite.width} ({'1 seed' if k == 1 else f'{k} seeds'})"] + (
            ["± stderr"] if k > 1 else []
        )
        if found.program is not None:
            heading.append("width − limit")
    rows = [heading]
    some = found.program if found.program is not None else found.finite.mean
    for t in range(found.steps + 1):
        for r in range(some.shape[1]):
            for a in range(found.outputs):
                rows.append(_row(found, t, r, a))  # noqa: PERF401
    out = [f"{found.network}: f after each step of SGD", table(rows, right=(True, False) + (True,) * 9)]
    if (difference := found.difference()) is not None:
        out.append(f"  largest |limit − kernel descent|: {difference:.1e}")
    return "\n".join(out)


def _row(found: Any, t: int, r: int, a: int) -> list[str]:
    row = [str(t), f"train {r + 1}" if r < found.training else f"test {r + 1 - found.training}"]
    if found.outputs > 1:
        row.append(str(a + 1))
    at = (t, r, a)
    if found.program is not None:
        value, error = found.program[at], found.error[at]
        exists = value == value
        row += [
            value_text(value, max(error, 1e-11)) if exists else found.missing[at],
            error_text(error) if exists else "",
            f"{found.kernel[at]:.10g}",
        ]
    if found.finite is not None:
        mean, stderr = found.finite.mean[at], found.finite.stderr
        # Runs start where they are told up to rounding, which is no spread.
        spread = 0.0 if stderr is None or stderr[at] < _ROUNDING * max(1.0, abs(mean)) else stderr[at]
        row.append(value_text(mean, spread / 10) if spread else f"{mean:.6g}")
        if stderr is not None:
            row.append(error_text(spread))
        if found.program is not None:
            gap = mean - found.program[at]
            row.append(f"{gap:+.1e}" if abs(gap) > _ROUNDING * max(1.0, abs(mean)) else "0")
    return row

"""`netsor train`: T steps of SGD in the limit, by kernel gradient descent, and at a width."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from netsor.cli.budgets import within
from netsor.cli.matrices import matrix
from netsor.cli.network_options import add_tolerance, add_training, refuse_unused_seed, training_arguments
from netsor.cli.options import (
    add_file,
    add_json,
    add_values,
    add_width,
    fill_in,
    positive_whole_number,
    refuse_unused,
    seconds,
)
from netsor.cli.output import error_text, exit_status, print_json, report, report_warnings, value_text
from netsor.cli.progress import Progress
from netsor.cli.streams import Interruptible, interrupted_status, tell
from netsor.cli.tables import paragraph
from netsor.cli.wide_run import repeated, with_wide_run
from netsor.deadline import ends
from netsor.diagnostics import Diagnostic, NetsorError

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
    add_width(parser, "train networks of width N")
    parser.add_argument("--seeds", type=positive_whole_number, metavar="K", help="how many networks to draw (1)")
    add_tolerance(parser, 1e-9)
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help="time for the limits (no bound)")
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
    end = ends(args.budget)
    document = load(args.file, args.set, args.data)
    report_warnings(document)
    arguments = training_arguments(args)
    try:
        with (
            Interruptible() as block,
            Progress("training", args.budget) as progress,
            within(end, f"the training of `{args.file}`"),
        ):
            found = document.train(
                **arguments,
                limit=args.limit or args.width is None,
                width=args.width,
                seeds=args.seeds,
                tol=args.tol,
                budget=args.budget,
                progress=progress,
            )
    except NetsorError as fault:
        raise NetsorError(_offered(args, document, arguments, fault.diagnostics)) from None
    said = _offered(args, document, arguments, found.diagnostics)
    report(said)
    interrupted = block.interrupted or found.interrupted
    status = exit_status(said)
    if args.json:
        from netsor.diagnostics.render import to_json

        result = found.as_dict()
        if status:
            result = {"ok": False, **result, "diagnostics": [to_json(d) for d in said]}
        if interrupted:
            result["interrupted"] = True
        print_json(result)
    else:
        print(_text(found))
    if interrupted:
        tell("interrupted: the numbers are those that were known by then")
        return interrupted_status()
    return status


def _offered(
    args: argparse.Namespace, document: Any, arguments: dict[str, Any], said: Iterable[Diagnostic]
) -> list[Diagnostic]:
    """The diagnostics of the limit, with networks of a large width where integrals were not enough."""
    if args.width is not None:
        return list(said)
    from netsor.finite.affordable import Affordable
    from netsor.kernels.empirical import infer_kernel_width

    def infer() -> Affordable | None:
        # A step takes about as long as the kernels of its rows do.
        one = infer_kernel_width(document.program, arguments["inputs"], arguments["test"])
        return one.shared(args.steps) if one is not None else None

    given = {
        "--targets": args.targets, "--steps": args.steps, "--batch": args.batch, "--lr": args.lr, "--loss": args.loss,
        "--order": ",".join(map(str, args.order or ())) or None, "--f0": args.f0,
    }  # fmt: skip
    usual = {"--batch": 1, "--lr": 1.0, "--f0": "zero"}
    command = ["netsor", "train", args.file, *repeated("--inputs", args.inputs), *repeated("--test", args.test)]
    for option, value in given.items():
        if value is not None and value != usual.get(option):
            command += [option, f"{value:g}" if isinstance(value, float) else str(value)]
    command += [*repeated("--set", args.set), *repeated("--data", args.data)]
    return with_wide_run(said, command, infer)


def _text(found: Any) -> str:
    """f of every row after every step, and the mean loss of the training rows: the limit, and runs at a width."""
    import numpy as np

    out = [f"{found.network}: f after each step of SGD"]
    if found.program is not None:
        worst = float(np.nanmax(found.error, initial=0.0))
        if np.isnan(found.program).all():
            out.append("limit: not computed")
        else:
            limits = _table(found, found.program, found.error, 1e-11, found.losses["program"])
            out += [f"limit (± {error_text(worst)})", limits]
        difference = found.difference()
        if difference is not None and not found.missing and difference <= max(1e-9, 10 * worst):
            said = f"kernel gradient descent: the same, |limit − kernel descent| ≤ {difference:.1e}"
            out.append(paragraph(said, ""))
        else:
            out += ["kernel gradient descent", _table(found, found.kernel, None, 1e-11, found.losses["kernel"])]
            if difference is not None:
                out.append(f"  largest |limit − kernel descent|: {difference:.1e}")
    for runs in found.runs:
        k, mean, stderr = len(runs.values), runs.mean, runs.stderr
        spread = "" if stderr is None else f", ± {error_text(float(stderr.max(initial=0.0)))} stderr at most"
        out.append(paragraph(f"width {runs.width} ({'1 seed' if k == 1 else f'{k} seeds'}{spread})", ""))
        out.append(_table(found, mean, None if stderr is None else stderr / 30, 1e-6, runs.loss))
        if found.program is not None and (apart := _distance(mean - found.program, stderr)):
            out.append(paragraph(apart))
    return "\n".join(out)


def _distance(gap: Any, stderr: Any) -> str:
    """How far means over networks are from the limits that are known; '' where none is."""
    import numpy as np

    known = ~np.isnan(gap)
    if not known.any():
        return ""
    # Runs start where they are told up to rounding, which says nothing of a spread.
    spread = None if stderr is None else known & (stderr > _ROUNDING)
    beside = ""
    if spread is not None and spread.any():
        beside = f", {(np.abs(gap[spread]) / stderr[spread]).max():.1f} standard errors at most"
    return f"largest |width − limit|: {np.abs(gap[known]).max():.1e}{beside}"


def _table(found: Any, f: Any, error: Any, floor: float, loss: Any) -> str:
    """Steps downwards, rows of data (and their outputs) across, the loss at the end."""
    places = [(r, a) for r in range(f.shape[1]) for a in range(found.outputs)]
    names = [
        (f"train {r + 1}" if r < found.training else f"test {r + 1 - found.training}")
        + (f" ({a + 1})" if found.outputs > 1 else "")
        for r, a in places
    ]
    rows = []
    for t in range(found.steps + 1):
        cells = []
        for r, a in places:
            value = float(f[t, r, a])
            bound = floor if error is None else max(float(error[t, r, a]), floor)
            exists = value == value
            cells.append(value_text(value, bound) if exists else found.missing.get((t, r, a), "no value"))
        rows.append((str(t), cells))
    losses = [_loss(float(x)) for x in loss]
    return matrix("step", names, rows, last=["loss", *losses])


def _loss(value: float) -> str:
    return f"{value:.6g}" if value == value else "no value"

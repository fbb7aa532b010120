"""`netsor ntk`: the NNGP and the tangent kernel of a network on rows of inputs."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from netsor.cli.budgets import within
from netsor.cli.eval_command import cut
from netsor.cli.kernel_text import compared, kernel_text
from netsor.cli.network_options import add_rows, add_tolerance, read_rows
from netsor.cli.options import (
    add_file,
    add_json,
    add_values,
    add_workers,
    fill_in,
    open_workers,
    positive_whole_number,
    refuse_unused,
    seconds,
    seed_number,
    whole_number,
)
from netsor.cli.output import error_text, exit_status, print_json, report, report_warnings
from netsor.cli.progress import Progress, span
from netsor.cli.streams import Interruptible, interrupted_status, tell
from netsor.cli.tables import paragraph, table
from netsor.cli.wide_run import repeated, with_wide_run
from netsor.deadline import End, ends
from netsor.diagnostics import Diagnostic, NetsorError

# Seconds for the limits, unless told: long enough for what quadrature settles, short enough to hear from the rest.
_BUDGET = 300.0


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "ntk",
        help="kernels of a network at infinite width (NNGP and NTK), or at a width",
        epilog="examples: netsor ntk programs/networks/mlp_relu.netsor --inputs X.npy --by-parameter; "
        "netsor ntk steps.netsor --inputs X.npy --nngp",
    )
    add_file(parser)
    add_rows(parser, required=True)
    parser.add_argument(
        "--inputs2", action="append", metavar="Y", help="rows of the second argument (the same as --inputs)"
    )
    parser.add_argument(
        "--nngp",
        action="store_true",
        help="the NNGP kernel alone, from the forward pass alone: nonlinearities need no derivative",
    )
    parser.add_argument(
        "--method",
        choices=("backward", "paths"),
        default="backward",
        help="MOMENTs of the backward program (default), or the sum over isomorphic paths (Eq. 96)",
    )
    parser.add_argument("--limit", action="store_true", help="the kernels of the limit (the default without --width)")
    parser.add_argument("--width", type=whole_number, metavar="N", help="the empirical kernels at width N")
    parser.add_argument("--seeds", type=positive_whole_number, metavar="K", help="how many networks to draw (1)")
    parser.add_argument("--seed", type=seed_number, metavar="S", help="the seed of the draws (0)")
    parser.add_argument("--by-parameter", action="store_true", help="what each trained parameter adds to the NTK")
    parser.add_argument("--explain", action="store_true", help="show each expectation that was taken, and by what rule")
    parser.add_argument("--paths", action="store_true", help="what each isomorphism class of paths adds to the NTK")
    parser.add_argument(
        "--out", metavar="PREFIX", type=_prefix,
        help="write PREFIX.nngp.npy and PREFIX.ntk.npy tile by tile: for kernels that are too large for memory",
    )  # fmt: skip
    parser.add_argument(
        "--tile", type=positive_whole_number, metavar="T", help="with --out, the rows and columns of a tile (1000)"
    )
    parser.add_argument("--resume", action="store_true", help="with --out, go on where an interrupted call stopped")
    add_workers(parser, "with --out, ")
    add_tolerance(parser, 1e-10)
    parser.add_argument("--budget", type=seconds, metavar="SECONDS", help="time for the limits (300); inf for no bound")
    parser.add_argument("--plot", metavar="FILE", help="the kernels as heat maps: .svg, .pdf or .png")
    add_values(parser)
    add_json(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load

    with_limit = args.limit or args.width is None
    budget = _BUDGET if args.budget is None else args.budget
    # Kernels in files take the time that they need, unless told.
    bounded = with_limit and math.isfinite(budget) and (args.out is None or args.budget is not None)
    end = ends(budget if bounded else None)
    with within(end, f"the network of `{args.file}`"):
        document = load(args.file, args.set, args.data)
    report_warnings(document)
    inputs, inputs2 = read_rows(args.inputs, "--inputs"), read_rows(args.inputs2, "--inputs2")
    if not with_limit and (args.paths or args.method == "paths"):
        args.refuse("paths belong to the limit, and --width asks for kernels at a width; add --limit")
    if args.nngp and (args.paths or args.by_parameter or args.method == "paths"):
        args.refuse("--nngp asks for the NNGP kernel alone; --method, --by-parameter and --paths are of the NTK")
    if args.explain and not with_limit:
        args.refuse("--explain shows the expectations of the limit, and --width asks for a width; add --limit")
    if args.width is None:
        refuse_unused(args, ("seeds", "seed"), "without `--width`")
    elif not with_limit:
        refuse_unused(args, ("tol", "budget"), "with `--width`, which asks for kernels at a width")
    if args.plot is not None:
        verify_heatmap(args.plot)
    if args.out is not None:
        refuse_unused(args, ("limit", "plot"), "with `--out`, which writes the kernels of the limit to files")
        fill_in(args, seeds=1, seed=0, tol=1e-10)
        return _write(args, document, inputs, inputs2, end)
    fill_in(args, seeds=1, seed=0, tol=1e-10, budget=_BUDGET)
    refuse_unused(args, ("tile", "resume", "jobs", "dask"), "without `--out`, which writes kernels to files")
    limit: Any = None
    drawn: Any = None
    block = Interruptible()
    if with_limit:
        limit = _limit(args, document, inputs, inputs2, block, end)
    if args.width is not None and not block.interrupted:
        with Progress(f"kernels at width {args.width}") as progress:
            many = {"width": args.width, "seeds": args.seeds, "seed": args.seed, "progress": progress}
            if args.nngp:
                drawn = document.nngp(inputs, inputs2, **many)
            else:
                drawn = document.ntk(inputs, inputs2, by_parameter=args.by_parameter, **many)
    said = list(dict.fromkeys(d for found in (limit, drawn) if found is not None for d in found.diagnostics))
    if args.width is None and not block.interrupted:
        said = _offered(args, document, inputs, inputs2, said)
    report(said)
    result, status = _as_dict(limit, drawn), exit_status(said)
    interrupted = block.interrupted or (drawn is not None and drawn.seeds < args.seeds)
    if interrupted:
        result["interrupted"] = True
    if args.explain:
        result["expectations"] = [t.as_dict() for t in limit.expectations]
    if args.json:
        if status:
            from netsor.diagnostics.render import to_json

            result = {"ok": False, **result, "diagnostics": [to_json(d) for d in said]}
        print_json(result)
    else:
        print(_text(document.program.name, limit, drawn))
        if args.explain:
            print(_explained(result["expectations"]))
    if args.plot is not None:
        _plot(args.plot, document.program.name, limit if limit is not None else drawn)
    if interrupted:
        after = "" if drawn is None else f" after {drawn.seeds} of {args.seeds} seeds"
        tell(f"interrupted{after or ': the bounds are those that were reached by then'}")
        return interrupted_status()
    return status


def _prefix(text: str) -> str:
    """The beginning of the names of files."""
    if not text or text[-1] in "/\\" or Path(text).name in ("", ".."):
        raise argparse.ArgumentTypeError(
            f"`{text}` names no file; give the beginning of names, such as `{Path(text) / 'K'}`"
        )
    return text


def _limit(
    args: argparse.Namespace, document: Any, inputs: Any, inputs2: Any, block: Interruptible, end: End | None
) -> Any:
    """The kernels of the limit, within the budget."""
    budget = None if math.isinf(args.budget) else args.budget
    wanted = {"tol": args.tol, "budget": budget}
    try:
        with block, Progress("kernels", budget) as progress, within(end, "the kernels"):
            wanted["progress"] = progress
            if args.nngp:
                return document.nngp(inputs, inputs2, **wanted)
            return document.ntk(
                inputs, inputs2, method=args.method, by_parameter=args.by_parameter, classes=args.paths, **wanted
            )
    except NetsorError as fault:
        raise NetsorError(_offered(args, document, inputs, inputs2, fault.diagnostics)) from None


def _offered(
    args: argparse.Namespace, document: Any, inputs: Any, inputs2: Any, said: Iterable[Diagnostic]
) -> list[Diagnostic]:
    """The diagnostics of the limit, with a run at a large width where integrals were not enough."""
    from netsor.kernels.empirical import infer_kernel_width

    command = [
        "netsor", "ntk", args.file, *repeated("--inputs", args.inputs), *repeated("--inputs2", args.inputs2),
        *repeated("--set", args.set), *repeated("--data", args.data), *(["--nngp"] if args.nngp else []),
    ]  # fmt: skip
    return with_wide_run(said, command, lambda: infer_kernel_width(document.program, inputs, inputs2, args.nngp))


def verify_heatmap(path: str) -> None:
    """Before anything long is computed: a picture of this name can be written."""
    from netsor.show.drawing.convert import verify_converter
    from netsor.show.writing import suffix_of, verify_writable

    verify_converter(suffix_of(path, ("svg", "pdf", "png")))
    verify_writable(path)


def _plot(path: str, name: str, found: Any) -> None:
    """The kernels as heat maps in a file."""
    from netsor.show.heatmap import draw_heatmaps
    from netsor.show.writing import write

    kernels = {title: getattr(kernel, "value", None) for title, kernel, _ in _kernels(found)}
    means = {title: kernel.mean for title, kernel, _ in _kernels(found) if hasattr(kernel, "mean")}
    write(path, draw_heatmaps({**kernels, **means}, path, name))


def _write(args: argparse.Namespace, document: Any, inputs: Any, inputs2: Any, end: End | None) -> int:
    """Kernels into files, tile by tile."""
    import sys

    from netsor.kernels.tiled import TILE, Estimate, write_kernels

    others = {"--width": args.width is not None, "--paths": args.paths, "--by-parameter": args.by_parameter}
    others |= {"--explain": args.explain, "--method paths": args.method == "paths"}
    if clashing := [name for name, given in others.items() if given]:
        args.refuse(f"--out writes the kernels alone, and {clashing[0]} asks for more; leave one of them out")

    def before(e: Estimate) -> None:
        left = f"{e.left} of {e.tiles} tiles left, " if e.left < e.tiles else ""
        print(
            f"{document.program.name}: {e.rows:,} × {e.columns:,} entries, {left}{e.bytes / 1e9:.3g} GB in "
            f"{args.out}.*, about {span(e.seconds)} of one core's time",
            file=sys.stderr, flush=True,
        )  # fmt: skip

    with ExitStack() as stack:
        executor = open_workers(args, stack)
        written = write_kernels(
            document.program, inputs, inputs2, out=args.out, nngp=args.nngp, tile=args.tile or TILE,
            resume=args.resume, tol=args.tol, end=end, executor=executor, before=before,
            progress=stack.enter_context(Progress("kernels")),
        )  # fmt: skip
    said = _offered(args, document, inputs, inputs2, written.diagnostics)
    report(said)
    status = exit_status(said)
    if args.json:
        from netsor.diagnostics.render import to_json

        failed = {"ok": False, "diagnostics": [to_json(d) for d in said]} if status else {}
        print_json({**written.as_dict(), **failed})
    elif not status:
        for name, path in written.files.items():
            print(f"{path}: the {name.upper()} of {written.inputs:,} inputs (± {error_text(written.error[name])})")
    return status


def _text(name: str, limit: Any, drawn: Any) -> str:
    """The kernels of the limit or of drawn networks as matrices; where both were asked for, entry by entry."""
    inputs = (limit or drawn).inputs
    width = "" if drawn is None else f"width {drawn.width}, {drawn.seeds} seed{'s' * (drawn.seeds != 1)}, "
    title = f"{name}: {'limit, and ' if limit and drawn else ''}{width}{inputs} input{'s' * (inputs != 1)}"
    parts = [paragraph(title, "")]
    one = limit or drawn
    for title, kernel, get in _kernels(one):
        if limit is not None and drawn is not None:
            parts.append(compared(title, kernel, get(drawn), drawn.width))
        else:
            parts.append(kernel_text(title, kernel))
    if limit is not None and getattr(limit, "classes", None):
        parts.append(_shares(limit))
    return "\n".join(parts)


def _kernels(found: Any) -> list[tuple[str, Any, Any]]:
    """Title, kernel, and how to get the same kernel of another result."""
    out: list[tuple[str, Any, Any]] = []
    if found.nngp is not None:
        out.append(("NNGP", found.nngp, lambda other: other.nngp))
    if getattr(found, "ntk", None) is not None:
        out.append(("NTK", found.ntk, lambda other: other.ntk))
    for k, v in getattr(found, "by_parameter", {}).items():
        out.append((f"NTK of {k}", v, lambda other, k=k: other.by_parameter.get(k)))
    return out


def _shares(found: Any) -> str:
    """What each class of paths adds to the NTK, the largest share first."""
    rows = [["class of paths", "share of the NTK on input 1", "of it"]]
    total = float(found.ntk.value.flat[0])
    for key, kernel in sorted(found.classes.items(), key=lambda kv: -abs(kv[1].value.flat[0])):
        share = float(kernel.value.flat[0])
        rows.append([key, f"{share:.6g}", f"{share / total:.1%}" if total else ""])
    return table(rows, right=(False, True, True))


def _as_dict(limit: Any, drawn: Any) -> dict[str, Any]:
    """The result as JSON; with the limit and a width both, each kernel has the two side by side, as in `eval`."""
    if limit is None or drawn is None:
        found: dict[str, Any] = (limit or drawn).as_dict()
        return found
    out: dict[str, Any] = {**limit.as_dict(), "width": drawn.width, "seeds": drawn.seeds}
    at = {"width": drawn.width, "seeds": drawn.seeds}
    for key in ("nngp", "ntk"):
        exact, finite = getattr(limit, key, None), getattr(drawn, key, None)
        if key in out and exact is not None and finite is not None:
            out[key] = {"limit": exact.as_dict(), "finite": {**at, **finite.by_entry()}}
    if "by_parameter" in out:
        out["by_parameter"] = {
            k: {"limit": v.as_dict(), "finite": {**at, **drawn.by_parameter[k].by_entry()}}
            for k, v in limit.by_parameter.items() if k in drawn.by_parameter
        }  # fmt: skip
    return out


def _explained(taken: list[dict[str, Any]]) -> str:
    lines = ["expectations taken"]
    for t in taken:
        lines.append(paragraph(f"E[{cut(t['integrand'])}]"))
        ways = ", ".join(f"{name} ({count})" for name, count in t["ways"].items() if count)
        said = f"for each {t['over']}, ± {error_text(t['error'])}: {ways}".replace("for each all", "once")
        lines.append(paragraph(said, "      ", "        "))
    return "\n".join(lines)

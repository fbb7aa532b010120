"""`netsor ntk`: the NNGP and the tangent kernel of a network on rows of inputs."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from netsor.cli.eval_command import Progress, cut
from netsor.cli.network_options import add_rows, add_tolerance, read_rows
from netsor.cli.options import (
    add_file,
    add_json,
    add_values,
    fill_in,
    positive_number,
    positive_whole_number,
    refuse_unused,
    seed_number,
    whole_number,
)
from netsor.cli.output import error_text, exit_status, print_json, report, report_warnings, value_text
from netsor.cli.tables import table

_MOST_ROWS = 12


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
    parser.add_argument("--width", type=whole_number, metavar="N", help="the empirical kernels at width N")
    parser.add_argument("--seeds", type=positive_whole_number, metavar="K", help="how many networks to draw (1)")
    parser.add_argument("--seed", type=seed_number, metavar="S", help="the seed of the draws (0)")
    parser.add_argument("--by-parameter", action="store_true", help="what each trained parameter adds to the NTK")
    parser.add_argument("--explain", action="store_true", help="show each expectation that was taken, and by what rule")
    parser.add_argument("--paths", action="store_true", help="what each isomorphism class of paths adds to the NTK")
    parser.add_argument(
        "--out", metavar="PREFIX",
        help="write PREFIX.nngp.npy and PREFIX.ntk.npy tile by tile: for kernels that are too large for memory",
    )  # fmt: skip
    parser.add_argument(
        "--tile", type=positive_whole_number, metavar="T", help="with --out, the rows and columns of a tile (1000)"
    )
    parser.add_argument("--resume", action="store_true", help="with --out, go on where an interrupted call stopped")
    add_tolerance(parser, 1e-10)
    parser.add_argument("--budget", type=positive_number, metavar="SECONDS", help="time for the limits (no bound)")
    add_values(parser)
    add_json(parser)
    parser.set_defaults(run=run, refuse=parser.error)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load

    document = load(args.file, args.set, args.data)
    report_warnings(document)
    inputs, inputs2 = read_rows(args.inputs, "--inputs"), read_rows(args.inputs2, "--inputs2")
    if args.width is not None and (args.paths or args.method == "paths"):
        args.refuse("paths belong to the limit, and --width asks for kernels at a width; leave one of them out")
    if args.nngp and (args.paths or args.by_parameter or args.method == "paths"):
        args.refuse("--nngp asks for the NNGP kernel alone; --method, --by-parameter and --paths are of the NTK")
    if args.explain and args.width is not None:
        args.refuse("--explain shows the expectations of the limit, and --width asks for kernels at a width")
    if args.width is None:
        refuse_unused(args, ("seeds", "seed"), "without `--width`")
    else:
        refuse_unused(args, ("tol", "budget"), "with `--width`, which asks for kernels at a width")
    fill_in(args, seeds=1, seed=0, tol=1e-10)
    if args.out is not None:
        return _write(args, document, inputs, inputs2)
    refuse_unused(args, ("tile", "resume"), "without `--out`, which writes kernels to files")
    found: Any
    with Progress("kernels") as progress:
        if args.width is not None:
            drawn = {"width": args.width, "seeds": args.seeds, "seed": args.seed, "progress": progress}
            if args.nngp:
                found = document.nngp(inputs, inputs2, **drawn)
            else:
                found = document.ntk(inputs, inputs2, by_parameter=args.by_parameter, **drawn)
        else:
            wanted = {"tol": args.tol, "budget": args.budget, "progress": progress}
            if args.nngp:
                found = document.nngp(inputs, inputs2, **wanted)
            else:
                found = document.ntk(
                    inputs, inputs2, method=args.method, by_parameter=args.by_parameter, classes=args.paths, **wanted
                )
    report(found.diagnostics)
    result, status = found.as_dict(), exit_status(found.diagnostics)
    if args.explain:
        result["expectations"] = [asdict(t) for t in found.expectations]
    if args.json:
        if status:
            from netsor.diagnostics.render import to_json

            result = {"ok": False, **result, "diagnostics": [to_json(d) for d in found.diagnostics]}
        print_json(result)
    else:
        print(_text(document.program.name, result))
    return status


def _write(args: argparse.Namespace, document: Any, inputs: Any, inputs2: Any) -> int:
    """Kernels into files, tile by tile."""
    import sys

    from netsor.kernels.tiled import TILE, Estimate, duration, write_kernels

    others = {"--width": args.width is not None, "--paths": args.paths, "--by-parameter": args.by_parameter}
    others |= {"--explain": args.explain, "--method paths": args.method == "paths", "--budget": args.budget is not None}
    if clashing := [name for name, given in others.items() if given]:
        args.refuse(f"--out writes the kernels alone, and {clashing[0]} asks for more; leave one of them out")

    def before(e: Estimate) -> None:
        left = f"{e.left} of {e.tiles} tiles left, " if e.left < e.tiles else ""
        print(
            f"{document.program.name}: {e.rows:,} × {e.columns:,} entries, {left}{e.bytes / 1e9:.3g} GB in "
            f"{args.out}.*, about {duration(e.seconds)} on {e.workers} core{'s' * (e.workers > 1)}",
            file=sys.stderr, flush=True,
        )  # fmt: skip

    with Progress("kernels") as progress:
        written = write_kernels(
            document.program, inputs, inputs2, out=args.out, nngp=args.nngp, tile=args.tile or TILE,
            resume=args.resume, tol=args.tol, before=before, progress=progress,
        )  # fmt: skip
    report(written.diagnostics)
    if args.json:
        print_json(written.as_dict())
    else:
        for name, path in written.files.items():
            print(f"{path}: the {name.upper()} of {written.inputs:,} inputs (± {error_text(written.error[name])})")
    return exit_status(written.diagnostics)


def _text(name: str, result: dict[str, Any]) -> str:
    where = f"width {result['width']}, {result['seeds']} seeds, " if "width" in result else ""
    parts = [f"{name}: {where}{result['inputs']} inputs"]
    kernels = [("NNGP", result["nngp"]), ("NTK", result.get("ntk"))]
    kernels += [(f"NTK of {k}", v) for k, v in result.get("by_parameter", {}).items()]
    for title, kernel in kernels:
        if kernel is not None:
            parts.append(_kernel(title, kernel, "width" in result))
    if "paths" in result:
        rows = [["class of paths", "share of the NTK on input 1", "largest share"]]
        total = _first(result["ntk"]["value"])
        for key, kernel in sorted(result["paths"].items(), key=lambda kv: -abs(_first(kv[1]["value"]))):
            share = _first(kernel["value"])
            rows.append([key, f"{share:.6g}", f"{share / total:.1%}" if total else ""])
        rows[0][2] = "of it"
        parts.append(table(rows, right=(False, True, True)))
    if "expectations" in result:
        parts.append(_explained(result["expectations"]))
    return "\n".join(parts)


def _explained(taken: list[dict[str, Any]]) -> str:
    lines = ["expectations taken"]
    for t in taken:
        lines.append(f"  E[{cut(t['integrand'])}]")
        ways = ", ".join(f"{name} ({count})" for name, count in t["ways"].items() if count)
        lines.append(f"      for each {t['over']}, ± {error_text(t['error'])}: {ways}".replace("for each all", "once"))
    return "\n".join(lines)


def _first(value: Any) -> float:
    while isinstance(value, list):
        value = value[0]
    return float(value)


def _kernel(title: str, kernel: dict[str, Any], empirical: bool) -> str:
    value, error = kernel["value"], kernel["error"]
    if error is None:
        head = f"{title} (one seed)"
    else:
        head = f"{title} (± {error_text(error)}{' stderr' if empirical else ''})"
    several = bool(value) and bool(value[0]) and isinstance(value[0][0], list)
    digits = error if empirical or error is None else max(error, 1e-9)
    rows = [["", *(str(j + 1) for j in range(min(len(value[0]) if value else 0, _MOST_ROWS)))]]
    for i, row in enumerate(value[:_MOST_ROWS]):
        for a in range(len(row[0]) if several else 1):
            label = f"{i + 1}" + (f" ({a + 1})" if several else "")
            cells = []
            for x in row[:_MOST_ROWS]:
                numbers = x[a] if several else [x]
                cells.append(" ".join(_number(v, digits) for v in numbers))
            rows.append([label, *cells])
    more = len(value) > _MOST_ROWS or bool(value) and len(value[0]) > _MOST_ROWS
    return f"{head}\n{table(rows, right=(True,) * 50)}" + ("\n  … (`--json` gives them all)" if more else "")


def _number(value: float, error: float | None) -> str:
    return f"{value:.6g}" if error is None else value_text(value, error)

"""`netsor eval --law x[,y]`: the law of coordinates in the limit, draws from it, and a finite run against it."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsor.cli.budgets import within
from netsor.cli.options import whole_number
from netsor.cli.output import error_text, exit_status, print_json, report, terminal_width, value_text
from netsor.cli.tables import paragraph, table
from netsor.core import Program
from netsor.deadline import End
from netsor.diagnostics import Diagnostic, NetsorError
from netsor.diagnostics.catalogue.finite import incomplete_law

if TYPE_CHECKING:
    from netsor.limit.coordinates import Agreement
    from netsor.limit.law import CoordinateLaw

# How many draws stand for the limit in a histogram and a Q–Q picture.
_DRAWS = 200_000


def add_law(parser: argparse.ArgumentParser) -> None:
    """The options of `--law`."""
    law = parser.add_argument_group("laws of coordinates")
    law.add_argument(
        "--law",
        metavar="X[,Y]",
        help="the law of Z^X (and Z^Y): moments, Ẑ and Ż apart, quantiles; with --width, against the coordinates",
    )
    law.add_argument(
        "--samples", type=whole_number, metavar="K", help="K joint draws from the limit, to --samples-to or into --json"
    )
    law.add_argument("--samples-to", metavar="FILE", help="where the draws go: .npy (K rows), .csv or .json")
    law.add_argument(
        "--plot", metavar="FILE", help="with --width, histogram and Q–Q picture (.svg, .png, .pdf; the `plot` extra)"
    )


def run_law(args: argparse.Namespace, program: Program, end: End | None, progress: Any) -> int:
    """`netsor eval --law`, whose law is known by `end`."""
    from netsor.diagnostics.render import to_json
    from netsor.show.writing import variables_of

    names = list(dict.fromkeys(variables_of(program, _split(args.law), vectors=True)))
    _verify(args)
    from netsor.limit.law import CoordinateLaw

    with within(end, f"the law of {', '.join(names)}"):
        law = CoordinateLaw(program, names, args.tol, args.budget, progress=progress)
        result: dict[str, Any] = {"program": program.name, "law": law.as_dict()}
        draws = law.draw(args.samples, args.seed) if args.samples else {}
    if args.samples and not args.samples_to:
        result["samples"] = {x: [float(v) for v in draws[x]] for x in names}
    finite = _finite(args, law) if args.width is not None else None
    if finite is not None:
        result["finite"] = finite["json"]
    if not args.json:
        print(_text(program.name or args.file, result["law"]))
        if finite is not None:
            print(finite["text"])
    # Files come last, so that one that cannot be written costs nothing else.
    faults: list[Diagnostic] = []
    if args.samples_to:
        _write(args, names, draws, faults)
        result["samples"] = {"file": args.samples_to, "count": args.samples}
    if args.plot and finite is not None:
        _plot(args, finite["pictures"], f"{program.name}: width {args.width[0]} against the limit", faults)
    report(faults)
    if args.json:
        failed = {"ok": False, "diagnostics": [to_json(d) for d in faults]} if faults else {}
        print_json({**failed, **result})
    return exit_status(faults)


def _split(text: str) -> list[str]:
    """Names at commas outside brackets: `x[1,2],y` is two."""
    out, depth = [""], 0
    for c in text:
        depth += (c == "[") - (c == "]")
        if c == "," and depth == 0:
            out.append("")
        else:
            out[-1] += c
    return out


def _verify(args: argparse.Namespace) -> None:
    """What was asked for can be written, before anything long is computed."""
    from netsor.show.writing import suffix_of, verify_writable

    if args.samples_to:
        suffix_of(args.samples_to, ("npy", "csv", "json"))
        verify_writable(args.samples_to)
    if args.samples is not None and args.samples < 1:
        raise _wrong("`--samples` is at least 1")
    if args.samples and not args.samples_to and not args.json:
        raise _wrong(
            "`--samples` needs a place for the draws", "`--samples-to draws.npy` names a file; `--json` prints them"
        )
    if args.samples_to and not args.samples:
        raise _wrong("`--samples-to` needs to know how many draws", "for example --samples 10000")
    if args.plot:
        from netsor.show.convergence import verify_plot

        if args.width is None:
            raise _wrong("`--plot` compares with a finite run, and there is no `--width`", "for example --width 4096")
        verify_plot(Path(args.plot))


def _wrong(message: str, hint: str = "") -> NetsorError:
    return NetsorError(incomplete_law(message, hint))


def _write(args: argparse.Namespace, names: list[str], draws: dict[str, Any], faults: list[Diagnostic]) -> None:
    import io

    import numpy as np

    from netsor.show.writing import write

    path = args.samples_to
    together = np.stack([draws[x] for x in names], axis=1)
    match Path(path).suffix.lower():
        case ".npy":
            buffer = io.BytesIO()
            np.save(buffer, together)
            content = buffer.getvalue()
        case ".csv":
            rows = "\n".join(",".join(repr(float(v)) for v in row) for row in together)
            content = f"{rows}\n".encode()
        case _:
            text = json.dumps({x: [float(v) for v in draws[x]] for x in names}, ensure_ascii=False)
            content = f"{text}\n".encode()
    try:
        write(path, content)
    except NetsorError as fault:
        faults.extend(fault.diagnostics)
        return
    if not args.json:
        print(f"\n{args.samples} draws are in {path}")


def _plot(args: argparse.Namespace, pictures: dict[str, Any], title: str, faults: list[Diagnostic]) -> None:
    from netsor.show.coordinates import plot_coordinates
    from netsor.show.writing import unwritten

    try:
        plot_coordinates(pictures, Path(args.plot), title)
    except OSError as fault:
        faults.append(unwritten(args.plot, fault))
        return
    if not args.json:
        print(f"\nthe picture is in {args.plot}")


# --- against a finite run --------------------------------------------------------------------------------------


def _finite(args: argparse.Namespace, law: CoordinateLaw) -> dict[str, Any]:
    import numpy as np

    from netsor.finite.samples import sample
    from netsor.limit.coordinates import agreement, compare, histogram, quantile_pairs
    from netsor.show.coordinates import histogram_text, quantiles_text

    found_draws = sample(law.program, args.width[0], args.seed, law.names, args.seeds, args.dtype, args.engine)
    runs = found_draws.runs
    compared = compare(law, runs, found_draws.narrower, found_draws.ratios)
    verdict = agreement(compared, len(runs))
    draws = law.draw(_DRAWS, args.seed)
    text, pictures, found = [], {}, {}
    room = terminal_width(sys.stdout)
    for x in law.names:
        coordinates = np.concatenate([r[x] for r in runs])
        h, q = histogram(draws[x], coordinates), quantile_pairs(draws[x], coordinates)
        pictures[x] = (h, q)
        found[x] = {
            "histogram": {"edges": h.edges, "finite": h.finite, "limit": h.limit},
            "quantiles": {"probabilities": q.probabilities, "finite": q.finite, "limit": q.limit},
        }
        text += ["", paragraph(f"{x} at width {args.width[0]}: coordinates █, limit │", ""), histogram_text(h, room)]
        text += ["", paragraph(f"quantiles of the coordinates of {x} against the limit's", ""), quantiles_text(q, room)]
    text += ["", paragraph(_verdict(verdict, len(runs), args.width[0]), "", "  "), _tests(compared)]
    rows = [
        {
            "of": list(c.vectors),
            "test": c.test,
            "limit": c.limit,
            "error": c.error,
            "finite": c.finite,
            "stderr": c.stderr,
            "sigmas": c.distance,
        }
        for c in compared
    ]
    return {
        "text": "\n".join(text),
        "pictures": pictures,
        "json": {
            "width": args.width[0],
            "seeds": len(runs),
            "vectors": found,
            "tests": rows,
            "largest": verdict.largest,
            "allowed": verdict.allowed,
            "holds": verdict.holds,
        },
    }


def _verdict(verdict: Agreement, draws: int, width: int) -> str:
    from netsor.finite.samples import LEAST

    if verdict.holds is None or verdict.largest is None:
        count = "one draw" if draws == 1 else f"{draws} draws"
        why = (
            f"{count} tell too little of their own spread (`--seeds {LEAST}` is enough)"
            if draws < LEAST
            else f"{count} at width {width} are too few for test functions as skewed as these"
        )
        return f"part 1 of Theorem B.4: no verdict, {why}"
    return (
        f"part 1 of Theorem B.4: {'no contradiction' if verdict.holds else 'CONTRADICTED'} by {verdict.tests} test "
        f"functions and {draws} draws; the largest distance is {verdict.largest:.2g} standard errors, of which "
        f"{verdict.allowed:.2g} may happen"
    )


def _tests(compared: Any) -> str:
    rows = [["of", "ψ", "(1/n) Σ ψ", "± stderr", "E ψ", "distance"]]
    for c in compared:
        limit = c.missing if c.limit is None else value_text(c.limit, max(c.error, 1e-7 * abs(c.limit)))
        distance = "" if c.distance is None else f"{c.distance:.2g} σ"
        rows.append(
            [
                ", ".join(c.vectors),
                c.test,
                value_text(c.finite, (c.stderr or 0.0) / 30 or None),
                "" if c.stderr is None else error_text(c.stderr),
                limit,
                distance,
            ]
        )
    return table(rows)


def _text(title: str, law: dict[str, Any]) -> str:
    rows = [["", "mean", "± at most", "variance", "± at most"]]
    for x, entry in law["vectors"].items():
        rows.append([f"Z^{x}", *_numbers(entry["mean"]), *_numbers(entry["variance"])])
        if "hat" in entry and entry["dot"]["variance"]["value"] + abs(entry["dot"]["mean"]["value"]) > 0:
            rows.append([f"Ẑ of {x}", *_numbers(entry["hat"]["mean"]), *_numbers(entry["hat"]["variance"])])
            rows.append([f"Ż of {x}", *_numbers(entry["dot"]["mean"]), *_numbers(entry["dot"]["variance"])])
    out = [title, table(rows)]
    for x, entry in law["vectors"].items():
        if "covariance of hat and dot" in entry and entry["covariance of hat and dot"]["value"]:
            value, error = _numbers(entry["covariance of hat and dot"])
            out.append(f"  Cov(Ẑ, Ż) of {x} = {value} ± {error}")
        elif "dot" in entry and not entry["dot"]["variance"]["value"] and not entry["dot"]["mean"]["value"]:
            out.append(f"  Ż of {x} = 0, Ẑ = Z")
    for c in law["covariances"]:
        value, error = _numbers(c)
        correlation = "" if c["correlation"] is None else f", correlation {_correlation(c)}"
        out.append(f"  Cov(Z^{c['of'][0]}, Z^{c['of'][1]}) = {value} ± {error}{correlation}")
    heading = ["quantiles", *(f"{q['probability']:g}" for q in next(iter(law["vectors"].values()))["quantiles"])]
    rows = [heading]
    for x, entry in law["vectors"].items():
        rows.append([f"Z^{x}", *(value_text(q["value"], max(q["stderr"], 1e-8)) for q in entry["quantiles"])])
    out += ["", table(rows)]
    return "\n".join(out)


def _correlation(c: dict[str, Any]) -> str:
    """Six digits; none of what the bound of the covariance leaves open."""
    return "0" if abs(c["value"]) <= c["error"] else f"{c['correlation']:.6g}"


def _numbers(e: dict[str, float]) -> tuple[str, str]:
    return value_text(e["value"], e["error"]), error_text(e["error"])

"""`netsor check`: what each variable is, which assumptions hold, and what is wrong."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from netsor.cli.network_options import add_rows
from netsor.cli.options import add_file, add_json, add_values
from netsor.cli.output import exit_status, print_json, report, table

ASSUMPTIONS = ("A1", "A2", "A3", "A4", "GIA", "B8")


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="check programs: kinds, assumptions, faults",
        epilog="example: netsor check programs/*.netsor --require B8",
    )
    add_file(parser, several=True)
    add_values(parser)
    add_json(parser)
    parser.add_argument(
        "--require", default="", metavar="A1,…", help=f"assumptions that must hold: {', '.join(ASSUMPTIONS)}"
    )
    parser.add_argument(
        "--exact", action="store_true",
        help="compute every Ż that couples W and Wᵀ; of a network, those of its gradient with the forward pass (GIA)",
    )  # fmt: skip
    add_rows(parser, required=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from netsor.api import load
    from netsor.diagnostics import Diagnostic, NetsorError
    from netsor.diagnostics.render import to_json

    required = [r.strip() for r in args.require.split(",") if r.strip()]
    for r in required:
        if r not in ASSUMPTIONS:
            raise NetsorError(
                Diagnostic(
                    "E023",
                    f"`--require {r}`: there is no assumption `{r}`",
                    hint=f"the assumptions are {', '.join(ASSUMPTIONS)}",
                )
            )
    status = 0
    found: list[dict[str, Any]] = []
    faults: list[Diagnostic] = []
    for path in args.files:
        try:
            checked = load(path, args.set, args.data).check()
        except NetsorError as fault:
            report(fault.diagnostics)
            faults.extend(fault.diagnostics)
            status = max(status, exit_status(fault.diagnostics))
            continue
        exact, refused = _exact(args, checked) if args.exact else (None, [])
        diagnostics = [*checked.diagnostics, *_required(checked, required), *refused]
        report(diagnostics)
        status = max(status, exit_status(diagnostics))
        if any(d.is_error for d in diagnostics):
            faults.extend(diagnostics)
        found.append(
            {
                "file": path,
                "kind": checked.kind,
                "language": checked.language,
                "variables": [v.as_dict() for v in checked.variables],
                "assumptions": {k: a.as_dict() for k, a in checked.assumptions.items()},
                **({"exact": exact.as_dict()} if exact is not None else {}),
                "diagnostics": [to_json(d) for d in diagnostics],
            }
        )
        if not args.json and checked.ok:
            print(_text(path, checked))
            if exact is not None:
                from netsor.cli.exact_report import exact_text

                print(exact_text(exact))
    if args.json:
        print_json(
            {"ok": False, "diagnostics": [to_json(d) for d in faults], "files": found}
            if status
            else {"ok": True, "files": found}
        )
    sys.stdout.flush()
    return status


def _exact(args: argparse.Namespace, checked: Any) -> tuple[Any, list[Any]]:
    """The exact report of a program without errors, or why there is none."""
    from netsor.diagnostics import NetsorError

    if checked.program is None:
        return None, []
    from netsor.cli.network_options import read_rows
    from netsor.independence import infer_exact

    try:
        inputs = read_rows(args.inputs, "--inputs") if checked.kind == "network" else None
        return infer_exact(checked.program, inputs), []
    except NetsorError as fault:
        return None, list(fault.diagnostics)


def _required(checked: Any, required: list[str]) -> list[Any]:
    from netsor.diagnostics import Diagnostic

    out = []
    for name in required:
        assumption = checked.assumptions.get(name)
        if checked.program is None or (assumption is not None and assumption.holds):
            continue
        because = assumption.because if assumption else "it is asked of networks, and this is a program"
        verb = "does not hold" if assumption is not None and assumption.holds is False else "is not known to hold"
        out.append(
            Diagnostic(
                "E950",
                f"assumption {name} {verb}: {because}",
                assumption.span if assumption else None,
                label="here" if assumption and assumption.span else "",
                hint=f"`netsor explain E950` lists the assumptions, or drop `--require {name}`",
            )
        )
    return out


def _text(path: str, checked: Any) -> str:
    lines = [f"{path}: a {checked.kind} in {checked.language}"]
    rows = [("variable", "kind", "instruction", "line")]
    shown = checked.variables if len(checked.variables) <= 60 else checked.variables[:60]
    rows += [(v.name, v.kind, v.instruction, str(v.line or "")) for v in shown]
    lines.append(table(rows, right=(False, False, False, True)))
    if len(checked.variables) > len(shown):
        lines.append(f"  … and {len(checked.variables) - len(shown)} more (`--json` lists them all)")
    for name, a in checked.assumptions.items():
        verdict = {True: "holds", False: "fails", None: "cannot tell"}[a.holds]
        where = f" (line {a.span.line})" if a.span and not a.holds else ""
        lines.append(f"  {name}: {verdict}{where}: {a.because}")
    return "\n".join(lines)

"""`netsor check`: what each variable is, which assumptions hold, and what is wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netsor.cli.network_options import add_rows
from netsor.cli.options import add_file, add_values, fill_in, refuse_unused
from netsor.cli.output import exit_status, print_json, report
from netsor.cli.sources import STANDARD_INPUT, Given, several
from netsor.cli.tables import paragraph, table
from netsor.diagnostics import Diagnostic, NetsorError, Source, line_of
from netsor.diagnostics.catalogue import files, warnings

if TYPE_CHECKING:
    from netsor.check import Report
    from netsor.cli.fixing import Fixed

FORMATS = ("text", "json", "github", "sarif")
ASSUMPTIONS = ("A1", "A2", "A3", "A4", "GIA", "B8")


def register(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="check programs: kinds, assumptions, faults",
        epilog="example: netsor check programs/*.netsor --require B8",
    )
    add_file(parser, several=True, standard_input=True)
    add_values(parser)
    printed = parser.add_mutually_exclusive_group()
    printed.add_argument("--format", choices=FORMATS, help="how results are printed (text)")
    printed.add_argument("--json", action="store_const", const="json", dest="format", help="as --format json")
    parser.add_argument("--fix", action="store_true", help="apply the edits that are safe, and say what was done")
    parser.add_argument("--diff", action="store_true", help="change nothing, and show what --fix would change")
    parser.add_argument("--require", metavar="A1,…", help=f"assumptions that must hold: {', '.join(ASSUMPTIONS)}")
    parser.add_argument(
        "--exact", action="store_true",
        help="compute every Ż that couples W and Wᵀ; of a network, those of its gradient with the forward pass (GIA)",
    )  # fmt: skip
    add_rows(parser, required=False)
    parser.set_defaults(run=run, refuse=parser.error)


@dataclass
class _Findings:
    """What was found in all files; `told` are the diagnostics, `faults` those of files with errors."""

    status: int = 0
    files: list[dict[str, Any]] = field(default_factory=list)
    told: list[Diagnostic] = field(default_factory=list)
    faults: list[Diagnostic] = field(default_factory=list)

    def tell(self, diagnostics: Sequence[Diagnostic]) -> None:
        report(diagnostics)
        self.told.extend(diagnostics)
        self.status = max(self.status, exit_status(diagnostics))
        if any(d.is_error for d in diagnostics):
            self.faults.extend(diagnostics)


def run(args: argparse.Namespace) -> int:
    fill_in(args, format="text")
    if args.diff and args.format not in ("text", "json"):
        args.refuse(f"--diff goes with --format text or json, not with {args.format}")
    if not args.exact:
        refuse_unused(args, ("inputs",), "without `--exact`")
    if args.diff:
        refuse_unused(args, ("fix", "exact"), "beside `--diff`")
    if args.format not in ("text", "json"):
        refuse_unused(args, ("exact",), f"with `--format {args.format}`")
    if args.fix and args.format == "text" and STANDARD_INPUT in args.files:
        refuse_unused(args, ("exact",), "where `--fix` prints the program")
    required = _names(args.require)
    findings = _Findings()
    for file in several(args):
        try:
            _check(file, args, required, findings)
        except NetsorError as fault:
            findings.tell(fault.diagnostics)
    if args.format == "json":
        from netsor.diagnostics.render import to_json

        files = [{**file, "diagnostics": [to_json(d) for d in file["diagnostics"]]} for file in findings.files]
        faults = [to_json(d) for d in findings.faults]
        failed = {"ok": False, "diagnostics": faults}
        print_json({**(failed if findings.status else {"ok": True}), "files": files})
    elif args.format == "sarif":
        from netsor.cli.formats import sarif

        print_json(sarif(findings.told))
    elif args.format == "github":
        from netsor.cli.formats import github

        for diagnostic in findings.told:
            print(github(diagnostic))
    sys.stdout.flush()
    return findings.status


def _names(text: str | None) -> list[str]:
    """The assumptions that `--require` names."""
    required = [] if text is None else [r.strip() for r in text.split(",")]
    for r in required:
        if r not in ASSUMPTIONS:
            raise NetsorError(files.no_assumption(r, ASSUMPTIONS))
    return required


def _check(file: Given, args: argparse.Namespace, required: list[str], findings: _Findings) -> None:
    from netsor.api import load_source

    def check(source: Source) -> Report:
        return load_source(source, args.set, args.data).check()

    entry: dict[str, Any] = {"file": file.name}
    checked = check(file.source)
    listed = args.format == "text"
    if args.fix or args.diff:
        from netsor.cli.fixing import fix

        fixed = fix(file.name, file.data, check)
        _show_fixed(file, fixed, args, entry)
        listed = listed and not (args.diff or file.is_standard_input)
        checked = checked if args.diff else fixed.report
    exact, refused = _exact(args, checked) if args.exact else (None, [])
    diagnostics = [*checked.diagnostics, *_required(checked, required), *refused]
    findings.tell(diagnostics)
    entry |= {
        "kind": checked.kind,
        "language": checked.language,
        "variables": [v.as_dict() for v in checked.variables],
        "assumptions": {k: a.as_dict() for k, a in checked.assumptions.items()},
        **({"exact": exact.as_dict()} if exact is not None else {}),
        "diagnostics": diagnostics,
    }
    findings.files.append(entry)
    if listed and checked.ok:
        print(_text(file.name, checked))
        if exact is not None:
            from netsor.cli.exact_report import exact_text

            print(exact_text(exact))


def _show_fixed(file: Given, fixed: Fixed, args: argparse.Namespace, entry: dict[str, Any]) -> None:
    """Write the file and say what was done; with `--diff` show it instead, and print what came from standard input."""
    if args.diff:
        diff = _diff(file.name, file.data.decode("utf-8"), fixed.data.decode("utf-8"))
        entry["diff"] = diff
        if args.format == "text":
            sys.stdout.write(diff)
        return
    entry["fixed"] = [done.as_dict() for done in fixed.done]
    if file.is_standard_input:
        if args.format == "json":
            entry["text"] = fixed.data.decode("utf-8")
        elif args.format == "text":
            sys.stdout.write(fixed.data.decode("utf-8"))
    elif fixed.done:
        from netsor.show.writing import write

        write(file.path, fixed.data)
    said = sys.stdout if args.format == "text" and not file.is_standard_input else sys.stderr
    for done in fixed.done:
        print(f"{file.name}:{done.line}: fixed {done}", file=said)


def _diff(name: str, old: str, new: str) -> str:
    from difflib import unified_diff

    lines = unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), name, name)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _exact(args: argparse.Namespace, checked: Any) -> tuple[Any, list[Any]]:
    """The exact report of a program without errors, or why there is none."""
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
    out = []
    for name in required:
        assumption = checked.assumptions.get(name)
        if checked.program is None or (assumption is not None and assumption.holds):
            continue
        because = assumption.because if assumption else "it is asked of networks, and this is a program"
        verb = "does not hold" if assumption is not None and assumption.holds is False else "is not known to hold"
        out.append(warnings.not_required(name, verb, because, assumption.span if assumption else None))
    return out


def _text(path: str, checked: Any) -> str:
    lines = [f"{path}: a {checked.kind} in {checked.language}", paragraph(_conclusion(checked))]
    rows = [("variable", "kind", "instruction", "line")]
    shown = checked.variables if len(checked.variables) <= 60 else checked.variables[:60]
    rows += [(v.name, v.kind, v.instruction, v.place) for v in shown]
    lines.append(table(rows, right=(False, False, False, True)))
    if len(checked.variables) > len(shown):
        lines.append(f"  … and {len(checked.variables) - len(shown)} more (`--json` lists them all)")
    covered = "NTKTRAIN" in checked.assumptions and bool(checked.assumptions["NTKTRAIN"].holds)
    for name, a in checked.assumptions.items():
        # The conclusion stands at the top.
        if name != "NTKTRAIN":
            where = f" ({line_of(a.span)})" if a.span and not a.holds else ""
            beside = f"; {a.relaxation}" if a.verdict(covered) == "not needed" else ""
            lines.append(paragraph(f"{name}: {a.verdict(covered)}{where}: {a.because}{beside}"))
    return "\n".join(lines)


def _conclusion(checked: Report) -> str:
    """What the assumptions come to: whether Theorem D.2 holds of a network, or Theorem B.4 of a program."""
    found = checked.assumptions
    if "NTKTRAIN" in found:
        a = found["NTKTRAIN"]
        where = f" ({line_of(a.span)})" if a.span and not a.holds else ""
        verdict = {True: "holds", False: "fails", None: "cannot tell"}[a.holds]
        return f"NTKTRAIN: {verdict}{where}: {a.because}"
    if found["B8"].holds:
        return "its means have limits as n → ∞, by Theorem B.4 (Assumption B.8 holds)"
    verb = "fails" if found["B8"].holds is False else "is not known to hold"
    return f"Theorem B.4 is not known to cover it: Assumption B.8 {verb}"

"""Diagnostics for other programs: the annotation lines of GitHub Actions, and SARIF 2.1.0."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from netsor import __version__
from netsor.diagnostics import Diagnostic, Edit, Span

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github(diagnostic: Diagnostic) -> str:
    """One workflow command, `::error file=…,line=…,title=…::message`; columns are left out of spans over lines.

    Escapes as in GitHub's toolkit: `%`, CR and LF in the message, and `:` and `,` too in what stands before it.
    """
    span = diagnostic.span
    properties: dict[str, object] = {}
    if span is not None:
        properties = {"file": span.source.name, "line": span.line, "endLine": span.end_line}
        if span.line == span.end_line:
            properties |= {"col": span.column, "endColumn": span.end_column}
    properties["title"] = f"{diagnostic.code}: {diagnostic.message}"
    text = "\n".join(_sentences(diagnostic)) or diagnostic.message
    command = {"error": "error", "warning": "warning", "note": "notice"}[diagnostic.severity]
    return f"::{command} {','.join(f'{k}={_property(str(v))}' for k, v in properties.items())}::{_data(text)}"


def _sentences(diagnostic: Diagnostic) -> list[str]:
    help = [f"help: {diagnostic.hint}"] if diagnostic.hint else []
    return [*([diagnostic.label] if diagnostic.label else []), *diagnostic.notes, *help]


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    """One run of SARIF 2.1.0, with the rule of every code, related places, and edits as fixes."""
    from netsor.diagnostics.catalogue import lookup

    codes = sorted({d.code for d in diagnostics})
    rules = []
    for code in codes:
        entry = lookup(code)
        rule: dict[str, Any] = {"id": code}
        if entry is not None:
            rule |= {"shortDescription": {"text": entry.title}, "fullDescription": {"text": entry.rule}}
        rules.append(rule)
    driver = {"name": "netsor", "version": __version__, "rules": rules}
    results = [_result(d, codes.index(d.code)) for d in diagnostics]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    text = ". ".join([diagnostic.message, *_sentences(diagnostic)])
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": text},
    }
    if diagnostic.span is not None:
        result["locations"] = [{"physicalLocation": _location(diagnostic.span)}]
    if diagnostic.labels:
        result["relatedLocations"] = [
            {"physicalLocation": _location(label.span), "message": {"text": label.text}} for label in diagnostic.labels
        ]
    if diagnostic.edits:
        result["fixes"] = [_fix(diagnostic, edit) for edit in diagnostic.edits]
    return result


def _fix(diagnostic: Diagnostic, edit: Edit) -> dict[str, Any]:
    replaced = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
    change = {"artifactLocation": _artifact(edit.span), "replacements": [replaced]}
    return {"description": {"text": diagnostic.hint or diagnostic.message}, "artifactChanges": [change]}


def _location(span: Span) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span), "region": _region(span)}


def _artifact(span: Span) -> dict[str, str]:
    path = Path(span.source.name)
    return {"uri": path.as_uri() if path.is_absolute() else quote(path.as_posix())}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }

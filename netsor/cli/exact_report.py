"""The exact report of `netsor check --exact` as text."""

from __future__ import annotations

from typing import Any

from netsor.cli.output import error_text, value_text
from netsor.cli.tables import paragraph, table

_MOST = 40
_TITLES = {
    "backward with forward": "Żs that pair the backward with the forward pass (gradient independence)",
    "backward with backward": "Żs that pair the backward pass with itself (D.4.2; no failure of gradient independence)",
    "forward with forward": "Żs within the forward pass (D.4.2)",
    "program": "Żs",
}


def exact_text(report: Any) -> str:
    """Every Ż by kind, the verdict, and the numbers that independence of W and Wᵀ would give."""
    lines = []
    if report.inputs is not None:
        given = "; ".join(f"{name} = {_short(rows)}" for name, rows in report.inputs.items())
        lines.append(paragraph(f"exact, on {given} (`--inputs` gives others):"))
    else:
        lines.append("  exact:")
    if not report.couplings:
        none = "no product depends on one with the transpose of its matrix, so every Ż is zero"
        lines.append(paragraph(none, "    ", "      "))
    for kind, title in _TITLES.items():
        found = [c for c in report.couplings if c.kind == kind]
        if found:
            lines.append(paragraph(title, "    ", "      "))
            rows = [("product", "depends on", "Ż / Z^y", "found by")]
            rows += [(report.text(c.product), report.text(c.partner), _value(c), c.because) for c in found[:_MOST]]
            lines.append(table(rows, indent="      "))
            if len(found) > _MOST:
                lines.append(f"      … and {len(found) - _MOST} more (`--json` lists them all)")
    if report.inputs is not None:
        verdict = {
            True: "holds: every Ż above that pairs backward with forward is zero",
            False: "fails",
            None: "cannot be told",
        }
        lines.append(paragraph(f"gradient independence, exactly: {verdict[report.gia]}", "    ", "      "))
    if report.comparisons:
        lines.append("    what independence of W and Wᵀ would give")
        rows = [("number", "true", "naive", "")]
        for c in report.comparisons:
            differs = (
                c.true is not None and c.naive is not None and abs(c.true - c.naive) > 4 * (c.error or 0.0) + 1e-12
            )
            rows.append((c.name, _number(c.true), _number(c.naive), "wrong" if differs else ""))
        lines.append(table(rows, indent="      "))
    return "\n".join(lines)


def _value(c: Any) -> str:
    if c.coefficient is None:
        return "no number"
    if c.coefficient == 0 and c.error == 0:
        return "0"
    return f"{value_text(c.coefficient, max(c.error, 1e-9))} ± {error_text(c.error)}"


def _number(value: float | None) -> str:
    return "no number" if value is None else f"{value:.10g}"


def _short(rows: Any) -> str:
    text = str(rows)
    return text if len(text) <= 80 else text[:79] + "…"

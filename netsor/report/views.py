"""What a notebook shows of each result: HTML for the eye, LaTeX for what exports it."""

from __future__ import annotations

from html import escape
from typing import Any

from netsor.report.collect import Material
from netsor.report.formulas import derivation_rows
from netsor.report.page import fragment
from netsor.report.style import sheet
from netsor.report.tables import limits_table, runs_table
from netsor.show.numbers import error_text, value_text

_MOST = 12


def document_html(document: Any) -> str:
    """Drawing, listing and checks; the diagnostics where there are errors."""
    report = document.report
    if report.program is None:
        return diagnostics_html(report.diagnostics)
    return fragment(Material(report), only=("drawing", "listing", "checks"))


def diagnostics_html(diagnostics: Any) -> str:
    """Diagnostics as they stand in a terminal."""
    from netsor.diagnostics.render import render

    text = "\n\n".join(render(d, colour=False, width=96) for d in diagnostics)
    return _framed(f'<div class="diagnostics"><pre class="wrap">{escape(text)}</pre></div>')


def limit_html(result: Any) -> str:
    """The table of limits."""
    return _framed(limits_table(result, None))


def limit_latex(result: Any) -> str:
    """One line an output: its limit, with its error."""
    from netsor.show.formula.latex import Latex
    from netsor.show.formula.names import Names

    latex = Latex(Names(result.outputs))
    rows = []
    for name, v in result.outputs.items():
        if v.value is None:
            shown = f"\\text{{{v.missing}}}"
        else:
            shown = f"{_number(v.value, v.error)} \\pm {_power(v.error)}"
        rows.append(f"{latex.name(name).text} &\\to {shown}")
    return _aligned(rows)


def finite_html(result: Any) -> str:
    """The table of means at one width."""
    return _framed(runs_table(result))


def finite_latex(result: Any) -> str:
    """One line an output: its mean over the draws, with the standard error."""
    from netsor.show.formula.latex import Latex
    from netsor.show.formula.names import Names

    mean, stderr = result.mean(), result.stderr()
    latex = Latex(Names(mean))
    rows = []
    for name, m in mean.items():
        e = stderr[name]
        shown = "\\text{no value}" if m is None else _number(m, e / 30 if e else None)
        rows.append(f"{latex.name(name).text} &= {shown}" + (f" \\pm {_power(e)}" if e else ""))
    return _aligned(rows)


def kernels_html(result: Any) -> str:
    """The NNGP kernel and the NTK as tables, those that there are."""
    parts = []
    for title, kernel in (("NNGP kernel", result.nngp), ("Neural tangent kernel", getattr(result, "ntk", None))):
        if kernel is not None:
            error = float(kernel.error.max(initial=0.0))
            parts.append(f"<h3>{title}</h3>{_table(kernel.value)}<p class='soft'>± {error_text(error)} at most</p>")
    return _framed("".join(parts))


def kernels_latex(result: Any) -> str | None:
    """The kernels as matrices; those of several outputs are not shown so."""
    found = [("\\Sigma", result.nngp), ("\\mathcal{K}", getattr(result, "ntk", None))]
    shown = [(letter, kernel.value) for letter, kernel in found if kernel is not None]
    if any(value.ndim != 2 for _, value in shown):
        return None
    formulas = [f"{letter} = {_matrix(value)}" for letter, value in shown]
    return "$$" + ", \\qquad ".join(formulas) + "$$"


def derivation_html(result: Any) -> str:
    """The lines of a derivation."""
    return _framed(f'<div class="derivation">{derivation_rows(result)}</div>')


def derivation_latex(result: Any) -> str:
    """The lines of a derivation, as `netsor derive --format latex` has them, for a document that is there already."""
    from netsor.show.derivation.typeset import latex_body

    return latex_body(result)


def _framed(body: str) -> str:
    return f'<div class="ns"><style>{sheet(inside=True)}</style>{body}</div>'


def _aligned(rows: list[str]) -> str:
    return "$$\\begin{aligned} " + " \\\\ ".join(rows) + " \\end{aligned}$$"


def _number(value: float, error: float | None) -> str:
    mantissa, e, exponent = value_text(value, error).partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if e else mantissa


def _power(error: float) -> str:
    mantissa, e, exponent = error_text(error).partition("e")
    return f"{mantissa} \\cdot 10^{{{int(exponent)}}}" if e else mantissa


def _table(values: Any) -> str:
    if values.ndim != 2:
        # Row, row, output, output: one table for each pair of outputs.
        outs = range(values.shape[2])
        return "".join(f"<p>outputs {a + 1}, {b + 1}</p>{_table(values[:, :, a, b])}" for a in outs for b in outs)
    shown = values[:_MOST, :_MOST]
    rows = "".join("<tr>" + "".join(f'<td class="number">{x:.6g}</td>' for x in row) + "</tr>" for row in shown)
    n, m = values.shape
    cut = f"<p class='soft'>the first {_MOST} of {n} × {m}</p>" if max(n, m) > _MOST else ""
    return f'<div class="tablebox"><table><tbody>{rows.replace("-", "−")}</tbody></table></div>{cut}'


def _matrix(values: Any) -> str:
    rows = [" & ".join(f"{x:.5g}" for x in row[:_MOST]) for row in values[:_MOST]]
    return "\\begin{pmatrix} " + " \\\\ ".join(rows) + " \\end{pmatrix}"

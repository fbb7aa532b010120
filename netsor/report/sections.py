"""The parts of a report, each a piece of HTML or nothing where there is nothing to show."""

from __future__ import annotations

import platform
from html import escape
from importlib.metadata import PackageNotFoundError, version

from netsor.diagnostics import Diagnostic, Source, line_of
from netsor.report.collect import Material
from netsor.report.formulas import derivation_rows
from netsor.report.listing import marked_listing
from netsor.report.tables import limits_table
from netsor.show.drawing import drawing_svg

_PANELS = 6
_NAMES = {
    "A1": "only hidden matrices are trained", "A2": "no matrix is used with its transpose", "A3": "one output",
    "A4": "the last embedding is a G-var", "GIA": "Simple GIA Check", "B8": "pseudo-Lipschitz nonlinearities",
    "NTKTRAIN": "SGD is kernel gradient descent in the limit",
}  # fmt: skip


def warnings(m: Material) -> str:
    """What the checker and the limits remarked."""
    from netsor.diagnostics.render import render

    found: list[Diagnostic] = [*m.report.diagnostics, *m.remarks]
    if not found:
        return ""
    text = "\n\n".join(render(d, colour=False, width=96) for d in found)
    return f'<div class="diagnostics"><pre class="wrap">{escape(text)}</pre></div>'


def program(m: Material) -> str:
    """The listing, and the texts it was made from: the program's own and those that it includes."""
    report = m.report
    body = marked_listing(m.program, report.variables)
    key = (
        '<p class="soft">Underlined: <span class="G">G-var</span>, dashed <span class="X">X-var</span>, '
        'dotted <span class="S">scalar</span>, '
        'bold <span class="M">matrix</span>; a name tells more when the pointer rests on it.</p>'
    )
    texts = _text("The text that was read", report.source)
    texts += "".join(
        _text("The standard library" if s.standard else "The text that it includes", s) for s in report.included
    )
    return f'{key}<pre tabindex="0">{body}</pre>{texts}'


def _text(what: str, source: Source) -> str:
    """A file that unfolds."""
    summary = f"<summary>{what} ({escape(_short(source.name))})</summary>"
    return f'<details>{summary}<pre tabindex="0">{escape(source.text)}</pre></details>'


def _short(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def drawing(m: Material, theme: str) -> str:
    """The drawing in the notation of Appendix C."""
    svg = drawing_svg(m.program, theme=theme, inline=True)
    return (
        f'<div class="scroll" tabindex="0">{svg}</div>'
        '<p class="soft">The graphical notation of Appendix C: circles are vectors, squares scalars, '
        "dashed lines products with a matrix, "
        "gates NONLIN, and gates with a bar MOMENT.</p>"
    )


def checks(m: Material) -> str:
    """The language and the assumptions."""
    report = m.report
    rows = []
    covered = "NTKTRAIN" in report.assumptions and bool(report.assumptions["NTKTRAIN"].holds)
    for name, a in report.assumptions.items():
        word = a.verdict(covered)
        css = {"holds": "yes", "fails": "no"}.get(word, "open")
        because = escape(a.because) + (f" {escape(a.relaxation)}" if a.relaxation else "")
        line = f" ({line_of(a.span)})" if a.span else ""
        what = f'<br><span class="soft">{_NAMES[name]}</span>' if name in _NAMES else ""
        rows.append(
            f'<tr><th scope="row">{escape(name)}{what}</th><td class="{css}">{word}</td><td>{because}{line}</td></tr>'
        )
    table = f'<div class="tablebox"><table><tbody>{"".join(rows)}</tbody></table></div>' if rows else ""
    kinds = [v.kind for v in report.variables]
    count = ", ".join(
        f"{kinds.count(k)} {k if kinds.count(k) == 1 else many}" for k, many in _PLURALS if kinds.count(k)
    )
    return f"<p>A {report.kind} of the language {escape(report.language or '')}, with {count}.</p>{table}"


_PLURALS = (("matrix", "matrices"), ("G-var", "G-vars"), ("X-var", "X-vars"), ("scalar", "scalars"))


def derivation(m: Material) -> str:
    """The limit as formulas."""
    if m.derivation is None:
        return ""
    return f'<div class="derivation">{derivation_rows(m.derivation)}</div>'


def limits(m: Material) -> str:
    """Each output's limit with its error, and the largest width beside it."""
    if m.limit is None:
        return ""
    legend = "".join(f"<p>{escape(line)}</p>" for line in m.legend)
    return legend + limits_table(m.limit, m.runs[-1] if m.runs else None) + _heatmaps(m)


def _heatmaps(m: Material) -> str:
    """The kernels of a network as heat maps."""
    import numpy as np

    from netsor.show.heatmap import heatmap_svg

    if m.kernels is None or m.limit is None:
        return ""
    matrices: dict[str, dict[tuple[int, ...], float | None]] = {}
    for name, v in m.limit.outputs.items():
        kernel, _, indices = name.partition("[")
        at = tuple(int(k) - 1 for k in indices.rstrip("]").split(","))
        matrices.setdefault(kernel, {})[at] = v.value
    shown = {}
    for kernel, entries in matrices.items():
        values = np.full([1 + max(k) for k in zip(*entries, strict=True)], np.nan)
        for at, value in entries.items():
            # Entries are those on and above the diagonal, of rows and of outputs.
            i, j, *outputs = at
            values[at] = values[(j, i, *outputs[::-1])] = np.nan if value is None else value
        shown[{"nngp": "NNGP", "ntk": "NTK"}.get(kernel, kernel)] = values
    return f'<div class="scroll" tabindex="0">{heatmap_svg(shown)}</div>'


def convergence(m: Material) -> str:
    """Pictures of the outputs at growing widths."""
    from netsor.report.pictures import approach, rates

    if not m.runs or m.limit is None:
        return ""
    known = {k: v.value for k, v in m.limit.outputs.items() if v.value is not None}
    names = list(m.runs[0].values)
    # One curve for all outputs first, then some of them by themselves.
    figures = [rates(m.runs, known)] if len(m.runs) > 1 else []
    figures += [approach(name, m.runs, known.get(name)) for name in names[:_PANELS]]
    panels = "".join(f"<figure>{f}</figure>" for f in figures if f)
    more = f" The first {_PANELS} of {len(names)} outputs are shown by themselves." if len(names) > _PANELS else ""
    return (
        f'<div class="plots">{panels}</div><p class="soft">Points are single draws, the bar two standard errors about '
        "their mean, the line the limit; "
        f"in the first picture the dashed line falls as 1/√n.{more}</p>"
    )


def laws(m: Material) -> str:
    """Histograms of coordinates against the law of Z."""
    from netsor.report.pictures import histogram, quantiles

    if not m.laws:
        return ""
    out = []
    for law in m.laws:
        c = law.coordinates
        a = law.agreement
        verdict = "were made of too few draws for a verdict."
        if a.holds is not None:
            verdict = (
                f"over {law.seeds} draws {'agree' if a.holds else 'do not agree'}: they lie at most {a.largest:.1f} "
                f"standard errors apart, of {a.allowed:.1f} allowed."
            )
        out.append(
            f'<h3>{escape(law.name)}</h3><div class="plots"><figure>{histogram(law)}</figure>'
            f"<figure>{quantiles(law)}</figure></div><p>Mean {_signed(c.mean())} against {_signed(law.mean.value)} in "
            f"the limit, variance {c.var():.4g} against {law.variance.value:.4g}. Averages of test functions (Theorem "
            f"B.4, part 1) {verdict}</p>"
        )
    note = f"Bars and points: the n coordinates of one draw; line: {len(m.laws[0].samples):,} draws of Z."
    return f'<div class="laws">{"".join(out)}<p class="soft">{note}</p></div>'


def _signed(x: float) -> str:
    return f"{x:.4g}".replace("-", "−")


def origin(m: Material) -> str:
    """How to make this page again, and with what it was made."""
    versions = ", ".join(
        [f"Python {platform.python_version()}", *(f"{p} {_version(p)}" for p in ("netsor", "numpy", "scipy"))]
    )
    command = f'<pre class="wrap">{escape(m.command)}</pre>' if m.command else ""
    return f'{command}<p class="soft">Made with {escape(versions)}.</p>'


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(unknown version)"

"""What results print as in a Python session: the tables of the command line."""

from __future__ import annotations

from typing import Any

from netsor.cli.kernel_text import kernel_text
from netsor.cli.output import error_text, value_text
from netsor.cli.tables import table

# Rows of predictions that are printed.
_MOST = 40


def document_text(document: Any) -> str:
    """One line: the file, what it is, and whether it has errors; the errors where it has."""
    report = document.report
    if report.program is None:
        return f"Document {report.source.name}, with errors\n{diagnostics_text(report.diagnostics)}"
    name = f"the {report.kind} `{report.program.name}`" if report.program.name else f"a {report.kind}"
    return f"Document {report.source.name}: {name} in {report.language}"


def report_text(report: Any) -> str:
    """What `netsor check` prints."""
    from netsor.cli.check_command import _text

    if report.program is None:
        return f"Report of {report.source.name}, with errors\n{diagnostics_text(report.diagnostics)}"
    return _text(report.source.name, report)


def diagnostics_text(diagnostics: Any) -> str:
    """Diagnostics as they stand in a terminal, without colour."""
    from netsor.diagnostics.render import render

    return "\n".join(render(d, colour=False, width=100) for d in diagnostics).rstrip("\n")


def derived_text(derived: Any) -> str:
    """The program's name, its size and the first of its outputs."""
    p = derived.program
    names = [o.name for o in p.outputs[:8]] + (["…"] if len(p.outputs) > 8 else [])
    outputs = f", outputs {', '.join(names)}" if names else ""
    return f"Derived program `{p.name}`: {len(p.instructions)} instructions{outputs}"


def limit_text(result: Any) -> str:
    """The table of `netsor eval`."""
    rows = [["output", "limit", "± at most", "found by"]]
    for name, v in result.outputs.items():
        cells = [v.missing, "", ""]
        if v.value is not None:
            cells = [value_text(v.value, v.error), error_text(v.error or 0.0), v.hardest]
        rows.append([name, *cells])
    return f"limits of `{result.program}`\n{table(rows, optional=3)}"


def finite_text(result: Any) -> str:
    """Means and standard errors at one width."""
    rows = [["output", "mean", "± stderr"]]
    stderr = result.stderr()
    for name, m in result.mean().items():
        e = stderr[name]
        mean = "no value" if m is None else value_text(m, e / 30 if e else None)
        rows.append([name, mean, error_text(e) if e else ""])
    seeds = "1 seed" if result.seeds == 1 else f"{result.seeds} seeds"
    return f"width {result.width} ({seeds}, {result.engine})\n{table(rows)}"


def kernel_alone_text(kernel: Any) -> str:
    """A kernel as a matrix."""
    return kernel_text("kernel", kernel)


def kernels_text(found: Any) -> str:
    """The kernels as `netsor ntk` prints them."""
    parts = [f"width {found.width}, {found.seeds} seed{'s' * (found.seeds != 1)}"] if hasattr(found, "width") else []
    named = [("NNGP", found.nngp), ("NTK", getattr(found, "ntk", None))]
    named += [(f"NTK of {k}", v) for k, v in getattr(found, "by_parameter", {}).items()]
    return "\n".join([*parts, *(kernel_text(title, kernel) for title, kernel in named if kernel is not None)])


def training_text(found: Any) -> str:
    """What `netsor train` prints."""
    from netsor.cli.train_command import _text

    return _text(found)


def prediction_text(found: Any) -> str:
    """Mean and standard deviation of every test row."""
    rows = [["row", *(["output"] if found.mean.shape[1] > 1 else []), "mean", "± at most", "std"]]
    for (i, a), mean in list(_entries(found.mean))[:_MOST]:
        output = [str(a + 1)] if found.mean.shape[1] > 1 else []
        error = float(found.error[i, a])
        std = value_text(float(found.std[i, a]), float(found.std_error[i, a]))
        rows.append([str(i + 1), *output, value_text(mean, error), error_text(error), std])
    more = f"\n  … {found.mean.size - _MOST} more" if found.mean.size > _MOST else ""
    return f"predictions of `{found.network}` by its {found.kernel.upper()}\n{table(rows, right=(True,) * 5)}{more}"


def _entries(values: Any) -> Any:
    import numpy as np

    return ((k, float(values[k])) for k in np.ndindex(values.shape))


def study_text(study: Any) -> str:
    """What `netsor converge` prints."""
    from netsor.cli.converge_command import _text

    return _text("study", "", study, dict.fromkeys(study.outputs, "no limit"))


def derivation_text(found: Any) -> str:
    """The derivation as text."""
    from netsor.show.derivation import as_text

    return as_text(found, width=100).rstrip("\n")


def exact_text(found: Any) -> str:
    """What `netsor check --exact` prints."""
    from netsor.cli.exact_report import exact_text as text

    return text(found)


def law_text(law: Any) -> str:
    """The vectors whose law it is; nothing is computed for it."""
    return f"joint law of {', '.join(f'Z^{name}' for name in law.names)}"

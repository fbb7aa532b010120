"""Limits and runs as tables of HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from netsor.show.numbers import error_text, value_text

_WORDS = {3}


def limits_table(limit: Any, run: Any) -> str:
    """Each output's limit with its error, and a run (or None) beside it."""
    head = ["output", "limit", "± at most", "found by"]
    if run is not None:
        head += [f"width {run.width}, {_draws(run)}", "± standard error", "apart"]
    rows = []
    mean, stderr = (run.mean(), run.stderr()) if run is not None else ({}, {})
    for name, v in limit.outputs.items():
        if v.value is None:
            cells = [v.missing, "", ""]
        else:
            cells = [value_text(v.value, v.error), error_text(v.error or 0.0), v.hardest]
        if run is not None:
            cells += _run_cells(mean.get(name), stderr.get(name))
            a, e = mean.get(name), stderr.get(name)
            known = a is not None and e and v.value is not None
            cells.append(f"{(a - v.value) / e:+.1f} standard errors" if known else "")
        rows.append([name, *cells])
    return _table(head, rows)


def runs_table(run: Any) -> str:
    """Each output's mean over the draws with its standard error."""
    mean, stderr = run.mean(), run.stderr()
    head = ["output", f"width {run.width}, {_draws(run)}", "± standard error"]
    return _table(head, [[name, *_run_cells(m, stderr[name])] for name, m in mean.items()])


def _draws(run: Any) -> str:
    return "1 draw" if run.seeds == 1 else f"{run.seeds} draws"


def _run_cells(mean: float | None, stderr: float | None) -> list[str]:
    return [
        "" if mean is None else value_text(mean, stderr / 30 if stderr else None),
        "" if stderr is None else error_text(stderr),
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heading = "".join(f'<th scope="col">{escape(h)}</th>' for h in head)
    body = ""
    for name, *cells in rows:
        columns = "".join(_cell(c, words=k in _WORDS) for k, c in enumerate(cells, 1))
        body += f'<tr><th scope="row"><i class="name">{escape(name)}</i></th>{columns}</tr>'
    return f'<div class="tablebox"><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str, words: bool) -> str:
    return f"<td>{escape(text)}</td>" if words else f'<td class="number">{escape(text).replace("-", "−")}</td>'

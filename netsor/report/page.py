"""The parts of a report put together: a page by itself, or a fragment for a notebook."""

from __future__ import annotations

from html import escape

from netsor.report import sections
from netsor.report.collect import Material
from netsor.report.style import sheet


def parts(m: Material, theme: str) -> list[tuple[str, str, str]]:
    """(anchor, heading, HTML) of each part that has something to show."""
    found = [
        ("drawing", "Drawing", sections.drawing(m, theme)),
        ("listing", "Listing", sections.program(m)),
        ("checks", "Checks", sections.checks(m)),
        ("limits", "Limits", sections.limits(m)),
        ("convergence", "Finite width against the limit", sections.convergence(m)),
        ("laws", "Laws of coordinates", sections.laws(m)),
        ("derivation", "Derivation", sections.derivation(m)),
        ("origin", "How this page was made", sections.origin(m)),
    ]
    return [(a, h, b) for a, h, b in found if b]


def page(m: Material, theme: str = "auto") -> str:
    """One self-contained page of HTML, which needs no network and no script."""
    found = parts(m, theme)
    nav = "".join(f'<a href="#{a}">{escape(h)}</a>' for a, h, _ in found)
    body = "\n".join(
        f'<section id="{a}" aria-labelledby="h-{a}"><h2 id="h-{a}">{escape(h)}</h2>\n{b}\n</section>'
        for a, h, b in found
    )
    report = m.report
    about = _about(report.source.text)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(m.name)}: netsor report</title>\n<style>{sheet(theme)}</style>\n</head>\n"
        f'<body class="ns">\n<header><h1>{escape(m.name)}</h1>\n{about}'
        f'<nav aria-label="Parts of this page">{nav}</nav></header>\n'
        f"<main>\n{sections.warnings(m)}\n{body}\n</main>\n</body>\n</html>\n"
    )


def fragment(m: Material, theme: str = "auto", only: tuple[str, ...] = ()) -> str:
    """The same parts (or `only` some of them, by anchor) for the inside of another page."""
    found = [(a, h, b) for a, h, b in parts(m, theme) if (not only and a != "origin") or a in only]
    body = "\n".join(f"<h3>{escape(h)}</h3>\n{b}" for _, h, b in found)
    return f'<div class="ns"><style>{sheet(theme, inside=True)}</style>{sections.warnings(m)}{body}</div>'


def _about(text: str) -> str:
    """The comment at the head of a program, which says what it is; its first sentence-like paragraph."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#") or not line.lstrip("# ").strip():
            break
        lines.append(line.lstrip("# ").strip())
    return f"<p>{escape(' '.join(lines))}</p>\n" if lines else ""

"""The style of a report's page: `page.css` with the colours of a light or a dark ground."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_LIGHT = (
    "--paper:#fff;--ink:#1b1b1b;--soft:#5c6066;--rule:#d9d6cf;--tint:#f6f4ee;--accent:#0b5c94;"
    "--warm:#b8480a;--good:#1d7a4a;--bad:#a3262a;"
)
_DARK = (
    "--paper:#15181d;--ink:#e8e6e1;--soft:#a4a9b0;--rule:#363c45;--tint:#1d2128;--accent:#6cb8ee;"
    "--warm:#ff9a55;--good:#5fd08f;--bad:#ff8a85;"
)


def sheet(theme: str = "auto", inside: bool = False) -> str:
    """The style sheet; `auto` follows the reader's preference, and paper is always light.

    `inside` another page nothing but the report's own part is styled.
    """
    page = "" if inside else "html { background: #15181d; color-scheme: dark; } "
    if theme == "dark":
        return f"{page}.ns {{ {_DARK} }}\n{_rules(inside)}"
    out = f".ns {{ {_LIGHT} }}\n"
    if theme == "auto":
        dark = f"{page}.ns {{ {_DARK} }}"
        out += f"@media screen and (prefers-color-scheme: dark) {{ {dark} }}\n"
    return out + _rules(inside)


@cache
def _rules(inside: bool) -> str:
    text = files("netsor.report").joinpath("page.css").read_text(encoding="utf-8")
    return "\n".join(r for r in text.splitlines() if not (inside and r.startswith(("* {", "html {", "  @page"))))

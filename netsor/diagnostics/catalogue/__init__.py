"""The diagnostics: each code with its rule, the paper's number for it, a bad and a good example, and its messages.

A range of codes is a module, which holds an `Entry` for each code and behind it the functions that make its messages:
E0xx files and usage, E1xx text and syntax, E2xx names (E26x those of other files), E3xx kinds, E4xx declarations,
E5xx divergence, labels and promises, E6xx networks (E651 to E670 what is derived of them), E7xx runs at a finite width,
E8xx limits, E9xx and W9xx assumptions and warnings.
Modules are imported when one of their codes is asked for.
"""

from __future__ import annotations

from importlib import import_module

from netsor.diagnostics.catalogue.entry import Entry

_MODULES = {
    "0": "files", "1": "syntax", "2": "names", "26": "includes", "3": "kinds", "4": "declarations",
    "5": "divergence", "6": "networks", "65": "derived", "66": "derived", "67": "derived", "7": "finite",
    "8": "limits", "9": "warnings",
}  # fmt: skip


def lookup(code: str) -> Entry | None:
    """The entry of a code, None if there is none."""
    module = _MODULES.get(code[1:3]) or _MODULES.get(code[1:2])
    return next((e for e in _entries(module) if e.code == code), None) if module else None


def all_entries() -> tuple[Entry, ...]:
    """All entries, by range and code."""
    every = [e for module in dict.fromkeys(_MODULES.values()) for e in _entries(module)]
    return tuple(sorted(every, key=lambda e: (e.code[1], e.code)))


def explain(code: str, width: int = 88) -> str:
    """The text of `netsor explain CODE` in lines of at most `width` columns; KeyError where there is no such code."""
    import textwrap

    entry = lookup(code)
    if entry is None:
        raise KeyError(code)
    rule = "\n\n".join(textwrap.fill(p, min(width, 88)) for p in entry.rule.split("\n\n"))
    parts = [textwrap.fill(f"{entry.code}: {entry.title}", min(width, 88)), rule]
    if entry.paper:
        parts.append(f"In the paper: {entry.paper}")
    parts.append("Refused:\n\n" + textwrap.indent(entry.bad.strip("\n"), "    "))
    parts.append("Accepted:\n\n" + textwrap.indent(entry.good.strip("\n"), "    "))
    return "\n\n".join(parts) + "\n"


def _entries(module: str) -> list[Entry]:
    """The entries of a module, in the order in which they stand."""
    return [e for e in vars(import_module(f"{__name__}.{module}")).values() if isinstance(e, Entry)]


__all__ = ["Entry", "all_entries", "explain", "lookup"]

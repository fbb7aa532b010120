"""How results show themselves in a notebook, without knowing who draws them.

A result inherits `Shown`; the top of the library says, by name, which function makes its HTML or LaTeX, and that is
imported when a notebook first asks.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_VIEWS: dict[tuple[str, str], str] = {}


def register(kind: str, **views: str) -> None:
    """Results of the class `kind` are shown by `html="module:function"` and `latex="module:function"`."""
    _VIEWS.update({(kind, form): where for form, where in views.items()})


def view(result: Any, form: str) -> str | None:
    """The HTML or LaTeX of a result; None where there is none, and a notebook then prints its repr."""
    where = _VIEWS.get((type(result).__name__, form))
    if where is None:
        return None
    module, _, function = where.partition(":")
    found: str | None = getattr(import_module(module), function)(result)
    return found


class Shown:
    """A result that notebooks show as HTML or LaTeX."""

    def _repr_html_(self) -> str | None:
        return view(self, "html")

    def _repr_latex_(self) -> str | None:
        return view(self, "latex")

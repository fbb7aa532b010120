"""How results are displayed in a session and in a notebook, without imports of the modules that draw them.

A result inherits from `Shown`; `netsor.api` registers, by name, the functions that make its HTML and LaTeX, and they
are imported when a notebook first asks for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_VIEWS: dict[tuple[str, str], str] = {}


def register(kind: str, **views: str) -> None:
    """Have results of the class `kind` displayed by `text=`, `html="module:function"` and `latex="module:function"`."""
    _VIEWS.update({(kind, form): where for form, where in views.items()})


def view(result: Any, form: str) -> str | None:
    """The HTML or LaTeX of a result; None where there is none, in which case a notebook prints its repr."""
    where = _VIEWS.get((type(result).__name__, form))
    if where is None:
        return None
    module, _, function = where.partition(":")
    found: str | None = getattr(import_module(module), function)(result)
    return found


class Shown:
    """A result that sessions show as text, and notebooks as HTML or LaTeX; its class is a dataclass without a repr."""

    def __repr__(self) -> str:
        return view(self, "text") or object.__repr__(self)

    def _repr_html_(self) -> str | None:
        return view(self, "html")

    def _repr_latex_(self) -> str | None:
        return view(self, "latex")

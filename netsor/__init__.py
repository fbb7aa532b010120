"""netsor: a language for tensor programs, their runs at finite width and their infinite-width limits."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsor.api import Document, load, loads
    from netsor.check import Report
    from netsor.diagnostics import Diagnostic, Edit, NetsorError, apply_edits
    from netsor.finite import FiniteResult
    from netsor.kernels import Kernels
    from netsor.limit import LimitResult
    from netsor.syntax.format import format_source

__version__ = "0.1.0"
__all__ = [
    "Diagnostic",
    "Document",
    "Edit",
    "FiniteResult",
    "Kernels",
    "LimitResult",
    "NetsorError",
    "Report",
    "__version__",
    "apply_edits",
    "format_source",
    "from_torch",
    "load",
    "loads",
]

# Where each name is defined. It is imported when it is first asked for, so that a command loads what it needs alone.
_HOMES = {
    "Diagnostic": "netsor.diagnostics",
    "Document": "netsor.api",
    "Edit": "netsor.diagnostics",
    "FiniteResult": "netsor.finite",
    "Kernels": "netsor.kernels",
    "LimitResult": "netsor.limit",
    "NetsorError": "netsor.diagnostics",
    "Report": "netsor.check",
    "apply_edits": "netsor.diagnostics",
    "format_source": "netsor.syntax.format",
    "from_torch": "netsor.importer",
    "load": "netsor.api",
    "loads": "netsor.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'netsor' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

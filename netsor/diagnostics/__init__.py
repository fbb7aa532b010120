"""Diagnostics as data: what is wrong, where, what was expected and why, and an edit that would be accepted."""

from netsor.diagnostics.data import (
    Diagnostic,
    Edit,
    Label,
    NetsorError,
    Source,
    Span,
    apply_edits,
    line_of,
    replacement,
)

__all__ = ["Diagnostic", "Edit", "Label", "NetsorError", "Source", "Span", "apply_edits", "line_of", "replacement"]

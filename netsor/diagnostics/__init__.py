"""Diagnostics as data: what is wrong, where, what was expected and why, and an edit that would be accepted."""

from netsor.diagnostics.data import Collector, Diagnostic, Label, NetsorError, Source, Span

__all__ = ["Collector", "Diagnostic", "Label", "NetsorError", "Source", "Span"]

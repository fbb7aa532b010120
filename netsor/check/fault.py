"""The exception that ends the checking of one line."""

from __future__ import annotations

from netsor.diagnostics import Diagnostic


class Fault(Exception):
    """Ends the checking of one line; without a diagnostic where the fault was reported before."""

    def __init__(self, diagnostic: Diagnostic | None):
        self.diagnostic = diagnostic

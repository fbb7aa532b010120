"""netsor: a language for tensor programs, their runs at finite width and their infinite-width limits."""

from netsor.api import Document, load, loads
from netsor.diagnostics import Diagnostic, NetsorError

__all__ = ["Diagnostic", "Document", "NetsorError", "load", "loads", "__version__"]
__version__ = "0.1.0"

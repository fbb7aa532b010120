"""The limit of a program as formulas, one line a variable, in the program's own names."""

from netsor.show.derivation.derive import derive
from netsor.show.derivation.lines import Derivation, Line
from netsor.show.derivation.page import as_text

__all__ = ["Derivation", "Line", "as_text", "derive"]

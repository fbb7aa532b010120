"""The limit of a program as formulas, one line a variable, in the program's own names."""

from netsor.show.derivation.derive import derive
from netsor.show.derivation.lines import Derivation, Line
from netsor.show.derivation.page import as_text
from netsor.show.derivation.typeset import as_latex, as_markdown
from netsor.show.derivation.values import with_numbers

__all__ = ["Derivation", "Line", "as_latex", "as_markdown", "as_text", "derive", "with_numbers"]

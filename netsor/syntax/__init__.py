"""Text to syntax tree and back."""

from netsor.syntax.parser import Parsed, parse, parse_all, parse_expression
from netsor.syntax.reading import read_source

__all__ = ["Parsed", "parse", "parse_all", "parse_expression", "read_source"]

"""Text to syntax tree and back."""

from netsor.syntax.parser import parse, parse_expression
from netsor.syntax.reading import read_source

__all__ = ["parse", "parse_expression", "read_source"]

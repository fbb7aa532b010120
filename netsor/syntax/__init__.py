"""Text to syntax tree and back."""

from netsor.syntax.includes import read_document
from netsor.syntax.parser import Parsed, parse, parse_all, parse_expression
from netsor.syntax.reading import decode, read_bytes, read_source

__all__ = [
    "Parsed",
    "decode",
    "parse",
    "parse_all",
    "parse_expression",
    "read_bytes",
    "read_document",
    "read_source",
]

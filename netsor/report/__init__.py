"""A program and its limit as one page of HTML."""

from netsor.report.collect import Material, collect
from netsor.report.page import fragment, page

__all__ = ["Material", "collect", "fragment", "page"]

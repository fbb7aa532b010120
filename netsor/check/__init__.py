"""From a syntax tree to a checked core program, with every fault of the text in one run."""

from netsor.check.assumptions import Assumption
from netsor.check.report import Report, Variable, check_source, check_tree

__all__ = ["Assumption", "Report", "Variable", "check_source", "check_tree"]

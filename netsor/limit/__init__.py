"""The infinite-width limit of a program by Definition B.3; each number has an error bound."""

from netsor.limit.expectations import Taken
from netsor.limit.interpreter import Limit
from netsor.limit.result import LimitResult, LimitValue, infer_limit

__all__ = ["Limit", "LimitResult", "LimitValue", "Taken", "infer_limit"]

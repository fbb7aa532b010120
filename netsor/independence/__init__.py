"""The exact question behind the Simple GIA Check: which Żs vanish, and what independent W and Wᵀ would give."""

from netsor.independence.exact import ExactReport, infer_exact

__all__ = ["ExactReport", "infer_exact"]

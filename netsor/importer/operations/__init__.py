"""How each ATen operation acts on tensors of entries: the table RULES, filled by the files of this folder."""

from __future__ import annotations

from netsor.importer.operations import elementwise, normalization, pooling, products, reductions, views
from netsor.importer.operations.elementwise import WHOLE
from netsor.importer.operations.products import one_hot_row
from netsor.importer.operations.table import ONE_HOT, RULES

__all__ = [
    "ONE_HOT", "RULES", "WHOLE", "elementwise", "normalization", "one_hot_row", "pooling", "products", "reductions",
    "views",
]  # fmt: skip

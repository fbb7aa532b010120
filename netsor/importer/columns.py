"""Numbers of the inputs that meet columns of input matrices, as arrays: a sum over them is one term, however long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netsor.importer.arrays import Array, Index, Integers

if TYPE_CHECKING:
    from netsor.importer.parameters import Parameter


@dataclass(frozen=True, eq=False)
class Columns:
    """The vector Σ_k factor_k · number_k of the inputs · block_k of the parameter.

    Blocks are counted as the parameter's indices are. `shifted` says that a constant was added to one of the numbers.
    """

    parameter: Parameter
    blocks: Integers
    numbers: Integers
    factors: np.ndarray[Any, np.dtype[np.float64]]
    shifted: bool

    @staticmethod
    def of(
        array: Array, indices: Sequence[Index], numbers: Sequence[int], factors: Sequence[float], shifted: bool
    ) -> Columns:
        assert array.parameter is not None
        return Columns(
            array.parameter, array.numbers(indices), np.array(numbers, int), np.array(factors, float), shifted
        )

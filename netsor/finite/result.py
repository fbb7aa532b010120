"""The result of a run at finite width."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netsor.averages import mean, standard_error
from netsor.finite.streams import Array
from netsor.shown import Shown


@dataclass(frozen=True, repr=False)
class FiniteResult(Shown):
    """The outputs of K independent draws at width n; `values[name]` has shape (K,).

    `engine` is the engine that ran and `reason` why it was chosen; `draws` are the indices of the draws behind the
    values; `interrupted` says that fewer draws were finished than asked for.
    """

    width: int
    engine: str
    reason: str
    draws: tuple[int, ...]
    values: dict[str, Array] = field(repr=False)
    dtype: str = "float64"
    seed: int = 0
    interrupted: bool = False

    @property
    def seeds(self) -> int:
        """The number of finished draws."""
        return len(self.draws)

    def whole(self) -> FiniteResult:
        """This result, for callers with no use for a part of it; raises KeyboardInterrupt where draws are missing."""
        if self.interrupted:
            raise KeyboardInterrupt
        return self

    def mean(self) -> dict[str, float | None]:
        """The mean of each output over the draws; None where none was finished."""
        return {k: float(mean(v)) if len(v) else None for k, v in self.values.items()}

    def stderr(self) -> dict[str, float | None]:
        """The standard error of each mean, sd/√K; None for a single draw."""
        return {k: float(standard_error(v)) if len(v) > 1 else None for k, v in self.values.items()}

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """For each output its `width`, `seeds`, `mean`, `stderr` and `values`, as plain numbers."""
        means, stderr = self.mean(), self.stderr()
        return {
            name: {
                "width": self.width,
                "seeds": self.seeds,
                "mean": means[name],
                "stderr": stderr[name],
                "values": [float(x) for x in v],
            }
            for name, v in self.values.items()
        }

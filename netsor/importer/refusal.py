"""What the importer refuses, and where: the module's path and the line of the user's source."""

from __future__ import annotations

from dataclasses import dataclass

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import networks


@dataclass(frozen=True)
class Place:
    """Where an operation stands: the path of its module (`blocks.0.attn`) and the line of the user's source."""

    path: str = ""
    source: str = ""
    line: str = ""

    def __str__(self) -> str:
        where = f"in module `{self.path}`" if self.path else "in the module itself"
        if self.source:
            where += f", {self.source}"
        return where + (f": {self.line}" if self.line else "")


class Refusal(Exception):
    """A module that cannot be written as a network, or not truthfully: what stands in the way, why, what to do."""

    def __init__(self, message: str, *notes: str, hint: str = "", place: Place | None = None, finer: int = 1):
        super().__init__(message)
        self.message, self.notes, self.hint, self.place = message, notes, hint, place
        self.finer = finer  # into how many parts the unit of the width would have to be cut
        # By path and number of its axis along the width: how many neighbours in a parameter would have to be one unit.
        self.units: dict[tuple[str, int], int] = {}

    def error(self) -> NetsorError:
        notes = ((str(self.place),) if self.place else ()) + self.notes
        return NetsorError(networks.not_imported(self.message, notes, self.hint))

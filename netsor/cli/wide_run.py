"""Where integrals do not reach the tolerance: the command that runs a large width instead."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netsor.diagnostics import Diagnostic
from netsor.diagnostics.catalogue.limits import NO_RUN_TELLS

if TYPE_CHECKING:
    from netsor.finite.affordable import Affordable


def with_wide_run(
    said: Iterable[Diagnostic], command: Sequence[str], infer: Callable[[], Affordable | None],
    what: str = "means over wide networks need no integrals, and a minute or so",
) -> list[Diagnostic]:  # fmt: skip
    """The diagnostics; the first of a bound or time that did not suffice (W901, E804) offers a width."""
    found = list(said)
    helped = [d for d in found if d.code in ("W901", "E804") and NO_RUN_TELLS.isdisjoint(d.notes)]
    if not helped:
        return found
    wide = infer()
    if wide is None:
        return found
    line = shlex.join([*command, "--width", str(wide.width), "--seeds", str(wide.seeds)])
    offer = f"{what}: `{line}`"
    return [replace(d, hint=f"{d.hint}; {offer}" if d.hint else offer) if d is helped[0] else d for d in found]


def repeated(option: str, values: Sequence[str] | None) -> list[str]:
    """An option with each of its values, as on a command line."""
    return [word for value in values or () for word in (option, value)]

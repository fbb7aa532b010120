"""W9xx: warnings, and E9xx: assumptions that were required."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()

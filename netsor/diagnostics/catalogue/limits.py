"""E8xx: limits."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()

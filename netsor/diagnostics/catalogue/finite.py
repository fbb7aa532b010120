"""E7xx: runs at a finite width."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()

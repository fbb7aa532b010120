"""E5xx: divergence with n, labels and promises."""

from netsor.diagnostics.catalogue.entry import Entry

ENTRIES: tuple[Entry, ...] = ()

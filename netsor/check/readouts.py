"""Whether the readouts of a network speak of one example (Setup D.1)."""

from __future__ import annotations

from netsor.core import InputRef, Program
from netsor.diagnostics import Diagnostic
from netsor.diagnostics.catalogue.networks import readout_without_input, two_examples


def readout_faults(p: Program) -> list[Diagnostic]:
    """Readouts that read no input, and pairs of readouts that read different inputs (E608, W616)."""
    if p.kind != "network":
        return []
    reads: list[set[str]] = []
    for r in p.readouts:
        needed = p.needed([x for _, v, h in r.terms for x in (v, h)])
        used = (e for e in p.embeddings if e.name in needed and isinstance(e.source, InputRef))
        reads.append({e.source.name for e in used})
    out = []
    for r, inputs in zip(p.readouts, reads, strict=True):
        if not inputs:
            out.append(readout_without_input(r.span, r.name))
    for i, r in enumerate(p.readouts):
        for j in range(i):
            if reads[i] and reads[j] and not reads[i] & reads[j]:
                mine, other = sorted(reads[i])[0], sorted(reads[j])[0]
                first = p.readouts[j]
                out.append(two_examples(r.span, (first.name, other), (r.name, mine), first.span))
                return out
    return out

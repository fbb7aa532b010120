"""Whether the readouts of a network speak of one example (Setup D.1)."""

from __future__ import annotations

from netsor.core import InputRef, Program
from netsor.diagnostics import Diagnostic, Label


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
            out.append(
                Diagnostic(
                    "W616",
                    f"the readout `{r.name}` does not depend on the example",
                    r.span,
                    severity="warning",
                    label="the same for every input",
                    hint="let it depend on an input through an n×d matrix: `g := U ξ`",
                )
            )
    for i, r in enumerate(p.readouts):
        for j in range(i):
            if reads[i] and reads[j] and not reads[i] & reads[j]:
                mine, other = sorted(reads[i])[0], sorted(reads[j])[0]
                first = p.readouts[j].name
                place = p.readouts[j].span
                out.append(
                    Diagnostic(
                        "E608",
                        f"`{first}` reads `{other}`, `{r.name}` reads `{mine}`: two examples in one network",
                        r.span,
                        label=f"reads `{mine}` alone",
                        labels=(Label(place, f"reads `{other}` alone"),) if place else (),
                        notes=("a network is the program of one example; `netsor` runs it on as many as it is given",),
                        hint=f"write the network for `{other}` alone, and give both examples as rows of `--inputs`",
                    )
                )
                return out
    return out

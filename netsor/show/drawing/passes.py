"""Which part of a drawing a variable belongs to: the forward pass, the backward pass below it, or what comes after."""

from __future__ import annotations

from netsor.core import MatMul, Moment, Program
from netsor.show.drawing.names import split
from netsor.show.drawing.scene import Part


def users(program: Program) -> dict[str, list[str]]:
    """For each variable the variables that are made from it."""
    out: dict[str, list[str]] = {}
    for i in program.instructions:
        for x in inputs(program, i.name):
            out.setdefault(x, []).append(i.name)
    return out


def inputs(program: Program, name: str) -> tuple[str, ...]:
    """The variables that a variable is made from."""
    i = program.by_name.get(name)
    if i is None:
        return ()
    return (i.vector,) if isinstance(i, MatMul) else (*i.vectors, *i.scalars)


def twins(program: Program) -> dict[str, str]:
    """For each dX the vector X of which it is the error signal, by its name."""
    vectors = {
        v for v in (*program.by_name, *program.group_of, *program.embedding) if program.kind_of(v) in ("G-var", "X-var")
    }
    found = {}
    for v in vectors:
        base, indices = split(v)
        if base.startswith("d") and len(base) > 1:
            x = base[1:] + (f"[{','.join(indices)}]" if indices else "")
            if x in vectors:
                found[v] = x
    # A pair of names such as (d2, 2) is chance; an error signal is made from its vector's pass and never makes it.
    return {v: x for v, x in found.items() if v in program.by_name}


def parts(program: Program) -> dict[str, Part]:
    """The part of each variable; without error signals all of them are forward."""
    order = [i.name for i in program.instructions]
    used = users(program)
    backward = set(twins(program))
    forward_matrices = {i.matrix for i in program.instructions if isinstance(i, MatMul) and not i.transposed}
    stems = {split(v)[0] for v in backward}
    changed = bool(backward)
    while changed:
        changed = False
        for name in order:
            if name in backward:
                continue
            i = program.by_name[name]
            back = any(x in backward for x in inputs(program, name))
            returns = isinstance(i, MatMul) and i.transposed and i.matrix in forward_matrices and i.vector in backward
            piece = split(name)[0].rpartition("_")[0] in stems
            between = (
                not isinstance(i, Moment) and back and bool(used.get(name)) and all(u in backward for u in used[name])
            )
            if (returns or between or piece) and not isinstance(i, Moment):
                backward.add(name)
                changed = True
    out: dict[str, Part] = {}
    for name in order:
        if name in backward:
            out[name] = "backward"
        elif any(out.get(x) in ("backward", "after") for x in inputs(program, name)):
            out[name] = "after"
        else:
            out[name] = "forward"
    # What is given, or made of scalars alone, stands with what uses it.
    alone = [*program.group_of, *program.embedding, *program.constant]
    alone = [i.name for i in program.instructions[::-1] if isinstance(i, Moment) and not i.vectors] + alone
    for name in alone:
        wanted = {out.get(u, "forward") for u in used.get(name, ())}
        if out.get(name, "forward") == "forward" and wanted:
            out[name] = next((p for p in ("forward", "backward", "after") if p in wanted), "forward")
        else:
            out.setdefault(name, "forward")
    return out

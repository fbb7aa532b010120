"""Folding: members of a family, `h[1]`, `h[2]`, …, drawn as one symbol with a count, where a program is large."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Literal

from netsor.core import MatMul, Nonlin, Program
from netsor.show.drawing.names import split
from netsor.show.drawing.passes import inputs

Folding = Literal["auto", "none", "lanes", "all"]
MOST = 130
# A chain of more variables is wider than a page, and is folded where that shortens it to this part.
LONGEST, SHORTER = 20, 0.6


def groups(program: Program, kept: set[str], folding: Folding = "auto") -> dict[str, str]:
    """For each variable the name of the symbol that stands for it, its own or that of a family such as `h[1…3,2]`.

    `lanes` folds the indices along which nothing happens (inputs, tokens, pixels), `all` folds every index, the steps
    of an SGD program among them, and `auto` folds no more than it must to draw at most about 130 variables, and no
    chain that is much longer than a page is wide where a loop can take its place.
    """
    own = {name: name for name in kept}
    if folding == "none":
        return own
    mark = _step_mark(program)
    depth = _depths(program)
    families = _families(program, kept, mark)
    everything = _named({key: [True] * len(key[1]) for key in families}, families)
    if folding == "all":
        return everything
    if folding == "auto":
        chain = _longest_chain(program, kept, depth)
        if len(chain) > LONGEST and len({everything[name] for name in chain}) <= SHORTER * len(chain):
            return everything
        if len(kept) <= MOST:
            return own
        # Steps of SGD hang together by so many lines that a drawing of several shows none of them.
        if mark:
            return everything
    families = _families(program, kept, "")
    lanes = _named({key: _lanes(members, depth) for key, members in families.items()}, families)
    return lanes if folding == "lanes" or len(set(lanes.values())) <= MOST else everything


def _step_mark(program: Program) -> str:
    """What stands before the step of SGD in names, `_t` as in `δh_t2[1]` or `_`; "" where there are no steps."""
    vectors = [split(i.name)[0] for i in program.instructions if isinstance(i, (MatMul, Nonlin))]
    for mark in ("_t", "_"):
        if any(re.fullmatch(rf"δ.+{mark}\d+", v) for v in vectors):
            return mark
    return ""


def _indexed(name: str, mark: str) -> tuple[str, tuple[str, ...]]:
    """A name as base and indices, the step of SGD the first of them."""
    base, indices = split(name)
    found = re.fullmatch(rf"(.+){mark}(\d+)", base) if mark else None
    return (f"{found[1]}{mark}", (found[2], *indices)) if found else (base, indices)


Family = tuple[str, tuple[int, ...], str]


def _families(program: Program, kept: set[str], mark: str) -> dict[Family, list[tuple[str, tuple[str, ...]]]]:
    # One symbol is one kind of thing: s[0] may be given where s[1] is made. One name may have two numbers of indices.
    out: dict[Family, list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
    order = {i.name: k for k, i in enumerate(program.instructions)}
    for name in sorted(kept, key=lambda x: (order.get(x, -1), x)):
        base, indices = _indexed(name, mark)
        i = program.by_name.get(name)
        how = program.kind_of(name) if i is None else type(i).__name__ + str(isinstance(i, MatMul) and i.transposed)
        if isinstance(i, Nonlin):
            how += str(len(i.vectors) > 0)
        out[base, tuple(range(len(indices))), how].append((name, indices))
    return out


def _depths(program: Program) -> dict[str, int]:
    depth: dict[str, int] = {}
    for i in program.instructions:
        depth[i.name] = 1 + max((depth.get(x, 0) for x in inputs(program, i.name)), default=0)
    return depth


def _longest_chain(program: Program, kept: set[str], depth: dict[str, int]) -> list[str]:
    """The variables of a longest chain, each made from the next, the last one first."""
    chain: list[str] = []
    following = [name for name in kept if name in depth]
    while following:
        chain.append(max(following, key=lambda name: (depth[name], name)))
        following = [x for x in inputs(program, chain[-1]) if x in depth]
    return chain


def _lanes(members: list[tuple[str, tuple[str, ...]]], depth: dict[str, int]) -> list[bool]:
    count = len(members[0][1])
    out = []
    for d in range(count):
        seen: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for name, indices in members:
            seen[indices[:d] + indices[d + 1 :]].add(depth.get(name, 0))
        # Neighbours at an image's edge are a step apart; layers are apart in most of their members.
        out.append(sum(len(s) > 1 for s in seen.values()) * 2 <= len(seen))
    return out


def _named(
    folded: dict[Family, list[bool]], families: dict[Family, list[tuple[str, tuple[str, ...]]]]
) -> dict[str, str]:
    out: dict[str, str] = {}
    taken: set[str] = set()
    for key, members in families.items():
        flags = folded[key]
        together: dict[tuple[str, ...], list[tuple[str, tuple[str, ...]]]] = defaultdict(list)
        for name, indices in members:
            together[tuple(i for i, f in zip(indices, flags) if not f)].append((name, indices))
        for some in together.values():
            symbol = family_name([name for name, _ in some], key[0], [indices for _, indices in some])
            while symbol in taken:
                symbol += " "
            taken.add(symbol)
            out.update({name: symbol for name, _ in some})
    return out


def family_name(names: list[str], base: str = "", indices: list[tuple[str, ...]] | None = None) -> str:
    """One name for several members of a family: `h[1]` and `h[2]` are `h[1…2]`."""
    if len(names) == 1:
        return names[0]
    base = base or split(names[0])[0]
    columns = zip(*(indices or [split(n)[1] for n in names]))
    return f"{base}[{','.join(_range(c) for c in columns)}]"


def _range(values: tuple[str, ...]) -> str:
    found = list(dict.fromkeys(values))
    if len(found) == 1:
        return found[0]
    numbers = sorted(int(v) for v in found) if all(v.lstrip("-").isdigit() for v in found) else None
    return f"{numbers[0]}…{numbers[-1]}" if numbers else "·"

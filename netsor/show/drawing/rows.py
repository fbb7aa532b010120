"""Rows: the order within each column with few crossings, then heights that keep edges straight.

Crossings are lowered by sweeps of barycentres and exchanges of neighbours; heights minimise Σ w |y(u) − y(v) + offset|
under the distances that neighbours keep, a linear programme that HiGHS solves.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array


@dataclass
class Segment:
    """A piece of an edge between places of neighbouring columns, left to right."""

    left: str
    right: str
    weight: float = 1.0
    shift: float = 0.0


@dataclass
class Place:
    """A node, a matrix's label or a bend, in its column; `band` orders the passes from above to below."""

    key: str
    column: int
    band: float
    height: float
    gap: float
    real: bool
    first: float = 0.0


def infer_order(places: dict[str, Place], segments: list[Segment], sweeps: int = 16) -> dict[int, list[str]]:
    """The order of each column from above."""
    left: dict[str, list[str]] = defaultdict(list)
    right: dict[str, list[str]] = defaultdict(list)
    for s in segments:
        left[s.right].append(s.left)
        right[s.left].append(s.right)
    columns: dict[int, list[str]] = defaultdict(list)
    for p in places.values():
        columns[p.column].append(p.key)
    for keys in columns.values():
        keys.sort(key=lambda k: (places[k].band, places[k].first))
    ranks = sorted(columns)
    best, least = {r: list(k) for r, k in columns.items()}, _crossings(columns, ranks, right)
    for sweep in range(sweeps):
        if least == 0:
            break
        forward = sweep % 2 == 0
        for r in ranks[1:] if forward else ranks[-2::-1]:
            before = columns.get(r - 1 if forward else r + 1, [])
            _sort(columns[r], {k: float(i) for i, k in enumerate(before)}, left if forward else right, places)
        for r in ranks:
            _exchange(columns, r, left, right, places)
        now = _crossings(columns, ranks, right)
        if now < least:
            best, least = {r: list(k) for r, k in columns.items()}, now
    return best


def _sort(keys: list[str], at: dict[str, float], ends: dict[str, list[str]], places: dict[str, Place]) -> None:
    value = {}
    for i, k in enumerate(keys):
        found = [at[e] for e in ends[k] if e in at]
        value[k] = sum(found) / len(found) if found else float(i)
    keys.sort(key=lambda k: (places[k].band, value[k]))


def _exchange(
    columns: dict[int, list[str]],
    r: int,
    left: dict[str, list[str]],
    right: dict[str, list[str]],
    places: dict[str, Place],
) -> None:
    keys = columns[r]
    at = {k: i for c in (r - 1, r + 1) for i, k in enumerate(columns.get(c, []))}
    changed, rounds = True, 0
    while changed and rounds < 8:
        changed, rounds = False, rounds + 1
        for i in range(len(keys) - 1):
            a, b = keys[i], keys[i + 1]
            if places[a].band != places[b].band:
                continue
            gain = sum(_pairs(ends[a], ends[b], at) - _pairs(ends[b], ends[a], at) for ends in (left, right))
            if gain > 0:
                keys[i], keys[i + 1] = b, a
                changed = True


def _pairs(above: list[str], below: list[str], at: dict[str, int]) -> int:
    return sum(at.get(x, 0) > at.get(y, 0) for x in above for y in below)


def _crossings(columns: dict[int, list[str]], ranks: list[int], right: dict[str, list[str]]) -> int:
    total = 0
    for r in ranks:
        at = {k: i for i, k in enumerate(columns.get(r + 1, []))}
        seen: list[int] = []
        for k in columns[r]:
            ends = sorted(at[e] for e in right[k] if e in at)
            for e in ends:
                total += len(seen) - bisect_left(seen, e + 1)
            for e in ends:
                insort(seen, e)
    return total


def infer_heights(
    places: dict[str, Place],
    order: dict[int, list[str]],
    segments: list[Segment],
    apart: Callable[[Place, Place], float],
    levels: list[tuple[str, str, float]] = (),  # type: ignore[assignment]
) -> dict[str, float]:
    """The height of each place's middle; `levels` are pairs that like to stand at one height, with a weight."""
    index = {k: i for i, k in enumerate(places)}
    n = len(index)
    lines = [(s.left, s.right, s.weight, s.shift) for s in segments] + [(a, b, w, 0.0) for a, b, w in levels]
    m = len(lines)
    i: list[int] = []
    j: list[int] = []
    x: list[float] = []
    b: list[float] = []
    for keys in order.values():
        for above, below in zip(keys, keys[1:]):
            i += [len(b)] * 2
            j += [index[above], index[below]]
            x += [1.0, -1.0]
            b.append(-apart(places[above], places[below]))
    # Whole passes stand below one another, not only column by column.
    bands = sorted({p.band for p in places.values() if p.real})
    for k, (upper, lower) in enumerate(zip(bands, bands[1:])):
        for p in places.values():
            if p.real and p.band in (upper, lower):
                sign = 1.0 if p.band == upper else -1.0
                i += [len(b)] * 2
                j += [index[p.key], n + m + k]
                x += [sign, -sign]
                b.append(-(p.height / 2 + 14))
    for k, (u, v, _, shift) in enumerate(lines):
        for sign in (1.0, -1.0):
            i += [len(b)] * 3
            j += [index[u], index[v], n + k]
            x += [sign, -sign, -1.0]
            b.append(-sign * shift)
    size = n + m + max(len(bands) - 1, 0)
    c = np.zeros(size)
    c[:n] = 1e-3 / n
    c[n : n + m] = [w for *_, w, _ in lines]
    if not b:
        return dict.fromkeys(places, 0.0)
    a = coo_array((x, (i, j)), shape=(len(b), size)).tocsr()
    found = linprog(c, A_ub=a, b_ub=b, bounds=[(0, None)] * size, method="highs")
    if found.x is None:
        return _stacked(places, order, apart)
    y = found.x[:n] - found.x[:n].min()
    return {k: float(y[i]) for k, i in index.items()}


def _stacked(
    places: dict[str, Place], order: dict[int, list[str]], apart: Callable[[Place, Place], float]
) -> dict[str, float]:
    out: dict[str, float] = {}
    for keys in order.values():
        y = 0.0
        for k, key in enumerate(keys):
            y += apart(places[keys[k - 1]], places[key]) if k else 0.0
            out[key] = y
    return out

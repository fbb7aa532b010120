"""Columns: each node's rank, by the linear programme of layered drawings, solved exactly by HiGHS.

The sum of the edges' weighted lengths is least, under r(target) − r(source) ≥ length for what flows forward and the
reverse within the backward pass; an error signal dX is drawn toward the column of X. All constraints are differences,
so the optimum at a vertex is whole.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from netsor.show.drawing.scene import Edge, Node, Scene

_SMALL = 1e-3


def length(e: Edge) -> int:
    """Columns that an edge spans at least: a matrix stands in a column of its own."""
    return 2 if e.matrix else 1


def infer_columns(scene: Scene, late: set[int]) -> dict[str, int]:
    """The column of each node; `late` are the edges (by index) that close a loop of a folded program."""
    index = {key: i for i, key in enumerate(scene.nodes)}
    rows: list[tuple[int, int, float]] = []
    soft: list[tuple[int, int, float, float]] = []
    cost = np.zeros(len(index))
    for k, e in enumerate(scene.edges):
        a, b = scene.ends(e)
        u, v = index[e.source], index[e.target]
        if k in late:
            # A loop's edge runs against the flow; its ends stay near.
            soft.append((v, u, 0.0, 0.1))
            continue
        if a.part == b.part == "backward":
            u, v = v, u
        elif b.part == "backward":
            soft.append((u, v, 1.0, 1.0))
            continue
        rows.append((u, v, length(e)))
        w = _weight(a, b, e)
        cost[v] += w
        cost[u] -= w
    for key, n in scene.nodes.items():
        if n.twin and n.twin in index:
            soft.append((index[n.twin], index[key], 0.0, 6.0))
    return _solve(list(index), rows, soft, cost)


def _weight(a: Node, b: Node, e: Edge) -> float:
    if a.is_gate:
        return 8.0
    if e.scalar:
        return 0.4
    return 2.0 if e.matrix else 1.0


def _solve(
    keys: list[str], rows: list[tuple[int, int, float]], soft: list[tuple[int, int, float, float]], cost: np.ndarray
) -> dict[str, int]:
    n, m = len(keys), len(soft)
    i, j, x, b = [], [], [], []
    for k, (u, v, least) in enumerate(rows):
        i += [k, k]
        j += [u, v]
        x += [1.0, -1.0]
        b.append(-least)
    for s, (u, v, wanted, _) in enumerate(soft):
        for sign in (1.0, -1.0):
            i += [len(b)] * 3
            j += [v, u, n + s]
            x += [sign, -sign, -1.0]
            b.append(sign * wanted)
    # A touch toward the left, so that nothing floats.
    c = np.concatenate([cost + _SMALL / max(n, 1), [w for *_, w in soft]])
    if not b:
        return dict.fromkeys(keys, 0)
    a = coo_array((x, (i, j)), shape=(len(b), n + m)).tocsr()
    found = linprog(c, A_ub=a, b_ub=b, bounds=[(0, None)] * (n + m), method="highs-ds")
    ranks = np.round(found.x[:n]).astype(int)
    ranks -= ranks.min()
    return {key: int(r) for key, r in zip(keys, ranks)}

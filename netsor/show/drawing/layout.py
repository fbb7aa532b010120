"""Every node, edge and matrix of a scene with its place, in pixels."""

from __future__ import annotations

from dataclasses import dataclass, field

from netsor.show.drawing.columns import infer_columns
from netsor.show.drawing.names import width
from netsor.show.drawing.rows import Place, Segment, infer_heights, infer_order
from netsor.show.drawing.scene import PARTS, Edge, Node, Scene
from netsor.show.markup import path

CIRCLE, SQUARE, GATE, QUIET, LABEL = 32.0, 29.0, 29.0, 13.0, 20.0
_PORT, _LANE = 11.0, 7.0


@dataclass
class Box:
    """A node's or a label's middle and size."""

    x: float
    y: float
    w: float
    h: float


@dataclass
class Route:
    """An edge's cubic curve as SVG path data, its head (x, y, direction) if it has one, and the box of its matrix."""

    edge: Edge
    path: str
    head: tuple[float, float, str] | None
    label: Box | None = None


@dataclass
class Layout:
    """A scene with places; `bands` are the heights (top, bottom) of its passes."""

    scene: Scene
    boxes: dict[str, Box]
    routes: list[Route]
    width: float
    height: float
    bands: dict[str, tuple[float, float]] = field(default_factory=dict)


def size(n: Node) -> tuple[float, float]:
    """Width and height of a node's symbol."""
    text = width(n.label)
    if n.kind in ("G", "X"):
        return (QUIET, QUIET) if n.quiet else (max(CIRCLE, text + 18), CIRCLE)
    if n.kind == "scalar":
        return (QUIET - 1, QUIET - 1) if n.quiet else (max(SQUARE, text + 13), SQUARE)
    if n.kind == "data":
        return text + 10, 22.0
    return max(34.0, text + 26), GATE


def infer_layout(scene: Scene) -> Layout:
    """Columns, then order and heights, then curves."""
    if not scene.nodes:
        return Layout(scene, {}, [], 0.0, 0.0)
    return _Engine(scene).run()


def late_edges(scene: Scene) -> set[int]:
    """Edges that close a loop, which only a folded program has: from what is made later to what is made before."""
    first = {key: n.first for key, n in scene.nodes.items()}
    return {i for i, e in enumerate(scene.edges) if first[e.source] >= first[e.target] > -1}


class _Engine:
    def __init__(self, scene: Scene):
        self.scene = scene
        self.late = late_edges(scene)
        self.column = infer_columns(scene, self.late)
        ends = {i: scene.edges[i] for i in self.late}
        self.late = {i for i, e in ends.items() if self.column[e.source] >= self.column[e.target]}
        self.places: dict[str, Place] = {}
        self.widths: dict[str, float] = {}
        self.segments: list[Segment] = []
        self.chains: list[list[str]] = []
        self.labels: dict[int, str] = {}
        self.joined: set[tuple[str, str]] = set()
        self.main = self._main()
        for i, (key, n) in enumerate(scene.nodes.items()):
            w, h = size(n)
            extra = (26.0 if n.count > 1 else 0.0) + (3.0 if n.output else 0.0)
            self.places[key] = Place(key, self.column[key], float(PARTS.index(n.part)), h + extra, 8.0, True, float(i))
            self.widths[key] = w + (10.0 if n.count > 1 else 0.0) + (7.0 if n.output else 0.0)
        self._grow()
        for i, e in enumerate(scene.edges):
            self.chains.append(self._chain(i, e))

    def _main(self) -> dict[str, int]:
        """For each gate the first of its vectors in its own pass: the line that a reader follows."""
        out: dict[str, int] = {}
        for i, e in enumerate(self.scene.edges):
            a, b = self.scene.ends(e)
            if b.kind == "gate" and not e.scalar and a.part == b.part and self._made(a.key):
                out.setdefault(e.target, i)
        return out

    def _made(self, key: str) -> bool:
        return any(e.target == key for e in self.scene.edges)

    def _grow(self) -> None:
        # A gate is as tall as its inputs need.
        entering: dict[str, int] = {}
        for e in self.scene.edges:
            entering[e.target] = entering.get(e.target, 0) + 1
        for key, n in self.scene.nodes.items():
            if n.is_gate:
                self.places[key].height = max(GATE, _PORT * (entering.get(key, 1) - 1) + 16)

    def _chain(self, i: int, e: Edge) -> list[str]:
        a, b = self.column[e.source], self.column[e.target]
        step = 1 if b >= a else -1
        if i in self.late:
            # Out on the right, back along a row of its own, and in on the left.
            a, b, step = a + 1, b - 1, -1
        between = list(range(a + step, b, step))
        band = (self.places[e.source].band + self.places[e.target].band) / 2
        chain = [e.source]
        mid = between[len(between) // 2] if between else None
        first = self.places[e.target].first
        for c in between:
            # Lines from one source share a trunk and part where they must; a product has a line of its own.
            key = f"bend {i} {c}" if e.matrix else f"bend {e.source} {band} {c}"
            if key not in self.places:
                self.places[key] = Place(key, c, band, 2.0, 5.0, False, first)
                self.widths[key] = 0.0
            if e.matrix and c == mid:
                self.places[key].height, self.places[key].gap = LABEL, 4.0
                self.widths[key] = width(e.label) + 12
                self.labels[i] = key
            chain.append(key)
        chain.append(e.target)
        if i in self.late:
            for u, v in zip(chain[1:-1], chain[2:-1]):
                self.segments.append(Segment(v, u, 4.0))
            return chain
        if a == b:
            return chain
        tail = self.scene.nodes[e.source]
        for u, v in zip(chain, chain[1:]):
            straight = u.startswith("bend") + v.startswith("bend")
            w = (1.0, 2.0, 6.0)[straight] * (
                8.0 if tail.is_gate else 4.0 if e.matrix or self.main.get(e.target) == i else 1.0
            )
            left, right = (u, v) if step > 0 else (v, u)
            if (left, right) not in self.joined:
                self.joined.add((left, right))
                self.segments.append(Segment(left, right, w))
        return chain

    def run(self) -> Layout:
        order = infer_order(self.places, self.segments)
        ports = self._ports(order)
        self.lanes = self._lanes(order)
        backward = [[k for k in keys if k in self.scene.nodes and self.places[k].band == 1] for keys in order.values()]
        self.first = {keys[0] for keys in backward if keys}
        shifts = {(s.left, s.right): s for s in self.segments}
        for i, chain in enumerate(self.chains):
            offset = ports.get(i)
            if offset and i not in self.late and len(chain) >= 2 and self.column[chain[0]] != self.column[chain[-1]]:
                u, v = chain[-2], chain[-1]
                s = shifts.get((u, v))
                if s is not None:
                    s.shift = offset
                elif (v, u) in shifts:
                    shifts[v, u].shift = -offset
        y = infer_heights(self.places, order, self.segments, self._apart, self._levels())
        x = self._xs(y)
        boxes = {
            key: Box(x[self.column[key]], y[key], size(n)[0], self.places[key].height if n.is_gate else size(n)[1])
            for key, n in self.scene.nodes.items()
        }
        routes = [self._route(i, e, boxes, x, y, ports.get(i, 0.0)) for i, e in enumerate(self.scene.edges)]
        w = max(x[c] + self._wide(c) / 2 for c in x)
        h = max(y[k] + p.height / 2 for k, p in self.places.items())
        top = min(y[k] - p.height / 2 for k, p in self.places.items())
        for b in boxes.values():
            b.y -= top
        moved = [_moved(r, -top) for r in routes]
        return Layout(self.scene, boxes, moved, w, h - top, self._bands(boxes))

    def _levels(self) -> list[tuple[str, str, float]]:
        """Members of one family that stand in a row of their own keep one height: h[1] → h[2] → h[3]."""
        out = []
        main: dict[str, str] = {}
        for e in self.scene.edges:
            if e.matrix and e.source in self.column:
                main.setdefault(e.target, e.source)
        for target, source in main.items():
            out.append((source, target, 0.5))
        return out

    def _apart(self, a: Place, b: Place) -> float:
        gap = a.gap + b.gap + (8.0 if a.real and b.real and a.band != b.band else 0.0)
        return (a.height + b.height) / 2 + gap

    def _ports(self, order: dict[int, list[str]]) -> dict[int, float]:
        """Where on its gate's side each edge enters, from above in the order of where it comes from."""
        at = {k: i for keys in order.values() for i, k in enumerate(keys)}
        entering: dict[tuple[str, int], list[int]] = {}
        for i, e in enumerate(self.scene.edges):
            if not self.scene.nodes[e.target].is_gate or self._from_above(e):
                continue
            side = 1 if self.column[e.source] < self.column[e.target] else -1
            entering.setdefault((e.target, side), []).append(i)
        out = {}
        for found in entering.values():
            found.sort(key=lambda i: at[self.chains[i][-2]])
            for k, i in enumerate(found):
                out[i] = (k - (len(found) - 1) / 2) * _PORT
        return out

    def _lanes(self, order: dict[int, list[str]]) -> dict[int, int]:
        """For each edge from above the way down that it takes beside its column; the lowest gate's is the farthest."""
        at = {k: i for keys in order.values() for i, k in enumerate(keys)}
        found: dict[int, list[int]] = {}
        for i, e in enumerate(self.scene.edges):
            if self._from_above(e):
                found.setdefault(self.column[e.target], []).append(i)
        return {
            i: k
            for some in found.values()
            for k, i in enumerate(sorted(some, key=lambda i: at[self.scene.edges[i].target]))
        }

    def _from_above(self, e: Edge) -> bool:
        """Whether an edge comes down from the forward pass into a gate of the backward pass, against its direction."""
        a, b = self.scene.ends(e)
        return b.is_gate and a.part != "backward" and b.part == "backward" and self.column[a.key] <= self.column[b.key]

    def _wide(self, c: int) -> float:
        return max((self.widths[p.key] for p in self.places.values() if p.column == c), default=0.0)

    def _xs(self, y: dict[str, float]) -> dict[int, float]:
        columns = sorted({p.column for p in self.places.values()})
        steep = dict.fromkeys(columns, 0.0)
        for s in self.segments:
            c = self.places[s.left].column
            steep[c] = max(steep[c], abs(y[s.left] - y[s.right]))
        down: dict[int, int] = {}
        for i, lane in self.lanes.items():
            c = self.column[self.scene.edges[i].target]
            down[c] = max(down.get(c, 0), lane)
        x, at = {}, 0.0
        for k, c in enumerate(columns):
            half = self._wide(c) / 2
            at += half
            x[c] = at
            if k + 1 < len(columns):
                ways = _LANE * (down[columns[k + 1]] + 1) if columns[k + 1] in down else 0.0
                at += half + 22 + min(64.0, 0.13 * steep[c]) + ways
        return x

    def _route(
        self, i: int, e: Edge, boxes: dict[str, Box], x: dict[int, float], y: dict[str, float], offset: float
    ) -> Route:
        a, b = boxes[e.source], boxes[e.target]
        cs, ct = self.column[e.source], self.column[e.target]
        label = None
        if i in self.labels:
            key = self.labels[i]
            label = Box(x[self.places[key].column], y[key], self.widths[key], LABEL)
        if i in self.late:
            return self._loop(i, e, a, b, x, y, offset, label)
        if cs == ct:
            return self._flat(e, a, b, label)
        step = 1 if ct > cs else -1
        points = [(a.x + step * a.w / 2, a.y)]
        for key in self.chains[i][1:-1]:
            half = self._wide(self.places[key].column) / 2
            middle = x[self.places[key].column]
            points += [(middle - step * half, y[key]), (middle + step * half, y[key])]
        if self._from_above(e):
            return self._descent(e, points, b, x[ct] - self._wide(ct) / 2 - 5 - _LANE * self.lanes[i], label)
        # Squares and gates that lean toward a port; a head needs five pixels.
        headed = not self.scene.nodes[e.source].is_gate
        end = (b.x - step * b.w / 2, b.y + offset)
        stop = (end[0] - step * (5 if headed else 0), end[1])
        if label is None and e.matrix:
            label = Box((points[-1][0] + stop[0]) / 2, (points[-1][1] + stop[1]) / 2, width(e.label) + 12, LABEL)
        return Route(
            e, _curve([*points, stop]), (end[0], end[1], "right" if step > 0 else "left") if headed else None, label
        )

    def _descent(self, e: Edge, points: list[tuple[float, float]], b: Box, lane: float, label: Box | None) -> Route:
        """Down beside the column of the gate, past the gates above it, and in from above."""
        top, x0, y0 = b.y - b.h / 2, points[-1][0], points[-1][1]
        end = (b.x - b.w / 4, top)
        start = max(x0, lane - 16)
        # The gap between the passes gives the first gate's arrow room for a rounder turn.
        room = 30.0 if e.target in self.first else 16.0
        bend = path("C", lane, y0, lane, y0, lane, min(y0 + 24, top - room), "L", lane, top - room)
        arrival = path("C", lane, top - 0.45 * room, end[0], top - 0.9 * room, end[0], top - 5)
        return Route(e, f"{_curve(points)} {path('L', start, y0)} {bend} {arrival}", (*end, "down"), label)

    def _loop(
        self,
        i: int,
        e: Edge,
        a: Box,
        b: Box,
        x: dict[int, float],
        y: dict[str, float],
        offset: float,
        label: Box | None,
    ) -> Route:
        bends = self.chains[i][1:-1]
        first, last = self.places[bends[0]].column, self.places[bends[-1]].column
        out, back = x[first] + self._wide(first) / 2, x[last] - self._wide(last) / 2
        (x0, y0), (x1, y1) = (a.x + a.w / 2, a.y), (b.x - b.w / 2 - 5, b.y + offset)
        right, left = out + 20, back - 20
        y2, y3 = y[bends[0]], y[bends[-1]]
        way = path("M", x0, y0, "L", out, y0, "C", right, y0, right, y2, out, y2)
        for key in bends:
            half = self._wide(self.places[key].column) / 2
            middle = x[self.places[key].column]
            way += " " + path("L", middle + half, y[key], "L", middle - half, y[key])
        way += " " + path("C", left, y3, left, y1, back, y1, "L", x1, y1)
        return Route(e, way, (x1 + 5, y1, "right"), label)

    def _flat(self, e: Edge, a: Box, b: Box, label: Box | None) -> Route:
        out = max(a.w, b.w) / 2 + 16
        start, end = (a.x + a.w / 2, a.y), (b.x + b.w / 2 + 5, b.y)
        way = path("M", *start, "C", a.x + out, a.y, b.x + out, b.y, *end)
        if e.matrix and label is None:
            label = Box(a.x + out - 4, (a.y + b.y) / 2, width(e.label) + 12, LABEL)
        return Route(e, way, (b.x + b.w / 2, b.y, "left"), label)

    def _bands(self, boxes: dict[str, Box]) -> dict[str, tuple[float, float]]:
        out: dict[str, tuple[float, float]] = {}
        for key, b in boxes.items():
            part = self.scene.nodes[key].part
            low, high = out.get(part, (b.y, b.y))
            out[part] = (min(low, b.y - b.h / 2), max(high, b.y + b.h / 2))
        return out


def _curve(points: list[tuple[float, float]]) -> str:
    """Cubics with level ends between columns, straight lines across them."""
    (x0, y0), *rest = points
    text = path("M", x0, y0)
    for x1, y1 in rest:
        if abs(y1 - y0) < 0.05:
            text += " " + path("L", x1, y1)
        else:
            k = (x1 - x0) / 2
            text += " " + path("C", x0 + k, y0, x1 - k, y1, x1, y1)
        x0, y0 = x1, y1
    return text


def _moved(r: Route, dy: float) -> Route:
    """The route shifted down by `dy`; path data holds pairs x y throughout."""
    words = r.path.split()
    out, second = [], False
    for w in words:
        if w.isalpha():
            out.append(w)
            continue
        out.append(f"{float(w) + dy:.1f}" if second else w)
        second = not second
    head = (r.head[0], r.head[1] + dy, r.head[2]) if r.head else None
    label = Box(r.label.x, r.label.y + dy, r.label.w, r.label.h) if r.label else None
    return Route(r.edge, " ".join(out), head, label)

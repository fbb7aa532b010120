"""What is drawn, before it has a place: the nodes and edges of Appendix C's notation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from netsor.show.drawing.names import Piece

Kind = Literal["G", "X", "scalar", "data", "gate", "bar"]
Part = Literal["forward", "backward", "after"]
PARTS: tuple[Part, ...] = ("forward", "backward", "after")


@dataclass
class Node:
    """A circle (G-var, X-var), a square (scalar), a name of data, a gate (NONLIN) or a bar-gate (MOMENT)."""

    key: str
    kind: Kind
    label: tuple[Piece, ...]
    tip: str
    part: Part = "forward"
    count: int = 1
    output: str = ""
    quiet: bool = False
    twin: str = ""
    group: str = ""
    first: float = -9.0

    @property
    def is_gate(self) -> bool:
        return self.kind in ("gate", "bar")


@dataclass
class Edge:
    """From `source` to `target`; with a matrix on it for MATMUL, `data` for U ξ."""

    source: str
    target: str
    matrix: str = ""
    transposed: bool = False
    label: tuple[Piece, ...] = ()
    tip: str = ""
    scalar: bool = False


@dataclass
class Legend:
    """A function that does not fit into its gate, under the sign that stands there."""

    sign: tuple[Piece, ...]
    text: str


@dataclass
class Scene:
    """All that is drawn of one program."""

    title: str
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    legends: list[Legend] = field(default_factory=list)
    matrices: list[str] = field(default_factory=list)
    folded: int = 0
    notes: list[tuple[Piece, ...]] = field(default_factory=list)

    def ends(self, e: Edge) -> tuple[Node, Node]:
        return self.nodes[e.source], self.nodes[e.target]

"""A scene as a graph in the DOT language, for those who would rather lay it out with Graphviz."""

from __future__ import annotations

from netsor.show.drawing.names import plain
from netsor.show.drawing.scene import Node, Scene
from netsor.show.drawing.style import LIGHT, strokes

_STYLES = {"7 3": "dashed", "2 3": "dotted"}


def to_dot(scene: Scene) -> str:
    """Circles, squares and gates as Graphviz has them; products are dashed and labelled."""
    look = strokes(scene)
    ids = {key: f"n{i}" for i, key in enumerate(scene.nodes)}
    lines = [
        f"digraph {_quoted(scene.title)} {{",
        "  rankdir=LR;",
        '  node [fontname="Times-Italic", margin="0.05,0.03"];',
    ]
    lines += [f"  {ids[key]} [{_node(n)}];" for key, n in scene.nodes.items()]
    for e in scene.edges:
        a, b = scene.ends(e)
        tail, head = ids[e.source], ids[e.target]
        # Graphviz ranks by direction; the backward pass runs the other way, under the forward one.
        reverse = a.part == b.part == "backward"
        attributes = ["dir=back"] if reverse else []
        if e.matrix:
            number, dash = look[e.matrix]
            style = _STYLES.get(dash, "dashed")
            attributes += [f"label={_quoted(plain(e.label))}", f"style={style}", f'color="{LIGHT.matrices[number]}"']
            attributes.append(f'fontcolor="{LIGHT.matrices[number]}"')
        elif a.is_gate:
            attributes.append("arrowhead=none" if not reverse else "arrowtail=none")
        ends = f"{head} -> {tail}" if reverse else f"{tail} -> {head}"
        lines.append(f"  {ends}" + (f" [{', '.join(attributes)}]" if attributes else "") + ";")
    for legend in scene.legends:
        lines.append(f"  // {plain(legend.sign)} {legend.text}")
    return "\n".join([*lines, "}"]) + "\n"


def _node(n: Node) -> str:
    label = plain(n.label) + (f" ×{n.count}" if n.count > 1 else "")
    shape = {"G": "ellipse", "X": "ellipse", "scalar": "box", "data": "plaintext", "gate": "cds", "bar": "rpromoter"}[
        n.kind
    ]
    if n.kind == "bar":
        # Graphviz has no bar-gate; a record with an empty first field is one with a bar.
        return f"shape=record, label={_quoted('|' + _escaped(label))}, tooltip={_quoted(n.tip)}"
    extra = f', style=filled, fillcolor="{LIGHT.fill}", fontcolor=white' if n.kind == "X" else ""
    extra += ", peripheries=2" if n.output else ""
    return f"shape={shape}, label={_quoted(label)}, tooltip={_quoted(n.tip)}{extra}"


def _escaped(text: str) -> str:
    return "".join("\\" + c if c in "{}|<>" else c for c in text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\\\\|", "\\|") + '"'

"""A layout as SVG, written directly."""

from __future__ import annotations

from collections.abc import Collection
from html import escape

from netsor.show.drawing.layout import Box, Layout, Route
from netsor.show.drawing.metrics import advance, is_usual
from netsor.show.drawing.names import SIZE, SMALL, Piece, accents, styled, text_width, width
from netsor.show.drawing.scene import Node
from netsor.show.drawing.style import FONT, css, strokes
from netsor.show.markup import path, tag

_MARGIN = 18.0
_LINE = 21.0


def to_svg(layout: Layout, theme: str = "auto", key: bool = True, inline: bool = False) -> str:
    """The drawing; `key` adds the meaning of the symbols; `inline` leaves out the XML header, for a page of HTML."""
    out: list[str] = []
    side = 24.0 if len(layout.bands) > 1 else 0.0
    below = _Below(layout, max(layout.width + side, 560.0 if key else 0.0)) if key else None
    w = max(layout.width + side, below.width if below else 0.0) + 2 * _MARGIN
    h = layout.height + 2 * _MARGIN + (below.height if below else 0.0)
    if not inline:
        out.append('<?xml version="1.0" encoding="UTF-8"?>')
    title = f"Drawing of {layout.scene.title}"
    out.append(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0f}" height="{h:.0f}" viewBox="0 0 {w:.0f} {h:.0f}" '
        'role="img" '
        f'aria-label="{escape(title, quote=True)}" font-family="{FONT}" font-size="{SIZE:g}">'
    )
    out.append(f"<title>{escape(title)}</title><desc>{escape(describe(layout))}</desc>")
    out.append(f"<style>{css(theme)}</style>")
    out.append(f'<rect class="ns-paper" width="{w:.0f}" height="{h:.0f}"/>')
    out.append(f'<g transform="translate({_MARGIN + side:g} {_MARGIN:g})">')
    look = strokes(layout.scene)
    out += _bands(layout, side)
    out += [_edge(r, look) for r in layout.routes]
    out += [_matrix(r, look) for r in layout.routes if r.label is not None]
    out += [_node(n, layout.boxes[k]) for k, n in layout.scene.nodes.items()]
    out.append("</g>")
    if below:
        out.append(f'<g transform="translate({_MARGIN:g} {layout.height + 2 * _MARGIN:.1f})">{below.text}</g>')
    out.append("</svg>")
    return "\n".join(out) + "\n"


def describe(layout: Layout) -> str:
    """The drawing in a sentence, for those who cannot see it."""
    nodes = layout.scene.nodes.values()
    count = {kind: sum(n.count for n in nodes if n.kind == kind) for kind in ("G", "X", "scalar", "gate", "bar")}
    matmuls = sum(bool(e.matrix) for e in layout.scene.edges)
    parts = ", ".join(p for p in layout.bands)
    return (
        f"{count['G']} G-vars, {count['X']} X-vars and {count['scalar']} scalars; {count['gate']} NONLIN gates, "
        f"{count['bar']} MOMENT bar-gates, {matmuls} products with a matrix; parts: {parts}."
    )


def runs(
    label: tuple[Piece, ...], x: float, y: float, css_class: str, anchor: str = "middle", size_of_text: float = SIZE
) -> str:
    """Text of pieces with its middle (or start) at x and its middle height at y.

    Each run has a place of its own: renderers that lack a letter exchange the font of the whole run, and marks stand
    where no font would put them.
    """
    if not label:
        return ""
    line = y + size_of_text / 3
    small = SMALL * size_of_text / SIZE
    at = (
        x - sum(advance(p.text, p.italic) * (small if p.shift else size_of_text) for p in label) / 2
        if anchor == "middle"
        else x
    )
    out = ""
    for p in label:
        em = small if p.shift else size_of_text
        base = line + {"sub": 4.0, "sup": -6.0}.get(p.shift, 0.0)
        for letters, mark, tall in accents(p.text):
            for run in _usual_runs(letters):
                out += _span(run, at, base, em, p.italic)
                at += em * advance(run, p.italic)
            if mark:
                middle = at - em * advance(letters[-1], p.italic) / 2 + (em * 0.09 if p.italic else 0.0)
                out += _span(mark, middle - em * advance(mark) / 2, base - em * (0.2 if tall else 0.03), em, False)
    return f'<text class="{css_class}">{out}</text>'


def _span(text: str, x: float, y: float, em: float, italic: bool) -> str:
    if not text.strip():
        return ""
    lead = len(text) - len(text.lstrip())
    style = ' font-style="italic"' if italic else ""
    at = x + em * advance(text[:lead], italic)
    fit = _fit(em * advance(text.strip(), italic))
    return f'<tspan x="{at:.1f}" y="{y:.1f}" font-size="{em:g}"{style}{fit}>{escape(text.strip())}</tspan>'


def _fit(room: float) -> str:
    """Letters take the room that was kept for them, whatever font a reader has in the place of Times."""
    return f' textLength="{room:.1f}" lengthAdjust="spacingAndGlyphs"'


def _usual_runs(letters: str) -> list[str]:
    out: list[str] = []
    usual = True
    for c in letters:
        if out and is_usual(c) and usual:
            out[-1] += c
        else:
            out.append(c)
        usual = is_usual(c)
    return out


def _bands(layout: Layout, side: float) -> list[str]:
    if len(layout.bands) < 2:
        return []
    out = []
    for part, (low, high) in layout.bands.items():
        middle = (low + high) / 2
        out.append(
            f'<text class="ns-soft" font-size="12" text-anchor="middle"{_fit(text_width(part, 12))} '
            f'transform="translate({-side + 2:.1f} {middle:.1f}) rotate(-90)">{part}</text>'
        )
        out.append(f'<path class="ns-band" stroke-width="1" d="M {-side + 9:.1f} {low:.1f} V {high:.1f}"/>')
    return out


def _edge(r: Route, look: dict[str, tuple[int, str]]) -> str:
    e = r.edge
    if e.matrix:
        number, dash = look[e.matrix]
        line = f'<path class="ns-m{number}" stroke-width="1.7" stroke-dasharray="{dash}" d="{r.path}"/>'
        return line + _head(r.head, f"ns-t{number}")
    if e.scalar:
        return f'<path class="ns-thin" stroke-width="1" d="{r.path}"/>' + _head(r.head, "ns-headsoft")
    return f'<path class="ns-line" stroke-width="1.2" d="{r.path}"/>' + _head(r.head, "ns-ink")


def _head(head: tuple[float, float, str] | None, css_class: str) -> str:
    if head is None:
        return ""
    x, y, way = head
    heads: dict[str, list[tuple[float, float]]] = {
        "right": [(0, 0), (-7, -3.2), (-7, 3.2)],
        "left": [(0, 0), (7, -3.2), (7, 3.2)],
        "down": [(0, 0), (-3.2, -7), (3.2, -7)],
    }
    points = heads[way]
    return f'<polygon class="{css_class}" points="{" ".join(f"{x + a:.1f},{y + b:.1f}" for a, b in points)}"/>'


def _matrix(r: Route, look: dict[str, tuple[int, str]]) -> str:
    b, (number, _) = r.label, look[r.edge.matrix]
    assert b is not None
    tip = r.edge.tip + (" transposed" if r.edge.transposed else "")
    return (
        f"<g><title>MATMUL with {escape(tip)}</title>{_rect(b, f'ns-l{number}', '0.8', 5.0)}"
        f"{runs(r.edge.label, b.x, b.y, f'ns-t{number}')}</g>"
    )


def _node(n: Node, b: Box) -> str:
    body = f"<g><title>{escape(n.tip)}</title>"
    if n.count > 1:
        by = 8.0 if n.output else 4.0
        body += f'<g class="ns-behind">{_symbol(n, Box(b.x + by, b.y - by, b.w, b.h))}</g>'
        if not (n.is_gate or n.quiet or n.kind == "data"):
            at = (b.x + b.w / 2 + by, b.y - b.h / 2 - by - 3)
            body += tag("text", f"×{n.count}", cls="ns-soft", font_size="10.5", text_anchor="end", x=at[0], y=at[1])
    body += _symbol(n, b)
    if n.output:
        body += _rect(Box(b.x, b.y, b.w + 7, b.h + 7), "ns-line", "1")
    if not n.quiet:
        shift = (-2.0 if n.kind == "gate" else 1.0) if n.is_gate else 0.0
        shift = -shift if n.part == "backward" else shift
        body += runs(n.label, b.x + shift, b.y, "ns-on" if n.kind == "X" else "ns-text")
    return body + "</g>"


def _rect(b: Box, css_class: str, stroke: str, rx: float = 0.0) -> str:
    left, top = b.x - b.w / 2, b.y - b.h / 2
    return tag("rect", cls=css_class, stroke_width=stroke, x=left, y=top, width=b.w, height=b.h, rx=rx)


def _symbol(n: Node, b: Box) -> str:
    match n.kind:
        case "G" | "X":
            css_class = "ns-g" if n.kind == "G" else "ns-x"
            return _rect(b, css_class, "1.4", b.h / 2)
        case "scalar":
            return _rect(b, "ns-s", "1.3")
        case "data":
            return ""
        case _:
            return _gate(n, b)


def _gate(n: Node, b: Box) -> str:
    """Flat where the inputs enter and round where the result leaves; MOMENT has a bar before its round end."""
    way = -1.0 if n.part == "backward" else 1.0
    flat, tip = b.x - way * b.w / 2, b.x + way * b.w / 2
    top, bottom = b.y - b.h / 2, b.y + b.h / 2
    bend = tip - way * 13
    round_end = ("Q", tip, top, tip, b.y, "Q", tip, bottom, bend, bottom)
    out = tag("path", cls="ns-gate", stroke_width="1.2", d=path("M", flat, top, "H", bend, *round_end, "H", flat, "Z"))
    if n.kind == "bar":
        at = flat + way * 4.0
        out += f'<path class="ns-line" stroke-width="3.4" d="M {at:.1f} {top:.1f} V {bottom:.1f}"/>'
    return out


class _Below:
    """What stands under the drawing: the key of the symbols, the functions ψ₁, ψ₂, … and notes."""

    def __init__(self, layout: Layout, width_wanted: float):
        self.width = width_wanted
        self.y = 14.0
        self.parts: list[str] = []
        kinds = {n.kind for n in layout.scene.nodes.values()}
        self._key(layout, kinds)
        for legend in layout.scene.legends:
            self._formula(legend.sign, legend.text)
        for note in layout.scene.notes:
            self._note(note)
        if layout.scene.folded:
            self._note(
                (Piece("A doubled symbol stands for several members of a family; its subscripts tell the range."),)
            )
        self.height = self.y + 4
        self.text = "".join(self.parts)

    def _key(self, layout: Layout, kinds: Collection[str]) -> None:
        x = 0.0
        items: list[tuple[str, str]] = []
        transposed = any(e.transposed for e in layout.scene.edges)
        words = {"G": "G-var", "X": "X-var", "scalar": "scalar", "gate": "NONLIN", "bar": "MOMENT (mean)"}
        items += [(k, word) for k, word in words.items() if k in kinds]
        if any(e.matrix for e in layout.scene.edges):
            items.append(("matrix", "MATMUL" + (", ⊤ transposed" if transposed else "")))
        if any(n.output for n in layout.scene.nodes.values()):
            items.append(("output", "output"))
        for kind, word in items:
            w = 34 + text_width(word, 12)
            if x + w > self.width:
                x, self.y = 0.0, self.y + _LINE
            self.parts.append(_sample(kind, x + 14, self.y))
            self.parts.append(
                f'<text class="ns-soft" font-size="12" x="{x + 32:.1f}" y="{self.y + 4:.1f}"'
                f"{_fit(text_width(word, 12))}>{word}</text>"
            )
            x += w + 16
        self.y += _LINE + 4

    def _note(self, words: tuple[Piece, ...]) -> None:
        self.parts.append(runs(words, 4, self.y - 0.5, "ns-text", "start", 13.5))
        self.y += _LINE - 1

    def _formula(self, sign: tuple[Piece, ...], text: str) -> None:
        for k, line in enumerate(_wrapped(text, self.width - 34)):
            if k == 0 and sign:
                self.parts.append(runs(sign, 4, self.y - 1, "ns-text", "start"))
            at = 4 + (width(sign) + 3 if k == 0 else 30)
            self.parts.append(runs(styled(line), at, self.y - 0.5, "ns-text", "start", 13.5))
            self.y += _LINE - 1


def _wrapped(text: str, most: float, lines: int = 3) -> list[str]:
    """The text in at most three lines; what does not fit is in the listing."""
    out = [""]
    for word in text.split(" "):
        if out[-1] and text_width(f"{out[-1]} {word}", 13.5) > most:
            if len(out) == lines:
                out[-1] += " …"
                return out
            out.append("")
        out[-1] = f"{out[-1]} {word}" if out[-1] else word
    return out


def _sample(kind: str, x: float, y: float) -> str:
    if kind == "matrix":
        d = path("M", x - 13, y, "H", x + 11)
        return tag("path", cls="ns-thin", stroke_width="1.7", stroke_dasharray="7 3", d=d)
    if kind == "output":
        return (
            f'<rect class="ns-s" stroke-width="1.2" x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10"/>'
            f'<rect class="ns-line" stroke-width="1" x="{x - 8:.1f}" y="{y - 8:.1f}" width="16" height="16"/>'
        )
    node = Node("", kind, (), "")  # type: ignore[arg-type]
    wide = 22.0 if node.is_gate else 16.0
    return _symbol(node, Box(x, y, wide, 16.0))

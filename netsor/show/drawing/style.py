"""Colours and dashes: readable on light and on dark ground, for the colour-blind, and in grey by dash and label."""

from __future__ import annotations

from dataclasses import dataclass

from netsor.show.drawing.scene import Scene

FONT = (
    "'STIX Two Text', STIXGeneral, 'Times New Roman', 'Liberation Serif', 'Nimbus Roman', Tinos, 'TeX Gyre Termes', "
    "Times, serif"
)
# Okabe and Ito's colours, the light ones darkened on white and the dark ones lightened on black.
_LIGHT = ("#0072b2", "#d55e00", "#00785a", "#a8477f", "#8a6d00", "#2b7fb8", "#444444")
_DARK = ("#56b4e9", "#ff9448", "#2fc79b", "#e79ac6", "#f0e442", "#8fd0f5", "#cccccc")
DASHES = ("7 3", "2 3", "10 3 2 3", "5 2 1 2 1 2", "14 4", "1 2")


@dataclass(frozen=True)
class Theme:
    """The colours of a ground."""

    paper: str
    ink: str
    soft: str
    fill: str
    gate: str
    matrices: tuple[str, ...]


LIGHT = Theme("#ffffff", "#1a1a1a", "#6b6b6b", "#3c4654", "#f1efe8", _LIGHT)
DARK = Theme("#15181d", "#e8e6e1", "#a0a4aa", "#c3cbd6", "#262b33", _DARK)


def strokes(scene: Scene) -> dict[str, tuple[int, str]]:
    """For each matrix that is drawn its colour's number and its dashes; the same matrix has the same everywhere."""
    used = list(dict.fromkeys(e.matrix for e in scene.edges if e.matrix))
    return {m: (i % len(_LIGHT), DASHES[(i + i // len(_LIGHT)) % len(DASHES)]) for i, m in enumerate(used)}


def css(theme: str) -> str:
    """The style sheet of a drawing: `light`, `dark`, or `auto` for the reader's preference."""
    if theme == "dark":
        return _rules(DARK)
    if theme == "light":
        return _rules(LIGHT)
    # Paper is white, whatever the screen prefers.
    return _rules(LIGHT) + " @media screen and (prefers-color-scheme: dark) { " + _rules(DARK) + " }"


def _rules(t: Theme) -> str:
    rules = [
        f".ns-paper {{ fill: {t.paper}; }}",
        f".ns-ink, .ns-text {{ fill: {t.ink}; }}",
        f".ns-soft {{ fill: {t.soft}; }}",
        f".ns-line {{ stroke: {t.ink}; fill: none; }}",
        f".ns-thin {{ stroke: {t.soft}; fill: none; }}",
        f".ns-headsoft {{ fill: {t.soft}; }}",
        f".ns-g, .ns-s {{ fill: {t.paper}; stroke: {t.ink}; }}",
        f".ns-x {{ fill: {t.fill}; stroke: {t.fill}; }}",
        f".ns-on {{ fill: {t.paper}; }}",
        f".ns-gate {{ fill: {t.gate}; stroke: {t.ink}; }}",
        ".ns-behind .ns-x { opacity: 0.45; }",
        f".ns-band {{ stroke: {t.soft}; fill: none; }}",
    ]
    for i, colour in enumerate(t.matrices):
        rules.append(
            f".ns-m{i} {{ stroke: {colour}; fill: none; }} .ns-t{i} {{ fill: {colour}; }} "
            f".ns-l{i} {{ fill: {t.paper}; stroke: {colour}; }}"
        )
    return " ".join(rules)

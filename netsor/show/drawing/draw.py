"""A program drawn: text of SVG or DOT, bytes of PDF or PNG."""

from __future__ import annotations

from netsor.core import Program
from netsor.show.drawing.build import build_scene
from netsor.show.drawing.fold import Folding
from netsor.show.drawing.layout import infer_layout
from netsor.show.drawing.svg import to_svg

FORMATS = ("svg", "pdf", "png", "dot")


def drawing_svg(
    program: Program,
    of: list[str] | None = None,
    folding: Folding = "auto",
    theme: str = "auto",
    key: bool = True,
    inline: bool = False,
) -> str:
    """The drawing as SVG; `of` restricts it to what some variables depend on."""
    return to_svg(infer_layout(build_scene(program, of, folding)), theme, key, inline)


def draw(
    program: Program,
    form: str = "svg",
    of: list[str] | None = None,
    folding: Folding = "auto",
    theme: str = "auto",
    key: bool = True,
) -> bytes:
    """The drawing in one of `FORMATS`; pdf and png need the extra `draw`, and have the light theme unless told."""
    if form == "dot":
        from netsor.show.drawing.dot import to_dot

        return to_dot(build_scene(program, of, folding)).encode()
    if form == "svg":
        return drawing_svg(program, of, folding, theme, key).encode()
    from netsor.show.drawing.convert import converted

    return converted(drawing_svg(program, of, folding, "dark" if theme == "dark" else "light", key), form)

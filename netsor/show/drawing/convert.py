"""SVG to PDF and PNG, by the extra `draw` (vl-convert, which brings its own renderer and needs no network)."""

from __future__ import annotations

from netsor.diagnostics import NetsorError
from netsor.diagnostics.catalogue import files


def converted(svg: str, form: str) -> bytes:
    """The picture as `pdf` or `png`; E032 where the extra is not installed."""
    verify_converter(form)
    import vl_convert

    return bytes(vl_convert.svg_to_pdf(svg) if form == "pdf" else vl_convert.svg_to_png(svg, scale=2.0))


def verify_converter(form: str) -> None:
    """E032 where a picture cannot be written in this form, because the extra is not installed."""
    if form == "svg":
        return
    try:
        import vl_convert  # noqa: F401
    except ImportError:
        raise NetsorError(files.needs_renderer(form)) from None

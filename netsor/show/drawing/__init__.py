"""Programs as drawings, in the graphical notation of Appendix C."""

from netsor.show.drawing.draw import FORMATS, draw, drawing_svg

__all__ = ["FORMATS", "draw", "drawing_svg"]

"""Formulas as trees, printed for a terminal, for LaTeX and for browsers."""

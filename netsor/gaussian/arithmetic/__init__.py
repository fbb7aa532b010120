"""Arithmetic beyond floats: with error bounds, as sums of two floats, with unlimited exponents."""

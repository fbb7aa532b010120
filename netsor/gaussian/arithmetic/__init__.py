"""Numbers beyond floats: with bounds, in two parts, of any exponent."""

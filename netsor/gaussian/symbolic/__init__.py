"""Analysis of an integrand as an expression, before any numbers are known."""

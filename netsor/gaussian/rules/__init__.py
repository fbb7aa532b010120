"""Rules of quadrature."""

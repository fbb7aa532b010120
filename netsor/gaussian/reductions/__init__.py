"""Exact steps from one expectation to others that are easier to compute."""

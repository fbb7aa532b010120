"""The effect of errors in covariances and scalars on an expectation."""

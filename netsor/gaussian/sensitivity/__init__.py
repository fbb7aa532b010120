"""What errors of covariances and scalars do to an expectation."""

"""The same expectation under many laws at once: rules whose covariances and scalars are arrays."""

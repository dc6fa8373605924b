"""Released systems: per-item scores that others published, and what they say about equivariance. No torch."""

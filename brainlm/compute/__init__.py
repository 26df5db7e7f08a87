"""Computation on numpy or torch: backends, memory, streams and lazy arrays."""

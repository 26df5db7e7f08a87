"""Common parts of the analyses."""

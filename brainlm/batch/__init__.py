"""Encoding studies described by one file, on one machine or a cluster."""

"""Encoding: from features to responses, with held-out scores."""

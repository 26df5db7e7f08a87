"""Decoding: from brain activity back to text."""

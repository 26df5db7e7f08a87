"""Decoding: from brain activity back to text."""

__all__ = ["CAUTION"]

# Stands in every bundle and on every page that shows text read from a person.
CAUTION = (
    "A reconstruction is not testimony: it gives the gist at best, needs the participant's own "
    "recordings and their cooperation, and counts only beside its nulls."
)

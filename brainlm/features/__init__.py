"""Feature spaces of words that need no language model."""

"""The nouns of the package: stimulus, recording, features and scores."""

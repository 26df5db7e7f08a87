"""brainlm: which features of language predict the brain, and what can be read back out of it."""

__version__ = "0.1.0"

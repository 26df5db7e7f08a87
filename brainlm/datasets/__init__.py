"""Data sets by name: cards, download and opening."""

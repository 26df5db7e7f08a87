"""Notes on a result: repairs, exclusions and suspicious findings, each with a kind."""

from __future__ import annotations

KINDS_OF_NOTES = ("alpha_edge", "leakage", "excluded", "coverage", "debug", "other")


class Note(str):
    """A sentence with its kind, by which a report groups it.

    Parameters
    ----------
    text : str
    kind : {"alpha_edge", "leakage", "excluded", "coverage", "debug", "other"}
        Penalties on the edge of their grid; the leakage probe; subjects, targets or words left out;
        words that a feature space does not cover; what a short trial run left out; anything else.
    """

    kind: str

    def __new__(cls, text: str, kind: str = "other") -> Note:
        """Return the sentence; it is a plain string in every other respect."""
        if kind not in KINDS_OF_NOTES:
            raise ValueError(f"kind must be one of {', '.join(KINDS_OF_NOTES)}, got {kind!r}")
        note = super().__new__(cls, text)
        note.kind = kind
        return note

    def __reduce__(self) -> tuple[type[Note], tuple[str, str]]:
        return Note, (str(self), self.kind)


def kind_of(note: str) -> str:
    """Return the kind of a note; a plain string is "other"."""
    return getattr(note, "kind", "other")

"""Stimulus: the words that a person read or heard, in order, with their times if known."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brainlm._html import html_card
from brainlm._validation import as_labels, check_blocks, check_finite, freeze, same_length
from brainlm.errors import unknown_name

# Forced aligners round interval edges, so neighbours may overlap by less than a millisecond.
OVERLAP_TOLERANCE = 1e-3
SEPARATORS = frozenset("\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Words in the order in which they were read or heard.

    Parameters
    ----------
    words : sequence of str, shape (n_words,)
        One entry per word, as written (punctuation may be attached).
    language : str
        Language code, such as ``"en"`` or ``"zh"``.
    onset, duration : sequence of float, shape (n_words,), optional
        Seconds from the start of the run. Both or neither: words that were rated or read without
        a clock have no times.
    run : sequence of str, shape (n_words,), optional
        The unbroken recording that a word belongs to; nothing crosses its edge. Default: ``"1"``.
    text : sequence of str, shape (n_words,), optional
        The document a word belongs to; a context never crosses its edge. Default: the run.
    sentence : sequence of str, shape (n_words,), optional
        The sentence a word belongs to, named uniquely in the whole stimulus. Default: the text.
    item : sequence of str, shape (n_words,), optional
        What a response without a clock is a response to (see `Recording.items`), named uniquely in
        the whole stimulus: a sentence, or a single word of it. Default: the sentence.
    speaker : sequence of str, shape (n_words,), optional
        Speaker of each word.
    overlap : {"refuse", "allow"}
        Whether a word may begin before the one before it has ended, as in talk. Words stay in the
        order of their onsets.
    context_only : sequence of bool, shape (n_words,), optional
        Words that language models read and nothing responds to, such as punctuation marks that
        were never heard: `brainlm.align` leaves their rows out. Default: none.

    Raises
    ------
    ValueError
        When lengths differ, a word is empty, missing or holds a tab or a line end, times are not
        finite, words are out of order or overlap within a run, or a run, text, sentence or item is
        cut in two.

    Notes
    -----
    All arrays are read-only. Isolated words (ratings) are texts of one word.

    Examples
    --------
    >>> stimulus = brainlm.Stimulus(
    ...     ["the", "old", "man"], "en", onset=[0.2, 0.4, 0.8], duration=[0.2, 0.4, 0.5]
    ... )
    >>> stimulus.words[1], float(stimulus.onset[1])
    ('old', 0.4)
    """

    words: Any
    language: str
    onset: Any = None
    duration: Any = None
    run: Any = None
    text: Any = None
    sentence: Any = None
    item: Any = None
    speaker: Any = None
    overlap: str = "refuse"
    context_only: Any = None

    def __post_init__(self) -> None:
        words = as_labels(self.words, "words")
        n_words = len(words)
        if n_words == 0:
            raise ValueError("words is empty: a stimulus needs at least one word")
        broken = [i for i, word in enumerate(words) if set(word) & SEPARATORS]
        if broken:
            raise ValueError(
                f"words[{broken[0]}] ({words[broken[0]][:80]!r}) holds a tab or a line end "
                f"({len(broken)} such words): rows of a table ran together, as where a quotation "
                "mark is read as the start of a quoted cell (read it without quoting)"
            )
        run = as_labels(["1"] * n_words if self.run is None else self.run, "run")
        text = run if self.text is None else as_labels(self.text, "text")
        sentence = text if self.sentence is None else as_labels(self.sentence, "sentence")
        item = sentence if self.item is None else as_labels(self.item, "item")
        labels = {"run": run, "text": text, "sentence": sentence, "item": item}
        same_length({"words": n_words, **{name: len(value) for name, value in labels.items()}})
        if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*", self.language):
            raise ValueError(f"language must be a code such as 'en' or 'zh', got {self.language!r}")
        for name, value in labels.items():
            check_blocks(value, name)
        for name, value in {"words": words, **labels}.items():
            object.__setattr__(self, name, value)
        if self.overlap not in ("refuse", "allow"):
            raise unknown_name("value of overlap", self.overlap, ("refuse", "allow"))
        if self.speaker is not None:
            speaker = as_labels(self.speaker, "speaker")
            same_length({"words": n_words, "speaker": len(speaker)})
            object.__setattr__(self, "speaker", speaker)
        if self.context_only is not None:
            self._set_context_only()
        if (self.onset is None) != (self.duration is None):
            raise ValueError("onset and duration go together: give both or neither")
        if self.onset is not None:
            self._set_times()

    def _set_context_only(self) -> None:
        marked = freeze(np.asarray(self.context_only))
        same_length({"words": self.n_words, "context_only": len(marked)})
        if marked.dtype != bool:
            raise ValueError(f"context_only must hold True or False, got dtype {marked.dtype}")
        if marked.all():
            raise ValueError("context_only marks every word: nothing would be responded to")
        object.__setattr__(self, "context_only", marked)

    def _set_times(self) -> None:
        onset = freeze(np.asarray(self.onset, dtype=float))
        duration = freeze(np.asarray(self.duration, dtype=float))
        same_length({"words": self.n_words, "onset": len(onset), "duration": len(duration)})
        check_finite(onset, "onset")
        check_finite(duration, "duration")
        if (duration < 0).any():
            i = int(np.argmax(duration < 0))
            raise ValueError(f"duration[{i}] ({self.words[i]!r}) is negative: {duration[i]} s")
        same_run = self.run[1:] == self.run[:-1]
        early = np.diff(onset) < 0
        overlapping = onset[1:] < (onset + duration)[:-1] - OVERLAP_TOLERANCE
        if self.overlap == "allow":
            overlapping = np.zeros_like(early)
        for problem, bad in (("begins before", early), ("overlaps", overlapping)):
            rows = np.flatnonzero(bad & same_run) + 1
            if len(rows):
                i = int(rows[0])
                mend = "sort the words by onset"
                if problem == "overlaps":
                    mend = "correct their times, or pass overlap='allow' for several speakers"
                raise ValueError(
                    f"words[{i}] ({self.words[i]!r}, run {self.run[i]!r}, onset {onset[i]:.3f} s) "
                    f"{problem} the word before it ({self.words[i - 1]!r}, onset "
                    f"{onset[i - 1]:.3f} s, duration {duration[i - 1]:.3f} s); "
                    f"{len(rows)} such words: {mend}"
                )
        object.__setattr__(self, "onset", onset)
        object.__setattr__(self, "duration", duration)

    @property
    def n_words(self) -> int:
        """Number of words."""
        return len(self.words)

    @property
    def timed(self) -> bool:
        """Whether the words have onsets and durations."""
        return self.onset is not None

    @property
    def runs(self) -> list[str]:
        """The runs, in order."""
        return list(dict.fromkeys(self.run))

    @property
    def counted(self) -> np.ndarray:
        """Which words may be responded to (all but ``context_only``), bool, (n_words,)."""
        if self.context_only is None:
            return np.ones(self.n_words, dtype=bool)
        return ~self.context_only

    def select(self, rows: Any) -> Stimulus:
        """Return the stimulus of the given rows (a boolean mask or indices in rising order)."""
        names = ("onset", "duration", "run", "text", "sentence", "item", "speaker", "context_only")
        optional = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in names
        }
        return Stimulus(self.words[rows], self.language, overlap=self.overlap, **optional)

    @classmethod
    def concatenate(cls, parts: Sequence[Stimulus], *, keep_times: bool = True) -> Stimulus:
        """Return several stimuli one after the other, with every column that all of them have.

        Parameters
        ----------
        parts : sequence of Stimulus
            Of one language, with distinct runs, texts, sentences and items.
        keep_times : bool
            False drops onsets, durations and runs: for texts taken out of different runs.

        Raises
        ------
        ValueError
            There are none, languages differ, or a run, text, sentence or item is cut in two.
        """
        if not parts:
            raise ValueError("parts is empty: give at least one stimulus")
        languages = list(dict.fromkeys(part.language for part in parts))
        if len(languages) > 1:
            raise ValueError(f"parts are in different languages: {', '.join(languages)}")
        names = ["words", "text", "sentence", "item", "speaker"]
        names += ["onset", "duration", "run"] if keep_times else []
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in names
            if all(getattr(part, name) is not None for part in parts)
        }
        if any(part.context_only is not None for part in parts):
            columns["context_only"] = ~np.concatenate([part.counted for part in parts])
        overlap = "allow" if any(part.overlap == "allow" for part in parts) else "refuse"
        return cls(language=languages[0], overlap=overlap, **columns)

    def blocks(self, level: str) -> Iterator[tuple[str, slice]]:
        """Yield (label, rows) of each run, text, sentence or item (``level``), in order."""
        levels = {"run": self.run, "text": self.text, "sentence": self.sentence, "item": self.item}
        labels = levels[level]
        edges = np.flatnonzero(np.r_[True, labels[1:] != labels[:-1], True])
        for start, stop in itertools.pairwise(edges):
            yield str(labels[start]), slice(int(start), int(stop))

    def __repr__(self) -> str:
        times = ""
        if self.timed:
            times = f", {self.onset[-1] + self.duration[-1] - self.onset[0]:.0f} s"
        runs = self.runs
        return (
            f"Stimulus({self.n_words} words, {self.language!r}, {len(runs)} "
            f"run{'s' * (len(runs) != 1)}{times})"
        )

    def _repr_html_(self) -> str:
        first = slice(0, 8)
        columns: dict[str, Any] = {"word": self.words[first], "run": self.run[first]}
        if self.timed:
            columns |= {"onset, s": self.onset[first], "duration, s": self.duration[first]}
        facts = {
            "language": self.language,
            "words": self.n_words,
            "sentences": len(set(self.sentence)),
            "runs": len(self.runs),
            "time": f"{self.onset.min():.1f} to {(self.onset + self.duration).max():.1f} s"
            if self.timed
            else "none",
        }
        rows = list(zip(*(values.tolist() for values in columns.values()), strict=True))
        return html_card("Stimulus", facts, list(columns), rows)

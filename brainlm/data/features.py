"""Features: one named feature space, with a row per word or per sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from brainlm._html import html_card
from brainlm._validation import as_labels, check_finite, freeze, is_mapped, same_length
from brainlm.data.stimulus import Stimulus
from brainlm.errors import unknown_name


@dataclass(frozen=True, eq=False)
class Features:
    """One feature space.

    Parameters
    ----------
    name : str
        Name in tables and figures, such as ``"layer 3"`` or ``"word length"``.
    values : array of shape (n_words, n_features) or (n_samples, n_features)
        Finite numbers. Of values that are mapped from disk, some rows are looked at.
    stimulus : Stimulus, optional
        The words that the rows describe. Without it the rows are samples of a recording.
    columns : sequence of str, shape (n_features,), optional
        Names of single features where they mean something.
    origin : mapping
        How the values were got: model, revision, layer, context, pooling, dtype, seed ...
        JSON-able; it goes into every result.
    bands : mapping of str to int, optional
        Of a space that several were put into, side by side: name and number of columns of each, in
        order (see `concatenate`). A banded ridge gives each a penalty of its own.

    Examples
    --------
    >>> stimulus = brainlm.Stimulus(["the", "old", "man"], "en")
    >>> arousal = brainlm.Features("arousal", [[1.0], [2.5], [3.0]], stimulus)
    >>> arousal.values.shape
    (3, 1)
    """

    name: str
    values: Any
    stimulus: Stimulus | None = None
    columns: Any = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    bands: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(
                f"values of {self.name!r} must have shape (n_rows, n_features), neither zero, "
                f"got {values.shape}"
            )
        if not np.issubdtype(values.dtype, np.floating):
            values = values.astype(float)
        some = values[:: max(1, len(values) // 50)] if is_mapped(values) else values
        check_finite(some, f"values of {self.name!r}")
        if self.stimulus is not None:
            same_length({f"rows of {self.name!r}": len(values), "words": self.stimulus.n_words})
        if self.columns is not None:
            columns = as_labels(self.columns, "columns")
            same_length({f"columns of {self.name!r}": values.shape[1], "names": len(columns)})
            object.__setattr__(self, "columns", columns)
        if self.bands is not None:
            sizes = [int(size) for size in self.bands.values()]
            if min(sizes, default=0) < 1 or sum(sizes) != values.shape[1]:
                raise ValueError(
                    f"bands of {self.name!r} must have at least one column each and "
                    f"{values.shape[1]} together, got {dict(self.bands)}"
                )
            bands = MappingProxyType(dict(zip(self.bands, sizes, strict=True)))
            object.__setattr__(self, "bands", bands)
        object.__setattr__(self, "values", freeze(values))
        object.__setattr__(self, "origin", MappingProxyType(dict(self.origin)))

    def band_labels(self, n_delays: int = 1) -> np.ndarray:
        """Return the name of the band of every column, (n_delays * n_features,).

        Parameters
        ----------
        n_delays : int
            Delays that `align` made: it lays all columns out once per delay, one after the other.
        """
        bands = self.bands or {self.name: self.n_features}
        return np.tile(np.repeat(list(bands), list(bands.values())), n_delays)

    @property
    def n_features(self) -> int:
        """Number of features (columns)."""
        return self.values.shape[1]

    @property
    def level(self) -> str:
        """``"word"`` when the rows are words, ``"sample"`` when they are samples."""
        return "sample" if self.stimulus is None else "word"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the values: ``np.asarray(features)``."""
        values = self.values if dtype is None else self.values.astype(dtype, copy=False)
        return values.copy() if copy else values

    def renamed(self, name: str) -> Features:
        """Return the same space under another name."""
        return replace(self, name=name)

    def select_words(self, rows: Any) -> Features:
        """Return the space on some of its words (a boolean mask or rising indices)."""
        if self.stimulus is None:
            raise ValueError(f"{self.name!r} has no words to select: its rows are samples")
        return replace(self, values=self.values[rows], stimulus=self.stimulus.select(rows))

    def __repr__(self) -> str:
        return f"Features({self.name!r}, {len(self.values)} {self.level}s x {self.n_features})"

    def _repr_html_(self) -> str:
        facts = {
            "rows": f"{len(self.values)} ({self.level}s)",
            "features": self.n_features,
            "dtype": self.values.dtype,
            **{key: value for key, value in self.origin.items() if isinstance(value, str | int)},
        }
        names = [str(i) for i in range(self.n_features)] if self.columns is None else self.columns
        labels = self.stimulus.words[:5] if self.stimulus is not None else range(5)
        rows = [
            (label, *(float(value) for value in row[:6]))
            for label, row in zip(labels, self.values[:5], strict=False)
        ]
        return html_card(f"Features: {self.name}", facts, ["", *map(str, names[:6])], rows)


def concatenate(spaces: Sequence[Features], name: str) -> Features:
    """Return several spaces of the same words (or samples) side by side as one.

    Each becomes a band of its name (one that is put together already brings its own bands).

    Raises
    ------
    ValueError
        There are none, they describe different stimuli, or two bands have one name.

    Examples
    --------
    >>> stimulus = brainlm.Stimulus(["the", "old", "man"], "en")
    >>> both = brainlm.concatenate(
    ...     [brainlm.word_length(stimulus), brainlm.zipf_frequency(stimulus)], "form"
    ... )
    >>> dict(both.bands)
    {'word length': 1, 'Zipf frequency': 1}
    """
    if not spaces:
        raise ValueError("spaces is empty: give at least one feature space")
    first = spaces[0]
    for space in spaces[1:]:
        if space.stimulus is not first.stimulus:
            raise ValueError(
                f"{space.name!r} and {first.name!r} describe different stimuli: "
                "embed both with the same Stimulus object"
            )
    same_length({space.name: len(space.values) for space in spaces})
    origin = {"concatenated": [{"name": space.name, **space.origin} for space in spaces]}
    bands: dict[str, int] = {}
    for space in spaces:
        for band, size in (space.bands or {space.name: space.n_features}).items():
            if band in bands:
                raise ValueError(f"two bands are called {band!r}: rename one, .renamed()")
            bands[band] = size
    values = np.hstack([space.values for space in spaces])
    return Features(name, values, first.stimulus, origin=origin, bands=bands)


def lag(features: Features, n: int = 1, *, level: str = "sentence") -> Features:
    """Return the features of the ``n``-th preceding word, for spill-over effects.

    Readers slow down on the words after a hard one, so models of reading times include the
    surprisal, length and frequency of the preceding words: ``concatenate([x, lag(x, 1)], "x")``.
    A word with fewer than ``n`` preceding words gets the mean over the others, which carries no
    information in a regression; ``origin["first_words"]`` counts these words.

    Parameters
    ----------
    features : Features
        A row per word.
    n : int
        Words back, at least 1.
    level : {"sentence", "text", "run"}
        The unit that a lag stays inside. Use "text" where sentences are read in passages, so that
        the end of one sentence spills over to the next.

    Returns
    -------
    Features, shape (n_words, n_features)
        ``origin["first_words"]`` counts the words without one ``n`` before.

    Raises
    ------
    ValueError
        Rows that are no words; ``n`` below 1; no word has ``n`` words before it.
    UnknownNameError
        Another level.

    Examples
    --------
    >>> words = brainlm.Stimulus(["the", "old", "man"], "en")
    >>> brainlm.lag(brainlm.word_length(words)).values.ravel().tolist()
    [3.0, 3.0, 3.0]
    """
    if features.stimulus is None:
        raise ValueError(f"{features.name!r} has a row per sample: its words cannot be lagged")
    if n < 1:
        raise ValueError(f"n must be at least 1 word back, got {n}")
    if level not in ("sentence", "text", "run"):
        raise unknown_name("level", level, ("sentence", "text", "run"))
    source = np.full(len(features.values), -1)
    for _, rows in features.stimulus.blocks(level):
        source[rows.start + n : rows.stop] = np.arange(rows.start, max(rows.start, rows.stop - n))
    without = source < 0
    if without.all():
        raise ValueError(f"no word of {features.name!r} has {n} words before it in its {level}")
    values = features.values[source]
    values[without] = values[~without].mean(axis=0)
    origin = {
        **features.origin,
        "words_back": n,
        "within": level,
        "first_words": int(without.sum()),
    }
    return replace(features, name=f"{features.name}, {n} back", values=values, origin=origin)

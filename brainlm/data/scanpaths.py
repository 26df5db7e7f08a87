"""From fixations to reading measures of words."""

from __future__ import annotations

from typing import Any

import numpy as np

from brainlm._validation import check_finite, same_length

MEASURES = (
    "FFD",
    "SFD",
    "GD",
    "GPT",
    "TT",
    "n_fixations",
    "skipped",
    "regression_out",
    "regression_in",
)


def reading_measures(words: Any, durations: Any, n_words: int) -> np.ndarray:
    """Return the reading measures of each word of a sentence, (n_words, 9), see ``MEASURES``.

    The first pass of a word begins with its first fixation, unless a later word was fixated before:
    then the word has none, and counts as skipped. It ends when the eyes leave the word.

    - ``FFD``: the first fixation of the first pass; ``SFD``: the same where it is the only one;
      ``GD`` (gaze duration): all fixations of the first pass.
    - ``GPT`` (go-past time): all fixations from the first pass until a later word is fixated, those
      on earlier words included.
    - ``TT`` (total time) and ``n_fixations``: all fixations on the word.
    - ``skipped``: 1 where there is no first pass.
    - ``regression_out``: 1 where an earlier word is fixated after the first pass and before a later
      one; ``regression_in``: 1 where a fixation on the word follows one on a later word.

    NaN where a measure does not exist: durations and ``regression_out`` of a word without a first
    pass, ``SFD`` after several fixations, ``TT`` and ``regression_in`` of a word that was never
    fixated.

    Parameters
    ----------
    words : sequence of int, shape (n_fixations,)
        Number of the word of each fixation, from 0, in the order of time. Leave fixations on no
        word out: they then neither end a first pass nor add to any time (ours).
    durations : sequence of float, shape (n_fixations,)
        Of each fixation, above 0.
    n_words : int
        Words in the sentence.

    Raises
    ------
    ValueError
        A word beyond the sentence, a duration that is not above 0, or lengths that differ.

    Examples
    --------
    The, old (skipped), man, back to old, on to sat:

    >>> reading_measures([0, 2, 1, 3], [200, 250, 150, 300], 4)[:, 3].tolist()
    [200.0, nan, 400.0, 300.0]

    References
    ----------
    Rayner 1998, doi 10.1037/0033-2909.124.3.372; the treatment of fixations on no word is ours.
    """
    area, duration = np.asarray(words), np.asarray(durations, dtype=float)
    same_length({"words": len(area), "durations": len(duration)})
    check_finite(duration, "durations")
    if len(area) and (area.dtype.kind not in "iu" or area.min() < 0 or area.max() >= n_words):
        raise ValueError(f"words must be numbers from 0 to {n_words - 1}, got {area.tolist()[:20]}")
    if (duration <= 0).any():
        raise ValueError(f"durations must be above 0, got {duration.min():g}")
    found = np.full((n_words, len(MEASURES)), np.nan)
    column = {name: i for i, name in enumerate(MEASURES)}
    furthest = np.maximum.accumulate(area) if len(area) else area
    for word in range(n_words):
        at = np.flatnonzero(area == word)
        row = found[word]
        row[column["n_fixations"]] = len(at)
        if len(at):
            row[column["TT"]] = duration[at].sum()
            before = area[at[at > 0] - 1]
            row[column["regression_in"]] = float((before > word).any())
        first = len(at) > 0 and furthest[at[0]] == word
        row[column["skipped"]] = float(not first)
        if not first:
            continue
        rest = area[at[0] :]
        n_pass = int(np.argmax(rest != word)) if (rest != word).any() else len(rest)
        n_past = int(np.argmax(rest > word)) if (rest > word).any() else len(rest)
        own = duration[at[0] :]
        row[column["FFD"]], row[column["GD"]] = own[0], own[:n_pass].sum()
        row[column["GPT"]] = own[:n_past].sum()
        row[column["regression_out"]] = float((rest[:n_past] < word).any())
        if n_pass == 1:
            row[column["SFD"]] = own[0]
    return found

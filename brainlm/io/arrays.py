"""Your own arrays, tables and images as a Stimulus and a Recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus

if TYPE_CHECKING:
    import pandas as pd

WORD_COLUMNS = ("word", "onset", "duration", "run", "text", "sentence", "item", "speaker")


def from_tables(
    words: pd.DataFrame,
    responses: pd.DataFrame,
    *,
    language: str,
    modality: str,
    unit: str,
    subject: str = "group",
    missing: str = "refuse",
    overlap: str = "refuse",
) -> tuple[Stimulus, Recording]:
    """Make a stimulus and a recording from two data frames.

    Parameters
    ----------
    words : DataFrame
        A row per word; the column ``word`` and, where there are any, ``onset`` and ``duration`` in
        seconds, ``run``, ``text``, ``sentence``, ``item`` and ``speaker``. No other column.
    responses : DataFrame
        A row per sample. Either ``time`` (seconds in the run, on the clock of the words) or
        ``item`` says what a row belongs to; ``run`` may be given. Every other column is a target.
    language, modality, unit, subject, missing, overlap
        As in `Stimulus` and `Recording`.

    Returns
    -------
    stimulus : Stimulus
    recording : Recording

    Raises
    ------
    ValueError
        When a column is missing, unknown or no number, or an item or run is not in the words.

    See Also
    --------
    from_trials : One long table with the trials of many subjects.

    Examples
    --------
    >>> import pandas as pd
    >>> words = pd.DataFrame({"word": ["a", "dog"], "item": ["1", "2"]})
    >>> times = pd.DataFrame({"item": ["1", "2"], "gaze": [180.0, 240.0]})
    >>> stimulus, recording = from_tables(
    ...     words, times, language="en", modality="eye-tracking", unit="ms"
    ... )
    >>> recording.data.shape
    (2, 1)
    """
    _check_columns("words", words, ("word",), WORD_COLUMNS)
    given = {name: words[name].to_numpy() for name in WORD_COLUMNS[1:] if name in words}
    stimulus = Stimulus(words["word"].to_numpy(), language, overlap=overlap, **given)
    clock = [name for name in ("time", "item") if name in responses]
    if len(clock) != 1:
        raise ValueError("responses: give exactly one of the columns 'time' and 'item'")
    names = [name for name in responses.columns if name not in ("time", "item", "run")]
    texts = [name for name in names if responses[name].dtype.kind not in "iuf"]
    if texts:
        raise ValueError(f"responses: columns {texts} are not numeric: drop or convert them")
    recording = Recording(
        responses[names].to_numpy(dtype=float),
        targets=names,
        modality=modality,
        unit=unit,
        times=responses["time"].to_numpy() if clock == ["time"] else None,
        items=responses["item"].to_numpy() if clock == ["item"] else None,
        run=responses["run"].to_numpy() if "run" in responses else None,
        subject=subject,
        missing=missing,
    )
    _check_labels(stimulus, recording)
    return stimulus, recording


def from_trials(
    words: pd.DataFrame,
    trials: pd.DataFrame,
    *,
    measures: Sequence[str],
    language: str,
    modality: str,
    unit: str,
    subject: str = "subject",
    missing: str = "allow",
) -> tuple[Stimulus, dict[str, Recording]]:
    """Make a stimulus and a recording per subject from one long table of trials.

    Parameters
    ----------
    words : DataFrame
        As in `from_tables`, with a column ``item`` that names every word by itself.
    trials : DataFrame
        A row per trial: the columns ``item``, the subject and ``measures``. Other columns are not
        read. A subject may lack items; none may come twice.
    measures : sequence of str
        Columns of the responses, such as ``["gaze"]``.
    language, modality, unit, missing
        As in `Stimulus` and `Recording`.
    subject : str
        Column that names who was recorded.

    Returns
    -------
    stimulus : Stimulus
    recordings : dict of str to Recording
        By subject, in the order of the table; items in the order of the words.

    Raises
    ------
    ValueError
        A column is missing or no number, an item is not in the words, or comes twice in a subject.

    Examples
    --------
    >>> words = pandas.DataFrame({"item": ["1", "2"], "word": ["dog", "cat"]})
    >>> trials = pandas.DataFrame({"subject": ["a", "a", "b", "b"], "item": ["1", "2", "1", "2"]})
    >>> trials["rt"] = [310.0, 290.0, 405.0, 380.0]
    >>> stimulus, readers = brainlm.from_trials(
    ...     words, trials, measures=["rt"], language="en", modality="reading-times", unit="ms"
    ... )
    >>> sorted(readers)
    ['a', 'b']
    """
    lacking = [name for name in ("item", subject, *measures) if name not in trials]
    if lacking:
        raise ValueError(f"trials: lacks the columns {lacking}; it has {list(trials.columns)}")
    _check_columns("words", words, ("word", "item"), WORD_COLUMNS)
    place = {str(item): i for i, item in enumerate(words["item"])}
    kept = trials[["item", subject, *measures]].assign(item=trials["item"].astype(str))
    twice = kept[kept.duplicated([subject, "item"])]
    if len(twice):
        first = twice.iloc[0]
        raise ValueError(
            f"trials: {len(twice)} rows repeat an item of a subject (the first: {first['item']!r} "
            f"of {first[subject]!r}): average them, or name the items of each presentation"
        )
    stimulus: Stimulus | None = None
    recordings = {}
    for name, own in kept.groupby(subject, sort=False):
        order = own["item"].map(place).argsort(kind="stable")
        made, recordings[str(name)] = from_tables(
            words,
            own.iloc[order].drop(columns=subject),
            language=language,
            modality=modality,
            unit=unit,
            subject=str(name),
            missing=missing,
        )
        stimulus = stimulus or made
    if stimulus is None:
        raise ValueError("trials is empty")
    return stimulus, recordings


def from_arrays(
    words: Sequence[str],
    data: Any,
    *,
    language: str,
    modality: str,
    unit: str,
    onset: Any = None,
    duration: Any = None,
    times: Any = None,
    targets: Any = None,
    subject: str = "group",
) -> tuple[Stimulus, Recording]:
    """Make a stimulus and a recording of one run from arrays.

    For sentences, several runs or missing values make a `Stimulus` and a `Recording`, or see
    `from_tables`.

    Parameters
    ----------
    words : sequence of str, shape (n_words,)
    data : array of shape (n_samples, n_targets) or (n_samples,)
        A row per time in ``times``; without times, per word.
    language, modality, unit, subject
        As in `Stimulus` and `Recording`.
    onset, duration : array of shape (n_words,), optional
        Seconds; for time series.
    times : array of shape (n_samples,), optional
        Seconds, on the clock of the words.
    targets : sequence of str, shape (n_targets,), optional
        Names. Default: 1, 2, ...

    Returns
    -------
    stimulus : Stimulus
    recording : Recording

    Examples
    --------
    >>> gaze = [180.0, 240.0]
    >>> stimulus, recording = from_arrays(
    ...     ["a", "dog"], gaze, language="en", modality="eye-tracking", unit="ms"
    ... )
    >>> recording.items.tolist()
    ['1', '2']
    """
    data = np.asarray(data)
    data = data[:, None] if data.ndim == 1 else data
    if times is None and len(data) != len(words):
        raise ValueError(f"data has {len(data)} samples for {len(words)} words: give times")
    items = [str(i + 1) for i in range(len(words))]
    stimulus = Stimulus(words, language, onset=onset, duration=duration, item=items)
    recording = Recording(
        data,
        targets=[str(i + 1) for i in range(data.shape[1])] if targets is None else targets,
        modality=modality,
        unit=unit,
        times=times,
        items=items if times is None else None,
        subject=subject,
    )
    return stimulus, recording


def _check_columns(
    argument: str, table: pd.DataFrame, needed: tuple[str, ...], known: tuple[str, ...]
) -> None:
    lacking = [name for name in needed if name not in table]
    unknown = [name for name in table.columns if name not in known]
    if lacking or unknown:
        raise ValueError(
            f"{argument}: lacks the columns {lacking}, does not know {unknown}; columns are "
            f"{', '.join(known)}"
        )


def _check_labels(stimulus: Stimulus, recording: Recording) -> None:
    """Raise when a response belongs to an item or run that the words do not have."""
    if recording.items is None:
        lacking = sorted(set(recording.runs) - set(stimulus.runs))
        kind = "run"
    else:
        lacking = sorted(set(recording.items) - set(stimulus.item))
        kind = "item"
    if lacking:
        raise ValueError(
            f"responses: {len(lacking)} {kind}s are not in the words (the first: {lacking[0]!r}): "
            "give both tables the same labels"
        )

"""Your own arrays, tables and images as a Stimulus and a Recording."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.io.images import (
    ImageSeries,
    changing,
    check_sampling_interval,
    load_image,
    open_cifti,
    open_surfaces,
    open_volumes,
    other_header,
)
from brainlm.storage.long_recordings import stack_blocks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_arrays", "from_cifti", "from_image", "from_surfaces", "from_tables", "from_trials"]

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
        raise ValueError(f"responses: columns {texts} are no numbers: drop or convert them")
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


def from_image(
    image: Any,
    mask: Any,
    sampling_interval: float,
    *,
    labels: Any = None,
    first_sample: float = 0.0,
    run: str = "1",
    subject: str = "group",
    unit: str = "BOLD (a.u.)",
) -> Recording:
    """Make a recording from a 4-D image and a mask; volumes are read in blocks.

    Parameters
    ----------
    image : path or nibabel image of shape (n_x, n_y, n_z, n_samples)
    mask : path or nibabel image of shape (n_x, n_y, n_z)
        Voxels above 0 are kept, or averaged by region where ``labels`` are given.
    sampling_interval : float
        Seconds between volumes (TR).
    labels : path or nibabel image, optional
        Region number of each voxel, 0 outside; targets are then the means of regions.
    first_sample : float
        Time of the first volume on the clock of the words.
    run, subject, unit : str
        As in `Recording`.

    Returns
    -------
    Recording
        Modality ``"fmri"``; targets are voxels named by their indices ("x,y,z"), with positions in
        millimetres, or region numbers.

    Raises
    ------
    ValueError
        When grids differ, or the mask is empty.
    """
    series = open_volumes(image, mask, labels)
    return _from_series(
        series,
        sampling_interval,
        (mask, labels),
        first_sample=first_sample,
        run=run,
        subject=subject,
        unit=unit,
    )


def from_cifti(
    image: Any,
    *,
    sampling_interval: float | None = None,
    first_sample: float = 0.0,
    run: str = "1",
    subject: str = "group",
    unit: str = "BOLD (a.u.)",
) -> Recording:
    """Make a recording from a CIFTI time series (``.dtseries.nii``), read in blocks.

    Parameters
    ----------
    image : path or nibabel image
    sampling_interval : float, optional
        Seconds between samples. Default: what the file says.
    first_sample, run, subject, unit
        As in `from_image`.

    Returns
    -------
    Recording
        Targets are grayordinates, such as "CORTEX_LEFT 5" and "THALAMUS_LEFT 3,4,5".
    """
    series = open_cifti(image)
    return _from_series(
        series,
        sampling_interval,
        (),
        first_sample=first_sample,
        run=run,
        subject=subject,
        unit=unit,
    )


def from_surfaces(
    left: Any,
    right: Any,
    *,
    sampling_interval: float | None = None,
    first_sample: float = 0.0,
    run: str = "1",
    subject: str = "group",
    unit: str = "BOLD (a.u.)",
) -> Recording:
    """Make a recording from GIFTI time series of both hemispheres (``.func.gii``).

    Vertices without data (NaN, or one value throughout: the medial wall) are left out and counted
    in the notes.

    Parameters
    ----------
    left, right : path or nibabel image
    sampling_interval : float, optional
        Seconds between samples. Default: the ``TimeStep`` of the file.
    first_sample, run, subject, unit
        As in `from_image`.

    Returns
    -------
    Recording
        Targets are vertices, such as "left 5".
    """
    series = open_surfaces(left, right)
    kept = changing([series])
    recording = _from_series(
        series.select(kept),
        sampling_interval,
        (),
        first_sample=first_sample,
        run=run,
        subject=subject,
        unit=unit,
    )
    n_empty = int((~kept).sum())
    return recording.noted(
        *([Note(f"{n_empty} vertices without data left out", "excluded")] if n_empty else [])
    )


def _from_series(
    series: ImageSeries,
    sampling_interval: float | None,
    read_with: tuple[Any, ...],
    *,
    first_sample: float,
    run: str,
    subject: str,
    unit: str,
) -> Recording:
    step = series.sampling_interval if sampling_interval is None else sampling_interval
    if step is None:
        raise ValueError("sampling_interval: the file does not say it, so give it (in seconds)")
    if sampling_interval is None:
        check_sampling_interval(step)
    shape = (series.n_samples, len(series.targets))
    if series.sources:
        key = (series.names, [_digest(each) for each in read_with])
        data = stack_blocks(series.blocks(), shape, series.sources, key)
    else:  # made in memory, so it fits there
        data = np.concatenate(list(series.blocks())).astype(np.float32)
    return Recording(
        data,
        targets=series.targets,
        modality="fmri",
        unit=unit,
        times=first_sample + step * np.arange(series.n_samples),
        run=[run] * series.n_samples,
        subject=subject,
        notes=other_header([series], step),
    )


def _digest(image: Any) -> str:
    """Name the values of a mask or of labels, by which a cached series is found."""
    if image is None:
        return ""
    values = np.asanyarray(load_image(image).dataobj)
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()

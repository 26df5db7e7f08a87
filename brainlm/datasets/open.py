"""Open data sets by name, with every fact on their card checked."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._progress import step
from brainlm._validation import is_mapped
from brainlm.data.brain_maps import BrainMaps
from brainlm.data.features import Features
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.data.word_pairs import WordPairs
from brainlm.datasets.card import Card, read_card
from brainlm.datasets.folders import check_file, choose_subject, find_folder
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.epoch_files import read_covariates
from brainlm.io.registry import READERS
from brainlm.io.word_responses import spelling
from brainlm.storage.long_recordings import constant_columns
from brainlm.storage.openneuro import check_finished


def open_dataset(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> tuple[Stimulus, Recording]:
    """Open a data set: the words and what was recorded, checked against the card.

    Parameters
    ----------
    name : str or path
        Data set (see `list_datasets`), or the path of a card of your own.
    subject : str, optional
        One of `list_subjects`. Not needed where there is only one.
    root : path, optional
        Folder that holds the folder of the data set, or is it. Default: the environment variable
        ``BRAINLM_DATA``, then the cache.

    Returns
    -------
    stimulus : Stimulus
    recording : Recording
        Shape (n_samples, n_targets); its notes tell what was left out or changed.

    Raises
    ------
    UnknownNameError
        There is no such data set or subject.
    DataMissingError
        The data are not here; the message says where to get them and where to put them.
    CorruptDataError
        A file is not what its checksum says, a target is constant, or a number differs from the
        facts on the card.

    Examples
    --------
    >>> stimulus, recording = brainlm.open_dataset("human-ratings")
    >>> stimulus.language, recording.modality
    ('en', 'ratings')
    """
    stimulus, recording = open_responses(name, subject, root)
    if stimulus is None or recording is None:
        lacks, function = (
            ("recording", "open_stimulus") if recording is None else ("words", "open_recording")
        )
        raise ValueError(f"data set {str(name)!r} has no {lacks}: open it with {function}")
    return stimulus, recording


def open_stimulus(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> Stimulus:
    """Open only the words of a data set, such as the word times of a story without responses.

    Parameters and errors as in `open_dataset`.

    Examples
    --------
    >>> brainlm.open_stimulus("human-ratings").language
    'en'
    """
    stimulus, _ = open_responses(name, subject, root)
    if stimulus is None:
        raise ValueError(f"data set {str(name)!r} has no words: open it with open_recording")
    return stimulus


def open_recording(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> Recording:
    """Open only the responses of a data set, such as trials whose words are not in the files.

    Parameters and errors as in `open_dataset`.

    Examples
    --------
    >>> brainlm.open_recording("human-ratings").modality
    'ratings'
    """
    _, recording = open_responses(name, subject, root)
    if recording is None:
        raise ValueError(f"data set {str(name)!r} has no recording: open it with open_stimulus")
    return recording


def open_pairs(name: str | Path, root: Path | str | None = None) -> WordPairs:
    """Open a set of word pairs with their rated similarity.

    Parameters and errors as in `open_dataset`.

    Examples
    --------
    >>> pairs = brainlm.open_pairs("n400-word-pairs")  # doctest: +SKIP
    """
    card, content, where = _read(name, None, root, ("pairs",))
    _check_facts(card, {"n_pairs": content.n_pairs, "unit": content.unit}, where)
    return replace(content, notes=(*content.notes, *card.repairs))


def open_maps(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> BrainMaps:
    """Open the brain maps (statistics, noise ceilings, parcels) of a subject or group.

    Parameters and errors as in `open_dataset`.

    Examples
    --------
    >>> maps = brainlm.open_maps("langloc-auditory", subject="01")  # doctest: +SKIP
    """
    card, content, where = _read(name, subject, root, ("maps",))
    found = {"n_maps": content.n_maps, "n_voxels": content.n_voxels, "unit": content.unit}
    _check_facts(card, found, where)
    return replace(content, notes=(*content.notes, *card.repairs))


def open_responses(
    name: str | Path, subject: str | None = None, root: Path | str | None = None
) -> tuple[Stimulus | None, Recording | None]:
    """Open the words and the recording of a data set, as far as it has them.

    Parameters and errors as in `open_dataset`.
    """
    card, (stimulus, recording), where = _read(name, subject, root, ("responses", "words"))
    if recording is None:
        found = {"n_words": stimulus.n_words, "n_runs": len(stimulus.runs)}
        _check_facts(card, found, where)
        return stimulus, None
    _check_targets(recording, where)
    _check_facts(card, _facts_of(stimulus, recording), where, recording)
    origin = {"dataset": str(name), "subject": recording.subject, "root": root and str(root)}
    notes = (*recording.notes, *card.repairs)
    return stimulus, replace(recording, notes=notes, origin=origin)


def open_covariates(
    name: str | Path, subject: str | None, stimulus: Stimulus, root: Path | str | None = None
) -> list[Features]:
    """Open the numbers that a data set has of its words, such as association strengths.

    Parameters
    ----------
    name, subject, root
        As in `open_dataset`.
    stimulus : Stimulus
        Of the same subject; words without a number (such as cues) have 0.

    Returns
    -------
    list of Features, each of shape (n_words, 1)
        Empty where the card names none (``covariates`` of the reader ``epoch-files``).

    Examples
    --------
    >>> stimulus, epochs = brainlm.open_dataset("n400-word-pairs")  # doctest: +SKIP
    >>> found = brainlm.open_covariates("n400-word-pairs", "04", stimulus)  # doctest: +SKIP
    >>> [each.name for each in found]  # doctest: +SKIP
    ['FAS']
    """
    card = read_card(name)
    if not card.open.options.get("covariates"):
        return []
    folder = find_folder(card, root)
    found = read_covariates(folder, subject, **card.open.options)
    items = stimulus.item.tolist()
    return [
        Features(each, np.array([[values.get(item, 0.0)] for item in items]), stimulus)
        for each, values in found.items()
    ]


def open_published_surprisal(
    name: str | Path, model: str, root: Path | str | None = None
) -> dict[str, float]:
    """Open the surprisal that the authors of a data set published with its responses.

    Parameters
    ----------
    name, root
        As in `open_dataset`.
    model : str
        A name of the card's ``published_surprisal.models``.

    Returns
    -------
    dict of str to float
        Item of the stimulus -> surprisal, in the authors' unit.

    Raises
    ------
    UnknownNameError
        The card has no such model.
    DataMissingError, CorruptDataError
        As in `open_dataset`; or an item is another word there.

    Warns
    -----
    UserWarning
        Values of words that the responses lack are left out.

    Examples
    --------
    >>> values = brainlm.open_published_surprisal("meco-means-en", "mGPT (published)")
    ... # doctest: +SKIP
    >>> len(values)  # doctest: +SKIP
    2071
    """
    card = read_card(name)
    published = card.published_surprisal
    known = {} if published is None else published.models
    if published is None or model not in known:
        raise unknown_name(f"published model of {card.name!r}", model, known)
    rows = {published.key: known[model]}
    changed = {"columns": [published.column], "rename": {}, "where": rows}
    options = {**card.open.options, "responses": {**card.open.options["responses"], **changed}}
    if published.key in options.get("words", {}).get("where", {}):  # each model has its own rows
        options["words"] = {**options["words"], "where": rows}
    opening = card.open.model_copy(update={"options": options})
    _, (theirs, recording), _ = _open_content(card.model_copy(update={"open": opening}), None, root)
    values = dict(
        zip(recording.items.tolist(), recording.data[:, 0].astype(float).tolist(), strict=True)
    )
    return _of_words(card.name, model, values, theirs, open_dataset(name, root=root)[0])


def _of_words(
    name: str, model: str, values: dict[str, float], theirs: Stimulus, words: Stimulus
) -> dict[str, float]:
    """Return the values of items that the data set has; the same item is the same word."""
    said = dict(zip(theirs.item.tolist(), theirs.words.tolist(), strict=True))
    read = dict(zip(words.item.tolist(), words.words.tolist(), strict=True))
    for item in values:
        if item in read and spelling(said[item]) != spelling(read[item]):
            raise CorruptDataError(
                f"data set {name!r}: item {item!r} is {read[item]!r} in the responses and "
                f"{said[item]!r} in {model!r}: the surprisal belongs to another word"
            )
    known = {item: value for item, value in values.items() if item in read}
    if len(known) < len(values):
        warnings.warn(
            f"data set {name!r}: {len(values) - len(known)} of {len(values)} values of {model!r} "
            "belong to words that the responses lack: left out",
            stacklevel=3,
        )
    return known


def _read(
    name: str | Path, subject: str | None, root: Path | str | None, kinds: tuple[str, ...]
) -> tuple[Card, Any, str]:
    """Return the card, what its reader gives, and where that comes from (for messages)."""
    card = read_card(name)
    if card.kind not in kinds:
        function = {"maps": "open_maps", "pairs": "open_pairs"}.get(card.kind, "open_dataset")
        raise ValueError(f"data set {card.name!r} holds {card.kind}: open it with {function}")
    return _open_content(card, subject, root)


def _open_content(
    card: Card, subject: str | None, root: Path | str | None
) -> tuple[Card, Any, str]:
    folder = find_folder(card, root)
    subject = choose_subject(card, folder, subject)
    paths = card.options.found_files(folder, subject)
    check_finished(folder, paths)
    for path in paths:
        check_file(card, folder / path, card.checksums.get(path))
    with step(f"read {card.name}"):
        content = READERS[card.open.reader].function(folder, subject, **card.open.options)
    return card, content, f"data set {card.name!r}, subject {subject!r}, file {folder / paths[0]}"


def _check_targets(recording: Recording, where: str) -> None:
    known = constant_columns(recording.data)  # of mapped data, without reading them
    columns = (
        np.isin(recording.target_names, recording.constant_targets)
        if known is None
        else np.isin(np.arange(recording.n_targets), known)
    )
    if not columns.any():
        return
    constant = recording.target_names[columns]
    n_zero = int((np.nan_to_num(recording.data[:, columns]) == 0).all(axis=0).sum())
    raise CorruptDataError(
        f"{where}: {len(constant)} of {recording.n_targets} targets are constant ({n_zero} of them "
        f"zero throughout; the first: {', '.join(constant[:6])}): these are no responses; leave "
        "this subject out, or fetch the file again"
    )


def _facts_of(stimulus: Stimulus | None, recording: Recording) -> dict[str, Any]:
    found = {
        "unit": recording.unit,
        "n_samples": recording.n_samples,
        "n_targets": recording.n_targets,
        "n_runs": len(recording.runs),
    }
    if not is_mapped(recording.data):  # counting would read the whole file
        found["n_missing"] = int(np.isnan(recording.data).sum())
    return found if stimulus is None else {**found, "n_words": stimulus.n_words}


def _check_facts(
    card: Card, found: dict[str, Any], where: str, recording: Recording | None = None
) -> None:
    facts = card.facts
    different = facts.differences(found)
    if recording is not None and recording.modality != card.modality:
        different.append(f"modality is {recording.modality!r}, expected {card.modality!r}")
    if recording is not None and facts.sampling_interval is not None:
        step = sampling_interval(recording.times[recording.run == recording.runs[0]])
        if not np.isclose(step, facts.sampling_interval):
            different.append(f"sampling_interval is {step}, expected {facts.sampling_interval}")
    if different:
        raise CorruptDataError(
            f"{where}: {'; '.join(different)} (facts on the card): the file was cut off, or is "
            "another version of the data"
        )

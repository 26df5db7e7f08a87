"""Encoding of responses around the onsets of words: every channel at every time is a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.added_effects import AddedEffect, added_effects, effects_beyond
from brainlm.encoding.align import align
from brainlm.encoding.block_scaler import ridge_of_blocks
from brainlm.encoding.encode import Encoding, Space, encode
from brainlm.encoding.permuted_scores import shared_orders
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.features.baselines import random_walk

BLOCK = 20  # words that change places together, and that the gap leaves out: longer than an epoch
LEAST_WORDS = 4 * BLOCK  # of a run, see permute_blocks
LEAST_EPOCHS = 10 * BLOCK  # of a subject: fewer are lost in the gaps of the inner folds


def check_epochs(stimulus: Stimulus, recording: Recording) -> None:
    """Refuse recordings without epochs of channels, or with too few for folds and null.

    Raises
    ------
    UnknownNameError
        The recording has no epochs of channels around words.
    CorruptDataError
        It has fewer than 200 words with epochs, or fewer than 80 in a run.
    """
    if recording.times is not None or "time" not in recording.targets:
        raise UnknownNameError(
            f"subject {recording.subject} has no epochs of channels around words: name a data set "
            "of MEG or EEG, and on a card of your own declare [open.options.epochs] with tmin, "
            "tmax and bin_width"
        )
    counts = {label: int((recording.run == label).sum()) for label in recording.runs}
    label, fewest = min(counts.items(), key=lambda pair: pair[1])
    if recording.n_samples < LEAST_EPOCHS or fewest < LEAST_WORDS:
        raise CorruptDataError(
            f"subject {recording.subject} has {recording.n_samples} words with epochs, {fewest} of "
            f"them in run {label!r}: five folds with gaps of {BLOCK} words need {LEAST_EPOCHS}, "
            f"and the null, in which blocks of {BLOCK} change places, {LEAST_WORDS} in each run"
        )


def encode_epochs(
    stimulus: Stimulus, recording: Recording, spaces: Sequence[Space], n_permutations: int
) -> Encoding:
    """Score feature spaces on the epochs of one subject, and on permuted responses.

    Ridge regression in five contiguous folds with a gap of 20 words. In the null, blocks of 20
    words of the responses change places inside their run, and every fold is fitted again. Subjects
    who heard the same words get the same permutations, so that the mean of their nulls is the null
    of their mean. An autocorrelated random walk is scored beside the spaces.

    Parameters
    ----------
    stimulus : Stimulus
    recording : Recording
        Epochs (n_words, n_channels x n_times), see `check_epochs`. Every column is z-scored: tesla
        squared would be lost in single precision.
    spaces : sequence of Space
        Features of the words of the stimulus.
    n_permutations : int

    Returns
    -------
    Encoding
        With a null.

    Examples
    --------
    >>> from brainlm.encoding.encode import Space
    >>> from brainlm.features.baselines import word_length
    >>> result = encode_epochs(stimulus, recording, [Space(word_length(stimulus))], 199)
    ... # doctest: +SKIP
    """
    recording = _z_scored(recording)
    rows = replace(recording, items=None, times=np.arange(recording.n_samples))
    orders = _orders(stimulus, recording, n_permutations)
    return encode(
        [*spaces, Space(random_walk(rows))],
        recording,
        _split(recording),
        {"ridge encoding": RidgeEncoder(warn_edge=False)},
        orders=orders,
        dtype=np.float32,
        keep_predictions=False,
    )


def encode_unpermuted(recording: Recording, spaces: Sequence[Space]) -> Encoding:
    """Score feature spaces on the epochs of one subject, in the folds of `encode_epochs`.

    Spaces of several parts weigh them alike (`brainlm.encoding.block_scaler.ridge_of_blocks`).

    Parameters
    ----------
    recording : Recording
        Epochs (n_words, n_channels x n_times).
    spaces : sequence of Space

    Returns
    -------
    Encoding
        Without a null.
    """
    recording = _z_scored(recording)
    encoders = {"ridge encoding": ridge_of_blocks}
    return encode(spaces, recording, _split(recording), encoders, keep_predictions=False)


def _z_scored(recording: Recording) -> Recording:
    z = (recording.data - recording.data.mean(axis=0)) / recording.data.std(axis=0)
    return recording.with_data(z.astype("f4"), "z-scored channels")


def _split(recording: Recording) -> ContiguousBlocks:
    return ContiguousBlocks(5, gap=BLOCK, runs=recording.run)


def _orders(stimulus: Stimulus, recording: Recording, n_permutations: int) -> np.ndarray:
    place = {item: i for i, item in enumerate(stimulus.item.tolist())}
    rows = np.array([place[item] for item in recording.items.tolist()])
    return shared_orders(
        stimulus.words, stimulus.run, rows, block=BLOCK, n_permutations=n_permutations
    )


def predictor_effects(
    stimulus: Stimulus,
    recording: Recording,
    predictors: Mapping[str, Sequence[Features]],
    n_permutations: int,
) -> tuple[dict[str, AddedEffect], Recording]:
    """Test single predictors of epochs beyond controls and beyond each other.

    Folds, gap and blocks of the null are those of `encode_epochs`; see
    `brainlm.encoding.added_effects.added_effect` for the test.

    Parameters
    ----------
    stimulus : Stimulus
    recording : Recording
        Epochs (n_words, n_channels x n_times).
    predictors : mapping of str to sequence of Features
        Kind -> features of one column. ``"controls"`` are in every regression; those of two other
        kinds are tested beyond each other. Constant controls are left out.
    n_permutations : int

    Returns
    -------
    effects : dict of str to AddedEffect
    recording : Recording
        Z-scored, with a note.
    """
    recording = _z_scored(recording)
    columns: dict[str, np.ndarray] = {}
    kinds: dict[str, str] = {}
    for kind, several in predictors.items():
        for features in several:
            x = np.asarray(align(features, recording, delays=(0,)).X, dtype=float)[:, 0]
            if np.ptp(x) > 0 or kind != "controls":
                columns[features.name], kinds[features.name] = x, kind
    controls = [name for name, kind in kinds.items() if kind == "controls"]
    tested = effects_beyond(controls, {k: v for k, v in kinds.items() if v != "controls"})
    orders = _orders(stimulus, recording, n_permutations)
    found = added_effects(recording, columns, tested, _split(recording), orders)
    return found, recording

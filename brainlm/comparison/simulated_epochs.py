"""Simulated EEG around words, with an effect planted at some sensors and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from brainlm.comparison.simulated_assemblies import autoregressive, items_of, unit, whitened
from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import epoch_targets

# Sensors and time of an N400.
MONTAGE = "biosemi32"


SENSORS = ("Cz", "CP1", "CP2", "P3", "Pz", "P4")


WINDOW = (0.3, 0.5)


BINS = tuple(round(0.1 * k, 1) for k in range(-2, 10))


def simulate_epochs(
    cause: Features | None,
    carrier: Features,
    *,
    positions: Mapping[str, Sequence[float]],
    times: Sequence[float],
    planted: np.ndarray,
    noise: float = 2.0,
    subject: str = "sim1",
    seed: int = 0,
) -> Recording:
    """Return EEG epochs around words, in which some channels respond at some times.

    ``y = planted * (X w) / sd + noise * e``: X the whitened cause, w weights of each channel and
    time of their own, e AR(1) noise over words. Each occurrence of a word is an item of its own.

    Parameters
    ----------
    cause : Features or None
        The planted space; None plants nothing: noise alone.
    carrier : Features
        Any space of the same words.
    positions : mapping of str to sequence of float
        Channel -> its place in metres, (3,).
    times : sequence of float
        Seconds after the onset of a word.
    planted : array of bool, shape (n_channels, n_times)
        Where the space is planted.
    noise : float
        Standard deviation of the noise, of the signal it is 1.
    subject : str
    seed : int

    Returns
    -------
    Recording
        Targets "channel@100ms", as ``brainlm.from_epochs`` names them.

    Raises
    ------
    ValueError
        When ``planted`` has another shape, or words share an item.
    """
    planted = np.asarray(planted, dtype=bool)
    if planted.shape != (len(positions), len(times)):
        raise ValueError(
            f"planted must be (n_channels, n_times) = ({len(positions)}, {len(times)}), got "
            f"{planted.shape}"
        )
    stimulus = items_of(carrier)
    rng = np.random.default_rng(seed)
    data = noise * autoregressive(stimulus.n_words, planted.size, rng)
    if cause is not None:
        X = whitened(cause).values
        signal = unit(X @ rng.standard_normal((X.shape[1], planted.size)))
        data += np.where(planted.ravel(), signal, 0)
    return Recording(
        data,
        epoch_targets(list(positions), times, np.array(list(positions.values()))),
        "eeg",
        "z",
        items=stimulus.item,
        run=stimulus.run,
        subject=subject,
    )


def simulate_n400(cause: Features, *, noise: float = 2.0, subject: str, seed: int) -> Recording:
    """Return EEG that follows a space at the sensors and the time of an N400.

    Parameters
    ----------
    cause : Features
        Each occurrence of a word is an item of its own.
    noise : float
        As in `simulate_epochs`.
    subject : str
    seed : int

    Returns
    -------
    Recording
        Its target table has a column ``planted``; a note says what was planted.
    """
    import mne

    positions = mne.channels.make_standard_montage(MONTAGE).get_positions()["ch_pos"]
    late = [WINDOW[0] <= time < WINDOW[1] for time in BINS]
    planted = np.outer([channel in SENSORS for channel in positions], late)
    recording = simulate_epochs(
        cause,
        cause,
        positions=positions,
        times=BINS,
        planted=planted,
        noise=noise,
        subject=subject,
        seed=seed,
    )
    targets = recording.targets.assign(planted=planted.ravel())
    return replace(recording, targets=targets).noted(
        f"simulated responses: {cause.name} planted at {', '.join(SENSORS)} in the bins from "
        f"{WINDOW[0]} to {WINDOW[1]} s, in AR(1) noise over words"
    )


def simulate_listeners(
    story: Stimulus,
    represent: Callable[[Stimulus], Sequence[Any]],
    people: Sequence[str],
    n_words: int,
    *,
    noise: float,
) -> Iterator[tuple[Stimulus, Recording]]:
    """Yield the first words of a story, and EEG of each person that follows them (`simulate_n400`).

    Parameters
    ----------
    story : Stimulus
    represent : callable
        Returns the feature spaces (`brainlm.Space`) of words; the first one is planted.
    people : sequence of str
    n_words : int
    noise : float
    """
    story = story.select(np.arange(min(n_words, story.n_words)))
    stimulus = replace(story, item=[f"w{i}" for i in range(story.n_words)])
    (cause,) = represent(stimulus)[0].features
    for seed, name in enumerate(people):
        yield stimulus, simulate_n400(cause, noise=noise, subject=name, seed=seed)

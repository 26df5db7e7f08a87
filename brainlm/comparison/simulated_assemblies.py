"""Simulated assemblies with a known answer: real words, planted weights, and noise.

What no machine here has (voxelwise story fMRI, word-locked MEG) is simulated on the true times of
the words of a story, with the features of one layer as the cause of the responses, or of nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from brainlm.comparison.assembly import Assembly
from brainlm.data.features import Features
from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import target_table, targets_of_subjects
from brainlm.encoding.align import align

MOST_DIMENSIONS = 30


def autoregressive(
    n_samples: int, n_targets: int, rng: np.random.Generator, *, rho: float = 0.5
) -> np.ndarray:
    """Return AR(1) noise of variance 1, (n_samples, n_targets): ``e_t = rho e_(t-1) + u_t``."""
    from scipy.signal import lfilter

    if not 0 <= rho < 1:
        raise ValueError(f"rho must lie in [0, 1), got {rho}")
    burn = 200
    white = rng.standard_normal((n_samples + burn, n_targets)) * np.sqrt(1 - rho**2)
    return lfilter([1.0], [1.0, -rho], white, axis=0)[burn:]


def simulate_fmri(
    cause: Features | None,
    carrier: Features,
    *,
    subjects: int = 8,
    n_targets: int = 20,
    noise: float = 2.0,
    step: float = 2.0,
    seed: int = 0,
) -> Assembly:
    """Return voxels that respond to a feature space through a haemodynamic response.

    Parameters
    ----------
    cause : Features or None
        The planted space, with timed words; None plants nothing: noise alone.
    carrier : Features
        Any space of the same words, for their times.
    subjects, n_targets : int
        Listeners share the weights, not the noise.
    noise : float
        Standard deviation of the AR(1) noise (plus a slow drift), of the signal it is 1.
    step : float
        Repetition time in seconds.
    seed : int

    Returns
    -------
    Assembly
        Of the modality "fmri" and level "discourse", high-passed.
    """
    rng = np.random.default_rng(seed)
    people = [f"sim{i + 1}" for i in range(subjects)]
    targets = _targets(people, "v", n_targets)
    scan = _scan(carrier, step)
    signal = np.zeros((len(scan["run"]), n_targets))
    if cause is not None:
        signal = _haemodynamic(cause, scan, n_targets, rng)
    return _fmri_task(
        "simulated fMRI",
        carrier,
        scan,
        np.tile(signal, (1, subjects)),
        targets,
        people,
        noise,
        rng,
        seed,
    )


def simulate_regions(
    causes: Sequence[Features],
    region: np.ndarray,
    *,
    noise: float = 2.0,
    step: float = 2.0,
    seed: int = 0,
) -> Assembly:
    """Return the voxels of one listener, of which each region responds to a space of its own.

    Parameters
    ----------
    causes : sequence of Features
        Spaces of the same timed words.
    region : array of int, shape (n_voxels,)
        For each voxel which of ``causes`` it responds to, with weights of its own; -1: none.
    noise, step, seed
        As in ``simulate_fmri``.
    """
    region = np.asarray(region)
    if region.ndim != 1 or not np.isin(region, range(-1, len(causes))).all():
        raise ValueError(
            f"region must hold -1 to {len(causes) - 1} (n_voxels,), got {np.unique(region)} "
            f"{region.shape}"
        )
    rng = np.random.default_rng(seed)
    scan = _scan(causes[0], step)
    signal = np.zeros((len(scan["run"]), len(region)))
    for k, cause in enumerate(causes):
        own = region == k
        if own.any():
            signal[:, own] = _haemodynamic(cause, scan, int(own.sum()), rng)
    targets = target_table([f"v{i}" for i in range(len(region))])
    return _fmri_task("simulated regions", causes[0], scan, signal, targets, (), noise, rng, seed)


def _scan(carrier: Features, step: float) -> dict[str, Any]:
    """Times and runs of the samples of an fMRI of these words."""
    stimulus = carrier.stimulus
    assert stimulus is not None
    times, run = [], []
    for label in stimulus.runs:
        own = stimulus.run == label
        last = float((stimulus.onset + stimulus.duration)[own].max())
        grid = np.arange(float(stimulus.onset[own].min()), last, step)
        times.append(grid)
        run += [label] * len(grid)
    return {"times": np.concatenate(times), "run": run}


def _haemodynamic(
    cause: Features, scan: dict[str, Any], n_targets: int, rng: np.random.Generator
) -> np.ndarray:
    """Responses to a space through a haemodynamic response that is not the analysis' own."""
    empty = Recording(rng.standard_normal((len(scan["run"]), 1)), ["x"], "fmri", "BOLD", **scan)
    response = align(whitened(cause), empty, method="hrf").X
    return unit(response @ rng.standard_normal((response.shape[1], n_targets)))


def _fmri_task(
    name: str,
    carrier: Features,
    scan: dict[str, Any],
    signal: np.ndarray,
    targets: pd.DataFrame,
    people: Sequence[str],
    noise: float,
    rng: np.random.Generator,
    seed: int,
) -> Assembly:
    """Add drift and AR(1) noise, and high-pass."""
    stimulus = carrier.stimulus
    assert stimulus is not None
    data = signal + unit(np.cumsum(rng.standard_normal(signal.shape), axis=0))
    data += noise * autoregressive(len(signal), signal.shape[1], rng)
    recording = high_pass(Recording(data, targets, "fmri", "BOLD", **scan), period=128.0)
    return Assembly(
        name,
        "fmri",
        stimulus.language,
        "discourse",
        stimulus,
        recording,
        tuple(people),
        6,
        max(1, len(people)),
        {"seed": seed},
    )


def simulate_meg(
    cause: Features | None,
    carrier: Features,
    *,
    subjects: int = 8,
    n_targets: int = 20,
    noise: float = 2.0,
    seed: int = 0,
) -> Assembly:
    """Return word-locked sensors x bins that respond to a feature space at each word.

    Parameters as in ``simulate_fmri``; the noise is autocorrelated over words. Each occurrence of
    a word is an item of its own.
    """
    rng = np.random.default_rng(seed)
    stimulus = items_of(carrier)
    n_words = stimulus.n_words
    people = [f"sim{i + 1}" for i in range(subjects)]
    targets = _targets(people, "s", n_targets)
    signal = np.zeros((n_words, n_targets))
    if cause is not None:
        X = whitened(cause).values
        signal = unit(X @ rng.standard_normal((X.shape[1], n_targets)))
    data = np.tile(signal, (1, subjects)) + noise * autoregressive(n_words, len(targets), rng)
    recording = Recording(data, targets, "meg", "z", items=stimulus.item)
    return Assembly(
        "simulated MEG",
        "meg",
        stimulus.language,
        "discourse",
        stimulus,
        recording,
        tuple(people),
        6,
        subjects,
        {"seed": seed},
    )


def first_words(stimulus: Stimulus, n: int) -> Stimulus:
    """Return the first words of a story, each a separate item, in one text per run."""
    part = stimulus.select(np.arange(min(n, stimulus.n_words)))
    items = [f"w{i}" for i in range(part.n_words)]
    return replace(part, text=part.run, sentence=None, item=items)


def brain_mask(resolution: int) -> Any:
    """Return the brain of the MNI template in voxels of ``resolution`` mm."""
    from nilearn.datasets import load_mni152_brain_mask

    return load_mni152_brain_mask(resolution=resolution)


def voxels_near(mask: Any, regions: Iterable[tuple[Sequence[float], float]]) -> np.ndarray:
    """Return the number of the region of each voxel of a mask, -1 outside, int (n_voxels,).

    Parameters
    ----------
    mask : nibabel image
    regions : iterable of (centre, radius)
        Spheres, in millimetres.
    """
    from nilearn.image import coord_transform

    inside = np.column_stack(np.nonzero(np.asarray(mask.dataobj)))
    positions = np.column_stack(coord_transform(*inside.T, mask.affine))
    region = np.full(len(positions), -1)
    for number, (centre, radius) in enumerate(regions):
        region[np.linalg.norm(positions - np.asarray(centre), axis=1) <= radius] = number
    return region


def _targets(people: Sequence[str], prefix: str, n_targets: int) -> pd.DataFrame:
    one = target_table([f"{prefix}{i}" for i in range(n_targets)])
    return targets_of_subjects(dict.fromkeys(people, one))


def items_of(carrier: Features) -> Stimulus:
    """Return the words of a feature space; each must be a separate item."""
    stimulus = carrier.stimulus
    assert stimulus is not None
    if len(set(stimulus.item)) < stimulus.n_words:
        raise ValueError("each word must be an item of its own: give Stimulus(item=...)")
    return stimulus


def whitened(features: Features) -> Features:
    """The first principal components with equal variance: no direction of the layer dominates."""
    X = np.asarray(features.values, dtype=float)
    X = X - X.mean(axis=0)
    scale = X.std(axis=0)
    U, S, _ = np.linalg.svd(X / np.where(scale > 0, scale, 1), full_matrices=False)
    kept = min(MOST_DIMENSIONS, int((1e-6 * S[0] < S).sum()))
    values = U[:, :kept] * np.sqrt(len(X))
    return Features(features.name, values, features.stimulus)


def unit(values: np.ndarray) -> np.ndarray:
    """Return columns with mean 0 and standard deviation 1; constant ones stay 0."""
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)

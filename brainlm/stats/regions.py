"""Subject-specific functional regions: the voxels of a parcel that a localiser picks out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from brainlm._validation import same_length
from brainlm.data.brain_maps import BrainMaps
from brainlm.data.recording import Recording

NETWORK = "language network"


def functional_regions(
    contrast: np.ndarray,
    parcels: np.ndarray,
    *,
    share: float | None = 0.1,
    threshold: float | None = None,
) -> np.ndarray:
    """Select the voxels of each parcel that respond most to a localiser.

    ::

        region of parcel p = the ceil(share * n_p) voxels of p with the largest contrast

    or, with ``threshold``, the voxels whose contrast lies above it. The same share of each parcel
    in each subject makes regions comparable, whatever the height of a subject's contrast.

    Parameters
    ----------
    contrast : array of shape (n_voxels,)
        t or z of sentences against non-words (intact against degraded speech) of one subject. NaN
        where there is none; such voxels are never selected.
    parcels : array of int, shape (n_voxels,)
        Parcel of each voxel, 0 outside.
    share : float, optional
        Above 0 and at most 1.
    threshold : float, optional
        In place of ``share``, which is then None.

    Returns
    -------
    array of int, shape (n_voxels,)
        The parcel of each selected voxel, 0 elsewhere. A parcel may be left without a voxel where
        ``threshold`` is not reached.

    Raises
    ------
    ValueError
        Other shapes; both or neither of ``share`` and ``threshold``; no parcel.

    References
    ----------
    Fedorenko, Hsieh, Nieto-Castanon, Whitfield-Gabrieli & Kanwisher 2010, J Neurophysiol 104:1177.

    Examples
    --------
    >>> functional_regions([1.0, 5.0, 2.0, 9.0], [1, 1, 1, 0], share=0.3).tolist()
    [0, 1, 0, 0]
    """
    contrast, parcels = np.asarray(contrast, dtype=float), np.asarray(parcels)
    same_length({"contrast": len(contrast), "parcels": len(parcels)})
    if contrast.ndim != 1 or parcels.ndim != 1 or parcels.dtype.kind not in "iu":
        raise ValueError(
            f"contrast and parcels must be 1-D, parcels of int; got {contrast.shape} and "
            f"{parcels.shape} of {parcels.dtype}"
        )
    if (share is None) == (threshold is None):
        raise ValueError(f"give share or threshold, got share={share}, threshold={threshold}")
    if share is not None and not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, got {share}")
    numbers = [int(number) for number in np.unique(parcels) if number]
    if not numbers:
        raise ValueError("parcels holds no parcel: every voxel is 0")
    regions = np.zeros(len(parcels), dtype=int)
    for number in numbers:
        own = np.flatnonzero((parcels == number) & np.isfinite(contrast))
        if threshold is not None:
            own = own[contrast[own] > threshold]
        else:
            assert share is not None
            order = np.argsort(-contrast[own], kind="stable")
            own = own[order[: int(np.ceil(share * len(own) - 1e-9))]]
        regions[own] = number
    return regions


def regions_of_maps(
    localizer: BrainMaps,
    parcels: BrainMaps,
    *,
    share: float | None = 0.1,
    threshold: float | None = None,
) -> BrainMaps:
    """Return the functional regions of a subject as labelled maps, one per map of the localiser.

    Parameters
    ----------
    localizer : BrainMaps
        Contrasts of one subject.
    parcels : BrainMaps
        One map with labels, on the same grid.
    share, threshold
        As in `functional_regions`.

    Raises
    ------
    ValueError
        The grids differ: resample the parcels (`nilearn.image.resample_to_img` with
        ``interpolation="nearest"``).
    """
    grids = localizer.mask.shape, parcels.mask.shape
    affines = localizer.affine, parcels.affine
    if grids[0] != grids[1] or not (affines[0] is affines[1] or np.allclose(*affines, atol=1e-3)):
        raise ValueError(
            f"parcels are on another grid ({grids[1]}) than the localiser ({grids[0]}), or at "
            "another place: resample them with nilearn.image.resample_to_img(parcels, localizer, "
            "interpolation='nearest')"
        )
    numbers = parcels.volume(str(parcels.names[0])).astype(int)[localizer.mask]
    found = np.array(
        [functional_regions(each, numbers, share=share, threshold=threshold)
         for each in localizer.data]
    )  # fmt: skip
    labels = parcels.labels or {int(n): f"parcel {n}" for n in np.unique(numbers) if n}
    return replace(localizer, data=found, unit="label", labels=labels)


def region_means(values: Any, regions: np.ndarray, labels: Mapping[int, str]) -> pd.DataFrame:
    """Average values over the voxels of each region, and over all: the language network.

    Parameters
    ----------
    values : array of shape (n_rows, n_voxels) or (n_voxels,)
        Scores, effects or responses; NaN voxels (without a score) are left out.
    regions : array of int, shape (n_voxels,)
        From `functional_regions`.
    labels : mapping of int to str

    Returns
    -------
    DataFrame
        A column per region (NaN without a voxel) and "language network", the mean of the other
        columns, so that large regions do not outweigh small ones; a row per row of ``values``.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    same_length({"columns of values": values.shape[1], "regions": len(regions)})
    columns = {}
    for number, name in labels.items():
        own = values[:, np.asarray(regions) == number]
        empty = np.full(len(values), np.nan)
        columns[name] = np.nanmean(own, axis=1) if own.shape[1] else empty
    table = pd.DataFrame(columns)
    if table.isna().all(axis=None):
        raise ValueError("regions holds none of the labels: no voxel was selected")
    return table.assign(**{NETWORK: table.mean(axis=1)})


def region_responses(
    recording: Recording,
    regions: np.ndarray,
    labels: Mapping[int, str],
    *,
    localizer_runs: Sequence[str],
) -> Recording:
    """Return the mean response of each functional region as targets of a recording.

    Parameters
    ----------
    recording : Recording
        Voxels.
    regions, labels
        As in `region_means`.
    localizer_runs : sequence of str
        Runs that the localiser was estimated from; empty where it is another session.

    Raises
    ------
    ValueError
        The localiser shares a run with the recording: voxels chosen on these data respond in them
        by choice, not by nature.
    """
    shared = sorted(set(map(str, localizer_runs)) & set(map(str, recording.runs)))
    if shared:
        raise ValueError(
            f"the localiser was estimated from runs {', '.join(shared)} of this recording: define "
            "regions on other runs, or leave these runs out (recording.select_samples)"
        )
    table = region_means(recording.data, regions, labels)
    targets = [str(name) for name in table.columns]
    return replace(recording, data=table.to_numpy(), targets=targets)


def held_out_effects(
    contrasts: np.ndarray, effects: np.ndarray, parcels: np.ndarray, *, share: float = 0.1
) -> np.ndarray:
    """Return the effects in regions that the other runs define, averaged over runs.

    Parameters
    ----------
    contrasts : array of shape (n_runs, n_voxels)
        Localiser contrast of each run; those of the other runs are averaged.
    effects : array of shape (n_runs, n_conditions, n_voxels)
        Effect of each condition in each run.
    parcels : array of int, shape (n_voxels,)
    share : float

    Returns
    -------
    array of shape (n_conditions, n_parcels)
        Parcels in the order of their numbers.
    """
    contrasts, effects = np.asarray(contrasts, dtype=float), np.asarray(effects, dtype=float)
    if contrasts.ndim != 2 or len(contrasts) < 2 or effects.ndim != 3:
        raise ValueError(
            f"give contrasts (n_runs, n_voxels) of two runs or more, and effects (n_runs, "
            f"n_conditions, n_voxels); got {contrasts.shape} and {effects.shape}"
        )
    same_length({"runs of contrasts": len(contrasts), "runs of effects": len(effects)})
    numbers = [int(number) for number in np.unique(parcels) if number]
    found = []
    for run in range(len(contrasts)):
        others = np.delete(contrasts, run, axis=0).mean(axis=0)
        regions = functional_regions(others, parcels, share=share)
        found.append(np.stack([effects[run][:, regions == n].mean(axis=1) for n in numbers], 1))
    return np.mean(found, axis=0)

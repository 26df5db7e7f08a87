"""Searchlights: a score for every place, computed from its neighbourhood.

Neighbourhoods are sparse: row i holds the targets within a radius (or some steps) of target i.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from brainlm._progress import bar
from brainlm.encoding.splits import Split
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations


def volume_neighbourhoods(mask: Any, radius: float) -> sparse.csr_array:
    """Return which voxels of a mask lie within a radius of each, (n_voxels, n_voxels), bool.

    Parameters
    ----------
    mask : image, or path
        Voxels other than 0 are targets, in the order of nilearn's maskers.
    radius : float
        Millimetres; a voxel is its own neighbour.
    """
    from nilearn.image import coord_transform, load_img
    from sklearn.neighbors import NearestNeighbors

    image = load_img(mask)
    if radius <= 0:
        raise ValueError(f"radius must be positive, in millimetres, got {radius}")
    inside = np.column_stack(np.nonzero(np.asarray(image.dataobj)))
    if len(inside) == 0:
        raise ValueError("the mask has no voxel: give an image with values other than 0")
    positions = np.column_stack(coord_transform(*inside.T, image.affine))
    found = NearestNeighbors(radius=radius).fit(positions).radius_neighbors_graph(positions)
    return sparse.csr_array(found.astype(bool))


def searchlight(
    score: Callable[[np.ndarray], float], neighbourhoods: sparse.csr_array, least: int = 3
) -> np.ndarray:
    """Return ``score(targets of the neighbourhood)`` for each place.

    Parameters
    ----------
    score : callable
        Takes the numbers of the targets in a neighbourhood.
    neighbourhoods : sparse array of bool, shape (n_targets, n_targets)
    least : int
        Places with fewer neighbours have no score (NaN).

    Returns
    -------
    array of shape (n_targets,)
    """
    neighbourhoods = sparse.csr_array(neighbourhoods)
    if neighbourhoods.shape[0] != neighbourhoods.shape[1]:
        raise ValueError(f"neighbourhoods must be square, got {neighbourhoods.shape}")
    found = np.full(neighbourhoods.shape[0], np.nan)
    for place in bar(range(len(found)), "searchlight", inner=True):
        own = np.sort(neighbourhoods.indices[slice(*neighbourhoods.indptr[place : place + 2])])
        if len(own) >= least:
            found[place] = score(own)
    return found


def pattern_searchlight(
    predictions: np.ndarray, Y: np.ndarray, split: Split, neighbourhoods: sparse.csr_array
) -> np.ndarray:
    """2v2 accuracy of held-out predictions in each neighbourhood, (n_targets,); chance .5.

    Parameters
    ----------
    predictions : array of shape (n_items, n_targets)
        Out-of-fold predictions of any encoder (``cross_validate(..., keep_predictions=True)``).
    Y : array of shape (n_items, n_targets)
    split : Split
        The folds of the predictions; the mean pattern of the training items is removed.
    neighbourhoods : sparse array, shape (n_targets, n_targets)
    """
    _check(Y, neighbourhoods)
    if predictions.shape != Y.shape:
        raise ValueError(f"predictions have shape {predictions.shape}, Y {Y.shape}")
    folds = [(test, Y[train].mean(axis=0)) for train, test in split.split(Y)]

    def score(own: np.ndarray) -> float:
        return float(
            np.mean(
                [
                    pairwise_accuracy(
                        pattern_correlations(
                            predictions[np.ix_(test, own)] - mean[own],
                            Y[np.ix_(test, own)] - mean[own],
                        )
                    )
                    for test, mean in folds
                ]
            )
        )

    return searchlight(score, neighbourhoods)


def _check(Y: np.ndarray, neighbourhoods: sparse.csr_array) -> None:
    if neighbourhoods.shape != (Y.shape[1], Y.shape[1]):
        raise ValueError(
            f"neighbourhoods have shape {neighbourhoods.shape} for {Y.shape[1]} targets: make both "
            "from one mask or mesh"
        )

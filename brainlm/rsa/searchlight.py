"""Searchlights: a score for every place, computed from its neighbourhood, in volumes and surfaces.

Neighbourhoods are sparse: row i holds the targets within a radius (or some steps) of target i.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from brainlm.encoding.splits import Split
from brainlm.rsa.rdm import compare_rdms, rdm
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations

__all__ = [
    "pattern_searchlight",
    "rsa_searchlight",
    "searchlight",
    "surface_neighbourhoods",
    "volume_neighbourhoods",
]


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


def surface_neighbourhoods(faces: np.ndarray, n_vertices: int, steps: int = 2) -> sparse.csr_array:
    """Return which vertices lie within some edges of each (mne), (n_vertices, n_vertices), bool.

    Parameters
    ----------
    faces : array of int, shape (n_faces, 3)
        Triangles of a mesh, such as nilearn's ``fsaverage5``.
    n_vertices : int
    steps : int
        Edges, at least 1.
    """
    from mne.surface import mesh_edges

    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.max() >= n_vertices:
        raise ValueError(
            f"faces must have shape (n_faces, 3) with vertices below {n_vertices}, got "
            f"{faces.shape}, largest {faces.max()}"
        )
    if steps < 1:
        raise ValueError(f"steps must be 1 or more, got {steps}")
    edges = sparse.csr_array(mesh_edges(faces)).astype(bool)
    edges.resize((n_vertices, n_vertices))
    step = (edges + sparse.eye_array(n_vertices, dtype=bool, format="csr")).astype(np.int32)
    near = step
    for _ in range(steps - 1):
        near = (near @ step).sign()
    return sparse.csr_array(near.astype(bool))


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
    for place in range(len(found)):
        own = np.sort(neighbourhoods.indices[slice(*neighbourhoods.indptr[place : place + 2])])
        if len(own) >= least:
            found[place] = score(own)
    return found


def rsa_searchlight(
    Y: np.ndarray,
    model: np.ndarray,
    neighbourhoods: sparse.csr_array,
    *,
    metric: str = "correlation",
    method: str = "spearman",
) -> np.ndarray:
    """Compare the RDM of each neighbourhood with that of a model, (n_targets,).

    Parameters
    ----------
    Y : array of shape (n_items, n_targets)
    model : array of shape (n_pairs,)
        Condensed RDM of the same items.
    neighbourhoods : sparse array, shape (n_targets, n_targets)
    metric, method : str
        As in ``rdm`` and ``compare_rdms``.

    References
    ----------
    Kriegeskorte, Goebel & Bandettini 2006, doi 10.1073/pnas.0600244103.
    """
    _check(Y, neighbourhoods)
    return searchlight(
        lambda own: compare_rdms(rdm(Y[:, own], metric), model, method), neighbourhoods
    )


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

"""Alignment across subjects: their voxels in one shared space, learned from training samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import orthogonal_procrustes
from sklearn.base import clone

from brainlm._progress import bar
from brainlm._validation import check_finite, same_length
from brainlm.data.scores import Scores, pearson
from brainlm.encoding.cross_validation import prepared
from brainlm.encoding.folds import as_split, checked_folds
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.errors import unknown_name

METHODS = ("procrustes", "srm", "ridge", "anatomy")
N_STEPS = 10  # of the iterations; templates and maps hardly change after five


@dataclass(frozen=True, eq=False)
class SharedSpace:
    """Maps between the voxels of subjects and a space that they share.

    Attributes
    ----------
    template : array of shape (n_samples, n_shared)
        Shared responses to the training samples, standardised.
    maps : list of array, each (n_voxels, n_shared)
        Orthonormal columns (rows, where a subject has fewer voxels).
    method : str
    """

    template: np.ndarray
    maps: list[np.ndarray]
    method: str


def fit_shared_space(
    responses: Sequence[np.ndarray], method: str = "procrustes", *, n_shared: int | None = None
) -> SharedSpace:
    """Learn a space shared by subjects who heard or read the same stimuli.

    With Y_s the responses of subject s, each voxel z-scored over the samples, both methods minimise
    over maps with orthonormal columns and over the shared responses G::

        sum_s ||Y_s W_s - G||^2   (procrustes)        sum_s ||Y_s - G W_s'||^2   (srm)

    by turns: W_s from the singular vectors of ``Y_s' G``, G the mean of ``Y_s W_s``. Procrustes
    keeps as many dimensions as the subjects have voxels, whose numbers must agree, and begins with
    the first subject; the shared response model has ``n_shared`` and begins with the singular
    vectors of all subjects together.

    Parameters
    ----------
    responses : sequence of array, each (n_samples, n_voxels)
        Of the same samples; voxels may differ for "srm".
    method : {"procrustes", "srm"}
    n_shared : int, optional
        Dimensions of "srm". Default: 20, or as many as there are samples or voxels.

    Returns
    -------
    SharedSpace

    Raises
    ------
    ValueError
        Fewer than two subjects, other samples, constant voxels, other numbers of voxels.

    References
    ----------
    Haxby et al. 2011, Neuron 72:404; Chen et al. 2015, NeurIPS 28:460.
    """
    if method not in METHODS[:2]:
        raise unknown_name("method", method, METHODS[:2])
    Z = _standardized(responses)
    if len(Z) < 2:
        raise ValueError(f"a shared space needs two subjects or more, got {len(Z)}")
    widths = [each.shape[1] for each in Z]
    if method == "procrustes":
        if len(set(widths)) > 1:
            raise ValueError(
                f"Procrustes rotates equal numbers of voxels, got {widths}: use method='srm', or "
                "the same voxels of all subjects"
            )
        G = Z[0]
        for each in Z[1:]:  # a first template, subject by subject
            G = (G + each @ orthogonal_procrustes(each, G)[0]) / 2
    else:
        most = min(len(Z[0]), *widths)
        k = min(20, most) if n_shared is None else n_shared
        if not 1 <= k <= most:
            raise ValueError(f"n_shared must lie between 1 and {most}, got {n_shared}")
        left, values, _ = np.linalg.svd(np.hstack(Z), full_matrices=False)
        G = left[:, :k] * values[:k] / len(Z)
    maps: list[np.ndarray] = []
    for _ in range(N_STEPS):
        maps = [_rotation(each, G) for each in Z]
        G = np.mean([each @ W for each, W in zip(Z, maps, strict=True)], axis=0)
    return SharedSpace(G, maps, method)


def map_subject(response: np.ndarray, template: np.ndarray) -> np.ndarray:
    """Return the orthonormal map of one more subject to a shared space, (n_voxels, n_shared).

    ::

        W = U V',    Y' G = U S V'

    Parameters
    ----------
    response : array of shape (n_samples, n_voxels)
        To the samples of the template; standardised here.
    template : array of shape (n_samples, n_shared)
    """
    same_length({"samples of response": len(response), "samples of template": len(template)})
    return _rotation(_standardized([response])[0], template)


def leave_one_subject_out(
    X: Any,
    responses: Sequence[np.ndarray],
    split: Any,
    method: str = "procrustes",
    *,
    encoder: Any = None,
    n_shared: int | None = None,
) -> list[Scores]:
    """Predict each subject by an encoder that is fitted to the others, in a shared space.

    In each fold the shared space is learned from the training samples of the other subjects, the
    encoder predicts their mean in it, and the subject is mapped to it by the training samples; the
    prediction of the test samples goes back by the transposed map. Nothing of a test sample, of any
    subject, has a part in it.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Features of the samples that all subjects share.
    responses : sequence of array, each (n_samples, n_voxels)
    split : Split
    method : {"procrustes", "srm", "ridge", "anatomy"}
        As in `fit_shared_space`; "ridge" predicts the subject's voxels from the mean of the others
        (equal voxels) by a ridge regression; "anatomy" takes the mean of the same voxels.
    encoder : estimator, optional
        Default: ``RidgeEncoder(warn_edge=False)``.
    n_shared : int, optional
        As in `fit_shared_space`.

    Returns
    -------
    list of Scores
        One per subject, r of each voxel in each fold.

    Raises
    ------
    ValueError
        Subjects with other samples (other stimuli), or fewer than three.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    X = np.asarray(X)
    same_length({"rows of X": len(X), **{f"subject {s}": len(Y) for s, Y in enumerate(responses)}})
    if len(responses) < 3:
        raise ValueError(
            f"two subjects to learn from and one to test are needed, got {len(responses)}"
        )
    encoder = RidgeEncoder(warn_edge=False) if encoder is None else encoder
    split = as_split(split)
    folds = checked_folds(split.split(X), len(X), f"split {split!r}")
    values: list[list[np.ndarray]] = [[] for _ in responses]
    for train, test in bar(folds, "folds", inner=True):
        fresh = prepared(encoder, split, train)
        for s, own in enumerate(responses):
            others = [Y[train] for k, Y in enumerate(responses) if k != s]
            predicted = _predicted(fresh, X, (train, test), others, own[train], method, n_shared)
            values[s].append(pearson(predicted, np.asarray(own[test], dtype=float)))
    n_train, n_test = ([len(fold[side]) for fold in folds] for side in (0, 1))
    name = f"{type(encoder).__name__} of the other subjects, {method}"
    return [
        Scores(
            np.array(each),
            "r",
            range(len(each[0])),
            name,
            repr(split),
            n_test=n_test,
            n_train=n_train,
        )
        for each in values
    ]


def _predicted(
    encoder: Any, X: Any, fold: Any, others: list, own: Any, method: str, n_shared: int | None
) -> np.ndarray:
    """Prediction of one subject's test samples, (n_test, n_voxels), z-scored."""
    train, test = fold
    if method in ("anatomy", "ridge"):
        template, back = np.mean(_standardized([*others, own])[:-1], axis=0), None
        if method == "ridge":
            back = clone(encoder).fit(template, _standardized([own])[0])
    else:
        space = fit_shared_space(others, method, n_shared=n_shared)
        template, back = space.template, map_subject(own, space.template).T
    predicted = clone(encoder).fit(X[train], template).predict(X[test])
    if back is None:
        return predicted
    return back.predict(predicted) if method == "ridge" else predicted @ back


def _rotation(Y: np.ndarray, G: np.ndarray) -> np.ndarray:
    """Orthonormal W that brings Y W nearest to G."""
    U, _, V = np.linalg.svd(Y.T @ G, full_matrices=False)
    return U @ V


def _standardized(responses: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Voxels z-scored over samples, checked."""
    arrays = [np.asarray(each, dtype=float) for each in responses]
    same_length({f"samples of subject {s}": len(each) for s, each in enumerate(arrays)})
    found = []
    for s, each in enumerate(arrays):
        check_finite(each, f"responses of subject {s}")
        spread = each.std(axis=0)
        if (spread == 0).any():
            flat = int((spread == 0).sum())
            raise ValueError(f"{flat} voxels of subject {s} are constant: leave them out")
        found.append((each - each.mean(axis=0)) / spread)
    return found

"""RSA with several RDMs: partial and regression comparison, and the noise ceiling of subjects."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.stats import rankdata

from brainlm.errors import unknown_name
from brainlm.rdm import compare_rdms
from brainlm.scores import pearson

__all__ = ["compare_partial", "rdm_noise_ceiling", "regress_rdms"]


def compare_partial(
    first: np.ndarray, second: np.ndarray, controls: np.ndarray, method: str = "spearman"
) -> float:
    """Return the partial correlation of two RDMs, given others.

    ``controls`` (and a constant) are regressed out of both, of their ranks with "spearman".

    Parameters
    ----------
    first, second : array of shape (n_pairs,)
    controls : array of shape (n_controls, n_pairs)
    method : {"spearman", "pearson"}
    """
    if method not in ("spearman", "pearson"):
        raise unknown_name("method", method, ("spearman", "pearson"))
    controls = np.atleast_2d(np.asarray(controls, dtype=float))
    _check_pairs({"first": first, "second": second, "controls": controls[0]})
    rows = [np.asarray(first, dtype=float), np.asarray(second, dtype=float), *controls]
    values = np.array([rankdata(row) for row in rows] if method == "spearman" else rows)
    design = np.column_stack([np.ones(values.shape[1]), *values[2:]])
    both = values[:2].T
    left = both - design @ np.linalg.lstsq(design, both, rcond=None)[0]
    return float(pearson(left[:, :1], left[:, 1:])[0])


def regress_rdms(
    rdms: np.ndarray, reference: np.ndarray, *, non_negative: bool = True
) -> tuple[np.ndarray, float]:
    """Explain an RDM as a weighted sum of others.

    All are z-scored over pairs, then ``minimise ||reference - sum_k w_k rdm_k||^2``.

    Parameters
    ----------
    rdms : array of shape (n_rdms, n_pairs)
    reference : array of shape (n_pairs,)
    non_negative : bool
        Weights of distances that add up are not negative (default); False: least squares.

    Returns
    -------
    weights : array of shape (n_rdms,)
    r : float
        Correlation of the weighted sum with the reference, on the same pairs: not held out.
    """
    rdms = np.atleast_2d(np.asarray(rdms, dtype=float))
    _check_pairs({"rdms": rdms[0], "reference": reference})
    spread = rdms.std(axis=1)
    if (spread == 0).any() or np.std(reference) == 0:
        raise ValueError("an RDM is constant: it explains nothing; leave it out")
    X = ((rdms - rdms.mean(axis=1, keepdims=True)) / spread[:, None]).T
    y = (reference - np.mean(reference)) / np.std(reference)
    weights = nnls(X, y)[0] if non_negative else np.linalg.lstsq(X, y, rcond=None)[0]
    return weights, float(pearson((X @ weights)[:, None], y[:, None])[0])


def rdm_noise_ceiling(rdms: np.ndarray, method: str = "spearman") -> tuple[float, float]:
    """Return the lower and upper noise ceiling of subjects' RDMs.

    Upper: mean correlation of each subject's RDM with the mean of all, which contains it. Lower:
    with the mean of the others. RDMs are ranked ("spearman", "tau-a", "kendall") or z-scored
    ("pearson") before they are averaged. For rank correlations other than Spearman's the mean of
    ranks is not the best possible RDM, so the upper bound is approximate.

    Parameters
    ----------
    rdms : array of shape (n_subjects, n_pairs)
    method : str
        As in ``compare_rdms``.

    References
    ----------
    Nili et al. 2014, doi 10.1371/journal.pcbi.1003553.
    """
    rdms = np.asarray(rdms, dtype=float)
    if rdms.ndim != 2 or len(rdms) < 2:
        raise ValueError(f"rdms must have shape (n_subjects, n_pairs), two or more; {rdms.shape}")
    if method == "pearson":
        scaled = (rdms - rdms.mean(axis=1, keepdims=True)) / rdms.std(axis=1, keepdims=True)
    else:
        scaled = rankdata(rdms, axis=1)
    total = scaled.sum(axis=0)
    upper = [compare_rdms(own, total, method) for own in rdms]
    lower = [
        compare_rdms(own, total - part, method) for own, part in zip(rdms, scaled, strict=True)
    ]
    return float(np.mean(lower)), float(np.mean(upper))


def _check_pairs(rdms: dict[str, np.ndarray]) -> None:
    shapes = {name: np.shape(values) for name, values in rdms.items()}
    if len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) != 1:
        raise ValueError(f"the RDMs have other pairs ({shapes}): compute all on the same items")

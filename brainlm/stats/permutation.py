"""Permutations of samples, permutation p values, maximum statistics, false discovery rates."""

from __future__ import annotations

import numpy as np


def permutation_p(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return the one-sided p value of scores against their permutation null.

    ``p = (1 + number of null scores >= observed) / (1 + number of permutations)``, never 0.

    Parameters
    ----------
    observed : array of shape (...)
    null : array of shape (n_permutations, ...)

    References
    ----------
    Phipson & Smyth 2010, Stat Appl Genet Mol Biol 9:39.
    """
    observed, null = np.asarray(observed), np.asarray(null)
    if null.shape[1:] != observed.shape or len(null) == 0:
        raise ValueError(
            f"null must have shape (n_permutations, *{observed.shape}), got {null.shape}"
        )
    if np.isnan(null).any() or np.isnan(observed).any():
        raise ValueError(
            f"{int(np.isnan(null).sum())} null and {int(np.isnan(observed).sum())} observed scores "
            "are NaN: compared with them every score would seem significant; leave those targets "
            "out in both"
        )
    return (1 + (null >= observed).sum(axis=0)) / (1 + len(null))


def max_statistic_p(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return p values against the largest null score over all targets (family-wise error).

    Parameters
    ----------
    observed : array of shape (n_targets,)
    null : array of shape (n_permutations, n_targets)
        All targets of a row under the same permutation.

    References
    ----------
    Nichols & Holmes 2002, Hum Brain Mapp 15:1.
    """
    observed, null = np.asarray(observed), np.asarray(null)
    if null.ndim != 2 or null.shape[1:] != observed.shape or len(null) == 0:
        raise ValueError(
            f"null must have shape (n_permutations, {len(observed)}), got {null.shape}"
        )
    return permutation_p(observed, np.repeat(null.max(axis=1, keepdims=True), len(observed), 1))


def permute_blocks(
    n_samples: int, block: int, rng: np.random.Generator, runs: np.ndarray | None = None
) -> np.ndarray:
    """Return a permutation of samples that moves blocks of neighbours, within their run.

    Parameters
    ----------
    n_samples : int
    block : int
        Samples in a block: longer than the data's own memory (20 s or more in fMRI), or the null
        is too narrow. Runs are cut into blocks of this length or a little more.
    rng : numpy.random.Generator
    runs : array of shape (n_samples,), optional
        Run of each sample.

    Raises
    ------
    ValueError
        A run has fewer than four blocks.
    """
    labels = np.zeros(n_samples) if runs is None else np.asarray(runs)
    order = np.arange(n_samples)
    for run in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == run)
        n_blocks = len(rows) // int(block)
        if n_blocks < 4:
            raise ValueError(
                f"block = {block} leaves {n_blocks} blocks in a run of {len(rows)} samples: at "
                "least 4 are needed; use shorter blocks"
            )
        parts = np.array_split(rows, n_blocks)
        order[rows] = np.concatenate([parts[i] for i in rng.permutation(n_blocks)])
    return order


def circular_shift(
    n_samples: int, rng: np.random.Generator, *, least: int, runs: np.ndarray | None = None
) -> np.ndarray:
    """Return rows that turn each run in a circle by a random number of samples.

    The autocorrelation of the data stays whole but for one joint per run; only the tie between
    stimulus and response is cut.

    Parameters
    ----------
    n_samples : int
    rng : numpy.random.Generator
    least : int
        Smallest shift in either direction, in samples: longer than the data's own memory (and the
        longest delay), or shifted copies still resemble the true ones.
    runs : array of shape (n_samples,), optional
        Run of each sample; each is turned by a shift of its own.

    Returns
    -------
    array of int, shape (n_samples,)
        ``rows[i]`` is the row that takes the place of row i.

    Raises
    ------
    ValueError
        A run is too short for any shift of at least ``least`` samples.
    """
    labels = np.zeros(n_samples) if runs is None else np.asarray(runs)
    order = np.arange(n_samples)
    if least < 1:
        raise ValueError(f"least must be 1 sample or more, got {least}")
    for run in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == run)
        if len(rows) < 2 * least + 1:
            raise ValueError(
                f"least = {least} leaves no shift in a run of {len(rows)} samples: use a smaller "
                "one, or leave short runs out"
            )
        order[rows] = np.roll(rows, int(rng.integers(least, len(rows) - least + 1)))
    return order


def fdr(p: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg q values of a family of p values (scipy)."""
    from scipy.stats import false_discovery_control

    p = np.asarray(p, dtype=float)
    return false_discovery_control(p.ravel()).reshape(p.shape)


def permute_groups(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a permutation of rows that moves whole groups, each onto one of the same size.

    Rows of a group (the sentences of a passage, a block of samples) resemble each other; moving
    them together keeps that resemblance in the null. Groups of different sizes cannot change
    places, so the permutation is made among the groups of each size.

    Parameters
    ----------
    groups : array of shape (n_rows,)
        Group of each row; a group's rows keep their order.
    rng : numpy.random.Generator

    Returns
    -------
    array of int, shape (n_rows,)
        ``rows[i]`` is the row that takes the place of row i.
    """
    labels, index = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    members = [np.flatnonzero(index == k) for k in range(len(labels))]
    sizes = np.array([len(m) for m in members])
    if len(labels) < 2:
        raise ValueError("groups holds a single group: nothing can be permuted")
    permuted = np.empty(len(index), dtype=int)
    for size in np.unique(sizes):
        same = np.flatnonzero(sizes == size)
        for place, source in zip(same, rng.permutation(same), strict=True):
            permuted[members[place]] = members[source]
    return permuted

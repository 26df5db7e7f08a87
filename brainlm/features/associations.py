"""Word-association graphs as feature spaces."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from brainlm.errors import CorruptDataError
from brainlm.features.norms import Norm
from brainlm.storage.downloads import check_content

RESPONSES = ("R1", "R2", "R3")


def read_associations(path: Path | str) -> pd.DataFrame:
    """Read the responses of the Small World of Words project (SWOW, English, Chinese ...).

    Parameters
    ----------
    path : path
        A CSV file with a row per participant and cue and the columns ``cue`` and ``R1``, ``R2``,
        ``R3`` (other names of the cue's column: ``cueCorrected``); "No more responses",
        "Unknown word" and empty cells are no responses. Or a strength file with the columns
        ``cue``, ``response`` and ``R1`` or ``R123`` (counts), separated by commas or tabs.

    Returns
    -------
    DataFrame
        Columns ``cue``, ``response`` and ``count``, a row per pair.
    """
    path = check_content(path)
    # "null" and "nan" are words that people answer.
    table = pd.read_csv(path, sep=None, engine="python", keep_default_na=False, dtype=str)
    cue = next((name for name in ("cue", "cueCorrected") if name in table), None)
    if cue is None:
        raise CorruptDataError(f"{path}: has no column 'cue'; columns: {', '.join(table.columns)}")
    if "response" in table:
        count = next((name for name in ("R123", "R1", "count") if name in table), None)
        if count is None:
            raise CorruptDataError(f"{path}: has responses without counts (R123, R1 or count)")
        pairs = table.rename(columns={cue: "cue", count: "count"})[["cue", "response", "count"]]
        pairs["count"] = pairs["count"].astype(float)
    else:
        columns = [name for name in RESPONSES if name in table]
        if not columns:
            raise CorruptDataError(f"{path}: has neither 'response' nor R1, R2, R3")
        pairs = table.melt(id_vars=[cue], value_vars=columns, value_name="response")
        pairs = pairs.rename(columns={cue: "cue"}).assign(count=1.0)
    nothing = ["", "NA", "No more responses", "Unknown word", "#Missing", "#Unknown", "NaN"]
    pairs = pairs[~pairs["response"].isin(nothing)]
    return pairs.groupby(["cue", "response"], as_index=False, sort=True)["count"].sum()


def ppmi(counts: sparse.csr_array) -> sparse.csr_array:
    """Return positive pointwise mutual information: ``max(0, log2 p(c, r) / (p(c) p(r)))``."""
    total = counts.sum()
    cue, response = counts.sum(axis=1), counts.sum(axis=0)
    found = counts.tocoo()
    value = np.log2(found.data * total / (cue[found.row] * response[found.col]))
    return sparse.csr_array((np.maximum(value, 0), (found.row, found.col)), shape=counts.shape)


def random_walk_similarity(counts: np.ndarray, stay: float = 0.75) -> np.ndarray:
    """Return the probability that a random walk from each word reaches each other word.

    ``G = sum_t (stay P)^t = (I - stay P)^-1`` with the rows of P summing to 1, then PPMI of G;
    shape (n, n), not symmetric. After De Deyne et al. 2019; the last step on G itself is ours.

    Raises
    ------
    ValueError
        A word without any response (no way on), or ``stay`` outside (0, 1).
    """
    if not 0 < stay < 1:
        raise ValueError(f"stay must lie between 0 and 1, got {stay}")
    out = counts.sum(axis=1)
    if (out == 0).any():
        raise ValueError(f"{int((out == 0).sum())} words have no responses: leave them out")
    P = counts / out[:, None]
    G = np.linalg.inv(np.eye(len(P)) - stay * P)
    return ppmi(sparse.csr_array(G)).toarray()


def association_norm(
    pairs: pd.DataFrame,
    language: str,
    n_features: int = 300,
    *,
    walk: float | None = None,
    words: Iterable[str] | None = None,
    seed: int = 0,
) -> Norm:
    """Return features of a word-association graph: PPMI, then a truncated SVD, ``U_k S_k``.

    Parameters
    ----------
    pairs : DataFrame
        See `read_associations`.
    language : str
        Language code.
    n_features : int
        Number of dimensions.
    walk : float, optional
        Spread associations by random walks that go on with this probability (0.75 in De Deyne et
        al. 2019); responses that are no cues are then left out. Needs n_cues^2 numbers.
    words : iterable of str, optional
        Cues to keep. Default: all.
    seed : int
        Start of the SVD.

    References
    ----------
    De Deyne, Navarro, Perfors, Brysbaert & Storms 2019, doi 10.3758/s13428-018-1115-7.
    """
    from scipy.sparse.linalg import svds

    if words is not None:
        pairs = pairs[pairs["cue"].isin(set(words))]
    if walk is not None:
        pairs = _closed(pairs)
    cues, row = np.unique(pairs["cue"].to_numpy(str), return_inverse=True)
    if walk is None:
        responses, column = np.unique(pairs["response"].to_numpy(str), return_inverse=True)
    else:
        responses, column = cues, np.searchsorted(cues, pairs["response"].to_numpy(str))
    counts = sparse.csr_array(
        (pairs["count"].to_numpy(float), (row, column)), shape=(len(cues), len(responses))
    )
    M = ppmi(counts) if walk is None else random_walk_similarity(counts.toarray(), walk)
    if not 1 <= n_features < min(M.shape):
        raise ValueError(
            f"n_features is {n_features}, the graph has {M.shape[0]} cues x {M.shape[1]} "
            f"responses: choose from 1 to {min(M.shape) - 1}"
        )
    start = np.random.default_rng(seed).standard_normal(min(M.shape))
    U, S, _ = svds(M, k=n_features, v0=start)
    order = np.argsort(-S)
    name = "word associations" if walk is None else f"word associations, random walk {walk}"
    origin = {"method": "PPMI-SVD", "walk": walk, "n_cues": len(cues), "seed": seed}
    return Norm(name, language, cues.tolist(), U[:, order] * S[order], None, origin)


def _closed(pairs: pd.DataFrame) -> pd.DataFrame:
    """Keep cues and responses that are both cues, until nothing is left to drop."""
    while True:
        kept = pairs[pairs["response"].isin(set(pairs["cue"]))]
        if len(kept) == len(pairs):
            return kept
        pairs = kept

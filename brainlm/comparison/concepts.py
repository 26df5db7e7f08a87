"""Rated concepts: similarity encoding and RSA of feature spaces, and agreement of languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.recording import Recording
from brainlm.encoding.encode import Space
from brainlm.encoding.similarity import leave_one_out_scores
from brainlm.rsa.rdm import compare_rdms, permuted_comparisons, rdm
from brainlm.stats.permutation import permutation_p

if TYPE_CHECKING:
    import xarray


def compare_spaces(
    recording: Recording, spaces: Sequence[Space], n_permutations: int
) -> xarray.Dataset:
    """Similarity encoding (centred and published) and RSA of each space with the ratings."""
    import xarray

    Y = recording.data
    rated = rdm(Y)
    aligned = [space.design(recording, (0,))[0] for space in spaces]
    rdms = np.stack([rdm(X) for X in aligned])
    rho = np.array([compare_rdms(each, rated) for each in rdms])
    null = permuted_comparisons(rdms, rated, n_permutations=n_permutations)
    scores = [
        [leave_one_out_scores(X, Y, center=center) for X in aligned] for center in (True, False)
    ]
    return xarray.Dataset(
        {
            "score": (("analysis", "space", "attribute"), np.array(scores)),
            "rho": ("space", rho),
            "p": ("space", permutation_p(rho, null)),
            "n_words": len(Y),
        },
        coords={
            "analysis": ["similarity encoding", "similarity, published form"],
            "space": [space.name for space in spaces],
            "attribute": recording.target_names.astype(str),
            "kind": ("space", [space.kind for space in spaces]),
            "layer": ("space", [space.layer for space in spaces]),
        },
        attrs={"title": f"{recording.origin['dataset']}: {len(Y)} words, {Y.shape[1]} attributes"},
    )


def compare_languages(both: Sequence[Recording], n_permutations: int) -> xarray.Dataset:
    """RDM correlation of the English and Chinese ratings over the concepts that both have."""
    import xarray

    items = [item for item in both[0].items if item in set(both[1].items)]
    names = [name for name in both[0].target_names if name in set(both[1].target_names)]
    rows = [[list(each.items).index(item) for item in items] for each in both]
    data = [each.data[own] for each, own in zip(both, rows, strict=True)]
    first, second = map(rdm, data)
    rho = compare_rdms(first, second)
    null = permuted_comparisons(first[None], second, n_permutations=n_permutations)[:, 0]
    columns = [[list(each.target_names).index(name) for name in names] for each in both]
    r = [np.corrcoef(data[0][:, a], data[1][:, b])[0, 1] for a, b in zip(*columns, strict=True)]
    return xarray.Dataset(
        {
            "first": ("pair", first),
            "second": ("pair", second),
            "rho": rho,
            "p": permutation_p(np.asarray(rho), null),
            "null": ("permutation", null),
            "attribute_r": ("attribute", r),
        },
        coords={"item": list(map(str, items)), "attribute": names},
        attrs={
            "labels": ["English: 1 - r between words", "Chinese: 1 - r between words"],
            "title": f"Attribute ratings of {len(items)} concepts, Spearman rho = {rho:.2f}",
        },
    )


def table_of_spaces(table: xarray.Dataset) -> str:
    """Return the mean scores of `compare_spaces` as text, a line per space."""
    mean = table["score"].mean("attribute").to_series().unstack("analysis")
    rsa = table[["rho", "p"]].to_dataframe()[["rho", "p"]].add_prefix("RSA ")
    return mean.join(rsa).loc[table["space"].values].round(3).to_string()

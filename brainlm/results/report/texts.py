"""Texts of a decoding bundle, stretch by stretch: both texts, their matches and the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.plotting.reconstruction import shown_metrics
from brainlm.plotting.text_columns import LINE, passages

if TYPE_CHECKING:
    import xarray

    from brainlm.results.bundle import Bundle

NEEDED = {"text", "reference_text", "middle", "reference_middle", "window_score", "null_score"}


def texts_of(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the reconstructions of a bundle by condition, in stretches of ten seconds.

    Parameters
    ----------
    bundle : Bundle
        With a text over time: of several texts, the example.

    Returns
    -------
    list of dict
        ``condition``, ``metric``, and ``passages``: start in seconds, reference and reconstruction
        as (word, whether the other has it), score and the mean of the null. Empty for others.
    """
    scores = bundle.arrays.get("example", bundle.arrays.get("scores"))
    if scores is None or not set(scores.variables) >= NEEDED or scores["text"].ndim != 1:
        return []
    metrics = shown_metrics(scores)
    chosen = [name for name in map(str, scores["condition"].values) if name.endswith("brain")]
    chosen = [name for name in chosen if "permuted" not in name]
    if not metrics:
        return []
    return [
        {"condition": name, "metric": metrics[0], "passages": _scored(scores, name, metrics[0])}
        for name in chosen
    ]


def _scored(scores: xarray.Dataset, condition: str, metric: str) -> list[dict[str, Any]]:
    """Return the stretches of a text with the score of the window that begins there."""
    windows = scores["window"].values
    curve = scores["window_score"].sel(condition=condition, metric=metric).values
    null = np.nanmean(scores["null_score"].sel(metric=metric).values, axis=0)
    found = []
    for start, reference, said in passages(scores, condition, LINE):
        near = int(np.abs(windows - start).argmin())
        found.append(
            {
                "start": start,
                "reference": reference,
                "said": said,
                "score": float(curve[near]),
                "null": float(null[near]),
            }
        )
    return found

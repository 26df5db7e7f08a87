"""Scores of several subjects with their own samples: shared targets, and p of the group mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.target_table import positions_of, targets_of_scores
from brainlm.encoding.encode import Encoding
from brainlm.stats.permutation import max_statistic_p

if TYPE_CHECKING:
    import xarray


def stack_subjects(results: Sequence[Encoding]) -> xarray.Dataset:
    """Stack the scores of subjects on the targets they share, with p values of their mean.

    A single subject keeps the folds as units. The null of a mean over subjects is the mean of
    their nulls, so subjects who heard the same words must share each permutation
    (`brainlm.shared_orders`). p is corrected for all targets by the largest score of each
    permutation (`brainlm.stats.permutation.max_statistic_p`).

    Parameters
    ----------
    results : sequence of Encoding
        One per subject, of the same spaces and methods, with a null of every method.

    Returns
    -------
    xarray.Dataset
        ``score`` (analysis, space, subject or fold, target), ``p`` (analysis, space, target) and
        ``alpha``. Places are those of the first subject, and only where every channel has its own.
        Attributes: ``n_samples`` (of the smallest recording), ``n_permutations``, ``lost_targets``.

    Raises
    ------
    ValueError
        The subjects share no target.
    """
    import xarray

    names = [result.recording.target_names.tolist() for result in results]
    common = [name for name in names[0] if all(name in set(own) for own in names[1:])]
    if not common:
        raise ValueError("the subjects share no target")
    columns = [[own.index(name) for name in common] for own in names]
    parts = [
        result.scores.isel(target=own, column=own)
        for result, own in zip(results, columns, strict=True)
    ]
    methods = list(results[0].by_method)
    mean = np.array(
        [
            [[each.mean[own] for each in result.by_method[method]] for method in methods]
            for result, own in zip(results, columns, strict=True)
        ]
    )
    null = np.mean(
        [
            [result.null[method][:, :, own] for method in methods]
            for result, own in zip(results, columns, strict=True)
        ],
        axis=0,
    )
    scores = parts[0].drop_vars("fold_score")
    if len(results) > 1:
        scores = scores.drop_vars(["score", "alpha"])
        dims = ("analysis", "space", "subject", "target")
        scores["score"] = (dims, np.moveaxis(mean, 0, 2))
        scores = scores.assign_coords(subject=[r.recording.subject for r in results])
        scores["alpha"] = xarray.concat([part["alpha"] for part in parts], "column")
    group = mean.mean(axis=0)
    p = [
        [max_statistic_p(observed, drawn) for observed, drawn in zip(*of_method, strict=True)]
        for of_method in zip(group, null, strict=True)
    ]
    scores["p"] = (("analysis", "space", "target"), np.array(p))
    return _placed(scores).assign_attrs(
        n_samples=min(result.recording.n_samples for result in results),
        n_permutations=null.shape[2],
        lost_targets=len({name for own in names for name in own}) - len(common),
    )


def _placed(scores: xarray.Dataset) -> xarray.Dataset:
    """Leave out places that channels share, as planar gradiometers do: no head can be drawn."""
    targets = targets_of_scores(scores)
    places = positions_of(targets)
    if places is None or "channel" not in targets:
        return scores
    distinct = len(np.unique(places.round(5), axis=0)) == targets["channel"].nunique()
    return scores if distinct else scores.drop_vars(["x", "y", "z"])


def peak_lines(scores: xarray.Dataset, alpha: float = 0.05) -> list[str]:
    """Return a line for each space of epochs: its peak, and where it is above chance."""
    unit = "subject" if "subject" in scores["score"].dims else "fold"
    mean = scores["score"].mean(unit).isel(analysis=0)
    lines = [
        f"held-out r, mean over {scores.sizes[unit]} {unit}s; p <= {alpha} over all "
        f"{scores.sizes['target']} channel-times ({scores.attrs['n_permutations']} permutations)"
    ]
    for space in scores["space"].values:
        r, p = mean.sel(space=space), scores["p"].isel(analysis=0).sel(space=space).values
        peak, found = int(r.values.argmax()), p <= alpha
        text = f"{space!s:32} peak {float(r[peak]):6.3f} at {scores['target'].values[peak]}"
        if found.any():
            when = 1000 * scores["time"].values[found]
            text += f"; above chance: {found.sum()} channel-times, "
            text += f"{when.min():.0f} to {when.max():.0f} ms"
        else:
            text += "; nowhere above chance"
        if "planted" in scores.coords:
            planted = scores["planted"].values
            text += f" ({(found & planted).sum()} of {planted.sum()} planted, "
            text += f"{(found & ~planted).sum()} elsewhere)"
        lines.append(text)
    return lines


def ceiling_lines(scores: xarray.Dataset) -> list[str]:
    """Describe the units of the scores, and the noise ceiling of several listeners."""
    lines = [
        f"r: mean over {scores.sizes['target']} regions, ± 95 % interval over blocks of this "
        f"story, for these {scores.sizes['subject']} listeners"
    ]
    if "ceiling" in scores:
        regions = scores["ceiling"].mean("subject").to_series().round(2)
        values = ", ".join(f"{region} {r:.2f}" for region, r in regions.items())
        lines.append(f"noise ceiling (correlation with the mean of the other listeners): {values}")
    return lines

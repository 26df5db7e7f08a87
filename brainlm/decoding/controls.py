"""Comparison of the brain with its controls: draws of noise and of permutation, and cautions.

A control is a condition that goes through the same decoder without the brain of this text. Each is
drawn several times, because the text of a single draw is a matter of luck. Two tests, both ours:

- one text (`compare_to_draws`): the brain's score against one more draw of the control;
- many items (`compare_over_units`): differences paired inside items, averaged over independent
  units such as topics, tested by sign flips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm._validation import same_length
from brainlm.decoding.null_scores import null_half_width, null_z
from brainlm.stats.paired import paired_difference
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import xarray

DRAWN = ("permuted brain", "noise input")


def brain_conditions(conditions: Sequence[str]) -> list[str]:
    """Return the conditions that had the brain: ``"brain"``, ``"Tang: brain"`` and so on."""
    return [name for name in map(str, conditions) if name == "brain" or name.endswith(": brain")]


def condition_kind(condition: str) -> str:
    """Return the name of a condition without the number of its draw."""
    return condition.rstrip("0123456789").rstrip() if condition[-1:].isdigit() else condition


def control_draws(conditions: Sequence[str], brain: str, control: str) -> list[str]:
    """Return all draws of a control that has the scorer of a brain condition."""
    full = brain.removesuffix("brain") + control
    return [name for name in map(str, conditions) if condition_kind(name) == full]


def nan_fdr(p: np.ndarray) -> np.ndarray:
    """Return Benjamini-Hochberg q values of the p values that are not NaN."""
    q = np.full(np.shape(p), np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = fdr(np.asarray(p)[known])
    return q


def compare_to_draws(
    scores: np.ndarray, conditions: Sequence[str], metrics: Sequence[str]
) -> xarray.Dataset:
    """Compare the brain with the draws of each control, on one text.

    The brain's score (mean over windows) is tested as one more draw, by
    `brainlm.decoding.null_scores.null_z`. With a single draw there is no test: NaN.

    Parameters
    ----------
    scores : array of shape (n_conditions, n_metrics, n_windows)
    conditions, metrics : sequence of str

    Returns
    -------
    xarray.Dataset
        Over ``brain``, ``control`` and ``metric``: ``over`` (brain minus mean of the draws),
        ``over_low`` and ``over_high`` (its 95 % interval, as far as draws vary), ``over_p``
        (one-sided), ``over_q`` (over all of them), ``control_score`` and ``control_sd`` (mean and
        standard deviation over draws).
    """
    finite = np.isfinite(scores).all(axis=0)  # the same windows in all conditions
    counts = np.maximum(finite.sum(axis=-1), 1)
    means = np.where(finite, scores, 0).sum(axis=-1) / counts
    means[:, ~finite.any(axis=-1)] = np.nan
    at = {str(name): i for i, name in enumerate(conditions)}
    cells: dict[tuple[str, str], list[np.ndarray]] = {}
    for brain in brain_conditions(conditions):
        for control in DRAWN:
            drawn = means[[at[name] for name in control_draws(conditions, brain, control)]]
            if not len(drawn):
                continue
            centre = drawn.mean(axis=0)
            over, unknown = means[at[brain]] - centre, np.full(len(centre), np.nan)
            reach, p, sd = unknown, unknown, unknown
            if len(drawn) > 1:
                reach, p = null_half_width(drawn), null_z(means[at[brain]], drawn)[1]
                sd = drawn.std(axis=0, ddof=1)
            cells[brain, control] = [over, over - reach, over + reach, p, centre, sd]
    return _tabulate(cells, metrics)


def compare_over_units(
    scores: np.ndarray,
    conditions: Sequence[str],
    metrics: Sequence[str],
    units: np.ndarray,
    null: np.ndarray | None = None,
) -> xarray.Dataset:
    """Compare the brain with each control over many items, paired, with units as the sample.

    ``d = brain - mean over draws of the control`` of each item is averaged inside units; the mean
    over units (each weighs the same) has an interval by t and a two-sided p by sign flips
    (`brainlm.stats.paired.paired_difference`). Items of a unit may depend on each other as they
    like.

    Parameters
    ----------
    scores : array of shape (n_conditions, n_metrics, n_items)
    conditions, metrics : sequence of str
    units : array of shape (n_items,)
        Such as the topic of each sentence: what is independent of each other.
    null : array of shape (n_null, n_metrics, n_items), optional
        Random reconstructions, another control.

    Returns
    -------
    xarray.Dataset
        As of `compare_to_draws`, with ``n_units``; ``over_p`` is two-sided.

    Raises
    ------
    ValueError
        Fewer than three units (from `paired_difference`).
    """
    at = {str(name): i for i, name in enumerate(conditions)}
    cells: dict[tuple[str, str], list[np.ndarray]] = {}
    for brain in brain_conditions(conditions):
        drawn = {
            control: scores[[at[name] for name in control_draws(conditions, brain, control)]]
            for control in DRAWN
        }
        if "language model" in at:
            drawn["language model"] = scores[[at["language model"]]]
        if null is not None:
            drawn["random null"] = null
        for control, values in drawn.items():
            if len(values):
                cells[brain, control] = _paired(scores[at[brain]], values, units)
    return _tabulate(cells, metrics).assign(n_units=len(set(map(str, units))))


def unit_means(values: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Return the mean over the items of each unit, (..., n_units).

    Parameters
    ----------
    values : array of shape (..., n_items)
    units : array of shape (n_items,)
    """
    same_length({"units": len(units), "items": values.shape[-1]})
    names, index = np.unique(np.asarray(units).astype(str), return_inverse=True)
    member = index == np.arange(len(names))[:, None]
    return np.asarray(values @ (member / np.bincount(index)[:, None]).T)


def _paired(brain: np.ndarray, draws: np.ndarray, units: np.ndarray) -> list[np.ndarray]:
    """Return over, low, high, p, control mean and sd over draws, (n_metrics,) each."""
    own, others = unit_means(brain, units), unit_means(draws, units)
    found = [paired_difference(a, b) for a, b in zip(own, others.mean(axis=0), strict=True)]
    rows = np.array([[each.mean, each.low, each.high, each.p] for each in found]).T
    by_draw = others.mean(axis=-1)
    sd = by_draw.std(axis=0, ddof=1) if len(draws) > 1 else np.full(len(found), np.nan)
    return [*rows, by_draw.mean(axis=0), sd]


def _tabulate(
    cells: Mapping[tuple[str, str], list[np.ndarray]], metrics: Sequence[str]
) -> xarray.Dataset:
    import xarray

    brains, controls = (list(dict.fromkeys(key[k] for key in cells)) for k in (0, 1))
    names = ("over", "over_low", "over_high", "over_p", "control_score", "control_sd")
    table = np.full((len(names), len(brains), len(controls), len(metrics)), np.nan)
    for (brain, control), rows in cells.items():
        table[:, brains.index(brain), controls.index(control)] = rows
    dims = ("brain", "control", "metric")
    return xarray.Dataset(
        {
            **{name: (dims, table[i]) for i, name in enumerate(names)},
            "over_q": (dims, nan_fdr(table[names.index("over_p")])),
        },
        coords={"brain": brains, "control": controls, "metric": list(metrics)},
    )


def cautions(scores: xarray.Dataset) -> list[str]:
    """Return warnings that a reader must see before any gain, from mean scores.

    Where the ceiling (the true embeddings) scores below the brain it bounds nothing; where the
    permuted brain scores above the brain, the score does not come from the times of the words.

    Parameters
    ----------
    scores : xarray.Dataset
        With ``score`` over ``condition`` and ``metric``, and ``snr`` where there are levels.
    """
    if "snr" in scores.dims:
        return [
            line.replace("Caution", f"Caution, SNR {float(level):g}", 1)
            for level in scores["snr"].values
            for line in cautions(scores.sel(snr=level))
        ]
    names, metrics = (list(map(str, scores[key].values)) for key in ("condition", "metric"))
    score = dict(zip(names, scores["score"].transpose("condition", "metric").values, strict=True))
    lines = []
    for brain in brain_conditions(names):
        own, permuted = score[brain], control_draws(names, brain, "permuted brain")
        if "ceiling" in names:
            where = _where(metrics, own, score["ceiling"], score["ceiling"] < own)
            if where:
                lines.append(f"Caution: {brain} scores above the ceiling, no upper bound, {where}")
        if permuted:
            other = np.mean([score[name] for name in permuted], axis=0)
            where = _where(metrics, own, other, other > own)
            if where:
                lines.append(f"Caution: {brain} scores below its own permuted responses {where}")
    return lines


def _where(metrics: Sequence[str], own: np.ndarray, other: np.ndarray, found: np.ndarray) -> str:
    cells = zip(metrics, own, other, found, strict=True)
    listed = [f"{metric} ({a:.3f} against {b:.3f})" for metric, a, b, here in cells if here]
    return f"in {', '.join(listed)}" if listed else ""


def prompt_lines(scores: xarray.Dataset) -> list[str]:
    """Return a line on the loss of the soft prompt, where one was trained."""
    if "prompt_loss" not in scores:
        return []
    loss, null, share = (float(scores[f"prompt_{name}"]) for name in ("loss", "null", "share"))
    return [
        f"soft prompt: {loss:.3f} nats per token of the story, {null:.3f} with shifted responses "
        f"(lower than {share:.0%} of the shifts)"
    ]

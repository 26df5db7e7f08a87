"""Several stories and simulated subjects: means over both, and which scorer gains more.

One story and one subject are one draw of each. `crossed_interval` treats both as samples; a verdict
takes `LEAST_STORIES` stories, `LEAST_SUBJECTS` subjects and one score that was named beforehand.
All of this is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from brainlm.decoding.controls import condition_kind, control_draws, prompt_lines
from brainlm.errors import unknown_name
from brainlm.stats.paired import Interval

if TYPE_CHECKING:
    import xarray

LEAST_STORIES, LEAST_SUBJECTS = 5, 3
KEPT = ("score", "null_mean", "gain", "z", "share", "p", "null_score", "text", "reference_text")


def crossed_interval(values: np.ndarray, level: float = 0.95) -> Interval:
    """Return the mean over stories and subjects and its interval, both drawn at random.

    With the mean squares of stories ``S``, subjects ``P`` and their interaction ``E`` (two-way,
    one value per cell), the variance of the mean over ``n * m`` cells is estimated by::

        max(S + P - E, S, P) / (n * m)

    with the degrees of freedom of the larger of S and P. Without the maximum a negative component
    would narrow the interval. Rejects at most .052 at a level of .05 for 5 to 9 stories and 3 to
    5 subjects, whatever the two variances (20,000 simulations of each).

    Parameters
    ----------
    values : array of shape (n_stories, n_subjects)
        At least two of each.
    level : float

    Raises
    ------
    ValueError
        Fewer, or values that are not finite.

    References
    ----------
    Searle, Casella & McCulloch 1992, Variance Components (mean squares); the maximum is ours.
    """
    y = np.asarray(values, dtype=float)
    if y.ndim != 2 or min(y.shape) < 2 or not np.isfinite(y).all():
        raise ValueError(
            f"values must be finite, (n_stories >= 2, n_subjects >= 2), got shape {y.shape}, "
            f"{int((~np.isfinite(y)).sum())} not finite"
        )
    n, m = y.shape
    mean, story, subject = y.mean(), y.mean(axis=1, keepdims=True), y.mean(axis=0, keepdims=True)
    S = m * np.sum((story - mean) ** 2) / (n - 1)
    P = n * np.sum((subject - mean) ** 2) / (m - 1)
    E = np.sum((y - story - subject + mean) ** 2) / ((n - 1) * (m - 1))
    variance = max(S + P - E, S, P) / (n * m)
    half = t.ppf((1 + level) / 2, (n if S > P else m) - 1) * np.sqrt(variance)
    return Interval(float(mean), float(mean - half), float(mean + half), level)


def stack_cells(cells: Mapping[tuple[float, int, str], xarray.Dataset]) -> xarray.Dataset:
    """Stack the results of `brainlm.decoding.story_study.DecodingStudy` over all cells.

    Parameters
    ----------
    cells : mapping of (snr, subject, story) to Dataset
        Complete: every story of every subject at every level.

    Returns
    -------
    xarray.Dataset
        Scores, texts and, as ``null_score``, the mean over windows of every null reconstruction;
        over ``snr``, ``subject`` and ``story`` beside the dimensions they have. Texts that begin
        at other times have other windows, which is why these are averaged.
    """
    import xarray

    parts = []
    for (snr, subject, story), each in cells.items():
        one = each.assign(null_score=each["null_score"].mean("window"))
        scalars = [name for name in one.data_vars if not one[name].dims and name not in KEPT]
        one = one[[*KEPT, *scalars]].drop_vars("window", errors="ignore")
        parts.append(one.expand_dims(snr=[snr], subject=[subject], story=[story]))
    stacked = xarray.combine_by_coords(parts, combine_attrs="drop")
    assert isinstance(stacked, xarray.Dataset)
    return stacked.sortby("snr", ascending=False)


def summarise(cells: xarray.Dataset) -> xarray.Dataset:
    """Average cells over stories and subjects, draws of a control pooled.

    Returns
    -------
    xarray.Dataset
        Over ``snr``, ``condition`` (without the numbers of draws) and ``metric``: ``score``,
        ``gain`` with ``gain_low``, ``gain_high`` (`crossed_interval`), ``half`` (half its width),
        ``draw_sd`` (standard deviation over draws, mean over cells) and ``n_draws``,
        ``null_mean``; ``null_half`` is the half-width of the 95 % interval of the mean over cells
        of random reconstructions around ``null_mean``. Scalars are averaged.
    """
    import xarray

    kinds = list(dict.fromkeys(condition_kind(str(name)) for name in cells["condition"].values))
    parts = []
    for kind in kinds:
        mine = [
            name for name in map(str, cells["condition"].values) if condition_kind(name) == kind
        ]
        drawn = cells[["score", "gain", "null_mean", "share", "z"]].sel(condition=mine)
        part = drawn.mean("condition").mean(("story", "subject"))
        intervals = _intervals(drawn["gain"].mean("condition"))
        spread = drawn["score"].std("condition", ddof=1) if len(mine) > 1 else np.nan * part["gain"]
        part["draw_sd"] = spread.mean(("story", "subject")) if len(mine) > 1 else spread
        part["n_draws"] = len(mine)
        parts.append(part.assign(intervals).expand_dims(condition=[kind]))
    result = xarray.concat(parts, "condition")
    null = cells["null_score"]
    n_cells = cells.sizes["story"] * cells.sizes["subject"]
    free = n_cells * (cells.sizes["null"] - 1)
    variance = null.var("null", ddof=1).mean(("story", "subject")) / n_cells
    result["null_half"] = t.ppf(0.975, free) * np.sqrt(variance) + 0 * result["null_mean"]
    for name in cells.data_vars:
        if set(cells[name].dims) == {"snr", "subject", "story"} and cells[name].dtype.kind == "f":
            result[name] = cells[name].mean(("story", "subject"))
    return result.transpose("snr", "condition", "metric")


def _intervals(gain: xarray.DataArray) -> dict[str, xarray.DataArray]:
    """Return ``gain_low``, ``gain_high`` and ``half`` over what is left of stories, subjects."""
    import xarray

    def bounds(values: np.ndarray) -> np.ndarray:
        if not np.isfinite(values).all() or min(values.shape) < 2:
            return np.full(2, np.nan)
        found = crossed_interval(values)
        return np.array([found.low, found.high])

    found = xarray.apply_ufunc(
        bounds,
        gain,
        input_core_dims=[["story", "subject"]],
        output_core_dims=[["bound"]],
        vectorize=True,
    )
    low, high = found.isel(bound=0), found.isel(bound=1)
    return {"gain_low": low, "gain_high": high, "half": (high - low) / 2}


def compare_gains(
    cells: xarray.Dataset, metric: str, first: str = "MapGuide", second: str = "Tang"
) -> xarray.Dataset:
    """Compare what two scorers gain from the brain, in one score.

    The gain of a scorer is its brain minus the mean of its own noise inputs: noise through the same
    decoder shares everything but the brain, so two scorers without any signal differ by 0 on
    average, which their gains over random reconstructions do not.

    Parameters
    ----------
    cells : xarray.Dataset
        Of `stack_cells`.
    metric : str
        Named before the results are seen.
    first, second : str
        Labels of the scorers.

    Returns
    -------
    xarray.Dataset
        Over ``snr``: ``difference`` (first minus second) with ``low`` and ``high``
        (`crossed_interval`) and ``verdict``; ``difference_raw``, the same over random
        reconstructions, without a verdict; ``cell_difference`` over ``story`` and ``subject``.
    """
    import xarray

    metrics = [str(name) for name in cells["metric"].values]
    if metric not in metrics:
        raise unknown_name("score", metric, metrics)
    names, score = list(map(str, cells["condition"].values)), cells["score"].sel(metric=metric)
    raw, noise = [], []
    for label in (first, second):
        brain = f"{label}: brain"
        raw.append(score.sel(condition=brain).drop_vars("condition"))
        drawn = control_draws(names, brain, "noise input")
        noise.append(score.sel(condition=drawn).mean("condition"))
    difference = (raw[0] - noise[0]) - (raw[1] - noise[1])
    found = _intervals(difference)
    sizes = cells.sizes["story"], cells.sizes["subject"]
    verdicts = [
        verdict(float(low), float(high), sizes, first, second)
        for low, high in zip(found["gain_low"].values, found["gain_high"].values, strict=True)
    ]
    return xarray.Dataset(
        {
            "difference": difference.mean(("story", "subject")),
            "low": found["gain_low"],
            "high": found["gain_high"],
            "difference_raw": (raw[0] - raw[1]).mean(("story", "subject")),
            "verdict": ("snr", verdicts),
            "cell_difference": difference,
        },
        attrs={"metric": metric, "first": first, "second": second},
    ).drop_vars("metric", errors="ignore")


def verdict(low: float, high: float, sizes: tuple[int, int], first: str, second: str) -> str:
    """Say which of two gains more: ``undecided`` unless the interval leaves 0 out.

    Parameters
    ----------
    low, high : float
        Interval of first minus second.
    sizes : (int, int)
        Stories and subjects. Fewer than `LEAST_STORIES` or `LEAST_SUBJECTS` decide nothing.
    first, second : str
    """
    if sizes[0] < LEAST_STORIES or sizes[1] < LEAST_SUBJECTS:
        return (
            f"undecided ({sizes[0]} stories, {sizes[1]} subjects; a verdict takes "
            f"{LEAST_STORIES} and {LEAST_SUBJECTS})"
        )
    if low > 0:
        return f"{first} gains more"
    return f"{second} gains more" if high < 0 else "undecided"


def gain_lines(scores: xarray.Dataset, comparison: xarray.Dataset | None = None) -> list[str]:
    """Return tables of the gains at each level, and which scorer gains more.

    Parameters
    ----------
    scores : xarray.Dataset
        Of `summarise`.
    comparison : xarray.Dataset, optional
        Of `compare_gains`.
    """
    names = ["score", "draw_sd", "null_mean", "gain", "gain_low", "gain_high", "share"]
    lines = []
    for snr in scores["snr"].values:
        each = scores.sel(snr=snr)
        r, accuracy, r2 = (float(each[n]) for n in ("mapping_r", "mapping_2v2", "encoding_r2"))
        lines.append(f"\nSNR {snr:g}: mapping r {r:.3f}, 2v2 {accuracy:.3f}; encoding R2 {r2:.3f}")
        lines += prompt_lines(each)
        for metric in each["metric"].values:
            table = each[names].sel(metric=metric).to_dataframe()[names]
            lines.append(f"\n{metric}\n{table.round(3).to_string()}")
    if comparison is not None:
        given = comparison.attrs
        table = comparison[["difference", "low", "high", "verdict"]].to_dataframe()
        lines += [
            f"\n{given['first']} minus {given['second']}, gain over noise input in "
            f"{given['metric']}, interval over stories and subjects",
            table.round(3).to_string(),
        ]
    return lines

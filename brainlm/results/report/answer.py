"""Answer of a bundle in a sentence, with its interval and what it is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brainlm.results.report.array_tables import has_spaces, space_table

if TYPE_CHECKING:
    import pandas
    import xarray

    from brainlm.results.bundle import Bundle


def answer_of(bundle: Bundle) -> str:
    """Return the verdict of a bundle, or its best feature space beside the null.

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    str
        Empty where the bundle holds neither.
    """
    judged = bundle.arrays.get("verdict")
    if judged is not None and judged.attrs.get("sentence"):
        return str(judged.attrs["sentence"])
    for name, dataset in bundle.arrays.items():
        if name.startswith("scores") and has_spaces(dataset):
            return _best(dataset)
        if name.startswith("scores") and {"gain", "condition"} <= {*dataset, *dataset.dims}:
            return _decoded(dataset)
    return ""


def _best(dataset: xarray.Dataset) -> str:
    """Say which space is best, with its interval, and how random vectors score."""
    table = space_table(dataset)
    if "analysis" in table:
        table = table[table["analysis"] == table["analysis"].iloc[0]]
    table = table[table["mean"].notna()]
    random = table["kind"] == "random" if "kind" in table else table["space"] == ""
    if not (~random).any():
        return ""
    best = table[~random].sort_values("mean", ascending=False).iloc[0]
    metric = dataset.attrs.get("metric", "score")
    sentence = f"{best['space']} scores highest: {metric} {_with_interval(best)}"
    if random.any():
        other = table[random].sort_values("mean", ascending=False).iloc[0]
        sentence += f"; random vectors with the geometry of a layer reach {_with_interval(other)}"
    return sentence + ". It was chosen on these scores."


def _with_interval(row: pandas.Series) -> str:
    text = f"{row['mean']:.3f}"
    return f"{text} [{row['95 % from']:.3f}, {row['95 % to']:.3f}]" if "95 % to" in row else text


def _decoded(dataset: xarray.Dataset) -> str:
    """Say how far the text of the brain is above random reconstructions, and so its controls."""
    metric = str(dataset["metric"].values[0]) if "metric" in dataset.dims else "score"
    gain = dataset["gain"].isel(metric=0) if "metric" in dataset["gain"].dims else dataset["gain"]
    mean = gain.mean([d for d in gain.dims if d != "condition"])
    values = {str(n): float(v) for n, v in zip(dataset["condition"].values, mean, strict=True)}
    if not values:
        return ""
    first, *others = values.items()
    sentence = f"{first[0]}: {metric} {first[1]:+.3f} above random reconstructions"
    if "p" in dataset and dataset["p"].dims:
        p = dataset["p"].isel(metric=0) if "metric" in dataset["p"].dims else dataset["p"]
        if "condition" in p.dims:
            found = p.sel(condition=first[0]).mean()
            sentence += f" (p {float(found):.2g})"
    listed = ", ".join(f"{name} {value:+.3f}" for name, value in others[:5])
    return f"{sentence}{'; ' + listed if listed else ''}."

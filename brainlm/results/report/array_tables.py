"""Tables of the arrays of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from brainlm.data.brain_maps import BrainMaps
from brainlm.stats.paired import fold_half_width

if TYPE_CHECKING:
    import pandas
    import xarray

    from brainlm.results.bundle import Bundle

MOST_ROWS = 5000  # of a table that a browser sorts and filters at once
UNITS = ("subject", "fold")


def bundle_tables(bundle: Bundle) -> tuple[dict[str, pandas.DataFrame], list[str]]:
    """Return the tables of a bundle, and the arrays that are too large for one.

    Scores (a variable ``score`` with the dimensions ``space`` and ``subject`` or ``fold``) give two
    tables: the mean of each space over targets, with its 95 % interval over folds (or subjects),
    and each target by itself. They come first. Other arrays give one table each, except those
    that have a row per sample (folds, predictions).

    Parameters
    ----------
    bundle : Bundle

    Returns
    -------
    tables : dict of str to DataFrame
    left_out : list of str
        Name and shape of the arrays that are only in the files.
    """
    tables: dict[str, pandas.DataFrame] = {}
    left_out = []
    by_rank = sorted(bundle.arrays.items(), key=lambda item: not item[0].startswith("scores"))
    for name, dataset in by_rank:
        if has_spaces(dataset):
            tables[f"{name}: means over targets"] = space_table(dataset)
            if dataset["score"].sizes.get("target", 1) * dataset.sizes["space"] <= MOST_ROWS:
                tables[f"{name}: each target"] = target_table(dataset)
            else:
                left_out.append(f"{name}: each target ({dataset.sizes['target']} targets)")
            continue
        if BrainMaps.is_in(dataset):
            tables[f"{name}: each map"] = map_table(BrainMaps.from_xarray(dataset))
            continue
        for dims, names in _by_dimensions(dataset).items():
            size = int(np.prod([dataset.sizes[d] for d in dims], dtype=int))
            several = len(_by_dimensions(dataset)) > 1 or len(names) == 1
            title = f"{name}: {', '.join(names)}" if several and len(names) < 4 else name
            title = title if title not in tables else f"{name}: {', '.join(names)}"
            if size > MOST_ROWS or "sample" in dims:
                shape = " x ".join(f"{dataset.sizes[d]} {d}" for d in dims)
                left_out.append(f"{title} ({shape})")
            else:
                tables[title] = _flat(dataset[names])
    return tables, left_out


def has_spaces(dataset: xarray.Dataset) -> bool:
    """Whether a data set holds scores of feature spaces over subjects or folds."""
    return "score" in dataset and "space" in dataset["score"].dims and bool(_unit(dataset["score"]))


def space_table(dataset: xarray.Dataset) -> pandas.DataFrame:
    """Return the mean score of each space with its interval, one row per analysis and space.

    Parameters
    ----------
    dataset : xarray.Dataset
        With ``score`` over ``space``, a unit (``subject`` or ``fold``), and mostly ``target`` and
        ``analysis``. Where it has ``fold_score``, that is shown, with the interval of
        `brainlm.stats.paired.fold_difference`; otherwise the interval is of a t test over units.
    """
    import pandas

    # Intervals are over folds where the bundle has them: subjects share the stimulus.
    score = dataset["fold_score" if "fold_score" in dataset else "score"]
    ratio = float(dataset.attrs.get("test_ratio", 0.0))
    unit = _unit(score)
    assert unit is not None
    over = [d for d in score.dims if d not in ("analysis", "space", unit)]
    per_unit = score.mean(over, skipna=True)  # NaN: targets that were left out
    n = per_unit.sizes[unit]
    mean = per_unit.mean(unit)
    columns = {"mean": mean}
    if n > 1:
        half = mean.copy(data=fold_half_width(per_unit.transpose(unit, ...).values, ratio))
        columns |= {"95 % from": mean - half, "95 % to": mean + half}
    rows = []
    for keys in _keys(mean):
        own = score.isel(keys).transpose(unit, ...).values
        rows.append(
            {
                **{dim: str(mean[dim].values[i]) for dim, i in keys.items()},
                **_about(dataset, keys),
                **{name: _number(values.isel(keys)) for name, values in columns.items()},
                f"{unit}s": n,
                "targets": int(np.isfinite(own).all(axis=0).sum()),
            }
        )
    return pandas.DataFrame(rows)


def target_table(dataset: xarray.Dataset) -> pandas.DataFrame:
    """Return the score of each target, one row per analysis, space and target."""
    import pandas

    score = dataset["score"]
    unit = _unit(score)
    assert unit is not None
    mean, spread = score.mean(unit), score.std(unit, ddof=1)
    rows = [
        {
            **{
                dim: str(mean[dim].values[i]) if dim in mean.coords else str(i)
                for dim, i in keys.items()
            },
            "mean": _number(mean.isel(keys)),
            f"sd over {unit}s": _number(spread.isel(keys)),
        }
        for keys in _keys(mean)
    ]
    return pandas.DataFrame(rows)


def map_table(maps: BrainMaps) -> pandas.DataFrame:
    """Return the range and the mean of each brain map over its voxels."""
    import pandas

    return pandas.DataFrame(
        {
            "map": [str(name) for name in maps.names],
            "unit": maps.unit,
            "voxels": maps.n_voxels,
            "smallest": maps.data.min(axis=1).astype(float).round(4),
            "mean": maps.data.mean(axis=1, dtype=float).round(4),
            "largest": maps.data.max(axis=1).astype(float).round(4),
        }
    )


def comparison_table(bundles: Sequence[Bundle]) -> pandas.DataFrame:
    """Return the mean score of every space in every bundle side by side.

    Parameters
    ----------
    bundles : sequence of Bundle
        Those without scores of spaces have no column.

    Returns
    -------
    DataFrame
        One row per space (and analysis), one column per bundle; NaN where a bundle has no such row.
    """
    import pandas

    columns = []
    for bundle in bundles:
        for name, dataset in bundle.arrays.items():
            if not has_spaces(dataset):
                continue
            table = space_table(dataset)
            keys = [key for key in ("analysis", "space") if key in table]
            label = bundle.folder.name if name == "scores" else f"{bundle.folder.name}: {name}"
            rows = pandas.MultiIndex.from_frame(table[keys]) if len(keys) > 1 else table["space"]
            columns.append(pandas.Series(table["mean"].values, index=rows, name=label))
    if not columns:
        return pandas.DataFrame()
    if len({column.index.nlevels for column in columns}) > 1:  # some do not name the analysis
        columns = [_by_space(column) for column in columns]
    return pandas.concat(columns, axis=1).reset_index()


def _by_space(column: pandas.Series) -> pandas.Series:
    """Return a column over spaces; of several analyses each row says of which it is."""
    if column.index.nlevels == 1:
        return column
    by_space = column.droplevel("analysis")
    if by_space.index.duplicated().any():
        by_space.index = [f"{space} ({analysis})" for analysis, space in column.index]
    return by_space.rename_axis("space")


def _unit(score: xarray.DataArray) -> str | None:
    return next((unit for unit in UNITS if unit in score.dims), None)


def _by_dimensions(dataset: xarray.Dataset) -> dict[tuple[str, ...], list[str]]:
    """Group the variables of a data set by their dimensions."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, variable in dataset.data_vars.items():
        groups.setdefault(tuple(map(str, variable.dims)), []).append(str(name))
    return groups


def _flat(dataset: xarray.Dataset) -> pandas.DataFrame:
    import pandas

    if not dataset.dims:
        return pandas.DataFrame([{k: v.item() for k, v in dataset.data_vars.items()}])
    unnamed = [d for d in dataset.dims if d not in dataset.coords]
    table = dataset.to_dataframe().reset_index()
    if len(unnamed) == len(dataset.dims) == 1 and len(dataset.data_vars) > 1:
        table = table.drop(columns=unnamed)  # rows of a table have no names
    for column in table.columns:
        if table[column].dtype.kind == "f":
            table[column] = table[column].map(lambda x: float(f"{x:.4g}"))
    return table


def _keys(array: xarray.DataArray) -> list[dict[str, int]]:
    return [
        dict(zip(map(str, array.dims), place, strict=True)) for place in np.ndindex(array.shape)
    ]


def _about(dataset: xarray.Dataset, keys: dict[str, int]) -> dict[str, object]:
    """Return kind and layer of a space, where the bundle has them."""
    found: dict[str, object] = {}
    for name in ("kind", "layer"):
        if name in dataset.coords and dataset[name].dims == ("space",):
            value = dataset[name].values[keys["space"]]
            found[name] = str(value) if name == "kind" else ("" if value < 0 else int(value))
    return found


def _number(value: xarray.DataArray) -> float:
    return round(float(value), 4)

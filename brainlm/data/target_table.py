"""Target tables: one row per column of the responses, with its channel, time, place or subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm._validation import as_labels, same_length

if TYPE_CHECKING:
    import xarray

PLACE = ["x", "y", "z"]
VOXEL = ["i", "j", "k"]
NUMBERS = ("time", *PLACE, *VOXEL)


def target_table(targets: Any) -> pd.DataFrame:
    """Return a checked table of targets.

    Parameters
    ----------
    targets : sequence of str, mapping of str to sequence, or DataFrame
        Names alone, or a table with a column ``name``. Columns with a fixed meaning: ``subject``;
        ``label``, the name within a subject; ``channel``; ``time``, in seconds from the onset of a
        word; ``region``; ``i, j, k``, the indices of a voxel; ``x, y, z``, channels in metres in
        head coordinates, voxels in millimetres. Other columns are kept.

    Returns
    -------
    DataFrame
        Rows are numbered from 0.

    Raises
    ------
    ValueError
        No ``name``, names that repeat or are empty, a time or place that is no number.
    """
    if isinstance(targets, pd.DataFrame):
        table = targets.reset_index(drop=True)
    elif isinstance(targets, Mapping):
        table = pd.DataFrame(dict(targets))
    else:
        table = pd.DataFrame({"name": as_labels(targets, "targets")})
    if "name" not in table:
        raise ValueError(f"targets: the table needs a column 'name', it has {list(table.columns)}")
    names = as_labels(table["name"], "targets")
    repeated = pd.Index(names).duplicated()
    if repeated.any():
        raise ValueError(
            f"targets: {names[repeated][0]!r} appears more than once; names must be unique"
        )
    for column in NUMBERS:
        if column in table and not pd.api.types.is_numeric_dtype(table[column]):
            raise ValueError(f"targets: column {column!r} must hold numbers")
    return table.assign(name=names)


def epoch_targets(
    channels: Sequence[str],
    times: Sequence[float] | np.ndarray,
    positions: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return the targets of epochs, every channel at every time, named "channel@100ms".

    Parameters
    ----------
    channels : sequence of str, shape (n_channels,)
    times : sequence of float, shape (n_times,)
        Seconds from the onset of a word.
    positions : array of shape (n_channels, 3), optional
    """
    table: dict[str, Any] = {
        "name": [f"{channel}@{1000 * time:.0f}ms" for channel in channels for time in times],
        "channel": np.repeat(np.asarray(channels, dtype=object), len(times)),
        "time": np.tile(np.asarray(times, dtype=float), len(channels)),
    }
    if positions is not None:
        columns = np.repeat(np.asarray(positions, dtype=float), len(times), axis=0).T
        table |= dict(zip(PLACE, columns, strict=True))
    return pd.DataFrame(table)


def voxel_targets(voxels: np.ndarray) -> pd.DataFrame:
    """Return the targets of voxels by their indices, int (n_voxels, 3)."""
    names = [",".join(map(str, voxel)) for voxel in voxels.tolist()]
    return pd.DataFrame(voxels, columns=VOXEL).assign(name=names)


def region_targets(numbers: np.ndarray) -> pd.DataFrame:
    """Return the targets of regions by their numbers, (n_regions,)."""
    names = [f"{number:g}" for number in numbers.tolist()]
    return pd.DataFrame({"name": names, "region": names})


def targets_of_subjects(targets: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the targets of several subjects side by side, named "subject/target".

    Their names within the subject become the column ``label``.
    """
    return pd.concat(
        [
            table.assign(name=f"{who}/" + table["name"], label=table["name"], subject=who)
            for who, table in targets.items()
        ],
        ignore_index=True,
    )


def positions_of(targets: pd.DataFrame) -> np.ndarray | None:
    """Return the positions of the targets, (n_targets, 3); None where the table has none."""
    return targets[PLACE].to_numpy(float) if set(PLACE) <= set(targets) else None


def over_time(
    values: np.ndarray, targets: pd.DataFrame
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Arrange scores of epochs by channel and time.

    Parameters
    ----------
    values : array of shape (..., n_targets)
        Such as ``Scores.values`` or ``Scores.mean``.
    targets : DataFrame
        With columns ``channel`` and ``time``, such as ``Recording.targets`` of epochs.

    Returns
    -------
    channels : list of str
    times : array of shape (n_times,)
        Seconds.
    curves : array of shape (..., n_channels, n_times)
        NaN where a channel has no target at a time.
    """
    if not {"channel", "time"} <= set(targets):
        raise ValueError(
            f"targets: columns 'channel' and 'time' are needed, the table has "
            f"{list(targets.columns)}: scores over time need epochs (brainlm.from_epochs)"
        )
    values = np.asarray(values, dtype=float)
    same_length({"columns of values": values.shape[-1], "targets": len(targets)})
    row, channels = pd.factorize(targets["channel"])
    times, column = np.unique(targets["time"].to_numpy(float), return_inverse=True)
    curves = np.full((*values.shape[:-1], len(channels), len(times)), np.nan)
    curves[..., row, column] = values
    return [str(channel) for channel in channels], times, curves


def target_coordinates(targets: pd.DataFrame) -> dict[str, tuple[str, np.ndarray]]:
    """Return the table as coordinates of an xarray dimension ``target``."""
    coords = {str(name): ("target", np.asarray(targets[name])) for name in targets}
    coords["target"] = coords.pop("name")
    texts = {key for key, (_, values) in coords.items() if values.dtype == object}
    return {
        key: (dim, values.astype(str) if key in texts else values)
        for key, (dim, values) in coords.items()
    }


def targets_of_scores(scores: xarray.Dataset) -> pd.DataFrame:
    """Return the target table of scores that a bundle keeps."""
    columns = {
        "name" if name == "target" else str(name): coordinate.values
        for name, coordinate in scores.coords.items()
        if coordinate.dims == ("target",)
    }
    return pd.DataFrame(columns)

"""Confounds of fMRI: chosen by nilearn where they are fMRIPrep's, or columns of any table."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from brainlm.errors import CorruptDataError
from brainlm.io.files import Names, ReaderOptions
from brainlm.io.sheets import read_sheet
from brainlm.storage.downloads import check_content

# Confounds of fMRIPrep that are differences between neighbouring volumes.
DIFFERENCES = re.compile(r"derivative1|framewise_displacement|dvars|rmsd")
FIRST = "a missing first difference is 0"


class ConfoundOptions(ReaderOptions):
    """Regressors that are removed from each run, with its mean (noted).

    Attributes
    ----------
    strategy : sequence of str
        For images of fMRIPrep: noise components of `nilearn.interfaces.fmriprep.load_confounds`,
        such as ``["motion", "wm_csf", "high_pass"]``. Volumes that nilearn says are no steady
        state, or with "scrub" too much motion, are left out (counted in the notes).
    strategy_options : dict
        Its further arguments, such as ``motion = "basic"``.
    confounds : str, optional
        Instead: path of a table of confounds, with the names of ``pattern`` in it.
    regress_out : sequence of str
        Columns of this table.
    """

    strategy: Names = ()
    strategy_options: dict[str, Any] = Field(default_factory=dict)
    confounds: str | None = None
    regress_out: Names = ()

    @model_validator(mode="after")
    def _fits_together(self) -> ConfoundOptions:
        if bool(self.regress_out) != (self.confounds is not None):
            raise ValueError("confounds and regress_out go together: give both or neither")
        if self.strategy and self.confounds is not None:
            raise ValueError("give either strategy (fMRIPrep) or confounds (a table), not both")
        if self.strategy_options and not self.strategy:
            raise ValueError("strategy_options belong to strategy: give it, too")
        return self


@dataclass(frozen=True)
class Confounds:
    """Regressors that are removed from a run.

    Attributes
    ----------
    table : array of shape (n_kept, n_confounds)
        With a column of ones.
    rows : array of shape (n_kept,)
        Samples that are kept.
    notes : sequence of str
    """

    table: np.ndarray
    rows: np.ndarray
    notes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hash of the values, under which a cleaned series is cached."""
        return hashlib.sha256(self.table.tobytes() + self.rows.tobytes()).hexdigest()

    def clean(self, blocks: Callable[[], Iterator[np.ndarray]]) -> Iterator[np.ndarray]:
        """Yield the residuals of a least-squares fit; the run is read twice, in blocks."""
        solver = np.linalg.pinv(self.table)  # (n_confounds, n_kept)
        weights: Any = 0.0
        for rows, block in self._kept(blocks()):
            weights = weights + solver[:, rows] @ block
        for rows, block in self._kept(blocks()):
            yield block - self.table[rows] @ weights

    def _kept(self, blocks: Iterator[np.ndarray]) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield (rows of the table, samples) of each block."""
        start = 0
        for block in blocks:
            first, last = np.searchsorted(self.rows, [start, start + len(block)])
            yield slice(int(first), int(last)), block[self.rows[first:last] - start].astype(float)
            start += len(block)


def read_confounds(
    given: ConfoundOptions, images: tuple[Path, ...], table: Path | None, n_samples: int
) -> Confounds | None:
    """Read the confounds of a run; None where none were requested.

    Parameters
    ----------
    given : ConfoundOptions
    images : sequence of path
        The image of the run, or its two hemispheres.
    table : path, optional
        Of the confounds, where the options name one.
    n_samples : int
        Of the run.

    Raises
    ------
    DataMissingError, CorruptDataError
        The table is missing or broken, has more or fewer rows than the run, lacks a column or has
        missing values; there is no file of fMRIPrep's beside the image.
    """
    if given.strategy:
        return _by_nilearn(given, images, n_samples)
    return None if table is None else _by_column(given, table, n_samples)


def _by_nilearn(given: ConfoundOptions, images: tuple[Path, ...], n_samples: int) -> Confounds:
    from nilearn.interfaces.fmriprep import load_confounds

    source: Any = str(images[0]) if len(images) == 1 else [[str(path) for path in images]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what nilearn only warns about changes the confounds
            found, kept = load_confounds(source, strategy=given.strategy, **given.strategy_options)
    except Exception as error:  # a broken table or JSON file can raise nearly anything
        raise CorruptDataError(
            f"{images[0]}: nilearn cannot load fMRIPrep's confounds beside it for strategy "
            f"{', '.join(given.strategy)}: {error}. Fix the strategy, or name a table "
            "(confounds, regress_out)"
        ) from error
    found, kept = (found[0], kept[0]) if isinstance(found, list) else (found, kept)
    _check_length(images[0], len(found), n_samples)
    rows = np.arange(n_samples) if kept is None else np.asarray(kept)
    values = found.to_numpy(dtype=float)[rows]
    if not np.isfinite(values).all():
        lacking = found.columns[~np.isfinite(values).all(axis=0)].tolist()
        raise CorruptDataError(f"{images[0]}: missing values in its confounds {lacking[:5]}")
    notes = [
        f"regressed out of each run, with the mean: {', '.join(given.strategy)} of fMRIPrep "
        f"(nilearn; {given.strategy_options or 'its defaults'})".replace("'", "")
    ]
    if len(rows) < n_samples:
        notes.append(
            f"{images[0].name}: {n_samples - len(rows)} of {n_samples} samples left out (no steady "
            "state, or motion)"
        )
    return Confounds(np.column_stack([np.ones(len(rows)), values]), rows, tuple(notes))


def _check_length(path: Path, n_rows: int, n_samples: int) -> None:
    if n_rows != n_samples:
        raise CorruptDataError(
            f"{path}: {n_rows} rows of confounds for {n_samples} volumes: they are of different "
            "versions of the run (volumes dropped at the start?)"
        )


def _by_column(given: ConfoundOptions, path: Path, n_samples: int) -> Confounds:
    sheet = read_sheet(check_content(path))
    columns = [sheet.numbers(name, ["n/a"]) for name in given.regress_out]
    table = np.column_stack([np.ones(len(sheet.rows)), *columns])
    _check_length(path, len(table), n_samples)
    missing = [
        name for name, column in zip(given.regress_out, columns, strict=True) if np.isnan(column[0])
    ]
    if all(DIFFERENCES.search(name) for name in missing):
        # A difference has no first value; nilearn puts 0 there, too. The notes say so.
        table[0] = np.nan_to_num(table[0])
    if np.isnan(table).any():
        raise CorruptDataError(
            f"{path}: missing values (n/a) in {', '.join(given.regress_out)}; only the first value "
            "of a difference (derivative, displacement, DVARS, RMSD) may be missing"
        )
    names = ", ".join(given.regress_out)
    note = f"regressed out of each run, with the mean: {names}; {FIRST}"
    return Confounds(table, np.arange(n_samples), (note,))

"""Encoding studies of stored arrays, described by one TOML file.

::

    lags = [2.0, 8.0]
    sampling_interval = 2.0
    folds = "runs"

    [features]
    "layer 9" = "features.h5:layer_9"

    [targets]
    S01 = "S01.zarr"
    S02 = "S02.h5:data"

The arrays are read where they lie, by whoever computes: features (n_samples, n_features) at the
times of the samples, not yet delayed, and responses (n_samples, n_targets), in ``.npy``, HDF5
(``file.h5:name``) or Zarr (``folder.zarr`` or ``folder.zarr:name``). ``{subject}`` in the path of
features or runs stands for the subject.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from brainlm.batch.tasks import Need, Task, TaskShape, task_need
from brainlm.compute.lazy_arrays import bad_columns, open_stored, read_stored
from brainlm.data.brain_maps import targets_of
from brainlm.data.recording import Recording
from brainlm.data.scores import Scores
from brainlm.encoding._ridge.solve import DEFAULT_ALPHAS
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.delays import delay, delays_between
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, LeaveOneRunOut, Split
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.features.baselines import random_walk
from brainlm.io.files import naming

EMPTY = "empty baseline"


class StudyFile(BaseModel):
    """Settings of an encoding study; the names are those of the Python arguments.

    Attributes
    ----------
    features : dict of str to str
        Name of each feature space -> where it is stored.
    targets : dict of str to str
        Subject -> where the responses are stored.
    runs : str, optional
        Where the run of each sample is stored, (n_samples,). Without it all samples are one run.
    lags : (float, float), optional
        Shortest and longest lag in seconds: 2 to 8 s for fMRI, see ``brainlm.delays_between``.
    sampling_interval : float, optional
        Seconds between samples; ``lags`` need it.
    delays : list of int
        In samples, see ``brainlm.delay``. Default: those of the lags; without lags, none.
    alphas : list of float, optional
        Default: those of ``RidgeEncoder``.
    folds : int or "runs"
        That many contiguous blocks, or leave one run out.
    gap : int, optional
        Samples left out around a block; at least the longest delay, its default.
    metric : {"r", "r2"}
    mask_targets : bool
        Give targets that are constant or hold NaN no score instead of refusing them.
    empty_baseline : bool
        Score a smooth random walk without any language beside the feature spaces.
    targets_per_task : int
    brain : str, optional
        Image of the targets, a mask or a parcellation (`brainlm.data.brain_maps.targets_of`),
        ``{subject}`` for the subject. The bundle then keeps the mean score of each target as brain
        maps.
    localizer, parcels : str, optional
        Images on the grid of ``brain``: a contrast such as sentences against non-words, and
        numbered parcels. The bundle then has the scores in the subject's functional regions and in
        the language network (`brainlm.stats.regions`).
    localizer_runs : list of str
        Runs that the localiser was estimated from, none of them scored here.
    region_share : float
        Of the voxels of a parcel.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: dict[str, str] = Field(min_length=1)
    targets: dict[str, str] = Field(min_length=1)
    runs: str | None = None
    lags: tuple[float, float] | None = None
    sampling_interval: Annotated[float, Field(gt=0)] | None = None
    delays: list[int] = Field(default=None, min_length=1, validate_default=True)
    alphas: list[Annotated[float, Field(gt=0)]] | None = None
    folds: Annotated[int, Field(ge=2)] | Literal["runs"] = 5
    gap: Annotated[int, Field(ge=0)] | None = None
    metric: Literal["r", "r2"] = "r"
    mask_targets: bool = False
    empty_baseline: bool = True
    targets_per_task: int = Field(default=20_000, ge=1)
    brain: str | None = None
    localizer: str | None = None
    parcels: str | None = None
    localizer_runs: list[str] = Field(default_factory=list)
    region_share: float = Field(default=0.1, gt=0, le=1)

    @field_validator("delays", mode="before")
    @classmethod
    def _in_samples(cls, given: Any, info: ValidationInfo) -> Any:
        lags, step = info.data.get("lags"), info.data.get("sampling_interval")
        if lags is None:
            return [0] if given is None else given
        if step is None:
            raise ValueError(f"lags = {list(lags)} are seconds: give sampling_interval, too")
        found = delays_between(step, *lags)
        if given not in (None, found):
            raise ValueError(f"{given} are not the samples of lags = {list(lags)}: give one")
        return found

    @model_validator(mode="after")
    def _consistent(self) -> StudyFile:
        longest = max(abs(d) for d in self.delays)
        if self.gap is not None and self.gap < longest:
            raise ValueError(f"gap = {self.gap} is shorter than the longest delay ({longest})")
        if self.folds == "runs" and self.runs is None:
            raise ValueError('folds = "runs" needs runs: where the run of each sample is stored')
        if EMPTY in self.features:
            raise ValueError(f"features: {EMPTY!r} is the name of the baseline; choose another")
        return self

    @property
    def spaces(self) -> list[str]:
        """Names of the feature spaces, the empty baseline last."""
        return [*self.features, *([EMPTY] if self.empty_baseline else [])]

    def tasks(self) -> list[Task]:
        """Return all pieces of work, in a fixed order.

        Raises
        ------
        CorruptDataError
            Arrays that do not fit together, named by file.
        """
        found = []
        _shape_of.cache_clear()  # files may have changed since
        for subject, place in self.targets.items():
            n_samples, n_targets, _ = _shape_of(place)
            for name in self.features:
                where = self._place(name, subject)
                rows, _, _ = _shape_of(where)
                if rows != n_samples:
                    raise CorruptDataError(
                        f"{where} has {rows} rows, {place} {n_samples}: features need one row per "
                        "sample of the responses"
                    )
            self._runs(subject, n_samples)
            self._check_brain(subject, n_targets)
            step = self.targets_per_task
            found += [  # the spaces of a block of targets follow each other: it is read once
                Task(subject, space, start, min(start + step, n_targets))
                for start in range(0, n_targets, step)
                for space in self.spaces
            ]
        return found

    def split(self, subject: str, n_samples: int) -> Split:
        """Return the outer folds of a subject."""
        runs = self._runs(subject, n_samples)
        longest = max(abs(d) for d in self.delays)
        if self.folds == "runs":
            return LeaveOneRunOut(runs, inner_gap=max(longest, 5))
        gap = longest if self.gap is None else self.gap
        return ContiguousBlocks(int(self.folds), gap=gap, runs=runs)

    def compute(self, task: Task, content: str | None = None) -> Scores:
        """Return the scores of one task.

        Parameters
        ----------
        task : Task
        content : str, optional
            Key of the content of all files, `digest`. With it the block of targets is kept in
            memory for the next task, which is most often another space of the same block.
        """
        place = self.targets[task.subject]
        runs = self._runs(task.subject, open_stored(place).shape[0])
        X = delay(self._features(task.space, task.subject, runs), self.delays, runs)
        if content is None:
            block = _read_block(place, task.start, task.stop)
        else:
            block = _kept_block(place, task.start, task.stop, content)
        if self.mask_targets and bad_columns(block).all():
            return self._nothing(task, len(block))
        with naming(f"{place}, {task.label}"):
            return cross_validate(
                RidgeEncoder(self.alphas),
                X,
                block,
                self.split(task.subject, len(X)),
                metric=self.metric,
                targets=[str(i) for i in range(task.start, task.stop)],
                mask_targets=self.mask_targets,
            )

    def need(self, tasks: Sequence[Task], workers: int = 1) -> Need:
        """Return the estimated cost of the tasks, from the shapes alone.

        Each worker reads the spaces of its tasks, and a block of targets once for all spaces.
        Arithmetic is that of `brainlm.encoding._ridge.cost.fold_operations`.
        """
        read, memory, flops = 0, 0, 0.0
        blocks: dict[tuple[str, int], int] = {}
        n_alphas = len(self.alphas or DEFAULT_ALPHAS)
        shape = cache(self._shape)
        folds = cache(lambda subject, n: self.split(subject, n).get_n_splits())
        _shape_of.cache_clear()  # files may have changed since
        for task in tasks:
            n_samples, p, size = shape(task.subject, task.space)
            n_targets, n_folds = task.stop - task.start, folds(task.subject, n_samples)
            one = task_need(TaskShape(n_samples, p, n_targets, n_folds, n_alphas, size))
            flops, memory = flops + one.flops, max(memory, one.memory_bytes)
            read += n_samples * (p // len(self.delays)) * size
            stored = _shape_of(self.targets[task.subject])[2]
            blocks[task.subject, task.start] = n_samples * n_targets * stored
        read += min(workers, len(self.spaces)) * sum(blocks.values())
        return Need(len(tasks), read, memory, flops)

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return len(self.targets)

    @property
    def n_spaces(self) -> int:
        """Feature spaces, the empty baseline included."""
        return len(self.spaces)

    def total_need(self, workers: int = 1) -> Need:
        """Return the estimated cost of all tasks."""
        return self.need(self.tasks(), workers)

    def typical(self) -> TaskShape:
        """Return the sizes of a task of the first subject and feature space."""
        subject, space = next(iter(self.targets)), self.spaces[0]
        n_samples, p, size = self._shape(subject, space)
        n_targets = min(self.targets_per_task, _shape_of(self.targets[subject])[1])
        n_folds = self.split(subject, n_samples).get_n_splits()
        n_alphas = len(self.alphas or DEFAULT_ALPHAS)
        return TaskShape(n_samples, p, n_targets, n_folds, n_alphas, size)

    def result_bytes(self, tasks: Sequence[Task]) -> int:
        """Return the size of all scores and penalties, as tasks keep them (float64)."""
        folds = {}
        for subject, place in self.targets.items():
            n_samples = _shape_of(place)[0]
            folds[subject] = self.split(subject, n_samples).get_n_splits()
        return sum(16 * folds[t.subject] * (t.stop - t.start) for t in tasks)

    def digest(self, hashes: Mapping[str, str]) -> str:
        """Return a key of everything that the results depend on.

        Parameters
        ----------
        hashes : mapping of str to str
            Place -> SHA-256, from ``hash_inputs``.
        """
        places = {"features", "targets", "runs", "brain", "localizer", "parcels"}
        after = {"localizer_runs", "region_share"}  # of scores that are there
        settings = self.model_dump(exclude={*places, *after, "lags", "sampling_interval"})
        named = {
            "features": {
                (name, subject): hashes[self._place(name, subject)]
                for name in self.features
                for subject in self.targets
            },
            "targets": {subject: hashes[place] for subject, place in self.targets.items()},
            "runs": {s: hashes[self.runs.replace("{subject}", s)] for s in self.targets}
            if self.runs
            else None,
        }
        text = json.dumps([settings, sorted((k, str(v)) for k, v in named.items())], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def places(self) -> list[str]:
        """Return the locations of all arrays of the study, each once."""
        found = [self._place(name, s) for name in self.features for s in self.targets]
        found += self.targets.values()
        found += [self.runs.replace("{subject}", s) for s in self.targets] if self.runs else []
        return list(dict.fromkeys(found))

    def run_labels(self, subject: str) -> list[str]:
        """Return the runs of a subject, each once."""
        n_samples = open_stored(self.targets[subject]).shape[0]
        return list(dict.fromkeys(self._runs(subject, n_samples).astype(str).tolist()))

    def brain_of(self, subject: str) -> str | None:
        """Return the image that defines a subject's targets."""
        return None if self.brain is None else self.brain.replace("{subject}", subject)

    def _check_brain(self, subject: str, n_targets: int) -> None:
        image = self.brain_of(subject)
        if image is None:
            return
        if not Path(image).is_file():
            raise DataMissingError(f"brain: {image}: no such file (of subject {subject!r})")
        n_places = len(targets_of(image))
        if n_places != n_targets:
            raise CorruptDataError(
                f"brain: {image} has {n_places} voxels (or regions) above 0, the responses of "
                f"{subject} have {n_targets} targets: give the mask or parcellation they were "
                "made with"
            )

    def _place(self, name: str, subject: str) -> str:
        return self.features[name].replace("{subject}", subject)

    def _runs(self, subject: str, n_samples: int) -> np.ndarray:
        if self.runs is None:
            return np.full(n_samples, "1", dtype=object)
        place = self.runs.replace("{subject}", subject)
        values = read_stored(place)
        if values.shape != (n_samples,):
            raise CorruptDataError(
                f"{place} has shape {values.shape}; the responses of {subject} have {n_samples} "
                "samples: runs need one entry per sample"
            )
        with naming(place):
            texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values.tolist()]
        return np.array(texts, dtype=object)

    def _features(self, space: str, subject: str, runs: np.ndarray) -> np.ndarray:
        if space != EMPTY:
            X = read_stored(self._place(space, subject))
            return X if X.dtype in (np.float32, np.float64) else X.astype(np.float32)
        clock = Recording(
            np.arange(len(runs))[:, None],
            ["clock"],
            "fmri",
            "1",
            times=np.arange(len(runs), dtype=float),
            run=runs,
        )
        return random_walk(clock).values.astype(np.float32)

    def _shape(self, subject: str, space: str) -> tuple[int, int, int]:
        """Samples, delayed features, and bytes of a number."""
        if space == EMPTY:
            return _shape_of(self.targets[subject])[0], 10 * len(self.delays), 4
        n_samples, p, size = _shape_of(self._place(space, subject))
        return n_samples, p * len(self.delays), size

    def _nothing(self, task: Task, n_samples: int) -> Scores:
        split = self.split(task.subject, n_samples)
        n_folds, n_targets = split.get_n_splits(), task.stop - task.start
        return Scores(
            values=np.full((n_folds, n_targets), np.nan),
            metric=self.metric,
            targets=[str(i) for i in range(task.start, task.stop)],
            encoder="none",
            split=repr(split),
            alphas=np.full((n_folds, n_targets), np.nan),
            notes=(f"all {n_targets} targets of {task.label} are constant or hold NaN",),
        )


def forget_block() -> None:
    """Release the block of targets that is kept in memory for the next task."""
    _kept_block.cache_clear()


def _read_block(place: str, start: int, stop: int) -> np.ndarray:
    return read_stored(place, slice(None), slice(start, stop))


@lru_cache(maxsize=1)
def _kept_block(place: str, start: int, stop: int, content: str) -> np.ndarray:
    block = _read_block(place, start, stop)
    block.flags.writeable = False  # the next task reads the same one
    return block


@cache
def _shape_of(place: str) -> tuple[int, int, int]:
    """Rows and columns of a stored matrix, and the bytes of a number as it is computed with."""
    stored = open_stored(place)
    if len(stored.shape) != 2 or not np.issubdtype(stored.dtype, np.number):
        raise CorruptDataError(
            f"{place} has shape {stored.shape} and dtype {stored.dtype}: a matrix of numbers "
            "(n_samples, n_columns) is needed"
        )
    return *stored.shape, 8 if stored.dtype == np.float64 else 4

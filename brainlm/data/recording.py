"""Recording: responses, samples x targets, with their times or their items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from brainlm._html import html_card
from brainlm._validation import (
    as_labels,
    check_blocks,
    check_finite,
    freeze,
    is_mapped,
    same_length,
)
from brainlm.data.target_table import positions_of, target_table, targets_of_subjects
from brainlm.errors import unknown_name

COLUMNS = 1 << 24  # values of a mapped array that are read at a time
PARTS = ("train", "dev", "test")
MODALITIES = (
    "fmri",
    "fnirs",
    "meg",
    "eeg",
    "ieeg",
    "pupil",
    "skin-conductance",
    "eye-tracking",
    "reading-times",
    "ratings",
    "other",
)


@dataclass(frozen=True, eq=False)
class Recording:
    """Responses of one subject (or of a group), samples x targets.

    Parameters
    ----------
    data : array of shape (n_samples, n_targets)
        Responses; a target is a voxel, a region, a channel, a measure or a rated attribute. A
        read-only memory map stays on disk: of its values only a spread is checked here, the others
        when they are used.
    targets : sequence of str, or DataFrame with n_targets rows
        Unique names, or a table of names and of what is known about each target: its channel and
        time, its voxel, its place, its subject (`brainlm.data.target_table.target_table`).
    modality : str
        One of ``MODALITIES``; "ieeg" is ECoG and SEEG.
    unit : str
        Unit of ``data``, such as ``"BOLD (a.u.)"`` or ``"rating 0-5"``.
    times : sequence of float, shape (n_samples,), optional
        Seconds from the start of the run, on the clock of the stimulus. For time series.
    items : sequence of str, shape (n_samples,), optional
        For data without a clock: the ``Stimulus.item`` that each sample is a response to; an item
        may come again (trials). Exactly one of ``times`` and ``items`` is given.
    run : sequence of str, shape (n_samples,), optional
        The unbroken recording that a sample belongs to. Default: ``"1"``.
    part : sequence of str, shape (n_samples,), optional
        "train", "dev" or "test": the part of each sample where the authors of the data fixed them
        (see `brainlm.FixedSplit`).
    subject : str
        Who was recorded.
    missing : {"refuse", "allow"}
        What to do with NaN. Encoders refuse them in any case: select targets or samples first.
    notes : sequence of str
        Repairs and exclusions that were made on the way here; they go into every result.
    origin : mapping
        The data set and subject, by which the files are found and hashed.

    Raises
    ------
    ValueError
        When shapes disagree, names repeat, times do not rise within a run, or values are not
        finite.

    Examples
    --------
    >>> bold = np.random.default_rng(0).standard_normal((4, 2))
    >>> recording = brainlm.Recording(
    ...     bold, ["IFG", "MTG"], "fmri", "BOLD (a.u.)", times=[0.0, 2.0, 4.0, 6.0]
    ... )
    >>> recording.select_targets(["MTG"]).data.shape
    (4, 1)
    """

    data: Any
    targets: Any
    modality: str
    unit: str
    times: Any = None
    items: Any = None
    run: Any = None
    subject: str = "group"
    missing: str = "refuse"
    notes: tuple[str, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)
    part: Any = None

    def __post_init__(self) -> None:
        data = np.asarray(self.data)
        if data.ndim != 2 or 0 in data.shape:
            raise ValueError(
                f"data must have shape (n_samples, n_targets), neither zero, got {data.shape}"
            )
        if not np.issubdtype(data.dtype, np.floating):
            data = data.astype(float)
        if self.modality not in MODALITIES:
            raise unknown_name("modality", self.modality, MODALITIES)
        if not str(self.unit).strip():
            raise ValueError("unit is empty: name the unit of the data, such as 'microvolt'")
        if self.missing not in ("refuse", "allow"):
            raise unknown_name("value of missing", self.missing, ("refuse", "allow"))
        self._check_values(data)
        targets = target_table(self.targets)
        run = as_labels(["1"] * len(data) if self.run is None else self.run, "run")
        same_length({"columns of data": data.shape[1], "targets": len(targets)})
        same_length({"rows of data": len(data), "run": len(run)})
        check_blocks(run, "run")
        if (self.times is None) == (self.items is None):
            raise ValueError("give exactly one of times (a time series) and items (isolated items)")
        for name, value in (("data", freeze(data)), ("targets", targets), ("run", run)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "origin", MappingProxyType(dict(self.origin)))
        if self.part is not None:
            self._set_parts()
        if self.times is not None:
            self._set_times()
        else:
            self._set_items()

    def _check_values(self, data: np.ndarray) -> None:
        if is_mapped(data):
            data = spread(data)
        if self.missing == "allow":
            if np.isinf(data).any():
                raise ValueError("data has infinite values: missing values are NaN")
        else:
            check_finite(data, "data")

    def _set_parts(self) -> None:
        part = as_labels(self.part, "part")
        same_length({"rows of data": self.n_samples, "part": len(part)})
        for label in dict.fromkeys(part):
            if label not in PARTS:
                raise unknown_name("part", label, PARTS)
        if self.times is not None:
            cut = [run for run in self.runs if len(set(part[self.run == run])) > 1]
            if cut:
                raise ValueError(
                    f"run {cut[0]!r} is in several parts ({len(cut)} such runs): neighbouring "
                    "samples of a time series resemble each other, so a run is in one part"
                )
        object.__setattr__(self, "part", part)

    def _set_times(self) -> None:
        times = freeze(np.asarray(self.times, dtype=float))
        same_length({"rows of data": self.n_samples, "times": len(times)})
        check_finite(times, "times")
        late = np.flatnonzero((np.diff(times) <= 0) & (self.run[1:] == self.run[:-1]))
        if len(late):
            i = int(late[0]) + 1
            raise ValueError(
                f"times[{i}] = {times[i]} s does not come after times[{i - 1}] = {times[i - 1]} s "
                f"in run {self.run[i]!r}: sort the samples and drop repeated ones"
            )
        object.__setattr__(self, "times", times)

    def _set_items(self) -> None:
        items = as_labels(self.items, "items")
        same_length({"rows of data": self.n_samples, "items": len(items)})
        object.__setattr__(self, "items", items)

    @property
    def n_samples(self) -> int:
        """Number of samples (rows)."""
        return self.data.shape[0]

    @property
    def n_targets(self) -> int:
        """Number of targets (columns)."""
        return self.data.shape[1]

    @property
    def runs(self) -> list[str]:
        """The runs, in order."""
        return list(dict.fromkeys(self.run))

    @property
    def target_names(self) -> np.ndarray:
        """Names of the targets, (n_targets,)."""
        return self.targets["name"].to_numpy()

    @property
    def positions(self) -> np.ndarray | None:
        """Positions of the targets, (n_targets, 3): columns x, y and z of ``targets``, if present.

        Channels in metres in head coordinates, voxels in millimetres.
        """
        return positions_of(self.targets)

    @property
    def constant_targets(self) -> list[str]:
        """Names of the targets that never change, missing values aside (no score exists)."""
        return list(self.target_names[_constant(self.data)])

    @property
    def missing_targets(self) -> list[str]:
        """Names of the targets with at least one missing (NaN) value."""
        return list(self.target_names[np.isnan(self.data).any(axis=0)])

    def select_targets(self, names: Any) -> Recording:
        """Return the recording of the named targets, in the order given, with a note of it."""
        names = [names] if isinstance(names, str) else list(names)
        position = {name: i for i, name in enumerate(self.target_names)}
        for name in names:
            if name not in position:
                raise unknown_name("target", name, self.target_names)
        columns = [position[name] for name in names]
        note = f"kept {len(names)} of {self.n_targets} targets"
        return replace(
            self,
            data=self.data[:, columns],
            targets=self.targets.iloc[columns],
            notes=(*self.notes, note),
        )

    def select_samples(self, rows: Any, note: str) -> Recording:
        """Return the recording of some samples (a mask or rising indices); ``note`` says why."""
        optional: dict[str, Any] = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("times", "items", "run", "part")
        }
        return replace(self, data=self.data[rows], **optional, notes=(*self.notes, note))

    def noted(self, *notes: str) -> Recording:
        """Return the same recording with more notes."""
        return replace(self, notes=(*self.notes, *notes)) if notes else self

    def with_data(self, data: np.ndarray, note: str) -> Recording:
        """Return the same recording with other values of the same shape; ``note`` says why."""
        if np.shape(data) != self.data.shape:
            raise ValueError(f"data has shape {np.shape(data)}, the recording {self.data.shape}")
        return replace(self, data=data, notes=(*self.notes, note))

    def __repr__(self) -> str:
        kind = "samples" if self.items is None else "items"
        return (
            f"Recording({self.modality!r}, subject {self.subject!r}, {self.n_samples} {kind} x "
            f"{self.n_targets} targets, {len(self.runs)} run{'s' * (len(self.runs) != 1)}, "
            f"unit {self.unit!r})"
        )

    def _repr_html_(self) -> str:
        step = (
            None if self.times is None else sampling_interval(self.times[self.run == self.run[0]])
        )
        facts = {
            "modality": self.modality,
            "subject": self.subject,
            "samples" if self.items is None else "items": self.n_samples,
            "targets": self.n_targets,
            "runs": len(self.runs),
            "parts": None if self.part is None else ", ".join(dict.fromkeys(self.part)),
            "unit": self.unit,
            "sampling interval": None if step is None else f"{step:g} s",
            "on disk": "yes" if is_mapped(self.data) else None,
        }
        shown = self.data[:, :5]  # of a recording on disk this reads five targets
        rows = [
            (name, float(values.mean()), float(values.std()))
            for name, values in zip(self.target_names, shown.T, strict=False)
        ]
        return html_card("Recording", facts, ["target", "mean", "sd"], rows, self.notes)


def side_by_side(recordings: Sequence[Recording]) -> Recording:
    """Return the targets of subjects who had the same samples as targets of one recording.

    Parameters
    ----------
    recordings : sequence of Recording
        Of different subjects, with the same samples.

    Returns
    -------
    Recording
        Its targets have columns ``subject`` and ``label`` (the name within the subject). Notes are
        those of all subjects, each once.
    """
    first = recordings[0]
    for other in recordings[1:]:
        if other.data.shape != first.data.shape or list(other.target_names) != list(
            first.target_names
        ):
            raise ValueError(
                f"subject {other.subject!r} has {other.data.shape} samples x targets, "
                f"{first.subject!r} {first.data.shape}: choose subjects with the same ones"
            )
    return replace(
        first,
        data=np.hstack([each.data for each in recordings]),
        targets=targets_of_subjects({each.subject: each.targets for each in recordings}),
        subject="group",
        notes=tuple(dict.fromkeys(note for each in recordings for note in each.notes)),
    )


def spread(data: np.ndarray, most: int = 50) -> np.ndarray:
    """Return up to ``most`` rows, or columns where these lie together, evenly spread."""
    by_target = data.flags.f_contiguous and not data.flags.c_contiguous
    chosen = np.unique(np.linspace(0, data.shape[int(by_target)] - 1, most).astype(int))
    return data[:, chosen] if by_target else data[chosen]


def _constant(data: np.ndarray) -> np.ndarray:
    """Return which columns never change; a mapped array is read in blocks of columns."""
    step = max(1, COLUMNS // max(1, len(data))) if is_mapped(data) else data.shape[1]
    still = []
    for start in range(0, data.shape[1], step):
        block = data[:, start : start + step]
        # fmax and fmin pass over NaN; a target that is missing throughout compares as False.
        still.append(~(np.fmax.reduce(block, axis=0) > np.fmin.reduce(block, axis=0)))
    return np.concatenate(still)


def run_means(data: np.ndarray, run: np.ndarray) -> np.ndarray:
    """Return the mean of the run that each sample belongs to, shaped as the data."""
    means = np.empty_like(data)
    for label in dict.fromkeys(run):
        means[run == label] = data[run == label].mean(axis=0)
    return means


def sampling_interval(times: np.ndarray, run: str = "1") -> float:
    """Return the constant step of ``times`` in seconds; raise if there is none within 1 %."""
    steps = np.diff(times)
    if len(steps) == 0:
        raise ValueError(f"run {run!r} has a single sample: no sampling interval exists")
    step = float(np.median(steps))
    uneven = np.flatnonzero(np.abs(steps - step) > 0.01 * step)
    if len(uneven):
        i = int(uneven[0])
        raise ValueError(
            f"run {run!r}: samples are not evenly spaced (step {steps[i]:.4f} s at "
            f"{times[i]:.3f} s, median {step:.4f} s): fill or split the run where samples were lost"
        )
    return step

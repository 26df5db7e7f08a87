"""A study that is declared by its sizes, to be planned before any of it exists.

::

    models = 1000
    layers = 40
    subjects = 100
    samples = 10_000
    features = 1024
    targets = 300_000
    delays = [1, 2, 3, 4]
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from brainlm.batch.tasks import Need, TaskShape, task_need
from brainlm.encoding._ridge.solve import DEFAULT_ALPHAS


class DeclaredStudy(BaseModel):
    """Sizes of an encoding study: every layer of every model, for every subject.

    Attributes
    ----------
    models, layers, subjects : int
    samples, features, targets : int
        Of one subject, of one layer before it is delayed, of one subject.
    delays : list of int
        In samples; the features are multiplied by their number.
    folds : int
        Outer folds.
    alphas : int
        Penalties of the grid.
    targets_per_task : int
    bytes_per_number : {4, 8}
        Of features and targets.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: int = Field(ge=1)
    layers: int = Field(ge=1)
    subjects: int = Field(ge=1)
    samples: int = Field(ge=10)
    features: int = Field(ge=1)
    targets: int = Field(ge=1)
    delays: list[int] = Field(default=[0], min_length=1)
    folds: int = Field(default=5, ge=2)
    alphas: int = Field(default=len(DEFAULT_ALPHAS), ge=1)
    targets_per_task: int = Field(default=20_000, ge=1)
    bytes_per_number: Literal[4, 8] = 4

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return self.subjects

    @property
    def n_spaces(self) -> int:
        """Feature spaces: layers of all models."""
        return self.models * self.layers

    def typical(self) -> TaskShape:
        """Return the sizes of a task."""
        return self._shape(min(self.targets_per_task, self.targets))

    def total_need(self, workers: int = 1) -> Need:
        """Return the cost of all tasks, as `StudyFile.need` adds it up."""
        whole, rest = divmod(self.targets, self.targets_per_task)
        blocks = [(whole, self.targets_per_task), (int(rest > 0), rest)]
        each = [(count, task_need(self._shape(size))) for count, size in blocks if count]
        times = self.n_spaces * self.subjects
        n_tasks = times * sum(count for count, _ in each)
        stored = self.samples * self.features * self.bytes_per_number
        responses = self.subjects * self.samples * self.targets * self.bytes_per_number
        return Need(
            n_tasks,
            n_tasks * stored + min(workers, self.n_spaces) * responses,
            max(need.memory_bytes for _, need in each),
            times * sum(count * need.flops for count, need in each),
        )

    def _shape(self, n_targets: int) -> TaskShape:
        return TaskShape(
            self.samples,
            self.features * len(self.delays),
            n_targets,
            self.folds,
            self.alphas,
            self.bytes_per_number,
        )

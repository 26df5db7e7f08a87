"""Tasks of an encoding study, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

from brainlm.encoding._ridge.cost import fold_bytes, fold_operations
from brainlm.encoding._ridge.streaming import BLOCKS_AT_ONCE, SMALLEST_READ


@dataclass(frozen=True)
class Task:
    """One piece of work: a feature space, a subject, a block of targets."""

    subject: str
    space: str
    start: int
    stop: int

    @property
    def label(self) -> str:
        """Readable name of the task."""
        return f"{self.subject} / {self.space} / targets {self.start}:{self.stop}"


@dataclass(frozen=True)
class Need:
    """Estimated cost of a study.

    Attributes
    ----------
    n_tasks : int
    read_bytes : int
        Read from storage by all tasks together.
    memory_bytes : int
        Of the largest task.
    flops : float
        Floating-point operations of all tasks, about.
    """

    n_tasks: int
    read_bytes: int
    memory_bytes: int
    flops: float


@dataclass(frozen=True)
class TaskShape:
    """Sizes of a task: samples, delayed features, targets, folds, penalties, bytes of a number."""

    n_samples: int
    n_features: int
    n_targets: int
    n_folds: int
    n_alphas: int
    itemsize: int = 4


def task_need(shape: TaskShape) -> Need:
    """Return operations and memory of one task; nothing is said of what it reads.

    Operations are those of `brainlm.encoding._ridge.cost.fold_operations` for every outer fold.
    """
    n, p, size = shape.n_samples, shape.n_features, shape.itemsize
    n_test = -(-n // shape.n_folds)
    n_train = n - n_test
    flops = shape.n_folds * fold_operations(n_train, n_test, p, shape.n_targets, shape.n_alphas)
    memory = fold_bytes(n_train, n_test, p, shape.n_alphas, size)
    memory += (3 * p + 4 * shape.n_targets) * n * size + BLOCKS_AT_ONCE * SMALLEST_READ
    return Need(1, 0, memory, flops)

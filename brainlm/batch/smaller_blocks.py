"""Tasks that ran out of memory: once more in smaller blocks of targets, or an error with advice."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from brainlm.batch.study_file import StudyFile, forget_block
from brainlm.batch.tasks import Task
from brainlm.data.scores import Scores


def compute_in_blocks(study: StudyFile, task: Task, max_memory: int) -> Scores:
    """Return the scores of a task, computed a block of targets after the other.

    The same as ``study.compute(task)`` to rounding.

    Parameters
    ----------
    study : StudyFile
    task : Task
    max_memory : int
        Bytes that a block may take by estimate.
    """
    forget_block()
    size = task.stop - task.start
    while size > 1 and _memory(study, task, size) > max_memory:
        size = -(-size // 2)
    parts = []
    for start in range(task.start, task.stop, size):
        block = replace(task, start=start, stop=min(start + size, task.stop))
        parts.append(study.compute(block))
    return replace(
        parts[0],
        values=np.concatenate([part.values for part in parts], axis=1),
        targets=[name for part in parts for name in part.target_names],
        alphas=np.concatenate([np.asarray(part.alphas, dtype=float) for part in parts], axis=1),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        inner=None,
        diagnostics={},
    )


def smaller_memory(study: StudyFile, task: Task, error: BaseException) -> int:
    """Return half of what a task needs by estimate, and warn that it is tried again with that.

    More where the features alone need more.
    """
    half = max(_memory(study, task, 1), _memory(study, task, task.stop - task.start) // 2)
    warnings.warn(
        f"{task.label}: {_reason(error)}; tried once more, alone, in blocks of targets that take "
        f"at most {half / 1e9:.2f} GB",
        UserWarning,
        stacklevel=2,
    )
    return half


def out_of_memory(study: StudyFile, task: Task, error: BaseException) -> MemoryError:
    """Return the error of a task that ran out of memory twice."""
    need = study.need([task]).memory_bytes
    return MemoryError(
        f"{task.label}: {_reason(error)}, in smaller blocks as well; by estimate the task needs "
        f"{need / 1e9:.2f} GB. Use fewer workers on a "
        f"machine, give each more memory, or set targets_per_task lower (it is "
        f"{study.targets_per_task}); finished tasks are kept, the same command resumes"
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"out of memory ({str(error).strip() or type(error).__name__})"
    return "its worker was killed, most often by the system or by Dask for lack of memory"


def _memory(study: StudyFile, task: Task, n_targets: int) -> int:
    return study.need([replace(task, stop=task.start + n_targets)]).memory_bytes

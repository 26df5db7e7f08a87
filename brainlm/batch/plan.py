"""Plan a study: bytes, operations, hours and price, before anything is computed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from brainlm.batch.declared import DeclaredStudy
from brainlm.batch.study_file import StudyFile
from brainlm.batch.tasks import Need, TaskShape
from brainlm.errors import CorruptDataError

# One core, because a worker has one: threads are set before numpy is loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
MEASURE = """
import sys, time, numpy as np
from brainlm.batch.tasks import TaskShape, task_need
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
shape = TaskShape(*map(int, sys.argv[1:]))
rng = np.random.default_rng(0)
X = rng.standard_normal((shape.n_samples, shape.n_features), dtype=np.float32)
Y = rng.standard_normal((shape.n_samples, shape.n_targets), dtype=np.float32)
encoder = RidgeEncoder(np.logspace(-2, 7, shape.n_alphas), warn_edge=False)
cross_validate(encoder, X[:100, :8], Y[:100], shape.n_folds)
start = time.process_time()
cross_validate(encoder, X, Y, shape.n_folds)
sys.stdout.write(str(task_need(shape).flops / (time.process_time() - start) / 1e9))
"""
MOST_SAMPLES, MOST_TARGETS = 1000, 4000  # of the regression that is measured


@dataclass(frozen=True)
class Machines:
    """Machines that a study may run on.

    Attributes
    ----------
    workers : int
        Of one core each.
    gflops : float, optional
        Speed of a worker. Default: measured by a regression on one core of this machine.
    price : float, optional
        Of a worker for an hour.
    gpus : int
        Used in place of the workers where there are any.
    gpu_gflops : float, optional
        Speed of a GPU in such a regression, `benchmarks/plan.py` prints that of ours.
    gpu_price : float, optional
        Of a GPU for an hour.
    storage : float, optional
        GB that the storage gives in a second, to all of them together.
    """

    workers: int = 1
    gflops: float | None = None
    price: float | None = None
    gpus: int = 0
    gpu_gflops: float | None = None
    gpu_price: float | None = None
    storage: float | None = None

    def __post_init__(self) -> None:
        for name in ("gflops", "price", "gpu_gflops", "gpu_price", "storage"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                option = "--" + name.replace("_", "-")
                raise CorruptDataError(f"{option} {value:g}: give a number above 0")
        if self.gpus and self.gpu_gflops is None:
            raise CorruptDataError(f"--gpus {self.gpus} needs --gpu-gflops, the speed of one")


def measured_gflops(shape: TaskShape) -> float:
    """Return the speed of one core of this machine in a regression, GFLOP/s.

    The operations are those that plans count; the regression has the proportions of ``shape`` and
    at most 1,000 samples and 4,000 targets. Time is that of the processor, so other programs do
    not count.
    """
    share = min(1.0, MOST_SAMPLES / shape.n_samples)
    sizes = (
        max(100, round(share * shape.n_samples)),
        max(1, round(share * shape.n_features)),
        min(shape.n_targets, MOST_TARGETS),
        min(shape.n_folds, 5),
        shape.n_alphas,
    )
    environment = os.environ | dict.fromkeys(THREADS, "1")
    command = [sys.executable, "-c", MEASURE, *map(str, sizes)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def plan_lines(study: StudyFile | DeclaredStudy, machines: Machines) -> Iterator[str]:
    """Yield the estimated cost of a study, one line at a time.

    Parameters
    ----------
    study : StudyFile or DeclaredStudy
    machines : Machines
    """
    n_readers = machines.gpus or machines.workers
    need = study.total_need(n_readers)
    yield f"{study.n_subjects} subjects x {study.n_spaces} feature spaces"
    yield f"tasks            {need.n_tasks}"
    yield f"read             {need.read_bytes / 1e9:.3g} GB from storage"
    yield f"memory           {need.memory_bytes / 1e9:.3g} GB for each worker"
    yield f"operations       {need.flops:.3g}"
    if machines.gpus and machines.gpu_gflops:
        yield from _hours(need, machines.gpus, machines.gpu_gflops, machines.gpu_price, "GPU")
    else:
        speed = machines.gflops or measured_gflops(study.typical())
        measured = "" if machines.gflops else " (measured here, by a regression)"
        yield from _hours(need, machines.workers, speed, machines.price, "worker", measured)
    if machines.storage is not None:
        seconds = need.read_bytes / 1e9 / machines.storage
        yield f"reading          {seconds / 3600:.3g} hours at {machines.storage:g} GB/s for all"


def _hours(
    need: Need, n: int, gflops: float, price: float | None, kind: str, measured: str = ""
) -> Iterator[str]:
    hours = need.flops / (gflops * 1e9) / 3600
    rounds = -(-need.n_tasks // n)
    total = "core hours" if kind == "worker" else "GPU hours"
    yield f"speed            {gflops:.0f} GFLOP/s a {kind}{measured}"
    yield f"{total:16s} {hours:.3g}, when reading costs nothing"
    each = rounds * hours / need.n_tasks
    yield f"hours            {each:.3g} with {n} {kind}s ({rounds} tasks each)"
    if price is not None:
        yield f"price            {hours * price:.3g} at {price:g} per {kind} and hour"

"""Plan and run a study of stored arrays."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from brainlm.batch.dask_tasks import collect, hash_inputs, leakage_notes, open_cluster, run_study
from brainlm.batch.study_file import StudyFile
from brainlm.batch.study_reading import read_study
from brainlm.compute.memory import check_memory
from brainlm.data.brain_maps import paint, targets_of
from brainlm.errors import CorruptDataError
from brainlm.plotting import save_figures
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.results.output import ROOM, hold_output

if TYPE_CHECKING:
    import xarray

MOST_ROWS = 12  # of the figure of brain maps; `brainlm plot --figure brain_maps` draws more

# One core, because a worker has one: threads are set before numpy is loaded.
MEASURE = """
import time, numpy as np
A = np.random.default_rng(0).standard_normal((1500, 1500), dtype=np.float32)
A @ A
times = []
for _ in range(5):
    start = time.perf_counter(); A @ A; times.append(time.perf_counter() - start)
import sys; sys.stdout.write(str(2 * 1500**3 / min(times) / 1e9))
"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measured_gflops() -> float:
    """Return the speed of one core of this machine in float32 products, GFLOP/s."""
    environment = os.environ | dict.fromkeys(THREADS, "1")
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def plan_lines(study: StudyFile, workers: int, gflops: float | None = None) -> Iterator[str]:
    """Yield the estimated cost of a study, one line at a time.

    Parameters
    ----------
    study : StudyFile
    workers : int
        Of one core each.
    gflops : float, optional
        Speed of a worker. Default: measured on one core of this machine.
    """
    need = study.need(study.tasks(), workers)
    measured = gflops is None
    speed = measured_gflops() if gflops is None else gflops
    if speed <= 0:
        raise CorruptDataError(f"--gflops {gflops}: give a positive speed")
    hours = need.flops / (speed * 1e9) / 3600
    yield f"{len(study.targets)} subjects x {len(study.spaces)} feature spaces"
    yield f"tasks            {need.n_tasks}"
    yield f"read             {need.read_bytes / 1e9:.3g} GB from storage"
    yield f"memory           {need.memory_bytes / 1e9:.3g} GB for each worker"
    yield f"operations       {need.flops:.3g}"
    yield f"speed            {speed:.0f} GFLOP/s a worker" + (
        " (measured here)" if measured else ""
    )
    yield f"core hours       {hours:.3g}, when products run at that speed and reading costs nothing"
    rounds = -(-need.n_tasks // workers)
    each = hours / need.n_tasks
    yield f"hours            {rounds * each:.3g} with {workers} workers ({rounds} tasks each)"


def encode_study(
    path: Path,
    out: Path,
    cluster: str | None = None,
    settings: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> Iterator[str]:
    """Run a study and save its bundle; yield messages for the terminal.

    Parameters
    ----------
    path : path
        TOML file of the study.
    out : path
        Folder of the bundle. Finished tasks are kept beside it, in ``OUT.parts``, until it is
        written.
    cluster : str, optional
        See ``brainlm.batch.dask_tasks.open_cluster``. Default: this process.
    settings : sequence of str
        ``key=value``; see ``brainlm.batch.study_reading.read_study``.
    overwrite : bool
    """
    study = read_study(path, settings)
    needed = ROOM + 2 * study.result_bytes(study.tasks())
    with hold_output(out, overwrite=overwrite, needed=needed):
        yield from _encode(study, out, cluster, overwrite=overwrite)


def _encode(study: StudyFile, out: Path, cluster: str | None, *, overwrite: bool) -> Iterator[str]:
    need = study.need(study.tasks())
    if cluster is None or cluster.startswith("local:"):
        at_once = 1 if cluster is None else int(cluster.partition(":")[2] or 1)
        check_memory(
            need.memory_bytes * min(at_once, need.n_tasks),
            "this study",
            "set targets_per_task lower, or use fewer workers",
        )
    hashes = hash_inputs(study, progress=True)
    parts = out.with_name(out.name + ".parts")
    with nullcontext() if cluster is None else open_cluster(cluster) as client:
        paths = run_study(study, parts, hashes, client=client, progress=True)
    arrays, notes = collect(study, paths)
    notes += leakage_notes(arrays)
    maps, figures = brain_maps_of(study, arrays)
    save_bundle(
        out,
        analysis="encode",
        arrays=arrays | maps,
        config=study.model_dump(),
        inputs={"data": hashes},
        notes=notes,
        figures=figures,
        overwrite=overwrite,
    )
    save_figures(load_bundle(out))
    shutil.rmtree(parts)
    for name, scores in arrays.items():
        for space in study.spaces:
            r = scores.score.sel(space=space).mean("fold")
            yield (
                f"{name.removeprefix('scores_'):10s} {space:24s} {study.metric} "
                f"{float(r.mean()):.3f} on average, {float(r.max()):.3f} at best"
            )
    yield from (note for note in notes if "without any language" in note)
    yield f"result bundle: {out}"


def brain_maps_of(
    study: StudyFile, arrays: Mapping[str, xarray.Dataset]
) -> tuple[dict[str, xarray.Dataset], list[str]]:
    """Return the mean score of each target as brain maps, and the figures that draw them.

    Parameters
    ----------
    study : StudyFile
        Without ``brain`` there are none.
    arrays : mapping of str to xarray.Dataset
        From ``brainlm.batch.dask_tasks.collect``.
    """
    maps = {}
    for subject in study.targets if study.brain else ():
        image = study.brain_of(subject)
        score = arrays[f"scores_{subject}"].score.mean("fold").sel(space=study.spaces)
        painted = paint(
            score.values,
            targets_of(image),
            image,
            study.spaces,
            f"held-out {study.metric}",
            subject=subject,
        )
        maps[f"maps_{subject}"] = painted.to_xarray()
    rows = len(maps) * len(study.spaces)
    figures = [] if not maps or rows > MOST_ROWS else ["brain_maps"]
    return maps, figures + ["winner_brain"] * bool(maps and len(study.spaces) > 1)

"""Run the tasks of a study through Dask, with every result saved on its own.

Features and responses are read by the workers from storage that all of them see; only the names of
tasks and the paths of results pass through the scheduler. Every finished task is a file, written
whole or not at all, so a killed worker, scheduler or client loses no more than its running tasks.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from brainlm.batch.smaller_blocks import compute_in_blocks, out_of_memory, smaller_memory
from brainlm.batch.study_file import EMPTY, StudyFile, Task
from brainlm.compute.lazy_arrays import split_place
from brainlm.compute.memory import available_memory
from brainlm.data.notes import Note
from brainlm.encoding.leakage import LeakageWarning
from brainlm.encoding.ridge import AlphaEdgeWarning
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.storage.whole_files import read_checked, write_checked

if TYPE_CHECKING:
    import xarray

TRIES = 3  # more, of a task whose worker dies


@contextmanager
def open_cluster(address: str) -> Iterator[Any]:
    """Open a Dask client.

    Parameters
    ----------
    address : str
        ``"local:N"`` starts N processes here; ``"slurm:N"`` submits N jobs with the settings of
        dask-jobqueue's own configuration file; anything else is the address of a scheduler.

    Yields
    ------
    dask.distributed.Client
    """
    try:
        import dask
        from dask.distributed import Client, LocalCluster
    except ImportError:
        raise DataMissingError("Dask is not installed: pip install 'brainlm[cluster]'") from None
    kind, _, number = address.partition(":")
    if kind in ("local", "slurm") and not (number.isdigit() and int(number) > 0):
        raise UnknownNameError(f"--cluster {address!r}: write {kind}:N with N workers, as {kind}:4")
    with dask.config.set({"distributed.scheduler.allowed-failures": TRIES}):
        if kind == "local":
            made: Any = LocalCluster(
                n_workers=int(number),
                threads_per_worker=1,
                processes=True,
                dashboard_address=None,
                memory_limit=available_memory() // int(number),
            )
        elif kind == "slurm":
            from dask_jobqueue import SLURMCluster

            # Any free port: two studies of one login node would quarrel about the usual one.
            made = SLURMCluster(scheduler_options={"dashboard_address": ":0"})
            made.scale(jobs=int(number))
        else:
            made = address
        with Client(made) as client:
            try:
                yield client
            finally:
                if made is not address:
                    made.close()


def run_study(
    study: StudyFile,
    folder: Path | str,
    hashes: Mapping[str, str],
    *,
    client: Any = None,
    progress: bool = False,
) -> list[Path]:
    """Compute the tasks of a study that are not on disk yet.

    Parameters
    ----------
    study : StudyFile
    folder : path
        Gets one file per task. Files of the same study (same settings, same content of all inputs)
        are kept and not computed again; those of another one are left alone.
    hashes : mapping of str to str
        From ``hash_inputs``.
    client : dask.distributed.Client, optional
        Default: one task after the other in this process.
    progress : bool

    Returns
    -------
    list of Path
        One file per task, in the order of ``study.tasks()``.

    Raises
    ------
    MemoryError
        A task ran out of memory, or its worker was killed, and again with smaller blocks.

    Warns
    -----
    UserWarning
        A task is tried again with smaller blocks.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tasks = study.tasks()
    key = study.digest(hashes)
    paths = [folder / f"{key}-{_name(task)}.part" for task in tasks]
    missing = [(t, p) for t, p in zip(tasks, paths, strict=True) if read_checked(p) is None]
    bar = tqdm(
        total=len(tasks),
        initial=len(tasks) - len(missing),
        desc="encode",
        unit="task",
        disable=not progress,
    )
    with bar:
        for _ in _finished(study, missing, client):
            bar.update()
    for scratch in folder.glob(".*.tmp"):  # of workers that were killed while they wrote
        scratch.unlink(missing_ok=True)
    return paths


def _finished(study: StudyFile, missing: Sequence[tuple[Task, Path]], client: Any) -> Iterable[Any]:
    """Compute tasks; those that run out of memory are tried once more, in smaller blocks."""
    run = _one_by_one if client is None else partial(_on_cluster, client)
    failed: list[tuple[Task, Path, BaseException]] = []
    for task, path, error in run(study, missing, None):
        if error is None:
            yield task
        else:
            failed.append((task, path, error))
    # Alone, because Dask also blames tasks that only waited for a worker that was killed.
    for task, path, error in failed:
        least = smaller_memory(study, task, error)
        for _, _, again in run(study, [(task, path)], least):
            if again is not None:
                raise out_of_memory(study, task, again) from again
        yield task


def _one_by_one(
    study: StudyFile, missing: Sequence[tuple[Task, Path]], max_memory: int | None
) -> Iterator[tuple[Task, Path, BaseException | None]]:
    """Compute tasks in this process; yield each with its error, where memory ran out."""
    for task, path in missing:
        error = None
        try:
            compute_to(study, task, path, max_memory)
        except MemoryError as caught:
            error = caught.with_traceback(None)  # which holds the arrays
        yield task, path, error


def _on_cluster(
    client: Any, study: StudyFile, missing: Sequence[tuple[Task, Path]], max_memory: int | None
) -> Iterator[tuple[Task, Path, BaseException | None]]:
    """Compute tasks through Dask; yield each with its error, where memory or its worker went."""
    from dask.distributed import KilledWorker, as_completed

    # An impure key: a task may be asked for again after its file was lost.
    compute = partial(compute_to, study, max_memory=max_memory)
    running = {client.submit(compute, *each, pure=False): each for each in missing}
    try:
        for future in as_completed(running):
            try:
                future.result()
            except (KilledWorker, MemoryError) as error:
                yield *running[future], error
            else:
                yield *running[future], None
    finally:
        client.cancel(list(running))


def compute_to(study: StudyFile, task: Task, path: Path, max_memory: int | None = None) -> None:
    """Compute one task and write it atomically.

    The name of the file begins with the key of the study's content: see `run_study`.
    """
    if read_checked(path) is not None:  # of a worker that was killed after it had written
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # kept in the notes
        if max_memory is None:
            scores = study.compute(task, path.name.partition("-")[0])
        else:
            scores = compute_in_blocks(study, task, max_memory)
    content = BytesIO()
    np.savez(
        content,
        values=scores.values,
        alphas=np.asarray(scores.alphas, dtype=float),
        about=json.dumps([scores.encoder, scores.split, list(scores.notes)]),
    )
    write_checked(path, content.getvalue())


def collect(study: StudyFile, paths: Sequence[Path]) -> tuple[dict[str, xarray.Dataset], list[str]]:
    """Combine the results of all tasks.

    Returns
    -------
    arrays : dict of str to xarray.Dataset
        ``"scores_SUBJECT"``: ``score`` and ``alpha`` over (space, fold, target).
    notes : list of str
        Of the tasks, each with its task.
    """
    import xarray

    arrays: dict[str, xarray.Dataset] = {}
    notes = []
    tasks = study.tasks()
    for subject in study.targets:
        values, alphas, split = [], [], ""
        for space in study.spaces:
            own = [
                (task, path)
                for task, path in zip(tasks, paths, strict=True)
                if (task.subject, task.space) == (subject, space)
            ]
            parts = []
            for task, path in own:
                with np.load(_content(path), allow_pickle=False) as file:
                    parts.append((file["values"], file["alphas"]))
                    _, split, said = json.loads(str(file["about"]))
                notes += [f"{task.label}: {note}" for note in said]
            values.append(np.concatenate([part[0] for part in parts], axis=1))
            alphas.append(np.concatenate([part[1] for part in parts], axis=1))
        dimensions = ("space", "fold", "target")
        arrays[f"scores_{subject}"] = xarray.Dataset(
            {
                "score": (dimensions, np.stack(values).astype(np.float32)),
                "alpha": (dimensions, np.stack(alphas).astype(np.float32)),
            },
            coords={"space": study.spaces},
            attrs={"metric": study.metric, "split": split, "subject": subject},
        )
    return arrays, notes


def hash_inputs(study: StudyFile, *, progress: bool = False) -> dict[str, str]:
    """Return the SHA-256 of the content of every file of a study, by its location."""
    digests: dict[str, str] = {}
    for place in tqdm(study.places(), desc="check inputs", disable=not progress):
        file, name = split_place(place)
        path = Path(file)
        if not path.exists():
            raise DataMissingError(f"{path}: no such file (of {place!r})")
        if file not in digests:
            total = hashlib.sha256()
            for part in _files(path):
                total.update(str(part.relative_to(path)).encode())
                with part.open("rb") as opened:
                    total.update(hashlib.file_digest(opened, "sha256").digest())
            digests[file] = total.hexdigest()
        digests[place] = hashlib.sha256(f"{digests[file]}:{name}".encode()).hexdigest()
    return {place: digests[place] for place in study.places()}


def _files(path: Path) -> list[Path]:
    """Return a file, or all files of a folder, those behind links to folders included."""
    if not path.is_dir():
        return [path]
    found, seen = [], set()
    for folder, folders, files in os.walk(path, followlinks=True):
        place = os.path.realpath(folder)
        if place in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(place)
        found += [Path(folder, name) for name in files]
    return sorted(found)


def leakage_notes(arrays: Mapping[str, xarray.Dataset]) -> list[str]:
    """Report the score of the empty baseline for each subject, and where it is above chance.

    Above chance: a mean above .01, with p < .01 in a one-sided t test over the test folds.

    Parameters
    ----------
    arrays : mapping of str to xarray.Dataset
        From ``collect``.
    """
    from scipy.stats import ttest_1samp

    notes: list[str] = []
    for scores in arrays.values():
        if EMPTY not in scores.space:
            continue
        folds = scores.score.sel(space=EMPTY).mean("target").values
        p = float(ttest_1samp(folds, 0, alternative="greater").pvalue)
        note = (
            f"{scores.attrs['subject']}: features without any language score "
            f"{folds.mean():.3f} (p = {p:.3f} over {len(folds)} folds)"
        )
        if p < 0.01 and folds.mean() > 0.01:
            note += ", which is above chance: training and test samples are not apart"
            warnings.warn(note, LeakageWarning, stacklevel=2)
        notes.append(Note(note, "leakage"))
    return notes


def _content(path: Path) -> BytesIO:
    content = read_checked(path)
    if content is None:
        raise CorruptDataError(
            f"{path}: lost or damaged since it was computed; run the study again"
        )
    return BytesIO(content)


def _name(task: Task) -> str:
    text = json.dumps([task.subject, task.space, task.start, task.stop])
    return hashlib.sha256(text.encode()).hexdigest()[:16]

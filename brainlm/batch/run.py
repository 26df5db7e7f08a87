"""Run a study of stored arrays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brainlm.batch.dask_tasks import collect, hash_inputs, leakage_notes, open_cluster, run_study
from brainlm.batch.regions import region_scores, regions_of_study
from brainlm.batch.study_file import StudyFile
from brainlm.batch.study_reading import read_study
from brainlm.comparison.layer_scores import table_of
from brainlm.compute.memory import check_memory
from brainlm.data.brain_maps import BrainMaps, paint, targets_of
from brainlm.plotting import save_figures
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.results.output import ROOM, hold_output
from brainlm.stats.group_maps import group_of_maps
from brainlm.stats.regions import NETWORK

if TYPE_CHECKING:
    import xarray

LEAST_SUBJECTS = 5  # with four, no p value of sign flips falls below .06
MOST_ROWS = 12  # of the figure of brain maps; `brainlm plot --figure brain_maps` draws more


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
    regional = study.localizer is not None or study.parcels is not None
    if regional:
        for subject in study.targets:  # a wrong image is an error before anything is computed
            regions_of_study(study, subject)
    hashes = hash_inputs(study, progress=True)
    parts = out.with_name(out.name + ".parts")
    with nullcontext() if cluster is None else open_cluster(cluster) as client:
        paths = run_study(study, parts, hashes, client=client, progress=True)
    arrays, notes = collect(study, paths)
    notes += leakage_notes(arrays)
    maps, figures = brain_maps_of(study, arrays)
    if group := group_of_study(study, maps):
        maps, figures = {**maps, "group": group}, [*figures, "group_map"]
    regions = region_scores(study, arrays) if regional else None
    tables = {} if regions is None else {"regions": table_of(regions)}
    save_bundle(
        out,
        analysis="encode",
        arrays=arrays | maps | tables,
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
    if regions is not None:
        network = regions[regions["region"] == NETWORK].groupby("space", sort=False)[study.metric]
        for space, r in network.mean().items():
            n = len(study.targets)
            yield f"{NETWORK:10s} {space:24s} {study.metric} {r:.3f} over {n} subjects"
    yield from (note for note in notes if "without any language" in note)
    yield f"result bundle: {out}"


def group_of_study(study: StudyFile, maps: Mapping[str, xarray.Dataset]) -> xarray.Dataset | None:
    """Return the group maps of five subjects or more on one grid; None where there are none."""
    found = [BrainMaps.from_xarray(each) for each in maps.values()]
    grids = {(each.mask.shape, str(np.round(each.affine, 4))) for each in found}
    if len(found) < LEAST_SUBJECTS or len(grids) > 1:
        return None
    try:
        return group_of_maps(found, correlations=study.metric == "r").to_xarray()
    except ValueError:  # no voxel that all have
        return None


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

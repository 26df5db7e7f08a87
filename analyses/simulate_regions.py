"""Does a map of the brain show which space drives which region, and nothing elsewhere?

Voxels of a whole brain listen to The Little Prince: those of a temporal region respond to a layer
of a language model, those of a motor region to embodied ratings, all others to nothing. Voxelwise
ridge encoding with a family-wise corrected null (blocks of the responses permuted, fitted anew, the
largest score of all voxels) must find both regions and give each to its space; a searchlight must
identify held-out samples there and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from brainlm.comparison.feature_families import EMBODIED, joined_norm, layer_at
from brainlm.comparison.feature_spaces import norm_space, shared_words
from brainlm.comparison.simulated_assemblies import simulate_regions
from brainlm.comparison.study import table_of
from brainlm.data.brain_maps import BrainMaps
from brainlm.datasets.folders import dataset_hashes
from brainlm.datasets.open import open_stimulus
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.results.bundle import check_output, save_bundle
from brainlm.rsa.searchlight import pattern_searchlight, volume_neighbourhoods
from brainlm.stats.permutation import max_statistic_p
from brainlm.workflow import Debug, Model, Out, Overwrite, Permutations, Root, run_command

STORY = "littleprince-en-words"
# Centre (MNI, mm) and radius of the regions: left posterior temporal, left motor.
REGIONS = {"temporal": ((-54, -40, 4), 20.0), "motor": ((-42, -14, 48), 20.0)}
BLOCK = 10  # samples that change places together: 20 s
ALPHA = 0.05


def main(
    model: Model = "smollm2",
    depth: Annotated[float, typer.Option(min=0, max=1, help="Depth of the layer, 0 to 1.")] = 0.6,
    words: Annotated[int, typer.Option(min=600, help="Words of the story.")] = 3000,
    noise: Annotated[float, typer.Option(min=0, help="Noise in standard deviations.")] = 2.0,
    resolution: Annotated[int, typer.Option(min=3, help="Voxel size in mm.")] = 6,
    permutations: Permutations = 99,
    out: Out = Path("results/simulate_regions"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Does a map of the brain show which space drives which region, and nothing elsewhere?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    if debug:
        words, resolution, permutations = min(words, 900), 12, min(permutations, 19)
    stimulus = open_stimulus(STORY, root)
    stimulus = stimulus.select(np.arange(min(words, stimulus.n_words)))
    norm = joined_norm("en", EMBODIED["en"], root)
    sources = [layer_at(model, ("en",), depth), norm_space(norm, "embodied", "embodied")]
    shared = shared_words(stimulus, sources)
    causes = [source.embed(stimulus, shared, "discourse")[0] for source in sources]
    spaces = [source.name for source in sources]
    mask = brain_mask(resolution)
    region = regions_of(mask)
    task = simulate_regions(causes, region, noise=noise)
    Y = task.recording.data.astype(np.float32)
    scores, p, places = {}, {}, volume_neighbourhoods(mask, 1.8 * resolution)
    light = {}
    for name, cause in zip(spaces, causes, strict=True):
        X = task.design(cause)
        found = cross_validate(
            RidgeEncoder(warn_edge=False), X, Y, task.split, keep_predictions=True
        )
        null = permuted_scores(
            X,
            Y,
            task.split,
            found,
            block=BLOCK,
            runs=task.recording.run,
            n_permutations=permutations,
        )
        scores[name], p[name] = found.mean, max_statistic_p(found.mean, null)
        light[name] = pattern_searchlight(np.asarray(found.predictions), Y, task.split, places)
        typer.echo(f"{name}: {perf_counter() - start:.0f} s", err=True)
    away = places @ (region >= 0).astype(float) == 0  # no planted voxel in the neighbourhood
    table = recovered(spaces, region, away, scores, p, light)
    typer.echo(table.round(3).to_string(index=False))
    significant = {name: np.where(p[name] <= ALPHA, scores[name], 0) for name in spaces}
    truth = {name: (region == k).astype(float) for k, name in enumerate(spaces)}
    lonely = int(np.isnan(light[spaces[0]]).sum())  # fewer than three voxels around
    above = {name: np.nan_to_num(light[name] - 0.5) for name in spaces}
    save_bundle(
        out,
        analysis="simulate_regions",
        arrays={
            "table": table_of(table),
            "maps_found": maps_of(mask, significant, "held-out r", "found").to_xarray(),
            "maps_truth": maps_of(mask, truth, "1", "planted").to_xarray(),
            "searchlight": maps_of(mask, above, "2v2 accuracy - .5", "searchlight").to_xarray(),
        },
        config={
            "model": model,
            "depth": depth,
            "words": words,
            "noise": noise,
            "resolution": resolution,
            "permutations": permutations,
            "debug": debug,
            "regions": {name: [*map(float, at), size] for name, (at, size) in REGIONS.items()},
        },
        inputs={STORY: dataset_hashes(STORY, root=root), "words": [int(shared.sum()), len(shared)]},
        notes=[
            "simulated responses: AR(1) noise, a slow drift, weights of its own for each voxel",
            f"{lonely} voxels have too few neighbours for a searchlight and are drawn at chance",
            f"drawn where the score is above chance, p <= {ALPHA} over all voxels of a space",
        ],
        figures=["winner_brain", "searchlight_brain"],
        overwrite=overwrite,
    )
    typer.echo(f"time: {perf_counter() - start:.0f} s")
    typer.echo(f"result bundle: {out}")


def brain_mask(resolution: int) -> Any:
    """The brain of the MNI template, which nilearn carries, in voxels of this size."""
    from nilearn.datasets import load_mni152_brain_mask

    return load_mni152_brain_mask(resolution=resolution)


def regions_of(mask: Any) -> np.ndarray:
    """For each voxel of the mask the region it lies in, in the order of `REGIONS`, or -1."""
    from nilearn.image import coord_transform

    inside = np.column_stack(np.nonzero(np.asarray(mask.dataobj)))
    positions = np.column_stack(coord_transform(*inside.T, mask.affine))
    region = np.full(len(positions), -1)
    for k, (centre, radius) in enumerate(REGIONS.values()):
        region[np.linalg.norm(positions - centre, axis=1) <= radius] = k
    return region


def maps_of(mask: Any, values: dict[str, np.ndarray], unit: str, what: str) -> BrainMaps:
    """One map per space, on the voxels of the mask."""
    inside = np.asarray(mask.dataobj).astype(bool)
    data = np.array(list(values.values()), dtype=np.float32)
    return BrainMaps(data, list(values), inside, unit, mask.affine, subject=what)


def recovered(
    spaces: list[str], region: np.ndarray, away: np.ndarray, scores: dict, p: dict, light: dict
) -> pd.DataFrame:
    """What was found of each region, and how much outside."""
    r = np.array([scores[name] for name in spaces])
    found = np.array([p[name] <= ALPHA for name in spaces])
    best = r.argmax(axis=0)
    rows = []
    for k, (place, name) in enumerate(zip([*REGIONS], spaces, strict=True)):
        own, outside = region == k, region < 0
        hits = own & found.any(axis=0)
        rows.append(
            {
                "region": place,
                "planted": name,
                "n_voxels": int(own.sum()),
                "r": float(r[k, own].mean()),
                "found": float(found[k, own].mean()),
                "won_by_planted": float((best[hits] == k).mean()) if hits.any() else np.nan,
                "searchlight": float(np.nanmean(light[name][own])),
                "n_outside": int(outside.sum()),
                "found_outside": int(found[k, outside].sum()),
                "searchlight_away": float(np.nanmean(light[name][away])),
            }
        )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    run_command(main)

"""Does a map of the brain show which space drives which region, and nothing elsewhere?

Voxels of a whole brain listen to The Little Prince: those of a temporal region respond to a layer
of a language model, those of a motor region to embodied ratings, all others to nothing. Voxelwise
ridge encoding with a family-wise corrected null (blocks of the responses permuted, refitted, the
largest score of all voxels) must find both regions and give each to its space; a searchlight must
identify held-out samples there and nowhere else.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from brainlm.comparison.feature_families import EMBODIED, joined_norm, layer_at
from brainlm.comparison.feature_spaces import norm_space, shared_words
from brainlm.comparison.layer_scores import table_of
from brainlm.comparison.recovery import map_space, recovered_regions, recovery_maps
from brainlm.comparison.simulated_assemblies import brain_mask, simulate_regions, voxels_near
from brainlm.datasets.folders import dataset_hashes
from brainlm.datasets.open import open_stimulus
from brainlm.rsa.searchlight import volume_neighbourhoods
from brainlm.workflow import Run, analysis, options, run_command

STORY = "littleprince-en-words"
# Centre (MNI, mm) and radius of the regions: left posterior temporal, left motor.
REGIONS = {"temporal": ((-54, -40, 4), 20.0), "motor": ((-42, -14, 48), 20.0)}
ALPHA = 0.05


@analysis
def main(
    run: Run,
    model: options.Model = "smollm2",
    depth: options.Depth = 0.6,
    words: Annotated[int, typer.Option(min=600, help="Words of the story.")] = 3000,
    noise: Annotated[float, typer.Option(min=0, help="Noise in standard deviations.")] = 2.0,
    resolution: Annotated[int, typer.Option(min=3, help="Voxel size in mm.")] = 6,
    permutations: options.Permutations = 99,
) -> None:
    if run.debug:
        words, resolution, permutations = min(words, 900), 12, min(permutations, 19)
    causes, coverage = planted_spaces(model, depth, words, run.root)
    run.data[STORY] = dataset_hashes(STORY, root=run.root)
    run.note(coverage, kind="coverage")
    mask = brain_mask(resolution)
    region = voxels_near(mask, REGIONS.values())
    simulated = simulate_regions(list(causes.values()), region, noise=noise)
    run.note(*simulated.recording.notes)
    near = volume_neighbourhoods(mask, 1.8 * resolution)
    found = {
        name: map_space(simulated, simulated.design(cause), near, permutations)
        for name, cause in causes.items()
    }
    r, p, light = ({name: each[k] for name, each in found.items()} for k in range(3))
    away = near @ (region >= 0).astype(float) == 0  # no planted voxel in the neighbourhood
    table = recovered_regions(region, [*REGIONS], away, r, p, light, ALPHA)
    run.show(table.round(3).to_string(index=False))
    n_alone = int(np.isnan(next(iter(light.values()))).sum())  # fewer than three voxels around
    run.note(f"{n_alone} voxels have too few neighbours for a searchlight: drawn at chance")
    run.note(f"drawn where the score is above chance, p <= {ALPHA} over all voxels of a space")
    run.save(
        arrays={"table": table_of(table), **recovery_maps(mask, region, r, p, light, ALPHA)},
        figures=["winner_brain", "searchlight_brain"],
        regions={name: [*map(float, at), size] for name, (at, size) in REGIONS.items()},
    )


def planted_spaces(model: str, depth: float, words: int, root: Path | None) -> tuple[dict, str]:
    """A layer and embodied ratings on the words of the story that have both."""
    stimulus = open_stimulus(STORY, root=root)
    stimulus = stimulus.select(np.arange(min(words, stimulus.n_words)))
    norm = joined_norm("en", EMBODIED["en"], root)
    spaces = [layer_at(model, ("en",), depth), norm_space(norm, "embodied", "embodied")]
    shared = shared_words(stimulus, spaces)
    causes = {space.name: space.embed(stimulus, shared, "discourse")[0] for space in spaces}
    return causes, f"{shared.sum()} of {len(shared)} words have both spaces"


if __name__ == "__main__":
    run_command(main)

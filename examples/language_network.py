"""
The language network of each person, and of the group
=====================================================

Language regions lie in different places in different heads. A localiser (sentences against
non-words) finds each person's own: the tenth of the voxels of a parcel that respond most. Regions
are defined on some runs and measured on others; the same data for both would show an effect in
noise. Here the responses are simulated, so that the right answer is known.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import ContiguousBlocks
from brainlm.data.brain_maps import BrainMaps
from brainlm.encoding.shared_space import leave_one_subject_out
from brainlm.plotting import flat_view
from brainlm.stats.group_maps import group_map, volume_adjacency
from brainlm.stats.regions import functional_regions, held_out_effects, region_means

rng = np.random.default_rng(0)
mask = np.zeros((24, 29, 24), dtype=bool)  # voxels of 8 mm
mask[3:9, 8:20, 6:14] = True  # a box around the left temporal lobe
affine = np.diag([8.0, 8, 8, 1])
affine[:3, 3] = -90, -126, -72
places = np.argwhere(mask)
parcels = np.where(places[:, 1] < 14, 1, 2)  # back and front
labels = {1: "posterior temporal", 2: "anterior temporal"}


def person():
    """Responsive voxels around a centre that differs between people; three runs of a localiser."""
    centre = np.array([6, 12, 9]) + rng.integers(-2, 3, 3)
    responsive = 3.0 * np.exp(-np.square(places - centre).sum(axis=1) / 6)
    return responsive, responsive + rng.standard_normal((3, len(places)))


people = [person() for _ in range(12)]

# %%
# One person: regions from two runs, the effect in the third.

truth, runs = people[0]
regions = functional_regions(runs[:2].mean(axis=0), parcels)
print(region_means(runs[2], regions, labels).round(2).to_string(index=False))
noise = rng.standard_normal((3, len(places)))
chosen = functional_regions(noise.mean(axis=0), parcels)
same = float(noise.mean(axis=0)[chosen > 0].mean())
other = float(held_out_effects(noise, noise[:, None], parcels).mean())
print(f"noise: same data {same:.2f}, other runs {other:.2f}")

# %%
# The group, voxel by voxel: signs of whole maps are flipped, and each voxel is compared with the
# largest value of every flip. Threshold-free cluster enhancement also counts the neighbours.

maps = np.array([runs.mean(axis=0) for _, runs in people])
largest = group_map(maps, n_flips=500)
clusters = group_map(maps, method="tfce", adjacency=volume_adjacency(mask), n_flips=200)
print(f"voxels with p <= .05 of {len(places)}: max t {(largest.p <= 0.05).sum()}, "
      f"TFCE {(clusters.p <= 0.05).sum()}; largest d {largest.effect_size.max():.1f}")  # fmt: skip

# %%
# On the unfolded cortex, with the borders of the parcels: effect sizes where p <= .05, and of how
# many people.

borders = BrainMaps(parcels[None], ["parcels"], mask, "label", affine, labels=labels)
flat_view(clusters.to_maps(borders), regions=borders)
plt.show()

# %%
# A new person without a model of their own
# -----------------------------------------
# People heard the same story, but their voxels do not match. A rotation of each person's voxels,
# learned from training samples, lets an encoder of the others predict a new person.

features = rng.standard_normal((240, 6))
shared = features @ rng.standard_normal((6, 20))
rotations = [np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(5)]
heard = [shared @ turn + rng.standard_normal(shared.shape) for turn in rotations]
for method in ("anatomy", "procrustes", "srm"):
    found = leave_one_subject_out(features, heard, ContiguousBlocks(4, gap=2), method)
    print(f"{method:10s} r = {np.mean([each.mean.mean() for each in found]):.2f}")

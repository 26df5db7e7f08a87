"""
The language network of each person, and of the group
=====================================================

Language regions are in different places in different heads. A localiser finds each person's own:
the tenth of the voxels of a parcel that respond most to language. Here are contrast maps of intact
against degraded speech of 21 adults, with the language parcels of the same atlas (``brainlm fetch
langloc-auditory evlab-parcels``). Without them, maps of twelve people are simulated.
"""

import matplotlib.pyplot as plt
import numpy as np

from brainlm import ContiguousBlocks, list_subjects, open_maps
from brainlm.data.brain_maps import BrainMaps
from brainlm.encoding.shared_space import leave_one_subject_out
from brainlm.errors import DataMissingError
from brainlm.plotting import flat_view
from brainlm.stats.group_maps import group_map, volume_adjacency
from brainlm.stats.regions import functional_regions, held_out_effects, region_means

rng = np.random.default_rng(0)


def coarse(volume):
    """Means of 2 x 2 x 2 voxels."""
    return volume[:90, :108, :90].reshape(45, 2, 54, 2, 45, 2).mean(axis=(1, 3, 5))


def measured():
    """Contrast maps of 21 people in language parcels of both hemispheres, in voxels of 4 mm."""
    names = [name for name in list_subjects("langloc-auditory") if name != "18"]  # another grid
    people = [open_maps("langloc-auditory", name) for name in names]
    atlas = open_maps("evlab-parcels")
    number = atlas.volume("parcels").astype(int)[:90:2, :108:2, :90:2]
    inside = (number > 0) & np.all([coarse(each.mask) == 1 for each in people], axis=0)
    maps = np.array([coarse(each.volume("intact > degraded"))[inside] for each in people])
    to_coarse = np.diag([2.0, 2, 2, 1])
    to_coarse[:3, 3] = 0.5
    return maps, number[inside], dict(atlas.labels), inside, atlas.affine @ to_coarse


def simulated():
    """Contrast maps of twelve people who respond around a centre that differs between them."""
    inside = np.zeros((24, 29, 24), dtype=bool)  # voxels of 8 mm
    inside[3:9, 8:20, 6:14] = True  # a box around the left temporal lobe
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -90, -126, -72
    places = np.argwhere(inside)
    number = np.where(places[:, 1] < 14, 1, 2)  # back and front
    centres = np.array([6, 12, 9]) + rng.integers(-2, 3, (12, 3))
    maps = 3.0 * np.exp(-np.square(places - centres[:, None]).sum(axis=-1) / 6)
    maps += 0.6 * rng.standard_normal(maps.shape)
    return maps, number, {1: "left posterior temporal", 2: "left anterior temporal"}, inside, affine


try:
    maps, parcels, labels, mask, affine = measured()
    print(f"{len(maps)} people, {len(labels)} parcels, {len(parcels)} voxels")
except DataMissingError:
    maps, parcels, labels, mask, affine = simulated()
    print("langloc-auditory is not on this machine: what follows is simulated")

# %%
# How much do the regions of two people overlap? Of voxels drawn at random, a tenth would.

regions = np.array([functional_regions(each, parcels) for each in maps]) > 0
pairs = np.triu_indices(len(maps), 1)
for number, label in labels.items():
    if label in ("left IFG", "left anterior temporal", "left posterior temporal"):
        own = regions[:, parcels == number].astype(float)
        overlap = (own @ own.T / own[0].sum())[pairs].mean()
        print(f"{label:24s} overlap of two people {overlap:.2f}, "
              f"voxel that most share {own.mean(axis=0).max():.2f}")  # fmt: skip

# %%
# The group, voxel by voxel: signs of whole maps are flipped, and each voxel is compared with the
# largest value of every flip. Threshold-free cluster enhancement also counts the neighbours.

largest = group_map(maps, n_flips=500)
clusters = group_map(maps, method="tfce", adjacency=volume_adjacency(mask), n_flips=100)
print(f"voxels with p <= .05 of {len(parcels)}: max t {(largest.p <= 0.05).sum()}, "
      f"TFCE {(clusters.p <= 0.05).sum()}; largest d {largest.effect_size.max():.1f}")  # fmt: skip

# %%
# On the unfolded cortex, with the borders of the parcels: effect sizes where p <= .05, and of how
# many people. The group holds where many people respond at the same place, which is less than the
# network of each of them.

borders = BrainMaps(parcels[None], ["parcels"], mask, "label", affine, labels=labels)
flat_view(clusters.to_maps(borders), regions=borders)
plt.show()

# %%
# Find on some runs, measure on others
# ------------------------------------
# The effect in a region must come from other runs than those that chose its voxels. The same data
# for both show an effect in noise. Runs are simulated here, so that the right answer is known.

where = np.argwhere(np.ones((6, 12, 8)))
halves = np.where(where[:, 1] < 6, 1, 2)
truth = 3.0 * np.exp(-np.square(where - [3, 5, 4]).sum(axis=1) / 6)
runs = truth + rng.standard_normal((3, len(where)))
chosen = functional_regions(runs[:2].mean(axis=0), halves)
print(region_means(runs[2], chosen, {1: "back", 2: "front"}).round(2).to_string(index=False))
noise = rng.standard_normal((3, len(where)))
chosen = functional_regions(noise.mean(axis=0), halves)
same = float(noise.mean(axis=0)[chosen > 0].mean())
other = float(held_out_effects(noise, noise[:, None], halves).mean())
print(f"noise: same data {same:.2f}, other runs {other:.2f}")

# %%
# A new person without a model of their own
# -----------------------------------------
# People heard the same story, but their voxels do not match (simulated, too). A rotation of each
# person's voxels, learned from training samples, lets an encoder of the others predict a new
# person.

features = rng.standard_normal((240, 6))
shared = features @ rng.standard_normal((6, 20))
rotations = [np.linalg.qr(rng.standard_normal((20, 20)))[0] for _ in range(5)]
heard = [shared @ turn + rng.standard_normal(shared.shape) for turn in rotations]
scores = {
    method: [
        each.mean.mean()
        for each in leave_one_subject_out(features, heard, ContiguousBlocks(4, gap=2), method)
    ]
    for method in ("anatomy", "procrustes", "srm")
}
for method, each in scores.items():
    print(f"{method:10s} r = {np.mean(each):.2f}")

fig, ax = plt.subplots(figsize=(4, 2.8), layout="constrained")
for place, each in enumerate(scores.values()):
    ax.plot(np.full(len(each), place), each, "o", color="C0", alpha=0.6)
ax.axhline(0, color="0.6", lw=0.8)
ax.set_xticks(range(len(scores)), ["no alignment", "Procrustes", "shared response"])
ax.set(ylabel="r in a new person", xlim=(-0.5, 2.5))

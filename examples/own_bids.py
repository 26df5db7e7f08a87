"""
Your own BIDS data
==================

From a folder in BIDS layout to a brain map. The folder is written here, with one small
participant in it, so that the right answer is known: a piece of the left temporal lobe follows
the rate of words two samples later, everything else is noise. With a folder of your own, begin at
"Look".
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np

from brainlm import (
    LeaveOneRunOut,
    RidgeEncoder,
    align,
    concatenate,
    cross_validate,
    delays_between,
    high_pass,
    word_length,
    word_rate,
)
from brainlm.data.brain_maps import paint
from brainlm.io import read_bids, survey_bids
from brainlm.plotting import surface_views
from brainlm.plotting.summary import describe

rng = np.random.default_rng(0)
TR, n_samples = 2.0, 150
affine = np.diag([8.0, 8, 8, 1])  # millimetres, in MNI space
affine[:3, 3] = -90, -126, -72
position = nib.affines.apply_affine(affine, np.moveaxis(np.indices((24, 29, 24)), 0, -1))
brain = (((position - [0, -18, 8]) / [68, 88, 62]) ** 2).sum(axis=-1) < 1
planted = brain & (np.linalg.norm(position - [-54, -22, 0], axis=-1) < 25)

folder = Path(tempfile.mkdtemp()) / "my-study"
raw = folder / "sub-01" / "func"
prepared = folder / "derivatives" / "fmriprep" / "sub-01" / "func"
raw.mkdir(parents=True)
prepared.mkdir(parents=True)
for run in (1, 2, 3):
    counts = rng.integers(0, 5, n_samples - 5)  # words in each sample
    lines = [
        f"{TR * i + 0.4 * k:.1f}\t0.3\t{'word' if k % 2 else 'dog'}"
        for i, n in enumerate(counts)
        for k in range(n)
    ]
    name = f"sub-01_task-story_run-{run}"
    text = "\n".join(["onset\tduration\tword", *lines]) + "\n"
    (raw / f"{name}_events.tsv").write_text(text, encoding="utf-8")
    data = rng.standard_normal((*brain.shape, n_samples), dtype=np.float32)
    data[planted, 2 : n_samples - 3] += 0.7 * counts
    image = nib.Nifti1Image(data, affine)
    image.header.set_zooms((8, 8, 8, TR))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, prepared / f"{name}_space-MNI152_desc-preproc_bold.nii.gz")
    mask = nib.Nifti1Image(brain.astype(np.uint8), affine)
    nib.save(mask, prepared / f"{name}_space-MNI152_desc-brain_mask.nii.gz")

# %%
# Look
# ----
#
# What is recorded, under which pattern, and which column of the events may hold words.

(found,) = survey_bids(folder)
for key, value in found.items():
    print(f"{key:9s} {value}")

# %%
# Open, and check
# ---------------
#
# Repetition times, runs, grids and the ends of words are checked on the way.

stimulus, recording = read_bids(
    folder,
    "01",
    pattern=found["pattern"],
    mask=found["mask"],
    word="word",
    language="en",
    unit="BOLD (a.u.)",
)
print(describe(stimulus, recording))

# %%
# Align, and score
# ----------------
#
# Features that need no model, through delays of 2 to 8 s, because blood is slow. Each run is
# predicted by an encoder that was fitted on the other two.

controls = concatenate([word_rate(stimulus), word_length(stimulus)], "controls")
X, Y, runs = align(controls, high_pass(recording, period=128), delays=delays_between(TR))
scores = cross_validate(RidgeEncoder(warn_edge=False), X, Y, LeaveOneRunOut(runs))
print(f"held-out r of {len(scores.mean)} voxels: {scores.mean.max():.2f} at best")

# %%
# Where in the brain?
# -------------------
#
# ``paint`` puts the score of each voxel back to its place.

(mask_path, *_) = sorted(prepared.glob("*_mask.nii.gz"))
maps = paint(scores.mean[None], recording.targets, mask_path, ["word rate + length"], "held-out r")
inside = planted[brain]
print(
    f"r: {scores.mean[inside].mean():.2f} in the planted voxels, "
    f"{scores.mean[~inside].mean():.2f} elsewhere"
)
surface_views(maps, threshold=0.15)
plt.show()

# %%
# The same as one command, with a layer of a language model beside the controls, maps and a verdict
# (``brainlm bids my-study`` prints the call that fits a folder)::
#
#     brainlm run encode_bids my-study --subject 01
#
# Confounds, surfaces, single runs and words in shared files: :doc:`/own-bids`.

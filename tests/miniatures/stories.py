"""fMRI of stories that follows a language model: a data set, and a folder of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from miniatures.words import CHINESE_TOLD
from support.new_mat import write_new

from brainlm import LanguageModel, Stimulus
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories
from brainlm.decoding.story_folder import write_layout

STEP, BEFORE = 0.71, 10.65  # the story begins 15 volumes after the recording
N_RUNS, N_WORDS = 6, 150
AFFINE = np.diag([4.0, 4, 4, 1])
AFFINE[:3, 3] = [-10, -20, 8]  # inside the brain


def smn4lang_fmri(folder: Path, model: LanguageModel, layer: int) -> tuple[dict, dict]:
    """Six stories of two and a half minutes; responses follow the words as the clock says."""
    base = folder / "derivatives"
    rng = np.random.default_rng(0)
    runs = [str(k + 1) for k in range(N_RUNS)]
    words = [rng.choice(CHINESE_TOLD, N_WORDS).tolist() for _ in runs]
    onset = BEFORE + 0.05 + np.arange(N_WORDS)
    stimulus = Stimulus(
        [w for each in words for w in each],
        "zh",
        np.tile(onset + LEAD, N_RUNS),
        np.full(N_RUNS * N_WORDS, 0.9),
        run=np.repeat(runs, N_WORDS),
    )
    simulation = Simulation(
        64, 30.0, responding=0.9, n_components=16, layer=layer, context=2, step=STEP
    )
    responses = simulate_stories(model, stimulus, simulation)  # sample k begins LEAD + k * STEP
    n_samples = 0
    for run, said in zip(runs, words, strict=True):
        volumes = 800 + 30 * responses[run].T.reshape(4, 4, 4, -1)
        image = nib.Nifti1Image(volumes.astype(np.float32), AFFINE)
        image.header.set_zooms((4, 4, 4, STEP))
        image.header.set_xyzt_units("mm", "sec")
        path = base / f"preprocessed_data/sub-01/MNI/sub-01_task-RDR_run-{run}_bold.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(image, path)
        table = base / f"annotations/time_align/word-level/story_{run}_word_time.mat"
        table.parent.mkdir(parents=True, exist_ok=True)
        write_new(table, said, start=onset, end=onset + 0.9)
        n_samples += volumes.shape[-1]
    facts = {
        "n_subjects": 1,
        "n_samples": n_samples,
        "n_targets": 64,
        "n_runs": N_RUNS,
        "n_words": N_RUNS * N_WORDS,
    }
    return facts, {"runs": runs, "words": {"runs": runs}}


def story_folder(
    folder: Path, model: LanguageModel, layer: int, known: Sequence[str], pace: float = 0.45
) -> Path:
    """Write the folder of participant S1: stories a and b to learn from, c and d to decode.

    ``pace`` is the time between the onsets of words, in seconds.
    """
    rng = np.random.default_rng(0)
    words = [rng.choice(known, 130).tolist() for _ in range(4)]
    onset = np.tile(0.05 + pace * np.arange(130), 4)
    runs = np.repeat(["a", "b", "c", "d"], 130)
    spoken = np.full(520, pace - 0.05)
    stories = Stimulus(np.concatenate(words).tolist(), "en", onset, spoken, run=runs)
    simulation = Simulation(60, 2.0, n_components=16, layer=layer, context=4)
    responses = simulate_stories(model, stories, simulation)
    return write_layout(folder, "S1", stories, responses, ("c", "d"))

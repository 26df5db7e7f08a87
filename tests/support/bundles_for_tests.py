"""A small bundle with something of everything."""

import numpy as np
import xarray

from brainlm.data.notes import Note
from brainlm.plotting import save_figures
from brainlm.results.bundle import load_bundle, save_bundle


def make_bundle(folder, seed=0, dataset="alice-fmri", **options):
    """Three spaces x two subjects x four targets, with a note of every kind."""
    rng = np.random.default_rng(seed)
    score = rng.normal(0.2, 0.05, (1, 3, 2, 4))
    score[0, 2] = np.nan  # an analysis that is undefined for one space
    scores = xarray.Dataset(
        {"score": (("analysis", "space", "subject", "target"), score)},
        coords={
            "analysis": ["ridge encoding"],
            "space": ["layer 1", "random (layer 1)", "<b>controls</b>"],
            "kind": ("space", ["layer", "random", "reference"]),
            "layer": ("space", [1, 1, -1]),
            "subject": ["s1", "s2"],
            "target": list("abcd"),
        },
        attrs={"label": "held-out r", "title": "a test", "n_samples": 100, "metric": "r"},
    )
    role = xarray.Dataset({"role": (("fold", "sample"), np.ones((2, 50), dtype=np.int8))})
    extra = xarray.Dataset({"p": ("region", [0.01, 0.5])}, coords={"region": ["x", "y"]})
    given = {
        "analysis": "encode_alice_fmri",
        "arrays": {"folds": role, "scores": scores, "tests": extra},
        "config": {"dataset": dataset, "delays": [1, 2]},
        "inputs": {"features": {"layer 1": {"model": "smollm2", "revision": "abc123"}}},
        "notes": [
            Note("3 of 8 alphas are on the lower edge of the grid (0.01)", "alpha_edge"),
            Note("leakage probe: r = -0.006", "leakage"),
            Note("excluded s33: all zeros", "excluded"),
            "<script>alert(1)</script>",
        ],
        "figures": ["layer_curve"],
    }
    bundle = load_bundle(save_bundle(folder, **(given | options)))
    save_figures(bundle)
    return bundle

"""Encoders of others against one's own: rotated voxels, equal voxels, and Alice."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from brainlm.encoding.across_subjects import NAMES, OWN, alignment_scores, alignment_table
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks

SPLIT = ContiguousBlocks(5, gap=2)


def listeners(rng, *, rotated, n=200, n_voxels=8, noise=2.0, signal=1.0):
    X = rng.standard_normal((n, 5))
    shared = signal * X @ rng.standard_normal((5, n_voxels))
    turns = [ortho_group.rvs(n_voxels, random_state=k) if rotated else np.eye(n_voxels)
             for k in range(5)]  # fmt: skip
    return X, [shared @ turn + noise * rng.standard_normal(shared.shape) for turn in turns]


def table_for(rng, **options):
    X, responses = listeners(rng, **options)
    names = [f"v{k}" for k in range(responses[0].shape[1])]
    scores = alignment_scores(X, responses, SPLIT, names, n_shared=5)
    return scores, alignment_table(scores).set_index("encoder")


def test_rotated_voxels_need_alignment(rng):
    _, table = table_for(rng, rotated=True)
    for method in ("procrustes", "srm", "ridge"):
        assert table.loc[NAMES[method], "over_anatomy"] > 0.1
        assert table.loc[NAMES[method], "over_anatomy_q"] < 0.05
    assert table.loc[NAMES["anatomy"], "over_own"] < 0


def test_equal_voxels_do_not(rng):
    _, table = table_for(rng, rotated=False)
    assert table.loc[NAMES["anatomy"], "over_own_low"] > -0.02
    assert table.loc[NAMES["procrustes"], "over_anatomy"] < 0.02


def test_without_signal_nothing_is_gained(rng):
    _, table = table_for(rng, rotated=True, signal=0.0)
    assert (abs(table["r"]) < 0.06).all()
    assert (table["over_own_q"] > 0.05).all()


def test_the_own_encoder_is_cross_validation(rng):
    scores, table = table_for(rng, rotated=True)
    X, responses = listeners(np.random.default_rng(0), rotated=True)
    own = cross_validate(RidgeEncoder(warn_edge=False), X, responses[2], SPLIT).values
    np.testing.assert_allclose(scores["subject_score"].sel(space=OWN).values[2], own)
    assert table.loc[OWN, "over_own"] == 0
    assert table.loc[OWN, "r"] == pytest.approx(float(scores["score"].sel(space=OWN).mean()))

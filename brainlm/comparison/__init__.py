"""Comparison of many feature spaces on many data sets by one method, in one table of scores.

``open_assembly`` brings a data set into the common shape of all comparisons. ``shared_words`` keeps
the words that every feature space covers. ``score_similarity`` and ``score_ridge`` score each space
on the same folds with the same metric. ``run_parts`` keeps every part on disk, so that an
interrupted study resumes, and ``tidy`` makes the table.
"""

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import (
    FeatureSpace,
    norm_space,
    permuted_space,
    shared_words,
    static_space,
)
from brainlm.comparison.layer_statistics import (
    Contrast,
    LayerProfile,
    compare_folds,
    context_gain,
    depth_difference,
    layer_profile,
)
from brainlm.comparison.opening import open_assembly
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.comparison.scoring import score_ridge, score_similarity
from brainlm.comparison.space_scores import SpaceScores
from brainlm.comparison.table import tidy

__all__ = [
    "Assembly",
    "Contrast",
    "FeatureSpace",
    "LayerProfile",
    "PartStore",
    "SpaceScores",
    "compare_folds",
    "context_gain",
    "depth_difference",
    "layer_profile",
    "norm_space",
    "open_assembly",
    "permuted_space",
    "run_parts",
    "score_ridge",
    "score_similarity",
    "shared_words",
    "static_space",
    "tidy",
]

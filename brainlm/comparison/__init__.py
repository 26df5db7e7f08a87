"""Comparison: many representations, many data sets, one method; one table of scores.

The engine of the studies. ``open_task`` brings a data set into the one shape that all are compared
in, ``shared_words`` keeps the words that every representation has, ``score_similarity`` and
``score_ridge`` score each on the same folds with the same metric, ``run_parts`` keeps every part on
disk, so that a killed run goes on, and ``tidy`` makes the table.
"""

from brainlm.comparison.assembly import Task, open_task
from brainlm.comparison.feature_spaces import (
    Source,
    norm_source,
    permuted_source,
    shared_words,
    static_source,
)
from brainlm.comparison.layer_statistics import (
    Contrast,
    LayerProfile,
    compare_folds,
    context_gain,
    depth_difference,
    layer_profile,
)
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.comparison.score_arrays import (
    KINDS,
    Space,
    score_table,
    stack_folds,
    stack_predictions,
    stack_scores,
)
from brainlm.comparison.scoring import SpaceScores, score_ridge, score_similarity
from brainlm.comparison.table import tidy

__all__ = [
    "KINDS",
    "Contrast",
    "LayerProfile",
    "PartStore",
    "Source",
    "Space",
    "SpaceScores",
    "Task",
    "compare_folds",
    "context_gain",
    "depth_difference",
    "layer_profile",
    "norm_source",
    "open_task",
    "permuted_source",
    "run_parts",
    "score_ridge",
    "score_similarity",
    "score_table",
    "shared_words",
    "stack_folds",
    "stack_predictions",
    "stack_scores",
    "static_source",
    "tidy",
]

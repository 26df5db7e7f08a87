"""Small stacked scores for the tests of comparison and plotting."""

import numpy as np

from brainlm.data.features import Features
from brainlm.data.scores import Scores
from brainlm.data.target_table import target_table, targets_of_subjects
from brainlm.encoding.encode import Space
from brainlm.encoding.labelled_scores import stack_scores

KINDS = ["layer", "layer", "random", "random", "reference"]


def spaces():
    """Two layers, their random embeddings, and a reference."""
    names = ["layer 0", "layer 1", "random 0", "random 1", "GloVe"]
    layers = [0, 1, 0, 1, -1]
    return [
        Space(Features(name, np.ones((20, 3))), kind, layer)
        for name, kind, layer in zip(names, KINDS, layers, strict=True)
    ]


def _scores(rng, targets, level):
    values = np.clip(rng.standard_normal((4, len(targets))) * 0.05 + level, -1, 1)
    return Scores(
        values,
        "r",
        targets,
        "encoder",
        "split",
        n_test=[5] * 4,
        n_train=[15] * 4,
        alphas=np.ones((4, len(targets))),
        predictions=rng.standard_normal((20, len(targets))),
    )


def by_fold(rng):
    """Scores of two analyses, five spaces, four folds, two targets; and the stacked data set."""
    levels = [0.3, 0.5, 0.0, 0.0, 0.4]
    scores = {name: [_scores(rng, ["a", "b"], x) for x in levels] for name in ("one", "two")}
    return scores, stack_scores(scores, spaces(), label="r", title="test")


def by_subject(rng):
    """Stacked scores of three subjects, with a ceiling."""
    targets = targets_of_subjects(dict.fromkeys(["s1", "s2", "s3"], target_table(list("ab"))))
    scores = {"one": [_scores(rng, targets, level) for level in (0.3, 0.5, 0.0, 0.0, 0.4)]}
    dataset = stack_scores(scores, spaces(), label="r", title="test")
    dataset["ceiling"] = (("subject", "target"), np.full((3, 2), 0.6))
    return dataset

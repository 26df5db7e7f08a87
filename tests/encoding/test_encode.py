import numpy as np
import pytest
from support.scores_for_tests import by_fold, by_subject, spaces

from brainlm.data.features import Features
from brainlm.encoding.encode import Space
from brainlm.encoding.labelled_scores import (
    score_table,
    stack_folds,
    stack_predictions,
    stack_scores,
)
from brainlm.encoding.splits import ContiguousBlocks


def test_stacked_scores_keep_every_value_in_its_place(rng):
    scores, dataset = by_fold(rng)
    np.testing.assert_array_equal(
        dataset["score"].sel({"analysis": "two", "space": "GloVe"}), scores["two"][4].values
    )
    assert dict(dataset.sizes) == {"analysis": 2, "space": 5, "fold": 4, "target": 2, "column": 2}
    subjects = by_subject(rng)
    assert dict(subjects["score"].sizes) == {"analysis": 1, "space": 5, "subject": 3, "target": 2}
    assert dict(subjects["fold_score"].sizes) == {"analysis": 1, "space": 5, "fold": 4, "target": 2}
    np.testing.assert_allclose(
        subjects["fold_score"].mean("fold"), subjects["score"].mean("subject"), atol=0.01
    )
    predictions = stack_predictions(scores, spaces())
    assert predictions["prediction"].shape == (2, 5, 20, 2)
    role = stack_folds(ContiguousBlocks(4, gap=1), 20)["role"].values
    assert role[0].tolist() == [2] * 5 + [0] + [1] * 14


def test_table_gives_mean_and_interval_and_a_dash_where_there_is_no_score(rng):
    _, dataset = by_fold(rng)
    dataset["fold_score"][1, 4] = np.nan
    table = score_table(dataset)
    values = dataset["score"].sel({"analysis": "one", "space": "layer 0"}).mean("target").values
    # t(3), .975; the test folds have a third of the training samples
    half = 3.182446305284263 * values.std(ddof=1) * np.sqrt(1 / 4 + 1 / 3)
    assert table.loc["layer 0", "one"] == f"{values.mean():6.3f} ± {half:.3f}"
    assert table.loc["GloVe", "two"] == "-"


def test_kinds_and_names_are_checked(rng):
    with pytest.raises(ValueError, match="Did you mean 'layer'"):
        Space(Features("x", np.ones((3, 2))), "layers")
    scores, _ = by_fold(rng)
    twice = [*spaces()[:4], spaces()[0]]
    with pytest.raises(ValueError, match="names must be unique"):
        stack_scores(scores, twice, label="r", title="test")

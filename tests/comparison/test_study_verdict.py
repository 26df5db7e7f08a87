"""Verdict of a study: rows of tested gains, and the sentence that counts data sets."""

import numpy as np
import pandas as pd
import pytest

from brainlm.comparison.layer_gains import layer_gains
from brainlm.comparison.study_verdict import (
    study_sentence,
    study_verdict,
    study_verdict_dataset,
    verdict_of_gains,
    verdict_row,
)

ABOUT = {"modality": "eeg", "language": "en", "level": "word"}


def row(dataset, source, reference, gain, p):
    found = {"gain": gain, "low": gain - 0.1, "high": gain + 0.1, "p": p}
    found |= {"p_stimuli": p, "p_random": np.nan}
    return verdict_row({"dataset": dataset, **ABOUT}, source, reference, 0.2, found)


def test_a_sentence_counts_data_sets():
    table = study_verdict(
        [
            row("one", "m", "static vectors", -0.3, 0.001),
            row("one", "m", "the controls", 0.3, 0.001),
            row("two", "m", "static vectors", 0.1, 0.8),
            row("two", "m", "the controls", 0.3, 0.001),
        ]
    )
    assert table["reference"].tolist() == ["the controls"] * 2 + ["static vectors"] * 2
    assert table["comparison"].tolist() == ["added to"] * 2 + ["instead of"] * 2
    assert table["model"].tolist() == pytest.approx([0.5, 0.5, -0.1, 0.3])
    assert table["q"].tolist() == pytest.approx([0.004 / 3] * 3 + [0.8])
    assert study_sentence(table) == (
        "m predicts more than the controls alone in 2 of 2, static vectors in 0 of 2 data sets "
        "(q <= .05). It predicts less than static vectors in one."
    )
    assert study_verdict_dataset(table).attrs["sentence"] == study_sentence(table)


def test_without_a_language_model_there_is_no_verdict():
    assert not len(study_verdict([]))


def part(rng, scores, *, twin=None, n_folds=6, n_draws=5):
    """A part of a study whose two layers score as given, and its twin."""
    import xarray

    layers = len(scores)
    draw = 0.01 * rng.standard_normal((layers, n_draws, n_folds))
    noise = 0.01 * rng.standard_normal((layers, n_folds))
    arrays = {
        "fold_score": (("space", "fold"), np.array(scores)[:, None] + noise),
        "fold_beyond": (("space", "fold"), np.array(scores)[:, None] / 2 + noise),
        "control": ("fold", np.full(n_folds, 0.1)),
        "random": (("layer", "draw", "fold"), draw),
        "random_beyond": (("layer", "draw", "fold"), draw),
        "null": (("space", "permutation"), 0.01 * rng.standard_normal((layers, 9))),
    }
    if twin is not None:
        arrays["untrained"] = (("layer", "fold"), twin + noise[:, ::-1])
    names = [f"m layer {k}" for k in range(layers)] if layers > 1 else ["glove"]
    attrs = {"test_ratio": 0.2, "timed": 0}
    return xarray.Dataset(arrays, coords={"space": names}, attrs=attrs)


@pytest.mark.parametrize(("twin", "found"), [(0.0, "more"), (0.3, "undecided")])
def test_a_twin_that_scores_alike_leaves_no_gain(rng, twin, found):
    facts = {"dataset": "one", **ABOUT, "level": "sentence", "n_items": 90, "n_units": 6}
    layers = [
        {**facts, "model": "m", "family": "causal", "space": f"m layer {k}", "layer": k,
         "depth": k / 2, "q": 0.01}
        for k in range(3)
    ]  # fmt: skip
    static = {**facts, "model": "glove", "family": "static", "space": "glove", "layer": -1}
    table = pd.DataFrame([*layers, {**static, "depth": -1.0, "q": 0.01}])
    parts = {"one | m": part(rng, [0.1, 0.2, 0.3], twin=twin), "one | glove": part(rng, [0.1])}
    gains, _ = layer_gains(table, parts)
    judged = verdict_of_gains(gains).set_index("reference")
    assert judged["verdict"]["its untrained twin"] == found
    assert judged["verdict"]["the controls"] == "more"
    assert judged["model"]["static vectors"] == pytest.approx(0.3, abs=0.02)
    assert judged["gain"]["its untrained twin"] == pytest.approx(0.3 - twin, abs=0.02)

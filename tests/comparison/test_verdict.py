import numpy as np
import pytest
from scipy.stats import ttest_1samp

from brainlm.comparison.verdict import verdict, verdict_dataset, verdict_sentence
from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.block_scaler import ridge_of_blocks
from brainlm.encoding.encode import Space, encode, with_baselines
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.errors import UnknownNameError
from brainlm.features.baselines import word_length

SPLIT = ContiguousBlocks(6, gap=3)
TWIN = "made (untrained 0)"


def planted(seed, *, meaning=0.0, length=1.0, untrained=0.0, n=300):
    """Responses to words follow layer 1, word length, and an untrained twin."""
    rng = np.random.default_rng(seed)
    types = ["".join(rng.choice(list("abcdef"), rng.integers(2, 9))) for _ in range(120)]
    words = [types[i] for i in rng.integers(0, 120, n)]
    items = [str(i) for i in range(n)]
    stimulus = Stimulus(words, "en", item=items)
    _, index = np.unique(words, return_inverse=True)

    def vectors(k):
        return rng.standard_normal((index.max() + 1, k))[index]

    layers = [
        Features(f"layer {k}", vectors(20), stimulus, origin={"layer": k, "model": "made"})
        for k in (0, 1)
    ]
    twins = [
        Features(
            f"layer {k}", vectors(20), stimulus, origin={"layer": k, "model": "made (untrained 0)"}
        )
        for k in (0, 1)
    ]
    controls = word_length(stimulus)
    Y = 2.0 * rng.standard_normal((n, 6))
    Y += meaning * layers[1].values[:, :6] + length * controls.values
    Y += untrained * twins[1].values[:, :6]
    recording = Recording(Y, list("abcdef"), "ratings", "z", items=items)
    spaces = with_baselines(layers, untrained=twins, added=[controls])
    return encode(spaces, recording, SPLIT, {"ridge": ridge_of_blocks})


def test_a_planted_meaning_is_found_beyond_everything():
    table = verdict(planted(0, meaning=1.5), n_draws=5)
    assert table["reference"].tolist() == [
        "word length",
        "its untrained twin",
        "random vectors with its geometry",
    ]
    assert (table["verdict"] == "more").all()
    np.testing.assert_allclose(table["gain"], table["model"] - table["other"])
    assert verdict_sentence(table, "made").startswith("made predicts more than word length alone")


def test_what_the_twin_has_is_no_gain_of_the_model():
    table = verdict(planted(1, untrained=1.5, length=0), n_draws=3).set_index("reference")
    assert table["verdict"]["its untrained twin"] == "less"


@pytest.mark.long
def test_a_model_without_meaning_is_undecided():
    found = [verdict(planted(seed), n_draws=3)["verdict"] != "undecided" for seed in range(10, 20)]
    assert np.mean(found) <= 0.1


def test_rows_by_hand():
    result = planted(2, meaning=0.5)
    table = verdict(result, n_draws=0)
    scores = result.scores["fold_score"].sel(analysis="ridge").mean("target")
    joint = np.stack(
        [scores.sel(space=f"layer {k} + word length") - scores.sel(space="word length")
         for k in (0, 1)]
    )  # fmt: skip
    folds = np.arange(6)
    chosen = [np.delete(joint, fold, axis=1).mean(axis=1).argmax() for fold in folds]
    row = table.iloc[0]
    assert row["gain"] == pytest.approx(joint[chosen, folds].mean())
    assert np.isnan(row["p_random"])
    assert row["p"] == row["p_stimuli"]


def test_a_bundle_keeps_rows_and_sentence():
    table = verdict(planted(3, meaning=1.0), n_draws=0)
    kept = verdict_dataset(table, "made")
    assert kept["reference"].values.tolist() == table["reference"].tolist()
    assert kept.attrs["sentence"] == verdict_sentence(table, "made")


def test_bad_input_is_named():
    result = planted(4)
    with pytest.raises(UnknownNameError, match="'ols' is not in the result; it has ridge"):
        verdict(result, "ols")
    words = result.spaces[0].features[0]
    alone = encode([Space(words, "layer", 0)], result.recording, SPLIT, {"ridge": ridge_of_blocks})
    with pytest.raises(ValueError, match="nothing to compare the layers with"):
        verdict(alone)
    lacking = encode(
        [Space(words, "layer", 0), Space((words, word_length(words.stimulus)), "added", 0)],
        result.recording,
        SPLIT,
        {"ridge": ridge_of_blocks},
    )
    with pytest.raises(ValueError, match="'word length' is added to layers, but"):
        verdict(lacking, n_draws=0)


def three(seed, **options):
    return [planted(100 * seed + k, **options) for k in range(4)]


@pytest.mark.long
def test_of_several_subjects_the_interval_is_over_subjects():
    table = verdict(three(1, meaning=1.0), n_draws=3)
    assert (table["verdict"] == "more").all()
    gains = [verdict(each, n_draws=0)["gain"][0] for each in three(1, meaning=1.0)]
    assert table["gain"][0] == pytest.approx(np.mean(gains), abs=0.01)  # layers may differ
    assert (table["p"] == table[["p_stimuli", "p_random", "p_subjects"]].max(axis=1)).all()
    half = ttest_1samp(gains, 0).confidence_interval()
    np.testing.assert_allclose(table.loc[0, ["low", "high"]].astype(float), half, atol=0.02)


def test_a_gain_of_one_subject_is_no_gain_of_the_group():
    results = [planted(200, meaning=2.0, length=0), *(planted(k, length=0) for k in (201, 202))]
    table = verdict(results, n_draws=0)
    assert (table["p_subjects"] > 0.1).all()
    assert (table["verdict"] == "undecided").all()


def test_one_result_in_a_list_is_that_result():
    result = planted(5, meaning=0.5)
    assert verdict([result], n_draws=0).equals(verdict(result, n_draws=0))


def test_subjects_with_other_spaces_are_refused():
    result = planted(6)
    fewer = encode(result.spaces[:-1], result.recording, SPLIT, {"ridge": ridge_of_blocks})
    with pytest.raises(ValueError, match="2 results must have the same spaces"):
        verdict([result, fewer])

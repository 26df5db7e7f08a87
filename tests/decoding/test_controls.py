"""The brain against its controls, on numbers alone."""

import numpy as np
import pytest
import xarray

from brainlm.decoding.controls import (
    brain_conditions,
    cautions,
    compare_over_units,
    compare_to_draws,
    condition_kind,
    unit_means,
)
from brainlm.decoding.replication import compare_gains, crossed_interval, summarise, verdict
from brainlm.decoding.sentence_study import permute_topics
from brainlm.errors import UnknownNameError

DRAWN = ["permuted brain", "permuted brain 2", "noise input", "noise input 2", "noise input 3"]
NAMES = ["brain", *DRAWN, "language model", "ceiling"]


def test_draws_are_known_by_their_number():
    assert condition_kind("Tang: noise input 12") == "Tang: noise input"
    assert condition_kind("brain") == "brain"
    assert brain_conditions(["Tang: brain", "Tang: permuted brain", "ceiling"]) == ["Tang: brain"]


def test_brain_is_compared_with_the_mean_of_all_draws():
    scores = np.zeros((8, 1, 30))
    scores[:, 0] = np.array([0.5, 0.2, 0.4, 0.1, 0.2, 0.3, 0.0, 0.6])[:, None]
    scores[0, 0, 3] = np.nan  # a window that one condition lacks is left out of all
    found = compare_to_draws(scores, NAMES, ["bleu-1"]).sel(metric="bleu-1", brain="brain")
    noise = found.sel(control="noise input")
    assert float(noise["over"]) == pytest.approx(0.3)
    assert float(noise["control_sd"]) == pytest.approx(0.1)
    assert float(noise["over_low"]) == pytest.approx(0.3 - 4.3027 * 0.1 * np.sqrt(4 / 3), abs=1e-4)
    assert float(found.sel(control="permuted brain")["over"]) == pytest.approx(0.2)
    single = compare_to_draws(scores[[0, 1, 3]], [NAMES[i] for i in (0, 1, 3)], ["bleu-1"])
    assert np.isnan(single["over_p"]).all()  # one draw is no test
    assert single["over"].sel(control="noise input").item() == pytest.approx(0.4)


def test_paired_differences_over_topics_hold_their_level_and_find_a_gain():
    rng = np.random.default_rng(0)
    topics = np.repeat([f"t{i}" for i in range(12)], 10)
    p, by_sentence = {0.0: [], 0.1: []}, []
    for gain, found in p.items():
        for _ in range(150):
            scores = np.repeat(0.1 * rng.standard_normal((8, 1, 12)), 10, axis=2)  # of a topic
            scores += 0.1 * rng.standard_normal(scores.shape)
            scores[0] += gain
            each = compare_over_units(scores, NAMES, ["x"], topics)
            found.append(each["over_p"].sel(control="noise input").values)
            d = scores[0, 0] - scores[[3, 4, 5], 0].mean(axis=0)
            by_sentence.append(abs(d.mean()) > 1.98 * d.std(ddof=1) / np.sqrt(len(d)))
    assert np.mean(np.array(p[0.0]) <= 0.05) == pytest.approx(0.05, abs=0.05)
    assert np.mean(np.array(p[0.1]) <= 0.05) > 0.6
    assert np.mean(by_sentence[:150]) > 0.3  # sentences of a topic are no sample
    assert int(each["n_units"]) == 12
    assert set(each["control"].values) == {"permuted brain", "noise input", "language model"}


def test_units_weigh_the_same():
    means = unit_means(np.array([1.0, 3.0, 10.0]), np.array(["a", "a", "b"]))
    np.testing.assert_allclose(means, [2, 10])


def test_what_contradicts_a_score_is_said_first():
    score = [
        [0.3, 0.3],
        [0.35, 0.1],
        [0.35, 0.2],
        [0.1, 0.1],
        [0.1, 0.1],
        [0.1, 0.1],
        [0, 0],
        [0.4, 0.2],
    ]
    scores = xarray.Dataset(
        {"score": (("condition", "metric"), score)},
        coords={"condition": NAMES, "metric": ["bleu-1", "meteor"]},
    )
    assert cautions(scores) == [
        "Caution: brain scores above the ceiling, no upper bound, in meteor (0.300 against 0.200)",
        "Caution: brain scores below its own permuted responses in bleu-1 (0.300 against 0.350)",
    ]
    assert cautions(scores.expand_dims(snr=[2.0]))[0].startswith("Caution, SNR 2: brain scores abo")


@pytest.mark.parametrize("spread", [(0, 0), (1, 0), (0, 1), (1, 1), (3, 3)])
def test_intervals_over_stories_and_subjects_hold_their_level(spread):
    rng = np.random.default_rng(1)
    story, subject = (
        s * rng.standard_normal((3000, n)) for s, n in zip(spread, (5, 3), strict=True)
    )
    values = story[:, :, None] + subject[:, None] + rng.standard_normal((3000, 5, 3))
    missed = [not found.low <= 0 <= found.high for found in map(crossed_interval, values)]
    assert np.mean(missed) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 3000)
    with pytest.raises(ValueError, match=r"got shape \(1, 3\)"):
        crossed_interval(np.zeros((1, 3)))


def cells(gain, n_stories=5, n_subjects=3, seed=0):
    """Cells in which MapGuide gains ``gain`` more; both share a gain that needs no brain."""
    rng = np.random.default_rng(seed)
    names = [
        f"{scorer}: {kind}"
        for scorer in ("Tang", "MapGuide")
        for kind in ("brain", "noise input", "noise input 2")
    ]
    dims = ("snr", "subject", "story", "condition", "metric")
    score = 0.2 + 0.01 * rng.standard_normal((1, n_subjects, n_stories, len(names), 1))
    score[..., 3:, :] += 0.1  # how the training texts sound
    score[..., 3, :] += gain
    null = 0.15 + 0.01 * rng.standard_normal((1, n_subjects, n_stories, 6, 1))
    return xarray.Dataset(
        {
            "score": (dims, score),
            "gain": (dims, score - 0.15),
            "null_mean": (dims, 0 * score + 0.15),
            "share": (dims, 0 * score),
            "z": (dims, 0 * score),
            "null_score": ((*dims[:3], "null", "metric"), null),
            "mapping_r": (dims[:3], 0 * score[..., 0, 0] + 0.25),
        },
        coords={
            "snr": [3.0],
            "subject": range(n_subjects),
            "condition": names,
            "story": [f"s{i}" for i in range(n_stories)],
            "metric": ["bleu-1"],
        },
    )


def test_a_guide_gains_more_only_where_the_interval_says_so():
    nothing = compare_gains(cells(0.0), "bleu-1")
    assert nothing["difference_raw"].item() == pytest.approx(0.1, abs=0.02)  # 15 of 15 cells
    assert nothing["verdict"].item() == "undecided"
    assert nothing["low"].item() < 0 < nothing["high"].item()
    assert compare_gains(cells(0.1), "bleu-1")["verdict"].item() == "MapGuide gains more"
    assert compare_gains(cells(-0.1), "bleu-1")["verdict"].item() == "Tang gains more"
    few = compare_gains(cells(0.1, 4), "bleu-1")["verdict"].item()
    assert few == "undecided (4 stories, 3 subjects; a verdict takes 5 and 3)"
    assert verdict(0.1, 0.2, (5, 2), "a", "b").startswith("undecided (5 stories, 2 subjects")
    with pytest.raises(UnknownNameError, match="unknown score 'bleu'"):
        compare_gains(cells(0.0), "bleu")


def test_cells_are_averaged_with_draws_pooled():
    given = cells(0.0)
    found = summarise(given)
    names = ["Tang: brain", "Tang: noise input", "MapGuide: brain", "MapGuide: noise input"]
    assert found["condition"].values.tolist() == names
    noise = found.sel(condition="MapGuide: noise input", metric="bleu-1", snr=3)
    own = given["gain"].sel(condition=["MapGuide: noise input", "MapGuide: noise input 2"])
    assert float(noise["gain"]) == pytest.approx(float(own.mean()))
    assert int(noise["n_draws"]) == 2
    assert float(noise["gain_low"]) < float(noise["gain"]) < float(noise["gain_high"])
    assert found["mapping_r"].item() == pytest.approx(0.25)
    means = given["null_score"].mean(("story", "subject")).std("null", ddof=1)
    assert float(noise["null_half"]) == pytest.approx(2 * means.item(), rel=0.6)


def test_permuted_sentences_move_with_their_topic():
    rng = np.random.default_rng(0)
    topics = np.array(["a"] * 4 + ["b"] * 4 + ["c"] * 3 + ["d"] * 6 + ["e"] * 6)
    passages = np.array([f"{t}/{i // 2}" for t, i in zip(topics, range(23), strict=True)])
    for _ in range(20):
        rows = permute_topics(topics, passages, rng)
        assert (topics[rows] != topics).all()
        for name in "abcde":
            moved = rows[topics == name]
            assert len(set(topics[moved])) == 1  # whole topics
            assert (np.diff(moved)[:2] == 1).all()  # in their order
        assert set(topics[rows[topics == "d"]]) == {"e"}  # three passages, like its own
    with pytest.raises(ValueError, match="belong to the topic 'a'"):
        permute_topics(topics[:4], passages[:4], rng)

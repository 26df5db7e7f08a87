"""People as units: own responses to different items, and targets that differ between people."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr, ttest_1samp
from support.cogbench_files import write_words
from support.comparison_tasks import array_source, word_task

from brainlm.comparison.layer_scores import layer_part, rows_of
from brainlm.comparison.opening import by_person, open_assembly
from brainlm.comparison.responses import Responses, over_subjects, over_targets
from brainlm.comparison.scoring import fixed_ridge, score_ridge, score_similarity
from brainlm.comparison.space_scores import fit_controls
from brainlm.data.recording import Recording
from brainlm.data.scores import fisher_mean, fisher_z, observed_pearson
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import is_on_disk
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.stats.noise_ceiling import leave_one_subject_out

pytestmark = [
    pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning"),
    pytest.mark.filterwarnings("ignore::brainlm.features.baselines.UnknownWordsWarning"),
]
SPLIT = ContiguousBlocks(5)


def readers(rng, signal, n_people=6, share=0.9, noise=1.0):
    """People who each responded to a share of the words."""
    n_words = len(signal)
    words = [f"w{i:04d}" for i in range(n_words)]
    stimulus = Stimulus(words, "en", text=words)
    opened = []
    for person in range(n_people):
        rows = np.sort(rng.choice(n_words, int(share * n_words), replace=False))
        data = signal[rows] + noise * rng.standard_normal((len(rows), signal.shape[1]))
        items = [words[row] for row in rows]
        recording = Recording(5 * data + 3, ["a", "b"], "eeg", "uV", items=items)
        opened.append((f"p{person}", stimulus, recording))
    return opened


def assembly_of(rng, opened):
    task = word_task(rng, rng.standard_normal((300, 3)))
    stimulus, recording, people, names = by_person(opened, "made")
    return replace(
        task,
        stimulus=stimulus,
        recording=recording,
        subjects=names,
        n_people=len(names),
        people=people,
    )


def test_people_with_different_items_are_scored_one_by_one(rng):
    X = rng.standard_normal((300, 8))
    signal = X @ rng.standard_normal((8, 2))
    task = assembly_of(rng, readers(rng, signal / signal.std(axis=0)))
    X = X[[int(item[1:]) for item in task.recording.items]]
    ridge = fixed_ridge(RidgeEncoder(), X, task.responses)
    found = score_ridge(X, task.responses, SPLIT, encoder=ridge)
    assert found.values.shape == (5, 12)
    means = task.recording.data
    for fold, (train, test) in enumerate(SPLIT.split(X)):
        predicted = ridge.fit(X[train], means[train]).predict(X[test])
        own = task.people[test]
        for person in (0, 5):
            here = np.isfinite(own[:, person, 1])
            r = pearsonr(predicted[here, 1], own[here, person, 1]).statistic
            np.testing.assert_allclose(found.values[fold, 2 * person + 1], r)
    # What is planted is all that people share, and noise has the same variance.
    assert task.mean_ceiling() == pytest.approx(1 / np.sqrt(2 * 1.2), abs=0.05)
    assert found.score == pytest.approx(np.sqrt(0.5), abs=0.05)


@pytest.mark.parametrize("method", ["similarity", "ridge"])
def test_a_study_of_people_finds_what_was_planted_and_no_more(rng, method):
    X = rng.standard_normal((300, 8))
    signal = X @ rng.standard_normal((8, 2))
    noise = rng.standard_normal((300, 8))
    task = assembly_of(rng, readers(rng, signal / signal.std(axis=0)))
    source, words = array_source("m", [X, noise]), np.ones(300, dtype=bool)
    part = layer_part(task, source, words, n_permutations=19, method=method, n_random=2)
    planted, nothing = (row for row in rows_of(part) if row["family"] != "random")
    assert planted["p"] == 0.05
    assert planted["score"] > 0.4
    assert planted["n_subjects"] == 6
    assert planted["n_targets"] == 2
    assert planted["subject_low"] < planted["score"] < planted["subject_high"]
    assert planted["ceiling"] > 0.5
    assert planted["beyond_controls"] > 0.3
    assert abs(nothing["score"]) < 0.08
    assert nothing["p"] > 0.05
    assert np.isfinite(part["fold_score"].values).all()
    assert abs(float(part["null"].mean())) < 0.03


def test_complete_responses_of_people_score_as_arrays_do(rng):
    X, Y = rng.standard_normal((90, 6)), rng.standard_normal((90, 2))
    alone = Responses(Y)
    same = Responses(Y, np.hstack([Y, Y]), np.array([0, 0, 1, 1]), np.ones(4))
    orders = [rng.permutation(90) for _ in range(4)]
    for score in (score_ridge, score_similarity):
        given = [
            score(X, Z, SPLIT, orders=orders, controls=fit_controls(X[:, :2], Z, SPLIT))
            for Z in (alone, same)
        ]
        for name in ("values", "beyond"):
            one, two = (getattr(each, name) for each in given)
            np.testing.assert_allclose(np.tile(one, (1, 2)), two, atol=1e-6)
        for name in ("null", "by_fold", "score", "observed", "p", "interval"):
            one, two = (getattr(each, name) for each in given)
            one, two = (value() if callable(value) else value for value in (one, two))
            np.testing.assert_allclose(one, two, atol=1e-6)


def test_correlations_leave_missing_values_out(rng):
    A, B = rng.standard_normal((2, 40, 3))
    B[rng.random(40) < 0.4, 0] = np.nan
    B[8:, 1] = np.nan
    r = observed_pearson(A, B)
    here = np.isfinite(B[:, 0])
    np.testing.assert_allclose(r[0], pearsonr(A[here, 0], B[here, 0]).statistic)
    np.testing.assert_allclose(r[2], pearsonr(A[:, 2], B[:, 2]).statistic)
    assert np.isnan(r[1])


def test_the_ceiling_of_people_with_missing_responses(rng):
    data = rng.standard_normal((4, 60, 2)) + rng.standard_normal((60, 2))
    complete = leave_one_subject_out(data)
    holes = data.copy()
    holes[rng.random((4, 60)) < 0.1] = np.nan
    found = leave_one_subject_out(holes)
    others = np.nanmean(holes[1:], axis=0)
    here = np.isfinite(holes[0, :, 0]) & np.isfinite(others[:, 0])
    expected = pearsonr(others[here, 0], holes[0, here, 0]).statistic
    np.testing.assert_allclose(found[0, 0], expected)
    holes = data.copy()
    holes[0, 0] = np.nan  # one missing value changes little
    np.testing.assert_allclose(leave_one_subject_out(holes), complete, atol=0.1)


def test_subjects_with_other_numbers_of_targets_count_alike(rng):
    X = rng.standard_normal((120, 6))
    widths = (2, 5, 11)
    data = [X @ rng.standard_normal((6, n)) + rng.standard_normal((120, n)) for n in widths]
    subject = np.repeat([0, 1, 2], widths)
    Y = Responses(np.hstack(data), subject=subject, weight=1 / np.bincount(subject)[subject])
    orders = [rng.permutation(120) for _ in range(3)]
    for score in (score_ridge, score_similarity):
        found = score(X, Y, SPLIT, orders=orders)
        own = [score(X, y, SPLIT, orders=orders) for y in data]
        z = np.mean([fisher_z(each.by_fold) for each in own], axis=0)
        np.testing.assert_allclose(found.by_fold, np.tanh(z), atol=1e-5)
        np.testing.assert_allclose(found.score, np.tanh(z.mean()), atol=1e-5)
        null = np.tanh(np.mean([fisher_z(each.null) for each in own], axis=0))
        np.testing.assert_allclose(found.null, null, atol=1e-5)


def test_the_interval_over_people_is_that_of_student(rng):
    values, subject = rng.uniform(0, 0.5, (4, 9)), np.repeat([0, 1, 2], 3)
    z = [np.mean(fisher_z(values[:, subject == who])) for who in range(3)]
    expected = ttest_1samp(z, 0).confidence_interval()
    np.testing.assert_allclose(over_subjects(values, subject), np.tanh(expected))
    assert np.isnan(over_subjects(values[:, :6], subject[:6])).all()
    values[:, 0] = np.nan
    weight = np.ones(9)
    np.testing.assert_allclose(
        over_targets(values, weight), fisher_z(np.tanh(values[:, 1:].mean(axis=1)))
    )
    assert fisher_mean(values[:, 1:]).shape == (8,)


def test_words_of_cogbench_open_with_the_voxels_of_each_subject(tmp_path, rng):
    words = [f"词{i}" for i in range(120)]
    X = rng.standard_normal((120, 6))
    data = {
        who: X @ rng.standard_normal((6, n)) + rng.standard_normal((120, n))
        for who, n in (("01", 12), ("02", 30), ("03", 21))
    }
    home = tmp_path / "cogbench"
    for part, rows in {"train": slice(0, 80), "dev": slice(80, 120)}.items():
        write_words(home / part, words[rows], {who: y[rows] for who, y in data.items()})
    task = open_assembly("cogbench-words", tmp_path)
    assert task.recording.n_targets == 63
    assert not task.shares_targets
    assert task.ceiling() is None
    assert np.isnan(task.mean_ceiling())
    assert task.n_targets == 21
    assert any(
        "targets differ between subjects (12 to 30)" in note for note in task.recording.notes
    )
    place = {item: i for i, item in enumerate(words)}
    rows = [place[w] for w in task.stimulus.words]
    source, every = array_source("m", [X[rows]]), np.ones(120, dtype=bool)
    ordered = X[[place[item] for item in task.recording.items]]
    part = layer_part(task, source, every, n_permutations=19, n_random=2)
    row = rows_of(part)[0]
    assert row["p"] == 0.05
    assert row["n_subjects"] == 3
    own = [
        np.mean(fisher_z(score_similarity(ordered, y, task.split, published=False).values))
        for y in np.split(task.recording.data, [12, 42], axis=1)
    ]
    assert row["score"] == pytest.approx(np.tanh(np.mean(own)), abs=1e-5)


def test_people_with_few_items_or_repeated_ones_are_named(rng):
    opened = readers(rng, rng.standard_normal((300, 2)))
    who, stimulus, recording = opened[0]
    opened[0] = who, stimulus, recording.select_samples(np.arange(270) < 60, "few")
    _, recording, people, names = by_person(opened, "made")
    assert names == ("p1", "p2", "p3", "p4", "p5")
    assert any("under 100 items: p0" in note for note in recording.notes)
    assert np.isfinite(people).all(axis=2).sum(axis=1).min() >= 5
    who, stimulus, recording = opened[1]
    again = np.r_[np.arange(120), 0]
    opened[1] = who, stimulus, recording.select_samples(again, "again")
    with pytest.raises(ValueError, match="'p1' has repeated items"):
        by_person(opened, "made")


@pytest.mark.skipif(not is_on_disk("ucl-erp-people"), reason="the data set is not here")
def test_n400_of_people_opens_with_a_ceiling():
    task = open_assembly("ucl-erp-people", max_subjects=6)
    assert task.facts["n_subjects"] == 6
    assert task.people.shape[1:] == (6, 1)
    assert np.isnan(task.people).any()
    assert 0.03 < task.mean_ceiling() < 0.5


@pytest.mark.long
def test_people_who_share_noise_do_not_make_noise_significant():
    words, hits = [f"w{i:03d}" for i in range(120)], 0
    stimulus = Stimulus(words, "en", text=words)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        shared = rng.standard_normal((120, 1))  # what all people say to a word, not in the features
        opened = []
        for person in range(6):
            rows = np.sort(rng.choice(120, 108, replace=False))
            items = [words[row] for row in rows]
            data = shared[rows] + rng.standard_normal((108, 1))
            opened.append(
                (f"p{person}", stimulus, Recording(data, ["a"], "eeg", "uV", items=items))
            )
        _, recording, people, _ = by_person(opened, "made")
        scored = people.reshape(len(people), -1)
        Y = Responses(recording.data, scored, np.arange(6), np.ones(6))
        X = rng.standard_normal((len(people), 8))
        orders = [rng.permutation(len(X)) for _ in range(19)]
        split = ContiguousBlocks(3, gap=2)
        hits += score_similarity(X, Y, split, orders=orders, published=False).p <= 0.05
    assert hits <= 12  # 5 expected; 13 or more in one of 600 runs

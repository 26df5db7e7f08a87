"""Scores of CogBench, on files in its layout, against small implementations from its rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from miniatures.cards import copy_card
from scipy.stats import gamma, pearsonr
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold
from support.cogbench_files import write_gaze, write_meg, write_responses, write_story, write_words

from brainlm import Features, Stimulus, align, random_like
from brainlm.datasets.open import open_dataset
from brainlm.encoding.cogbench import (
    eye_tracking,
    fmri,
    mean_pattern_score,
    predict_stories,
    predict_words,
    story_features,
    top_tenth,
    word_fmri,
)
from brainlm.encoding.cogbench_sensors import choose_sensors, meg
from brainlm.encoding.similarity import leave_one_out_scores

N_FEATURES = 12


@pytest.fixture
def opened(tmp_path):
    """Open small files in the layout of a card."""
    folder = tmp_path / "root/cogbench"

    def open_card(name, subject=None, **facts):
        card = copy_card(name, tmp_path / f"{name}.toml", facts=facts)
        return open_dataset(card, subject, root=folder.parent)

    return folder, open_card


def embedded(rng, stimulus, n_features=N_FEATURES):
    """Return features of words: equal words have equal rows."""
    types, index = np.unique(stimulus.words.astype(str), return_inverse=True)
    return rng.standard_normal((len(types), n_features))[index]


def chinese(n):
    return [chr(0x4E00 + i) for i in range(n)]


# Words


def word_files(folder, rng, counts):
    """Responses with a mean pattern, a column of zeros and a linear effect."""
    words = chinese(sum(counts.values()))
    table = rng.standard_normal((len(words), N_FEATURES))
    pattern = rng.standard_normal(30)
    Y = table @ rng.standard_normal((N_FEATURES, 30)) + 6 * rng.standard_normal((len(words), 30))
    Y += 4 * pattern
    start = 0
    for part, n in counts.items():
        own = Y[start : start + n]
        own[:, 4] *= part == "train"  # silent in the test words
        write_words(folder / part, words[start : start + n], {"01": own})
        start += n
    return table, Y


def best_tenth(predicted, truth):
    keep = [v for v in range(truth.shape[1]) if any(truth[:, v] != 0)]
    r = sorted(pearsonr(p[keep], t[keep])[0] for p, t in zip(predicted, truth, strict=True))
    n = max(1, int(0.1 * len(r)))
    return sum(r[-n:]) / n


@pytest.mark.parametrize("tested", ["dev", "test"])
def test_word_fmri_with_parts(opened, rng, tested):
    folder, open_card = opened
    counts = {"train": 60, "dev": 24} | ({"test": 21} if tested == "test" else {})
    X, _ = word_files(folder, rng, counts)
    n = sum(counts.values())
    stimulus, recording = open_card("cogbench-words", "01", n_samples=n, n_targets=30, n_words=n)
    X = X[[chinese(n).index(word) for word in stimulus.words]].copy()
    X[3] = np.nan  # a word without a vector becomes zeros
    found = word_fmri(X, recording.data, recording.part)

    filled = np.nan_to_num(X)
    rows = {part: np.flatnonzero(recording.part == part) for part in counts}
    models, errors = [], []
    for alpha in np.logspace(-4, 4, 10):
        model = Ridge(alpha).fit(filled[rows["train"]], recording.data[rows["train"]])
        models.append(model)
        wrong = model.predict(filled[rows["dev"]]) - recording.data[rows["dev"]]
        errors.append(np.mean(wrong**2))
    predicted = models[int(np.argmin(errors))].predict(filled[rows[tested]])
    assert 0 < np.argmin(errors) < 9
    assert found == pytest.approx(best_tenth(predicted, recording.data[rows[tested]]), abs=1e-6)
    (fold,) = predict_words(X, recording.data, recording.part)
    assert fold.test.tolist() == rows[tested].tolist()
    np.testing.assert_allclose(fold.predicted, predicted, atol=1e-8)


def test_word_fmri_without_parts(opened, rng):
    folder, open_card = opened
    X, _ = word_files(folder, rng, {"": 83})
    stimulus, recording = open_card("cogbench-words", "01", n_samples=83, n_targets=29, n_words=83)
    assert stimulus.n_words == 83
    X[5] = 2.0  # a word with one value in all features
    Z = X - X.mean(axis=1, keepdims=True)
    deviation = Z.std(axis=1, keepdims=True)
    Z = Z / np.where(deviation == 0, 1, deviation)
    Y, scores = recording.data, []
    for train, test in KFold(5).split(Z):
        grid = GridSearchCV(
            Ridge(),
            {"alpha": np.logspace(-4, 4, 10)},
            scoring="neg_mean_squared_error",
            cv=KFold(5),
        )
        scores.append(best_tenth(grid.fit(Z[train], Y[train]).predict(Z[test]), Y[test]))
    assert word_fmri(X, Y) == pytest.approx(np.mean(scores), abs=1e-6)


def test_word_fmri_is_the_same_for_a_model_that_knows_no_word(rng):
    """With a mean pattern worth a third of the variance, noise scores as well as a mean does."""
    Y = rng.standard_normal((200, 300)) + 0.8 * rng.standard_normal(300)
    part = ["train"] * 150 + ["dev"] * 50
    folds = predict_words(rng.standard_normal((200, 40)), Y, part)
    noise = top_tenth(folds[0].predicted, folds[0].truth)
    assert noise > 0.6
    assert noise == pytest.approx(mean_pattern_score(folds), abs=0.02)
    centred = folds[0].truth - folds[0].train_mean
    assert top_tenth(folds[0].predicted - folds[0].train_mean, centred) < 0.2


def test_the_best_tenth_by_hand():
    truth = np.array([[1.0, 2, 0, 3], [3, 2, 0, 1], [1, 1, 0, 1], [1, 3, 0, 2]])
    predicted = np.array([[1.0, 2, 9, 3], [1, 2, 9, 3], [1, 2, 9, 3], [1, 2, 9, 3]])
    # Over the three targets that are not silent: 1, -1, undefined (0) and 1/2.
    assert top_tenth(predicted, truth) == pytest.approx(1)
    assert top_tenth(predicted, truth, share=0.75) == pytest.approx(0.5)
    assert top_tenth(predicted, np.zeros((4, 4))) == 0


# Stories


def story_files(folder, rng, parts):
    """Three stories with commas that nobody heard, responses of two subjects."""
    lengths = {}
    for story, part in enumerate(parts, start=1):
        words = [*chinese(60), "，"] * 2
        heard = [word != "，" for word in words]
        ends = 10.65 + np.cumsum(rng.uniform(0.1, 0.9, len(words)))
        ends[7] = ends[6] + 0.002  # two words in one step
        lines = [words[:40], words[40:]]
        write_story(folder / part, story, lines, heard, ends)
        n = int(np.ceil(int(ends[[i for i, h in enumerate(heard) if h][-1]] * 100) / 71)) - 19
        lengths[story] = n
        data = {s: rng.normal(1, 1, size=(6, 3, n)) for s in ("01", "02")}
        write_responses(folder / part, story, data)
    return lengths


def volumes(values, ends, n):
    """The rule step by step: impulses every 10 ms, a convolution, every 71st step."""
    t = np.arange(0, 32, 0.01)
    response = gamma.pdf(t, 6) - gamma.pdf(t, 16) / 6
    line = np.zeros((int(ends[-1] * 100), values.shape[1]))
    for value, end in reversed(list(zip(values, ends, strict=True))):
        if int(end * 100) < len(line):
            line[int(end * 100)] = value
    seen = np.array([np.convolve(column, response / response.sum()) for column in line.T]).T
    kept = seen[: len(line)][::71][19 : 19 + n]
    return (kept - kept.mean()) / kept.std()


def closed_form(X, Y, X_new, alpha):
    return X_new @ np.linalg.solve(X.T @ X + alpha**2 * np.eye(X.shape[1]), X.T @ Y)


def scaled_r(predicted, truth):
    """Deviations with n - 1, a mean with n."""

    def z(values):
        return (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)

    return (z(predicted) * z(truth)).mean(axis=0)


@pytest.fixture
def told(opened, rng):
    """Features and responses of stories in train and dev, with the subject and region of each."""
    folder, open_card = opened
    lengths = story_files(folder, rng, ["train", "dev", "train"])
    total = sum(lengths.values())
    facts = {"n_samples": total, "n_targets": 18, "n_words": 366, "n_runs": 3}
    opened_of = {s: open_card("cogbench-stories", s, **facts) for s in ("01", "02")}
    stimulus, recording = opened_of["01"]
    values = embedded(rng, stimulus)
    X = []
    for run in recording.runs:
        rows = (stimulus.run == run) & stimulus.counted
        ends, n = stimulus.onset[rows], lengths[int(run)]
        found = story_features(values[rows], ends, n)
        np.testing.assert_allclose(found, volumes(values[rows], ends, n), atol=1e-10)
        X.append(found)
    Y = np.hstack([each.data for _, each in opened_of.values()])
    groups = [f"{s} {region}" for s in opened_of for region in recording.targets["region"]]
    return np.vstack(X), Y, recording, groups, (stimulus, values)


def test_fmri_with_parts(told):
    X, Y, recording, groups, _ = told
    assert recording.runs == ["1", "3", "2"]
    found = fmri(X, Y, recording.part, groups)
    train, dev = recording.part == "train", recording.part == "dev"
    expected = np.empty(len(groups))
    for group in dict.fromkeys(groups):
        own = np.array([g == group for g in groups])
        grid = np.logspace(-3, 3, 10)
        fits = [closed_form(X[train], Y[train][:, own], X[dev], a) for a in grid]
        r = np.array([scaled_r(p, Y[dev][:, own]) for p in fits])
        expected[own] = r[int(r.mean(axis=1).argmax())]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_fmri_without_parts(told):
    X, Y, _, groups, _ = told
    own = np.array([g == groups[0] for g in groups])
    Y, n, grid, scores = Y[:, own], len(X) // 5, np.logspace(-3, 3, 10), []
    for k in range(5):
        test = np.arange(k * n, (k + 1) * n)
        train = np.array([i for i in range(len(X)) if i not in set(test)])
        m, curve = len(train) // 5, np.zeros(10)
        for j in range(5):
            choose = train[j * m : (j + 1) * m]
            fit = np.array([i for i in train if i not in set(choose)])
            for i, a in enumerate(grid):
                predicted = closed_form(X[fit], Y[fit], X[choose], a)
                curve[i] += scaled_r(predicted, Y[choose]).mean()
        best = closed_form(X[train], Y[train], X[test], grid[curve.argmax()])
        scores.append(scaled_r(best, Y[test]))
    np.testing.assert_allclose(fmri(X, Y), np.mean(scores, axis=0), atol=1e-6)
    assert len(predict_stories(X, Y)) == 5


@pytest.mark.filterwarnings("ignore::brainlm.encoding.align.AlignmentWarning")
def test_the_official_clock_is_that_of_the_card(told):
    """But for half a volume, and for words that the rule loses, align makes the same features."""
    _, _, recording, _, (stimulus, values) = told
    moved = replace(recording, times=recording.times - 0.71 / 2, part=None)
    lost = np.zeros(stimulus.n_words, dtype=bool)
    for run in stimulus.runs:
        rows = np.flatnonzero((stimulus.run == run) & stimulus.counted)
        step = (stimulus.onset[rows] * 100).astype(int)
        lost[rows[1:][np.diff(step) == 0]] = lost[rows[-1]] = True
    assert lost.sum() == 5  # the last words, and two in the step of another
    values = np.where(lost[:, None], 0, values)
    ours = align(Features("x", values, stimulus), moved, method="hrf").X
    for run in recording.runs:
        rows, words = recording.run == run, (stimulus.run == run) & stimulus.counted
        official = story_features(values[words], stimulus.onset[words], int(rows.sum()))
        r = [np.corrcoef(a, b)[0, 1] for a, b in zip(official.T, ours[rows].T, strict=True)]
        assert min(r) > 0.999


def test_a_story_that_ends_before_its_responses_gives_fewer_rows(rng):
    ends = np.linspace(15, 30, 40)
    values = rng.standard_normal((40, 2))
    assert len(story_features(values, ends, 10)) == 10
    assert len(story_features(values, ends, 1000)) == int(np.ceil(3000 / 71)) - 19
    with pytest.raises(ValueError, match="ends must never fall"):
        story_features(values, ends[::-1], 10)
    assert not story_features(np.zeros((40, 2)), ends, 10).any()


# MEG


def sensor_files(folder, rng, n_words=720):
    words = list(rng.choice(chinese(150), n_words))
    write_story(folder, 1, [words], [True] * n_words)
    data = rng.normal(size=(n_words, 60, 8))
    write_meg(folder, 1, {"01": data})
    return n_words


@pytest.fixture
def heard(opened, rng):
    folder, open_card = opened
    n = sensor_files(folder, rng)
    facts = {"n_samples": n, "n_targets": 60 * 8, "n_words": n, "n_runs": 1}
    stimulus, recording = open_card("cogbench-meg", "01", **facts)
    X = embedded(rng, stimulus)
    Y = recording.data[:, np.isclose(recording.targets["time"], 0.6)].astype(float)
    Y[:, :5] += X @ rng.standard_normal((N_FEATURES, 5))
    return X, Y


def z(values):
    return (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)


def best_sensors(X, Y, seed):
    blocks = [range(a, min(a + 100, len(X))) for a in range(0, len(X), 100)]
    order = np.random.default_rng(seed).permutation(len(blocks))
    a, b = int(0.8 * len(blocks)), int(0.9 * len(blocks))
    fit, dev, test = (
        np.concatenate([list(blocks[i]) for i in some])
        for some in (order[:a], order[a:b], order[b:])
    )
    grid = np.logspace(-3, 3, 20)
    means = [
        scaled_r(closed_form(z(X[fit]), z(Y[fit]), z(X[dev]), a), z(Y[dev])).mean() for a in grid
    ]
    best = closed_form(z(X[fit]), z(Y[fit]), z(X[test]), grid[int(np.argmax(means))])
    return sorted(np.argsort(scaled_r(best, z(Y[test])))[-int(0.05 * Y.shape[1]) :])


@pytest.mark.parametrize("inside", [False, True])
def test_meg(heard, inside):
    X, Y = heard
    n, grid, scores = len(X) // 5, np.logspace(-3, 3, 10), []
    for k in range(5):
        test = np.arange(k * n, (k + 1) * n)
        train = np.setdiff1d(np.arange(len(X)), test)
        sensors = best_sensors(X[train], Y[train], 2) if inside else best_sensors(X, Y, 2)
        own = Y[:, sensors]
        m, curve = len(train) // 5, np.zeros(10)
        for j in range(5):
            choose = train[j * m : (j + 1) * m]
            fit = np.setdiff1d(train, choose)
            for i, a in enumerate(grid):
                predicted = closed_form(X[fit], own[fit], X[choose], a)
                curve[i] += scaled_r(predicted, own[choose]).mean()
        best = closed_form(X[train], own[train], X[test], grid[curve.argmax()])
        scores += [pearsonr(p, t)[0] for p, t in zip(best, own[test], strict=True)]
    both = meg(X, np.hstack([Y[::-1], Y]), ["01"] * 60 + ["02"] * 60, seed=2, inside=inside)
    assert both[1] == pytest.approx(np.mean(scores), abs=1e-6)
    assert meg(X, Y, seed=2, inside=inside) == pytest.approx(both[1:], abs=1e-12)


def test_sensors_that_follow_the_words_are_chosen(heard):
    X, Y = heard
    (chosen,) = choose_sensors(X, Y)
    assert set(chosen) <= set(range(5))
    with pytest.raises(ValueError, match=r"0\.01 of 60 sensors are 0"):
        choose_sensors(X, Y, share=0.01)
    with pytest.raises(ValueError, match="300 words make 3 blocks"):
        choose_sensors(X[:300], Y[:300])


# Gaze


def test_eye_tracking(opened, rng):
    folder, open_card = opened
    table = {word: rng.uniform(1, 9, 9).round(2) for word in chinese(60)}
    table |= {word: np.zeros(9) for word in chinese(60)[:3]}
    sentences = []
    for _ in range(12):
        words = list(rng.choice(chinese(60), 11))
        sentences.append(("".join(words), [words, words[:4] + words[5:]]))
    write_gaze(folder, sentences, lambda word: table[word])
    facts = {"n_samples": [20, 200], "n_words": [20, 400]}
    stimulus, recording = open_card("cogbench-gaze", **facts)
    place = {item: i for i, item in enumerate(stimulus.item)}
    X = embedded(rng, stimulus)[[place[item] for item in recording.items]]
    X[0] = 1.0
    E = (recording.data - recording.data.mean(axis=0)) / recording.data.std(axis=0)
    Z = X - X.mean(axis=1, keepdims=True)
    deviation = Z.std(axis=1, keepdims=True)
    Z = Z / np.where(deviation == 0, 1, deviation)
    M = (Z @ Z.T / X.shape[1] - np.eye(len(X))) @ E
    expected = [pearsonr(M[:, m], E[:, m])[0] for m in range(9)]
    np.testing.assert_allclose(eye_tracking(X, recording.data), expected, atol=1e-6)
    rest = slice(1, None)  # without the constant row: similarity encoding, not centred
    ours = leave_one_out_scores(X[rest], recording.data[rest], center=False)
    np.testing.assert_allclose(eye_tracking(X[rest], recording.data[rest]), ours, atol=1e-10)


def test_words_that_come_again_predict_themselves(rng):
    """Random vectors score where equal words have equal measures, and not otherwise."""
    types = rng.standard_normal((50, 9))
    index = rng.integers(0, 50, 1000)
    words = Stimulus([f"w{i}" for i in index], "en")
    noise = random_like(Features("x", rng.standard_normal((1000, 100)), words), seed=1).values
    noise = noise + 1e-6 * rng.standard_normal(noise.shape)
    assert eye_tracking(noise, types[index]).mean() > 0.5
    fresh = rng.standard_normal((1000, 100))
    assert abs(eye_tracking(fresh, types[index]).mean()) < 0.1

"""Tasks of CogBench: which subjects are scored together, which samples count, what is missing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from brainlm import Features, Recording, Stimulus
from brainlm.cli.analyses import load_analysis
from brainlm.comparison.cogbench import (
    TASKS,
    gather,
    held_out_scores,
    official_scores,
    table_of_scores,
)
from brainlm.comparison.cogbench_published import BROKEN, published_scores
from brainlm.data.target_table import epoch_targets
from brainlm.errors import DataMissingError, UnknownNameError


def told(rng, stories=("1", "2", "3"), n=150, late=0.0):
    """Words of stories that end every 0.5 s, and responses to them."""
    ends = 14 + 0.5 * np.arange(n)
    words = Stimulus(
        [f"w{i % 40}" for i in range(n)] * len(stories),
        "zh",
        np.tile(ends, len(stories)),
        np.zeros(n * len(stories)),
        run=np.repeat(stories, n),
    )
    n_samples = int(np.ceil(ends[-1] * 100 / 71)) - 19 + int(late / 0.71)
    times = 13.49 + 0.71 * np.arange(n_samples)
    recording = Recording(
        rng.standard_normal((n_samples * len(stories), 8)),
        [f"r{i}" for i in range(8)],
        "fmri",
        "BOLD",
        times=np.tile(times, len(stories)),
        run=np.repeat(stories, n_samples),
        part=np.repeat(["train"] * (len(stories) - 1) + ["dev"], n_samples),
    )
    targets = recording.targets.assign(region=["Language"] * 4 + ["Vision"] * 4)
    return words, replace(recording, targets=targets)


def test_subjects_with_the_same_stories_are_scored_together(rng):
    opened = []
    for subject, stories in (("01", "123"), ("02", "123"), ("03", "12")):
        words, recording = told(rng, tuple(stories))
        opened.append((words, replace(recording, subject=subject)))
    pair, alone = gather(TASKS["fmri"], opened)
    assert [each.subject for each in pair.recordings] == ["01", "02"]
    assert pair.responses.shape[1] == 16
    assert pair.groups[:5] == ["01 Language"] * 4 + ["01 Vision"]
    assert [each.subject for each in alone.recordings] == ["03"]


def test_samples_after_the_last_word_have_no_features(rng):
    words, recording = told(rng, late=7.1)
    (data,) = gather(TASKS["fmri"], [(words, recording)])
    per_story = recording.n_samples // 3
    assert data.kept.sum() == 3 * (per_story - 10)
    X = data.design(Features("x", rng.standard_normal((words.n_words, 5)), words))
    assert len(X) == data.kept.sum()
    found = {**official_scores(data, X), **held_out_scores(data, X)}
    assert abs(found["official"]) < 0.25
    assert np.isnan(found["undipped"])
    assert abs(found["pairwise"] - 0.5) < 0.4
    rows, Y, split = data.held_out
    assert len(rows) == len(Y) == len(X)
    assert "tested: dev" in repr(split)


def test_stories_that_end_before_the_responses_are_refused(rng):
    words, recording = told(rng)
    early = replace(words, onset=words.onset / 10)
    (data,) = gather(TASKS["fmri"], [(early, recording)])
    with pytest.raises(ValueError, match="story 1: its words end before its responses begin"):
        _ = data.kept


def test_the_bins_and_sessions_of_meg(rng):
    stories = [str(i) for i in range(1, 21)]
    items = [f"{s}/{i}" for s in ("2", "15") for i in range(4)]
    words = Stimulus([f"w{i}" for i in range(8)], "zh", item=items)
    targets = epoch_targets(["1", "2"], 0.1 * np.arange(10))
    run = ["2"] * 4 + ["15"] * 4
    recording = Recording(rng.random((8, 20)), targets, "meg", "T", items=items, run=run)
    (data,) = gather(TASKS["meg"], [(words, recording)], stories)
    assert data.first.target_names.tolist() == ["1@600ms", "1@700ms", "2@600ms", "2@700ms"]
    assert data.groups == ["group 0.6000000000000001", "group 0.7000000000000001"] * 2
    assert [rows.tolist() for rows in data.sessions] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_gaze_folds_hold_whole_words_without_zeros(rng):
    items = [str(i) for i in range(60)]
    spoken = [f"w{i % 12}" for i in range(60)]
    words = Stimulus(spoken, "zh", item=items)
    values = rng.random((12, 9))[np.arange(60) % 12]
    values[np.arange(60) % 12 == 5] = 0
    recording = Recording(values, list("abcdefghi"), "eye-tracking", "ms", items=items)
    (data,) = gather(TASKS["eye_tracking"], [(words, recording)])
    rows, Y, split = data.held_out
    assert len(rows) == 55
    for train, test in split.split(Y):
        assert not set(data.words[rows][train]) & set(data.words[rows][test])


def test_means_count_subjects():
    row = {"task": "fmri", "space": "x", "kind": "layer", "layer": 1, "undipped": np.nan}
    row |= {"r": 0.0, "beyond": 0.0, "pairwise": 0.5, "n_samples": 10}
    rows = [{**row, "official": 0.4, "n_subjects": 3}, {**row, "official": 0.0, "n_subjects": 1}]
    (found,) = table_of_scores(rows).to_dict("records")
    assert found["official"] == pytest.approx(0.3)
    assert found["n_subjects"] == 4
    assert np.isnan(found["undipped"])


def test_the_published_rows_are_those_of_the_challenge():
    table = published_scores()
    assert table.groupby("task").size().to_dict() == {"fmri": 23, "word_fmri": 23}
    words = table[table["task"] == "word_fmri"].set_index("model")["score"]
    assert words.between(0.549, 0.5615).sum() == 15
    assert words[BROKEN] == 0.556


def test_missing_data_and_tasks_are_named(tmp_path, monkeypatch, llama_like):
    monkeypatch.delenv("BRAINLM_DATA", raising=False)
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    main = load_analysis("cogbench").main
    with pytest.raises(DataMissingError, match="brainlm fetch cogbench-words"):
        main(model=llama_like, out=tmp_path / "out")
    with pytest.raises(UnknownNameError, match="Did you mean 'fmri'"):
        main(model=llama_like, tasks="fmir", out=tmp_path / "out")


@pytest.fixture
def llama_like(tmp_path):
    from support.tiny_models import byte_level_bpe, tiny_llama

    return str(tiny_llama(tmp_path, byte_level_bpe()))

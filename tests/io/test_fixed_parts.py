"""Data sets with folders of fixed parts: words, stories, MEG, and sentences cut in several ways."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from miniatures.cards import copy_card
from scipy.io import savemat
from support.cogbench_files import (
    MEASURES,
    REGIONS,
    write_gaze,
    write_meg,
    write_responses,
    write_story,
    write_words,
)

from brainlm import FixedSplit, align, list_subjects, word_rate
from brainlm.data.notes import kind_of
from brainlm.datasets.folders import dataset_hashes
from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io.segmented_sentences import counting_words, place_words

WORDS = {"train": ["苹果", "香蕉", "null"], "dev": ["桌子", "nan"]}


@pytest.fixture
def card(tmp_path):
    """Copy a card of the released layout, with the counts of small files."""

    def copy(name, **facts):
        return copy_card(name, tmp_path / f"{name}.toml", facts=facts)

    (tmp_path / "root/cogbench").mkdir(parents=True)
    return copy


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "root/cogbench"


def words_of(folder, rng, parts=WORDS, subjects=("01", "02")):
    data = {}
    for part, words in parts.items():
        data[part] = {s: rng.normal(size=(len(words), 4)) for s in subjects}
        write_words(folder / part, words, data[part])
    return data


def test_words_of_train_and_dev(card, folder, rng):
    data = words_of(folder, rng)
    path = card("cogbench-words", n_samples=5, n_targets=4, n_words=5)
    assert list_subjects(path, folder.parent) == ["01", "02"]
    stimulus, recording = open_dataset(path, "01", root=folder.parent)
    assert stimulus.words.tolist() == WORDS["train"] + WORDS["dev"]
    assert recording.part.tolist() == ["train"] * 3 + ["dev"] * 2
    np.testing.assert_array_equal(recording.data[3:], data["dev"]["01"])
    assert FixedSplit(recording.part).tested == "dev"
    assert any("no test part yet" in note for note in recording.notes)
    assert len(dataset_hashes(path, "01", folder.parent)) == 4


def test_a_test_part_is_used_as_soon_as_it_is_there(card, folder, rng):
    words_of(folder, rng, {**WORDS, "test": ["狗", "猫"]})
    path = card("cogbench-words", n_samples=7, n_targets=4, n_words=7)
    _, recording = open_dataset(path, "01", root=folder.parent)
    assert recording.part[-1] == "test"
    assert not any("no test part" in note for note in recording.notes)


def test_words_that_are_not_split_belong_to_no_part(card, folder, rng):
    words_of(folder, rng, {"": WORDS["train"]})
    path = card("cogbench-words", n_samples=3, n_targets=4, n_words=3)
    _, recording = open_dataset(path, "02", root=folder.parent)
    assert recording.part is None
    assert any("not split" in note for note in recording.notes)


def test_only_subjects_with_every_part_count(card, folder, rng):
    words_of(folder, rng)
    (folder / "dev/word_fmri/02_selected.mat").unlink()
    path = card("cogbench-words", n_samples=5, n_targets=4, n_words=5)
    assert list_subjects(path, folder.parent) == ["01"]
    with pytest.raises(UnknownNameError, match="'02'"):
        open_dataset(path, "02", root=folder.parent)


def test_silent_voxels_are_left_out_and_counted(card, folder, rng):
    data = words_of(folder, rng)
    for part in WORDS:
        data[part]["01"][:, 1] = 0
        write_words(folder / part, WORDS[part], data[part])
    path = card("cogbench-words", n_samples=5, n_targets=3, n_words=5)
    _, recording = open_dataset(path, "01", root=folder.parent)
    assert recording.target_names.tolist() == ["1", "3", "4"]
    (note,) = [note for note in recording.notes if kind_of(note) == "excluded"]
    assert note.startswith("left out 1 of 4 targets")


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        ("part", DataMissingError, "has train, but no dev"),
        ("leak", CorruptDataError, "'苹果' is in train and in dev: what trains cannot test"),
        ("wide", CorruptDataError, "dev has 5 targets, train 4"),
        ("words", CorruptDataError, "1 labels for 2 responses"),
    ],
)
def test_parts_that_do_not_fit_are_refused(card, folder, rng, spoil, error, message):
    words_of(folder, rng, subjects=("01",))
    path = card("cogbench-words", n_samples=5, n_targets=4, n_words=5)
    if spoil == "part":
        (folder / "dev").rename(folder / "kept")
    elif spoil == "wide":
        savemat(folder / "dev/word_fmri/01_selected.mat", {"examples": rng.normal(size=(2, 5))})
    else:
        words = "苹果\nnan\n" if spoil == "leak" else "nan\n"
        (folder / "dev/word/word.txt").write_text(words, encoding="utf-8")
    with pytest.raises(error, match=message):
        open_dataset(path, "01", root=folder.parent)


LINES = [["从前", "，", "有"], ["人", "。"]]
HEARD = [True, False, True, True, False]
ENDS = [14.0, 14.0, 15.5, 16.0, 0.0]


def stories_of(folder, rng, parts=("train", "train", "dev"), subjects=("01",)):
    data = []
    for story, part in zip((1, 10, 2), parts, strict=True):
        write_story(folder / part, story, LINES, HEARD, ENDS)
        data.append({s: rng.normal(size=(6, 2, 9 + story)) for s in subjects})
        write_responses(folder / part, story, data[-1])
    return data


COUNTS = {"n_samples": 10 + 19 + 11, "n_targets": 12, "n_words": 15, "n_runs": 3}


def test_stories_of_train_and_dev(card, folder, rng):
    data = stories_of(folder, rng)
    path = card("cogbench-stories", **COUNTS)
    stimulus, recording = open_dataset(path, "01", root=folder.parent)
    assert recording.runs == stimulus.runs == ["1", "10", "2"]
    assert recording.part.tolist() == ["train"] * 29 + ["dev"] * 11
    assert recording.times[0] == pytest.approx(19 * 0.71)
    assert recording.targets["region"].unique().tolist() == list(REGIONS)
    np.testing.assert_allclose(recording.data[:10, :2], data[0]["01"][0].T, rtol=1e-6)
    assert stimulus.words[:5].tolist() == [w for line in LINES for w in line]
    assert stimulus.context_only[:5].tolist() == [False, True, False, False, True]
    assert stimulus.sentence[:5].tolist() == ["1/0"] * 3 + ["1/1"] * 2
    assert stimulus.onset[:5].tolist() == [14, 14, 15.5, 16, 16]
    rate = align(word_rate(stimulus), recording, method="sum", delays=[0]).X
    assert rate[recording.run == "1"].sum() == 3  # neither comma nor full stop


def test_stories_that_are_not_split(card, folder, rng):
    stories_of(folder, rng, parts=("", "", ""))
    path = card("cogbench-stories", **COUNTS)
    _, recording = open_dataset(path, "01", root=folder.parent)
    assert recording.part is None
    assert len(recording.runs) == 3


def test_a_story_without_responses_and_another_length_are_noted(card, folder, rng):
    data = stories_of(folder, rng)
    write_story(folder / "train", 7, LINES, HEARD, ENDS)
    write_responses(folder / "dev", 2, data[2], length=8)
    path = card("cogbench-stories", **COUNTS)
    _, recording = open_dataset(path, "01", root=folder.parent)
    notes = " | ".join(recording.notes)
    assert "1 stories have words and no responses: 7" in notes
    assert "1 stories have responses of another length: 2 (11 against 8)" in notes


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("twice", "story '2' is in several parts"),
        ("heard", "'isvalid' has 4 words, story_1.txt 5"),
        ("silent", "'isvalid' is 1 for no word"),
        ("ends", "'end' has 6 words, story_1.txt 5"),
        ("order", "numbers that never fall"),
        ("region", "regions of a story have one length"),
    ],
)
def test_stories_that_do_not_fit_are_refused(card, folder, rng, spoil, message):
    stories_of(folder, rng)
    train = folder / "train"
    if spoil == "twice":
        write_story(train, 2, LINES, HEARD, ENDS)
        write_responses(train, 2, {"01": rng.normal(size=(6, 2, 9))})
    elif spoil == "heard":
        savemat(train / "notPU/story_1.mat", {"isvalid": np.ones((4, 1))})
    elif spoil == "silent":
        savemat(train / "notPU/story_1.mat", {"isvalid": np.zeros((5, 1))})
    elif spoil == "region":
        path = train / "fmri/Reward/01/story_1.mat"
        savemat(path, {"fmri_response": rng.normal(size=(2, 5))})
    else:
        ends = [*ENDS, 20] if spoil == "ends" else [14, 14, 13, 16, 0]
        write_story(train, 1, LINES, HEARD, ends)
    path = card("cogbench-stories", **COUNTS)
    with pytest.raises(CorruptDataError, match=message):
        open_dataset(path, "01", root=folder.parent)


def test_meg_of_the_heard_words_in_the_order_of_the_sessions(card, folder, rng):
    data = {}
    for story in (1, 6, 11):
        write_story(folder, story, LINES, HEARD)
        data[story] = rng.normal(size=(3, 4, 10))
        write_meg(folder, story, {"01": data[story]})
    facts = {"n_samples": 9, "n_targets": 40, "n_words": 15, "n_runs": 3}
    path = card("cogbench-meg", **facts)
    stimulus, recording = open_dataset(path, "01", root=folder.parent)
    assert recording.runs == ["1", "11", "6"]
    assert stimulus.words[stimulus.counted].tolist() == ["从前", "有", "人"] * 3
    assert recording.items.tolist() == stimulus.item[stimulus.counted].tolist()
    np.testing.assert_allclose(recording.data[3:6], data[11].reshape(3, -1), rtol=1e-6)
    assert recording.target_names[12] == "2@200ms"
    assert any("57 of 60 stories have no file" in note for note in recording.notes)
    write_meg(folder, 6, {"01": rng.normal(size=(5, 4, 10))})
    with pytest.raises(CorruptDataError, match="5 responses to 3 words that were heard"):
        open_dataset(path, "01", root=folder.parent)
    write_meg(folder, 6, {"01": rng.normal(size=(3, 5, 10))})
    with pytest.raises(CorruptDataError, match=r"has shape \(3, 5, 10\)"):
        open_dataset(path, "01", root=folder.parent)


def test_words_at_the_edges_of_a_sentence_do_not_count():
    assert counting_words(list("一二三四五六七")).tolist() == [False] * 3 + [True] + [False] * 3
    assert counting_words(["一二", "三四", "五", "六", "七八九", "。"]).tolist() == [
        *[False, False, True, True],
        *[False, False],
    ]
    # Another mark counts as a character, and a full stop at the start is one, too.
    assert counting_words(["。", "一二", "三", "四", "五六", "！"]).tolist() == [
        *[False, False, True, True],
        *[False, False],
    ]
    assert not counting_words(["一"]).any()
    assert counting_words(["一", "二"], edge=0).all()
    assert place_words("我看，看书", ["我", "看", " 看", "书本"]) == [(0, 1), (1, 2), (3, 4), None]


SENTENCE = "我们昨天，去看电影了。"
SPLITS = [
    ["我们", "昨天", "去", "看", "电影", "了", "。"],
    ["我们", "昨天", "去看", "电影", "了", "。"],
    ["我们", "昨", "天", "去", "看", "电影", "了", "。"],
]


def measures(word):
    return [ord(word.strip()[0]) % 97 + 10 * k for k in range(len(MEASURES))]


def test_every_segmentation_has_responses_of_its_own(card, folder):
    write_gaze(folder, [(SENTENCE, SPLITS[:2])], measures)
    path = card("cogbench-gaze", n_samples=6, n_words=9 + 11, n_targets=9)
    with pytest.raises(CorruptDataError, match="no word counts"):
        open_dataset(path, root=folder.parent)  # two words at most count
    write_gaze(folder, [(SENTENCE, [*SPLITS, list(SENTENCE.replace("，", ""))])], measures)
    stimulus, recording = open_dataset(path, root=folder.parent)
    # Three characters at either end, the full stop and the comma do not count.
    words = [stimulus.words[stimulus.text == f"1/{n}"].tolist() for n in (2, 3)]
    assert words == [["我们", "昨", "天", "，", "去", "看", "电影", "了", "。"], list(SENTENCE)]
    counted = stimulus.words[stimulus.counted].tolist()
    assert counted == ["天", "去", "看"] * 2
    assert recording.data[:, 1].tolist() == [measures(word)[1] for word in counted]
    assert recording.items.tolist() == stimulus.item[stimulus.counted].tolist()
    assert any("2 segmentations have too few words" in note for note in recording.notes)


def test_zeros_are_counted_and_measures_of_zero_leave_a_segmentation_out(card, folder):
    words = list("一二三四五六七八九")

    def some(word):
        return [0] * 9 if word == "五" else measures(word)

    write_gaze(folder, [("".join(words), [words, words])], some)
    path = card("cogbench-gaze", n_samples=6, n_words=18)
    stimulus, recording = open_dataset(path, root=folder.parent)
    assert stimulus.text[0] != stimulus.text[-1]
    assert any(note.startswith("2 of 6 words are 0 in every measure") for note in recording.notes)

    def flat(word):
        return [*measures(word)[:8], 0]

    write_gaze(folder, [("".join(words), [words]), ("".join(words), [words])], flat)
    with pytest.raises(CorruptDataError, match="no word counts"):
        open_dataset(path, root=folder.parent)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split_features": {"0": []}}, "0 rows of measures for 9 words"),
        ({"split_features": {}}, "segmentation 0: has no measures"),
        ({"content": None}, "has no 'content'"),
        ({"split_features": {"0": [{"FFD": "x"}] * 9}}, "a measure is missing or no number"),
    ],
)
def test_a_broken_sentence_is_named(card, folder, change, message):
    words = list("一二三四五六七八九")
    write_gaze(folder, [("".join(words), [words])], measures)
    path = folder / "eye_tracking/eye_features_sentence_level.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["1"] |= change
    content["1"] = {k: v for k, v in content["1"].items() if v is not None}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CorruptDataError, match=message):
        open_dataset(card("cogbench-gaze", n_samples=3, n_words=9), root=folder.parent)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
def test_the_lines_of_the_documentation_run(miniature):
    page = Path(__file__).parents[2] / "docs/cogbench.md"
    names: dict = {}
    exec(re.search(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)[1], names)
    assert names["scores"].split == "FixedSplit(150 train, 60 dev; tested: dev)"
    assert abs(names["scores"].mean.mean()) < 0.3

"""MATLAB layouts: sentence sets with passages, trials in a struct array, v7.3 word times."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat
from support.new_mat import write_new

from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io import read_patterns, read_word_times
from brainlm.io.matlab import read_mat

SENTENCES = {
    "pattern": "{subject}/data_384sentences.mat",
    "data": "examples",
    "labels": "keySentences",
    "texts": "labelsPassageForEachSentence",
    "text_names": "keyPassages",
    "positions": "meta.colToCoord",
    "language": "en",
    "modality": "fmri",
    "unit": "a.u.",
}
TRIALS = {
    "pattern": "data-science-{subject}.mat",
    "data": "data",
    "labels": "info.word",
    "trials": "keep",
    "language": "en",
    "modality": "fmri",
    "unit": "percent signal change",
}


def cells(values):
    array = np.empty((len(values), 1), dtype=object)
    array[:, 0] = values
    return array


def sentence_set(**changes):
    rng = np.random.default_rng(0)
    content = {
        "examples": rng.normal(size=(3, 4)),
        "keySentences": cells(["A piano is loud.", "It has keys.", "Bees sting."]),
        "labelsPassageForEachSentence": np.array([[1.0], [1.0], [2.0]]),
        "keyPassages": cells(["piano", "bee"]),
        "meta": {"colToCoord": np.arange(12.0).reshape(4, 3), "dimx": 3},
    }
    return {**content, **changes}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "P01").mkdir()
    savemat(tmp_path / "P01" / "data_384sentences.mat", sentence_set(), do_compression=True)
    rng = np.random.default_rng(0)
    words = ["celery", "nan", "celery", "nan"]
    info = np.empty((1, 4), dtype=[("cond", object), ("word", object), ("epoch", object)])
    for i, word in enumerate(words):
        info[0, i] = ("vegetable", word, i + 1)
    data = cells([rng.normal(size=(1, 5)) for _ in words])
    savemat(tmp_path / "data-science-P1.mat", {"info": info, "data": data, "meta": {"nvoxels": 5}})
    return tmp_path


def test_sentences_of_passages_with_the_places_of_voxels(folder):
    stimulus, recording = read_patterns(folder, "P01", **SENTENCES)
    assert " ".join(stimulus.words) == "A piano is loud. It has keys. Bees sting."
    assert list(dict.fromkeys(stimulus.text)) == ["1 piano", "2 bee"]
    assert recording.items.tolist() == ["A piano is loud.", "It has keys.", "Bees sting."]
    np.testing.assert_array_equal(recording.data, sentence_set()["examples"])
    np.testing.assert_array_equal(recording.positions[1], [3, 4, 5])


def test_trials_of_a_struct_array_repeat_their_words(folder):
    stimulus, recording = read_patterns(folder, "P1", **TRIALS)
    assert stimulus.words.tolist() == ["celery", "nan"]
    assert recording.items.tolist() == ["celery", "nan", "celery", "nan"]
    assert recording.data.shape == (4, 5)
    with pytest.raises(CorruptDataError, match="'celery' comes more than once"):
        read_patterns(folder, "P1", **{**TRIALS, "trials": "refuse"})


def test_labels_may_stand_in_a_text_file(folder):
    (folder / "words.txt").write_text("苹果\n香蕉\n桌子\n", encoding="utf-8")
    options = {k: v for k, v in SENTENCES.items() if k not in ("labels", "texts", "text_names")}
    stimulus, _ = read_patterns(
        folder, "P01", **{**options, "labels_file": "words.txt", "language": "zh"}
    )
    assert stimulus.words.tolist() == ["苹果", "香蕉", "桌子"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"keySentences": cells(["A", "B"])}, "2 labels for 3 responses"),
        ({"keySentences": np.arange(3.0)}, "'keySentences' is not a list of texts"),
        ({"examples": np.zeros((3, 4)) * np.nan}, "NaN"),
        ({"labelsPassageForEachSentence": np.array([1, 1, 3])}, "counts beyond 2 texts"),
        ({"labelsPassageForEachSentence": np.array([1, 1])}, "2 numbers of texts for 3"),
        ({"meta": {"dimx": 3}}, r"unknown variable 'meta\.colToCoord'.*dimx"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_file(folder, changes, message):
    savemat(folder / "P01" / "data_384sentences.mat", sentence_set(**changes))
    with pytest.raises(CorruptDataError, match=rf"data_384sentences\.mat: .*{message}"):
        read_patterns(folder, "P01", **SENTENCES)
    with pytest.raises(UnknownNameError, match="P01"):
        read_patterns(folder, "P02", **SENTENCES)


def test_word_times_of_the_new_format_with_their_declared_lead(tmp_path):
    write_new(
        tmp_path / "story_1_word_time.mat", ["很久", "以前"], start=[10.65, 11.0], end=[11.0, 11.5]
    )
    stimulus, _ = read_word_times(
        tmp_path,
        files=["story_1_word_time.mat"],
        language="zh",
        onset="start",
        offset="end",
        shift=-10.65,
    )
    assert stimulus.words.tolist() == ["很久", "以前"]
    assert stimulus.onset == pytest.approx([0, 0.35])
    assert stimulus.duration == pytest.approx([0.35, 0.5])


@pytest.mark.parametrize("new", [True, False])
def test_broken_files_are_refused(tmp_path, new):
    path = tmp_path / "a.mat"
    if new:
        write_new(path, ["a"], start=[0.0])
    else:
        savemat(path, {"x": np.arange(1000.0)})
    content = path.read_bytes()
    for cut in (600, len(content) // 2, len(content) - 3):
        path.write_bytes(content[:cut])
        with pytest.raises(CorruptDataError, match=r"a\.mat: not a readable MATLAB file"):
            read_mat(path)


def test_words_of_a_text_by_sensors_and_bins(tmp_path):
    meg = np.arange(3 * 2 * 4, dtype=float).reshape(3, 2, 4)
    savemat(tmp_path / "sub-01.mat", {"meg": meg})
    (tmp_path / "words.txt").write_text("从前\n有\n从前\n", encoding="utf-8")
    options = {
        "pattern": "sub-{subject}.mat",
        "data": "meg",
        "bin_width": 0.1,
        "running": True,
        "labels_file": "words.txt",
        "language": "zh",
        "modality": "meg",
        "unit": "T",
    }
    stimulus, recording = read_patterns(tmp_path, "01", **options)
    assert stimulus.words.tolist() == ["从前", "有", "从前"]
    assert recording.items.tolist() == stimulus.item.tolist() == ["1", "2", "3"]
    assert recording.target_names.tolist()[3:6] == ["1@300ms", "2@0ms", "2@100ms"]
    np.testing.assert_array_equal(recording.data[1], meg[1].ravel())
    with pytest.raises(CorruptDataError, match=r"bin_width goes with rows x channels x bins"):
        read_patterns(tmp_path, "01", **{**options, "bin_width": None})
    with pytest.raises(ValueError, match="leave trials out"):
        read_patterns(tmp_path, "01", **{**options, "trials": "keep"})


def test_types_and_classes_that_would_crash_scipy_are_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"x": np.arange(6.0)})
    content = bytearray(path.read_bytes())
    for place, value in ((128, 99), (137, 9), (144, 40), (132, 255)):  # types, class, length
        broken = content.copy()
        broken[place] = value
        path.write_bytes(broken)
        with pytest.raises(CorruptDataError, match=r"a\.mat: not a readable MATLAB file"):
            read_mat(path)

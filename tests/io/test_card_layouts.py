"""Cards of public layouts that no test machine has, opened on files written in that layout."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from miniatures.tables import write_rows

from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError

GRID = (28, 28, 28)


@pytest.fixture
def concepts(tmp_path):
    """672 maps of one number each, numbered as in words.txt, over a mask of the whole grid."""
    root = tmp_path / "ds004301"
    (root / "glm" / "sub-01").mkdir(parents=True)
    for i in range(1, 673):
        volume = np.full(GRID, 1 + i % 7, dtype=np.uint8)
        volume[0, 0, 0] = i % 100  # tells which map it is
        nib.save(nib.Nifti1Image(volume, np.eye(4)), root / "glm" / "sub-01" / f"{i}.nii.gz")
    nib.save(nib.Nifti1Image(np.ones(GRID, dtype=np.uint8), np.eye(4)), root / "mask.nii.gz")
    lines = [f"{i}\t{chr(0x4E00 + i)}" for i in range(1, 673)]
    (root / "words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


@pytest.mark.long
def test_a_map_per_chinese_word_opens_by_its_card(concepts):
    stimulus, recording = open_dataset("concepts-zh-fmri", "01", root=concepts.parent)
    assert recording.data.shape == (672, 28**3)
    row = {str(item): i for i, item in enumerate(recording.items)}
    for number in (2, 10, 99, 671):  # maps go by number, not by the order of names
        (word,) = np.flatnonzero(stimulus.words == chr(0x4E00 + number))
        assert recording.data[row[str(stimulus.item[word])], 0] == number % 100
    (concepts / "glm" / "sub-01" / "7.nii.gz").unlink()
    with pytest.raises((CorruptDataError, FileNotFoundError), match=r"ds004301"):
        open_dataset("concepts-zh-fmri", "01", root=concepts.parent)


IA = [
    "IA_FIRST_FIXATION_DURATION",
    "IA_FIRST_RUN_DWELL_TIME",
    "IA_REGRESSION_PATH_DURATION",
    "IA_DWELL_TIME",
    "IA_FIXATION_COUNT",
    "IA_SKIP",
]
MEASURES = ["FFD", "GD", "GPT", "TRT", "nFix", "skip"]


def interest_areas(number):
    """Measures of one word: skipped words have dots, as Data Viewer writes them."""
    if number % 7 == 3:
        return [".", ".", ".", 0, 0, 1]
    first = 200 + number % 50
    return [first + number % 50, first + number % 9, first + 60, 2 * first, 1 + number % 2, 0]


@pytest.mark.parametrize("name", ["celer", "onestop"])
def test_reports_of_interest_areas_open_by_their_cards(tmp_path, name):
    """Words with quotes and commas; rows of two readers; sentences of 16 words."""
    if name == "celer":
        keys, path, delimiter = ["list", "trial"], tmp_path / "celer/data_v2.0/sent_ia.tsv", "\t"
    else:
        keys = ["participant_id", "article_batch", "article_id", "difficulty_level", "paragraph_id"]
        path, delimiter = tmp_path / "onestop/ia_Paragraph_ordinary.csv", ","
    rows = []
    for reader in ("l1_1", "l1_2"):
        for sentence in range(220):
            place = [reader, sentence] if name == "celer" else [reader, 1, sentence, "Adv", 1]
            for word in range(1, 17):
                text = '"Yes,"""' if word == 1 and delimiter == "," else f"w{word}"
                rows.append([*place, word, text, *interest_areas(sentence + word)])
    write_rows(path, [*keys, "IA_ID", "IA_LABEL", *IA], rows, delimiter)
    if name == "onestop":
        whole = path.read_text()
        path.write_text("\n".join(whole.splitlines()[:2000]) + "\n")
        with pytest.raises(CorruptDataError, match="n_samples"):  # a cut file is noticed
            open_dataset(name, "l1_1", root=tmp_path)
        path.write_text(whole)
    if name == "celer":
        rows = [row for row in rows if row[1] < 120]
        write_rows(path, [*keys, "IA_ID", "IA_LABEL", *IA], rows, delimiter)
    stimulus, recording = open_dataset(name, "l1_2", root=tmp_path)
    n_words = 16 * (120 if name == "celer" else 220)
    assert stimulus.n_words == recording.n_samples == n_words
    assert list(recording.target_names) == MEASURES
    third = {str(item): row for item, row in zip(recording.items, recording.data, strict=True)}
    (skipped,) = [
        third[str(i)] for i, w in zip(stimulus.item[:16], range(1, 17), strict=True) if w == 3
    ]
    assert np.isnan(skipped[:3]).all()  # a dot is no reading time of 0
    assert skipped[5] == 1
    if name == "onestop":
        assert stimulus.words[0] == 'Yes,"'


def test_natural_stories_open_by_their_cards(tmp_path):
    """Quotes belong to the words; readers who saw some stories only; zones numbered per story."""
    folder = tmp_path / "naturalstories" / "naturalstories_RTS"
    words = [
        (story, zone, '"' if zone == 5 else f"word{zone}")
        for story in range(1, 11)
        for zone in range(1, 1026)
    ]
    write_rows(
        folder / "all_stories.tok", ["word", "zone", "item"], [(w, z, s) for s, z, w in words]
    )
    write_rows(
        folder / "processed_wordinfo.tsv",
        ["word", "zone", "item", "nItem", "meanItemRT", "sdItemRT", "gmeanItemRT", "gsdItemRT"],
        [(w, z, s, 80 + z % 5, 330 + z % 9, 90, 310 + z % 9, 1.3) for s, z, w in words],
    )
    write_rows(
        folder / "processed_RTs.tsv",
        ["WorkerId", "WorkTimeInSeconds", "correct", "item", "zone", "RT", "word"],
        [
            (who, 2000, 6, s, z, 300 + z % 11, w)
            for who, stories in (("a1", (1, 2)), ("a2", (2,)))
            for s, z, w in words
            if s in stories
        ],
    )
    stimulus, recording = open_dataset("natural-stories", root=tmp_path)
    assert recording.data.shape == (10250, 2)
    assert stimulus.words[4] == '"'
    assert recording.data[10, 0] == 330 + 11 % 9
    _, reader = open_dataset("natural-stories-readers", "a2", root=tmp_path)
    assert reader.n_samples == 1025
    assert str(reader.items[0]) == "2/1"
    path = folder / "processed_RTs.tsv"
    path.write_text(path.read_text().replace("word7\n", "other\n", 1))
    with pytest.raises((CorruptDataError, ValueError), match="other"):
        open_dataset("natural-stories-readers", "a1", root=tmp_path)


def test_meco_opens_by_its_card(tmp_path):
    """One table of all languages; trials of other languages and rows without a word stay out."""
    import pandas
    import pyreadr

    rows = []
    for language in ("du", "en"):
        for who in (f"{language}_1", f"{language}_2"):
            for trial in range(1, 13):
                for number in range(1, 41):
                    skipped = (trial + number) % 6 == 0
                    rows.append(
                        {
                            "lang": language,
                            "uniform_id": who,
                            "trialid": float(trial),
                            "ianum": float(number),
                            "ia": f"{language}{number}",
                            "firstfix.dur": np.nan if skipped else 210.0 + number,
                            "firstrun.dur": np.nan if skipped else 240.0 + number,
                            "firstrun.gopast": np.nan if skipped else 260.0 + trial,
                            "dur": np.nan if skipped else 300.0 + trial + number,
                            "nfix": np.nan if skipped else 1.0 + number % 3,
                            "skip": float(skipped),
                        }
                    )
    rows.append({**rows[-1], "ia": None, "ianum": np.nan})  # fixations outside of the text
    (tmp_path / "meco").mkdir()
    path = tmp_path / "meco" / "joint_data_trimmed.rda"
    pyreadr.write_rdata(str(path), pandas.DataFrame(rows), df_name="joint.data")
    stimulus, recording = open_dataset("meco-en", "en_2", root=tmp_path)
    assert stimulus.n_words == 480
    assert set(stimulus.words) == {f"en{number}" for number in range(1, 41)}
    assert list(recording.target_names) == ["FFD", "GD", "GPT", "TRT", "nfix", "skip"]
    assert np.isnan(recording.data[:, 0]).mean() == pytest.approx(1 / 6, abs=0.02)


def test_chinese_word_tables_open_by_their_cards(tmp_path):
    import pandas

    words = [chr(0x4E00 + i) for i in range(17_940)]
    (tmp_path / "ssdd").mkdir()
    six = ["Vision", "Motor", "Socialness", "Emotion", "Time", "Space"]
    table = pandas.DataFrame({"Word": words} | {name: np.arange(17_940) % 7 + 1.0 for name in six})
    table.to_csv(tmp_path / "ssdd" / "ratings.csv", index=False)
    stimulus, recording = open_dataset("ssdd", root=tmp_path)
    assert recording.data.shape == (17_940, 6)
    assert stimulus.words[3] == words[3]

    nine = ["FFD", "GD", "FPF", "FN", "RI", "RO", "LI_left", "LI_right", "TT"]
    gaze = pandas.DataFrame({"Word": words[:8551]} | {m: np.arange(8551) % 9 + 0.5 for m in nine})
    gaze.loc[5, "RI"] = None
    (tmp_path / "words-zh-gaze").mkdir()
    gaze.to_excel(tmp_path / "words-zh-gaze" / "words.xlsx", index=False)
    _, recording = open_dataset("words-zh-gaze", root=tmp_path)
    assert recording.data.shape == (8551, 9)
    assert np.isnan(recording.data).sum() == 1  # an empty cell stays empty


def test_pieman_opens_by_its_card(tmp_path):
    """Gentle's alignment without a header, words without times in it, and fMRIPrep's images."""
    root = tmp_path / "ds002345"
    func = root / "derivatives" / "fmriprep" / "sub-002" / "func"
    func.mkdir(parents=True)
    stem = "sub-002_task-pieman_space-MNI152NLin2009cAsym_res-native_desc-"
    rng = np.random.default_rng(0)
    data = rng.standard_normal((28, 28, 28, 300)).astype(np.float32)
    image = nib.Nifti1Image(data, np.eye(4))
    image.header.set_zooms((1, 1, 1, 1.5))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, func / f"{stem}preproc_bold.nii.gz")
    mask = nib.Nifti1Image(np.ones(GRID, dtype=np.uint8), np.eye(4))
    nib.save(mask, func / f"{stem}brain_mask.nii.gz")
    rows = [
        f"Word{i},word{i}," + ("," if i % 50 == 7 else f"{0.4 * i:.2f},{0.4 * i + 0.3:.2f}")
        for i in range(950)
    ]
    align = root / "stimuli" / "gentle" / "pieman" / "align.csv"
    align.parent.mkdir(parents=True)
    align.write_text("\n".join(rows) + "\n", encoding="utf-8")
    stimulus, recording = open_dataset("narratives-pieman", "002", root=tmp_path)
    assert recording.data.shape == (300, 28**3)
    assert stimulus.n_words == 950 - 19  # those that were not aligned have no time
    assert stimulus.onset[1] == pytest.approx(0.4)
    np.testing.assert_allclose(recording.data[:, 0], data[0, 0, 0], rtol=1e-6)

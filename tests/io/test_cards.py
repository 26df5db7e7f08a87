"""Cards of public layouts, opened as they stand on small files in exactly that layout.

Only the counts of a card are replaced by those of the small files, and the ending of recordings in
formats that mne reads and cannot write (KIT, CTF) by that of FIF.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import openpyxl
import pandas as pd
import pyreadr
import pytest
from miniatures.cards import copy_card
from nilearn.datasets import load_mni152_brain_mask
from scipy.io import savemat
from support.images import save_cifti
from support.layouts import textgrid
from support.new_mat import write_new
from support.recordings import SPIKE, save_events, save_raw, save_sound

from brainlm.datasets.card import read_card
from brainlm.datasets.folders import list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.storage.openneuro import matches

CHARACTERS = ["从", "前", "有", "人"]
WORDS = ["从前", "有", "人"]


@pytest.fixture
def small_card(tmp_path):
    """Copy a card with other counts (and endings of files); its folder is made, too.

    What a card of OpenNeuro data opens must be among the files that it fetches.
    """
    copied = []

    def copy(name, endings=None, **facts):
        path = copy_card(name, tmp_path / f"{name}.toml", facts=facts, endings=endings)
        folder = tmp_path / "root" / name
        folder.mkdir(parents=True)
        copied.append((path, folder))
        return path, folder

    yield copy
    for path, folder in copied:
        card = read_card(path)
        for subject in list_subjects(path, folder.parent):
            fetched = card.source.patterns([subject]) if card.source.dataset else ["**"]
            for file in card.options.found_files(folder, subject):
                assert any(matches(file, pattern) for pattern in fetched), file


GRID = np.diag([4.0, 4, 4, 1])
GRID[:3, 3] = [50, -30, 8]  # across the surface of the brain


def save_volumes(path, rng, n, step, empty=False):
    data = rng.normal(size=(6, 6, 6, n)).astype(np.float32)
    if empty:
        data[2, 3, 3] = 7  # a voxel without data
    image = nib.Nifti1Image(data, GRID)
    image.header.set_zooms((1, 1, 1, step))
    image.header.set_xyzt_units("mm", "sec")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(image, path)
    return data


def in_brain():
    """Which voxels of the small grid have their centre in the brain of the template, by hand."""
    brain = load_mni152_brain_mask(resolution=1)
    centres = np.indices((6, 6, 6)).reshape(3, -1).T @ GRID[:3, :3] + GRID[:3, 3]
    at = np.rint(nib.affines.apply_affine(np.linalg.inv(brain.affine), centres)).astype(int)
    inside = (np.asarray(brain.dataobj)[tuple(at.T)] > 0).reshape(6, 6, 6)
    assert 50 < inside.sum() < 6**3
    assert inside[2, 3, 3]
    return inside


@pytest.mark.parametrize(
    ("name", "level", "variable", "words"),
    [
        ("smn4lang-fmri", "word-level/story_{}_word_time.mat", "word", WORDS),
        ("smn4lang-fmri-characters", "char-level/story_{}_char_time.mat", "char", CHARACTERS),
    ],
)
def test_smn4lang_volumes(small_card, name, level, variable, words):
    """Sixty stories, word times with the lead of 15 volumes, a voxel without data."""
    n, inside = len(words), in_brain()
    n_voxels = int(inside.sum())
    card, folder = small_card(name, n_samples=60 * 22, n_targets=n_voxels - 1, n_words=60 * n)
    rng = np.random.default_rng(0)
    first = None
    for run in range(1, 61):
        path = f"sub-01/MNI/sub-01_task-RDR_run-{run}_bold.nii.gz"
        data = save_volumes(
            folder / "derivatives/preprocessed_data" / path, rng, 22, 0.71, empty=True
        )
        first = data if first is None else first
        times = 10.65 + np.arange(n)
        annotation = folder / "derivatives/annotations/time_align" / level.format(run)
        write_new(annotation, words, variable, start=times, end=times + 0.5)
    stimulus, recording = open_dataset(card, "01", root=folder.parent)
    assert list(stimulus.words[:n]) == words
    assert stimulus.onset[0] == pytest.approx(10.65)
    assert list(stimulus.runs) == [str(run) for run in range(1, 61)]
    inside[2, 3, 3] = False
    np.testing.assert_allclose(recording.data[:22], first[inside].T)
    assert f"1 of {n_voxels} targets without data left out" in recording.notes


def test_smn4lang_grayordinates(small_card):
    card, folder = small_card("smn4lang-cifti", n_samples=60 * 22, n_targets=5, n_words=180)
    rng = np.random.default_rng(0)
    base = folder / "derivatives"
    for run in range(1, 61):
        stem = f"sub-02/CIFTI/sub-02_task-RDR_run-{run}_bold.dtseries.nii"
        data = save_cifti(base / "preprocessed_data" / stem, rng, 22, 0.71)
        times = 10.65 + np.arange(3.0)
        path = base / f"annotations/time_align/word-level/story_{run}_word_time.mat"
        write_new(path, WORDS, start=times, end=times + 0.5)
    _, recording = open_dataset(card, "02", root=folder.parent)
    np.testing.assert_allclose(recording.data[-22:], data, rtol=1e-6)


def test_smn4lang_meg(small_card):
    """The sound starts with its trigger, words 10.65 s later on their own clock."""
    card, folder = small_card("smn4lang-meg", n_samples=180, n_targets=3 * 12, n_words=180)
    onsets = np.array([2.0, 4.5, 8.0])
    base, start = folder / "derivatives", 0.5
    for run in range(1, 61):
        times = onsets - start - 0.0395 + 10.65
        path = base / f"annotations/time_align/word-level/story_{run}_word_time.mat"
        write_new(path, WORDS, start=times, end=times + 0.2)
        save_sound(folder / f"stimuli/audio/story_{run}.wav", 9.0)
        meg = base / "preprocessed_data/sub-09/MEG"
        save_raw(meg / f"sub-09_task-RDR_run-{run}_meg.fif", onsets)
        rows = [f"{start}\t0\tBeg", f"{start + 9}\t0\tEnd"]
        save_events(meg / f"sub-09_task-RDR_run-{run}_events.tsv", rows[run == 7 :])
    stimulus, recording = open_dataset(card, "09", root=folder.parent)
    np.testing.assert_allclose(stimulus.onset, np.tile(onsets, 60), atol=1e-6)
    first = recording.target_names.astype(str) == "MEG 001@0ms"
    spikes = recording.data[:, first][:, 0] / SPIKE * 10  # one sample of the ten of a bin
    np.testing.assert_allclose(spikes, np.tile([1, 2, 3], 60), rtol=1e-3)
    assert any("09/7 lacks the start" in note for note in recording.notes)


def test_meg_masc(small_card):
    """Fields in a cell; phonemes, sounds and random lists are no words of the story."""
    card, folder = small_card(
        "meg-masc", {"_meg.con": "_meg.fif"}, n_samples=6, n_targets=3 * 10, n_words=6, n_runs=2
    )
    rows = []
    for word, onset in zip(("Tara", "stood", "null"), (2.0, 4.5, 8.0), strict=True):
        fields = {"kind": "word", "word": word, "condition": "sentence"}
        rows.append(f"{onset}\t0.3\t{fields}")
        rows.append(f"{onset}\t0.1\t{{'kind': 'phoneme', 'phoneme': 't_B'}}")
    rows.append("9.5\t0.3\t{'kind': 'word', 'word': 'random', 'condition': 'word_list'}")
    channels = "name\ttype\tunits\tstatus\n"
    channels += "".join(f"MEG 00{i}\tMEGMAG\tT\tgood\n" for i in (1, 2, 3))
    for task in ("0", "1"):
        base = folder / "bids_anonym/sub-01/ses-0/meg"
        save_raw(base / f"sub-01_ses-0_task-{task}_meg.fif", [2.0, 4.5, 8.0])
        save_events(base / f"sub-01_ses-0_task-{task}_events.tsv", rows)
        (base / f"sub-01_ses-0_task-{task}_channels.tsv").write_text(channels)
    stimulus, recording = open_dataset(card, "01", root=folder.parent)
    assert list(stimulus.words) == ["Tara", "stood", "null"] * 2
    assert recording.data.shape == (6, 30)


def test_armeni(small_card):
    """Quoted words in capitals, silences, parts of a session."""
    card, folder = small_card(
        "armeni2022", {"_meg.ds": "_meg.fif"}, n_samples=30, n_targets=3 * 10, n_words=30
    )
    channels = "name\ttype\tunits\tstatus\n"
    channels += "".join(f"MEG 00{i}\tMEGMAG\tT\tgood\n" for i in (1, 2, 3))
    rows = ["0.2\t0.0\twav_onset_01\t20", "1.0\t0.3\tword_onset_01\tsp"]
    for word, onset in zip(("THE", "ADVENTURES", "NULL"), (2.0, 4.5, 8.0), strict=True):
        rows.append(f'{onset}\t0.3\tword_onset_01\t"{word}"')
        rows.append(f"{onset}\t0.1\tphoneme_onset_01\tDH")
    for session in range(1, 11):
        base = folder / f"sub-001/ses-{session:03d}/meg"
        stem = f"sub-001_ses-{session:03d}_task-compr"
        save_raw(base / f"{stem}_meg.fif", [2.0, 4.5, 8.0])
        save_events(base / f"{stem}_events.tsv", rows, "onset\tduration\ttype\tvalue")
        (base / f"{stem}_channels.tsv").write_text(channels)
    stimulus, recording = open_dataset(card, "001", root=folder.parent)
    assert [word.strip('"') for word in stimulus.words[:3]] == ["THE", "ADVENTURES", "NULL"]
    assert recording.data.shape == (30, 30)


@pytest.mark.parametrize(
    ("name", "responses", "grids", "key"),
    [
        ("lebel2023", "derivative/preprocessed_data/UTS01", "derivative/TextGrids", "data"),
        ("tang2023", "data_train/train_response/S1", "data_train/train_stimulus", "data"),
    ],
)
def test_stories_in_hdf5(small_card, name, responses, grids, key):
    """The first saved sample lies 10 s after the sound began; noises are no words."""
    card, folder = small_card(name, n_samples=16, n_targets=4, n_words=4, n_runs=2)
    intervals = [(0, 9, "sp"), (9, 12, "once"), (12, 13, "{LG}"), (13, 20, "null"), (20, 26, "sp")]
    (folder / responses).mkdir(parents=True)
    (folder / grids).mkdir(parents=True)
    saved = {}
    for story in ("adollshouse", "life"):
        saved[story] = np.random.default_rng(len(story)).normal(size=(8, 4))
        with h5py.File(folder / responses / f"{story}.hf5", "w") as file:
            file[key] = saved[story]
        (folder / grids / f"{story}.TextGrid").write_text(textgrid(intervals))
    subject = Path(responses).name
    stimulus, recording = open_dataset(card, subject, root=folder.parent)
    assert list(stimulus.words) == ["once", "null"] * 2
    assert recording.times[0] == 10
    np.testing.assert_allclose(recording.data[:8], saved["adollshouse"], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "task", "table", "words"),
    [
        ("littleprince-zh-fmri", "lppCN", "annotation/CN/lppCN_word_information.csv", "当"),
        ("littleprince-en-fmri", "lppEN", "annotation/EN/lppEN_word_information.csv", "once"),
        ("littleprince-fr-fmri", "lppFR", "annotation/FR/lppFR_word_information.csv", "lorsque"),
    ],
)
def test_little_prince(small_card, name, task, table, words):
    """The k-th run of a person is section k, whatever its number."""
    inside = in_brain()
    n_voxels = int(inside.sum())
    card, folder = small_card(name, n_samples=9 * 6, n_targets=n_voxels, n_words=9 * 2)
    language = {"CN": "CN", "EN": "EN", "FR": "FR"}[task[3:]]
    rng = np.random.default_rng(0)
    rows, data = ["word,onset,offset,section"], []
    for section in range(1, 10):
        stem = f"sub-{language}001/func/sub-{language}001_task-{task}_run-{section + 14:02d}"
        path = folder / f"derivatives/{stem}_space-MNIColin27_desc-preproc_bold.nii.gz"
        data.append(save_volumes(path, rng, 6, 2.0))
        rows += [f"{words},1.0,1.5,{section}", f"null,3.0,3.5,{section}"]
    (folder / table).parent.mkdir(parents=True)
    (folder / table).write_text("\n".join(rows) + "\n", encoding="utf-8")
    stimulus, recording = open_dataset(card, f"{language}001", root=folder.parent)
    assert list(stimulus.words[:2]) == [words, "null"]
    np.testing.assert_allclose(recording.data[6:12], data[1][inside].T, rtol=1e-6)


@pytest.mark.parametrize("name", ["mulcogbench-zh-stories", "mulcogbench-en-stories"])
def test_mulcogbench_stories(small_card, name):
    """Regions apart, voxels first."""
    n = 60 if "zh" in name else 51
    card, folder = small_card(name, n_samples=n * 10, n_targets=6 * 2, n_words=n * 3)
    regions = ["Cognition", "Language", "Manipulation", "Memory", "Reward", "Vision"]
    words = WORDS if "zh" in name else ["once", "upon", "null"]
    rng = np.random.default_rng(0)
    first = None
    for story in range(1, n + 1):
        for region in regions:
            path = folder / f"fmri/{region}/01/story_{story}.mat"
            path.parent.mkdir(parents=True, exist_ok=True)
            data = rng.normal(size=(2, 10))
            first = data if first is None else first
            savemat(path, {"fmri_response": data})
        path = folder / f"word_time/story_{story}_word_time.mat"
        path.parent.mkdir(exist_ok=True)
        times = 1 + np.arange(3.0)
        listed = np.array(words, dtype=object)
        savemat(path, {"word": listed, "start": times, "end": times + 0.5})
    stimulus, recording = open_dataset(card, "01", root=folder.parent)
    assert list(stimulus.words[:3]) == words
    np.testing.assert_allclose(recording.data[:10, :2], first.T, rtol=1e-6)
    assert recording.target_names[0].startswith("Cognition")


def test_mulcogbench_gaze(small_card):
    import json

    card, folder = small_card("mulcogbench-zh-gaze", n_samples=6, n_words=6, n_missing=1)
    columns = ["FFD", "GD", "FPF", "FN", "RI", "RO", "LI_left", "LI_right", "TT"]
    text = {
        str(s): {"word": WORDS}
        | {c: [100 * s + i + k / 10 for i in range(3)] for k, c in enumerate(columns)}
        for s in (1, 2)
    }
    text["1"]["RI"][0] = None
    (folder / "eye_tracking").mkdir()
    (folder / "eye_tracking" / "zh.json").write_text(json.dumps(text), encoding="utf-8")
    stimulus, recording = open_dataset(card, root=folder.parent)
    assert list(stimulus.words) == WORDS * 2
    assert recording.data[4, 0] == 201
    assert np.isnan(recording.data).sum() == 1


def test_mulcogbench_meg_and_words(small_card):
    card, folder = small_card("mulcogbench-zh-meg", n_samples=3, n_targets=2 * 4, n_words=3)
    (folder / "meg" / "01").mkdir(parents=True)
    data = np.random.default_rng(0).normal(size=(3, 2, 4))
    savemat(folder / "meg" / "01" / "story_1.mat", {"meg": data})
    (folder / "meg" / "story_1_words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    stimulus, recording = open_dataset(card, "01", root=folder.parent)
    assert list(stimulus.words) == WORDS
    np.testing.assert_allclose(recording.data, data.reshape(3, -1))

    card, folder = small_card("mulcogbench-zh-words", n_samples=3, n_targets=5, n_words=3)
    (folder / "word_fmri").mkdir(parents=True)
    data = np.random.default_rng(0).normal(size=(3, 5))
    savemat(folder / "word_fmri" / "01.mat", {"examples": data})
    (folder / "word_fmri" / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    stimulus, recording = open_dataset(card, "01", root=folder.parent)
    np.testing.assert_allclose(recording.data, data)


def column(values):
    cells = np.empty((len(values), 1), dtype=object)
    cells[:, 0] = values
    return cells


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("pereira2018-384", "data_384sentences.mat"),
        ("pereira2018-243", "data_243sentences.mat"),
        ("pereira2018-concepts", "data_180concepts_sentences.mat"),
    ],
)
def test_pereira_2018(small_card, name, file):
    """Sentences in passages, or concepts; coordinates of voxels count from 1."""
    data = np.random.default_rng(0).normal(size=(3, 4))
    content = {"examples": data, "meta": {"colToCoord": np.arange(12.0).reshape(4, 3) + 1}}
    if name.endswith("concepts"):
        content["keyConcept"] = column(["ability", "null", "accomplished"])
    else:
        content["keySentences"] = column(["Bees sting.", "They fly.", "A violin."])
        content["labelsPassageForEachSentence"] = np.array([[1], [1], [2]])
        content["keyPassages"] = column(["bee", "violin"])
    n_words = 3 if name.endswith("concepts") else 6
    card, folder = small_card(name, n_samples=3, n_targets=4, n_words=n_words)
    (folder / "P01").mkdir()
    savemat(folder / "P01" / file, content, do_compression=True)
    stimulus, recording = open_dataset(card, "P01", root=folder.parent)
    np.testing.assert_allclose(recording.data, data)
    assert recording.positions.shape == (4, 3)
    if n_words == 6:
        assert list(dict.fromkeys(stimulus.text)) == ["1 bee", "2 violin"]


def test_mitchell_2008(small_card):
    """Trials in cells, their words in a struct array, each word several times."""
    card, folder = small_card("mitchell2008", n_samples=4, n_targets=3, n_words=2)
    trials = np.random.default_rng(0).normal(size=(4, 3))
    info = np.zeros((1, 4), dtype=[("word", object), ("epoch", object)])
    for i, word in enumerate(("hammer", "cat", "hammer", "cat")):
        info[0, i] = (word, float(i))
    content = {"data": column([row[None] for row in trials]), "info": info}
    content["meta"] = {"colToCoord": np.arange(9.0).reshape(3, 3) + 1}
    savemat(folder / "data-science-P1.mat", content)
    stimulus, recording = open_dataset(card, "P1", root=folder.parent)
    np.testing.assert_allclose(recording.data, trials)
    assert sorted(stimulus.words) == ["cat", "hammer"]
    assert len(set(recording.items)) == 2


def test_moth(small_card):
    card, folder = small_card("moth", n_samples=24, n_targets=5, n_words=4, n_runs=2)
    rng = np.random.default_rng(0)
    for run in ("1", "2"):
        save_cifti(folder / f"sub-S01/moth/{run}.dtseries.nii", rng, 12, 0.72)
    rows = [
        "word,onset,offset,run",
        "once,1.0,1.5,1",
        "upon,2.0,2.4,1",
        "a,1.0,1.2,2",
        "null,2,3,2",
    ]
    (folder / "words.csv").write_text("\n".join(rows) + "\n")
    stimulus, recording = open_dataset(card, "S01", root=folder.parent)
    assert list(stimulus.words) == ["once", "upon", "a", "null"]
    assert recording.data.shape == (24, 5)


def test_geco_cn(small_card):
    """A row per reader and word; what was skipped has dots."""
    card, folder = small_card("geco-cn", n_samples=6, n_words=6, n_missing=4)
    columns = [
        "WORD_FIRST_FIXATION_DURATION",
        "WORD_GAZE_DURATION",
        "WORD_GO_PAST_TIME",
        "WORD_TOTAL_READING_TIME",
        "WORD_FIXATION_COUNT",
        "WORD_SKIP",
    ]
    book = openpyxl.Workbook()
    book.active.append(["PP_NR", "PART", "TRIAL", "WORD_ID", "WORD", *columns])
    for reader in ("pp01", "pp02"):
        for trial in (1, 2):
            for k, word in enumerate(WORDS):
                skipped = trial == 2 and k == 1
                values = [".", ".", ".", "."] if skipped else [200 + k, 220 + k, 260 + k, 300 + k]
                row = [reader, 1, trial, f"1-{trial}-{k}", word, *values, 1 + k, int(skipped)]
                book.active.append(row)
    book.save(folder / "L1ReadingData.xlsx")
    stimulus, recording = open_dataset(card, "pp02", root=folder.parent)
    assert list(stimulus.words) == WORDS * 2
    assert recording.data[5, 3] == 302
    assert np.isnan(recording.data).sum() == 4


@pytest.mark.parametrize(("name", "code"), [("meco-zh", "ch_s"), ("meco-zh-traditional", "ch_t")])
def test_meco_in_chinese(small_card, name, code):
    card, folder = small_card(name, n_samples=6, n_words=6, n_missing=0)
    rows = [
        {
            "lang": language,
            "uniform_id": f"{language}_1",
            "trialid": float(trial),
            "ianum": float(k + 1),
            "ia": word,
            "firstfix.dur": 210.0 + k,
            "firstrun.dur": 240.0 + k,
            "firstrun.gopast": 260.0 + k,
            "dur": 300.0 + k,
            "nfix": 1.0 + k,
            "skip": float(k == 1),
        }
        for language in ("du", "ch_s", "ch_t")
        for trial in (1, 2)
        for k, word in enumerate(WORDS)
    ]
    path = folder / "joint_data_trimmed_wave2_version2.1.rda"
    pyreadr.write_rdata(str(path), pd.DataFrame(rows), df_name="joint_data")
    stimulus, recording = open_dataset(card, f"{code}_1", root=folder.parent)
    assert list(stimulus.words) == WORDS * 2
    assert recording.data[2, 0] == 212


@pytest.mark.parametrize("name", ["lebel2023", "tang2023"])
def test_noises_that_the_authors_leave_out_are_no_words(name):
    skipped = read_card(name).open.options["skip"]
    marks = {"sentence_start", "sentence_end", "br", "lg", "ls", "ns", "sp"}
    for mark in marks:
        for written in (mark, f"{{{mark}}}", f"{{{mark.upper()}}}")[: 1 if "_" in mark else 3]:
            assert written in skipped

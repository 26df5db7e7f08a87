"""A small BIDS folder with run numbers that differ between subjects, and the usual traps."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from support.images import save_cifti, save_surface

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io import read_bids
from brainlm.io.bids import BidsOptions

AFFINE = np.diag([2.0, 2, 2, 1])
BASE = "sub-{subject}/func/sub-{subject}_task-lppEN_run-{run}"
EVENTS = {
    "pattern": BASE + "_bold.nii.gz",
    "mask": "mask.nii.gz",
    "language": "en",
    "n_runs": 2,
    "word": "word",
    "skip": ["#"],
    "unit": "BOLD (a.u.)",
}
SHARED = {
    **{key: value for key, value in EVENTS.items() if key not in ("word", "skip")},
    "words": {"files": ["words.csv"], "run": "section"},
    "heard": "in order",
}
CONFOUNDS = {
    **EVENTS,
    "confounds": BASE + "_desc-confounds_timeseries.tsv",
    "regress_out": ["trans_x", "trans_x_derivative1"],
}


def run_path(root, subject, run, suffix):
    name = BASE.replace("{subject}", subject).replace("{run}", run) + suffix
    return root / name


def add_run(root, subject, run, rng, n_volumes=8):
    path = run_path(root, subject, run, "_bold.nii.gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(rng.normal(size=(3, 2, 2, n_volumes)).astype(np.float32), AFFINE)
    image.header.set_zooms((2, 2, 2, 2.0))
    nib.save(image, path)
    run_path(root, subject, run, "_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))
    run_path(root, subject, run, "_events.tsv").write_text(
        "onset\tduration\tword\n0.0\t0.5\t#\n1.0\t0.5\tonce\n2.0\t0.4\tnull\n"
    )
    confounds = rng.normal(size=n_volumes)
    rows = [f"{x:.6f}\t{'n/a' if i == 0 else x / 2:}" for i, x in enumerate(confounds)]
    run_path(root, subject, run, "_desc-confounds_timeseries.tsv").write_text(
        "trans_x\ttrans_x_derivative1\n" + "\n".join(rows) + "\n"
    )


@pytest.fixture
def root(tmp_path, rng):
    for subject, runs in (("EN057", ("9", "10")), ("EN058", ("15", "16"))):
        for run in runs:
            add_run(tmp_path, subject, run, rng)
    kept = np.zeros((3, 2, 2), dtype=np.uint8)
    kept[1] = 1
    nib.save(nib.Nifti1Image(kept, AFFINE), tmp_path / "mask.nii.gz")
    (tmp_path / "words.csv").write_text(
        "word,onset,offset,section\nonce,0.1,0.7,1\nwhen,0.7,0.9,1\nI,0.4,0.5,2\n"
    )
    return tmp_path


def test_runs_in_the_order_of_their_numbers_with_the_words_of_their_events(root):
    stimulus, recording = read_bids(root, "EN057", **EVENTS)
    assert stimulus.words.tolist() == ["once", "null"] * 2
    assert stimulus.runs == recording.runs == ["9", "10"]
    assert recording.data.shape == (16, 4)
    image = nib.load(run_path(root, "EN057", "10", "_bold.nii.gz"))
    np.testing.assert_allclose(recording.data[8:], image.get_fdata()[1].reshape(4, 8).T, rtol=1e-6)
    assert recording.times[[0, 7, 8]].tolist() == [0, 14, 0]
    assert recording.target_names[3] == "1,1,1"
    assert recording.positions[3].tolist() == [2, 2, 2]


def test_sections_that_all_subjects_share_go_to_the_runs_in_order(root):
    stimulus, recording = read_bids(root, "EN058", **SHARED)
    assert stimulus.runs == recording.runs == ["1", "2"]
    assert stimulus.words.tolist() == ["once", "when", "I"]


def test_confounds_are_regressed_out_of_each_run(root):
    _, plain = read_bids(root, "EN057", **EVENTS)
    _, clean = read_bids(root, "EN057", **CONFOUNDS)
    text = run_path(root, "EN057", "9", "_desc-confounds_timeseries.tsv").read_text()
    motion = [float(line.split("\t")[0]) for line in text.splitlines()[1:]]
    assert np.abs(np.array(motion) @ clean.data[:8]).max() < 1e-4
    assert np.abs(clean.data[:8].mean(axis=0)).max() < 1e-5
    assert np.abs(plain.data[:8].mean(axis=0)).max() > 1e-2
    assert "trans_x" in clean.notes[0]


def test_only_a_difference_may_lack_its_first_value(root):
    table = run_path(root, "EN057", "9", "_desc-confounds_timeseries.tsv")
    lines = table.read_text().splitlines()
    lines[1] = "n/a\tn/a"
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(CorruptDataError, match=r"missing values \(n/a\) in trans_x"):
        read_bids(root, "EN057", **CONFOUNDS)


def spoil(root, what, rng):
    path = run_path(root, "EN057", "10", "_bold.nii.gz")
    if what == "late":
        events = path.with_name(path.name.replace("_bold.nii.gz", "_events.tsv"))
        events.write_text("onset\tduration\tword\n1\t.5\tonce\n16.5\t.5\tlate\n")
    elif what == "row":
        table = run_path(root, "EN057", "10", "_desc-confounds_timeseries.tsv")
        table.write_text(table.read_text() + "0\t0\n")
    elif what == "TR":
        run_path(root, "EN057", "10", "_bold.json").write_text('{"RepetitionTime": 1.5}')
    elif what == "no TR":
        run_path(root, "EN057", "10", "_bold.json").write_text("{}")
    elif what in ("true", '"2.0"', "1" + "0" * 400):
        run_path(root, "EN057", "10", "_bold.json").write_text(f'{{"RepetitionTime": {what}}}')
    elif what == "doubled":
        add_run(root, "EN057", "11", rng)
    elif what == "grid":
        nib.save(
            nib.Nifti1Image(np.ones((3, 2, 2), dtype=np.uint8), np.eye(4)), root / "mask.nii.gz"
        )
    elif what == "3-D":
        nib.save(nib.Nifti1Image(np.ones((3, 2, 2), dtype=np.float32), AFFINE), path)
    elif what == "annex":
        path.unlink()
        path.symlink_to(".git/annex/objects/aa/bb/x.nii.gz")
    else:
        path.write_bytes(path.read_bytes()[:-60])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("late", r"run-10_bold.* 1 words begin after the last volume ends at 16\.00 s.*'late'"),
        ("row", r"run-10_desc-confounds_timeseries\.tsv: 9 rows of confounds for 8 volumes"),
        ("TR", r"repetition times differ .*1\.5"),
        ("no TR", r"run-10_bold\.json: has no RepetitionTime"),
        ("true", r"run-10_bold\.json: has no RepetitionTime in seconds, but True"),
        ('"2.0"', r"run-10_bold\.json: has no RepetitionTime in seconds, but '2\.0'"),
        ("1" + "0" * 400, r"run-10_bold\.json: has no RepetitionTime in seconds"),
        ("doubled", r"'EN057' has 3 runs \(9, 10, 11\), expected 2"),
        ("grid", "take the mask of the same space"),
        ("3-D", "volumes over time"),
        ("annex", "git-annex link without its content"),
        ("cut", r"run-10_bold\.nii\.gz"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_file(root, what, message, rng):
    spoil(root, what, rng)
    with pytest.raises((CorruptDataError, DataMissingError), match=message):
        read_bids(root, "EN057", **CONFOUNDS)


def test_unknown_subjects_runs_and_options(root):
    with pytest.raises(UnknownNameError, match=r"'EN059'.*EN057, EN058"):
        read_bids(root, "EN059", **EVENTS)
    with pytest.raises(DataMissingError, match=r"lacks the runs \['3'\]"):
        read_bids(root, "EN057", **{**EVENTS, "runs": ["9", "3"]})
    with pytest.raises(ValueError, match="either words"):
        read_bids(root, "EN057", **{**SHARED, "word": "word"})
    with pytest.raises(DataMissingError, match="no file matches"):
        read_bids(root / "sub-EN057", "EN057", **EVENTS)


def test_the_files_of_a_subject_are_named(root):
    files = BidsOptions.model_validate(SHARED, strict=False).found_files(root, "EN058")
    assert all((root / name).is_file() for name in files)
    assert len(files) == 4


# CIFTI and surfaces

GRAY = {
    "pattern": "sub-{subject}/func/sub-{subject}_task-RDR_run-{run}_bold.dtseries.nii",
    "language": "zh",
    "word": "word",
    "unit": "BOLD (a.u.)",
}
SURFACE = {
    **GRAY,
    "pattern": "sub-{subject}/ses-{session}/sub-{subject}_ses-{session}_run-{run}_hemi-{hemisphere}"
    "_bold.func.gii",
    "constant": "leave out",
}
EVENT_TABLE = "onset\tduration\tword\n1.0\t0.5\t從前\n2.0\t0.4\t有\n"


def test_cifti_runs_are_stacked_and_events_may_stand_above(tmp_path, rng):
    folder = tmp_path / "sub-01" / "func"
    data = [
        save_cifti(folder / f"sub-01_task-RDR_run-{run}_bold.dtseries.nii", rng, n_samples=n)
        for run, n in (("2", 6), ("10", 8))
    ]
    (tmp_path / "task-RDR_events.tsv").write_text(EVENT_TABLE, encoding="utf-8")
    (tmp_path / "task-RDR_bold.json").write_text('{"RepetitionTime": 2.0}')
    stimulus, recording = read_bids(tmp_path, "01", **GRAY)
    assert stimulus.runs == recording.runs == ["2", "10"]
    np.testing.assert_array_equal(recording.data, np.vstack(data))
    save_cifti(folder / "sub-01_task-RDR_run-10_bold.dtseries.nii", rng, step=0.71)
    (tmp_path / "task-RDR_bold.json").unlink()
    with pytest.raises(CorruptDataError, match=r"repetition times differ .*0\.71"):
        read_bids(tmp_path, "01", **GRAY)


def test_surfaces_of_sessions_lose_what_is_empty_in_any_run(tmp_path, rng):
    for session, empty in (("1", 0), ("2", 3)):
        for side in "LR":
            values = rng.normal(size=(5, 4))
            values[:, empty] = np.nan if side == "L" else 0
            base = f"sub-01/ses-{session}/sub-01_ses-{session}_run-1"
            save_surface(tmp_path / f"{base}_hemi-{side}_bold.func.gii", values)
        (tmp_path / f"{base}_events.tsv").write_text(EVENT_TABLE, encoding="utf-8")
    stimulus, recording = read_bids(tmp_path, "01", **SURFACE)
    assert recording.runs == stimulus.runs == ["1/1", "2/1"]
    assert recording.target_names.tolist() == ["left 1", "left 2", "right 1", "right 2"]
    assert recording.notes == ("4 of 8 targets without data left out",)
    assert BidsOptions.model_validate(SURFACE, strict=False).subjects(tmp_path) == ["01"]
    for missing in sorted(tmp_path.glob("*/*/*hemi-R*")):
        missing.unlink()
    with pytest.raises(DataMissingError, match="hemi-R"):
        read_bids(tmp_path, "01", **SURFACE)


def test_an_image_beside_the_template_is_refused(tmp_path):
    path = run_path(tmp_path, "01", "1", "_bold.nii.gz")
    path.parent.mkdir(parents=True)
    far = np.diag([2.0, 2, 2, 1])
    far[:3, 3] = 500
    nib.save(nib.Nifti1Image(np.ones((6, 6, 6, 4), dtype=np.float32), far), path)
    options = {key: value for key, value in EVENTS.items() if key not in ("mask", "n_runs")}
    with pytest.raises(CorruptDataError, match=r"1_bold\.nii\.gz: no voxel .* MNI152 template"):
        read_bids(tmp_path, "01", **options, template_mask=True)


def test_what_does_not_go_together_is_said():
    for change, message in (
        ({"mask": "mask.nii"}, "volumes need mask or template_mask"),
        ({"template_mask": True}, "only volumes do"),
        ({"pattern": EVENTS["pattern"]}, "volumes need mask or template_mask"),
        ({"pattern": EVENTS["pattern"], "mask": "m.nii", "template_mask": True}, "one of them"),
        ({"pattern": "sub-{subject}.func.gii"}, "needs {hemisphere}"),
        ({"strategy": ["motion"], "confounds": "x", "regress_out": ["y"]}, "either strategy"),
        ({"strategy_options": {"motion": "basic"}}, "strategy_options belong to strategy"),
    ):
        with pytest.raises(ValueError, match=message):
            BidsOptions.model_validate({**GRAY, **change}, strict=False)


# Confounds through nilearn

PREP = "sub-{subject}/func/sub-{subject}_task-x_run-{run}_space-MNI152_desc-preproc_bold.nii.gz"
STRATEGY = {
    **{key: value for key, value in EVENTS.items() if key not in ("pattern", "n_runs")},
    "pattern": PREP,
    "strategy": ["motion", "high_pass"],
    "strategy_options": {"motion": "basic"},
    "sampling_interval": 2.0,
}
MOTION = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]


@pytest.fixture
def fmriprep(root, rng):
    path = root / PREP.replace("{subject}", "01").replace("{run}", "1")
    path.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(rng.normal(size=(3, 2, 2, 30)).astype(np.float32), AFFINE), path)
    columns = [*MOTION, "cosine00", "non_steady_state_outlier00"]
    values = rng.normal(size=(30, 8))
    values[:, 6] = np.cos(np.pi * (np.arange(30) + 0.5) / 30)
    values[:, 7] = np.arange(30) == 0
    rows = ["\t".join(f"{x:.6f}" for x in row) for row in values]
    stem = "sub-01_task-x_run-1"
    (path.parent / f"{stem}_desc-confounds_timeseries.tsv").write_text(
        "\t".join(columns) + "\n" + "\n".join(rows) + "\n"
    )
    (path.parent / f"{stem}_events.tsv").write_text("onset\tduration\tword\n1.0\t0.5\tonce\n")
    return path, values


def test_nilearn_chooses_confounds_of_fmriprep_and_volumes_left_out_are_counted(root, fmriprep):
    path, values = fmriprep
    _, recording = read_bids(root, "01", **STRATEGY)
    assert recording.data.shape == (29, 4)
    assert recording.times[:2].tolist() == [2, 4]  # the clock stays that of the run
    left = values[1:, :7] - values[1:, :7].mean(axis=0)
    assert np.abs(left.T @ recording.data).max() < 1e-4
    raw = nib.load(path).get_fdata()[1].reshape(4, 30).T[1:]
    assert np.abs((raw - recording.data).std(axis=0)).min() > 1e-3
    assert recording.notes[0].startswith("regressed out of each run, with the mean: motion, high")
    assert "1 of 30 samples left out" in recording.notes[1]


def test_what_nilearn_cannot_do_is_said_with_the_image(root, fmriprep):
    path, _ = fmriprep
    for strategy, message in (
        (["motion", "wm_csf"], "wm_csf|white_matter"),
        (["motion", "nonsense"], "nonsense"),
    ):
        with pytest.raises(CorruptDataError, match=f"(?s)nilearn cannot load.*({message})"):
            read_bids(root, "01", **{**STRATEGY, "strategy": strategy})
    table = path.parent / "sub-01_task-x_run-1_desc-confounds_timeseries.tsv"
    table.write_text(table.read_text() + "0\t" * 7 + "0\n")
    with pytest.raises(CorruptDataError, match="31 rows of confounds for 30 volumes"):
        read_bids(root, "01", **STRATEGY)


def tell(root, subject, run, story):
    """Write into the events of a run which file was heard."""
    events = run_path(root, subject, run, "_events.tsv")
    events.write_text(f"onset\tduration\tstim_file\n0\t10\tsounds/{story}.wav\n")


STORIES = {
    **{key: value for key, value in SHARED.items() if key not in ("heard", "n_runs")},
    "words": {"files": ["stimuli/{run}.tsv"]},
}


@pytest.fixture
def told(root):
    """Three stories of one word each; both subjects heard two, in other orders."""
    (root / "stimuli").mkdir()
    for story in ("alice", "boat", "cat"):
        row = f"word\tonset\toffset\n{story}\t1\t2\n"
        (root / "stimuli" / f"{story}.tsv").write_text(row)
    tell(root, "EN057", "9", "cat")
    tell(root, "EN057", "10", "alice")
    tell(root, "EN058", "15", "alice")
    tell(root, "EN058", "16", "boat")
    return root


def first_value(root, subject, run):
    return nib.load(run_path(root, subject, run, "_bold.nii.gz")).get_fdata()[1, 0, 0, 0]


def test_a_run_gets_the_words_of_the_file_that_its_events_name(told):
    stimulus, recording = read_bids(told, "EN057", **STORIES)
    assert stimulus.words.tolist() == stimulus.runs == recording.runs == ["alice", "cat"]
    assert recording.data[0, 0] == pytest.approx(first_value(told, "EN057", "10"))
    assert recording.data[8, 0] == pytest.approx(first_value(told, "EN057", "9"))
    stimulus, _ = read_bids(told, "EN058", **STORIES)
    assert stimulus.words.tolist() == ["alice", "boat"]


def test_a_mapping_says_which_run_heard_which_story(told):
    heard = {"9": "boat", "EN057/10": "cat"}
    stimulus, recording = read_bids(told, "EN057", **STORIES, heard=heard)
    assert stimulus.words.tolist() == recording.runs == ["boat", "cat"]
    assert recording.data[0, 0] == pytest.approx(first_value(told, "EN057", "9"))


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda r: tell(r, "EN057", "10", "dog"), {}, r"stim_file in its events is sounds/dog"),
        (lambda r: tell(r, "EN057", "10", "cat"), {}, "'9' and '10' both heard 'cat'"),
        (None, {"heard": {"9": "cat"}}, "heard says None for run '10'"),
        (None, {"heard": "by name"}, "no run of the words is named '9'"),
        (None, {"heard": "in order"}, "2 runs of recordings, 3 of words"),
    ],
)
def test_a_run_whose_story_is_not_known_is_refused(told, spoil, options, message):
    if spoil:
        spoil(told)
    with pytest.raises(CorruptDataError, match=message):
        read_bids(told, "EN057", **STORIES, **options)


def test_names_agree_whatever_their_zeros(root):
    words = "word,onset,offset,section\nonce,0.1,0.7,010\nI,0.4,0.5,9\n"
    (root / "words.csv").write_text(words)
    options = {key: value for key, value in SHARED.items() if key != "heard"}
    stimulus, recording = read_bids(root, "EN057", **options)
    assert stimulus.words.tolist() == ["once", "I"]  # the order of the words
    assert recording.data[0, 0] == pytest.approx(first_value(root, "EN057", "10"))
    with pytest.raises(CorruptDataError, match=r"'15'.*heard = \"in order\""):
        read_bids(root, "EN058", **options)


def test_a_quotation_mark_is_a_character_of_a_word(root):
    for run in ("9", "10"):
        run_path(root, "EN057", run, "_events.tsv").write_text(
            'onset\tduration\tword\n1\t.2\t"Hello\n2\t.2\tmy\n3\t.2\tthere"\n'
        )
    stimulus, _ = read_bids(root, "EN057", **EVENTS)
    assert stimulus.words.tolist() == ['"Hello', "my", 'there"'] * 2


def set_times(root, unit, step, tr=None):
    for run in ("9", "10"):
        path = run_path(root, "EN057", run, "_bold.nii.gz")
        image = nib.load(path)
        image.header.set_xyzt_units("mm", unit)
        image.header.set_zooms((2, 2, 2, step))
        nib.save(nib.Nifti1Image(image.get_fdata(), AFFINE, image.header), path)
        side = run_path(root, "EN057", run, "_bold.json")
        side.unlink(missing_ok=True)
        if tr is not None:
            side.write_text(json.dumps({"RepetitionTime": tr}))


@pytest.mark.parametrize(
    ("unit", "step"), [("sec", 1.5), ("msec", 1500), ("usec", 1.5e6), ("unknown", 1.5)]
)
def test_the_repetition_time_is_in_the_unit_of_the_header(root, unit, step):
    set_times(root, unit, step)
    _, recording = read_bids(root, "EN057", **EVENTS)
    assert recording.times[:3].tolist() == pytest.approx([0, 1.5, 3])


@pytest.mark.parametrize(
    ("unit", "step", "tr", "message"),
    [
        ("sec", 2000, None, r"a volume every 2000 s is outside of 0\.05 to 20 s"),
        ("msec", 2, None, r"a volume every 0\.002 s is outside"),
        ("sec", 1.5, 2.0, r"repetition times differ .*nii\.gz 1\.5 s.*json 2 s"),
        ("unknown", 1, None, "no repetition time: .* or declare sampling_interval"),
        ("hz", 2, None, "no repetition time: .* or declare sampling_interval"),
    ],
)
def test_a_repetition_time_in_doubt_is_refused_unless_declared(root, unit, step, tr, message):
    set_times(root, unit, step, tr)
    with pytest.raises(CorruptDataError, match=message):
        read_bids(root, "EN057", **EVENTS)
    _, recording = read_bids(root, "EN057", **EVENTS, sampling_interval=2.0)
    assert recording.times[1] == 2
    said = unit in ("sec", "msec")
    assert any("as declared; headers say" in note for note in recording.notes) == said


def test_talk_is_put_in_the_order_of_its_onsets(root):
    for run in ("9", "10"):
        run_path(root, "EN057", run, "_events.tsv").write_text(
            "onset\tduration\tword\twho\n1\t2\twell\tA\n2\t.5\tyes\tA\n1.5\t.2\tno\tB\n"
        )
    with pytest.raises(CorruptDataError, match="begins before the word before it"):
        read_bids(root, "EN057", **EVENTS)
    stimulus, _ = read_bids(root, "EN057", **EVENTS, overlap="allow", speaker="who")
    assert stimulus.words.tolist() == ["well", "no", "yes"] * 2
    assert stimulus.speaker.tolist() == ["A", "B", "A"] * 2


def test_a_wrong_option_is_one_line(root):
    with pytest.raises(
        ValueError, match=r"unknown option 'langauge'\. Did you mean 'language'"
    ) as e:
        read_bids(root, "EN057", **EVENTS, langauge="en")
    assert "\n" not in str(e.value)

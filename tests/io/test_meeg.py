"""MEG in three public layouts (FIF in place of formats that mne cannot write), with their traps."""

from __future__ import annotations

import mne
import numpy as np
import pytest
from scipy.io import savemat
from support.recordings import FIRST, RATE, SPIKE, save_events, save_raw, save_sound

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io import read_meeg
from brainlm.io.meeg_options import MeegOptions

ONSETS = [1.0, 3.5, 7.0]
EPOCHS = {"tmin": -0.1, "tmax": 0.3}

# MEG-MASC: fields of an event in a cell, sessions and tasks instead of runs, word lists between.
MASC = {
    "pattern": "bids_anonym/sub-{subject}/ses-{session}/meg/"
    "sub-{subject}_ses-{session}_task-{task}_meg.fif",
    "channels": "mag",
    "language": "en",
    "events": {
        "fields": "trial_type",
        "word": "word",
        "where": {"kind": "word", "condition": "sentence"},
    },
    "epochs": EPOCHS,
}
CHANNELS = "name\ttype\tunits\tstatus\nMEG 001\tMEGMAG\tT\tgood\nMEG 002\tMEGMAG\tT\tgood\n"
CHANNELS += "MEG 003\tMEGMAG\tT\tbad\nSTI 014\tTRIG\tV\tgood\n"


def masc_events(onsets=ONSETS):
    rows = ["0.5\t1.0\t{'story': 'lw1', 'kind': 'sound', 'sound': 'stimuli/audio/lw1_0.wav'}"]
    for word, onset in zip(("Tara", "stood", "null"), onsets, strict=True):
        fields = {"kind": "word", "word": word, "condition": "sentence", "sequence_id": 0.0}
        rows.append(f"{onset}\t0.3\t{fields}")
        rows.append(f"{onset}\t0.1\t{{'kind': 'phoneme', 'phoneme': 't_B', 'start': 0.1}}")
    listed = {"kind": "word", "word": "random", "condition": "word_list"}
    return [*rows, f"9.0\t0.3\t{listed}"]


@pytest.fixture
def masc(tmp_path):
    for session, task in (("0", "0"), ("0", "10"), ("1", "2")):
        base = tmp_path / f"bids_anonym/sub-01/ses-{session}/meg"
        stem = f"sub-01_ses-{session}_task-{task}"
        save_raw(base / f"{stem}_meg.fif", ONSETS)
        save_events(base / f"{stem}_events.tsv", masc_events())
        (base / f"{stem}_channels.tsv").write_text(CHANNELS)
    return tmp_path


def spikes(recording):
    """Values at the onset of each word in the first channel."""
    return recording.data[:, recording.target_names == "MEG 001@0ms"][:, 0] / SPIKE


def test_words_in_fields_of_events_get_epochs_at_their_onset(masc):
    stimulus, recording = read_meeg(masc, "01", **MASC)
    assert stimulus.runs == ["0/0", "0/10", "1/2"]
    assert stimulus.words.tolist() == ["Tara", "stood", "null"] * 3
    assert stimulus.onset[:3].tolist() == ONSETS  # whatever first_samp is
    np.testing.assert_allclose(spikes(recording), [1, 2, 3] * 3, rtol=1e-3)
    assert recording.items.tolist() == stimulus.item.tolist()
    assert recording.unit == "T"
    assert recording.positions.shape == (recording.n_targets, 3)
    assert recording.notes == ("0 of 9 epochs rejected, 0 too close to the edge of a run",)


def test_bad_channels_of_the_sidecar_are_left_out(masc):
    _, recording = read_meeg(masc, "01", **MASC)
    assert {name.split("@")[0] for name in recording.target_names} == {"MEG 001", "MEG 002"}
    _, recording = read_meeg(masc, "01", **{**MASC, "sidecars": False})
    assert {name.split("@")[0] for name in recording.target_names} == {
        "MEG 001",
        "MEG 002",
        "MEG 003",
    }


def test_baseline_decimation_bins_and_rejection(masc):
    wanted = {**EPOCHS, "baseline": [-0.1, 0], "bin_width": 0.1, "reject": 2.5 * SPIKE}
    _, recording = read_meeg(masc, "01", **{**MASC, "epochs": wanted})
    assert recording.items.tolist() == [
        f"{run}#{n}" for run in ("0/0", "0/10", "1/2") for n in (1, 2)
    ]
    assert recording.target_names.tolist()[:4] == [f"MEG 001@{t}ms" for t in (-100, 0, 100, 200)]
    assert recording.notes[0].startswith("means over 4 bins of 10 time points")
    assert recording.notes[1] == "3 of 9 epochs rejected, 0 too close to the edge of a run"
    _, decimated = read_meeg(masc, "01", **{**MASC, "epochs": {**EPOCHS, "decimate": 5}})
    assert decimated.n_targets == 2 * 9


def test_words_near_the_edge_are_counted_and_words_outside_refused(masc):
    events = masc / "bids_anonym/sub-01/ses-1/meg/sub-01_ses-1_task-2_events.tsv"
    save_events(events, masc_events([0.05, 3.5, 7.0]))
    _, recording = read_meeg(masc, "01", **MASC)
    assert recording.notes[-1] == "0 of 9 epochs rejected, 1 too close to the edge of a run"
    save_events(events, masc_events([1, 3.5, 12.5]))
    with pytest.raises(CorruptDataError, match=r"1 of 3 words are outside .* 'null' at 12\.50 s"):
        read_meeg(masc, "01", **MASC)


def test_onsets_from_the_start_of_the_acquisition_are_declared(masc):
    shifted = np.array(ONSETS) + FIRST / RATE
    for path in masc.rglob("*_events.tsv"):
        save_events(path, masc_events(shifted + 2.6))
    with pytest.raises(CorruptDataError, match=r"the file begins 2\.50 s after the acquisition"):
        read_meeg(masc, "01", **MASC)
    for path in masc.rglob("*_events.tsv"):
        save_events(path, masc_events(shifted))
    declared = {**MASC, "events": {**MASC["events"], "clock": "acquisition"}}
    stimulus, recording = read_meeg(masc, "01", **declared)
    np.testing.assert_allclose(stimulus.onset[:3], ONSETS)
    np.testing.assert_allclose(spikes(recording), [1, 2, 3] * 3, rtol=1e-3)


def test_fields_are_read_as_literals_and_never_run(masc, tmp_path):
    events = masc / "bids_anonym/sub-01/ses-1/meg/sub-01_ses-1_task-2_events.tsv"
    for cell in ("__import__('os').mkdir('x')", "[1, 2]", "{'kind': open('x')}", "("):
        save_events(events, [f"1.0\t0.1\t{cell}"])
        with pytest.raises(CorruptDataError, match=r"task-2_events\.tsv, row 2.*no fields in"):
            read_meeg(masc, "01", **MASC)


def test_a_time_series_keeps_its_clock(masc):
    options = {key: value for key, value in MASC.items() if key != "epochs"}
    _, recording = read_meeg(masc, "01", **options)
    assert recording.data.shape == (3 * 1200, 2)
    assert recording.times[:2].tolist() == [0, 0.01]
    assert recording.data[100, 0] == pytest.approx(SPIKE, rel=1e-3)
    _, slow = read_meeg(masc, "01", **{**options, "low_pass": 10.0, "resample": 50.0})
    assert slow.data.shape == (3 * 600, 2)
    assert slow.notes[0] == "filtered by mne: low-pass 10 Hz, resampled to 50 Hz"


# Armeni 2022: word events of several parts in one table, quoted, with silences among them.

ARMENI = {
    "pattern": "sub-{subject}/ses-{session}/meg/sub-{subject}_ses-{session}_task-compr_meg.fif",
    "channels": "mag",
    "language": "en",
    "events": {"word": "value", "quoted": True, "where": {"type": "word_onset_*"}, "skip": ["sp"]},
    "epochs": EPOCHS,
}
HEADER = "onset\tduration\tsample\ttype\tvalue"


def test_word_onsets_of_several_parts_of_a_session(tmp_path):
    base = tmp_path / "sub-001/ses-001/meg"
    save_raw(base / "sub-001_ses-001_task-compr_meg.fif", ONSETS)
    save_events(
        base / "sub-001_ses-001_task-compr_events.tsv",
        [
            "0.2\t0.0\t20\twav_onset_01\tx",
            '1.0\t0.3\t100\tword_onset_01\t"TO"',
            '1.0\t0.1\t100\tphoneme_onset_01\t"T"',
            '2.0\t0.3\t200\tword_onset_01\t"sp"',
            '3.5\t0.3\t350\tword_onset_01\t"SHERLOCK"',
            '7.0\t0.3\t700\tword_onset_02\t"HOLMES"',
        ],
        HEADER,
    )
    (base / "sub-001_ses-001_task-compr_channels.tsv").write_text(CHANNELS)
    stimulus, recording = read_meeg(tmp_path, "001", **ARMENI)
    assert stimulus.words.tolist() == ["TO", "SHERLOCK", "HOLMES"]
    np.testing.assert_allclose(spikes(recording), [1, 2, 3], rtol=1e-3)


def test_a_quotation_mark_swallows_no_words(tmp_path):
    base = tmp_path / "sub-001/ses-001/meg"
    save_raw(base / "sub-001_ses-001_task-compr_meg.fif", ONSETS)
    texts = ('"Hello', "my", 'there"')
    rows = [f"{t}\t0.3\t{t}\tword_onset_01\t{w}" for t, w in zip(ONSETS, texts, strict=True)]
    save_events(base / "sub-001_ses-001_task-compr_events.tsv", rows, HEADER)
    (base / "sub-001_ses-001_task-compr_channels.tsv").write_text(CHANNELS)
    plain = {**ARMENI, "events": {**ARMENI["events"], "quoted": False}}
    stimulus, recording = read_meeg(tmp_path, "001", **plain)
    assert tuple(stimulus.words) == texts
    np.testing.assert_allclose(spikes(recording), [1, 2, 3], rtol=1e-3)


# SMN4Lang: preprocessed FIF outside of BIDS, word times with the lead of the fMRI, two runs without
# the start of the sound.

STARTS = {"1": 0.5, "7": 0.8}
DELAY, LEAD, LENGTH = 0.04, 10.65, 9.0
SMN4LANG = {
    "pattern": "derivatives/preprocessed_data/sub-{subject}/MEG/"
    "sub-{subject}_task-RDR_run-{run}_meg.fif",
    "sidecars": False,
    "channels": "mag",
    "language": "zh",
    "words": {
        "files": [f"derivatives/annotations/story_{run}_word_time.mat" for run in STARTS],
        "onset": "start",
        "offset": "end",
        "shift": -LEAD,
    },
    "events": {
        "start": {"trial_type": "Beg"},
        "end": {"trial_type": "End"},
        "delay": DELAY,
        "sound": "stimuli/audio/story_{run}.wav",
        "without_start": ["09/7"],
    },
    "heard": "in order",
    "epochs": EPOCHS,
}


@pytest.fixture
def smn4lang(tmp_path):
    words = np.array(["从前", "有", "人"], dtype=object)
    for run, start in STARTS.items():
        times = np.array(ONSETS) - start - DELAY + LEAD
        path = tmp_path / f"derivatives/annotations/story_{run}_word_time.mat"
        path.parent.mkdir(parents=True, exist_ok=True)
        savemat(path, {"word": words, "start": times, "end": times + 0.2})
        save_sound(tmp_path / f"stimuli/audio/story_{run}.wav", LENGTH)
        for subject in ("01", "09"):
            base = tmp_path / f"derivatives/preprocessed_data/sub-{subject}/MEG"
            stem = f"sub-{subject}_task-RDR_run-{run}"
            save_raw(base / f"{stem}_meg.fif", ONSETS)
            rows = [f"{start}\t0\tBeg", f"{start + LENGTH}\t0\tEnd"]
            save_events(base / f"{stem}_events.tsv", rows[int((subject, run) == ("09", "7")) :])
    return tmp_path


def test_words_of_the_sound_start_with_its_trigger(smn4lang):
    stimulus, recording = read_meeg(smn4lang, "01", **SMN4LANG)
    np.testing.assert_allclose(stimulus.onset, ONSETS * 2)
    np.testing.assert_allclose(spikes(recording), [1, 2, 3] * 2, rtol=1e-3)
    assert recording.notes[-1] == "words are 40 ms later than their trigger"


def test_a_missing_start_is_repaired_where_declared_and_refused_elsewhere(smn4lang):
    stimulus, recording = read_meeg(smn4lang, "09", **SMN4LANG)
    np.testing.assert_allclose(stimulus.onset, ONSETS * 2)
    assert "09/7 lacks the start of the sound: its end minus 9.000 s" in recording.notes
    undeclared = {**SMN4LANG, "events": {**SMN4LANG["events"], "without_start": []}}
    with pytest.raises(CorruptDataError, match=r"run-7_events\.tsv: 0 starts of the sound"):
        read_meeg(smn4lang, "09", **undeclared)
    wrong = {**SMN4LANG, "events": {**SMN4LANG["events"], "without_start": ["01/7", "09/7"]}}
    with pytest.raises(CorruptDataError, match="01/7 lacks it: remove it"):
        read_meeg(smn4lang, "01", **wrong)


def spoil(folder, what):
    base = folder / "derivatives/preprocessed_data/sub-01/MEG"
    path = base / "sub-01_task-RDR_run-7_meg.fif"
    if what == "cut":
        path.write_bytes(path.read_bytes()[:-900])
    elif what == "missing":
        path.unlink()
    elif what == "channels":
        save_raw(path, ONSETS, n_channels=2)
    elif what == "types":
        save_raw(path, ONSETS, kind="grad")
    elif what == "twice":
        save_events(base / "sub-01_task-RDR_run-7_events.tsv", ["1\t0\tBeg", "2\t0\tBeg"])
    elif what == "annex":
        path.write_text("/annex/objects/MD5E-s1--0.fif\n")
    elif what == "no events":
        (base / "sub-01_task-RDR_run-7_events.tsv").unlink()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("cut", r"run-7_meg\.fif: not a readable recording .*(cut off|Invalid tag)"),
        ("missing", "1 runs of recordings, 2 of words"),
        ("channels", "its channels are not those of"),
        ("types", r"has no good channel of type 'mag'; types: \['grad', 'stim'\]"),
        ("twice", "2 starts of the sound"),
        ("annex", "git-annex pointer"),
        ("no events", r"no _events\.tsv applies to it"),
    ],
)
def test_what_does_not_fit_is_refused(smn4lang, what, message):
    spoil(smn4lang, what)
    with pytest.raises((CorruptDataError, DataMissingError), match=message):
        read_meeg(smn4lang, "01", **SMN4LANG)


def test_files_subjects_and_options(smn4lang):
    options = MeegOptions.model_validate(SMN4LANG, strict=False)
    assert options.subjects(smn4lang) == ["01", "09"]
    files = options.found_files(smn4lang, "01")
    assert len(files) == 4
    assert all((smn4lang / name).is_file() for name in files)
    with pytest.raises(UnknownNameError, match="'02'"):
        read_meeg(smn4lang, "02", **SMN4LANG)
    for change, message in (
        ({"words": {}}, "give either words"),
        ({"resample": 50.0}, "resample is for time series"),
        ({"events": {"word": "x"}}, "give either words"),
        ({"events": {"start": {"a": "b"}, "without_start": ["01/1"]}}, "needs end and sound"),
    ):
        with pytest.raises(ValueError, match=message):
            MeegOptions.model_validate({**SMN4LANG, **change}, strict=False)


# ECoG in BIDS, and high gamma.


def test_high_gamma_of_ecog_follows_its_amplitude(tmp_path):
    """A burst of 100 Hz after each word, in a carrier whose mean is 0: only its power shows it."""
    rate, onsets = 500.0, [2.0, 5.0, 8.0]
    times = np.arange(round(12 * rate)) / rate
    burst = sum(np.exp(-(((times - onset - 0.3) / 0.08) ** 2)) for onset in onsets)
    data = np.vstack([burst * np.sin(2 * np.pi * 100 * times), np.zeros_like(times)]) * 1e-4
    data += np.random.default_rng(0).normal(size=data.shape) * 1e-6
    raw = mne.io.RawArray(data, mne.create_info(["G1", "G2"], rate, "ecog"), verbose="error")
    base = tmp_path / "sub-01/ieeg/sub-01_task-story"
    base.parent.mkdir(parents=True)
    raw.save(f"{base}_ieeg.fif", verbose="error")
    save_events(
        base.with_name(base.name + "_events.tsv"),
        [f"{onset}\t0.3\t{word}" for onset, word in zip(onsets, "abc", strict=True)],
        "onset\tduration\tword",
    )
    options = {
        "pattern": "sub-{subject}/ieeg/sub-{subject}_task-story_ieeg.fif",
        "sidecars": False,
        "channels": "ecog",
        "language": "en",
        "events": {"word": "word"},
        "power": [70, 150],
        "epochs": {"tmin": -0.2, "tmax": 0.8, "bin_width": 0.1},
    }
    _, recording = read_meeg(tmp_path, "01", **options)
    assert (recording.modality, recording.unit) == ("ieeg", "V")
    assert recording.notes[0] == "filtered by mne: amplitude of 70 to 150 Hz"
    curve = recording.data.mean(axis=0)[:10]  # of the first channel
    assert int(curve.argmax()) in (4, 5)  # 200 to 400 ms
    assert curve.max() > 10 * curve[:2].mean()
    with pytest.raises(ValueError, match="power already selects a band"):
        read_meeg(tmp_path, "01", **options, low_pass=40.0)


def test_fnirs_intensities_become_concentrations(tmp_path):
    """Less light returns while more oxygenated blood absorbs it; mne's own steps are the answer."""
    rate, rng = 10.0, np.random.default_rng(0)
    names = ["S1_D1 760", "S1_D1 850"]
    info = mne.create_info(names, rate, "fnirs_cw_amplitude")
    for channel, wavelength in zip(info["chs"], (760, 850), strict=True):
        channel["loc"][3:12] = [0, 0, 0, 0.03, 0, 0, wavelength, 0, 0]
    data = 1 + 0.01 * rng.normal(size=(2, 600))
    raw = mne.io.RawArray(data, info, verbose="error")
    base = tmp_path / "sub-01/nirs/sub-01_task-story"
    base.parent.mkdir(parents=True)
    raw.save(f"{base}_raw.fif", verbose="error")
    rows = [f"{t}\t0.3\tword" for t in (5, 10, 20)]
    save_events(base.with_name(base.name + "_events.tsv"), rows, "onset\tduration\tword")
    options = {
        "pattern": "sub-{subject}/nirs/sub-{subject}_task-story_raw.fif",
        "sidecars": False,
        "channels": "hbo",
        "language": "en",
        "events": {"word": "word"},
    }
    _, recording = read_meeg(tmp_path, "01", **options)
    density = mne.preprocessing.nirs.optical_density(raw, verbose="error")
    expected = mne.preprocessing.nirs.beer_lambert_law(density, ppf=6.0).get_data("hbo")
    np.testing.assert_allclose(recording.data, expected.T, rtol=1e-4, atol=1e-10)
    assert (recording.modality, recording.unit) == ("fnirs", "M")
    assert recording.notes == ("concentrations by mne, partial pathlength factor 6",)

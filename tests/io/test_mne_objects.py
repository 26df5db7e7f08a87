import mne
import numpy as np
import pandas as pd
import pytest

from brainlm.data.stimulus import Stimulus
from brainlm.encoding.align import align
from brainlm.errors import UnknownNameError
from brainlm.io.epoch_metadata import covariates_of, stimulus_of
from brainlm.io.mne_objects import epoch_words, event_onsets, from_epochs, from_raw

RATE = 100.0


@pytest.fixture
def raw(rng):
    """Two EEG channels over 10 s; the file begins at sample 250 of the acquisition."""
    info = mne.create_info(["Fz", "Cz", "STI"], RATE, ["eeg", "eeg", "stim"])
    data = rng.normal(size=(3, 1000)) * 1e-6
    data[2] = 0
    return mne.io.RawArray(data, info, first_samp=250, verbose="error").set_montage(
        "standard_1020", on_missing="ignore", verbose="error"
    )


@pytest.fixture
def words():
    return Stimulus(
        ["a", "b", "c"], "en", onset=[1.0, 4, 8], duration=[0.3] * 3, item=["1", "2", "3"]
    )


def test_events_count_from_the_start_of_the_acquisition(raw):
    events = np.array([[250, 0, 1], [450, 0, 1], [1249, 0, 1]])
    assert event_onsets(events, raw).tolist() == [0, 2, 9.99]
    subtracted = events - [[raw.first_samp, 0, 0]]
    with pytest.raises(ValueError, match=r"2 of 3 are outside.*do not subtract it"):
        event_onsets(subtracted, raw)
    with pytest.raises(ValueError, match="the first: 1250"):
        event_onsets([[1250, 0, 1]], raw)


def test_a_raw_recording_is_a_time_series_with_positions(raw):
    recording = from_raw(raw)
    assert recording.target_names.tolist() == ["Fz", "Cz"]
    assert (recording.modality, recording.unit) == ("eeg", "V")
    assert recording.times[-1] == 9.99
    np.testing.assert_array_equal(recording.data, raw.get_data()[:2].T)
    assert recording.positions.shape == (2, 3)
    with pytest.raises(ValueError, match="stim"):
        from_raw(raw, picks="all")


def test_epochs_sit_on_the_words(raw, words):
    raw._data[0, [100, 400, 800]] = [1e-3, 2e-3, 3e-3]  # a spike at each onset
    epochs = epoch_words(raw, words, tmin=-0.1, tmax=0.3, baseline=None)
    recording = from_epochs(epochs, words)
    at_onset = recording.data[:, recording.target_names == "Fz@0ms"]
    np.testing.assert_allclose(at_onset[:, 0], [1e-3, 2e-3, 3e-3])
    assert recording.items.tolist() == ["1", "2", "3"]
    assert recording.notes == ("0 of 3 epochs were dropped",)
    assert recording.positions.shape == (recording.n_targets, 3)


def test_dropped_epochs_are_counted_and_the_others_keep_their_words(raw, words):
    raw._data[1, 400:410] = 1
    epochs = epoch_words(raw, words, tmin=0, tmax=0.3, baseline=None, reject={"eeg": 0.1})
    recording = from_epochs(epochs, words)
    assert recording.items.tolist() == ["1", "3"]
    assert recording.notes == ("1 of 3 epochs were dropped",)


def test_bins_are_means_and_the_rest_is_noted(raw, words):
    epochs = epoch_words(raw, words, tmin=0, tmax=0.34, baseline=None)
    recording = from_epochs(epochs, words, bin_width=0.1)
    assert recording.target_names.tolist()[:3] == ["Fz@0ms", "Fz@100ms", "Fz@200ms"]
    data = raw.get_data()[0]
    np.testing.assert_allclose(recording.data[1, 1], data[410:420].mean())
    assert "3 bins of 10 time points; 5 at the end left out" in recording.notes[1]
    with pytest.raises(ValueError, match=r"bin_width 0\.001"):
        from_epochs(epochs, words, bin_width=0.001)


def test_epochs_of_other_words_are_refused(raw, words):
    epochs = epoch_words(raw, words, tmin=0, tmax=0.3, baseline=None)
    with pytest.raises(ValueError, match="3 before rejection, the stimulus has 2 words"):
        from_epochs(epochs, words.select([0, 1]))
    same = Stimulus(["a", "b", "c"], "en", onset=[1.0, 4, 8], duration=[0.3] * 3)
    with pytest.raises(ValueError, match="an item of its own"):
        from_epochs(epochs, same)


def test_words_outside_of_the_file_are_named(raw):
    late = Stimulus(["a", "b"], "en", onset=[1.0, 9.5], duration=[0.3, 0.3])
    with pytest.raises(ValueError, match=r"1 words do not fit.*'b' at 9\.500 s of 9\.990 s"):
        epoch_words(raw, late)
    untimed = Stimulus(["a"], "en")
    with pytest.raises(ValueError, match="timed words of one run"):
        epoch_words(raw, untimed)


def test_metadata_name_the_words_of_epochs(raw, words):
    epochs = epoch_words(raw, words, tmin=-0.2, tmax=0.5)
    epochs.metadata = pd.DataFrame({"word": ["a", "b", "c"], "item": ["1", "2", "3"]})
    epochs.drop([1], verbose="error")
    stimulus = stimulus_of(epochs, "en")
    assert stimulus.words.tolist() == ["a", "c"]
    recording = from_epochs(epochs)
    assert recording.items.tolist() == stimulus.item.tolist() == ["1", "3"]
    np.testing.assert_array_equal(recording.data, from_epochs(epochs, words).data)
    epochs.metadata = pd.DataFrame({"text": ["a", "c"]})
    assert from_epochs(epochs).items.tolist() == ["0", "2"]
    with pytest.raises(ValueError, match=r"lacks \['word'\]; its columns are \['text'\]"):
        stimulus_of(epochs, "en")
    epochs.metadata = None
    with pytest.raises(ValueError, match=r"epochs\.metadata is empty: give a stimulus"):
        from_epochs(epochs)


def test_metadata_become_covariates_and_runs(raw, words):
    epochs = epoch_words(raw, words, tmin=-0.2, tmax=0.5)
    epochs.metadata = pd.DataFrame(
        {
            "word": ["a", "b", "c"],
            "run": ["r1", "r1", "r2"],
            "strength": [0.5, 0.25, 1.0],
            "constant": [1, 1, 1],
            "kind": ["x", "y", "x"],
        }
    )
    stimulus = stimulus_of(epochs, "en")
    recording = from_epochs(epochs)
    assert recording.run.tolist() == stimulus.run.tolist() == ["r1", "r1", "r2"]
    (strength,) = covariates_of(epochs, stimulus)
    assert strength.name == "strength"
    assert align(strength, recording).X.ravel().tolist() == [0.5, 0.25, 1.0]
    assert [each.name for each in covariates_of(epochs, stimulus, ["constant"])] == ["constant"]
    with pytest.raises(UnknownNameError, match=r"'strengt'\. Did you mean 'strength'"):
        covariates_of(epochs, stimulus, ["strengt"])
    epochs.drop([1], verbose="error")
    whole = covariates_of(epochs, words.select([0, 1, 2]), ["constant"])  # items 1, 2, 3
    assert whole[0].values.ravel().tolist() == [0, 1, 0]  # epochs are numbered from 0
    epochs.metadata = epochs.metadata.assign(strength=[0.5, np.nan])
    with pytest.raises(ValueError, match="'strength' of epoch 2 is nan"):
        covariates_of(epochs, stimulus)
    epochs.metadata = epochs.metadata[["word", "kind"]]
    with pytest.raises(ValueError, match="no column of numbers"):
        covariates_of(epochs, stimulus)


def test_metadata_and_stimulus_have_the_same_words(raw, words):
    epochs = epoch_words(raw, words, tmin=-0.2, tmax=0.5)
    epochs.metadata = pd.DataFrame({"word": ["A", "b,", "d"]})
    with pytest.raises(ValueError, match=r"1 of 3 epochs \(the first: 'd' in epoch 2, 'c'"):
        from_epochs(epochs, words)
    epochs.metadata = pd.DataFrame({"word": ["A", "b,", "c"]})
    assert from_epochs(epochs, words).n_samples == 3


@pytest.mark.parametrize(
    ("kind", "modality", "unit"),
    [
        ("seeg", "ieeg", "V"),
        ("ecog", "ieeg", "V"),
        ("hbo", "fnirs", "M"),
        ("pupil", "pupil", "m"),
        ("gsr", "skin-conductance", "S"),
    ],
)
def test_other_signals_are_recordings_too(rng, kind, modality, unit):
    info = mne.create_info(["one", "two"], RATE, kind)
    raw = mne.io.RawArray(rng.normal(size=(2, 100)), info, verbose="error")
    recording = from_raw(raw, picks=kind)
    assert (recording.modality, recording.unit) == (modality, unit)

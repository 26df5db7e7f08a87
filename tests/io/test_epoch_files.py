from __future__ import annotations

import mne
import numpy as np
import pandas as pd
import pytest

from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.io import read_epoch_files
from brainlm.io.epoch_files import read_covariates

# mne sets metadata in a way that pandas deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:DeprecationWarning")

OPTIONS = {"pattern": "s{subject}-epo.fif", "channels": "eeg", "word": "second", "language": "nl"}
PAIRS = pd.DataFrame({"first": ["kat", "reiken", " juli"], "second": ["hond", "door", "vrouw"]})


@pytest.fixture
def write(tmp_path):
    def write_epochs(metadata=PAIRS, kinds=("eeg", "eeg", "eog")):
        info = mne.create_info(["Fz", "Pz", "EOG"], 50.0, list(kinds))
        data = np.arange(3 * 3 * 5, dtype=float).reshape(3, 3, 5) * 1e-6
        events = np.column_stack([[10, 60, 110], [0] * 3, [1] * 3])
        epochs = mne.EpochsArray(data, info, events, tmin=-0.02, verbose="error")
        epochs.metadata = metadata
        epochs.save(tmp_path / "s04-epo.fif", overwrite=True, verbose="error")
        return tmp_path

    return write_epochs


def test_a_pair_is_a_text_and_its_second_word_has_the_response(write):
    stimulus, recording = read_epoch_files(write(), "04", **OPTIONS, before=["first"])
    assert stimulus.words.tolist() == ["kat", "hond", "reiken", "door", "juli", "vrouw"]
    assert stimulus.text.tolist() == ["0", "0", "1", "1", "2", "2"]
    assert stimulus.counted.tolist() == [False, True] * 3
    assert recording.items.tolist() == ["0", "1", "2"]
    assert stimulus.item[stimulus.counted].tolist() == ["0", "1", "2"]
    assert recording.target_names.tolist()[:2] == ["Fz@-20ms", "Fz@0ms"]
    np.testing.assert_allclose(recording.data[1] * 1e6, range(15, 25), rtol=1e-6)
    assert (recording.modality, recording.unit, recording.subject) == ("eeg", "V", "04")


def test_a_part_of_the_epoch_and_bins(write):
    given = OPTIONS | {"tmin": 0.0, "tmax": 0.06, "bin_width": 0.04}
    stimulus, recording = read_epoch_files(write(), "04", **given)
    assert stimulus.words.tolist() == ["hond", "door", "vrouw"]
    assert stimulus.context_only is None
    np.testing.assert_allclose(recording.data[0] * 1e6, [1.5, 3.5, 6.5, 8.5], rtol=1e-6)


def test_rejected_epochs_keep_the_numbers_of_the_others(write):
    path = write() / "s04-epo.fif"
    epochs = mne.read_epochs(path, verbose="error").drop([1], verbose="error")
    epochs.save(path, overwrite=True, verbose="error")
    stimulus, recording = read_epoch_files(path.parent, "04", **OPTIONS)
    assert recording.items.tolist() == stimulus.item.tolist() == ["0", "2"]
    assert recording.notes == ("1 of 3 epochs were dropped",)


def test_what_does_not_fit_is_refused(write):
    with pytest.raises(CorruptDataError, match=r"'word'.*first, second"):
        read_epoch_files(write(), "04", **(OPTIONS | {"word": "word"}))
    with pytest.raises(UnknownNameError, match="04"):
        read_epoch_files(write(), "05", **OPTIONS)
    with pytest.raises(CorruptDataError, match=r"no channel is of type 'mag'.*eeg, eog"):
        read_epoch_files(write(), "04", **(OPTIONS | {"channels": "mag"}))
    with pytest.raises(CorruptDataError, match="'second' of epoch 1 is empty"):
        read_epoch_files(write(PAIRS.assign(second=["a", "", "b"])), "04", **OPTIONS)
    with pytest.raises(CorruptDataError, match="no metadata"):
        read_epoch_files(write(None), "04", **OPTIONS)
    path = write() / "s04-epo.fif"
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(CorruptDataError, match="cut off"):
        read_epoch_files(path.parent, "04", **OPTIONS)


def test_covariates_are_numbers_of_the_items(write):
    folder = write(PAIRS.assign(FAS=[0.5, 0.0, 0.25]))
    found = read_covariates(folder, "04", **OPTIONS, covariates={"association": "FAS"})
    assert found == {"association": {"0": 0.5, "1": 0.0, "2": 0.25}}
    assert read_covariates(folder, "04", **OPTIONS) == {}
    with pytest.raises(UnknownNameError, match="column of the metadata 'FES'"):
        read_covariates(folder, "04", **OPTIONS, covariates={"association": "FES"})
    folder = write(PAIRS.assign(FAS=["0.5", "-", "0"]))
    with pytest.raises(CorruptDataError, match="'FAS' of epoch 1 is '-', no number"):
        read_covariates(folder, "04", **OPTIONS, covariates={"association": "FAS"})

"""Kinds of input that are damaged: each writes its files, and reads them to facts and a hash."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import h5py
import mne
import nibabel as nib
import numpy as np
import pandas as pd
import xarray
from support.damages import MORE
from support.recordings import save_events, save_raw
from support.studies import write_study
from support.trials import fingerprint

from brainlm.batch.study_reading import read_study
from brainlm.cli.catalogue import dataset_page
from brainlm.compute.lazy_arrays import read_stored
from brainlm.io import read_bids, read_epoch_files, read_meeg, read_stories
from brainlm.results.bundle import load_bundle, save_bundle

EVENTS = ["1.0\t0.2\tonce", "2.5\t0.2\tnull"]
HEADER = "onset\tduration\tword"


@dataclass(frozen=True)
class Family:
    """Files that are read together; those whose name ends in ``endings`` are damaged."""

    name: str
    write: Callable[[Path], object]
    read: Callable[[Path], tuple]
    endings: tuple[str, ...] = ("",)

    def takes(self, path):
        return path.name.endswith(self.endings)


def of(opened):
    """Return shape and content of a stimulus and a recording."""
    stimulus, recording = opened
    assert np.isfinite(recording.data).all()
    facts = (*recording.data.shape, stimulus.n_words, len(stimulus.runs))
    return facts, fingerprint(
        [recording.data, recording.target_names, stimulus.words, stimulus.onset]
    )


def brainvision(folder, stem):
    """Write ten seconds of two channels at 50 Hz."""
    values = np.random.default_rng(0).normal(0, 300, (500, 2)).astype("<i2")
    (folder / f"{stem}.eeg").write_bytes(values.tobytes())
    (folder / f"{stem}.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem}.eeg\nMarkerFile={stem}.vmrk\nDataFormat=BINARY\n"
        "DataOrientation=MULTIPLEXED\nNumberOfChannels=2\nSamplingInterval=20000\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=Fz,,0.1,µV\nCh2=Pz,,0.1,µV\n"
    )
    (folder / f"{stem}.vmrk").write_text(
        "Brain Vision Data Exchange Marker File Version 1.0\n[Common Infos]\nCodepage=UTF-8\n"
        f"DataFile={stem}.eeg\n[Marker Infos]\nMk1=New Segment,,1,1,0,20200101120000000000\n"
        "Mk2=Stimulus,S  1,51,1,0\n"
    )


def edf(path, n_records=10, rate=50):
    """Write ten seconds of two channels as EDF."""
    labels, n = ["EEG Fz", "EEG Pz"], 2
    text = "0".ljust(8) + "X X X X".ljust(80) + "Startdate X X X X".ljust(80)
    text += "01.01.20" + "12.00.00" + str(256 * (n + 1)).ljust(8) + "".ljust(44)
    text += str(n_records).ljust(8) + "1".ljust(8) + str(n).ljust(4)
    fields = [(labels, 16), ([""] * n, 80), (["uV"] * n, 8), (["-3277"] * n, 8), (["3277"] * n, 8)]
    fields += [(["-32768"] * n, 8), (["32767"] * n, 8), ([""] * n, 80), ([str(rate)] * n, 8)]
    fields += [([""] * n, 32)]
    text += "".join(value.ljust(width) for values, width in fields for value in values)
    values = np.random.default_rng(0).normal(0, 300, (n_records, n, rate)).astype("<i2")
    path.write_bytes(text.encode("ascii") + values.tobytes())


MEEG = {"language": "en", "events": {"word": "word"}, "epochs": {"tmin": -0.1, "tmax": 0.1}}


def write_bids_eeg(folder):
    """Write BrainVision in BIDS: participants.tsv and all sidecars, which mne-bids reads."""
    base, stem = folder / "sub-1" / "eeg", "sub-1_task-story"
    base.mkdir(parents=True)
    brainvision(base, f"{stem}_eeg")
    save_events(base / f"{stem}_events.tsv", EVENTS, HEADER)
    (base / f"{stem}_channels.tsv").write_text(
        "name\ttype\tunits\tstatus\nFz\tEEG\tµV\tgood\nPz\tEEG\tµV\tgood\n", encoding="utf-8"
    )
    about = {"TaskName": "story", "SamplingFrequency": 50, "PowerLineFrequency": 50}
    (base / f"{stem}_eeg.json").write_text(json.dumps(about))
    (folder / "participants.tsv").write_text(
        "participant_id\tage\tsex\thand\nsub-1\t25\tF\tR\nsub-2\tn/a\tM\tL\n"
    )
    (folder / "participants.json").write_text(json.dumps({"age": {"Units": "years"}}))
    about = {"Name": "tiny", "BIDSVersion": "1.9.0", "DatasetType": "raw"}
    (folder / "dataset_description.json").write_text(json.dumps(about))


def read_bids_eeg(folder):
    pattern = "sub-{subject}/eeg/sub-{subject}_task-story_eeg.vhdr"
    return of(read_meeg(folder, "1", pattern=pattern, channels="eeg", **MEEG))


def write_edf(folder):
    edf(folder / "sub-1_eeg.edf")
    save_events(folder / "sub-1_events.tsv", EVENTS, HEADER)


def write_vhdr(folder):
    brainvision(folder, "sub-1_eeg")
    save_events(folder / "sub-1_events.tsv", EVENTS, HEADER)


def write_fif(folder):
    save_raw(folder / "sub-1_eeg.fif", [1.0, 2.5], seconds=6.0, kind="eeg")
    save_events(folder / "sub-1_events.tsv", EVENTS, HEADER)


def meeg_reader(ending):
    def read(folder):
        pattern = "sub-{subject}_eeg" + ending
        return of(read_meeg(folder, "1", pattern=pattern, sidecars=False, channels="eeg", **MEEG))

    return read


def write_epochs(folder):
    info = mne.create_info(["Fz", "Pz"], 50.0, "eeg")
    data = np.random.default_rng(0).normal(size=(3, 2, 5)) * 1e-6
    events = np.column_stack([[10, 60, 110], [0] * 3, [1] * 3])
    epochs = mne.EpochsArray(data, info, events, tmin=-0.02, verbose="error")
    epochs.metadata = pd.DataFrame({"word": ["kat", "null", "juli"]})
    epochs.save(folder / "s04-epo.fif", verbose="error")


def read_epochs(folder):
    given = {"pattern": "s{subject}-epo.fif", "channels": "eeg", "word": "word", "language": "nl"}
    return of(read_epoch_files(folder, "04", **given))


STEM = "sub-1_task-x_run-1"


def write_fmriprep(folder):
    """Write a preprocessed run with fMRIPrep's confounds and their JSON."""
    rng = np.random.default_rng(0)
    image = nib.Nifti1Image(rng.normal(size=(2, 2, 2, 30)).astype(np.float32), np.eye(4))
    nib.save(image, folder / f"{STEM}_space-MNI152_desc-preproc_bold.nii.gz")
    nib.save(nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), folder / "mask.nii")
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    values = rng.normal(size=(30, 8))
    values[:, 7] = np.arange(30) == 0
    table = pd.DataFrame(values, columns=[*names, "cosine00", "non_steady_state_outlier00"])
    stem = f"{STEM}_desc-confounds_timeseries"
    table.to_csv(folder / f"{stem}.tsv", sep="\t", index=False, float_format="%.6f")
    (folder / f"{stem}.json").write_text(json.dumps({"cosine00": {"Method": "DCT"}}))
    save_events(folder / f"{STEM}_events.tsv", EVENTS, HEADER)
    (folder / f"{STEM}_bold.json").write_text(json.dumps({"RepetitionTime": 2.0}))


def fmriprep_reader(**confounds):
    def read(folder):
        pattern = "sub-{subject}_task-x_run-{run}_space-MNI152_desc-preproc_bold.nii.gz"
        given = {"mask": "mask.nii", "language": "en", "word": "word", "unit": "a.u."}
        return of(
            read_bids(folder, "1", pattern=pattern, sampling_interval=2.0, **given, **confounds)
        )

    return read


BY_NILEARN = {"strategy": ["motion", "high_pass"], "strategy_options": {"motion": "basic"}}
BY_COLUMN = {
    "confounds": "sub-{subject}_task-x_run-{run}_desc-confounds_timeseries.tsv",
    "regress_out": ["trans_x", "rot_z"],
}


def write_bundle(folder):
    rng = np.random.default_rng(0)
    scores = xarray.Dataset(
        {"r": (("layer", "fold", "target"), rng.normal(size=(3, 4, 5)))},
        coords={"layer": ["0", "1", "2"], "target": [f"t{i}" for i in range(5)]},
        attrs={"metric": "r"},
    )
    given = {"config": {"seed": 0, "layers": [1, 2]}, "inputs": {"model": "tiny"}}
    save_bundle(folder / "out", analysis="encode", arrays={"scores": scores}, **given)


def write_old_bundle(folder):
    """Write a bundle of a version that kept no checksums."""
    write_bundle(folder)
    path = folder / "out" / "bundle.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "checksums": {}}))


def read_bundle(folder):
    """Load a bundle; what it holds is used as the report would."""
    bundle = load_bundle(folder / "out")
    found = {name: dict(each.sizes) for name, each in bundle.arrays.items()}
    variables = [each.variables for each in bundle.arrays.values()]
    values = [v for each in variables for v in (each[k].values for k in sorted(each))]
    return json.dumps(found, sort_keys=True), fingerprint([*values, *bundle.notes])


def write_card(folder):
    source = Path(__file__).parents[2] / "datasets" / "wordsim-en-mturk-771.toml"
    (folder / "tiny.toml").write_text(
        source.read_text("utf-8").replace('"wordsim-en-mturk-771"', '"tiny"'), encoding="utf-8"
    )


def read_card_page(folder):
    text = dataset_page(str(folder / "tiny.toml"), folder / "nowhere")
    text.encode("utf-8")
    return (), fingerprint([text])


def write_h5(folder):
    rng = np.random.default_rng(0)
    with h5py.File(folder / "x.h5", "w") as file:
        file.create_dataset("layers/x", data=rng.normal(size=(12, 3)), fletcher32=True)
        file["runs"] = np.repeat([b"one", b"two"], 6)
        file.attrs["model"] = "tiny"


def read_h5(folder):
    values = read_stored(f"{folder / 'x.h5'}:layers/x")
    runs = read_stored(f"{folder / 'x.h5'}:runs")
    return (values.shape, values.dtype.kind, runs.shape), fingerprint([values, runs])


def read_study_scores(folder):
    study = read_study(folder / "study.toml")
    scores = study.compute(study.tasks()[0], "key")
    assert np.isfinite(scores.values).all()
    return scores.values.shape, fingerprint([scores.values])


def write_stories(folder):
    from support.layouts import textgrid

    (folder / "s1").mkdir()
    with h5py.File(folder / "s1" / "wolf.hf5", "w") as file:
        values = np.random.default_rng(0).normal(size=(7, 3))
        file.create_dataset("data", data=values, compression="gzip", fletcher32=True)
    text = textgrid([(0.0, 1.0, "sp"), (1.0, 1.5, "I"), (1.5, 12.0, "walked")])
    (folder / "wolf.TextGrid").write_text(text)
    (folder / "counts.json").write_text(json.dumps({"wolf": 17}))


def read_story_folder(folder):
    given = {"pattern": "{subject}/{story}.hf5", "words": "{story}.TextGrid", "unit": "z"}
    given |= {"counts": "counts.json", "trimmed": 10, "language": "en", "keys": ["data"]}
    return of(read_stories(folder, "s1", first_sample=0.0, sampling_interval=2.0, **given))


def write_model(folder):
    from support.tiny_models import byte_level_bpe, tiny_llama

    tiny_llama(folder, byte_level_bpe())


def read_model(folder):
    """Load a model and embed three words with it."""
    model = _language_model(folder / "tiny-llama")
    values = model.embed(_three_words(), layers=[1], context=8)[0].values
    assert np.isfinite(values).all()
    return values.shape, fingerprint([values])


def _language_model(folder):
    from brainlm import LanguageModel

    return LanguageModel(folder)


@cache
def _three_words():
    from brainlm import Stimulus

    return Stimulus(["once", "upon", "a"], "en")


def older(name):
    write, read = MORE[name]
    return Family(name, write, lambda folder: (read(folder), ""))


FAMILIES = [
    Family("participants and sidecars of EEG", write_bids_eeg, read_bids_eeg, (".tsv", ".json")),
    Family("BrainVision", write_vhdr, meeg_reader(".vhdr"), (".vhdr", ".vmrk", ".eeg")),
    Family("EDF", write_edf, meeg_reader(".edf"), (".edf",)),
    Family("FIF", write_fif, meeg_reader(".fif"), (".fif",)),
    Family("FIF epochs", write_epochs, read_epochs),
    Family("fMRIPrep confounds", write_fmriprep, fmriprep_reader(**BY_NILEARN), (".tsv", ".json")),
    Family("table of confounds", write_fmriprep, fmriprep_reader(**BY_COLUMN), (".tsv", ".json")),
    Family("NetCDF of bundles", write_bundle, read_bundle, (".nc",)),
    Family("NetCDF without checksum", write_old_bundle, read_bundle, (".nc",)),
    Family("records of bundles", write_bundle, read_bundle, (".json",)),
    Family("cards and their pages", write_card, read_card_page),
    Family("HDF5 features", write_h5, read_h5),
    Family("studies", write_study, read_study_scores, (".toml", ".h5", ".npy")),
    Family("stories (HDF5, JSON)", write_stories, read_story_folder),
    Family("safetensors", write_model, read_model, (".safetensors",)),
    Family("configurations of models", write_model, read_model, ("config.json",)),
    Family("tokenizers", write_model, read_model, ("tokenizer.json", "tokenizer_config.json")),
    *map(older, MORE),
]

"""Golden cases of readers, on small files in the layouts that they know."""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import h5py
import mne
import nibabel as nib
import numpy as np
import openpyxl
import pandas as pd
from golden.cases import Arrays, arrays, register
from scipy.io import savemat

from brainlm.io import (
    read_bids,
    read_item_maps,
    read_meeg,
    read_passages,
    read_patterns,
    read_pickle,
    read_stories,
    read_tables,
    read_textgrid,
    read_timecourses,
    read_word_responses,
    read_word_times,
)
from brainlm.io.arrays import from_arrays, from_tables, from_trials
from brainlm.io.own_images import from_image

case = register("readers")
AFFINE = np.diag([2.0, 2, 2, 1])
WORDS = [(0.0, 1.0, "sp"), (1.0, 1.5, "Alice"), (1.5, 2.0, "was "), (2.0, 3.0, "sp")]
COMMON = {"language": "en", "unit": "a.u."}


def opened(pair: tuple[Any, Any]) -> dict[str, Any]:
    """Return the arrays of a stimulus and a recording."""
    stimulus, recording = pair
    found = {}
    if stimulus is not None:
        for name in ("words", "onset", "duration", "run", "text", "sentence", "item"):
            found[name] = getattr(stimulus, name)
    if recording is not None:
        found["response targets"] = recording.target_names
        for name in ("data", "times", "items", "positions"):
            found[f"response {name}"] = getattr(recording, name)
        found["response run"] = recording.run
    return found


def textgrid() -> str:
    """Return a TextGrid with one interval tier, as Praat writes it."""
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    rows = "".join(
        f"        intervals [{i}]:\n            xmin = {a} \n            xmax = {b} \n"
        f'            text = "{label}" \n'
        for i, (a, b, label) in enumerate(WORDS, start=1)
    )
    return (
        f"{head}xmin = 0 \nxmax = 3 \ntiers? <exists> \nsize = 1 \nitem []: \n"
        '    item [1]:\n        class = "IntervalTier" \n        name = "word" \n'
        "        xmin = 0 \n        xmax = 3 \n"
        f"        intervals: size = {len(WORDS)} \n{rows}"
    )


@case
def time_series() -> Arrays:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "story.TextGrid").write_text(textgrid())
        np.savetxt(folder / "s1.txt", rng.normal(100, 1, (5, 2)))
        series = read_timecourses(
            folder,
            "s1",
            pattern="{subject}.txt",
            words="story.TextGrid",
            targets=["L", "R"],
            first_sample=20.0,
            sampling_interval=2.0,
            modality="fmri",
            **COMMON,
        )
        for name, n_samples in (("story", 5), ("other", 7)):
            with h5py.File(folder / f"s1_{name}.hf5", "w") as file:
                file["data"] = rng.normal(size=(n_samples, 2))
            (folder / f"{name}.TextGrid").write_text(textgrid())
        (folder / "counts.json").write_text(json.dumps({"story": 15, "other": 17}))
        stories = read_stories(
            folder,
            "s1",
            pattern="{subject}_{story}.hf5",
            words="{story}.TextGrid",
            counts="counts.json",
            trimmed=10,
            first_sample=0.0,
            sampling_interval=2.0,
            stories=["story", "other"],
            **COMMON,
        )
        grid = read_textgrid(folder / "story.TextGrid", "en")
    return arrays(series=opened(series), stories=opened(stories), grid=opened((grid, None)))


@case
def bids() -> Arrays:
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        image = nib.Nifti1Image(rng.normal(size=(2, 2, 2, 6)).astype(np.float32), np.eye(4))
        image.header.set_zooms((1, 1, 1, 2.0))
        nib.save(image, folder / "sub-s1_run-1_bold.nii.gz")
        kept = np.zeros((2, 2, 2), dtype=np.uint8)
        kept[0, 0] = 1
        mask = nib.Nifti1Image(kept, np.eye(4))
        nib.save(mask, folder / "mask.nii")
        (folder / "sub-s1_run-1_events.tsv").write_text(
            "onset\tduration\tword\n1.0\t0.5\tonce\n2.0\t0.4\tnull\n"
        )
        found = read_bids(
            folder,
            "s1",
            pattern="sub-{subject}_run-{run}_bold.nii.gz",
            mask="mask.nii",
            runs=["1"],
            word="word",
            **COMMON,
        )
        own = from_image(image, mask, 2.0)
        return arrays(bids=opened(found), own=opened((None, own)))


@case
def maps_of_items() -> Arrays:
    data = np.random.default_rng(2).normal(size=(3, 2, 2, 3)).astype(np.float32)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        nib.save(nib.Nifti1Image(data, AFFINE), folder / "sub-02.nii.gz")
        kept = np.zeros((3, 2, 2), dtype=np.uint8)
        kept[1] = 1
        nib.save(nib.Nifti1Image(kept, AFFINE), folder / "mask.nii.gz")
        lines = [f"word{i}\t{word}" for i, word in enumerate(["河流", "跑", "nan"], start=1)]
        (folder / "words.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        found = read_item_maps(
            folder,
            "02",
            pattern="sub-{subject}.nii.gz",
            mask="mask.nii.gz",
            labels_file="words.txt",
            language="zh",
            unit="beta",
        )
        return arrays(maps=opened(found))


@case
def word_tables() -> Arrays:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "senses.csv").write_text(
            "Word,Visual,Auditory\nnull,1.5,0.0\nnan,0.5,2\ndog,4.1,3\nice cream,3.5,1\n"
        )
        (folder / "more.tsv").write_text("Word\tConc\ndog\t4.9\nnan\t2.5\nnull\t1.5\nzoo\t\n")
        book = openpyxl.Workbook()
        for row in (["words", "Vision"], ["使用", 1.5], ["零", 0.25]):
            book.active.append(row)
        book.save(folder / "ratings.xlsx")
        (folder / "r1.csv").write_text(
            "sentence_id,word_id,word,TRT\na,0,null,10\na,1,sheep,20\nb,0,nan,\nb,1,NA,40\n"
        )
        (folder / "s1.csv").write_text(
            ",text,onset,offset\n0,当,0.0,0.18\n1,sil ,0.18,0.5\n2,我,0.5,0.7\n", encoding="utf-8"
        )
        tables = [
            {"path": "senses.csv", "word": "Word", "columns": ["Visual", "Auditory"]},
            {"path": "more.tsv", "word": "Word", "columns": ["Conc"], "missing_values": [""]},
        ]
        sheet = [{"path": "ratings.xlsx", "word": "words", "columns": ["Vision"]}]
        words = {
            "path": "{subject}.csv",
            "word": "word",
            "sentence": "{sentence_id}",
            "item": "{sentence_id}/{n}",
        }
        responses = {"path": "{subject}.csv", "columns": ["TRT"], "missing_values": [""]}
        found = {
            "tables": read_tables(folder, tables=tables, missing="drop", **COMMON),
            "sheet": read_tables(folder, tables=sheet, language="zh", unit="rating"),
            "gaze": read_word_responses(
                folder,
                "r1",
                modality="eye-tracking",
                missing="allow",
                words=words,
                responses=responses,
                **COMMON,
            ),
            "times": read_word_times(
                folder, files=["s1.csv"], language="zh", word="text", skip=["sil"], shift=1.5
            ),
        }
    return arrays(table={name: opened(pair) for name, pair in found.items()})


@case
def sentence_patterns() -> Arrays:
    rng = np.random.default_rng(3)
    content = {
        0: {"index2trial": 0, "words": [["A", "piano."], ["It", "is", "loud."]]},
        1: {"index2trial": 1, "words": [["The", "violin."]]},
    }
    for entry in content.values():
        entry["fmri"] = rng.normal(size=(len(entry["words"]), 3)).astype("float32")
    labels = np.empty((2, 1), dtype=object)
    labels[:, 0] = ["Bees sting.", "Run!"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "patterns.pkl").write_bytes(pickle.dumps(content, protocol=4))
        savemat(folder / "P1.mat", {"examples": rng.normal(size=(2, 4)), "keySentences": labels})
        given = {"modality": "fmri", **COMMON}
        passages = read_passages(
            folder,
            file="patterns.pkl",
            passages=["music/piano", "music/violin"],
            target_prefix="PC",
            **given,
        )
        patterns = read_patterns(
            folder, "P1", pattern="{subject}.mat", data="examples", labels="keySentences", **given
        )
        raw = read_pickle(folder / "patterns.pkl")[1]["fmri"]
    return arrays(passages=opened(passages), patterns=opened(patterns), raw=raw)


@case
def sensors() -> Arrays:
    onsets, rate = [1.0, 3.5, 7.0], 100.0
    names = [f"MEG {i + 1:03d}" for i in range(3)]
    info = mne.create_info([*names, "STI 014"], rate, ["mag"] * 3 + ["stim"])
    for i, channel in enumerate(info["chs"]):
        channel["loc"][:3] = 0.1, 0.01 * i, 0
    data = np.random.default_rng(4).normal(size=(4, 1200)) * 1e-14
    data[-1] = 0
    for k, onset in enumerate(onsets, start=1):
        data[0, round(onset * rate)] = k * 1e-10
    raw = mne.io.RawArray(data, info, first_samp=250, verbose="error")
    rows = [f"{o}\t0.3\t{w}" for o, w in zip(onsets, ("Tara", "stood", "null"), strict=True)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "sub-01", "meg")
        folder.mkdir(parents=True)
        raw.save(folder / "sub-01_task-story_meg.fif", verbose="error")
        text = "\n".join(["onset\tduration\tword", *rows]) + "\n"
        (folder / "sub-01_task-story_events.tsv").write_text(text, encoding="utf-8")
        found = read_meeg(
            Path(temporary),
            "01",
            pattern="sub-{subject}/meg/sub-{subject}_task-story_meg.fif",
            sidecars=False,
            channels="mag",
            language="en",
            events={"word": "word"},
            epochs={"tmin": -0.1, "tmax": 0.3},
        )
        return arrays(epochs=opened(found))


@case
def own_data() -> Arrays:
    words = pd.DataFrame({"word": ["null", "is", "red"], "onset": [0.0, 1, 2], "duration": 0.5})
    responses = pd.DataFrame({"time": [0.0, 2, 4], "LATL": [1, 2, 3], "RATL": [3.0, 2, 5]})
    items = words[["word"]].assign(item=["a", "b", "c"])
    trials = pd.DataFrame(
        {
            "subject": ["x", "x", "x", "y", "y"],
            "item": ["a", "b", "c", "a", "c"],
            "rt": [310.0, 280, 300, 250, 260],
        }
    )
    tables = from_tables(words, responses, language="en", modality="fmri", unit="a.u.")
    given = {"language": "en", "modality": "reading-times", "unit": "ms"}
    stimulus, readers = from_trials(items, trials, measures=["rt"], **given)
    plain = from_arrays(["a", "b"], np.eye(2), language="en", modality="ratings", unit="1-5")
    return arrays(
        tables=opened(tables),
        plain=opened(plain),
        words=stimulus.words,
        reader={name: opened((None, recording)) for name, recording in readers.items()},
    )

"""What docs/own-bids.md says is run, on a folder with raw events and preprocessed images."""

import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from brainlm.cli.app import app
from brainlm.errors import DataMissingError
from brainlm.io import read_bids, survey_bids

PAGE = (Path(__file__).parent.parent / "docs" / "own-bids.md").read_text("utf-8")
TR, N_SAMPLES, RUNS = 2.0, 150, ("1", "2", "3")
BEST = (1, 1, 0)  # the voxel that follows the words


@pytest.fixture
def study(tmp_path, rng, monkeypatch):
    """Three runs of bursts of words; one voxel follows two samples behind, the others are noise."""
    root = tmp_path / "my-study"
    prepared = root / "derivatives" / "fmriprep" / "sub-01" / "func"
    raw = root / "sub-01" / "func"
    raw.mkdir(parents=True)
    prepared.mkdir(parents=True)
    for run in RUNS:
        counts = rng.integers(0, 5, N_SAMPLES - 5)  # words in each TR
        onsets = [TR * i + 0.4 * k for i, n in enumerate(counts) for k in range(n)]
        lines = [
            f"{onset:.1f}\t0.3\t{'word' if i % 2 else 'dog'}" for i, onset in enumerate(onsets)
        ]
        name = f"sub-01_task-story_run-{run}"
        (raw / f"{name}_events.tsv").write_text(
            "\n".join(["onset\tduration\tword", *lines]) + "\n", encoding="utf-8"
        )
        data = rng.normal(size=(2, 2, 2, N_SAMPLES))
        data[BEST][2 : N_SAMPLES - 3] += 2.0 * counts
        image = nib.Nifti1Image(data.astype(np.float32), np.eye(4))
        image.header.set_zooms((1, 1, 1, TR))
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, prepared / f"{name}_space-MNI152_desc-preproc_bold.nii.gz")
        mask = nib.Nifti1Image(np.ones((2, 2, 2), dtype=np.uint8), np.eye(4))
        nib.save(mask, prepared / f"{name}_space-MNI152_desc-brain_mask.nii.gz")
    monkeypatch.chdir(tmp_path)
    return root


@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")  # voxels of noise
def test_five_commands_lead_to_a_score(study, capsys):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert [language for language, _ in blocks] == ["", *["python"] * 4]
    looked = CliRunner().invoke(app, blocks[0][1].split()[1:], catch_exceptions=False).output
    names = {}
    exec(compile("".join(code for _, code in blocks[1:]), "own-bids.md", "exec"), names)
    printed = capsys.readouterr().out
    for option in ("pattern", "mask"):
        (value,) = re.findall(rf"^{option} +(\S+)$", looked, flags=re.MULTILINE)
        parts = re.findall(rf'{option}="(\S+)"\n +"(\S+)"', blocks[1][1])
        assert "".join(parts[0]) == value  # what the page opens is what the look says
    assert "columns   onset, duration, word" in looked
    assert "0 outside" in printed
    assert "Scores(" in printed
    mean = names["scores"].mean
    best = int(np.ravel_multi_index(BEST, (2, 2, 2)))
    assert mean[best] > 0.8
    assert np.abs(np.delete(mean, best)).max() < 0.25


def test_events_of_the_raw_data_apply_to_derivatives_only_where_entities_agree(study):
    (survey,) = survey_bids(study)
    assert (survey["subjects"], survey["runs"]) == ("1", "3")
    (study / "sub-01" / "func" / "sub-01_task-story_run-2_events.tsv").unlink()
    with pytest.raises(DataMissingError, match=r"run-2_.*no _events.tsv applies"):
        read_bids(
            study,
            "01",
            pattern=survey["pattern"],
            mask=survey["mask"],
            word="word",
            language="en",
            unit="a.u.",
        )


def test_a_folder_without_recordings_says_what_is_wanted(tmp_path):
    with pytest.raises(DataMissingError, match="name the folder that holds sub-01"):
        survey_bids(tmp_path)


def test_surfaces_and_runs_that_differ_are_one_row(tmp_path):
    for name in ("01_run-1", "01_run-2", "02_run-1"):
        subject = name[:2]
        for side in "LR":
            path = tmp_path / f"sub-{subject}" / f"sub-{name}_hemi-{side}_bold.func.gii"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    (row,) = survey_bids(tmp_path)
    assert row["pattern"] == "sub-{subject}/sub-{subject}_run-{run}_hemi-{hemisphere}_bold.func.gii"
    assert (row["subjects"], row["runs"], row["mask"]) == ("2", "1 to 2", "none")
    assert row["columns"] == "no events.tsv"

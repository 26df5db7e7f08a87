"""What docs/own-bids.md says is run, on a folder with raw events and preprocessed images."""

import re
from pathlib import Path

import numpy as np
import pytest
from support.bids_folder import BEST, write_bids
from typer.testing import CliRunner

from brainlm.cli.app import app
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.io import read_bids, survey_bids
from brainlm.results.bundle import load_bundle

PAGE = (Path(__file__).parent.parent / "docs" / "own-bids.md").read_text("utf-8")


@pytest.fixture
def study(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_bids(tmp_path / "my-study", rng)


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
    assert survey["confounds"] == "none"
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


def test_the_survey_prints_the_ready_call_with_the_confounds_it_saw(tmp_path, rng):
    (row,) = survey_bids(write_bids(tmp_path / "my study", rng, confounds=True))
    assert row["confounds"] == "motion"
    assert row["call"] == (
        f"brainlm run encode_bids '{tmp_path / 'my study'}' --subject 01 --pattern "
        f"'{row['pattern']}' --word word --strategy motion"
    )


def test_a_subject_is_found_with_and_without_sub(study):
    (survey,) = survey_bids(study)
    options = {"pattern": survey["pattern"], "mask": survey["mask"], "word": "word"}
    _, recording = read_bids(study, "sub-01", language="en", unit="a.u.", **options)
    assert recording.subject == "01"
    with pytest.raises(UnknownNameError, match="unknown subject 'sub-02'"):
        read_bids(study, "sub-02", language="en", unit="a.u.", **options)


def run_encode_bids(study, out, *arguments):
    command = ["run", "encode_bids", str(study), "--out", str(out), *arguments]
    return CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
@pytest.mark.parametrize("subject", [[], ["--subject", "sub-01"]])
def test_one_command_does_what_the_page_does(study, tmp_path, subject):
    found = run_encode_bids(study, tmp_path / "out", "--model", "none", *subject)
    assert found.exit_code == 0, found.output
    bundle = load_bundle(tmp_path / "out")
    scores = bundle.arrays["scores"]["score"].isel(analysis=0).mean("fold")
    best = int(np.ravel_multi_index(BEST, (2, 2, 2)))
    controls = scores.sel(space="controls").values
    assert controls[best] > 0.8
    assert np.abs(np.delete(controls, best)).max() < 0.25
    assert np.abs(scores.sel(space="empty baseline")).max() < 0.25
    assert (tmp_path / "out" / "glass_brains.png").is_file()
    assert bundle.record["config"]["pattern"].startswith("derivatives/fmriprep")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
def test_a_model_and_confounds(miniature, tmp_path, rng):
    study = write_bids(tmp_path / "my-study", rng, confounds=True)
    out = tmp_path / "out"
    found = run_encode_bids(study, out, "--strategy", "motion", "--model", "smollm2", "--debug")
    assert found.exit_code == 0, found.output
    bundle = load_bundle(out)
    assert bundle.arrays["verdict"].attrs["sentence"] in found.output
    assert any("motion of fMRIPrep" in note for note in bundle.notes)
    controls = bundle.arrays["scores"]["score"].isel(analysis=0).mean("fold").sel(space="controls")
    assert float(controls[int(np.ravel_multi_index(BEST, (2, 2, 2)))]) > 0.7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--subject", "02"], "unknown subject '02'"),
        (["--word", "wort"], "Did you mean 'word'"),
        (["--pattern", "sub-{subject}/no_bold.nii.gz"], "no file matches"),
        (["--strategy", "motions"], "motions"),
    ],
)
def test_what_encode_bids_cannot_do_is_one_line(study, tmp_path, arguments, said):
    found = run_encode_bids(study, tmp_path / "out", "--model", "none", *arguments)
    assert found.exit_code == 2, found.output
    assert re.search(said, found.output)
    assert len(found.output.strip().splitlines()) == 1

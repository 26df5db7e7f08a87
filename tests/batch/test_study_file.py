import json
import re
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
import zarr
from support.pictures import check_pictures
from support.studies import RUNS, write_study
from typer.testing import CliRunner

from brainlm.batch.dask_tasks import collect, hash_inputs, run_study
from brainlm.batch.declared import DeclaredStudy
from brainlm.batch.plan import Machines, measured_gflops, plan_lines
from brainlm.batch.run import encode_study
from brainlm.batch.study_file import EMPTY, StudyFile, Task
from brainlm.batch.study_reading import read_planned, read_study
from brainlm.batch.tasks import TaskShape
from brainlm.cli.app import app
from brainlm.compute.lazy_arrays import open_stored
from brainlm.data.brain_maps import winners
from brainlm.encoding.align import resample
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.delays import delay
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, LeaveOneRunOut
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.plotting import bundle_maps, save_figures
from brainlm.results.bundle import load_bundle

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")


def test_a_task_is_the_cross_validation_of_its_block(tmp_path):
    study = read_study(write_study(tmp_path), ["delays=[1,2]", "targets_per_task=7"])
    tasks = study.tasks()
    assert [t.label for t in tasks if t.space == "B"] == [
        "S1 / B / targets 0:7",
        "S1 / B / targets 7:12",
        "S2 / B / targets 0:7",
        "S2 / B / targets 7:9",
    ]
    found = study.compute(Task("S1", "B", 7, 12))
    X, Y = np.load(tmp_path / "b_S1.npy"), zarr.open(str(tmp_path / "S1.zarr"))[:]
    expected = cross_validate(
        RidgeEncoder(), delay(X, [1, 2], RUNS), Y[:, 7:12], LeaveOneRunOut(RUNS)
    )
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_array_equal(found.target_names, ["7", "8", "9", "10", "11"])


def test_planted_features_win_and_the_empty_baseline_scores_nothing(tmp_path):
    study = read_study(write_study(tmp_path))
    planted = study.compute(Task("S1", "A", 0, 12)).mean
    other = study.compute(Task("S1", "B", 0, 12)).mean
    empty = study.compute(Task("S1", EMPTY, 0, 12)).mean
    assert planted.min() > 0.8
    assert abs(other.mean()) < 0.1
    assert abs(empty.mean()) < 0.1


def test_folds_are_runs_or_blocks_with_a_gap_of_the_longest_delay(tmp_path):
    path = write_study(tmp_path)
    blocks = read_study(path, ["folds=3", "delays=[1,4]"]).split("S1", len(RUNS))
    assert isinstance(blocks, ContiguousBlocks)
    assert (blocks.n_splits, blocks.gap) == (3, 4)
    assert isinstance(read_study(path).split("S1", len(RUNS)), LeaveOneRunOut)
    with pytest.raises(CorruptDataError, match=r"gap = 2 is shorter than the longest delay \(4\)"):
        read_study(path, ["gap=2", "delays=[1,4]"])


def test_lags_in_seconds_find_what_samples_of_a_short_interval_miss(tmp_path, rng):
    """Volumes of 0.71 s that follow the words through SPM's response, weakly."""
    step, onset = 0.71, np.arange(0.5, 700, 0.35)
    values, times = rng.standard_normal((len(onset), 4)), step * np.arange(960)
    X, seen = (
        resample(values, onset, np.full(len(onset), 0.3), times, method=method)
        for method in ("lanczos", "hrf")
    )
    signal = seen @ rng.standard_normal((4, 12))
    Y = signal / signal.std(axis=0) + 1.5 * rng.standard_normal(signal.shape)
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y)
    path = tmp_path / "study.toml"
    path.write_text('empty_baseline = false\n[features]\na = "x.npy"\n[targets]\nS1 = "y.npy"\n')
    seconds, samples = (
        read_study(path, settings)
        for settings in (["lags=[2,8]", "sampling_interval=0.71"], ["delays=[1,2,3,4]"])
    )
    assert seconds.delays == list(range(3, 12))
    assert seconds.split("S1", 960).gap == 11
    task = Task("S1", "a", 0, 12)
    assert seconds.compute(task).mean.mean() > 0.4
    assert samples.compute(task).mean.mean() < 0.1
    with pytest.raises(CorruptDataError, match=r"\[1, 2\] are not the samples of lags"):
        read_study(path, ["lags=[2,8]", "sampling_interval=2", "delays=[1,2]"])


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("fold=3", UnknownNameError, r"unknown setting 'fold'\. Did you mean 'folds'"),
        ("folds", CorruptDataError, "write key=value"),
        ("folds=1", CorruptDataError, "folds.*greater than or equal to 2, got 1"),
        ("metric=R", CorruptDataError, "metric.*got 'R'"),
        ("alphas=[0,1]", CorruptDataError, "alphas"),
        ("delays=[]", CorruptDataError, "delays"),
        ("lags=[2,8]", CorruptDataError, "give sampling_interval"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path, setting, error, message):
    with pytest.raises(error, match=message):
        read_study(write_study(tmp_path), [setting])


def test_a_study_file_that_cannot_be_used_is_said_to_be(tmp_path):
    with pytest.raises(DataMissingError, match="no such study file"):
        read_study(tmp_path / "none.toml")
    path = tmp_path / "bad.toml"
    path.write_text("folds = = 3")
    with pytest.raises(CorruptDataError, match="not a TOML file"):
        read_study(path)
    path.write_text('[features]\n"empty baseline" = "a.npy"\n[targets]\nS1 = "y.npy"\n')
    with pytest.raises(CorruptDataError, match="name of the baseline"):
        read_study(path)
    path.write_text('folds = "runs"\n[features]\na = "a.npy"\n[targets]\nS1 = "y.npy"\n')
    with pytest.raises(CorruptDataError, match='folds = "runs" needs runs'):
        read_study(path)
    path.write_text('nonsense = 1\n[features]\na = "a.npy"\n[targets]\nS1 = "y.npy"\n')
    with pytest.raises(CorruptDataError, match="unknown setting 'nonsense'"):
        read_study(path)


def test_stored_arrays_open_lazily_or_say_why_not(tmp_path):
    write_study(tmp_path)
    assert open_stored(f"{tmp_path}/S2.h5:data").shape == (120, 9)
    assert open_stored(f"{tmp_path}/S1.zarr").shape == (120, 12)
    with pytest.raises(UnknownNameError, match=r"'date'\. Did you mean 'data'"):
        open_stored(f"{tmp_path}/S2.h5:date")
    with pytest.raises(CorruptDataError, match=r"one of its arrays \['data', 'other', 'runs'\]"):
        open_stored(f"{tmp_path}/S2.h5")
    with pytest.raises(DataMissingError, match=r"gone\.npy"):
        open_stored(f"{tmp_path}/gone.npy")
    with pytest.raises(CorruptDataError, match="are read from"):
        open_stored(f"{tmp_path}/table.csv")
    (tmp_path / "web.h5").write_text("<html>")
    with pytest.raises(CorruptDataError, match="not a readable array"):
        open_stored(f"{tmp_path}/web.h5:data")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(CorruptDataError, match="not a readable array"):
        open_stored(f"{tmp_path}/objects.npy")
    group = zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    group.create_array("layer", data=np.ones((3, 2)))
    assert open_stored(f"{tmp_path}/group.zarr:layer").shape == (3, 2)
    with pytest.raises(CorruptDataError, match="is a group"):
        open_stored(f"{tmp_path}/group.zarr")


def test_arrays_that_do_not_fit_are_named_before_anything_is_computed(tmp_path):
    path = write_study(tmp_path)
    np.save(tmp_path / "b_S2.npy", np.ones((119, 4)))
    with pytest.raises(CorruptDataError, match=r"b_S2\.npy has 119 rows, .*S2\.h5:data 120"):
        read_study(path).tasks()
    np.save(tmp_path / "b_S2.npy", np.ones(120))
    with pytest.raises(CorruptDataError, match=r"has shape \(120,\)"):
        read_study(path).tasks()


def test_the_key_follows_content_and_settings_not_names(tmp_path):
    def key(*settings):
        study = read_study(path, settings)
        return study.digest(hash_inputs(study))

    path = write_study(tmp_path / "one")
    first = key()
    assert key("folds=4") != first
    assert key("targets_per_task=5") != first
    moved = write_study(tmp_path / "two")
    path = moved
    assert key() == first
    X = np.load(tmp_path / "two" / "a.npy")
    X[3, 1] += 1
    np.save(tmp_path / "two" / "a.npy", X)
    assert key() != first


def test_targets_without_a_score_are_masked_or_refused(tmp_path):
    path = write_study(tmp_path)
    with h5py.File(tmp_path / "S2.h5", "a") as file:
        file["data"][:, 3:] = 0
    with pytest.raises(ValueError, match="constant"):
        read_study(path).compute(Task("S2", "A", 0, 9))
    masked = read_study(path, ["mask_targets=true"])
    found = masked.compute(Task("S2", "A", 0, 9))
    assert np.isnan(found.mean[3:]).all()
    assert np.isfinite(found.mean[:3]).all()
    assert np.isnan(masked.compute(Task("S2", "A", 4, 9)).values).all()


def test_a_plan_says_tasks_bytes_and_hours(tmp_path):
    study = read_study(write_study(tmp_path), ["targets_per_task=7"])
    lines = list(plan_lines(study, Machines(workers=4, gflops=1e-3)))
    assert "2 subjects x 3 feature spaces" in lines
    assert any(line.split() == ["tasks", "12"] for line in lines)
    need = study.need(study.tasks())
    # 120 x 12 (float64) and 120 x 9 (float32) are read once by each worker, for three spaces
    targets = 120 * 12 * 8 + 120 * 9 * 4
    assert study.need(study.tasks(), 2).read_bytes - need.read_bytes == targets
    assert study.need(study.tasks(), 50).read_bytes - need.read_bytes == 2 * targets
    hours = float(next(line for line in lines if line.startswith("core hours")).split()[2][:-1])
    assert hours == pytest.approx(need.flops / 1e6 / 3600, rel=0.01)


def test_a_study_that_does_not_fit_into_memory_is_refused_before(tmp_path, monkeypatch):
    monkeypatch.setattr("brainlm.compute.memory.available_memory", lambda: 1000)
    with pytest.raises(MemoryError, match=r"this study needs .* targets_per_task"):
        list(encode_study(write_study(tmp_path), tmp_path / "out"))


@pytest.mark.long
def test_the_worked_example_of_the_documentation_prints_what_it_says(tmp_path, monkeypatch):
    page = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text("utf-8")
    code, command, printed = re.search(
        r"```python\n(.*?)```.*?\$ brainlm (.*?)\n(.*?)```", page, re.DOTALL
    ).groups()
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "cluster.md", "exec"), {})
    assert CliRunner().invoke(app, command.split(), catch_exceptions=False).output == printed
    shown = page.split("$ cat internet.toml\n")[1].split("```")[0]
    declared, *commands = shown.split("$ brainlm ")
    (tmp_path / "internet.toml").write_text(declared)
    for each in commands:
        command, printed = each.split("\n", 1)
        assert CliRunner().invoke(app, command.split(), catch_exceptions=False).output == printed
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "example.toml").write_text(example)
    assert read_study(tmp_path / "example.toml").folds == "runs"


@pytest.fixture
def undrawn(monkeypatch):
    """No figures: drawing a brain takes most of the time of a small study."""
    monkeypatch.setattr("brainlm.batch.run.save_figures", lambda bundle: [])


@pytest.mark.long
def test_a_study_with_an_image_of_its_targets_keeps_brain_maps(tmp_path, undrawn):
    path = write_study(tmp_path / "study")
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -90, -126, -72
    for subject, n_targets in (("S1", 12), ("S2", 9)):
        numbers = np.zeros((24, 29, 24), dtype=np.int16)
        numbers[1:7, 6:24, 4:20] = np.arange(18)[:, None] % n_targets + 1  # left hemisphere
        nib.save(nib.Nifti1Image(numbers, affine), path.parent / f"{subject}.nii.gz")
    list(encode_study(path, tmp_path / "out", settings=["brain={subject}.nii.gz"]))
    bundle = load_bundle(tmp_path / "out")
    assert bundle.record["figures"] == ["brain_maps", "winner_brain"]
    maps = bundle_maps(bundle)
    assert list(maps) == ["maps_S1", "maps_S2"]
    score = bundle.arrays["scores_S2"].score.mean("fold").sel(space="A").values
    # Region k is column k - 1 of the responses.
    np.testing.assert_allclose(maps["maps_S2"].volume("A")[1, 6:15, 4], score, atol=1e-6)
    shown = winners(maps["maps_S1"])
    assert (shown.data == 1).all()  # A was planted
    save_figures(bundle, names=["winner_brain"])
    check_pictures(tmp_path / "out", ["winner_brain"])


@pytest.mark.parametrize(
    ("brain", "error", "message"),
    [
        ("S1.nii.gz", CorruptDataError, "1 voxels .* have 12 targets"),
        ("none.nii", DataMissingError, "no such file"),
    ],
)
def test_an_image_that_does_not_fit_is_named_before_anything_is_computed(
    tmp_path, brain, error, message
):
    path = write_study(tmp_path)
    nib.save(nib.Nifti1Image(np.ones((1, 1, 1), np.int16), np.eye(4)), tmp_path / "S1.nii.gz")
    with pytest.raises(error, match=message):
        read_study(path, [f"brain={brain}"]).tasks()


def test_command_function_and_object_give_the_same_scores(tmp_path):
    path = write_study(tmp_path / "study")
    said = CliRunner().invoke(
        app,
        ["encode", str(path), "--out", str(tmp_path / "a"), "--set", "targets_per_task=5"],
        catch_exceptions=False,
    )
    assert said.exit_code == 0
    list(encode_study(path, tmp_path / "b", settings=["targets_per_task=5"]))
    study = StudyFile.model_validate(read_study(path).model_dump() | {"targets_per_task": 5})
    parts = run_study(study, tmp_path / "parts", hash_inputs(study))
    by_hand, _ = collect(study, parts)
    first, second = load_bundle(tmp_path / "a"), load_bundle(tmp_path / "b")
    assert first.record["config"] == second.record["config"] == study.model_dump()
    assert first.record["inputs"] == second.record["inputs"]
    for name, scores in by_hand.items():
        for bundle in (first, second):
            np.testing.assert_array_equal(bundle.arrays[name].score, scores.score)
            np.testing.assert_array_equal(bundle.arrays[name].alpha, scores.alpha)


def test_a_declared_study_costs_what_the_same_arrays_cost(tmp_path):
    shape = {"samples": 120, "features": 6, "targets": 50, "targets_per_task": 20}
    declared = DeclaredStudy(models=2, layers=3, subjects=2, delays=[0, 1], **shape)
    np.save(tmp_path / "X.npy", np.zeros((120, 6), np.float32))
    np.save(tmp_path / "Y.npy", np.zeros((120, 50), np.float32))
    lines = ["delays = [0, 1]", "targets_per_task = 20", "empty_baseline = false", "[features]"]
    lines += [f'"{k}" = "X.npy"' for k in range(6)]
    lines += ["[targets]", 'S1 = "Y.npy"', 'S2 = "Y.npy"']
    path = tmp_path / "study.toml"
    path.write_text("\n".join(lines))
    stored = read_study(path)
    for workers in (1, 3, 50):
        assert declared.total_need(workers) == stored.total_need(workers)
    assert declared.typical() == stored.typical()


def test_a_declared_study_of_any_size_is_planned_at_once(tmp_path):
    path = tmp_path / "declared.toml"
    sizes = "models = 1000\nlayers = 40\nsubjects = 100\nsamples = 10_000\nfeatures = 1024\n"
    path.write_text(sizes + "targets = 300_000\n")
    study = read_planned(path, ["folds=4"])
    assert study.folds == 4
    machines = Machines(gpus=64, gpu_gflops=1e4, gpu_price=2.0, storage=10.0)
    lines = dict(line.split(None, 1) for line in plan_lines(study, machines))
    assert lines["tasks"] == str(40_000 * 100 * 15)
    hours = float(lines["GPU"].split()[1].rstrip(","))
    assert hours == pytest.approx(study.total_need().flops / 1e13 / 3600, rel=0.01)
    assert float(lines["price"].split()[0]) == pytest.approx(2 * hours, rel=0.01)
    with pytest.raises(CorruptDataError, match="layers"):
        read_planned(path, ["layers=0"])
    with pytest.raises(UnknownNameError, match="layer"):
        read_planned(path, ["layer=3"])
    with pytest.raises(CorruptDataError, match="--gpu-gflops"):
        Machines(gpus=2)


def test_the_speed_of_a_worker_is_that_of_a_regression():
    assert 0.01 < measured_gflops(TaskShape(200, 20, 30, 3, 4)) < 1e5


def regional(tmp_path, **settings):
    """A study of voxels: subject S1 with 12, S2 with 9; its voxels 0-3 are localised."""
    path = write_study(tmp_path)
    for subject, n in (("S1", 12), ("S2", 9)):
        volume = np.zeros((4, 4, 1))
        inside = np.zeros(16)
        inside[:n] = 1
        contrast, parcels = np.zeros(16), np.zeros(16)
        contrast[[1, 7]] = 5.0
        parcels[:5], parcels[5:n] = 1, 2
        images = {"mask": inside, "contrast": contrast, "parcels": parcels}
        for name, values in images.items():
            image = nib.Nifti1Image(values.reshape(volume.shape).astype(np.float32), np.eye(4))
            image.to_filename(tmp_path / f"{name}_{subject}.nii.gz")
    given = {
        "brain": "mask_{subject}.nii.gz",
        "localizer": "contrast_{subject}.nii.gz",
        "parcels": "parcels_{subject}.nii.gz",
        **settings,
    }
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())
    path.write_text(lines + path.read_text())
    return path


@pytest.mark.filterwarnings("ignore")
def test_scores_in_the_language_regions_of_each_subject(tmp_path, undrawn):
    path = regional(tmp_path)
    said = list(encode_study(path, tmp_path / "out"))
    bundle = load_bundle(tmp_path / "out")
    table = bundle.arrays["regions"].to_dataframe()
    own = table[(table["subject"] == "S1") & (table["space"] == "A")].set_index("region")["r"]
    score = bundle.arrays["scores_S1"].score.mean("fold").sel(space="A").values
    assert own["parcel 1"] == pytest.approx(score[1])  # a tenth of five voxels is one
    assert own["parcel 2"] == pytest.approx(score[7])
    assert own["language network"] == pytest.approx((score[1] + score[7]) / 2)
    assert sum(line.startswith("language network") for line in said) == 3  # A, B, random walk


def test_regions_that_do_not_fit_are_refused_before_anything_is_computed(tmp_path):
    path = regional(tmp_path, localizer_runs=["1"])
    runs = read_study(path).run_labels("S1")
    path = regional(tmp_path / "again", localizer_runs=[runs[0]])
    with pytest.raises(CorruptDataError, match=r"localizer_runs: runs .* are scored in this study"):
        list(encode_study(path, tmp_path / "out"))
    nib.Nifti1Image(np.ones((2, 2, 1), np.float32), np.eye(4)).to_filename(
        tmp_path / "parcels_S1.nii.gz"
    )
    path = tmp_path / "study.toml"
    path.write_text(path.read_text().replace('localizer_runs = ["1"]', "localizer_runs = []"))
    with pytest.raises(CorruptDataError, match=r"parcels: .* is on another grid"):
        list(encode_study(path, tmp_path / "out"))

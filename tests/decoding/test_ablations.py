"""One factor at a time: what changes, what is shared, what is kept."""

import dataclasses

import numpy as np
import pytest
from conftest_words import WORDS

from brainlm import Stimulus
from brainlm.data.recording import Recording
from brainlm.decoding import ablation as ablations
from brainlm.decoding.ablation import (
    FACTORS,
    Bench,
    Point,
    decode_points,
    first_minutes,
    grid,
    one_at_a_time,
    table_of,
)
from brainlm.decoding.decoder import Settings
from brainlm.decoding.embedding import MAPPERS
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories
from brainlm.decoding.stories import stories_of
from brainlm.decoding.story_scores import Judges
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.plotting import save_figures
from brainlm.results.bundle import load_bundle, save_bundle

SETTINGS = Settings(layer=2, context=4, n_frequent=0, longest=12)
DEFAULT = Point(snr=30.0, n_targets=80, n_inputs=60, n_components=24, width=4)


@pytest.fixture(scope="module")
def bench(tiny, tmp_path_factory):
    rng = np.random.default_rng(0)
    parts = [rng.choice(WORDS, n).tolist() for n in (400, 400, 400, 70, 70)]
    times = [(np.arange(len(words)) + 0.05, np.full(len(words), 0.9)) for words in parts]
    stimulus = Stimulus(
        [w for words in parts for w in words],
        "en",
        np.concatenate([t[0] for t in times]),
        np.concatenate([t[1] for t in times]),
        run=np.repeat([f"s{i}" for i in range(5)], [len(words) for words in parts]),
    )

    def stories(snr):
        given = Simulation(100, snr, responding=0.9, n_components=24, layer=2, context=4)
        found = simulate_stories(tiny, stimulus, given)
        length = [len(found[run]) for run in stimulus.runs]
        recording = Recording(
            np.concatenate([found[run] for run in stimulus.runs]),
            times=np.concatenate([LEAD + 2.0 * np.arange(n) for n in length]),
            run=np.repeat(stimulus.runs, length),
            targets=[f"v{i}" for i in range(100)],
            modality="fmri",
            unit="a.u.",
        )
        return stories_of(stimulus, recording)

    folder = tmp_path_factory.mktemp("points")
    return Bench(tiny, stories, Judges(["bleu-1"]), SETTINGS, 50.0, 4, folder)


@pytest.fixture(scope="module")
def found(bench):
    points = [
        DEFAULT,
        dataclasses.replace(DEFAULT, snr=0.0),
        dataclasses.replace(DEFAULT, n_inputs=2),
        dataclasses.replace(DEFAULT, guide="mixture", lm_weight=0.3),
    ]
    return points, decode_points(bench, [*points, DEFAULT])


def test_a_factor_changes_nothing_but_itself():
    points = one_at_a_time(DEFAULT)
    assert {name for name, _ in points} == set(FACTORS)
    for name, point in points:
        given = FACTORS[name][1]
        base = dataclasses.replace(DEFAULT, **given)
        assert dataclasses.replace(point, **{name: getattr(base, name)}) == base
    crossed = [point for _, point in grid(DEFAULT, [0.0, 1.0], [10.0, 0.0])]
    assert len(set(crossed)) == 4 * len(MAPPERS)
    with pytest.raises(UnknownNameError, match="unknown factor 'colour'"):
        one_at_a_time(DEFAULT, ["colour"])
    with pytest.raises(UnknownNameError, match="unknown mapper 'lasso'"):
        Point(mapper="lasso")
    with pytest.raises(UnknownNameError, match="unknown guide"):
        Point(guide="magic")


def test_minutes_are_taken_from_the_first_story_on(bench):
    stories = bench.stories(1.0)[:3]
    kept = first_minutes(stories, 10.0)
    seconds = [len(story.times) * 2 for story in kept]
    assert [story.name for story in kept] == ["s0", "s1"]
    assert sum(seconds) == pytest.approx(600, abs=2)
    np.testing.assert_array_equal(kept[0].responses, stories[0].responses)
    with pytest.raises(ValueError, match="minutes=2: less than two training stories"):
        first_minutes(stories, 2.0)


def test_signal_and_dimensions_of_the_brain_are_needed(found):
    points, results = found
    good, silent, narrow, mixed = (results[point] for point in points)
    assert len(results) == len(points)
    assert good["mapping"]["r"] > 0.3
    assert abs(silent["mapping"]["r"]) < 0.1
    assert narrow["mapping"]["r"] < 0.6 * good["mapping"]["r"]
    assert good["bleu-1"]["gain"] > 0.05
    assert mixed["bleu-1"]["gain"] > 0.05
    assert abs(silent["bleu-1"]["z"]) < 4
    assert good["bleu-1"]["null"] == narrow["bleu-1"]["null"]  # the same word times


def test_finished_points_are_kept(bench, found, monkeypatch):
    points, results = found
    monkeypatch.setattr(ablations, "decode_point", None)  # nothing may be decoded again
    assert str(decode_points(bench, points)) == str(results)  # NaN equals nothing
    with pytest.raises(TypeError):
        decode_points(bench, [dataclasses.replace(DEFAULT, width=3)])
    path = ablations._path(bench, points[0])
    whole = path.read_text("utf-8")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(CorruptDataError, match="not a finished point"):
        decode_points(bench, points)
    path.write_text(whole, encoding="utf-8")


def test_table_and_figures(found, tmp_path):
    import xarray

    points, results = found
    named = [("snr", points[0]), ("snr", points[1]), *(("grid", point) for point in points)]
    table = table_of(named, results)
    assert table["value"].tolist() == ["30.0", "0.0", "", "", "", ""]
    assert table["gain"].iloc[0] == results[points[0]]["bleu-1"]["gain"]
    assert table["mapping_r"].iloc[1] == results[points[1]]["mapping"]["r"]
    scores = xarray.Dataset.from_dataframe(table.rename_axis("row"))
    scores.attrs["title"] = "planted"
    save_bundle(
        tmp_path / "out",
        analysis="decode_ablations",
        arrays={"table": scores},
        config={},
        inputs={},
        figures=["ablations", "mapping_and_text"],
    )
    for path in save_figures(load_bundle(tmp_path / "out"), tmp_path / "again"):
        assert path.stat().st_size > 5_000

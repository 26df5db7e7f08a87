"""One factor at a time: what changes, what is shared, what is kept."""

import dataclasses

import numpy as np
import pytest
from conftest_words import WORDS
from support.pictures import check_pictures

from brainlm import Stimulus
from brainlm.data.recording import Recording
from brainlm.decoding import ablation as ablations
from brainlm.decoding.ablation import (
    FACTORS,
    AblationStudy,
    Variant,
    ablation_table,
    decode_variants,
    first_minutes,
    grid,
    one_at_a_time,
)
from brainlm.decoding.decoder import Settings
from brainlm.decoding.names import MAPPERS
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories
from brainlm.decoding.stories import stories_of
from brainlm.decoding.text_scores import TextMetrics
from brainlm.errors import UnknownNameError
from brainlm.plotting import save_figures
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.storage.store import PartStore

SETTINGS = Settings(layer=2, context=4, n_frequent=0, longest=12)
DEFAULT = Variant(snr=30.0, n_targets=80, n_inputs=60, n_components=24, width=4)


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory):
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

    folder = tmp_path_factory.mktemp("variants")
    return AblationStudy(
        tiny, stories, TextMetrics(["bleu-1"]), SETTINGS, 50.0, 4, PartStore(folder)
    )


@pytest.fixture(scope="module")
def found(study):
    variants = [
        DEFAULT,
        dataclasses.replace(DEFAULT, snr=0.0),
        dataclasses.replace(DEFAULT, n_inputs=2),
        dataclasses.replace(DEFAULT, scorer="mixture", lm_weight=0.3),
    ]
    return variants, decode_variants(study, [*variants, DEFAULT])


def test_a_factor_changes_nothing_but_itself():
    variants = one_at_a_time(DEFAULT)
    assert {name for name, _ in variants} == set(FACTORS)
    for name, variant in variants:
        given = FACTORS[name][1]
        base = dataclasses.replace(DEFAULT, **given)
        assert dataclasses.replace(variant, **{name: getattr(base, name)}) == base
    crossed = [variant for _, variant in grid(DEFAULT, [0.0, 1.0], [10.0, 0.0])]
    assert len(set(crossed)) == 4 * len(MAPPERS)
    with pytest.raises(UnknownNameError, match="unknown factor 'colour'"):
        one_at_a_time(DEFAULT, ["colour"])
    with pytest.raises(UnknownNameError, match="unknown mapper 'lasso'"):
        Variant(mapper="lasso")
    with pytest.raises(UnknownNameError, match="unknown scorer"):
        Variant(scorer="magic")


def test_minutes_are_taken_from_the_first_story_on(study):
    stories = study.stories(1.0)[:3]
    kept = first_minutes(stories, 10.0)
    seconds = [len(story.times) * 2 for story in kept]
    assert [story.name for story in kept] == ["s0", "s1"]
    assert sum(seconds) == pytest.approx(600, abs=2)
    np.testing.assert_array_equal(kept[0].responses, stories[0].responses)
    with pytest.raises(ValueError, match="minutes=2: less than two training stories"):
        first_minutes(stories, 2.0)


@pytest.mark.long
def test_signal_and_dimensions_of_the_brain_are_needed(found):
    variants, results = found
    good, silent, narrow, mixed = (results[variant] for variant in variants)
    assert len(results) == len(variants)
    assert good["mapping"]["r"] > 0.3
    assert abs(silent["mapping"]["r"]) < 0.1
    assert narrow["mapping"]["r"] < 0.6 * good["mapping"]["r"]
    assert good["bleu-1"]["gain"] > 0.05
    assert mixed["bleu-1"]["gain"] > 0.05
    assert abs(silent["bleu-1"]["z"]) < 4
    assert good["bleu-1"]["null"] == narrow["bleu-1"]["null"]  # the same word times


def test_finished_points_are_kept(study, found, monkeypatch):
    variants, results = found
    monkeypatch.setattr(ablations, "decode_variant", None)  # nothing may be decoded again
    assert str(decode_variants(study, variants)) == str(results)  # NaN equals nothing
    with pytest.raises(TypeError):
        decode_variants(study, [dataclasses.replace(DEFAULT, width=3)])
    path = study.store.path(study.key(variants[0]))
    whole = path.read_bytes()
    path.write_bytes(b"{")
    with pytest.warns(UserWarning, match="computed again"), pytest.raises(TypeError):
        decode_variants(study, variants)
    path.write_bytes(whole)


def test_table_and_figures(found, tmp_path):
    import xarray

    variants, results = found
    named = [
        ("snr", variants[0]),
        ("snr", variants[1]),
        *(("grid", variant) for variant in variants),
    ]
    table = ablation_table(named, results)
    assert table["value"].tolist() == ["30.0", "0.0", "", "", "", ""]
    assert table["gain"].iloc[0] == results[variants[0]]["bleu-1"]["gain"]
    assert table["mapping_r"].iloc[1] == results[variants[1]]["mapping"]["r"]
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
    save_figures(load_bundle(tmp_path / "out"), tmp_path / "again")
    check_pictures(tmp_path / "again", ["ablations", "mapping_and_text"])

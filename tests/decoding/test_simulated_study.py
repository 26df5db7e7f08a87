"""The simulated study from end to end, on a tiny model: several stories, several subjects."""

from dataclasses import replace

import numpy as np
import pytest
from conftest_words import WORDS

from brainlm import LanguageModel, Stimulus
from brainlm.cli.analyses import load_analysis
from brainlm.decoding import crossed_study, story_study
from brainlm.decoding.beam_search import Reconstruction
from brainlm.decoding.crossed_study import spread_evenly
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.results.bundle import load_bundle
from brainlm.storage.store import content_key
from brainlm.workflow.decoding_options import PlantedOptions
from brainlm.workflow.decoding_steps import open_planted_model


@pytest.fixture
def analysis(monkeypatch, tmp_path):
    module = load_analysis("decode_story_simulated")
    rng = np.random.default_rng(0)
    stimulus = Stimulus(
        rng.choice(WORDS, 320).tolist(),
        "en",
        np.tile(0.05 + 0.9 * np.arange(80), 4),
        np.full(320, 0.8),
        run=np.repeat(["a", "b", "c", "d"], 80),
    )
    monkeypatch.setattr(
        module.steps, "open_story_text", lambda *_, **__: (stimulus, "words at random")
    )
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    fit = crossed_study.fit_story_decoder

    def few_words(network, stories, settings, language):
        """The tiny model spells no frequent word in a single token."""
        return fit(network, stories, replace(settings, n_frequent=0), language)

    def any_words(_, conditions, *__, key, **___):
        """Decoding itself is tested elsewhere."""
        drawn = np.random.default_rng(int(content_key(key)[:8], 16))
        return {
            name: Reconstruction(tuple(drawn.choice(WORDS, len(job.middle))), 0.0, 0.0, 1.0, 1)
            for name, job in conditions.items()
        }

    monkeypatch.setattr(crossed_study, "fit_story_decoder", few_words)
    monkeypatch.setattr(story_study, "decode_conditions", any_words)
    return module


@pytest.mark.long
def test_stories_and_subjects_are_crossed_and_nothing_is_decided_by_two(
    analysis, tiny_folder, tmp_path, capsys
):
    analysis.main(
        model=str(tiny_folder),
        layer=2,
        planted=str(tiny_folder),
        planted_layer=2,
        same_model=True,
        snrs="3",
        draws=1,
        scorers="likelihood,similarity,soft-prompt",
        debug=True,
        out=tmp_path / "out",
    )
    bundle = load_bundle(tmp_path / "out")
    arrays, notes = bundle.arrays, [note["text"] for note in bundle.record["notes"]]
    cells, scores, comparison = (arrays[name] for name in ("cells", "scores", "comparison"))
    assert cells["score"].sizes["story"] == cells["score"].sizes["subject"] == 2
    assert np.isfinite(cells["gain"].sel(metric="bleu-1")).all()
    texts = cells["text"].sel(condition="Tang: brain").values.ravel()
    assert len(set(texts)) == 4  # no subject and no story twice
    np.testing.assert_allclose(
        scores["gain"].sel(metric="bleu-1", condition="ceiling", snr=3),
        cells["gain"].sel(metric="bleu-1", condition="ceiling", snr=3).mean(),
    )
    assert comparison["verdict"].item().startswith("undecided (2 stories, 2 subjects")
    assert "the decoder's own model is planted: a circular analysis" in notes
    printed = capsys.readouterr().out
    assert "MapGuide minus Tang" in printed
    assert scores["prompt_loss"].item() == pytest.approx(cells["prompt_loss"].mean().item())
    assert f"soft prompt: {scores['prompt_loss'].item():.3f} nats per token" in printed


def test_the_decoders_own_model_is_not_planted_unasked(analysis, tiny, tiny_folder, tmp_path):
    with pytest.raises(UnknownNameError, match=r"is the decoder's own model.* --same-model"):
        open_planted_model(tiny, PlantedOptions(str(tiny_folder)))
    again = open_planted_model(tiny, PlantedOptions(str(tiny_folder), same_model=True))
    assert isinstance(again, LanguageModel)
    with pytest.raises(UnknownNameError, match="unknown score 'rouge'"):
        analysis.main(
            model=str(tiny_folder),
            planted=str(tiny_folder),
            same_model=True,
            score="rouge",
            encoder="",
            out=tmp_path / "out",
        )


def test_decoded_stories_are_spread_over_all():
    assert list(spread_evenly(9, 5)) == [0, 2, 4, 6, 8]
    with pytest.raises(DataMissingError, match="--stories 10: there are 9"):
        list(spread_evenly(9, 10))
    with pytest.raises(DataMissingError, match="leaves two of at least four out"):
        list(spread_evenly(3, 2))

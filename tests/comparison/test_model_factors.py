"""Scores over context and size: a planted growth is found, a flat one is flat."""

import numpy as np
import pytest
from support.comparison_tasks import array_source, word_task
from support.tiny_models import byte_level_bpe, tiny_llama

from brainlm import LanguageModel, Stimulus
from brainlm.comparison.feature_families import layer_at, layers_over, twins_at
from brainlm.comparison.feature_spaces import Reading, model_space
from brainlm.comparison.layer_scores import layer_part, spaces_of_models, twins_of_models
from brainlm.comparison.model_factors import (
    bits_per_byte,
    factor_rows,
    factor_trends,
    model_part,
    n_bytes,
    n_parameters,
    parse_readings,
    trend_lines,
)
from brainlm.errors import UnknownNameError
from brainlm.workflow.reading_options import ReadingOptions

pytestmark = pytest.mark.filterwarnings(
    "ignore::brainlm.features.baselines.UnknownWordsWarning",
    "ignore::brainlm.encoding.ridge.AlphaEdgeWarning",
)
CONTEXTS = (1, 4, 16, 64)
WORDS = ["the", "dog", "chased", "the", "cat", "up", "the", "tree"]
SIZES = {"small": 1e6, "middle": 1e7, "large": 1e8}


def study(rng, quality, *, noise=1.0):
    """Parts and table of three models at four contexts; ``quality(model, context)`` is the share of
    the signal in their features.
    """
    import xarray

    signal = rng.standard_normal((200, 8))
    task = word_task(rng, signal, noise=noise)
    parts, about, models = {}, {}, {}
    for model, size in SIZES.items():
        models[model] = xarray.Dataset(
            {"parameters": size, "bits_per_byte": 3 - 0.3 * np.log10(size)}
        )
        for context in CONTEXTS:
            share = quality(model, context)
            values = share * signal + (1 - share) * rng.standard_normal(signal.shape)
            source = array_source(model, [values])
            words = np.ones(len(signal), dtype=bool)
            name = f"made | {model} | {context} | mean"
            settings = {"n_permutations": 0, "n_random": 3, "method": "ridge"}
            parts[name] = layer_part(task, source, words, **settings)
            given = {"model": model, "context": context, "pooling": "mean", "described": model}
            about[name] = given
    return factor_rows(parts, about, models), parts


def test_growth_with_context_is_found_and_size_is_flat(rng):
    table, parts = study(rng, lambda model, context: 0.3 + 0.1 * np.log2(context))
    trends = factor_trends(table, parts).set_index("factor")
    assert len(trends) == 3 + 4 + 4
    assert (trends.loc["context", "q"] <= 0.05).all()
    assert (trends.loc["context", "low"] > 0).all()
    assert (trends.loc["parameters", "q"] > 0.05).all()
    assert (
        "log2 context: the score rises in 3 and falls in 0 of 3"
        in trend_lines(trends.reset_index())[0]
    )


def test_growth_with_size_is_found_and_context_is_flat(rng):
    table, parts = study(rng, lambda model, context: 0.25 * np.log10(SIZES[model]) - 1.3)
    trends = factor_trends(table, parts).set_index("factor")
    assert (trends.loc["context", "q"] > 0.05).all()
    assert (trends.loc["parameters", "low"] > 0).all()
    assert (trends.loc["bits_per_byte", "high"] < 0).all()  # better prediction, higher score


@pytest.mark.long
def test_flat_scores_are_flat_as_often_as_they_should():
    p = []
    for seed in range(6):
        table, parts = study(np.random.default_rng(seed), lambda model, context: 0.5)
        p += factor_trends(table, parts)["p"].tolist()
    assert np.mean(np.array(p) <= 0.05) < 0.12


def test_a_slope_by_hand(rng):
    table, parts = study(rng, lambda model, context: 0.5)
    row = factor_trends(table, parts).query("factor == 'context' and model == 'small'").iloc[0]
    scores = [parts[f"made | small | {c} | mean"]["fold_score"].mean() for c in CONTEXTS]
    assert row["slope"] == pytest.approx(np.polyfit(np.log2(CONTEXTS), scores, 1)[0])


def test_bits_per_byte_and_size_by_hand(tmp_path):
    model = LanguageModel(tiny_llama(tmp_path, byte_level_bpe()))
    words = Stimulus(WORDS, "en")
    part = model_part(model, words, 4)
    surprisal = model.surprisal(words, context=4)
    assert n_bytes(words) == len("the dog chased the cat up the tree ")
    assert part["bits_per_byte"] == pytest.approx(surprisal.values.sum() / 35)
    assert part["parameters"] == n_parameters(model)
    assert n_parameters(model) == sum(w.numel() for w in model.headed.base_model.parameters())
    chinese = Stimulus(["\u732b", "\u72d7"], "zh")
    assert n_bytes(chinese) == 6
    with pytest.raises(ValueError, match="needs the surprisal of words"):
        bits_per_byte(model.embed(words, 1, level="sentence")[0])


@pytest.mark.parametrize("reading", [Reading(3, "last"), Reading(5, "mean")])
def test_a_reading_is_that_of_embed(tmp_path, reading):
    model = LanguageModel(tiny_llama(tmp_path, byte_level_bpe()))
    words = Stimulus(WORDS, "en")
    every = np.ones(words.n_words, dtype=bool)
    found = layer_at(model, ("en",), 1.0, reading=reading).embed(words, every, "discourse")[0]
    given = {"context": reading.context, "pooling": reading.pooling}
    (direct,) = model.embed(words, model.n_layers, **given)
    np.testing.assert_array_equal(found.values, direct.values)


def test_a_study_reads_as_it_was_asked_to(tmp_path):
    folder = str(tiny_llama(tmp_path, byte_level_bpe()))
    model, words = LanguageModel(folder), Stimulus(WORDS, "en")
    every = np.ones(words.n_words, dtype=bool)
    assert ReadingOptions().reading() is None
    read = ReadingOptions(pooling="last").reading()
    assert read == Reading(None, "last")
    space = layer_at(model, ("en",), 1.0, reading=read)
    (direct,) = model.embed(words, model.n_layers, context=256, pooling="last")
    np.testing.assert_array_equal(space.embed(words, every, "discourse")[0].values, direct.values)
    models = {folder: ("en",)}
    read = ReadingOptions(context=3).reading()
    (layers,) = spaces_of_models(models, "all", read)
    ((twin,),) = twins_of_models(models, 1, "all", read).values()
    ((copy,),) = twins_at(models, 1.0, 1, read).values()
    swept = layers_over(folder, ("en",), 2, read)
    usual = [model_space(folder, ("en",)), layer_at(folder, ("en",), 1.0)]
    assert all(each.identity["context"] == 3 for each in (layers, twin, copy, swept))
    assert not any("context" in each.identity for each in usual)  # kept parts of earlier runs hold
    with pytest.raises(UnknownNameError, match="Did you mean 'mean'"):
        ReadingOptions(pooling="meen").reading()


def test_options_are_checked():
    assert parse_readings("1, 4", "last,mean")[1] == Reading(4, "last")
    with pytest.raises(ValueError, match="--context '1,x': give different whole numbers"):
        parse_readings("1,x", "mean")
    with pytest.raises(ValueError, match="--context '4,4'"):
        parse_readings("4,4", "mean")
    with pytest.raises(UnknownNameError, match="unknown pooling 'lest'"):
        parse_readings("1", "lest")

"""Known effects on real reading times (BRAINLM_DATA), and surprisal against published columns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainlm.comparison import reading_trials
from brainlm.comparison.published_surprisal import PublishedSurprisal, published_models
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.open import _of_words, open_published_surprisal
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.features.baselines import word_length, zipf_frequency
from brainlm.language_models import LanguageModel
from brainlm.language_models.sources import is_cached


def real(*parts):
    path = Path(os.environ.get("BRAINLM_DATA", "nowhere"), *parts)
    if not path.is_file():
        pytest.skip(f"needs {'/'.join(parts)} under BRAINLM_DATA")
    return path


def correlation(a, b):
    keep = np.isfinite(a) & np.isfinite(b)
    return np.corrcoef(a[keep], b[keep])[0, 1]


def ucl_sentences(n_sentences):
    """Stimulus, the table of measured words, and the row of each of them in the stimulus."""
    table = pd.read_csv(real("ucl_frank_devarda", "all_measures.csv"))
    table = table[table["sent_id"].isin(table["sent_id"].drop_duplicates()[:n_sentences])]
    words, labels = [], []
    for _, row in table.drop_duplicates("sent_id").iterrows():
        words += row["sentence"].split()
        labels += [str(row["sent_id"])] * len(row["sentence"].split())
    start = {label: labels.index(label) for label in set(labels)}
    rows = np.array([start[str(s)] for s in table["sent_id"]]) + table["context_length"].to_numpy()
    stimulus = Stimulus(words, "en", text=labels)
    assert stimulus.words[rows].tolist() == table["word"].tolist()
    return stimulus, table, rows


@pytest.mark.long
def test_surprisal_agrees_with_published_columns_and_predicts_reading():
    stimulus, table, rows = ucl_sentences(70)
    if not is_cached("smollm2"):
        pytest.skip("smollm2 is not in the cache: run `brainlm fetch smollm2`")
    found = LanguageModel("smollm2", dtype="bfloat16").surprisal(stimulus).values[rows, 0]
    # The published values of words of several tokens do not follow any stated rule.
    single = (table["is_multitoken_GPT2"] == 0).to_numpy()
    assert correlation(found[single], table["s_GPT2"].to_numpy()[single]) > 0.8
    assert correlation(found[single], table["s_GPTNeo_125M"].to_numpy()[single]) > 0.8
    assert correlation(found, table["cloze_s"].to_numpy()) > 0.5
    assert correlation(found, table["RTfirstpass"].to_numpy()) > 0.3
    assert correlation(found, table["N400"].to_numpy()) < -0.1


def test_long_and_rare_english_words_are_read_longer():
    stimulus, table, rows = ucl_sentences(205)
    length, zipf = (f(stimulus).values[rows, 0] for f in (word_length, zipf_frequency))
    for measure in ("RTfirstpass", "RTgopast"):
        assert correlation(length, table[measure].to_numpy()) > 0.4
        assert correlation(zipf, table[measure].to_numpy()) < -0.3


def test_long_and_rare_chinese_words_are_read_longer():
    table = pd.read_csv(real("cmcl_2021_2022", "data", "training_data", "train.csv"))
    table = table[table["language"] == "zh"]
    stimulus = Stimulus(
        table["word"].tolist(), "zh", sentence=table["sentence_id"].astype(str).tolist()
    )
    gaze = table["TRTAvg"].to_numpy()
    assert correlation(word_length(stimulus).values[:, 0], gaze) > 0.2
    assert correlation(zipf_frequency(stimulus).values[:, 0], gaze) < -0.2


def test_a_language_without_frequencies_is_named_before_anything_runs():
    assert reading_trials.why_untested("en") == ""
    assert "no list of frequencies in 'la'" in reading_trials.why_untested("la")


def test_a_cut_text_keeps_three_sentences():
    items = [str(i) for i in range(9)]
    words = Stimulus(["w"] * 9, "en", item=items, sentence=list("aaaabbccd"))
    responses = Recording(np.arange(9.0)[:, None], ["x"], "ratings", "ms", items=items)
    assert reading_trials._enough(words, responses, 3) == 8
    assert reading_trials._enough(words, responses, 9) == 9
    alone = responses.select_samples(np.arange(4), "one sentence")
    assert reading_trials._enough(words, alone, 3) == 4


def test_published_surprisal_stands_in_for_a_model():
    real("meco_xlang", "merged_data", "en.csv")
    models = published_models("meco-means-en")
    assert [model.name for model in models] == ["mGPT (published)", "monolingual (published)"]
    assert [len(model.values) for model in models] == [2071, 2107]
    table = pd.read_csv(real("meco_xlang", "merged_data", "en.csv"))
    row = table[(table["model"] == "mgpt_lc") & (table["trialid"] == 3) & (table["ianum"] == 20)]
    assert models[0].values["3/20"] == row["surp"].item()
    settings = {"root": None, "max_items": 700, "max_subjects": 1, "mixed_items": 0}
    part = reading_trials.reading_part("meco-means-en", models[0], **settings)
    effects = pd.DataFrame(json.loads(part.attrs["effects"]))
    total = effects[(effects["measure"] == "TRT") & (effects["predictor"] == "surprisal")]
    assert total["coefficient"].item() > 0.05
    assert total["low"].item() > 0
    assert any("have no surprisal" in note for note in json.loads(part.attrs["notes"]))


def test_published_values_of_words_that_nobody_read_are_left_out_and_told():
    """In Korean, one model went on where the gaze of the tenth text ends."""
    path = real("meco_xlang", "merged_data", "ko.csv")
    with pytest.warns(UserWarning, match=r"12 of 1474 values of 'mGPT \(published\)' belong to"):
        models = published_models("meco-means-ko")
    assert [len(model.values) for model in models] == [1462, 1680]
    table = pd.read_csv(path)
    row = table[(table["model"] == "mgpt_lc") & (table["trialid"] == 3) & (table["ianum"] == 157)]
    assert models[0].values["3/157"] == row["surp"].item()


def test_published_values_of_other_words_are_refused():
    read = Stimulus(["a", "dog"], "en", item=["1", "2"])
    theirs = Stimulus(["a", "cat"], "en", item=["1", "2"])
    with pytest.raises(CorruptDataError, match="item '2' is 'dog' in the responses and 'cat' in"):
        _of_words("own", "theirs", {"1": 2.0, "2": 3.0}, theirs, read)


def test_words_without_published_surprisal_are_counted():
    model = PublishedSurprisal("theirs", {"a": 1.0, "b": 3.0})
    trials = pd.DataFrame({"item": ["a", "b", "c", "a"]})
    kept, note = model.measured(trials)
    assert kept["item"].tolist() == ["a", "b", "a"]
    assert note == "theirs: 1 of 4 trials have no surprisal"
    words = Stimulus(["x", "y", "z"], "en", item=["a", "b", "c"])
    assert model.surprisal(words).values[:, 0].tolist() == [1, 3, 2]
    assert published_models("ucl-gaze") == []
    with pytest.raises(UnknownNameError, match="published model of 'meco-means-en'"):
        open_published_surprisal("meco-means-en", "gpt4")

"""Golden cases of stimuli, feature spaces, language models, epochs and lags."""

from __future__ import annotations

import mne
import numpy as np
import pandas as pd
from golden.cases import Arrays, MissingInputError, arrays, register
from golden.made import ENGLISH, WORDS, bert, llama, plain_story, scratch, series, story, vectors
from scipy import sparse
from sklearn.pipeline import make_pipeline

from brainlm.data.features import Features, concatenate, lag
from brainlm.data.recording import Recording
from brainlm.data.segmentation import chinese_script, read_text, segment, simplify
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import epoch_targets, over_time
from brainlm.data.word_pairs import WordPairs
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import LeaveOneRunOut
from brainlm.encoding.temporal_response import Delayer, lag_samples
from brainlm.encoding.time_bins import word_locked
from brainlm.errors import DataMissingError
from brainlm.features.associations import (
    association_norm,
    ppmi,
    random_walk_similarity,
    read_associations,
)
from brainlm.features.baselines import (
    random_like,
    sentence_length,
    stroke_count,
    word_length,
    word_position,
    word_rate,
    zipf_frequency,
)
from brainlm.features.geometry import geometry
from brainlm.features.norms import Norm, similarity_features
from brainlm.features.syntax import syntactic_nodes
from brainlm.features.taxonomies import (
    cilin_norm,
    hownet_norm,
    read_cilin,
    read_hownet,
    taxonomic_similarity,
    wordnet_norm,
)
from brainlm.io.epoch_metadata import stimulus_of
from brainlm.io.mne_objects import epoch_words, event_onsets, from_epochs, from_raw
from brainlm.language_models import LanguageModel
from brainlm.language_models.ngrams import read_ngrams, train_kneser_ney

case = register("features")
CHINESE = "小王子说：“请你给我画一只羊。”我画了GPT2号羊！他很高兴……今天天气很好。"
TRADITIONAL = "漢語的電腦乾坤乾淨"
SENTENCES = [s.split() for s in ["the dog ran", "the cat ran", "the dog sat", "a dog ran home"]]
SWOW = "participantID,cue,R1,R2,R3\n1,dog,cat,bone,tree\n2,dog,cat,null,NA\n3,cat,dog,bone,\n"
CILIN = "Aa01A01= 人 士 人物\nAa01A02= 人类 生人\nAa01B03# 良民 顺民\nBi07A01= 狗 犬\nBi07A02@ 猫\n"
HOWNET = """NO.=000001
W_C=医生
G_C=N
W_E=doctor
DEF={human|人:HostOf={Occupation|职位},domain={medical|医},{doctor|医治:agent={~}}}
NO.=000002
W_C=病人
DEF={human|人:domain={medical|医},{SufferFrom|罹患:experiencer={~}}}
NO.=000003
W_C=石头
DEF=stone|土石
"""


def text() -> Stimulus:
    """Return the English sentences as a stimulus."""
    return read_text(" ".join(ENGLISH), "en")


@case
def lexical() -> Arrays:
    stimulus = story()
    spaces = {
        "rate": word_rate(stimulus),
        "length": word_length(stimulus),
        "zipf": zipf_frequency(stimulus),
        "position": word_position(stimulus),
        "sentence": sentence_length(stimulus),
    }
    chinese = read_text(CHINESE, "zh")
    strokes = {character: ord(character) % 13 for character in set(CHINESE)}
    both = concatenate([vectors(stimulus), spaces["length"]], "both")
    return arrays(
        space={name: space.values for name, space in spaces.items()},
        strokes=stroke_count(chinese, strokes).values,
        chinese=[zipf_frequency(chinese).values, word_length(chinese).values],
        lagged=[lag(spaces["length"], n).values for n in (1, 2)],
        in_runs=lag(spaces["length"], 1, level="run").values,
        both=both.values,
        bands=both.band_labels(2),
        columns=both.columns,
    )


@case
def random_twins() -> Arrays:
    space = vectors(story())
    repeated = Stimulus([f"w{i // 10}" for i in range(40)], "en")
    flat = Features("flat", np.repeat(np.eye(4), 10, axis=0), repeated)
    return arrays(
        twin=random_like(space).values,
        other=random_like(space, seed=3).values,
        flat=random_like(flat).values,
    )


@case
def segmentation() -> Arrays:
    found = {}
    for language, given in (("en", " ".join(ENGLISH)), ("zh", CHINESE)):
        for level in ("word", "character") if language == "zh" else ("word",):
            stimulus = read_text(given, language, level)
            found[f"{language} {level}"] = {
                "words": stimulus.words,
                "sentence": stimulus.sentence,
                "segments": np.array(segment(given, language, level)),
            }
    scripts = [str(chinese_script(list(t))) for t in (CHINESE, TRADITIONAL, "dog")]
    return arrays(text=found, simplified=simplify(TRADITIONAL), script=np.array(scripts))


@case
def ngrams() -> Arrays:
    stimulus = Stimulus(["the", "dog", "ran", "zebra", "the", "cat"], "en", sentence=list("aaaabb"))
    found = {}
    for order in (1, 2, 3, 4):
        model = train_kneser_ney(SENTENCES, order)
        grams = sorted(" ".join(gram) for gram in model.log_p)
        found[str(order)] = {
            "grams": np.array(grams),
            "log_p": np.array([model.log_p[tuple(gram.split())] for gram in grams]),
            "surprisal": model.surprisal(stimulus).values,
        }
    path = scratch() / "model.arpa"
    train_kneser_ney(SENTENCES, 3, discount=0.5).save_arpa(path)
    again = read_ngrams(path)
    return arrays(
        order=found, read=again.surprisal(stimulus).values, one=again.log10("ran", ["dog"])
    )


@case
def norms() -> Arrays:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(80)]
    stimulus = Stimulus(words, "en")
    space = vectors(stimulus, 5)
    values = space.values @ rng.standard_normal((5, 3)) + 0.3 * rng.standard_normal((80, 3))
    norm = Norm("linear", "en", words[:60], values[:60])
    found = norm.embed(stimulus, space)
    place = {word: float(i) for i, word in enumerate("abcde")}
    line = similarity_features(
        list(place),
        lambda a, b: float(np.exp(-abs(place[a] - place[b]))),
        3,
        name="line",
        language="en",
    )
    pairs = WordPairs(["a", "b", "a"], ["c", "c", "b"], [1.0, 2.0, 0.5], "en", "0-5")
    return arrays(
        imputed=found.values,
        accuracy=found.origin["imputation_accuracy"],
        covers=norm.covers(stimulus),
        line=line.values,
        share=line.origin["share_of_similarity"],
        pairs=list(pairs.rows),
        pair_words=pairs.stimulus.words,
    )


@case(local=("norm",))
def associations() -> Arrays:
    path = scratch() / "swow.csv"
    path.write_text(SWOW, encoding="utf-8")
    read = read_associations(path).sort_values(["cue", "response"], ignore_index=True)
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 5, (12, 12)).astype(float) + np.eye(12)
    names = [f"w{i}" for i in range(16)]
    rows = [(a, b, float(rng.integers(1, 9))) for a in names for b in names if rng.random() < 0.6]
    pairs = pd.DataFrame(rows, columns=["cue", "response", "count"])
    found = {str(walk): association_norm(pairs, "en", 3, walk=walk) for walk in (None, 0.75)}
    return arrays(
        read=read,
        ppmi=ppmi(sparse.csr_array(counts)),
        walk=random_walk_similarity(counts, 0.9),
        norm={name: {"values": n.values, "words": n.words} for name, n in found.items()},
        products={name: n.values @ n.values.T for name, n in found.items()},  # without signs
    )


@case
def taxonomies() -> Arrays:
    depth = {"entity": 1, "animal": 2, "thing": 2, "dog": 3, "cat": 3, "stone": 3}
    above = [
        {"dog": 0, "animal": 1, "entity": 2},
        {"cat": 0, "animal": 1, "entity": 2},
        {"stone": 0, "thing": 1, "entity": 2},
    ]
    cilin, hownet = scratch() / "cilin.txt", scratch() / "hownet.txt"
    cilin.write_text(CILIN, encoding="utf-8")
    hownet.write_text(HOWNET, encoding="utf-8")
    return arrays(
        similarity={m: taxonomic_similarity(above, depth, m) for m in ("wu-palmer", "path")},
        cilin=cilin_norm(cilin, ["人", "人类", "顺民", "良民", "狗", "猫"], 4).values,
        places=np.array(["/".join(place) for place in read_cilin(cilin)["良民"]]),
        hownet=hownet_norm(hownet, ["医生", "病人", "石头"], 2).values,
        sememes=np.array(sorted(read_hownet(hownet)["医生"])),
    )


@case
def wordnet() -> Arrays:
    try:
        norm = wordnet_norm(["dog", "cat", "car", "idea", "tree", "house"], 4)
    except DataMissingError as error:
        raise MissingInputError("WordNet is not there") from error
    return arrays(values=norm.values, words=norm.words)


@case
def syntax() -> Arrays:
    stimulus = Stimulus(["We", "don't", "go.", "Go!"], "en", sentence=list("aaab"))
    parses = [
        "(S (NP (PRP We)) (VP (VBP do) (RB n't) (VP (VB go))) (. .))",
        "(S (VP (VB Go)) (. !))",
    ]
    space = syntactic_nodes(stimulus, parses)
    return arrays(values=space.values, columns=space.columns)


@case
def geometry_of_spaces() -> Arrays:
    rng = np.random.default_rng(2)
    wide = Features("wide", rng.standard_normal((20, 50)) + 1)
    return arrays(table=geometry([wide, vectors(story())]))


@case
def epochs() -> Arrays:
    rng = np.random.default_rng(3)
    info = mne.create_info(["Fz", "Cz", "STI"], 100.0, ["eeg", "eeg", "stim"])
    data = rng.normal(size=(3, 1000)) * 1e-6
    data[2] = 0
    raw = mne.io.RawArray(data, info, first_samp=250, verbose="error")
    raw.set_montage("standard_1020", on_missing="ignore", verbose="error")
    words = Stimulus(
        ["a", "b", "c"], "en", onset=[1.0, 4, 8], duration=[0.3] * 3, item=["1", "2", "3"]
    )
    found = epoch_words(raw, words, tmin=-0.1, tmax=0.34)
    plain = epoch_words(raw, words, tmin=0, tmax=0.34, baseline=None, decimate=2)
    found.metadata = pd.DataFrame({"word": ["a", "b", "c"], "item": ["1", "2", "3"]})
    recordings = {
        "raw": from_raw(raw),
        "epochs": from_epochs(found, words),
        "bins": from_epochs(found, words, bin_width=0.1),
        "plain": from_epochs(plain, words),
    }
    return arrays(
        recording={
            name: {
                "data": r.data,
                "targets": r.target_names,
                "positions": r.positions,
                "times": r.times,
            }
            for name, r in recordings.items()
        },
        onsets=event_onsets(np.array([[250, 0, 1], [450, 0, 1]]), raw),
        items=stimulus_of(found, "en").item,
    )


@case
def time_resolved() -> Arrays:
    rng = np.random.default_rng(4)
    onset = 1 + 0.8 * np.arange(40)
    times = 0.01 * np.arange(3500)
    stimulus = Stimulus([f"w{i}" for i in range(40)], "en", onset, np.full(40, 0.3))
    recording = Recording(rng.standard_normal((3500, 3)), list("ABC"), "meg", "T", times=times)
    words, locked = word_locked(stimulus, recording)
    late, later = word_locked(stimulus, recording, start=0.1, stop=0.4, width=0.05)
    channels, latencies, table = over_time(locked.data.mean(axis=0), locked.targets)
    names = epoch_targets(["E1", "E2"], [0, 0.05, 0.1])
    curves = over_time(rng.standard_normal((4, 6)), names)
    return arrays(
        words=words.words,
        data=locked.data,
        targets=locked.target_names,
        later=later.data,
        n_later=late.n_words,
        latency=[np.array(channels), 1000 * np.array(latencies), table],
        curves=list(curves),
    )


@case
def response_functions() -> Arrays:
    rng = np.random.default_rng(5)
    time = np.tile(np.arange(150) / 20, 3)
    runs = np.repeat(["1", "2", "3"], 150)
    X, lags = rng.standard_normal((450, 2)), lag_samples(-0.1, 0.3, 20.0)
    given = np.c_[time, X]
    lagged = Delayer(lags, time_column=0).fit_transform(given)
    Y = lagged @ rng.standard_normal((lagged.shape[1], 3)) + rng.standard_normal((450, 3))
    encoder = make_pipeline(Delayer(lags, time_column=0), RidgeEncoder(np.logspace(-1, 5, 7)))
    scores = cross_validate(encoder, given, Y, LeaveOneRunOut(runs))
    fitted = encoder.fit(given, Y)[-1]
    return arrays(
        lags=np.array(lags),
        lagged=lagged,
        scores=scores.values,
        alphas=scores.alphas,
        weights=fitted.coef_per_delay(len(lags)),
        predicted=encoder.predict(given),
    )


@case(single=True)
def embeddings() -> Arrays:
    found = {}
    for name, model in (("llama", llama()), ("bert", bert())):
        for context in ("none", "sentence", 4):
            spaces = model.embed(text(), context=context)
            found[f"{name} {context}"] = [space.values for space in spaces]
        found[f"{name} sentences"] = model.embed(text(), -1, level="sentence")[0].values
        found[f"{name} first"] = model.embed(text(), [1], pooling="first")[0].values
    chinese = llama().embed(read_text(CHINESE, "zh"), context=8)
    return arrays(model=found, chinese=[space.values for space in chinese])


@case(single=True)
def predictability() -> Arrays:
    found = {}
    for name, model in (("llama", llama()), ("bert", bert())):
        found[name] = model.surprisal(text()).values
    both = llama().surprisal_and_entropy(text(), context=5)
    chinese = llama().surprisal(read_text(CHINESE, "zh"))
    return arrays(
        surprisal=found,
        raw=llama().surprisal(text(), boundary="raw").values,
        both=[space.values for space in both],
        entropy=llama().entropy(text()).values,
        chinese=chinese.values,
    )


@case
def static_vectors() -> Arrays:
    path = scratch() / "vectors.txt"
    rng = np.random.default_rng(6)
    lines = [f"{word} {' '.join(map(str, rng.standard_normal(4).round(4)))}" for word in set_of()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    model = LanguageModel(path)
    stimulus = Stimulus(["The", "dog,", "Tree", "“Moon!”"], "en")
    return arrays(values=model.embed(stimulus)[0].values, covers=model.covers(plain_story(20)))


def set_of() -> list[str]:
    """Return each word once, in their order."""
    return list(dict.fromkeys(WORDS))


@case
def recordings() -> Arrays:
    recording = series(story())
    part = recording.select_targets(["t3", "t1"]).select_samples(np.arange(10), "the first ten")
    return arrays(data=part.data, targets=part.target_names, times=part.times, run=part.run)

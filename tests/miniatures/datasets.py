"""Miniature data sets in the layouts of their cards, each with a signal where a test finds it.

A writer takes the folder of the data set and returns the facts and options that its card needs.
Ratings and gaze follow vectors or norms of the words; stories and reading times follow the causal
model ``smollm2`` of `miniatures.models`.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
from miniatures.cards import CARDS, copy_card
from miniatures.cogbench import COGBENCH
from miniatures.languages import LANGUAGES
from miniatures.stories import smn4lang_fmri
from miniatures.tables import write_rows
from miniatures.words import N_TOLD, chinese_words, english_words, say
from support.layouts import textgrid

from brainlm import LanguageModel, Stimulus
from brainlm.decoding.simulated_subjects import LEAD, Simulation, simulate_stories
from brainlm.encoding.align import resample
from brainlm.language_models.vector_files import read_vectors

LISTENERS, SILENT = ("s18", "s22", "s23", "s24"), "s33"
N_RATED = 160
N_SECTIONS = 5
ATTRIBUTES = ("Vision", "Audition", "Touch", "Pain", "Happy", "Arousal")
NOISE = "Pain"  # the attribute in which nothing is planted
SENSES = ("Auditory", "Gustatory", "Haptic", "Interoceptive", "Olfactory", "Visual")
EFFECTORS = ("Foot_leg", "Hand_arm", "Head", "Mouth", "Torso")
READERS = ("pp21", "pp22", "pp23", "pp25", "pp26", "pp27")


def write_datasets(root: Path, cards: Path, models: Path) -> None:
    """Write every data set under a root, and its card into a folder of cards.

    Parameters
    ----------
    root, cards : Path
        Where data and cards go.
    models : Path
        Folder of the tiny models, named as the shipped ones.
    """
    shutil.copytree(CARDS, cards)  # the data sets that are not here have cards, too
    for name, write in WRITERS.items():
        facts, options = write(root / name, models)
        copy_card(name, cards / f"{name}.toml", facts=facts, options=options, data=root / name)


def embodied(n_features: int, words: tuple[str, ...], seed: int) -> np.ndarray:
    """Return ratings of words that no other miniature knows, (n_words, n_features)."""
    return np.random.default_rng(seed).uniform(0.5, 4.5, (len(words), n_features)).round(2)


def planted(cause: np.ndarray, n_targets: int, noise: float, seed: int) -> np.ndarray:
    """Return noisy linear views of a cause, each of unit variance before the noise."""
    rng = np.random.default_rng(seed)
    seen = (cause - cause.mean(axis=0)) @ rng.standard_normal((cause.shape[1], n_targets))
    return seen / seen.std(axis=0) + noise * rng.standard_normal(seen.shape)


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return values on a scale, two decimals."""
    span = values.max(axis=0) - values.min(axis=0)
    return (low + (high - low) * (values - values.min(axis=0)) / span).round(2)


def vectors_of(models: Path, name: str) -> dict[str, np.ndarray]:
    """Return the vector of each word of the tiny static vectors."""
    (file,) = (models / name).iterdir()
    return dict(zip(*read_vectors(file), strict=True))


def alice_fmri(folder: Path, models: Path) -> tuple[dict, dict]:
    """Listeners of a story told in bursts.

    LATL follows the word rate, LIFG nothing, and the others follow a layer of a model.
    """
    n_words, n_samples = 480, 232
    words = say(english_words(N_TOLD), n_words, 0)
    pauses = np.zeros(n_words)
    pauses[::24] = np.random.default_rng(1).uniform(4, 16, len(pauses[::24]))
    onset = 20 + 0.55 * np.arange(n_words) + np.cumsum(pauses)
    heard = Stimulus(words, "en", onset - 20 + LEAD, np.full(n_words, 0.5))
    grid = folder / "alice_stim_shared/DownTheRabbitHoleFinal_exp120_pad_1.TextGrid"
    grid.parent.mkdir(parents=True)
    grid.write_text(textgrid(with_silences(words, onset, onset + 0.5)), encoding="utf-8")
    series = folder / "alice_data_shared/6mm"
    series.mkdir(parents=True)
    simulation = Simulation(5, 4.0, responding=1.0, n_components=8, layer=9, context=8)
    (signal,) = simulate_stories(LanguageModel(models / "smollm2"), heard, simulation).values()
    times = LEAD + 2.0 * np.arange(n_samples)
    rate = resample(np.ones((n_words, 1)), heard.onset, heard.duration, times, method="hrf")
    signal = np.hstack([2 * rate / rate.std(), signal[:n_samples, 1:]])
    for seed, subject in enumerate(LISTENERS):
        data = np.random.default_rng(seed).standard_normal((n_samples, 6))
        data[:, :5] += signal
        np.savetxt(series / f"{subject}-timecourses.txt", 100 + 3 * data, fmt="%.4f")
    np.savetxt(series / f"{SILENT}-timecourses.txt", np.zeros((n_samples, 6)), fmt="%.1f")
    return {"n_subjects": len(LISTENERS), "n_samples": n_samples, "n_words": n_words}, {}


def with_silences(words: list[str], onset: np.ndarray, end: np.ndarray) -> list[tuple]:
    """Return the intervals of a tier: words, and silences (sp) before them."""
    before = np.r_[0.0, end[:-1]]
    rows = []
    for word, silent, start, stop in zip(words, before, onset, end, strict=True):
        rows += [(silent, start, "sp"), (start, stop, word)]
    return rows


def human_ratings(folder: Path, models: Path) -> tuple[dict, dict]:
    """Senses and concreteness that follow GloVe, and one word that GloVe lacks."""
    words = tuple(sorted(english_words(300)))
    vectors = vectors_of(models, "glove-6b-50d")
    cause = np.array([vectors[w] for w in words])
    rated = scaled(planted(cause, 7, 0.7, 0), 0.5, 4.5)
    senses = ("Visual", "Auditory", "Haptic", "Interoceptive", "Gustatory", "Olfactory")
    rows = [[w, *r[:6]] for w, r in zip(words, rated, strict=True)]
    write_rows(
        folder / "sensorimotor_norms.csv",
        ["Word", *senses],
        [*rows, ["zzyzx", 1, 2, 3, 4, 1, 2]],
        ",",
    )
    rows = [[w, r[6], 500] for w, r in zip(words, rated, strict=True)]
    rows += [["zzyzx", 2.5, 400], ["onlyhere", "", 300]]
    write_rows(folder / "concreteness_ratings.csv", ["Word", "Brysbaert", "MRC"], rows, ",")
    return {"n_samples": 301, "n_words": 301}, {}


def pereira2018(folder: Path, models: Path) -> tuple[dict, dict]:
    """Sentences of topics; the components of a sentence follow the mean vector of its words.

    The words of a sentence come from one of two pools, so that few sentences are enough to learn.
    """
    passages = [f"topic{i}/{k}" for i in range(10) for k in range(1, 4)]
    vectors = vectors_of(models, "glove-6b-50d")
    pools = english_words(16)[:8], english_words(60)[52:]
    rng = np.random.default_rng(0)
    told = [
        [say(pools[rng.integers(2)], rng.integers(5, 8), 10 * i + k) for k in range(4)]
        for i in range(len(passages))
    ]
    sentences = [sentence for passage in told for sentence in passage]
    means = np.array([np.mean([vectors[w] for w in sentence], axis=0) for sentence in sentences])
    patterns = (100 * planted(means, 60, 0.5, 0)).astype(np.float32).reshape(len(told), 4, -1)
    content = {
        i: {"index2trial": i, "words": passage, "fmri": rows}
        for i, (passage, rows) in enumerate(zip(told, patterns, strict=True))
    }
    folder.mkdir(parents=True)
    (folder / "example.pca1000.wq.pkl.dic").write_bytes(pickle.dumps(content, protocol=4))
    n_words = sum(map(len, sentences))
    return {"n_samples": len(sentences), "n_targets": 60, "n_words": n_words}, {
        "passages": passages
    }


def rated_concepts(models: Path, language: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Return words of the same concepts in a language, and ratings that follow their vectors.

    Both languages rate the concepts alike: by the English vectors.
    """
    english = english_words(N_RATED)
    vectors = vectors_of(models, "glove-6b-50d")
    cause = np.array([vectors[w] for w in english])
    rated = planted(cause, len(ATTRIBUTES), 0.0, 5)
    rng = np.random.default_rng(7 if language == "en" else 8)
    rated += 0.4 * rng.standard_normal(rated.shape)
    rated[:, ATTRIBUTES.index(NOISE)] = rng.standard_normal(N_RATED)
    return (english if language == "en" else chinese_words(N_RATED)), scaled(rated, 0, 6)


def binder_en(folder: Path, models: Path) -> tuple[dict, dict]:
    """English ratings; of one word an attribute was not asked."""
    words, rated = rated_concepts(models, "en")
    attributes = [*ATTRIBUTES[:-1], "Practice", ATTRIBUTES[-1]]
    rows = [[*r[:-1], "na" if i == 3 else 2.5 + i % 3, r[-1]] for i, r in enumerate(rated)]
    book = openpyxl.Workbook()
    book.active.append(["No", "Word", *attributes])
    for i, (word, row) in enumerate(zip(words, rows, strict=True), start=1):
        book.active.append([i, word, *row])
    folder.mkdir(parents=True)
    book.save(folder / "WordSet1_Ratings.xlsx")
    n_targets = len(attributes)
    return {"n_samples": N_RATED, "n_words": N_RATED, "n_targets": n_targets, "n_missing": 1}, {}


def binder_zh(folder: Path, models: Path) -> tuple[dict, dict]:
    """Chinese ratings: a header and five rows about the columns, the fourth with their names."""
    words, rated = rated_concepts(models, "zh")
    empty = [None] * len(ATTRIBUTES)
    book = openpyxl.Workbook()
    book.active.append(["SurveyID", "EngID", "EngWords", "words", *range(1, len(ATTRIBUTES) + 1)])
    for title, cells in (
        ("type:", empty),
        ("scale:", empty),
        ("question:", empty),
        ("name:", ATTRIBUTES),
        ("note:", empty),
    ):
        book.active.append([title, None, None, None, *cells])
    for i, (word, row) in enumerate(zip(words, rated, strict=True), start=1):
        book.active.append([i, i, english_words()[i - 1], word, *row])
    (folder / "data").mkdir(parents=True)
    book.save(folder / "data/ratings_update_Feb24.xlsx")
    return {"n_samples": N_RATED, "n_words": N_RATED, "n_targets": len(ATTRIBUTES)}, {}


def lancaster(folder: Path, _: Path) -> tuple[dict, dict]:
    """Sensorimotor norms of all words, in capital letters, in a data frame of R."""
    names = [f"{name}.mean" for name in (*SENSES, *EFFECTORS)]
    words = english_words()
    frame = pd.DataFrame(embodied(len(names), words, 1), columns=names)
    frame.insert(0, "Word", [word.upper() for word in words])
    write_frame(folder / "Lancaster.rda", frame)
    return {"n_samples": len(words), "n_words": len(words)}, {}


def concreteness(folder: Path, _: Path) -> tuple[dict, dict]:
    """Concreteness of all words in a data frame of R."""
    words = english_words()
    frame = pd.DataFrame({"Word": words, "Conc.M": embodied(1, words, 2)[:, 0]})
    write_frame(folder / "concrete.rda", frame)
    return {"n_samples": len(words), "n_words": len(words)}, {}


def ssdd(folder: Path, _: Path) -> tuple[dict, dict]:
    """Chinese ratings of six dimensions."""
    words = chinese_words()
    names = ["Vision", "Motor", "Socialness", "Emotion", "Time", "Space"]
    rows = [[w, *r] for w, r in zip(words, embodied(6, words, 3), strict=True)]
    write_rows(folder / "ratings.csv", ["Word", *names], rows, ",")
    return {"n_samples": len(words), "n_words": len(words)}, {}


def words_zh_gaze(folder: Path, _: Path) -> tuple[dict, dict]:
    """Gaze on isolated Chinese words, which follows the six dimensions of `ssdd`."""
    names = ["FFD", "GD", "FPF", "FN", "RI", "RO", "LI_left", "LI_right", "TT"]
    words = chinese_words()[:200]
    cause = embodied(6, chinese_words(), 3)[:200]
    frame = pd.DataFrame(scaled(planted(cause, 9, 0.7, 4), 1, 9), columns=names)
    frame.insert(0, "Word", words)
    folder.mkdir(parents=True)
    frame.to_excel(folder / "words.xlsx", index=False)
    return {"n_samples": 200, "n_words": 200, "n_missing": 0}, {}


def provo(folder: Path, _: Path) -> tuple[dict, dict]:
    """Gaze on 30 sentences of eight words, which follows the embodied norms of the words."""
    words = say(english_words(600), 240, 5)
    row = {word: i for i, word in enumerate(english_words())}
    cause = np.hstack([embodied(11, english_words(), 1), embodied(1, english_words(), 2)])
    gaze = scaled(planted(cause[[row[w] for w in words]], 5, 0.7, 6), 1, 60)
    rows = [[i // 8, i % 8, word, *gaze[i]] for i, word in enumerate(words)]
    header = ["sentence_id", "word_id", "word", "nFix", "FFD", "GPT", "TRT", "fixProp"]
    write_rows(folder / "cmcl-shared-task-main/data/provo.csv", header, rows, ",")
    begin = {"words": {"texts_begin": [str(k) for k in range(0, 30, 3)]}}
    return {"n_samples": 240, "n_words": 240}, begin


def ucl_spr(folder: Path, models: Path) -> tuple[dict, dict]:
    """Reading times of 40 sentences of six words, which follow the surprisal of the words."""
    words = say(english_words(N_TOLD), 240, 9)
    sentences = [words[i : i + 6] for i in range(0, 240, 6)]
    labels = np.repeat(np.arange(40), 6)
    bits = surprisal(models, words, text=labels, sentence=labels)
    times = 300 + 40 * bits + 5 * np.random.default_rng(3).standard_normal(240)
    rows = [
        [s, " ".join(sentences[s]), n, sentences[s][n], f"{times[6 * s + n]:.2f}"]
        for s in range(40)
        for n in range(1, 6)
    ]
    header = ["sent_id", "sentence", "context_length", "word", "self_paced_reading_time"]
    write_rows(folder / "all_measures.csv", header, rows, ",")
    return {"n_samples": 200, "n_words": 240}, {}


def geco(folder: Path, models: Path) -> tuple[dict, dict]:
    """Six readers of four chapters; total reading time follows surprisal, relFix nothing."""
    words = say(english_words(N_TOLD), 240, 11)
    sentence = np.arange(240) // 8
    bits = surprisal(models, words, text=sentence // 8, sentence=sentence)
    item = np.random.default_rng(4).standard_normal(240)
    for seed, reader in enumerate(READERS):
        rng = np.random.default_rng(seed)
        time = 300 * np.exp(0.3 * bits + 0.05 * item + 0.1 * rng.standard_normal(240))
        time[rng.random(240) < 0.1] = 0
        share = rng.uniform(0, 0.3, 240)
        rows = [[sentence[i], w, f"{time[i]:.1f}", f"{share[i]:.4f}"] for i, w in enumerate(words)]
        path = folder / f"extract_human_fixations/data/geco/{reader}-relfix-feats.csv"
        write_rows(path, ["sentence_id", "word", "TRT", "relFix"], rows, ",")
    facts = {"n_subjects": 6, "n_samples": 240, "n_words": 240, "n_missing": 0}
    return facts, {"words": {"texts_begin": ["0", "8", "16", "24"]}}


def surprisal(models: Path, words: list[str], **labels: np.ndarray) -> np.ndarray:
    """Return the z-scored surprisal of words under the causal model, 0 at the start of a text."""
    labels = {name: [str(each) for each in values] for name, values in labels.items()}
    stimulus = Stimulus(words, "en", **labels)
    bits = LanguageModel(models / "smollm2").surprisal(stimulus, context=256).values[:, 0]
    bits = np.where(np.isfinite(bits), bits, np.nanmean(bits))
    return (bits - bits.mean()) / bits.std()


def smn4lang(folder: Path, models: Path) -> tuple[dict, dict]:
    """Chinese stories that follow the model which decodes Chinese by default."""
    return smn4lang_fmri(folder, LanguageModel(models / "qwen0.5b"), layer=2)


def little_prince(language: str) -> Callable[[Path, Path], tuple[dict, dict]]:
    """Return the writer of five sections, three minutes each, of a story in a language."""
    code = {"en": "EN", "zh": "CN"}[language]
    known = english_words(N_TOLD) if language == "en" else chinese_words()

    def write(folder: Path, _: Path) -> tuple[dict, dict]:
        silence, files = "#" if language == "en" else "sil", []
        for section in range(1, N_SECTIONS + 1):
            words = say(known, 300, section)
            rows = [[f"{0.6 * i:.1f}", f"{0.6 * i + 0.5:.1f}", w] for i, w in enumerate(words)]
            rows.append([180.0, 181.0, silence])
            name = f"annotation_{code}_lpp{code}_section{section}.TextGrid.csv"
            files.append(f"story_data/lpp_{code.lower()}_audio/{name}")
            write_rows(folder / files[-1], ["onset", "offset", "text"], rows, ",")
        return {"n_words": 300 * N_SECTIONS, "n_runs": N_SECTIONS}, {"files": files}

    return write


def write_frame(path: Path, frame: pd.DataFrame) -> None:
    """Write a data frame of R."""
    import pyreadr

    path.parent.mkdir(parents=True)
    pyreadr.write_rdata(str(path), frame, df_name="frame", compress="gzip")


WRITERS: dict[str, Callable[[Path, Path], tuple[dict, dict]]] = {
    "alice-fmri": alice_fmri,
    "human-ratings": human_ratings,
    "pereira2018": pereira2018,
    "binder-en": binder_en,
    "binder-zh": binder_zh,
    "lancaster": lancaster,
    "concreteness": concreteness,
    "ssdd": ssdd,
    "words-zh-gaze": words_zh_gaze,
    "provo": provo,
    "ucl-spr": ucl_spr,
    "geco": geco,
    "smn4lang-fmri": smn4lang,
    "littleprince-en-words": little_prince("en"),
    "littleprince-zh-words": little_prince("zh"),
    **COGBENCH,
    **LANGUAGES,
}

"""Families of feature spaces: neural, embodied, network, taxonomic, n-gram and predictability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import (
    FeatureSpace,
    Reading,
    model_space,
    norm_space,
    shared_words,
)
from brainlm.data.features import Features, concatenate
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import is_on_disk
from brainlm.errors import DataMissingError, UnknownNameError, unknown_name
from brainlm.features.associations import association_norm, read_associations
from brainlm.features.norms import Norm, lookup_forms, open_norm
from brainlm.features.taxonomies import cilin_norm, hownet_norm, wordnet_norm
from brainlm.language_models import LanguageModel
from brainlm.language_models.ngrams import NgramModel, train_kneser_ney

# Ratings of words as features; those of a language that are on this machine are put together.
EMBODIED: Mapping[str, tuple[str, ...]] = {
    "en": ("lancaster", "concreteness"),
    "zh": ("ssdd", "binder-zh"),
}
# Spaces that are no ratings, and the languages that each can have.
SPACES: Mapping[str, tuple[str, ...]] = {
    "associations": ("en", "zh"),
    "wordnet": ("en",),
    "cilin": ("zh",),
    "hownet": ("zh",),
}
# What a user may name with --spaces: those spaces, and a treebank for `grammar_spaces`.
FILES: Mapping[str, tuple[str, ...]] = {**SPACES, "treebank": ("en", "zh")}
SPACE_NAMES = {
    "associations": "word associations (SWOW)",
    "wordnet": "WordNet",
    "cilin": "Cilin",
    "hownet": "HowNet",
}
SPACE_DIMENSIONS = 50
LEAST_COVERAGE = 0.1


def layer_at(
    name: str | LanguageModel,
    languages: tuple[str, ...],
    depth: float,
    *,
    untrained: int | None = None,
    reading: Reading | None = None,
) -> FeatureSpace:
    """Return one layer of a model, at a depth fixed before: nothing is chosen on the scores.

    ``untrained`` is the seed of an untrained twin; ``reading`` sets context and pooling.
    """
    n_layers = model_space(name, languages, layers=[0]).n_layers
    layers = [round(depth * n_layers)]
    return model_space(name, languages, layers=layers, untrained=untrained, reading=reading)


def twins_at(
    models: Mapping[str, tuple[str, ...]],
    depth: float,
    n_twins: int,
    reading: Reading | None = None,
) -> dict[str, list[FeatureSpace]]:
    """Return untrained twins of models at a depth, by the name of the model."""

    def twin(name: str, seed: int) -> FeatureSpace:
        return layer_at(name, models[name], depth, untrained=seed, reading=reading)

    return {name: [twin(name, seed) for seed in range(n_twins)] for name in models}


def layers_over(
    name: str, languages: tuple[str, ...], n: int, reading: Reading | None = None
) -> FeatureSpace:
    """Return ``n`` layers of a model, evenly spread over its depth, the last one among them."""
    n_layers = model_space(name, languages, layers=[0]).n_layers
    layers = sorted({max(1, round(k * n_layers / n)) for k in range(1, n + 1)})
    return model_space(name, languages, layers=layers, reading=reading)


def parse_spaces(text: str) -> dict[tuple[str, str], Path]:
    """Return (kind, language) -> file of ``"associations:en=swow.csv,cilin=cilin.txt"``.

    Raises
    ------
    UnknownNameError
        A kind that is not of `FILES`, a language that the kind does not have or that is missing.
    DataMissingError
        No such file.
    """
    found: dict[tuple[str, str], Path] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        what, _, file = part.partition("=")
        kind, _, language = what.partition(":")
        if kind not in FILES:
            raise unknown_name("space", kind, list(FILES))
        languages = FILES[kind]
        if not language and len(languages) == 1:
            language = languages[0]
        if language not in languages or not file:
            raise UnknownNameError(
                f"--spaces {part!r} is not {kind}:LANGUAGE=FILE with a language of "
                f"{', '.join(languages)}"
            )
        path = Path(file)
        if not path.is_file():
            raise DataMissingError(f"--spaces {part!r}: there is no file {path}")
        found[kind, language] = path
    return found


def plausible_spaces(
    language: str,
    root: Path | None,
    tasks: Sequence[Assembly],
    files: Mapping[tuple[str, str], Path] | None = None,
) -> tuple[list[FeatureSpace], str]:
    """Return the embodied, network and taxonomic spaces of a language, and a note of the missing.

    Parameters
    ----------
    language : str
        "en" or "zh".
    root : path, optional
        Folder of the data sets.
    tasks : sequence of Assembly
        The words of which graphs and taxonomies are cut to.
    files : mapping of (kind, language) to path, optional
        Spaces that the user has: see `parse_spaces`. WordNet is found by nltk.
    """
    files = files or {}
    names = [name for name in EMBODIED.get(language, ()) if is_on_disk(name, root)]
    missing = [name for name in EMBODIED.get(language, ()) if name not in names]
    found = []
    if names:
        found.append(norm_space(joined_norm(language, names, root), "embodied", "embodied"))
    words = sorted(
        {
            form
            for t in tasks
            if t.language == language
            for word in t.stimulus.words
            for form in lookup_forms(str(word))
        }
    )
    for kind, languages in SPACES.items():
        if language not in languages or not words:
            continue
        try:
            norm = _open_space(kind, language, words, files.get((kind, language)))
        except DataMissingError:
            missing.append(SPACE_NAMES[kind])
            continue
        family = "network" if kind == "associations" else "taxonomic"
        found.append(norm_space(norm, family, kind))
    note = f"{language}: embodied = {' + '.join(names) or 'none'}"
    if missing:
        note += f"; not tested, not on this machine: {', '.join(missing)}"
    return found, note


def open_plausible(
    languages: Sequence[str], root: Path | None, assemblies: Sequence[Assembly], files: str = ""
) -> tuple[list[FeatureSpace], list[str]]:
    """Return the `plausible_spaces` of several languages, and a note of what each lacks.

    Parameters
    ----------
    languages : sequence of str
    root : path, optional
    assemblies : sequence of Assembly
    files : str
        As `parse_spaces` reads it.
    """
    named = parse_spaces(files)
    found = [plausible_spaces(each, root, assemblies, named) for each in languages]
    return [space for spaces, _ in found for space in spaces], [note for _, note in found]


def parse_treebanks(text: str) -> dict[tuple[str, str], Path]:
    """Return the treebanks among the files of ``--spaces``, see `parse_spaces`."""
    return {key: path for key, path in parse_spaces(text).items() if key[0] == "treebank"}


def _open_space(kind: str, language: str, words: Sequence[str], path: Path | None) -> Norm:
    if kind == "wordnet" and path is None:
        return wordnet_norm(words, SPACE_DIMENSIONS)
    if path is None:
        raise DataMissingError(f"--spaces names no file of {kind}")
    if kind == "associations":
        return association_norm(read_associations(path), language, SPACE_DIMENSIONS, words=words)
    return (cilin_norm if kind == "cilin" else hownet_norm)(path, words, SPACE_DIMENSIONS)


def joined_norm(language: str, names: Sequence[str], root: Path | None = None) -> Norm:
    """Return several norms side by side, on the words that all of them have.

    Of Chinese only the first is taken: 535 words would cut a larger norm to themselves.
    """
    norms = [open_norm(name, root) for name in names]
    if language == "zh":
        norms = norms[:1]
    words = sorted(set.intersection(*(set(map(str, norm.words)) for norm in norms)))
    values = []
    for norm in norms:
        row = {str(word): i for i, word in enumerate(norm.words)}
        values.append(norm.values[[row[word] for word in words]])
    origin = {"norms": [norm.name for norm in norms]}
    return Norm("embodied", language, words, np.hstack(values), None, origin)


def common_words(
    task: Assembly, sources: Sequence[FeatureSpace]
) -> tuple[list[FeatureSpace], np.ndarray, str]:
    """Return the sources that cover a tenth of the words or more, and the words all of them cover.

    Returns
    -------
    sources : list of FeatureSpace
    words : array of bool, shape (n_words,)
    note : str
        Coverage of each, and who was left out.
    """
    shares = {s.name: float(s.covers(task.stimulus).mean()) for s in sources}
    kept = [s for s in sources if shares[s.name] >= LEAST_COVERAGE]
    words = shared_words(task.stimulus, kept)
    each = ", ".join(f"{s.name} {shares[s.name]:.0%}" for s in kept)
    note = f"{task.name}: all spaces on the same {words.sum()} of {len(words)} words ({each})"
    weak = [f"{s.name} {shares[s.name]:.0%}" for s in sources if s not in kept]
    if weak:
        note += f"; left out, under {LEAST_COVERAGE:.0%} coverage: {', '.join(weak)}"
    return kept, words, note


def predictability_space(name: str, languages: tuple[str, ...] = ()) -> FeatureSpace:
    """Return surprisal and entropy of a causal model as a space of two features."""
    model = LanguageModel(name)
    if not model.causal:
        raise ValueError(f"{name} is not causal: it predicts no next word")

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        context: int | str = 256 if level == "discourse" else "sentence"
        both = model.surprisal_and_entropy(stimulus, context=context)
        return [concatenate(list(both), f"{name} surprisal + entropy").select_words(words)]

    identity = {"model": model.identity, "features": "surprisal + entropy"}
    return FeatureSpace(name, "causal", languages, _all, embed, 0, identity)


def ngram_space(name: str, model: NgramModel, language: str, identity: Any) -> FeatureSpace:
    """Return the surprisal of an n-gram model as a space of one feature."""

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [model.surprisal(stimulus).renamed(name).select_words(words)]

    return FeatureSpace(name, "n-gram", (language,), _all, embed, 0, identity)


def training_sentences(task: Assembly, others: Sequence[Stimulus]) -> list[list[str]]:
    """Return the sentences of other texts of the language that do not occur in this text."""
    own = {" ".join(task.stimulus.words[rows]) for _, rows in task.stimulus.blocks("sentence")}
    found = []
    for stimulus in others:
        if stimulus.language.split("-")[0] != task.language.split("-")[0]:
            continue
        for _, rows in stimulus.blocks("sentence"):
            words = [str(word) for word in stimulus.words[rows]]
            if " ".join(words) not in own and len(words) > 1:
                found.append(words)
    return found


def kneser_ney_space(
    task: Assembly, others: Sequence[Stimulus], order: int = 3
) -> tuple[FeatureSpace, str] | None:
    """Return a Kneser-Ney model of other texts of the language; None where there are none.

    Parameters
    ----------
    task : Assembly
        Its sentences are not trained on.
    others : sequence of Stimulus
    order : int

    Returns
    -------
    source : FeatureSpace
    note : str
        How many words it was trained on.
    """
    sentences = training_sentences(task, others)
    n_words = sum(map(len, sentences))
    if n_words < 1000:
        return None
    model = train_kneser_ney(sentences, order)
    name = f"{order}-gram"
    source = ngram_space(name, model, task.language, {"order": order, "n_words": n_words})
    return source, f"{task.name}: {name} model trained on {n_words} words of other texts"


def _all(stimulus: Stimulus) -> np.ndarray:
    return np.ones(stimulus.n_words, dtype=bool)

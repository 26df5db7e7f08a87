"""Can the words of a sentence be read back from one person's brain activity?

Pereira et al. 2018, sentence mode: one pattern of 1,000 principal components per sentence. Whole
topics are left out, an eighth of them at a time; on the others a mapper learns the mean embedding
of the words (a layer of a causal model) and a ridge the number of words. Held-out sentences are
then searched for by the similarity of embeddings, and from the patterns of other topics (permuted
brain: whole topics of one experiment change places, so that the sentences of a passage stay
together), noise that passes through the mapper, the language model alone, the true embedding
(ceiling) and random reconstructions. Permutation and noise are drawn several times.

The tests are differences, brain minus each control, paired inside sentences and averaged over
topics: 48 topics are enough for sign flips, and passages of a topic share what they are about. What
does not look at the pattern (language model, random) is decoded once for each number of words
in a fold: sentences of equal length share it, which widens the spread of the null, if anything. So
z and p against random reconstructions are not the evidence here; the paired differences are.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
import xarray
from tqdm import tqdm

from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.decoding import CAUTION
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import TOGETHER
from brainlm.decoding.controls import cautions, compare_over_units, known_fdr, unit_means
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder, score_mapping
from brainlm.decoding.null_scores import compare_to_null
from brainlm.decoding.scorers import EmbeddingSimilarity, NoGuide, RandomGuide
from brainlm.decoding.sentences import SentenceDecoder, fit_sentence_decoder
from brainlm.decoding.text_scores import BertScore, sentence_similarity, text_scores
from brainlm.decoding.text_view import show_controls
from brainlm.decoding.vocabulary import build_vocabulary
from brainlm.decoding.words import clean_words
from brainlm.encoding.splits import Groups
from brainlm.errors import CorruptDataError
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.paired import paired_difference
from brainlm.storage.store import content_key
from brainlm.workflow import Debug, Model, Out, Overwrite, Root, Subjects, choose, run_command

DATASET = "pereira2018"
N_FOLDS = 8
ALPHAS = np.logspace(1, 9, 9)  # principal components keep their scale
METRICS = ("bleu-1", "1-wer")


def main(
    subjects: Subjects = "all",
    model: Model = "smollm2",
    layers: Annotated[int, typer.Option(min=1, help="Layer of the words' states.")] = 9,
    mapper: Annotated[str, typer.Option(help=f"One of {', '.join(MAPPERS)}.")] = "ridge",
    sentences: Annotated[
        int, typer.Option(min=8, help="Held-out sentences to decode, drawn from all topics.")
    ] = 627,
    beam: Annotated[int, typer.Option(min=1)] = 20,
    null: Annotated[int, typer.Option(min=5, help="Random reconstructions.")] = 10,
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of noise input, and of the permuted brain.")
    ] = 3,
    encoder: Annotated[str, typer.Option(help="Encoder of the similarities.")] = "minilm",
    work: Annotated[Path | None, typer.Option(help="Kept folds; resumes a killed run.")] = None,
    out: Out = Path("results/decode_pereira2018_text"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Can the words of a sentence be read back from one person's brain activity?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    choose(mapper, MAPPERS, "mapper")
    if debug:
        sentences, beam, null, draws = 6, 2, 5, 2
    (subject,) = choose(subjects, list_subjects(DATASET, root))
    stimulus, recording = open_dataset(DATASET, subject, root)
    place = dict(stimulus.blocks("item"))
    texts = [clean_words(stimulus.words[place[item]], "en")[0] for item in recording.items]
    passages = np.array([str(item).rsplit("/", 1)[0] for item in recording.items])
    topics = np.array([passage.split("/")[0] for passage in passages])
    X = recording.data.astype(np.float32)
    network = LanguageModel(model, dtype="bfloat16", cache=True)
    rng = np.random.default_rng(0)
    chosen = np.zeros(len(X), dtype=bool)
    chosen[rng.permutation(len(X))[:sentences]] = True
    folds = list(Groups(topics, 2 if debug else N_FOLDS).split(X))
    found, said = [], {}
    for number, (train, test) in enumerate(folds):
        train = train[::3] if debug else train
        decoder = fit(network, [texts[i] for i in train], X[train], topics[train], layers, mapper)
        truth = decoder.true_rows([texts[i] for i in test])
        decoded = decoder.decoded_rows(X[test])
        quality = score_mapping(decoded, truth, np.zeros(truth.shape[1]), passages[test])
        found.append([float(quality.r.mean()), quality.pairwise, quality.rank])
        typer.echo(
            f"fold {number + 1} of {len(folds)}, {len(test)} sentences of left-out topics: "
            f"r {found[-1][0]:.3f}, 2v2 {found[-1][1]:.3f}, rank {found[-1][2]:.3f}"
        )
        rows = {"brain": decoded, "ceiling": truth}
        for k in range(draws):
            number_of_draw = f" {k + 1}" if k else ""
            moved = other_topics(topics[test], passages[test], rng)
            noise = like(X[train], len(test), rng)
            rows[f"permuted brain{number_of_draw}"] = decoded[moved]
            rows[f"noise input{number_of_draw}"] = decoder.decoded_rows(noise)
        key = content_key(
            {
                "rows": list(rows.values()),
                "n_words": decoder.n_words(X[test]),
                "null": null,
                "beam": beam,
                "chosen": chosen[test],
                "revision": network.identity,
                "words": decoder.reader.vocabulary.words,
            }
        )
        texts_of_fold = kept_fold(work, key)
        if texts_of_fold is None:
            texts_of_fold = decode_fold(
                decoder,
                rows,
                decoder.n_words(X[test]),
                np.flatnonzero(chosen[test]),
                Beam(beam),
                null,
                number,
            )
            keep_fold(work, key, texts_of_fold)
        for name, each in texts_of_fold.items():
            said.setdefault(name, []).extend(each)
    order = np.concatenate([test[chosen[test]] for _, test in folds])
    true = [texts[i] for i in order]
    r, pairwise, rank = np.mean(found, axis=0)
    typer.echo(
        f"mapping, mean of {len(folds)} folds: r {r:.3f}, 2v2 {pairwise:.3f}, rank {rank:.3f}"
    )
    judge = LanguageModel(encoder)
    dataset = tabulate(said, true, passages[order], topics[order], judge, null)
    dataset["mapping_r"], dataset["mapping_2v2"], dataset["mapping_rank"] = r, pairwise, rank
    dataset["fold_mapping"] = (("fold", "measure"), np.array(found))
    dataset = dataset.assign_coords(measure=["r", "2v2", "rank"])
    dataset.attrs["title"] = (
        f"Pereira 2018, {len(true)} sentences of left-out topics, {mapper}, beam {beam}"
    )
    dataset.attrs["units"] = f"{int(dataset['n_units'])} topics"
    report(dataset)
    save_bundle(
        out,
        analysis="decode_pereira2018_text",
        arrays={"scores": dataset},
        config={
            "dataset": DATASET,
            "subject": subject,
            "model": model,
            "layer": layers,
            "mapper": mapper,
            "sentences": len(true),
            "beam": beam,
            "null": null,
            "draws": draws,
            "alphas": ALPHAS.tolist(),
            "debug": debug,
        },
        inputs={"data": dataset_hashes(DATASET, subject, root), "model": network.origin([])},
        notes=[
            *cautions(dataset),
            CAUTION,
            f"brain minus controls: over {int(dataset['n_units'])} topics, each weighs the same",
            *recording.notes,
        ],
        figures=["reconstruction_scores"],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def fit(network, texts, patterns, topics, layer: int, mapper: str):
    """Fit the decoder on training sentences."""
    import wordfreq

    frequent, _ = clean_words(wordfreq.top_n_list("en", 5000), "en")
    words = [*(word for text in texts for word in text), *frequent]
    vocabulary = build_vocabulary(network.tokenizer, words, "en", longest=1)
    folds = list(Groups(topics, 5).split(patterns))
    fitted = EmbeddingDecoder(mapper, alphas=ALPHAS, cv=folds, standardize=False)
    return fit_sentence_decoder(
        network,
        vocabulary,
        texts,
        patterns,
        layer=layer,
        n_components=100,
        mapper=fitted,
        groups=np.array([f"topic {topic}" for topic in topics]),
    )


def decode_fold(
    decoder: SentenceDecoder,
    rows: dict[str, np.ndarray],
    n_words: np.ndarray,
    chosen: np.ndarray,
    beam: Beam,
    n_null: int,
    fold: int,
) -> dict[str, list[list[str]]]:
    """Decode the chosen sentences of a fold under all conditions, equal lengths at once."""
    blind = {
        "language model": (NoGuide, replace(beam, lm_weight=1.0)),
        **{f"null {k}": (partial(RandomGuide, 1000 * fold + k), beam) for k in range(n_null)},
    }
    together = max(1, TOGETHER // beam.width)
    said: dict[tuple[str, int], list[str]] = {}
    lengths = [int(n) for n in np.unique(n_words[chosen])]
    for length in tqdm(lengths, desc="decode", unit="length"):
        mine = [int(i) for i in chosen if n_words[i] == length]
        tasks = [((name, -1), guide(), search) for name, (guide, search) in blind.items()]
        tasks += [
            ((name, i), EmbeddingSimilarity(each[i][None]), beam)
            for name, each in rows.items()
            for i in mine
        ]
        for start in range(0, len(tasks), together):
            keys, guides, beams = zip(*tasks[start : start + together], strict=True)
            found = decoder.decode_all(guides, length, beams)
            said |= {key: list(each.words) for key, each in zip(keys, found, strict=True)}
        said |= {(name, i): said[name, -1] for name in blind for i in mine}
    return {name: [said[name, int(i)] for i in chosen] for name in (*rows, *blind)}


def kept_fold(folder: Path | None, key: str) -> dict[str, list[list[str]]] | None:
    """Return the texts of a fold that an earlier run finished."""
    path = None if folder is None else folder / f"{key[:32]}.json"
    if path is None or not path.is_file():
        return None
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as error:
        raise CorruptDataError(f"{path}: not the texts of a fold ({error}); remove it") from error


def keep_fold(folder: Path | None, key: str, said: dict[str, list[list[str]]]) -> None:
    """Write the texts of a fold."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{key[:32]}.part"
    part.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
    part.replace(part.with_suffix(".json"))


def other_topics(topics: np.ndarray, passages: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return for each sentence one of another topic; whole topics change places.

    Among the topics with as many passages, which are those of the same experiment; a topic without
    such a partner takes any. Sentences keep their order, so those of a passage stay neighbours;
    where the other topic is shorter, its first sentences come a second time.
    """
    names = np.array(list(dict.fromkeys(topics)))
    if len(names) < 2:
        raise ValueError(
            f"all sentences belong to the topic {str(names[0])!r}: nothing can be permuted"
        )
    size = np.array([len(set(passages[topics == name])) for name in names])
    rows = np.empty(len(topics), dtype=int)
    for n_passages in np.unique(size):
        mine = rng.permutation(names[size == n_passages])
        # Each takes the next in a random circle: none keeps its own.
        others = np.roll(mine, 1) if len(mine) > 1 else rng.permutation(names[names != mine[0]])
        for own, other in zip(mine, others[: len(mine)], strict=True):
            place, source = np.flatnonzero(topics == own), np.flatnonzero(topics == other)
            rows[place] = source[np.arange(len(place)) % len(source)]
    return rows


def like(patterns: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``n`` Gaussian patterns with mean and deviation of each component of the brain's."""
    noise = rng.standard_normal((n, patterns.shape[1]))
    return (patterns.mean(axis=0) + noise * patterns.std(axis=0)).astype(patterns.dtype)


def tabulate(said, true, passages, topics, judge: LanguageModel, n_null: int) -> xarray.Dataset:
    """Score all conditions, sentence by sentence."""
    bert = BertScore(judge)
    scores = []
    for texts in said.values():
        each = list(text_scores(true, texts, METRICS).values())
        each.append(bert.score(true, texts)["recall"])
        similarity = sentence_similarity(judge, true, texts)
        each.append(np.diag(similarity).copy())
        own = np.diag(similarity)[:, None]
        apart = passages[:, None] != passages
        below = (similarity < own) + 0.5 * (similarity == own)
        each.append((below * apart).sum(axis=1) / np.maximum(apart.sum(axis=1), 1))
        scores.append(each)
    values = np.array(scores)
    names = list(said)[: len(said) - n_null]
    metrics = [*METRICS, "bertscore", "sentence similarity", "identification"]
    statistics = ("score", "null", "null_half", "gain", "z", "p")
    table = np.array(
        [
            [
                [
                    compare_to_null(values[c, m], values[len(names) :, m], block=1)[s]
                    for m in range(len(metrics))
                ]
                for c in range(len(names))
            ]
            for s in statistics
        ]
    )
    dims = ("condition", "metric")
    data = {("null_mean" if s == "null" else s): (dims, table[i]) for i, s in enumerate(statistics)}
    means = unit_means(values[: len(names)], topics)
    data["half"] = (dims, np.apply_along_axis(half_width, -1, means))  # sentences of a topic depend
    tests = compare_over_units(values[: len(names)], names, metrics, topics, values[len(names) :])
    return tests.assign_coords(condition=names).assign(
        {
            **data,
            "q": (dims, known_fdr(table[-1])),
            "window_score": ((*dims, "window"), values[: len(names)]),
            "null_score": (("null", "metric", "window"), values[len(names) :]),
            "text": (("condition", "window"), [[" ".join(t) for t in said[n]] for n in names]),
            "reference_text": ("window", [" ".join(text) for text in true]),
            "topic": ("window", topics.astype(str)),
        }
    )


def half_width(means: np.ndarray) -> float:
    """Half-width of the 95 % interval of a mean over units."""
    found = paired_difference(means, np.zeros(len(means)))
    return (found.high - found.low) / 2


def report(dataset: xarray.Dataset) -> None:
    """Print what to know first, the tables and a few sentences."""
    for line in cautions(dataset):
        typer.echo(line)
    columns = ["score", "half", "null_mean", "gain", "z", "p", "q"]
    for metric in dataset["metric"].values:
        table = dataset[columns].sel(metric=metric).to_dataframe()[columns]
        typer.echo(f"\n{metric}\n{table.round(3).to_string()}")
        typer.echo(show_controls(dataset, metric))
    for i in range(min(4, dataset.sizes["window"])):
        typer.echo(f"\nreference: {dataset['reference_text'].values[i]}")
        for name in ("brain", "ceiling"):
            typer.echo(f"{name:9s}: {dataset['text'].sel(condition=name).values[i]}")


if __name__ == "__main__":
    run_command(main)

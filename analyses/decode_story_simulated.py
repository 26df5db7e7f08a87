"""Can text be read back from simulated subjects, and is it at its null without signal?

Stories (sections of The Little Prince where its word times are on this machine, otherwise told by
the language model) pass through planted weights, a haemodynamic response and autocorrelated noise,
and are written as the folders of ds003020 / ds004510; what follows reads those folders. What is
planted are hidden states of another model than the decoder's.

Several stories are decoded from several simulated subjects, whose weights and noise differ.
Each story has its own decoder, whose training includes neither the story nor the one before it;
that one is the wrong story, and the weight of the language model is chosen on it. The story is
decoded by the encoding likelihood (Tang) and by the similarity of embeddings (MapGuide). Both are
compared with permuted brain and noise (several draws each), the wrong story, the language model
alone, the ceiling and the random null. Which guide gains more is decided by one score, BLEU-1 by
default: both papers report BLEU. Its interval is over stories and subjects
(`brainlm.decoding.replication`).
In Chinese (``--language zh --model qwen0.5b``) by words or characters.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
import xarray

from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import is_on_disk
from brainlm.datasets.open import open_stimulus
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import GUIDES, brain_guide, choose_weight, conditions, spread_of
from brainlm.decoding.controls import cautions
from brainlm.decoding.decoder import Settings, StoryDecoder, fit_story_decoder
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder
from brainlm.decoding.null_scores import Window, cut_windows
from brainlm.decoding.replication import compare_gains, stack_cells, summarise
from brainlm.decoding.simulated_subjects import (
    LEAD,
    Simulation,
    invent_stories,
    simulate_stories,
    write_layout,
)
from brainlm.decoding.stories import Story, first_seconds, stories_of
from brainlm.decoding.story_scores import Judges, idf_of_stories, map_story, reconstruct_story
from brainlm.decoding.text_scores import text_scores
from brainlm.errors import DataMissingError, UnknownNameError, unknown_name
from brainlm.io import read_stories
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.storage.store import content_key
from brainlm.workflow import Debug, Model, Out, Overwrite, Root, choose, run_command

LABELS = {"likelihood": "Tang", "similarity": "MapGuide", "mixture": "Mixture"}
Planted = Annotated[
    str, typer.Option(help="Causal model whose states are planted: another than the decoder's.")
]
PlantedLayer = Annotated[int, typer.Option(min=1, help="Layer of the planted states.")]
SameModel = Annotated[
    bool, typer.Option("--same-model", help="Plant the decoder's own model: a closed circle.")
]


def main(
    model: Model = "smollm2",
    layer: Annotated[int, typer.Option(min=1, help="Layer of the decoder's states.")] = 9,
    planted: Planted = "gemma3",
    planted_layer: PlantedLayer = 9,
    same_model: SameModel = False,
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    level: Annotated[str, typer.Option(help="Unit of Chinese: word or character.")] = "word",
    snrs: Annotated[str, typer.Option(help="Signal to noise, separated by commas.")] = "3,0",
    voxels: Annotated[int, typer.Option(min=20)] = 1000,
    mapper: Annotated[str, typer.Option(help=f"One of {', '.join(MAPPERS)}.")] = "ridge",
    guides: Annotated[
        str,
        typer.Option(
            help=f"Of {', '.join(LABELS)}, separated by commas; the mixture gives "
            "equal spreads to both, measured on the tuning story."
        ),
    ] = "likelihood,similarity",
    context: Annotated[int, typer.Option(min=1, help="Words of context, or up to twice.")] = 16,
    sections: Annotated[int, typer.Option(min=4, help="Stories to use, from the last back.")] = 9,
    stories: Annotated[int, typer.Option(min=2, help="Of them, how many are decoded.")] = 5,
    subjects: Annotated[int, typer.Option(min=2, help="Simulated subjects.")] = 3,
    seconds: Annotated[float, typer.Option(help="Seconds of each story that are decoded.")] = 40,
    beam: Annotated[int, typer.Option(min=1)] = 8,
    weights: Annotated[
        str,
        typer.Option(
            help="Weights of the language model to choose from, in spreads of the guide's gains; "
            "0 is published."
        ),
    ] = "0",
    null: Annotated[int, typer.Option(min=5, help="Random reconstructions of each story.")] = 5,
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of noise input, and of the permuted brain.")
    ] = 3,
    score: Annotated[str, typer.Option(help="Score in which the guides are compared.")] = "bleu-1",
    encoder: Annotated[
        str, typer.Option(help="Of BERTScore; '' for none. Default: minilm in English, else none.")
    ] = "auto",
    work: Annotated[
        Path | None, typer.Option(help="Kept reconstructions; resumes a killed run.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Out = Path("results/decode_story_simulated"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Can text be read back from simulated subjects, and is it at its null without signal?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    choose(mapper, MAPPERS, "mapper")
    choose(language, ("en", "zh"), "language")
    choose(level, ("word", "character"), "level")
    used = {LABELS[name]: name for name in choose(guides, list(LABELS), "guide")}
    levels, tried = numbers(snrs, "--snrs"), numbers(weights, "--weights")
    settings = Settings(
        layer=layer,
        context=context,
        n_targets=max(10, voxels // 2),
        mapper=EmbeddingDecoder(mapper, standardize=False),
        longest=1 if language == "en" else 2,
        level=level,
    )
    network = LanguageModel(model, dtype="bfloat16", cache=True)
    source_model = open_planted(network, planted, same_model=same_model)
    if debug:
        levels, voxels, beam, null, seconds, tried = levels[:1], 60, 3, 5, 36, [0.0]
        stories, subjects, draws = 2, 2, min(draws, 2)
        settings = replace(settings, n_components=24, n_targets=40, n_inputs=30, n_frequent=500)
    stimulus, source = open_text(network, language, root, debug)
    stimulus = stimulus.select(np.isin(stimulus.run, stimulus.runs[-sections:]))
    if encoder == "auto":
        encoder = "minilm" if language == "en" else ""
    judge = LanguageModel(encoder) if encoder and not debug else None
    if score not in Judges.default(judge, None, language, level).names:
        raise unknown_name("score", score, Judges.default(judge, None, language, level).names)

    def decode(told: list[Story], test: int, seed: int) -> xarray.Dataset:
        """Decode one story of one subject; the one before it is the wrong and the tuning story."""
        train = [told[i] for i in range(len(told)) if i not in (test, (test - 1) % len(told))]
        decoder = fit_story_decoder(network, train, settings, language)
        tuning, part = (first_seconds(told[i], seconds) for i in (test - 1, test))
        shares = equal_spreads(decoder, tuning) if "Mixture" in used else (1.0, 1.0)
        beams = {
            label: Beam(beam, lm_weight=tune(decoder, tuning, name, beam, tried, shares))
            for label, name in used.items()
        }
        found = conditions(
            decoder,
            part,
            told[test - 1].responses,
            {label: (used[label], each) for label, each in beams.items()},
            weights=shares,
            n_draws=draws,
            seed=seed,
        )
        key = content_key(
            {
                "responses": [each.responses for each in (*train, part)],
                "beam": beam,
                "seed": seed,
                "words": [each.words for each in train],
                "mapper": mapper,
                "revision": network.identity,
                "settings": {k: v for k, v in vars(settings).items() if k != "mapper"},
                "weights": [*shares, *(b.lm_weight for b in beams.values())],
            }
        )
        judges = Judges.default(judge, idf_of_stories(train), language, level)
        each = reconstruct_story(
            decoder,
            part,
            found,
            judges,
            n_null=null,
            seed=seed,
            folder=work,
            key=key,
            n_jobs=jobs,
            progress=True,
        )
        quality = map_story(decoder, part)
        each["mapping_r"], each["mapping_2v2"] = float(np.mean(quality.r)), quality.pairwise
        each["encoding_r2"] = float(np.median(decoder.encoding.r2))
        for label, search in beams.items():
            each[f"lm_weight_{label}"] = search.lm_weight
        return each

    cells = {}
    for snr in levels:
        for subject in range(subjects):
            given = Simulation(voxels, snr, layer=planted_layer, seed=subject)
            told = through_folder(source_model, stimulus, given, level)
            for place in held_out(told, stories):
                typer.echo(f"SNR {snr:g}, subject {subject + 1}, story {told[place].name}")
                seed = 1000 * (subject * len(told) + place)  # no two texts share their draws
                cells[snr, subject + 1, told[place].name] = decode(told, place, seed)
    stacked = stack_cells(cells)
    scores = summarise(stacked)
    unit = f", by {level}s" if language == "zh" else ""
    scores.attrs["title"] = (
        f"{subjects} simulated subjects x {stories} stories, {voxels} voxels, beam {beam}, "
        f"{source}{unit}; planted: {planted}"
    )
    arrays = {"scores": scores, "cells": stacked, "example": next(iter(cells.values()))}
    if {"Tang", "MapGuide"} <= set(used):
        arrays["comparison"] = compare_gains(stacked, score)
    report(scores, arrays.get("comparison"))
    save_bundle(
        out,
        analysis="decode_story_simulated",
        arrays=arrays,
        config={
            "model": model,
            "layer": layer,
            "planted": planted,
            "planted_layer": planted_layer,
            "same_model": same_model,
            "snrs": levels,
            "voxels": voxels,
            "mapper": mapper,
            "beam": beam,
            "seconds": seconds,
            "guides": list(used),
            "context": context,
            "null": null,
            "draws": draws,
            "score": score,
            "weights": tried,
            "text": source,
            "language": language,
            "level": level,
            "sections": len(stimulus.runs),
            "stories": stories,
            "subjects": subjects,
            "settings": {k: v for k, v in vars(settings).items() if k != "mapper"},
            "debug": debug,
        },
        inputs={
            "model": network.origin([]),
            "planted": source_model.origin([]),
            "simulation": vars(Simulation(voxels, layer=planted_layer)),
        },
        notes=[
            *cautions(scores),
            "simulated responses: no finding about brains",
            *(["the decoder's own model is planted: a closed circle"] if same_model else []),
        ],
        figures=["reconstruction_scores", "reconstruction_gain", "reconstruction_text"],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def open_planted(network: LanguageModel, name: str, *, same_model: bool) -> LanguageModel:
    """Open the model that is planted; raise where it is the decoder's own and nobody asked."""
    planted = LanguageModel(name, dtype="bfloat16", cache=True)
    if planted.revision == network.revision and not same_model:
        raise UnknownNameError(
            f"--planted {name}: is the decoder's own model, which would be given the truth; name "
            "another causal model, or add --same-model to plant it all the same"
        )
    return planted


def held_out(told: list[Story], n: int) -> Iterator[int]:
    """Return the places of the stories to decode, spread evenly over all."""
    if n > len(told) or len(told) < 4:
        raise DataMissingError(
            f"--stories {n}: there are {len(told)}, and a decoder leaves two of at least four out"
        )
    return (int(place) for place in np.linspace(0, len(told) - 1, n).round())


def open_text(
    network: LanguageModel, language: str, root: Path | None, debug: bool
) -> tuple[Stimulus, str]:
    """Open the Little Prince, or let the model tell stories."""
    name = f"littleprince-{language}-words"
    if is_on_disk(name, root) and not debug:
        return open_stimulus(name, root=root), name
    n_stories, n_words = (4, 130) if debug else (8, 900)
    told = invent_stories(network, n_stories, n_words, language=language)
    return told, f"stories told by {network.name}"


def through_folder(
    network: LanguageModel, stimulus: Stimulus, simulation: Simulation, level: str = "word"
) -> list[Story]:
    """Simulate a subject, write the folders that public code reads, and read them."""
    responses = simulate_stories(network, stimulus, simulation)
    tests = tuple(stimulus.runs[-2:])
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_layout(Path(scratch) / "study", "S1", stimulus, responses, tests)
        options = {
            "language": stimulus.language,
            "tier": "word",
            "first_sample": LEAD,
            "sampling_interval": simulation.step,
            "unit": "simulated (a.u.)",
        }
        train = read_stories(
            folder / "data_train",
            "S1",
            pattern="train_response/{subject}/{story}.hf5",
            words="train_stimulus/{story}.TextGrid",
            counts="respdict.json",
            trimmed=10,
            **options,
        )
        test = read_stories(
            folder / "data_test",
            "S1",
            pattern="test_response/{subject}/perceived_speech/{story}.hf5",
            words="test_stimulus/perceived_speech/{story}.TextGrid",
            **options,
        )
    return [*stories_of(*train, level), *stories_of(*test, level)]


def equal_spreads(decoder: StoryDecoder, story: Story) -> tuple[float, float]:
    """Return weights that give both guides of the mixture gains of spread 1 on a tuning story."""
    part = first_seconds(story, 30)
    middle = decoder.word_times(part.responses, part.times)
    first, second = (spread_of(decoder, part, middle, name) for name in GUIDES[:2])
    return 1 / first, 1 / second


def tune(
    decoder: StoryDecoder,
    story: Story,
    name: str,
    width: int,
    weights: list[float],
    shares: tuple[float, float] = (1.0, 1.0),
) -> float:
    """Choose the weight of the language model on 50 s of a story that training has not seen."""
    if weights == [0.0]:
        return 0.0  # published
    part = first_seconds(story, 50)
    guide = brain_guide(decoder, part.responses, name, shares)
    middle = decoder.word_times(part.responses, part.times)
    starts = Window().starts(middle[0], middle[-1])
    true = cut_windows(story.words, story.middle, starts, Window().length)
    scores, spread = {}, 1.0
    for weight in sorted({0.0, *weights}):  # the first one measures the spread
        found = decoder.decode(guide, middle, part.times, Beam(width, lm_weight=weight * spread))
        spread = found.spread if weight == 0 else spread
        said = cut_windows(found.words, middle, starts, Window().length)
        scores[weight * spread] = float(np.nanmean(text_scores(true, said, ["bleu-1"])["bleu-1"]))
    return choose_weight(scores)


def numbers(text: str, option: str) -> list[float]:
    """Return numbers separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UnknownNameError(f"{option} {text!r}: give numbers separated by commas") from None


def report(scores: xarray.Dataset, comparison: xarray.Dataset | None) -> None:
    """Print what to know first, the gains at each level and which guide gains more."""
    for line in cautions(scores):
        typer.echo(line)
    names = ["score", "draw_sd", "null_mean", "gain", "gain_low", "gain_high", "share"]
    for snr in scores["snr"].values:
        each = scores.sel(snr=snr)
        typer.echo(
            f"\nSNR {snr:g}: mapping r {float(each['mapping_r']):.3f}, 2v2 "
            f"{float(each['mapping_2v2']):.3f}; encoding R2 {float(each['encoding_r2']):.3f}"
        )
        for metric in each["metric"].values:
            table = each[names].sel(metric=metric).to_dataframe()[names]
            typer.echo(f"\n{metric}\n{table.round(3).to_string()}")
    if comparison is not None:
        given = comparison.attrs
        typer.echo(
            f"\n{given['first']} minus {given['second']}, gain over noise input in "
            f"{given['metric']}, interval over stories and subjects"
        )
        table = comparison[["difference", "low", "high", "verdict"]].to_dataframe()
        typer.echo(table.round(3).to_string())


if __name__ == "__main__":
    run_command(main)

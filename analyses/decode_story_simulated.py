"""Can text be read back from simulated subjects, and is it at its null without signal?

Stories (sections of The Little Prince where its word times are on this machine, otherwise written
by the language model) pass through planted weights, a haemodynamic response and autocorrelated
noise, and are written as the folders of ds003020 / ds004510; what follows reads those folders. The
planted features are hidden states of another model than the decoder's.

Several stories are decoded from several simulated subjects, whose weights and noise differ. Each
story has its own decoder, whose training includes neither the story nor the one before it; that one
is the wrong story, and the weight of the language model is chosen on it. The story is decoded by
the encoding likelihood (Tang) and by the similarity of embeddings (MapGuide). Both are compared
with permuted brain and noise (several draws each), the wrong story, the language model alone, the
ceiling and the random null. Which scorer gains more is decided by one score, BLEU-1 by default:
both papers report BLEU. Its interval is over stories and subjects (`brainlm.decoding.replication`).
In Chinese (``--language zh --model qwen0.5b``) by words or characters.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.stimulus import Stimulus
from brainlm.decoding.controls import cautions
from brainlm.decoding.crossed_study import CrossedStudy
from brainlm.decoding.decoder import Settings
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder
from brainlm.decoding.replication import compare_gains, gain_lines, stack_cells, summarise
from brainlm.decoding.simulated_subjects import Simulation
from brainlm.decoding.stories import Story
from brainlm.decoding.story_folder import simulate_subject
from brainlm.decoding.study import LABELS
from brainlm.errors import unknown_name
from brainlm.language_models import LanguageModel
from brainlm.storage.store import PartStore
from brainlm.workflow import Run, choose, grouped, option, options, run_command
from brainlm.workflow import decoding as workflow
from brainlm.workflow.decoding import open_planted_model, open_story_text

SEARCH = workflow.StorySearchOptions(beam=8, null=5, encoder="auto")  # minilm in English


@dataclass(frozen=True)
class Decoder:
    """Options of the decoder."""

    model: str = option("smollm2", "Causal language model of the decoder.")
    layer: int = option(9, "Layer of the decoder's hidden states.", min=1)
    context: int = option(16, "Words that a word is read behind, up to twice as many.", min=1)
    mapper: str = option("ridge", f"From brain to embedding: one of {', '.join(MAPPERS)}.")
    scorers: str = option(
        "likelihood,similarity",
        f"Of {', '.join(LABELS)}, separated by commas; the mixture weighs both scorers alike.",
    )
    weights: str = option(
        "0",
        "Weights of the language model to choose from, in standard deviations of the gains (0: as "
        "published).",
    )
    score: str = option("bleu-1", "Score in which the scorers are compared.")


@dataclass(frozen=True)
class Subjects(workflow.PlantedOptions):
    """Options of the simulated subjects."""

    snrs: str = option("3,0", "Signal-to-noise ratios, separated by commas.")
    voxels: int = option(1000, "Voxels of a subject.", min=20)
    subjects: int = option(3, "Simulated subjects.", min=2)


@dataclass(frozen=True)
class Stories:
    """Options of the stories."""

    language: str = option("en", "Language of the stories: en or zh.")
    level: str = option("word", "Unit of Chinese: word or character.")
    sections: int = option(9, "Stories to use, from the last back.", min=4)
    stories: int = option(5, "Stories that are decoded.", min=2)
    seconds: float = option(40.0, "Seconds of each story that are decoded.")


@grouped
def main(
    decoder: Decoder = Decoder(),
    simulated: Subjects = Subjects(),
    told: Stories = Stories(),
    search: workflow.StorySearchOptions = SEARCH,
    out: options.Out = Path("results/decode_story_simulated"),
    root: options.Root = None,
    debug: options.Debug = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Can text be read back from simulated subjects, and is it at its null without signal?"""
    with Run(locals()) as run:
        study = open_study(decoder, told, simulated.voxels, search, debug=debug, out=out)
        if decoder.score not in study.metrics().names:
            raise unknown_name("score", decoder.score, study.metrics().names)
        levels = workflow.parse_numbers(simulated.snrs, "--snrs")
        planted = open_planted_model(study.model, simulated)
        if debug:
            levels, simulated = levels[:1], replace(simulated, voxels=60, subjects=2)
            told = replace(told, stories=2)
        text, source = open_story_text(study.model, told.language, root, debug=debug)
        text = text.select(np.isin(text.run, text.runs[-told.sections :]))
        simulate = partial(subject_of, planted, text, simulated, told.level)
        cells = study.cells(simulate, levels, simulated.subjects, told.stories, run.show)

        stacked = stack_cells(cells)
        scores = summarise(stacked)
        scores.attrs["title"] = title_of(simulated, told, source, study.beam)
        arrays = {"scores": scores, "cells": stacked, "example": next(iter(cells.values()))}
        if {"likelihood", "similarity"} <= set(study.scorers):
            arrays["comparison"] = compare_gains(stacked, decoder.score)
        run.show(*cautions(scores), *gain_lines(scores, arrays.get("comparison")))
        run.note(*cautions(scores), *workflow.simulation_notes(simulated))
        run.uses(study.model, planted)
        figures = ["reconstruction_scores", "reconstruction_gain", "reconstruction_text"]
        run.save(arrays=arrays, figures=figures, text=source, **settings_of(study, simulated, text))
        study.store.clear()


def open_study(
    decoder: Decoder,
    told: Stories,
    voxels: int,
    search: workflow.StorySearchOptions,
    *,
    debug: bool,
    out: Path,
) -> CrossedStudy:
    """Check the options, open the models, and return the study of all stories and subjects."""
    choose(decoder.mapper, MAPPERS, "mapper")
    choose(told.language, ("en", "zh"), "language")
    choose(told.level, ("word", "character"), "level")
    english = told.language == "en"
    settings = Settings(
        layer=decoder.layer,
        context=decoder.context,
        n_targets=max(10, voxels // 2),
        mapper=EmbeddingDecoder(decoder.mapper, standardize=False),
        longest=1 if english else 2,
        level=told.level,
    )
    small = {"n_components": 24, "n_targets": 40, "n_inputs": 30, "n_frequent": 500}
    encoder = search.encoder if search.encoder != "auto" else "minilm" if english else ""
    search = search.when(debug)
    return CrossedStudy(
        workflow.decoding_model(decoder.model),
        replace(settings, **small) if debug else settings,
        told.language,
        choose(decoder.scorers, list(LABELS), "scorer"),
        search.beam,
        [0.0] if debug else workflow.parse_numbers(decoder.weights, "--weights"),
        36.0 if debug else told.seconds,
        search.null,
        search.draws,
        PartStore.beside(out),
        search.jobs,
        LanguageModel(encoder) if encoder and not debug else None,
    )


def subject_of(
    model: LanguageModel, text: Stimulus, given: Subjects, level: str, snr: float, seed: int
) -> list[Story]:
    """Simulate one subject, and read its stories from the folders of public code."""
    simulation = Simulation(given.voxels, snr, layer=given.planted_layer, seed=seed)
    return simulate_subject(model, text, simulation, level)


def title_of(given: Subjects, told: Stories, source: str, beam: int) -> str:
    """Return the title of the bundle."""
    unit = f", by {told.level}s" if told.language == "zh" else ""
    return (
        f"{given.subjects} simulated subjects x {told.stories} stories, {given.voxels} voxels, "
        f"beam {beam}, {source}{unit}; planted: {given.planted}"
    )


def settings_of(study: CrossedStudy, given: Subjects, text: Stimulus) -> dict[str, Any]:
    """Return what was used where it differs from what was asked for."""
    used = {k: v for k, v in vars(study.settings).items() if k != "mapper"}
    names = ("beam", "seconds", "n_null", "n_draws")
    simulation = vars(Simulation(given.voxels, layer=given.planted_layer))
    return {
        **{name: getattr(study, name) for name in names},
        "settings": used,
        "sections": len(text.runs),
        "simulation": simulation,
    }


if __name__ == "__main__":
    run_command(main)

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

from dataclasses import replace

import numpy as np

from brainlm.decoding.controls import cautions
from brainlm.decoding.replication import compare_gains, gain_lines, stack_cells, summarise
from brainlm.decoding.story_folder import subject_simulator
from brainlm.errors import unknown_name
from brainlm.workflow import Run, analysis, run_command
from brainlm.workflow import decoding_steps as steps
from brainlm.workflow.decoding_options import (
    SimulatedDecoderOptions,
    SimulatedSubjectOptions,
    StorySearchOptions,
    StoryTextOptions,
)

DECODER, SUBJECTS, TEXT = SimulatedDecoderOptions(), SimulatedSubjectOptions(), StoryTextOptions()
DEBUG_SECONDS = 8.0  # of each story
SEARCH = StorySearchOptions(beam=8, null=5, encoder="auto")  # minilm in English


@analysis
def main(
    run: Run,
    decoder: SimulatedDecoderOptions = DECODER,
    simulated: SimulatedSubjectOptions = SUBJECTS,
    told: StoryTextOptions = TEXT,
    search: StorySearchOptions = SEARCH,
) -> None:
    study = steps.open_crossed_study(run, decoder, told, simulated.voxels, search)
    if decoder.score not in study.metrics().names:
        raise unknown_name("score", decoder.score, study.metrics().names)
    levels = steps.parse_numbers(simulated.snrs, "--snrs")
    planted = steps.open_planted_model(study.model, simulated)
    if run.debug:
        seconds = min(told.seconds, DEBUG_SECONDS)
        levels, told = levels[:1], replace(told, stories=2, seconds=seconds)
        simulated = replace(simulated, voxels=60, subjects=2)
    text, source = steps.open_story_text(study.model, told.language, run.root, debug=run.debug)
    text = text.select(np.isin(text.run, text.runs[-told.sections :]))
    layer = simulated.planted_layer
    simulate = subject_simulator(planted, text, simulated.voxels, layer, told.level)
    cells = study.cells(simulate, levels, simulated.subjects, told.stories, run.show)

    stacked = stack_cells(cells)
    scores = summarise(stacked)
    scores.attrs["title"] = title_of(simulated, told, source, study.beam)
    arrays = {"scores": scores, "cells": stacked, "example": next(iter(cells.values()))}
    if {"likelihood", "similarity"} <= set(study.scorers):
        arrays["comparison"] = compare_gains(stacked, decoder.score)
    run.show(*cautions(scores), *gain_lines(scores, arrays.get("comparison")))
    run.note(*cautions(scores), *steps.simulation_notes(simulated))
    run.uses(study.model, planted)
    figures = ["reconstruction_scores", "reconstruction_gain", "reconstruction_text"]
    run.save(arrays=arrays, figures=figures, text=source, **study.used)


def title_of(given: SimulatedSubjectOptions, told: StoryTextOptions, source: str, beam: int) -> str:
    """Return the title of the bundle."""
    unit = f", by {told.level}s" if told.language == "zh" else ""
    return (
        f"{given.subjects} simulated subjects x {told.stories} stories, {given.voxels} voxels, "
        f"beam {beam}, {source}{unit}; planted: {given.planted}"
    )


if __name__ == "__main__":
    run_command(main)

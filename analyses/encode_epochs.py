"""When, and over which sensors, do MEG or EEG around words follow a language model?

Each channel at each time around the onset of a word is a target of a ridge regression on the
features of that word: one layer of a language model, at a depth fixed before; random embeddings
with the geometry of that layer; word length and frequency; and an autocorrelated walk without any
language. Scores are held-out r in contiguous folds with a gap. p values are corrected for all
channels and times: blocks of words of the responses change places, every fold is refitted, and a
score is compared with the largest one of each permutation. Subjects who heard the same words are
permuted alike, because they share more than the features hold.

The verdict says what the model explains beyond the pace and position of words, beyond length and
frequency of the word and the one before (spill-over), and more than untrained twins or random
vectors: gains of the mean r over all channels and times.

The data are those of a card whose reader cuts epochs: one of brainlm's or, for a BIDS folder of
your own, the path of a card that you wrote. ``--simulate`` plants the features at some sensors in a
window of time instead, on the words of a story.

Where every word was shown after another (cue and target of a pair), single predictors are tested,
too: the similarity of both words in the model, the surprisal of the target after the cue, and what
the data set says of the pair (association strength), each beyond length and frequency and beyond
the others. In the null of such an effect, only what the others leave over is permuted.
"""

from functools import partial
from typing import Annotated, Any

import numpy as np
import typer

from brainlm.comparison.feature_families import layer_at
from brainlm.comparison.simulated_epochs import simulate_listeners
from brainlm.comparison.verdict import verdict, verdict_dataset
from brainlm.data.features import Features, concatenate, lag
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.open import open_covariates, open_stimulus
from brainlm.encoding.added_effects import effect_lines, stack_effects
from brainlm.encoding.encode import Space, with_baselines
from brainlm.encoding.subjects import peak_lines, stack_subjects
from brainlm.encoding.word_epochs import (
    BLOCK,
    LEAST_WORDS,
    check_epochs,
    encode_epochs,
    encode_unpermuted,
    predictor_effects,
)
from brainlm.features.baselines import word_interval, word_length, word_position, zipf_frequency
from brainlm.features.cues import cue_similarity
from brainlm.language_models import LanguageModel
from brainlm.workflow import Limits, Run, analysis, open_subjects, options, run_command

STORY = "littleprince-en-words"  # of the simulation


@analysis
def main(
    run: Run,
    dataset: Annotated[
        str, typer.Option(help="Data set with epochs: a name, or the path of a card of your own.")
    ] = "meg-masc",
    subjects: options.Subjects = "all",
    model: options.Model = "smollm2",
    depth: options.Depth = 0.6,
    permutations: options.Permutations = 199,
    twins: options.Twins = 1,
    simulate: Annotated[
        float, typer.Option(min=0, help="Noise of simulated EEG, signal 1 (0: real recordings).")
    ] = 0.0,
) -> None:
    added: list[tuple] = []
    represent = partial(language_spaces, model=model, depth=depth)
    limits = Limits(subjects=2, items=600, least_in_run=LEAST_WORDS).when(run.debug)
    if simulate:
        story = open_stimulus(STORY, root=run.root)
        people = options.choose(subjects, [f"sim{k + 1}" for k in range(limits.subjects or 4)])
        words = limits.items or 2000
        opened = simulate_listeners(story, represent, people, words, noise=simulate)
    else:
        opened = open_subjects(dataset, subjects, run.root, limits=limits, check=check_epochs)
    permutations = min(permutations, 19) if run.debug else permutations
    results, compared = [], []
    for stimulus, recording in opened:
        results.append(encode_epochs(stimulus, recording, represent(stimulus), permutations))
        run.uses(recording, *results[-1].spaces)
        if model != "none":
            spaces = verdict_spaces(stimulus, model=model, depth=depth, twins=twins)
            compared.append(encode_unpermuted(recording, spaces))
        predictors = pair_predictors(stimulus, recording, model=model, depth=depth)
        added += [predictor_effects(stimulus, recording, predictors, permutations)] * bool(
            predictors
        )
        run.note(*results[-1].notes)
        run.progress(f"{recording.subject}: {run.seconds:.0f} s")
    scores = stack_subjects(results)
    modality = results[0].recording.modality
    scores.attrs |= {"modality": modality, "title": f"{modality}: {model}"}
    run.show(*peak_lines(scores), *results[-1].recording.notes)
    settings = {"block": BLOCK, "dataset": STORY if simulate else dataset}
    arrays, figures = {"scores": scores}, figures_of(scores, run)
    if compared:
        arrays["verdict"] = verdict_dataset(verdict(compared), model)
        run.show(arrays["verdict"].attrs["sentence"])
        figures.append("verdict")
    if added:
        arrays["added"] = stack_effects(*zip(*added, strict=True)).assign_attrs(modality=modality)
        run.show(*effect_lines(arrays["added"]))
        figures.append("added_effects")
    run.save(arrays=arrays, figures=figures, **settings, **results[0].settings)


def figures_of(scores: Any, run: Run) -> list[str]:
    """The figures that can be drawn; notes say what cannot, and which targets are left out."""
    figures = ["time_course", "alphas"]
    if "x" in scores.coords and scores.attrs["modality"] in ("meg", "eeg"):
        figures.append("topographies")
    else:
        why = "channels have no positions on the scalp, or share them"
        run.note(f"no topographies are drawn: {why}", show=True)
    if n := scores.attrs["lost_targets"]:
        run.note(f"left out {n} channel-times that not all have", kind="excluded", show=True)
    return figures


def language_spaces(stimulus: Stimulus, *, model: str, depth: float) -> list[Space]:
    """Controls and, unless ``--model none``, a layer and its random twin."""
    controls = concatenate([word_length(stimulus), zipf_frequency(stimulus)], "length + frequency")
    if model == "none":
        return [Space(controls)]
    source = layer_at(model, (stimulus.language,), depth)
    every = np.ones(stimulus.n_words, dtype=bool)
    return with_baselines(source.embed(stimulus, every, "discourse"), [controls])


def verdict_spaces(stimulus: Stimulus, *, model: str, depth: float, twins: int) -> list[Space]:
    """A layer alone and with each control, its random twin, and the layer of untrained twins."""
    surface = [word_length(stimulus), zipf_frequency(stimulus)]
    order = [word_position(stimulus)]
    added = []
    if stimulus.timed:
        order.insert(0, word_interval(stimulus))
    if any(rows.stop - rows.start > 1 for _, rows in stimulus.blocks("text")):
        surface += [lag(each, level="text").renamed(f"previous {each.name}") for each in surface]
        added.append(concatenate(order, "pace + position" if stimulus.timed else "position"))
    spilled = "length + frequency + spill-over" if len(surface) > 2 else "length + frequency"
    added.append(concatenate(surface, spilled))
    every = np.ones(stimulus.n_words, dtype=bool)
    sources = [layer_at(model, (stimulus.language,), depth, untrained=k) for k in range(twins)]
    return with_baselines(
        layer_at(model, (stimulus.language,), depth).embed(stimulus, every, "discourse"),
        untrained=[source.embed(stimulus, every, "discourse")[0] for source in sources],
        added=added,
    )


def pair_predictors(
    stimulus: Stimulus, recording: Recording, *, model: str, depth: float
) -> dict[str, list[Features]]:
    """Predictors of words that were shown after another, by kind; empty for other stimuli."""
    if stimulus.context_only is None or model == "none":
        return {}
    every = np.ones(stimulus.n_words, dtype=bool)
    source = layer_at(model, (stimulus.language,), depth)
    of_model = [cue_similarity(source.embed(stimulus, every, "word")[0])]
    network = LanguageModel(model)
    if getattr(network, "causal", False):
        of_model.append(network.surprisal(stimulus, context="sentence").renamed("surprisal"))
    origin = recording.origin
    named = open_covariates(origin["dataset"], origin["subject"], stimulus, root=origin.get("root"))
    controls = [word_length(stimulus), zipf_frequency(stimulus)]
    return {"controls": controls, "data set": named, "model": of_model}


if __name__ == "__main__":
    run_command(main)

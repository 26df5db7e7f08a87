"""Encoding of isolated words that were rated: layers, baselines, verdict, bundle."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from brainlm.comparison.verdict import verdict, verdict_dataset
from brainlm.data.features import Features, concatenate
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.encode import encode, with_baselines
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import LeaveOneOut, SimilarityEncoder
from brainlm.encoding.splits import Split
from brainlm.features.baselines import has_frequencies, word_length, zipf_frequency
from brainlm.language_models.model import LanguageModel
from brainlm.workflow.options import layer_list
from brainlm.workflow.run import Run

ENCODERS = {
    "ridge encoding": RidgeEncoder(),
    "similarity encoding": SimilarityEncoder("mulcogbench"),
    "similarity, published form": LeaveOneOut(center=False),
}
FIGURES = ("layer_curve", "verdict", "target_bars", "target_heat_map", "alphas")


def encode_rated_words(
    run: Run,
    stimulus: Stimulus,
    ratings: Recording,
    split: Split,
    *,
    model: str,
    layers: str,
    twins: int,
    references: Sequence[Features] = (),
    title: str = "",
    **settings: Any,
) -> None:
    """Encode ratings by every layer of a model and its baselines; show and save the result.

    Parameters
    ----------
    run : Run
    stimulus, ratings
        Isolated words, and a row of numbers for each.
    split : Split
    model, layers, twins
        Options of the analysis.
    references : sequence of Features
        Shown beside length and frequency.
    title : str
        Of figures.
    **settings
        Recorded in the bundle.
    """
    embed = partial(LanguageModel.embed, context="none", progress=True)
    wanted = layer_list(layers)
    copies = [LanguageModel(model, untrained=seed) for seed in range(twins)]
    spaces = with_baselines(
        embed(LanguageModel(model), stimulus, wanted),
        references,
        untrained=[layer for copy in copies for layer in embed(copy, stimulus, wanted)],
        added=[_surface(run, stimulus)],
    )
    result = encode(spaces, ratings, split, ENCODERS, title=title, progress=True)
    n_folds = split.get_n_splits()
    run.show(f"\n{ratings}", *ratings.notes, f"\n{result.table().to_string()}\n")
    run.show(
        f"r: mean over {ratings.n_targets} ratings and {n_folds} folds ± 95 % interval over folds",
        "-: similarity encoding is undefined for two features, and for spaces side by side",
    )
    judged = verdict_dataset(verdict(result, n_draws=0), model)  # words do not recur
    run.show(judged.attrs["sentence"])
    arrays = {"verdict": judged}
    run.save(result, arrays=arrays, figures=FIGURES, n_words=stimulus.n_words, **settings)


def _surface(run: Run, stimulus: Stimulus) -> Features:
    """Return word length and, where a list has them, frequencies."""
    if has_frequencies(stimulus.language):
        both = [word_length(stimulus), zipf_frequency(stimulus)]
        return concatenate(both, "length + frequency")
    note = f"no list of frequencies in {stimulus.language!r}: the control is length alone"
    run.note(note, kind="coverage", show=True)
    return word_length(stimulus)

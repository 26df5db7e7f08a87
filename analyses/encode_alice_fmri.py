"""Which layers of a causal language model predict six brain regions during a story?

Brennan et al. 2016: listeners of the first chapter of Alice in Wonderland, six regions. Every layer
with 256 words of context, resampled with Lanczos windows, delays of 2 to 8 s:
alone, with controls (word rate, length, frequency, position), and with an autocorrelated baseline
that is empty of language. Beside them the controls and that baseline themselves, random embeddings
with the geometry of each layer, and the noise ceiling.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from time import perf_counter

import numpy as np
import typer
import xarray
from sklearn.pipeline import make_pipeline
from tqdm import tqdm

from brainlm.comparison import Space, score_table, stack_folds, stack_predictions, stack_scores
from brainlm.data.features import Features, concatenate
from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.scores import Scores
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.encoding._ridge.block_scaler import BlockScaler
from brainlm.encoding.align import align, delays_between
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.leakage import leakage_probe
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.errors import CorruptDataError
from brainlm.features.baselines import (
    random_like,
    random_walk,
    word_length,
    word_position,
    word_rate,
    zipf_frequency,
)
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.noise_ceiling import leave_one_subject_out
from brainlm.workflow.options import (
    Debug,
    Layers,
    Model,
    Out,
    Overwrite,
    Root,
    Subjects,
    choose,
    layer_list,
    run,
)

DATASET = "alice-fmri"
RIDGE = "ridge encoding"
LAGS = (2.0, 8.0)  # seconds
GAP = 16.0  # seconds: the longest lag, the Lanczos window, and one sample to spare


def main(
    subjects: Subjects = "all",
    model: Model = "smollm2",
    layers: Layers = "all",
    out: Out = Path("results/encode_alice_fmri"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Which layers of a causal language model predict six brain regions during a story?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    stimulus, recordings, excluded = open_listeners(subjects, root, debug=debug)
    everyone = side_by_side(recordings)
    step = sampling_interval(everyone.times)
    delays = delays_between(step, *LAGS)
    gap = int(np.ceil(GAP / step))
    split = ContiguousBlocks(n_splits=3 if debug else 6, gap=gap, runs=everyone.run)

    probe = leakage_probe(everyone, split, n_draws=5 if debug else 20)

    language_model = LanguageModel(model)
    if debug and layers == "all":
        layers = f"1,{language_model.n_layers}"
    hidden = language_model.embed(stimulus, layer_list(layers), context=256, progress=True)
    controls = concatenate(
        [f(stimulus) for f in (word_rate, word_length, zipf_frequency, word_position)], "controls"
    )
    scores: list[Scores] = []
    spaces: list[Space] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # kept in the notes of the bundle
        for space, parts in tqdm(cases(hidden, controls, everyone), desc="spaces", unit="space"):
            X, sizes = side_by_side_features(parts, everyone, delays)
            encoder = make_pipeline(BlockScaler(sizes), RidgeEncoder(standardize=False))
            fitted = cross_validate(
                encoder, X, everyone.data, split, targets=everyone.targets, keep_predictions=True
            )
            scores.append(fitted)
            spaces.append(space)

    names = [recording.subject for recording in recordings]
    dataset = stack_scores(
        {RIDGE: scores},
        spaces,
        label="held-out r (mean of folds)",
        title=f"{model}: listening to a story",
        subjects=names,
    )
    if len(recordings) > 1:
        data = np.stack([recording.data for recording in recordings])
        folds = [test for _, test in split.split(everyone.data)]
        dataset["ceiling"] = (("subject", "target"), leave_one_subject_out(data, folds))
    report(dataset, [str(probe), *excluded])
    save_bundle(
        out,
        analysis="encode_alice_fmri",
        arrays={
            "scores": dataset,
            "predictions": stack_predictions({RIDGE: scores}, spaces),
            "folds": stack_folds(split, everyone.n_samples),
        },
        config={
            "dataset": DATASET,
            "subjects": names,
            "model": model,
            "layers": layers,
            "context_words": 256,
            "lags_s": LAGS,
            "delays": delays,
            "gap_s": GAP,
            "high_pass_s": 128,
            "split": repr(split),
            "encoder": scores[0].encoder,
            "debug": debug,
        },
        inputs={
            "data": {name: dataset_hashes(DATASET, name, root) for name in names},
            "features": {space.name: dict(space.features.origin) for space in spaces},
        },
        notes=[
            str(probe),
            *excluded,
            *recordings[0].notes,
            *(note for each in scores for note in each.notes),
        ],
        figures=["layer_curve", "target_bars", "alphas"],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def open_listeners(
    subjects: str, root: Path | None, *, debug: bool
) -> tuple[Stimulus, list[Recording], list[str]]:
    """Open the recordings that pass the checks; a listener asked for by name must pass them."""
    available = list_subjects(DATASET, root)
    chosen = choose(subjects, available)
    recordings, excluded = [], []
    for subject in chosen:
        try:
            stimulus, recording = open_dataset(DATASET, subject, root)
        except CorruptDataError as error:
            if subjects != "all":
                raise
            excluded.append(f"excluded {subject}: {error}")
            continue
        recordings.append(standardised(high_pass(recording, period=128.0)))
        if debug and len(recordings) == 2:
            break
    if debug:  # four minutes of two listeners
        early = recordings[0].times < recordings[0].times[0] + 240
        stimulus = stimulus.select(stimulus.onset < recordings[0].times[early][-1])
        recordings = [r.select_samples(early, "debug: the first four minutes") for r in recordings]
    return stimulus, recordings, excluded


def standardised(recording: Recording) -> Recording:
    """z-score each region over the story: listeners were scanned in different units."""
    return recording.with_data(recording.data / recording.data.std(axis=0), "divided by the sd")


def side_by_side(recordings: list[Recording]) -> Recording:
    """All listeners' regions as targets of one recording: they heard the same samples."""
    first = recordings[0]
    targets = [f"{r.subject}/{target}" for r in recordings for target in r.targets]
    return Recording(
        np.hstack([r.data for r in recordings]),
        targets,
        first.modality,
        "z",
        times=first.times,
        run=first.run,
        notes=first.notes,
    )


def cases(
    hidden: tuple[Features, ...], controls: Features, recording: Recording
) -> list[tuple[Space, list[Features]]]:
    """What is compared: each space, and the features that are fitted for it."""
    chosen: list[tuple[Space, list[Features]]] = []
    empty = random_walk(recording)
    for layer in hidden:
        number = layer.origin["layer"]
        together = concatenate([layer, controls], f"{layer.name} + controls")
        random = random_like(layer, seed=number)
        chosen += [
            (Space(layer, "layer", number), [layer]),
            (Space(together, "combined", number), [layer, controls]),
            (Space(layer.renamed(f"{layer.name} + empty"), "with empty", number), [layer, empty]),
            (Space(random, "random", number), [random]),
        ]
    both = controls.renamed("controls + empty baseline")
    return [
        *chosen,
        (Space(controls, "reference"), [controls]),
        (Space(empty, "reference"), [empty]),
        (Space(both, "reference"), [controls, empty]),
    ]


def side_by_side_features(
    parts: list[Features], recording: Recording, delays: list[int]
) -> tuple[np.ndarray, list[int]]:
    """Align each part; return them side by side, and how many columns each has."""
    aligned = [
        align(part, recording, delays=delays if part.level == "word" else (0,)).X for part in parts
    ]
    return np.hstack(aligned), [block.shape[1] for block in aligned]


def report(dataset: xarray.Dataset, remarks: list[str]) -> None:
    """Print the table of scores and the remarks, such as who was left out."""
    typer.echo(f"\n{score_table(dataset).to_string()}\n")
    n_subjects = dataset.sizes["subject"]
    listeners = "this listener" if n_subjects == 1 else f"these {n_subjects} listeners"
    typer.echo(
        f"r: mean over {dataset.sizes['target']} regions, "
        f"± 95 % interval over blocks of this story, for {listeners}"
    )
    if "ceiling" in dataset:
        ceiling = dataset["ceiling"].mean("subject")
        values = ", ".join(
            f"{t} {v:.2f}" for t, v in zip(ceiling.target.values, ceiling.values, strict=True)
        )
        typer.echo(f"noise ceiling (correlation with the mean of the other listeners): {values}")
    for line in remarks:
        typer.echo(line)


if __name__ == "__main__":
    run(main)

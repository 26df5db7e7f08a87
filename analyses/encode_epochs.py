"""When, and over which sensors, do MEG or EEG around words follow a language model?

Each channel at each time around the onset of a word is a target of a ridge regression on the
features of that word: one layer of a language model, its depth fixed before; random embeddings with
the geometry of that layer; word length and frequency; and an autocorrelated walk that is empty of
language. Scores are held-out r in contiguous folds with a gap. p values are corrected for all
channels and times: blocks of words of the responses change places, every fold is refitted, and a
score is compared with the largest one of each permutation. Subjects who heard the same words are
permuted alike, because they share more than the features hold.

The data are those of a card whose reader cuts epochs: one of brainlm's or, for a BIDS folder of
your own, the path of a card that you wrote. ``--simulate`` plants the features at some sensors in a
window of time instead, on the words of a story.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
import xarray

from brainlm.comparison.feature_families import layer_at
from brainlm.comparison.simulated_assemblies import simulate_epochs
from brainlm.data.features import Features, concatenate
from brainlm.data.recording import Recording
from brainlm.data.scores import Scores
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import positions_of, targets_of_scores
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset, open_stimulus, read_card
from brainlm.encoding.align import align
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.encode import Space, stack_scores
from brainlm.encoding.permuted_scores import permuted_scores, shared_orders
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.features.baselines import random_like, random_walk, word_length, zipf_frequency
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.permutation import max_statistic_p
from brainlm.workflow import (
    Debug,
    Model,
    Out,
    Overwrite,
    Permutations,
    Root,
    Subjects,
    choose,
    run_command,
)

RIDGE = "ridge encoding"
BLOCK = 20  # words that change places together, and that the gap leaves out: longer than an epoch
LEAST_WORDS = 4 * BLOCK  # of a run, see permute_blocks
LEAST_EPOCHS = 10 * BLOCK  # of a subject: less is lost in the gaps of the inner folds
ALPHA = 0.05

# What is simulated: the sensors and the time of an N400.
STORY = "littleprince-en-words"
MONTAGE = "biosemi32"
SENSORS = ("Cz", "CP1", "CP2", "P3", "Pz", "P4")
WINDOW = (0.3, 0.5)
BINS = tuple(round(0.1 * k, 1) for k in range(-2, 10))


@dataclass(frozen=True)
class Fitted:
    """What was found for one subject; ``null`` is (n_spaces, n_permutations, n_targets)."""

    subject: str
    spaces: list[Space]
    scores: list[Scores]
    null: np.ndarray
    positions: np.ndarray | None
    notes: tuple[str, ...]
    n_words: int


def main(
    dataset: Annotated[
        str, typer.Option(help="Data set with epochs: a name, or the path of a card of your own.")
    ] = "meg-masc",
    subjects: Subjects = "all",
    model: Model = "smollm2",
    depth: Annotated[float, typer.Option(min=0, max=1, help="Depth of the layer, 0 to 1.")] = 0.6,
    controls_only: Annotated[
        bool, typer.Option("--controls-only", help="No language model: length and frequency.")
    ] = False,
    permutations: Permutations = 199,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Plant the features in noise; needs no recordings.")
    ] = False,
    noise: Annotated[
        float, typer.Option(min=0, help="Simulated noise in standard deviations of the signal.")
    ] = 2.0,
    out: Out = Path("results/encode_epochs"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """When, and over which sensors, do MEG or EEG around words follow a language model?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    if debug:
        permutations = min(permutations, 19)
    represent = partial(language_spaces, model="" if controls_only else model, depth=depth)
    n_words = 600 if debug else None
    people = simulated_people(subjects, debug) if simulate else chosen(dataset, subjects, root)
    fitted, excluded = [], []
    for number, who in enumerate(people[:2] if debug else people):
        try:
            if simulate:
                opened = simulated(who, number, represent, noise, root, n_words or 2000)
            else:
                opened = open_epochs(dataset, who, root, n_words)
        except CorruptDataError as error:
            if subjects != "all":
                raise
            excluded.append(f"excluded {who}: {error}")
            continue
        fitted.append(fit(who, *opened, represent, permutations))
        typer.echo(f"{who}: {perf_counter() - start:.0f} s", err=True)
    if not fitted:
        raise CorruptDataError(f"{dataset}: no subject passes the checks: {'; '.join(excluded)}")
    name = "simulated EEG" if simulate else read_card(dataset).name
    scores = together(fitted, title=f"{name}: {'controls' if controls_only else model}")
    scores.attrs["modality"] = "eeg" if simulate else opened[1].modality
    if simulate:
        scores["planted"] = (
            "target",
            [
                is_planted(channel, time)
                for channel, time in zip(
                    scores["channel"].values, scores["time"].values, strict=True
                )
            ],
        )
    if scores.attrs["lost_targets"]:
        excluded.append(
            f"left out {scores.attrs['lost_targets']} channel-times that not all subjects have"
        )
    heads = "x" in scores.coords and scores.attrs["modality"] in ("meg", "eeg")
    if not heads:
        excluded.append(
            "no topographies are drawn: channels have no positions on the scalp, or share them"
        )
    for line in (*summary(scores), *excluded):
        typer.echo(line)
    drawn = ["time_course", *(["topographies"] if heads else []), "alphas"]
    source = STORY if simulate else dataset
    save_bundle(
        out,
        analysis="encode_epochs",
        arrays={"scores": scores},
        config={
            "dataset": name,
            "subjects": [each.subject for each in fitted],
            "model": None if controls_only else model,
            "depth": None if controls_only else depth,
            "permutations": permutations,
            "block": BLOCK,
            "encoder": fitted[0].scores[0].encoder,
            "split": fitted[0].scores[0].split,
            "noise": noise if simulate else None,
            "debug": debug,
        },
        inputs={
            "data": {STORY: dataset_hashes(STORY, root=root)}
            if simulate
            else {each.subject: dataset_hashes(source, each.subject, root) for each in fitted},
            "features": {s.name: dict(s.features.origin) for s in fitted[0].spaces},
        },
        notes=[*excluded, *dict.fromkeys(note for each in fitted for note in each.notes)],
        figures=drawn,
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def chosen(dataset: str, subjects: str, root: Path | None) -> list[str]:
    """The subjects of a data set that are asked for."""
    return choose(subjects, list_subjects(dataset, root))


def simulated_people(subjects: str, debug: bool) -> list[str]:
    """Names of the simulated listeners."""
    return choose(subjects, [f"sim{k + 1}" for k in range(2 if debug else 4)])


def open_epochs(
    dataset: str, subject: str, root: Path | None, n_words: int | None
) -> tuple[Stimulus, Recording]:
    """Open one subject; what has no epochs of channels is refused with the way out."""
    stimulus, recording = open_dataset(dataset, subject, root)
    if recording.times is not None or "time" not in recording.targets:
        raise UnknownNameError(
            f"--dataset {dataset}: holds no epochs of channels around words (targets like "
            f"{recording.target_names[0]!r}): name MEG or EEG, and on a card of your own declare "
            "[open.options.epochs] with tmin, tmax and bin_width"
        )
    if n_words is not None:
        kept = np.arange(recording.n_samples) < n_words
        last = recording.run == recording.run[kept][-1]
        if (kept & last).sum() < LEAST_WORDS and not last[0]:
            kept &= ~last  # too little is left of the run that was cut
        recording = recording.select_samples(kept, f"debug: the first {kept.sum()} epochs")
    if recording.n_samples < LEAST_EPOCHS:
        raise CorruptDataError(
            f"{dataset}, subject {subject}: {recording.n_samples} words with epochs are too few "
            f"for five folds with gaps of {BLOCK} words: {LEAST_EPOCHS} are needed"
        )
    for label in recording.runs:
        n = int((recording.run == label).sum())
        if n < LEAST_WORDS:
            raise CorruptDataError(
                f"{dataset}, subject {subject}: run {label!r} has {n} words with epochs; the null "
                f"needs {LEAST_WORDS} (blocks of {BLOCK} words change places): name longer runs on "
                "the card (runs)"
            )
    return stimulus, recording


def language_spaces(stimulus: Stimulus, *, model: str, depth: float) -> list[Space]:
    """What is known of each word: controls and, with a model, a layer and its random twin."""
    controls = concatenate([word_length(stimulus), zipf_frequency(stimulus)], "length + frequency")
    if not model:
        return [Space(controls, "reference")]
    source = layer_at(model, (stimulus.language,), depth)
    (layer,) = source.embed(stimulus, np.ones(stimulus.n_words, dtype=bool), "discourse")
    number = int(layer.origin.get("layer", 0))
    return [
        Space(layer, "layer", number),
        Space(random_like(layer, seed=number), "random", number),
        Space(controls, "reference"),
    ]


def empty_baseline(recording: Recording) -> Features:
    """A walk along the words of each run: what it predicts is that neighbours are alike."""
    rows = replace(recording, items=None, times=np.arange(recording.n_samples))
    return random_walk(rows)


def fit(
    subject: str, stimulus: Stimulus, recording: Recording, represent: Any, permutations: int
) -> Fitted:
    """Score every space on one subject, and on permuted responses."""
    spaces = [*represent(stimulus), Space(empty_baseline(recording), "reference")]
    split = ContiguousBlocks(5, gap=BLOCK, runs=recording.run)
    # In units of each channel: tesla squared would be lost in float32.
    Y = ((recording.data - recording.data.mean(axis=0)) / recording.data.std(axis=0)).astype("f4")
    place = {item: i for i, item in enumerate(stimulus.item.tolist())}
    orders = shared_orders(
        stimulus.words,
        stimulus.run,
        np.array([place[item] for item in recording.items.tolist()]),
        block=BLOCK,
        n_permutations=permutations,
    )
    scores, null = [], []
    for space in spaces:
        X = align(space.features, recording).X.astype("f4")
        found = cross_validate(
            RidgeEncoder(warn_edge=False), X, Y, split, targets=recording.targets
        )
        scores.append(found)
        null.append(permuted_scores(X, Y, split, found, orders=orders))
    notes = (*recording.notes, *(note for each in scores for note in each.notes))
    return Fitted(
        subject, spaces, scores, np.array(null), recording.positions, notes, recording.n_samples
    )


def together(fitted: list[Fitted], title: str) -> xarray.Dataset:
    """Scores of all subjects on the channels they share, and p of their mean.

    One subject keeps the folds as units. The null of a mean over subjects is the mean of their
    nulls, in which subjects who heard the same words share each permutation.
    """
    first = fitted[0]
    common = [
        t
        for t in first.scores[0].target_names
        if all(t in set(each.scores[0].target_names) for each in fitted)
    ]
    if not common:
        raise CorruptDataError("the subjects share no channel and time: name one by --subjects")
    parts, observed, null = [], [], []
    for each in fitted:
        place = {target: i for i, target in enumerate(each.scores[0].target_names)}
        columns = [place[target] for target in common]
        part = stack_scores(
            {RIDGE: each.scores}, each.spaces, label="held-out r", title=title
        ).isel(target=columns, column=columns)
        mean = np.array([score.mean for score in each.scores])[:, columns]
        observed.append(mean)
        null.append(each.null[:, :, columns])
        if len(fitted) > 1:
            part["score"] = (("analysis", "space", "target"), mean[None])
        parts.append(part)
    scores = parts[0]
    if len(fitted) > 1:
        alpha = xarray.concat([part["alpha"] for part in parts], "column")
        scores = xarray.concat(
            [part[["score"]] for part in parts], "subject", coords="minimal", compat="override"
        )
        scores = scores.assign_coords(subject=[each.subject for each in fitted])
        scores["alpha"] = alpha
    p = [max_statistic_p(o, n) for o, n in zip(np.mean(observed, 0), np.mean(null, 0), strict=True)]
    scores["p"] = (("analysis", "space", "target"), np.array(p)[None])
    targets = targets_of_scores(scores)
    n_channels = targets["channel"].nunique()
    places = positions_of(targets)
    if places is not None and len(np.unique(places.round(5), axis=0)) != n_channels:
        scores = scores.drop_vars(["x", "y", "z"])
    lost = len({t for each in fitted for t in each.scores[0].target_names}) - len(common)
    return scores.assign_attrs(
        n_samples=min(each.n_words for each in fitted),
        n_permutations=first.null.shape[1],
        n_channels=n_channels,
        n_times=targets["time"].nunique(),
        lost_targets=lost,
    )


def summary(scores: xarray.Dataset) -> list[str]:
    """A line for each space: its peak, and where it is above chance."""
    unit = "subject" if "subject" in scores["score"].dims else "fold"
    mean = scores["score"].mean(unit).isel(analysis=0)
    lines = [
        f"held-out r, mean over {scores.sizes[unit]} {unit}s; {scores.attrs['n_channels']} channels"
        f" x {scores.attrs['n_times']} times; p <= {ALPHA} over all of them "
        f"({scores.attrs['n_permutations']} permutations)"
    ]
    for space in scores["space"].values:
        own, p = mean.sel(space=space), scores["p"].isel(analysis=0).sel(space=space).values
        peak, found = int(own.values.argmax()), p <= ALPHA
        text = f"{space!s:32} peak {float(own[peak]):6.3f} at {scores['target'].values[peak]}"
        if found.any():
            when = 1000 * scores["time"].values[found]
            n_channels = len(set(scores["channel"].values[found].tolist()))
            text += (
                f"; above chance: {int(found.sum())} channel-times, {n_channels} channels, "
                f"{when.min():.0f} to {when.max():.0f} ms"
            )
        else:
            text += "; nowhere above chance"
        if "planted" in scores:
            planted = scores["planted"].values
            text += (
                f" ({int((found & planted).sum())} of {int(planted.sum())} planted, "
                f"{int((found & ~planted).sum())} elsewhere)"
            )
        lines.append(text)
    return lines


def simulated(
    subject: str, number: int, represent: Any, noise: float, root: Path | None, n_words: int
) -> tuple[Stimulus, Recording]:
    """The first words of a story, and EEG that follows the first space where it is planted."""
    import mne

    story = open_stimulus(STORY, root)
    story = story.select(np.arange(min(n_words, story.n_words)))
    stimulus = Stimulus(
        story.words,
        story.language,
        story.onset,
        story.duration,
        run=story.run,
        text=story.text,
        item=[f"w{i}" for i in range(story.n_words)],
    )
    cause = represent(stimulus)[0].features
    positions = mne.channels.make_standard_montage(MONTAGE).get_positions()["ch_pos"]
    planted = [[is_planted(c, t) for t in BINS] for c in positions]
    recording = simulate_epochs(
        cause,
        cause,
        positions=positions,
        times=BINS,
        planted=np.array(planted),
        noise=noise,
        subject=subject,
        seed=number,
    )
    return stimulus, recording.noted(
        f"simulated responses: {cause.name} planted at {', '.join(SENSORS)} in the bins from "
        f"{WINDOW[0]} to {WINDOW[1]} s, in AR(1) noise over words"
    )


def is_planted(channel: str, time: float) -> bool:
    """Whether the simulation plants something in a channel at a time in seconds."""
    return channel in SENSORS and WINDOW[0] <= time < WINDOW[1]


if __name__ == "__main__":
    run_command(main)

"""Can the text of a story be read back from six regions of 27 listeners?

Brennan et al. 2016, continuous mode: the regions of all listeners as targets, high-passed.
The story is cut into blocks with a gap between; the last block is held out, and decoders with each
of the three mappers learn on the others. First the mapping: correlation per dimension and 2v2
identification of held-out samples, against mappings of the same responses shifted in a circle.
Then the text of the held-out block, by the encoding likelihood (Tang) and the similarity of
embeddings (MapGuide), compared with all controls. No other story was recorded: a training block of
the same story takes the place of a wrong story, and is named so. Twelve minutes are far less than
such decoders need.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer

from brainlm.data.preprocessing import high_pass
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.decoding import CAUTION
from brainlm.decoding._contrastive import Training
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.conditions import conditions
from brainlm.decoding.controls import cautions
from brainlm.decoding.decoder import Settings, fit_story_decoder
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder
from brainlm.decoding.stories import Story
from brainlm.decoding.story_scores import Judges, map_story, reconstruct_story
from brainlm.decoding.text_view import show_controls
from brainlm.decoding.words import clean_words
from brainlm.encoding.align import AlignmentWarning
from brainlm.errors import CorruptDataError
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.permutation import permutation_p
from brainlm.storage.store import content_key
from brainlm.workflow import Debug, Model, Out, Overwrite, Root, Subjects, choose, run_command

DATASET = "alice-fmri"
GAP = 8  # samples between blocks
OTHER = "training block"  # of the same story: no other story was recorded
FAST = Training(epochs=30, batch=64, rate=1e-3, width=64, n_layers=1)


def main(
    subjects: Subjects = "all",
    model: Model = "smollm2",
    layers: Annotated[int, typer.Option(min=1, help="Layer of the words' states.")] = 9,
    blocks: Annotated[int, typer.Option(min=3, help="Of the story; the last is held out.")] = 4,
    shifts: Annotated[int, typer.Option(min=4, help="Shifted mappings of the null.")] = 19,
    seconds: Annotated[float, typer.Option(help="Of the held-out block that are decoded.")] = 150,
    beam: Annotated[int, typer.Option(min=1)] = 20,
    null: Annotated[int, typer.Option(min=5, help="Random reconstructions.")] = 10,
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of noise input, and of the permuted brain.")
    ] = 3,
    work: Annotated[Path | None, typer.Option(help="Kept reconstructions; resumes.")] = None,
    out: Out = Path("results/decode_alice_fmri"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """Can the text of a story be read back from six regions of 27 listeners?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    names = choose(subjects, list_subjects(DATASET, root))
    if debug:
        names, shifts, seconds, beam, null, draws = names[:4], 4, 40, 2, 5, 2
    stories, notes = open_blocks(names, root, blocks, strict=subjects != "all")
    network = LanguageModel(model, dtype="bfloat16", cache=True)
    settings = Settings(
        layer=layers,
        context=8,
        n_components=50,
        n_inputs=60,
        n_targets=stories[0].responses.shape[1],
        longest=1,
    )
    test, found, shifted = stories[-1], {}, {}
    for mapper in MAPPERS:
        chosen = replace(
            settings, mapper=EmbeddingDecoder(mapper, standardize=False, settings=FAST)
        )
        decoder = fit_story_decoder(network, stories[:-1], chosen)
        found[mapper] = map_story(decoder, test)
        shifted[mapper] = shifted_scores(decoder, test, shifts)
        if mapper == "ridge":
            ridge = decoder
    part = replace(
        test,
        responses=test.responses[test.times < test.times[0] + seconds],
        times=test.times[test.times < test.times[0] + seconds],
    )
    jobs = conditions(
        ridge,
        part,
        stories[0].responses,
        {"Tang": ("likelihood", Beam(beam)), "MapGuide": ("similarity", Beam(beam))},
        n_draws=draws,
        other=OTHER,
    )
    study = reconstruct_story(
        ridge,
        part,
        jobs,
        Judges.default(None, None),
        n_null=null,
        folder=work,
        key=content_key(
            {
                "responses": [each.responses for each in (*stories[:-1], part)],
                "layer": layers,
                "beam": beam,
                "revision": network.identity,
            }
        ),
        progress=True,
    )
    for name in ("r", "2v2"):
        values = [score_of(found[mapper], name) for mapper in MAPPERS]
        nulls = np.array([[score_of(each, name) for each in shifted[m]] for m in MAPPERS])
        study[f"mapper_{name}"] = ("mapper", values)
        study[f"mapper_{name}_null"] = (("mapper", "shift"), nulls)
        study[f"mapper_{name}_p"] = ("mapper", permutation_p(np.array(values), nulls.T))
    study = study.assign_coords(mapper=list(MAPPERS))
    study.attrs["title"] = (
        f"Alice, {test.responses.shape[1] // 6} listeners, last of {blocks} blocks, beam {beam}"
    )
    report(study)
    save_bundle(
        out,
        analysis="decode_alice_fmri",
        arrays={"scores": study},
        config={
            "dataset": DATASET,
            "subjects": names,
            "model": model,
            "layer": layers,
            "blocks": blocks,
            "gap": GAP,
            "shifts": shifts,
            "seconds": seconds,
            "beam": beam,
            "null": null,
            "draws": draws,
            "training": vars(FAST),
            "debug": debug,
        },
        inputs={"data": {name: dataset_hashes(DATASET, name, root) for name in names}},
        notes=[
            *cautions(study),
            CAUTION,
            *notes,
            f"{OTHER}: {stories[0].name} of the same story, which the decoder was trained on",
        ],
        figures=["reconstruction_scores", "reconstruction_text"],
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def open_blocks(
    names: list[str], root: Path | None, blocks: int, *, strict: bool
) -> tuple[list[Story], list[str]]:
    """Open the listeners, side by side, and cut the story into blocks."""
    data, notes, stimulus, times = [], [], None, None
    for name in names:
        try:
            stimulus, recording = open_dataset(DATASET, name, root)
        except CorruptDataError as error:
            if strict:
                raise
            notes.append(f"excluded {name}: {error}")
            continue
        data.append(high_pass(recording, period=128.0).data)
        times = recording.times
    assert stimulus is not None
    assert times is not None
    Y = np.hstack(data).astype(np.float32)
    words, place = clean_words(stimulus.words, "en")
    onset = stimulus.onset[place]
    middle = onset + stimulus.duration[place] / 2
    stories = []
    for k, rows in enumerate(np.array_split(np.arange(len(Y)), blocks)):
        rows = rows if k == blocks - 1 else rows[:-GAP]
        first, last = times[rows[0]], times[rows[-1]] + 2
        inside = (middle >= first - 10) & (middle < last)  # words that were heard shortly before
        part = Y[rows] - Y[rows].mean(axis=0)
        stories.append(
            Story(
                tuple(np.array(words, dtype=object)[inside]),
                onset[inside],
                middle[inside],
                part / part.std(axis=0),
                times[rows],
                f"block {k + 1}",
            )
        )
    return stories, notes


def shifted_scores(decoder, story: Story, n: int) -> list:
    """Score the mapping of responses shifted in a circle, by at least a tenth of the block."""
    rng = np.random.default_rng(0)
    n_samples = len(story.times)
    shifts = rng.integers(n_samples // 10, n_samples - n_samples // 10, n)
    moved = (replace(story, responses=np.roll(story.responses, s, axis=0)) for s in shifts)
    return [map_story(decoder, each) for each in moved]


def score_of(scores, name: str) -> float:
    """Return mean r or 2v2 accuracy."""
    return float(scores.r.mean()) if name == "r" else scores.pairwise


def report(study) -> None:
    """Print what to know first, then all tables."""
    for line in cautions(study):
        typer.echo(line)
    for i, mapper in enumerate(study["mapper"].values):
        cells = [
            f"{name} {float(study[f'mapper_{name}'][i]):.3f} (shifted "
            f"{float(study[f'mapper_{name}_null'][i].mean()):.3f}, p "
            f"{float(study[f'mapper_{name}_p'][i]):.3f})"
            for name in ("r", "2v2")
        ]
        typer.echo(f"{mapper:20s}{'   '.join(cells)}")
    columns = ["score", "half", "null_mean", "gain", "z", "p", "q"]
    for metric in study["metric"].values:
        table = study[columns].sel(metric=metric).to_dataframe()[columns]
        typer.echo(f"\n{metric}\n{table.round(3).to_string()}")
        typer.echo(show_controls(study, metric))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlignmentWarning)
        run_command(main)

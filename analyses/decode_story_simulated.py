"""Can text be read back from simulated subjects, and is it at its null without signal?

Stories (The Little Prince where its word times are on this machine, otherwise told by the language
model) pass through planted weights, a haemodynamic response and autocorrelated noise, and are
written as the folders of ds003020 / ds004510; what follows reads those folders. Training never sees
the last two stories: on the first of them the weight of the language model is chosen, the other is
decoded, by the encoding likelihood (Tang) and by the similarity of embeddings (MapGuide), beside
permuted brain, noise, the wrong story, the language model alone, the ceiling and the random null.
In Chinese (``--language zh --model qwen0.5b``) by words or characters.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer
import xarray

from brainlm.bundle import check_output, save_bundle
from brainlm.cache import content_key
from brainlm.datasets import is_on_disk, open_stimulus
from brainlm.decoding.beam import Beam
from brainlm.decoding.conditions import (
    GUIDES,
    brain_guide,
    choose_weight,
    conditions,
    spread_of,
)
from brainlm.decoding.evaluation import Window, cut_windows
from brainlm.decoding.mappers import MAPPERS, EmbeddingDecoder
from brainlm.decoding.simulation import (
    LEAD,
    Simulation,
    invent_stories,
    simulate_stories,
    write_layout,
)
from brainlm.decoding.stories import Story, first_seconds, stories_of
from brainlm.decoding.story_decoder import Settings, StoryDecoder, fit_story_decoder
from brainlm.decoding.study import Judges, idf_of_stories, map_story, reconstruct_story
from brainlm.decoding.text_metrics import text_scores
from brainlm.errors import UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.options import Debug, Model, Out, Overwrite, Root, choose, run
from brainlm.readers import read_stories
from brainlm.stimulus import Stimulus

LABELS = {"likelihood": "Tang", "similarity": "MapGuide", "mixture": "Mixture"}


def main(
    model: Model = "smollm2",
    language: Annotated[str, typer.Option(help="en or zh.")] = "en",
    level: Annotated[str, typer.Option(help="Unit of Chinese: word or character.")] = "word",
    snrs: Annotated[str, typer.Option(help="Signal to noise, separated by commas.")] = "2,0.3,0",
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
    seconds: Annotated[float, typer.Option(help="Of the test story that are decoded.")] = 120,
    beam: Annotated[int, typer.Option(min=1)] = 20,
    weights: Annotated[
        str, typer.Option(help="Of the language model, in spreads of the guide's gains.")
    ] = "0,0.3",
    null: Annotated[int, typer.Option(min=5, help="Random reconstructions.")] = 10,
    noise: Annotated[int, typer.Option(min=1, help="Draws of noise input per guide.")] = 1,
    encoder: Annotated[
        str, typer.Option(help="Of BERTScore; '' for none. Default: minilm in English, else none.")
    ] = "auto",
    work: Annotated[Path | None, typer.Option(help="Kept reconstructions; resumes.")] = None,
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
        layer=9,
        context=context,
        n_targets=max(10, voxels // 2),
        mapper=EmbeddingDecoder(mapper, standardize=False),
        longest=1 if language == "en" else 2,
        level=level,
    )
    network = LanguageModel(model, dtype="bfloat16", cache=True)
    if debug:
        levels, voxels, beam, null, seconds, tried = levels[:1], 60, 3, 5, 36, [0.0]
        settings = replace(settings, n_components=24, n_targets=40, n_inputs=30, n_frequent=500)
    stimulus, source = open_text(network, language, root, debug)
    stimulus = stimulus.select(np.isin(stimulus.run, stimulus.runs[-sections:]))
    if encoder == "auto":
        encoder = "minilm" if language == "en" else ""
    judge = LanguageModel(encoder) if encoder and not debug else None
    results = []
    for snr in levels:
        simulation = Simulation(voxels, snr)
        stories = through_folder(network, stimulus, simulation, level)
        typer.echo(f"\nSNR {snr:g}: {len(stories) - 2} training stories, {voxels} voxels")
        decoder = fit_story_decoder(network, stories[:-2], settings, language)
        tuning, test = (first_seconds(story, seconds) for story in stories[-2:])
        shares = equal_spreads(decoder, tuning) if "Mixture" in used else (1.0, 1.0)
        beams = {
            label: Beam(beam, lm_weight=tune(decoder, tuning, name, beam, tried, shares))
            for label, name in used.items()
        }
        found = conditions(
            decoder, test, stories[-2].responses,
            {label: (used[label], each) for label, each in beams.items()}, weights=shares,
            n_noise=noise,
        )  # fmt: skip
        key = content_key({"Y": test.responses, "voxels": voxels, "beam": beam, "mapper": mapper,
                           "revision": network.identity, "context": context, "level": level,
                           "training": [s.words for s in stories[:-2]],
                           "weights": [*shares, *(b.lm_weight for b in beams.values())],
                           })  # fmt: skip
        judges = Judges.default(judge, idf_of_stories(stories[:-2]), language, level)
        each = reconstruct_story(
            decoder, test, found, judges, n_null=null, folder=work, key=key, n_jobs=jobs,
            progress=True,
        )  # fmt: skip
        quality = map_story(decoder, test)
        each["mapping_r"], each["mapping_2v2"] = float(np.mean(quality.r)), quality.pairwise
        each["encoding_r2"] = float(np.median(decoder.encoding.r2))
        for label, search in beams.items():
            each[f"lm_weight_{label}"] = search.lm_weight
        report(each)
        results.append(each)
    scores = xarray.concat(results, xarray.IndexVariable("snr", levels), join="outer")
    unit = f", by {level}s" if language == "zh" else ""
    scores.attrs["title"] = f"Simulated subject, {voxels} voxels, beam {beam}, {source}{unit}"
    save_bundle(
        out,
        analysis="decode_story_simulated",
        arrays={"scores": scores},
        config={
            "model": model, "snrs": levels, "voxels": voxels, "mapper": mapper, "beam": beam,
            "seconds": seconds, "guides": list(used), "context": context, "null": null,
            "noise": noise,
            "weights": tried, "text": source,
            "language": language, "level": level, "sections": len(stimulus.runs),
            "settings": {k: v for k, v in vars(settings).items() if k != "mapper"}, "debug": debug,
        },
        inputs={"model": network.origin([]), "simulation": vars(Simulation(voxels))},
        notes=["simulated responses: no finding about brains"],
        figures=["reconstruction_scores", "reconstruction_gain", "reconstruction_text"],
        overwrite=overwrite,
    )  # fmt: skip
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


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
            "language": stimulus.language, "tier": "word", "first_sample": LEAD,
            "sampling_interval": simulation.step, "unit": "simulated (a.u.)",
        }  # fmt: skip
        train = read_stories(
            folder / "data_train", "S1", pattern="train_response/{subject}/{story}.hf5",
            words="train_stimulus/{story}.TextGrid", counts="respdict.json", trimmed=10, **options,
        )  # fmt: skip
        test = read_stories(
            folder / "data_test", "S1",
            pattern="test_response/{subject}/perceived_speech/{story}.hf5",
            words="test_stimulus/perceived_speech/{story}.TextGrid", **options,
        )  # fmt: skip
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


def report(each: xarray.Dataset) -> None:
    """Print the table of one subject."""
    typer.echo(
        f"mapping: r {float(each['mapping_r']):.3f}, 2v2 {float(each['mapping_2v2']):.3f}; "
        f"encoding R2 {float(each['encoding_r2']):.3f}"
    )
    names = ("score", "half", "null_mean", "gain", "z", "share", "p", "q", "whole_score", "whole_z")
    for metric in each["metric"].values:
        table = each.sel(metric=metric)[list(names)].to_dataframe()[list(names)]
        typer.echo(f"\n{metric}\n{table.round(3).to_string()}")


if __name__ == "__main__":
    run(main)

"""What can be read back from the stories of a public fMRI data set?

Any time series of fMRI with words and at least four runs: SMN4Lang in Chinese (by words, or by
characters with ``--dataset smn4lang-fmri-characters``), The Little Prince, LeBel et al. 2023. One
listener at a time: two runs are held out, one to be decoded and one as the wrong story; voxels,
weights, noise, word rate and vocabulary are learned on the others. Responses stay on disk until the
best voxels are known. Both guides are shown with permuted brain and noise (several draws each), the
wrong story, the language model alone, the ceiling and the random null. One story of one listener
does not say which guide is better.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.decoding import CAUTION
from brainlm.decoding.controls import cautions
from brainlm.decoding.decoder import Settings, fit_story_decoder
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder
from brainlm.decoding.stories import Story, first_seconds, load_story, stories_of, story_key
from brainlm.decoding.story_scores import Judges, compare_guides, idf_of_stories
from brainlm.decoding.text_view import show_story, write_pages
from brainlm.encoding.align import delays_between
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.storage.store import content_key
from brainlm.workflow import Debug, Out, Overwrite, Root, choose, run_command

INTERVAL = 2.0  # seconds: faster volumes are averaged to about this
MODELS = {"en": "smollm2", "zh": "qwen0.5b"}


def main(
    dataset: Annotated[str, typer.Option(help="Name or card of a data set.")] = "smn4lang-fmri",
    subject: Annotated[str, typer.Option(help="Default: the first one.")] = "",
    test: Annotated[str, typer.Option(help="Run to decode. Default: the last one.")] = "",
    stories: Annotated[int, typer.Option(min=0, help="To learn from, from the first; 0: all.")] = 0,
    model: Annotated[
        str,
        typer.Option(
            help="Causal language model. Default: smollm2 in English, qwen0.5b in Chinese."
        ),
    ] = "",
    layer: Annotated[int, typer.Option(min=1)] = 9,
    context: Annotated[
        float, typer.Option(min=0.1, help="Seconds of text that a word is read behind, at least.")
    ] = 6.0,
    voxels: Annotated[
        int, typer.Option(min=10, help="Those of the best fit in training.")
    ] = 10_000,
    average: Annotated[
        int, typer.Option(min=0, help="Volumes that become one sample; 0: about two seconds.")
    ] = 0,
    period: Annotated[
        float, typer.Option(min=0, help="Slower drifts are taken out, s; 0: none.")
    ] = 128.0,
    mapper: Annotated[str, typer.Option(help=f"One of {', '.join(MAPPERS)}.")] = "ridge",
    seconds: Annotated[float, typer.Option(help="Of the run that are decoded; 0: all.")] = 0,
    beam: Annotated[int, typer.Option(min=1)] = 50,
    null: Annotated[int, typer.Option(min=5, help="Random reconstructions.")] = 20,
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of noise input, and of the permuted brain.")
    ] = 3,
    encoder: Annotated[str, typer.Option(help="Encoder of BERTScore; '' for none.")] = "",
    work: Annotated[Path | None, typer.Option(help="Kept reconstructions; resumes.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Out = Path("results/decode_story_dataset"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """What can be read back from the stories of a public fMRI data set?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    choose(mapper, MAPPERS, "mapper")
    stimulus, recording = open_story_dataset(dataset, subject, root)
    subject = recording.subject
    level = "character" if Path(dataset).stem.endswith("-characters") else "word"
    step = sampling_interval(recording.times[recording.run == recording.runs[0]])
    average = average or max(1, round(INTERVAL / step))
    every = stories_of(stimulus, recording, level, average=average, period=period or None)
    train, wrong, reference = held_out(every, test, dataset)
    train = train[:stories] if stories else train
    settings = Settings(
        layer=layer,
        context_seconds=context,
        n_targets=voxels,
        level=level,
        delays=tuple(delays_between(step * average)),
        mapper=EmbeddingDecoder(mapper, standardize=False),
    )
    if debug:
        train, beam, null, draws, seconds = train[:4], min(beam, 3), 5, min(draws, 2), 50
        settings = replace(settings, n_components=16, n_targets=40, n_inputs=30, n_frequent=100)
    reference = first_seconds(reference, seconds) if seconds else load_story(reference)
    if len(wrong.times) < len(reference.times):
        raise DataMissingError(
            f"--test {reference.name}: it has {len(reference.times)} samples, the longest other "
            f"run {len(wrong.times)}, too few for the wrong-story null: give --seconds "
            f"{len(wrong.times) * step * average:.0f} or less, or another run"
        )
    network = LanguageModel(model or default_model(stimulus.language), dtype="bfloat16", cache=True)
    wrong = load_story(wrong)
    hashes = dataset_hashes(dataset, subject, root)
    decoder = fit_story_decoder(network, train, settings, stimulus.language)
    judge = LanguageModel(encoder) if encoder else None
    judges = Judges.default(judge, idf_of_stories(train), stimulus.language, level)
    key = content_key(
        {
            "stories": [story_key(wrong), story_key(reference)],
            "data": hashes,
            "train": [each.name for each in train],
            "average": average,
            "period": period,
            "beam": beam,
            "mapper": mapper,
            "revision": network.identity,
            "settings": {k: v for k, v in vars(decoder.settings).items() if k != "mapper"},
        }
    )
    study = compare_guides(
        decoder,
        reference,
        ("wrong story", wrong.responses),
        judges,
        beam=beam,
        n_null=null,
        n_draws=draws,
        folder=work,
        key=key,
        n_jobs=jobs,
    )
    study.attrs["title"] = (
        f"{dataset}, {subject}, run {reference.name}: {len(train)} training stories, beam {beam}"
    )
    typer.echo(show_story(study))
    save_bundle(
        out,
        analysis="decode_story_dataset",
        arrays={"scores": study},
        config={
            "dataset": dataset,
            "subject": subject,
            "test": reference.name,
            "model": network.name,
            "layer": layer,
            "context": decoder.settings.context,
            "voxels": len(decoder.targets),
            "average": average,
            "period": period,
            "mapper": mapper,
            "seconds": seconds,
            "beam": beam,
            "null": null,
            "draws": draws,
            "level": level,
            "debug": debug,
        },
        inputs={
            "data": hashes,
            "train": [each.name for each in train],
            "model": network.origin([]),
        },
        notes=[
            *cautions(study),
            CAUTION,
            *recording.notes,
            f"samples are means of {average} volumes, the last of a run that fill none left out",
            f"wrong story: {wrong.name}",
        ],
        figures=["reconstruction_scores", "reconstruction_text"],
        overwrite=overwrite,
    )
    write_pages(study, out)
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def open_story_dataset(dataset: str, subject: str, root: Path | None) -> tuple[Stimulus, Recording]:
    """Open a data set; raise unless it is fMRI of stories with word times."""
    card = read_card(dataset)
    if card.kind == "responses" and card.modality == "fmri":
        subjects = list_subjects(dataset, root)
        (chosen,) = choose(subject or subjects[0], subjects)
        stimulus, recording = open_dataset(dataset, chosen, root)
        if recording.times is not None and stimulus.timed:
            return stimulus, recording
    raise UnknownNameError(
        f"--dataset {dataset!r}: is not a time series of fMRI with timed words, which stories are "
        "decoded from; brainlm datasets lists what there is"
    )


def default_model(language: str) -> str:
    """Return the model of a language that has a default."""
    code = language.split("-")[0]
    if code not in MODELS:
        raise UnknownNameError(f"--model: none is the default for {language!r}; name one")
    return MODELS[code]


def held_out(every: list[Story], test: str, dataset: str) -> tuple[list[Story], Story, Story]:
    """Return training stories, the wrong story (the longest of the others) and the test story."""
    names = [each.name for each in every]
    if len(every) < 4:
        raise DataMissingError(
            f"--dataset {dataset!r} has too few runs ({len(every)}): two are held out, at least "
            "two are learned from"
        )
    (test,) = choose(test or names[-1], names, "run")
    reference = every[names.index(test)]
    others = [each for each in every if each.name != test]
    wrong = max(others, key=lambda each: len(each.times))
    return [each for each in others if each.name != wrong.name], wrong, reference


if __name__ == "__main__":
    run_command(main)

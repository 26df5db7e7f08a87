"""What can be read back from the stories of a participant's own folder?

The folder has the layout of ds003020 / ds004510 as public code expects it (``data_train``,
``data_test``). The decoder is trained on the participant's training stories and decodes one test
story, compared with permuted brain and noise (several draws each), another story, the language
model alone, the ceiling and the random null. It cannot decode anyone without hours of their own
training data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from brainlm.decoding import CAUTION
from brainlm.decoding.controls import cautions
from brainlm.decoding.decoder import Settings, fit_story_decoder
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder
from brainlm.decoding.stories import Story, first_seconds, load_story, stories_of, story_key
from brainlm.decoding.story_scores import Judges, compare_guides, idf_of_stories
from brainlm.decoding.text_view import show_story, write_pages
from brainlm.errors import DataMissingError, unknown_name
from brainlm.io import read_stories
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.storage.store import content_key
from brainlm.workflow import Debug, Model, Out, Overwrite, choose, run_command

SKIP = (
    "sentence_start",
    "sentence_end",
    "br",
    "lg",
    "ls",
    "ns",
    "sp",
    "sil",
    "{BR}",
    "{LG}",
    "{LS}",
    "{NS}",
    "{SP}",
    "{SL}",
    "{CG}",
    "{IG}",
    "{OG}",
)


def main(
    folder: Annotated[Path, typer.Argument(help="Holds data_train and data_test.")],
    subject: Annotated[str, typer.Option(help="As its folder is named.")] = "S1",
    story: Annotated[str, typer.Option(help="Test story. Default: the first one.")] = "",
    experiment: Annotated[str, typer.Option()] = "perceived_speech",
    language: Annotated[str, typer.Option(help="Language code of the stories.")] = "en",
    model: Model = "smollm2",
    layer: Annotated[int, typer.Option(min=1)] = 9,
    context: Annotated[
        float, typer.Option(min=0.1, help="Seconds of text that a word is read behind, at least.")
    ] = 6.0,
    mapper: Annotated[str, typer.Option(help=f"One of {', '.join(MAPPERS)}.")] = "ridge",
    beam: Annotated[int, typer.Option(min=1)] = 50,
    null: Annotated[int, typer.Option(min=5, help="Random reconstructions.")] = 20,
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of noise input, and of the permuted brain.")
    ] = 3,
    interval: Annotated[float, typer.Option(help="TR in seconds.")] = 2.0,
    first: Annotated[float, typer.Option(help="Time of the first sample in the sound, s.")] = 10.0,
    encoder: Annotated[str, typer.Option(help="Encoder of BERTScore; '' for none.")] = "",
    work: Annotated[Path | None, typer.Option(help="Kept reconstructions; resumes.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Out = Path("results/decode_story_folder"),
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """What can be read back from the stories of a participant's own folder?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    choose(mapper, MAPPERS, "mapper")
    clock = {"first_sample": first, "sampling_interval": interval, "language": language}
    train = open_side(folder, "train", subject, "", clock)
    test = open_side(folder, "test", subject, f"{experiment}/", clock)
    names = [each.name for each in test]
    chosen = story or names[0]
    if chosen not in names:
        raise unknown_name("test story", chosen, names)
    reference = test[names.index(chosen)]
    n_samples = len(reference.times)
    others = [each for each in [*test, *train] if each.name != chosen]
    wrong = max(others, key=lambda each: len(each.times))
    settings = Settings(
        layer=layer, context_seconds=context, mapper=EmbeddingDecoder(mapper, standardize=False)
    )
    if debug:
        beam, null, draws = min(beam, 3), 5, min(draws, 2)
        settings = replace(settings, n_components=16, n_targets=40, n_inputs=30, n_frequent=100)
        reference = first_seconds(reference, 18 * interval)
        n_samples = len(reference.times)
    if len(wrong.times) < n_samples:
        raise DataMissingError(
            f"{folder}: no other story is as long as {chosen!r} ({n_samples} samples), so there "
            "is no wrong-story null; decode a shorter one"
        )
    other = "training story" if wrong.name in [each.name for each in train] else "wrong story"
    reference, wrong = load_story(reference), load_story(wrong)
    network = LanguageModel(model, dtype="bfloat16", cache=True)
    decoder = fit_story_decoder(network, train, settings, language)
    judge = LanguageModel(encoder) if encoder else None
    judges = Judges.default(judge, idf_of_stories(train), language)
    key = content_key(
        {
            "stories": [story_key(each) for each in (*train, wrong, reference)],
            "beam": beam,
            "mapper": mapper,
            "language": language,
            "revision": network.identity,
            "settings": {k: v for k, v in vars(decoder.settings).items() if k != "mapper"},
        }
    )
    study = compare_guides(
        decoder,
        reference,
        (other, wrong.responses),
        judges,
        beam=beam,
        n_null=null,
        n_draws=draws,
        folder=work,
        key=key,
        n_jobs=jobs,
    )
    study.attrs["title"] = f"{subject}, {chosen}: {len(train)} training stories, beam {beam}"
    typer.echo(show_story(study))
    save_bundle(
        out,
        analysis="decode_story_folder",
        arrays={"scores": study},
        config={
            "subject": subject,
            "story": chosen,
            "model": model,
            "layer": layer,
            "mapper": mapper,
            "context": decoder.settings.context,
            "beam": beam,
            "null": null,
            "draws": draws,
            "debug": debug,
            **clock,
        },
        inputs={"train": [each.name for each in train], "model": network.origin([])},
        notes=[*cautions(study), CAUTION, f"{other}: {wrong.name}"],
        figures=["reconstruction_scores", "reconstruction_text"],
        overwrite=overwrite,
    )
    write_pages(study, out)
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def open_side(folder: Path, side: str, subject: str, inner: str, clock: dict) -> list[Story]:
    """Open the training or the test stories of a subject."""
    counts = {}
    if side == "train" and (folder / "data_train/respdict.json").is_file():
        counts = {"counts": "respdict.json", "trimmed": 10}
    base = folder / f"data_{side}"
    if not base.is_dir():
        raise DataMissingError(
            f"{base}: no such folder; brainlm decode reads data_train, data_test"
        )
    return stories_of(
        *read_stories(
            base,
            subject,
            pattern=f"{side}_response/{{subject}}/{inner}{{story}}.hf5",
            words=f"{side}_stimulus/{inner}{{story}}.TextGrid",
            skip=SKIP,
            unit="BOLD (z within story)",
            **counts,
            **clock,
        )
    )


if __name__ == "__main__":
    run_command(main)

"""Which text can be read back from the stories of a public fMRI data set?

Any time series of fMRI with words and at least four runs: SMN4Lang in Chinese (by words, or by
characters with ``--dataset smn4lang-fmri-characters``), The Little Prince, LeBel et al. 2023. One
listener at a time: two runs are held out, one to be decoded and one as the wrong story; voxels,
weights, noise, word rate and vocabulary are learned on the others. Responses stay on disk until the
best voxels are known. Both scorers are shown with permuted brain and noise (several draws each),
the wrong story, the language model alone, the ceiling and the random null. One story of one
listener does not decide which scorer is better.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.decoding.decoder import fit_story_decoder
from brainlm.decoding.stories import Story, first_seconds, load_story, stories_of
from brainlm.encoding.align import delays_between
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.workflow import Run, choose, grouped, option, options, run_command
from brainlm.workflow.decoding import (
    DecoderOptions,
    StorySearchOptions,
    decode_story,
    decoding_model,
    longest_other,
)

INTERVAL = 2.0  # seconds: faster volumes are averaged to about this
MODELS = {"en": "smollm2", "zh": "qwen0.5b"}
DECODER = DecoderOptions(model="")  # by language
SEARCH = StorySearchOptions(beam=50, null=20)


@dataclass(frozen=True)
class Samples:
    """Options of the training stories and of their samples."""

    stories: int = option(0, "Training stories, from the first (0: all).", min=0)
    average: int = option(0, "Volumes averaged to one sample (0: about two seconds).", min=0)
    period: float = option(
        128.0, "Drifts slower than so many seconds are removed (0: none).", min=0
    )
    seconds: float = option(0.0, "Seconds of the test run that are decoded (0: all).")


@grouped
def main(
    dataset: Annotated[str, typer.Option(help="Name or card of a data set.")] = "smn4lang-fmri",
    subject: Annotated[str, typer.Option(help="Subject. Default: the first.")] = "",
    test: Annotated[str, typer.Option(help="Run to decode. Default: the last.")] = "",
    samples: Samples = Samples(),
    decoder: DecoderOptions = DECODER,
    search: StorySearchOptions = SEARCH,
    out: options.Out = Path("results/decode_story_dataset"),
    root: options.Root = None,
    debug: options.Debug = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Which text can be read back from the stories of a public fMRI data set?"""
    with Run(locals()) as run:
        stimulus, recording = open_stories(dataset, subject, root)
        run.uses(recording)
        step = sampling_interval(recording.times[recording.run == recording.runs[0]])
        average = samples.average or max(1, round(INTERVAL / step))
        level = "character" if Path(dataset).stem.endswith("-characters") else "word"
        delays = tuple(delays_between(step * average))
        settings = decoder.settings(debug=debug, level=level, delays=delays)
        cut = {"average": average, "period": samples.period or None}
        stories = stories_of(stimulus, recording, level, **cut)
        reference = reference_story(stories, test, dataset, 50.0 if debug else samples.seconds)
        wrong = longest_other(stories, reference)
        train = [each for each in stories if each.name not in (wrong.name, reference.name)]
        train = train[: 4 if debug else samples.stories or None]
        network = decoding_model(decoder.model or default_model(stimulus.language))
        fitted = fit_story_decoder(network, train, settings, stimulus.language)
        run.note(f"samples are means of {average} volumes; the last of a run are left out")
        used = {"subject": recording.subject, "test": reference.name, "level": level, **cut}
        title = f"{dataset}, {recording.subject}, run {reference.name}"
        other = "wrong story", wrong
        decode_story(run, fitted, train, reference, other, search.when(debug), title=title, **used)


def open_stories(dataset: str, subject: str, root: Path | None) -> tuple[Stimulus, Recording]:
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
        "decoded from; brainlm datasets lists all data sets"
    )


def default_model(language: str) -> str:
    """Return the model of a language that has a default."""
    if language.split("-")[0] not in MODELS:
        raise UnknownNameError(f"--model: none is the default for {language!r}; name one")
    return MODELS[language.split("-")[0]]


def reference_story(stories: list[Story], name: str, dataset: str, seconds: float) -> Story:
    """Return (the first seconds of) the story to decode; raise where too few are left to learn."""
    names = [each.name for each in stories]
    if len(stories) < 4:
        raise DataMissingError(
            f"--dataset {dataset!r} has too few runs ({len(stories)}): two are held out, and a "
            "decoder learns on at least two"
        )
    (chosen,) = choose(name or names[-1], names, "run")
    story = stories[names.index(chosen)]
    return first_seconds(story, seconds) if seconds else load_story(story)


if __name__ == "__main__":
    run_command(main)

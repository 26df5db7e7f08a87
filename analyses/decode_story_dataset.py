"""Which text can be read back from the stories of a public fMRI data set?

Any time series of fMRI with words and at least four runs: SMN4Lang in Chinese (by words, or by
characters with ``--dataset smn4lang-fmri-characters``), The Little Prince, LeBel et al. 2023. One
listener at a time: two runs are held out, one to be decoded and one as the wrong story; voxels,
weights, noise, word rate and vocabulary are learned on the others. Responses stay on disk until the
best voxels are known. Both scorers are shown with permuted brain and noise (several draws each),
the wrong story, the language model alone, the ceiling and the random null. One story of one
listener does not decide which scorer is better.
"""

from pathlib import Path
from typing import Annotated

import typer

from brainlm.data.recording import sampling_interval
from brainlm.decoding.decoder import fit_story_decoder
from brainlm.decoding.stories import stories_of
from brainlm.encoding.delays import delays_between
from brainlm.errors import UnknownNameError
from brainlm.workflow import Run, analysis, run_command
from brainlm.workflow.decoding_options import DecoderOptions, SampleOptions, StorySearchOptions
from brainlm.workflow.decoding_steps import (
    decode_story,
    decoding_model,
    longest_other,
    open_stories,
    reference_story,
)

INTERVAL = 2.0  # seconds: faster volumes are averaged to about this
MODELS = {"en": "smollm2", "zh": "qwen0.5b"}
DECODER = DecoderOptions(model="")  # by language
SAMPLES, SEARCH = SampleOptions(), StorySearchOptions(beam=50, null=20)


@analysis
def main(
    run: Run,
    dataset: Annotated[str, typer.Option(help="Name or card of a data set.")] = "smn4lang-fmri",
    subject: Annotated[str, typer.Option(help="Subject. Default: the first.")] = "",
    test: Annotated[str, typer.Option(help="Run to decode. Default: the last.")] = "",
    samples: SampleOptions = SAMPLES,
    decoder: DecoderOptions = DECODER,
    search: StorySearchOptions = SEARCH,
) -> None:
    stimulus, recording = open_stories(dataset, subject, run.root)
    run.uses(recording)
    step = sampling_interval(recording.times[recording.run == recording.runs[0]])
    average = samples.average or max(1, round(INTERVAL / step))
    level = "character" if Path(dataset).stem.endswith("-characters") else "word"
    delays = tuple(delays_between(step * average))
    settings = decoder.settings(debug=run.debug, level=level, delays=delays)
    cut = {"average": average, "period": samples.period or None}
    stories = stories_of(stimulus, recording, level, **cut)
    reference = reference_story(stories, test, dataset, 50.0 if run.debug else samples.seconds)
    wrong = longest_other(stories, reference)
    train = [each for each in stories if each.name not in (wrong.name, reference.name)]
    train = train[: 4 if run.debug else samples.stories or None]
    network = decoding_model(decoder.model or default_model(stimulus.language))
    fitted = fit_story_decoder(network, train, settings, stimulus.language)
    run.note(f"samples are means of {average} volumes; the last of a run are left out")
    used = {"subject": recording.subject, "test": reference.name, "level": level, **cut}
    used["scorers"] = decoder.chosen
    title = f"{dataset}, {recording.subject}, run {reference.name}"
    other = "wrong story", wrong
    decode_story(run, fitted, train, reference, other, search.when(run.debug), title=title, **used)


def default_model(language: str) -> str:
    """Return the model of a language that has a default."""
    if language.split("-")[0] not in MODELS:
        raise UnknownNameError(f"--model: none is the default for {language!r}; name one")
    return MODELS[language.split("-")[0]]


if __name__ == "__main__":
    run_command(main)

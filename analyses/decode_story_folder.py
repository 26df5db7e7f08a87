"""Which text can be read back from the stories of a participant's own folder?

The folder has the layout of ds003020 / ds004510 as public code expects it (``data_train``,
``data_test``). The decoder is trained on the participant's training stories and decodes one test
story, compared with permuted brain and noise (several draws each), another story, the language
model alone, the ceiling and the random null. It cannot decode anyone without hours of their own
training data.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from brainlm.decoding.decoder import fit_story_decoder
from brainlm.decoding.stories import first_seconds, load_story
from brainlm.decoding.story_folder import read_story_side
from brainlm.errors import unknown_name
from brainlm.workflow import Run, analysis, option, run_command
from brainlm.workflow.decoding_options import DecoderOptions, StorySearchOptions
from brainlm.workflow.decoding_steps import decode_story, decoding_model, longest_other

DECODER, SEARCH = DecoderOptions(), StorySearchOptions(beam=50, null=20)


@dataclass(frozen=True)
class Recorded:
    """Options of the recording."""

    experiment: str = option("perceived_speech", "Folder of the test responses.")
    language: str = option("en", "Language code of the stories.")
    interval: float = option(2.0, "Sampling interval (TR) in seconds.")
    first: float = option(10.0, "Time of the first sample in the sound, in seconds.")


@analysis
def main(
    run: Run,
    folder: Annotated[Path, typer.Argument(help="Folder with data_train and data_test.")],
    subject: Annotated[str, typer.Option(help="Subject, as its folder is named.")] = "S1",
    story: Annotated[str, typer.Option(help="Test story. Default: the first.")] = "",
    recorded: Recorded = Recorded(),
    decoder: DecoderOptions = DECODER,
    search: StorySearchOptions = SEARCH,
) -> None:
    settings = decoder.settings(debug=run.debug)
    clock = {
        "language": recorded.language,
        "first_sample": recorded.first,
        "sampling_interval": recorded.interval,
    }
    train = read_story_side(folder, "train", subject, **clock)
    test = read_story_side(folder, "test", subject, inner=recorded.experiment, **clock)
    names = [each.name for each in test]
    if story and story not in names:
        raise unknown_name("test story", story, names)
    reference = load_story(test[names.index(story or names[0])])
    if run.debug:
        reference = first_seconds(reference, 18 * recorded.interval)
    other = longest_other([*test, *train], reference)
    kind = "wrong story" if other.name in names else "training story"
    network = decoding_model(decoder.model)
    fitted = fit_story_decoder(network, train, settings, recorded.language)
    used = {"title": f"{subject}, {reference.name}", "story": reference.name}
    others = {"scorers": decoder.chosen, **used}
    decode_story(run, fitted, train, reference, (kind, other), search.when(run.debug), **others)


if __name__ == "__main__":
    run_command(main)

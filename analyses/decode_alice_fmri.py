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

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from brainlm.data.preprocessing import high_pass
from brainlm.decoding import CAUTION
from brainlm.decoding._contrastive import Training
from brainlm.decoding.controls import cautions
from brainlm.decoding.decoder import Settings, fit_story_decoder
from brainlm.decoding.embedding import EmbeddingDecoder
from brainlm.decoding.mapping_null import compare_mappings, mapping_lines
from brainlm.decoding.names import MAPPERS
from brainlm.decoding.stories import cut_blocks, first_seconds
from brainlm.decoding.story_study import DecodingStudy, published_scorers
from brainlm.decoding.text_scores import TextMetrics
from brainlm.decoding.text_view import condition_tables
from brainlm.workflow import Limits, Run, analysis, open_group, option, options, run_command
from brainlm.workflow.decoding_options import SearchOptions
from brainlm.workflow.decoding_steps import decoding_model

DATASET = "alice-fmri"
HIGH_PASS = 128.0  # seconds
GAP = 8  # samples between blocks
OTHER = "training block"  # of the same story: no other story was recorded
FAST = Training(epochs=30, batch=64, rate=1e-3, width=64, n_layers=1)
SEARCH = SearchOptions()


@dataclass(frozen=True)
class Blocks:
    """Options of the blocks of the story."""

    blocks: int = option(4, "Blocks of the story; the last is held out.", min=3)
    shifts: int = option(19, "Circular shifts of the responses, as the null of the mapping.", min=4)
    seconds: float = option(150.0, "Seconds of the held-out block that are decoded.")


@analysis
def main(
    run: Run,
    subjects: options.Subjects = "all",
    model: options.Model = "smollm2",
    layer: Annotated[int, typer.Option(min=1, help="Layer that embeds the words.")] = 9,
    blocks: Blocks = Blocks(),
    search: SearchOptions = SEARCH,
) -> None:
    blocks = replace(blocks, shifts=4, seconds=40.0) if run.debug else blocks
    search = search.when(run.debug)
    stimulus, listeners = open_group(
        DATASET, subjects, run.root, limits=Limits(subjects=4).when(run.debug)
    )
    run.uses(listeners)
    *train, test = cut_blocks(stimulus, high_pass(listeners, HIGH_PASS), blocks.blocks, GAP)
    network = decoding_model(model)
    decoders = {m: fit_story_decoder(network, train, settings_of(m, layer)) for m in MAPPERS}
    mappings = compare_mappings(decoders, test, blocks.shifts)

    metrics, n_null, n_draws = TextMetrics.default(), search.null, search.draws
    study = DecodingStudy(decoders["ridge"], metrics, n_null, n_draws, run.parts, progress=True)
    part, other = first_seconds(test, blocks.seconds), (OTHER, train[0].responses)
    scores = study.run(part, other, published_scorers(search.beam)).merge(mappings)
    title = f"last of {blocks.blocks} blocks, beam {search.beam}"
    scores.attrs["title"] = f"Alice, {test.responses.shape[1] // 6} listeners, {title}"
    run.show(*cautions(scores), *mapping_lines(scores), *condition_tables(scores))
    used = f"{OTHER}: {train[0].name} of the same story, which the decoder was trained on"
    run.note(*cautions(scores), CAUTION, used)
    run.uses(network)
    figures = ["reconstruction_scores", "reconstruction_text"]
    run.save(arrays={"scores": scores}, figures=figures, gap=GAP, training=vars(FAST))


def settings_of(mapper: str, layer: int) -> Settings:
    """Return the settings of the decoder with one of the mappers."""
    fitted = EmbeddingDecoder(mapper, standardize=False, settings=FAST)
    return Settings(layer, 8, n_components=50, n_inputs=60, longest=1, mapper=fitted)


if __name__ == "__main__":
    run_command(main)

"""Options and steps common to the analyses that decode text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from brainlm.data.stimulus import Stimulus
from brainlm.datasets.folders import is_on_disk
from brainlm.datasets.open import open_stimulus
from brainlm.decoding import CAUTION
from brainlm.decoding.controls import cautions
from brainlm.decoding.decoder import Settings, StoryDecoder
from brainlm.decoding.embedding import MAPPERS, EmbeddingDecoder
from brainlm.decoding.simulated_subjects import generate_stories
from brainlm.decoding.stories import Story, load_story
from brainlm.decoding.story_scores import idf_of_stories
from brainlm.decoding.study import DecodingStudy, published_scorers
from brainlm.decoding.text_scores import TextMetrics
from brainlm.decoding.text_view import show_story, write_pages
from brainlm.errors import DataMissingError, UnknownNameError, unknown_name
from brainlm.language_models import LanguageModel
from brainlm.storage.store import PartStore
from brainlm.workflow.option_groups import option
from brainlm.workflow.run import Run

__all__ = [
    "DecoderOptions",
    "PlantedOptions",
    "SearchOptions",
    "StorySearchOptions",
    "decode_story",
    "decoding_model",
    "longest_other",
    "open_planted_model",
    "open_story_text",
    "parse_numbers",
    "simulation_notes",
]

AnySearch = TypeVar("AnySearch", bound="SearchOptions")


@dataclass(frozen=True)
class SearchOptions:
    """Options of the search and its nulls."""

    beam: int = option(20, "Hypotheses that the beam search keeps.", min=1)
    null: int = option(10, "Random reconstructions, as the null distribution.", min=5)
    draws: int = option(3, "Draws of noise input, and of the permuted brain.", min=1)

    def when(self: AnySearch, debug: bool) -> AnySearch:
        """Return the options of a short trial run, or these."""
        if not debug:
            return self
        return replace(self, beam=min(self.beam, 3), null=5, draws=min(self.draws, 2))


@dataclass(frozen=True)
class StorySearchOptions(SearchOptions):
    """Options of the search in stories, and of the scores."""

    encoder: str = option("", "Encoder of BERTScore and sentence similarity ('': none).")
    jobs: int = option(1, "Processes; each holds the language model.", min=1)


@dataclass(frozen=True)
class DecoderOptions:
    """Options of a decoder of stories."""

    model: str = option("smollm2", "Causal language model: a name, a Hugging Face id, a folder.")
    layer: int = option(9, "Layer whose hidden states embed the words.", min=1)
    context: float = option(6.0, "Seconds of text that a word is read behind, at least.", min=0.1)
    voxels: int = option(10_000, "Voxels with the best fit in training that are used.", min=10)
    mapper: str = option("ridge", f"From brain to embedding: one of {', '.join(MAPPERS)}.")

    def settings(self, *, debug: bool, **others: Any) -> Settings:
        """Return the settings of the decoder, smaller in a short trial run."""
        if self.mapper not in MAPPERS:
            raise unknown_name("mapper", self.mapper, MAPPERS)
        settings = Settings(
            layer=self.layer,
            context_seconds=self.context,
            n_targets=self.voxels,
            mapper=EmbeddingDecoder(self.mapper, standardize=False),
            **others,
        )
        small: dict[str, Any] = {
            "n_components": 16,
            "n_targets": 40,
            "n_inputs": 30,
            "n_frequent": 100,
        }
        return replace(settings, **small) if debug else settings


@dataclass(frozen=True)
class PlantedOptions:
    """Options of the hidden states that are planted in simulated subjects."""

    planted: str = option("gemma3", "Causal model whose hidden states are planted.")
    planted_layer: int = option(9, "Layer of the planted states.", min=1)
    same_model: bool = option(False, "Plant the decoder's own model: a circular analysis.")


def decoding_model(name: str) -> LanguageModel:
    """Open a causal model for decoding: in half precision, its hidden states cached."""
    return LanguageModel(name, dtype="bfloat16", cache=True)


def longest_other(stories: list[Story], test: Story) -> Story:
    """Return the longest story but one, in memory: the control of a wrong story.

    Parameters
    ----------
    stories : list of Story
    test : Story
        As it will be decoded, so perhaps cut.
    """
    others = [each for each in stories if each.name != test.name]
    longest = max(others, key=lambda each: len(each.times))
    if len(longest.times) < len(test.times):
        step = test.times[1] - test.times[0]
        raise DataMissingError(
            f"{test.name} has {len(test.times)} samples, the longest other story "
            f"{len(longest.times)}, too few for the control of a wrong story: decode at most "
            f"{len(longest.times) * step:.0f} seconds, or a shorter story"
        )
    return load_story(longest)


def decode_story(
    run: Run,
    decoder: StoryDecoder,
    train: list[Story],
    test: Story,
    other: tuple[str, Story],
    search: StorySearchOptions,
    /,
    title: str,
    **settings: Any,
) -> None:
    """Decode a story by both published scorers; show, save and describe the scores.

    Reconstructions are saved beside the bundle, so that an interrupted run resumes.

    Parameters
    ----------
    run : Run
    decoder : StoryDecoder
    train : list of Story
        Stories that it was fitted to.
    test : Story
        In memory.
    other : (str, Story)
        Name of a further condition, such as ``"wrong story"``, and the story behind it.
    search : StorySearchOptions
    title : str
        Of the bundle.
    **settings
        Recorded in the bundle.
    """
    language, level = decoder.embedder.vocabulary.language, decoder.settings.level
    encoder = LanguageModel(search.encoder) if search.encoder else None
    study = DecodingStudy(
        decoder,
        TextMetrics.default(encoder, idf_of_stories(train), language, level),
        n_null=search.null,
        n_draws=search.draws,
        store=PartStore.beside(run.out),
        n_jobs=search.jobs,
        progress=True,
    )
    responses = other[0], other[1].responses
    scores = study.run(test, responses, published_scorers(search.beam))
    scores = scores.assign(study.mapping(test))
    scores.attrs["title"] = f"{title}: {len(train)} training stories, beam {search.beam}"
    run.show(show_story(scores))
    run.note(*cautions(scores), CAUTION, f"{other[0]}: {other[1].name}")
    run.uses(decoder.embedder.model)
    run.save(
        arrays={"scores": scores},
        figures=["reconstruction_scores", "reconstruction_text"],
        train=[each.name for each in train],
        context=decoder.settings.context,
        voxels=len(decoder.targets),
        beam=search.beam,
        null=search.null,
        draws=search.draws,
        **settings,
    )
    write_pages(scores, run.out)
    PartStore.beside(run.out).clear()


def open_planted_model(network: LanguageModel, given: PlantedOptions) -> LanguageModel:
    """Open the model that is planted; raise where it is the decoder's own and nobody asked."""
    planted = decoding_model(given.planted)
    if planted.revision == network.revision and not given.same_model:
        raise UnknownNameError(
            f"--planted {given.planted}: is the decoder's own model, which makes the analysis "
            "circular; name another causal model, or add --same-model to plant it all the same"
        )
    return planted


def simulation_notes(given: PlantedOptions) -> list[str]:
    """Return what a reader of a bundle of simulated subjects must not overlook."""
    notes = ["simulated responses: no finding about brains"]
    return notes + ["the decoder's own model is planted: a circular analysis"] * given.same_model


def open_story_text(
    network: LanguageModel, language: str, root: Path | None, *, debug: bool
) -> tuple[Stimulus, str]:
    """Open the Little Prince, or let the model write stories; return them and their name."""
    name = f"littleprince-{language}-words"
    if is_on_disk(name, root) and not debug:
        return open_stimulus(name, root=root), name
    n_stories, n_words = (4, 130) if debug else (8, 900)
    written = generate_stories(network, n_stories, n_words, language=language)
    return written, f"stories told by {network.name}"


def parse_numbers(text: str, name: str) -> list[float]:
    """Return the numbers of an option, separated by commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UnknownNameError(f"{name} {text!r}: give numbers separated by commas") from None

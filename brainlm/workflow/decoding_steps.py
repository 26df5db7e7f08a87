"""Options and steps common to the analyses that decode text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import is_on_disk, list_subjects
from brainlm.datasets.open import open_dataset, open_stimulus
from brainlm.decoding import CAUTION
from brainlm.decoding.beam_search import Beam
from brainlm.decoding.controls import cautions
from brainlm.decoding.crossed_study import CrossedStudy
from brainlm.decoding.decoder import Settings, StoryDecoder
from brainlm.decoding.embedding import EmbeddingDecoder
from brainlm.decoding.names import LABELS, MAPPERS, PROMPT, RECORDED
from brainlm.decoding.sentence_study import SentenceStudy
from brainlm.decoding.simulated_subjects import generate_stories
from brainlm.decoding.stories import Story, first_seconds, load_story
from brainlm.decoding.story_scores import idf_of_stories
from brainlm.decoding.story_study import DecodingStudy
from brainlm.decoding.text_scores import TextMetrics
from brainlm.decoding.text_view import show_story, write_pages
from brainlm.decoding.words import clean_words
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.workflow.decoding_options import (
    PlantedOptions,
    SearchOptions,
    SentenceDecoderOptions,
    SimulatedDecoderOptions,
    StorySearchOptions,
    StoryTextOptions,
    prompt_training,
)
from brainlm.workflow.options import choose
from brainlm.workflow.run import Run


def decoding_model(name: str) -> LanguageModel:
    """Open a causal model for decoding, in half precision where that is faster; states are kept."""
    return LanguageModel(name, dtype="auto", cache=True)


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
    scorers: Sequence[str] = RECORDED[:2],
    **settings: Any,
) -> None:
    """Decode a story by each scorer; show, save and describe the scores.

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
    scorers : sequence of str
        Of `brainlm.decoding.names.RECORDED`.
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
        store=run.parts,
        n_jobs=search.jobs,
        progress=True,
    )
    responses = other[0], other[1].responses
    guides = {LABELS[name]: (name, Beam(search.beam)) for name in scorers}
    scores = study.run(test, responses, guides)
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
    """Return notes on simulated subjects that a reader of the bundle must not overlook."""
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


def open_sentence_study(
    run: Run,
    stimulus: Stimulus,
    recording: Recording,
    decoder: SentenceDecoderOptions,
    search: SearchOptions,
) -> SentenceStudy:
    """Return sentences, patterns, passages and topics with all settings.

    The name of an item is ``topic/passage/sentence``.
    """
    search, place = search.when(run.debug), dict(stimulus.blocks("item"))
    texts = [clean_words(stimulus.words[place[item]], "en")[0] for item in recording.items]
    passages = np.array([str(item).rsplit("/", 1)[0] for item in recording.items])
    return SentenceStudy(
        decoding_model(decoder.model),
        texts,
        recording.data.astype(np.float32),
        passages,
        np.array([passage.split("/")[0] for passage in passages]),
        decoder.layer,
        decoder.mapper,
        search.beam,
        search.null,
        search.draws,
        run.parts,
    )


def open_crossed_study(
    run: Run,
    decoder: SimulatedDecoderOptions,
    text: StoryTextOptions,
    voxels: int,
    search: StorySearchOptions,
) -> CrossedStudy:
    """Check the options, open the models, and return the study of all stories and subjects."""
    choose(decoder.mapper, MAPPERS, "mapper")
    choose(text.language, ("en", "zh"), "language")
    choose(text.level, ("word", "character"), "level")
    english = text.language == "en"
    settings = Settings(
        layer=decoder.layer,
        context=decoder.context,
        n_targets=max(10, voxels // 2),
        mapper=EmbeddingDecoder(decoder.mapper, standardize=False),
        longest=1 if english else 2,
        level=text.level,
    )
    scorers = choose(decoder.scorers, list(LABELS), "scorer")
    if PROMPT in scorers:
        settings = replace(settings, prompt=prompt_training(debug=run.debug))
    small: dict[str, Any] = {"n_components": 24, "n_targets": 40, "n_inputs": 30, "n_frequent": 500}
    encoder = search.encoder if search.encoder != "auto" else "minilm" if english else ""
    search = search.when(run.debug)
    return CrossedStudy(
        decoding_model(decoder.model),
        replace(settings, **small) if run.debug else settings,
        text.language,
        scorers,
        search.beam,
        [0.0] if run.debug else parse_numbers(decoder.weights, "--weights"),
        36.0 if run.debug else text.seconds,
        search.null,
        search.draws,
        run.parts,
        search.jobs,
        LanguageModel(encoder) if encoder and not run.debug else None,
    )

"""Decoder of stories, learned on training stories alone.

Continuous mode, for time series. `fit_story_decoder` learns, on the training runs alone: the
vocabulary, the space of words, the encoding model and its noise (Tang), the mapper to embeddings
(MapGuide) and the word rate. `StoryDecoder.decode` gets responses and their times, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from brainlm._progress import step
from brainlm.compute.lazy_arrays import TargetView
from brainlm.compute.memory import check_memory
from brainlm.decoding.beam_search import (
    Beam,
    CandidateEmbedder,
    Reconstruction,
    decode_text,
    decode_texts,
)
from brainlm.decoding.embedding import EmbeddingDecoder, responses_after
from brainlm.decoding.encoding_model import EncodingModel, choose_targets, fit_encoding_model
from brainlm.decoding.prompt_examples import PromptExamples, join_examples, story_examples
from brainlm.decoding.prompted import PromptedModel
from brainlm.decoding.scorers import EmbeddingSimilarity, EncodingLikelihood, Scorer
from brainlm.decoding.soft_prompt import PromptTraining, SoftPrompt, fit_soft_prompt
from brainlm.decoding.stimulus_model import (
    RowScale,
    StimulusModel,
    learn_row_scale,
    learn_space,
    row_times,
    story_rows,
    word_weights,
)
from brainlm.decoding.stories import StackedResponses, Story
from brainlm.decoding.vocabulary import Vocabulary, build_vocabulary
from brainlm.decoding.word_rate import WordRate, fit_word_rate
from brainlm.decoding.words import clean_words, read_states
from brainlm.encoding.delays import delay
from brainlm.language_models import LanguageModel
from brainlm.language_models.tokens import spell
from brainlm.storage.store import content_key

ROUNDING = 1e-8  # of the largest variance: that of values in single precision


@dataclass(frozen=True)
class Settings:
    """Settings of a story decoder.

    Attributes
    ----------
    layer, context : int
        Layer whose hidden states embed the words, and words of context: a word is read behind
        ``context`` to ``2 * context - 1`` others (`brainlm.decoding.beam_cache`).
    context_seconds : float, optional
        Context in seconds, in place of words: ``context`` becomes the number of words that the
        training stories have in so many seconds on average.
    n_components : int
        Principal components of the words' states.
    n_targets : int
        Voxels with the best cross-validated fit; published: 10,000.
    n_inputs : int
        Principal components of these voxels that the mapper sees.
    delays : tuple of int
        In samples.
    shrinkage : float
        Of the noise covariance to the identity; published: 2/3.
    mapper : EmbeddingDecoder
        Its ``n_lags`` is set to the number of delays. By default the inputs keep the scale of
        their principal components: z-scored, the small ones bring as much noise as the large ones.
    n_frequent : int
        Most frequent words of the language that may be decoded besides those of the training
        stories.
    longest : int
        Words of more tokens are not decoded; 1 saves a forward pass per word.
    level : {"word", "character"}
        Unit of Chinese; see `brainlm.decoding.words.clean_words`.
    prompt : PromptTraining, optional
        Train a soft prompt, too (`brainlm.decoding.soft_prompt`); the last training story decides
        when its training stops.
    """

    layer: int = 12
    context: int = 16
    context_seconds: float | None = None
    n_components: int = 128
    n_targets: int = 10_000
    n_inputs: int = 128
    delays: tuple[int, ...] = (1, 2, 3, 4)
    shrinkage: float = 2 / 3
    mapper: EmbeddingDecoder = field(default_factory=lambda: EmbeddingDecoder(standardize=False))
    n_frequent: int = 5000
    longest: int = 4
    level: str = "word"
    prompt: PromptTraining | None = None


@dataclass(frozen=True, eq=False)
class StoryDecoder:
    """Models learned on the training stories; see `fit_story_decoder`.

    Attributes
    ----------
    key : str
        SHA-256 of all that it was learned from: stories, language model, settings.
    """

    embedder: CandidateEmbedder
    scale: RowScale
    encoding: EncodingModel
    targets: np.ndarray
    inputs: PCA
    mapper: EmbeddingDecoder
    word_rate: WordRate
    settings: Settings
    key: str
    prompt: SoftPrompt | None = None

    @property
    def before(self) -> int:
        """Rows before the first sample: the longest delay."""
        return max(self.settings.delays)

    def stimulus_model(self, middle: np.ndarray, times: np.ndarray) -> StimulusModel:
        """Return the stimulus model of words at these times."""
        return StimulusModel(word_weights(middle, row_times(times, self.before)), self.scale)

    def likelihood(self, responses: np.ndarray) -> EncodingLikelihood:
        """Return Tang's scorer for responses (n_samples, n_targets), z-scored."""
        return EncodingLikelihood(self.encoding, responses[:, self.targets], self.before)

    def decoded_rows(self, responses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return decoded rows, (n_rows, n_features), and which of them were decoded."""
        X, samples = responses_after(self._components(responses), self.settings.delays)
        rows = np.zeros((self.before + len(responses), len(self.scale.mean)), dtype=np.float32)
        known = np.zeros(len(rows), dtype=bool)
        rows[samples + self.before] = self.mapper.predict(X)
        known[samples + self.before] = True
        return rows, known

    def similarity(self, responses: np.ndarray) -> EmbeddingSimilarity:
        """Return MapGuide's scorer for responses (n_samples, n_targets), z-scored."""
        return EmbeddingSimilarity(*self.decoded_rows(responses))

    def prompted(self, responses: np.ndarray) -> PromptedModel:
        """Return BrainLLM's scorer for responses (n_samples, n_targets), z-scored."""
        if self.prompt is None:
            raise ValueError("the decoder has no soft prompt: fit it with Settings(prompt=...)")
        X, samples = responses_after(self._components(responses), self.settings.delays)
        rows = np.tile(self.prompt.mean, (self.before + len(responses), 1))
        rows[samples + self.before] = X
        embedder = self.embedder
        return PromptedModel(embedder.model, embedder.vocabulary, self.prompt, rows)

    def prompt_examples(self, story: Story) -> PromptExamples:
        """Return the words of each sample of a known text and its responses (for scores only)."""
        return _examples(self.embedder, story, self._components(story.responses), self.settings)

    def true_rows(self, story: Story) -> np.ndarray:
        """Return the rows of a known text (for ceilings and scores of the mapping only)."""
        embedding = self.embedder.space.project(_states(self.embedder, story.words))
        rows = story_rows(embedding, story.middle, row_times(story.times, self.before))
        return self.scale.apply(rows)

    def word_times(self, responses: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return the middle of each word that the word-rate model predicts, in seconds."""
        return self.word_rate.predict(self._components(responses), times)

    def decode(
        self, scorer: Scorer, middle: np.ndarray, times: np.ndarray, beam: Beam | None = None
    ) -> Reconstruction:
        """Decode a text whose words have these middles (predicted from the responses)."""
        return decode_text(self.embedder, self.stimulus_model(middle, times), scorer, beam)

    def decode_all(
        self,
        scorers: Sequence[Scorer],
        middle: np.ndarray,
        times: np.ndarray,
        beams: Sequence[Beam],
    ) -> list[Reconstruction]:
        """Decode several texts with the same word times; see `beam_search.decode_texts`."""
        return decode_texts(self.embedder, self.stimulus_model(middle, times), scorers, beams)

    def _components(self, responses: np.ndarray) -> np.ndarray:
        return self.inputs.transform(responses[:, self.targets]).astype(np.float32)


@step("fit the decoder of stories")
def fit_story_decoder(
    model: LanguageModel, stories: list[Story], settings: Settings, language: str = "en"
) -> StoryDecoder:
    """Learn a decoder on training stories.

    Parameters
    ----------
    model : LanguageModel
        Causal.
    stories : list of Story
        At least two; never the one to be decoded.
    settings : Settings
    language : str

    Raises
    ------
    ValueError
        Fewer than two stories, differing TRs or voxels, an unfit model or vocabulary.
    MemoryError
        Raised before the fit starts.
    """
    _check(stories, settings)
    settings = _in_words(stories, settings)
    vocabulary = _vocabulary(model, stories, settings, language)
    embedder = CandidateEmbedder(
        model, vocabulary, learn_space(np.eye(2)), settings.context, settings.layer
    )
    states = [_states(embedder, story.words) for story in stories]
    space = learn_space(np.concatenate(states), settings.n_components)
    embedder = CandidateEmbedder(model, vocabulary, space, settings.context, settings.layer)
    before = max(settings.delays)
    words = [space.project(found) for found in states]
    raw = [
        story_rows(found, story.middle, row_times(story.times, before))
        for found, story in zip(words, stories, strict=True)
    ]
    scale = learn_row_scale(np.concatenate(raw), np.concatenate(words))
    rows = [scale.apply(part).astype(np.float32) for part in raw]
    X = np.concatenate([delay(part, settings.delays)[before:] for part in rows])
    runs = np.repeat([story.name for story in stories], [len(s.times) for s in stories])
    every = StackedResponses([story.responses for story in stories])
    targets = choose_targets(X, TargetView(every), runs, settings.n_targets)
    stories = [replace(story, responses=story.responses[:, targets]) for story in stories]
    Y = np.concatenate([story.responses for story in stories])
    encoding = fit_encoding_model(X, Y, runs, delays=settings.delays, shrinkage=settings.shrinkage)
    inputs = reduce_responses(Y, settings.n_inputs)
    mapper = _fit_mapper(stories, rows, inputs, settings)
    rate = fit_word_rate_of_stories(stories, inputs, settings.delays)
    key = _key(model, stories, targets, settings, language)
    prompt = _fit_prompt(embedder, stories, inputs, settings)
    fitted = encoding, targets, inputs, mapper, rate, settings, key, prompt
    return StoryDecoder(embedder, scale, *fitted)


def _fit_prompt(
    embedder: CandidateEmbedder, stories: list[Story], inputs: PCA, settings: Settings
) -> SoftPrompt | None:
    """Train the soft prompt, where one is asked for; the last story is held out."""
    if settings.prompt is None:
        return None
    examples = [
        _examples(embedder, story, inputs.transform(story.responses), settings) for story in stories
    ]
    train = join_examples(examples[:-1])
    return fit_soft_prompt(embedder.model, train, examples[-1], settings.prompt)


def _examples(
    embedder: CandidateEmbedder, story: Story, components: np.ndarray, settings: Settings
) -> PromptExamples:
    """Return the examples of a story, given the principal components of its responses."""
    assert settings.prompt is not None
    X, samples = responses_after(components.astype(np.float32), settings.delays)
    tokens = spell(embedder.model.tokenizer, story.words, embedder.vocabulary.language)
    return story_examples(story, tokens, X, samples, settings.prompt.context)


def fit_word_rate_of_stories(stories: list[Story], inputs: PCA, delays: Sequence[int]) -> WordRate:
    """Fit a word-rate model on components of the responses to training stories."""
    return fit_word_rate(
        [inputs.transform(story.responses) for story in stories],
        [story.times for story in stories],
        [story.onset for story in stories],
        tuple(delays),
    )


def reduce_responses(Y: np.ndarray, n_components: int) -> PCA:
    """Return the principal components of training responses (n_samples, n_targets).

    Only those with more variance than rounding has: responses z-scored in k stories have at most
    n_samples - k, and what z-scores an empty one later blows new samples up.
    """
    found = PCA(min(n_components, *Y.shape), random_state=0).fit(Y)
    full = int((found.explained_variance_ > ROUNDING * found.explained_variance_[0]).sum())
    return found if full == found.n_components_ else PCA(full, random_state=0).fit(Y)


def _in_words(stories: list[Story], settings: Settings) -> Settings:
    """Turn a context in seconds into words, at the mean rate of the training stories."""
    if settings.context_seconds is None:
        return settings
    words = sum(len(story.words) for story in stories)
    seconds = sum(story.middle[-1] - story.middle[0] for story in stories)
    context = round(settings.context_seconds * words / seconds)
    if context < 1:
        raise ValueError(
            f"context_seconds={settings.context_seconds:g} holds no word: the training stories "
            f"have {words / seconds:.2g} words per second"
        )
    return replace(settings, context=context, context_seconds=None)


def _key(
    model: LanguageModel, stories: list[Story], targets: np.ndarray, given: Settings, language: str
) -> str:
    def plain(value: Any) -> Any:
        return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value

    apart = {"mapper", "prompt"} if given.prompt is None else {"mapper"}
    settings = {f.name: plain(getattr(given, f.name)) for f in fields(given) if f.name not in apart}
    mapper = given.mapper.get_params()
    return content_key(
        {
            "model": model.identity,
            "dtype": model.dtype,
            "language": language,
            "words": [story.words for story in stories],
            "middle": [story.middle for story in stories],
            "times": [story.times for story in stories],
            "responses": [story.responses for story in stories],
            "targets": targets,
            "settings": settings,
            "mapper": {name: str(plain(value)) for name, value in mapper.items()},
        }
    )


def _fit_mapper(
    stories: list[Story], rows: list[np.ndarray], inputs: PCA, given: Settings
) -> EmbeddingDecoder:
    from sklearn.base import clone

    X, Y, runs = [], [], []
    for story, part in zip(stories, rows, strict=True):
        components = inputs.transform(story.responses).astype(np.float32)
        seen, samples = responses_after(components, given.delays)
        X.append(seen)
        Y.append(part[samples + max(given.delays)])
        runs += [story.name] * len(samples)
    mapper: Any = clone(given.mapper).set_params(n_lags=len(given.delays))
    return mapper.fit(np.concatenate(X), np.concatenate(Y), runs)


def _check(stories: list[Story], settings: Settings) -> None:
    if len(stories) < 2:
        raise ValueError(f"a decoder needs at least two training stories, got {len(stories)}")
    if min(settings.delays) < 1:
        raise ValueError(f"delays must be at least 1 sample, got {list(settings.delays)}")
    widths = {story.name: story.responses.shape[1] for story in stories}
    if len(set(widths.values())) > 1:
        raise ValueError(f"stories differ in their voxels: {widths}")
    n_samples, n_targets = sum(len(s.times) for s in stories), stories[0].responses.shape[1]
    n_columns = settings.n_components * len(settings.delays)
    n_kept = min(n_targets, settings.n_targets)
    check_memory(
        4 * (4 * n_samples * n_kept + 3 * n_columns * n_kept + 4 * n_samples * n_columns)
        + 8 * min(n_samples, n_kept) ** 2,
        f"{n_samples} samples x {n_kept} voxels with {n_columns} delayed features",
        "use fewer voxels, components or stories",
    )


def _vocabulary(
    model: LanguageModel, stories: list[Story], settings: Settings, language: str
) -> Vocabulary:
    import wordfreq

    words = [word for story in stories for word in story.words]
    code = language.split("-")[0]
    frequent: list[str] = []
    if settings.n_frequent and code in wordfreq.available_languages():
        found = wordfreq.top_n_list(code, settings.n_frequent)
        frequent, _ = clean_words(found, language, settings.level)
    return build_vocabulary(
        model.tokenizer, [*words, *frequent], language, longest=settings.longest
    )


def _states(embedder: CandidateEmbedder, words: tuple[str, ...]) -> np.ndarray:
    return read_states(
        embedder.model,
        words,
        embedder.vocabulary.language,
        layer=embedder.layer,
        context=embedder.context,
    )

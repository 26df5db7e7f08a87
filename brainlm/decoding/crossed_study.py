"""Decoding of several stories of several simulated subjects, each story by a decoder of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainlm.decoding.beam_search import Beam
from brainlm.decoding.decoder import Settings, StoryDecoder, fit_story_decoder
from brainlm.decoding.names import LABELS
from brainlm.decoding.stories import Story, first_seconds
from brainlm.decoding.story_scores import idf_of_stories
from brainlm.decoding.story_study import DecodingStudy
from brainlm.decoding.text_scores import TextMetrics
from brainlm.decoding.tuning import equal_weights, tune_lm_weight
from brainlm.errors import DataMissingError
from brainlm.language_models import LanguageModel
from brainlm.storage.store import PartStore

if TYPE_CHECKING:
    import xarray

Cell = tuple[float, int, str]  # signal-to-noise ratio, subject, story


def spread_evenly(n_stories: int, n: int) -> Iterator[int]:
    """Return the places of the stories to decode, spread evenly over all.

    Raises
    ------
    DataMissingError
        There are fewer stories, or fewer than four: a decoder leaves two out.
    """
    if n > n_stories or n_stories < 4:
        raise DataMissingError(
            f"--stories {n}: there are {n_stories}, and a decoder leaves two of at least four out"
        )
    return (int(place) for place in np.linspace(0, n_stories - 1, n).round())


@dataclass(frozen=True, eq=False)
class CrossedStudy:
    """Model, scorers and settings common to all stories and subjects.

    Attributes
    ----------
    model : LanguageModel
        Of the decoder.
    settings : Settings
    language : str
    scorers : sequence of str
        Of `brainlm.decoding.names.SCORERS`; a mixture weighs both scorers alike.
    beam : int
    lm_weights : sequence of float
        To choose from on the tuning story, in standard deviations of the gains.
    seconds : float
        Of each story that are decoded.
    n_null, n_draws, store, n_jobs
        As in `brainlm.decoding.story_study.DecodingStudy`.
    encoder : LanguageModel, optional
        Of BERTScore and sentence similarity.
    """

    model: LanguageModel
    settings: Settings
    language: str
    scorers: Sequence[str]
    beam: int
    lm_weights: Sequence[float]
    seconds: float
    n_null: int
    n_draws: int
    store: PartStore | None = None
    n_jobs: int = 1
    encoder: LanguageModel | None = None

    @property
    def used(self) -> dict[str, float]:
        """Settings, changed in a short trial run."""
        names = {"beam": self.beam, "null": self.n_null, "draws": self.n_draws}
        return {**names, "seconds": self.seconds}

    def metrics(self, train: Sequence[Story] = ()) -> TextMetrics:
        """Return the metrics; rare words of the training stories weigh more in BERTScore."""
        idf = idf_of_stories(train)
        return TextMetrics.default(self.encoder, idf, self.language, self.settings.level)

    def cells(
        self,
        simulate: Callable[[float, int], list[Story]],
        levels: Iterable[float],
        n_subjects: int,
        n_stories: int,
        say: Callable[[str], None] = lambda line: None,
    ) -> dict[Cell, xarray.Dataset]:
        """Decode every chosen story of every subject at every level.

        Parameters
        ----------
        simulate : callable
            From a signal-to-noise ratio and a seed to the stories of a subject.
        levels : iterable of float
            Signal-to-noise ratios.
        n_subjects, n_stories : int
            Stories are spread evenly over those of a subject.
        say : callable
            Called with one line per story.
        """
        cells = {}
        for snr in levels:
            for subject in range(n_subjects):
                stories = simulate(snr, subject)
                for place in spread_evenly(len(stories), n_stories):
                    name = stories[place].name
                    say(f"SNR {snr:g}, subject {subject + 1}, story {name}")
                    seed = 1000 * (subject * len(stories) + place)  # no two texts share draws
                    cells[snr, subject + 1, name] = self.decode(stories, place, seed)
        return cells

    def decode(self, stories: Sequence[Story], place: int, seed: int = 0) -> xarray.Dataset:
        """Decode one story; the one before it is the wrong story and the tuning story."""
        n_stories = len(stories)
        out = (place, (place - 1) % n_stories)
        train = [stories[i] for i in range(n_stories) if i not in out]
        decoder = fit_story_decoder(self.model, train, self.settings, self.language)
        tuning, test = (first_seconds(stories[i], self.seconds) for i in (place - 1, place))
        mixed = "mixture" in self.scorers
        weights = equal_weights(decoder, tuning) if mixed else (1.0, 1.0)
        beams = {name: self._beam(decoder, tuning, name, weights) for name in self.scorers}
        study = DecodingStudy(
            decoder,
            self.metrics(train),
            self.n_null,
            self.n_draws,
            self.store,
            self.n_jobs,
            progress=True,
        )
        scorers = {LABELS[name]: (name, beam) for name, beam in beams.items()}
        wrong = "wrong story", stories[place - 1].responses
        scores = study.run(test, wrong, scorers, weights=weights, seed=seed)
        weights_used = {f"lm_weight_{k}": beam.lm_weight for k, (_, beam) in scorers.items()}
        r2 = float(np.median(decoder.encoding.r2))
        return scores.assign({**study.mapping(test), "encoding_r2": r2, **weights_used})

    def _beam(
        self, decoder: StoryDecoder, tuning: Story, name: str, mixture: tuple[float, float]
    ) -> Beam:
        weight = tune_lm_weight(decoder, tuning, name, self.beam, self.lm_weights, mixture=mixture)
        return Beam(self.beam, lm_weight=weight)

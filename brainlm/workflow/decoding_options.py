"""Groups of command-line options of the analyses that decode text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from brainlm.decoding.names import FACTORS, LABELS, MAPPERS, PROMPT, RECORDED, SCORERS
from brainlm.workflow.option_groups import option
from brainlm.workflow.options import choose

if TYPE_CHECKING:
    from brainlm.decoding.decoder import Settings
    from brainlm.decoding.soft_prompt import PromptTraining

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
class SentenceDecoderOptions:
    """Options of a decoder of sentences."""

    model: str = option("smollm2", "Causal language model: a name, a Hugging Face id, a folder.")
    layer: int = option(9, "Layer whose hidden states embed the words.", min=1)
    mapper: str = option("ridge", f"From brain to embedding: one of {', '.join(MAPPERS)}.")


@dataclass(frozen=True)
class DecoderOptions(SentenceDecoderOptions):
    """Options of a decoder of stories."""

    context: float = option(6.0, "Minimum context of a word, in seconds of text.", min=0.1)
    voxels: int = option(10_000, "Number of voxels, those with the best fit in training.", min=10)
    scorers: str = option(
        "likelihood,similarity", f"Of {', '.join(RECORDED)}, separated by commas."
    )

    @property
    def chosen(self) -> list[str]:
        """Names of the scorers."""
        return choose(self.scorers, RECORDED, "scorer")

    def settings(self, *, debug: bool, **others: Any) -> Settings:
        """Return the settings of the decoder, smaller in a short trial run."""
        from brainlm.decoding.decoder import Settings
        from brainlm.decoding.embedding import EmbeddingDecoder

        choose(self.mapper, MAPPERS, "mapper")
        if PROMPT in self.chosen:
            others["prompt"] = prompt_training(debug=debug)
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


def prompt_training(*, debug: bool) -> PromptTraining:
    """Return the settings of a soft prompt; a single epoch in a short trial run."""
    from brainlm.decoding.soft_prompt import PromptTraining

    return PromptTraining(epochs=1) if debug else PromptTraining()


@dataclass(frozen=True)
class PlantedOptions:
    """Options of the hidden states that are planted in simulated subjects."""

    planted: str = option("gemma3", "Causal model whose hidden states are planted.")
    planted_layer: int = option(9, "Layer of the planted states.", min=1)
    same_model: bool = option(False, "Allow planting the decoder's own model, a circular analysis.")


@dataclass(frozen=True)
class SampleOptions:
    """Options of the training stories and of their samples."""

    stories: int = option(0, "Number of training stories, counted from the first (0: all).", min=0)
    average: int = option(0, "Volumes averaged into one sample (0: about two seconds).", min=0)
    period: float = option(
        128.0, "Drifts slower than so many seconds are removed (0: none).", min=0
    )
    seconds: float = option(0.0, "Seconds of the test run to decode (0: all).")


@dataclass(frozen=True)
class SimulatedDecoderOptions:
    """Options of a decoder of simulated subjects."""

    model: str = option("smollm2", "Causal language model of the decoder.")
    layer: int = option(9, "Layer of the decoder's hidden states.", min=1)
    context: int = option(
        16, "Minimum context of a word, in words; the maximum is twice as many.", min=1
    )
    mapper: str = option("ridge", f"From brain to embedding: one of {', '.join(MAPPERS)}.")
    scorers: str = option(
        "likelihood,similarity",
        f"Of {', '.join(LABELS)}, separated by commas; the mixture weighs the first two alike.",
    )
    weights: str = option(
        "0",
        "Weights of the language model to choose from, in standard deviations of the gains (0: as "
        "published).",
    )
    score: str = option("bleu-1", "Score in which the scorers are compared.")


@dataclass(frozen=True)
class SimulatedSubjectOptions(PlantedOptions):
    """Options of the simulated subjects."""

    snrs: str = option("3,0", "Signal-to-noise ratios, separated by commas.")
    voxels: int = option(1000, "Voxels of a subject.", min=20)
    subjects: int = option(3, "Simulated subjects.", min=2)


@dataclass(frozen=True)
class StoryTextOptions:
    """Options of the stories that simulated subjects hear."""

    language: str = option("en", "Language of the stories: en or zh.")
    level: str = option("word", "Unit of Chinese: word or character.")
    sections: int = option(9, "Number of stories, counted from the last.", min=4)
    stories: int = option(5, "Number of stories to decode.", min=2)
    seconds: float = option(40.0, "Seconds of each story to decode.")


@dataclass(frozen=True)
class AblationOptions:
    """Options of the default variant and of the factors that vary."""

    factors: str = option("all", f"'all', or of {', '.join(FACTORS)}, separated by commas.")
    scorer: str = option("similarity", f"Scorer of the default variant: {', '.join(SCORERS)}.")
    snr: float = option(1.0, "Signal-to-noise ratio of the default variant.", min=0)
    beam: int = option(8, "Hypotheses of the beam search in the default variant.", min=1)
    snrs: str = option(
        "0,0.3,2", "Signal-to-noise ratios in the grid of mappers and training data ('': no grid)."
    )
    minutes: str = option("15,0", "Training minutes in the grid of mappers and noise (0: all).")


@dataclass(frozen=True)
class AblationTestOptions:
    """Options of the subject, the test story and its scores."""

    voxels: int = option(1000, "Voxels of the subject.", min=20)
    seconds: float = option(60.0, "Seconds of the test story.", min=30)
    null: int = option(8, "Random reconstructions, as the null distribution.", min=3)
    encoder: str = option("minilm", "Encoder of BERTScore ('': none).")

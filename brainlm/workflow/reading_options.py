"""Command-line options of how language models read the texts of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from brainlm.errors import unknown_name
from brainlm.language_models.windows import POOLINGS
from brainlm.workflow.option_groups import option

if TYPE_CHECKING:
    from brainlm.comparison.feature_spaces import Reading


@dataclass(frozen=True)
class ReadingOptions:
    """Options of context and pooling."""

    context: int = option(
        0,
        "Words of context before each word of a sentence or story (0: the sentence; of a story "
        "256, of a masked model 32).",
        min=0,
    )
    pooling: str = option(
        "mean", f"How a word is made of its tokens: one of {', '.join(POOLINGS)}."
    )

    def reading(self) -> Reading | None:
        """Return how models read; None where all is as usual.

        Raises
        ------
        UnknownNameError
            There is no such pooling.
        """
        from brainlm.comparison.feature_spaces import Reading

        if self.pooling not in POOLINGS:
            raise unknown_name("pooling", self.pooling, POOLINGS)
        usual = not self.context and self.pooling == "mean"
        return None if usual else Reading(self.context or None, self.pooling)

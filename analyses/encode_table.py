"""Which layers of a language model predict the numbers in a table of words?

A CSV, TSV or XLSX file with a column of words and columns of numbers, such as ratings or response
times, is enough. Every column of numbers is predicted from every layer of a language model by ridge
encoding and by similarity encoding, as in `encode_human_ratings`: with word length and frequency,
random embeddings with the geometry of each layer, untrained twins of the model, and a verdict on
what the model explains beyond each. Folds are contiguous blocks of the alphabet, or whole groups
of words (``--group``).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from brainlm.data.recording import Recording
from brainlm.encoding.splits import ContiguousBlocks, Groups, Split
from brainlm.io.word_table import from_table
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import (
    Limits,
    Run,
    analysis,
    encode_rated_words,
    keep_covered,
    option,
    options,
    run_command,
)

N_FOLDS = 5
GAP = 20  # words on both sides of a test block; a tenth of a short table


@dataclass(frozen=True)
class Columns:
    """Columns of the table."""

    word: str = option("word", "Column of the words.")
    targets: str = option("", "Columns to predict, separated by commas. Default: all numbers.")
    language: str = option("", "Language code of the words, such as zh. Default: column language.")
    subject: str = option("", "Column that says who responded, in a long table.")
    group: str = option("", "Column of words that belong together: no fold divides them.")
    missing: str = option("drop", "Words with missing values: drop or refuse.")

    def open(self, table: Path) -> tuple:
        """Return words and numbers."""
        targets = [each.strip() for each in self.targets.split(",")] if self.targets else None
        return from_table(
            table,
            word=self.word,
            targets=targets,
            language=self.language or None,
            subject=self.subject or None,
            group=self.group or None,
            missing=self.missing,
        )


@analysis
def main(
    run: Run,
    table: Annotated[Path, typer.Argument(help="File: CSV, TSV or XLSX.")],
    columns: Columns = Columns(),
    model: options.Model = "minilm",
    layers: options.Layers = "all",
    twins: options.Twins = 1,
    vectors: Annotated[
        str, typer.Option(help="Word vectors to compare with, such as glove-6b-50d, or none.")
    ] = "none",
) -> None:
    stimulus, numbers = columns.open(table)
    references = []
    if vectors != "none":
        static = LanguageModel(vectors)
        stimulus, numbers = keep_covered(stimulus, numbers, static)
        references = [static]
    stimulus, numbers = Limits(items=400).when(run.debug).cut(stimulus, numbers)
    encode_rated_words(
        run,
        stimulus,
        numbers,
        folds(numbers, grouped=bool(columns.group)),
        model=model,
        layers=layers,
        twins=twins,
        references=[each.embed(stimulus)[0].renamed(vectors) for each in references],
        title=f"{model}: {table.stem}",
    )


def folds(numbers: Recording, *, grouped: bool) -> Split:
    """Blocks of the alphabet, or of whole groups."""
    if not grouped:
        return ContiguousBlocks(N_FOLDS, gap=min(GAP, numbers.n_samples // 10))
    return Groups(numbers.run, min(N_FOLDS, len(numbers.runs)))


if __name__ == "__main__":
    run_command(main)

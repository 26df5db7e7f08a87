"""Which layers of a language model encode human meaning ratings?

The Lancaster sensorimotor norms (six senses) and concreteness are predicted from every layer of a
language model by ridge encoding and by similarity encoding. GloVe, word length with Zipf frequency,
random embeddings with the geometry of each layer and untrained twins of the model are shown with
them; the verdict says what the model explains beyond each. All spaces see the same
words and the same folds: contiguous blocks of the alphabet, so that inflections of a word stay
together. Ratings of your own: `encode_table`.
"""

from brainlm.encoding.splits import ContiguousBlocks
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import (
    Limits,
    Run,
    analysis,
    encode_rated_words,
    keep_covered,
    open_group,
    options,
    run_command,
)

DATASET = "human-ratings"


@analysis
def main(
    run: Run,
    subjects: options.Subjects = "all",
    model: options.Model = "minilm",
    layers: options.Layers = "all",
    twins: options.Twins = 1,
) -> None:
    stimulus, ratings = open_group(DATASET, subjects, run.root)
    glove = LanguageModel("glove-6b-50d")
    stimulus, ratings = keep_covered(stimulus, ratings, glove)
    stimulus, ratings = Limits(items=400).when(run.debug).cut(stimulus, ratings)
    encode_rated_words(
        run,
        stimulus,
        ratings,
        ContiguousBlocks(n_splits=5, gap=20),
        model=model,
        layers=layers,
        twins=twins,
        references=[glove.embed(stimulus)[0].renamed("GloVe")],
        title=f"{model}: human meaning ratings",
        dataset=DATASET,
    )


if __name__ == "__main__":
    run_command(main)

"""Which layers of a language model encode human meaning ratings?

The Lancaster sensorimotor norms (six senses) and concreteness are predicted from every layer of a
language model by ridge encoding and by similarity encoding. GloVe, word length with Zipf frequency,
random embeddings with the geometry of each layer and untrained twins of the model are shown with
them; the verdict says what the model explains beyond each. All spaces see the same
words and the same folds: contiguous blocks of the alphabet, so that inflections of a word stay
together.
"""

from functools import partial

from brainlm.comparison.verdict import verdict, verdict_dataset
from brainlm.data.features import concatenate
from brainlm.encoding.encode import encode, with_baselines
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import LeaveOneOut, SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.features.baselines import word_length, zipf_frequency
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Limits, Run, analysis, keep_covered, open_group, options, run_command

DATASET = "human-ratings"
ENCODERS = {
    "ridge encoding": RidgeEncoder(),
    "similarity encoding": SimilarityEncoder("mulcogbench"),
    "similarity, published form": LeaveOneOut(center=False),
}


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

    embed = partial(LanguageModel.embed, context="none", progress=True)
    wanted = options.layer_list(layers)
    copies = [LanguageModel(model, untrained=seed) for seed in range(twins)]
    surface = [word_length(stimulus), zipf_frequency(stimulus)]
    spaces = with_baselines(
        embed(LanguageModel(model), stimulus, wanted),
        [glove.embed(stimulus)[0].renamed("GloVe")],
        untrained=[layer for copy in copies for layer in embed(copy, stimulus, wanted)],
        added=[concatenate(surface, "length + frequency")],
    )
    split = ContiguousBlocks(n_splits=5, gap=20)
    title = f"{model}: human meaning ratings"
    result = encode(spaces, ratings, split, ENCODERS, title=title, progress=True)

    run.show(f"\n{ratings}", *ratings.notes, f"\n{result.table().to_string()}\n")
    run.show(
        f"r: mean over {ratings.n_targets} ratings and 5 folds ± 95 % interval over folds",
        "-: similarity encoding is undefined for two features, and for spaces side by side",
    )
    judged = verdict_dataset(verdict(result, n_draws=0), model)  # words do not recur
    run.show(judged.attrs["sentence"])
    run.save(
        result,
        arrays={"verdict": judged},
        figures=["layer_curve", "verdict", "target_bars", "target_heat_map", "alphas"],
        dataset=DATASET,
        n_words=stimulus.n_words,
    )


if __name__ == "__main__":
    run_command(main)

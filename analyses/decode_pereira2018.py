"""Can the embedding of a sentence be decoded from one person's brain activity?

Pereira et al. 2018, 627 sentences, one pattern of 1,000 principal components each. Ridge regression
maps the pattern to the embedding of the sentence (every layer of a language model; GloVe), with
whole passages and whole topics left out. 2v2 and rank accuracy are computed among the held-out
sentences of each fold, 2v2 between different passages only, against refitted permutations in which
passages of the same length change places. That null lies a little above .5, mostly because
passages of three sentences come from one of the two experiments only: permuting keeps a part of the
difference between the experiments, which identifies an experiment and not a sentence.
"""

import warnings
from typing import Annotated, Any

import numpy as np
import typer
from tqdm import tqdm

from brainlm.datasets.folders import list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.decoding import embedding_accuracy as accuracy
from brainlm.encoding.labelled_scores import stack_folds
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.splits import Groups
from brainlm.stats.permutation import permute_groups
from brainlm.workflow import Run, analysis, options, run_command

DATASET = "pereira2018"
# The patterns keep the scale of their principal components, so that large components weigh more;
# eigenvalues then lie between those of z-scored features and their squares.
ALPHAS = np.logspace(1, 9, 9)


@analysis
def main(
    run: Run,
    subjects: options.Subjects = "all",
    model: options.Model = "minilm",
    layers: options.Layers = "all",
    permutations: Annotated[int, typer.Option(min=1, help="Refitted permutations.")] = 100,
) -> None:
    (subject,) = options.choose(subjects, list_subjects(DATASET, run.root))
    stimulus, recording = open_dataset(DATASET, subject, run.root)
    if run.debug:
        permutations, layers = min(permutations, 5), "0,-1" if layers == "all" else layers
        stimulus, recording = first_sentences(stimulus, recording)
    passages = np.array([str(item).rsplit("/", 1)[0] for item in recording.items])
    splits = splits_of(passages, 4 if run.debug else 8)
    spaces = accuracy.embed_sentences(stimulus, recording, model, options.layer_list(layers))
    rng = np.random.default_rng(0)
    orders = [permute_groups(passages, rng) for _ in range(permutations)]
    ridge, X = RidgeEncoder(ALPHAS, standardize=False), recording.data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # kept in the notes of the bundle
        found = {
            name: [
                accuracy.decode_space(space, X, ridge, split, passages, orders)
                for space in tqdm(spaces, desc=name, unit="space")
            ]
            for name, split in splits.items()
        }
    n = recording.n_samples
    scores = accuracy.tabulate_accuracies(found, f"{model}: decoding {n} sentences, Pereira 2018")
    run.show(*accuracy.identification_lines(scores))
    run.uses(recording, *spaces)
    run.note(*(note for row in found.values() for each in row for note in each.fitted.notes))
    arrays = {"scores": scores, "predictions": accuracy.predictions_of(found)}
    arrays |= {f"folds_{k.split()[1]}": stack_folds(each, n) for k, each in splits.items()}
    run.save(arrays=arrays, figures=["decoding_curve", "decoding_null"], alphas=ALPHAS)


def first_sentences(stimulus: Any, recording: Any) -> tuple[Any, Any]:
    """Return the sentences of the first thousand words."""
    kept = np.isin(recording.items, stimulus.sentence[:1000])
    words = np.isin(stimulus.sentence, recording.items[kept])
    recording = recording.select_samples(kept, "debug: the first sentences only")
    return stimulus.select(words), recording


def splits_of(passages: np.ndarray, n_splits: int) -> dict[str, Groups]:
    """Return the folds that leave whole passages out, and those that leave whole topics out."""
    topics = np.array([passage.split("/")[0] for passage in passages])
    return {
        "leave passages out": Groups(passages, n_splits, interleave=True),
        "leave topics out": Groups(topics, n_splits),
    }


if __name__ == "__main__":
    run_command(main)

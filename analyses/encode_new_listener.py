"""Does an encoder of the other listeners predict a new one, and does alignment help?

Brennan et al. 2016: listeners of the first chapter of Alice in Wonderland, six regions. For each
listener in turn, an encoder of a layer (or, with ``--model none``, of word rate, length, frequency
and position alone) is fitted to the others and brought to the listener by the same regions, by
Procrustes, by a shared response model, or by a ridge regression, all learned in the training folds.
Each is compared with the listener's own encoder and with the same regions. Six regions that bear
the same names correspond already; voxels do not, so here alignment has little to gain.
"""

import numpy as np

from brainlm.comparison.layer_scores import table_of
from brainlm.data.features import Features, concatenate
from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import sampling_interval
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.across_subjects import alignment_scores, alignment_table
from brainlm.encoding.align import align
from brainlm.encoding.delays import delays_between
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.features import baselines
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Limits, Run, analysis, open_group, options, run_command

DATASET = "alice-fmri"
CONTEXT = 64  # words
GAP = 16.0  # seconds: the longest lag, the Lanczos window, and one sample to spare
HIGH_PASS = 128.0  # seconds
COLUMNS = "encoder r over_own over_own_q over_anatomy over_anatomy_q"


@analysis
def main(
    run: Run,
    subjects: options.Subjects = "all",
    model: options.Model = "smollm2",
    depth: options.Depth = 0.6,
) -> None:
    limits = Limits(subjects=3).when(run.debug)
    stimulus, listeners = open_group(DATASET, subjects, run.root, limits=limits)
    listeners = high_pass(listeners, HIGH_PASS)
    stimulus, listeners = Limits(seconds=240).when(run.debug).cut(stimulus, listeners)
    features = features_of(stimulus, model, depth)
    step = sampling_interval(listeners.times)
    X = align(features, listeners, delays=delays_between(step)).X
    split = ContiguousBlocks(3 if run.debug else 6, int(np.ceil(GAP / step)), listeners.run)
    who = listeners.targets["subject"].to_numpy()
    people = list(dict.fromkeys(who))
    responses = [listeners.data[:, who == person] for person in people]
    names = listeners.targets.loc[who == people[0], "label"].tolist()
    scores = alignment_scores(X, responses, split, names)
    scores.attrs["title"] = f"{features.name}: {len(people)} listeners, each predicted by others"
    table = alignment_table(scores)
    run.uses(listeners, features)
    run.show_table("Encoders of one's own and of others", table[COLUMNS.split()])
    arrays = {"scores": scores.assign_coords(subject=people), "table": table_of(table)}
    run.save(arrays=arrays, figures=["target_bars"], dataset=DATASET)


def features_of(stimulus: Stimulus, model: str, depth: float) -> Features:
    """The layer at a depth, or the controls."""
    if model == "none":
        functions = ("word_rate", "word_position", "word_length", "zipf_frequency")
        return concatenate([getattr(baselines, name)(stimulus) for name in functions], "controls")
    network = LanguageModel(model)
    (layer,) = network.embed(stimulus, round(depth * network.n_layers), context=CONTEXT)
    return layer.renamed(f"{model} {layer.name}")


if __name__ == "__main__":
    run_command(main)

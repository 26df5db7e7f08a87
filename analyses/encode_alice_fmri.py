"""Which layers of a causal language model predict six brain regions during a story?

Brennan et al. 2016: listeners of the first chapter of Alice in Wonderland, six regions. Every layer
has 256 words of context and is resampled with Lanczos windows, with delays of 2 to 8 s. It is
scored alone, with controls (word rate, length, frequency, position), and with an autocorrelated
baseline without any language. The controls, that baseline, random embeddings with the geometry of
each layer and the noise ceiling are shown with them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from brainlm.data.features import Features, concatenate
from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import sampling_interval
from brainlm.encoding.align import delays_between
from brainlm.encoding.block_scaler import BlockScaler
from brainlm.encoding.encode import Space, encode
from brainlm.encoding.leakage import leakage_probe
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.features.baselines import (
    random_like,
    random_walk,
    word_length,
    word_position,
    word_rate,
    zipf_frequency,
)
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Limits, Run, layer_list, open_group, options, run_command

DATASET = "alice-fmri"
CONTEXT = 256  # words
LAGS = (2.0, 8.0)  # seconds
GAP = 16.0  # seconds: the longest lag, the Lanczos window, and one sample to spare
HIGH_PASS = 128.0  # seconds


def main(
    subjects: options.Subjects = "all",
    model: options.Model = "smollm2",
    layers: options.Layers = "all",
    out: options.Out = Path("results/encode_alice_fmri"),
    root: options.Root = None,
    debug: options.Debug = False,
    overwrite: options.Overwrite = False,
) -> None:
    """Which layers of a causal language model predict six brain regions during a story?"""
    with Run(locals()) as run:
        stimulus, listeners = open_group(
            DATASET, subjects, root, limits=Limits(subjects=2).when(debug)
        )
        listeners = high_pass(listeners, HIGH_PASS)
        # Listeners were scanned in different units.
        listeners = listeners.with_data(listeners.data / listeners.data.std(axis=0), "sd 1")
        stimulus, listeners = Limits(seconds=240).when(debug).cut(stimulus, listeners)
        step = sampling_interval(listeners.times)
        gap = int(np.ceil(GAP / step))
        split = ContiguousBlocks(n_splits=3 if debug else 6, gap=gap, runs=listeners.run)
        run.note(leakage_probe(listeners, split, n_draws=5 if debug else 20).note, show=True)

        network = LanguageModel(model)
        wanted = [1, network.n_layers] if debug and layers == "all" else layer_list(layers)
        hidden = network.embed(stimulus, wanted, context=CONTEXT, progress=True)
        made = [f(stimulus) for f in (word_rate, word_length, zipf_frequency, word_position)]
        spaces = cases(hidden, concatenate(made, "controls"), random_walk(listeners))
        result = encode(
            spaces,
            listeners,
            split,
            {"ridge encoding": ridge_of_blocks},
            delays=delays_between(step, *LAGS),
            title=f"{model}: listening to a story",
            progress=True,
        ).with_ceiling()
        run.show(f"\n{result.table().to_string()}\n", *ceiling_lines(result.scores))
        run.save(result, figures=["layer_curve", "target_bars", "alphas"], dataset=DATASET)


def ridge_of_blocks(sizes: list[int]) -> Any:
    """Ridge regression in which every block of features counts the same."""
    return make_pipeline(BlockScaler(sizes), RidgeEncoder(standardize=False))


def cases(hidden: Sequence[Features], controls: Features, empty: Features) -> list[Space]:
    """Every layer alone, with controls, with the empty baseline, and its random twin."""
    spaces = []
    for layer in hidden:
        number = layer.origin["layer"]
        spaces += [
            Space(layer, "layer", number),
            Space((layer, controls), "combined", number),
            Space((layer, empty), "with empty", number, f"{layer.name} + empty"),
            Space(random_like(layer, seed=number), "random", number),
        ]
    both = Space((controls, empty), name="controls + empty baseline")
    return [*spaces, Space(controls), Space(empty), both]


def ceiling_lines(scores: Any) -> list[str]:
    """Describe the units of the scores, and the noise ceiling of several listeners."""
    lines = [
        f"r: mean over {scores.sizes['target']} regions, ± 95 % interval over blocks of this "
        f"story, for these {scores.sizes['subject']} listeners"
    ]
    if "ceiling" in scores:
        regions = scores["ceiling"].mean("subject").to_series().round(2)
        values = ", ".join(f"{region} {r:.2f}" for region, r in regions.items())
        lines.append(f"noise ceiling (correlation with the mean of the other listeners): {values}")
    return lines


if __name__ == "__main__":
    run_command(main)

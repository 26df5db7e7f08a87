"""Which layers of a causal language model predict six brain regions during a story?

Brennan et al. 2016: listeners of the first chapter of Alice in Wonderland, six regions. Every layer
has 256 words of context and is resampled with Lanczos windows, with delays of 2 to 8 s. It is
scored alone, with controls (word rate, length, frequency, position), and with an autocorrelated
baseline without any language. The controls, that baseline, random embeddings with the geometry of
each layer, untrained twins of the model and the noise ceiling are shown with them. The verdict
says what the model explains beyond each of these, and beyond the sound where you have it.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from brainlm.comparison.verdict import verdict, verdict_dataset
from brainlm.data.features import Features, concatenate
from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import Recording, sampling_interval
from brainlm.data.sound import Sound
from brainlm.encoding.block_scaler import ridge_of_blocks
from brainlm.encoding.delays import delays_between
from brainlm.encoding.encode import Space, encode, untrained_spaces
from brainlm.encoding.leakage import leakage_probe
from brainlm.encoding.sound import align_sound
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.encoding.subjects import ceiling_lines
from brainlm.features import acoustics, baselines
from brainlm.language_models.model import LanguageModel
from brainlm.workflow import Limits, Run, analysis, open_group, options, run_command

DATASET = "alice-fmri"
CONTEXT = 256  # words
LAGS = (2.0, 8.0)  # seconds
GAP = 16.0  # seconds: the longest lag, the Lanczos window, and one sample to spare
HIGH_PASS = 128.0  # seconds


@analysis
def main(
    run: Run,
    subjects: options.Subjects = "all",
    model: options.Model = "smollm2",
    layers: options.Layers = "all",
    twins: options.Twins = 1,
    sound: Annotated[
        Path | None, typer.Option(help="Folder with the sound of the story, for acoustic controls.")
    ] = None,
) -> None:
    stimulus, listeners = open_group(
        DATASET, subjects, run.root, limits=Limits(subjects=2).when(run.debug)
    )
    listeners = high_pass(listeners, HIGH_PASS)
    # Listeners were scanned in different units.
    listeners = listeners.with_data(listeners.data / listeners.data.std(axis=0), "sd 1")
    stimulus, listeners = Limits(seconds=240).when(run.debug).cut(stimulus, listeners)
    step = sampling_interval(listeners.times)
    gap = int(np.ceil(GAP / step))
    split = ContiguousBlocks(n_splits=3 if run.debug else 6, gap=gap, runs=listeners.run)
    run.note(leakage_probe(listeners, split, n_draws=5 if run.debug else 20).note, show=True)

    network = LanguageModel(model)
    wanted = [1, network.n_layers] if run.debug and layers == "all" else options.layer_list(layers)
    embed = partial(LanguageModel.embed, context=CONTEXT, progress=True)
    hidden = embed(network, stimulus, wanted)
    delays = delays_between(step, *LAGS)
    rate = [baselines.word_rate(stimulus), baselines.word_position(stimulus)]
    words = [baselines.word_length(stimulus), baselines.zipf_frequency(stimulus)]
    added = [concatenate(rate, "word rate + position")]
    if sound is not None:
        added.append(heard(acoustics.read_sounds(sound, listeners.runs), listeners, delays))
    controls = concatenate([*rate, *words], "controls")
    spaces = cases(hidden, controls, baselines.random_walk(listeners), added)
    for seed in range(twins):
        spaces += untrained_spaces(embed(LanguageModel(model, untrained=seed), stimulus, wanted))
    result = encode(
        spaces,
        listeners,
        split,
        {"ridge encoding": ridge_of_blocks},
        delays=delays,
        title=f"{model}: listening to a story",
        progress=True,
    ).with_ceiling()
    run.show(f"\n{result.table().to_string()}\n", *ceiling_lines(result.scores))
    judged = verdict_dataset(verdict(result), model)
    run.show(judged.attrs["sentence"])
    figures = ["verdict", "layer_curve", "target_bars", "alphas"]
    run.save(result, arrays={"verdict": judged}, figures=figures, dataset=DATASET)


def heard(sounds: dict[str, Sound], listeners: Recording, delays: list[int]) -> Features:
    """Envelope and log-mel spectrogram of each volume."""
    frames = {
        run: [acoustics.sound_envelope(each), acoustics.log_mel(each)]
        for run, each in sounds.items()
    }
    return align_sound(frames, listeners, delays)


def cases(
    hidden: Sequence[Features], controls: Features, empty: Features, added: Sequence[Features]
) -> list[Space]:
    """Every layer alone, with controls, with the empty baseline, and its random twin."""
    spaces = []
    for layer in hidden:
        number = layer.origin["layer"]
        spaces += [
            Space(layer, "layer", number),
            Space((layer, controls), "combined", number),
            Space((layer, empty), "with empty", number, f"{layer.name} + empty"),
            Space(baselines.random_like(layer, seed=number), "random", number),
            *(Space((layer, each), "added", number) for each in added),
        ]
    both = Space((controls, empty), name="controls + empty baseline")
    return [*spaces, Space(controls), Space(empty), both, *map(Space, added)]


if __name__ == "__main__":
    run_command(main)

"""How much does each part of decoder, data and search add to a reconstruction?

One simulated subject (as in decode_story_simulated, planted by another model), one factor at a time
around a default: mapper, masked inputs and contrastive term of the transformer, scorer, weight of
the language model, beam, extensions, voxels, minutes of training, dimensions of the brain
(principal components of the voxels: the bottleneck) and of the embedding. Then mappers x amounts of
data x noise, for the accuracy of the mapping against the score of the text. Every variant is a gain
over random reconstructions with the same word times and beam. One short text: a difference between
two variants is not a finding by itself.
"""

from dataclasses import asdict, replace
from functools import cache

import xarray

from brainlm.decoding import ablation
from brainlm.decoding.ablation import AblationStudy, Variant
from brainlm.decoding.decoder import Settings
from brainlm.decoding.story_folder import subject_simulator
from brainlm.decoding.text_scores import BertScore, TextMetrics, list_metrics
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, analysis, options, run_command
from brainlm.workflow import decoding_steps as steps
from brainlm.workflow.decoding_options import AblationOptions, AblationTestOptions, PlantedOptions

GIVEN, TEST, PLANTED = AblationOptions(), AblationTestOptions(), PlantedOptions()


@analysis
def main(
    run: Run,
    model: options.Model = "smollm2",
    given: AblationOptions = GIVEN,
    test: AblationTestOptions = TEST,
    planted: PlantedOptions = PLANTED,
) -> None:
    test = replace(test, voxels=60, seconds=36.0, null=3, encoder="") if run.debug else test
    default = default_variant(given, test, debug=run.debug)
    variants = ablation.one_at_a_time(
        default, options.choose(given.factors, list(ablation.FACTORS), "factor")
    )
    if given.snrs:
        snrs = steps.parse_numbers(given.snrs, "--snrs")
        variants += ablation.grid(default, snrs, steps.parse_numbers(given.minutes, "--minutes"))
    network = steps.decoding_model(model)
    source = steps.open_planted_model(network, planted)
    text, name = steps.open_story_text(network, "en", run.root, debug=run.debug)
    study = AblationStudy(
        network,
        cache(subject_simulator(source, text, test.voxels, planted.planted_layer)),
        metrics_of(test.encoder),
        Settings(layer=9, longest=1, n_frequent=500 if run.debug else Settings.n_frequent),
        test.seconds,
        test.null,
        run.parts,
    )
    found = ablation.decode_variants(study, [variant for _, variant in variants], progress=True)
    table = ablation.ablation_table(variants, found)
    run.show(*ablation.ablation_lines(table))
    run.uses(network, source)
    run.note(*steps.simulation_notes(planted))
    scores = xarray.Dataset.from_dataframe(table.rename_axis("row"))
    scores.attrs["title"] = title_of(default, test, name, planted.planted)
    figures = ["ablations"] + ["mapping_and_text"] * bool(given.snrs)
    run.save(arrays={"table": scores}, figures=figures, default=asdict(default), text=name)


def default_variant(given: AblationOptions, test: AblationTestOptions, *, debug: bool) -> Variant:
    """Return the setting around which one factor is changed at a time."""
    default = Variant(given.snr, scorer=given.scorer, width=given.beam)
    if debug:
        return replace(default, n_targets=30, n_inputs=16, n_components=16, width=2)
    return replace(default, n_targets=max(10, test.voxels // 2))


def metrics_of(encoder: str) -> TextMetrics:
    """Return BLEU-1, METEOR and, where an encoder is named, BERTScore."""
    names = [name for name in list_metrics() if name.startswith(("bleu-1", "meteor"))]
    return TextMetrics(names, bert=BertScore(LanguageModel(encoder)) if encoder else None)


def title_of(default: Variant, test: AblationTestOptions, text: str, planted: str) -> str:
    """Return the title of the bundle."""
    return (
        f"Simulated subject, {test.voxels} voxels, {test.seconds:g} s of {text}; default: SNR "
        f"{default.snr:g}, {default.scorer}, beam {default.width}; planted: {planted}"
    )


if __name__ == "__main__":
    run_command(main)

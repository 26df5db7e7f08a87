"""Navigating: which spaces of words predict gaze, EEG and fMRI: neural, embodied, or taxonomic?

After Zhang et al. 2024 (arXiv 2404.19364): ridge encoding from language models, static vectors,
embodied ratings, word associations and a taxonomy, at the level of words and of discourse, in
English and Chinese; alone, jointly in a banded ridge, and what each adds to all others (unique
variance). Which spaces the paper used is not public; this set is ours. Spaces of 11 and of 640
dimensions cannot be compared fairly, so each is also cut to its first principal
components in the training fold, and norms whose vectors changed places between words.
Six layers of each model, evenly spread over its depth, ask at which depth words, sentences and
discourse are predicted best (the paper: shallow layers words, middle layers discourse); the best
layer is chosen on the other folds, and data sets are the units of the comparison of levels.
"""

from functools import partial
from typing import Annotated

import pandas as pd
import typer

from brainlm.comparison.feature_families import (
    common_words,
    layer_at,
    layers_over,
    open_plausible,
    twins_at,
)
from brainlm.comparison.feature_spaces import FeatureSpace
from brainlm.comparison.layer_gains import compare_levels, depth_profiles
from brainlm.comparison.layer_scores import job_key, layer_part, static_of
from brainlm.comparison.space_comparison import compare_matched
from brainlm.comparison.study_verdict import study_verdict
from brainlm.workflow import Run, Study, analysis, options, rows_of_parts, run_command
from brainlm.workflow.reading_options import ReadingOptions

DATASETS = (
    "ucl-gaze ucl-gaze-people provo geco zuco1-nr bsc-gaze words-zh-gaze ucl-erp ucl-erp-people "
    "nieuwland2018 pereira2018 alice-fmri mulcogbench-zh-words mulcogbench-zh-gaze "
    "mulcogbench-zh-stories concepts-zh-fmri mulcogbench-en-stories smn4lang-fmri moth "
    "cogbench-words cogbench-stories"
)
COLUMNS = (
    "dataset space n_features score low high subject_low subject_high beyond_controls normalised "
    "n_items n_subjects n_units"
)
DEPTHS = "dataset model level best_depth depth_low depth_high slope p"
N_LAYERS = 6  # of a sweep
SWEEP = {"n_permutations": 20, "n_random": 3}
N_DRAWS = 50  # of shares in the banded ridge
N_RANDOM = 12  # random embeddings of each space: ridge regressions each
LIMITS = {
    "nieuwland2018": {"max_subjects": 100},
    "geco": {"max_subjects": 6},
    "zuco1-nr": {"max_subjects": 6},
}
READING = ReadingOptions()


@analysis
def main(
    run: Run,
    models: options.Models = "smollm2:en,gemma3:en+zh",
    datasets: options.Datasets = "all",
    depth: options.Depth = 0.6,
    components: Annotated[
        int, typer.Option(min=3, help="Principal components of the matched versions.")
    ] = 10,
    spaces: options.Spaces = "",
    max_items: options.MaxItems = 1500,
    twins: options.Twins = 1,
    reading: ReadingOptions = READING,
) -> None:
    read = reading.reading()
    study = Study(run, DATASETS, datasets)
    assemblies = study.open(LIMITS, max_items)
    chosen = study.models(models)
    neural = [layer_at(name, known, depth, reading=read) for name, known in chosen.items()]
    sweeps = [layers_over(name, known, N_LAYERS, read) for name, known in chosen.items()]
    plausible, notes = open_plausible(study.languages, run.root, assemblies, spaces)
    run.note(*notes)
    settings = {
        "n_components": components,
        "n_draws": 3 if run.debug else N_DRAWS,
        "n_random": 3 if run.debug else N_RANDOM,
    }
    copies = twins_at(chosen, depth, twins, read)
    jobs, layers = jobs_of(study, neural, plausible, sweeps, copies, **settings)
    parts = study.compute(jobs)
    tables = tabulate(study, parts, study.compute(layers))
    ordered = tables["table"].sort_values(["dataset", "score"], ascending=[True, False])
    columns = ["dataset", "space", "alone", "unique", "joint", "n_targets", "note"]
    shares = "R2 alone, unique and joint (banded ridge), means of the test folds removed"
    run.show_table("Scores", ordered[COLUMNS.split()])
    run.show_table(shares, tables["partition"][columns], 4)
    run.show_table("Differences with q <= .05", tables["pairs"].query("q <= 0.05"), 4)
    best = "Best depth (0 = input, 1 = last layer), chosen on the other folds"
    run.show_table(best, tables["profiles"][DEPTHS.split()])
    run.show_table("Best depth by level of the text, over data sets", tables["levels"])
    shown = "model_by_dataset winners paired_bars coverage unique_variance layers_by_level"
    judged = study_verdict(rows_of_parts(parts, "verdict").to_dict("records"))
    study.save(tables, shown.split(), verdict=judged)


def jobs_of(
    study: Study,
    neural: list[FeatureSpace],
    plausible: list[FeatureSpace],
    sweeps: list[FeatureSpace],
    twins: dict[str, list[FeatureSpace]],
    **settings: int,
) -> tuple[list, list]:
    """One job per data set, all spaces on the words that every one covers; one job per sweep."""
    jobs, layers = [], []
    for each in study.assemblies:
        candidates = [*neural, static_of(each.language, neural), *plausible]
        known = [space for space in candidates if space.speaks(each.language)]
        compared, words, note = common_words(each, known)
        study.run.note(note, kind="coverage")
        study.covers(each, words)
        identities = [[space.name, space.identity] for space in compared]
        n_twins = {name: len(several) for name, several in twins.items()}
        about = {"sources": identities, "study": "navigating", "twins": n_twins, **settings}
        compute = partial(compare_matched, each, compared, words, twins=twins, **settings)
        jobs.append((each.name, job_key(each, compared[0], words, **about), compute))
        for sweep in [space for space in sweeps if space.speaks(each.language)]:
            swept = {**SWEEP, "n_random": min(settings["n_random"], SWEEP["n_random"])}
            key = job_key(each, sweep, words, study="navigating, layers", **swept)
            compute = partial(layer_part, each, sweep, words, method="ridge", **swept)
            layers.append((f"{each.name} | {sweep.name}", key, compute))
    return jobs, layers


def tabulate(study: Study, spaces: dict, swept: dict) -> dict[str, pd.DataFrame]:
    """The tables of the spaces, and those of the layers by level."""
    layers = study.table_of_rows(swept)
    profiles = depth_profiles(layers, swept)
    return {
        "table": study.table_of_rows(spaces),
        "winners": rows_of_parts(spaces, "winners"),
        "partition": rows_of_parts(spaces, "partition"),
        "pairs": rows_of_parts(spaces, "pairs", q=True),
        "layers": layers,
        "profiles": profiles.drop(columns="profile"),
        "levels": compare_levels(profiles),
    }


if __name__ == "__main__":
    run_command(main)

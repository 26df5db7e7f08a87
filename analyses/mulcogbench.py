"""MulCogBench: do models of words resemble ratings, gaze, EEG and fMRI in English and Chinese?

After Zhang et al. 2024 (arXiv 2403.01116): similarity encoding of every layer of context-aware
models and of context-independent word vectors, on every data set that this machine has, on the same
words, folds and metric. The main score is held out in folds, embedding columns z-scored in the
training folds; columns centred only, the published form (leave one out, not centred) and random
embeddings with the geometry of each layer are shown with it.
Every score is compared with controls (length, frequency, position, and the word rate of a story):
a layer adds to them the score of both together minus that of the controls alone.
The verdict counts the data sets on which each model predicts more than controls, static vectors,
its untrained twin and random vectors.
Asked: what does context add to static vectors, which depth of layer fits which modality, and do
English and Chinese agree?
"""

from functools import partial

from brainlm.comparison import layer_gains
from brainlm.comparison.feature_spaces import FeatureSpace, shared_words
from brainlm.comparison.layer_scores import (
    job_key,
    layer_part,
    spaces_of_models,
    static_of,
    twins_of_models,
)
from brainlm.comparison.study_verdict import verdict_of_gains
from brainlm.workflow import Run, Study, analysis, options, run_command
from brainlm.workflow.reading_options import ReadingOptions

DATASETS = (
    "binder-en binder-zh lancaster questions-218 ucl-gaze ucl-gaze-people provo geco zuco1-nr "
    "bsc-gaze words-zh-gaze ucl-erp ucl-erp-people nieuwland2018 pereira2018 alice-fmri "
    "mulcogbench-zh-words mulcogbench-zh-gaze mulcogbench-zh-stories mulcogbench-en-stories "
    "mulcogbench-zh-meg concepts-zh-fmri smn4lang-fmri smn4lang-meg cogbench-words "
    "cogbench-stories"
)
COLUMNS = (
    "dataset level space score low high subject_low subject_high centred published random "
    "beyond_controls ceiling n_items n_subjects p q"
)
LIMITS = {"nieuwland2018": {"max_subjects": 100}}  # of 334: opening each takes most of a second
GAINS = {
    "Gain over static vectors": "",
    "Gain over random embeddings": "over_random_",
    "Gain over the controls alone": "beyond_",
}
DEPTHS = {
    "profiles": "Preferred depth",
    "modalities": "Depth by modality",
    "languages": "Agreement of English and Chinese",
}
READING = ReadingOptions()


@analysis
def main(
    run: Run,
    models: options.Models = "minilm:en,smollm2:en,gemma3:en+zh",
    datasets: options.Datasets = "all",
    layers: options.Layers = "all",
    permutations: options.Permutations = 200,
    max_items: options.MaxItems = 1500,
    twins: options.Twins = 1,
    reading: ReadingOptions = READING,
) -> None:
    read = reading.reading()
    study = Study(run, DATASETS, datasets)
    if run.debug:
        permutations, layers = min(permutations, 20), "0,1,-1" if layers == "all" else layers
    chosen = study.models(models)
    wanted = options.layer_list(layers)
    spaces = spaces_of_models(chosen, wanted, read)
    copies = twins_of_models(chosen, twins, wanted, read)
    settings = {"n_permutations": permutations, "n_random": 3 if run.debug else 10}
    study.open(LIMITS, max_items)
    parts = study.compute(jobs_of(study, spaces, copies, debug=run.debug, **settings))

    table = study.table_of_rows(parts)
    gains, profiles = layer_gains.layer_gains(table, parts)
    pairs, modalities = layer_gains.compare_modalities(profiles)
    tables = {
        "table": table,
        "gains": gains,
        "profiles": profiles.drop(columns="profile"),
        "languages": layer_gains.compare_languages(table, parts),
        "pairs": pairs,
        "modalities": modalities,
    }
    best = "Best layer of each model (chosen on these scores; held-out values are the gains)"
    run.show_table(best, layer_gains.best_layers(table)[COLUMNS.split()])
    for title, name in GAINS.items():
        columns = [f"{name}{each}" for each in ("gain", "low", "high", "p", "q")]
        shown = gains[["dataset", "model", *columns]]
        run.show_table(f"{title} (layer chosen on the other folds)", shown, 4)
    for name, title in DEPTHS.items():
        run.show_table(title, tables[name])
    figures = ["model_by_dataset", "layers_by_modality", "coverage", "context_gains"]
    study.save(tables, figures, verdict=verdict_of_gains(gains))


def jobs_of(
    study: Study,
    spaces: list[FeatureSpace],
    twins: dict[str, list[FeatureSpace]],
    *,
    debug: bool,
    **settings: int,
) -> list:
    """One job per data set and model: all layers on the words that every space covers."""
    jobs = []
    for each in study.assemblies:
        known = [space for space in spaces if space.speaks(each.language)]
        compared = [static_of(each.language, known), *known]
        words = shared_words(each.stimulus, compared)
        study.covers(each, words)
        for space in compared:
            untrained = twins.get(space.name, [])
            about = {"study": "mulcogbench", "twins": len(untrained), "debug": debug, **settings}
            key = job_key(each, space, words, **about)
            compute = partial(layer_part, each, space, words, untrained=untrained, **settings)
            jobs.append((f"{each.name} | {space.name}", key, compute))
    return jobs


if __name__ == "__main__":
    run_command(main)

"""Survey: does one family of language models win everywhere?

After Wang et al. 2024 (arXiv 2403.13368): statistical models (word frequency, n-grams, and grammar
and node counts of a treebank that you have: --spaces treebank:en=FILE), static vectors, masked and
causal language models and psychologically plausible spaces, with the same metric on the same words
and folds of every data set. Two comparisons: of *embeddings* (a vector per word, ridge encoding),
and of *predictability* (surprisal and entropy with length, frequency and position). Ranks over data
sets with their intervals, and the critical difference, answer whether anything wins everywhere.
"""

from functools import partial

from brainlm.comparison import feature_families as families
from brainlm.comparison.feature_spaces import FeatureSpace
from brainlm.comparison.grammar_spaces import grammar_spaces
from brainlm.comparison.layer_scores import job_key, static_of
from brainlm.comparison.model_ranks import model_ranks
from brainlm.comparison.selection import materials
from brainlm.comparison.space_comparison import compare_families
from brainlm.comparison.study_verdict import study_verdict
from brainlm.comparison.table import tidy_families
from brainlm.datasets.folders import is_on_disk
from brainlm.datasets.open import open_stimulus
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, Study, analysis, options, rows_of_parts, run_command
from brainlm.workflow.reading_options import ReadingOptions

DATASETS = (
    "ucl-gaze ucl-gaze-people ucl-spr provo geco zuco1-nr bsc-gaze ucl-erp ucl-erp-people "
    "nieuwland2018 pereira2018 alice-fmri binder-en lancaster questions-218 binder-zh "
    "natural-stories geco-cn meco-en meco-zh mulcogbench-zh-stories mulcogbench-en-stories "
    "concepts-zh-fmri cogbench-stories"
)
COLUMNS = (
    "dataset space family n_features score low high subject_low subject_high normalised rank p q "
    "n_items n_subjects"
)
TEXTS = ("littleprince-en-words", "littleprince-zh-words")  # more to train n-grams on
N_RANDOM = 12  # random embeddings of each space: ridge regressions each
LIMITS = {
    "nieuwland2018": {"max_subjects": 100},
    "geco": {"max_subjects": 6},
    "lancaster": {"max_items": 1000},
}
READING = ReadingOptions()


@analysis
def main(
    run: Run,
    models: options.Models = "minilm:en,smollm2:en,gemma3:en+zh",
    datasets: options.Datasets = "all",
    depth: options.Depth = 0.6,
    permutations: options.Permutations = 50,
    spaces: options.Spaces = "",
    max_items: options.MaxItems = 1500,
    twins: options.Twins = 1,
    reading: ReadingOptions = READING,
) -> None:
    read = reading.reading()
    study = Study(run, DATASETS, datasets)
    assemblies = study.open(LIMITS, max_items)
    chosen = study.models(models)
    neural = [families.layer_at(name, known, depth, reading=read) for name, known in chosen.items()]
    causal = [
        families.predictability_space(name, known)
        for name, known in chosen.items()
        if LanguageModel(name).causal
    ]
    plausible, notes = families.open_plausible(study.languages, run.root, assemblies, spaces)
    run.note(*notes)
    settings = {
        "n_permutations": min(permutations, 9) if run.debug else permutations,
        "n_random": 3 if run.debug else N_RANDOM,
    }
    trees = families.parse_treebanks(spaces)
    copies = families.twins_at(chosen, depth, twins, read)
    jobs = jobs_of(study, [*neural, *plausible], causal, trees, copies, **settings)
    parts = study.compute(jobs)
    tables = {
        "table": tidy_families(rows_of_parts(parts, "rows")),
        "predictability": rows_of_parts(parts, "gains", q=True),
        "pairs": rows_of_parts(parts, "pairs", q=True),
    }
    ranks, notes = model_ranks(tables["table"], tables["pairs"], materials(assemblies))
    run.note(*notes)
    tables["ranks"] = ranks
    ordered = tables["table"].sort_values(["dataset", "features", "rank"])
    run.show_table("Scores", ordered[COLUMNS.split()])
    run.show_table("Ranks over data sets (1 = best)", ranks)
    run.show_table("Gain over the controls (r)", tables["predictability"], 4)
    figures = ["model_by_dataset", "coverage", *["critical_difference"] * bool(len(ranks))]
    judged = study_verdict(rows_of_parts(parts, "verdict").to_dict("records"))
    study.save(tables, figures, verdict=judged)


def jobs_of(
    study: Study,
    spaces: list[FeatureSpace],
    causal: list[FeatureSpace],
    treebanks: dict,
    twins: dict[str, list[FeatureSpace]],
    **settings: int,
) -> list:
    """One job per data set: embeddings on common words, and predictability in running text."""
    texts = [each.stimulus for each in study.assemblies if each.level != "word"]
    root, jobs = study.run.root, []
    texts += [open_stimulus(name, root=root) for name in TEXTS if is_on_disk(name, root)]
    for each in study.assemblies:
        static = static_of(each.language, spaces)
        known = [static, *(space for space in spaces if space.speaks(each.language))]
        embeddings, words, note = families.common_words(each, known)
        study.run.note(note, kind="coverage")
        study.covers(each, words)
        running = each.level != "word"
        surprising = [space for space in causal if running and space.speaks(each.language)]
        if surprising and (ngrams := families.kneser_ney_space(each, texts)):
            surprising.insert(0, ngrams[0])
            study.run.note(ngrams[1])
        if running:
            structural, notes = grammar_spaces(each, treebanks)
            surprising += structural
            study.run.note(*notes)
        identities = [(space.name, space.identity) for space in [*embeddings, *surprising]]
        n_twins = {name: len(several) for name, several in twins.items()}
        about = {"sources": identities, "study": "survey", "twins": n_twins, **settings}
        spaces_of = partial(compare_families, each, embeddings, surprising, words)
        compute = partial(spaces_of, twins=twins, **settings)
        jobs.append((each.name, job_key(each, embeddings[0], words, **about), compute))
    return jobs


if __name__ == "__main__":
    run_command(main)

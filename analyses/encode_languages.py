"""Does a model predict the brain's language regions in every language that it speaks?

After de Varda et al. 2025 and Malik-Moraleda et al. 2022: people listened to passages of Alice in
Wonderland in their own language, 21 languages; twelve regions of each, found by a localiser. One
layer of each model, at a depth fixed before, predicts the regions of each listener by ridge
regression with delays of 2 to 8 s, in blocks with a gap; scores are averaged over regions and
listeners. What the layer adds to word rate, length, frequency and position, and what it has over
the same vectors permuted between words, is shown by language. Languages are the units of the mean:
its interval holds for other languages. The story in English (Brennan et al. 2016) has six
anatomical regions instead. A model is not run in languages that it does not speak.
"""

from functools import partial

from brainlm.comparison.feature_families import layer_at
from brainlm.comparison.feature_spaces import FeatureSpace
from brainlm.comparison.languages import language_rows, over_languages, spoken_of
from brainlm.comparison.layer_scores import job_key, layer_part
from brainlm.comparison.selection import parse_models
from brainlm.datasets.card import card_names
from brainlm.errors import UnknownNameError
from brainlm.workflow import Run, Study, analysis, options, run_command

STORIES = ("evlab-alice-", "evlab-passages-")  # of EvLab, a card per language
DATASETS = " ".join(["alice-fmri", *(n for n in card_names() if n.startswith(STORIES))])
COLUMNS = (
    "dataset model layer score subject_low subject_high controls random beyond beyond_low "
    "beyond_high beyond_q over_random over_random_q ceiling n_subjects"
)


@analysis
def main(
    run: Run,
    models: options.Models = "gemma3",
    datasets: options.Datasets = "all",
    depth: options.Depth = 0.6,
    permutations: options.Permutations = 100,
) -> None:
    study = Study(run, DATASETS, datasets)
    spoken, notes = spoken_of(parse_models(models, study.languages), study.languages)
    run.note(*notes, show=True)
    study.open({}, max_items=0)
    spaces = [layer_at(name, known, depth) for name, known in spoken.items() if known]
    settings = {
        "n_permutations": min(permutations, 19) if run.debug else permutations,
        "n_random": 3 if run.debug else 10,
    }
    parts = study.compute(jobs_of(study, spaces, **settings))
    tables = {"table": language_rows(parts)}
    tables["over_languages"] = over_languages(tables["table"])
    run.show_table("Regions of each language", tables["table"][COLUMNS.split()])
    run.show_table("Means over languages", tables["over_languages"], 4)
    study.save(tables, ["language_gains"], depth=depth)


def jobs_of(study: Study, spaces: list[FeatureSpace], **settings: int) -> list:
    """One job per data set and model that speaks its language."""
    jobs = []
    for each in study.assemblies:
        for space in [space for space in spaces if space.speaks(each.language)]:
            words = space.covers(each.stimulus)
            study.covers(each, words)
            key = job_key(each, space, words, study="encode_languages", **settings)
            compute = partial(layer_part, each, space, words, method="ridge", **settings)
            jobs.append((f"{each.name} | {space.name}", key, compute))
    if not jobs:
        raise UnknownNameError("no model of --models speaks a language of these data sets")
    return jobs


if __name__ == "__main__":
    run_command(main)

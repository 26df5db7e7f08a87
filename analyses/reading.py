"""Reading and N400: what does surprisal add to length, frequency and their spill-over?

Single trials where there are some (UCL by person, GECO, ZuCo, Nieuwland et al. 2018):
mixed-effects regressions with crossed random intercepts of subjects and words and a slope of
surprisal by subject, with and without the mean effect of surprisal, compared by their likelihood
ratio (p of F with as many units as there are subjects, see
``brainlm.mixed_models.gains.likelihood_gain``). Means over readers (UCL, Provo, BSC), and the
trials again: the gain of log-likelihood on sentences that were left out, in nats per word, with its
interval over folds. A third table has the effects of surprisal and of each control in one
regression, so that languages can be compared: intervals are over subjects or, of means, over texts.
Surprisal that the authors of a data set published (MECO: mGPT and models of one language) has
separate rows, with the same controls.
Controls are length, Zipf frequency and position of the word, and length and frequency of the word
before it (spill-over). Readers also slow down on the words after a surprising one, so a second row
adds the surprisal of the two words before to that of the word, with their length and frequency
among the controls; a word that has none before it has the mean there.
"""

import json
from functools import partial
from typing import Annotated

import typer

from brainlm.comparison.published_surprisal import published_models
from brainlm.comparison.reading_trials import CONTROLS, reading_part, side_by_side, why_untested
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import dataset_hashes, subjects_with_files
from brainlm.errors import UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, Study, analysis, options, rows_of_parts, run_command

DATASETS = (
    "ucl-gaze ucl-spr ucl-erp ucl-erp-people ucl-gaze-people provo geco zuco1-nr zuco2-nr "
    "bsc-gaze nieuwland2018 natural-stories geco-cn meco-en meco-zh meco-means-de meco-means-el "
    "meco-means-en meco-means-es meco-means-fi meco-means-he meco-means-it meco-means-ko "
    "meco-means-nl meco-means-ru meco-means-tr"
)


@analysis
def main(
    run: Run,
    models: options.Models = "smollm2:en,gemma3:en+zh",
    datasets: options.Datasets = "all",
    max_items: options.MaxItems = 2000,
    mixed_items: Annotated[
        int, typer.Option(min=0, help="Words in the mixed models (0: none are fitted).")
    ] = 2000,
    max_subjects: Annotated[int, typer.Option(min=1, help="Maximum subjects per data set.")] = 100,
) -> None:
    study = Study(run, DATASETS, datasets)
    settings = {
        "max_items": 120 if run.debug else max_items,
        "max_subjects": min(30, max_subjects) if run.debug else max_subjects,
        "mixed_items": min(mixed_items, 40) if run.debug else mixed_items,
    }
    parts = study.compute(jobs_of(study, study.models(models), settings))
    run.note(*(note for part in parts.values() for note in json.loads(part.attrs["notes"])))
    tables = {
        "gains": rows_of_parts(parts, "gains", q=True),
        "mixed": rows_of_parts(parts, "mixed", q=True),
        "effects": rows_of_parts(parts, "effects", q=True),
    }
    gains = tables["gains"].drop(columns=["null", "controls"])
    run.show_table(
        "Gain of held-out log-likelihood by surprisal (nats per trial, measure z-scored)", gains, 5
    )
    run.show_table(
        "Mixed models of single trials: effect of 1 sd of surprisal, in sd of the measure",
        tables["mixed"],
        4,
    )
    one = "Effects in one regression, in sd of the measure per sd of the predictor"
    run.show_table(one, side_by_side(tables["effects"]))
    study.save(tables, ["reading_gains", "reading_effects"], controls=CONTROLS)


def jobs_of(study: Study, models: dict, settings: dict[str, int]) -> list:
    """One job per data set and model that speaks its language."""
    opened, root = {name: LanguageModel(name) for name in models}, study.run.root
    jobs = []
    for name in study.names:
        language, people = read_card(name).languages[0], subjects_with_files(name, root)
        why = why_untested(language)
        if not any(language in known for known in models.values()):
            why = f"--models has none of {language!r}"
        if why:
            study.run.note(f"{name}: not tested, {why}", show=True)
            continue
        study.run.data[name] = hashes = [dataset_hashes(name, who, root) for who in people]
        own = [opened[model] for model, known in models.items() if language in known]
        for each in [*own, *published_models(name, root)]:
            key = {"study": "reading", "data": hashes, "model": each.identity}
            compute = partial(reading_part, name, each, root=root, **settings)
            jobs.append((f"{read_card(name).name} | {each.name}", key | settings, compute))
            study.run.features[each.name] = each.identity
    if not jobs:
        raise UnknownNameError("no data set is left: each was named above with the reason")
    return jobs


if __name__ == "__main__":
    run_command(main)

"""Reading and N400: what does surprisal add to length, frequency and their spill-over?

Single trials where there are some (UCL by person, GECO, ZuCo, Nieuwland et al. 2018):
mixed-effects regressions with crossed random intercepts of subjects and words and a slope of
surprisal by subject, with and without the mean effect of surprisal, compared by their likelihood
ratio (p of F with as many units as there are subjects, see
``brainlm.mixed_models.gains.likelihood_gain``). Means over readers (UCL, Provo, BSC), and the
trials again: the gain of log-likelihood on sentences that were left out, in nats per word, with its
interval over folds. A third table has the effects of surprisal and of each control in one
regression, so that languages can be compared: intervals are over subjects or, of means, over texts.
Controls are length, Zipf frequency and position of the word, and length and frequency of the word
before it (spill-over). Readers also slow down on the words after a surprising one, so a second row
adds the surprisal of the two words before to that of the word, with their length and frequency
among the controls; a word that has none before it has the mean there.
"""

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from brainlm.comparison.reading_trials import CONTROLS, reading_part, why_untested
from brainlm.comparison.selection import parse_models
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.errors import UnknownNameError
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, Study, options, rows_of_parts, run_command

DATASETS = (
    "ucl-gaze ucl-spr ucl-erp ucl-erp-people ucl-gaze-people provo geco zuco1-nr zuco2-nr "
    "bsc-gaze nieuwland2018 natural-stories geco-cn meco-en meco-zh meco-means-de meco-means-el "
    "meco-means-en meco-means-es meco-means-fi meco-means-he meco-means-it meco-means-ko "
    "meco-means-nl meco-means-ru meco-means-tr"
)


def main(
    models: options.Models = "smollm2:en,gemma3:en+zh",
    datasets: options.Datasets = "all",
    max_items: options.MaxItems = 2000,
    mixed_items: Annotated[
        int, typer.Option(min=0, help="Words in the mixed models (0: none are fitted).")
    ] = 2000,
    max_subjects: Annotated[int, typer.Option(min=1, help="Maximum subjects per data set.")] = 100,
    out: options.Out = Path("results/reading"),
    root: options.Root = None,
    debug: options.Debug = False,
    overwrite: options.Overwrite = False,
) -> None:
    """What does surprisal add to length, frequency and their spill-over?"""
    with Run(locals()) as run:
        study = Study(run, DATASETS, datasets=datasets, root=root)
        settings = {
            "max_items": 120 if debug else max_items,
            "max_subjects": min(30, max_subjects) if debug else max_subjects,
            "mixed_items": min(mixed_items, 40) if debug else mixed_items,
        }
        parts = study.compute(jobs_of(study, parse_models(models, study.languages), settings))
        run.note(*(note for part in parts.values() for note in json.loads(part.attrs["notes"])))
        tables = {
            "gains": rows_of_parts(parts, "gains", q=True),
            "mixed": rows_of_parts(parts, "mixed", q=True),
            "effects": rows_of_parts(parts, "effects", q=True),
        }
        run.show(*report(**tables))
        study.save(tables, ["reading_gains", "reading_effects"], controls=CONTROLS)


def jobs_of(study: Study, models: dict, settings: dict[str, int]) -> list:
    """One job per data set and model that speaks its language."""
    opened, jobs = {name: LanguageModel(name) for name in models}, []
    for name in study.names:
        language = read_card(name).languages[0]
        why = why_untested(language)
        if not any(language in known for known in models.values()):
            why = f"--models has none of {language!r}"
        if why:
            study.run.note(f"{name}: not tested, {why}", show=True)
            continue
        hashes = [dataset_hashes(name, who, study.root) for who in people(name, study.root)]
        study.run.data[name] = hashes
        for model, known in models.items():
            if language not in known:
                continue
            key = {"study": "reading", "data": hashes, "model": opened[model].identity}
            compute = partial(reading_part, name, opened[model], root=study.root, **settings)
            jobs.append((f"{read_card(name).name} | {model}", key | settings, compute))
            study.run.features[model] = opened[model].identity
    if not jobs:
        raise UnknownNameError("no data set is left: each was named above with the reason")
    return jobs


def people(name: str, root: Path | None) -> list[str | None]:
    """The subjects whose files are read; a group has files of its own."""
    names = list_subjects(name, root)
    return [None] if len(names) == 1 else list(names)


def report(gains: pd.DataFrame, mixed: pd.DataFrame, effects: pd.DataFrame) -> list[str]:
    """The tables, as text."""
    by, wide = ["dataset", "measure", "model"], "none"
    if len(effects):
        wide = effects.pivot_table("coefficient", by, "predictor", sort=False).round(3).to_string()
    return [
        "\nGain of held-out log-likelihood by surprisal (nats per trial, measure z-scored)",
        gains.drop(columns=["null", "controls"]).round(5).to_string(index=False),
        "\nMixed models of single trials: effect of 1 sd of surprisal, in sd of the measure",
        mixed.round(4).to_string(index=False) if len(mixed) else "none",
        "\nEffects in one regression, in sd of the measure per sd of the predictor",
        wide,
    ]


if __name__ == "__main__":
    run_command(main)

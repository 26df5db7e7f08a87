"""Does the score of a language model grow with its context, its size and its predictions?

One layer of each model, at a depth fixed before, predicts every data set by ridge encoding, once
for each number of words of context (``--context``) and each way to make a word of its tokens
(``--pooling``). Beside the scores stand the number of weights of the loaded network (without its
output layer) and the perplexity of each causal model on the text of the data set, in bits per byte,
because tokenizers cut a text into other pieces but not into other bytes. The slope of the score
over each factor is tested over folds and against vectors permuted between words. Isolated words
have no context, and masked models no perplexity.
"""

from functools import partial
from typing import Annotated

import typer

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_families import layer_at
from brainlm.comparison.feature_spaces import Reading, shared_words
from brainlm.comparison.layer_scores import job_key, layer_part
from brainlm.comparison.model_factors import (
    factor_rows,
    factor_trends,
    model_part,
    parse_readings,
    trend_lines,
)
from brainlm.comparison.table import tidy
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, Study, analysis, options, run_command

DATASETS = (
    "ucl-gaze provo geco zuco1-nr bsc-gaze ucl-erp ucl-spr nieuwland2018 pereira2018 alice-fmri "
    "binder-en binder-zh mulcogbench-zh-stories mulcogbench-en-stories smn4lang-fmri moth"
)
COLUMNS = (
    "dataset model context pooling parameters bits_per_byte score low high beyond_controls random"
)
LIMITS = {
    "nieuwland2018": {"max_subjects": 100},
    "geco": {"max_subjects": 6},
    "zuco1-nr": {"max_subjects": 6},
}
Context = Annotated[
    str, typer.Option(help="Words of context before each word, several separated by commas.")
]
Pooling = Annotated[
    str, typer.Option(help="How tokens become a word: mean, last or first, or several (commas).")
]


@analysis
def main(
    run: Run,
    models: options.Models = "smollm2:en,gemma3:en+zh,qwen0.5b:en+zh",
    datasets: options.Datasets = "all",
    depth: options.Depth = 0.6,
    context: Context = "1,4,16,64",
    pooling: Pooling = "mean",
    max_items: options.MaxItems = 1500,
) -> None:
    study = Study(run, DATASETS, datasets)
    readings = parse_readings(context, pooling)
    chosen = study.models(models)
    study.open(LIMITS, max_items)
    scoring, describing, about = [], [], {}
    for name, known in chosen.items():
        model = LanguageModel(name)
        for each in [a for a in study.assemblies if a.language.split("-")[0] in known]:
            of_texts = readings_of(each, readings)
            scoring += score_jobs(study, each, model, known, depth, of_texts, about)
            describing += model_jobs(each, model, of_texts)
    parts, models_found = study.compute(scoring), study.compute(describing)
    rows = factor_rows(parts, about, models_found)
    table = tidy(rows.to_dict("records"))
    trends = factor_trends(table, parts)
    run.show_table("Scores", table[COLUMNS.split()])
    run.show_table("Slopes of the score", trends, 4)
    run.show(*trend_lines(trends))
    study.save({"table": table, "trends": trends}, ["context_and_size"])


def readings_of(assembly: Assembly, readings: list[Reading]) -> list[Reading]:
    """The readings of a data set; isolated words have no context, so one per pooling."""
    if assembly.level != "word":
        return readings
    return [Reading(1, pooling) for pooling in dict.fromkeys(each.pooling for each in readings)]


def score_jobs(
    study: Study,
    assembly: Assembly,
    model: LanguageModel,
    languages: tuple[str, ...],
    depth: float,
    readings: list[Reading],
    about: dict[str, dict],
) -> list:
    """One job per reading: the layer at that depth; ``about`` gets the factors of each."""
    jobs = []
    settings = {"n_permutations": 0, "n_random": 3 if study.run.debug else 12, "method": "ridge"}
    for reading in readings:
        space = layer_at(model, languages, depth, reading=reading)
        words = shared_words(assembly.stimulus, [space])
        study.covers(assembly, words)
        name = f"{assembly.name} | {model.name} | {reading.context} | {reading.pooling}"
        key = job_key(assembly, space, words, study="context and size", **settings)
        jobs.append((name, key, partial(layer_part, assembly, space, words, **settings)))
        factors = {"context": reading.context, "pooling": reading.pooling}
        described = described_name(assembly, model, reading)
        about[name] = {"model": model.name, **factors, "described": described}
    return jobs


def model_jobs(assembly: Assembly, model: LanguageModel, readings: list[Reading]) -> list:
    """One job per context: size and bits per byte on the text of the data set."""
    jobs = []
    for context in dict.fromkeys(reading.context for reading in readings):
        name = described_name(assembly, model, Reading(context))
        key = {"model": model.identity, "hashes": assembly.hashes, "context": context}
        words = "none" if assembly.level == "word" else context
        key["n_words"] = assembly.stimulus.n_words
        jobs.append((name, key, partial(model_part, model, assembly.stimulus, words)))
    return jobs


def described_name(assembly: Assembly, model: LanguageModel, reading: Reading) -> str:
    """Name of the part that describes a model on a data set."""
    return f"{assembly.name} | {model.name} | {reading.context} | bits per byte"


if __name__ == "__main__":
    run_command(main)

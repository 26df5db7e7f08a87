"""Reading and N400: what does surprisal add to length, frequency and their spill-over?

Single trials where there are some (GECO, ZuCo, Nieuwland et al. 2018): mixed-effects regressions
with crossed random intercepts of subjects and words and a slope of surprisal by subject, with and
without the mean effect of surprisal, compared by their likelihood ratio (p of F with as many units
as there are subjects, see ``brainlm.mixed_models.regression.likelihood_gain``). Means over readers
(UCL, Provo, BSC), and the trials again: the gain of log-likelihood on sentences that were left out,
in nats per word, with its interval over folds.
Controls are length, Zipf frequency and position of the word, and length and frequency of the word
before it (spill-over). Readers also slow down on the words after a surprising one, so a second row
adds the surprisal of the two words before to that of the word, with their length and frequency
among the controls; a word that has none before it has the mean there.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import pandas as pd
import typer
import xarray

from brainlm.comparison.assembly import in_text_order
from brainlm.comparison.parts import PartStore, run_parts
from brainlm.comparison.study import available_datasets, parse_models, spent, table_of
from brainlm.data.features import Features, lag
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import dataset_hashes, list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.features.baselines import word_length, word_position, zipf_frequency
from brainlm.language_models import LanguageModel
from brainlm.mixed_models.regression import (
    MixedModelWarning,
    fit_mixed,
    held_out_gain,
    likelihood_gain,
)
from brainlm.results.bundle import check_output, save_bundle
from brainlm.stats.permutation import fdr
from brainlm.workflow import (
    Datasets,
    Debug,
    Languages,
    MaxItems,
    Models,
    Out,
    Overwrite,
    Root,
    run_command,
)

DATASETS = (
    "ucl-gaze",
    "ucl-spr",
    "ucl-erp",
    "provo",
    "geco",
    "zuco1-nr",
    "zuco2-nr",
    "bsc-gaze",
    "nieuwland2018",
    "natural-stories",
    "geco-cn",
    "meco-en",
    "meco-zh",
)
CONTROLS = ["length", "frequency", "position", "length before", "frequency before"]
EARLIER = ["length 2 back", "frequency 2 back"]  # controls of spill-over
SPILLED = ["surprisal", "surprisal 1 back", "surprisal 2 back"]
# What is tested, and the controls beside the usual ones.
EFFECTS: dict[str, tuple[list[str], list[str]]] = {
    "surprisal": (["surprisal"], []),
    "surprisal, with spill-over": (SPILLED, EARLIER),
}
FOLDS = 10
CONTEXT = 256  # words of the same text before a word; of a text of one sentence, all there are
LEAST_TRIALS = 20  # of a subject: an intercept of fewer is noise
SKIPPED = "TRT"  # 0 where a word was not fixated: no time was measured


def main(
    models: Models = "smollm2:en,gemma3:en+zh",
    datasets: Datasets = "all",
    languages: Languages = "en,zh",
    max_items: MaxItems = 2000,
    mixed_items: Annotated[
        int, typer.Option(min=0, help="Words in the mixed models (0: none are fitted).")
    ] = 2000,
    max_subjects: Annotated[int, typer.Option(min=1, help="Most subjects of a data set.")] = 100,
    out: Out = Path("results/reading"),
    root: Root = None,
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """What does surprisal add to length, frequency and their spill-over?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    spoken = [language.strip() for language in languages.split(",")]
    names, notes = available_datasets(datasets, DATASETS, spoken, root)
    if debug:
        max_items, mixed_items = 120, min(mixed_items, 40)
    opened: dict[str, LanguageModel] = {}
    chosen = parse_models(models, spoken)
    jobs, inputs = [], {}
    for name in names:
        language = read_card(name).languages[0]
        people = list_subjects(name, root)
        whose = [None] if len(people) == 1 else people
        inputs[name] = [dataset_hashes(name, who, root) for who in whose]
        for model, known in chosen.items():
            if language not in known:
                continue
            opened.setdefault(model, LanguageModel(model))
            key = {
                "study": "reading",
                "data": inputs[name],
                "model": opened[model].identity,
                "max_items": max_items,
                "mixed_items": mixed_items,
                "debug": debug,
                "max_subjects": max_subjects,
            }
            title = read_card(name).name
            jobs.append((f"{title} | {model}", key, part_of(name, opened[model], root, key)))
    store = PartStore.beside(out)
    parts, seconds = run_parts(jobs, store, lambda line: typer.echo(line, err=True))
    gains = collect(parts, "gains")
    gains["q"] = fdr(gains["p"].to_numpy())
    mixed = collect(parts, "mixed")
    if len(mixed):
        mixed["q"] = fdr(mixed["p"].to_numpy())
    report(gains, mixed)
    times = pd.DataFrame({"part": list(seconds), "seconds": list(seconds.values())})
    save_bundle(
        out,
        analysis="reading",
        arrays={"gains": table_of(gains), "mixed": table_of(mixed), "time": table_of(times)},
        config={
            "models": models,
            "datasets": names,
            "languages": spoken,
            "max_items": max_items,
            "mixed_items": mixed_items,
            "max_subjects": max_subjects,
            "controls": CONTROLS,
            "debug": debug,
        },
        inputs={**inputs, "models": {name: model.revision for name, model in opened.items()}},
        notes=[*notes, *(n for part in parts.values() for n in part.attrs["notes"].split("\n"))],
        figures=["reading_gains"],
        overwrite=overwrite,
    )
    store.clear()
    typer.echo(spent(seconds, perf_counter() - start))
    typer.echo(f"result bundle: {out}")


def part_of(name: str, model: LanguageModel, root: Path | None, key: dict) -> Callable:
    """One data set and model, as a part that is kept."""

    def compute():
        title = read_card(name).name
        trials, measures, notes = open_trials(
            name, root, key["max_items"], 30 if key["debug"] else key["max_subjects"]
        )
        table = with_predictors(trials, model)
        gains = [
            held_out(title, model.name, table, measure, effect)
            for measure in measures
            for effect in EFFECTS
        ]
        mixed = []
        if key["mixed_items"] and table["subject"].nunique() >= 5:
            some = fewer_words(table, key["mixed_items"])
            for measure in measures:
                try:
                    mixed.append(mixed_row(title, model.name, some, measure))
                except ValueError as error:  # no convergence: said, not hidden
                    notes.append(f"{title}, {measure}, {model.name}: no mixed model: {error}")
        return xarray.Dataset(
            attrs={
                "gains": json.dumps(gains),
                "mixed": json.dumps(mixed),
                "notes": "\n".join(notes),
            }
        )

    return compute


def collect(parts: dict, kind: str) -> pd.DataFrame:
    """The tables of one kind of all parts, one below the other."""
    return pd.DataFrame([row for part in parts.values() for row in json.loads(part.attrs[kind])])


def open_trials(
    name: str, root: Path | None, max_items: int, max_subjects: int
) -> tuple[tuple[pd.DataFrame, dict[str, Stimulus]], list[str], list[str]]:
    """A row per trial (or per word, of means), the texts they were read in, and the measures."""
    frames, texts, notes = [], {}, []
    allowed: set[str] | None = None
    lost: set[str] = set()
    available = list_subjects(name, root)
    subjects = available[:max_subjects]
    for subject in subjects:
        stimulus, recording = open_dataset(name, subject, root)
        recording = in_text_order(stimulus, recording)
        if recording.n_samples > max_items and allowed is None:
            allowed = set(recording.items[:max_items])  # the same words of all subjects
        if allowed is not None:
            kept = np.array([item in allowed for item in recording.items])
            if not kept.any():
                notes.append(f"{name}: {subject} read none of the first {max_items} words")
                continue
            recording = recording.select_samples(kept, f"the first {max_items} words")
        items = list(recording.items)
        last = max(np.flatnonzero(np.isin(stimulus.item.astype(str), items)))
        stop = np.flatnonzero(stimulus.sentence == stimulus.sentence[last])[-1] + 1
        for label, rows in stimulus.select(np.arange(stop)).blocks("text"):
            if label not in texts or texts[label].n_words < rows.stop - rows.start:
                texts[label] = stimulus.select(np.arange(rows.start, rows.stop))
        lost |= set(map(str, recording.missing_targets))
        measures = recording.target_names.tolist()
        frame = pd.DataFrame({"subject": subject, "item": items})
        for measure in measures:
            column = list(recording.target_names).index(measure)
            frame[measure] = recording.data[: len(items), column]
        frames.append(frame)
        notes += [f"{name}: {note}" for note in recording.notes]
    table = pd.concat(frames, ignore_index=True)
    measures = [measure for measure in measures if measure not in lost]
    if lost:
        notes.append(f"{name}: left out measures with missing values: {', '.join(sorted(lost))}")
    if len(subjects) > 1 and SKIPPED in table:
        skipped = table[SKIPPED] == 0
        notes.append(f"{name}: left out {skipped.sum()} of {len(table)} trials, word not fixated")
        table = table[~skipped].reset_index(drop=True)
        table[SKIPPED] = np.log(table[SKIPPED])
        notes.append(f"{name}: {SKIPPED} in log ms")
    count = table.groupby("subject")["item"].transform("size")
    if len(subjects) > 1 and (count < LEAST_TRIALS).any():
        few = sorted(set(table.loc[count < LEAST_TRIALS, "subject"]))
        notes.append(f"{name}: left out subjects with under {LEAST_TRIALS} trials: {few}")
        table = table[count >= LEAST_TRIALS].reset_index(drop=True)
    if len(subjects) > 1:
        notes.append(f"{name}: {len(subjects)} of {len(available)} subjects, {len(table)} trials")
    return (table, texts), measures, notes


def with_predictors(trials: tuple[pd.DataFrame, dict[str, Stimulus]], model: LanguageModel):
    """Join surprisal and controls to each trial; words without a word before them are left out."""
    table, texts = trials
    parts = list(texts.values())
    fields = ("words", "text", "sentence", "item")
    joined = {f: np.concatenate([getattr(part, f) for part in parts]) for f in fields}
    stimulus = Stimulus(language=parts[0].language, **joined)
    first = np.r_[True, stimulus.text[1:] != stimulus.text[:-1]]
    context = CONTEXT if model.causal else "sentence"  # a masked model sees the whole sentence
    surprisal = model.surprisal(stimulus, context=context)
    length, zipf = word_length(stimulus), zipf_frequency(stimulus)

    def back(space: Features, n: int) -> np.ndarray:
        """Of the n-th word before in the text; the mean where a text has just begun."""
        try:
            return lag(space, n, level="text").values[:, 0]
        except ValueError:  # texts of n words or fewer
            return np.zeros(stimulus.n_words)

    words = pd.DataFrame(
        {
            "item": stimulus.item.astype(str),
            "sentence": stimulus.sentence.astype(str),
            "surprisal": surprisal.values[:, 0],
            "length": length.values[:, 0],
            "frequency": zipf.values[:, 0],
            "position": word_position(stimulus).values[:, 0],
            "length before": back(length, 1),
            "frequency before": back(zipf, 1),
            "length 2 back": back(length, 2),
            "frequency 2 back": back(zipf, 2),
            "surprisal 1 back": back(surprisal, 1),
            "surprisal 2 back": back(surprisal, 2),
        }
    )[~first]
    words = words.drop_duplicates("item")
    merged = table.merge(words, on="item", how="inner", validate="many_to_one")
    order = {label: i for i, label in enumerate(dict.fromkeys(words["sentence"]))}
    place = merged["sentence"].map(order)
    merged = merged.iloc[np.argsort(place.to_numpy(), kind="stable")].reset_index(drop=True)
    for name in [*SPILLED, *CONTROLS, *EARLIER]:
        spread = merged[name].std()
        merged[name] = (merged[name] - merged[name].mean()) / (spread if spread > 0 else 1)
    return merged


def controls_of(table: pd.DataFrame, names: list[str] = CONTROLS) -> list[str]:
    """The predictors that are no sums of others here (after an article all are alike)."""
    kept: list[str] = []
    for name in names:
        X = np.column_stack([np.ones(len(table)), table[[*kept, name]]])
        if np.linalg.matrix_rank(X, tol=1e-6 * np.sqrt(len(X))) == len(kept) + 2:
            kept.append(name)
    return kept


def held_out(name: str, model: str, table: pd.DataFrame, measure: str, effect: str) -> dict:
    """Gain of held-out log-likelihood, in nats per trial of the z-scored measure."""
    several = table["subject"].nunique() > 1
    z = table.assign(**{measure: (table[measure] - table[measure].mean()) / table[measure].std()})
    tested, further = EFFECTS[effect]
    controls = controls_of(z, [*CONTROLS, *further])
    tested = [each for each in controls_of(z, [*controls, *tested]) if each not in controls]
    gain, log_likelihood = held_out_gain(
        z,
        measure,
        controls,
        tested,
        groups="sentence",
        subject="subject" if several else None,
        n_splits=min(FOLDS, z["sentence"].nunique()),
    )
    return {
        "dataset": name,
        "measure": measure,
        "model": model,
        "effect": effect,
        "gain": gain.mean,
        "low": gain.low,
        "high": gain.high,
        "p": gain.p,
        "log_likelihood": log_likelihood,
        "n_trials": len(table),
        "controls": ", ".join(controls),
        "n_words": int(table["item"].nunique()),
        "n_subjects": int(table["subject"].nunique()),
        "folds": gain.n_units,
        "null": "corrected resampled t over folds of sentences",
    }


def fewer_words(table: pd.DataFrame, most: int, seed: int = 0) -> pd.DataFrame:
    """Some words of the table, drawn at random."""
    items = table["item"].unique()
    if len(items) > most:
        items = np.random.default_rng(seed).choice(items, most, replace=False)
    return table[table["item"].isin(set(items))].reset_index(drop=True)


def mixed_row(name: str, model: str, table: pd.DataFrame, measure: str) -> dict:
    """Effect of surprisal in a mixed model of single trials, and its likelihood-ratio test."""
    z = table.assign(**{measure: (table[measure] - table[measure].mean()) / table[measure].std()})
    controls = controls_of(z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedModelWarning)  # a variance of zero is in the table
        smaller, larger = (
            fit_mixed(z, measure, fixed, subject="subject", item="item", slopes=["surprisal"])
            for fixed in (controls, [*controls, "surprisal"])
        )
        wider = controls_of(z, [*controls, *EARLIER, *SPILLED])
        spilled = fit_mixed(z, measure, wider, subject="subject", item="item", slopes=["surprisal"])
    gain = likelihood_gain(smaller, larger)
    effect = larger.terms.loc["surprisal"]
    return {
        **{f"t, {name}": float(spilled.terms["t"].get(name, np.nan)) for name in SPILLED},
        "dataset": name,
        "measure": measure,
        "model": model,
        "coefficient": float(effect["coefficient"]),
        "se": float(effect["se"]),
        "t": float(effect["t"]),
        "p_t": float(effect["p"]),
        "chi2": gain.chi2,
        "df": gain.df,
        "df_residual": gain.df_residual,
        "p": gain.p,
        "per_trial": gain.per_trial,
        "n_trials": larger.n_trials,
        "n_subjects": larger.n_subjects,
        "n_words": larger.n_items,
        "sd": float(table[measure].std()),
        "variance_subject": larger.variances["subject"],
        "variance_slope": larger.variances["surprisal by subject"],
        "variance_item": larger.variances["item"],
        "residual": larger.variances["residual"],
    }


def report(gains: pd.DataFrame, mixed: pd.DataFrame) -> None:
    """Print both tables."""
    typer.echo("\nGain of held-out log-likelihood by surprisal (nats per trial, measure z-scored)")
    typer.echo(gains.drop(columns=["null", "controls"]).round(5).to_string(index=False))
    typer.echo("\nMixed models of single trials: effect of 1 sd of surprisal, in sd of the measure")
    typer.echo(mixed.round(4).to_string(index=False) if len(mixed) else "none")


if __name__ == "__main__":
    run_command(main)

"""Reading times, gaze and ERPs word by word: what surprisal adds to the controls."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from brainlm.comparison.assembly import in_text_order
from brainlm.comparison.published_surprisal import PublishedSurprisal
from brainlm.data.features import Features, lag
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.folders import list_subjects
from brainlm.datasets.open import open_dataset
from brainlm.features.baselines import word_length, word_position, zipf_frequency
from brainlm.language_models import LanguageModel
from brainlm.mixed_models.effects import effects_over_subjects, effects_over_units
from brainlm.mixed_models.gains import held_out_gain, likelihood_gain
from brainlm.mixed_models.regression import MixedModelWarning, fit_mixed

if TYPE_CHECKING:
    import xarray

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
FEWEST_SENTENCES = 3  # folds of a paired test
FEWEST_TEXTS = 6  # below, intervals of means over readers are over sentences
LEAST_TRIALS = 20  # of a subject: an intercept of fewer is noise
SKIPPED = "TRT"  # 0 where a word was not fixated: no time was measured


def reading_part(
    name: str,
    model: LanguageModel | PublishedSurprisal,
    *,
    root: Path | None,
    max_items: int,
    max_subjects: int,
    mixed_items: int,
) -> xarray.Dataset:
    """Return what surprisal adds to the controls on one data set, for every measure.

    Parameters
    ----------
    name : str
        Data set, or the path of a card.
    model : LanguageModel or PublishedSurprisal
    root : path, optional
    max_items, max_subjects : int
        The first words and subjects.
    mixed_items : int
        Words in the mixed models of single trials, drawn at random; 0 fits none.

    Returns
    -------
    xarray.Dataset
        A part of a study; its attributes hold the rows of ``gains``, ``mixed`` and ``effects`` as
        JSON, and ``notes``.
    """
    import xarray

    title = read_card(name).name
    trials, measures, notes = open_trials(name, root, max_items, max_subjects)
    if isinstance(model, PublishedSurprisal):
        known, note = model.measured(trials[0])
        trials, notes = (known, trials[1]), [*notes, f"{title}, {note}"]
    table = with_predictors(trials, model)
    gains = [
        held_out_row(title, model.name, table, measure, effect)
        for measure in measures
        for effect in EFFECTS
    ]
    mixed = []
    if mixed_items and table["subject"].nunique() >= 5:
        some = _random_words(table, mixed_items)
        for measure in measures:
            try:
                mixed.append(mixed_row(title, model.name, some, measure))
            except ValueError as error:  # no convergence: reported, not hidden
                notes.append(f"{title}, {measure}, {model.name}: no mixed model: {error}")
    effects: list[dict] = []
    for measure in measures:
        try:
            effects += effect_rows(name, model.name, table, measure)
        except ValueError as error:
            notes.append(f"{title}, {measure}, {model.name}: no effects: {error}")
    tables = {
        k: json.dumps(v) for k, v in (("gains", gains), ("mixed", mixed), ("effects", effects))
    }
    return xarray.Dataset(attrs={**tables, "notes": json.dumps(notes)})


def open_trials(
    name: str, root: Path | None, max_items: int, max_subjects: int
) -> tuple[tuple[pd.DataFrame, dict[str, Stimulus]], list[str], list[str]]:
    """A row per trial (or per word, of means), the texts they were read in, and the measures."""
    texts: dict[str, Stimulus] = {}
    frames, notes = [], []
    allowed: set[str] | None = None
    lost: set[str] = set()
    available = list_subjects(name, root)
    subjects = available[:max_subjects]
    for subject in subjects:
        stimulus, recording = open_dataset(name, subject, root)
        recording = in_text_order(stimulus, recording)
        if recording.n_samples > max_items and allowed is None:
            n = _enough(stimulus, recording, max_items)
            allowed = set(recording.items[:n])  # the same words of all subjects
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


def why_untested(language: str) -> str:
    """Why the controls cannot be computed in a language; empty where they can."""
    try:
        zipf_frequency(Stimulus(["1"], language))
    except ValueError as error:
        return str(error)
    return ""


def _enough(stimulus: Stimulus, recording: Recording, n: int) -> int:
    """Return ``n``, or more where the first ``n`` responses are to fewer than three sentences.

    Sentences are what folds are made of; a text without sentences counts as one.
    """
    sentence_of = dict(zip(stimulus.item, stimulus.sentence, strict=True))
    sentences = [str(sentence_of[item]) for item in recording.items]
    first = list(dict.fromkeys(sentences))[:FEWEST_SENTENCES]
    return max(n, max(i for i, label in enumerate(sentences) if label in first) + 1)


def with_predictors(
    trials: tuple[pd.DataFrame, dict[str, Stimulus]], model: LanguageModel | PublishedSurprisal
) -> pd.DataFrame:
    """Join surprisal and controls to each trial; words without a word before them are left out."""
    table, texts = trials
    stimulus = Stimulus.concatenate(list(texts.values()), keep_times=False)
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
            "text": stimulus.text.astype(str),
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
    """Predictors that are not sums of others here (after an article all are alike)."""
    kept: list[str] = []
    for name in names:
        X = np.column_stack([np.ones(len(table)), table[[*kept, name]]])
        if np.linalg.matrix_rank(X, tol=1e-6 * np.sqrt(len(X))) == len(kept) + 2:
            kept.append(name)
    return kept


def held_out_row(name: str, model: str, table: pd.DataFrame, measure: str, effect: str) -> dict:
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


def effect_rows(name: str, model: str, table: pd.DataFrame, measure: str) -> list[dict]:
    """Effects of surprisal and each control in one regression, in sd of the measure per sd.

    Units of the intervals are subjects, or, of means over readers, texts (sentences where there
    are few texts).
    """
    card = read_card(name)
    z = table.assign(**{measure: (table[measure] - table[measure].mean()) / table[measure].std()})
    predictors = controls_of(z, ["surprisal", *CONTROLS])
    if z["subject"].nunique() > 1:
        units, found = "subject", effects_over_subjects(z, measure, predictors)
    else:
        units = "text" if z["text"].nunique() >= FEWEST_TEXTS else "sentence"
        found = effects_over_units(z, measure, predictors, units=units)
    return [
        {
            "dataset": card.name,
            "language": card.languages[0],
            "measure": measure,
            "model": model,
            "predictor": predictor,
            **{k: float(v) for k, v in row.items() if k != "n_units"},
            "units": f"{units}s",
            "n_units": int(row["n_units"]),
            "n_trials": len(z),
        }
        for predictor, row in found.iterrows()
    ]


def _random_words(table: pd.DataFrame, most: int, seed: int = 0) -> pd.DataFrame:
    """Return the trials of some words, drawn at random."""
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


def side_by_side(effects: pd.DataFrame) -> pd.DataFrame:
    """Return the coefficients of each measure and model in a row, a column per predictor."""
    if not len(effects):
        return effects
    by = ["dataset", "measure", "model"]
    return effects.pivot_table("coefficient", by, "predictor", sort=False).reset_index()

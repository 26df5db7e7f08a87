"""CogBench: the rows of a model, its untrained copies, random vectors and controls on one task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from brainlm._progress import bar
from brainlm.comparison.cogbench import (
    TaskData,
    control_scores,
    held_out_scores,
    mean_pattern,
    official_scores,
)
from brainlm.data.features import Features
from brainlm.features.baselines import random_like
from brainlm.language_models import LanguageModel
from brainlm.language_models.challenge_reading import embed_for_challenge

SATURATED = (
    "word_fmri is .55 to .56 in 15 of 23 published rows, from 14 million to 1.4 billion "
    "parameters, and for a model that is at chance in tests of grammar: compare it with the row "
    "'mean pattern', a prediction that knows no word, and judge by r, beyond and pairwise"
)
DIPPED = (
    "meg: the official score chooses sensors on the words that it scores; 'undipped' chooses them "
    "in the training words of each fold"
)
REPEATED = (
    "eye_tracking: a word has equal measures wherever it stands, so that random vectors of words "
    "score, too; r, beyond and pairwise keep all responses to a word in one fold"
)


def score_task(
    data: TaskData,
    network: LanguageModel,
    copies: Sequence[LanguageModel],
    layers: str | list[int],
    draws: int,
) -> list[dict[str, Any]]:
    """Return a row per feature space on one task: layers, twins, random vectors, controls, null.

    Parameters
    ----------
    data : TaskData
    network : LanguageModel
    copies : sequence of LanguageModel
        Its untrained copies.
    layers : "all" or list of int
    draws : int
        Of random vectors.

    Returns
    -------
    list of dict
        For `brainlm.comparison.cogbench.table_of_scores`.
    """
    reading = data.task.reading
    hidden = embed_for_challenge(network, data.stimulus, reading, layers)
    spaces: list[tuple[str, str, Features]] = [("layer", each.name, each) for each in hidden]
    for twin in copies:
        made = embed_for_challenge(twin, data.stimulus, reading, layers)
        spaces += [("untrained", f"{twin.name}, {each.name}", each) for each in made]
    spaces += [("random", f"random {k}", random_like(hidden[-1], seed=k)) for k in range(draws)]
    about = {
        "task": data.task.name,
        "n_subjects": len(data.recordings),
        "n_samples": data.first.n_samples,
    }
    rows = []
    for kind, name, features in bar(spaces, "spaces"):
        X = data.design(features)
        scores = {**official_scores(data, X), **held_out_scores(data, X)}
        rows.append({**about, "space": name, "kind": kind, **scores})
        rows[-1]["layer"] = int(features.origin.get("layer", -1))
    known = {"space": "word rate, length, frequency, position", "kind": "controls", "layer": -1}
    rows.append({**about, **known, **control_scores(data)})
    if data.task.name == "word_fmri":
        null: dict[str, Any] = {
            "official": mean_pattern(data, data.design(hidden[-1])),
            "undipped": float("nan"),
        }
        null |= {"space": "mean pattern", "kind": "null", "layer": -1, "r": 0.0, "beyond": 0.0}
        rows.append({**about, **null, "pairwise": 0.5})
    return rows


def cautions_of(table: pd.DataFrame) -> list[str]:
    """Return what a reader must know beside the scores of the tasks in a table."""
    cautions = {"word_fmri": SATURATED, "meg": DIPPED, "eye_tracking": REPEATED}
    return [text for name, text in cautions.items() if name in set(table["task"])]


def last_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the last layer of each task, its twins, and what they stand beside."""
    layered = table["kind"].isin(["layer", "untrained"])
    last = table[layered].groupby("task")["layer"].transform("max")
    kept = ~layered
    kept[last.index] = table.loc[last.index, "layer"] == last
    columns = ["task", "space", "official", "undipped", "pairwise", "r", "beyond", "n_subjects"]
    return table.loc[kept, columns].round(3)

"""Verdict of an encoding study: the gain of a model over each trivial explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import ttest_1samp

from brainlm.comparison.feature_spaces import permute_types
from brainlm.comparison.layer_scores import table_of
from brainlm.comparison.layer_statistics import best_layer, context_gain
from brainlm.data.scores import held_out_choice
from brainlm.encoding.encode import Encoding, Space, encode
from brainlm.errors import UnknownNameError
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import xarray

ALPHA = 0.05
TWINS = {"untrained": "its untrained twin", "random": "random vectors with its geometry"}
DRAWN_LAYERS = 5  # of the model without meaning
LEAST_SUBJECTS = 3  # whose results give an interval over subjects


def verdict(
    result: Encoding | Sequence[Encoding], method: str | None = None, *, n_draws: int = 5
) -> pd.DataFrame:
    """Test how much a model explains beyond each reference that it was encoded with.

    References that were added to the layers (spaces of kind "combined" and "added") are controls::

        gain = r(layer + reference) - r(reference)

    Untrained twins and random vectors of the same shape and geometry stand in place of the model::

        gain = r(layer) - r(twin)

    r is averaged over targets and subjects inside each test fold. The layer of a fold, and that of
    a twin, is the best one over the other folds; several twins of a layer are averaged.

    Each gain is tested twice, and the larger p counts: over folds, with the variance that
    overlapping training sets need (`brainlm.stats.paired.fold_difference`), and against the model
    with its vectors permuted between word types, because two embeddings without meaning differ, too
    (`brainlm.stats.paired.random_difference_p`). q is Benjamini-Hochberg's over the rows.

    Three or more results, one per subject, give the interval over subjects, and a third p that
    counts in the same way: Student's t over subjects.

    Parameters
    ----------
    result : Encoding or sequence of Encoding
        With layers, and references of any of these kinds; of several subjects with the same spaces
        and as many folds.
    method : str, optional
        Which of the methods. Default: the first one.
    n_draws : int
        Permutations of the vectors, each of five layers of the model, encoded like the model. At
        least 3, or 0: over folds only, as isolated words need, which do not recur.

    Returns
    -------
    DataFrame
        One row per reference: ``reference``, ``comparison`` ("added to" or "instead of"), ``model``
        and ``other`` (held-out r of both sides), ``gain``, ``low``, ``high`` (95 % over folds: for
        new stimuli and these subjects; over subjects where there are three results or more), ``p``,
        ``p_stimuli``, ``p_random``, ``p_subjects`` (of several results), ``q`` and ``verdict``
        ("more", "less" or "undecided").

    Raises
    ------
    UnknownNameError
        There is no such method.
    ValueError
        There are no layers, or nothing that they are compared with; subjects whose spaces or folds
        differ.

    Examples
    --------
    ::

        spaces = with_baselines(hidden, untrained=twin_layers, added=[rate, controls])
        table = verdict(encode(spaces, recording, split, {"ridge": ridge_of_blocks}))
    """
    results = [result] if isinstance(result, Encoding) else list(result)
    method = next(iter(results[0].by_method)) if method is None else method
    _check_subjects(results, method)
    if not _of_kind(results[0].spaces, "layer"):
        raise ValueError("the result has no space of kind 'layer', so there is no model to judge")
    rows = [*_added_rows(results, method, n_draws), *_twin_rows(results, method, n_draws)]
    if not rows:
        raise ValueError(
            "the result has nothing to compare the layers with: encode them with a reference added "
            "(kind 'combined' or 'added', and the reference alone), or with twins"
        )
    return with_verdicts(pd.DataFrame(rows))


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Return gains with ``q`` (Benjamini-Hochberg over all rows) and ``verdict``.

    Parameters
    ----------
    table : DataFrame
        With columns ``gain`` and ``p``.
    """
    q = fdr(table["p"].to_numpy())
    found = np.where(table["gain"] > 0, "more", "less")
    return table.assign(q=q, verdict=np.where(q <= ALPHA, found, "undecided"))


def verdict_sentence(table: pd.DataFrame, model: str) -> str:
    """State the verdict in one or two sentences.

    Parameters
    ----------
    table : DataFrame
        From `verdict`.
    model : str
        Its name.
    """
    beginnings = {
        "more": f"{model} predicts more than",
        "undecided": f"{model} is not shown to differ from",
        "less": f"{model} predicts less than",
    }
    sentences = []
    for found, beginning in beginnings.items():
        own = table[table["verdict"] == found]
        if len(own):
            sentences.append(f"{beginning} {', '.join(map(_result, own.itertuples()))}.")
    return " ".join(sentences)


def _result(row: Any) -> str:
    what = f"{row.reference} alone" if row.comparison == "added to" else row.reference
    return f"{what} ({row.gain:+.3f} [{row.low:.3f}, {row.high:.3f}], q {row.q:.2g})"


def verdict_dataset(table: pd.DataFrame, model: str) -> xarray.Dataset:
    """Return the verdict for a bundle: its rows, and the sentence as an attribute."""
    return table_of(table).assign_attrs(sentence=verdict_sentence(table, model), model=model)


def _check_subjects(results: Sequence[Encoding], method: str) -> None:
    """Refuse a method that is lacking, and subjects who cannot be compared."""
    for each in results:
        if method not in each.by_method:
            known = ", ".join(each.by_method)
            raise UnknownNameError(f"method {method!r} is not in the result; it has {known}")
    shapes = {
        (tuple(space.name for space in each.spaces), each.scores.sizes["fold"]) for each in results
    }
    if len(shapes) != 1:
        raise ValueError(
            f"{len(results)} results must have the same spaces and as many folds: encode every "
            "subject with the same spaces and ContiguousBlocks(n)"
        )


def _of_kind(spaces: Sequence[Space], *kinds: str) -> list[Space]:
    return [space for space in spaces if space.kind in kinds]


def _fold_scores(results: Sequence[Encoding], method: str, spaces: Sequence[Space]) -> np.ndarray:
    """Scores averaged over targets, of each result, (n_results, n_folds, n_spaces)."""
    names = [space.name for space in spaces]
    found = [each.scores["fold_score"].sel(analysis=method, space=names) for each in results]
    return np.array([each.mean("target").transpose("fold", "space").values for each in found])


def _compare(
    results: Sequence[Encoding], layers: np.ndarray, other: np.ndarray, random: Any
) -> dict[str, float]:
    """Gain of the held-out layer over folds and, of three results or more, over subjects.

    ``layers`` is (n_results, n_folds, n_layers), ``other`` (n_results, n_folds).
    """
    ratio = float(np.mean([each.scores.attrs["test_ratio"] for each in results]))
    found = context_gain(layers.mean(0), other.mean(0), ratio, random=random).row()
    if len(results) < LEAST_SUBJECTS:
        return found
    chosen, _ = held_out_choice(layers.mean(0)[:, :, None])
    gains = (layers[:, np.arange(len(chosen)), chosen] - other).mean(axis=1)
    tested = ttest_1samp(gains, 0)
    low, high = tested.confidence_interval()
    p_subjects = float(tested.pvalue)
    p = max(found["p"], p_subjects)
    return {**found, "low": float(low), "high": float(high), "p": p, "p_subjects": p_subjects}


def _added_rows(results: Sequence[Encoding], method: str, n_draws: int) -> list[dict[str, Any]]:
    """Rows of the references that were added to the layers."""
    spaces = results[0].spaces
    joint: dict[str, list[int]] = {}
    for i, space in enumerate(spaces):
        if space.kind in ("combined", "added"):
            joint.setdefault(" + ".join(part.name for part in space.features[1:]), []).append(i)
    references = {space.name: space for space in _of_kind(spaces, "reference")}
    rows = []
    for name, places in joint.items():
        if name not in references:
            raise ValueError(f"{name!r} is added to layers, but is no space of kind 'reference'")
        alone = _fold_scores(results, method, [references[name]])
        scores = _fold_scores(results, method, [spaces[i] for i in places]) - alone
        random = None
        if n_draws:
            drawn = _without_meaning(results, method, places, n_draws) - alone.mean(0)
            random = (drawn, np.zeros(n_draws))
        found = _compare(results, scores, np.zeros(scores.shape[:2]), random)
        rows.append(_row(name, "added to", float(alone.mean()), found))
    return rows


def _twin_rows(results: Sequence[Encoding], method: str, n_draws: int) -> list[dict[str, Any]]:
    """Rows of the twins that stand in place of the model."""
    spaces = results[0].spaces
    places = [i for i, space in enumerate(spaces) if space.kind == "layer"]
    scores = _fold_scores(results, method, [spaces[i] for i in places])
    random = None
    rows = []
    for kind, label in TWINS.items():
        twins = _of_kind(spaces, kind)
        if not twins:
            continue
        if n_draws and random is None:
            drawn = _without_meaning(results, method, places, n_draws)
            random = (drawn, best_layer(drawn))
        values = _fold_scores(results, method, twins)
        number = np.array([twin.layer for twin in twins])
        by_layer = np.stack([values[:, :, number == n].mean(2) for n in np.unique(number)], axis=2)
        chosen, held_out = held_out_choice(by_layer.mean(0)[:, :, None])
        other = by_layer[:, np.arange(len(chosen)), chosen]
        found = _compare(results, scores, other, random)
        rows.append(_row(label, "instead of", float(held_out.mean()), found))
    return rows


def _row(name: str, comparison: str, other: float, found: dict[str, float]) -> dict[str, Any]:
    sides = {"model": other + found["gain"], "other": other}
    return {"reference": name, "comparison": comparison, **sides, **found}


def _without_meaning(
    results: Sequence[Encoding], method: str, places: Sequence[int], n_draws: int
) -> np.ndarray:
    """Scores of some layers with vectors permuted between word types, (n_draws, n_folds, n)."""
    some = np.unique(np.linspace(0, len(places) - 1, DRAWN_LAYERS).round().astype(int))
    chosen = [places[i] for i in some]
    found = np.mean([_drawn_scores(each, method, chosen, n_draws) for each in results], axis=0)
    return found.T.reshape(n_draws, len(some), -1).transpose(0, 2, 1)


def _drawn_scores(result: Encoding, method: str, places: Sequence[int], n_draws: int) -> np.ndarray:
    """Scores of one result with vectors permuted, (n_folds, n_draws x n_places)."""
    spaces = [result.spaces[i] for i in places]
    drawn = [
        replace(
            space,
            features=(permute_types(space.features[0], seed), *space.features[1:]),
            name=f"{space.name}, draw {seed}",
        )
        for seed in range(n_draws)
        for space in spaces
    ]
    encoders: Mapping[str, Any] = {method: result.encoders[method]}
    data = result.recording, result.split
    found = encode(drawn, *data, encoders, delays=result.delays, keep_predictions=False)
    return _fold_scores([found], method, drawn)[0]

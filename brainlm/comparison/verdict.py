"""Verdict of an encoding study: the gain of a model over each trivial explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.comparison.feature_spaces import permute_types
from brainlm.comparison.layer_scores import table_of
from brainlm.comparison.layer_statistics import Contrast, best_layer, context_gain
from brainlm.data.scores import held_out_choice
from brainlm.encoding.encode import Encoding, Space, encode
from brainlm.errors import UnknownNameError
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import xarray

ALPHA = 0.05
TWINS = {"untrained": "its untrained twin", "random": "random vectors with its geometry"}
DRAWN_LAYERS = 5  # of the model without meaning


def verdict(result: Encoding, method: str | None = None, *, n_draws: int = 5) -> pd.DataFrame:
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

    Parameters
    ----------
    result : Encoding
        With layers, and references of any of these kinds.
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
        new stimuli and these subjects), ``p``, ``p_stimuli``, ``p_random``, ``q`` and ``verdict``
        ("more", "less" or "undecided").

    Raises
    ------
    UnknownNameError
        There is no such method.
    ValueError
        There are no layers, or nothing that they are compared with.

    Examples
    --------
    ::

        spaces = with_baselines(hidden, untrained=twin_layers, added=[rate, controls])
        table = verdict(encode(spaces, recording, split, {"ridge": ridge_of_blocks}))
    """
    method = next(iter(result.by_method)) if method is None else method
    if method not in result.by_method:
        known = ", ".join(result.by_method)
        raise UnknownNameError(f"method {method!r} is not in the result; it has {known}")
    layers = _of_kind(result.spaces, "layer")
    if not layers:
        raise ValueError("the result has no space of kind 'layer', so there is no model to judge")
    rows = [*_added_rows(result, method, n_draws), *_twin_rows(result, method, n_draws)]
    if not rows:
        raise ValueError(
            "the result has nothing to compare the layers with: encode them with a reference added "
            "(kind 'combined' or 'added', and the reference alone), or with twins"
        )
    table = pd.DataFrame(rows)
    table["q"] = fdr(table["p"].to_numpy())
    found = np.where(table["gain"] > 0, "more", "less")
    table["verdict"] = np.where(table["q"] <= ALPHA, found, "undecided")
    return table


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


def _of_kind(spaces: Sequence[Space], *kinds: str) -> list[Space]:
    return [space for space in spaces if space.kind in kinds]


def _fold_scores(result: Encoding, method: str, spaces: Sequence[Space]) -> np.ndarray:
    """Scores averaged over targets and subjects, (n_folds, n_spaces)."""
    found = result.scores["fold_score"].sel(analysis=method, space=[s.name for s in spaces])
    return found.mean("target").transpose("fold", "space").values


def _added_rows(result: Encoding, method: str, n_draws: int) -> list[dict[str, Any]]:
    """Rows of the references that were added to the layers."""
    joint: dict[str, list[Space]] = {}
    for space in _of_kind(result.spaces, "combined", "added"):
        joint.setdefault(" + ".join(part.name for part in space.features[1:]), []).append(space)
    references = {space.name: space for space in _of_kind(result.spaces, "reference")}
    rows = []
    for name, spaces in joint.items():
        if name not in references:
            raise ValueError(f"{name!r} is added to layers, but is no space of kind 'reference'")
        alone = _fold_scores(result, method, [references[name]])
        scores = _fold_scores(result, method, spaces) - alone
        random = None
        if n_draws:
            drawn = _without_meaning(result, method, spaces, n_draws) - alone
            random = (drawn, np.zeros(n_draws))
        nothing = np.zeros(len(scores))
        found = context_gain(scores, nothing, result.scores.attrs["test_ratio"], random=random)
        rows.append(_row(name, "added to", float(alone.mean()), found))
    return rows


def _twin_rows(result: Encoding, method: str, n_draws: int) -> list[dict[str, Any]]:
    """Rows of the twins that stand in place of the model."""
    layers = _of_kind(result.spaces, "layer")
    scores = _fold_scores(result, method, layers)
    random = None
    rows = []
    for kind, label in TWINS.items():
        twins = _of_kind(result.spaces, kind)
        if not twins:
            continue
        if n_draws and random is None:
            drawn = _without_meaning(result, method, layers, n_draws)
            random = (drawn, best_layer(drawn))
        values = _fold_scores(result, method, twins)
        number = np.array([twin.layer for twin in twins])
        by_layer = np.stack([values[:, number == n].mean(1) for n in np.unique(number)], axis=1)
        other = held_out_choice(by_layer[:, :, None])[1][:, 0]
        found = context_gain(scores, other, result.scores.attrs["test_ratio"], random=random)
        rows.append(_row(label, "instead of", float(other.mean()), found))
    return rows


def _row(name: str, comparison: str, other: float, found: Contrast) -> dict[str, Any]:
    sides = {"model": other + found.mean, "other": other}
    return {"reference": name, "comparison": comparison, **sides, **found.row()}


def _without_meaning(
    result: Encoding, method: str, spaces: Sequence[Space], n_draws: int
) -> np.ndarray:
    """Scores of some layers with vectors permuted between word types, (n_draws, n_folds, n)."""
    some = np.unique(np.linspace(0, len(spaces) - 1, DRAWN_LAYERS).round().astype(int))
    drawn = [
        replace(
            spaces[i],
            features=(permute_types(spaces[i].features[0], seed), *spaces[i].features[1:]),
            name=f"{spaces[i].name}, draw {seed}",
        )
        for seed in range(n_draws)
        for i in some
    ]
    encoders: Mapping[str, Any] = {method: result.encoders[method]}
    data = result.recording, result.split
    found = encode(drawn, *data, encoders, delays=result.delays, keep_predictions=False)
    return _fold_scores(found, method, drawn).T.reshape(n_draws, len(some), -1).transpose(0, 2, 1)

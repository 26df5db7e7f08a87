"""Context, pooling, size and perplexity as factors of a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.comparison.feature_spaces import Reading
from brainlm.comparison.layer_scores import rows_of
from brainlm.comparison.layer_statistics import compare_folds
from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.errors import unknown_name
from brainlm.language_models import LanguageModel
from brainlm.language_models.tokens import writes_spaces
from brainlm.language_models.windows import POOLINGS
from brainlm.stats.permutation import fdr

if TYPE_CHECKING:
    import xarray

FACTORS = {  # column -> its label, what is kept equal, fewest levels
    "context": ("log2 context", ("dataset", "model", "pooling"), 2),
    "parameters": ("log10 parameters", ("dataset", "context", "pooling"), 3),
    "bits_per_byte": ("bits per byte", ("dataset", "context", "pooling"), 3),
}
TRENDS = ["factor", "dataset", "model", "context", "pooling", "n_levels"]


def n_parameters(model: LanguageModel) -> int:
    """Number of weights of the loaded network: input embeddings included, no output layer."""
    return sum(weights.numel() for weights in model.network.parameters())


def bits_per_byte(surprisal: Features) -> float:
    """Return the perplexity of a text, in bits per byte.

    ::

        sum of surprisal in bits / UTF-8 bytes of the words, and one for the space after each

    Bits per word or per token depend on how a tokenizer cuts a text; the bytes of a text do not.
    2 to the power of bits per byte is the perplexity per byte.

    Parameters
    ----------
    surprisal : Features of shape (n_words, 1)
        From `brainlm.LanguageModel.surprisal`.

    Examples
    --------
    >>> from brainlm import Stimulus
    >>> words = Stimulus(["old", "man"], "en")
    >>> bits_per_byte(Features("surprisal", [[6.0], [10.0]], words))
    2.0
    """
    if surprisal.stimulus is None:
        raise ValueError("bits_per_byte needs the surprisal of words, these are samples")
    return float(surprisal.values.sum()) / n_bytes(surprisal.stimulus)


def n_bytes(stimulus: Stimulus) -> int:
    """Return the UTF-8 bytes of the words, and of a space after each in languages that have it."""
    spaces = stimulus.n_words if writes_spaces(stimulus.language) else 0
    return sum(len(str(word).encode()) for word in stimulus.words) + spaces


def model_part(model: LanguageModel, stimulus: Stimulus, context: int | str) -> xarray.Dataset:
    """Return size and bits per byte of a model (NaN of a masked one) as a part of a study."""
    import xarray

    bits = np.nan
    if model.causal:
        bits = bits_per_byte(model.surprisal(stimulus, context=context))
    return xarray.Dataset({"parameters": n_parameters(model), "bits_per_byte": bits})


def factor_rows(
    parts: Mapping[str, xarray.Dataset],
    about: Mapping[str, Mapping[str, Any]],
    models: Mapping[str, xarray.Dataset],
) -> pd.DataFrame:
    """Return the table of scores, a row per part, with the factors of each.

    Parameters
    ----------
    parts : mapping of str to xarray.Dataset
        From `brainlm.comparison.layer_scores.layer_part`, one layer each.
    about : mapping of str to mapping
        By the same names: ``model``, ``context``, ``pooling`` and ``described``, a name in
        ``models``.
    models : mapping of str to xarray.Dataset
        From `model_part`.
    """
    rows = []
    for name, part in parts.items():
        given = dict(about[name])
        described = models[given.pop("described")]
        sizes = {key: described[key].item() for key in ("parameters", "bits_per_byte")}
        (row,) = [each for each in rows_of(part) if each["family"] != "random"]
        random = float(part["random"].mean())
        rows.append({**row, **given, **sizes, "random": random, "part": name})
    return pd.DataFrame(rows)


def factor_trends(table: pd.DataFrame, parts: Mapping[str, xarray.Dataset]) -> pd.DataFrame:
    """Test whether the score rises or falls with each factor, all else equal.

    The slope of the score is taken in every fold: over log2 of the context of one model, over log10
    of the parameters and over bits per byte of three models or more with equal context. Two p
    values, of which the larger counts: over folds (for new stimuli and these models), and against
    the slopes of the same vectors permuted between word types.

    Parameters
    ----------
    table : DataFrame
        From `factor_rows`.
    parts : mapping of str to xarray.Dataset

    Returns
    -------
    DataFrame
        ``factor``, ``dataset``, ``model`` ("all" where it varies), ``context`` (0 where it
        varies), ``pooling``, ``n_levels``, ``slope`` (of r, per doubling of the context, tenfold
        size, or bit), ``low``, ``high``, ``p``, ``p_stimuli``, ``p_random``, ``q``.
    """
    rows = []
    for factor, (_, equal, least) in FACTORS.items():
        known = table[np.isfinite(table[factor].astype(float))]
        for _, own in known.groupby(list(equal), sort=False):
            if own[factor].nunique() >= least:
                rows.append(_trend(factor, own, parts))
    columns = [*TRENDS, "slope", "low", "high", "p", "p_stimuli", "p_random"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(q=fdr(frame["p"].to_numpy(float)) if len(frame) else [])


def _trend(factor: str, own: pd.DataFrame, parts: Mapping[str, xarray.Dataset]) -> dict[str, Any]:
    """Slope of the score over the levels of one factor."""
    x = own[factor].to_numpy(float)
    x = {"context": np.log2, "parameters": np.log10}.get(factor, np.asarray)(x)
    centred = x - x.mean()
    weights = centred / (centred @ centred)
    found = [parts[name] for name in own["part"]]
    slopes = weights @ np.array([part["fold_score"].values[0] for part in found])
    drawn = weights @ np.array([part["random"].mean("fold").values[0] for part in found])
    ratio = found[0].attrs["test_ratio"]
    # Isolated words do not recur, so that folds tell all of the accident of an embedding.
    random = None if own["level"].iloc[0] == "word" else (drawn, 0 * drawn)
    tested = compare_folds(slopes, 0 * slopes, ratio, random=random)
    first = own.iloc[0]
    varies = "context" if factor == "context" else "model"
    about = {name: first[name] for name in ("dataset", "model", "context", "pooling")}
    about[varies] = 0 if varies == "context" else "all"
    return {"factor": factor, **about, "n_levels": len(own), **tested.row("slope")}


def trend_lines(trends: pd.DataFrame) -> list[str]:
    """State in how many comparisons the score rises and falls with each factor (q <= .05)."""
    lines = []
    for factor, own in trends.groupby("factor", sort=False):
        found = own[own["q"] <= 0.05]
        rising, falling = ((sign * found["slope"] > 0).sum() for sign in (1, -1))
        lines.append(
            f"{FACTORS[str(factor)][0]}: the score rises in {rising} and falls in {falling} of "
            f"{len(own)} comparisons (q <= .05)"
        )
    return lines


def parse_readings(context: str, pooling: str) -> list[Reading]:
    """Return every context with every pooling, from the options of a study.

    Raises
    ------
    ValueError, UnknownNameError
        A context that is no number of words, or a pooling that does not exist.
    """
    poolings = [each.strip() for each in pooling.split(",")]
    for each in poolings:
        if each not in POOLINGS:
            raise unknown_name("pooling", each, POOLINGS)
    return [Reading(words, each) for each in poolings for words in parse_counts(context)]


def parse_counts(text: str) -> list[int]:
    """Return the words of context in ``"1,4,16"``.

    Raises
    ------
    ValueError
        Anything else, or a number twice.
    """
    parts: Sequence[str] = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() and int(part) > 0 for part in parts) or len(set(parts)) < len(parts):
        raise ValueError(
            f"--context {text!r}: give different whole numbers above 0, separated by commas"
        )
    return [int(part) for part in parts]

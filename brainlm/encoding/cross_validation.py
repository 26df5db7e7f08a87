"""Held-out scores of an encoder, fold by fold, with nested inner folds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.base import clone

from brainlm._progress import bar
from brainlm._validation import check_finite, check_targets, same_length
from brainlm.compute.backend import host, is_accelerator, is_tensor, itemsize, place
from brainlm.compute.inputs import checked_means
from brainlm.compute.lazy_arrays import TargetView, bad_columns, column_blocks, on_disk
from brainlm.compute.memory import check_memory, parse_bytes
from brainlm.compute.streams import resident
from brainlm.data.notes import Note
from brainlm.data.scores import Scores, pearson, r_squared
from brainlm.data.target_table import target_table
from brainlm.encoding._ridge.grid import SIGNAL, edge_message
from brainlm.encoding._ridge.solve import edge_counts
from brainlm.encoding._ridge.streaming import read_size
from brainlm.encoding.folds import as_split, checked_folds
from brainlm.encoding.ridge import AlphaEdgeWarning
from brainlm.encoding.splits import ContiguousBlocks, GapWarning, Split
from brainlm.encoding.temporal_response import Delayer
from brainlm.errors import unknown_name

METRICS = ("r", "spearman", "r2", "r2_score")
Metric = str | Callable[[np.ndarray, np.ndarray], np.ndarray]
LARGE = 1 << 28  # bytes of targets from which a ridge regression passes them in blocks


def cross_validate(
    encoder: Any,
    X: Any,
    Y: Any,
    split: Any,
    *,
    metric: Metric = "r",
    targets: Any = None,
    keep_predictions: bool = False,
    mask_targets: bool = False,
    max_memory: int | str | None = None,
) -> Scores:
    """Fit on the training samples of each fold, score on its test samples.

    The score of a fold is computed inside the fold, so the means of different test folds never
    mix. ``Scores.mean`` averages over the F folds, each with the same weight whatever its size::

        r_v = tanh(1/F sum_f arctanh r_fv)        R2_v = 1/F sum_f R2_fv

    Fisher's z lies further from 0 than the plain mean of r where folds differ. An encoder whose
    ``cv`` is None chooses its penalties in inner folds of the same kind as ``split``, made of the
    training samples only.

    Parameters
    ----------
    encoder : scikit-learn estimator
        Cloned for each fold; the caller's object stays unfitted.
    X : array or DataFrame of shape (n_samples, n_features)
    Y : array or DataFrame of shape (n_samples, n_targets) or (n_samples,)
        The columns of a DataFrame name the targets. Or anything of that ``shape`` and a ``dtype``
        that gives columns as ``Y[:, a:b]``: a memory map, an HDF5 data set, a Zarr array. A
        ``RidgeEncoder`` (or another estimator with ``fit_fold``) reads large targets in blocks and
        never holds its weights; other encoders load them. X and Y may be torch tensors; a
        ``RidgeEncoder(device="cuda")`` takes either to the card.
    split : Split, int or sequence of (train, test)
        From ``brainlm.encoding.splits``; a number of contiguous blocks (without a gap: for items,
        not for time series); any scikit-learn splitter, or row numbers (inner folds are then the
        encoder's
        own).
    metric : {"r", "spearman", "r2", "r2_score"} or callable
        Pearson's or Spearman's correlation; R2 with the mean of the test fold removed from
        prediction and data (`brainlm.data.scores.r_squared`); or scikit-learn's ``r2_score``, where
        a wrong mean counts as an error. In slow series the mean of a block says nothing about the
        features: use "r2".
        A callable ``metric(predicted, truth)`` gets a fold, (n_test, n_targets) each, and returns
        a score per target; folds are then averaged as they are.
    targets : sequence of str or DataFrame, optional
        Names of the targets, or their table (`brainlm.Recording.targets`).
    keep_predictions : bool
        Keep the out-of-fold predictions, shape (n_samples, n_targets).
    mask_targets : bool
        Leave targets out that are constant or hold NaN, as voxels at the edge of a brain do: their
        scores are NaN, and the notes of the result count them. By default they are an error.
    max_memory : int or str, optional
        Bytes, or text such as "4GB", that a ridge regression may take beside ``X`` and what is in
        memory of ``Y`` already, on the device of the encoder. Default: what is left there.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        For arrays that do not fit together, NaN in ``X``, and targets without a score.
    MemoryError
        Before anything is computed, when ``max_memory`` cannot suffice.

    Warns
    -----
    AlphaEdgeWarning
        Once, with the number of targets and folds that chose an alpha on the edge of the grid with
        a cross-validated score above .01;
        ``RidgeEncoder(warn_edge=False)`` leaves it to the notes of the result.
    GapWarning
        For ``ContiguousBlocks`` of a time series whose gap is 0 or shorter than the longest delay
        of a ``Delayer`` in the encoder. A series is known by ``runs`` of the split or the delays.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 10))
    >>> Y = X @ rng.standard_normal((10, 3)) + 4 * rng.standard_normal((200, 3))
    >>> split = brainlm.ContiguousBlocks(5, gap=2)
    >>> scores = brainlm.cross_validate(brainlm.RidgeEncoder(), X, Y, split)
    >>> scores.values.shape
    (5, 3)
    >>> bool(scores.mean.min() > 0.3)
    True
    """
    if not callable(metric) and metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    split = as_split(split)
    _warn_of_gap(encoder, split)
    if targets is None and hasattr(Y, "columns"):
        targets = [str(name) for name in Y.columns]
    elif targets is None and hasattr(Y, "to_numpy") and Y.ndim == 1:
        targets = [str(Y.name)]
    X = X.to_numpy() if hasattr(X, "to_numpy") else X
    Y = Y.to_numpy() if hasattr(Y, "to_numpy") else Y
    Y = Y if hasattr(Y, "shape") else np.asarray(Y)
    if len(Y.shape) == 1:
        Y = Y[:][:, None]
    if len(Y.shape) != 2:
        raise ValueError(f"Y must be (n_samples, n_targets) or (n_samples,), got {Y.shape}")
    same_length({"rows of X": len(X), "rows of Y": Y.shape[0]})
    check_finite(host(X), "X")
    table = target_table(range(Y.shape[1]) if targets is None else targets)
    same_length({"columns of Y": Y.shape[1], "targets": len(table)})
    names = table["name"].to_numpy()
    if mask_targets:
        bad = bad_columns(Y)
        if bad.all():
            raise ValueError(f"Y: all {len(bad)} targets are constant or hold NaN")
        if bad.any():
            good = np.flatnonzero(~bad)
            scores = cross_validate(
                encoder,
                X,
                TargetView(Y, columns=good) if on_disk(Y) else Y[:, good],
                split,
                metric=metric,
                targets=table.iloc[good],
                keep_predictions=keep_predictions,
                max_memory=max_memory,
            )
            return _with_masked(scores, table, bad)
    last, at_most = last_step(encoder), 0
    by_blocks = hasattr(last, "fit_fold")
    if by_blocks:  # on a card at once where they fit
        Y = resident(Y, placed := place(X[:0], last.device))
    if by_blocks and is_tensor(placed):
        checked_means(Y, placed, names)
    else:
        for block in column_blocks(Y.shape[1], Y.shape[0] * itemsize(Y)):
            check_targets(host(Y[:, block]), names[block])
    folds = checked_folds(split.split(X), len(X), f"split {split!r}")
    n_bytes = Y.shape[0] * Y.shape[1] * itemsize(Y)
    streams = on_disk(Y) or n_bytes > LARGE or max_memory is not None
    if by_blocks and streams:
        at_most = _read_size(last, X, folds, max_memory, n_bytes if keep_predictions else 0)
    elif on_disk(Y) and not is_tensor(Y):
        check_memory(4 * n_bytes, f"Y for {type(encoder).__name__}", "use fewer targets at a time")
        Y = np.asarray(Y[:, : Y.shape[1]])
    predictions = np.full(Y.shape, np.nan) if keep_predictions else None
    values, alphas = [], None
    diagnostics: dict[str, list[np.ndarray]] = {}
    every = [prepared(encoder, split, train) for train, _ in folds]
    done = not at_most and _fit_together(every, X, Y, [train for train, _ in folds])
    for fresh, (train, test) in bar(
        zip(every, folds, strict=True), "folds", inner=True, total=len(folds)
    ):
        if at_most:
            *steps, last = fresh.named_steps.values() if hasattr(fresh, "steps") else (fresh,)
            sides = X[train], X[test]
            for step in steps:
                sides = step.fit(sides[0]).transform(sides[0]), step.transform(sides[1])
            result = last.fit_fold(
                sides,
                Y,
                (train, test),
                lambda p, t: _score(p, t, metric),
                at_most=at_most,
                keep_predictions=keep_predictions,
            )
            score, predicted = result.values, result.predictions
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AlphaEdgeWarning)  # summed up once, over all folds
                fitted = fresh if done else fresh.fit(X[train], Y[train])
                predicted = fitted.predict(X[test]).reshape(len(test), -1)
            if is_tensor(predicted) != is_tensor(Y):
                predicted = host(predicted)
            score = host(_score(predicted, Y[test], metric))
        values.append(score)
        last = last_step(fresh)
        for name, found in getattr(last, "diagnostics_", {}).items():
            diagnostics.setdefault(name, []).append(found)
        if hasattr(last, "alphas_"):
            alphas = last.alphas_ if alphas is None else np.union1d(alphas, last.alphas_)
        if predictions is not None:
            predictions[test] = host(predicted)
    _check_defined(np.array(values))
    gathered = {name: np.array(found) for name, found in diagnostics.items()}
    chosen, inner = (gathered.pop(name, None) for name in ("alpha", "cv_r2"))
    return Scores(
        values=np.array(values),
        metric=metric if isinstance(metric, str) else getattr(metric, "__name__", repr(metric)),
        targets=table,
        encoder=re.sub(r"\s+", " ", repr(encoder)),
        split=repr(split),
        n_test=[len(test) for _, test in folds],
        n_train=[len(train) for train, _ in folds],
        alphas=chosen,
        predictions=predictions,
        notes=_edge_note(chosen, alphas, inner, warn=getattr(last, "warn_edge", True)),
        inner=inner,
        diagnostics=gathered,
    )


def _fit_together(encoders: list, X: Any, Y: Any, trains: list[np.ndarray]) -> bool:
    """Fit all folds in one pass over the samples, where the encoder can; return whether it did."""
    if not hasattr(encoders[0], "fit_together"):
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)
        return bool(encoders[0].fit_together(encoders, X, Y, trains))


def last_step(encoder: Any) -> Any:
    """Return the last step of a pipeline, or the estimator itself."""
    return encoder[-1] if hasattr(encoder, "steps") else encoder


def _warn_of_gap(encoder: Any, split: Split) -> None:
    """Warn where samples known to be a time series have neighbours on both sides of a fold."""
    if not isinstance(split, ContiguousBlocks):
        return
    steps = encoder.named_steps.values() if hasattr(encoder, "named_steps") else ()
    delays = [abs(d) for step in steps if isinstance(step, Delayer) for d in step.delays]
    least = max([*delays, int(split.runs is not None)], default=0)
    if split.gap < least:
        warnings.warn(
            f"{split!r} of a time series: neighbouring samples share stimulus and noise; give "
            f"ContiguousBlocks a gap of at least the longest delay, {least} or more samples",
            GapWarning,
            stacklevel=3,
        )


def _read_size(encoder: Any, X: Any, folds: list, max_memory: int | str | None, kept: int) -> int:
    """Return the bytes of targets to read at a time; raise where the memory cannot suffice."""
    n_train, n_test = (max(len(fold[side]) for fold in folds) for side in (0, 1))
    X = place(X[:0], encoder.device)
    fixed = encoder.fold_bytes(n_train, n_test, X)
    limit = None if max_memory is None else parse_bytes(max_memory)
    if is_accelerator(X):  # the predictions stay on the host
        return read_size(fixed, limit, X)
    return read_size(fixed + 2 * kept, limit, X)


def _with_masked(scores: Scores, targets: pd.DataFrame, bad: np.ndarray) -> Scores:
    """Put NaN where targets were left out, and say so."""

    def filled(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        full = np.full((len(values), len(bad)), np.nan)
        full[:, ~bad] = values
        return full

    first = ", ".join(targets["name"][bad][:5])
    note = Note(
        f"{bad.sum()} of {len(bad)} targets are constant or hold NaN and have no score: {first}",
        "excluded",
    )
    return replace(
        scores,
        values=filled(scores.values),
        targets=targets,
        alphas=filled(scores.alphas),
        inner=filled(scores.inner),
        predictions=filled(scores.predictions),
        notes=(*scores.notes, note),
    )


def score_in_folds(
    predictions: np.ndarray,
    Y: np.ndarray,
    split: Split,
    *,
    encoder: str,
    metric: str = "r",
    targets: Any = None,
) -> Scores:
    """Score held-out predictions inside the test folds of a split.

    For leave-one-out predictions (``brainlm.encoding.similarity.leave_one_out``), so that their
    score and its spread compare with cross-validated ones on the same blocks of samples.

    Parameters
    ----------
    predictions, Y : array of shape (n_samples, n_targets)
    split : Split
    encoder : str
        What made the predictions.
    metric : {"r", "r2", "r2_score"}
        As in ``cross_validate``.
    targets : sequence of str or DataFrame, optional

    Returns
    -------
    Scores
    """
    tests = [test for _, test in split.split(Y)]
    values = np.array([_score(predictions[test], Y[test], metric) for test in tests])
    _check_defined(values)
    return Scores(
        values=values,
        metric=metric,
        targets=range(Y.shape[1]) if targets is None else targets,
        encoder=encoder,
        split=repr(split),
        n_test=[len(test) for test in tests],
        n_train=[len(Y) - len(test) for test in tests],
        predictions=predictions,
    )


def prepared(encoder: Any, split: Split, train: np.ndarray) -> Any:
    """Return a clone with the inner folds of ``split`` unless it has inner folds already.

    Parameters
    ----------
    encoder : scikit-learn estimator
        Or a pipeline; a parameter ``cv`` of None is set.
    split : Split
        The outer split.
    train : array of int
        Training samples of the outer fold.
    """
    fresh = clone(encoder)
    if hasattr(split, "within"):
        # A pipeline names the parameter step__cv.
        own = [
            k for k, v in fresh.get_params().items() if re.fullmatch(r"(.+__)?cv", k) and v is None
        ]
        fresh.set_params(**dict.fromkeys(own, split.within(train)) if own else {})
    return fresh


def _score(predicted: np.ndarray, truth: np.ndarray, metric: Metric) -> np.ndarray:
    if callable(metric) or metric == "spearman":
        predicted, truth = host(predicted), host(truth)
    if callable(metric):
        found = np.asarray(metric(predicted, truth), dtype=float)
        if found.shape != (truth.shape[1],):
            raise ValueError(
                f"metric must return a score for each of {truth.shape[1]} targets, got shape "
                f"{found.shape}"
            )
        return found
    if metric == "r":
        return pearson(predicted, truth)
    if metric == "spearman":
        return pearson(rankdata(predicted, axis=0), rankdata(truth, axis=0))
    return r_squared(predicted, truth, center=metric == "r2")


def _check_defined(values: np.ndarray) -> None:
    missing = int(np.isnan(values).sum())
    if missing:
        raise ValueError(
            f"{missing} of {values.size} fold scores are undefined: those targets are constant in "
            "a test fold. Use fewer folds, or leave these targets out"
        )


def _edge_note(
    chosen: np.ndarray | None, alphas: np.ndarray | None, inner: np.ndarray | None, *, warn: bool
) -> tuple[str, ...]:
    """Note how many choices are on the edge of the grid; warn of those of targets with signal."""
    if chosen is None or alphas is None or inner is None or len(alphas) < 2:
        return ()
    low, high = edge_counts(chosen, alphas)
    if low + high == 0:
        return ()
    predicted = chosen[inner > SIGNAL]
    edges = edge_counts(predicted, alphas)
    if warn and any(edges):
        message = edge_message(*edges, len(predicted), alphas, signal=True)
        warnings.warn(message, AlphaEdgeWarning, stacklevel=3)
    return (Note(edge_message(low, high, chosen.size, alphas, signal=False), "alpha_edge"),)

"""Score one feature space on one assembly by ridge or similarity encoding, with a null."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainlm._validation import check_finite, same_length
from brainlm.comparison.responses import Responses, over_targets
from brainlm.comparison.space_scores import ControlFit, SpaceScores, mean_r
from brainlm.data.scores import fisher_mean, fisher_z, standardize_rows
from brainlm.encoding.cross_validation import cross_validate, prepared
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.similarity import column_shift_and_scale, leave_one_out, leave_one_out_scores
from brainlm.encoding.splits import ContiguousBlocks, Split

MOST_NULL_TARGETS = 100
COLUMNS = 2000  # of null responses in one product
MOST_DUPLICATES = 0.25  # tokens across two Chinese words make a tenth of them alike


def check_space(X: np.ndarray, labels: Sequence[str], name: str) -> float:
    """Raise when a space has one column, or the same row for many different items.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
    labels : sequence of str, shape (n_items,)
        What the items are, such as their words; equal labels may have equal rows.
    name : str
        For the message.

    Returns
    -------
    float
        Share of the different labels whose row is that of another.

    Raises
    ------
    ValueError
        One or two columns; more than a quarter of such labels; NaN.
    """
    check_finite(X, name)
    same_length({"rows of X": len(X), "labels": len(labels)})
    if X.shape[1] < 3:
        raise ValueError(
            f"{name!r} has {X.shape[1]} feature(s): items cannot be correlated over so few; use "
            "ridge encoding for it"
        )
    names, first = np.unique(np.asarray(labels).astype(str), return_index=True)
    _, index, count = np.unique(X[first], axis=0, return_inverse=True, return_counts=True)
    twin = count[index.ravel()] > 1
    if twin.mean() > MOST_DUPLICATES:
        same = np.flatnonzero(index.ravel() == index.ravel()[np.argmax(twin)])
        one, other = (str(names[k]) for k in same[:2])
        raise ValueError(
            f"{name!r} gives {int(twin.sum())} of {len(names)} different items the row of another "
            f"(such as {one!r} and {other!r}): the representation has "
            "collapsed; give the words a context, or leave it out"
        )
    return float(twin.mean())


def score_similarity(
    X: np.ndarray,
    Y: np.ndarray | Responses,
    split: Split,
    *,
    orders: Sequence[np.ndarray] = (),
    controls: ControlFit | None = None,
    published: bool = True,
) -> SpaceScores:
    """Score similarity encoding: Anderson's rule in folds, embedding columns standardised.

    The scores are those of ``cross_validate(SimilarityEncoder(standardize=True), X, Y, split)``.
    A prediction is one fixed product per fold, so null responses cost a product each.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
    Y : array of shape (n_items, n_targets), or Responses
    split : Split
    orders : sequence of array of int
        Rows of the null responses.
    controls : ControlFit, optional
        Of the same responses and split. What they leave over in the training samples is then
        predicted by similarity, and both predictions are summed: see ``SpaceScores.beyond``.
    published : bool
        Also compute the scores with columns centred only, and MulCogBench's leave-one-out score,
        not centred. In time series the latter leaks between neighbours.
    """
    # Pearson's r forgives a rest of the mean, single precision would not.
    X, given = np.asarray(X, dtype=np.float32), Responses.of(Y)
    centred = np.asarray(given.fitted - given.fitted.mean(axis=0), dtype=np.float32)
    Z = replace(given, fitted=centred)
    folds = _weighted(X, split, standardize=True)
    found = SpaceScores(
        _fold_scores(folds, Z),
        "similarity encoding",
        _test_ratio(split, X),
        subject=given.subject,
        weight=given.weight,
    )
    more: dict[str, Any] = {}
    if len(orders):
        some = _defined(given.fitted, split, orders)
        own = Z.columns(some)
        scored = _fold_scores(folds, own) if len(some) < Z.fitted.shape[1] else found.values
        more |= {"observed": mean_r(scored, own.weight), "null": _null_scores(own, orders, folds)}
    if controls is not None:
        both = [
            given.r(known_test + _predict(W, given.fitted[train] - known), test)
            for (train, test, W), known, known_test in zip(
                folds, controls.train, controls.test, strict=True
            )
        ]
        more["beyond"] = np.array(both) - controls.values
    if published:
        more["centred"] = _fold_scores(_weighted(X, split, standardize=False), Z)
        more["published"] = _published(X.astype(float), given)
    return replace(found, **more)


def _published(X: np.ndarray, given: Responses) -> np.ndarray:
    if given.scored is None:
        return leave_one_out_scores(X, given.fitted, center=False)
    return given.r(leave_one_out(X, given.fitted, center=False), np.arange(len(X)))


def _test_ratio(split: Split, X: np.ndarray) -> float:
    train, test = np.array([(len(a), len(b)) for a, b in split.split(X)]).mean(axis=0)
    return float(test / train)


def _weighted(X: np.ndarray, split: Split, *, standardize: bool) -> list[tuple]:
    """Training rows, test rows and weights of each fold."""
    folds = []
    for train, test in split.split(X):
        shift, scale = column_shift_and_scale(X[train], standardize=standardize)
        Z = (X - shift) / scale
        W = standardize_rows(Z[test]) @ standardize_rows(Z[train]).T
        folds.append((train, test, W / np.abs(W).sum(axis=1, keepdims=True)))
    return folds


def _fold_scores(folds: list[tuple], Z: Responses) -> np.ndarray:
    return np.array([Z.r(_predict(W, Z.fitted[train]), test) for train, test, W in folds])


def _predict(W: np.ndarray, Y: np.ndarray) -> np.ndarray:
    mean = Y.mean(axis=0)
    return W @ (Y - mean) + mean


def _null_scores(Y: Responses, orders: Sequence[np.ndarray], folds: list[tuple]) -> np.ndarray:
    """Mean score of each null, several of them side by side in one product."""
    if Y.scored is not None:
        return np.array([mean_r(_fold_scores(folds, Y.rows(order)), Y.weight) for order in orders])
    step = max(1, COLUMNS // Y.fitted.shape[1])
    null = []
    for start in range(0, len(orders), step):
        some = orders[start : start + step]
        stacked = Responses(np.hstack([Y.fitted[order] for order in some]))
        r = _fold_scores(folds, stacked).reshape(len(folds), len(some), -1)
        null.append(_mean_nulls(r, Y.weight))
    return np.concatenate(null)


def _mean_nulls(r: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Mean of null scores, (n_folds, n_nulls, n_targets), over folds and targets."""
    if weight is None:
        return fisher_mean(r, axis=(0, 2))
    return np.tanh(np.nanmean(over_targets(fisher_z(r), weight), axis=0))


def _defined(Y: np.ndarray, split: Split, orders: Sequence[np.ndarray]) -> np.ndarray:
    """Up to 100 targets, evenly spread, that vary in every test fold under every order.

    A rare answer may be missing from a whole fold when items change places: such a target has no
    null score, so it counts neither in the null nor in what is compared with it.
    """
    some = np.unique(np.linspace(0, Y.shape[1] - 1, MOST_NULL_TARGETS).astype(int))
    tests = [test for _, test in split.split(Y)]
    fine = np.ones(len(some), dtype=bool)
    for order in orders:
        moved = Y[order][:, some]
        fine &= np.all([np.ptp(moved[test], axis=0) > 0 for test in tests], axis=0)
    if not fine.any():
        raise ValueError(
            "every target is constant in a test fold under some order of the null: use fewer folds"
        )
    return some[fine]


def score_ridge(
    X: np.ndarray,
    Y: np.ndarray | Responses,
    split: Split,
    *,
    encoder: Any = None,
    orders: Sequence[np.ndarray] = (),
    controls: ControlFit | None = None,
) -> SpaceScores:
    """Score ridge encoding with penalties chosen in inner folds.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets), or Responses
    split : Split
    encoder : estimator, optional
        Default: ``RidgeEncoder()``.
    orders : sequence of array of int
        Rows of the null responses; each is cross-validated with penalties of its own, as in
        `brainlm.permuted_scores` with an ``encoder``.
    controls : ControlFit, optional
        Of the same responses and split. What they leave over in the training samples is then
        predicted from ``X``, and both predictions are summed: see ``SpaceScores.beyond``.

    Raises
    ------
    ValueError
        Null responses with an encoder that has one penalty for several targets.
    """
    encoder = RidgeEncoder() if encoder is None else encoder
    shared = {k: v for k, v in encoder.get_params().items() if k.endswith("alpha_per")}
    if len(orders) and set(shared.values()) - {"target"}:
        raise ValueError(
            f"{shared}: null responses are scored as further targets, so each needs a penalty of "
            "its own: use alpha_per='target', or no orders"
        )
    given = Responses.of(Y)
    # Null responses, and what controls leave over, are further targets of the same regression: one
    # decomposition for all.
    some = _defined(given.fitted, split, orders) if len(orders) else np.arange(0)
    own = given.columns(some)
    blocks = [given, *(own.rows(order) for order in orders)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # the table shows the range of alphas
        scored, beyond, alphas = _score_blocks(encoder, X, blocks, split, controls)
    values, nulls = scored[0], scored[1:]
    found = SpaceScores(
        values,
        "ridge encoding",
        _test_ratio(split, X),
        beyond=beyond,
        alphas=None if alphas is None else alphas[:, : given.fitted.shape[1]],
        subject=given.subject,
        weight=given.weight,
    )
    if not len(orders):
        return found
    n_people = values.shape[1] // given.fitted.shape[1]
    of_null = (given.fitted.shape[1] * np.arange(n_people)[:, None] + some).ravel()
    observed = mean_r(values[:, of_null], own.weight)
    return replace(found, observed=observed, null=_mean_nulls(np.stack(nulls, axis=1), own.weight))


def _score_blocks(
    encoder: Any,
    X: np.ndarray,
    blocks: Sequence[Responses],
    split: Split,
    controls: ControlFit | None,
) -> tuple[list[np.ndarray], np.ndarray | None, np.ndarray | None]:
    """Scores of blocks of targets, what the first block gains on the controls, and penalties."""
    every = np.hstack([block.fitted for block in blocks])
    edges = np.cumsum([block.fitted.shape[1] for block in blocks])[:-1]
    if controls is None and blocks[0].scored is None:
        found = cross_validate(encoder, X, every, split)
        return np.split(found.values, edges, axis=1), None, found.alphas
    n, Y = every.shape[1], blocks[0].fitted
    scored: list[list[np.ndarray]] = [[] for _ in blocks]
    both, kept = [], []
    for fold, (train, test) in enumerate(split.split(X)):
        fitted = prepared(encoder, split, train)
        left = [] if controls is None else [Y[train] - controls.train[fold]]
        predicted = fitted.fit(X[train], np.hstack([every[train], *left])).predict(X[test])
        predicted = predicted.reshape(len(test), -1)  # scikit-learn drops the axis of one target
        parts = np.split(predicted[:, :n], edges, axis=1)
        for values, block, part in zip(scored, blocks, parts, strict=True):
            values.append(block.r(part, test))
        if controls is not None:
            both.append(blocks[0].r(controls.test[fold] + predicted[:, n:], test))
        kept.append(getattr(fitted[-1] if hasattr(fitted, "steps") else fitted, "alpha_", None))
    alphas = None if kept[0] is None else np.array(kept)
    beyond = None if controls is None else np.array(both) - controls.values
    return [np.array(values) for values in scored], beyond, alphas


def fixed_ridge(encoder: Any, X: np.ndarray, Y: np.ndarray | Responses) -> Any:
    """Return a ridge regression with one penalty that three blocks of all samples chose.

    For draws of random embeddings, of which there are many: choosing a penalty for each target and
    fold costs thirty times as much. The penalty has seen all samples, which can only favour them.

    Parameters
    ----------
    encoder : estimator
        Ridge encoder, or a pipeline that ends with one.
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets), or Responses

    Returns
    -------
    Pipeline
        The steps before the encoder, scaling, and scikit-learn's ridge regression.
    """
    *before, ridge = [step for _, step in encoder.steps] if hasattr(encoder, "steps") else [encoder]
    chosen = clone(ridge).set_params(cv=ContiguousBlocks(3), alpha_per="all", warn_edge=False)
    fitted = make_pipeline(*before, chosen).fit(X, Responses.of(Y).fitted)
    alpha = float(fitted[-1].alpha_.max())
    return make_pipeline(*before, StandardScaler(), Ridge(alpha))

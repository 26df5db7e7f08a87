"""Score one feature space on one assembly by ridge or similarity encoding, with a null."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainlm._validation import check_finite, same_length
from brainlm.data.scores import fisher_mean, fisher_z, pearson, standardize_rows
from brainlm.encoding.cross_validation import cross_validate, prepared
from brainlm.encoding.ridge import AlphaEdgeWarning, RidgeEncoder
from brainlm.encoding.similarity import column_shift_and_scale, leave_one_out_scores
from brainlm.encoding.splits import ContiguousBlocks, Split
from brainlm.stats.paired import fold_half_width
from brainlm.stats.permutation import permutation_p

MOST_NULL_TARGETS = 100
COLUMNS = 2000  # of null responses in one product
MOST_DUPLICATES = 0.25  # tokens across two Chinese words make a tenth of them alike


@dataclass(frozen=True, eq=False)
class SpaceScores:
    """Held-out scores of one representation on one task.

    All averages of r are Fisher means, over folds and targets at once.

    Attributes
    ----------
    values : array of shape (n_folds, n_targets)
        Pearson r inside each test fold.
    method : str
    test_ratio : float
        n_test / n_train, averaged over folds.
    null : array of shape (n_permutations,), optional
        Scores of null responses, averaged as ``observed`` is.
    observed : float
        Mean over the targets of the null (all, or 100 spread evenly, that vary in every fold of
        it).
    beyond : array of shape (n_folds, n_targets), optional
        r of controls and representation together minus r of the controls alone.
    centred : array of shape (n_folds, n_targets), optional
        Of similarity encoding: embedding columns centred only.
    published : array of shape (n_targets,), optional
        Of similarity encoding: leave one out, not centred.
    alphas : array of shape (n_folds, n_targets), optional
        Penalties that were chosen.
    """

    values: np.ndarray
    method: str
    test_ratio: float
    null: np.ndarray | None = None
    observed: float = np.nan
    beyond: np.ndarray | None = None
    centred: np.ndarray | None = None
    published: np.ndarray | None = None
    alphas: np.ndarray | None = None

    @property
    def score(self) -> float:
        """Mean over folds and targets."""
        return float(fisher_mean(self.values, axis=None))

    @property
    def by_fold(self) -> np.ndarray:
        """Mean score of each fold over targets (and subjects), (n_folds,)."""
        return fisher_mean(self.values, axis=1)

    @property
    def p(self) -> float:
        """One-sided permutation p value; NaN without a null."""
        if self.null is None:
            return np.nan
        return float(permutation_p(np.array(self.observed), self.null))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of ``score`` over folds, made on Fisher's z.

        It holds for new stimuli and these subjects, see `brainlm.stats.paired.fold_difference`.
        """
        z = fisher_z(self.values).mean(axis=1)
        half = fold_half_width(z, self.test_ratio, level=level)
        return float(np.tanh(z.mean() - half)), float(np.tanh(z.mean() + half))


@dataclass(frozen=True, eq=False)
class ControlFit:
    """Predictions from controls such as word rate and length, fitted on the training samples.

    Attributes
    ----------
    train, test : tuple of array
        Predictions of the training and the test samples of each fold.
    values : array of shape (n_folds, n_targets)
        Pearson r of the test samples.
    """

    train: tuple[np.ndarray, ...]
    test: tuple[np.ndarray, ...]
    values: np.ndarray


def fit_controls(C: np.ndarray, Y: np.ndarray, split: Split) -> ControlFit:
    """Predict responses from controls by ridge regression, penalties chosen in inner folds.

    Parameters
    ----------
    C : array of shape (n_samples, n_columns)
    Y : array of shape (n_samples, n_targets)
    split : Split
    """
    fitted, predicted, values = [], [], []
    for train, test in split.split(C):
        encoder = RidgeEncoder(cv=split.within(train), warn_edge=False).fit(C[train], Y[train])
        fitted.append(encoder.predict(C[train]))
        predicted.append(encoder.predict(C[test]))
        values.append(pearson(predicted[-1], Y[test]))
    return ControlFit(tuple(fitted), tuple(predicted), np.array(values))


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
    Y: np.ndarray,
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
    Y : array of shape (n_items, n_targets)
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
    X = np.asarray(X, dtype=np.float32)
    Z = np.asarray(Y - Y.mean(axis=0), dtype=np.float32)
    folds = _weighted(X, split, standardize=True)
    values = _fold_scores(folds, Z)
    null, observed = None, np.nan
    if len(orders):
        some = _defined(Y, split, orders)
        own = Z[:, some]
        observed = float(fisher_mean(values[:, some], axis=None))
        null = _null_scores(own, orders, folds)
    beyond = None
    if controls is not None:
        both = [
            pearson(more + _predict(W, Y[train] - known), Y[test])
            for (train, test, W), known, more in zip(
                folds, controls.train, controls.test, strict=True
            )
        ]
        beyond = np.array(both) - controls.values
    centred = _fold_scores(_weighted(X, split, standardize=False), Z) if published else None
    loo = leave_one_out_scores(X.astype(float), Y, center=False) if published else None
    return SpaceScores(
        values, "similarity encoding", _test_ratio(split, X), null, observed, beyond, centred, loo
    )


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


def _fold_scores(folds: list[tuple], Z: np.ndarray) -> np.ndarray:
    return np.array([pearson(_predict(W, Z[train]), Z[test]) for train, test, W in folds])


def _predict(W: np.ndarray, Y: np.ndarray) -> np.ndarray:
    mean = Y.mean(axis=0)
    return W @ (Y - mean) + mean


def _null_scores(Y: np.ndarray, orders: Sequence[np.ndarray], folds: list[tuple]) -> np.ndarray:
    """Mean score of each null, several of them side by side in one product."""
    step = max(1, COLUMNS // Y.shape[1])
    null = []
    for start in range(0, len(orders), step):
        some = orders[start : start + step]
        stacked = np.hstack([Y[order] for order in some])
        r = [pearson(_predict(W, stacked[train]), stacked[test]) for train, test, W in folds]
        null.append(fisher_mean(np.array(r).reshape(len(folds), len(some), -1), axis=(0, 2)))
    return np.concatenate(null)


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
    Y: np.ndarray,
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
    Y : array of shape (n_samples, n_targets)
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
    ratio, n = _test_ratio(split, X), Y.shape[1]
    # Null responses, and what controls leave over, are further targets of the same regression: one
    # decomposition for all.
    some = _defined(Y, split, orders) if len(orders) else np.arange(0)
    every = np.hstack([Y, *(Y[order][:, some] for order in orders)])
    beyond, kept = None, None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlphaEdgeWarning)  # the table shows the range of alphas
        if controls is None:
            found = cross_validate(encoder, X, every, split)
            values, kept = found.values, found.alphas
        else:
            values, beyond, kept = _beside_controls(encoder, X, every, Y, split, controls)
    nulls = values[:, n:].reshape(len(values), len(orders), len(some))
    return SpaceScores(
        values[:, :n],
        "ridge encoding",
        ratio,
        fisher_mean(nulls, axis=(0, 2)) if len(orders) else None,
        float(fisher_mean(values[:, some], axis=None)) if len(orders) else np.nan,
        beyond,
        alphas=None if kept is None else kept[:, :n],
    )


def _beside_controls(
    encoder: Any,
    X: np.ndarray,
    every: np.ndarray,
    Y: np.ndarray,
    split: Split,
    controls: ControlFit,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Scores of all targets, what is added to the controls of the first ones, and the penalties."""
    n, values, both, kept = Y.shape[1], [], [], []
    for (train, test), known, more in zip(
        split.split(X), controls.train, controls.test, strict=True
    ):
        fitted = prepared(encoder, split, train)
        fitted.fit(X[train], np.hstack([every[train], Y[train] - known]))
        predicted = fitted.predict(X[test])
        values.append(pearson(predicted[:, :-n], every[test]))
        both.append(pearson(more + predicted[:, -n:], Y[test]))
        kept.append(getattr(fitted[-1] if hasattr(fitted, "steps") else fitted, "alpha_", None))
    alphas = None if kept[0] is None else np.array(kept)
    return np.array(values), np.array(both) - controls.values, alphas


def fixed_ridge(encoder: Any, X: np.ndarray, Y: np.ndarray) -> Any:
    """Return a ridge regression with one penalty that three blocks of all samples chose.

    For draws of random embeddings, of which there are many: choosing a penalty for each target and
    fold costs thirty times as much. The penalty has seen all samples, which can only favour them.

    Parameters
    ----------
    encoder : estimator
        Ridge encoder, or a pipeline that ends with one.
    X : array of shape (n_samples, n_features)
    Y : array of shape (n_samples, n_targets)

    Returns
    -------
    Pipeline
        The steps before the encoder, scaling, and scikit-learn's ridge regression.
    """
    *before, ridge = [step for _, step in encoder.steps] if hasattr(encoder, "steps") else [encoder]
    chosen = clone(ridge).set_params(cv=ContiguousBlocks(3), alpha_per="all", warn_edge=False)
    alpha = float(make_pipeline(*before, chosen).fit(X, Y)[-1].alpha_.max())
    return make_pipeline(*before, StandardScaler(), Ridge(alpha))

"""Similarity encoding: predict the response to an item from the items that resemble it.

Nothing is fitted. Items that a language model places close together should evoke alike responses,
so the response to an item is a sum of the responses to the others, weighted by the correlation of
their embeddings.

Anisotropy, the trap. Where all embeddings of a layer point in one direction, every weight is
positive and equal, the weighted sum of the *other* items is the negative of the item itself, and
the leave-one-out score is driven to -1 for any layer. Centring the embedding columns
removes the common direction; ``center=False`` gives the published form. Dividing the columns by
their standard deviation as well (``standardize=True``) keeps the few dimensions of large variance
that hidden layers have from deciding alone (Timkey & van Schijndel 2021): in simulations
(``analyses/simulate_studies.py``) this form finds the layer that responses were made from, and
centring alone mostly does not.

References
----------
Anderson, Zinszer & Raizada 2016, NeuroImage 128:44, doi 10.1016/j.neuroimage.2015.12.035.
Zhang et al. 2024, MulCogBench, arXiv 2403.01116.
Timkey & van Schijndel 2021, doi 10.18653/v1/2021.emnlp-main.372.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from brainlm.compute.backend import empty, full, host, is_tensor, like
from brainlm.compute.inputs import Encoder
from brainlm.compute.streams import block_bytes, column_stream
from brainlm.data.scores import Scores, pearson, standardize_rows
from brainlm.encoding._ridge.solve import Standardizer
from brainlm.encoding.cross_validation import score_in_folds
from brainlm.encoding.splits import Split
from brainlm.errors import unknown_name

# Rows of the weight matrix formed at a time: 64 MiB for 16,000 training items in float32.
BLOCK_ELEMENTS = 1 << 24


def column_shift_and_scale(
    X: Any, *, center: bool = True, standardize: bool = False
) -> tuple[Any, Any]:
    """Return the shift and the scale of each embedding column.

    Parameters
    ----------
    X : array of shape (n_train, n_features)
        Training items.
    center : bool
        Subtract the mean.
    standardize : bool
        Divide by the standard deviation (columns that do not vary: by 1).

    Raises
    ------
    ValueError
        ``standardize`` without ``center``.
    """
    if standardize and not center:
        raise ValueError("standardize=True needs center=True: the published form has neither")
    if not center:
        return full((X.shape[1],), 0, X), full((X.shape[1],), 1, X)
    learned = Standardizer.learn(X, standardize)
    return learned.mean, learned.scale


def similarity_predict(
    X_test: Any, X_train: Any, Y_train: Any, *, center: bool = True, standardize: bool = False
) -> Any:
    """Predict responses by Anderson's rule.

    ::

        W = corr(x_test, X_train), each row divided by its L1 norm
        Y_hat = mean(Y_train) + W (Y_train - mean(Y_train))

    with the mean of each target over the training items (0 without ``center``, as published).

    Parameters
    ----------
    X_test : array of shape (n_test, n_features)
    X_train : array of shape (n_train, n_features)
    Y_train : array of shape (n_train, n_targets)
    center : bool
        Remove the training mean of the embedding columns, and of the targets before weighting
        (added again afterwards): weights have signs and do not sum to 1, so a mean would be
        scaled by the geometry of the embeddings. False: as published.
    standardize : bool
        Divide the embedding columns by their training standard deviation, too.

    Returns
    -------
    array of shape (n_test, n_targets)
        Weights are formed in blocks of rows; the n_test x n_train matrix is never held whole.
    """
    shift, scale = column_shift_and_scale(X_train, center=center, standardize=standardize)
    train = standardize_rows(X_train, "X_train", shift=shift, scale=scale)
    test = standardize_rows(X_test, "X_test", shift=shift, scale=scale)
    return _weighted_sums(test, train, Y_train, center=center)


def _weighted_sums(test: Any, train: Any, Y_train: Any, *, center: bool) -> Any:
    """Anderson's rule for standardised items."""
    if is_tensor(train):
        Y_train = like(Y_train, train)
    offset, _ = column_shift_and_scale(Y_train, center=center)
    centred = Y_train - offset
    predicted = empty((len(test), Y_train.shape[1]), train[:1, :1] + centred[:1, :1])
    rows = max(1, block_bytes(train, 4 * BLOCK_ELEMENTS) // (4 * len(train)))
    for start in range(0, len(test), rows):
        weights = test[start : start + rows] @ train.T  # (rows, n_train)
        norm = abs(weights).sum(axis=1, keepdims=True)
        predicted[start : start + rows] = (weights @ centred) / norm
    return predicted + offset


def leave_one_out(X: Any, Y: Any, *, center: bool = True, standardize: bool = False) -> Any:
    """Re-represent every item by the others, MulCogBench's rule.

    With Z the embeddings, each row of mean 0 and length 1, and C the responses z-scored per column
    (divisor n)::

        M = Z Z',   C' = (M - I) C = Z (Z' C) - C

    M holds the correlations of the items over columns. Its diagonal is 1, so ``M - I`` leaves each
    item out of its own sum. Means and deviations of columns are those of all items, the item itself
    included. Time and memory are O(n d f): M is never built.

    Parameters
    ----------
    X : array of shape (n_items, n_features)
    Y : array of shape (n_items, n_targets)
    center : bool
        Remove the mean of the embedding columns first. False: as published.
    standardize : bool
        Divide them by their standard deviation, too.

    Returns
    -------
    array of shape (n_items, n_targets)
        C', in units of standard deviations times similarity: only its correlation with Y is
        meaningful.
    """
    if len(X) != len(Y):
        raise ValueError(f"X has {len(X)} items and Y {len(Y)}: give one row per item in both")
    shift, scale = column_shift_and_scale(X, center=center, standardize=standardize)
    Z = standardize_rows(X, shift=shift, scale=scale)
    C = Standardizer.learn(Y, scale=True).apply(Y)
    return Z @ (Z.T @ C) - C


def leave_one_out_scores(
    X: Any, Y: Any, *, center: bool = True, standardize: bool = False
) -> np.ndarray:
    """Return the Pearson correlation of each column of ``leave_one_out`` with Y, (n_targets,).

    Targets are taken in blocks, so that beside X and Y little memory is needed whatever their
    number: 40,000 words x 10,000 targets in single precision stay under 4 GiB, Y included.
    """
    if len(X) != len(Y):
        raise ValueError(f"X has {len(X)} items and Y {len(Y)}: give one row per item in both")
    shift, scale = column_shift_and_scale(X, center=center, standardize=standardize)
    Z = standardize_rows(X, shift=shift, scale=scale)
    step = max(1, block_bytes(Z, 4 * BLOCK_ELEMENTS) // (4 * len(Y)))
    blocks = [slice(a, min(a + step, Y.shape[1])) for a in range(0, Y.shape[1], step)]
    scores = []
    for _, block in column_stream(Y, blocks, Z if is_tensor(Z) else Y):
        C = Standardizer.learn(block, scale=True).apply(block)
        scores.append(host(pearson(Z @ (Z.T @ C) - C, block)))
    return np.concatenate(scores)


class SimilarityEncoder(Encoder):
    """Similarity encoding: responses as sums over similar items, without fitted weights.

    With m and s the mean and standard deviation (divisor n) of each embedding column over the n
    training items, the similarity of an item x to training item i is the correlation over columns::

        c_i(x) = corr((x - m) / s, (x_i - m) / s)

    where s is 1 without ``standardize`` and m is 0 without ``center``. ``form="anderson"``, with
    the mean of target v over the training items::

        prediction(x) = mean(y_v) + sum_i c_i(x) (y_iv - mean(y_v)) / sum_i |c_i(x)|

    ``center=False`` leaves both means of the targets out, too, and gives the published form.
    ``form="mulcogbench"``, with sd the standard deviation (divisor n)::

        prediction(x) = sum_i c_i(x) (y_iv - mean(y_v)) / sd(y_v)

    See ``score_leave_one_out`` for its published evaluation.

    Parameters
    ----------
    form : {"anderson", "mulcogbench"}
    center : bool
        Remove the training mean of the embedding columns and, before weighting, of the targets
        (default; ours). False is the published form, which anisotropic embeddings drive towards
        -1; report both.
    standardize : bool
        Divide the columns by their training standard deviation, too. To compare layers, use it:
        a few dimensions of large variance decide the similarity otherwise
        (``brainlm.encoding.similarity``).
    device : str, optional
        As in `RidgeEncoder`; the responses must fit on the device for ``predict``.

    References
    ----------
    Anderson, Zinszer & Raizada 2016, NeuroImage 128:44. Zhang et al. 2024, arXiv 2403.01116.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 5))
    >>> Y = X @ rng.standard_normal((5, 20))
    >>> encoder = brainlm.SimilarityEncoder().fit(X[:40], Y[:40])
    >>> encoder.predict(X[40:]).shape
    (20, 20)
    """

    min_features = 3  # a correlation over two features is 1 or -1, whatever they are
    single_space = True  # two spaces side by side correlate by their units

    def __init__(
        self,
        form: str = "anderson",
        *,
        center: bool = True,
        standardize: bool = False,
        device: str | None = None,
    ) -> None:
        self.form = form
        self.center = center
        self.standardize = standardize
        self.device = device

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Predictions follow the targets in rank and sign, not in scale: R2 is not their measure.
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: Any, y: Any) -> SimilarityEncoder:
        """Keep the training items.

        Parameters
        ----------
        X : array of shape (n_items, n_features)
        y : array of shape (n_items, n_targets) or (n_items,)
        """
        if self.form not in ("anderson", "mulcogbench"):
            raise unknown_name("form", self.form, ("anderson", "mulcogbench"))
        X, Y = self._validated(X, y)
        shift, scale = column_shift_and_scale(X, **self._columns)
        self._X, self._Y, self._of_columns = X, Y, {"shift": shift, "scale": scale}
        self._items = standardize_rows(X, **self._of_columns)  # refuses items without similarity
        return self

    def predict(self, X: Any) -> Any:
        """Predict the targets, shape (n_items, n_targets), or (n_items,) for a 1-D ``y``."""
        check_is_fitted(self)
        new = self._new_samples(X, self._X)
        test, Z = standardize_rows(new, "X", **self._of_columns), self._items
        if self.form == "anderson":
            return self._shaped(_weighted_sums(test, Z, self._Y, center=self.center), X)
        Y = self._Y if is_tensor(self._Y) == is_tensor(Z) else like(self._Y, Z)
        C = Standardizer.learn(Y, scale=True).apply(Y)
        return self._shaped(test @ (Z.T @ C), X)

    def score_leave_one_out(self) -> np.ndarray:
        """Return MulCogBench's score of the fitted items: r per target, (n_targets,).

        The correlation over items j of y_jv with ``sum over i != j of c_i(x_j) (y_iv - mean(y_v))``
        (``brainlm.encoding.similarity.leave_one_out``). Means and standard deviations are those of
        all items, item j included.
        """
        check_is_fitted(self)
        return leave_one_out_scores(self._X, self._Y, **self._columns)

    @property
    def _columns(self) -> dict[str, bool]:
        return {"center": self.center, "standardize": self.standardize}


@dataclass(frozen=True)
class LeaveOneOut:
    """Leave-one-out similarity encoding, scored on the test folds of a split.

    Each item is predicted from all others (`leave_one_out`); the correlation with the data is taken
    inside each test fold, so that its spread compares with that of cross-validated methods.

    Parameters
    ----------
    center : bool
        False is the published form (MulCogBench).
    """

    center: bool = True
    min_features: int = 3
    single_space: bool = True

    def score_folds(self, X: Any, Y: Any, split: Split, targets: Any = None) -> Scores:
        """Return the scores, with the predictions."""
        name = f"MulCogBench leave-one-out{'' if self.center else ', not centred'}"
        predicted = leave_one_out(X, Y, center=self.center)
        return score_in_folds(predicted, Y, split, targets=targets, encoder=name)

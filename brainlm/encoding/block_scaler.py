"""Scale blocks of features so that each counts the same under one penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from brainlm.encoding._ridge.solve import Standardizer
from brainlm.encoding.ridge import RidgeEncoder


class BlockScaler(TransformerMixin, BaseEstimator):
    """z-score features, then give every block of them the same total variance.

    Side by side under one penalty, a space of 5 features hardly counts beside one of 500. Dividing
    each block by the square root of its number of features lets each weigh the same. Use it before
    ``RidgeEncoder(standardize=False)`` in a pipeline; mean and scale are learned in ``fit``, so
    within ``cross_validate`` on the training samples only.

    Parameters
    ----------
    sizes : sequence of int, optional
        Number of features in each block, in the order of the columns. Default: one block.
    """

    def __init__(self, sizes: Any = None) -> None:
        self.sizes = sizes

    def fit(self, X: Any, y: Any = None) -> BlockScaler:
        """Learn mean and scale of each feature."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        sizes = [X.shape[1]] if self.sizes is None else list(self.sizes)
        if sum(sizes) != X.shape[1]:
            raise ValueError(f"sizes {sizes} add up to {sum(sizes)}, X has {X.shape[1]} features")
        self._standardizer = Standardizer.learn(X, scale=True)
        self.weight_ = np.repeat(1 / np.sqrt(sizes), sizes).astype(X.dtype)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the scaled features, shape (n_samples, n_features)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return self._standardizer.apply(X) * self.weight_


def ridge_of_blocks(sizes: Sequence[int]) -> Pipeline:
    """Return a ridge regression in which every block of features counts the same.

    Parameters
    ----------
    sizes : sequence of int
        Number of features in each block, in the order of the columns.
    """
    return make_pipeline(BlockScaler(sizes), RidgeEncoder(standardize=False))

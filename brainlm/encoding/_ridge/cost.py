"""Memory and arithmetic of one fold of ridge regression."""

from __future__ import annotations

from brainlm.encoding._ridge.solve import is_primal

POLES = (
    10  # penalties whose predictions the fast search makes, about (brainlm.encoding._ridge.search)
)


def fold_bytes(n_train: int, n_test: int, n_features: int, n_alphas: int, itemsize: int = 4) -> int:
    """Return the memory in bytes that a fold takes for its features, whatever the targets.

    An upper bound: copies of the features, the Gram matrix with its factors (some in double
    precision), and the prediction operators of every penalty for the inner folds and the test fold.

    Parameters
    ----------
    n_train, n_test, n_features, n_alphas : int
    itemsize : int
        Bytes of a feature: 4 or 8.
    """
    q = n_features if is_primal(n_train, n_features) else n_train
    features = (4 * n_train + 2 * n_test) * n_features * itemsize
    gram = 6 * 8 * q * q
    operators = n_alphas * (n_train + n_test) * q * itemsize
    return features + gram + operators


def fold_operations(
    n_train: int, n_test: int, n_features: int, n_targets: int, n_alphas: int
) -> float:
    """Return the floating-point operations of a fold.

    With n training and m test samples, p features, V targets, q = min(n, p), A penalties and the
    J <= A penalties whose predictions the fast search makes::

        2 n p q  +  J (q^3 + 2 n q V)  +  2 A m q^2  +  2 m q V

    The Gram matrix; one inverse per penalty, and the predictions of all inner folds; the operators
    of the test fold; its predictions.

    Parameters
    ----------
    n_train, n_test, n_features, n_targets, n_alphas : int
    """
    q, poles = float(min(n_train, n_features)), min(POLES, n_alphas)
    gram = 2.0 * n_train * n_features * q
    search = poles * (q**3 + 2.0 * n_train * q * n_targets)
    operators = 2.0 * n_alphas * n_test * q**2
    return gram + search + operators + 2.0 * n_test * q * n_targets

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


def inner_operations(
    n_train: int, n_test: int, n_features: int, n_targets: int, n_alphas: int
) -> float:
    """Return the multiply-adds of an inner fold that is worked on by itself.

    With n training and m test samples, p features, V targets and A penalties::

        n p^2  +  2 n p V  +  m p V A

    The Gram matrix; what it is multiplied with; the predictions. The eigendecomposition is left
    out: it is the same where sums over blocks serve all folds (``sums_operations``).

    Parameters
    ----------
    n_train, n_test, n_features, n_targets, n_alphas : int
    """
    n, m, p = float(n_train), float(n_test), float(n_features)
    return n * p**2 + 2 * n * p * n_targets + m * p * n_targets * n_alphas


def sums_operations(
    n_samples: int,
    n_sides: int,
    n_blocks: int,
    n_folds: int,
    n_features: int,
    n_targets: int,
    n_alphas: int,
) -> float:
    """Return the multiply-adds of all inner folds from sums over blocks of samples.

    With N samples in B blocks, S training and test sets, F inner folds, q = 1 + p + V::

        N q^2  +  S B q^2  +  2 F p^2 V A

    One pass over the samples; the sums of each set; weights and their errors.

    Parameters
    ----------
    n_samples, n_sides, n_blocks, n_folds, n_features, n_targets, n_alphas : int
    """
    p, q = float(n_features), 1.0 + n_features + n_targets
    return (n_samples + n_sides * n_blocks) * q**2 + 2 * n_folds * p**2 * n_targets * n_alphas


def sums_bytes(n_sums: int, n_folds: int, n_features: int, n_targets: int) -> int:
    """Return the memory of sums over blocks and sides, and of one training set with its folds.

    Parameters
    ----------
    n_sums, n_folds, n_features, n_targets : int
    """
    return 8 * (n_sums + 5 * (1 + n_folds)) * (1 + n_features + n_targets) ** 2

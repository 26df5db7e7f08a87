"""Variance partitioning: R2 of each feature space alone, unique to it, and joint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from sklearn.base import clone

from brainlm.encoding.banded import BandedRidgeEncoder
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.splits import Split

LARGEST = 5  # spaces: 31 regressions


@dataclass(frozen=True, eq=False)
class Partition:
    """Held-out R2 of every combination of feature spaces, and its parts.

    Attributes
    ----------
    spaces : tuple of str
    r2 : dict of tuple of str to array of shape (n_targets,)
        Held-out R2 of each combination of spaces, each fitted separately.
    """

    spaces: tuple[str, ...]
    r2: Mapping[tuple[str, ...], np.ndarray]

    @property
    def joint(self) -> np.ndarray:
        """R2 of all spaces together, (n_targets,)."""
        return self.r2[self.spaces]

    def unique(self, space: str) -> np.ndarray:
        """R2 that is lost without a space: R2(all) - R2(all but it), (n_targets,)."""
        return self.parts[(space,)]

    def note(self, space: str) -> str:
        """Return what keeps the mean R2 of a space from being a share of variance, or "".

        Sets in a diagram have no negative areas and are no larger than their union; held-out R2
        has such parts by chance, by overfitting, or where one space suppresses noise in another.
        """
        alone, unique = self.r2[(space,)].mean(), self.unique(space).mean()
        found = {
            "R2 alone is below 0": alone < 0,
            "unique R2 is below 0": unique < 0,
            "unique exceeds alone": unique > max(alone, 0),
            "joint is below alone": self.joint.mean() < alone,
        }
        return "; ".join(text for text, true in found.items() if true)

    @property
    def parts(self) -> dict[tuple[str, ...], np.ndarray]:
        """The part of R2 that exactly these spaces have in common; the parts add up to ``joint``.

        ::

            part(S) = - sum over T in S of (-1)^(|S| - |T|) R2(all without T)

        by inclusion and exclusion (commonality analysis), with R2 of nothing 0. A part can be
        negative: by chance, because the spaces suppress each other, or because held-out R2 is not
        additive.
        """
        found = {}
        for size in range(1, len(self.spaces) + 1):
            for own in combinations(self.spaces, size):
                total = np.zeros_like(self.joint)
                for k in range(size + 1):
                    for removed in combinations(own, k):
                        left = tuple(name for name in self.spaces if name not in removed)
                        total -= (-1) ** (size - k) * (self.r2[left] if left else 0)
                found[own] = total
        return found


def partition_variance(
    spaces: Mapping[str, np.ndarray],
    Y: np.ndarray,
    split: Split,
    *,
    encoder: BandedRidgeEncoder | None = None,
) -> Partition:
    """Fit every combination of feature spaces and take the held-out R2 apart.

    R2 has the means of each test fold removed (``metric="r2"`` of ``cross_validate``), so that the
    drift of a slow series is charged to no space.

    Parameters
    ----------
    spaces : mapping of str to array of shape (n_samples, n_features)
        Two to five.
    Y : array of shape (n_samples, n_targets)
    split : Split
        Outer folds, the same for every combination.
    encoder : BandedRidgeEncoder, optional
        Its ``bands`` are set here. Default: ``BandedRidgeEncoder()``.

    Returns
    -------
    Partition

    Raises
    ------
    ValueError
        Fewer than two spaces, or more than five (31 combinations): drop or join some.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sound, meaning = rng.standard_normal((2, 200, 5))
    >>> Y = sound @ rng.standard_normal((5, 2)) + 2 * rng.standard_normal((200, 2))
    >>> split = brainlm.ContiguousBlocks(4)
    >>> parts = brainlm.partition_variance({"sound": sound, "meaning": meaning}, Y, split)
    >>> bool(parts.unique("sound").mean() > 0.3 > 0.1 > parts.unique("meaning").mean())
    True
    """
    names = tuple(spaces)
    if not 2 <= len(names) <= LARGEST:
        raise ValueError(
            f"spaces must hold 2 to {LARGEST} feature spaces, got {len(names)}: each combination "
            "is fitted; join some with np.hstack"
        )
    encoder = BandedRidgeEncoder() if encoder is None else encoder
    r2 = {}
    for size in range(1, len(names) + 1):
        for own in combinations(names, size):
            X = np.hstack([spaces[name] for name in own])
            fresh = clone(encoder).set_params(bands=[spaces[name].shape[1] for name in own])
            r2[own] = cross_validate(fresh, X, Y, split, metric="r2").mean
    return Partition(names, r2)

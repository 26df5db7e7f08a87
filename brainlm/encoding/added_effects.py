"""Effects of a few predictors on many targets, beyond those of other predictors.

For a handful of columns with a meaning of their own, such as association strength and the
similarity of two words, fitted by ordinary least squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from brainlm._progress import bar
from brainlm._validation import same_length
from brainlm.data.recording import Recording
from brainlm.data.scores import pearson
from brainlm.data.target_table import target_coordinates
from brainlm.encoding.splits import Split
from brainlm.errors import unknown_name
from brainlm.stats.permutation import max_statistic_p

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, eq=False)
class AddedEffect:
    """Gain in held-out r by predictors that are added to others.

    Attributes
    ----------
    gain : array of shape (n_folds, n_targets)
        r of all predictors minus r of the others, inside each test fold.
    null : array of shape (n_permutations, n_targets)
        Gains, averaged over folds, where the others have the effect that they have in the data
        and the added predictors have none.
    """

    gain: np.ndarray
    null: np.ndarray

    @property
    def p(self) -> np.ndarray:
        """One-sided p of each target, corrected for all targets by the largest gain."""
        return max_statistic_p(self.gain.mean(axis=0), self.null)


def added_effect(
    others: np.ndarray,
    added: np.ndarray,
    Y: np.ndarray,
    split: Split,
    orders: Sequence[np.ndarray] | np.ndarray,
) -> AddedEffect:
    """Test what predictors add to others in new samples, by permuting what the others leave over.

    ::

        gain = r(y, prediction from others and added) - r(y, prediction from others)

    both by ordinary least squares, in test folds. In the null, the residuals of the regression of
    all samples on the others are permuted and added to its fit again, so that the others keep
    their effects and their correlation with the added predictors (Freedman & Lane).

    Parameters
    ----------
    others : array of shape (n_samples, n_others)
    added : array of shape (n_samples, n_added)
    Y : array of shape (n_samples, n_targets)
    split : Split
    orders : sequence of array of int, shape (n_samples,)
        Permutations, such as those of `brainlm.shared_orders`.

    Raises
    ------
    ValueError
        Lengths differ, or an added predictor is a sum of others.

    References
    ----------
    Freedman & Lane 1983, J Bus Econ Stat 1:292. Winkler et al. 2014, NeuroImage 92:381.

    Examples
    --------
    >>> import numpy as np
    >>> from brainlm.encoding.splits import ContiguousBlocks
    >>> rng = np.random.default_rng(0)
    >>> x, z = rng.standard_normal((2, 100, 1))
    >>> orders = [rng.permutation(100) for _ in range(19)]
    >>> added_effect(z, x, x + z, ContiguousBlocks(5), orders).p
    array([0.05])
    """
    same_length({"others": len(others), "added": len(added), "Y": len(Y)})
    ones, Y = np.ones((len(Y), 1)), np.asarray(Y, dtype=float)
    small, large = np.hstack([ones, others]), np.hstack([ones, others, added])
    if np.linalg.matrix_rank(large) < large.shape[1]:
        raise ValueError(
            f"the {large.shape[1] - 1} predictors are sums of one another: leave one out, its "
            "effect cannot be told apart"
        )
    folds = [
        (train, test, _hat(small, train, test), _hat(large, train, test))
        for train, test in split.split(large)
    ]
    fitted = small @ np.linalg.pinv(small) @ Y
    left = Y - fitted
    null = [
        _gains(folds, fitted + left[order]).mean(axis=0)
        for order in bar(orders, "permutations", inner=True)
    ]
    return AddedEffect(_gains(folds, Y), np.array(null))


def _hat(X: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return the matrix that takes training responses to predictions, (n_test, n_train)."""
    return X[test] @ np.linalg.pinv(X[train])


def _gains(folds: list[tuple], Y: np.ndarray) -> np.ndarray:
    return np.array(
        [
            pearson(large @ Y[train], Y[test]) - pearson(small @ Y[train], Y[test])
            for train, test, small, large in folds
        ]
    )


def effects_beyond(controls: Sequence[str], named: Mapping[str, str]) -> dict[str, tuple]:
    """Return the effects to test: each predictor beyond the controls, and pairs beyond each other.

    Parameters
    ----------
    controls : sequence of str
        Predictors that every effect is tested beyond.
    named : mapping of str to str
        Predictor -> its kind. Two of different kinds are tested beyond each other.

    Returns
    -------
    dict of str to (list of str, list of str)
        Name of the effect -> the others, the added.

    Examples
    --------
    >>> list(effects_beyond(["length"], {"FAS": "rated", "similarity": "model"}))
    ['FAS', 'similarity', 'FAS beyond similarity', 'similarity beyond FAS']
    """
    alone = {name: (list(controls), [name]) for name in named}
    beyond = {
        f"{name} beyond {other}": ([*controls, other], [name])
        for name, kind in named.items()
        for other, its in named.items()
        if kind != its
    }
    return alone | beyond


def added_effects(
    recording: Recording,
    columns: Mapping[str, np.ndarray],
    effects: Mapping[str, tuple],
    split: Split,
    orders: Sequence[np.ndarray] | np.ndarray,
) -> dict[str, AddedEffect]:
    """Test several effects on the targets of one recording.

    Parameters
    ----------
    recording : Recording
    columns : mapping of str to array, shape (n_samples,)
        Predictors.
    effects : mapping of str to (list of str, list of str)
        See `effects_beyond`.
    split : Split
    orders : sequence of array of int
    """
    for names in effects.values():
        for name in (*names[0], *names[1]):
            if name not in columns:
                raise unknown_name("predictor", name, columns)
    z = {name: (x - x.mean()) / (x.std() if x.std() > 0 else 1) for name, x in columns.items()}

    def beside(names: Sequence[str]) -> np.ndarray:
        return np.column_stack([np.empty((recording.n_samples, 0)), *(z[name] for name in names)])

    return {
        name: added_effect(beside(others), beside(added), recording.data, split, orders)
        for name, (others, added) in effects.items()
    }


def stack_effects(
    results: Sequence[Mapping[str, AddedEffect]], recordings: Sequence[Recording]
) -> xarray.Dataset:
    """Stack the effects of subjects on the targets they share, with p values of their mean.

    Parameters
    ----------
    results : sequence of dict
        From `added_effects`, one per subject, with permutations that all share.
    recordings : sequence of Recording

    Returns
    -------
    xarray.Dataset
        ``score`` (space, subject or fold, target), the gain of each effect, and ``p`` (space,
        target), as the scores of epochs are named, so that the same figures draw them.
    """
    import xarray

    names = [recording.target_names.tolist() for recording in recordings]
    common = [name for name in names[0] if all(name in set(own) for own in names[1:])]
    if not common:
        raise ValueError("the subjects share no target")
    columns = [[own.index(name) for name in common] for own in names]
    effects, several = list(results[0]), len(results) > 1
    values, p = [], []
    for effect in effects:
        pairs = [(found[effect], own) for found, own in zip(results, columns, strict=True)]
        by_subject = np.array([each.gain[:, own].mean(axis=0) for each, own in pairs])
        null = np.mean([each.null[:, own] for each, own in pairs], axis=0)
        values.append(by_subject if several else pairs[0][0].gain[:, columns[0]])
        p.append(max_statistic_p(by_subject.mean(axis=0), null))
    targets = recordings[0].targets.iloc[columns[0]].reset_index(drop=True)
    unit = "subject" if several else "fold"
    return xarray.Dataset(
        {"score": (("space", unit, "target"), np.array(values)), "p": (("space", "target"), p)},
        coords={
            "space": effects,
            "kind": ("space", ["reference"] * len(effects)),
            **target_coordinates(targets),
        },
        attrs={"n_permutations": len(next(iter(results[0].values())).null)},
    )


def effect_lines(effects: xarray.Dataset, alpha: float = 0.05) -> list[str]:
    """Return a line for each effect: its largest gain, and where it is above chance."""
    unit = "subject" if "subject" in effects["score"].dims else "fold"
    lines = [
        f"gain in held-out r, mean over {effects.sizes[unit]} {unit}s; p <= {alpha} over all "
        f"{effects.sizes['target']} targets ({effects.attrs['n_permutations']} permutations of "
        "what the other predictors leave over)"
    ]
    for name in effects["space"].values:
        own = effects.sel(space=name)
        gain, p = own["score"].mean(unit).values, own["p"].values
        peak = int(gain.argmax())
        where = "nowhere above chance"
        if (p <= alpha).any():
            where = f"above chance: {(p <= alpha).sum()} targets"
            if "time" in effects.coords:
                when = 1000 * effects["time"].values[p <= alpha]
                where += f", {when.min():.0f} to {when.max():.0f} ms"
        at = effects["target"].values[peak]
        lines.append(f"{name!s:32} {gain[peak]:6.3f} at {at} (p = {p[peak]:.3f}); {where}")
    return lines

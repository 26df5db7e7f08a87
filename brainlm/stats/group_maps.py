"""Group inference on maps: sign flips with the maximum statistic or threshold-free clusters."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from brainlm._validation import same_length
from brainlm.data.brain_maps import BrainMaps
from brainlm.data.scores import fisher_z
from brainlm.stats.paired import MOST_EXACT

if TYPE_CHECKING:
    import pandas as pd

METHODS = ("max", "tfce")
AT_ONCE = 1 << 25  # numbers of flipped means in memory


@dataclass(frozen=True, eq=False)
class GroupMap:
    """Statistics of a group at each voxel, vertex or channel-time.

    Attributes
    ----------
    mean : array of shape (n_targets,)
    effect_size : array of shape (n_targets,)
        Cohen's d, mean / standard deviation over subjects.
    t : array of shape (n_targets,)
    p : array of shape (n_targets,)
        One-sided (above 0), corrected for all targets: family-wise error.
    n_subjects : int
    method : str
    n_flips : int
    """

    mean: np.ndarray
    effect_size: np.ndarray
    t: np.ndarray
    p: np.ndarray
    n_subjects: int
    method: str
    n_flips: int

    def to_frame(self, names: Any = None) -> pd.DataFrame:
        """Return a row per target: mean, d, t, p and n."""
        import pandas as pd

        columns = {"mean": self.mean, "d": self.effect_size, "t": self.t, "p": self.p}
        return pd.DataFrame({**columns, "n": self.n_subjects}, index=names)

    def to_maps(self, like: BrainMaps, alpha: float = 0.05) -> BrainMaps:
        """Return the effect size as brain maps, for figures: where p <= ``alpha``, and everywhere.

        Their names hold the number of subjects and the test, so that every view and every figure of
        a bundle tells them.

        Parameters
        ----------
        like : BrainMaps
            On the same voxels or vertices; gives mask and affine.
        alpha : float
            Of the corrected p.

        Returns
        -------
        BrainMaps
            Two maps of Cohen's d; the first is 0 where p is larger.

        Raises
        ------
        ValueError
            Other voxels.

        Examples
        --------
        ::

            found = group_map(contrasts, method="tfce", adjacency=volume_adjacency(maps.mask))
            flat_view(found.to_maps(maps))
        """
        same_length({"voxels of like": like.n_voxels, "targets of the group": len(self.mean)})
        test = "max t" if self.method == "max" else "TFCE"
        about = f"{self.n_subjects} subjects"
        names = [f"{about}, p <= {alpha:g} ({test})", f"{about}, all voxels"]
        data = np.array([np.where(self.p <= alpha, self.effect_size, 0), self.effect_size])
        return BrainMaps(data, names, like.mask, "Cohen's d", like.affine)


def group_of_maps(
    maps: Sequence[BrainMaps], *, correlations: bool = True, alpha: float = 0.05
) -> BrainMaps:
    """Test every map that all subjects have, and return the effect sizes as brain maps.

    Voxels that some subject lacks, or that are equal in all, are left out.

    Parameters
    ----------
    maps : sequence of BrainMaps
        Of each subject, on one grid: those that a bundle holds, or of several bundles.
    correlations : bool
        Values are correlations, which are Fisher-transformed.
    alpha : float
        Of the corrected p; see `group_map`.

    Returns
    -------
    BrainMaps
        For each map Cohen's d, 0 where the corrected p (max t) is larger.

    Raises
    ------
    ValueError
        Fewer than five subjects, another grid, no map or voxel that all have.

    Examples
    --------
    ::

        maps = [m for folder in folders for m in bundle_maps(load_bundle(folder)).values()]
        flat_view(group_of_maps(maps))
    """
    first = maps[0]
    for each in maps:
        same = each.mask.shape == first.mask.shape
        if not same or not _same_affine(each.affine, first.affine):
            raise ValueError(
                f"{each.subject}: its maps are on another grid than those of {first.subject}: "
                "resample them to one template first"
            )
    mask = np.logical_and.reduce([each.mask for each in maps])
    names = [name for name in first.names if all(name in each.names for each in maps)]
    if not names or not mask.any():
        raise ValueError("the subjects have no map, or no voxel, that is in all")
    values = np.array([[each.volume(name)[mask] for each in maps] for name in names])
    values = fisher_z(values) if correlations else values
    varied = (values.std(axis=1) > 0).all(axis=0)
    mask[mask] = varied
    found = [group_map(own[:, varied]) for own in values]
    about = f"{len(maps)} subjects, p <= {alpha:g} (max t)"
    shown = np.array([np.where(each.p <= alpha, each.effect_size, 0) for each in found])
    labels = [f"{name}: {about}" for name in names]
    return BrainMaps(shown, labels, mask, "Cohen's d", first.affine)


def _same_affine(one: Any, other: Any) -> bool:
    """Say whether two maps lie alike; surfaces have no affine."""
    if one is None or other is None:
        return one is other
    return bool(np.allclose(one, other))


def group_map(
    values: np.ndarray,
    *,
    method: str = "max",
    adjacency: Any = None,
    n_flips: int = 5000,
    seed: int = 0,
) -> GroupMap:
    """Test at each target whether the mean over subjects lies above 0.

    Under the null a subject's map is as likely as its negative. The signs of whole maps are
    flipped, and each target is compared with the largest statistic of every flip over all targets::

        t_v = mean_v / sqrt(s2_v / n)
        p_v = (1 + #{max_u stat_u(flip) >= stat_v}) / (1 + n_flips)

    With 14 subjects or fewer and no more than ``n_flips`` patterns, all of them are tried and p is
    their exact share. The statistic is t, or its threshold-free cluster enhancement (steps of .2,
    mne's defaults for height and extent), which also counts the support of neighbours.

    Parameters
    ----------
    values : array of shape (n_subjects, n_targets)
        Such as differences of scores, or Fisher z of correlations (`brainlm.data.scores.fisher_z`).
        Subjects must be independent samples: listeners of one story share its noise.
    method : {"max", "tfce"}
    adjacency : sparse array of shape (n_targets, n_targets)
        Which targets are neighbours, for "tfce": `volume_adjacency`, `surface_adjacency`, or
        ``mne.stats.combine_adjacency`` for channels and times.
    n_flips : int
    seed : int

    Returns
    -------
    GroupMap

    Raises
    ------
    ValueError
        Fewer than five subjects, values that are not finite, or an adjacency of another size.

    References
    ----------
    Nichols & Holmes 2002, Hum Brain Mapp 15:1; Smith & Nichols 2009, NeuroImage 44:83.
    """
    values = np.asarray(values, dtype=float)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if values.ndim != 2 or len(values) < 5 or not np.isfinite(values).all():
        raise ValueError(
            f"values must be finite, (n_subjects, n_targets) of five subjects or more (with four a "
            f"p value cannot fall below .06), got {values.shape} with "
            f"{int((~np.isfinite(values)).sum())} values not finite"
        )
    n, mean, spread = len(values), values.mean(axis=0), values.std(axis=0, ddof=1)
    if (spread == 0).any():
        flat = int((spread == 0).sum())
        raise ValueError(f"{flat} targets are equal in all subjects: leave them out")
    t = mean / spread * np.sqrt(n)
    signs = _signs(n, n_flips, seed)
    if method == "max":
        largest, exact = _largest_t(values, signs), len(signs) == 2**n
        # The observed pattern is one of all; sums in another order may differ in the last bit.
        p = _share_above(largest, t - 1e-9 * abs(t), extra=0 if exact else 1)
        return GroupMap(mean, mean / spread, t, p, n, method, len(signs))
    p, done = _tfce_p(values, adjacency, n_flips, seed)
    return GroupMap(mean, mean / spread, t, p, n, method, done)


def _signs(n: int, n_flips: int, seed: int) -> np.ndarray:
    """Patterns of signs, (n_flips, n): all of them where there are few."""
    if n <= MOST_EXACT and 2**n <= n_flips:
        return 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    return np.random.default_rng(seed).choice((-1, 1), size=(n_flips, n))


def _largest_t(values: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Largest t of each pattern; the sum of squares does not change with the signs."""
    n = len(values)
    squares = np.square(values).sum(axis=0) / n
    largest = np.empty(len(signs))
    step = max(1, AT_ONCE // values.shape[1])
    for start in range(0, len(signs), step):
        mean = signs[start : start + step] @ values / n
        variance = np.maximum(squares - mean**2, np.finfo(float).tiny) / (n - 1)
        largest[start : start + step] = (mean / np.sqrt(variance)).max(axis=1)
    return largest


def _share_above(largest: np.ndarray, t: np.ndarray, extra: int) -> np.ndarray:
    """Share of the largest statistics that reach each t, ``extra`` more counted among them."""
    ordered = np.sort(largest)
    return (extra + len(ordered) - np.searchsorted(ordered, t)) / (extra + len(ordered))


def _tfce_p(values: np.ndarray, adjacency: Any, n_flips: int, seed: int) -> tuple[np.ndarray, int]:
    """P values of mne's threshold-free cluster enhancement, and the number of patterns."""
    from mne.stats import permutation_cluster_1samp_test

    n_targets = values.shape[1]
    if adjacency is None or adjacency.shape != (n_targets, n_targets):
        found = "none" if adjacency is None else adjacency.shape
        raise ValueError(
            f"method='tfce' needs the adjacency of {n_targets} targets, got {found}: see "
            "volume_adjacency and surface_adjacency"
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "IProgress not found")  # of its bar, in notebooks
        _, _, p, null = permutation_cluster_1samp_test(
            values,
            threshold={"start": 0, "step": 0.2},
            adjacency=sparse.coo_matrix(adjacency),
            n_permutations=n_flips,
            tail=1,
            rng=np.random.default_rng(seed),
            out_type="mask",
            verbose="error",
        )
    return np.asarray(p, dtype=float).ravel(), len(null)


def volume_adjacency(mask: np.ndarray) -> sparse.coo_array:
    """Return which voxels of a mask share a face, (n_voxels, n_voxels).

    Parameters
    ----------
    mask : bool array of shape (n_x, n_y, n_z)
        Voxels in C order are the targets.
    """
    from sklearn.feature_extraction.image import grid_to_graph

    mask = np.asarray(mask, dtype=bool)
    if mask.ndim != 3 or not mask.any():
        raise ValueError(f"mask must be 3-D with a voxel in it, got {mask.shape}")
    return sparse.coo_array(grid_to_graph(*mask.shape, mask=mask))


def surface_adjacency(faces: np.ndarray, mask: np.ndarray | None = None) -> sparse.coo_array:
    """Return which vertices of a surface share an edge, (n_vertices, n_vertices).

    Parameters
    ----------
    faces : array of int, shape (n_faces, 3)
    mask : bool array of shape (n_vertices,), optional
        Vertices that are targets.
    """
    from mne.surface import mesh_edges

    edges = mesh_edges(np.asarray(faces, dtype=int)).tocsr()
    if mask is not None:
        kept = np.flatnonzero(mask)
        edges = edges[kept][:, kept]
    return sparse.coo_array(edges + sparse.eye(edges.shape[0]))

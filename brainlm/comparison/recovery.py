"""Recovery of planted layers: depth, difference of modalities and agreement of languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import FeatureSpace
from brainlm.comparison.layer_scores import METHODS, layer_part, rows_of
from brainlm.comparison.layer_statistics import (
    LayerProfile,
    curve_agreement,
    depth_difference,
    layer_profile,
)
from brainlm.comparison.table import tidy
from brainlm.data.brain_maps import BrainMaps
from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.permuted_scores import permuted_scores
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.rsa.searchlight import pattern_searchlight
from brainlm.stats.permutation import max_statistic_p

if TYPE_CHECKING:
    import xarray

LANGUAGES = ("en", "zh")
Arrays = Mapping[str, np.ndarray]


def simulated_part(
    simulate: Callable[..., Assembly],
    cause: Features | None,
    hidden: Sequence[Features],
    space: FeatureSpace,
    *,
    permutations: int,
    method: str,
) -> xarray.Dataset:
    """Simulate responses to one layer, or to nothing, and score all layers on them."""
    assembly = simulate(cause, hidden[0], n_targets=8, seed=3)
    every = np.ones(assembly.stimulus.n_words, dtype=bool)
    n_random = 10 if method == "similarity" else 5  # ridge regressions, each
    return layer_part(
        assembly, space, every, n_permutations=permutations, method=method, n_random=n_random
    )


def computed_space(name: str, hidden: Sequence[Features], n_layers: int) -> FeatureSpace:
    """Return layers that are computed already as the space of a model."""

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [layer.select_words(words) for layer in hidden]

    return FeatureSpace(
        name, "causal", (), lambda s: np.ones(s.n_words, dtype=bool), embed, n_layers, {}
    )


def recovered_depths(
    parts: Mapping[str, xarray.Dataset], planted: Mapping[str, int], n_layers: int
) -> tuple[list[dict[str, Any]], dict, dict]:
    """Preferred depth of every simulation, and its curve of scores."""
    rows, curves, nulls = [], {}, {}
    for name, part in parts.items():
        cause, modality, language, method = name.split(" | ")
        table = [row for row in rows_of(part) if row["family"] != "random"]
        spaces = [row["space"] for row in table]
        scores = part["fold_score"].sel(space=spaces).values.T
        depths = np.array([row["depth"] for row in table])
        null = part["null"].sel(space=spaces).values
        found: LayerProfile = layer_profile(
            scores,
            depths,
            part.attrs["test_ratio"],
            chance=null.mean(axis=1),
            random=part["random"].mean("fold").transpose("draw", "layer").values,
        )
        centred = np.array([row["centred"] for row in table])
        curves[method, cause, modality, language] = scores.mean(axis=0)
        nulls[method, cause, modality, language] = null.T
        truth = planted[modality] / n_layers if cause == "planted" else np.nan
        rows.append(
            {
                "method": method,
                "cause": cause,
                "modality": modality,
                "language": language,
                "planted_depth": truth,
                "best_depth": found.best_depth,
                "depth_low": found.low,
                "depth_high": found.high,
                "best_depth_centred": np.nan
                if np.isnan(centred).any()
                else depths[centred.argmax()],
                "slope": found.slope.mean,
                "slope_p": found.p,
                "best_score": float(scores.mean(axis=0).max()),
                "smallest_q": float(tidy(table)["q"].min()),
                "n_folds": len(scores),
                "profile": found,
            }
        )
    return rows, curves, nulls


def recovered_contrasts(
    profiles: Sequence[Mapping[str, Any]], curves: Mapping, nulls: Mapping
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Difference of the modalities, and agreement of the languages over layers."""
    found = {
        (r["method"], r["cause"], r["modality"], r["language"]): r["profile"] for r in profiles
    }
    differences, languages = [], []
    for method, cause in product(METHODS, ("planted", "nothing")):
        about = {"method": method, "cause": cause}
        for language in LANGUAGES:
            fmri, meg = (found[method, cause, m, language] for m in ("fMRI", "MEG"))
            d, p = depth_difference(fmri, meg)
            differences.append(
                {**about, "language": language, "fMRI minus MEG, relative slopes": d, "p": p}
            )
        for modality in ("MEG", "fMRI"):
            en, zh = (curves[method, cause, modality, language] for language in LANGUAGES)
            tau, p = curve_agreement(en, zh, nulls[method, cause, modality, "zh"])
            languages.append({**about, "modality": modality, "tau": tau, "p": p})
    return pd.DataFrame(differences), pd.DataFrame(languages)


def map_space(
    simulated: Assembly, X: np.ndarray, near: Any, n_permutations: int, block: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score one space in every voxel by ridge regression, and by a searchlight.

    Parameters
    ----------
    simulated : Assembly
    X : array of shape (n_samples, n_features)
        Its design.
    near : sparse array of shape (n_voxels, n_voxels)
        Neighbours of each voxel, see `brainlm.rsa.searchlight.volume_neighbourhoods`.
    n_permutations : int
    block : int
        Samples that change places together in the null.

    Returns
    -------
    r, p, accuracy : array of shape (n_voxels,)
        Held-out r; p corrected for all voxels by the largest r of each permutation; share of pairs
        of held-out samples that the neighbourhood tells apart.
    """
    Y = simulated.recording.data.astype(np.float32)
    encoder = RidgeEncoder(warn_edge=False)
    scores = cross_validate(encoder, X, Y, simulated.split, keep_predictions=True)
    null = permuted_scores(
        X,
        Y,
        simulated.split,
        scores,
        block=block,
        runs=simulated.recording.run,
        n_permutations=n_permutations,
    )
    light = pattern_searchlight(np.asarray(scores.predictions), Y, simulated.split, near)
    return scores.mean, max_statistic_p(scores.mean, null), light


def recovery_maps(
    mask: Any, region: np.ndarray, r: Arrays, p: Arrays, light: Arrays, alpha: float
) -> dict[str, xarray.Dataset]:
    """Return found and planted maps and the searchlight, as brain maps of each space."""
    inside = np.asarray(mask.dataobj).astype(bool)
    values = {
        "maps_found": [np.where(p[name] <= alpha, r[name], 0) for name in r],
        "maps_truth": [(region == k).astype(float) for k in range(len(r))],
        "searchlight": [np.nan_to_num(light[name] - 0.5) for name in r],
    }
    labels = {
        "maps_found": ("held-out r", "found"),
        "maps_truth": ("1", "planted"),
        "searchlight": ("2v2 accuracy - .5", "searchlight"),
    }
    maps = {}
    for name, data in values.items():
        unit, subject = labels[name]
        each = np.array(data, dtype=np.float32)
        drawn = BrainMaps(each, list(r), inside, unit, mask.affine, subject=subject)
        maps[name] = drawn.to_xarray()
    return maps


def recovered_regions(
    region: np.ndarray,
    places: Sequence[str],
    away: np.ndarray,
    scores: Arrays,
    p: Arrays,
    light: Arrays,
    alpha: float,
) -> pd.DataFrame:
    """Recovery of each region, and false positives outside."""
    spaces = list(scores)
    r = np.array([scores[name] for name in spaces])
    found = np.array([p[name] <= alpha for name in spaces])
    best = r.argmax(axis=0)
    rows = []
    for k, (place, name) in enumerate(zip(places, spaces, strict=True)):
        own, outside = region == k, region < 0
        hits = own & found.any(axis=0)
        rows.append(
            {
                "region": place,
                "planted": name,
                "n_voxels": int(own.sum()),
                "r": float(r[k, own].mean()),
                "found": float(found[k, own].mean()),
                "won_by_planted": float((best[hits] == k).mean()) if hits.any() else np.nan,
                "searchlight": float(np.nanmean(light[name][own])),
                "n_outside": int(outside.sum()),
                "found_outside": int(found[k, outside].sum()),
                "searchlight_away": float(np.nanmean(light[name][away])),
            }
        )
    return pd.DataFrame(rows)

"""Result of encoding many feature spaces: scores, tables, figures and bundles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm.data.recording import Recording
from brainlm.data.scores import Scores, held_out_choice
from brainlm.encoding.labelled_scores import score_table, stack_folds, stack_predictions
from brainlm.encoding.splits import Split
from brainlm.errors import unknown_name
from brainlm.stats.noise_ceiling import leave_one_subject_out
from brainlm.stats.paired import fold_half_width

if TYPE_CHECKING:
    import pandas
    import xarray

    from brainlm.encoding.encode import Space


@dataclass(frozen=True)
class BestLayer:
    """Layer chosen on other folds, and its score.

    Attributes
    ----------
    layers : tuple of int
        One per fold.
    names : tuple of str
        Names of their spaces, which tell sites inside one block apart.
    score, low, high : float
        Held-out score, averaged over folds and targets, and its 95 % interval over folds.
    """

    layers: tuple[int, ...]
    names: tuple[str, ...]
    score: float
    low: float
    high: float

    def __str__(self) -> str:
        chosen = sorted(set(zip(self.layers, self.names, strict=True)))
        numbers = ", ".join(name.removeprefix("layer ") for _, name in chosen)
        return (
            f"best layer on the other folds: {numbers}; held-out score {self.score:.3f} "
            f"[{self.low:.3f}, {self.high:.3f}]"
        )


@dataclass(frozen=True, eq=False)
class Encoding:
    """Scores of many feature spaces by several methods, and how they were computed.

    Attributes
    ----------
    spaces : tuple of Space
    by_method : dict of str to list of Scores
        One `brainlm.Scores` per space.
    recording : Recording
    split : Split
    scores : xarray.Dataset
        See `stack_scores`; more variables may be added (a noise ceiling, p values).
    null : dict of str to array of shape (n_spaces, n_permutations, n_targets)
        By method: scores of permuted responses, where ``orders`` were given.
    encoders : dict of str to estimator or callable
    delays : tuple of int
        Samples.
    """

    spaces: tuple[Space, ...]
    by_method: Mapping[str, Sequence[Scores]]
    recording: Recording
    split: Split
    scores: xarray.Dataset
    null: Mapping[str, np.ndarray] = field(default_factory=dict)
    encoders: Mapping[str, Any] = field(default_factory=dict)
    delays: tuple[int, ...] = (0,)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes of the recording and of every score, each once."""
        found = (
            note for scores in self.by_method.values() for each in scores for note in each.notes
        )
        return tuple(dict.fromkeys([*self.recording.notes, *found]))

    @property
    def settings(self) -> dict[str, Any]:
        """Split and encoders, as text."""
        encoders = {method: scores[0].encoder for method, scores in self.by_method.items()}
        return {"split": repr(self.split), "encoders": encoders}

    @property
    def arrays(self) -> dict[str, xarray.Dataset]:
        """Arrays of a bundle: scores, folds, and predictions where they were kept."""
        folds = stack_folds(self.split, self.recording.n_samples)
        kept = any(scores[0].predictions is not None for scores in self.by_method.values())
        predictions = (
            {"predictions": stack_predictions(self.by_method, self.spaces)} if kept else {}
        )
        return {"scores": self.scores, "folds": folds, **predictions}

    def with_ceiling(self) -> Encoding:
        """Add ``ceiling`` (subject, target), the correlation with the mean of the other subjects.

        Of recordings of several subjects side by side, inside the same test folds
        (`brainlm.stats.noise_ceiling.leave_one_subject_out`); one subject has none.
        """
        if self.scores.sizes.get("subject", 1) < 2:
            return self
        Y = self.recording.data
        data = Y.reshape(len(Y), self.scores.sizes["subject"], -1).transpose(1, 0, 2)
        folds = [test for _, test in self.split.split(Y)]
        ceiling = (("subject", "target"), leave_one_subject_out(data, folds))
        return replace(self, scores=self.scores.assign(ceiling=ceiling))

    def table(self) -> pandas.DataFrame:
        """Mean scores with 95 % intervals over folds, see `score_table`."""
        return score_table(self.scores)

    def to_frame(self) -> pandas.DataFrame:
        """Return a row per method, space, fold (or subject) and target: the score."""
        return self.scores["score"].to_dataframe().reset_index()

    def best_layer(self, method: str | None = None) -> BestLayer:
        """Return the layer of each fold that is best on the other folds, and its held-out score.

        Parameters
        ----------
        method : str, optional
            Default: the first one.

        Raises
        ------
        ValueError
            There are no layers.
        """
        layers = [space for space in self.spaces if space.kind == "layer"]
        if not layers:
            raise ValueError("there are no layers among the spaces")
        found = self.scores["fold_score"].sel(
            analysis=self._method(method), space=[space.name for space in layers]
        )
        chosen, held_out = held_out_choice(found.transpose("fold", "space", "target").values)
        per_fold = held_out.mean(axis=1)
        half = float(fold_half_width(per_fold, self.scores.attrs["test_ratio"]))
        mean = float(per_fold.mean())
        best = [layers[k] for k in chosen]
        numbers, names = tuple(each.layer for each in best), tuple(each.name for each in best)
        return BestLayer(numbers, names, mean, mean - half, mean + half)

    def summary(self, method: str | None = None) -> str:
        """Return the table, the best layer with its held-out score, and the noise ceiling."""
        lines = [self.table().to_string()]
        if any(space.kind == "layer" for space in self.spaces):
            lines.append(str(self.best_layer(method)))
        if "ceiling" in self.scores:
            lines.append(f"noise ceiling {float(self.scores['ceiling'].mean()):.3f}")
        n_targets = self.scores.sizes["target"]
        metric = self.scores.attrs["metric"]
        lines.append(f"{metric}: mean over {n_targets} targets ± 95 % interval over folds")
        return "\n".join(lines)

    def plot(self, method: str | None = None, ax: Any = None) -> Any:
        """Draw the layer curve, or the score of each target where there are not two layers.

        Parameters
        ----------
        method : str, optional
            Default: the first one.
        ax : matplotlib.axes.Axes, optional
            Default: the current one.

        Returns
        -------
        matplotlib.axes.Axes
        """
        import matplotlib.pyplot as plt

        layers = {space.layer for space in self.spaces if space.kind == "layer"}
        name = "plot_layer_curve" if len(layers) > 1 else "plot_target_bars"
        ax = plt.gca() if ax is None else ax
        getattr(_later("brainlm.plotting"), name)(self.scores, self._method(method), ax)
        ax.legend()
        return ax

    def save(
        self,
        folder: Path | str,
        *,
        figures: Sequence[str] = ("layer_curve",),
        overwrite: bool = False,
    ) -> None:
        """Save a result bundle, for ``brainlm plot`` and ``brainlm report``, with its figures.

        Parameters
        ----------
        folder : path
        figures : sequence of str
            Names from `brainlm.plotting.FIGURES`.
        overwrite : bool
        """
        bundle = _later("brainlm.results.bundle")
        bundle.save_bundle(
            folder,
            analysis="encode",
            arrays=self.arrays,
            config=self.settings,
            inputs={"features": {space.name: space.origin for space in self.spaces}},
            notes=self.notes,
            figures=figures,
            overwrite=overwrite,
        )
        _later("brainlm.plotting").save_figures(bundle.load_bundle(folder))

    def _method(self, name: str | None) -> str:
        if name is not None and name not in self.by_method:
            raise unknown_name("method", name, self.by_method)
        return next(iter(self.by_method)) if name is None else name

    def _repr_html_(self) -> str:
        return self.table().to_html()


def _later(module: str) -> Any:
    """Import a package of a later step when a method needs it; modules import earlier ones only."""
    return import_module(module)

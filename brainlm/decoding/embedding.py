"""Decoding of text embeddings from responses: three mappers behind one interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from brainlm._validation import as_labels, same_length
from brainlm.compute.backend import is_tensor
from brainlm.compute.inputs import Encoder
from brainlm.data.scores import pearson
from brainlm.decoding._contrastive import Batches, Training, run_network, train_mapper
from brainlm.decoding.names import MAPPERS
from brainlm.encoding._ridge.solve import Standardizer
from brainlm.encoding.delays import delay
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.errors import unknown_name
from brainlm.stats.identification import (
    pairwise_accuracy,
    pattern_correlations,
    rank_accuracy,
    top_k_accuracy,
)


class EmbeddingDecoder(Encoder):
    """Decode the embedding of a text from brain responses.

    Parameters
    ----------
    mapper : {"ridge", "linear-contrastive", "transformer"}
        Ridge regression (`RidgeEncoder`, penalties chosen in inner folds); a linear map trained
        with InfoNCE; a transformer over lags trained with masked inputs, squared error and
        InfoNCE. See `brainlm.decoding._contrastive`.
    alphas : array, optional
        Ridge: penalties. Default: those of `RidgeEncoder`.
    cv : optional
        Ridge: inner folds, as in `RidgeEncoder`. Default: the runs where there are several.
    standardize : bool
        z-score each input (True), or divide all by one number, so that principal components keep
        their scale.
    n_lags : int
        Number of lags side by side in the columns of X (`responses_after`).
    settings : Training, optional
        Of the two trained mappers.
    held_out : str, optional
        Run on which training stops early. Default: the last run; with a single run its last
        fifth, after a gap of ``settings.neighbours`` samples.
    seed : int
    checkpoint : path, optional
        Folder in which training is saved after every epoch, and resumed.
    device : str, optional
        Ridge: as in `RidgeEncoder`. The trained mappers are trained on the processor.

    Attributes
    ----------
    gain_ : array of shape (n_features,)
        Trained mappers: slope that brings each output to the units of the targets, by least
        squares on the held-out run (ours); the intercept is the training mean.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> embedding = rng.standard_normal((120, 4))
    >>> brain = embedding @ rng.standard_normal((4, 30)) + rng.standard_normal((120, 30))
    >>> decoder = brainlm.EmbeddingDecoder().fit(brain[:100], embedding[:100])
    >>> decoder.predict(brain[100:]).shape
    (20, 4)
    """

    def __init__(
        self,
        mapper: str = "ridge",
        *,
        alphas: Any = None,
        cv: Any = None,
        standardize: bool = True,
        n_lags: int = 1,
        settings: Training | None = None,
        held_out: str | None = None,
        seed: int = 0,
        checkpoint: Path | str | None = None,
        device: str | None = None,
    ) -> None:
        self.mapper = mapper
        self.alphas = alphas
        self.cv = cv
        self.standardize = standardize
        self.n_lags = n_lags
        self.settings = settings
        self.held_out = held_out
        self.seed = seed
        self.checkpoint = checkpoint
        self.device = device

    def fit(self, X: Any, y: Any, runs: Any = None) -> EmbeddingDecoder:
        """Fit on training samples.

        Parameters
        ----------
        X : array of shape (n_samples, n_lags * n_inputs)
        y : array of shape (n_samples, n_features) or (n_samples,)
        runs : sequence of str, shape (n_samples,), optional
            Run of each sample.
        """
        if self.mapper not in MAPPERS:
            raise unknown_name("mapper", self.mapper, MAPPERS)
        if self.mapper != "ridge" and (self.device is not None or is_tensor(X)):
            raise ValueError(
                f"mapper {self.mapper!r} is trained on the processor only: leave device out and "
                "give arrays, or use mapper='ridge'"
            )
        X, Y = self._validated(X, y)
        if X.shape[1] % self.n_lags:
            raise ValueError(f"X has {X.shape[1]} columns, which are not {self.n_lags} equal lags")
        labels = as_labels(["1"] * len(X) if runs is None else runs, "runs")
        same_length({"rows of X": len(X), "runs": len(labels)})
        if self.mapper == "ridge":
            cv = self._ridge_folds(X, labels) if self.cv is None else self.cv
            ridge = RidgeEncoder(self.alphas, cv=cv, standardize=self.standardize, warn_edge=False)
            self._ridge = ridge.fit(X, Y)
        else:
            self._train(X, Y, labels)
        return self

    def predict(self, X: Any) -> Any:
        """Return the decoded embedding, (n_samples, n_features), in the units of the targets."""
        check_is_fitted(self)
        if self.mapper == "ridge":
            found = self._ridge.predict(X)
            return found.ravel() if self._one_target else found
        X = self._new_samples(X, self._given)
        raw = run_network(self._network, self._inputs.apply(X).astype(np.float32))
        found = (raw * self.gain_ * self._targets.scale + self._targets.mean).astype(X.dtype)
        return self._shaped(found, X)

    def _ridge_folds(self, X: np.ndarray, runs: np.ndarray) -> Any:
        from brainlm.encoding.splits import LeaveOneRunOut

        return list(LeaveOneRunOut(runs).split(X)) if len(set(runs)) > 1 else None

    def _train(self, X: np.ndarray, Y: np.ndarray, runs: np.ndarray) -> None:
        settings = self.settings or Training()
        train, held_out = self._split(runs, settings.neighbours)
        self._inputs = Standardizer.learn(X[train], scale=self.standardize)
        if not self.standardize:
            every = np.full_like(self._inputs.scale, X[train].std())
            self._inputs = Standardizer(self._inputs.mean, every)
        self._targets = Standardizer.learn(Y[train], scale=True)
        position = np.arange(len(X))

        def batches(rows: np.ndarray) -> Batches:
            return Batches(
                self._inputs.apply(X[rows]).astype(np.float32),
                self._targets.apply(Y[rows]).astype(np.float32),
                runs[rows],
                position[rows],
            )

        held = batches(held_out)
        self._network = train_mapper(
            self.mapper,
            batches(train),
            held,
            n_lags=self.n_lags,
            settings=settings,
            seed=self.seed,
            checkpoint=None if self.checkpoint is None else Path(self.checkpoint),
        )
        raw = run_network(self._network, held.X)
        self.gain_ = (raw * held.Y).sum(axis=0) / np.maximum((raw**2).sum(axis=0), 1e-12)
        self.gain_ = np.maximum(self.gain_, 0)  # a negative slope is weak evidence

    def _split(self, runs: np.ndarray, gap: int) -> tuple[np.ndarray, np.ndarray]:
        names = list(dict.fromkeys(runs))
        rows = np.arange(len(runs))
        if len(names) > 1:
            chosen = names[-1] if self.held_out is None else self.held_out
            if chosen not in names:
                raise unknown_name("held-out run", chosen, names)
            return rows[runs != chosen], rows[runs == chosen]
        cut = len(rows) - max(2, len(rows) // 5)
        if cut - gap < 2:
            raise ValueError(
                f"{len(rows)} samples are too few to hold a fifth out for early stopping"
            )
        return rows[: cut - gap], rows[cut:]


@dataclass(frozen=True, eq=False)
class MappingScores:
    """How well an embedding was decoded, on held-out samples.

    Attributes
    ----------
    r : array of shape (n_features,)
        Correlation per dimension over samples.
    cosine : float
        Mean cosine of decoded and true rows, both centred on the training mean.
    pairwise, rank, top_1, top_10 : float
        Identification among the held-out samples; chance .5, .5, 1 / n and 10 / n.
    """

    r: np.ndarray
    cosine: float
    pairwise: float
    rank: float
    top_1: float
    top_10: float


def score_mapping(
    decoded: np.ndarray, true: np.ndarray, mean: np.ndarray, groups: np.ndarray | None = None
) -> MappingScores:
    """Score decoded embeddings of one test set.

    Parameters
    ----------
    decoded, true : array of shape (n_samples, n_features)
    mean : array of shape (n_features,)
        Mean of the *training* targets.
    groups : array of shape (n_samples,), optional
        Only pairs from different groups are compared in the 2v2 test.
    """
    a, b = decoded - mean, true - mean
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosine = float(np.mean((a * b).sum(axis=1) / np.where(size > 0, size, 1)))
    similarity = pattern_correlations(a, b)
    return MappingScores(
        pearson(decoded, true),
        cosine,
        pairwise_accuracy(similarity, groups),
        float(rank_accuracy(similarity).mean()),
        top_k_accuracy(similarity, 1),
        top_k_accuracy(similarity, min(10, len(similarity))),
    )


def responses_after(responses: np.ndarray, lags: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the responses that follow each sample, side by side, of one run.

    Parameters
    ----------
    responses : array of shape (n_samples, n_targets)
    lags : sequence of int
        In samples; published for fMRI: 1 to 4 TRs after the text.

    Returns
    -------
    array of shape (n_rows, n_lags * n_targets)
    array of int, shape (n_rows,)
        The sample number (which may be negative) that each row follows; all of its lags exist.
    """
    rows = np.arange(-min(lags), len(responses) - max(lags))
    if len(rows) == 0:
        raise ValueError(f"{len(responses)} samples are too few for lags {list(lags)}")
    return delay(responses, [min(lags) - lag for lag in lags])[: len(rows)], rows

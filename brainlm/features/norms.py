"""Psychologically plausible feature spaces: ratings, word associations, taxonomies.

A norm covers some words and not others. The others get an explicit mask, or values from a named
imputation whose accuracy is reported; never zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.features import Features
from brainlm.data.segmentation import check_script, chinese_script
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import read_card
from brainlm.datasets.open import open_dataset

ALPHAS = np.logspace(-2, 4, 7)


@dataclass(frozen=True, eq=False)
class Norm:
    """Values per word type.

    Parameters
    ----------
    name : str
        Name of the feature space.
    language : str
        Language code; the norm applies to stimuli in it only.
    words : sequence of str, shape (n_types,)
        Each once.
    values : array of shape (n_types, n_features)
        Finite numbers.
    columns : sequence of str, shape (n_features,), optional
        Names of the features.
    origin : mapping
        Where the values come from.

    Examples
    --------
    >>> valence = brainlm.Norm("valence", "en", ["joy", "pain"], [[8.2], [2.1]])
    >>> stimulus = brainlm.Stimulus(["pain", "joy"], "en")
    >>> valence.embed(stimulus).values.ravel().tolist()
    [2.1, 8.2]
    """

    name: str
    language: str
    words: Sequence[str]
    values: np.ndarray
    columns: Sequence[str] | None = None
    origin: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=float)
        if values.ndim != 2 or len(values) != len(self.words):
            raise ValueError(
                f"values of {self.name!r} must have a row for each of {len(self.words)} words, got "
                f"shape {values.shape}"
            )
        if not np.isfinite(values).all():
            raise ValueError(f"values of {self.name!r} are not all finite: drop those words first")
        if len(set(self.words)) < len(self.words):
            raise ValueError(f"words of {self.name!r} are not unique: average or choose first")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_row", {word: i for i, word in enumerate(self.words)})

    def covers(self, stimulus: Stimulus) -> np.ndarray:
        """Return whether the norm has each word, bool, (n_words,).

        A word is looked up as written, then in lower case, then without the punctuation around it.
        """
        return self._rows(stimulus) >= 0

    def embed(self, stimulus: Stimulus, vectors: Features | None = None) -> Features:
        """Return the norm's values of each word.

        Parameters
        ----------
        stimulus : Stimulus
            The words.
        vectors : Features, optional
            A space of the same stimulus, such as word vectors, from which uncovered words are
            imputed: one ridge regression for all features, fitted on the covered word types, its
            penalty (of 0.01 ... 10,000) and its accuracy by cross-validation over word types
            (10 folds; nested). Without it an uncovered word is an error.

        Returns
        -------
        Features, shape (n_words, n_features)
            ``origin["coverage"]`` is the share of words that the norm covers;
            ``origin["imputed_words"]``, ``["imputation"]`` and ``["imputation_accuracy"]`` (the
            cross-validated correlation of each feature) say what was filled in, and how well.

        Raises
        ------
        ValueError
            Another language; Chinese in the other script; words that are not covered, and no
            vectors; vectors of another stimulus; or too few covered words to impute from.
        """
        rows = self._rows(stimulus)
        lost = np.flatnonzero(rows < 0)
        origin: dict[str, Any] = {
            **(self.origin or {}),
            "norm": self.name,
            "coverage": float(np.mean(rows >= 0)),
        }
        if len(lost) and vectors is None:
            first = ", ".join(repr(word) for word in dict.fromkeys(stimulus.words[lost[:50]]))
            raise ValueError(
                f"{self.name} does not cover {len(lost)} of {stimulus.n_words} words: "
                f"{first[:200]}. Keep the others, stimulus.select(norm.covers(stimulus)), or give "
                "vectors= to impute them"
            )
        values = self.values[rows]
        if vectors is not None and len(lost):
            values[lost], accuracy = self._impute(stimulus, rows, vectors)
            origin |= {
                "imputed_words": len(lost),
                "imputation": f"ridge from {vectors.name} ({vectors.origin.get('model')})",
                "imputation_accuracy": dict(zip(self._names(), accuracy, strict=True)),
            }
        return Features(self.name, values, stimulus, columns=self.columns, origin=origin)

    def _names(self) -> list[str]:
        return [str(name) for name in self.columns or range(self.values.shape[1])]

    def _rows(self, stimulus: Stimulus) -> np.ndarray:
        if stimulus.language.split("-")[0] != self.language.split("-")[0]:
            raise ValueError(
                f"{self.name} has words in {self.language!r}, the stimulus is in "
                f"{stimulus.language!r}: use a norm of that language"
            )
        if stimulus.language.split("-")[0] == "zh":
            check_script(stimulus, chinese_script(self.words), self.name)
        index: dict[str, int] = getattr(self, "_row")  # noqa: B009
        rows = []
        for word in stimulus.words:
            rows.append(next((index[form] for form in lookup_forms(word) if form in index), -1))
        return np.array(rows)

    def _impute(
        self, stimulus: Stimulus, rows: np.ndarray, vectors: Features
    ) -> tuple[np.ndarray, list[float]]:
        from sklearn.linear_model import RidgeCV
        from sklearn.model_selection import KFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if vectors.stimulus is not stimulus:
            raise ValueError("vectors describe another stimulus: embed the same Stimulus object")
        types, first = np.unique(rows, return_index=True)
        first = first[types >= 0]
        if len(first) < 20:
            raise ValueError(
                f"{self.name} covers {len(first)} different words of the stimulus, too few to "
                "impute the others from: select the covered words instead"
            )
        model = make_pipeline(StandardScaler(), RidgeCV(ALPHAS))
        X = np.asarray(vectors.values[first], dtype=float)
        Y = self.values[rows[first]]
        folds = KFold(10, shuffle=True, random_state=0)  # word types have no order in time
        predicted = cross_val_predict(model, X, Y, cv=folds)
        accuracy = [_correlation(p, y) for p, y in zip(predicted.reshape(Y.shape).T, Y.T)]  # noqa: B905
        filled = model.fit(X, Y).predict(np.asarray(vectors.values[rows < 0], dtype=float))
        return filled.reshape(-1, Y.shape[1]), accuracy


def lookup_forms(word: str) -> tuple[str, ...]:
    """Return the spellings under which a word is looked up in a norm, in order of preference.

    As written, in small letters, and both without the punctuation around it.
    """
    bare = word.strip("“”\"'‘’.,;:!?()[]…—-，。！？；：、《》")
    return (word, word.lower(), bare, bare.lower())


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / size) if size > 0 else 0.0


def open_norm(name: str, root: Path | str | None = None) -> Norm:
    """Return a ratings data set as a norm.

    Parameters
    ----------
    name : str
        A data set of modality "ratings", such as ``"binder-en"``, ``"binder-zh"`` or
        ``"human-ratings"``.
    root : path, optional
        As in ``open_dataset``.

    Notes
    -----
    Attributes with missing values are left out, a word that stands twice (two senses of one
    spelling) has the mean of its rows; ``origin`` counts both.

    Raises
    ------
    ValueError
        The data set does not hold ratings.

    Examples
    --------
    >>> norm = brainlm.open_norm("human-ratings")
    >>> norm.language
    'en'
    """
    card = read_card(name)
    if card.modality != "ratings":
        raise ValueError(f"data set {name!r} is {card.modality}, not ratings: it is not a norm")
    stimulus, recording = open_dataset(name, root=root)
    whole = ~np.isnan(recording.data).any(axis=0)
    sentence = {str(label): i for i, label in enumerate(recording.items)}
    rows = np.array([sentence[str(label)] for label in stimulus.sentence])
    words, index = np.unique(stimulus.words.astype(str), return_inverse=True)
    total = np.zeros((len(words), int(whole.sum())))
    np.add.at(total, index, recording.data[rows][:, whole])
    origin = {
        "dataset": card.name,
        "left_out": [str(target) for target in recording.target_names[~whole]],
        "repeated_words": int(len(index) - len(words)),
    }
    return Norm(
        card.name,
        stimulus.language,
        words.tolist(),
        total / np.bincount(index)[:, None],
        [str(target) for target in recording.target_names[whole]],
        origin,
    )


def similarity_features(
    words: Sequence[str],
    similarity: Callable[[str, str], float] | np.ndarray,
    n_features: int,
    *,
    name: str,
    language: str,
) -> Norm:
    """Turn a similarity of word pairs into features: its top eigenvectors.

    ``S = U diag(l) U'``, features ``U_k sqrt(l_k)`` of the ``n_features`` largest eigenvalues, all
    of which must be positive; then ``F F'`` is the best approximation of S of that rank.

    Parameters
    ----------
    words : sequence of str
        Different words.
    similarity : callable, or array of shape (n_words, n_words)
        ``similarity(a, b)``: a finite number, the same both ways; see
        `brainlm.features.taxonomies`.
    n_features : int
        Number of eigenvectors.
    name, language : str
        Of the norm.

    Raises
    ------
    ValueError
        The similarity is not finite or not symmetric, or has fewer positive eigenvalues.
    """
    if callable(similarity):
        similarity = np.array([[similarity(a, b) for b in words] for a in words])
    S = np.asarray(similarity, dtype=float)
    if S.shape != (len(words), len(words)):
        raise ValueError(f"similarity of {name!r} has shape {S.shape} for {len(words)} words")
    if not np.isfinite(S).all() or not np.allclose(S, S.T):
        raise ValueError(f"similarity of {name!r} must be finite and the same both ways")
    eigenvalues, U = np.linalg.eigh(S)
    eigenvalues, U = eigenvalues[::-1], U[:, ::-1]
    positive = int((eigenvalues > 1e-10 * eigenvalues[0]).sum())
    if not 1 <= n_features <= positive:
        raise ValueError(
            f"n_features is {n_features}; the similarity of {name!r} has {positive} positive "
            "eigenvalues: choose from 1 to that number"
        )
    values = U[:, :n_features] * np.sqrt(eigenvalues[:n_features])
    share = float(eigenvalues[:n_features].sum() / eigenvalues[eigenvalues > 0].sum())
    return Norm(name, language, list(words), values, None, {"share_of_similarity": share})

"""Decoding of a new person: by their own decoder, and by that of others with and without alignment.

Everything is learned from training stories: the shared space and the decoder of the others, the map
of the new person, and their own decoder. The test story of the new person is decoded last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from brainlm._validation import check_finite, same_length
from brainlm.decoding.embedding import EmbeddingDecoder, responses_after
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.shared_space import SharedSpace, fit_shared_space, map_subject
from brainlm.errors import unknown_name
from brainlm.stats.identification import pairwise_accuracy, pattern_correlations
from brainlm.stats.permutation import permutation_p

if TYPE_CHECKING:
    import xarray

Stories = Mapping[str, np.ndarray]
METHODS = ("own", "others", "procrustes", "srm", "ridge")
LABELS = {
    "own": "own decoder",
    "others": "others' decoder, not aligned",
    "procrustes": "others' decoder, Procrustes",
    "srm": "others' decoder, shared response model",
    "ridge": "others' decoder, ridge",
}
LEAST = 20  # samples of the person's own data


@dataclass(frozen=True)
class NewPersonSettings:
    """Settings of `decode_new_person`.

    Attributes
    ----------
    step : float
        Seconds from one sample to the next.
    lags : tuple of int
        Samples after a text in which it is read.
    n_shared : int
        Dimensions of the shared response model, also of the ridge map.
    window : int
        Samples whose mean embedding is one item of the identification.
    """

    step: float = 2.0
    lags: tuple[int, ...] = (1, 2, 3, 4)
    n_shared: int = 20
    window: int = 10


def decode_new_person(
    embedding: Stories,
    own: Stories,
    others: Sequence[Stories],
    test: str,
    minutes: Sequence[float],
    *,
    methods: Sequence[str] = METHODS,
    settings: NewPersonSettings | None = None,
) -> xarray.Dataset:
    """Decode a story of a new person, by minutes of the person's own data.

    With E the embedding of the text, Y_s the responses of subject s, and W_s maps to a space that
    the others share (`brainlm.encoding.shared_space`), a ridge regression D is fitted::

        own:         E ~ D(Y_new)            on the first minutes of the new person
        others:      E ~ D(Y_s)              voxel by voxel, applied to Y_new as it is
        procrustes, srm, ridge:
                     E ~ D(Y_s W_s)          applied to Y_new W_new; W_new from the same minutes

    Procrustes and the shared response model take the orthonormal W_new nearest to the shared
    responses, "ridge" a ridge regression on those of the shared response model. Windows of the
    test story are then identified in pairs by their decoded embedding (chance .5). In the null the
    decoded story is turned in a circle against the text.

    Parameters
    ----------
    embedding : mapping of str to array, each (n_samples, n_features)
        By story, on the samples of the responses.
    own : mapping of str to array, each (n_samples, n_voxels)
        Responses of the new person.
    others : sequence of mapping
        Responses of two subjects or more to the same stories; "others" and "procrustes" need as
        many voxels as the new person has.
    test : str
        Story that is decoded; all others are training stories.
    minutes : sequence of float
        Of the new person's training data, counted from the first story.
    methods : sequence of {"own", "others", "procrustes", "srm", "ridge"}
    settings : NewPersonSettings, optional

    Returns
    -------
    xarray.Dataset
        ``accuracy`` and ``p`` (decoder, minutes), ``null`` (decoder, minutes, turn).

    Raises
    ------
    UnknownNameError
        No such story or method.
    ValueError
        Other stories or samples of some subject, fewer than two others, too few minutes, or more
        than there are.

    References
    ----------
    Tang et al. 2023, Nat Neurosci 26:858, whose decoders failed across people without alignment;
    Tang & Huth 2025, Curr Biol 35:1023, who aligned them.

    Examples
    --------
    ::

        found = decode_new_person(rows, own, others, "story 9", minutes=[2, 10, 60])
        found["accuracy"].sel(decoder="srm")
    """
    import xarray

    given = NewPersonSettings() if settings is None else settings
    train = _check(embedding, own, others, test, methods)
    sizes = [_samples(m, given, sum(len(own[name]) for name in train)) for m in minutes]
    embedding, own = _scaled(embedding, train), _z(own)
    others = [_z(each) for each in others]
    found, nulls = [], []
    for method in methods:
        decode = _decoder(method, embedding, others, train, given)
        scores = [
            _identify(decode(own, _first(own, train, n), test), embedding[test], given)
            for n in sizes
        ]
        found.append([accuracy for accuracy, _ in scores])
        nulls.append([null for _, null in scores])
    accuracy, null = np.array(found), np.array(nulls)
    dims = ("decoder", "minutes")
    p = permutation_p(accuracy, np.moveaxis(null, -1, 0))
    return xarray.Dataset(
        {"accuracy": (dims, accuracy), "null": ((*dims, "turn"), null), "p": (dims, p)},
        coords={"decoder": list(methods), "minutes": [float(m) for m in minutes]},
    )


def _check(
    embedding: Stories, own: Stories, others: Sequence[Stories], test: str, methods: Sequence[str]
) -> list[str]:
    """Refuse what cannot be compared; return the training stories."""
    if test not in embedding:
        raise unknown_name("story", test, list(embedding))
    for method in methods:
        if method not in METHODS:
            raise unknown_name("method", method, METHODS)
    if len(others) < 2:
        raise ValueError(f"others must be two subjects or more, got {len(others)}")
    for k, each in enumerate([own, *others]):
        who = f"of subject {k} of others" if k else "of the new person"
        k -= 1
        if set(each) != set(embedding):
            raise ValueError(
                f"stories differ: those {who} are {sorted(each)}, the embedding has "
                f"{sorted(embedding)}; people must have heard the same stories"
            )
        for name, Y in each.items():
            same_length({f"embedding of {name!r}": len(embedding[name]), f"{name!r} {who}": len(Y)})
            check_finite(np.asarray(Y), f"responses to {name!r} {who}")
    widths = {each[test].shape[1] for each in [own, *others]}
    if len(widths) > 1 and {"others", "procrustes"} & set(methods):
        raise ValueError(
            f"subjects have {sorted(widths)} voxels: 'others' and 'procrustes' need equal numbers, "
            "leave them out of methods"
        )
    return [name for name in embedding if name != test]


def _samples(minutes: float, given: NewPersonSettings, available: int) -> int:
    """Samples of so many minutes."""
    n = round(60 * minutes / given.step)
    if not LEAST <= n <= available:
        low, high = (each * given.step / 60 for each in (LEAST, available))
        raise ValueError(
            f"minutes must lie between {low:.2g} and {high:.3g} (the training stories), "
            f"got {minutes:g}"
        )
    return n


def _z(stories: Stories) -> dict[str, np.ndarray]:
    """Voxels z-scored inside each story."""
    found = {}
    for name, Y in stories.items():
        Y = np.asarray(Y, dtype=float)
        spread = Y.std(axis=0)
        if (spread == 0).any():
            raise ValueError(f"{int((spread == 0).sum())} voxels are constant in story {name!r}")
        found[name] = (Y - Y.mean(axis=0)) / spread
    return found


def _scaled(embedding: Stories, train: Sequence[str]) -> dict[str, np.ndarray]:
    """Embeddings with the mean 0 and the deviation 1 that the training stories have."""
    rows = np.concatenate([embedding[name] for name in train])
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    return {name: (each - mean) / np.where(scale > 0, scale, 1) for name, each in embedding.items()}


def _first(own: Stories, train: Sequence[str], n: int) -> dict[str, np.ndarray]:
    """The first ``n`` samples of the training stories, by story."""
    found = {}
    for name in train:
        if n > 0:
            found[name] = own[name][:n]
            n -= len(found[name])
    return found


def _fit(embedding: Stories, people: Sequence[Stories], given: NewPersonSettings) -> Any:
    """Ridge regression from the responses after a text to its embedding, over people."""
    X, Y, runs = [], [], []
    for name in people[0]:  # all people of a story together: the inner folds leave out stories
        for person in people:
            if len(person[name]) <= max(given.lags):
                continue
            seen, rows = responses_after(person[name], given.lags)
            kept = rows >= 0
            X.append(seen[kept])
            Y.append(embedding[name][rows[kept]])
            runs += [name] * int(kept.sum())
    # In another space the scale of a dimension says how much the subjects share of it.
    decoder = EmbeddingDecoder(standardize=False, n_lags=len(given.lags))
    return decoder.fit(np.concatenate(X), np.concatenate(Y), runs)


def _apply(decoder: Any, responses: np.ndarray, given: NewPersonSettings) -> np.ndarray:
    """Decoded embedding of each sample; 0, the training mean, where a lag is missing."""
    seen, rows = responses_after(responses, given.lags)
    kept = rows >= 0
    decoded = decoder.predict(seen[kept])
    found = np.zeros((len(responses), decoded.shape[1]))
    found[rows[kept]] = decoded
    return found


def _decoder(
    method: str,
    embedding: Stories,
    others: Sequence[Stories],
    train: Sequence[str],
    given: NewPersonSettings,
) -> Any:
    """Return ``decode(own, first, test)`` of a method; what needs no own data is fitted once."""
    if method == "own":
        return lambda own, first, test: _apply(_fit(embedding, [first], given), own[test], given)
    training = [{name: each[name] for name in train} for each in others]
    if method == "others":
        fitted = _fit(embedding, training, given)
        return lambda own, first, test: _apply(fitted, own[test], given)
    stacked = [np.concatenate(list(each.values())) for each in training]
    narrowest = min(min(each.shape) for each in stacked)
    n_shared = None if method == "procrustes" else min(given.n_shared, narrowest)
    kind = "procrustes" if method == "procrustes" else "srm"
    space = fit_shared_space(stacked, kind, n_shared=n_shared)
    shared = [
        {name: Y @ W for name, Y in each.items()}
        for each, W in zip(training, space.maps, strict=True)
    ]
    fitted = _fit(embedding, shared, given)

    def decode(own: Stories, first: Stories, test: str) -> np.ndarray:
        return _apply(fitted, _mapped(method, space, first, own[test]), given)

    return decode


def _mapped(method: str, space: SharedSpace, first: Stories, response: np.ndarray) -> np.ndarray:
    """Responses of the new person to the test story, in the shared space."""
    seen = np.concatenate(list(first.values()))
    template = space.template[: len(seen)]
    if method == "ridge":
        return RidgeEncoder(warn_edge=False).fit(seen, template).predict(response)
    return response @ map_subject(seen, template)


def _identify(
    decoded: np.ndarray, true: np.ndarray, given: NewPersonSettings
) -> tuple[float, np.ndarray]:
    """Pairwise accuracy of windows of a story, and that of all turns by a window or more."""
    n_windows = len(true) // given.window
    if n_windows < 4:
        raise ValueError(
            f"the test story has {len(true)} samples, {n_windows} windows of {given.window}: "
            "four are needed; use a longer story or a smaller window"
        )

    def windows(rows: np.ndarray) -> np.ndarray:
        kept = rows[: n_windows * given.window]
        return kept.reshape(n_windows, given.window, -1).mean(axis=1)

    text = windows(true)

    def accuracy(rows: np.ndarray) -> float:
        return pairwise_accuracy(pattern_correlations(windows(rows), text))

    turns = range(given.window, len(true) - given.window + 1)
    return accuracy(decoded), np.array([accuracy(np.roll(decoded, k, axis=0)) for k in turns])

"""One colour for each name of a bundle, whatever figure it is in and whatever is selected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import MODEL_COLOURS, REFERENCE_COLOURS

if TYPE_CHECKING:
    from brainlm.results.bundle import Bundle

MODELS = ("model", "source")  # columns
COMPARED = ("winners", "partition", "pairs")  # arrays of feature spaces against each other
SPACES = ("space", "first", "second")  # columns of these
OTHERS = {"decoder": MODEL_COLOURS, "control": MODEL_COLOURS, "modality": MODEL_COLOURS,
          "mapper": REFERENCE_COLOURS}  # fmt: skip


def palette(bundle: Bundle) -> dict[str, str]:
    """Return a colour for each model, compared feature space, reference and decoder of a bundle.

    Models have theirs in the order of the main table, so that all figures agree; feature spaces
    that are no models take the colours that are left.
    """
    models = list(dict.fromkeys(_names(bundle, MODELS)))
    colours = {name: MODEL_COLOURS[i % len(MODEL_COLOURS)] for i, name in enumerate(models)}
    spaces = sorted(set(_names(bundle, SPACES, COMPARED)))
    used = {colours[name] for name in spaces if name in colours}
    free = [colour for colour in MODEL_COLOURS if colour not in used] or list(MODEL_COLOURS)
    for i, name in enumerate(name for name in spaces if name not in colours):
        colours[name] = free[i % len(free)]
    for i, name in enumerate(_references(bundle)):
        colours.setdefault(name, REFERENCE_COLOURS[i % len(REFERENCE_COLOURS)])
    for column, sequence in OTHERS.items():
        for i, name in enumerate(dict.fromkeys(_names(bundle, (column,)))):
            colours.setdefault(name, sequence[i % len(sequence)])
    return colours


def _names(
    bundle: Bundle, columns: tuple[str, ...], arrays: tuple[str, ...] | None = None
) -> Iterator[str]:
    """Names in columns or coordinates of a bundle, those of the main table first."""
    chosen = sorted(bundle.arrays, key=lambda name: (name != "table", name))
    for array in chosen if arrays is None else [name for name in arrays if name in chosen]:
        for column in columns:
            found = bundle.arrays[array].variables.get(column)
            if found is not None and found.ndim == 1 and found.dtype.kind in "OU":
                yield from found.values.astype(str).tolist()


def _references(bundle: Bundle) -> list[str]:
    """Reference spaces of the scores."""
    scores = bundle.arrays.get("scores")
    if scores is None or not {"space", "kind"} <= set(scores.variables):
        return []
    return scores["space"].values[np.atleast_1d(scores["kind"].values) == "reference"].tolist()

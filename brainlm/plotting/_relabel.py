"""Texts and limits of a figure that has been drawn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from brainlm.plotting.changes import Changes

BEFORE, AFTER = r"(?:(?<=^)|(?<=[,:;(\n] )|(?<=[:;(\n]))", r"(?=$|[,:;)\n]| \()"
NUMBER = re.compile(r"[\s$\\{}^A-Za-z]*[-−+]?[\d.,]*(e[-−+]?\d+)?[\s$\\{}^\d×%−-]*")


def apply_changes(figure: Figure, changes: Changes) -> None:
    """Set the labels and limits of a figure that the reader asked for."""
    if changes.labels:
        _relabel(figure, changes)
    for option in ("xlim", "ylim"):
        limits = getattr(changes, option)
        for ax in figure.axes if limits is not None else ():
            if _has_numbers(ax, option[0]):
                getattr(ax, f"set_{option}")(*limits)
                changes.record(option, ["an axis"])


def _relabel(figure: Figure, changes: Changes) -> None:
    from matplotlib.text import Text

    figure.draw_without_rendering()  # ticks have their texts then
    axes = [getattr(ax, f"{side}axis") for ax in figure.axes for side in "xy"]
    ticks: dict[Any, list[str]] = {}
    for axis in axes:
        ticks[axis] = [label.get_text() for label in axis.get_ticklabels()]
    texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
    changes.record("label", (" ".join(text.get_text().split()) for text in texts))
    for text in texts:
        text.set_text(_renamed(text.get_text(), changes))
    for axis, old in ticks.items():
        new = [_renamed(each, changes) for each in old]
        if new != old:
            axis.set_ticks(axis.get_ticklocs(), new)


def _renamed(text: str, changes: Changes) -> str:
    """Put new names into a text: for all of it, or for parts between punctuation."""
    labels: Mapping[str, str] = changes.labels
    for old, new in labels.items():
        pattern = r"\s+".join(map(re.escape, old.split()))
        text, n = re.subn(BEFORE + pattern + AFTER, new.replace("\\", r"\\"), text)
        if n:
            changes.record("label", [old])
    return text


def _has_numbers(ax: Any, side: str) -> bool:
    """Say whether an axis has a scale of numbers: not names, an image or a colour bar."""
    if not ax.axison or ax.images or ax.name == "3d" or hasattr(ax, "_colorbar"):
        return False
    labels = [each.get_text() for each in getattr(ax, f"{side}axis").get_ticklabels()]
    return all(NUMBER.fullmatch(label) for label in labels)

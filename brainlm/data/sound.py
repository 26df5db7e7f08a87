"""Sound, and features of it in short frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound in one channel.

    Attributes
    ----------
    samples : array of shape (n_samples,)
        Full scale is 1.
    rate : float
        Hz.
    """

    samples: np.ndarray
    rate: float

    @property
    def seconds(self) -> float:
        """Duration."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, eq=False)
class Frames:
    """Features of a sound in short windows.

    Attributes
    ----------
    name : str
    values : array of shape (n_frames, n_features)
    times : array of shape (n_frames,)
        Middle of each window, or the end of what a model has heard, in seconds from the beginning
        of the sound.
    origin : dict
        Model, revision, layer and settings.
    """

    name: str
    values: np.ndarray
    times: np.ndarray
    origin: dict[str, Any] = field(default_factory=dict)

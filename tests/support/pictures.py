"""Pictures of a bundle, decoded: a file that opens as something is no picture yet."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from brainlm.plotting import save_figures


def check_pictures(folder: Path, figures: list[str]) -> None:
    """Assert that every figure opens as a picture with ink on it, and lies there as PDF."""
    for figure in figures:
        pixels = plt.imread(folder / f"{figure}.png")
        assert pixels.ndim == 3, figure
        height, width = pixels.shape[:2]
        assert min(height, width) > 200, (figure, pixels.shape)
        assert np.isfinite(pixels).all()
        paper = np.median(pixels.reshape(-1, pixels.shape[2]), axis=0)
        ink = (np.abs(pixels - paper) > 0.2).any(axis=2)
        assert 0.002 < ink.mean() < 0.9, (figure, ink.mean())
        if "pdf" in save_figures.__kwdefaults__["formats"]:
            assert (folder / f"{figure}.pdf").read_bytes().startswith(b"%PDF")

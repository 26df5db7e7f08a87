import numpy as np
import pytest
from support.bundles_for_tests import make_bundle

from brainlm.data.brain_maps import BrainMaps


@pytest.fixture
def bundle(tmp_path):
    return make_bundle(tmp_path / "first")


@pytest.fixture
def brains():
    """Two maps on a coarse grid in MNI space, as a bundle keeps them."""
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -90, -126, -72
    x = np.broadcast_to(np.arange(24)[:, None, None] * 8 - 90.0, (24, 29, 24)).ravel()
    data = np.stack([np.maximum(-x, 0), np.maximum(x, 0)])
    mask = np.ones((24, 29, 24), dtype=bool)
    return BrainMaps(data, ["layer 1", "<i>2</i>"], mask, "r", affine, subject="S1").to_xarray()

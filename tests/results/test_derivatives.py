import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.bundles_for_tests import make_bundle

from brainlm.data.brain_maps import BrainMaps
from brainlm.errors import DataMissingError
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.results.derivatives import write_derivatives


def bundle_of(tmp_path, *maps):
    arrays = {f"maps_{k}": each.to_xarray() for k, each in enumerate(maps)}
    out = tmp_path / "bundle"
    save_bundle(out, analysis="simulate_regions", arrays=arrays, config={"noise": 0.5}, inputs={})
    return load_bundle(out)


def beside(path, suffix):
    return path.with_name(path.name.replace(".nii.gz", suffix))


def surface(rng):
    mask = np.ones(20, dtype=bool)
    return BrainMaps(rng.standard_normal((1, 20)), ["layer 4"], mask, "r", subject="S2")


def parcels():
    mask = np.ones((3, 3, 3), dtype=bool)
    labels = {1: "language", 2: "other"}
    numbers = np.arange(27)[None] % 2 + 1
    return BrainMaps(numbers, ["winner"], mask, "map", np.eye(4), labels=labels, subject="S1")


def test_maps_come_back_from_files(tmp_path, brains, rng):
    volumes = BrainMaps.from_xarray(brains)
    bundle = bundle_of(tmp_path, volumes, parcels(), surface(rng))
    written = write_derivatives(bundle, tmp_path / "out", space="MNI152NLin2009cAsym")
    names = [path.name for path in written]
    assert names == [
        "sub-S1_space-MNI152NLin2009cAsym_desc-layer1_statmap.nii.gz",
        "sub-S1_space-MNI152NLin2009cAsym_desc-i2I_statmap.nii.gz",
        "sub-S1_space-MNI152NLin2009cAsym_desc-winner_dseg.nii.gz",
        "sub-S2_hemi-L_space-MNI152NLin2009cAsym_desc-layer4_statmap.func.gii",
        "sub-S2_hemi-R_space-MNI152NLin2009cAsym_desc-layer4_statmap.func.gii",
    ]
    image = nib.load(written[0])
    np.testing.assert_allclose(image.get_fdata(), volumes.volume("layer 1"), rtol=1e-6)
    np.testing.assert_allclose(image.affine, volumes.affine)
    sidecar = json.loads(beside(written[1], ".json").read_text())
    assert (sidecar["Description"], sidecar["Units"]) == ("<i>2</i>", "r")
    assert sidecar["Settings"]["noise"] == 0.5
    halves = [nib.load(path).darrays[0].data for path in written[3:]]
    expected = bundle.arrays["maps_2"]["value"].values[0]
    np.testing.assert_allclose(np.concatenate(halves), expected, rtol=1e-6)
    table = beside(written[2], ".tsv").read_text()
    assert table == "index\tname\n1\tlanguage\n2\tother\n"


def test_the_validator_has_no_error(tmp_path, brains, rng):
    beside_python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    validator = shutil.which("bids-validator-deno", path=beside_python)
    if validator is None:
        pytest.skip("needs bids-validator-deno: pip install bids-validator-deno")
    bundle = bundle_of(tmp_path, BrainMaps.from_xarray(brains), parcels(), surface(rng))
    write_derivatives(bundle, tmp_path / "out", space="MNI152NLin2009cAsym")
    found = subprocess.run(
        [validator, tmp_path / "out", "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    issues = json.loads(found.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_bad_input_is_named(tmp_path, brains):
    with pytest.raises(DataMissingError, match="no brain maps"):
        write_derivatives(make_bundle(tmp_path / "plain"), tmp_path / "out")
    bundle = bundle_of(tmp_path, BrainMaps.from_xarray(brains))
    with pytest.raises(ValueError, match="letters and digits"):
        write_derivatives(bundle, tmp_path / "out", space="MNI 152")
    write_derivatives(bundle, tmp_path / "out")
    with pytest.raises(FileExistsError, match="not empty"):
        write_derivatives(bundle, tmp_path / "out")

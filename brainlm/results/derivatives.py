"""BIDS derivatives: the brain maps of a bundle as files that other tools read."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import brainlm
from brainlm.data.brain_maps import BrainMaps
from brainlm.errors import DataMissingError, UnknownNameError
from brainlm.plotting.brain import bundle_maps

if TYPE_CHECKING:
    from brainlm.results.bundle import Bundle

BIDS = "1.10.0"
HEMISPHERES = ("L", "R")
# Statistical maps have no name in BIDS yet; this is the one that nilearn and FitLins write.
IGNORED = "*_statmap.nii.gz\n*_statmap.json\n*_statmap.func.gii\n"


def write_derivatives(
    bundle: Bundle, folder: Path | str, *, space: str | None = None
) -> list[Path]:
    """Write the brain maps of a bundle as a BIDS derivatives data set.

    Each map becomes ``sub-LABEL/func/sub-LABEL_[space-SPACE_]desc-NAME_statmap.nii.gz`` (float32),
    parcels and winners ``anat/..._dseg.nii.gz`` with a table of their labels; a surface of two
    hemispheres ``..._hemi-L_..._statmap.func.gii`` and ``hemi-R``. A JSON sidecar has the unit, the
    whole name, and the settings of the analysis. ``dataset_description.json`` names brainlm.

    Parameters
    ----------
    bundle : Bundle
    folder : path
        New or empty.
    space : str, optional
        Template of the grid, such as ``"MNI152NLin2009cAsym"`` or ``"fsaverage5"``. None: the
        subject's own, and no such part in the names.

    Returns
    -------
    list of Path
        The maps.

    Raises
    ------
    DataMissingError
        The bundle has no brain maps.
    FileExistsError
        The folder is not empty.
    UnknownNameError
        The space is no BIDS label.

    References
    ----------
    Gorgolewski et al. 2016, Sci Data 3:160044; https://bids-specification.readthedocs.io
    """
    folder = Path(folder)
    maps = bundle_maps(bundle)
    if not maps:
        raise DataMissingError(
            f"{bundle.folder} has no brain maps: only results of images can be written"
        )
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty: name a new folder for the derivatives")
    if space is not None and not space.isalnum():
        raise UnknownNameError(
            f"space must be letters and digits, such as MNI152NLin2009cAsym, got {space!r}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "dataset_description.json", _description(bundle))
    (folder / ".bidsignore").write_bytes(IGNORED.encode())
    command = bundle.record.get("command", "")
    readme = f"Brain maps of {bundle.record['analysis']} by brainlm. Command: {command}\n"
    (folder / "README").write_bytes(readme.encode())
    written = []
    for each in maps.values():
        for number in range(each.n_maps):
            written += _write_map(each, number, folder, space, bundle.record)
    return written


def _description(bundle: Bundle) -> dict[str, Any]:
    record = bundle.record
    return {
        "Name": f"brainlm: {record['analysis']}",
        "BIDSVersion": BIDS,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "brainlm",
                "Version": record.get("environment", {}).get("brainlm", brainlm.__version__),
                "Description": record.get("command", ""),
            }
        ],
    }


def _write_map(
    maps: BrainMaps, number: int, folder: Path, space: str | None, record: Any
) -> list[Path]:
    """Write one map and its sidecars; return the maps."""
    name, subject = str(maps.names[number]), f"sub-{_label(maps.subject)}"
    parcels = bool(maps.labels)
    parts = [subject, *([f"space-{space}"] if space else []), f"desc-{_label(name)}"]
    home = folder / subject / ("anat" if parcels else "func")  # func parcels would need a task
    home.mkdir(parents=True, exist_ok=True)
    sidecar = {
        "Description": name,
        "Units": maps.unit,
        "Analysis": record["analysis"],
        "Settings": record.get("config", {}),
        "Notes": list(maps.notes),
    }
    stem = "_".join(parts)
    if maps.affine is not None:
        suffix = "dseg" if parcels else "statmap"
        path = home / f"{stem}_{suffix}.nii.gz"
        image = maps.image(name)
        if not parcels:
            image.set_data_dtype(np.float32)
        path.write_bytes(_compressed(image))
        _write_json(home / f"{stem}_{suffix}.json", sidecar)
        if parcels:
            rows = [f"{k}\t{label}" for k, label in maps.labels.items()]
            text = "\n".join(["index\tname", *rows]) + "\n"
            (home / f"{stem}_dseg.tsv").write_bytes(text.encode())
        return [path]
    halves = np.split(maps.volume(name).astype(np.float32), 2)
    written = []
    for side, values in zip(HEMISPHERES, halves, strict=True):
        own = "_".join([subject, f"hemi-{side}", *parts[1:]])
        path = home / f"{own}_statmap.func.gii"
        path.write_bytes(_gifti(values, side))
        _write_json(home / f"{own}_statmap.json", sidecar)
        written.append(path)
    return written


def _label(text: str) -> str:
    """A BIDS label: the letters and digits of a text, words joined by capitals."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    if not words:
        raise ValueError(f"{text!r} has no letter or digit (a-z, 0-9) for a BIDS label: rename it")
    return words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])


def _compressed(image: Any) -> bytes:
    import gzip

    return gzip.compress(image.to_bytes(), mtime=0)


def _gifti(values: np.ndarray, side: str) -> bytes:
    import nibabel as nib

    structure = "CortexLeft" if side == "L" else "CortexRight"
    array = nib.gifti.GiftiDataArray(
        values, intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32"
    )
    meta = nib.gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})
    return nib.gifti.GiftiImage(darrays=[array], meta=meta).to_bytes()


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    path.write_bytes(text.encode())

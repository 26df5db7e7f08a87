"""Whether a folder holds a result bundle, checked without opening it."""

from __future__ import annotations

import difflib
from pathlib import Path

from brainlm.errors import DataMissingError


def bundle_file(folder: Path | str) -> Path:
    """Return the record of a bundle; raise where the folder holds none."""
    folder = Path(folder)
    path = folder / "bundle.json"
    if not path.is_file():
        beside = [p.parent.name for p in sorted(folder.parent.glob("*/bundle.json"))]
        near = difflib.get_close_matches(folder.name, beside, n=1)
        hint = f". Did you mean {str(folder.parent / near[0])!r}?" if near else ""
        raise DataMissingError(f"{folder}: not a result bundle (it has no bundle.json){hint}")
    return path

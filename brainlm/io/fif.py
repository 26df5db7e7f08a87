"""Checks that files of MEG and EEG are whole, where mne would read what is left of them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

TAG = struct.Struct(">4i")  # of FIF: kind, type, size, place of the next (0: behind it, -1: none)


def check_end(path: Path) -> None:
    """Raise when a FIF file ends before its last tag says so; mne would read what is left of it.

    Raises
    ------
    ValueError
        The file is cut off, or a tag points to no place in it.
    """
    size, place = path.stat().st_size, 0
    with open(path, "rb") as file:
        for _ in range(size // TAG.size):  # tags may point back, but not round and round
            file.seek(place)
            head = file.read(TAG.size)
            if len(head) < TAG.size:
                break
            _, _, length, following = TAG.unpack(head)
            end = place + TAG.size + length
            if length < 0 or end > size:
                break
            if following < 0:
                return
            place = following or end
    raise ValueError(f"it is cut off after {size} bytes, or its tags are broken")


FORMATS = {"short": 2, "int": 4, "single": 4, "double": 8}  # bytes of a number, as mne names them


def check_frames(path: Path, raw: Any) -> None:
    """Raise when the samples of a BrainVision file end within one, because it is cut off.

    A file that is cut off between two samples cannot be told from a shorter recording.

    Raises
    ------
    ValueError
        The size of the file is not a multiple of that of a sample of all channels.
    """
    frame = len(raw.ch_names) * FORMATS.get(raw.orig_format, 0)
    size = path.stat().st_size
    if frame and size % frame:
        raise ValueError(f"its {size} bytes are not whole samples of {frame} bytes: it is cut off")

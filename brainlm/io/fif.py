"""Whether a FIF file of MEG or EEG is whole."""

from __future__ import annotations

import struct
from pathlib import Path

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

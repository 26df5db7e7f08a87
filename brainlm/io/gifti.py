"""Validation of GIFTI surfaces before nibabel reads them: declared and unpacked sizes."""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from pathlib import Path
from typing import Any
from xml.parsers import expat

from brainlm.compute.memory import check_declared, check_memory
from brainlm.errors import CorruptDataError

ITEM_BYTES = {"NIFTI_TYPE_UINT8": 1, "NIFTI_TYPE_INT32": 4, "NIFTI_TYPE_FLOAT32": 4}
MOST_DIMENSIONS = 6


def check_gifti(path: Path) -> None:
    """Raise where a file reads another one, or its arrays are not what they declare.

    Raises
    ------
    CorruptDataError
        The data are in another file, a size is odd, an array unpacks to more than it declares, or
        the file is no XML.
    MemoryError
        An array that it declares is larger than the memory.
    """
    parser, check = expat.ParserCreate(), _Check(path)
    parser.StartElementHandler, parser.EndElementHandler = check.start, check.end
    parser.CharacterDataHandler = check.text
    try:
        with open(path, "rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise CorruptDataError(f"{path}: not a readable GIFTI file ({error})") from error


class _Check:
    """The data array that is being parsed, and its packed content."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_bytes = 0
        self.packed: list[str] | None = None

    def start(self, name: str, attributes: dict[str, Any]) -> None:
        if name == "DataArray":
            self.n_bytes = self._declared(attributes)
            self.encoding = attributes.get("Encoding", "")
        elif name == "Data":
            self.packed = []

    def text(self, text: str) -> None:
        if self.packed is not None:
            self.packed.append(text)

    def end(self, name: str) -> None:
        if name != "Data" or self.packed is None:
            return
        text, self.packed = "".join(self.packed), None
        if self.encoding == "GZipBase64Binary":
            self._unpack(text)

    def _declared(self, attributes: dict[str, Any]) -> int:
        """Return the bytes of an array; raise for odd sizes and for another file."""
        if attributes.get("Encoding") == "ExternalFileBinary":
            raise CorruptDataError(
                f"{self.path}: its data are in another file, which is not read: convert it with "
                "wb_command -gifti-convert"
            )
        try:
            n_dimensions = int(attributes["Dimensionality"])
            if not 1 <= n_dimensions <= MOST_DIMENSIONS:
                raise ValueError(f"{n_dimensions} dimensions")
            sizes = [int(attributes[f"Dim{k}"]) for k in range(n_dimensions)]
            if min(sizes) < 0:
                raise ValueError(f"sizes {sizes}")
        except (KeyError, ValueError) as error:
            raise CorruptDataError(
                f"{self.path}: an array without its dimensions ({error})"
            ) from error
        n_bytes = math.prod(sizes) * ITEM_BYTES.get(attributes.get("DataType", ""), 4)
        check_declared(self.path, n_bytes)
        check_memory(n_bytes, str(self.path), "read it on a machine with more memory")
        return n_bytes

    def _unpack(self, text: str) -> None:
        """Raise for an array that unpacks to more than it declares; it is not held beyond that."""
        try:
            raw = base64.b64decode(text)
            found = zlib.decompressobj().decompress(raw, self.n_bytes + 1)
        except (binascii.Error, zlib.error) as error:
            raise CorruptDataError(
                f"{self.path}: an array that cannot be unpacked ({error})"
            ) from error
        if len(found) > self.n_bytes:
            raise CorruptDataError(
                f"{self.path}: an array unpacks to more than its {self.n_bytes} bytes"
            )

"""Download one file over HTTP: resumed after a break, kept only if its checksum matches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from brainlm.errors import CorruptDataError, DataMissingError

BLOCK = 1 << 18  # bytes
TIMEOUT = (10, 60)  # seconds to connect, and between two blocks


def download(url: str, part: Path, progress: bool = False) -> Path:
    """Download ``url`` into ``part``, resuming after the bytes that are on disk.

    Parameters
    ----------
    url : str
    part : path
        File of an unfinished transfer; it is kept when the transfer breaks off, so that the next
        call resumes there. A server that cannot resume sends the whole file again.
    progress : bool
        Whether to show a progress bar.

    Raises
    ------
    DataMissingError
        The server cannot be reached, answers with an error, or breaks off.
    CorruptDataError
        The server sent nothing.
    """
    import requests

    n_here = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}  # the bytes of the file, so that they can be counted
    if n_here:
        headers["Range"] = f"bytes={n_here}-"
    try:
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if n_here and answer.status_code == 416:  # nothing is left to send
                return part
            answer.raise_for_status()
            continues = n_here and answer.status_code == 206
            if continues and not _starts_at(answer, n_here):
                raise OSError(f"it answered with {answer.headers.get('Content-Range')!r}")
            blocks = answer.iter_content(BLOCK)
            total = int(answer.headers.get("Content-Length", 0)) or None
            with open(part, "ab" if continues else "wb") as file:
                for block in _shown(blocks, total, part.name, progress):
                    file.write(block)
    except OSError as error:  # requests' errors are OSErrors
        n_bytes = part.stat().st_size if part.exists() else 0
        kept = f"{n_bytes} bytes are kept, and the next attempt resumes there. " if n_bytes else ""
        raise DataMissingError(
            f"could not download {url}: {error}. {kept}Check the network, then try again"
        ) from error
    if part.stat().st_size == 0:
        os.unlink(part)
        raise CorruptDataError(f"{url}: the server sent an empty file (0 bytes); try again later")
    return part


def _starts_at(answer: Any, first: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {first}-")


def _shown(
    blocks: Iterator[bytes], total: int | None, name: str, progress: bool
) -> Iterator[bytes]:
    from tqdm import tqdm

    with tqdm(total=total, desc=name, unit="B", unit_scale=True, disable=not progress) as bar:
        for block in blocks:
            yield block
            bar.update(len(block))

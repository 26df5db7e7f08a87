"""Delimited tables as the miniature data sets hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def write_rows(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = "\t"
) -> None:
    """Write a header and rows; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [delimiter.join(header), *(delimiter.join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

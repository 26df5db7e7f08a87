"""Copies of the shipped cards that describe small files: the checks stay, the counts differ."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

CARDS = Path(__file__).parents[2] / "datasets"


def copy_card(
    name: str,
    path: Path,
    *,
    facts: dict[str, Any],
    options: dict[str, Any] | None = None,
    endings: dict[str, str] | None = None,
    data: Path | None = None,
) -> Path:
    """Write a shipped card with the facts of small files.

    Parameters
    ----------
    name : str
        The shipped card.
    path : Path
        Where the copy goes.
    facts : dict
        Replace facts of the card. A fact that the card does not state is an error.
    options : dict, optional
        Replace options of the reader, such as the names of passages.
    endings : dict of str to str, optional
        Pieces of text that are replaced everywhere, such as the ending of recordings.
    data : Path, optional
        Folder of the small files. Their SHA-256 replace those of a card that has checksums.
    """
    text = (CARDS / f"{name}.toml").read_text("utf-8")
    for old, new in (endings or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    card = tomllib.loads(text)
    assert set(facts) <= set(card["facts"]), set(facts) - set(card["facts"])
    card["facts"] |= facts
    card["open"]["options"] = _merged(card["open"]["options"], options or {})
    if data is not None and card.get("checksums"):
        files = sorted(file for file in data.rglob("*") if file.is_file())
        card["checksums"] = {
            file.relative_to(data).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in card.items()), "utf-8")
    return path


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return a table with other entries, those of the tables inside it included."""
    inner = {key: _merged(old[key], new[key]) for key in new if isinstance(new[key], dict)}
    return {**old, **new, **inner}


def _toml(value: Any) -> str:
    """Return a value as TOML: that of JSON, except for tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)

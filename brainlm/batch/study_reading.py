"""Read the TOML file of a study, with settings from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from brainlm.batch.study_file import StudyFile
from brainlm.errors import CorruptDataError, DataMissingError, complaints, unknown_name


def read_study(path: Path | str, settings: Sequence[str] = ()) -> StudyFile:
    """Read a study from a TOML file; its paths are relative to the file.

    Parameters
    ----------
    path : path
    settings : sequence of str
        ``key=value`` overrides, the value in TOML's notation (text may stand without quotes).

    Raises
    ------
    DataMissingError, CorruptDataError
        No such file; not TOML; a setting that does not exist or does not fit, with its name.
    """
    path = Path(path)
    if not path.is_file():
        raise DataMissingError(f"{path}: no such study file")
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorruptDataError(f"{path}: not a TOML file ({error})") from error
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise CorruptDataError(f"--set {setting!r}: write key=value")
        key = key.strip()
        if key not in StudyFile.model_fields:
            raise unknown_name("setting", key, StudyFile.model_fields)
        given[key] = _toml_value(value.strip())
    folder = path.parent.resolve()
    for group in ("features", "targets"):
        if isinstance(given.get(group), dict):
            given[group] = {k: _absolute(v, folder) for k, v in given[group].items()}
    for key in ("runs", "brain"):
        if key in given:
            given[key] = _absolute(given[key], folder)
    try:
        return StudyFile.model_validate(given)
    except ValidationError as error:
        problems = complaints(error, StudyFile.model_fields, "setting")
        raise CorruptDataError(f"{path}: {problems}") from None


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _absolute(place: Any, folder: Path) -> Any:
    return str(folder / place) if isinstance(place, str) else place

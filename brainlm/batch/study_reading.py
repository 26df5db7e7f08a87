"""Read the TOML file of a study, with settings from the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from brainlm.batch.declared import DeclaredStudy
from brainlm.batch.study_file import StudyFile
from brainlm.errors import CorruptDataError, DataMissingError, complaints, unknown_name

Study = TypeVar("Study", bound=BaseModel)


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
    given = _settings_of(path, settings, StudyFile)
    folder = path.parent.resolve()
    for group in ("features", "targets"):
        if isinstance(given.get(group), dict):
            given[group] = {k: _absolute(v, folder) for k, v in given[group].items()}
    for key in ("runs", "brain", "localizer", "parcels"):
        if key in given:
            given[key] = _absolute(given[key], folder)
    return _validated(path, given, StudyFile)


def read_planned(path: Path | str, settings: Sequence[str] = ()) -> StudyFile | DeclaredStudy:
    """Read a study of stored arrays, or one that is declared by its sizes (``models = ...``).

    Parameters and errors as in ``read_study``.
    """
    path = Path(path)
    if "models" not in _settings_of(path, (), None):
        return read_study(path, settings)
    return _validated(path, _settings_of(path, settings, DeclaredStudy), DeclaredStudy)


def _settings_of(path: Path, settings: Sequence[str], kind: type[BaseModel] | None) -> dict:
    """Content of a TOML file, with settings from the command line."""
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
        if kind is not None and key not in kind.model_fields:
            raise unknown_name("setting", key, kind.model_fields)
        given[key] = _toml_value(value.strip())
    return given


def _validated(path: Path, given: dict, kind: type[Study]) -> Study:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = complaints(error, kind.model_fields, "setting")
        raise CorruptDataError(f"{path}: {problems}") from None


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        return text


def _absolute(place: Any, folder: Path) -> Any:
    return str(folder / place) if isinstance(place, str) else place

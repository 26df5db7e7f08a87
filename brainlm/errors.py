"""Exceptions about data and names; their messages give advice."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class UnknownNameError(ValueError):
    """A name (data set, subject, model, layer, target) that does not exist."""


class DataMissingError(FileNotFoundError):
    """Data that are not on this machine; the message says where to get them."""


class CorruptDataError(ValueError):
    """A file that is not what its name or its card says it is."""


class LicenceError(ValueError):
    """A licence that has to be accepted before the data are fetched."""


def unknown_name(kind: str, name: object, choices: Iterable[object]) -> UnknownNameError:
    """Return the error for an unknown ``name``: the nearest choice first, then all of them.

    Parameters
    ----------
    kind : str
        What was asked for, such as ``"data set"`` or ``"layer"``.
    name : object
        The name that was given.
    choices : iterable
        The names that exist.
    """
    names = [str(choice) for choice in choices]
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listing = ", ".join(names) if names else "(none)"
    return UnknownNameError(f"unknown {kind} {name!r}.{hint} Choices: {listing}")


def complaints(error: Any, names: Iterable[str], kind: str = "option") -> str:
    """Return what pydantic found, on one line.

    Parameters
    ----------
    error : pydantic.ValidationError
    names : iterable of str
        The entries that exist, for those that do not.
    kind : str
        What an entry is called.
    """
    lines = []
    for each in error.errors():
        where = ".".join(str(part) for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden" and len(each["loc"]) == 1:
            lines.append(str(unknown_name(kind, where, names)))
        elif each["type"] in ("missing", "value_error"):
            lines.append(f"{where}: {message}" if where else message)
        else:
            lines.append(f"{where}: {message}, got {each['input']!r}")
    return "; ".join(lines)

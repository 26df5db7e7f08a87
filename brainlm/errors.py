"""Exceptions about data and names; their messages give advice."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LONGEST = 1000  # characters of a message about a file


class UnknownNameError(ValueError):
    """A name (data set, subject, model, layer, target) that does not exist."""


class DataMissingError(FileNotFoundError):
    """Data that are not on this machine; the message says where to get them."""


class CorruptDataError(ValueError):
    """A file that is not what its name or its card says it is.

    The message is one line without control characters, whatever the file holds.
    """

    def __init__(self, message: object = "") -> None:
        super().__init__(_one_line(str(message)))


class LicenceError(ValueError):
    """A licence that has to be accepted before the data are fetched."""


MOST_LISTED = 30  # names in a message


def unknown_name(kind: str, name: object, choices: Iterable[object]) -> UnknownNameError:
    """Return the error for an unknown ``name``: up to three near choices first, then all of them.

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
    begun = str(name).casefold()
    same = [each for each in names if begun and each.casefold().startswith(begun)]
    near = [*dict.fromkeys([*same, *difflib.get_close_matches(str(name), names, n=3)])][:3]
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    listing = ", ".join(names[:MOST_LISTED]) if names else "(none)"
    if len(names) > MOST_LISTED:
        listing += f", ... ({len(names)} in all)"
    return UnknownNameError(f"unknown {kind} {name!r}.{hint} Choices: {listing}")


@contextmanager
def reading(path: Path | str, what: str = "file", advice: str = "fetch it again") -> Iterator[None]:
    """Add the name of the file to any error that a library raises about it.

    Parameters
    ----------
    path : path
    what : str
        What it should be, such as ``"NetCDF file"``.
    advice : str
        What to do.

    Raises
    ------
    CorruptDataError
        In place of any other error. Errors of brainlm pass unchanged.
    MemoryError
        With the name of the file.
    """
    try:
        yield
    except (CorruptDataError, DataMissingError, UnknownNameError, ImportError):
        raise
    except MemoryError as error:
        told = str(error)
        raise MemoryError(told if str(path) in told else f"{path}: {told}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:  # no memory to map it
            raise MemoryError(f"{path}: {error}") from error
        told = f"{type(error).__name__}: {error}"
        raise CorruptDataError(f"{path}: not a readable {what} ({told}); {advice}") from error


def _one_line(text: str) -> str:
    text = re.sub(r"\s*[\n\r]\s*", " ", text.strip())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 300]} ... {text[-295:]}"
    return "".join(
        c if c == " " or c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


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

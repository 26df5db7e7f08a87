"""Messages of the library in the words of the command line: ``targets=`` is ``--targets``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import Parameter
from typing import Any

import typer

ARGUMENT = re.compile(r"(?<![\w.?&\"'-])([a-z][a-z_]*)=('[^']*'|\"[^\"]*\"|[\w.-]*\w|)(?![(\w])")
OPTION = re.compile(r"--([a-z][a-z-]*) ")


def is_argument(annotation: Any) -> bool:
    """Whether a parameter is an argument of the command line, not an option."""
    described = getattr(annotation, "__metadata__", ())
    return any(isinstance(each, typer.models.ArgumentInfo) for each in described)


def typed(message: str, parameters: Mapping[str, Parameter]) -> str:
    """Return a message in which arguments of Python have become what the user types.

    Parameters
    ----------
    message : str
    parameters : mapping of str to Parameter
        Of the command. ``name=value`` becomes ``--name value`` where it has this option; a
        positional argument has no name.
    """
    positional = {name for name, each in parameters.items() if is_argument(each.annotation)}

    def as_option(found: re.Match[str]) -> str:
        name, value = found[1], found[2].strip("'\"")
        if name not in parameters and f"{name}s" in parameters:  # subject= of --subjects
            name = f"{name}s"
        if name not in parameters or name in positional:
            return found[0]
        return f"--{name.replace('_', '-')} {value}".rstrip()

    def without_name(found: re.Match[str]) -> str:
        return "" if found[1].replace("-", "_") in positional else found[0]

    return OPTION.sub(without_name, ARGUMENT.sub(as_option, message))

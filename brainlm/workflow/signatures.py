"""Options of an analysis: those of its ``main``, and those that every analysis has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any

from brainlm.errors import DataMissingError
from brainlm.language_models.sources import check_name
from brainlm.workflow import options
from brainlm.workflow.option_groups import KEYWORD, grouped

Command = Callable[..., None]
COMMON = {  # options of every analysis, and their defaults
    "out": (options.Out, None),
    "root": (options.Root, None),
    "debug": (options.Debug, False),
    "overwrite": (options.Overwrite, False),
}


def flat_options(main: Command, name: str) -> tuple[Command, Signature]:
    """Return ``main`` with the fields of its groups as keywords, and the signature of its command.

    Parameters
    ----------
    main : callable
        Its first parameter is the `Run`.
    name : str
        Of the analysis, for the default of ``out``.
    """
    inner = grouped(main, leave_out=("run",))
    common = [
        Parameter(key, KEYWORD, default=default, annotation=annotation)
        for key, (annotation, default) in COMMON.items()
    ]
    common[0] = common[0].replace(default=Path("results") / name)
    return inner, Signature([*signature(inner).parameters.values(), *common])


def check_options(given: Mapping[str, Any]) -> None:
    """Raise for values that are wrong whatever the data are.

    Raises
    ------
    UnknownNameError
        Layers that are none, or the name of a model that does not exist.
    DataMissingError
        A file or folder that is not there.
    """
    for key, value in given.items():
        if key not in COMMON and isinstance(value, Path) and not value.exists():
            raise DataMissingError(f"--{key.replace('_', '-')} {value}: no such file or folder")
    if "layers" in given:
        options.layer_list(str(given["layers"]))
    names = [str(given.get("model", "none"))]
    names += [part.strip().partition(":")[0] for part in str(given.get("models", "")).split(",")]
    for name in filter(None, names):
        if name != "none":
            check_name(name)


def described(command: Command, main: Command, form: Signature) -> Command:
    """Give a command the signature, the name and the help of an analysis."""
    command.__signature__ = form  # type: ignore[attr-defined]
    command.__annotations__ = {key: each.annotation for key, each in form.parameters.items()}
    command.__doc__ = main.__doc__ or (main.__globals__["__doc__"] or "").strip().partition("\n")[0]
    command.__name__, command.__module__ = main.__name__, main.__module__
    return command

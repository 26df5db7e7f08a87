"""Options of an analysis: those of its ``main``, and those that every analysis has."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature, signature
from pathlib import Path

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


def described(command: Command, main: Command, form: Signature) -> Command:
    """Give a command the signature, the name and the help of an analysis."""
    command.__signature__ = form  # type: ignore[attr-defined]
    command.__annotations__ = {key: each.annotation for key, each in form.parameters.items()}
    command.__doc__ = main.__doc__ or (main.__globals__["__doc__"] or "").strip().partition("\n")[0]
    command.__name__, command.__module__ = main.__name__, main.__module__
    return command

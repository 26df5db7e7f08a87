"""Running an analysis as a command: settings from files, exit codes, one-line errors."""

from __future__ import annotations

import errno
import inspect
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from brainlm._log import keep_log
from brainlm._progress import shown_progress
from brainlm.errors import (
    CorruptDataError,
    DataMissingError,
    LicenceError,
    UnknownNameError,
    unknown_name,
)
from brainlm.workflow import options
from brainlm.workflow.typed_names import is_argument, typed

EXPECTED = (
    CorruptDataError,
    DataMissingError,
    FileExistsError,
    LicenceError,
    MemoryError,
    PermissionError,
    UnknownNameError,
)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
STOPPED = "stopped: no bundle was written; the same command resumes a study"


class _Stoppable:
    """A command that Ctrl-C ends with a word about what is kept; Typer would only say Aborted."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except KeyboardInterrupt:
            typer.echo(STOPPED, err=True)
            sys.exit(130)


class StoppableCommand(_Stoppable, TyperCommand):
    """See `failures` for the exit codes."""


class StoppableGroup(_Stoppable, TyperGroup):
    """See `failures` for the exit codes."""


@contextmanager
def failures(parameters: Mapping[str, inspect.Parameter] | None = None) -> Iterator[None]:
    """Record the log of a command, and exit with the documented code.

    0 is success, 1 a problem found by ``doctor`` or an error that nobody foresaw (with its
    traceback), 2 an error in what was asked for or found, told in one line, 130 a stop by Ctrl-C.

    Parameters
    ----------
    parameters : mapping of str to Parameter, optional
        Of the command: its messages name options as they are typed.
    """
    try:
        with keep_log(), shown_progress():
            yield
    except EXPECTED as error:
        typer.echo(f"error: {typed(str(error), parameters or {})}", err=True)
        sys.exit(2)
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        typer.echo(f"error: {error}: make room there; finished parts of a study are kept", err=True)
        sys.exit(2)


def run_command(
    main: Callable[..., None], arguments: Sequence[str] | None = None, name: str = ""
) -> None:
    """Run an analysis as a command; an expected error is one line and exit status 2."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(cls=StoppableCommand)(_with_settings(main))
    given = sys.argv[1:] if arguments is None else list(arguments)
    with failures(inspect.signature(main).parameters):
        app(args=from_settings(main, given), prog_name=name or None)


def _with_settings(main: Callable[..., None]) -> Callable[..., None]:
    """Show ``--config`` and ``--set`` in the help; `from_settings` has replaced them."""
    form = inspect.signature(main)
    shown = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in (("config", options.Config), ("set", options.Setting))
    ]

    def command(**given: Any) -> None:
        main(**{name: value for name, value in given.items() if name in form.parameters})

    command.__signature__ = form.replace(  # type: ignore[attr-defined]
        parameters=[*form.parameters.values(), *shown]
    )
    command.__annotations__ = {name: each.annotation for name, each in form.parameters.items()}
    command.__annotations__ |= {each.name: each.annotation for each in shown}
    command.__doc__ = main.__doc__
    return command


def from_settings(main: Callable[..., None], arguments: Sequence[str]) -> list[str]:
    """Return a command line in which ``--config FILE`` and ``--set key=value`` became options.

    A setting has the name of the Python argument. ``--set`` overrides the file, and both yield
    to options of the command line.

    Parameters
    ----------
    main : callable
        The analysis.
    arguments : sequence of str
        As they were typed.
    """
    settings: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    left: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name not in ("--config", "--set"):
            left.append(argument)
            continue
        value = value if equals else next(rest, "")
        if name == "--config":
            settings |= _read_settings(Path(value))
        else:
            key, equals, setting = value.partition("=")
            if not equals:
                raise UnknownNameError(f"--set {value!r}: write key=value")
            changes[key.strip()] = setting.strip()
    parameters = inspect.signature(main).parameters
    known = list(parameters)
    positional = {key for key, each in parameters.items() if is_argument(each.annotation)}
    options: list[str] = []
    for key, value in (settings | changes).items():
        if key not in known:
            raise unknown_name("setting", key, known)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if key in positional:
            options.append(text)
            continue
        option = "--" + key.replace("_", "-")
        if text in ("true", "false"):
            options += [option] if text == "true" else []
        else:
            items = value if isinstance(value, list) else [text]
            options += [option, ",".join(map(str, items))]
    return [*options, *left]


def _read_settings(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataMissingError(f"--config {path}: no such file")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CorruptDataError(f"--config {path}: not a TOML file ({error})") from error

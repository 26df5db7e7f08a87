"""Groups of command-line options: frozen dataclasses as parameters of ``main``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import field, fields, is_dataclass, replace
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

KEYWORD = inspect.Parameter.KEYWORD_ONLY


def option(default: Any, text: str, **limits: Any) -> Any:
    """Return a field of a group: its default, its help, and limits such as ``min=1``."""
    return field(default=default, metadata={"help": text, **limits})


def grouped(main: Callable[..., None], leave_out: Collection[str] = ()) -> Callable[..., None]:
    """Allow ``main`` to be called with the fields of its groups in place of the groups.

    On the command line and in settings files every field is an option of its own. Its default is
    that of the group which is the default of the parameter.

    Parameters
    ----------
    main : callable
        Parameters whose type is a dataclass of `option` fields are groups.
    leave_out : collection of str
        Parameters that are no options.

    Examples
    --------
    ::

        @dataclass(frozen=True)
        class Search:
            beam: int = option(20, "Hypotheses that are kept.", min=1)

        @grouped
        def find(search: Search = Search(beam=50)):
            ...

        find(beam=10)  # --beam 10
    """
    hints = get_type_hints(main, include_extras=True)
    groups: dict[str, Any] = {}
    parameters: dict[str, inspect.Parameter] = {}
    for name, parameter in inspect.signature(main).parameters.items():
        if name in leave_out:
            continue
        if is_dataclass(hints[name]):
            groups[name] = parameter.default
            members = _members(groups[name])
        else:
            members = {name: parameter.replace(annotation=hints[name], kind=KEYWORD)}
        if twice := set(members) & set(parameters):
            raise ValueError(f"two options are called {', '.join(sorted(twice))}")
        parameters |= members

    @wraps(main)
    def flat(**given: Any) -> None:
        for name, group in groups.items():
            names = [each.name for each in fields(group) if each.name in given]
            given[name] = replace(group, **{each: given.pop(each) for each in names})
        main(**given)

    del flat.__wrapped__
    flat.__signature__ = inspect.Signature(list(parameters.values()))  # type: ignore[attr-defined]
    flat.__annotations__ = {name: each.annotation for name, each in parameters.items()}
    return flat


def _members(group: Any) -> dict[str, inspect.Parameter]:
    """Return a keyword parameter with a typer option for each field of a group."""
    hints = get_type_hints(type(group))
    members = {}
    for each in fields(group):
        names = [f"--{each.name.replace('_', '-')}"] if hints[each.name] is bool else []
        members[each.name] = inspect.Parameter(
            each.name,
            KEYWORD,
            default=getattr(group, each.name),
            annotation=Annotated[hints[each.name], typer.Option(*names, **each.metadata)],
        )
    return members

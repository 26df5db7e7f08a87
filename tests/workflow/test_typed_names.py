"""Errors of the library name what was typed on the command line."""

import inspect
from pathlib import Path
from typing import Annotated

import pytest
import typer

from brainlm.workflow.typed_names import typed


def command(
    table: Annotated[Path, typer.Argument()],
    targets: str = "",
    missing: str = "drop",
    subjects: str = "",
    file_format: str = "",
):
    """A command with a positional argument and options."""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("choose other columns with targets=", "choose other columns with --targets"),
        ("fill them, or pass missing='drop'", "fill them, or pass --missing drop"),
        ("unknown column (targets=) 'sise'", "unknown column (--targets) 'sise'"),
        ("give subject=, one of a, b", "give --subjects, one of a, b"),
        ("or file_format=png.", "or --file-format png."),
        ("--table rats.csv: no such file", "rats.csv: no such file"),
        ("table= or root= is no option", "table= or root= is no option"),
        ("n_targets=4 and https://x.org/?targets=", "n_targets=4 and https://x.org/?targets="),
    ],
)
def test_arguments_are_named_as_options(message, expected):
    assert typed(message, inspect.signature(command).parameters) == expected

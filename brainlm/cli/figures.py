"""``brainlm plot``; its options are read before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from brainlm.cli import completion
from brainlm.errors import UnknownNameError, unknown_name
from brainlm.results.captions import CAPTIONS
from brainlm.results.places import bundle_file
from brainlm.workflow.option_groups import option

if TYPE_CHECKING:
    from brainlm.plotting.changes import ChangeOptions

ENDS = {"metavar": "LOW,HIGH"}


@dataclass(frozen=True)
class FigureOptions:
    """Options that change a figure."""

    select: list[str] | None = option(
        None, "Keep this name only (model, data set, space ...); repeat for more."
    )
    order: list[str] | None = option(None, "Draw this name first; repeat for the next ones.")
    label: list[str] | None = option(
        None, "Write NEW in place of OLD; repeat for more.", metavar="OLD=NEW"
    )
    colour: list[str] | None = option(
        None, "Colour of a name; repeat for more.", metavar="NAME=COLOUR"
    )
    xlim: str | None = option(None, "Limits of the x axes, such as 0,0.3.", **ENDS)
    ylim: str | None = option(None, "Limits of the y axes, such as 0,0.3.", **ENDS)
    clim: str | None = option(None, "Limits of colour scales, such as 0,0.3.", **ENDS)

    def changes(self) -> ChangeOptions:
        """Return the arguments of `brainlm.plotting.draw`."""
        return {
            "select": self.select or (),
            "order": self.order or (),
            "labels": pairs("--label", self.label or ()),
            "colours": pairs("--colour", self.colour or ()),
            "xlim": limits("--xlim", self.xlim),
            "ylim": limits("--ylim", self.ylim),
            "clim": limits("--clim", self.clim),
        }


def plot(
    bundle: Annotated[Path, typer.Argument(help="Folder of a result bundle.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the figures. Default: the bundle.")
    ] = None,
    figure: Annotated[
        list[str] | None,
        typer.Option(
            help="Figure to draw. Default: every figure of the bundle.",
            autocompletion=completion.figures_begun,
        ),
    ] = None,
    width: Annotated[
        float, typer.Option(min=60, max=400, help="Width of the page in mm: 89 is one column.")
    ] = 183,
    file_format: Annotated[
        str, typer.Option("--format", help="Formats, separated by commas: png, pdf, svg, ...")
    ] = "png,pdf",
    style: Annotated[
        str | None, typer.Option(help="A style of matplotlib on top of brainlm's, or its file.")
    ] = None,
    looks: FigureOptions = FigureOptions(),
) -> None:
    """Draw the figures of a result bundle again, without computing anything."""
    bundle_file(bundle)
    check_figures(figure or ())
    changes = looks.changes()
    from brainlm.plotting import save_figures
    from brainlm.results.bundle import load_bundle

    formats = [each.strip().lstrip(".") for each in file_format.split(",")]
    opened = load_bundle(bundle)
    for path in save_figures(
        opened, out, figure or None, formats=formats, width=width, style=style, **changes
    ):
        typer.echo(str(path))


def check_figures(names: Sequence[str]) -> None:
    """Raise for a figure that does not exist, without importing what draws them."""
    for name in names:
        if name not in CAPTIONS:
            raise unknown_name("figure", name, CAPTIONS)


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Return a dictionary from entries such as ``old=new``; only the first ``=`` divides."""
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals and value):
            raise UnknownNameError(f"{option}: two texts with = between them, got {each!r}")
        found[name] = value
    return found


def limits(option: str, given: str | None) -> tuple[float | None, float | None] | None:
    """Return both ends of ``low,high``; an empty one stays as it is."""
    if given is None:
        return None
    parts = [part.strip() for part in given.split(",")]
    try:
        ends = [float(part) if part else None for part in parts]
    except ValueError:
        ends = []
    if len(ends) != 2:
        raise UnknownNameError(f"{option}: two numbers with a comma between them, got {given!r}")
    return ends[0], ends[1]

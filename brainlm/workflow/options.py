"""Command-line options common to the analyses: types that annotate the parameters of ``main``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from brainlm._validation import named_subject
from brainlm.errors import UnknownNameError, unknown_name

Subjects = Annotated[str, typer.Option(help="Subjects, separated by commas, or 'all'.")]
Model = Annotated[
    str,
    typer.Option(help="Language model: a name that brainlm fetches, a Hugging Face id, a folder."),
]
Layers = Annotated[
    str,
    typer.Option(
        help="Layers, separated by commas (0 = input), or 'all'; attention, its heads and the "
        "feed-forward part of a block as 4.attn_out, 4.head.0, 4.mlp_out."
    ),
]
Out = Annotated[Path, typer.Option(help="Folder of the result bundle.")]
Root = Annotated[
    Path | None,
    typer.Option(help="Folder of the data sets. Default: BRAINLM_DATA, then the cache."),
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Use a small part of the data, to check that it runs.")
]
FigureBundle = Annotated[Path, typer.Argument(help="Folder of the bundle.")]
FigureFile = Annotated[
    Path | None,
    typer.Option(help="File of the figure (PDF and PNG). Default: a file in the bundle."),
]
FigureWidth = Annotated[
    float, typer.Option(min=60, max=250, help="Printed width in mm: 89 is one column, 183 are two.")
]
Models = Annotated[
    str,
    typer.Option(
        help="Language models, separated by commas; NAME:en or NAME:en+zh where one "
        "has not all languages."
    ),
]
Datasets = Annotated[
    str,
    typer.Option(
        help="Data sets, paths of your own cards, or languages (en, zh), separated by commas; "
        "'all' that are on this machine."
    ),
]
Depth = Annotated[
    float, typer.Option(min=0, max=1, help="Depth of the layer of each model, 0 to 1.")
]
Tasks = Annotated[
    str,
    typer.Option(
        help="Tasks of CogBench (word_fmri, fmri, meg, eye_tracking), separated by commas; 'all' "
        "whose data are on this machine."
    ),
]
Twins = Annotated[int, typer.Option(min=0, help="Untrained copies of the model, one per seed.")]
Draws = Annotated[int, typer.Option(min=0, help="Draws of random vectors.")]
Permutations = Annotated[int, typer.Option(min=1, help="Null responses per representation.")]
MaxItems = Annotated[
    int,
    typer.Option(
        min=100, help="Maximum number of items of a data set: words are sampled, texts are cut."
    ),
]
Spaces = Annotated[
    str,
    typer.Option(
        help="Files of word spaces that you have, as KIND:LANGUAGE=FILE, separated by "
        "commas: associations (SWOW), cilin, hownet; treebank (parses in brackets) for the survey."
    ),
]
Config = Annotated[
    Path | None, typer.Option(help="TOML file of options, under their names with _ for -.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Change an option of the file, such as layers=6."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing bundle.")]


def layer_list(text: str) -> str | list[int | str]:
    """Return ``"all"``, or the layer numbers and the sites (``"4.attn_out"``) in ``text``."""
    if text.strip() == "all":
        return "all"
    return [_layer(part.strip(), text) for part in text.split(",")]


def _layer(part: str, text: str) -> int | str:
    from brainlm.language_models.sites import SITES

    with suppress(ValueError):
        return int(part)
    if not re.fullmatch(rf"(\d+\.)?({'|'.join(SITES)})(\.\d+)?", part):
        raise UnknownNameError(
            f"--layers {text!r}: give whole numbers or sites such as 4.attn_out, separated by "
            "commas, or 'all'"
        )
    return part


def choose(text: str, available: Sequence[str], kind: str = "subject") -> list[str]:
    """Return the names in ``text`` (or all available ones); raise for an unknown one."""
    if text.strip() == "all":
        return list(available)
    names = [named_subject(part.strip(), available) for part in text.split(",")]
    for name in names:
        if name not in available:
            raise unknown_name(kind, name, available)
    return names

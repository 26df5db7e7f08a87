"""What does a language model make of a text: its geometry layer by layer, and what surprises it?

In the upper layers of most language models all words point the same way (anisotropy), and that
decides what similarity analyses can find; so look at it before comparing layers with a brain.
Surprisal along the text shows whether the model reads it as language at all.
"""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
import xarray

from brainlm.data.features import Features
from brainlm.data.segmentation import read_text
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.features.geometry import geometry
from brainlm.language_models import LanguageModel
from brainlm.results.bundle import check_output, save_bundle
from brainlm.workflow import Debug, Layers, Model, Out, Overwrite, layer_list, run_command

TEXTS = {
    "en": (
        "Every morning the old baker opened her shop before the sun came up. She lit the oven, "
        "weighed the flour and listened to the radio. The first customer was always the postman, "
        "who bought two rolls and told her the news of the village. One day he did not come. The "
        "baker looked down the empty street, put on her coat and went to find him. He was sitting "
        "on the bench behind the church, reading one letter after the other, and crying. “"
        "They are all for me,” he said. “In forty years nobody has ever written to me.”"
    ),
    "zh": (
        "老面包师每天早上在太阳出来以前打开店门。她点着炉子，称好面粉，一边工作一边听收音机。"
        "第一个客人总是邮递员，他买两个小面包，再告诉她村里的新闻。有一天他没有来。面包师看了看空空的"
        "街道，穿上大衣，出门去找他。他坐在教堂后面的长椅上，一封接一封地读信，眼泪流了下来。“这些信"
        "都是写给我的，”他说，“四十年来从来没有人给我写过信。”"
    ),
}


def main(
    model: Model = "smollm2",
    text: Annotated[
        Path | None, typer.Option(help="A text file (UTF-8). Default: a short story.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the text, such as en or zh.")] = "en",
    context: Annotated[int, typer.Option(help="Words before each word that the model sees.")] = 256,
    layers: Layers = "all",
    out: Out = Path("results/describe_language_model"),
    debug: Debug = False,
    overwrite: Overwrite = False,
) -> None:
    """What does a language model make of a text: geometry by layer, surprisal by word?"""
    start = perf_counter()
    check_output(out, overwrite=overwrite)
    stimulus = read_text(choose_text(text, language), language)
    if debug:
        stimulus = stimulus.select(slice(0, 40))
    reader = LanguageModel(model)
    spaces = reader.embed(stimulus, layer_list(layers), context=context)
    whose = {"model": reader.name, "n_words": stimulus.n_words}
    arrays = {"geometry": by_layer(spaces).assign_attrs(title="Geometry by layer", **whose)}
    inputs: dict = {"features": {space.name: dict(space.origin) for space in spaces}}
    notes = []
    try:
        bits = reader.surprisal(stimulus, context=context)
    except (CorruptDataError, ValueError) as error:  # no head, or no prediction at all
        notes.append(f"no surprisal: {error}")
    else:
        arrays["surprisal"] = xarray.Dataset(
            {"surprisal": ("word", bits.values[:, 0], {"unit": "bits"})},
            coords={"text": ("word", stimulus.words.astype(str))},
            attrs={"title": "Surprisal", "context": str(context), **whose},
        )
        inputs["surprisal"] = dict(bits.origin)
    report(arrays, notes)
    save_bundle(
        out,
        analysis="describe_language_model",
        arrays=arrays,
        config={
            "model": model,
            "text": None if text is None else text.name,
            "language": language,
            "context": context,
            "layers": layers,
            "debug": debug,
        },
        inputs=inputs,
        notes=notes,
        figures=list(arrays),
        overwrite=overwrite,
    )
    typer.echo(f"result bundle: {out}   ({perf_counter() - start:.0f} s)")


def choose_text(path: Path | None, language: str) -> str:
    """Return the text of a file, or the short story in that language."""
    if path is None:
        if language not in TEXTS:
            raise DataMissingError(
                f"--language {language}: the short story is in {', '.join(TEXTS)} only; name a "
                "text file with --text"
            )
        return TEXTS[language]
    try:
        content = path.read_text("utf-8")
    except OSError as error:
        raise DataMissingError(f"--text {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorruptDataError(f"--text {path}: is not UTF-8 ({error})") from error
    if not content.strip():
        raise CorruptDataError(f"--text {path}: has no words")
    return content


def by_layer(spaces: tuple[Features, ...]) -> xarray.Dataset:
    """Return the geometry of layers, each measure over ``layer``."""
    table = geometry(spaces)
    layers = [space.origin["layer"] for space in spaces]
    columns = {name: ("layer", table[name].to_numpy()) for name in table}
    return xarray.Dataset(columns, coords={"layer": layers})


def report(arrays: dict[str, xarray.Dataset], notes: list[str]) -> None:
    """Print what the figures show."""
    table = arrays["geometry"]
    typer.echo(table.to_dataframe().to_string(float_format="{:.3f}".format))
    if "surprisal" in arrays:
        bits = arrays["surprisal"]["surprisal"]
        odd = arrays["surprisal"]["text"].values[bits.values.argsort()[::-1][:5]]
        typer.echo(f"surprisal: mean {float(bits.mean()):.2f} bits; most: {', '.join(odd)}")
    for note in notes:
        typer.echo(note)


if __name__ == "__main__":
    run_command(main)

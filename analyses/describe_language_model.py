"""Geometry of a language model by layer, and its surprisal along a text.

In the upper layers of most language models all words point the same way (anisotropy), and that
decides what similarity analyses can find; so look at it before comparing layers with a brain.
Surprisal along the text shows whether the model reads it as language at all.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
import xarray

from brainlm.data.segmentation import read_text, text_of_file
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.features.geometry import geometry
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, layer_list, options, run_command

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
    model: options.Model = "smollm2",
    text: Annotated[
        Path | None, typer.Option(help="A text file (UTF-8). Default: a short story.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the text, such as en or zh.")] = "en",
    context: Annotated[int, typer.Option(help="Words of context before each word.")] = 256,
    layers: options.Layers = "all",
    out: options.Out = Path("results/describe_language_model"),
    debug: options.Debug = False,
    overwrite: options.Overwrite = False,
) -> None:
    """What is the geometry of a language model by layer, and which words surprise it?"""
    with Run(locals()) as run:
        stimulus = read_text(
            short_story(language) if text is None else text_of_file(text), language
        )
        stimulus = stimulus.select(slice(0, 40)) if debug else stimulus
        network = LanguageModel(model)
        spaces = network.embed(stimulus, layer_list(layers), context=context)
        run.uses(*spaces)
        facts = {"model": network.name, "n_words": stimulus.n_words}
        table = geometry(spaces).assign(layer=[space.origin["layer"] for space in spaces])
        table = table.set_index("layer")
        run.show(table.to_string(float_format="{:.3f}".format))
        arrays = {"geometry": table.to_xarray().assign_attrs(title="Geometry by layer", **facts)}
        try:
            surprisal = network.surprisal(stimulus, context=context)
        except (CorruptDataError, ValueError) as error:  # no head, or no prediction at all
            run.note(f"no surprisal: {error}", show=True)
        else:
            run.uses(surprisal)
            bits = surprisal.values[:, 0]
            arrays["surprisal"] = xarray.Dataset(
                {"surprisal": ("word", bits, {"unit": "bits"})},
                coords={"text": ("word", stimulus.words.astype(str))},
                attrs={"title": "Surprisal", "context": str(context), **facts},
            )
            most = ", ".join(stimulus.words[bits.argsort()[::-1][:5]])
            run.show(f"surprisal: mean {bits.mean():.2f} bits; most: {most}")
        run.save(arrays=arrays, figures=list(arrays))


def short_story(language: str) -> Any:
    """Return the short story in a language."""
    if language not in TEXTS:
        raise DataMissingError(
            f"--language {language}: the short story is in {', '.join(TEXTS)} only; name a text "
            "file with --text"
        )
    return TEXTS[language]


if __name__ == "__main__":
    run_command(main)

"""Geometry of a language model by layer, and its surprisal along a text.

In the upper layers of most language models all words point the same way (anisotropy), and that
decides what similarity analyses can find; so look at it before comparing layers with a brain.
Surprisal along the text shows whether the model reads it as language at all.
"""

from pathlib import Path
from typing import Annotated

import typer
import xarray

from brainlm.data.segmentation import read_text, text_of_file
from brainlm.data.short_story import short_story
from brainlm.errors import CorruptDataError
from brainlm.features.geometry import geometry
from brainlm.language_models import LanguageModel
from brainlm.workflow import Run, analysis, options, run_command


@analysis
def main(
    run: Run,
    model: options.Model = "smollm2",
    text: Annotated[
        Path | None, typer.Option(help="A text file (UTF-8). Default: a short story.")
    ] = None,
    language: Annotated[str, typer.Option(help="Language of the text, such as en or zh.")] = "en",
    context: Annotated[int, typer.Option(help="Words of context before each word.")] = 256,
    layers: options.Layers = "all",
) -> None:
    stimulus = read_text(short_story(language) if text is None else text_of_file(text), language)
    stimulus = stimulus.select(slice(0, 40)) if run.debug else stimulus
    network = LanguageModel(model)
    spaces = network.embed(stimulus, options.layer_list(layers), context=context)
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


if __name__ == "__main__":
    run_command(main)

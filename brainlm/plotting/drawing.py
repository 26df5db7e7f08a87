"""Draw the figures that bundles list by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from brainlm._progress import bar
from brainlm.errors import UnknownNameError, unknown_name
from brainlm.plotting._relabel import apply_changes
from brainlm.plotting._style import fit_texts, lay_out, mark_debug, on_page
from brainlm.plotting.brain import brain_maps, group_map, searchlight_brain, winner_brain
from brainlm.plotting.changes import ChangeOptions, Changes, changed, check_names, nothing_left
from brainlm.plotting.cogbench import cogbench
from brainlm.plotting.decoding_accuracy import decoding_curve, decoding_null
from brainlm.plotting.depth import layers_by_level, layers_by_modality
from brainlm.plotting.diagnostics import alphas
from brainlm.plotting.factors import context_and_size
from brainlm.plotting.flat import flat_maps
from brainlm.plotting.languages import language_gains
from brainlm.plotting.layers import layer_curve, target_bars, target_heat_map
from brainlm.plotting.mapping import ablations, mapping_and_text
from brainlm.plotting.new_person import new_person
from brainlm.plotting.paper import TWO_COLUMNS, paper_style
from brainlm.plotting.rdms import rdm_pair, similarity_and_rsa
from brainlm.plotting.reading import reading_effects, reading_gains
from brainlm.plotting.reconstruction import (
    reconstruction_gain,
    reconstruction_scores,
    reconstruction_text,
)
from brainlm.plotting.sensors import added_effects, time_course, topographies
from brainlm.plotting.studies import (
    context_gains,
    coverage,
    critical_difference,
    model_by_dataset,
    paired_bars,
    unique_variance,
    winners,
)
from brainlm.plotting.text_measures import geometry, surprisal
from brainlm.plotting.verdict import verdict
from brainlm.plotting.volumes import glass_brains

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

FIGURES: dict[str, Callable[[Bundle], Figure]] = {
    "layer_curve": layer_curve,
    "target_bars": target_bars,
    "similarity_and_rsa": similarity_and_rsa,
    "rdm_pair": rdm_pair,
    "decoding_curve": decoding_curve,
    "decoding_null": decoding_null,
    "reconstruction_gain": reconstruction_gain,
    "reconstruction_scores": reconstruction_scores,
    "reconstruction_text": reconstruction_text,
    "new_person": new_person,
    "ablations": ablations,
    "mapping_and_text": mapping_and_text,
    "geometry": geometry,
    "surprisal": surprisal,
    "alphas": alphas,
    "model_by_dataset": model_by_dataset,
    "layers_by_level": layers_by_level,
    "layers_by_modality": layers_by_modality,
    "cogbench": cogbench,
    "context_and_size": context_and_size,
    "context_gains": context_gains,
    "winners": winners,
    "unique_variance": unique_variance,
    "critical_difference": critical_difference,
    "reading_effects": reading_effects,
    "reading_gains": reading_gains,
    "target_heat_map": target_heat_map,
    "paired_bars": paired_bars,
    "coverage": coverage,
    "brain_maps": brain_maps,
    "flat_maps": flat_maps,
    "glass_brains": glass_brains,
    "group_map": group_map,
    "searchlight_brain": searchlight_brain,
    "winner_brain": winner_brain,
    "time_course": time_course,
    "added_effects": added_effects,
    "language_gains": language_gains,
    "topographies": topographies,
    "verdict": verdict,
}


class FigureWarning(UserWarning):
    """A figure of a result bundle could not be drawn; its results are kept."""


def draw(
    bundle: Bundle,
    name: str,
    *,
    width: float = TWO_COLUMNS,
    style: Any = None,
    **changes: Unpack[ChangeOptions],
) -> Figure:
    """Return the named figure of a bundle, drawn at the size of print with text of 7 to 8 points.

    Settings of your own in ``matplotlib.rcParams`` and ``plt.style.use`` hold, but for sizes.

    Parameters
    ----------
    bundle : Bundle
    name : str
        One of ``FIGURES``.
    width : float
        Of the page in millimetres, which no figure is wider than: 89 is one column, 183 are two.
        Panels that do not fit side by side stand below each other.
    style : str, path, dict or list of these, optional
        matplotlib styles on top of brainlm's, such as ``"ggplot"`` or ``{"font.family": "Arial"}``.
    select : sequence of str, optional
        Names of models, data sets, feature spaces, targets, conditions ... that are kept. A
        dimension or table column that has one of them loses all others.
    order : sequence of str, optional
        Names that come first, in this order. Figures that sort by value still do.
    labels : dict of str to str, optional
        New texts for old ones: names, titles, labels of axes.
    colours : dict of str to colour, optional
        Colours of models, feature spaces, conditions ..., by their name before ``labels``.
    xlim, ylim : (float, float), optional
        Limits of all axes with numbers; None leaves an end as it is.
    clim : (float, float), optional
        Limits of the colour scale of heat maps, brains and heads.

    Raises
    ------
    UnknownNameError
        There is no such figure, or the bundle holds nothing that it could be drawn from; a name
        to select, order, relabel or colour is not in it; limits or a colour are none.

    Examples
    --------
    >>> bundle = brainlm.load_bundle("results/demo")  # doctest: +SKIP
    >>> draw(
    ...     bundle,
    ...     "layer_curve",
    ...     width=89,
    ...     select=["layer", "reference"],
    ...     labels={"layers": "SmolLM2", "r": "held-out correlation"},
    ...     colours={"layers": "black"},
    ...     ylim=(0, 0.3),
    ... ).savefig("curve.pdf")  # doctest: +SKIP
    """
    asked = changes_of(changes)
    check_names(bundle, asked)
    figure = _draw(bundle, name, width, style, asked)
    asked.check()
    return figure


def changes_of(options: Mapping[str, Any]) -> Changes:
    """Return the changes to a figure from the arguments of `draw`.

    Raises
    ------
    UnknownNameError
        There is no such argument.
    """
    for option in options:
        if option not in ChangeOptions.__annotations__:
            raise unknown_name("argument", option, ChangeOptions.__annotations__)
    return Changes(**options)


def _draw(bundle: Bundle, name: str, width: float, style: Any, asked: Changes) -> Figure:
    if name not in FIGURES:
        raise unknown_name("figure", name, FIGURES)
    with paper_style(style), on_page(width), changed(asked, bundle) as shown:
        try:
            figure = FIGURES[name](shown)
        except (KeyError, IndexError, ValueError) as error:  # what an empty selection leads to
            if asked.select:
                raise nothing_left(bundle, name, asked) from error
            if isinstance(error, KeyError):
                raise UnknownNameError(
                    f"{bundle.folder}: {name!r} cannot be drawn from it, it has no {error}. Its "
                    f"figures: {', '.join(bundle.record['figures']) or '(none)'}"
                ) from error
            raise
        if bundle.record.get("config", {}).get("debug"):
            mark_debug(figure)
        apply_changes(figure, asked)
        fit_texts(figure)
        lay_out(figure)  # while the style holds
    return figure


def save_figures(
    bundle: Bundle,
    folder: Path | None = None,
    names: Sequence[str] | None = None,
    *,
    formats: Sequence[str] = ("png", "pdf"),
    width: float = TWO_COLUMNS,
    style: Any = None,
    **changes: Unpack[ChangeOptions],
) -> list[Path]:
    """Draw figures of a bundle, each in every format; return their paths.

    Parameters
    ----------
    bundle : Bundle
    folder : Path, optional
        Where to; default: into the bundle.
    names : sequence of str, optional
        Which; default: all that the bundle lists.
    formats : sequence of str
        Of matplotlib: "png" (300 dpi), "pdf", "svg", ...
    width, style
        As in `draw`.
    **changes
        ``select``, ``order``, ``labels``, ``colours``, ``xlim``, ``ylim``, ``clim`` of `draw`.

    Raises
    ------
    UnknownNameError
        There is no such format, style or, among ``names``, figure; or no figure has a name that
        is to be selected, ordered, relabelled or coloured.

    Warns
    -----
    FigureWarning
        A figure that the bundle lists cannot be drawn; the others are. One that is asked for by
        name raises instead.
    """
    import matplotlib.pyplot as plt
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    for suffix in formats:
        if suffix not in known:
            raise unknown_name("format", suffix, known)
    asked = changes_of(changes)
    check_names(bundle, asked)
    folder = bundle.folder if folder is None else Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with paper_style(style):  # one that is not there is an error before anything is drawn
        written = []
    for name in bar(bundle.record["figures"] if names is None else names, "draw", inner=True):
        try:
            figure = _draw(bundle, name, width, style, asked)
            with paper_style(style):
                figure.set_layout_engine("none")  # it is laid out: once is enough for all formats
                for suffix in formats:
                    path = folder / f"{name}.{suffix}"
                    figure.savefig(path)
                    written.append(path)
            plt.close(figure)
        except Exception as error:
            if names is not None:
                raise
            plt.close("all")
            warnings.warn(
                f"the figure {name!r} could not be drawn ({type(error).__name__}: {error}); the "
                f"results are kept: brainlm plot {bundle.folder} --figure {name}",
                FigureWarning,
                stacklevel=2,
            )
    asked.check()
    return written

"""Surprisal in reading times and the N400: held-out gains, effects in mixed models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from brainlm.plotting._style import COLOURS, MODEL_COLOURS, only_first_column, panels, share_limits
from brainlm.plotting.changes import arranged_rows, colour_of
from brainlm.plotting.forest import plot_forest, plot_grouped_forest
from brainlm.plotting.studies import table_frame

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from brainlm.results.bundle import Bundle

COMPONENTS = ("elan", "lan", "n400", "epnp", "p600", "pnp")  # of the event-related potential
SHOWN = ("surprisal", "length", "frequency")  # effects that are drawn
BACK = ("t, surprisal", "t, surprisal 1 back", "t, surprisal 2 back")


def is_component(table: pandas.DataFrame) -> np.ndarray:
    """Return which rows are of a component of the event-related potential, such as the N400."""
    return table["measure"].str.lower().isin(COMPONENTS).to_numpy()


def _labelled(table: pandas.DataFrame) -> pandas.DataFrame:
    measure = table["measure"].str.replace("_", " ")
    return table.assign(label=table["dataset"] + ": " + measure)


def _first_effect(gains: pandas.DataFrame) -> pandas.DataFrame:
    """Rows of the word's own surprisal, without spill-over."""
    return gains[gains["effect"] == gains["effect"].iloc[0]]


def plot_reading_gains(gains: pandas.DataFrame, ax: Axes) -> Axes:
    """Draw the held-out gain from the surprisal of a word: a row per measure, a colour per model.

    Parameters
    ----------
    gains : DataFrame
        Of `brainlm run reading`. Filled points have q <= .05.
    ax : matplotlib.axes.Axes
    """
    own = _labelled(_first_effect(gains))
    plot_grouped_forest(own, ax, row="label", group="model", q="q")
    ax.set_xlabel("gain, nats per word (held out)")
    return ax


def plot_mixed_effects(mixed: pandas.DataFrame, ax: Axes) -> Axes:
    """Draw the coefficient of surprisal in a mixed model and its 95 % interval.

    ``b ± t(.975, df) se``, with the degrees of freedom of the residual, in standard deviations of
    the response per standard deviation of surprisal.

    Parameters
    ----------
    mixed : DataFrame
        Of `brainlm run reading`. Filled points have q <= .05.
    ax : matplotlib.axes.Axes
    """
    from scipy.stats import t

    half = t.ppf(0.975, mixed["df_residual"]) * mixed["se"]
    ends = {"low": mixed["coefficient"] - half, "high": mixed["coefficient"] + half}
    own = _labelled(mixed.assign(**ends))
    columns = ("coefficient", "low", "high")
    plot_grouped_forest(own, ax, row="label", group="model", columns=columns, q="q")
    ax.set_xlabel("coefficient of surprisal (SD per SD)")
    return ax


def plot_spillover(mixed: pandas.DataFrame, model: str, ax: Axes) -> Axes:
    """Draw the t values of the surprisal of a word and of the two words before it.

    Parameters
    ----------
    mixed : DataFrame
        Of `brainlm run reading`.
    model : str
    ax : matplotlib.axes.Axes
        Beyond the dotted lines, |t| > 2.
    """
    own = _labelled(mixed[mixed["model"] == model])
    for k, (_, row) in enumerate(own.iterrows()):
        t, style = row[list(BACK)].to_numpy(float), "osD^vP"[k % 6] + "-"
        colour = colour_of(row["label"], MODEL_COLOURS[k % len(MODEL_COLOURS)])
        ax.plot(range(len(BACK)), t, style, color=colour, ms=3, lw=1, label=row["label"])
    ax.axhline(0, color="black", lw=0.5)
    for level in (-2, 2):
        ax.axhline(level, color=COLOURS["random"], lw=0.8, ls=":")
    ax.set_xticks(range(len(BACK)), ["this word", "1 back", "2 back"])
    ax.set_xlim(-0.2, len(BACK) - 0.8)
    ax.set_ylabel(f"t of surprisal ({model})")
    return ax


def reading_gains(bundle: Bundle) -> Figure:
    """Draw the gain of held-out log-likelihood from surprisal, per measure and model."""
    gains = _first_effect(table_frame(bundle, "gains"))
    models = list(dict.fromkeys(gains["model"]))
    label = gains["dataset"] + ": " + gains["measure"]
    rows = list(dict.fromkeys(label))
    figure, axes = panels(len(models), 3.8, 0.9 + 0.24 * len(rows))
    for ax, model in zip(axes, models, strict=True):
        own = gains[gains["model"] == model].reset_index(drop=True)
        names = list(own["dataset"] + ": " + own["measure"])
        colours = [COLOURS["layer"] if p <= 0.05 else COLOURS["random"] for p in own["q"]]
        plot_forest(own, "gain", names, colours, ax)
        ax.set_xlabel("nats per word, held out (blue: q <= .05)")
        ax.set_title(model, loc="left")
    share_limits(axes, "x")
    only_first_column(axes, ticks=False)
    return figure


def reading_effects(bundle: Bundle) -> Figure:
    """Draw the effects of surprisal, length and frequency, per data set, measure and model."""
    effects = table_frame(bundle, "effects")
    rows = effects["language"] + ", " + effects["dataset"] + ": " + effects["measure"]
    effects = effects.assign(row=rows).sort_values(["language", "dataset"], kind="stable")
    effects = arranged_rows(effects)
    figure, axes = panels(len(SHOWN), 3.2, 0.9 + 0.24 * effects["row"].nunique())
    columns = ("coefficient", "low", "high")
    for ax, predictor in zip(axes, SHOWN, strict=True):
        own = effects[effects["predictor"] == predictor]
        plot_grouped_forest(own, ax, row="row", group="model", columns=columns, q="q")
        ax.set_title(predictor, loc="left")
        ax.set_xlabel("SD per SD (filled: q <= .05)")
    share_limits(axes, "x")
    only_first_column(axes)
    names = axes[0].get_legend_handles_labels()
    figure.legend(*names, loc="outside lower right", ncols=len(names[0]))
    return figure

"""Changes that a reader makes to a figure: selection, order, labels, colours, limits.

`draw` takes them for every figure. Selection and order change the arrays before anything is drawn;
colours are asked for by name while it is drawn (`colour_of`); labels and limits are set at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, TypeVar

import numpy as np

from brainlm.errors import UnknownNameError, unknown_name
from brainlm.plotting._palette import palette

if TYPE_CHECKING:
    import pandas
    import xarray

    from brainlm.results.bundle import Bundle

Limits = tuple[float | None, float | None]
Item = TypeVar("Item")


class ChangeOptions(TypedDict, total=False):
    """Arguments of `draw` that change a figure."""

    select: Sequence[str]
    order: Sequence[str]
    labels: Mapping[str, str]
    colours: Mapping[str, Any]
    xlim: Limits | None
    ylim: Limits | None
    clim: Limits | None


@dataclass(frozen=True)
class Changes:
    """Changes to a figure.

    Attributes
    ----------
    select : sequence of str
        Names that are kept (of models, data sets, spaces, targets, analyses, kinds ...). Where an
        array has one of them, it loses what is not among them.
    order : sequence of str
        Names that come first, in this order, where a figure does not sort by value.
    labels : mapping of str to str
        New for old: whole texts of the figure, or parts of them between punctuation.
    colours : mapping of str to colour
        Of names, as they are before ``labels``.
    xlim, ylim : (float, float), optional
        Of all axes with numbers; None leaves an end as it is.
    clim : (float, float), optional
        Of colour scales; from 0 up they are sequential.
    palette : mapping of str to colour
        Of the names of the bundle, see `brainlm.plotting._palette`.
    seen : dict of str to set of str
        What the figures have had so far: names by kind.
    """

    select: Sequence[str] = ()
    order: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, Any] = field(default_factory=dict)
    xlim: Limits | None = None
    ylim: Limits | None = None
    clim: Limits | None = None
    palette: Mapping[str, str] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from matplotlib.colors import is_color_like

        for option in ("select", "order"):
            if isinstance(getattr(self, option), str):
                raise UnknownNameError(f"{option}: a list of names, got {getattr(self, option)!r}")
        for name, colour in self.colours.items():
            if not is_color_like(colour):
                raise UnknownNameError(
                    f"colours: {colour!r} of {name!r} is no colour of matplotlib, such as "
                    "'#0072B2', 'black' or 'tab:blue'"
                )
        for option in ("xlim", "ylim", "clim"):
            _check_limits(option, getattr(self, option))

    def record(self, kind: str, names: Iterable[str]) -> None:
        """Remember names that a figure has."""
        self.seen.setdefault(kind, set()).update(names)

    def check(self) -> None:
        """Raise where a label or a colour is for a name that no figure had.

        Raises
        ------
        UnknownNameError
        """
        for kind, wanted in (("label", self.labels), ("name with a colour", self.colours)):
            known = self.seen.get(kind, set())
            for name in wanted:
                if name not in known:
                    raise unknown_name(kind, name, sorted(known))
        for option in ("xlim", "ylim", "clim"):
            if getattr(self, option) is not None and not self.seen.get(option):
                what = "colour scale" if option == "clim" else f"{option[0]} axis with numbers"
                raise UnknownNameError(f"{option}: the figure has no {what}")


CURRENT: ContextVar[Changes] = ContextVar("changes")


def _check_limits(option: str, limits: Any) -> None:
    if limits is None:
        return
    given = limits if isinstance(limits, tuple | list) else ()
    ends = [end for end in given if end is not None]
    numbers = all(isinstance(end, int | float) and np.isfinite(end) for end in ends)
    if len(given) != 2 or not numbers or (len(ends) == 2 and ends[0] >= ends[1]):
        raise UnknownNameError(f"{option}: two numbers (or None), smaller first, got {limits!r}")


@contextmanager
def changed(changes: Changes, bundle: Bundle) -> Iterator[Bundle]:
    """Draw with changes; the bundle that comes back has its arrays selected and ordered."""
    token = CURRENT.set(replace(changes, palette=palette(bundle)))
    try:
        yield _arranged_bundle(bundle, changes)
    finally:
        CURRENT.reset(token)


def colour_of(name: object, default: Any) -> Any:
    """Return the colour of a name: the reader's, else that of the bundle, else ``default``."""
    changes, text = CURRENT.get(None) or Changes(), str(name)
    changes.record("name with a colour", [text])
    return changes.colours.get(text, changes.palette.get(text, default))


def arranged(items: Iterable[Item], name: Callable[[Item], str] = str) -> list[Item]:
    """Return items in the order that the reader asked for; the others follow as they were."""
    changes = CURRENT.get(None) or Changes()
    place = {each: k for k, each in enumerate(changes.order)}
    return sorted(items, key=lambda item: place.get(name(item), len(place)))


def arranged_rows(table: pandas.DataFrame) -> pandas.DataFrame:
    """Return a table with the rows of the names first that the reader put first."""
    changes = CURRENT.get(None) or Changes()
    place = {name: k for k, name in enumerate(changes.order)}
    columns = [name for name in table if table[name].isin(list(place)).any()]
    for name in columns[::-1]:
        key = table[name].map(place).fillna(len(place))
        table = table.loc[key.sort_values(kind="stable").index]
    return table


class ColourScale(NamedTuple):
    """A colour map of matplotlib and the values at its ends."""

    colours: str
    low: float
    high: float

    @property
    def options(self) -> dict[str, Any]:
        """Return the scale as arguments of matplotlib."""
        return {"cmap": self.colours, "vmin": self.low, "vmax": self.high}

    @property
    def mappable(self) -> Any:
        """Return the scale for a colour bar that is drawn apart."""
        from matplotlib import colormaps
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        return ScalarMappable(Normalize(self.low, self.high), colormaps[self.colours])

    def is_dark(self, value: float) -> bool:
        """Say whether black text on this value's colour is hard to read."""
        return abs(value) > 0.6 * max(abs(self.low), abs(self.high))


def colour_scale(least: float, greatest: float) -> ColourScale:
    """Return the scale for values between two ends, or the reader's (``clim``).

    Where a value is below 0 it is symmetric about 0, which is white; else it is sequential, from
    white at 0.
    """
    changes = CURRENT.get(None) or Changes()
    changes.record("clim", ["a scale"])
    first, last = changes.clim or (None, None)
    limit = max(abs(least), abs(greatest)) or 1.0
    high = limit if last is None else last
    low = (-high if least < 0 else 0.0) if first is None else first
    return ColourScale("RdBu_r" if low < 0 else "Reds", low, high)


def _columns(dataset: xarray.Dataset) -> Iterator[tuple[str, np.ndarray]]:
    """Return each dimension with names along it: coordinates, and the columns of a table."""
    for name, variable in dataset.variables.items():
        column = name in dataset.coords or variable.dims == ("row",)
        if column and variable.ndim == 1 and variable.dtype.kind in "OU":
            yield str(variable.dims[0]), variable.values.astype(str)


def _subject(name: str, dataset: xarray.Dataset) -> str | None:
    """Return whose brain maps an array holds."""
    found = dataset.attrs.get("subject") if name.partition("_")[0] == "maps" else None
    return None if found is None else str(found)


def check_names(bundle: Bundle, changes: Changes) -> None:
    """Raise where a bundle has not got a name that is to be selected or ordered.

    Raises
    ------
    UnknownNameError
    """
    whose = {_subject(name, dataset) for name, dataset in bundle.arrays.items()}
    known = {subject for subject in whose if subject}
    for dataset in bundle.arrays.values():
        known.update(*(values.tolist() for _, values in _columns(dataset)))
    for option in ("select", "order"):
        for name in getattr(changes, option):
            if name not in known:
                raise unknown_name(f"name to {option}", name, sorted(known))


def _arranged_bundle(bundle: Bundle, changes: Changes) -> Bundle:
    """Return a bundle whose arrays have the names that were selected, in the order asked for."""
    if not changes.select and not changes.order:
        return bundle
    whose = {name: _subject(name, dataset) for name, dataset in bundle.arrays.items()}
    chosen = set(changes.select) & set(whose.values())
    kept = {
        name: _arranged_array(dataset, changes)
        for name, dataset in bundle.arrays.items()
        if not chosen or whose[name] is None or whose[name] in chosen
    }
    return replace(bundle, arrays=kept)


def _arranged_array(dataset: xarray.Dataset, changes: Changes) -> xarray.Dataset:
    """Return an array whose dimensions have the selected names, those of ``order`` first."""
    place = {name: k for k, name in enumerate(changes.order)}
    kept: dict[str, np.ndarray] = {}
    keys: dict[str, list[list[int]]] = {}
    for dim, values in _columns(dataset):
        among = np.isin(values, list(changes.select))
        if among.any():
            kept[dim] = kept[dim] & among if dim in kept else among
        if place.keys() & set(values.tolist()):
            keys.setdefault(dim, []).append([place.get(name, len(place)) for name in values])
    for dim in {**kept, **keys}:
        n = dataset.sizes[dim]
        order = np.lexsort(keys[dim][::-1]) if dim in keys else np.arange(n)
        if dim in kept:
            order = order[kept[dim][order]]
        dataset = dataset.isel({dim: order})
    return dataset


def nothing_left(bundle: Bundle, name: str, changes: Changes) -> UnknownNameError:
    """Return the error where a figure cannot be drawn from what was selected."""
    return UnknownNameError(
        f"{bundle.folder}: {name!r} cannot be drawn from the selection "
        f"{', '.join(map(repr, changes.select))} alone: select more, such as what is compared"
    )

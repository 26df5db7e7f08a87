"""Run of an analysis: check of the folder, log, settings, inputs, notes, and the bundle."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from brainlm._log import keep_log, log_lines
from brainlm.data.features import Features
from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.datasets.folders import dataset_hashes
from brainlm.encoding.encode import Encoding, Space
from brainlm.language_models import LanguageModel
from brainlm.plotting import save_figures
from brainlm.results.bundle import check_output, load_bundle, save_bundle

if TYPE_CHECKING:
    import xarray

PLACES = ("out", "overwrite", "root")  # parameters that are no settings of the analysis


class Run:
    """One run of an analysis, as a context.

    On entering, the output folder is checked before anything is computed, and the log begins.
    Inside, it takes notes and the origin of what goes in. `save` writes the bundle, draws the
    figures and says where they are.

    Parameters
    ----------
    parameters : mapping
        Arguments of ``main``: ``locals()`` at its beginning. ``out`` and ``overwrite`` say where to
        write; the others, without ``root``, are recorded as settings, groups by their fields.
    analysis : str, optional
        Name of the analysis. Default: the file in which ``main`` stands.

    Examples
    --------
    ::

        def main(out: Out = Path("results/mine"), overwrite: Overwrite = False):
            with Run(locals()) as run:
                stimulus, recording = open_group("human-ratings")
                ...
                run.save(encode(spaces, recording, split, encoders), figures=["layer_curve"])
    """

    def __init__(self, parameters: Mapping[str, Any], analysis: str = "") -> None:
        frame = inspect.currentframe()
        caller = frame.f_back if frame is not None else None
        self.analysis = analysis or Path(caller.f_code.co_filename if caller else "analysis").stem
        self.out, self.overwrite = Path(parameters["out"]), bool(parameters.get("overwrite"))
        self.settings = _plain(_flat({k: v for k, v in parameters.items() if k not in PLACES}))
        self.notes: list[str] = []
        self.data: dict[str, Any] = {}
        self.features: dict[str, Any] = {}

    def __enter__(self) -> Run:
        check_output(self.out, overwrite=self.overwrite)
        self.start = perf_counter()
        self._log = keep_log()
        self._log.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.__exit__(kind, error, trace)

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return perf_counter() - self.start

    def note(self, *notes: str, kind: str = "other", show: bool = False) -> None:
        """Add notes to the bundle; a `Note` keeps its own kind.

        Parameters
        ----------
        *notes : str
        kind : str
            See `brainlm.data.notes.Note`.
        show : bool
            Whether to print them as well.
        """
        self.notes += [note if isinstance(note, Note) else Note(str(note), kind) for note in notes]
        if show:
            self.show(*notes)

    def show(self, *lines: Any) -> None:
        """Print lines."""
        for line in lines:
            typer.echo(str(line))

    def progress(self, line: str) -> None:
        """Print a line on standard error."""
        typer.echo(line, err=True)

    def uses(self, *inputs: Any) -> None:
        """Record where data and features come from: files with their SHA-256, models, settings.

        Parameters
        ----------
        *inputs : Recording, Features, Space or LanguageModel
            Notes of recordings are kept, too.
        """
        for each in inputs:
            if isinstance(each, Recording):
                self.data |= _files(each.origin)
                self.note(*each.notes)
            elif isinstance(each, Features | Space):
                self.features[each.name] = dict(each.origin)
            elif isinstance(each, LanguageModel):
                self.features[each.name] = each.origin([])
            else:
                expected = "a Recording, Features, Space or LanguageModel"
                raise TypeError(f"expected {expected}, got {type(each).__name__}")

    def save(
        self,
        result: Encoding | None = None,
        *,
        arrays: Mapping[str, xarray.Dataset] | None = None,
        figures: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        """Save the bundle, draw its figures, and print where it is.

        Parameters
        ----------
        result : Encoding, optional
            Its arrays, notes, settings and inputs go into the bundle.
        arrays : mapping of str to xarray.Dataset, optional
            Further arrays.
        figures : sequence of str
            Names from `brainlm.plotting.FIGURES`.
        **settings
            Recorded beside the parameters of ``main``.
        """
        if result is not None:
            self.uses(result.recording, *result.spaces)
            self.note(*result.notes)
            settings = {**result.settings, **settings}
        save_bundle(
            self.out,
            analysis=self.analysis,
            arrays={**(result.arrays if result is not None else {}), **(arrays or {})},
            config={**self.settings, **_plain(settings)},
            inputs={"data": self.data, "features": self.features},
            notes=self.notes,
            figures=figures,
            overwrite=self.overwrite,
        )
        save_figures(load_bundle(self.out))
        self.show(f"result bundle: {self.out}   ({self.seconds:.0f} s)")
        (self.out / "log.txt").write_text("\n".join(log_lines()) + "\n", encoding="utf-8")


def _files(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Files of a data set with their SHA-256, by subject where there are several."""
    if "subjects" in origin:
        return {name: files for part in origin["subjects"] for name, files in _files(part).items()}
    if "dataset" not in origin:
        return {}
    hashes = dataset_hashes(origin["dataset"], origin["subject"], origin["root"])
    return {f"{origin['dataset']}, {origin['subject']}": hashes}


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with the fields of dataclasses in their place."""
    flat: dict[str, Any] = {}
    for key, value in parameters.items():
        if is_dataclass(value) and not isinstance(value, type):
            flat |= {each.name: getattr(value, each.name) for each in fields(value)}
        else:
            flat[key] = value
    return flat


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Iterable):
        return [_plain(each) for each in value]
    return str(value)

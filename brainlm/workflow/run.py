"""Run of an analysis: check of the folder, log, settings, inputs, notes, and the bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from inspect import Parameter
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

from brainlm._log import keep_log, log_lines, say
from brainlm._progress import shown_progress, step
from brainlm.data.features import Features
from brainlm.data.notes import Note
from brainlm.data.recording import Recording
from brainlm.datasets.folders import dataset_hashes
from brainlm.encoding.encode import Encoding, Space
from brainlm.language_models import LanguageModel
from brainlm.plotting import save_figures
from brainlm.results.bundle import load_bundle, save_bundle
from brainlm.results.output import hold_output
from brainlm.storage.downloads import sha256_of
from brainlm.storage.store import PartStore
from brainlm.workflow.signatures import COMMON, check_options, described, flat_options

DEBUG = "debug run: a small part of the data"

if TYPE_CHECKING:
    import pandas as pd
    import xarray


class Run:
    """One run of an analysis, as a context.

    On entering, the output folder is checked and locked, and the log begins.
    Inside, it records notes and the origin of data and features. ``parts`` keeps the finished parts
    of a long computation, so that an interrupted run resumes. `save` writes the bundle,
    draws the figures, says where they are, and removes the parts.

    Parameters
    ----------
    analysis : str
        Its name.
    settings : mapping
        Recorded in the bundle.
    out : path
        Folder of the bundle.
    root : path, optional
        Folder of the data sets, as in `brainlm.open_dataset`.
    debug : bool
        Whether a small part of the data is used; recorded in the bundle.
    overwrite : bool
        Whether an existing bundle is replaced.

    Examples
    --------
    ::

        with Run("mine", {"model": "smollm2"}, "results/mine") as run:
            stimulus, recording = open_group("human-ratings", root=run.root)
            ...
            run.save(encode(spaces, recording, split, encoders), figures=["layer_curve"])
    """

    def __init__(
        self,
        analysis: str,
        settings: Mapping[str, Any],
        out: Path | str,
        *,
        root: Path | str | None = None,
        debug: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.analysis, self.settings = analysis, {**_plain(settings), "debug": debug}
        self.out, self.root = Path(out), None if root is None else Path(root)
        self.debug, self.overwrite = debug, overwrite
        self.parts = PartStore.beside(out)
        self.notes: list[str] = []
        self.data: dict[str, Any] = {}
        self.features: dict[str, Any] = {}

    def __enter__(self) -> Run:
        with ExitStack() as held:
            held.enter_context(hold_output(self.out, overwrite=self.overwrite))
            held.enter_context(keep_log())
            held.enter_context(shown_progress())
            self._held = held.pop_all()
        self.start = perf_counter()
        if self.debug:
            self.progress(f"{DEBUG}: no result to report")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.__exit__(kind, error, trace)

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

    def show_table(self, title: str, table: pd.DataFrame, digits: int = 3) -> None:
        """Print a table below its title, numbers rounded; an empty one is "none"."""
        rows = table.round(digits).to_string(index=False) if len(table) else "none"
        self.show(f"\n{title}\n{rows}")

    def progress(self, line: str) -> None:
        """Print a line on standard error, above any progress bar."""
        say(line)

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
        """Save the bundle, draw its figures, print where it is, and remove the kept parts.

        Parameters
        ----------
        result : Encoding, optional
            Its arrays, notes, settings and inputs go into the bundle.
        arrays : mapping of str to xarray.Dataset, optional
            Further arrays.
        figures : sequence of str
            Names from `brainlm.plotting.FIGURES`.
        **settings
            Recorded beside those of the run.
        """
        if result is not None:
            self.uses(result.recording, *result.spaces)
            self.note(*result.notes)
            settings = {**result.settings, **settings}
        with step("save the bundle"):
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
        told = f"   {DEBUG}" if self.debug else ""
        self.show(f"result bundle: {self.out}   ({self.seconds:.0f} s){told}")
        self.parts.clear()
        (self.out / "log.txt").write_text("\n".join(log_lines()) + "\n", encoding="utf-8")


def analysis(main: Callable[..., None]) -> Callable[..., None]:
    """Turn ``main(run, ...)`` into a command that opens the run.

    The command takes the options of ``main``, groups of options by their fields, and those that
    every analysis has: ``out`` (default: ``results/NAME``), ``root``, ``debug`` and ``overwrite``.
    ``main`` gets a `Run` that has checked the output folder and holds these as attributes.

    Parameters
    ----------
    main : callable
        Its first parameter is the `Run`; the others have defaults, and types that typer knows or
        that are groups (`grouped`). The module gives it its name and its help.

    Returns
    -------
    callable
        Takes keywords only.

    Examples
    --------
    ::

        @analysis
        def main(run: Run, subjects: options.Subjects = "all", model: options.Model = "smollm2"):
            stimulus, recording = open_group("human-ratings", subjects, run.root)
            ...
            run.save(encode(spaces, recording, split, encoders), figures=["layer_curve"])

        main(model="gemma3", out="results/gemma3")  # --model gemma3 --out results/gemma3
    """
    name = Path(main.__code__.co_filename).stem
    inner, form = flat_options(main, name)
    known = {key: each.default for key, each in form.parameters.items()}

    def command(**given: Any) -> None:
        if unknown := set(given) - set(known):
            raise TypeError(f"{name} has no option {', '.join(sorted(unknown))}")
        given = known | given
        if needed := [key for key, value in given.items() if value is Parameter.empty]:
            raise TypeError(f"{name} needs {', '.join(needed)}")
        place = {key: given.pop(key) for key in COMMON}
        check_options(given)
        with Run(name, given, **place) as run:
            inner(run=run, **given)

    return described(command, main, form)


def _files(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Files of a data set with their SHA-256, by subject where there are several."""
    if "subjects" in origin:
        return {name: files for part in origin["subjects"] for name, files in _files(part).items()}
    if "file" in origin:
        path = Path(origin["file"])
        return {path.name: {path.name: sha256_of(path)}}
    if "dataset" not in origin:
        return {}
    hashes = dataset_hashes(origin["dataset"], origin["subject"], origin["root"])
    return {f"{origin['dataset']}, {origin['subject']}": hashes}


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, str | int | float | bool | None):
        return value
    if isinstance(value, Iterable):
        return [_plain(each) for each in value]
    return str(value)

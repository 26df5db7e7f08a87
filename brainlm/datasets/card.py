"""Cards: the facts about a data set, as a TOML file without any code.

Cards lie in ``datasets/`` of a checkout and ship in the wheel as ``brainlm/cards``. Adding a data
set is adding a card; a reader is needed only for a new file format.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)

from brainlm.data.recording import MODALITIES
from brainlm.errors import CorruptDataError, DataMissingError, complaints, unknown_name
from brainlm.io.files import ReaderOptions
from brainlm.io.registry import READERS
from brainlm.storage.whole_files import leaves_folder

TIMED = ("bids", "meeg", "stories", "story-patterns", "timecourses", "word-times")  # of discourse
Text = Annotated[str, Field(min_length=1)]


def _stays_inside(path: str) -> str:
    """Raise for a path that leaves the folder it is relative to."""
    if leaves_folder(path):
        raise ValueError(f"{path!r} leaves the folder of the data: write a path inside of it")
    return path


Inside = Annotated[Text, AfterValidator(_stays_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=1)] | tuple[int, int]
Doi = Annotated[str, Field(pattern=r"^10\.[0-9]{4,9}/\S+$")]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Reference(_Table):
    """A publication to cite: in words, as BibTeX, and its DOI or, without one, its address."""

    text: Text
    bibtex: Annotated[str, Field(pattern=r"^\s*@\w+\{")] | None = None
    doi: Doi | None = None
    url: Text | None = None


class DataSource(_Table):
    """Where the files come from.

    Attributes
    ----------
    how : {"wheel", "url", "openneuro", "hub", "manual"}
        Out of a wheel on the package registry, by URL, from OpenNeuro, from the Hugging Face hub,
        or by hand.
    size : int, optional
        Bytes of the whole download, where the source states them.
    pages : sequence of str
        Pages about the data.
    instructions : str
        What to do by hand; for the others, anything worth knowing.
    requirement, members : str, sequence of str
        For ``"wheel"``: the exact requirement and the files in it; they are saved under their
        base names.
    base_url : str
        For ``"url"``: each file of the card's ``checksums`` is fetched from
        ``base_url`` + its path.
    urls : dict of str to str
        For ``"url"``: path of a file, or of the folder that holds it -> its own address.
    dataset, files : str, sequence of str
        For ``"openneuro"``: the accession number, and which files are needed, with ``*``, ``**``
        and ``{subject}`` (see `brainlm.storage.openneuro.fetch_openneuro`).
    repository, revision, archive : str
        For ``"hub"``: the data set on the hub, its commit, tag or branch, and the tar archive in it
        (see `brainlm.storage.hub.fetch_hub`).
    """

    how: Literal["wheel", "url", "openneuro", "hub", "manual"]
    size: Annotated[int, Field(gt=0)] | None = None
    pages: tuple[Text, ...] = ()
    instructions: str = ""
    requirement: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+==\S+$")] | None = None
    members: tuple[Text, ...] = ()
    base_url: Annotated[str, Field(pattern=r"^(https://|http://127\.0\.0\.1:)\S+/$")] | None = None
    urls: dict[Inside, Annotated[str, Field(pattern=r"^(https://|http://127\.0\.0\.1:)\S+$")]] = {}
    dataset: Annotated[str, Field(pattern=r"^ds[0-9]{6}$")] | None = None
    files: tuple[Inside, ...] = ()
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: Text | None = None
    archive: Annotated[str, Field(pattern=r"\.tar(\.gz)?$")] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> DataSource:
        given = {
            "wheel": bool(self.requirement and self.members),
            "url": self.base_url is not None or bool(self.urls),
            "openneuro": bool(self.dataset and self.files),
            "hub": bool(self.repository and self.revision and self.archive),
            "manual": bool(self.instructions),
        }
        if not given[self.how]:
            raise ValueError(
                "'wheel' needs requirement and members, 'url' needs base_url or urls, 'openneuro' "
                "needs dataset and files, 'hub' needs repository, revision and archive, 'manual' "
                "needs instructions"
            )
        return self

    def patterns(self, subjects: Sequence[str] | None) -> list[str]:
        """Return which files the subjects need (for ``"openneuro"``); all of them with None."""
        names = ["*"] if subjects is None else subjects
        filled = (p.replace("{subject}", name) for p in self.files for name in names)
        return list(dict.fromkeys(filled))

    def address(self, path: str) -> str:
        """Return the URL of a file of the data set (for ``"url"``)."""
        for named in (path, *(f"{folder}/" for folder in Path(path).parents)):
            if named in self.urls:
                rest = path[len(named) :] if named.endswith("/") else ""
                return self.urls[named] + quote(rest)
        if self.base_url is None:
            raise ValueError(f"{path}: the card gives no address for it")
        return self.base_url + quote(path)


class Opening(_Table):
    """The reader of the files and its options."""

    reader: Text
    options: dict[str, Any]


class PublishedSurprisal(_Table):
    """Surprisal in the table of responses, one row for each word and model.

    Attributes
    ----------
    column : str
        Of the values.
    key : str
        Column that names the model of a row.
    models : dict of str to str
        Name in results -> value of the column ``key``.
    """

    column: Text
    key: Text
    models: Annotated[dict[Text, Text], Field(min_length=1)]


class Facts(_Table):
    """Facts that an opened data set must meet; anything else is refused.

    Facts that a card does not state are not checked. A count that differs between subjects is given
    as the smallest and the largest: ``n_samples = [62, 81]``.

    Attributes
    ----------
    n_subjects : int
        Subjects that can be used.
    n_samples, n_targets, n_words, n_runs : int or pair of int
        Of each subject.
    n_pairs : int
        Pairs of words.
    n_maps, n_voxels : int or pair of int
        Brain maps, and the voxels (or vertices) of each.
    unit : str
        Unit of the responses.
    sampling_interval : float, optional
        Seconds; for time series.
    n_missing : int or pair of int
        Missing values (NaN) of each subject; 0 where the number of samples is stated and this
        is not.
    """

    n_subjects: Annotated[int, Field(ge=1)] | None = None
    n_samples: Count | None = None
    n_targets: Count | None = None
    n_words: Count | None = None
    n_runs: Count | None = None
    n_pairs: Count | None = None
    n_maps: Count | None = None
    n_voxels: Count | None = None
    unit: Text | None = None
    sampling_interval: Annotated[float, Field(gt=0)] | None = None
    n_missing: Annotated[int, Field(ge=0)] | tuple[int, int] | None = None

    def differences(self, found: dict[str, Any]) -> list[str]:
        """Return a line for each value that differs from the expected one."""
        lines = []
        for name, value in found.items():
            expected = getattr(self, name)
            if name == "n_missing" and expected is None and self.n_samples is not None:
                expected = 0
            if expected is None:
                continue
            if isinstance(expected, tuple) and expected[0] <= value <= expected[1]:
                continue
            if value != expected:
                lines.append(f"{name} is {value!r}, expected {expected!r}")
        return lines


class Card(_Table):
    """A data set: its content, source, reader, citation and known problems.

    A card of your own data needs ``name``, ``modality``, ``languages`` and ``open``.

    Attributes
    ----------
    name, title : str
        Name in calls; title in reports (default: the name).
    modality : str
        One of `brainlm.data.recording.MODALITIES`, or ``"words"`` for a stimulus without responses.
    languages : sequence of str
        Language codes.
    level : {"word", "sentence", "discourse"}
        The longest unit that the stimulus forms. Default: "word" for ratings, "sentence" for
        what has items, "discourse" for time series.
    licence : str
        SPDX name, or words where there is none.
    noncommercial : bool
        Whether the data must not be used commercially; also set where no licence is stated.
    references : sequence of Reference
        What to cite.
    source : DataSource
        Where the files come from.
    folder : sequence of str
        Names that the folder may have under a root; the first is used for fetching. Default: the
        name. The files may also be in the folder of your own card.
    checksums : dict of str to str
        Path in the folder -> SHA-256.
    subjects : sequence of str
        The subjects, where files are not named after them.
    refused : dict of str to str
        Subjects whose files are there and cannot be used, with the reason. They are not listed.
    known_problems, repairs : sequence of str
        Defects of the data; what is changed on the way, which goes into every result.
    unverified : sequence of str
        What the card takes from publications and nobody has compared with the files yet.
    open : Opening
        Reader and options.
    published_surprisal : PublishedSurprisal, optional
        Surprisal that the authors published with the responses (reader ``word-responses``).
    facts : Facts
        Expected numbers.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: Text
    modality: Text
    languages: Annotated[tuple[Text, ...], Field(min_length=1)]
    level: Literal["word", "sentence", "discourse"]
    licence: Text = "not stated"
    noncommercial: bool = True
    references: tuple[Reference, ...] = ()
    source: DataSource = DataSource(how="manual", instructions="Your own data.")
    folder: Annotated[tuple[Inside, ...], Field(min_length=1)]
    checksums: dict[Inside, Sha256] = {}
    subjects: tuple[Text, ...] = ()
    refused: dict[Text, Text] = {}
    known_problems: tuple[Text, ...] = ()
    repairs: tuple[Text, ...] = ()
    unverified: tuple[Text, ...] = ()
    open: Opening
    published_surprisal: PublishedSurprisal | None = None
    facts: Facts = Facts()
    _place: Path | None = PrivateAttr(default=None)

    @property
    def place(self) -> Path | None:
        """Folder of a user's card; None for a shipped card."""
        return self._place

    @model_validator(mode="after")
    def _fits_together(self) -> Card:
        if self.modality not in (*MODALITIES, "words"):
            raise unknown_name("modality", self.modality, (*MODALITIES, "words"))
        if self.open.reader not in READERS:
            raise unknown_name("reader", self.open.reader, READERS)
        if self.options.finds_subjects == bool(self.subjects):
            raise ValueError(
                "give either subjects, or a path with {subject} or a column of subjects in "
                "open.options"
            )
        for path in (*self.options.paths(None), *self.options.paths("s")):
            _stays_inside(str(path))
        unchecked = {Path(member).name for member in self.source.members} - set(self.checksums)
        if unchecked or (self.source.how == "url" and not self.checksums):
            raise ValueError(f"files that are fetched need checksums: {sorted(unchecked)}")
        if self.source.dataset is not None and self.source.dataset not in self.folder:
            raise ValueError(f"folder must name {self.source.dataset}: cards of it share the files")
        if self.published_surprisal is not None and self.open.reader != "word-responses":
            raise ValueError("published_surprisal needs the reader 'word-responses'")
        return self

    @property
    def options(self) -> ReaderOptions:
        """The checked options of the reader."""
        # Through JSON, where a strict model takes a list for a tuple.
        return READERS[self.open.reader].options.model_validate_json(json.dumps(self.open.options))

    @property
    def must_be_accepted(self) -> bool:
        """Whether a stated licence forbids commercial use, so that fetching asks to accept it."""
        return self.noncommercial and "not stated" not in self.licence

    @property
    def kind(self) -> str:
        """Type of the content: ``"responses"``, ``"words"``, ``"pairs"`` or ``"maps"``."""
        return READERS[self.open.reader].kind


def _with_defaults(given: dict[str, Any]) -> dict[str, Any]:
    """Return the entries of a card, those filled in that follow from others."""
    name = given.get("name", "")
    reader = given["open"].get("reader") if isinstance(given.get("open"), dict) else None
    rated = given.get("modality") == "ratings"
    level = "word" if rated else "discourse" if reader in TIMED else "sentence"
    return {"title": name, "folder": [name], "level": level, **given}


def _cards_folder() -> Path:
    package = Path(__file__).parents[1]
    shipped = package / "cards"
    return shipped if shipped.is_dir() else package.parent / "datasets"


def card_names() -> list[str]:
    """Return the names of the data sets that brainlm has cards of, sorted."""
    return sorted(path.stem for path in _cards_folder().glob("*.toml"))


def read_card(name: str | Path) -> Card:
    """Read and check the card of a data set.

    Parameters
    ----------
    name : str or path
        A name from `card_names`, or the path of a card of your own (ending in ``.toml``).

    Raises
    ------
    UnknownNameError
        There is no such data set.
    DataMissingError
        There is no file at this path.
    CorruptDataError
        The card is no TOML, lacks an entry, or has one that is unknown or of the wrong type; the
        message names them all.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if str(name) not in card_names():
            raise unknown_name("data set", str(name), card_names())
        path = _cards_folder() / f"{name}.toml"
    if not path.is_file():
        raise DataMissingError(f"{path}: no such card")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        card = Card.model_validate_json(json.dumps(_with_defaults(content)))
    except ValidationError as error:
        problems = complaints(error, Card.model_fields, "entry")
        raise CorruptDataError(f"{path}: {problems}") from error
    except (ValueError, TypeError) as error:  # no UTF-8, no TOML, or a date
        raise CorruptDataError(f"{path}: not a TOML card ({error})") from error
    if card.name != path.stem:
        raise CorruptDataError(f"{path}: name is {card.name!r}, the file is {path.stem!r}")
    if path.parent != _cards_folder():
        card._place = path.absolute().parent
    return card

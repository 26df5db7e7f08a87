"""Common steps of the readers: options from a card, encoded text, numbers, subjects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self, TypeGuard

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from brainlm._validation import named_subject
from brainlm.errors import CorruptDataError, DataMissingError, complaints, unknown_name
from brainlm.storage.downloads import check_content

# A list in TOML and in Python, kept as a tuple.
Names = Annotated[tuple[str, ...], Field(strict=False)]

# float() alone would also take "nan", "inf", "1_000" and digits of other scripts.
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


class ReaderOptions(BaseModel):
    """Options of a reader: strictly typed, no unknown keys, read-only."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @classmethod
    def of(cls, options: Mapping[str, Any], *, strict: bool | None = False) -> Self:
        """Return checked options; raise ValueError with one line that names every fault."""
        try:
            return cls.model_validate(dict(options), strict=strict)
        except ValidationError as error:
            problems = complaints(error, cls.model_fields)
            raise ValueError(f"{cls.__name__}: {problems}") from None

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the files that are read, relative to the folder of the data set.

        The file with the responses comes first. With ``subject=None`` only those that all
        subjects share.
        """
        raise NotImplementedError

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the files that are read for a subject, as found in the folder."""
        return self.paths(subject)

    @property
    def finds_subjects(self) -> bool:
        """Whether the files name the subjects (then the card does not list them)."""
        return getattr(self, "pattern", None) is not None

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects that the files in the folder of the data set name, sorted."""
        return subjects_in(folder, getattr(self, "pattern", ""))


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Prefix a ValueError raised by the core classes with ``path``."""
    try:
        yield
    except CorruptDataError:
        raise
    except ValueError as error:
        raise CorruptDataError(f"{path}: {error}") from error


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8 (with or without a mark) or marked UTF-16.

    Raises
    ------
    DataMissingError, CorruptDataError
        See `brainlm.storage.downloads.check_content`; also when the bytes are in another encoding.
    """
    content = check_content(path).read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise CorruptDataError(
            f"{path}: not {encoding} text (byte {error.start}: {error.reason}); "
            "convert it to UTF-8, or fetch it again if it was broken on the way"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises
    ------
    CorruptDataError
        It is no JSON, nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise CorruptDataError(f"{path}: no JSON that can be read ({error})") from error


def is_json_number(value: Any) -> TypeGuard[float]:
    """Return whether a value from JSON is a number that a double can hold; true is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 1e300


def parse_number(cell: Any) -> float:
    """Return a cell of a table as a number; raise ValueError for anything else."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, str) and NUMBER.fullmatch(cell.strip()):
        return float(cell)
    raise ValueError(f"{cell!r} is not a number")


def subjects_in(folder: Path, pattern: str) -> list[str]:
    """Return the subjects whose files match ``pattern``, which holds ``{subject}``, sorted."""
    if "{subject}" not in pattern:
        raise ValueError(f"pattern must hold '{{subject}}', got {pattern!r}")
    head, *rest = map(re.escape, pattern.split("{subject}"))
    # Where the subject is named twice (sub-01/sub-01_bold.txt) both must agree.
    expression = re.compile(head + r"(?P<subject>[^/]+)" + "(?P=subject)".join(rest))
    found = (path.relative_to(folder) for path in folder.glob(pattern.replace("{subject}", "*")))
    matches = (expression.fullmatch(path.as_posix()) for path in found)
    return sorted({match["subject"] for match in matches if match})


def check_subject(folder: Path, pattern: str, subject: str | None) -> str:
    """Return ``subject`` when there is a file of it; raise with the choices otherwise."""
    choices = subjects_in(folder, pattern)
    if not choices:
        raise DataMissingError(f"{folder}: no file matches {pattern!r}")
    if subject is None:
        raise ValueError(f"subject is needed to read {folder}; choices: {', '.join(choices)}")
    subject = str(named_subject(subject, choices))
    if subject not in choices:
        raise unknown_name("subject", subject, choices)
    return subject

"""Word times of a story without responses: tables or TextGrids, one per section."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.io.files import Names, ReaderOptions, naming
from brainlm.io.run_files import find_runs
from brainlm.io.sheets import Sheet, read_sheet
from brainlm.io.textgrid import SILENCES, read_intervals


class WordTimesOptions(ReaderOptions):
    """Options of `read_word_times`.

    Attributes
    ----------
    files : sequence of str
        Tables, or TextGrids (``.TextGrid``), in the order of the story. Each is a run, unless
        ``run`` names a column. A single path with ``{run}`` in it stands for a file per run.
    runs : sequence of str
        Names of the runs, one per file. Default: the parts of the file names that match ``{run}``,
        else 1, 2, ...
    language : str
        Language code.
    word, onset, offset : str
        Columns of a table; times in seconds.
    header : sequence of str
        Names of the columns of tables without a header.
    required : sequence of str
        Rows in which one of these columns is empty are left out, such as words that a forced
        aligner did not find.
    run : str, optional
        Column that names the run of a row, where one table holds several.
    tier : str, optional
        Tier of a TextGrid with the words. Default: the only one.
    skip : sequence of str
        Entries that are not words (silences, punctuation). ``""`` is an empty cell.
    speaker : str, optional
        Column with the speaker of each word.
    overlap : {"refuse", "allow"}
        Whether words may overlap, as in talk; they are then put in the order of their onsets.
    shift : float
        Seconds that are added to all times (a declared repair).
    """

    files: Annotated[Names, Field(min_length=1)]
    runs: Names = ()
    language: str
    word: str = "word"
    onset: str = "onset"
    offset: str = "offset"
    header: Names = ()
    required: Names = ()
    run: str | None = None
    tier: str | None = None
    skip: Names = SILENCES
    speaker: str | None = None
    overlap: Literal["refuse", "allow"] = "refuse"
    shift: float = 0.0

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the files."""
        if len(self.files) == 1 and "{run}" in self.files[0]:
            return tuple(self.files[0].replace("{run}", run) for run in self.runs)
        return self.files


def word_files(options: dict[str, Any], language: str) -> tuple[str, ...]:
    """Return the files that options of `read_word_times` name; none for no options."""
    if not options:
        return ()
    return WordTimesOptions.of({**options, "language": language}).paths(None)


def read_word_times(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, None]:
    """Read the words of a story with their times.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str, optional
        Not used: everyone hears the same story.
    **options
        See `WordTimesOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words with times from the start of their run; one text per run.
    recording : None

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, or its words overlap or are out of order.
    """
    given = WordTimesOptions.of(options)
    if given.files[0].count("{run}") and not given.runs:
        there = tuple(run for _, run in find_runs(Path(folder), given.files[0]))
        if not there:
            raise DataMissingError(f"{folder}: no file matches {given.files[0]!r}")
        given = given.model_copy(update={"runs": there})
    paths = [Path(folder) / name for name in given.paths(None)]
    runs = given.runs or tuple(str(i + 1) for i in range(len(paths)))
    if not paths or len(runs) != len(paths):
        raise ValueError(f"runs: {len(runs)} names for {len(paths)} files; give one per file")
    rows = []
    for path, run in zip(paths, runs, strict=True):
        rows += _read_words(path, run, given)
    words, onset, offset, run_of_word, speaker = zip(*rows, strict=True)
    with naming(paths[0] if len(paths) == 1 else Path(folder)):
        return Stimulus(
            words,
            given.language,
            onset=[start + given.shift for start in onset],
            duration=[end - start for start, end in zip(onset, offset, strict=True)],
            run=run_of_word,
            speaker=None if given.speaker is None else speaker,
            overlap=given.overlap,
        ), None


def _read_words(
    path: Path, run: str, given: WordTimesOptions
) -> list[tuple[str, float, float, str, str]]:
    """Return (word, onset, offset, run, speaker) of the entries that are words."""
    if path.suffix == ".TextGrid":
        entries = [(i.label, i.start, i.end, run, "") for i in read_intervals(path, given.tier)]
    else:
        sheet, _ = read_sheet(path, header=given.header).filled(*given.required)
        entries = list(
            zip(
                _cells(sheet, given.word),
                sheet.numbers(given.onset).tolist(),
                sheet.numbers(given.offset).tolist(),
                [run] * len(sheet.rows) if given.run is None else sheet.texts(given.run),
                [""] * len(sheet.rows) if given.speaker is None else sheet.texts(given.speaker),
                strict=True,
            )
        )
    skipped = {"", *given.skip}
    words = [entry for entry in entries if entry[0] not in skipped]
    if not words:
        raise CorruptDataError(f"{path}: holds no words besides {sorted(skipped)}")
    if given.overlap == "allow":  # runs stay in the order of the file
        order = {name: i for i, name in enumerate(dict.fromkeys(entry[3] for entry in words))}
        words.sort(key=lambda entry: (order[entry[3]], entry[1]))
    return words


def _cells(sheet: Sheet, name: str) -> list[str]:
    position = sheet.position(name)
    return [str(row[position]).strip() for row in sheet.rows]

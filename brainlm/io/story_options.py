"""Options of the reader of stories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from brainlm.errors import CorruptDataError, unknown_name
from brainlm.io.files import Names, ReaderOptions, subjects_in
from brainlm.io.parts import PLACE, in_part, parts_in
from brainlm.io.story_words import StoryWordsOptions
from brainlm.io.textgrid import SILENCES


class StoriesOptions(ReaderOptions):
    """Options of `brainlm.io.read_stories`.

    Attributes
    ----------
    pattern : str
        Path of the HDF5 file (or MATLAB file, ``.mat``) of a story, with ``{subject}`` and
        ``{story}`` in it, and ``{region}`` where there is a file per region. ``{part}/`` in front
        of it and of the paths of words and lengths stands for the folders of fixed parts
        (`brainlm.io.parts`), each of which has stories of its own.
    keys : sequence of str
        Names that the data set in the file may have; shape (n_samples, n_targets).
    targets_first : bool
        Whether its shape is (n_targets, n_samples) instead, as MATLAB shows it.
    regions : sequence of str
        What stands for ``{region}``; targets are then named "region 1", "region 2", ...
    words : str, optional
        Path of the words of a story, with ``{story}`` in it: a TextGrid, or a table.
    text : StoryWordsOptions, optional
        Instead of ``words``: the files of the text, its word ends and which words were heard.
    word_columns : dict
        For a table: ``word``, ``onset``, ``offset`` and other options of
        `brainlm.io.read_word_times`.
    language : str
        Language code.
    stories : sequence of str
        Stories, in order. Default: those that the subject has a file of, by name.
    without : dict of str to sequence of str
        Subject -> stories that this subject does not have (declared; noted).
    first_sample, sampling_interval : float
        Seconds: sample k was taken at ``first_sample + k * sampling_interval`` of the story.
    counts : str, optional
        JSON file of story -> number of samples before trimming.
    trimmed : int
        Samples that were cut off before saving, of those in ``counts``.
    lengths, lengths_key : str, optional
        MATLAB file of each story and its variable with one row or column, as long as the features
        that the authors made. Stories whose responses have another length are noted.
    tier, skip
        As in `brainlm.io.textgrid.read_textgrid`.
    unit : str
        Unit of the responses.
    """

    pattern: str
    keys: Annotated[Names, Field(min_length=1)] = ("data",)
    targets_first: bool = False
    regions: Names = ()
    words: str | None = None
    text: StoryWordsOptions | None = None
    word_columns: dict[str, Any] = Field(default_factory=dict)
    language: str
    stories: Names = ()
    without: dict[str, Names] = Field(default_factory=dict)
    first_sample: float
    sampling_interval: Annotated[float, Field(gt=0)]
    counts: str | None = None
    trimmed: int = 0
    lengths: str | None = None
    lengths_key: str = "word_feature"
    tier: str | None = None
    skip: Names = SILENCES
    unit: str

    @model_validator(mode="after")
    def _has_words(self) -> StoriesOptions:
        if (self.words is None) == (self.text is None):
            raise ValueError("give either words (a table or TextGrid) or text (files of the words)")
        return self

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with at least one story (in every part), sorted."""
        each = []
        for part in self.parts(folder):
            own = [self.files("{subject}", story, part)[0] for story in self.stories or ("",)]
            if self.stories:
                each.append({s for pattern in own for s in subjects_in(folder, pattern)})
            else:
                head = own[0].partition("{subject}")[0]
                each.append({p.name for p in (folder / head).glob("*") if p.is_dir()})
        return sorted(set.intersection(*each))

    def parts(self, folder: Path) -> tuple[str, ...]:
        """Return the parts that are in the folder; ``("",)`` for a data set without parts."""
        return parts_in(folder) if PLACE in self.pattern else ("",)

    def files(self, subject: str, story: str, part: str = "") -> tuple[str, ...]:
        """Return the file of a story, or one per region."""
        path = in_part(self.pattern, part).replace("{subject}", subject).replace("{story}", story)
        return tuple(path.replace("{region}", region) for region in self.regions or ("",))

    def word_files(self, story: str, part: str = "") -> tuple[str, ...]:
        """Return the files with the words of a story, and its length."""
        own = (self.words,) if self.text is None else self.text.patterns
        return tuple(
            in_part(path, part).replace("{story}", story) for path in (*own, self.lengths) if path
        )

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the responses and the words of the subject's stories, and the counts."""
        stories = stories_of(folder, self, subject)
        shared = (self.counts,) if self.counts else ()
        own = (path for part, story in stories for path in self.files(subject, story, part))
        words = (path for part, story in stories for path in self.word_files(story, part))
        return (*own, *shared, *words)

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the files of the subject's stories, where the options name the stories."""
        if PLACE in self.pattern:
            return ()
        shared = (self.counts,) if self.counts else ()
        words = tuple(path for story in self.stories for path in self.word_files(story))
        own: tuple[str, ...] = ()
        if subject is not None:
            left_out = self.without.get(subject, ())
            stories = [story for story in self.stories if story not in left_out]
            own = tuple(path for story in stories for path in self.files(subject, story))
        return (*own, *shared, *words)


def stories_of(folder: Path, given: StoriesOptions, subject: str | None) -> list[tuple[str, str]]:
    """Return (part, story) of the subject's stories; numbered ones of a part by number."""
    choices = given.subjects(folder)
    if subject not in choices:
        raise unknown_name("subject", subject, choices)
    left_out = given.without.get(str(subject), ())
    stories = []
    for part in given.parts(folder):
        found = subjects_in(folder, given.files(str(subject), "{subject}", part)[0])
        if part:
            found = sorted(found, key=lambda story: (len(story), story))
            own = [s for s in given.stories or found if s in found]
        else:
            own = list(given.stories) or found
        stories += [(part, story) for story in own if story not in left_out]
    names = [story for _, story in stories]
    if not stories:
        raise CorruptDataError(f"{folder}: subject {subject!r} has no story")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CorruptDataError(
            f"{folder}: story {twice!r} is in several parts: what trains cannot test"
        )
    return stories

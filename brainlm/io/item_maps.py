"""Brain maps of words or sentences, such as those of a GLM, as responses to items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydantic import model_validator

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.io.files import ReaderOptions, check_subject, naming, read_text, subjects_in
from brainlm.io.images import ImageSeries, load_image, open_cifti, open_volumes
from brainlm.storage.downloads import check_content
from brainlm.storage.long_recordings import stack_blocks


class ItemMapsOptions(ReaderOptions):
    """Options of `read_item_maps`.

    Attributes
    ----------
    pattern : str
        Path with ``{subject}`` in it: of the map of an item, with ``{item}`` in it, too; or of one
        image with a volume (or a CIFTI row) per item, in the order of ``labels_file``.
    mask : str, optional
        Path of the mask of volumes; may hold ``{subject}``.
    labels_file : str
        Text file with an item per line. With ``{item}``: "name word" in each line, separated by a
        tab, where maps are not named by their words.
    language, unit : str
        As in `Stimulus` and `Recording`.
    """

    pattern: str
    mask: str | None = None
    labels_file: str
    language: str
    unit: str

    @model_validator(mode="after")
    def _is_complete(self) -> ItemMapsOptions:
        if self.pattern.endswith(".dtseries.nii") == (self.mask is not None):
            raise ValueError("mask belongs to volumes: give it for them, and only for them")
        return self

    def subjects(self, folder: Path) -> list[str]:
        """Return the subjects with at least one map, sorted."""
        pattern = self.pattern
        if "{item}" in pattern:
            if not (folder / self.labels_file).is_file():
                return []
            pattern = pattern.replace("{item}", _labels(folder, self)[0][0])
        return subjects_in(folder, pattern)

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the shared files, and the image of the subject where it is one."""
        mask = () if self.mask is None else (self.mask,)
        shared = tuple(name for name in (self.labels_file, *mask) if "{subject}" not in name)
        if subject is None or "{item}" in self.pattern:
            return shared
        return (self.pattern.replace("{subject}", subject), *shared)

    def found_files(self, folder: Path, subject: str) -> tuple[str, ...]:
        """Return the maps of the subject, the mask and the labels."""
        pattern = self.pattern.replace("{subject}", subject)
        names = [pattern]
        if "{item}" in pattern:
            names = [pattern.replace("{item}", name) for name, _ in _labels(folder, self)]
        mask = () if self.mask is None else (self.mask.replace("{subject}", subject),)
        return (*names, *mask, self.labels_file)


def read_item_maps(
    folder: Path | str, subject: str | None = None, **options: Any
) -> tuple[Stimulus, Recording]:
    """Read the words (or sentences) and the map of each.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str
        As in the file names.
    **options
        See `ItemMapsOptions`.

    Returns
    -------
    stimulus : Stimulus
        Words without times; each label is a text and a sentence.
    recording : Recording
        Shape (n_items, n_voxels). Many maps are mapped from the cache
        (`brainlm.storage.long_recordings`).

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, has another grid, or there are more or fewer maps than labels.
    UnknownNameError
        There is no such subject.
    """
    given = ItemMapsOptions.of(options, strict=None)
    folder = Path(folder)
    labels = _labels(folder, given)
    subject = check_subject(folder, given.pattern.replace("{item}", labels[0][0]), subject)
    paths = [folder / name for name in given.found_files(folder, subject)]
    images = paths[: len(labels)] if "{item}" in given.pattern else paths[:1]
    mask = None if given.mask is None else folder / given.mask.replace("{subject}", subject)
    series = [_open(path, mask) for path in images]
    n_maps = sum(each.n_samples for each in series)
    if n_maps != len(labels) or not all(each.same_targets(series[0]) for each in series):
        raise CorruptDataError(
            f"{images[0]}: {n_maps} maps for {len(labels)} labels ({given.labels_file}), or of "
            "different voxels"
        )
    blocks = (block for each in series for block in each.blocks())
    key = (series[0].names, given)
    words = [(word, label) for _, label in labels for word in label.split()]
    with naming(images[0]):
        stimulus = Stimulus(
            [word for word, _ in words], given.language, text=[label for _, label in words]
        )
        recording = Recording(
            stack_blocks(blocks, (n_maps, len(series[0].targets)), images, key),
            targets=series[0].targets,
            modality="fmri",
            unit=given.unit,
            items=[label for _, label in labels],
            subject=subject,
        )
    return stimulus, recording


def _labels(folder: Path, given: ItemMapsOptions) -> list[tuple[str, str]]:
    """Return (name in the path, label) of each item."""
    path = folder / given.labels_file
    lines = [line.strip() for line in read_text(path).split("\n") if line.strip()]
    pairs = [(line.split("\t")[0].strip(), line.split("\t")[-1].strip()) for line in lines]
    labels = [label for _, label in pairs]
    if not labels or len(set(labels)) < len(labels):
        twice = next((label for label in labels if labels.count(label) > 1), "")
        raise CorruptDataError(f"{path}: no labels, or a label comes twice: {twice!r}")
    return pairs


def _open(path: Path, mask: Path | None) -> ImageSeries:
    import nibabel as nib

    check_content(path)
    try:
        if mask is None:
            return open_cifti(path)
        image = load_image(path)
        if len(image.shape) == 3:  # one map
            values = np.asanyarray(image.dataobj)[..., None]
            single = nib.Nifti1Image(values, image.affine, dtype=values.dtype)
            single.set_filename(str(path))
            image = single
        return open_volumes(image, load_image(check_content(mask)))
    except (CorruptDataError, DataMissingError):
        raise
    except Exception as error:  # a broken image can raise nearly anything
        raise CorruptDataError(f"{path}: not a readable map ({error}); fetch it again") from error

"""Brain maps: NIfTI volumes, FreeSurfer surfaces, and vectors over a mask saved with joblib."""

from __future__ import annotations

import gzip
import io
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from brainlm.data.brain_maps import BrainMaps
from brainlm.errors import CorruptDataError
from brainlm.io.files import Names, ReaderOptions, check_subject, naming
from brainlm.storage.downloads import check_content

LARGEST = 1 << 31  # bytes of one unpacked array; maps are read whole


class MapsOptions(ReaderOptions):
    """Options of `read_maps`.

    Attributes
    ----------
    files : sequence of str
        NIfTI (``.nii``, ``.nii.gz``) or FreeSurfer (``.mgh``, ``.mgz``) files, a map each; or one
        joblib file (``.gz``) with an array of shape (n_maps, n_voxels) over ``mask``.
    pattern : str, optional
        Instead of ``files``: path of a subject's map, with ``{subject}`` in it.
    names : sequence of str
        Names of the maps. Default: the names of the files.
    unit : str
        Unit of the values; ``"label"`` for parcels.
    mask : str, optional
        NIfTI file; voxels above 0 are kept. Default: voxels that are not 0 in some map.
    shape : sequence of int
        Grid that every volume must have.
    labels : dict of str to str
        For parcels: number -> name.
    """

    files: Names = ()
    pattern: str | None = None
    names: Names = ()
    unit: str
    mask: str | None = None
    shape: tuple[int, ...] = Field(default=(), strict=False)
    labels: dict[str, str] = Field(default_factory=dict)

    def paths(self, subject: str | None) -> tuple[str, ...]:
        """Return the maps and the mask."""
        own = (self.pattern.replace("{subject}", subject),) if self.pattern and subject else ()
        return (*own, *self.files, *((self.mask,) if self.mask else ()))


def read_maps(folder: Path | str, subject: str | None = None, **options: Any) -> BrainMaps:
    """Read brain maps that share one grid.

    Parameters
    ----------
    folder : path
        Folder of the data set.
    subject : str, optional
        The subject, as named in the files.
    **options
        See `MapsOptions`.

    Raises
    ------
    DataMissingError, CorruptDataError
        A file is missing or broken, has another grid, or holds values that are not finite.
    UnknownNameError
        There is no such subject.
    """
    given = MapsOptions.of(options, strict=None)
    folder = Path(folder)
    files = given.files
    if given.pattern is not None:
        files = (given.pattern.replace("{subject}", check_subject(folder, given.pattern, subject)),)
    paths = [folder / name for name in files]
    mask: Any = None
    affine: Any = None
    if given.mask:
        mask, affine = read_volume(folder / given.mask)
    if paths[0].suffix == ".gz" and not paths[0].name.endswith(".nii.gz"):
        data = read_joblib_array(paths[0])
    else:
        volumes = [read_volume(path) for path in paths]
        affine = volumes[0][1] if affine is None else affine
        for path, (volume, its_affine) in zip(paths, volumes, strict=True):
            _check_grid(path, volume, its_affine, volumes[0][0].shape, affine, given.shape)
        stacked = np.stack([volume for volume, _ in volumes])
        mask = stacked.any(axis=0) if mask is None else mask
        data = stacked[:, mask > 0]
    if mask is None:
        raise CorruptDataError(f"{paths[0]}: holds vectors: name the mask of their voxels")
    default = [path.name.split(".")[0] for path in paths]
    if len(default) != len(data):
        default = [str(i + 1) for i in range(len(data))]
    with naming(paths[0]):
        return BrainMaps(
            data,
            names=given.names or default,
            mask=mask > 0,
            unit=given.unit,
            affine=affine,
            labels={int(number): name for number, name in given.labels.items()},
            subject=subject or "group",
        )


def read_volume(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values of one 3-D volume or one surface, and the affine of a volume.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing or broken, or holds more than one volume.
    """
    import nibabel as nib

    check_content(path)
    try:
        image: Any = _surface(path) if path.suffix in (".mgh", ".mgz") else nib.load(path)
        n_bytes = int(np.prod(image.shape, dtype=float)) * image.get_data_dtype().itemsize
        if n_bytes > LARGEST:
            raise ValueError(f"its header declares {n_bytes} bytes")
        data = np.asanyarray(image.dataobj)
    except Exception as error:  # a broken header can raise nearly anything
        raise CorruptDataError(f"{path}: not a readable image ({error}); fetch it again") from error
    data = np.squeeze(data)
    if data.ndim == 1:
        return data, None
    if data.ndim != 3:
        raise CorruptDataError(f"{path}: expected one volume, got shape {image.shape}")
    return data, np.asarray(image.affine)


def _surface(path: Path) -> Any:
    """Return a FreeSurfer image; nibabel's own loading leaves its file open."""
    import nibabel as nib

    with gzip.open(path) if path.suffix == ".mgz" else open(path, "rb") as file:
        content = file.read(LARGEST)
    return nib.MGHImage.from_bytes(content)


def _check_grid(
    path: Path,
    volume: np.ndarray,
    affine: np.ndarray | None,
    shape: tuple[int, ...],
    expected: np.ndarray | None,
    declared: tuple[int, ...],
) -> None:
    wanted = declared or shape
    if volume.shape != wanted:
        raise CorruptDataError(
            f"{path}: grid of {volume.shape} voxels, expected {wanted}: it is in another space; "
            "resample it first (nilearn.image.resample_to_img), or leave it out"
        )
    if affine is not None and expected is not None and not np.allclose(affine, expected, atol=1e-3):
        raise CorruptDataError(f"{path}: its affine differs from that of the other maps")


def read_joblib_array(path: Path) -> np.ndarray:
    """Read one numeric array that joblib saved, without running the pickle around it.

    The pickle before the array is only tokenised: shape, order and type are taken from it, and the
    bytes after it are the array.

    Raises
    ------
    DataMissingError, CorruptDataError
        The file is missing, broken, or holds anything but one array.
    """
    check_content(path)
    try:
        with gzip.open(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it unpacks to more than {LARGEST} bytes")
        return _joblib_array(content)
    except Exception as error:  # broken compression or a broken pickle can raise nearly anything
        raise CorruptDataError(f"{path}: not an array saved by joblib ({error})") from error


def _joblib_array(content: bytes) -> np.ndarray:
    strings: list[str] = []
    numbers: list[int] = []  # since the key "shape"
    stream = io.BytesIO(content)
    for opcode, argument, _ in pickletools.genops(stream):
        if isinstance(argument, str):
            strings.append(argument)
        elif opcode.name in ("BININT", "BININT1", "BININT2", "LONG1") and strings[-1:] == ["shape"]:
            numbers.append(int(str(argument)))
        if opcode.name == "BUILD" and "numpy_array_alignment_bytes" in strings:
            break
    else:
        raise ValueError("no array follows the pickle")
    if strings[:2] != ["joblib.numpy_pickle", "NumpyArrayWrapper"]:
        raise ValueError(f"it holds {'.'.join(strings[:2])}")
    code = next(s for s in strings[strings.index("dtype") :] if s in ("f8", "f4"))
    order = strings[strings.index("order") + 1]
    if "<" not in strings or order not in ("C", "F") or len(numbers) > 3:
        raise ValueError(f"an array of type {code}, order {order}, shape {numbers}")
    n_padding = content[stream.tell()]
    raw = content[stream.tell() + 1 + n_padding :]
    flat = np.frombuffer(raw[: int(np.prod(numbers)) * int(code[1])], dtype=f"<{code}")
    return flat.reshape(numbers, order=order)  # type: ignore[call-overload]

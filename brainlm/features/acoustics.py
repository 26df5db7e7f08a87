"""Acoustic features of speech: the envelope and the log-mel spectrogram, in frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from brainlm.data.sound import Frames, Sound
from brainlm.errors import CorruptDataError, DataMissingError

WINDOW = 0.025  # seconds
STEP = 0.01  # seconds
LOWEST = 50.0  # Hz
HIGHEST = 8000.0  # Hz
SOUNDS = (".wav", ".flac", ".ogg", ".mp3")
FLOOR = 1e-10  # of the power, against the logarithm of silence


def read_sound(path: Path | str) -> Sound:
    """Read a sound file: WAV, or with ``pip install 'brainlm[sound]'`` FLAC, OGG and MP3.

    Channels are averaged.

    Parameters
    ----------
    path : path

    Raises
    ------
    DataMissingError
        There is no such file.
    CorruptDataError
        It is no sound of a known format, or holds no samples.
    """
    path = Path(path)
    if not path.is_file():
        raise DataMissingError(f"{path}: there is no such sound file")
    try:
        samples, rate = _soundfile(path)
    except ImportError:
        samples, rate = _wave(path)
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if not len(samples) or not np.isfinite(samples).all():
        raise CorruptDataError(f"{path}: the sound has no samples, or some that are not finite")
    return Sound(samples, float(rate))


def read_sounds(folder: Path | str, runs: Sequence[str]) -> dict[str, Sound]:
    """Read the sound of each run: the file with its name, or the only one of the folder.

    Parameters
    ----------
    folder : path
        Of sound files named RUN.wav (or another format, see `read_sound`).
    runs : sequence of str
        Runs of the recording.

    Raises
    ------
    DataMissingError
        A run has no file, or several.
    """
    folder = Path(folder)
    files = [f for f in sorted(folder.glob("*")) if f.suffix.lower() in SOUNDS]
    sounds = {}
    for run in runs:
        own = [f for f in files if f.stem == run] or (files if len(runs) == 1 else [])
        if len(own) != 1:
            names = ", ".join(f.name for f in files) or "no sound files"
            raise DataMissingError(
                f"{folder}: run {run!r} needs one sound, named {run}.wav; found {names}"
            )
        sounds[run] = read_sound(own[0])
    return sounds


def _soundfile(path: Path) -> tuple[np.ndarray, float]:
    import soundfile

    try:
        return soundfile.read(path, dtype="float32")
    except soundfile.LibsndfileError as error:
        raise CorruptDataError(f"{path}: no sound file that can be read ({error})") from error


def _wave(path: Path) -> tuple[np.ndarray, float]:
    from scipy.io import wavfile

    if path.suffix.lower() != ".wav":
        raise DataMissingError(
            f"{path}: only WAV files are read without the package soundfile: pip install "
            "'brainlm[sound]', or convert the sound to WAV"
        )
    try:
        rate, samples = wavfile.read(path)
    except (ValueError, EOFError) as error:
        raise CorruptDataError(f"{path}: no WAV file that can be read ({error})") from error
    if samples.dtype.kind == "f":
        return samples, rate
    scale = np.iinfo(samples.dtype).max + 1.0
    middle = scale / 2 if samples.dtype.kind == "u" else 0.0
    return (samples - middle) / (scale - middle), rate


def sound_envelope(sound: Sound) -> Frames:
    """Return the envelope: the root mean square of each window of 25 ms, every 10 ms.

    ::

        e_k = sqrt(mean_t x_t^2),    t in window k

    Parameters
    ----------
    sound : Sound

    Returns
    -------
    Frames, values of shape (n_frames, 1)
        A sine of amplitude a has a / sqrt(2).
    """
    windows, times = _windows(sound)
    return Frames("envelope", np.sqrt(np.square(windows).mean(axis=1, keepdims=True)), times)


def log_mel(sound: Sound, n_bands: int = 16) -> Frames:
    """Return the log-mel spectrogram in windows of 25 ms, every 10 ms.

    ::

        m_kb = log10(1e-10 + sum_f W_bf |X_kf|^2)

    X is the Fourier transform of a Hann window whose squares sum to 1. W are triangles of height 1,
    evenly spaced in mel, ``2595 log10(1 + f / 700)``, from 50 Hz to 8 kHz or half the rate.

    Parameters
    ----------
    sound : Sound
    n_bands : int

    Returns
    -------
    Frames, values of shape (n_frames, n_bands)

    Raises
    ------
    ValueError
        More bands than the window resolves.
    """
    windows, times = _windows(sound)
    taper = np.hanning(windows.shape[1] + 2)[1:-1]
    taper /= np.sqrt(np.square(taper).sum())
    length = 1 << int(np.ceil(np.log2(windows.shape[1])))
    weights = mel_bands(np.fft.rfftfreq(length, 1 / sound.rate), n_bands)
    values = np.empty((len(windows), n_bands))
    for start in range(0, len(windows), 1024):  # windows overlap: a copy of all takes much memory
        part = windows[start : start + 1024] * taper
        power = np.square(np.abs(np.fft.rfft(part, length, axis=1)))
        values[start : start + 1024] = np.log10(FLOOR + power @ weights.T)
    return Frames("log-mel spectrogram", values, times)


def mel_bands(frequencies: np.ndarray, n_bands: int) -> np.ndarray:
    """Return triangular weights of frequencies, (n_bands, n_frequencies); see `log_mel`.

    Parameters
    ----------
    frequencies : array of shape (n_frequencies,)
        Hz, rising.
    n_bands : int
    """
    low, high = 2595 * np.log10(1 + np.array([LOWEST, min(HIGHEST, frequencies[-1])]) / 700)
    corners = 700 * (10 ** (np.linspace(low, high, n_bands + 2) / 2595) - 1)
    low, middle, high = (corners[i : i + n_bands, None] for i in range(3))
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    weights = np.clip(np.minimum(rising, falling), 0, None)
    if not weights.any(axis=1).all():
        raise ValueError(
            f"n_bands = {n_bands} is too many for frequencies that are "
            f"{frequencies[1] - frequencies[0]:.3g} Hz apart: use fewer bands"
        )
    return weights


def _windows(sound: Sound) -> tuple[Any, np.ndarray]:
    """Overlapping windows of a sound, (n_frames, n_samples), and their middles."""
    length, step = round(WINDOW * sound.rate), round(STEP * sound.rate)
    if len(sound.samples) < length or step < 1:
        raise ValueError(
            f"a sound of {len(sound.samples)} samples at {sound.rate:g} Hz is shorter than a "
            f"window of {WINDOW * 1000:g} ms"
        )
    windows = np.lib.stride_tricks.sliding_window_view(sound.samples, length)[::step]
    return windows, (np.arange(len(windows)) * step + length / 2) / sound.rate

"""Small MEG and EEG recordings with a spike at each word, and the tables of their events."""

from __future__ import annotations

import wave

import mne
import numpy as np

RATE = 100.0
FIRST = 250  # samples from the start of the acquisition to the first one of the file
SPIKE = 1e-10


def make_raw(onsets, seconds=12.0, kind="mag", n_channels=3):
    """Noise with a spike of k * SPIKE in the first channel at the k-th onset."""
    names = [f"MEG {i + 1:03d}" for i in range(n_channels)]
    info = mne.create_info([*names, "STI 014"], RATE, [kind] * n_channels + ["stim"])
    for i, channel in enumerate(info["chs"]):
        channel["loc"][:3] = 0.1, 0.01 * i, 0
    data = np.random.default_rng(0).normal(size=(n_channels + 1, round(seconds * RATE))) * 1e-14
    data[-1] = 0
    for k, onset in enumerate(onsets, start=1):
        data[0, round(onset * RATE)] = k * SPIKE
    return mne.io.RawArray(data, info, first_samp=FIRST, verbose="error")


def save_raw(path, onsets, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    make_raw(onsets, **options).save(path, overwrite=True, verbose="error")


def save_events(path, rows, header="onset\tduration\ttrial_type"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")


def save_sound(path, seconds, rate=1000):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(b"\0\0" * round(seconds * rate))

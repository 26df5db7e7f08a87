"""SpeechModel: hidden states of speech models over time, without hearing the future."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._progress import bar, step
from brainlm.compute.backend import check_device
from brainlm.data.sound import Frames, Sound
from brainlm.language_models import loading
from brainlm.language_models.sources import find_source
from brainlm.language_models.windows import choose_layers

SHORTEST = 0.1  # seconds: less sound gives these networks no frame


class SpeechModel:
    """A pretrained speech model that turns a sound into features over time.

    Parameters
    ----------
    name : str or Path
        A Hugging Face id or a folder of wav2vec 2.0, HuBERT, WavLM or Whisper (its encoder).
    device, dtype : str
        As in `brainlm.LanguageModel`.
    batch_size : int
        Windows per forward pass.
    untrained : int, optional
        Seed of an untrained twin.

    Raises
    ------
    ValueError
        The model is none of these.

    Notes
    -----
    These networks hear a whole input at once. Each moment therefore gets a separate input that ends
    there, so that nothing of the future is heard.

    Examples
    --------
    >>> model = brainlm.SpeechModel("openai/whisper-tiny")  # doctest: +SKIP
    >>> layers = model.embed(sound, rate=16_000, layers=[2, 4])  # doctest: +SKIP
    """

    def __init__(
        self,
        name: str | Path,
        *,
        device: str = "cpu",
        dtype: str = "float32",
        batch_size: int = 8,
        untrained: int | None = None,
    ) -> None:
        from transformers import AutoConfig, AutoFeatureExtractor

        self.device = check_device(device)
        self.dtype = loading.dtype_on(self.device, dtype)
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self.batch_size = batch_size
        self.source = find_source(name).twin(untrained)
        self.config = AutoConfig.from_pretrained(self.source.folder, trust_remote_code=False)
        if self.config.model_type not in loading.SPEECH:
            raise ValueError(
                f"{name}: {self.config.model_type!r} is no speech model that brainlm reads "
                f"({', '.join(loading.SPEECH)})"
            )
        self.extractor = AutoFeatureExtractor.from_pretrained(
            self.source.folder, local_files_only=True
        )

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.source.name

    @property
    def n_layers(self) -> int:
        """Number of layers; layer 0 is the input of the first one."""
        return int(getattr(self.config, "encoder_layers", 0) or self.config.num_hidden_layers)

    @cached_property
    def network(self) -> Any:
        """The torch module; of Whisper, the encoder."""
        with step(f"load {self.name}"):
            return loading.load_network(self.source, device=self.device, dtype=self.dtype)

    def embed(
        self,
        sound: Sound,
        layers: Any = "all",
        *,
        window: float = 16.0,
        step: float = 0.1,
        progress: bool = False,
    ) -> tuple[Frames, ...]:
        """Return the hidden state of each layer at every step, from the sound up to then.

        The frame at time t is the last one of an input that begins at ``t - window``, or with the
        sound, and ends at t.

        Parameters
        ----------
        sound : Sound
            Resampled to the rate of the model where it has another.
        layers : "all", int or sequence of int
        window, step : float
            Seconds.
        progress : bool
            Whether to show a progress bar.

        Returns
        -------
        tuple of Frames
            One per layer, (n_steps, n_features), float32; for `brainlm.encoding.sound.align_sound`.

        Raises
        ------
        ValueError
            A sound shorter than 0.1 s, or a window that is shorter or longer than the model takes.

        References
        ----------
        Windows as in Antonello, Vaidya & Huth 2023, arXiv 2305.11863.
        """
        chosen = choose_layers(layers, self.n_layers)
        rate = int(self.extractor.sampling_rate)
        samples = _resampled(sound, rate)
        longest = float(getattr(self.extractor, "chunk_length", 0) or np.inf)
        if not SHORTEST <= window <= longest:
            raise ValueError(f"window must lie between {SHORTEST} and {longest:g} s, got {window}")
        if not step > 0 or len(samples) < SHORTEST * rate:
            raise ValueError(
                f"step must be above 0 s and the sound at least {SHORTEST} s, got {step} and "
                f"{len(samples) / rate:g}"
            )
        ends = np.arange(max(step, SHORTEST), len(samples) / rate + 1e-9, step)
        found = list(self._states(samples, ends, window, chosen, progress))
        values = np.concatenate(found, axis=1)  # (n_layers, n_steps, n_features)
        origin = {
            "model": self.name,
            "revision": self.source.revision,
            "window": window,
            "step": step,
            "dtype": self.dtype,
        }
        return tuple(
            Frames(f"layer {layer}", each, ends, {**origin, "layer": layer})
            for layer, each in zip(chosen, values, strict=True)
        )

    def _states(
        self,
        samples: np.ndarray,
        ends: np.ndarray,
        window: float,
        layers: list[int],
        progress: bool,
    ) -> Iterator[np.ndarray]:
        """Hidden states at the ends of inputs of one length, (n_layers, n_inputs, n_features)."""
        import torch

        rate = int(self.extractor.sampling_rate)
        last = np.round(ends * rate).astype(int)
        first = np.maximum(last - round(window * rate), 0)
        with bar(
            None, f"listen with {self.name}", progress=progress, inner=not progress, total=len(ends)
        ) as steps:
            start = 0
            while start < len(ends):
                length = last[start] - first[start]
                same = (last - first)[start : start + self.batch_size] == length
                stop = start + (len(same) if same.all() else int(same.argmin()))
                inputs = [
                    samples[a:b] for a, b in zip(first[start:stop], last[start:stop], strict=True)
                ]
                with torch.inference_mode():
                    states = self._heard(inputs)
                place = self._last_frame(length, states[0].shape[1])
                yield np.stack([states[layer][:, place].float().cpu().numpy() for layer in layers])
                steps.update(stop - start)
                start = stop

    def _heard(self, inputs: list[np.ndarray]) -> Any:
        """All hidden states of inputs of one length."""
        rate = int(self.extractor.sampling_rate)
        given = self.extractor(inputs, sampling_rate=rate, return_tensors="pt")
        name = "input_features" if "input_features" in given else "input_values"
        tensor = given[name].to(self.device, self.network.dtype)
        return self.network(tensor, output_hidden_states=True).hidden_states

    def _last_frame(self, length: int, n_frames: int) -> int:
        """Number of the last frame that holds sound: Whisper's inputs are padded with silence."""
        if self.config.model_type != "whisper":
            return n_frames - 1
        whole = self.extractor.chunk_length * self.extractor.sampling_rate
        return max(0, int(np.ceil(n_frames * length / whole)) - 1)

    def __repr__(self) -> str:
        return f"SpeechModel({self.name!r}, {self.config.model_type}, {self.n_layers} layers)"


def _resampled(sound: Sound, rate: int) -> np.ndarray:
    """Samples at another rate, float32."""
    from scipy.signal import resample_poly

    if sound.rate != int(sound.rate):
        raise ValueError(f"the rate of the sound must be a whole number of Hz, got {sound.rate}")
    common = gcd(int(sound.rate), rate)
    up, down = rate // common, int(sound.rate) // common
    samples = sound.samples if up == down else resample_poly(sound.samples, up, down)
    return np.asarray(samples, dtype=np.float32)

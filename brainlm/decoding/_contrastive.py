"""Training of the two mappers without a closed form; torch is loaded at call time.

Loss, with predictions p and targets y of a batch (z-scored), s_ij = cos(p_i, y_j) / temperature::

    linear-contrastive:  InfoNCE(s)
    transformer:         mean (p - y)^2 + contrast * InfoNCE(s)
    InfoNCE(s) = -1/2 mean_i [log softmax_j(s_ij)_i + log softmax_j(s_ji)_i]

Pairs of the same run within ``neighbours`` samples are no negatives: their texts overlap. Details
of MapGuide's training are unpublished; those here are ours (starting points: arXiv 2403.17516,
2606.19081).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from brainlm._progress import bar
from brainlm.data.scores import pearson
from brainlm.storage.store import PartStore


@dataclass(frozen=True)
class Training:
    """Settings of the training.

    Attributes
    ----------
    epochs, patience : int
        Most epochs, and epochs without a better held-out correlation until it stops.
    batch : int
        Samples per step.
    rate, decay : float
        Learning rate and weight decay of AdamW.
    masking : float
        Share of the inputs that is set to 0 at random in every step (transformer).
    contrast : float
        Weight of InfoNCE beside the squared error (transformer).
    temperature : float
        At the start; it is learned.
    neighbours : int
        See above, in samples.
    width, n_layers, n_patches : int
        Transformer: width, layers, and pieces into which the inputs of one lag are cut.
    """

    epochs: int = 60
    patience: int = 8
    batch: int = 256
    rate: float = 3e-4
    decay: float = 0.01
    masking: float = 0.4
    contrast: float = 0.1
    temperature: float = 0.15
    neighbours: int = 5
    width: int = 128
    n_layers: int = 2
    n_patches: int = 4

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "width", "n_layers", "n_patches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.batch < 4:
            raise ValueError(f"batch must be at least 4 samples to contrast, got {self.batch}")
        if not 0 <= self.masking < 1:
            raise ValueError(f"masking must be in [0, 1), got {self.masking}")
        if self.rate <= 0 or self.temperature <= 0 or self.decay < 0 or self.contrast < 0:
            raise ValueError("rate and temperature must be positive, decay and contrast not < 0")


@dataclass(frozen=True, eq=False)
class Batches:
    """Standardised samples, float32: inputs, targets, and the place of each in its run."""

    X: np.ndarray
    Y: np.ndarray
    run: np.ndarray
    position: np.ndarray


def train_mapper(
    kind: str,
    train: Batches,
    held_out: Batches,
    *,
    n_lags: int,
    settings: Training,
    seed: int,
    checkpoint: Path | None = None,
    stop_after: int | None = None,
) -> Any:
    """Train until the correlation on held-out samples stops rising; return the best network.

    Parameters
    ----------
    kind : {"linear-contrastive", "transformer"}
    train, held_out : Batches
        Different runs.
    n_lags : int
        Lags side by side in the columns of X.
    settings : Training
    seed : int
        Initial weights, order of samples and masks follow from it alone.
    checkpoint : Path, optional
        Folder in which training is saved after every epoch and from which it is resumed; one of
        other data or settings is saved under another name.
    stop_after : int, optional
        Epochs to make in this call (an interruption, for tests and for time limits).

    Returns
    -------
    torch.nn.Module
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network(kind, train.X.shape[1], train.Y.shape[1], n_lags, settings)
    optimiser = torch.optim.AdamW(network.parameters(), settings.rate, weight_decay=settings.decay)
    state = _Progress(kind, settings, seed, train, checkpoint)
    state.load(network, optimiser)
    first, steps = state.epoch, bar(None, "epochs", inner=True, total=settings.epochs)
    while state.epoch < settings.epochs and state.waited < settings.patience:
        if stop_after is not None and state.epoch - first >= stop_after:
            break
        steps.update()
        _epoch(kind, network, optimiser, train, settings, seed=(seed, state.epoch))
        predicted = run_network(network, held_out.X)
        state.note(float(np.nanmean(pearson(predicted, held_out.Y))), network, optimiser)
    steps.close()
    network.load_state_dict(state.best)
    return network


def run_network(network: Any, X: np.ndarray) -> np.ndarray:
    """Return the outputs of a network, (n_samples, n_features)."""
    import torch

    network.eval()
    with torch.inference_mode():
        pieces = [
            network(torch.from_numpy(X[start : start + 1024])).numpy()
            for start in range(0, len(X), 1024)
        ]
    return np.concatenate(pieces)


def _network(kind: str, n_inputs: int, n_outputs: int, n_lags: int, settings: Training) -> Any:
    import torch
    from torch import nn

    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(n_inputs, n_outputs)
            nn.init.normal_(self.out.weight, std=n_inputs**-0.5)
            self.log_temperature = nn.Parameter(torch.tensor(np.log(settings.temperature)).float())

        def forward(self, x: Any) -> Any:
            return self.out(x)

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            per_lag = n_inputs // n_lags
            self.patches = min(settings.n_patches, per_lag)
            self.size = -(-per_lag // self.patches)
            self.fill = self.size * self.patches - per_lag
            self.into = nn.Linear(self.size, settings.width)
            places = torch.randn(n_lags * self.patches, settings.width) * 0.02
            self.place = nn.Parameter(places)
            layer = nn.TransformerEncoderLayer(
                settings.width, 4, 2 * settings.width, 0.0, batch_first=True, norm_first=True
            )
            self.layers = nn.TransformerEncoder(
                layer, settings.n_layers, enable_nested_tensor=False
            )
            self.out = nn.Linear(settings.width * n_lags * self.patches, n_outputs)
            self.log_temperature = nn.Parameter(torch.tensor(np.log(settings.temperature)).float())

        def forward(self, x: Any) -> Any:
            x = nn.functional.pad(x.reshape(len(x), n_lags, -1), (0, self.fill))
            tokens = self.into(x.reshape(len(x), -1, self.size)) + self.place
            return self.out(self.layers(tokens).flatten(1))

    return Linear() if kind == "linear-contrastive" else Transformer()


def _epoch(
    kind: str,
    network: Any,
    optimiser: Any,
    train: Batches,
    settings: Training,
    seed: tuple[int, int],
) -> None:
    import torch

    rng = np.random.default_rng(seed)  # of this epoch alone, so training resumes exactly
    network.train()
    order = rng.permutation(len(train.X))
    for rows in np.array_split(order, max(1, len(order) // settings.batch)):
        X, Y = train.X[rows], torch.from_numpy(train.Y[rows])
        if kind == "transformer" and settings.masking:
            X = X * (rng.random(X.shape, dtype=np.float32) >= settings.masking)
            X /= 1 - settings.masking
        predicted = network(torch.from_numpy(X))
        same = (train.run[rows][:, None] == train.run[rows]) & (
            np.abs(train.position[rows][:, None] - train.position[rows]) <= settings.neighbours
        )
        loss = info_nce(predicted, Y, torch.from_numpy(same), network.log_temperature)
        if kind == "transformer":
            loss = ((predicted - Y) ** 2).mean() + settings.contrast * loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def info_nce(predicted: Any, true: Any, near: Any, log_temperature: Any) -> Any:
    """Return the symmetric InfoNCE of a batch; ``near`` pairs (but the own one) are left out."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    similarity = normalize(predicted) @ normalize(true).T / log_temperature.exp()
    own = torch.eye(len(similarity), dtype=torch.bool)
    similarity = similarity.masked_fill(near & ~own, float("-inf"))
    target = torch.arange(len(similarity))
    return 0.5 * (cross_entropy(similarity, target) + cross_entropy(similarity.T, target))


class _Progress:
    """Progress of a training, saved after every epoch where there is a store."""

    def __init__(
        self, kind: str, settings: Training, seed: int, train: Batches, folder: Path | None
    ) -> None:
        self.store = None if folder is None else PartStore(folder)
        self.epoch, self.waited, self.best_score = 0, 0, -np.inf
        self.best: dict[str, Any] = {}
        self.key = {
            "kind": kind,
            "settings": asdict(settings),
            "seed": seed,
            "X": train.X,
            "Y": train.Y,
        }

    def note(self, score: float, network: Any, optimiser: Any) -> None:
        """Count an epoch and keep the network if it is the best so far."""
        self.epoch += 1
        self.waited += 1
        if not self.best or score > self.best_score:
            self.best = {name: value.clone() for name, value in network.state_dict().items()}
            self.best_score, self.waited = score, 0
        if self.store is not None:
            self._save(self.store, network, optimiser)

    def _save(self, store: PartStore, network: Any, optimiser: Any) -> None:
        import xarray

        tensors = {f"now.{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        for place, state in optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{place}.{name}": value for name, value in state.items()}
        arrays = {
            name: ([f"{name} {axis}" for axis in range(value.ndim)], value.numpy())
            for name, value in tensors.items()
        }
        progress = {"epoch": self.epoch, "waited": self.waited, "best_score": self.best_score}
        store.save(self.key, xarray.Dataset(arrays, attrs=progress))

    def load(self, network: Any, optimiser: Any) -> None:
        """Resume a training of the same data and settings, if the store has one."""
        import torch

        saved = None if self.store is None else self.store.load(self.key)
        if saved is None:
            return
        tensors = {str(name): torch.tensor(saved[name].values) for name in saved.data_vars}
        self.epoch, self.waited = int(saved.attrs["epoch"]), int(saved.attrs["waited"])
        self.best_score = float(saved.attrs["best_score"])
        network.load_state_dict(_named(tensors, "now."))
        self.best = _named(tensors, "best.")
        adam: dict[int, dict[str, Any]] = {}
        for name, value in _named(tensors, "adam.").items():
            place, _, field = name.partition(".")
            adam.setdefault(int(place), {})[field] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": adam})


def _named(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)}

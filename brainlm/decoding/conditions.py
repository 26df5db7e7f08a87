"""The conditions that every reconstruction is shown beside, decoded in parallel, kept and resumed.

A language model alone writes fluent text, and fluent text shares its common words with any other:
a score means something only against reconstructions that did not have the brain.

- ``brain``: the responses to the test story.
- ``permuted brain``: the same responses, blocks of samples in another order, none in its place.
  ``permuted brain 2`` and so on are further draws.
- ``noise input``: smooth Gaussian noise in their place. It keeps what the decoder learned about how
  texts like those of training sound, which random numbers do not: it can score above the random
  null without any brain. ``noise input 2`` and so on are further draws.
- ``wrong story``: the responses to another story, not used in training either. Where there is none,
  it has another name: ``training story``, ``other part of the story (training)``.
- ``language model``: no brain; the likeliest text.
- ``ceiling``: the true embeddings in place of the decoded ones. It uses the reference.
- the null: beams scored by random numbers (published; Tang et al. 2023), several times.

All get the word times that the responses predict, so that no condition is longer than another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from brainlm.decoding.beam_search import Beam, Reconstruction
from brainlm.decoding.decoder import StoryDecoder
from brainlm.decoding.scorers import EmbeddingSimilarity, Guide, Mixture, NoGuide, RandomGuide
from brainlm.decoding.stories import Story
from brainlm.errors import CorruptDataError, unknown_name
from brainlm.storage.store import content_key

__all__ = [
    "GUIDES",
    "Job",
    "brain_guide",
    "choose_weight",
    "conditions",
    "decode_jobs",
    "nulls",
    "spread_of",
]

GUIDES = ("likelihood", "similarity", "mixture")
TOGETHER = 160  # hypotheses of several jobs that pass through the language model at once
BLOCK = 5  # samples that stay together in the permuted brain


@dataclass(frozen=True, eq=False)
class Job:
    """One reconstruction to make."""

    guide: Guide
    middle: np.ndarray
    times: np.ndarray
    beam: Beam


def brain_guide(
    decoder: StoryDecoder, responses: np.ndarray, name: str, weights: tuple[float, float] = (1, 1)
) -> Guide:
    """Return the guide of a name in ``GUIDES`` for responses; ``weights`` are the mixture's."""
    if name not in GUIDES:
        raise unknown_name("guide", name, GUIDES)
    if name == "likelihood":
        return decoder.likelihood(responses)
    if name == "similarity":
        return decoder.similarity(responses)
    return Mixture([decoder.likelihood(responses), decoder.similarity(responses)], weights)


def conditions(
    decoder: StoryDecoder,
    story: Story,
    wrong: np.ndarray,
    guides: Mapping[str, tuple[str, Beam]],
    *,
    weights: tuple[float, float] = (1, 1),
    n_draws: int = 3,
    other: str = "wrong story",
    seed: int = 0,
) -> dict[str, Job]:
    """Return the jobs of all conditions but the null.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        The test story. Its words are used for the ceiling only.
    wrong : array of shape (n_samples_or_more, n_targets)
        Responses to another story, or to what ``other`` names.
    guides : mapping of str to (str, Beam)
        Label -> guide and beam, such as ``{"Tang": ("likelihood", Beam(50))}``.
    weights : (float, float)
        Of the mixture.
    n_draws : int
        Draws of noise, and of the permutation.
    other : str
        Name of the condition that ``wrong`` belongs to.
    seed : int
        Of permutations and noise.

    Returns
    -------
    dict
        ``"Tang: brain"``, ``"Tang: permuted brain"``, ... and ``"language model"``, ``"ceiling"``.
    """
    Y, times = np.asarray(story.responses), story.times
    if len(wrong) < len(Y):
        raise ValueError(
            f"wrong has {len(wrong)} samples, the test story {len(Y)}: take a longer story"
        )
    if n_draws < 1:
        raise ValueError(f"n_draws must be 1 or more, got {n_draws}")
    inputs = {"brain": Y}
    for k in range(n_draws):  # a generator each, so that more draws leave the first as they are
        order = displaced(len(Y), np.random.default_rng((seed, k, 0)))
        inputs[_draw("permuted brain", k)] = Y[order]
    for k in range(n_draws):
        noise = smooth_noise(Y.shape, np.random.default_rng((seed, k, 1)))
        inputs[_draw("noise input", k)] = noise
    inputs[other] = np.ascontiguousarray(wrong[: len(Y)])
    middle = decoder.word_times(Y, times)
    jobs = {}
    for label, (name, beam) in guides.items():
        for condition, responses in inputs.items():
            guide = brain_guide(decoder, responses, name, weights)
            jobs[f"{label}: {condition}"] = Job(guide, middle, times, beam)
    beam = next(iter(guides.values()))[1]
    jobs["language model"] = Job(NoGuide(), middle, times, replace(beam, lm_weight=1.0))
    ceiling = EmbeddingSimilarity(decoder.true_rows(story))
    jobs["ceiling"] = Job(ceiling, middle, times, replace(beam, lm_weight=0.0))
    return jobs


def _draw(kind: str, k: int) -> str:
    return f"{kind} {k + 1}" if k else kind


def nulls(jobs: Mapping[str, Job], n: int, seed: int = 0) -> dict[str, Job]:
    """Return ``n`` jobs of the published null, with the word times and beam of the first job."""
    first = next(iter(jobs.values()))
    beam = replace(first.beam, lm_weight=0.0)
    return {
        f"null {i}": Job(RandomGuide(seed + i), first.middle, first.times, beam) for i in range(n)
    }


def displaced(n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return an order of samples in which no block of `BLOCK` samples stays where it was."""
    n_blocks = n_samples // BLOCK
    if n_blocks < 3:
        raise ValueError(
            f"{n_samples} samples are too few to permute: at least {3 * BLOCK} are needed"
        )
    parts = np.array_split(np.arange(n_samples), n_blocks)
    while True:
        order = rng.permutation(n_blocks)
        if (order != np.arange(n_blocks)).all():
            return np.concatenate([parts[i] for i in order])


def smooth_noise(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return Gaussian noise as smooth as a haemodynamic response makes it, z-scored; float32."""
    from scipy.ndimage import gaussian_filter1d

    noise = gaussian_filter1d(rng.standard_normal(shape), 1.0, axis=0)
    return ((noise - noise.mean(0)) / noise.std(0)).astype(np.float32)


def spread_of(decoder: StoryDecoder, story: Story, middle: np.ndarray, name: str) -> float:
    """Return the spread of a guide's gains on a tuning story: its unit for weights.

    Parameters
    ----------
    decoder : StoryDecoder
    story : Story
        Never the one to be decoded.
    middle : array of shape (n_words,)
        Its predicted word times.
    name : str
        Of ``GUIDES``.
    """
    guide = brain_guide(decoder, story.responses, name)
    return decoder.decode(guide, middle, story.times, Beam(4)).spread


def choose_weight(scores: Mapping[float, float]) -> float:
    """Return the language-model weight of the best score on a training run; ties: the smallest."""
    if not scores:
        raise ValueError("scores is empty: score at least one weight on a training run")
    return min(scores, key=lambda weight: (-scores[weight], weight))


def decode_jobs(
    decoder: StoryDecoder,
    jobs: Mapping[str, Job],
    folder: Path | None = None,
    *,
    key: str = "",
    n_jobs: int = 1,
    progress: bool = False,
) -> dict[str, Reconstruction]:
    """Decode jobs, many at once, in parallel processes where asked; a killed run is resumed.

    Parameters
    ----------
    decoder : StoryDecoder
    jobs : mapping of str to Job
    folder : Path, optional
        Every finished reconstruction is written there and not made again.
    key : str
        What the jobs depend on (`brainlm.storage.store.content_key`); files of another key are
        ignored.
    n_jobs : int
        Processes; each holds the language model.
    progress : bool
    """
    from joblib import Parallel, delayed
    from tqdm import tqdm

    found = {name: _load(folder, key, name) for name in jobs}
    missing = _batches(jobs, [name for name, done in found.items() if done is None])

    def make(names: list[str]) -> dict[str, Reconstruction]:
        batch = [jobs[name] for name in names]
        results = decoder.decode_all(
            [job.guide for job in batch],
            batch[0].middle,
            batch[0].times,
            [job.beam for job in batch],
        )
        for name, result in zip(names, results, strict=True):
            _save(folder, key, name, result)
        return dict(zip(names, results, strict=True))

    if n_jobs == 1:
        made = (make(names) for names in missing)
    else:
        made = Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(make)(names) for names in missing
        )
    for results in tqdm(made, total=len(missing), desc="decode", disable=not progress):
        found |= results
    return {name: done for name, done in found.items() if done is not None}


def _batches(jobs: Mapping[str, Job], names: list[str]) -> list[list[str]]:
    """Group jobs with the same word times, width and nucleus, up to `TOGETHER` hypotheses."""
    batches: dict[tuple, list[list[str]]] = {}
    for name in names:
        job = jobs[name]
        like = (job.middle.tobytes(), job.times.tobytes(), job.beam.width, job.beam.nucleus)
        mine = batches.setdefault(like, [[]])
        if (len(mine[-1]) + 1) * job.beam.width > TOGETHER and mine[-1]:
            mine.append([])
        mine[-1].append(name)
    return [batch for mine in batches.values() for batch in mine]


def _file(folder: Path, key: str, name: str) -> Path:
    return folder / f"{content_key({'key': key, 'name': name})[:32]}.json"


def _save(folder: Path | None, key: str, name: str, result: Reconstruction) -> None:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = _file(folder, key, name)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"name": name, **asdict(result)}, ensure_ascii=False), "utf-8")
    part.replace(path)


def _load(folder: Path | None, key: str, name: str) -> Reconstruction | None:
    if folder is None or not _file(folder, key, name).is_file():
        return None
    path = _file(folder, key, name)
    try:
        record = json.loads(path.read_text("utf-8"))
        del record["name"]
        return Reconstruction(**{**record, "words": tuple(record["words"])})
    except (ValueError, TypeError, KeyError) as error:
        raise CorruptDataError(f"{path}: not a reconstruction ({error}); remove it") from error

"""Golden cases of the comparison of feature spaces, and of studies of stored arrays."""

from __future__ import annotations

import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import zarr
from golden.cases import Arrays, arrays, register
from golden.made import linear, llama, plain_story, scratch, story

from brainlm.batch.dask_tasks import collect, hash_inputs, run_study
from brainlm.batch.study_reading import read_study
from brainlm.comparison.assembly import Assembly
from brainlm.comparison.feature_spaces import (
    FeatureSpace,
    control_space,
    model_space,
    norm_space,
    permuted_space,
    shared_words,
)
from brainlm.comparison.layer_scores import (
    control_design,
    controls_on,
    layer_part,
    random_scores,
    rows_of,
)
from brainlm.comparison.layer_statistics import (
    best_layer,
    compare_folds,
    context_gain,
    curve_agreement,
    depth_difference,
    layer_profile,
    modality_difference,
)
from brainlm.comparison.scoring import fixed_ridge, score_ridge, score_similarity
from brainlm.comparison.simulated_assemblies import (
    autoregressive,
    simulate_fmri,
    simulate_meg,
    simulate_regions,
)
from brainlm.comparison.simulated_epochs import simulate_epochs
from brainlm.comparison.space_scores import fit_controls
from brainlm.comparison.table import record, tidy
from brainlm.data.brain_maps import paint, targets_of, winners
from brainlm.data.features import Features
from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import target_table, targets_of_subjects
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.encode import Space
from brainlm.encoding.labelled_scores import (
    score_table,
    stack_folds,
    stack_predictions,
    stack_scores,
)
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.features.baselines import random_like
from brainlm.features.norms import Norm

case = register("comparison")
SPLIT = ContiguousBlocks(5)
ALPHAS = np.logspace(-1, 5, 7)
SCORED = (
    "values",
    "score",
    "by_fold",
    "p",
    "null",
    "observed",
    "beyond",
    "centred",
    "published",
    "alphas",
    "test_ratio",
)


def word_task(signal: np.ndarray, *, subjects: tuple[str, ...] = (), seed: int = 0) -> Assembly:
    """Return isolated words whose responses follow ``signal``, (n_words, n_features)."""
    rng = np.random.default_rng(seed)
    n_words, n_people = len(signal), max(1, len(subjects))
    words = [f"w{i:04d}" for i in range(n_words)]
    Y = np.tile(signal @ rng.standard_normal((signal.shape[1], 4)), (1, n_people))
    Y = Y / Y.std(axis=0) + rng.standard_normal(Y.shape)
    names = [f"{s}/t{i}" for s in subjects or ("",) for i in range(4)]
    names = [name.removeprefix("/") for name in names]
    recording = Recording(Y, names, "ratings", "z", items=words)
    stimulus = Stimulus(words, "en", text=words)
    return Assembly("made", "ratings", "en", "word", stimulus, recording, subjects, 5, n_people, {})


def array_source(layers: list[np.ndarray], name: str = "model") -> FeatureSpace:
    """Return a source whose layers are given arrays over the words of the stimulus."""

    def embed(stimulus: Stimulus, words: np.ndarray, level: str) -> list[Features]:
        return [
            Features(f"layer {i}", values, stimulus, origin={"layer": i}).select_words(words)
            for i, values in enumerate(layers)
        ]

    return FeatureSpace(
        name,
        "causal",
        ("en",),
        lambda s: np.ones(s.n_words, dtype=bool),
        embed,
        len(layers) - 1,
        {"name": name},
    )


def walk_of_layers(n_words: int, n_layers: int = 3, width: int = 12) -> list[np.ndarray]:
    """Return layers of which each resembles the one before it."""
    rng = np.random.default_rng(1)
    layers = [rng.standard_normal((n_words, width))]
    for _ in range(n_layers - 1):
        layers.append(0.6 * layers[-1] + 0.8 * rng.standard_normal((n_words, width)))
    return layers


@functools.cache
def story_layers() -> list[Features]:
    """Return layers over a timed story."""
    stimulus = plain_story(400)
    layers = enumerate(walk_of_layers(400))
    return [Features(f"layer {i}", v, stimulus, origin={"layer": i}) for i, v in layers]


def _scored(found: object) -> dict[str, object]:
    return {name: getattr(found, name) for name in SCORED} | {
        "interval": np.array(found.interval())  # type: ignore[attr-defined]
    }


@case(single=True)
def methods() -> Arrays:
    X, Y, _ = linear(100, 10, 4)
    rng = np.random.default_rng(2)
    orders = [rng.permutation(100) for _ in range(5)]
    C = rng.standard_normal((100, 3))
    controls = fit_controls(C, Y, SPLIT)
    given = {"orders": orders, "controls": controls}
    fixed = fixed_ridge(RidgeEncoder(ALPHAS), X, Y)
    return arrays(
        similarity=_scored(score_similarity(X, Y, SPLIT, **given)),
        ridge=_scored(score_ridge(X, Y, SPLIT, encoder=RidgeEncoder(ALPHAS), **given)),
        fixed=_scored(score_ridge(X, Y, SPLIT, encoder=fixed)),
        controls=[controls.values, *controls.train, *controls.test],
    )


@case
def questions() -> Arrays:
    rng, depths = np.random.default_rng(3), np.linspace(0, 1, 7)

    def curves(peak: float, n_folds: int = 8) -> np.ndarray:
        shape = 0.1 * np.exp(-(((depths - peak) / 0.3) ** 2))
        return 0.1 + shape + 0.02 * rng.standard_normal((n_folds, 7))

    first, second = curves(0.2), curves(0.8)
    null, chance = rng.standard_normal((2, 40)) / 20, rng.standard_normal(7) / 50
    random = rng.standard_normal((6, 7)) / 50
    profiles = [layer_profile(values, depths, 1 / 9) for values in (first, second)]
    more = layer_profile(first, depths, 1 / 9, chance=chance, random=random)
    null_curves = rng.standard_normal((2, 30, 7)) / 20
    gain = context_gain(
        first,
        second[:, 3],
        1 / 9,
        null=(null_curves[0], null_curves[0][:, 0]),
        random=(rng.standard_normal((5, 8, 7)) / 20, rng.standard_normal(5) / 20),
    )
    compared = compare_folds(first[:, 1], second[:, 1], 1 / 9, null=(null[0], null[1]))
    return arrays(
        profile=[_profile(p) for p in (*profiles, more)],
        best=best_layer(np.stack([first, second])),
        contrast=[_contrast(compared), _contrast(gain)],
        plain=_contrast(compare_folds(first[:, 1], second[:, 1], 1 / 9)),
        agreement=np.array(curve_agreement(first.mean(0), second.mean(0), null_curves[0])),
        depth=np.array(depth_difference(*profiles)),
        modality=np.array(modality_difference([profiles[0], more], profiles)),
    )


def _profile(found: object) -> dict[str, object]:
    names = ("best_depth", "low", "high", "p", "relative", "relative_error", "n_folds", "slope")
    parts = {name: getattr(found, name) for name in names}
    slope = parts.pop("slope")
    return parts | {"slope": np.array([slope.mean, slope.low, slope.high, slope.p])}  # type: ignore[attr-defined]


def _contrast(found: object) -> np.ndarray:
    names = ("mean", "low", "high", "p_stimuli", "p_random", "p")
    return np.array([getattr(found, name) for name in names])


@case(single=True)
def studies_of_layers() -> Arrays:
    layers = walk_of_layers(120)
    found = {}
    for method in ("similarity", "ridge"):
        task = word_task(layers[2], subjects=("a", "b", "c"))
        words = np.ones(120, dtype=bool)
        part = layer_part(
            task, array_source(layers), words, n_permutations=9, method=method, n_random=3
        )
        found[method] = {"part": part, "table": tidy(rows_of(part)), "ceiling": task.ceiling()}
    return arrays(method=found)


@case(single=True)
def tasks_and_sources() -> Arrays:
    layers = walk_of_layers(120)
    llama()  # saved in the scratch folder, from which the source opens it
    task = word_task(layers[2], subjects=("a", "b", "c"))
    half = FeatureSpace(
        "half", "static", ("en",), lambda s: np.arange(120) % 3 > 0, array_source(layers).embed
    )
    words = shared_words(task.stimulus, [array_source(layers), half])
    on = task.on_words(words)
    norm = Norm("norm", "en", task.stimulus.words.tolist(), layers[0][:, :3])
    moved = permuted_space(array_source(layers)).embed(task.stimulus, words, "word")
    sources = {"norm": norm_space(norm, "embodied"), "controls": control_space(timed=False)}
    model = model_space(str(scratch() / "llama"), ("en",), layers=[1])
    scores = score_ridge(task.design(_space(task, layers[1])), task.recording.data, task.split)
    flat = task.recording.data.copy()
    flat[:24, 1] = 3.0
    cut = Assembly(
        **(vars(task) | {"recording": task.recording.with_data(flat, "flat")})
    ).scorable()
    return arrays(
        shared=words,
        data=on.recording.data,
        moved=[space.values for space in moved],
        source={n: s.embed(task.stimulus, words, "word")[0].values for n, s in sources.items()},
        model=model.embed(story(40), np.ones(40, bool), "word")[0].values,
        shuffled=[np.asarray(order) for order in task.shuffled(3)],
        ceiling=task.ceiling(),
        row=record(task, scores, space="x"),
        scorable=cut.recording.target_names,
        random=[s.values for s in random_scores(on, _space(on, layers[1][words]), 2)],
        controls=controls_on(on, on.stimulus).values,
    )


def _space(task: Assembly, values: np.ndarray) -> Features:
    return Features("x", values, task.stimulus)


@case(single=True)
def simulated_tasks() -> Arrays:
    layers = story_layers()
    planted = np.zeros((4, 3), dtype=bool)
    planted[1, 2] = True
    epochs = simulate_epochs(
        layers[2],
        layers[0],
        positions={f"C{i}": (0.01 * i, 0.0, 0.1) for i in range(4)},
        times=(0.0, 0.1, 0.2),
        planted=planted,
    )
    tasks = {
        "fmri": simulate_fmri(layers[2], layers[0], subjects=3, n_targets=4),
        "meg": simulate_meg(layers[1], layers[0], subjects=3, n_targets=4),
        "silent": simulate_meg(None, layers[0], subjects=3, n_targets=4, seed=1),
        "regions": simulate_regions(layers[:2], np.array([0, 0, 1, -1, 1])),
    }
    return arrays(
        noise=autoregressive(50, 3, np.random.default_rng(0)),
        epochs=epochs.data,
        task={
            name: {
                "data": task.recording.data,
                "times": task.recording.times,
                "design": task.design(layers[1]),
                "controls": control_design(task, task.stimulus),
                "gap": task.gap if task.timed else None,
                "orders": [np.asarray(order) for order in task.shuffled(2)],
            }
            for name, task in tasks.items()
        },
    )


@case
def tables_of_scores() -> Arrays:
    X, Y, _ = linear(v=4)
    stimulus = Stimulus([f"w{i}" for i in range(160)], "en")
    layers = [Features(f"layer {i}", X[:, 10 * i : 10 * i + 10], stimulus) for i in range(2)]
    spaces = [Space(space, "layer", i) for i, space in enumerate(layers)]
    spaces += [Space(random_like(space), "random", i) for i, space in enumerate(layers)]
    encoders = {"ridge": RidgeEncoder(ALPHAS), "similarity": SimilarityEncoder()}
    names = targets_of_subjects(dict.fromkeys(["s1", "s2"], target_table(["a", "b"])))
    scores = {
        label: [
            cross_validate(
                encoder, space.features[0].values, Y, SPLIT, targets=names, keep_predictions=True
            )
            for space in spaces
        ]
        for label, encoder in encoders.items()
    }
    by_subject = stack_scores(scores, spaces, label="r", title="made")
    names = names["name"].tolist()
    plain = {k: [replace(each, targets=names) for each in v] for k, v in scores.items()}
    stacked = stack_scores(plain, spaces, label="r", title="made")
    return arrays(
        stacked=stacked,
        by_subject=by_subject,
        predictions=stack_predictions(scores, spaces),
        folds=stack_folds(SPLIT, 160),
        table=score_table(stacked),
        table_of_subjects=score_table(by_subject),
    )


def write_study(folder: Path) -> Path:
    """Write two subjects whose responses follow space A, one array per kind of storage."""
    rng = np.random.default_rng(0)
    runs = np.repeat(["one", "two", "three"], 40)
    X = rng.standard_normal((120, 6))
    np.save(folder / "a.npy", X)
    for subject in ("S1", "S2"):
        np.save(folder / f"b_{subject}.npy", rng.standard_normal((120, 4)))
    first = X @ rng.standard_normal((6, 12)) + rng.standard_normal((120, 12))
    second = X @ rng.standard_normal((6, 9)) + rng.standard_normal((120, 9))
    zarr.create_array(str(folder / "S1.zarr"), data=first, chunks=(60, 4))
    with h5py.File(folder / "S2.h5", "w") as file:
        file["data"] = second.astype(np.float32)
        file["runs"] = runs.astype("S5")
    path = folder / "study.toml"
    path.write_text(
        'folds = "runs"\nruns = "S2.h5:runs"\n'
        '[features]\nA = "a.npy"\nB = "b_{subject}.npy"\n'
        '[targets]\nS1 = "S1.zarr"\nS2 = "S2.h5:data"\n'
    )
    return path


@case
def stored_studies() -> Arrays:
    found = {}
    settings = {
        "runs": ["delays=[1,2]", "targets_per_task=7"],
        "blocks": ["folds=3", "metric=r2", "lags=[2,8]", "sampling_interval=1.5"],
    }
    for name, given in settings.items():
        with tempfile.TemporaryDirectory() as temporary:
            study = read_study(write_study(Path(temporary)), given)
            parts = run_study(study, Path(temporary, "parts"), hash_inputs(study))
            found[name], _ = collect(study, parts)
            need = study.need(study.tasks())
            tasks = np.array([task.label for task in study.tasks()])
            found[f"{name} tasks"] = [tasks, np.array([need.flops, need.read_bytes])]
    return arrays(study=found)


@case
def streamed_targets() -> Arrays:
    found = {}
    for p in (30, 200):
        X, Y, _ = linear(p=p, v=23)
        with tempfile.TemporaryDirectory() as temporary:
            np.save(Path(temporary, "y.npy"), Y)
            stored = np.load(Path(temporary, "y.npy"), mmap_mode="r")
            split = ContiguousBlocks(4, gap=3)
            scores = cross_validate(
                RidgeEncoder(ALPHAS), X, stored, split, keep_predictions=True, max_memory="2GB"
            )
            found[str(p)] = [scores.values, scores.alphas, scores.predictions]
    return arrays(streamed=found)


@case
def brain_maps() -> Arrays:
    rng = np.random.default_rng(4)
    numbers = np.zeros((6, 7, 6), dtype=np.int16)
    numbers[1:5, 1:6, 1:5] = np.arange(5)[:, None] + 1
    image = nib.Nifti1Image(numbers, np.diag([8.0, 8, 8, 1]))
    maps = paint(rng.standard_normal((2, 5)), targets_of(image), image, ["A", "B"], "r")
    return arrays(
        data=maps.data,
        volume=maps.volume("B"),
        winners=winners(maps).data,
        places=maps.coordinates(),
        stored=maps.to_xarray(),
    )

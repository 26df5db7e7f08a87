"""A small bundle for every figure, all numbers drawn from one seed."""

from pathlib import Path

import mne
import numpy as np
import pandas as pd
import xarray
from support.scores_for_tests import by_fold, by_subject

from brainlm.comparison.cogbench_published import published_scores
from brainlm.comparison.layer_scores import table_of
from brainlm.data.brain_maps import BrainMaps
from brainlm.data.target_table import epoch_targets, target_coordinates
from brainlm.results.bundle import Bundle

SETS = [("words", "ratings", "word"), ("gaze", "eye-tracking", "sentence")]


def bundle_for(name):
    """Return a bundle that has what the figure ``name`` is drawn from."""
    rng = np.random.default_rng(0)
    return Bundle(Path("small"), {}, MAKERS[name](rng))


def scores(rng):
    return {"scores": by_subject(rng)}


def penalties(rng):
    dataset = by_fold(rng)[1]
    chosen = 10.0 ** rng.integers(-2, 7, dataset["alpha"].shape)
    return {"scores": dataset.assign(alpha=(dataset["alpha"].dims, chosen))}


def languages(rng):
    kinds, numbers = ["layer"] * 4 + ["random"] * 4 + ["reference"], [*range(4), *range(4), -1]
    names = [f"layer {k}" for k in range(4)] + [f"random {k}" for k in range(4)]
    coords = {
        "analysis": ["centred", "published"],
        "space": [*names, "static vectors"],
        "kind": ("space", kinds),
        "layer": ("space", numbers),
        "attribute": list("abc"),
    }
    return {
        language: xarray.Dataset(
            {
                "score": (("analysis", "space", "attribute"), rng.normal(0.3, 0.1, (2, 9, 3))),
                "rho": ("space", rng.normal(0.2, 0.05, 9)),
            },
            coords,
            {"title": language},
        )
        for language in ("english", "chinese")
    }


def rdms(rng):
    x = rng.random(400)
    pair = {"first": ("pair", x), "second": ("pair", x + rng.normal(0, 0.2, 400))}
    return {"rdms": xarray.Dataset(pair, attrs={"labels": ["en", "zh"], "title": "two RDMs"})}


def accuracies(rng):
    values = {
        name: (("analysis", "space"), rng.normal(level, 0.02, (1, 4)))
        for name, level in (("pairwise", 0.8), ("rank", 0.7))
    }
    null = (("analysis", "space", "permutation"), rng.normal(0.5, 0.03, (1, 4, 60)))
    coords = {
        "analysis": ["ridge"],
        "space": ["layer 0", "layer 1", "layer 2", "GloVe"],
        "kind": ("space", ["layer"] * 3 + ["reference"]),
        "layer": ("space", [0, 1, 2, -1]),
    }
    return {
        "scores": xarray.Dataset(
            {**values, "pairwise_null": null, "rank_null": null}, coords, {"title": "decoding"}
        )
    }


def reconstructions(rng):
    conditions = [
        f"{g}: {c}"
        for g in ("Tang", "MapGuide")
        for c in ("brain", "permuted brain", "noise input")
    ]
    conditions.append("ceiling")
    starts, words = np.arange(0.0, 40, 2), [f"word{i}" for i in range(60)]
    middle = np.arange(60.0)
    dims = ("snr", "condition", "metric")
    gain = 0.1 * np.outer([1, 0.5, 0], [1, 0.3, 0.05, 0.9, 0.4, 0.0, 0.95])[..., None] * np.ones(2)
    means = {
        "score": (dims, 0.2 + gain),
        "half": (dims, np.full(gain.shape, 0.02)),
        "gain": (dims, gain),
        "null_mean": (dims, 0 * gain + 0.2),
        "null_half": (dims, 0 * gain + 0.03),
        "mapping_r": ("snr", [0.3, 0.1, 0.0]),
    }
    coords = {"condition": conditions, "metric": ["bleu-1", "bertscore"]}
    windows = 0.2 + gain[0][..., None] + rng.normal(0, 0.02, (*gain[0].shape, 20))
    example = {
        "score": (dims[1:], 0.2 + gain[0]),
        "window_score": ((*dims[1:], "window"), windows),
        "null_score": (("null", "metric", "window"), rng.normal(0.2, 0.02, (8, 2, 20))),
        "text": ("condition", [" ".join(words)] * 7),
        "middle": ("word", middle),
        "reference_text": " ".join(words[::-1]),
        "reference_middle": ("reference_word", middle),
    }
    return {
        "scores": xarray.Dataset(
            means, {"snr": [2.0, 0.3, 0.0], **coords}, {"title": "simulated subjects"}
        ),
        "example": xarray.Dataset(example, {**coords, "window": starts}),
    }


def decoders(rng):
    points = [("guide", name, 1.0, "ridge") for name in ("likelihood", "similarity")]
    points += [("n_inputs", f"{n}", 1.0, "ridge") for n in (2, 8, 32)]
    points += [("grid", "", snr, m) for snr in (0.0, 2.0) for m in ("ridge", "transformer")]
    table = pd.DataFrame(
        [
            {
                "factor": factor,
                "value": value,
                "snr": snr,
                "mapper": mapper,
                "metric": metric,
                "mapping_r": 0.2 * snr + 0.05 * rng.random(),
                "gain": 0.05 * snr + 0.02 * rng.random(),
                "half": 0.02,
                "null_half": 0.03,
            }
            for factor, value, snr, mapper in points
            for metric in ("bleu-1", "bertscore")
        ]
    )
    return {"table": table_of(table).assign_attrs(title="simulated subjects")}


def text(rng):
    names = ("mean_similarity", "mean_correlation", "effective_dimension", "norm")
    about = {"model": "tiny", "n_words": 40, "title": "a text", "context": "3"}
    geometry = {name: ("layer", 0.1 + 0.8 * rng.random(5)) for name in names}
    words = [f"word{i}" for i in range(40)]
    bits = {"surprisal": ("word", 10 * rng.random(40))}
    return {
        "geometry": xarray.Dataset(geometry, {"layer": range(5)}, about),
        "surprisal": xarray.Dataset(bits, {"text": ("word", words)}, about),
    }


def studies(rng):
    about = [{"dataset": d, "modality": m, "level": v, "language": "en"} for d, m, v in SETS]
    counts = {
        "n_items": 300,
        "n_targets": 6,
        "n_subjects": 4,
        "n_units": 10,
        "unit": "fold",
        "metric": "r",
        "method": "similarity encoding",
    }
    table = [
        {
            **s,
            **counts,
            "model": model,
            "space": f"{model} layer {k}" if k >= 0 else model,
            "layer": k,
            "depth": k / 3,
            "family": family,
            "score": rng.random() * (family != "random"),
        }
        for s in about
        for model in ("tiny", "large")
        for k in range(4)
        for family in ("causal", "random")
    ]
    rows = [
        {
            **s,
            "model": m,
            "measure": "FFD",
            "effect": "surprisal",
            "q": q,
            "gain": g,
            "low": g - 0.1,
            "high": g + 0.1,
        }
        for s in about
        for m, g, q in (("tiny", 0.05, 0.3), ("large", 0.2, 0.01))
    ]
    shares = [{**s, "space": m, "share": x} for s in about for m, x in (("a", 0.3), ("b", 0.7))]
    parts = [
        {**s, "space": m, "alone": 0.2, "unique": u, "alone_half": 0.01, "unique_half": 0.01}
        for s in about
        for m, u in (("a", 0.05), ("b", 0.12))
    ]
    ranks = [
        {
            "features": "embedding",
            "model": m,
            "mean_rank": r,
            "low": r - 0.3,
            "high": r + 0.3,
            "n_datasets": 9,
            "n_materials": 9,
            "p": 0.04,
            "critical_difference": 1.1,
        }
        for m, r in (("a", 1.0), ("b", 1.9), ("c", 3.0))
    ]
    frames = {"table": table, "gains": rows, "winners": shares, "partition": parts, "ranks": ranks}
    frames |= {"profiles": depths(about), "mixed": mixed(about)}
    frames["effects"] = effects(about)
    return {name: table_of(pd.DataFrame(each)) for name, each in frames.items()}


def depths(about):
    """The depth that each model predicts best, as mulcogbench saves it."""
    depth = {"best_depth": 0.6, "depth_low": 0.4, "depth_high": 0.8}
    return [{**s, "model": model, **depth} for s in about for model in ("tiny", "large")]


def effects(about):
    """Effects of every predictor in one regression, as the analysis reading saves them."""
    sizes = {"surprisal": 0.2, "length": 0.4, "frequency": -0.3, "position": 0.0}
    return [
        {**s, "measure": "FFD", "model": m, "predictor": k, "q": q}
        | {"coefficient": b / n, "low": b / n - 0.1, "high": b / n + 0.1}
        for s in about
        for m, n, q in (("tiny", 2, 0.3), ("large", 1, 0.01))
        for k, b in sizes.items()
    ]


def mixed(about):
    """Effects of surprisal in mixed models, as the analysis reading saves them."""
    t = {"t, surprisal": 4, "t, surprisal 1 back": 2, "t, surprisal 2 back": 0.5}
    each = {"measure": "n400", "coefficient": -0.1, "se": 0.02, "df_residual": 30, "q": 0.01}
    return [{**s, **each, **t, "model": model} for s in about for model in ("tiny", "large")]


def chinese_reconstructions(rng):
    """Bundle arrays of a text in Chinese, with the brain against its controls."""
    arrays = reconstructions(rng)
    words = list("当我还只有六岁的时候在一本描写原始森林的书中看到了插画") * 3
    example = arrays["example"]
    example["text"] = ("condition", [" ".join(words[:60])] * 7)
    example["reference_text"] = " ".join(words[59::-1])
    over = rng.normal(0.1, 0.02, (2, 2, 2))
    dims = ("brain", "control", "metric")
    ends = {"over": over, "over_low": over - 0.05, "over_high": over + 0.05, "over_q": 0 * over}
    brains = {"brain": ["Tang: brain", "MapGuide: brain"]}
    controls = {"control": ["permuted brain", "noise input"], **brains}
    scores = arrays["scores"].assign({name: (dims, values) for name, values in ends.items()})
    return {"scores": scores.assign_coords(controls), "example": example}


def mulcogbench(rng):
    """Tables with the gain over each baseline."""
    arrays = studies(rng)
    gains = arrays["gains"]
    for prefix in ("over_random_", "beyond_"):
        gains = gains.assign({f"{prefix}{c}": gains[c] for c in ("gain", "low", "high", "q")})
    return {"table": arrays["table"], "gains": gains}


def navigating(rng):
    """Tables of spaces that were compared."""
    arrays = studies(rng)
    return {name: arrays[name] for name in ("table", "winners", "partition")}


def levels(rng):
    """The table of layers that navigating saves."""
    return {"layers": studies(rng)["table"]}


def survey(rng):
    """Tables of families of models."""
    arrays = studies(rng)
    names = {"table": "table", "predictability": "gains", "ranks": "ranks"}
    return {name: arrays[old] for name, old in names.items()}


def pairs(rng):
    about = [{"dataset": d, "modality": m, "level": v, "language": "en"} for d, m, v in SETS]
    table = [
        {
            **s,
            "space": space,
            "score": x,
            "low": x - 0.05,
            "high": x + 0.08,
            "metric": "r",
            "family": "controls" if space == "controls" else "causal",
            "unit": "fold",
            "n_units": 10,
            "n_items": 300,
        }
        for s in about
        for space, x in (("a", 0.5), ("b", 0.45), ("c", 0.2), ("controls", 0.42))
    ]
    found = (("a", "b", 0.3), ("a", "c", 0.001), ("b", "c", 0.01))
    tests = [
        {**s, "version": "full", "first": a, "second": b, "p": p}
        for s in about
        for a, b, p in found
    ]
    return {"table": table_of(pd.DataFrame(table)), "pairs": table_of(pd.DataFrame(tests))}


def brains(rng):
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -90, -126, -72
    x, y, _ = np.moveaxis(np.indices((24, 29, 24)), 0, -1).reshape(-1, 3).T * 8.0
    data = np.stack([(90 - x) / 100, (y - 126) / 120])
    mask = np.ones((24, 29, 24), dtype=bool)
    maps = BrainMaps(data, ["a", "b"], mask, "r", affine, subject="S1").to_xarray()
    found = BrainMaps(
        np.abs(data[:1]), ["a: 6 subjects, p <= 0.05 (max t)"], mask, "Cohen's d", affine
    )
    return {"maps_S1": maps, "searchlight": maps.isel(map=[1]), "group": found.to_xarray()}


def epochs(rng):
    montage = mne.channels.make_standard_montage("biosemi16").get_positions()["ch_pos"]
    times = np.arange(-200, 900, 100)
    targets = epoch_targets(list(montage), times / 1000, np.array(list(montage.values())))
    shown = np.outer(
        [c in ("Cz", "Pz", "P3", "P4") for c in montage], (times == 300) | (times == 400)
    )
    level = np.array([[0.2], [0.05], [0.0]]) * shown.ravel()
    score = level[:, None] + rng.normal(0, 0.02, (3, 5, len(targets)))
    coords = {
        "analysis": ["ridge"],
        "space": ["layer 3", "random (layer 3)", "length + frequency"],
        "kind": ("space", ["layer", "random", "reference"]),
        **target_coordinates(targets),
    }
    return {
        "scores": xarray.Dataset(
            {
                "score": (("analysis", "space", "fold", "target"), score[None]),
                "p": (("analysis", "space", "target"), np.where(level > 0.1, 0.01, 0.8)[None]),
            },
            coords,
            {"title": "epochs", "modality": "eeg", "label": "r"},
        )
    }


def added(rng):
    """What two predictors add to controls, and one to the other."""
    found = epochs(rng)["scores"].isel(analysis=0, drop=True)
    names = ["association", "similarity", "similarity beyond association"]
    return {"added": found.assign_coords(space=names)}


def languages_of_a_study(rng):
    rows = []
    for language, name in (("en", "alice-en"), ("zh", "alice-zh"), ("da", "alice-da")):
        for model in ("tiny", "large"):
            gains = {"beyond": rng.normal(0.02, 0.02), "over_random": rng.normal(0.03, 0.02)}
            row = {"language": language, "dataset": name, "model": model}
            for measure, gain in gains.items():
                row |= {
                    measure: gain,
                    f"{measure}_low": gain - 0.02,
                    f"{measure}_high": gain + 0.02,
                }
                row[f"{measure}_q"] = float(rng.random())
            rows.append(row)
    means = [
        {"model": m, "measure": k, "gain": 0.02, "low": 0.0, "high": 0.04, "p": 0.04}
        for m in ("tiny", "large")
        for k in ("beyond", "over_random")
    ]
    return {"table": table_of(pd.DataFrame(rows)), "over_languages": table_of(pd.DataFrame(means))}


def cogbench_scores(rng):
    """Two tasks of six layers, with every baseline."""
    rows = []
    for task, level in (("word_fmri", 0.55), ("fmri", 0.09), ("meg", 0.05), ("eye_tracking", 0.1)):
        kinds = [("layer", k) for k in range(6)] + [("untrained", k) for k in range(6)]
        kinds += [("random", -1), ("controls", -1)] + [("null", -1)] * (task == "word_fmri")
        for kind, layer in kinds:
            official, r, beyond, pairwise = rng.normal([level, 0.1, 0.05, 0.6], 0.01)
            undipped = official - 0.01 if task == "meg" else np.nan
            row = {"task": task, "space": f"{kind} {layer}", "kind": kind, "layer": layer}
            scored = {"official": official, "undipped": undipped, "r": r, "beyond": beyond}
            rows.append({**row, **scored, "pairwise": pairwise})
    table = pd.DataFrame(rows)
    return {"table": table_of(table), "published": table_of(published_scores())}


def gains(rng):
    names = ["word rate + position", "controls", "its untrained twin", "random vectors"]
    table = pd.DataFrame({"reference": names, "comparison": ["added to"] * 2 + ["instead of"] * 2})
    table = table.assign(gain=[0.01, 0.03, 0.06, -0.05], other=[0.14, 0.14, 0.07, 0.19])
    table = table.assign(low=table["gain"] - 0.02, high=table["gain"] + 0.02)
    table = table.assign(verdict=["undecided", "more", "more", "less"])
    sentence = "model predicts more than controls alone (+0.030 [0.010, 0.050], q 0.01), its " * 2
    return {"verdict": table_of(table).assign_attrs(sentence=sentence)}


def factors(rng):
    """Three models at four contexts on two data sets, as context_and_size saves them."""
    rows = [
        {
            "dataset": dataset,
            "level": "discourse",
            "model": model,
            "context": context,
            "pooling": "mean",
            "parameters": size,
            "bits_per_byte": 2.2 - 0.1 * np.log10(size) + 0.3 / context,
            "score": 0.02 * np.log2(context) + 0.05 * np.log10(size) - 0.3 + rng.normal(0, 0.01),
        }
        for dataset in ("provo", "alice-fmri")
        for model, size in (("gemma3", 2.7e8), ("smollm2", 1.3e8), ("qwen0.5b", 4.9e8))
        for context in (1, 4, 16, 64)
    ]
    table = pd.DataFrame(rows)
    table = table.assign(low=table["score"] - 0.02, high=table["score"] + 0.02)
    return {"table": table_of(table)}


def newcomers(rng):
    """Accuracies of five methods by minutes of own data, as decode_new_person saves them."""
    minutes = np.array([1.0, 2, 5, 10, 20, 40])
    methods = ["own", "others", "procrustes", "srm", "ridge"]
    rise = np.array([0.08, 0, 0.06, 0.11, 0.1])[:, None] * np.log10(1 + minutes)
    accuracy = 0.5 + np.stack([rise, 0 * rise]) + rng.normal(0, 0.01, (2, 5, 6))
    dims = ("snr", "decoder", "minutes")
    scores = xarray.Dataset(
        {"accuracy": (dims, accuracy), "low": (dims, accuracy - 0.04)},
        coords={"snr": [1.0, 0.0], "decoder": methods, "minutes": minutes},
    )
    return {"scores": scores.assign(high=scores["accuracy"] + 0.04)}


MAKERS = {
    "cogbench": cogbench_scores,
    "layer_curve": scores,
    "target_bars": scores,
    "target_heat_map": scores,
    "alphas": penalties,
    "similarity_and_rsa": languages,
    "rdm_pair": rdms,
    "decoding_curve": accuracies,
    "decoding_null": accuracies,
    "reconstruction_gain": reconstructions,
    "reconstruction_scores": reconstructions,
    "reconstruction_text": reconstructions,
    "ablations": decoders,
    "mapping_and_text": decoders,
    "new_person": newcomers,
    "geometry": text,
    "surprisal": text,
    "model_by_dataset": studies,
    "layers_by_level": levels,
    "layers_by_modality": studies,
    "context_and_size": factors,
    "context_gains": studies,
    "winners": studies,
    "unique_variance": studies,
    "critical_difference": studies,
    "reading_effects": studies,
    "reading_gains": studies,
    "coverage": studies,
    "paired_bars": pairs,
    "brain_maps": brains,
    "winner_brain": brains,
    "flat_maps": brains,
    "added_effects": added,
    "language_gains": languages_of_a_study,
    "verdict": gains,
    "group_map": brains,
    "searchlight_brain": brains,
    "glass_brains": brains,
    "time_course": epochs,
    "topographies": epochs,
}


def study_gains(rng):
    """The verdict of a study of two models on eight data sets."""
    references = ["the controls", "static vectors", "its untrained twin", "random vectors"]
    rows = [
        {
            "dataset": dataset,
            "source": model,
            "reference": reference,
            "gain": rng.normal(0.05, 0.05),
        }
        for reference in references
        for dataset in ("binder-en", "binder-zh", "provo", "pereira2018", "alice-fmri", "ucl-erp")
        for model in ("smollm2", "minilm")
    ]
    table = pd.DataFrame(rows)
    table = table.assign(low=table["gain"] - 0.04, high=table["gain"] + 0.04)
    comparison = np.where(table["reference"] == "the controls", "added to", "instead of")
    table = table.assign(comparison=comparison, q=np.where(table["gain"] > 0.04, 0.01, 0.5))
    return {"verdict": table_of(table).assign_attrs(sentence="smollm2 predicts more.")}


PAPER = {  # case -> script of figures/, maker of the arrays of its bundle
    "cogbench": ("cogbench", cogbench_scores),
    "layers_by_modality": ("layers_by_modality", studies),
    "encoding_maps": ("encoding_maps", brains),
    "reading_and_n400": ("reading_and_n400", studies),
    "reconstruction": ("reconstruction", chinese_reconstructions),
    "mulcogbench": ("controls_and_baselines", mulcogbench),
    "navigating": ("controls_and_baselines", navigating),
    "survey": ("controls_and_baselines", survey),
    "epochs": ("epochs", epochs),
}

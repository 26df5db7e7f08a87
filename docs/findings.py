"""Write findings.md from the bundles of the comparison studies.

``python docs/findings.py FOLDER > docs/findings.md``, where FOLDER holds the bundles that
``brainlm run mulcogbench``, ``navigating``, ``survey``, ``reading``, ``simulate_studies``,
``simulate_regions``, ``decode_pereira2018_text`` and ``decode_alice_fmri`` saved under these names.
Every sentence with a number is made of a bundle; a study whose bundle is not there is said to be
missing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pandas as pd
import xarray

from brainlm.bundle import Bundle, load_bundle
from brainlm.errors import DataMissingError

ALPHA = 0.05
HEAD = """# Findings

Written from result bundles by `docs/findings.py`; every number stands in the bundle that is named
above it. These are small studies on the data that one machine without a model hub has: they show
what the analyses do and say nothing final about models. r is held out throughout; intervals are
95 %; q is Benjamini-Hochberg's within a data set and method; p of paired comparisons are two-sided
sign flips over subjects, or folds where there are only means over people. Ten folds share most of
their training items, so intervals over folds are somewhat too narrow. n_subjects 1 is one person,
or a mean over people that the data come as. A circular shift rejects .060 of noise at .05
(`benchmarks/README.md`). Decoding of simulated subjects, and what each factor does, stands in
[a page of its own](decoding_results.md).
"""


def frame(bundle: Bundle, name: str) -> pd.DataFrame:
    """A table of a bundle."""
    table = bundle.arrays[name]
    if not table.sizes.get("row"):
        return pd.DataFrame(columns=list(table))
    return table.to_dataframe().reset_index(drop=True)


def markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(map(str, table.columns)) + " |", "|" + "---|" * table.shape[1]]
    for row in table.itertuples(index=False):
        cells = [f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join("-" if c == "nan" else c for c in cells) + " |")
    return "\n".join(lines)


def settings(bundle: Bundle) -> str:
    """What was run, in one line."""
    config = bundle.record["config"]
    shown = {k: v for k, v in config.items() if k not in ("datasets", "languages", "controls")}
    debug = " **A debug run: numbers are of small parts of the data.**" if config["debug"] else ""
    listed = ", ".join(f"{k} {v}" for k, v in shown.items() if k != "debug" and v != "")
    return f"Bundle `{bundle.record['analysis']}` ({listed}).{debug}"


def verdict(holds: bool | None) -> str:
    """How a published finding fares."""
    return {True: "**holds here**", False: "**does not hold here**", None: "**undecided here**"}[
        holds
    ]


def mulcogbench(bundle: Bundle) -> str:
    """What the MulCogBench study shows."""
    table, gains, profiles = (frame(bundle, n) for n in ("table", "gains", "profiles"))
    trends, languages = frame(bundle, "trends"), frame(bundle, "languages")
    modalities = frame(bundle, "modalities")
    own = table[table["family"] != "random"]
    unknown = own["null_mean"].isna()
    lacking = ", ".join(own.loc[unknown, "dataset"].unique())
    left_out = f" Left out, without a defined null: {lacking}." if lacking else ""
    own = own.assign(q=own["q"].mask(unknown))
    best = own.sort_values("score", ascending=False).groupby("dataset", sort=False).head(1)
    best = best.sort_values(["level", "dataset"])
    shown = best[["dataset", "modality", "language", "level", "space", "score", "low", "high",
                  "ceiling", "q", "n_items", "n_subjects"]]  # fmt: skip
    models = own.groupby(["dataset", "model"])["q"].min().dropna()
    significant = int((models <= ALPHA).sum())
    over = gains[["dataset", "model", "level", "gain", "low", "high", "p", "over_random",
                  "random_low", "random_high", "random_p"]]  # fmt: skip
    beyond = gains[(gains["random_p"] <= ALPHA) & (gains["over_random"] > 0)]
    up = trends[(trends["rho"] > 0) & (trends["p"] <= ALPHA)]
    shallow = profiles[(profiles["p"] <= ALPHA) & (profiles["slope"] < 0)]
    deep = profiles[(profiles["p"] <= ALPHA) & (profiles["slope"] > 0)]
    agree = languages[(languages["over"] == "layers and static")]
    agreeing = agree[agree["p"] <= ALPHA]
    published = own[["score", "published"]].dropna()
    fallen = int((published["published"] < published["score"] - 0.1).sum())
    every = verdict(significant == len(models))
    random = table[table["family"] == "random"].sort_values("score").iloc[-1]
    growing = verdict(len(up) == len(trends) if len(up) in (0, len(trends)) else None)
    discourse = table.loc[table["level"] == "discourse", "dataset"].nunique()
    bilingual = verdict(len(agreeing) == len(agree) if len(agreeing) in (0, len(agree)) else None)
    by_modality = ", ".join(
        f"{modality} {int((own['p'] <= ALPHA).sum())} of {len(own)}"
        for modality, own in agree.groupby("modality", sort=False)
    )
    meg = "" if "meg" in set(table["modality"]) else ": no MEG here"
    text = [
        "## MulCogBench: similarity encoding of every layer", settings(bundle), "",
        "Best representation of each data set (chosen on these scores):", markdown(shown), "",
        f"- *Every model is significantly similar to cognitive data*: {every}. "
        f"{significant} of {len(models)} pairs of data set and model have a layer with q <= .05 "
        "against null responses. That is a weak claim: random vectors with the geometry of a "
        f"layer, equal for equal words, reach r = {random['score']:.2f} ({random['dataset']}). "
        f"Beyond them, with the layer held out, go {len(beyond)} of {len(gains)} (p <= .05)."
        f"{left_out}",
        f"- *Context-aware models gain as stimuli grow from words to discourse*: "
        f"{growing}. The gain over static vectors rises with the level in {len(up)} of "
        f"{len(trends)} models (p <= .05 over data sets). The data sets of a discourse are "
        f"{discourse}, so this is mostly words against sentences; and ratings and gaze differ in "
        "more than level. Words of the UCL corpus carry their punctuation, which the look-up of "
        "static vectors strips: a part of the gain there may be the mark of the end of a sentence.",
        markdown(trends), "",
        "Gain over static vectors, and over random vectors with the geometry of the layers:",
        markdown(over), "",
        f"- *Shallow layers fit MEG, deep layers fMRI*{meg}. Scores fall with depth in "
        f"{len(shallow)} of {len(profiles)} pairs of data set and model "
        f"({names(shallow)}), and rise in {len(deep)} ({names(deep)}), at p <= .05. fMRI against "
        f"EEG: {contrast(modalities, 'fmri', 'eeg')}; fMRI against gaze: "
        f"{contrast(modalities, 'fmri', 'eye-tracking')}; ratings against gaze: "
        f"{contrast(modalities, 'ratings', 'eye-tracking')}.",
        f"- *Chinese and English agree*: the order of all layers and static vectors agrees at "
        f"p <= .05 for {len(agreeing)} of {len(agree)} pairs of data sets "
        f"({bilingual}); by modality: {by_modality}.",
        markdown(languages) if len(languages) else "",
        f"- The published form of similarity encoding lies more than .1 below the z-scored one for "
        f"{fallen} of {len(published)} representations: geometry, see `brainlm/similarity.py`.",
    ]  # fmt: skip
    return "\n".join(text)


def names(rows: pd.DataFrame) -> str:
    """Data sets and models of some rows."""
    return ", ".join(f"{r.dataset} {r.model}" for r in rows.itertuples()) or "none"


def contrast(pairs: pd.DataFrame, deep: str, shallow: str) -> str:
    """How many contrasts of two modalities go which way."""
    forward = pairs[(pairs["first_modality"] == deep) & (pairs["second_modality"] == shallow)]
    backward = pairs[(pairs["first_modality"] == shallow) & (pairs["second_modality"] == deep)]
    difference = pd.concat([forward["difference"], -backward["difference"]])
    p = pd.concat([forward["p"], backward["p"]])
    up, down = ((p <= ALPHA) & (difference > 0)).sum(), ((p <= ALPHA) & (difference < 0)).sum()
    return f"{up} of {len(p)} contrasts favour deeper layers for {deep}, {down} for {shallow}"


def navigating(bundle: Bundle) -> str:
    """What the Navigating study shows."""
    table, pairs = frame(bundle, "table"), frame(bundle, "pairs")
    partition, shares = frame(bundle, "partition"), frame(bundle, "winners")
    spaces = list(dict.fromkeys(shares["space"]))
    main = table[table["space"].isin([*spaces, "controls"])]
    wide = main.pivot(index="dataset", columns="space", values="score").reset_index()
    text = [
        "## Navigating: neural, static, embodied and taxonomic spaces by ridge encoding",
        settings(bundle), "",
        "Held-out r of each space alone:", markdown(wide), "",
    ]  # fmt: skip
    families = table.drop_duplicates("space").set_index("space")["family"]
    plausible = [n for n in spaces if families[n] in ("embodied", "network", "taxonomic")]
    for space, version in product(plausible, ("full", "PCA-matched")):
        own = pairs[
            (pairs["version"] == version) & (pairs["second"] == space)
            & ~pairs["first"].isin(plausible)
        ]  # fmt: skip
        worse = own[(own["p"] <= ALPHA) & (own["difference"] > 0)]
        better = own[(own["p"] <= ALPHA) & (own["difference"] < 0)]
        holds = None if bool(len(better)) == bool(len(worse)) else len(better) > 0
        text.append(
            f"- *The {space} space is best*, {version} dimensions: {verdict(holds)}. Of {len(own)} "
            f"comparisons of a language model or static vectors with it, {len(better)} favour it "
            f"and {len(worse)} the other (p <= .05)."
        )
    for space in plausible:
        permuted = table[table["space"] == f"permuted {space}"].set_index("dataset")["score"]
        true = table[table["space"] == space].set_index("dataset")["score"]
        more = int((true.loc[permuted.index] > permuted).sum())
        text.append(
            f"- The {space} space predicts better than the same vectors on permuted words in "
            f"{more} of {len(permuted)} data sets; what those predict is words that come again."
        )
    text += [
        "", "R2 alone and unique, from banded ridge (joint: all spaces together):",
        markdown(partition[["dataset", "space", "alone", "unique", "joint", "n_targets"]], 4), "",
        "Share of targets that each space predicts best:",
        markdown(shares.pivot(index="dataset", columns="space", values="share").reset_index(), 2),
    ]  # fmt: skip
    return "\n".join(text)


def survey(bundle: Bundle) -> str:
    """What the survey shows."""
    ranks, gains = frame(bundle, "ranks"), frame(bundle, "predictability")
    text = ["## Survey: does one family win everywhere?", settings(bundle), ""]
    if not len(ranks):
        text.append("- No ranks: too few models stand on all data sets of this run.")
    for kind, own in ranks.groupby("features", sort=False) if len(ranks) else ():
        own = own.sort_values("mean_rank")
        first = own.iloc[0]
        everywhere = int(first["wins"]) == int(first["n_datasets"])
        rivals = (
            int((own["mean_rank"] - first["mean_rank"] <= first["critical_difference"]).sum()) - 1
        )
        text += [
            f"- {kind}, {int(first['n_datasets'])} data sets: *no model wins everywhere* "
            f"{verdict(not everywhere)}; {first['model']} has the best mean rank "
            f"({first['mean_rank']:.2f}) and wins {int(first['wins'])}; {rivals} others lie within "
            f"the critical difference ({first['critical_difference']:.2f}); Friedman p = "
            f"{first['p']:.2g}.",
            "", markdown(own[["model", "mean_rank", "low", "high", "wins"]], 2), "",
        ]  # fmt: skip
    if len(gains):
        positive = gains[(gains["p"] <= ALPHA) & (gains["gain"] > 0)]
        text.append(
            f"- Surprisal and entropy beside length, frequency and position raise r in "
            f"{len(positive)} of {len(gains)} pairs of data set and model (p <= .05): "
            f"{names(positive)}."
        )
    return "\n".join(text)


def reading(bundle: Bundle) -> str:
    """What surprisal adds."""
    gains, mixed = frame(bundle, "gains"), frame(bundle, "mixed")
    positive = gains[(gains["q"] <= ALPHA) & (gains["gain"] > 0)]
    text = [
        "## Reading and N400: surprisal over length, frequency and spill-over",
        settings(bundle), "",
        f"- On held-out sentences surprisal adds log-likelihood in {len(positive)} of {len(gains)} "
        "measures and models (q <= .05 over all of them).", "",
        markdown(gains[["dataset", "measure", "model", "gain", "low", "high", "q", "n_words",
                        "n_subjects"]], 4),
    ]  # fmt: skip
    if len(mixed):
        hit = mixed[mixed["q"] <= ALPHA]
        text += [
            "", "- In mixed models of single trials (crossed random intercepts, slopes of "
            f"surprisal by subject) surprisal is significant in {len(hit)} of {len(mixed)} "
            "(likelihood ratio, F with subjects as units, q <= .05).", "",
            markdown(mixed[["dataset", "measure", "model", "coefficient", "se", "chi2",
                            "df_residual", "q", "variance_slope", "n_trials", "n_subjects",
                            "n_words"]], 4),
        ]  # fmt: skip
    return "\n".join(text)


def simulated(bundle: Bundle) -> str:
    """Whether the study finds what was planted."""
    profiles, modalities, languages = (
        frame(bundle, n) for n in ("profiles", "modalities", "languages")
    )
    planted = profiles[profiles["cause"] == "planted"]
    nothing = profiles[profiles["cause"] == "nothing"]
    false = int((nothing["smallest_q"] <= ALPHA).sum())
    ways = [
        ("ridge encoding", planted[planted["method"] == "ridge"], "best_depth"),
        ("similarity encoding", planted[planted["method"] == "similarity"], "best_depth"),
        ("similarity encoding with columns centred only",
         planted[planted["method"] == "similarity"], "best_depth_centred"),
    ]  # fmt: skip
    found = "; ".join(
        f"{int(((own[column] - own['planted_depth']).abs() <= 0.15).sum())} of {len(own)} by {way}"
        for way, own, column in ways
    )
    text = [
        "## Simulated companions: the answer is known", settings(bundle), "",
        f"- The best layer lies within .15 of the planted depth in {found}. Where nothing was "
        f"planted, a layer has q <= .05 in {false} of {len(nothing)}.", "",
        markdown(profiles[["method", "cause", "modality", "language", "planted_depth",
                           "best_depth", "depth_low", "depth_high", "best_depth_centred",
                           "best_score", "smallest_q"]]), "",
        "Difference of the slopes over depth, fMRI minus MEG:", markdown(modalities), "",
        "Agreement of English and Chinese over layers (null: curves of null responses):",
        markdown(languages),
    ]  # fmt: skip
    return "\n".join(text)


def regions(bundle: Bundle) -> str:
    """Whether a map shows which space drives which region."""
    table = frame(bundle, "table")
    false, outside = int(table["found_outside"].sum()), int(table["n_outside"].sum())
    return "\n".join([
        "## Simulated regions: which space drives which voxels", settings(bundle), "",
        f"- Outside the planted regions {false} of {outside} voxels (both spaces) lie above chance "
        "at p <= .05 over all voxels of a space; of the planted ones that are found, the share "
        "that the right space wins is `won_by_planted`. `searchlight` is the 2v2 accuracy of "
        "held-out samples in the region, `searchlight_away` where no planted voxel is near.", "",
        markdown(table, 3),
    ])  # fmt: skip


def decoded(bundle: Bundle, title: str) -> str:
    """Whether text read from people gains more than what did not have their brain."""
    scores = bundle.arrays["scores"]
    finite = scores["gain"].notnull().any("condition").values
    scores = scores.sel(metric=scores["metric"].values[finite])
    names, metrics = (list(map(str, scores[k].values)) for k in ("condition", "metric"))
    rows, lines = [], []
    for name in names:
        here = scores.sel(condition=name)
        cells = [
            f"{gain:.3f} ({p:.2f})"
            for gain, p in zip(here["gain"].values, here["p"].values, strict=True)
        ]
        rows.append({"condition": name, **dict(zip(metrics, cells, strict=True))})
    for name in [n for n in names if n == "brain" or n.endswith(": brain")]:
        gain = scores["gain"].sel(condition=name).values
        others = ("noise input", "permuted brain", "wrong story")
        beside = {other: name.removesuffix("brain") + other for other in others}
        counts = [
            f"{int((gain > scores['gain'].sel(condition=full).values).sum())} over {other}"
            for other, full in beside.items()
            if full in names
        ]
        lines.append(f"- {name}: of {len(metrics)} gains larger in {', '.join(counts)}.")
    return "\n".join([
        f"## {title}", settings(bundle), "",
        f"Mapping to embeddings, held out: {mapping(scores)}. Gain over random reconstructions (p "
        "against them):",
        markdown(pd.DataFrame(rows)), "", *lines,
    ])  # fmt: skip


def mapping(scores: xarray.Dataset) -> str:
    """How well embeddings are decoded, by each mapper where there are several."""
    if "mapper" not in scores.dims:
        return f"r {float(scores['mapping_r']):.3f}, 2v2 {float(scores['mapping_2v2']):.3f}"
    return "; ".join(
        f"{mapper} "
        + ", ".join(
            f"{name} {float(scores[f'mapper_{name}'].sel(mapper=mapper)):.3f} (p "
            f"{float(scores[f'mapper_{name}_p'].sel(mapper=mapper)):.2f}, shifted responses)"
            for name in ("r", "2v2")
        )
        for mapper in map(str, scores["mapper"].values)
    )


def untested(bundles: dict[str, Bundle]) -> str:
    """What could not be tested, from the notes of the bundles."""
    lines = dict.fromkeys(
        note
        for bundle in bundles.values()
        for note in bundle.record["notes"]
        if "not tested" in note
    )
    return "\n".join(["## What could not be tested", *(f"- {line}" for line in lines)])


STUDIES: dict[str, Callable[[Bundle], str]] = {
    "mulcogbench": mulcogbench,
    "navigating": navigating,
    "survey": survey,
    "reading": reading,
    "simulate_studies": simulated,
    "simulate_regions": regions,
    "decode_pereira2018_text": lambda b: decoded(b, "Text from the brain: sentences of Pereira"),
    "decode_alice_fmri": lambda b: decoded(b, "Text from the brain: minutes of Alice"),
}


def main(folder: Path) -> None:
    """Print the findings of all bundles in a folder."""
    parts, bundles = [HEAD], {}
    for name, write in STUDIES.items():
        try:
            bundles[name] = load_bundle(folder / name)
        except DataMissingError:
            parts.append(f"## {name}\n\nNo bundle: this study was not run.")
            continue
        parts.append(write(bundles[name]))
    sys.stdout.write("\n\n".join([*parts, untested(bundles)]) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/findings.py FOLDER  (the folder that holds the bundles)")
    main(Path(sys.argv[1]))

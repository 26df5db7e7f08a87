"""Write findings.md from the bundles of the comparison studies.

``python docs/findings.py FOLDER > docs/findings.md``, where FOLDER holds the bundles that
``brainlm run mulcogbench``, ``navigating``, ``survey``, ``reading``, ``simulate_studies``,
``simulate_regions``, ``encode_languages``, ``encode_epochs`` (of n400-word-pairs),
``decode_pereira2018_text`` and ``decode_alice_fmri`` saved under these names.
Every sentence with a number is made of a bundle; a study whose bundle is not there is said to be
missing. The summary and its figures are made of the tables of the page, so they can be renewed
without the bundles: ``python docs/findings.py docs/findings.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import xarray
from findings_summary import FAILS, FIGURES, FOUND
from page_summary import BEGIN, END, with_summary

from brainlm.decoding.controls import cautions, condition_kind
from brainlm.errors import DataMissingError
from brainlm.results.bundle import Bundle, load_bundle

ALPHA = 0.05
PICTURES = Path(__file__).parent / "findings-figures"
HEAD = f"""# Findings

`docs/findings.py` wrote this page from result bundles; each section names its bundle, which holds
every number. These are small studies on the data that one machine without a model hub has. They
show what the analyses do and settle nothing about models.

{BEGIN}
{END}

## How to read the numbers

- r is held out. Where a model has several layers, the layer of each fold is chosen on the others.
- Intervals are 95 % over folds, corrected for the training samples that folds share. They hold for
  new stimuli and these subjects: the listeners of one story are no sample of stories.
- A difference has two p values: over folds (for time series: against one circular shift of all
  subjects), and against the same models with the vectors of word types permuted, since two
  embeddings without meaning differ, too. The larger one counts. Isolated words do not recur, so
  differences between two models of them have the first one only.
- q is Benjamini-Hochberg's over all rows of a table; only q <= .05 is called significant.
- Controls are word length, frequency, position, and in stories the word rate, on all words. What a
  model adds to them is r of both together minus r of the controls.
- n_subjects 1 is one person, or a mean over people that the data come as. Where people read
  different words (UCL by person, ZuCo), features are fitted to the mean over people and scored on
  each, and the ceiling is the correlation of each with the mean of the others.

How often each test rejects where nothing is true is in `benchmarks/README.md`. Decoding of
simulated subjects is on [another page](decoding_results.md).
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
    """Findings of the MulCogBench study."""
    table, gains, profiles = (frame(bundle, n) for n in ("table", "gains", "profiles"))
    languages, modalities = frame(bundle, "languages"), frame(bundle, "modalities")
    first = table.drop_duplicates("dataset").set_index("dataset")
    scores = gains[["dataset", "modality", "language", "level", "model"]].assign(
        r=interval(gains, "score_"),
        static=gains["static"],
        controls=gains["controls"],
        permuted=gains["random"],
        ceiling=gains["dataset"].map(first["ceiling"]),
        n_items=gains["n_items"],
        n_subjects=gains["dataset"].map(first["n_subjects"]),
    )
    contrasts = gains[["dataset", "model", "level"]].assign(
        **{
            "over controls": interval(gains, "beyond_"),
            "q controls": gains["beyond_q"],
            "over static": interval(gains, ""),
            "q static": gains["q"],
            "over permuted": interval(gains, "over_random_"),
            "q permuted": gains["over_random_q"],
        }
    )
    similar = gains[gains["smallest_q"] <= ALPHA]
    meaning = gains[(gains["over_random_q"] <= ALPHA) & (gains["over_random_gain"] > 0)]
    added = gains[(gains["beyond_q"] <= ALPHA) & (gains["beyond_gain"] > 0)]
    better = gains[(gains["q"] <= ALPHA) & (gains["gain"] > 0)]
    worse = gains[(gains["q"] <= ALPHA) & (gains["gain"] < 0)]
    every = len(similar) == len(gains) == len(meaning)
    deep = profiles[(profiles["q"] <= ALPHA) & (profiles["slope"] > 0)]
    shallow = profiles[(profiles["q"] <= ALPHA) & (profiles["slope"] < 0)]
    differ = modalities[modalities["q"] <= ALPHA]
    meg = "" if "meg" in set(table["modality"]) else " There are no MEG data here."
    noise = languages[languages["p"] <= ALPHA]
    published = table[table["family"] != "random"][["score", "published"]].dropna()
    fallen = int((published["published"] < published["score"] - 0.1).sum())
    text = [
        "## MulCogBench: similarity encoding of every layer",
        settings(bundle),
        "",
        markdown(scores),
        "",
        f"- *Every model is significantly similar to cognitive data*: {verdict(every or None)}. "
        f"{len(similar)} of {len(gains)} pairs of data set and model have a layer with q <= .05 "
        f"against null responses, and {len(meaning)} are better than the same model with word "
        "types permuted.",
        f"- A model adds significantly to the controls in {len(added)} of {len(gains)} pairs: "
        f"{names(added)}.",
        f"- A model is significantly better than static vectors in {len(better)} pairs "
        f"({names(better)}) and worse in {len(worse)} ({names(worse)}).",
        "- *Context-aware models gain as stimuli grow from words to discourse*: not tested. Levels "
        "differ in modality and noise, and raw gains of data sets with r from .05 to .8 have no "
        "common scale.",
        "",
        "Differences with their intervals:",
        markdown(contrasts),
        "",
        f"- *Shallow layers fit MEG, deep layers fit fMRI*: {verdict(None)}.{meg} Scores rise with "
        f"depth significantly in {len(deep)} of {len(profiles)} pairs of data set and model "
        f"({names(deep)}) and fall in {len(shallow)} ({names(shallow)}). Between modalities, with "
        f"data sets as units and curves relative to their mean, {len(differ)} of "
        f"{len(modalities)} contrasts are significant.",
        markdown(modalities) if len(modalities) else "",
        f"- *Chinese and English agree*: {verdict(None)}. For {len(noise)} of {len(languages)} "
        "pairs of data sets the order of one model's layers agrees better than with curves of "
        "noise (p <= .05, single tests). That says that the Chinese curve is no noise, and no "
        "more.",
        markdown(languages) if len(languages) else "",
        f"- The published form of similarity encoding is more than .1 below the z-scored one for "
        f"{fallen} of {len(published)} representations: see `brainlm/similarity.py`.",
    ]
    return "\n".join(text)


def interval(rows: pd.DataFrame, prefix: str) -> pd.Series:
    """Gain and its interval as text."""
    columns = (rows[f"{prefix}{name}"] for name in ("gain", "low", "high"))
    return pd.Series(
        [f"{m:.3f} [{low:.3f}, {high:.3f}]" for m, low, high in zip(*columns, strict=True)],
        index=rows.index,
        dtype=str,
    )


def names(rows: pd.DataFrame) -> str:
    """Data sets and models of some rows."""
    return ", ".join(f"{r.dataset} {r.model}" for r in rows.itertuples()) or "none"


def navigating(bundle: Bundle) -> str:
    """Findings of the Navigating study."""
    table, pairs = frame(bundle, "table"), frame(bundle, "pairs")
    partition, shares = frame(bundle, "partition"), frame(bundle, "winners")
    spaces = list(dict.fromkeys(shares["space"]))
    main = table[table["space"].isin([*spaces, "controls"])]
    text = [
        "## Navigating: neural, static, embodied and taxonomic spaces by ridge encoding",
        settings(bundle),
        "",
        "Held-out r of each space alone:",
        markdown(wide(main, "score")),
        "",
        "What each space adds to the controls:",
        markdown(wide(main[main["space"] != "controls"], "beyond_controls")),
        "",
    ]
    families = table.drop_duplicates("space").set_index("space")["family"]
    plausible = [n for n in spaces if families[n] in ("embodied", "network", "taxonomic")]
    for space, version in product(plausible, ("full", "PCA-matched")):
        own = pairs[
            (pairs["version"] == version)
            & (pairs["second"] == space)
            & ~pairs["first"].isin(plausible)
        ]
        worse = own[(own["q"] <= ALPHA) & (own["difference"] > 0)]
        better = own[(own["q"] <= ALPHA) & (own["difference"] < 0)]
        holds = None if bool(len(better)) == bool(len(worse)) else len(better) > 0
        text.append(
            f"- *The {space} space is best*, {version} dimensions: {verdict(holds)}. Of {len(own)} "
            f"comparisons of a language model or static vectors with it, {len(better)} favour it "
            f"and {len(worse)} the other (q <= .05 over all pairs of the study)."
        )
    columns = ["dataset", "space", "alone", "unique", "joint", "n_targets", "note"]
    text += [
        "",
        "R2 alone and unique, from banded ridge (joint: all spaces together; the means of each "
        "test fold are removed):",
        markdown(partition[columns], 4),
        "",
        "Share of targets that each space predicts best:",
        markdown(wide(shares, "share"), 2),
    ]
    return "\n".join(text)


def wide(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """A row per data set, a column per space."""
    return table.pivot(index="dataset", columns="space", values=value).reset_index()


def survey(bundle: Bundle) -> str:
    """Findings of the survey."""
    ranks, gains = frame(bundle, "ranks"), frame(bundle, "predictability")
    text = ["## Survey: does one family win everywhere?", settings(bundle), ""]
    if not len(ranks):
        text.append("- No ranks: too few models or materials in this run.")
    for kind, own in ranks.groupby("features", sort=False) if len(ranks) else ():
        own = own.sort_values("mean_rank")
        first = own.iloc[0]
        n = int(first["n_datasets"])
        holds = True if first["lost"] else False if first["won"] == n else None
        tested = (
            f"another model is significantly better on {int(first['lost'])} of {n} data sets, and "
            f"it is significantly better than all others on {int(first['won'])}"
            if first["tested"]
            else "pairs were not tested"
        )
        text += [
            f"- {kind}: *no model wins everywhere* {verdict(holds if first['tested'] else None)}. "
            f"{first['model']} has the best mean rank ({first['mean_rank']:.2f}) over "
            f"{int(first['n_materials'])} materials ({n} data sets; those of the same sentences or "
            f"words count once); {tested}. Friedman p = {first['p']:.2g}, critical difference "
            f"{first['critical_difference']:.2f}.",
            "",
            markdown(
                own[
                    [
                        "model",
                        "mean_rank",
                        "low",
                        "high",
                        "wins",
                        *(["lost"] if first["tested"] else []),
                    ]
                ],
                2,
            ),
            "",
        ]
    for features, own in gains.groupby("features", sort=False) if len(gains) else ():
        positive = own[(own["q"] <= ALPHA) & (own["gain"] > 0)]
        what = "Surprisal and entropy add" if features == "predictability" else "Embeddings add"
        shown = own[["dataset", "model"]].assign(
            gain=interval(own, ""), permuted=own["random_gain"], q=own["q"]
        )
        text += [
            f"- {what} significantly to the controls in {len(positive)} of {len(own)} pairs of "
            f"data set and model: {names(positive)}.",
            "",
            markdown(shown),
            "",
        ]
    return "\n".join(text)


def reading(bundle: Bundle) -> str:
    """What surprisal adds."""
    gains, mixed = frame(bundle, "gains"), frame(bundle, "mixed")
    spilled = gains[gains["effect"] != "surprisal"]
    wide = spilled[(spilled["q"] <= ALPHA) & (spilled["gain"] > 0)]
    gains = gains[gains["effect"] == "surprisal"]
    positive = gains[(gains["q"] <= ALPHA) & (gains["gain"] > 0)]
    text = [
        "## Reading and N400: surprisal over length, frequency and spill-over",
        settings(bundle),
        "",
        f"- On held-out sentences surprisal adds log-likelihood in {len(positive)} of {len(gains)} "
        "measures and models (q <= .05 over all of them, and over those of the next line).",
        "- With the surprisal of the two words before, over their length and frequency too, in "
        f"{len(wide)} of {len(spilled)}; the table has the first.",
        "",
        markdown(
            gains[
                ["dataset", "measure", "model", "gain", "low", "high", "q", "n_words", "n_subjects"]
            ],
            4,
        ),
    ]
    if len(mixed):
        hit = mixed[mixed["q"] <= ALPHA]
        text += [
            "",
            "- In mixed models of single trials (crossed random intercepts, slopes of "
            f"surprisal by subject) surprisal is significant in {len(hit)} of {len(mixed)} "
            "(likelihood ratio, F with subjects as units, q <= .05).",
            "",
            markdown(
                mixed[
                    [
                        "dataset",
                        "measure",
                        "model",
                        "coefficient",
                        "se",
                        "chi2",
                        "df_residual",
                        "q",
                        "variance_slope",
                        "n_trials",
                        "n_subjects",
                        "n_words",
                    ]
                ],
                4,
            ),
            "",
            "t of surprisal, of the word and of the two before it, in one model with the length "
            "and frequency of all three:",
            "",
            markdown(
                mixed[
                    [
                        "dataset",
                        "measure",
                        "model",
                        "t, surprisal",
                        "t, surprisal 1 back",
                        "t, surprisal 2 back",
                    ]
                ],
                2,
            ),
        ]
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
        (
            "similarity encoding with columns centred only",
            planted[planted["method"] == "similarity"],
            "best_depth_centred",
        ),
    ]
    found = "; ".join(
        f"{int(((own[column] - own['planted_depth']).abs() <= 0.15).sum())} of {len(own)} by {way}"
        for way, own, column in ways
    )
    text = [
        "## Simulated companions: the answer is known",
        settings(bundle),
        "",
        f"- The best layer lies within .15 of the planted depth in {found}. Where nothing was "
        f"planted, a layer has q <= .05 in {false} of {len(nothing)}.",
        "",
        markdown(
            profiles[
                [
                    "method",
                    "cause",
                    "modality",
                    "language",
                    "planted_depth",
                    "best_depth",
                    "depth_low",
                    "depth_high",
                    "best_depth_centred",
                    "best_score",
                    "smallest_q",
                ]
            ]
        ),
        "",
        "Difference of the relative slopes over depth, fMRI minus MEG (-: no clear score):",
        markdown(modalities),
        "",
        "Agreement of English and Chinese over layers, against curves of null responses:",
        markdown(languages),
    ]
    return "\n".join(text)


def regions(bundle: Bundle) -> str:
    """Whether a map shows which space drives which region."""
    table = frame(bundle, "table")
    false, outside = int(table["found_outside"].sum()), int(table["n_outside"].sum())
    return "\n".join(
        [
            "## Simulated regions: which space drives which voxels",
            settings(bundle),
            "",
            f"- Outside the planted regions {false} of {outside} voxels (both spaces) lie above "
            "chance at p <= .05 over all voxels of a space; of the planted ones found, the share "
            "that the right space wins is `won_by_planted`. `searchlight` is the 2v2 accuracy of "
            "held-out samples in the region, `searchlight_away` where no planted voxel is near.",
            "",
            markdown(table, 3),
        ]
    )


def decoded(bundle: Bundle, title: str) -> str:
    """Whether text read from people gains more than what did not have their brain."""
    scores = bundle.arrays["scores"]
    finite = scores["gain"].notnull().any("condition").values
    scores = scores.sel(metric=scores["metric"].values[finite])
    names, metrics = (list(map(str, scores[k].values)) for k in ("condition", "metric"))
    kinds, rows = list(dict.fromkeys(map(condition_kind, names))), []
    for kind in kinds:
        drawn = scores["gain"].sel(
            condition=[name for name in names if condition_kind(name) == kind]
        )
        label = f"{kind} (mean of {len(drawn)} draws)" if len(drawn) > 1 else kind
        cells = [f"{gain:.3f}" for gain in drawn.mean("condition").values]
        rows.append({"condition": label, **dict(zip(metrics, cells, strict=True))})
    over = []
    for brain, control in product(scores["brain"].values, scores["control"].values):
        here = scores.sel(brain=brain, control=control)
        columns = (here[name].values for name in ("over", "over_low", "over_high", "over_p"))
        cells = [
            f"{mean:.3f} [{low:.3f}, {high:.3f}] ({p:.3f})"
            for mean, low, high, p in zip(*columns, strict=True)
        ]
        if np.isfinite(here["over"].values).any():
            over.append(
                {
                    "brain - control": f"{brain} - {control}",
                    **dict(zip(metrics, cells, strict=True)),
                }
            )
    units = scores.attrs.get("units", "draws of the control: one text")
    return "\n".join(
        [
            f"## {title}",
            "",
            *(f"**{line}.**\n" for line in cautions(scores)),
            settings(bundle),
            "",
            f"Mapping to embeddings, held out: {mapping(scores)}. Gain over random "
            "reconstructions:",
            "",
            markdown(pd.DataFrame(rows)),
            "",
            f"Brain minus control, 95 % interval (p) over {units}; single tests, q is in "
            "the bundle:",
            "",
            markdown(pd.DataFrame(over)),
        ]
    )


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
        note for bundle in bundles.values() for note in bundle.notes if "not tested" in note
    )
    return "\n".join(["## What could not be tested", *(f"- {line}" for line in lines)])


def languages(bundle: Bundle) -> str:
    """Text on one layer of a model in many languages."""
    table, means = frame(bundle, "table"), frame(bundle, "over_languages")
    shown = table[["language", "dataset", "model", "score", "controls", "random", "ceiling"]]
    shown = shown.assign(
        gain=[
            f"{row.beyond:.3f} [{row.beyond_low:.3f}, {row.beyond_high:.3f}]"
            for row in table.itertuples()
        ],
        q=table["beyond_q"],
        n_subjects=table["n_subjects"],
    )
    lines = [
        f"- {row.model}, {row.what}: {row.gain:.3f} [{row.low:.3f}, {row.high:.3f}] over "
        f"{row.n_languages} languages (sign flips p {row.p:.3f}), above 0 in {row.n_positive}."
        if row.n_languages >= 3
        else f"- {row.model}, {row.what}: {row.gain:.3f}; too few languages for an interval "
        f"({row.n_languages})."
        for row in means.itertuples()
    ]
    title = "## Languages: one layer in language regions, beyond controls"
    return "\n".join([title, settings(bundle), "", *lines, "", markdown(shown)])


def pairs(bundle: Bundle) -> str:
    """Text on the predictors of the response to the second word of a pair."""
    title = "## Word pairs: does a model explain the N400 beyond association?"
    added = bundle.arrays.get("added")
    if added is None:
        return f"{title}\n{settings(bundle)}\n\nThe bundle is not of word pairs."
    from brainlm.encoding.added_effects import effect_lines

    first, *lines = effect_lines(added)
    return "\n".join([title, settings(bundle), "", f"{first}:", "", *(f"- {x}" for x in lines)])


STUDIES: dict[str, Callable[[Bundle], str]] = {
    "mulcogbench": mulcogbench,
    "navigating": navigating,
    "survey": survey,
    "reading": reading,
    "simulate_studies": simulated,
    "simulate_regions": regions,
    "encode_languages": languages,
    "encode_epochs": pairs,
    "decode_pereira2018_text": lambda b: decoded(b, "Text from the brain: sentences of Pereira"),
    "decode_alice_fmri": lambda b: decoded(b, "Text from the brain: minutes of Alice"),
}


def renew(page: Path, figures: Path | None) -> None:
    """Write the summary and the figures of a page from its tables again."""
    page.write_text(with_summary(page.read_text("utf-8"), FOUND, FAILS, FIGURES, figures), "utf-8")


def main(folder: Path, figures: Path | None = None) -> None:
    """Print the findings of all bundles in a folder, and draw those of the summary."""
    parts, bundles = [HEAD], {}
    for name, write in STUDIES.items():
        try:
            bundles[name] = load_bundle(folder / name)
        except DataMissingError:
            parts.append(
                f"## {name}\n\nNo bundle: this study has not been run with the present tests."
            )
            continue
        parts.append(write(bundles[name]))
    page = "\n\n".join([*parts, untested(bundles)]) + "\n"
    sys.stdout.write(with_summary(page, FOUND, FAILS, FIGURES, figures))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/findings.py FOLDER  (the folder that holds the bundles)")
    given = Path(sys.argv[1])
    (renew if given.is_file() else main)(given, PICTURES)

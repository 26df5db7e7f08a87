"""Reference and reconstruction side by side over time: in a terminal, and as a page of HTML."""

from __future__ import annotations

import html
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from brainlm.decoding import CAUTION
from brainlm.decoding.controls import cautions, prompt_lines

if TYPE_CHECKING:
    import xarray

COLUMNS = ["score", "half", "null_mean", "gain", "z", "p", "q", "whole_score", "whole_z"]

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{vertical-align:top;padding:.4em .8em;"
    "border-bottom:1px solid #ccc;text-align:left}.t{color:#666;white-space:nowrap}"
    ".same{background:#d7ecd9}meter{width:9em}"
)


def _lines(
    study: xarray.Dataset, condition: str, metric: str, seconds: float
) -> list[tuple[float, list[str], list[str], float, float]]:
    """Return start, reference words, decoded words, score and null of each stretch."""
    reference = str(study["reference_text"].values).split(" ")
    said = str(study["text"].sel(condition=condition).values).split(" ")
    true_at, said_at = study["reference_middle"].values, study["middle"].values[: len(said)]
    starts = study["window"].values
    scores = study["window_score"].sel(condition=condition, metric=metric).values
    null = np.nanmean(study["null_score"].sel(metric=metric).values, axis=0)
    rows = []
    for start in np.arange(starts[0], starts[-1] + 1e-9, seconds):
        near = int(np.abs(starts - start).argmin())
        inside, heard = ((at >= start) & (at < start + seconds) for at in (true_at, said_at))
        rows.append(
            (
                float(start),
                [w for w, k in zip(reference, inside, strict=True) if k],
                [w for w, k in zip(said, heard, strict=True) if k],
                float(scores[near]),
                float(null[near]),
            )
        )
    return rows


def show_story(study: xarray.Dataset) -> str:
    """Return a reconstruction beside the reference, and the table of conditions.

    It is that of the similarity scorer (MapGuide), or of the first scorer where there is none.

    Parameters
    ----------
    study : xarray.Dataset
        See `brainlm.decoding.story_study.DecodingStudy`.
    """
    metric = _shown(study)
    table = study[COLUMNS].sel(metric=metric).to_dataframe()[COLUMNS].round(3).to_string()
    mapping = f"mapping: r {float(study['mapping_r']):.3f}, 2v2 {float(study['mapping_2v2']):.3f}"
    note = f"({metric}; all scores are in the bundle. A gain counts beside its nulls only.)"
    names = _of_brains(study)
    shown = "MapGuide: brain" if "MapGuide: brain" in names else names[0]
    text = terminal_view(study, shown, metric)
    tables = [mapping, *prompt_lines(study), table, show_controls(study, metric), note]
    return "\n".join([*cautions(study), text, *tables])


def show_controls(study: xarray.Dataset, metric: str) -> str:
    """Return the table of brain minus controls in a metric."""
    names = [name for name in study.data_vars if str(name).startswith(("over", "control"))]
    table = study[names].sel(metric=metric).to_dataframe()[names].round(3).to_string()
    return f"{metric}, brain minus the mean over draws of each control\n{table}"


def condition_tables(scores: xarray.Dataset) -> list[str]:
    """Return for each metric the table of all conditions, and that of brain minus controls."""
    columns = ["score", "half", "null_mean", "gain", "z", "p", "q"]
    lines = []
    for metric in scores["metric"].values:
        table = scores[columns].sel(metric=metric).to_dataframe()[columns]
        lines += [f"\n{metric}\n{table.round(3).to_string()}", show_controls(scores, metric)]
    return lines


def write_pages(study: xarray.Dataset, folder: Path) -> None:
    """Write a page of HTML for each scorer into a folder: ``tang.html``, ..."""
    for condition in _of_brains(study):
        title = f"{study.attrs['title']}, {condition}"
        page = html_view(study, condition, _shown(study), title=title)
        (folder / f"{condition.split(':')[0].lower()}.html").write_text(page, encoding="utf-8")


def _of_brains(study: xarray.Dataset) -> list[str]:
    """Return the conditions in which scorers got the brain."""
    return [name for name in map(str, study["condition"].values) if name.endswith(": brain")]


def _shown(study: xarray.Dataset) -> str:
    """Return the score that is shown: the second, after 1 - WER."""
    return str(study["metric"].values[1])


def terminal_view(
    study: xarray.Dataset, condition: str, metric: str, *, seconds: float = 10, width: int = 100
) -> str:
    """Return a table of text: reference left, reconstruction right, the score beneath.

    Parameters
    ----------
    study : xarray.Dataset
        See `brainlm.decoding.story_scores`.
    condition, metric : str
        Of the data set.
    seconds : float
        Of text in a row.
    width : int
        Characters in a line.
    """
    column = (width - 3) // 2
    out = [f"{'reference':{column}s} | {condition}"]
    for start, true, said, score, null in _lines(study, condition, metric, seconds):
        left, right = (textwrap.wrap(" ".join(words), column) for words in (true, said))
        out.append(f"-- {start:.0f} s " + "-" * (width - 10))
        for k in range(max(len(left), len(right))):
            a, b = (part[k] if k < len(part) else "" for part in (left, right))
            out.append(f"{a:{column}s} | {b}".rstrip())
        out.append(f"{metric} of these 20 s: {score:.3f} (null {null:.3f})")
    return "\n".join(out)


def html_view(
    study: xarray.Dataset, condition: str, metric: str, *, seconds: float = 10, title: str = ""
) -> str:
    """Return a page of HTML that shows the same; words that the reference has are marked.

    Parameters
    ----------
    study, condition, metric, seconds
        As in `terminal_view`.
    title : str
    """
    rows = []
    for start, true, said, score, null in _lines(study, condition, metric, seconds):
        known = set(true)
        marked = " ".join(
            f'<span class="same">{html.escape(word)}</span>' if word in known else html.escape(word)
            for word in said
        )
        rows.append(
            f'<tr><td class="t">{start:.0f} s</td><td>{html.escape(" ".join(true))}</td>'
            f'<td>{marked}</td><td class="t"><meter min="0" max="1" value="{max(0, score):.3f}">'
            f"</meter> {score:.3f}<br>null {null:.3f}</td></tr>"
        )
    head = html.escape(title or condition)
    first = "".join(f"<p><b>{html.escape(line)}</b></p>" for line in cautions(study))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{head}</title>'
        f"<style>{STYLE}</style><h1>{head}</h1>{first}<p>Marked: words that the reference has in "
        f"the same {seconds:g} s; common words match by chance, which is what the null shows. "
        f"{CAUTION}</p>"
        f"<table><tr><th>time</th><th>reference</th><th>{html.escape(condition)}</th>"
        f"<th>{html.escape(metric)}, 20 s</th></tr>{''.join(rows)}</table></html>\n"
    )

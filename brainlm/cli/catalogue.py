"""Lists and pages of data sets, models and analyses, as text for the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from brainlm._progress import bar
from brainlm.data.stimulus import Stimulus
from brainlm.datasets.card import Card, read_card
from brainlm.datasets.folders import is_on_disk, list_datasets
from brainlm.errors import unknown_name
from brainlm.features.norms import Norm, open_norm
from brainlm.language_models.sources import is_cached, list_models
from brainlm.language_models.word_vectors import StaticVectors
from brainlm.storage.downloads import readable_size

ASKED_BEFORE = 1_000_000_000  # bytes of a download
PAGE_HEAD = """# Data sets

Written from the cards in `datasets/` by `brainlm datasets --markdown > docs/datasets.md`; a test
fails when it is out of date. {n} cards; {n_checked} of them were checked on the true files. The
others describe public layouts whose files no test machine has: `brainlm datasets NAME` lists what
is not verified. Opening a data set checks every fact of its card, so a file that differs is an
error and no wrong number.
"""


def dataset_rows(
    root: Path | str | None = None,
    *,
    modality: str | None = None,
    language: str | None = None,
    here: bool = False,
) -> list[dict[str, str]]:
    """Return one row per data set: what it is, its licence, and whether it is checked and here.

    A card is checked if all it says was compared with the files of the data set.

    Parameters
    ----------
    root : path, optional
        As in ``open_dataset``.
    modality, language : str, optional
        Only data sets of this modality, or with this language.
    here : bool
        Only those on this machine.

    Raises
    ------
    UnknownNameError
        No data set has that modality or language.
    """
    cards = [read_card(name) for name in list_datasets()]
    if modality is not None:
        known = sorted({card.modality for card in cards})
        if modality not in known:
            raise unknown_name("modality", modality, known)
        cards = [card for card in cards if card.modality == modality]
    if language is not None:
        spoken = sorted({each for card in cards for each in card.languages})
        if language not in spoken:
            raise unknown_name("language", language, spoken)
        cards = [card for card in cards if language in card.languages]
    rows = [_dataset_row(card, root) for card in cards]
    return [row for row in rows if row["on disk"] == "yes"] if here else rows


def _dataset_row(card: Card, root: Path | str | None) -> dict[str, str]:
    return {
        "name": card.name,
        "modality": card.modality,
        "language": ",".join(card.languages),
        "level": card.level,
        "subjects": str(card.facts.n_subjects or len(card.subjects) or "?"),
        "licence": card.licence + (" (non-commercial)" if card.noncommercial else ""),
        "download": readable_size(card.source.size),
        "checked": "no" if card.unverified else "yes",
        "on disk": "yes" if is_on_disk(card, root) else "no",
    }


def _size(card: Card) -> str:
    """Return the numbers of samples and targets, of pairs, or of maps; "?" if the card has none."""
    facts = card.facts
    counts = {
        "responses": (facts.n_samples, facts.n_targets),
        "words": (facts.n_words,),
        "pairs": (facts.n_pairs,),
        "maps": (facts.n_maps, facts.n_voxels),
    }[card.kind]
    if None in counts:
        return "?"
    spans = [" to ".join(map(str, n)) if isinstance(n, tuple) else str(n) for n in counts]
    return " x ".join(spans) if card.kind in ("responses", "maps") else f"{spans[0]} {card.kind}"


def datasets_markdown() -> str:
    """Return the page ``docs/datasets.md``: every card as a row, the same on every machine."""
    rows = []
    for name in list_datasets():
        card = read_card(name)
        row = _dataset_row(card, None)
        del row["on disk"]
        row["size of each subject"] = _size(card)
        row["checked on the files"] = row.pop("checked")
        rows.append(row)
    n_checked = sum(row["checked on the files"] == "yes" for row in rows)
    table = [list(rows[0]), ["---"] * len(rows[0]), *([*row.values()] for row in rows)]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in table]
    lines = [f"| {' | '.join(line)} |" for line in cells]
    return f"{PAGE_HEAD.format(n=len(rows), n_checked=n_checked)}\n" + "\n".join(lines) + "\n"


def model_rows() -> list[dict[str, str]]:
    """Return one row per language model that needs no model hub."""
    return [
        {
            "name": model.name,
            "model": model.title,
            "language": ",".join(model.languages),
            "layers x width": f"{model.n_layers} x {model.n_features}",
            "licence": model.licence,
            "download": readable_size(model.size),
            "cached": "yes" if is_cached(model.name) else "no",
        }
        for model in list_models()
    ]


def coverage_rows(stimulus: Stimulus, root: Path | str | None = None) -> list[dict[str, str]]:
    """Return how many words of a stimulus each feature space on this machine covers.

    Parameters
    ----------
    stimulus : Stimulus
    root : path, optional
        As in ``open_dataset``.

    Returns
    -------
    list of dict
        A row per norm of words (on disk) and table of static vectors (in the cache) in the language
        of the stimulus. One that cannot be used says why instead of its shares.
    """
    language = stimulus.language.split("-")[0]
    spaces: list[tuple[str, str, Callable[[], Norm | StaticVectors]]] = [
        (name, "norm", partial(open_norm, name, root))
        for name in list_datasets()
        if _is_norm(read_card(name), language) and is_on_disk(name, root)
    ]
    spaces += [
        (model.name, "static vectors", partial(StaticVectors, model.name))
        for model in list_models()
        if model.form == "vectors" and language in model.languages and is_cached(model.name)
    ]
    return [_coverage_row(stimulus, *space) for space in bar(spaces, "feature spaces")]


def _is_norm(card: Card, language: str) -> bool:
    rated = card.modality == "ratings" and card.kind == "responses"
    return rated and card.level == "word" and language in card.languages


def _coverage_row(
    stimulus: Stimulus, name: str, kind: str, open_space: Callable[[], Norm | StaticVectors]
) -> dict[str, str]:
    _, first = np.unique(stimulus.words.astype(str), return_index=True)
    try:
        covered = open_space().covers(stimulus)
        shares = f"{covered.mean():.1%}", f"{covered[first].mean():.1%}"
    except (ValueError, FileNotFoundError) as error:
        shares = "not usable", str(error)
    return {"feature space": name, "kind": kind, "words": shares[0], "different words": shares[1]}


def licence_line(name: str) -> str:
    """Return size and licence of a data set in a line, with what it asks of the user."""
    card = read_card(name)
    asks = " Not for commercial use." if card.noncommercial else ""
    cite = f" Cite: {card.references[0].text}" if card.references else ""
    size = readable_size(card.source.size)
    return f"{card.title}. Download: {size}. Licence: {card.licence}.{asks}{cite}"


def size_question(name: str, subjects: str | None, size: int | None = None) -> str:
    """Return what to ask before a download of more than 1 GB, or of imaging of unknown size.

    Parameters
    ----------
    name : str
        Data set or language model.
    subjects : str, optional
        That were asked for.
    size : int, optional
        Bytes, of a language model.
    """
    if size is not None:
        return f"{name}: {readable_size(size)}. Fetch it?" if size > ASKED_BEFORE else ""
    card = read_card(name)
    source, page = card.source, card.source.pages[0] if card.source.pages else "no page"
    how_many = card.facts.n_subjects or len(card.subjects) or "all"
    if source.size is not None and source.size <= ASKED_BEFORE:
        return ""
    known = f"{readable_size(source.size)}" if source.size else f"of unknown size, see {page}"
    if source.how == "openneuro" and subjects is None:
        return (
            f"{name}: {how_many} subjects of OpenNeuro, {known}; imaging takes tens to hundreds of "
            "gigabytes. --subjects fetches some of them. Fetch all?"
        )
    if source.how == "hub":
        return f"{name}: one archive, {known}. Fetch it?"
    return f"{name}: {known}. Fetch it?" if source.size else ""


def dataset_page(name: str, root: Path | str | None = None) -> str:
    """Return all that the card of a data set says, with the BibTeX to copy."""
    card = read_card(name)
    facts = card.facts.model_dump(exclude_none=True)
    lines = [
        f"{card.name}: {card.title}",
        "",
        *(
            f"  {key:9s} {value}"
            for key, value in _dataset_row(card, root).items()
            if key != "name"
        ),
        "",
        "  expected facts (of each subject; checked whenever it is opened)",
        *(f"    {key:18s} {value}" for key, value in facts.items()),
        "",
        f"  source    {card.source.how}: {', '.join(card.source.pages)}",
        *([f"            {card.source.instructions}"] if card.source.instructions else []),
        f"  folder    {' or '.join(card.folder)}, under --root, BRAINLM_DATA or the cache",
    ]
    for title, entries in (
        ("known problems", card.known_problems),
        ("repairs", card.repairs),
        ("not verified on the files", card.unverified),
    ):
        if entries:
            lines += ["", f"  {title}", *(f"    - {entry}" for entry in entries)]
    for reference in card.references:
        lines += ["", f"  {reference.text}", "", (reference.bibtex or "").strip()]
    return "\n".join(lines)

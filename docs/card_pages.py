"""Pages of the site about data sets: one per card, and the catalogue with its filters."""

from pathlib import Path

from brainlm.datasets.card import Card, read_card
from brainlm.storage.downloads import readable_size

PICTURES = Path(__file__).parent / "data-pictures"
OPEN = {
    "responses": 'stimulus, recording = brainlm.open_dataset("{name}"{subject})',
    "numbers": 'recording = brainlm.open_recording("{name}"{subject})',
    "words": 'stimulus = brainlm.open_stimulus("{name}")',
    "pairs": 'pairs = brainlm.open_pairs("{name}")',
    "maps": 'maps = brainlm.open_maps("{name}"{subject})',
}
NUMBERED = {"hi": "Texts are numbered: the fonts of the pictures have no Devanagari."}
SIZES = {
    "n_samples": "samples",
    "n_targets": "targets",
    "n_words": "words",
    "n_runs": "runs",
    "n_pairs": "pairs",
    "n_maps": "maps",
    "n_voxels": "voxels",
    "n_missing": "missing values",
}


def card_page(name: str) -> str:
    """Return the page of a data set in MyST Markdown: problems first, then facts and citation."""
    card = read_card(name)
    picture = PICTURES / f"{name}.png"
    parts = [f"# {name}", card.title]
    parts += [_box("warning", "Known problems", card.known_problems)]
    parts += [_box("attention", "Not compared with the files yet", card.unverified)]
    if picture.is_file():
        alt = f"A part of the data set {name}, as it is opened"
        parts += [f"```{{image}} ../data-pictures/{picture.name}\n:alt: {alt}\n:width: 100%\n```"]
        parts += [NUMBERED.get(card.languages[0], "")]
    parts += [f"```python\nimport brainlm\n\n{opening(card)}\n```", _definitions(card)]
    if card.repairs:
        parts += ["## Changed on the way", *(f"- {repair}" for repair in card.repairs)]
    if card.references:
        parts += ["## Cite"]
    for reference in card.references:
        parts += [reference.text]
        if reference.bibtex:
            parts += [f"```bibtex\n{reference.bibtex.strip()}\n```"]
    return "\n\n".join(part for part in parts if part) + "\n"


def opening(card: Card) -> str:
    """Return the line of Python that opens a data set."""
    own = card.facts.n_subjects not in (None, 1)
    subject = f', subject="{card.subjects[0] if card.subjects else "..."}"' if own else ""
    wordless = card.kind == "responses" and card.facts.n_words is None
    return OPEN["numbers" if wordless else card.kind].format(name=card.name, subject=subject)


def _box(kind: str, title: str, entries: tuple[str, ...]) -> str:
    """Return a box with a list; nothing where the list is empty."""
    lines = "\n".join(f"- {entry}" for entry in entries)
    return f"```{{admonition}} {title}\n:class: {kind}\n\n{lines}\n```" if entries else ""


def _definitions(card: Card) -> str:
    facts, source = card.facts, card.source
    stated = {noun: getattr(facts, key) for key, noun in SIZES.items()}
    sizes = [f"{count(value)} {noun}" for noun, value in stated.items() if value not in (None, 0)]
    entries = {
        "Modality": card.modality,
        "Language": ", ".join(card.languages),
        "Level": card.level,
        "Subjects": str(facts.n_subjects or len(card.subjects) or "not stated"),
        "Size of each subject": ", ".join(sizes),
        "Unit": facts.unit or "",
        "Sampling interval": f"{facts.sampling_interval} s" if facts.sampling_interval else "",
        "Download": download(card),
        "Licence": card.licence + ("; not for commercial use" if card.noncommercial else ""),
        "Source": "\\\n".join(f"<{page}>" for page in source.pages) or source.how,
        "Fetch": source.instructions
        if source.how == "manual"
        else f"`brainlm fetch {card.name}`\\\n{source.instructions}".rstrip("\\\n"),
        "Folder": " or ".join(f"`{folder}`" for folder in card.folder)
        + " under `root`, `BRAINLM_DATA` or the cache",
    }
    return "\n\n".join(
        f"{term}\n: " + definition.replace("\n", "\n  ")
        for term, definition in entries.items()
        if definition
    )


def download(card: Card) -> str:
    """Return how large the download is, where that is known."""
    if card.source.how == "manual" and card.source.size is None:
        return ""
    return readable_size(card.source.size)


def count(value: int | tuple[int, int]) -> str:
    """Return a number, or the least and the greatest of the subjects."""
    return f"{value[0]:,} to {value[1]:,}" if isinstance(value, tuple) else f"{value:,}"


def catalogue(page: str, names: list[str]) -> str:
    """Return docs/datasets.md with links to the pages of the cards, which the site only has."""
    for name in names:
        page = page.replace(f"| {name} |", f"| [{name}](data/{name}.md) |")
    listing = "\n".join(f"data/{name}" for name in names)
    return f"{page}\n```{{toctree}}\n:hidden:\n\n{listing}\n```\n"

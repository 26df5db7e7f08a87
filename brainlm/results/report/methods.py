"""Methods of a bundle as a paragraph to paste, and what to cite as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brainlm.datasets.card import Card
    from brainlm.results.bundle import Bundle

BRAINLM = """@software{{brainlm,
  author  = {{{{The brainlm developers}}}},
  title   = {{brainlm: language models and language in the brain}},
  version = {{{version}}},
}}"""
SHOWN = ("brainlm", "numpy", "scikit-learn", "torch", "transformers", "mne", "nilearn")


def methods_of(bundle: Bundle, cards: Sequence[Card]) -> str:
    """Return the methods of a bundle in plain sentences: what its record says, nothing else.

    Parameters
    ----------
    bundle : Bundle
    cards : sequence of Card
        Of the data sets that its settings name.
    """
    config = bundle.record.get("config", {})
    sentences = [
        _data(bundle, cards),
        _features(bundle.record),
        _fits(config),
        _nulls(bundle, config),
        _versions(bundle.record.get("environment", {})),
    ]
    return " ".join(filter(None, sentences))


def _data(bundle: Bundle, cards: Sequence[Card]) -> str:
    files = list(bundle.record.get("inputs", {}).get("data", {}))
    names = [_cited(card) for card in cards] or files
    if not names:
        return ""
    text = f"Data: {'; '.join(names)}."
    n_words = bundle.record.get("config", {}).get("n_words")
    text += f" {n_words} words." if n_words else ""
    excluded = [
        str(note).rstrip(".") for note in bundle.notes if note.kind in ("excluded", "debug")
    ]
    return text + (f" {'; '.join(excluded[:5])}." if excluded else "")


def _cited(card: Card) -> str:
    """Return the title of a data set with the authors and year of its first publication."""
    if not card.references:
        return card.title
    found = re.match(r"([^,(]+).*?\((\d{4})\)", card.references[0].text)
    return f"{card.title} ({found[1].strip()} et al., {found[2]})" if found else card.title


def _features(record: Mapping[str, Any]) -> str:
    spaces = record.get("inputs", {}).get("features", {})
    texts = []
    for model, revision in models_of(record).items():
        own = [o for o in spaces.values() if isinstance(o, dict) and o.get("model") == model]
        context = {str(each["context"]) for each in own if "context" in each}
        what = f"{len(own)} layers or vectors" if len(own) > 1 else "one layer or vector"
        told = f", context {', '.join(sorted(context))}" if context else ""
        texts.append(f"{model} ({what}{told}{f'; revision {revision[:12]}' if revision else ''})")
    others = [name for name, o in spaces.items() if not (isinstance(o, dict) and "model" in o)]
    listed = [*texts, *others[:8]]
    return f"Features: {'; '.join(listed)}." if listed else ""


def models_of(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the language models of a bundle with their revisions."""
    features = record.get("inputs", {}).get("features", {})
    found: dict[str, str] = {}
    for origin in features.values():
        if isinstance(origin, dict) and "model" in origin:
            found[str(origin["model"])] = str(origin.get("revision", ""))
    return found


def _fits(config: Mapping[str, Any]) -> str:
    texts = []
    if "encoders" in config:
        encoders = config["encoders"]
        named = encoders.items() if isinstance(encoders, Mapping) else [("encoder", encoders)]
        texts.append("Encoders: " + "; ".join(f"{name}, {each}" for name, each in named) + ".")
    if "split" in config:
        texts.append(
            f"Folds: {config['split']}; penalties and layers were chosen on training samples only."
        )
    if config.get("delays"):
        texts.append(f"Delays (samples): {', '.join(map(str, config['delays']))}.")
    return " ".join(texts)


def _nulls(bundle: Bundle, config: Mapping[str, Any]) -> str:
    kinds = {
        str(kind)
        for dataset in bundle.arrays.values()
        if "kind" in dataset.coords
        for kind in dataset["kind"].values.ravel().tolist()
    }
    named = {"random": "random vectors with the geometry of each layer"}
    named |= {"untrained": "untrained twins of the model", "with empty": "an empty baseline"}
    texts = [text for kind, text in named.items() if kind in kinds]
    if "permutations" in config:
        texts.append(f"{config['permutations']} permutations of the responses")
    if "null" in config:
        texts.append(f"{config['null']} random reconstructions")
    return f"Nulls and baselines: {', '.join(texts)}." if texts else ""


def _versions(environment: Mapping[str, Any]) -> str:
    shown = [f"{name} {environment[name]}" for name in SHOWN if environment.get(name)]
    return f"Software: {', '.join(shown)}." if shown else ""


def citations_of(record: Mapping[str, Any], cards: Sequence[Card]) -> list[tuple[str, str]]:
    """Return (name, BibTeX) of brainlm, the data sets and the models."""
    version = str(record.get("environment", {}).get("brainlm", ""))
    found = [("brainlm", BRAINLM.format(version=version))]
    found += [(r.text, (r.bibtex or "").strip()) for card in cards for r in card.references]
    for model, revision in models_of(record).items():
        key = re.sub(r"[^A-Za-z0-9]+", "", model) or "model"
        lines = [f"@misc{{{key},", f"  title = {{{_title(model)}}},", f"  note  = {{{revision}}},"]
        if "/" in model:
            lines.append(f"  url   = {{https://huggingface.co/{model.partition('@')[0]}}},")
        found.append((model, "\n".join([*lines, "}"])))
    return [(title, bibtex) for title, bibtex in found if bibtex]


def _title(model: str) -> str:
    from brainlm.language_models.sources import list_models

    return next((each.title for each in list_models() if each.name == model), model)

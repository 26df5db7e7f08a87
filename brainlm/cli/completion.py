"""Names that the shell completes."""

from __future__ import annotations

from brainlm.cli.analyses import list_analyses


def data_sets_begun(incomplete: str) -> list[str]:
    """Names of data sets that begin so."""
    from brainlm.datasets.card import card_names

    return [name for name in card_names() if name.startswith(incomplete)]


def fetchable_begun(incomplete: str) -> list[str]:
    """Names of data sets and language models that begin so."""
    from brainlm.language_models.sources import list_models

    names = [model.name for model in list_models() if model.name.startswith(incomplete)]
    return [*data_sets_begun(incomplete), *names]


def analyses_begun(incomplete: str) -> list[str]:
    """Names of analyses that begin so."""
    return [name for name in list_analyses() if name.startswith(incomplete)]


def figures_begun(incomplete: str) -> list[str]:
    """Names of figures that begin so."""
    from brainlm.results.captions import CAPTIONS

    return [name for name in CAPTIONS if name.startswith(incomplete)]

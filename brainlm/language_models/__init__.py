"""Language models: from the words of a stimulus to feature spaces, one per layer."""

from brainlm.language_models.model import LanguageModel
from brainlm.language_models.sources import fetch_model, list_models

__all__ = ["LanguageModel", "fetch_model", "list_models"]

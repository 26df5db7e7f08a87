"""Language models: from the words of a stimulus to feature spaces, one per layer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"model": ["LanguageModel"], "sources": ["fetch_model", "list_models"]}
)

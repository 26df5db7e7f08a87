"""brainlm: which features of language predict the brain, and what can be read back out of it.

The names below are loaded when they are first used, so ``import brainlm`` is quick and loads
neither torch nor transformers.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "stimulus": ["Stimulus"],
        "recording": ["Recording", "average_samples", "high_pass"],
        "features": [
            "Features",
            "concatenate",
            "lag",
            "random_like",
            "random_walk",
            "sentence_length",
            "word_length",
            "word_position",
            "word_rate",
            "zipf_frequency",
        ],
        "scores": ["Scores"],
        "datasets": [
            "fetch_dataset",
            "list_datasets",
            "list_subjects",
            "open_dataset",
            "open_maps",
            "open_pairs",
            "open_recording",
            "open_stimulus",
        ],
        "own": [
            "from_arrays",
            "from_cifti",
            "from_image",
            "from_surfaces",
            "from_tables",
            "from_trials",
        ],
        "epochs": ["from_epochs", "from_raw"],
        "segmentation": ["read_text"],
        "language_models": ["LanguageModel"],
        "norms": ["Norm", "open_norm"],
        "alignment": ["align", "delay", "delays_between", "resample"],
        "splits": ["ContiguousBlocks", "Groups", "LeaveOneRunOut"],
        "encoders": ["RidgeEncoder", "SimilarityEncoder"],
        "banded": ["BandedRidgeEncoder"],
        "nulls": ["permuted_scores", "shared_orders"],
        "partition": ["partition_variance"],
        "cross_validation": ["cross_validate"],
        "leakage": ["leakage_probe"],
        "rdm": ["compare_rdms"],
        "ceilings": ["leave_one_subject_out"],
        "bundle": ["load_bundle", "save_bundle"],
        "decoding.mappers": ["EmbeddingDecoder"],
    },
)

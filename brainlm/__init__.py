"""brainlm: find which features of language predict the brain, and read text back out of it.

The names below are loaded when they are first used, so ``import brainlm`` is quick and loads
neither torch nor transformers.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "data.stimulus": ["Stimulus"],
        "data.recording": ["Recording"],
        "data.preprocessing": ["average_samples", "high_pass"],
        "data.features": ["Features", "concatenate", "lag"],
        "features.baselines": [
            "random_like",
            "random_walk",
            "sentence_length",
            "word_length",
            "word_position",
            "word_rate",
            "zipf_frequency",
        ],
        "data.scores": ["Scores"],
        "datasets.fetch": ["fetch_dataset"],
        "datasets.folders": ["list_datasets", "list_subjects"],
        "datasets.open": [
            "open_dataset",
            "open_maps",
            "open_pairs",
            "open_recording",
            "open_stimulus",
        ],
        "io.arrays": ["from_arrays", "from_tables", "from_trials"],
        "io.word_table": ["from_table"],
        "io.own_images": ["from_cifti", "from_image", "from_surfaces"],
        "io.epoch_metadata": ["covariates_of", "stimulus_of"],
        "io.mne_objects": ["from_epochs", "from_raw"],
        "data.segmentation": ["read_text"],
        "language_models.model": ["LanguageModel"],
        "language_models.speech": ["SpeechModel"],
        "features.norms": ["Norm", "open_norm"],
        "encoding.align": ["align", "delay", "delays_between", "resample"],
        "encoding.splits": ["ContiguousBlocks", "FixedSplit", "Groups", "LeaveOneRunOut"],
        "encoding.ridge": ["RidgeEncoder"],
        "encoding.similarity": ["SimilarityEncoder"],
        "encoding.banded": ["BandedRidgeEncoder"],
        "encoding.stacking": ["StackedEncoder"],
        "encoding.permuted_scores": ["permuted_scores", "shared_orders"],
        "encoding.variance_partitioning": ["partition_variance"],
        "encoding.cross_validation": ["cross_validate"],
        "encoding.encode": ["Space", "encode", "with_baselines"],
        "encoding.leakage": ["leakage_probe"],
        "rsa.rdm": ["compare_rdms"],
        "stats.noise_ceiling": ["leave_one_subject_out"],
        "results.bundle": ["load_bundle", "save_bundle"],
        "decoding.embedding": ["EmbeddingDecoder"],
    },
)

"""Common parts of the analyses: options, data within limits, and the run from folder to bundle."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "command": ["run_command"],
        "group": ["keep_covered", "open_group", "open_subjects"],
        "limits": ["Limits"],
        "option_groups": ["grouped", "option"],
        "options": [
            "Datasets",
            "Debug",
            "Depth",
            "Draws",
            "FigureBundle",
            "FigureFile",
            "FigureWidth",
            "Layers",
            "MaxItems",
            "Model",
            "Models",
            "Out",
            "Overwrite",
            "Permutations",
            "Root",
            "Spaces",
            "Subjects",
            "Tasks",
            "Twins",
            "choose",
            "layer_list",
        ],
        "rated_words": ["encode_rated_words"],
        "run": ["Run", "analysis"],
        "study": ["Study", "rows_of_parts"],
    },
)

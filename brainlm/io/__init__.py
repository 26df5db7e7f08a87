"""Read files into a Stimulus and a Recording: one module per format, and your own arrays.

A reader is a function ``(folder, subject, **options)`` that knows a layout of files and no data
set. `brainlm.io.registry` lists them under the names that cards use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bids": ["read_bids"],
        "bids_contents": ["survey_bids"],
        "epoch_files": ["read_epoch_files"],
        "fixations": ["read_fixations"],
        "item_maps": ["read_item_maps"],
        "map_files": ["read_maps"],
        "meeg": ["read_meeg"],
        "patterns": ["read_patterns"],
        "pickled": ["read_pickle"],
        "rated_pairs": ["read_word_pairs"],
        "ratings": ["read_tables"],
        "region_rows": ["read_region_rows"],
        "segmented_sentences": ["read_segmented"],
        "sentence_patterns": ["read_passages"],
        "story_files": ["read_stories"],
        "story_patterns": ["read_story_patterns"],
        "textgrid": ["read_textgrid"],
        "timecourses": ["read_timecourses"],
        "word_responses": ["read_word_responses"],
        "word_times": ["read_word_times"],
    },
)

"""Options and texts of the tiny data sets in conftest."""

from __future__ import annotations

INTERVALS = [
    (0.0, 1.0, "sp"),
    (1.0, 1.5, "Alice"),
    (1.5, 1.5, ""),
    (1.5, 2.0, "was "),
    (2.0, 3.0, "sp"),
]

TIMECOURSES = {
    "pattern": "series/{subject}-timecourses.txt",
    "words": "story.TextGrid",
    "language": "en",
    "targets": ["LATL", "RATL"],
    "first_sample": 20.0,
    "sampling_interval": 2.0,
    "modality": "fmri",
    "unit": "BOLD (a.u.)",
}
PASSAGES = {
    "file": "patterns.pkl",
    "passages": ["music/piano", "music/violin"],
    "language": "en",
    "modality": "fmri",
    "unit": "a.u.",
    "target_prefix": "PC",
}
TABLES = {
    "language": "en",
    "unit": "rating 0-5",
    "tables": [
        {"path": "senses.csv", "word": "Word", "columns": ["Visual", "Auditory"]},
        {
            "path": "concreteness.tsv",
            "word": "Word",
            "columns": ["Brysbaert"],
            "rename": {"Brysbaert": "Concreteness"},
            "missing_values": [""],
        },
    ],
    "missing": "drop",
}
XLSX = {
    "language": "zh",
    "unit": "rating 0-6",
    "item": "{EngID}",
    "text": "{EngID} {EngWords}",
    "tables": [
        {
            "path": "ratings.xlsx",
            "word": "words",
            "first": "Vision",
            "last": "Arousal",
            "description_rows": 2,
            "names_row": 2,
        }
    ],
}

GAZE = {
    "language": "en",
    "modality": "eye-tracking",
    "unit": "ms",
    "words": {
        "path": "{subject}.csv",
        "word": "word",
        "sentence": "{sentence_id}",
        "item": "{sentence_id}/{word_id}",
    },
    "responses": {
        "path": "{subject}.csv",
        "item": "{sentence_id}/{word_id}",
        "word": "word",
        "columns": ["TRT"],
    },
}
R_DATA = {
    "language": "en",
    "unit": "rating 1-5",
    "tables": [{"path": "norms.rda", "word": "Word", "columns": ["Conc"]}],
}
MATLAB = {
    "pattern": "{subject}.mat",
    "data": "examples",
    "labels": "keySentences",
    "language": "en",
    "modality": "fmri",
    "unit": "a.u.",
}
STORIES = {
    "pattern": "{subject}/{story}.hf5",
    "words": "{story}.TextGrid",
    "language": "en",
    "first_sample": 0.0,
    "sampling_interval": 2.0,
    "unit": "z",
}
BIDS = {
    "pattern": "sub-{subject}_run-{run}_bold.nii.gz",
    "mask": "mask.nii",
    "language": "en",
    "runs": ["1"],
    "word": "word",
    "unit": "a.u.",
}


def textgrid(intervals=INTERVALS, tier="word", style="long") -> str:
    """Return a TextGrid with one interval tier as Praat writes it."""
    start, end = intervals[0][0], intervals[-1][1]
    quoted = [(a, b, label.replace('"', '""')) for a, b, label in intervals]
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    if style == "short":
        rows = "".join(f'{a}\n{b}\n"{label}"\n' for a, b, label in quoted)
        return (
            f'{head}{start}\n{end}\n<exists>\n1\n"IntervalTier"\n"{tier}"\n{start}\n{end}\n'
            f"{len(quoted)}\n{rows}"
        )
    rows = "".join(
        f"        intervals [{i}]:\n            xmin = {a} \n            xmax = {b} \n"
        f'            text = "{label}" \n'
        for i, (a, b, label) in enumerate(quoted, start=1)
    )
    return (
        f"{head}xmin = {start} \nxmax = {end} \ntiers? <exists> \nsize = 1 \nitem []: \n"
        f'    item [1]:\n        class = "IntervalTier" \n        name = "{tier}" \n'
        f"        xmin = {start} \n        xmax = {end} \n"
        f"        intervals: size = {len(quoted)} \n{rows}"
    )

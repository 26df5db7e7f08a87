"""A data set of one subject: its card, its words and its responses, as texts."""

TEXTGRID = """File type = "ooTextFile"
Object class = "TextGrid"
0
3
<exists>
1
"IntervalTier"
"word"
0
3
3
0
1
"sp"
1
2
"Alice"
2
3
"was"
"""
CARD = """
name = "tiny"
title = "Tiny"
modality = "fmri"
languages = ["en"]
level = "discourse"
licence = "CC0-1.0"
noncommercial = false
folder = ["tiny", "tiny_alias"]
repairs = ["Declared."]

[[references]]
text = "Nobody (2000)."
doi = "10.1234/tiny"
bibtex = "@misc{nobody,}"

[source]
how = "manual"
pages = ["https://example.org/tiny"]
instructions = "Ask nobody."

[open]
reader = "timecourses"

[open.options]
pattern = "{subject}.txt"
words = "story.TextGrid"
language = "en"
targets = ["LATL", "RATL"]
first_sample = 0.0
sampling_interval = 2
modality = "fmri"
unit = "a.u."

[facts]
n_subjects = 2
n_samples = 4
n_targets = 2
n_words = 2
n_runs = 1
sampling_interval = 2.0
unit = "a.u."
"""
SERIES = "1 5\n2 4\n3 3\n4 1\n"

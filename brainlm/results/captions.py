"""Captions of the figures: what to read in each. `figures/README.md` shows the same texts."""

from __future__ import annotations

CAPTIONS = {
    "layer_curve": (
        "Held-out score of each layer; band: 95 % interval over folds, for new stimuli and these "
        "subjects. A layer effect counts where it leaves the grey curve (random embeddings with "
        "the geometry of that layer) and the references. The dotted line is the noise ceiling."
    ),
    "verdict": (
        "Gain of the model, its layer held out, over each thing that is trivial: controls that it "
        "was added to, its untrained twin, random vectors with its geometry. Blue counts (q <= "
        ".05), grey is undecided; the sentence above says it in words. Of a study: a panel per "
        "reference, a row per data set, a colour per model; filled points count."
    ),
    "target_bars": (
        "Held-out score of each target; the layer of each subject (or fold) is chosen on the "
        "others."
    ),
    "similarity_and_rsa": (
        "Per language: similarity encoding centred and as published, and RSA. Where the published "
        "curve dives to -1 together with its random embeddings, the dive is geometry, not "
        "meaning."
    ),
    "rdm_pair": "Distances between concepts by English and by Chinese ratings.",
    "decoding_curve": (
        "2v2 and rank accuracy by layer against the 95 % range of refitted permutations."
    ),
    "geometry": (
        "Mean pairwise cosine and correlation, effective dimension and norm of the words' vectors "
        "by layer. Where the mean similarity nears 1, all words point the same way, and "
        "similarity analyses of that layer show this and little else."
    ),
    "surprisal": "Bits of each word given the words before it, in lines like the text.",
    "decoding_null": "The deepest layer against the histogram of its permutations.",
    "alphas": (
        "Where on the grid the chosen penalties lie. A heap at the right end belongs to targets "
        "without signal; a heap at the left end, or at the right with scores above 0, asks for a "
        "wider grid."
    ),
    "model_by_dataset": (
        "Best score of each representation on each data set, and of random embeddings with the "
        "geometry of the layers (equal words, equal vectors): what these reach is words that come "
        "again, word rate or geometry. The best layer was chosen on these scores; `context_gains` "
        "has held-out choices."
    ),
    "layers_by_modality": (
        "Score against depth, a panel per modality, a line style per data set; grey: random "
        "embeddings."
    ),
    "layers_by_level": (
        "Score by ridge encoding at six layers against depth, a panel per level of the text; "
        "grey: random embeddings."
    ),
    "context_gains": (
        "r of a model (layer held out) minus r of static vectors with its 95 % interval; colours "
        "are levels. An interval that excludes 0 is not yet a finding: the bundle has q values, "
        "which also compare with the models' word types permuted."
    ),
    "cogbench": (
        "Each score by layer, a column per task. Lines across are what a model has to beat: "
        "random vectors, controls, and in word_fmri the mean pattern, which knows no word. Ticks "
        "at the right are the published baselines (dev words and stories), the cross is the one "
        "that is at chance in tests of grammar. A model that leaves the lines in the first row "
        "and not in the others has no more than its geometry."
    ),
    "winners": (
        "Share of the targets (measures, voxels, regions, components) that each space predicts "
        "best, of those that any predicts above 0."
    ),
    "added_effects": (
        "What association, similarity and surprisal add to length and frequency over time, and "
        "each beyond the others. Squares mark bins with a channel above chance."
    ),
    "language_gains": (
        "What each model adds to controls, and over random vectors, in every language; the last "
        "line is the mean over languages. Filled points have q <= .05."
    ),
    "flat_maps": (
        "The first map on the unfolded cortex: nothing is hidden in a sulcus. Grey: sulci (dark) "
        "and gyri."
    ),
    "group_map": (
        "Cohen's d of each voxel over subjects, where sign flips of whole maps (maximum t, "
        "corrected for all voxels) give p <= .05; a row per space. Subjects who heard the same "
        "stimuli share their noise: the test is about other people with these stimuli."
    ),
    "searchlight_brain": (
        "How well held-out samples are told apart (2v2 accuracy above .5) from the voxels around "
        "each place, a row per space."
    ),
    "unique_variance": (
        "Held-out R2 of each space alone, and what is lost without it in a banded ridge of all; "
        "whiskers are 95 % intervals over targets."
    ),
    "critical_difference": (
        "Mean rank over data sets (bootstrap intervals); bars join models whose ranks do not "
        "differ."
    ),
    "reading_gains": (
        "What surprisal adds to length, frequency, position and spill-over on held-out sentences."
    ),
    "reading_effects": (
        "Effects of surprisal, length and frequency side by side, languages one below the other; "
        "intervals over people or texts."
    ),
    "reconstruction_scores": (
        "Each condition against the band of the random null. Draws of a control share a row; the "
        "band is where one more random reconstruction lies (95 %). The brain counts where it "
        "leaves the band *and* the permuted brain, noise and wrong-story conditions do not "
        "follow."
    ),
    "reconstruction_gain": (
        "Gain over the null against the signal; at 0 every curve must be at 0. Bars: 95 % over "
        "stories and simulated subjects. Right: gain against the accuracy of the mapping."
    ),
    "reconstruction_text": (
        "Reference and reconstruction side by side; words that both have in the same stretch are "
        "green. Below: the score of the windows over time, and the band of the random null."
    ),
    "target_heat_map": (
        "Each rating, measure or region against each layer and reference, mean over folds or "
        "subjects. Rows that stay pale everywhere are not encoded, whatever the mean over targets "
        "says."
    ),
    "paired_bars": (
        "Score of each space with its interval; the dashed line is the score of the controls; "
        "brackets join pairs whose difference has q <= .05 over all pairs. Intervals that overlap "
        "may still differ, because the same folds or subjects are compared."
    ),
    "coverage": (
        "Items, targets and subjects that were compared on each data set, on a logarithmic axis: "
        "what few items or subjects say, says little."
    ),
    "brain_maps": (
        "Held-out score of each voxel or region on both hemispheres, a row per subject and "
        "feature space, one scale."
    ),
    "glass_brains": (
        "The maps through a transparent brain, the upper fifth of each: what lies deep is seen, "
        "too."
    ),
    "winner_brain": (
        "Which space scores highest in each voxel (and above 0), with its share. A winner may win "
        "by little: look at `brain_maps`, too. Where the empty baseline wins, nothing is encoded."
    ),
    "time_course": (
        "Score of each space in each bin around the onset of a word (named after its start), mean "
        "over channels; band: 95 % interval over subjects (or folds). A square: at least one "
        "channel is above chance there, p corrected for all channels and times of that space. "
        "What rises before 0 ms is carried by the words before."
    ),
    "topographies": (
        "Score over the head at some times, one of them the peak of the first space; all heads "
        "share a scale, larger dots are channels above chance."
    ),
    "ablations": (
        "Gain at each value of one factor, all else as in the default, over the band of random "
        "reconstructions. `dimensions of the brain` is the bottleneck curve. One short text: "
        "differences between neighbours are within its noise."
    ),
    "mapping_and_text": (
        "Accuracy of the mapping against the score of the text, over mappers, data and noise."
    ),
    "context_and_size": (
        "Score of one layer against the words of context, the parameters of the network and its "
        "bits per byte on the text of the data set (the latter two at the longest context); a "
        "colour per model, a line style per data set. What rises to the right in the third "
        "panel grows as predictions get worse."
    ),
    "new_person": (
        "Pairwise identification of windows of a held-out story against minutes of the new "
        "person's own data: own decoder, that of the others as it is, and after alignment; "
        "bars: 95 % over people. Without signal (right) all must lie on the dotted line."
    ),
}

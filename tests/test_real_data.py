"""The data sets themselves, where they are on this machine (BRAINLM_DATA or the cache)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brainlm.datasets.card import card_names, read_card
from brainlm.datasets.folders import find_folder, list_subjects, refused_subjects, roots
from brainlm.datasets.open import open_dataset, open_maps, open_pairs, open_responses, open_stimulus
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.io.timecourses import read_matrix
from brainlm.stats.group_maps import group_map
from brainlm.stats.regions import regions_of_maps

MOST_WORDS = 300_000  # of all subjects together; more take too long


def real(name, subject=None):
    return skipping(open_dataset, name, subject)


def skipping(function, *arguments):
    try:
        return function(*arguments)
    except DataMissingError as error:
        pytest.skip(f"needs the data: {error}")


def real_subjects(name):
    try:
        return list_subjects(name)
    except DataMissingError as error:
        pytest.skip(f"needs the data: {error}")


def kind_is(*kinds):
    return [name for name in card_names() if read_card(name).kind in kinds]


def test_a_download_is_as_large_as_the_card_says():
    stated = [card for card in map(read_card, card_names()) if card.source.how == "url"]
    n_found = 0
    for card in stated:
        try:
            folder = find_folder(card, None)
        except DataMissingError:
            continue
        paths = [folder / path for path in card.checksums]
        if all(path.is_file() for path in paths):
            assert sum(path.stat().st_size for path in paths) == card.source.size, card.name
            n_found += 1
    if not n_found:
        pytest.skip("needs the data")


@pytest.mark.long
@pytest.mark.parametrize("name", kind_is("responses"))
def test_responses_agree_with_every_fact(name, rng):
    subjects = real_subjects(name)
    facts = read_card(name).facts
    sampled = facts.n_subjects * np.max(facts.n_words or 1) > MOST_WORDS
    if sampled:
        assert len(subjects) == facts.n_subjects
        subjects = list(rng.choice(subjects, min(3, len(subjects)), replace=False))
    refused = []
    for subject in subjects:
        try:
            stimulus, recording = skipping(open_responses, name, subject, None)
        except CorruptDataError:
            refused.append(subject)
            continue
        assert recording.subject == subject
        if stimulus is not None and recording.items is not None:
            assert set(recording.items) <= set(stimulus.item)
    if not sampled:
        assert len(subjects) - len(refused) == facts.n_subjects
    assert len(refused) <= 1


@pytest.mark.parametrize("name", kind_is("words"))
def test_words_agree_with_every_fact(name):
    real_subjects(name)
    stimulus = skipping(open_stimulus, name)
    assert stimulus.timed
    assert (stimulus.duration > 0).mean() > 0.99


@pytest.mark.parametrize("name", kind_is("pairs"))
def test_pairs_agree_with_every_fact(name):
    pairs = skipping(open_pairs, name)
    first, second = pairs.rows
    assert list(pairs.stimulus.words[first]) == list(pairs.first)
    assert list(pairs.stimulus.words[second]) == list(pairs.second)


@pytest.mark.parametrize("name", kind_is("maps"))
def test_maps_agree_with_every_fact(name):
    refused = []
    for subject in real_subjects(name):
        try:
            maps = skipping(open_maps, name, subject)
        except CorruptDataError:
            refused.append(subject)
            continue
        assert maps.subject == subject
    assert len(real_subjects(name)) - len(refused) == read_card(name).facts.n_subjects
    assert len(refused) <= 1


def test_the_corrupt_listener_is_found_by_the_checks():
    real("alice-fmri", "s18")
    assert "s33" not in real_subjects("alice-fmri")
    if not refused_subjects("alice-fmri"):
        pytest.skip("the corrupt file is not fetched with the data set")
    with pytest.raises(CorruptDataError, match=r"6 of 6 targets are constant \(6 of them zero"):
        open_dataset("alice-fmri", "s33")


def test_story_and_samples_overlap():
    stimulus, recording = real("alice-fmri", "s18")
    assert 20 <= stimulus.onset[0] < 21
    assert (recording.times[0], recording.times[-1]) == (20, 742)
    assert stimulus.words[:6].tolist() == ["Alice", "was", "beginning", "to", "get", "very"]


def test_clock_agrees_with_the_published_regressor_of_word_rate():
    from nilearn.glm.first_level import spm_hrf

    stimulus, recording = real("alice-fmri", "s18")
    found = [root / name for root in roots(None) for name in read_card("alice-fmri").folder]
    files = [folder / "alice_data_shared" / "s18-rate.txt" for folder in found]
    path = next((path for path in files if path.is_file()), None)
    if path is None:
        pytest.skip("needs s18-rate.txt, which is not fetched with the data set")
    published = read_matrix(path)[:, 0]
    ends = np.zeros(8000)  # 0.1 s bins
    np.add.at(ends, ((stimulus.onset + stimulus.duration) * 10).astype(int), 1)
    response = np.convolve(ends, spm_hrf(0.1, oversampling=1))[: len(ends)]
    seconds = np.arange(len(ends)) / 10
    r = {
        shift: np.corrcoef(np.interp(recording.times + shift, seconds, response), published)[0, 1]
        for shift in (-2, 0, 2)
    }
    assert r[0] > 0.98
    assert max(r[-2], r[2]) < 0.85


def test_passages_are_about_what_their_names_say():
    stimulus, _ = real("pereira2018")
    topics = {}
    for passage, rows in stimulus.blocks("text"):
        topic, name = passage.split("/")
        topics.setdefault(topic, []).append(name)
        content = " ".join(stimulus.words[rows]).lower()
        for part in (topic if name.isdigit() else name).split("-"):
            # Four letters find the word in its other forms too: blindness and blind.
            assert part[:4] in content, (passage, content)
    sizes = [len(names) for names in topics.values()]
    assert (sizes.count(3), sizes.count(4), len(sizes)) == (24, 24, 48)


def test_english_and_chinese_concepts_are_linked_by_number():
    english, rated = real("binder-en")
    chinese, rated_zh = real("binder-zh")
    assert len(set(rated.items) & set(rated_zh.items)) == 534
    assert len(set(rated.target_names) & set(rated_zh.target_names)) == 62
    assert dict(zip(rated.items, english.words, strict=True))["419"] == "zoo"
    assert dict(zip(rated_zh.items, chinese.words, strict=True))["419"] == "动物园"
    assert rated.missing_targets == ["Complexity", "Practice", "Caused"]


def test_ratings_stay_on_their_scales():
    stimulus, recording = real("human-ratings")
    senses, concreteness = recording.data[:, :6], recording.data[:, 6]
    assert (senses.min(), senses.max()) == (0, 5)
    assert 1 <= concreteness.min() < concreteness.max() == 5
    assert not any(" " in word for word in stimulus.words)
    row = dict(zip(stimulus.words, recording.data, strict=True))["aardvark"]
    np.testing.assert_array_equal(row[:6], [4.12, 1.62, 1.62, 0.06, 0.56, 1.25])


def spearman(x, y):
    from scipy.stats import spearmanr

    return spearmanr(x, y).statistic


def test_longer_words_are_read_longer():
    stimulus, recording = real("geco", "pp21")
    lengths = [len(word) for word in stimulus.words]
    assert spearman(lengths, recording.data[:, 0]) > 0.3
    stimulus, recording = real("bsc-gaze")
    length = {item: len(w) for item, w in zip(stimulus.item, stimulus.words, strict=True)}
    times = recording.data[:, list(recording.target_names).index("TRTAvg")]
    assert spearman([length[item] for item in recording.items], times) == pytest.approx(
        0.32, abs=0.01
    )


def test_sentences_of_a_passage_are_one_text():
    stimulus, _ = real("provo")
    assert (len(set(stimulus.text)), len(set(stimulus.sentence))) == (55, 134)
    stimulus, _ = real("geco", "pp35")
    assert [len(set(stimulus.sentence[rows])) for _, rows in stimulus.blocks("text")] == [
        1379,
        1465,
        1425,
        1015,
    ]


def test_responses_meet_their_own_words():
    stimulus, recording = real("nieuwland2018", "edin1")
    place = dict(zip(stimulus.item, stimulus.words, strict=True))
    assert all(place[item] == item.split("-")[1].split("/")[0] for item in recording.items)
    stimulus, recording = real("ucl-gaze")
    lengths = {item: len(w) for item, w in zip(stimulus.item, stimulus.words, strict=True)}
    first_pass = recording.data[:, list(recording.target_names).index("RTfirstpass")]
    assert spearman([lengths[item] for item in recording.items], first_pass) > 0.75


@pytest.mark.long
@pytest.mark.parametrize(
    ("people", "means", "measure"),
    [("ucl-erp-people", "ucl-erp", "N400"), ("ucl-gaze-people", "ucl-gaze", "RTfirstpass")],
)
def test_people_agree_with_the_means_of_their_group(people, means, measure):
    """Four people, word by word, and less with the word before or after."""
    trials = {}
    for subject in skipping(list_subjects, people)[:4]:
        _, recording = real(people, subject)
        for item, value in zip(recording.items, recording.data[:, 0], strict=True):
            trials.setdefault(int(item), []).append(value)
    _, group = real(means)
    column = group.data[:, list(group.target_names).index(measure)]
    numbers = [100 * int(s) + int(n) + 1 for s, n in (item.split("/") for item in group.items)]

    def agreement(shift):
        shared = [i for i, n in enumerate(numbers) if n + shift in trials]
        found = [np.mean(trials[numbers[i] + shift]) for i in shared]
        return np.corrcoef(column[shared], found)[0, 1]

    assert agreement(0) > max(agreement(1), agreement(-1), 0) + 0.15


@pytest.mark.parametrize(("language", "side"), [("en", -1), ("zh", 1), ("fr", -1)])
def test_listeners_agree_most_in_auditory_cortex(language, side):
    maps = skipping(open_maps, f"littleprince-{language}-isc")
    x, y, z = maps.coordinates()[maps.data.mean(axis=0).argmax()]
    assert 45 < side * x < 65
    assert -30 < y < 5
    assert 0 <= z < 15


def test_parcels_lie_in_the_hemisphere_of_their_name():
    maps = skipping(open_maps, "evlab-parcels")
    x = maps.coordinates()[:, 0]
    for number, name in maps.labels.items():
        inside = x[maps.data[0] == number]
        assert (np.sign(np.median(inside)) < 0) == name.startswith("left")


def test_norms_know_their_words():
    stimulus, recording = real("lancaster")
    row = dict(zip(stimulus.words, recording.data, strict=True))
    senses = list(recording.target_names)
    assert senses[row["thunder"].argmax()] == "Auditory"
    assert senses[row["lemon"].argmax()] in ("Gustatory", "Visual")
    stimulus, recording = real("questions-218")
    answers = dict(zip(stimulus.words, recording.data[:, 0], strict=True))
    assert answers["bear"] == 5 > answers["hammer"]


def test_the_auditory_localiser_finds_the_left_temporal_lobe():
    """Peak of the group at MNI (-60, -30, 0), as by other tools; regions lie in EvLab's parcels."""
    parcels = skipping(open_maps, "evlab-parcels")
    subjects = [name for name in real_subjects("langloc-auditory") if name != "18"]
    maps = [open_maps("langloc-auditory", name) for name in subjects]
    shared = np.all([each.mask for each in maps], axis=0)
    smooth = []
    for each in maps:
        weight = gaussian_filter(each.mask.astype(float), 1.3)  # voxels: 6 mm full width
        values = gaussian_filter(each.volume(str(each.names[0])).astype(float), 1.3)
        smooth.append((values / np.maximum(weight, 0.2))[shared])
    found = group_map(np.array(smooth), n_flips=100)
    peak = maps[0].affine @ [*np.argwhere(shared)[found.t.argmax()], 1]
    np.testing.assert_allclose(peak[:3], [-60, -30, 0], atol=4)
    assert found.t.max() == pytest.approx(8.24, abs=0.05)
    significant = np.argwhere(shared)[found.p <= 0.05] @ maps[0].affine[:3, 0] + 90
    assert (significant < 0).mean() > 0.8  # left
    regions = regions_of_maps(maps[0], parcels)
    sizes = [int((regions.data == number).sum()) for number in regions.labels]
    inside = [int((parcels.data[0] == number).sum()) for number in regions.labels]
    assert all(0 < size <= np.ceil(0.1 * n) for size, n in zip(sizes, inside, strict=True))
    assert regions.labels[6] == "left posterior temporal"

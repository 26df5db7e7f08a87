"""Spaces of words that the user has as files: associations and taxonomies."""

from dataclasses import replace

import numpy as np
import pytest
from support.comparison_tasks import word_task

from brainlm.comparison import feature_families as families
from brainlm.comparison.feature_families import parse_spaces, plausible_spaces
from brainlm.errors import DataMissingError, UnknownNameError


@pytest.fixture
def swow(tmp_path):
    """Cues of two topics: what belongs together is answered together."""
    rng = np.random.default_rng(0)
    lines = ["cue,R1,R2,R3"]
    for i in range(60):
        topic = i % 2
        for _ in range(20):
            answers = [f"t{topic}r{k}" for k in rng.integers(0, 30, 3)]
            lines.append(f"w{i:04d}," + ",".join(answers))
    path = tmp_path / "swow.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def no_wordnet(monkeypatch):
    def missing(words, n_features):
        raise DataMissingError("no WordNet")

    monkeypatch.setattr(families, "wordnet_norm", missing)


def test_files_of_spaces_are_read_from_one_text(tmp_path):
    one, other = tmp_path / "a.csv", tmp_path / "b=c.txt"
    one.touch()
    other.touch()
    found = parse_spaces(f"associations:en={one}, cilin={other}")
    assert found == {("associations", "en"): one, ("cilin", "zh"): other}
    assert parse_spaces("") == {}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("asociations:en=f", UnknownNameError, "associations"),
        ("associations=f", UnknownNameError, "LANGUAGE=FILE"),
        ("associations:fr=f", UnknownNameError, "en, zh"),
        ("cilin", UnknownNameError, "FILE"),
        ("cilin=/nowhere/cilin.txt", DataMissingError, "there is no file"),
    ],
)
def test_a_wrong_space_says_what_is_meant(text, error, message):
    with pytest.raises(error, match=message):
        parse_spaces(text)


def test_associations_become_a_network_that_knows_the_topics(swow, no_wordnet, tmp_path):
    task = word_task(np.random.default_rng(0), np.eye(60))
    (source,), note = plausible_spaces("en", tmp_path, [task], {("associations", "en"): swow})
    assert (source.name, source.family) == ("associations", "network")
    X = source.embed(task.stimulus, np.ones(60, dtype=bool), "word")[0].values
    assert X.shape == (60, families.SPACE_DIMENSIONS)
    r = np.corrcoef(X)
    same = np.equal.outer(np.arange(60) % 2, np.arange(60) % 2) & ~np.eye(60, dtype=bool)
    assert r[same].mean() > r[~same & ~np.eye(60, dtype=bool)].mean() + 0.1
    assert "WordNet" in note
    assert "SWOW" not in note


def test_missing_spaces_are_named(no_wordnet, tmp_path):
    task = word_task(np.random.default_rng(0), np.eye(60))
    found, note = plausible_spaces("en", tmp_path, [task])
    assert found == []
    for name in ("lancaster", "concreteness", "word associations (SWOW)", "WordNet"):
        assert name in note


def test_cilin_is_a_taxonomic_space_of_chinese(tmp_path):
    words = [chr(0x4E00 + 3 * i) for i in range(120)]
    lines = [
        f"{'ABCDEFGHIJKL'[i // 10]}{'abcde'[i % 5]}{i % 3 + 1:02d}A{i % 2 + 1:02d}= {word}"
        for i, word in enumerate(words)
    ]
    path = tmp_path / "cilin.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    task = word_task(np.random.default_rng(0), np.eye(120))
    stimulus = type(task.stimulus)(words, "zh", text=words)
    task = replace(task, language="zh", stimulus=stimulus)
    found, note = plausible_spaces("zh", tmp_path, [task], {("cilin", "zh"): path})
    assert [(s.name, s.family) for s in found] == [("cilin", "taxonomic")]
    assert found[0].covers(stimulus).all()
    assert "HowNet" in note
    assert "Cilin" not in note

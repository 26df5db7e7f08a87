import sys

import numpy as np
import pytest

from brainlm.compute import memory as _memory
from brainlm.data.stimulus import Stimulus
from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.features import taxonomies
from brainlm.features.taxonomies import (
    cilin_norm,
    hownet_norm,
    read_cilin,
    read_hownet,
    taxonomic_similarity,
    wordnet_norm,
)

# entity > animal > dog, cat; entity > thing > stone; "bat" is an animal and a thing.
DEPTH = {"entity": 1, "animal": 2, "thing": 2, "dog": 3, "cat": 3, "stone": 3, "bat1": 3, "bat2": 3}
DOG = {"dog": 0, "animal": 1, "entity": 2}
CAT = {"cat": 0, "animal": 1, "entity": 2}
STONE = {"stone": 0, "thing": 1, "entity": 2}
BAT = {"bat1": 0, "bat2": 0, "animal": 1, "thing": 1, "entity": 2}


def test_similarities_by_hand():
    found = taxonomic_similarity([DOG, CAT, STONE, BAT], DEPTH)
    same, kin, far = 1, 2 * 2 / (3 + 3), 2 * 1 / (3 + 3)
    expected = [
        [same, kin, far, kin],
        [kin, same, far, kin],
        [far, far, same, kin],
        [kin, kin, kin, same],
    ]
    np.testing.assert_allclose(found, expected)
    steps = taxonomic_similarity([DOG, CAT, STONE, BAT], DEPTH, "path")
    np.testing.assert_allclose(steps[0], [1, 1 / 3, 1 / 5, 1 / 3])
    with pytest.raises(UnknownNameError, match="Choices: wu-palmer, path"):
        taxonomic_similarity([DOG], DEPTH, "resnik")


def write_wordnet(folder):
    """A WordNet of seven nouns in the files of the real one; offsets are those of the lines."""
    folder = folder / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    nouns = {"entity": None, "animal": "entity", "thing": "entity"}
    nouns |= {"dog": "animal", "cat": "animal", "stone": "thing", "bat": "animal"}
    head = "  1 This is a WordNet made for a test  \n"
    offset, at = {}, len(head)
    for noun, above in nouns.items():
        offset[noun] = at
        at += len(_line(noun, above, dict.fromkeys(nouns, 0), nouns))
    data = head + "".join(_line(noun, above, offset, nouns) for noun, above in nouns.items())
    index = "".join(f"{noun} n 1 1 @ 1 0 {at:08d}  \n" for noun, at in offset.items())
    names = "".join(f"{i:02d}\tnoun.Tops\t1\n" for i in range(45))
    (folder / "data.noun").write_text(data)
    (folder / "index.noun").write_text(index)
    (folder / "lexnames").write_text(names)
    for name in ("data.verb", "data.adj", "data.adv", "index.verb", "index.adj", "index.adv"):
        (folder / name).write_text("")
    for name in ("cntlist.rev", "index.sense", "adj.exc", "adv.exc", "noun.exc", "verb.exc"):
        (folder / name).write_text("")


def _line(noun, above, offset, nouns):
    links = [("@", above)] if above else []
    links += [("~", below) for below, its in nouns.items() if its == noun]
    shown = " ".join(f"{sign} {offset[other]:08d} n 0000" for sign, other in links)
    return f"{offset[noun]:08d} 03 n 01 {noun} 0 {len(links):03d} {shown} | made for a test  \n"


@pytest.fixture
def nltk_data(tmp_path, monkeypatch):
    nltk = pytest.importorskip("nltk")
    from nltk.corpus.reader.wordnet import WordNetCorpusReader
    from nltk.corpus.util import LazyCorpusLoader

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    fresh = LazyCorpusLoader("wordnet", WordNetCorpusReader, None)
    monkeypatch.setattr(nltk.corpus, "wordnet", fresh)
    yield tmp_path
    for file in vars(fresh).get("_data_file_map", {}).values():
        file.close()  # nltk leaves them open


@pytest.mark.filterwarnings("ignore:The multilingual functions")
def test_wordnet_is_read_through_nltk(nltk_data):
    write_wordnet(nltk_data)
    norm = wordnet_norm(["dog", "cat", "stone", "dogs", "qzx", "dog"], 3)
    assert list(norm.words) == ["dog", "cat", "stone", "dogs"]
    expected = taxonomic_similarity([DOG, CAT, STONE, DOG], DEPTH)
    np.testing.assert_allclose(norm.values @ norm.values.T, expected, atol=1e-9)
    stimulus = Stimulus(["Dog", "qzx", "stone."], "en")
    assert norm.covers(stimulus).tolist() == [True, False, True]


def test_missing_wordnet_says_how_to_get_it(nltk_data, monkeypatch):
    with pytest.raises(DataMissingError, match=r"no WordNet .*nltk\.downloader wordnet"):
        wordnet_norm(["dog"], 1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "nltk.corpus", None)
        with pytest.raises(
            DataMissingError, match=r"not installed: `pip install brainlm\[wordnet\]`"
        ):
            wordnet_norm(["dog"], 1)


def test_real_wordnet_agrees_with_nltks_own_similarity():
    pytest.importorskip("nltk")
    from nltk.corpus import wordnet

    words = ["dog", "cat", "car", "idea", "tree", "bank", "house", "run"]
    try:
        kept, S = taxonomies._wordnet_similarity(words, "wu-palmer")
    except DataMissingError as error:
        pytest.skip(str(error))
    assert kept == words
    for i, a in enumerate(words):
        for j, b in enumerate(words[:i]):
            pairs = [(s, t) for s in wordnet.synsets(a, "n") for t in wordnet.synsets(b, "n")]
            theirs = max(s.wup_similarity(t) for s, t in pairs)
            # nltk takes the ancestor of greatest least depth, we the best of all.
            assert theirs - 1e-9 <= S[i, j] <= theirs + 0.1
    assert S[0, 1] > S[0, 3]


CILIN = """Aa01A01= 人 士 人物
Aa01A02= 人类 生人
Aa01B03# 良民 顺民
Bi07A01= 狗 犬
Bi07A02@ 猫
Ka01A01= 人 白
"""


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_cilin_by_hand(tmp_path, encoding):
    path = tmp_path / "cilin.txt"
    path.write_bytes(CILIN.encode(encoding))
    places = read_cilin(path)
    assert places["犬"] == [("B", "Bi", "Bi07", "Bi07A", "Bi07A01")]
    assert len(places["人"]) == 2
    assert places["良民"][0][-2:] == ("Aa01B03", "Aa01B03#良民")
    words = ["人", "士", "人类", "良民", "顺民", "狗", "犬", "猫", "白", "龘"]
    norm = cilin_norm(path, words, 5)
    assert list(norm.words) == words[:-1]
    nodes = [{"a": 0}]  # the similarity itself, whatever the number of features
    assert taxonomic_similarity(nodes, {"a": 1})[0, 0] == 1
    whole = cilin_norm(path, ["人", "人类", "顺民", "良民"], 4)
    S = whole.values @ whole.values.T
    np.testing.assert_allclose(S[0, 1], 2 * 4 / (5 + 5))  # they share four of five levels
    np.testing.assert_allclose(S[2, 3], 2 * 5 / (6 + 6))  # of one kind, no synonyms
    np.testing.assert_allclose(S[0, 2], 2 * 3 / (5 + 6))
    apart = cilin_norm(path, ["狗", "猫", "白"], 3)
    S = apart.values @ apart.values.T
    np.testing.assert_allclose(S[[0, 0], [1, 2]], [2 * 4 / 10, 0], atol=1e-9)
    synonyms = cilin_norm(path, ["狗", "犬", "猫"], 2)
    np.testing.assert_allclose(synonyms.values[0], synonyms.values[1], atol=1e-9)


HOWNET = """NO.=000001
W_C=医生
G_C=N
W_E=doctor
DEF={human|人:HostOf={Occupation|职位},domain={medical|医},{doctor|医治:agent={~}}}

NO.=000002
W_C=病人
DEF={human|人:domain={medical|医},{SufferFrom|罹患:experiencer={~}}}

NO.=000003
W_C=石头
DEF=stone|土石

NO.=000004
W_C=医生
DEF={human|人}
"""


def test_hownet_by_hand(tmp_path):
    path = tmp_path / "HowNet.txt"
    path.write_text(HOWNET, encoding="utf-8")
    sememes = read_hownet(path)
    assert sememes["医生"] == {"human|人", "Occupation|职位", "medical|医", "doctor|医治"}
    assert sememes["石头"] == {"stone|土石"}
    norm = hownet_norm(path, ["医生", "病人", "石头", "猫"], 3)
    S = norm.values @ norm.values.T
    np.testing.assert_allclose(S[0, 1], 2 / np.sqrt(4 * 3))
    np.testing.assert_allclose(S[0, 2], 0, atol=1e-9)
    assert norm.covers(Stimulus(["病人", "猫"], "zh")).tolist() == [True, False]


def test_other_files_and_other_words_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "x.txt"
    path.write_text("Aa01A01= 人\nno code here\n", encoding="utf-8")
    with pytest.raises(CorruptDataError, match="line 2 is not a code with words"):
        read_cilin(path)
    with pytest.raises(CorruptDataError, match="not a HowNet file"):
        read_hownet(path)
    path.write_bytes(b"\xff\xff\xff")
    with pytest.raises(CorruptDataError, match="neither UTF-8 nor GB18030"):
        read_cilin(path)
    with pytest.raises(DataMissingError, match="no such file"):
        read_cilin(tmp_path / "none.txt")
    path.write_text("Aa01A01= 人\n", encoding="utf-8")
    monkeypatch.setattr(_memory, "available_memory", lambda: 20)
    with pytest.raises(MemoryError, match=r"1 words in pairs needs .* name fewer words"):
        cilin_norm(path, ["人"], 1)
    with pytest.raises(ValueError, match="Cilin has none of the words"):
        cilin_norm(path, ["dog"], 1)

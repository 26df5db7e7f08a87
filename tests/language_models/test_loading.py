import logging

import numpy as np
import pytest
from transformers import BertConfig, Gemma3TextConfig, GPT2Config, LlamaConfig, T5Config, ViTConfig

from brainlm import LanguageModel, Stimulus
from brainlm.compute.backend import check_device
from brainlm.errors import CorruptDataError, UnknownNameError
from brainlm.language_models.loading import (
    kind_of,
    load_network,
    load_tokenizer,
    quiet_transformers,
)
from brainlm.language_models.sources import ModelFiles


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (LlamaConfig(), "causal"),
        (GPT2Config(), "causal"),
        (BertConfig(), "masked"),
        (T5Config(), "encoder"),
        (BertConfig(is_decoder=True), "causal"),
        (Gemma3TextConfig(), "causal"),
        (Gemma3TextConfig(use_bidirectional_attention=True), "masked"),
    ],
)
def test_kind_follows_the_configuration(config, kind):
    assert kind_of(config) == kind


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="neither a causal nor"):
        kind_of(ViTConfig())


def test_encoder_of_an_encoder_decoder_is_read(tmp_path):
    import numpy as np
    import torch
    from support.tiny_models import save, unigram
    from transformers import AutoModel

    from brainlm.data.stimulus import Stimulus
    from brainlm.language_models import LanguageModel

    tokenizer = unigram()
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=16,
        d_kv=8,
        d_ff=16,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
        pad_token_id=0,
    )
    model = LanguageModel(save(tmp_path / "t5", config, tokenizer, auto="AutoModel"))
    assert (model.kind, model.n_layers, model.n_features) == ("encoder", 2, 16)
    stimulus = Stimulus(["The", "dog", "chased", "the", "cat"], "en")
    spaces = model.embed(stimulus, context="document")
    ids = tokenizer("The dog chased the cat", return_tensors="pt")["input_ids"]
    whole = AutoModel.from_pretrained(tmp_path / "t5").eval()
    with torch.no_grad():
        states = whole.get_encoder()(input_ids=ids, output_hidden_states=True).hidden_states
    np.testing.assert_allclose(spaces[-1].values[-1], states[-1][0, -1].numpy(), atol=1e-5)
    with pytest.raises(ValueError, match="predicts no words"):
        model.surprisal(stimulus)


def test_missing_weights_are_refused_not_drawn(llama_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    for path in llama_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(llama_folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CorruptDataError, match=r"lack or misfit 1 .*layers\.1\.mlp\.up_proj"):
        load_network(ModelFiles("x", tmp_path, "1"), device="cpu", dtype="float32")


def test_head_can_be_chosen(llama_folder):
    where = {"device": "cpu", "dtype": "float32", "head": "AutoModelForCausalLM"}
    network = load_network(ModelFiles("x", llama_folder, "1"), **where)
    assert hasattr(network, "lm_head")
    assert not network.training


def test_unknown_dtype_lists_the_choices(llama_folder):
    with pytest.raises(UnknownNameError, match="Choices: float32, bfloat16, float16"):
        load_network(ModelFiles("x", llama_folder, "1"), device="cpu", dtype="half")


@pytest.mark.parametrize(("half", "dtype"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_half_precision_where_the_processor_has_it(llama_folder, monkeypatch, half, dtype):
    monkeypatch.setattr("brainlm.language_models.loading.multiplies_half", lambda device: half)
    model = LanguageModel(llama_folder, dtype="auto")
    assert model.dtype == dtype
    assert str(next(model.network.parameters()).dtype) == f"torch.{dtype}"
    with pytest.raises(UnknownNameError, match="Choices: auto, float32, bfloat16, float16"):
        LanguageModel(llama_folder, dtype="half")


def test_slow_tokenizer_is_refused(llama_folder, monkeypatch):
    import transformers

    class Slow:
        is_fast = False

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: Slow())
    with pytest.raises(ValueError, match="slow tokenizer without character offsets"):
        load_tokenizer(llama_folder)


def test_device_error_names_what_there_is():
    assert check_device("cpu") == "cpu"
    with pytest.raises(ValueError, match=r"'cuda:99' is not on this machine; torch finds: cpu"):
        check_device("cuda:99")


def test_quiet_restores_verbosity():
    from transformers.utils import logging as transformers_logging

    before, bars = (
        transformers_logging.get_verbosity(),
        transformers_logging.is_progress_bar_enabled(),
    )
    with quiet_transformers():
        assert transformers_logging.get_verbosity() == logging.ERROR
    assert transformers_logging.get_verbosity() == before
    assert transformers_logging.is_progress_bar_enabled() == bars


def test_an_untrained_twin_has_the_same_architecture_and_other_weights(llama_folder):
    words = Stimulus(["the", "dog", "chased", "the", "cat"], "en")
    trained = LanguageModel(llama_folder)
    twin, again, other = (LanguageModel(llama_folder, untrained=seed) for seed in (3, 3, 4))
    assert twin.name == f"{trained.name} (untrained 3)"
    assert len({model.identity for model in (trained, twin, other)}) == 3
    assert twin.identity == again.identity
    found = [np.stack([f.values for f in m.embed(words)]) for m in (trained, twin, again, other)]
    assert {each.shape for each in found} == {found[0].shape}
    np.testing.assert_array_equal(found[1], found[2])
    for one, two in ((0, 1), (1, 3)):
        assert abs(np.corrcoef(found[one][-1].ravel(), found[two][-1].ravel())[0, 1]) < 0.5
    (features,) = twin.embed(words, layers=[-1])
    assert features.origin["revision"].endswith(", untrained 3")


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_an_untrained_twin_has_the_same_body_with_and_without_a_head(
    llama_folder, bert_folder, kind
):
    folder = {"llama": llama_folder, "bert": bert_folder}[kind]
    body, headed = LanguageModel(folder, untrained=0), LanguageModel(folder, untrained=0)
    assert headed.surprisal(Stimulus(["the", "dog"], "en")).values.shape == (2, 1)
    own = dict(headed.network.named_parameters())
    for name, weights in body.network.named_parameters():
        if not name.startswith("pooler."):
            np.testing.assert_array_equal(weights.numpy(), own[name].numpy())


def test_twins_that_do_not_exist_are_refused(llama_folder, tmp_path):
    for seed in (-1, True, 1.5):
        with pytest.raises(ValueError, match="untrained must be a seed"):
            LanguageModel(llama_folder, untrained=seed)
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("dog 1 2\ncat 2 3\n")
    with pytest.raises(ValueError, match=r"no network.*random_like"):
        LanguageModel(vectors, untrained=0)

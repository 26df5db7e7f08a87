import numpy as np
import pytest
import torch
from support.tiny_models import byte_level_bpe, save, word_piece

from brainlm.data.stimulus import Stimulus
from brainlm.errors import UnknownNameError
from brainlm.language_models.model import LanguageModel
from brainlm.language_models.sites import SITES, Site, parse_sites

WORDS = ["The", "dog", "chased", "the", "cat", "up", "the", "tree", "and", "then", "it", "went"]
SIZES = {"vocab_size": 420, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


def config_of(family):
    import transformers as t

    more = {"intermediate_size": 48, "max_position_embeddings": 64, "initializer_range": 0.3}
    if family == "llama":
        return t.LlamaConfig(**SIZES, **more)
    if family == "gemma3":
        return t.Gemma3TextConfig(**SIZES, **more, num_key_value_heads=1, head_dim=16)
    if family == "olmo2":
        return t.Olmo2Config(**SIZES, **more, pad_token_id=1)
    if family == "neox":
        return t.GPTNeoXConfig(**SIZES, **more, use_parallel_residual=False)
    if family == "bert":
        return t.BertConfig(**SIZES, **more)
    return t.GPT2Config(
        vocab_size=420, n_embd=32, n_layer=2, n_head=4, n_positions=64, initializer_range=0.3
    )


@pytest.fixture(scope="module", params=["llama", "gemma3", "olmo2", "neox", "gpt2", "bert"])
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sites") / request.param
    masked = request.param == "bert"
    tokenizer = word_piece() if masked else byte_level_bpe()
    auto = "AutoModelForMaskedLM" if masked else "AutoModelForCausalLM"
    return LanguageModel(save(folder, config_of(request.param), tokenizer, auto))


@pytest.fixture
def words():
    return Stimulus(WORDS, "en")


def values(model, words, *layers):
    return [each.values for each in model.embed(words, list(layers))]


def test_the_ends_of_a_block_are_the_layers(model, words):
    before, layer, after = values(model, words, "2.resid_pre", 1, "1.resid_post")
    np.testing.assert_allclose(before, layer, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after, layer, rtol=1e-5, atol=1e-6)


def test_the_parts_of_a_block_add_up(model, words):
    pre, attention, middle, mlp, post = values(
        model, words, "1.resid_pre", "1.attn_out", "1.resid_mid", "1.mlp_out", "1.resid_post"
    )
    if model.config.model_type != "bert":
        np.testing.assert_allclose(pre + attention, middle, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(middle + mlp, post, rtol=1e-4, atol=1e-5)
        return
    output = model.network.encoder.layer[0]  # normalised after each addition
    norms = output.attention.output.LayerNorm, output.output.LayerNorm
    with torch.inference_mode():
        for norm, summed, wanted in zip(
            norms, (pre + attention, middle + mlp), (middle, post), strict=True
        ):
            found = norm(torch.tensor(summed)).numpy()
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_heads_are_parts_of_z_and_their_projection_is_the_attention(model, words):
    z, attention = values(model, words, "2.z", "2.attn_out")
    heads = values(model, words, "2.head")
    assert len(heads) == 4
    np.testing.assert_allclose(np.hstack(heads), z, rtol=1e-5, atol=1e-6)
    (third,) = values(model, words, "2.head.2")
    np.testing.assert_array_equal(third, heads[2])
    if model.config.model_type == "llama":
        weight = model.network.layers[1].self_attn.o_proj.weight.detach().numpy()
        np.testing.assert_allclose(z @ weight.T, attention, rtol=1e-4, atol=1e-5)


def test_layers_and_sites_mix_and_say_where_they_are(model, words):
    found = model.embed(words, [0, "1.mlp_out", "2.head.1"])
    assert [each.name for each in found] == ["layer 0", "layer 1.mlp_out", "layer 2.head.1"]
    assert [each.origin["layer"] for each in found] == [0, 1, 2]
    assert [each.origin.get("site") for each in found] == [None, "1.mlp_out", "2.head.1"]
    every = model.embed(words, "mlp_out")
    assert [each.origin["layer"] for each in every] == [1, 2]
    np.testing.assert_array_equal(every[0].values, found[1].values)


def test_a_cache_keeps_sites_apart(tmp_path, words):
    folder = save(tmp_path / "llama", config_of("llama"), byte_level_bpe())
    plain, kept = LanguageModel(folder), LanguageModel(folder, cache=tmp_path / "cache")
    layers = ["1.attn_out", "2.attn_out", "1.head.0", 1]
    expected = values(plain, words, *layers)
    for _ in range(2):
        for a, b in zip(values(kept, words, *layers), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_texts_name_sites():
    assert parse_sites("3.attn_out", 4, 2) == [Site(3, "attn_out")]
    assert [str(s) for s in parse_sites("head", 2, 2)] == [
        "1.head.0", "1.head.1", "2.head.0", "2.head.1"
    ]  # fmt: skip
    for bad in ("4.attention", "5.attn_out", "0.mlp_out", "1.head.2", "1.mlp_out.0", "x.head"):
        with pytest.raises(UnknownNameError, match="site"):
            parse_sites(bad, 4, 2)
    with pytest.raises(UnknownNameError, match=", ".join(SITES[:3])):
        parse_sites("4.attention", 4, 2)


def test_an_architecture_without_a_site_lists_those_it_has(tmp_path, words):
    config = config_of("neox")
    config.use_parallel_residual = True
    model = LanguageModel(save(tmp_path / "neox", config, byte_level_bpe()))
    with pytest.raises(UnknownNameError, match=r"1\.resid_mid.*attn_out"):
        model.embed(words, "1.resid_mid")
    with pytest.raises(ValueError, match="each once"):
        model.embed(words, [1, 1])

"""Tiny random models, saved once per session."""

import pytest
from support.tiny_models import byte_level_bpe, save, word_piece


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory):
    from transformers import LlamaConfig

    tokenizer = byte_level_bpe()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,  # wide enough for context to matter
    )
    return save(tmp_path_factory.mktemp("models") / "tiny-llama", config, tokenizer)


@pytest.fixture(scope="session")
def gpt2_folder(tmp_path_factory):
    from transformers import GPT2Config

    tokenizer = byte_level_bpe(prefix_space=False)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=64,
        n_embd=24,
        n_layer=2,
        n_head=2,
        initializer_range=0.3,
        bos_token_id=0,
        eos_token_id=0,
    )
    return save(tmp_path_factory.mktemp("models") / "tiny-gpt2", config, tokenizer)


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory):
    from transformers import BertConfig

    tokenizer = word_piece()
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    return save(folder, config, tokenizer, auto="AutoModelForMaskedLM")


@pytest.fixture(scope="session")
def llama(llama_folder):
    from brainlm.language_models import LanguageModel

    return LanguageModel(llama_folder)


@pytest.fixture(scope="session")
def bert(bert_folder):
    from brainlm.language_models import LanguageModel

    return LanguageModel(bert_folder)

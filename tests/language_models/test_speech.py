import numpy as np
import pytest
import torch

from brainlm.data.recording import Recording
from brainlm.data.sound import Sound
from brainlm.encoding.sound import align_sound
from brainlm.language_models.speech import SpeechModel

RATE = 16000
TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "conv_dim": (8, 8),
    "conv_stride": (20, 16),
    "conv_kernel": (20, 16),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
}


def make(kind, folder):
    import transformers as t

    if kind == "whisper":
        config = t.WhisperConfig(
            d_model=16, encoder_layers=2, decoder_layers=1, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, vocab_size=64,
            num_mel_bins=16, max_source_positions=1500, pad_token_id=0, bos_token_id=0,
            eos_token_id=0, decoder_start_token_id=0,
        )  # fmt: skip
        extractor = t.WhisperFeatureExtractor(feature_size=16)
    else:
        config = {"wav2vec2": t.Wav2Vec2Config, "hubert": t.HubertConfig}[kind](**TINY)
        extractor = t.Wav2Vec2FeatureExtractor(do_normalize=True)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        t.AutoModel.from_config(config).save_pretrained(folder)
    extractor.save_pretrained(folder)
    return SpeechModel(folder)


@pytest.fixture(scope="module", params=["wav2vec2", "hubert", "whisper"])
def model(request, tmp_path_factory):
    return make(request.param, tmp_path_factory.mktemp("speech") / request.param)


@pytest.fixture
def sound(rng):
    return Sound(rng.standard_normal(2 * RATE) * 0.1, RATE)


def test_every_step_has_a_frame_of_every_layer(model, sound):
    found = model.embed(sound, window=0.8, step=0.25)
    assert [frames.name for frames in found] == ["layer 0", "layer 1", "layer 2"]
    assert all(frames.values.shape == (8, 16) for frames in found)
    np.testing.assert_allclose(found[0].times, np.arange(1, 9) * 0.25)
    assert found[2].origin["layer"] == 2


def test_a_frame_is_that_of_the_network_on_the_sound_up_to_then(model, sound):
    (frames,) = model.embed(sound, -1, window=0.8, step=0.5)
    heard = sound.samples[int(0.7 * RATE) : int(1.5 * RATE)].astype(np.float32)
    given = model.extractor([heard], sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        states = model.network(next(iter(given.values())), output_hidden_states=True)
    last = states.hidden_states[-1][0]
    place = 39 if model.config.model_type == "whisper" else -1  # 50 frames a second
    np.testing.assert_allclose(frames.values[2], last[place].numpy(), rtol=1e-4, atol=1e-5)


def test_nothing_of_the_future_is_heard(model, sound):
    changed = sound.samples.copy()
    changed[RATE:] = 0.5
    first, second = (
        model.embed(each, window=0.6, step=0.25)[1] for each in (sound, Sound(changed, RATE))
    )
    np.testing.assert_array_equal(first.values[:4], second.values[:4])
    assert abs(first.values[4:] - second.values[4:]).max() > 1e-4


def test_another_rate_is_resampled_and_aligned_with_a_recording(model):
    time = np.arange(4 * 8000) / 8000
    slow = Sound(np.sin(2 * np.pi * 440 * time), 8000.0)
    frames = model.embed(slow, [1], window=1.0, step=0.2)
    times = np.arange(4.0)
    recording = Recording(times[:, None], ["v"], "fmri", "z", times=times, run=["a"] * 4)
    found = align_sound({"a": frames}, recording, [0, 1], name="layer 1")
    assert found.values.shape == (4, 32)
    assert found.origin["model"] == model.name


def test_an_untrained_twin_is_another_network(tmp_path, sound):
    trained = make("hubert", tmp_path / "hubert")
    twin = SpeechModel(tmp_path / "hubert", untrained=3)
    a, b = (m.embed(sound, [2], window=0.5, step=0.5)[0].values for m in (trained, twin))
    assert twin.name == "hubert (untrained 3)"
    assert abs(a - b).max() > 0.01


def test_bad_input_is_named(model, sound, llama_folder):
    with pytest.raises(ValueError, match=r"'.*' is no speech model .*whisper"):
        SpeechModel(llama_folder)
    with pytest.raises(ValueError, match=r"sound at least 0\.1 s"):
        model.embed(Sound(np.zeros(100), RATE))
    with pytest.raises(ValueError, match="window must lie between"):
        model.embed(sound, window=0.01)

import numpy as np
import pytest
from scipy.io import wavfile

from brainlm.data.recording import Recording
from brainlm.data.sound import Frames, Sound
from brainlm.encoding.align import AlignmentWarning
from brainlm.encoding.sound import align_sound
from brainlm.errors import CorruptDataError, DataMissingError
from brainlm.features.acoustics import log_mel, mel_bands, read_sound, read_sounds, sound_envelope

RATE = 16000


def tone(hertz, seconds=1.0, amplitude=0.5):
    return Sound(amplitude * np.sin(2 * np.pi * hertz * np.arange(seconds * RATE) / RATE), RATE)


def test_the_envelope_of_a_sine_is_its_amplitude_over_root_two():
    frames = sound_envelope(tone(1000))
    np.testing.assert_allclose(frames.values, 0.5 / np.sqrt(2), rtol=1e-3)
    np.testing.assert_allclose(frames.times[:2], [0.0125, 0.0225])


@pytest.mark.parametrize("hertz", [200, 1000, 4000])
def test_a_tone_is_loudest_in_its_band(hertz):
    frames = log_mel(tone(hertz), 16)
    corners = 700 * (10 ** (np.linspace(*2595 * np.log10(1 + np.array([50, 8000]) / 700), 18) / 2595) - 1)  # fmt: skip  # noqa: E501
    nearest = abs(corners[1:-1] - hertz).argmin()
    assert abs(frames.values.mean(axis=0).argmax() - nearest) <= 1
    # Four times the power is log10(4) more, in the band of the tone.
    louder = log_mel(tone(hertz, amplitude=1.0), 16).values - frames.values
    np.testing.assert_allclose(louder[:, nearest], np.log10(4), atol=1e-3)


def test_bands_are_those_of_an_independent_implementation():
    from transformers.audio_utils import mel_filter_bank

    theirs = mel_filter_bank(257, 20, 50.0, 8000.0, RATE, norm=None, mel_scale="htk")
    ours = mel_bands(np.fft.rfftfreq(512, 1 / RATE), 20)
    np.testing.assert_allclose(ours, theirs.T, atol=1e-9)


def test_the_spectrogram_is_that_of_an_independent_implementation(rng):
    from transformers.audio_utils import mel_filter_bank, spectrogram

    noise = rng.standard_normal(RATE)
    taper = np.hanning(402)[1:-1]
    taper /= np.sqrt(np.square(taper).sum())
    bank = mel_filter_bank(257, 20, 50.0, 8000.0, RATE, norm=None, mel_scale="htk")
    theirs = spectrogram(
        noise, taper, 400, 160, fft_length=512, power=2.0, center=False, mel_filters=bank
    )
    ours = log_mel(Sound(noise, RATE), 20).values
    np.testing.assert_allclose(ours, np.log10(1e-10 + theirs.T), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "float32"])
def test_sounds_are_read_at_full_scale_one(tmp_path, dtype):
    samples = tone(440, 0.1).samples
    if dtype == "float32":
        stored = samples.astype(dtype)
    else:
        top = np.iinfo(dtype).max + 1.0
        middle = top / 2 if dtype == "uint8" else 0
        stored = (samples * (top - middle) + middle).astype(dtype)
    wavfile.write(tmp_path / "a.wav", RATE, np.stack([stored, stored], axis=1))
    sound = read_sound(tmp_path / "a.wav")
    assert sound.rate == RATE
    np.testing.assert_allclose(sound.samples, samples, atol=0.02 if dtype == "uint8" else 1e-4)


def test_each_run_has_its_sound(tmp_path):
    for name in ("a", "b"):
        wavfile.write(tmp_path / f"{name}.wav", RATE, tone(440, 0.1).samples.astype("float32"))
    assert list(read_sounds(tmp_path, ["b", "a"])) == ["b", "a"]
    with pytest.raises(DataMissingError, match=r"run 'c' needs one sound, .* found a\.wav, b\.wav"):
        read_sounds(tmp_path, ["a", "c"])
    (tmp_path / "b.wav").unlink()
    assert list(read_sounds(tmp_path, ["1"])) == ["1"]  # the only one


def test_sound_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataMissingError, match=r"a\.wav: there is no such"):
        read_sound(tmp_path / "a.wav")
    (tmp_path / "a.wav").write_bytes(b"RIFF and nothing else")
    with pytest.raises(CorruptDataError, match=r"a\.wav: no .* that can be read"):
        read_sound(tmp_path / "a.wav")
    with pytest.raises(ValueError, match="shorter than a window"):
        sound_envelope(Sound(np.zeros(100), RATE))
    with pytest.raises(ValueError, match="use fewer bands"):
        log_mel(tone(440), 400)


def recording(n=20, step=2.0):
    times = np.tile(np.arange(n) * step, 2)
    runs = np.repeat(["a", "b"], n)
    return Recording(
        np.zeros((2 * n, 1)) + times[:, None], ["v"], "fmri", "z", times=times, run=runs
    )


def test_a_click_reaches_its_sample_and_the_delayed_ones():
    frames = Frames("click", np.zeros((4000, 1)), np.arange(4000) * 0.01 + 0.0125)
    frames.values[1000:1100] = 1.0  # 10 to 11 s: half of the sample at 10 s
    silent = Frames("click", np.zeros((4000, 1)), frames.times)
    found = align_sound({"a": [frames], "b": [silent]}, recording(), [0, 2])
    assert found.values[:20, 0].round(2).tolist() == [0.5 if k == 5 else 0 for k in range(20)]
    assert found.values[:20, 1].round(2).tolist() == [0.5 if k == 7 else 0 for k in range(20)]
    assert (found.values[20:] == 0).all()
    with pytest.warns(AlignmentWarning, match="10% of the sound"):  # of both runs
        later = align_sound({"a": [frames], "b": [silent]}, recording(), [0], start=4.0)
    assert later.values[:20, 0].argmax() == 7


def test_silence_after_the_sound_has_the_smallest_value():
    frames = Frames("level", np.linspace(-3, 1, 1000)[:, None], np.arange(1000) * 0.01)
    found = align_sound({"a": [frames], "b": [frames]}, recording(), [0])
    assert (found.values[5:20] == -3).all()


def test_a_sound_that_is_cut_is_a_warning():
    frames = Frames("level", np.ones((6000, 1)), np.arange(6000) * 0.01)  # 60 s, runs of 40
    short = Frames("level", np.ones((4000, 1)), np.arange(4000) * 0.01)
    with pytest.warns(AlignmentWarning, match=r"33% of the sound of run 'a' is outside"):
        align_sound({"a": [frames], "b": [short]}, recording())


def test_sounds_that_do_not_fit_are_named():
    frames = Frames("level", np.ones((100, 1)), np.arange(100) * 0.01)
    with pytest.raises(ValueError, match="lacks runs b of the recording; it has a"):
        align_sound({"a": [frames]}, recording())
    with pytest.raises(ValueError, match=r"run 'a' lasts from 90 to .* outside of its samples"):
        align_sound({"a": [frames], "b": [frames]}, recording(), start=90.0)
    items = Recording(np.arange(4.0)[:, None], ["v"], "ratings", "z", items=list("abcd"))
    with pytest.raises(ValueError, match="no times"):
        align_sound({}, items)

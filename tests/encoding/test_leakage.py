import numpy as np
import pytest
from sklearn.model_selection import KFold

from brainlm.data.preprocessing import high_pass
from brainlm.data.recording import Recording
from brainlm.encoding.leakage import LeakageWarning, leakage_probe
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.features.baselines import smooth_noise


@pytest.fixture
def recording(rng):
    """Autocorrelated noise, as filtered fMRI is."""
    noise = rng.standard_normal((300, 12))
    for t in range(1, 300):
        noise[t] += 0.8 * noise[t - 1]
    names = [f"t{i}" for i in range(12)]
    return high_pass(Recording(noise, names, "fmri", "BOLD", times=2.0 * np.arange(300)))


def test_contiguous_blocks_with_a_gap_do_not_leak(recording):
    probe = leakage_probe(recording, ContiguousBlocks(5, gap=8), n_draws=10)
    assert not probe.leaks
    assert abs(probe.mean) < 0.05
    assert probe.scores.shape == (10, 12)


def test_shuffled_folds_leak_and_are_told(recording):
    shuffled = KFold(5, shuffle=True, random_state=0)
    with pytest.warns(LeakageWarning, match="contiguous blocks with a gap"):
        probe = leakage_probe(recording, shuffled, n_draws=6)
    assert probe.mean > 0.1
    assert probe.p < 0.001


def test_white_noise_does_not_leak_even_when_shuffled(rng):
    white = Recording(
        rng.standard_normal((200, 10)),
        list("abcdefghij"),
        "fmri",
        "BOLD",
        times=2 * np.arange(200.0),
    )
    probe = leakage_probe(white, KFold(5, shuffle=True, random_state=0), n_draws=6)
    assert abs(probe.mean) < 0.05


@pytest.mark.parametrize(
    ("step", "modality", "width", "samples"),
    [
        (2.0, "fmri", None, 2.0),
        (0.5, "fmri", None, 8.0),
        (0.01, "meg", None, 2.0),
        (0.5, "fmri", 1.0, 2.0),
    ],
)
def test_noise_is_smooth_for_as_long_as_blood_remembers(
    rng, monkeypatch, step, modality, width, samples
):
    drawn = []

    def noise(*given, **options):
        drawn.append(options["width"])
        return smooth_noise(*given, **options)

    monkeypatch.setattr("brainlm.encoding.leakage.smooth_noise", noise)
    data = rng.standard_normal((60, 2))
    fast = Recording(data, ["a", "b"], modality, "z", times=step * np.arange(60))
    leakage_probe(fast, ContiguousBlocks(3), n_draws=3, n_features=3, width=width)
    assert drawn == pytest.approx([samples] * 3)


def test_items_and_too_few_walks_are_refused(rng, recording):
    with pytest.raises(ValueError, match="at least 3"):
        leakage_probe(recording, ContiguousBlocks(5), n_draws=2)
    items = Recording(rng.random((20, 1)), ["a"], "ratings", "1-5", items=np.arange(20).astype(str))
    with pytest.raises(ValueError, match="needs a time series"):
        leakage_probe(items, ContiguousBlocks(5))

import numpy as np
import pytest

from brainlm.data.recording import Recording
from brainlm.data.stimulus import Stimulus
from brainlm.data.target_table import over_time
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.similarity import SimilarityEncoder
from brainlm.encoding.splits import ContiguousBlocks
from brainlm.encoding.time_bins import word_locked

STEP = 0.01


def series(rng, X, latency, n_channels=3):
    """A sensor that answers each word ``latency`` seconds after its onset for 100 ms."""
    n_words = len(X)
    onset = 1 + 0.8 * np.arange(n_words)
    times = STEP * np.arange(int((onset[-1] + 2) / STEP))
    data = rng.standard_normal((len(times), n_channels))
    weights = rng.standard_normal((X.shape[1], n_channels))
    for word, start in zip(X, onset, strict=True):
        first = round((start + latency) / STEP)
        data[first : first + 10] += word @ weights
    stimulus = Stimulus([f"w{i}" for i in range(n_words)], "en", onset, np.full(n_words, 0.3))
    return stimulus, Recording(data, ["A", "B", "C"], "meg", "T", times=times)


def test_bins_are_means_after_the_onset():
    times = STEP * np.arange(300)
    ramp = Recording(times[:, None], ["A"], "meg", "T", times=times)
    stimulus = Stimulus(["a", "b"], "en", [0.5, 2.9], [0.2, 0.1])
    words, found = word_locked(stimulus, ramp, stop=0.3)
    assert words.words.tolist() == ["a"]
    assert "1 of 2 words" in found.notes[-1]
    np.testing.assert_allclose(found.data[0], [0.545, 0.645, 0.745])
    assert found.target_names.tolist() == ["A@0ms", "A@100ms", "A@200ms"]


def test_the_planted_latency_is_found_and_no_other(rng):
    X = rng.standard_normal((150, 12))
    stimulus, recording = series(rng, X, 0.2)
    words, locked = word_locked(stimulus, recording)
    assert words.n_words == 150
    scores = cross_validate(SimilarityEncoder(), X, locked.data, ContiguousBlocks(5)).mean
    channels, latencies, table = over_time(scores, locked.targets)
    assert channels == ["A", "B", "C"]
    assert latencies[table.mean(axis=0).argmax()] == pytest.approx(0.2)
    assert (table[:, 2] > 0.5).all()
    assert abs(np.delete(table, 2, axis=1).mean()) < 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s, r: word_locked(s, r, width=0.001), "shorter than a sample"),
        (lambda s, r: word_locked(s, r, start=1, stop=0.5), "no bin"),
        (lambda s, r: word_locked(s, r, start=900, stop=901), "one clock"),
        (lambda s, r: word_locked(Stimulus(["a"], "en"), r), "timed words"),
        (lambda s, r: over_time(np.ones(3), r.targets), "'channel' and 'time'"),
    ],
)
def test_bad_input_is_refused(rng, make, message):
    with pytest.raises(ValueError, match=message):
        make(*series(rng, rng.standard_normal((5, 2)), 0.1))

import mne
import numpy as np
import pytest
from mtrf.model import TRF
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from brainlm import Stimulus
from brainlm.data.target_table import over_time, target_table
from brainlm.encoding.cross_validation import cross_validate
from brainlm.encoding.delays import delay
from brainlm.encoding.ridge import RidgeEncoder
from brainlm.encoding.splits import ContiguousBlocks, GapWarning, LeaveOneRunOut
from brainlm.encoding.temporal_response import Delayer, lag_samples
from brainlm.io.mne_objects import from_epochs

pytestmark = pytest.mark.filterwarnings("ignore::brainlm.encoding.ridge.AlphaEdgeWarning")
RATE = 20.0


@parametrize_with_checks([Delayer()])
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


def test_lags_are_samples_with_both_ends():
    assert lag_samples(-0.1, 0.2, RATE) == [-2, -1, 0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="is after tmax"):
        lag_samples(0.3, 0.2, RATE)
    with pytest.raises(ValueError, match="rate must be"):
        lag_samples(0, 0.2, 0)


def test_weights_equal_those_of_mtrf(rng):
    """mtrf averages the covariances of its trials and divides the penalty by the time step."""
    X = [rng.standard_normal((200, 3)) for _ in range(4)]
    Y = [4 * rng.standard_normal((200, 5)) + np.linspace(0, 8, 5) * x[:, :1] + 2 for x in X]
    reference = TRF()
    reference.train(X, Y, RATE, -0.1, 0.3, [0.01, 1.0, 100.0], reg_per_y_channel=True)
    assert len(set(reference.regularization)) > 1
    lags = lag_samples(-0.1, 0.3, RATE)
    runs = np.repeat(list("abcd"), 200)
    lagged = delay(np.vstack(X), lags, runs)
    for channel, alpha in enumerate(reference.regularization * RATE * 4):
        fitted = RidgeEncoder([alpha], standardize=False).fit(lagged, np.vstack(Y)[:, channel])
        weights = fitted.coef_per_delay(len(lags))[:, 0].T  # (n_features, n_lags)
        np.testing.assert_allclose(weights * RATE, reference.weights[:, :, channel], atol=1e-8)
        np.testing.assert_allclose(fitted.intercept_ * RATE, reference.bias[0, channel], rtol=1e-8)


def test_a_response_function_is_recovered_by_a_pipeline_with_one_penalty_per_channel(rng):
    time = np.tile(np.arange(400) / RATE, 3)
    runs = np.repeat(["1", "2", "3"], 400)
    X = rng.standard_normal((1200, 1))
    lags = lag_samples(0, 0.4, RATE)
    planted = np.sin(np.linspace(0, np.pi, len(lags)))[:, None] * [1.0, 0.5, 0.0]
    Y = delay(X, lags, runs) @ planted + 0.3 * rng.standard_normal((1200, 3))
    encoder = make_pipeline(Delayer(lags, time_column=0), RidgeEncoder())
    given = np.c_[time, X]
    scores = cross_validate(encoder, given, Y, LeaveOneRunOut(runs))
    assert scores.mean[0] > 0.95
    assert abs(scores.mean[2]) < 0.05
    fitted = encoder.fit(given, Y)[-1]
    assert len(set(fitted.alpha_)) > 1
    np.testing.assert_allclose(fitted.coef_per_delay(len(lags))[:, :, 0], planted, atol=0.06)


def test_lags_stay_inside_unbroken_time(rng):
    X = rng.standard_normal((60, 2)) + 10
    time = np.r_[np.arange(20), np.arange(30, 50), np.arange(20)] * 0.05  # a hole; the next run
    found = Delayer([1, 2], time_column=1).fit_transform(np.c_[X[:, 0], time, X[:, 1]])
    stretch = np.repeat([0, 1, 2], 20)
    np.testing.assert_array_equal(found, delay(X, [1, 2], stretch))
    assert (found[[0, 20, 40]] == 0).all()
    with pytest.raises(ValueError, match="do not rise"):
        Delayer([1], time_column=0).fit(np.zeros((5, 2)))


@pytest.mark.parametrize("first", [1, 3])  # hours
def test_a_clock_in_single_precision_loses_no_lag(rng, first):
    n = 20_000
    time = np.delete(first * 3600 + np.arange(n) / 100, [n // 2, n // 2 + 1])
    X = np.c_[time, rng.standard_normal(len(time))]
    expected = delay(X[:, 1:], [1, 2], np.arange(len(time)) >= n // 2)
    np.testing.assert_array_equal(Delayer([1, 2], time_column=0).fit_transform(X), expected)
    single = X.astype(np.float32)
    found = Delayer([1, 2], time_column=0).fit_transform(single)
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    single[:, 0] += 10 * 3600
    with pytest.raises(ValueError, match=r"float32 rounds times to .* give X as float64"):
        Delayer([1, 2], time_column=0).fit_transform(single)


def test_blocks_of_a_time_series_without_a_gap_warn_and_items_do_not(rng):
    X, Y, time = rng.standard_normal((60, 2)), rng.standard_normal((60, 3)), np.arange(60)
    lagged = make_pipeline(Delayer([0, 2], time_column=0), RidgeEncoder())
    with pytest.warns(GapWarning, match="longest delay, 2 or more"):
        cross_validate(lagged, np.c_[time, X], Y, ContiguousBlocks(3, gap=1))
    runs = np.repeat(["1", "2"], 30)
    with pytest.warns(GapWarning, match=r"gap=0\) of a time series"):
        cross_validate(RidgeEncoder(), X, Y, ContiguousBlocks(3, runs=runs))
    cross_validate(lagged, np.c_[time, X], Y, ContiguousBlocks(3, gap=2, runs=runs))
    cross_validate(RidgeEncoder(), X, Y, ContiguousBlocks(3))  # items, as far as anyone knows


def test_the_curve_over_time_peaks_where_the_effect_was_planted(rng):
    words = [f"w{i}" for i in range(200)]
    stimulus = Stimulus(words=words, language="en", item=words)
    feature = rng.standard_normal((200, 3))
    data = rng.standard_normal((200, 2, 41)) * 1e-6  # 0 to 400 ms in steps of 10
    data[:, 1, 20:25] += 3e-6 * feature[:, :1, None].squeeze(2)[:, None].repeat(5, 2)[:, 0]
    info = mne.create_info(["EEG1", "EEG2"], 100.0, "eeg")
    epochs = mne.EpochsArray(data, info, verbose="error")
    recording = from_epochs(epochs, stimulus, bin_width=0.05)
    scores = cross_validate(
        RidgeEncoder(), feature, recording.data, ContiguousBlocks(5), targets=recording.targets
    )
    channels, times, curves = over_time(scores.mean, scores.targets)
    assert channels == ["EEG1", "EEG2"]
    assert times[np.nanargmax(curves[1])] == pytest.approx(0.2)
    assert curves[1].max() > 0.7
    assert np.abs(curves[0]).max() < 0.3
    _, _, by_fold = over_time(scores.values, scores.targets)
    assert by_fold.shape == (5, 2, 8)
    with pytest.raises(ValueError, match="'channel' and 'time' are needed"):
        over_time(scores.mean[:1], target_table(["voxel 1"]))

import matplotlib.pyplot as plt
import mne
import numpy as np
import pytest

from brainlm.data.recording import Recording
from brainlm.data.target_table import epoch_targets
from brainlm.plotting import plot_time_course, plot_topographies

NAMES = ["Fz", "Cz", "Pz", "Oz", "T7", "T8"]
TIMES = [0.0, 0.1, 0.2]
TARGETS = epoch_targets(NAMES, TIMES)


def recording(modality="eeg"):
    places = mne.channels.make_standard_montage("colin27_1020").get_positions()["ch_pos"]
    targets = epoch_targets(NAMES, TIMES, np.array([places[name] for name in NAMES]))
    data = np.random.default_rng(0).standard_normal((5, 18))
    return Recording(data, targets, modality, "V", items=list("abcde"))


def test_the_course_is_the_mean_over_channels_and_units():
    values = np.arange(36.0).reshape(2, 18)
    _, ax = plt.subplots()
    plot_time_course(values, TARGETS, ax, label="layer 3")
    times, mean = ax.lines[0].get_data()
    np.testing.assert_allclose(times, [0, 100, 200])
    np.testing.assert_allclose(mean, values.reshape(2, 6, 3).mean(axis=(0, 1)))
    assert "6 channels" in ax.get_ylabel()
    plt.close("all")


@pytest.mark.parametrize("modality", ["eeg", "meg"])
def test_heads_are_drawn_at_the_nearest_times_on_one_scale(modality):
    values = np.linspace(-0.1, 0.3, 18)
    figure = plot_topographies(values, recording(modality), times=[0.0, 0.19])
    assert [ax.get_title() for ax in figure.axes[:2]] == ["0 ms", "200 ms"]
    limits = {image.get_clim() for ax in figure.axes[:2] for image in ax.images}
    assert len(limits) == 1
    assert limits.pop() == pytest.approx((-0.3, 0.3))
    plt.close("all")


def test_a_head_needs_positions_and_times():
    bare = Recording(np.eye(3), epoch_targets(list("abc"), [0.0]), "eeg", "V", items=list("xyz"))
    with pytest.raises(ValueError, match="no positions"):
        plot_topographies(np.ones(3), bare)

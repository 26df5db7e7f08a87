import numpy as np
import pytest

from brainlm.data.brain_maps import BrainMaps
from brainlm.data.recording import Recording
from brainlm.stats.regions import (
    NETWORK,
    functional_regions,
    held_out_effects,
    region_means,
    region_responses,
    regions_of_maps,
)

PARCELS = np.repeat([0, 1, 2], [10, 40, 25])


def test_the_best_tenth_of_each_parcel_by_hand(rng):
    contrast = rng.standard_normal(75)
    contrast[[12, 20]] = np.nan
    found = functional_regions(contrast, PARCELS)
    for number, size in ((1, 4), (2, 3)):  # of 38 and of 25 voxels, rounded up
        own = np.flatnonzero((number == PARCELS) & np.isfinite(contrast))
        best = own[np.argsort(contrast[own])[-size:]]
        assert set(np.flatnonzero(found == number)) == set(best)
    assert (functional_regions(contrast, PARCELS, share=None, threshold=99) == 0).all()
    above = functional_regions(contrast, PARCELS, share=None, threshold=0.5) > 0
    np.testing.assert_array_equal(above, (contrast > 0.5) & (PARCELS > 0))


def test_a_planted_response_comes_back_and_noise_does_not(rng):
    responsive = np.zeros(75, dtype=bool)
    responsive[[11, 30, 33, 48, 60, 61, 70]] = True
    contrasts = 5.0 * responsive + rng.standard_normal((4, 75))
    sentences = 2.0 * responsive + 0.1 * rng.standard_normal((4, 75))
    nonwords = 0.1 * rng.standard_normal((4, 75))
    found = held_out_effects(contrasts, np.stack([sentences, nonwords], axis=1), PARCELS)
    np.testing.assert_allclose(found[0, 1], 2.0, atol=0.2)
    assert (abs(found[1]) < 0.15).all()
    noise = rng.standard_normal((200, 2, 1, 75))
    null = [held_out_effects(each[:, 0], each, PARCELS) for each in noise]
    assert abs(np.mean(null)) < 0.05  # choosing on the other run leaves no bias
    circular = [functional_regions(each[0, 0], PARCELS) for each in noise]
    biased = [each[0, 0][own > 0].mean() for each, own in zip(noise, circular, strict=True)]
    assert np.mean(biased) > 1  # which choosing on the same run would


def test_means_over_regions_and_the_network():
    regions = np.array([0, 1, 1, 2])
    table = region_means([[9.0, 1.0, 3.0, 6.0], [9.0, 1.0, np.nan, 0.0]], regions, {1: "a", 2: "b"})
    assert table.to_dict("list") == {"a": [2.0, 1.0], "b": [6.0, 0.0], NETWORK: [4.0, 0.5]}


def test_a_region_without_a_voxel_is_not_dropped():
    table = region_means([1.0, 3.0], np.array([0, 2]), {1: "a", 2: "b"})
    assert np.isnan(table["a"][0])
    assert table[NETWORK][0] == 3.0
    with pytest.raises(ValueError, match="no voxel was selected"):
        region_means([1.0, 3.0], np.array([0, 0]), {1: "a"})


def test_responses_of_regions_come_from_independent_runs(rng):
    data = rng.standard_normal((20, 75))
    runs = np.repeat(["1", "2"], 10)
    times = np.tile(np.arange(10.0), 2)
    names = [f"v{i}" for i in range(75)]
    recording = Recording(data, names, "fmri", "z", times=times, run=runs)
    regions, labels = functional_regions(data[0], PARCELS), {1: "IFG", 2: "STG"}
    found = region_responses(recording, regions, labels, localizer_runs=["3"])
    assert found.target_names.tolist() == ["IFG", "STG", NETWORK]
    np.testing.assert_allclose(found.data[:, 0], data[:, regions == 1].mean(axis=1))
    with pytest.raises(ValueError, match="runs 2 of this recording: define regions on other runs"):
        region_responses(recording, regions, labels, localizer_runs=["2", "3"])


def maps(data, affine=None, **options):
    mask = np.ones((3, 5, 5), dtype=bool)
    affine = np.eye(4) if affine is None else affine
    return BrainMaps(np.atleast_2d(data), ["a"], mask, "z", affine, **options)


def test_maps_on_another_grid_are_refused(rng):
    localizer = maps(rng.standard_normal(75))
    labels = {1: "IFG", 2: "STG"}
    found = regions_of_maps(localizer, maps(PARCELS, labels=labels))
    assert dict(found.labels) == labels
    np.testing.assert_array_equal(found.data[0], functional_regions(localizer.data[0], PARCELS))
    with pytest.raises(ValueError, match=r"resample_to_img\(parcels, localizer"):
        regions_of_maps(localizer, maps(PARCELS, affine=np.diag([2, 2, 2, 1]), labels=labels))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="give share or threshold"):
        functional_regions(np.ones(75), PARCELS, threshold=2)
    with pytest.raises(ValueError, match="share must be above 0"):
        functional_regions(np.ones(75), PARCELS, share=10)
    with pytest.raises(ValueError, match="no parcel"):
        functional_regions(np.ones(75), 0 * PARCELS)

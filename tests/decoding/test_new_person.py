"""A decoder of others on a new person: planted shared spaces, rotated voxels, no signal."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from brainlm.decoding.new_person import NewPersonSettings, decode_new_person
from brainlm.decoding.new_person_study import new_person_lines, over_people
from brainlm.errors import UnknownNameError

SETTINGS = NewPersonSettings(n_shared=6, window=5, lags=(1, 2))
N_SHARED, N_VOXELS, LENGTH = 6, 30, 100


def people(rng, n=4, *, noise=1.0, signal=1.0, rotated=True):
    """Four stories of 100 samples; voxels follow a shared latent one sample later."""
    names = [f"story {k}" for k in range(4)]
    latent = {
        k: gaussian_filter1d(rng.standard_normal((LENGTH, N_SHARED)), 2, axis=0) for k in names
    }
    latent = {k: Z / Z.std(axis=0) for k, Z in latent.items()}
    mixing = rng.standard_normal((N_SHARED, 8))
    first = rng.standard_normal((N_SHARED, N_VOXELS))
    found = []
    for _ in range(n):
        W = rng.standard_normal((N_SHARED, N_VOXELS)) if rotated else first
        found.append(
            {
                k: signal * np.roll(Z, 1, axis=0) @ W / np.sqrt(N_SHARED)
                + noise * rng.standard_normal((LENGTH, N_VOXELS))
                for k, Z in latent.items()
            }
        )
    return {k: Z @ mixing for k, Z in latent.items()}, found


def decode(embedding, subjects, minutes, **options):
    own, *others = subjects
    given = {"settings": SETTINGS, **options}
    return decode_new_person(embedding, own, others, "story 3", minutes, **given)


def test_alignment_makes_a_decoder_of_others_work_with_few_minutes(rng):
    found = decode(*people(rng), [1, 8])
    accuracy = found["accuracy"]
    assert (accuracy.sel(decoder=["srm", "ridge"], minutes=8) > 0.85).all()
    assert float(accuracy.sel(decoder="srm", minutes=1)) > 0.75
    assert (found["p"].sel(decoder=["srm", "ridge"], minutes=8) < 0.05).all()
    assert float(accuracy.sel(decoder="srm", minutes=1)) > float(
        accuracy.sel(decoder="own", minutes=1)
    )


def test_rotated_voxels_of_others_are_at_chance_without_alignment():
    accuracy = [
        float(
            decode(*people(np.random.default_rng(seed)), [2], methods=["others"])["accuracy"].item()
        )
        for seed in range(12)
    ]
    assert abs(np.mean(accuracy) - 0.5) < 0.12


def test_equal_voxels_need_no_alignment(rng):
    found = decode(*people(rng, rotated=False), [2], methods=["others", "procrustes"])
    assert float(found["accuracy"].sel(decoder="others").item()) > 0.85


def test_without_signal_all_are_at_chance():
    found = [decode(*people(np.random.default_rng(s), signal=0.0), [4]) for s in range(8)]
    mean = np.mean([each["accuracy"].values for each in found], axis=0)
    assert (abs(mean - 0.5) < 0.12).all()
    assert np.mean([each["p"].values <= 0.05 for each in found]) < 0.15


def test_nothing_of_the_test_story_is_learned(rng):
    embedding, subjects = people(rng)
    methods = ["own", "srm", "ridge", "procrustes", "others"]
    before = decode(embedding, subjects, [2], methods=methods)
    for each in subjects[1:]:
        each["story 3"] = rng.standard_normal(each["story 3"].shape)
    after = decode(embedding, subjects, [2], methods=methods)
    np.testing.assert_array_equal(before["accuracy"], after["accuracy"])


def test_only_so_many_minutes_are_used(rng):
    embedding, subjects = people(rng)
    before = decode(embedding, subjects, [2])
    for name in ("story 1", "story 2"):  # 2 minutes are 60 samples of story 0
        subjects[0][name] = rng.standard_normal((LENGTH, N_VOXELS))
    np.testing.assert_array_equal(before["accuracy"], decode(embedding, subjects, [2])["accuracy"])


def test_over_people_and_lines():
    import xarray

    embedding, subjects = people(np.random.default_rng(3))
    cells = []
    for k in range(4):
        rotated = [subjects[k], *(each for i, each in enumerate(subjects) if i != k)]
        found = decode(embedding, rotated, [2], methods=["others", "srm"])
        cells.append(found.assign(null_mean=found["null"].mean("turn")).drop_vars("null"))
    cells = xarray.concat(cells, "person").expand_dims("story")
    mean = over_people(cells)
    own = cells["accuracy"].sel(decoder="srm").values.ravel()
    assert float(mean["accuracy"].sel(decoder="srm").item()) == pytest.approx(own.mean())
    assert float(mean["p"].sel(decoder="srm").item()) < 0.05
    assert "shared response model" in new_person_lines(mean)[2]


def test_bad_input_is_named(rng):
    embedding, subjects = people(rng)
    with pytest.raises(UnknownNameError, match="unknown story 'story 9'"):
        decode_new_person(embedding, subjects[0], subjects[1:], "story 9", [2])
    with pytest.raises(UnknownNameError, match="unknown method 'srn'"):
        decode(embedding, subjects, [2], methods=["srn"])
    with pytest.raises(ValueError, match=r"minutes must lie between 0.67 and 10 .* got 11"):
        decode(embedding, subjects, [11])
    with pytest.raises(ValueError, match="others must be two subjects or more, got 1"):
        decode(embedding, subjects[:2], [2])
    less = {name: each for name, each in subjects[2].items() if name != "story 0"}
    with pytest.raises(ValueError, match="must have heard the same stories"):
        decode(embedding, [*subjects[:2], less], [2])
    narrow = {name: each[:, :9] for name, each in subjects[2].items()}
    with pytest.raises(ValueError, match=r"subjects have \[9, 30\] voxels"):
        decode(embedding, [*subjects[:2], narrow], [2])
    assert decode(embedding, [*subjects[:2], narrow], [2], methods=["srm"])["accuracy"] > 0.5

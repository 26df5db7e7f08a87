import numpy as np
import pytest
from scipy.stats import ttest_ind

from brainlm.data.features import Features
from brainlm.data.stimulus import Stimulus
from brainlm.features.language_units import language_units, random_units, scramble_letters


def layers(rng, n_items, boost=()):
    made = []
    for k in range(3):
        values = rng.standard_normal((n_items, 50))
        for layer, unit in boost:
            if layer == k:
                values[:, unit] *= 4
        made.append(Features(f"layer {k}", values, origin={"layer": k}))
    return made


def test_planted_units_are_found(rng):
    planted = [(0, 3), (2, 10), (2, 49)]
    found = language_units(layers(rng, 60, planted), layers(rng, 60), share=0.02)
    assert set(zip(found.layer, found.unit, strict=True)) == set(planted)
    assert (np.diff(found.t) <= 0).all()


def test_t_is_that_of_scipy_over_magnitudes(rng):
    real, false = layers(rng, 30, [(1, 7)]), layers(rng, 40)
    found = language_units(real, false, share=1)
    assert len(found.t) == 150
    k, u = found.layer[0], found.unit[0]
    a, b = abs(real[k].values[:, u]), abs(false[k].values[:, u])
    assert found.t[0] == pytest.approx(ttest_ind(a, b, equal_var=False).statistic)


def test_units_of_noise_are_those_of_chance(rng):
    """t of the best of 150 units: about 2.6 standard errors, no more."""
    best = [language_units(layers(rng, 40), layers(rng, 40)).t[0] for _ in range(30)]
    assert 2.0 < np.mean(best) < 3.2


def test_units_are_taken_from_a_new_stimulus(rng):
    words = Stimulus(["a", "b", "c"], "en")
    new = [Features(f"layer {k}", rng.standard_normal((3, 50)), words) for k in range(3)]
    found = language_units(layers(rng, 60, [(2, 10)]), layers(rng, 60), share=1 / 150)
    np.testing.assert_array_equal(found.select(new).values[:, 0], new[2].values[:, 10])
    drawn = random_units(new, share=0.1, seed=1)
    assert len(set(zip(drawn.layer, drawn.unit, strict=True))) == 15
    with pytest.raises(ValueError, match="embed the same layers"):
        found.select(new[:2])


def test_scrambled_words_keep_lengths_and_letters():
    words = Stimulus(["The", "dog's", "tail", "."], "en", sentence=["1"] * 4)
    found = scramble_letters(words)
    assert [len(w) for w in found.words] == [3, 5, 4, 1]
    assert sorted("".join(found.words)) == sorted("".join(words.words))
    assert found.words[1][3] == "'"
    assert found.words.tolist() != words.words.tolist()


def test_bad_input_is_named(rng):
    with pytest.raises(ValueError, match="60 sentences x 50 units and 1 non-words"):
        language_units(layers(rng, 60), layers(rng, 1))
    with pytest.raises(ValueError, match="leaves 0"):
        language_units(layers(rng, 60), layers(rng, 60), share=0.001)
